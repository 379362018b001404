//! Asking a person, on stderr. What an answer means is decided in `questions`.

use std::fmt;
use std::io;

use dialoguer::console::{self, Term};
use dialoguer::theme::Theme;
use dialoguer::{Confirm, Input, MultiSelect, Select};

use super::questions::{Choice, Detected, Draft, Question};
use super::text::{cut, harmless, width, wrap};
use super::{Glyph, Paint, Style};
use crate::failure::{Cause, Failure};
use crate::model::secrets::Token;

/// A terminal with a person before it.
pub struct Prompt {
    term: Term,
    style: Style,
}

impl Prompt {
    /// Call it inside the tokio runtime: it takes over SIGINT for the rest of the process, so that Ctrl-C at a
    /// question returns here and the cursor comes back. `None` where nobody can be asked.
    #[must_use]
    pub fn new(style: Style) -> Option<Self> {
        if !super::is_interactive() {
            return None;
        }
        #[cfg(unix)]
        if tokio::runtime::Handle::try_current().is_ok() {
            // dialoguer's terminal raises SIGINT when it reads Ctrl-C; with a handler in place the read then fails
            // instead of the process ending with a hidden cursor. The handler outlives this value.
            let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
        }
        console::set_colors_enabled_stderr(style.color);
        Some(Self { term: Term::stderr(), style })
    }

    /// Asks everything that is open, one question after the other, until each answer is valid.
    ///
    /// # Errors
    /// `Cancelled` after Ctrl-C.
    pub fn ask_all(&self, draft: &mut Draft, detected: &Detected) -> Result<(), Failure> {
        while let Some(question) = draft.open_questions(detected).into_iter().next() {
            self.introduce(&question)?;
            loop {
                let answer = match (question.choices.is_empty(), question.takes_several) {
                    (true, _) => self.input(&question)?,
                    (false, true) => self.select_several(&question)?,
                    (false, false) => self.select(&question)?,
                };
                match draft.answer(question.id, &answer) {
                    Ok(()) => {
                        let given = draft.answered(question.id).unwrap_or_default();
                        self.write(&self.style.glyph(Glyph::Done), &format!("{}: {given}", question.prompt))?;
                        break;
                    }
                    Err(failure) => {
                        self.write(&self.style.glyph(Glyph::Failed), failure.message())?;
                        for hint in failure.hints() {
                            self.write(" ", hint)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks for a yes; Enter alone means no.
    ///
    /// # Errors
    /// `Cancelled` after Ctrl-C.
    pub fn confirm(&self, question: &str) -> Result<bool, Failure> {
        let theme = Plain { style: self.style };
        let confirm = Confirm::with_theme(&theme).with_prompt(question).default(false).wait_for_newline(true);
        confirm.interact_on(&self.term).map_err(|error| self.broken(error.into()))
    }

    /// Asks for a text that must be typed out, such as the name of what will be deleted.
    ///
    /// # Errors
    /// `Cancelled` after Ctrl-C.
    pub fn typed(&self, question: &str) -> Result<String, Failure> {
        self.write(" ", question)?;
        let theme = Plain { style: self.style };
        let input = Input::<String>::with_theme(&theme).report(false).allow_empty(true);
        let typed = input.interact_text_on(&self.term).map_err(|error| self.broken(error.into()))?;
        Ok(typed.trim().to_owned())
    }

    /// Asks for a GitHub token without showing it.
    ///
    /// # Errors
    /// `Cancelled` after Ctrl-C or an empty answer.
    pub async fn token(&self, why: &str) -> Result<Token, Failure> {
        self.write(" ", why)?;
        self.term.write_str("  token (not shown): ").map_err(|error| self.broken(error))?;
        let term = self.term.clone();
        let read = tokio::task::spawn_blocking(move || term.read_secure_line());
        // In this mode the terminal turns Ctrl-C into SIGINT, which the blocked read does not notice.
        let line = tokio::select! {
            line = read => line.map_err(io::Error::other).and_then(|line| line),
            _ = tokio::signal::ctrl_c() => {
                show_typing();
                Err(io::ErrorKind::Interrupted.into())
            }
        };
        let line = line.map_err(|error| self.broken(error))?;
        let token = line.trim().to_owned();
        if token.is_empty() {
            return Err(cancelled("no token was given"));
        }
        Ok(Token::new(token))
    }

    fn introduce(&self, question: &Question) -> Result<(), Failure> {
        let flag = self.style.paint(Paint::Dim, &format!("({})", question.flag));
        let title = self.style.paint(Paint::Bold, question.prompt);
        self.term.write_line(&format!("\n{title} {flag}")).map_err(|error| self.broken(error))?;
        self.write(" ", question.help)?;
        if !self.explained_in_line(question) {
            for choice in &question.choices {
                self.write(" ", &format!("{}: {}", choice.value, choice.explanation))?;
            }
        }
        Ok(())
    }

    /// Items that are broken over lines confuse the redrawing of the list.
    fn explained_in_line(&self, question: &Question) -> bool {
        let values = question.choices.iter().map(|choice| width(&choice.value)).max().unwrap_or(0);
        let mark = if question.takes_several { 4 } else { 0 };
        question.choices.iter().all(|choice| values + 2 + choice.explanation.len() + 6 + mark <= self.style.width)
    }

    fn input(&self, question: &Question) -> Result<String, Failure> {
        let theme = Plain { style: self.style };
        let mut input = Input::<String>::with_theme(&theme).report(false).allow_empty(true);
        if let Some(default) = &question.default {
            input = input.default(default.clone());
        }
        input.interact_text_on(&self.term).map_err(|error| self.broken(error.into()))
    }

    /// One line a choice.
    fn items(&self, question: &Question) -> Vec<String> {
        let values = question.choices.iter().map(|choice| width(&choice.value)).max().unwrap_or(0);
        let in_line = self.explained_in_line(question);
        let item = |choice: &Choice| match in_line {
            true => format!("{}  {}", super::text::pad(&choice.value, values), choice.explanation),
            false => choice.value.clone(),
        };
        question.choices.iter().map(item).collect()
    }

    fn select(&self, question: &Question) -> Result<String, Failure> {
        let theme = Plain { style: self.style };
        let items = self.items(question);
        let default = question.choices.iter().position(|choice| Some(&choice.value) == question.default.as_ref());
        let select = Select::with_theme(&theme).items(items).default(default.unwrap_or(0)).report(false);
        let index = select.interact_on(&self.term).map_err(|error| self.broken(error.into()))?;
        Ok(question.choices.get(index).map(|choice| choice.value.clone()).unwrap_or_default())
    }

    /// Nothing marked is an empty answer, which the draft refuses.
    fn select_several(&self, question: &Question) -> Result<String, Failure> {
        let theme = Plain { style: self.style };
        let given: Vec<&str> = question.default.iter().flat_map(|default| default.split(',')).collect();
        let marked: Vec<bool> = question.choices.iter().map(|choice| given.contains(&choice.value.as_str())).collect();
        let select = MultiSelect::with_theme(&theme).items(self.items(question)).defaults(&marked).report(false);
        let chosen = select.interact_on(&self.term).map_err(|error| self.broken(error.into()))?;
        let values = chosen.into_iter().filter_map(|at| question.choices.get(at)).map(|choice| choice.value.as_str());
        Ok(values.collect::<Vec<_>>().join(","))
    }

    fn write(&self, head: &str, text: &str) -> Result<(), Failure> {
        for (index, line) in wrap(text, self.style.width.saturating_sub(3)).iter().enumerate() {
            let head = if index == 0 { head } else { " " };
            self.term.write_line(&format!("{head} {line}")).map_err(|error| self.broken(error))?;
        }
        Ok(())
    }

    /// Ctrl-C or a terminal that went away, with the cursor back where it was hidden.
    fn broken(&self, error: io::Error) -> Failure {
        let _ = self.term.show_cursor();
        let _ = self.term.write_line("");
        match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => cancelled("cancelled: nothing was changed"),
            _ => Failure::new("the terminal can't be used")
                .hinted("answer by flags and add --yes; `sbi init --help` lists them")
                .caused_by(error),
        }
    }
}

/// What is said instead of asking for a yes where nobody can be asked.
#[must_use]
pub fn nobody_to_confirm() -> Failure {
    Failure::usage("the plan needs a yes, and there is no terminal to ask on").hinted("add --yes")
}

fn cancelled(message: &str) -> Failure {
    Failure::new(message).because(Cause::Cancelled)
}

/// Turns the echo on again that a read, cut off by Ctrl-C, left off. There is no safe call for it in std.
fn show_typing() {
    let _ = std::process::Command::new("stty").arg("echo").stderr(std::process::Stdio::null()).status();
}

/// A look of our own: short prompts that fit 40 columns, and no colour unless the style has it.
struct Plain {
    style: Style,
}

impl Plain {
    fn pointer(&self) -> String {
        self.style.paint(Paint::Cyan, ">")
    }
}

impl Theme for Plain {
    fn format_input_prompt(&self, f: &mut dyn fmt::Write, _: &str, default: Option<&str>) -> fmt::Result {
        match default {
            // What is cut off here is shown in full once it is taken.
            Some(default) => {
                write!(f, "  [{}] {} ", cut(&harmless(default), self.style.width / 2 + 8), self.pointer())
            }
            None => write!(f, "  {} ", self.pointer()),
        }
    }

    fn format_select_prompt_item(&self, f: &mut dyn fmt::Write, text: &str, active: bool) -> fmt::Result {
        if active { write!(f, "  {} {text}", self.pointer()) } else { write!(f, "    {text}") }
    }

    fn format_multi_select_prompt_item(
        &self,
        f: &mut dyn fmt::Write,
        text: &str,
        checked: bool,
        active: bool,
    ) -> fmt::Result {
        let mark = if checked { "[x]" } else { "[ ]" };
        self.format_select_prompt_item(f, &format!("{mark} {text}"), active)
    }
}
