//! What is going on: live lines on a terminal, one plain line a finished step elsewhere.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::text::{harmless, wrap};
use super::{Glyph, Style};
use crate::apply::Event;
use crate::plan::step::{Line, Sign, Step};
use crate::plan::{Plan, StepId};

/// Writes progress. Nothing here can fail a run: what can't be written is not written.
pub struct Progress {
    style: Style,
    screen: Screen,
    running: RefCell<BTreeMap<StepId, ProgressBar>>,
}

enum Screen {
    /// Lines that change, on stderr.
    Live(MultiProgress),
    /// Lines that stay.
    Plain(RefCell<Box<dyn Write>>),
}

impl Progress {
    /// On stderr: live where it is a terminal, plain elsewhere.
    #[must_use]
    pub fn on_stderr(style: Style) -> Self {
        use std::io::IsTerminal as _;
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        if std::io::stderr().is_terminal() && !dumb {
            let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            Self { style, screen: Screen::Live(multi), running: RefCell::default() }
        } else {
            Self::plain(style, Box::new(std::io::stderr()))
        }
    }

    /// Plain lines to any writer.
    #[must_use]
    pub fn plain(style: Style, w: Box<dyn Write>) -> Self {
        Self { style, screen: Screen::Plain(RefCell::new(w)), running: RefCell::default() }
    }

    /// The callback of `apply::apply`.
    pub fn watch<'a>(&'a self, plan: &'a Plan) -> impl Fn(StepId, Event<'_>) + 'a {
        move |id, event| self.step(id, &plan.node(id).step, &event)
    }

    /// Says what is being done until the answer is dropped or told to be done.
    pub fn stage(&self, text: &str) -> Stage<'_> {
        let bar = self.start(&format!("{} {}", self.style.glyph(Glyph::Doing), harmless(text)));
        if bar.is_none() {
            self.line(Glyph::Doing, text);
        }
        Stage { progress: self, bar }
    }

    /// One line that stays.
    pub fn line(&self, glyph: Glyph, text: &str) {
        let columns = self.style.width.saturating_sub(2);
        let lines: Vec<String> = wrap(text, columns)
            .into_iter()
            .enumerate()
            .map(
                |(index, line)| {
                    if index == 0 { format!("{} {line}", self.style.glyph(glyph)) } else { format!("  {line}") }
                },
            )
            .collect();
        match &self.screen {
            Screen::Live(multi) => {
                let _ = multi.println(lines.join("\n"));
            }
            Screen::Plain(w) => {
                let _ = writeln!(w.borrow_mut(), "{}", lines.join("\n"));
            }
        }
    }

    /// Runs `write` while no live line is on the screen, so that its output is not overwritten.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.screen {
            Screen::Live(multi) => multi.suspend(write),
            Screen::Plain(_) => write(),
        }
    }

    fn step(&self, id: StepId, step: &Step, event: &Event<'_>) {
        let (doing, done) = verbs(step);
        let Line { kind, name, .. } = step.describe();
        match event {
            Event::Started => {
                let slow = if matches!(step, Step::IssueAccessKey { .. }) { ", takes up to 60 s" } else { "" };
                let text = format!("{} {doing} {kind} {}{slow}", self.style.glyph(Glyph::Doing), harmless(&name));
                match self.start(&text) {
                    Some(bar) => {
                        self.running.borrow_mut().insert(id, bar);
                    }
                    // A slow step announces itself where nothing else would show it for a while.
                    None if !slow.is_empty() => self.line(Glyph::Doing, &format!("{doing} {kind} {name}{slow}")),
                    None => {}
                }
            }
            Event::Waiting(what) => match self.running.borrow().get(&id) {
                Some(bar) => bar.set_message(format!(
                    "{} {kind} {}: {}",
                    self.style.glyph(Glyph::Waiting),
                    harmless(&name),
                    harmless(what)
                )),
                None => self.line(Glyph::Waiting, &format!("{kind} {name}: {what}")),
            },
            Event::Done(_) => {
                self.stop(id);
                self.line(Glyph::Done, &format!("{done} {kind} {name}"));
            }
            Event::Failed(failure) => {
                self.stop(id);
                self.line(Glyph::Failed, &format!("{kind} {name}: {}", failure.message()));
            }
            // Silent: one failure would be buried under all that depends on it. The outcome lists them.
            Event::Skipped => self.stop(id),
        }
    }

    fn start(&self, text: &str) -> Option<ProgressBar> {
        let Screen::Live(multi) = &self.screen else { return None };
        let bar = multi.add(ProgressBar::new_spinner());
        // The seconds are the only thing that moves: they are true even when a server says nothing.
        if let Ok(style) = ProgressStyle::with_template("{wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_secs(1));
        Some(bar)
    }

    fn stop(&self, id: StepId) {
        if let Some(bar) = self.running.borrow_mut().remove(&id) {
            bar.finish_and_clear();
        }
    }
}

/// Something under way that is no step: looking around, following a run.
#[must_use = "a stage ends when it is dropped"]
pub struct Stage<'a> {
    progress: &'a Progress,
    bar: Option<ProgressBar>,
}

impl Stage<'_> {
    /// Says what is being waited for now.
    pub fn waits(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{} {}", self.progress.style.glyph(Glyph::Waiting), harmless(text))),
            None => self.progress.line(Glyph::Waiting, text),
        }
    }

    /// Ends it with a line that stays, in the past tense.
    pub fn done(self, text: &str) {
        let progress = self.progress;
        drop(self);
        progress.line(Glyph::Done, text);
    }

    /// Ends it with a line that says what went wrong.
    pub fn failed(self, text: &str) {
        let progress = self.progress;
        drop(self);
        progress.line(Glyph::Failed, text);
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// What a step is doing and what it then has done.
fn verbs(step: &Step) -> (&'static str, &'static str) {
    match step {
        Step::PutSecret { .. } => ("uploading", "uploaded"),
        Step::IssueAccessKey { .. } => ("issuing", "issued"),
        Step::DeactivateAccessKey { .. } => ("deactivating", "deactivated"),
        Step::WatchAccessKey { .. } => ("watching", "watched"),
        Step::CommitFiles { commit, .. } if commit.deletions.is_empty() => ("committing", "committed"),
        Step::ClosePullRequest { .. } => ("closing", "closed"),
        Step::CreateRelease { .. } => ("publishing", "published"),
        _ => match step.describe().sign {
            Sign::Add => ("creating", "created"),
            Sign::Change => ("changing", "changed"),
            Sign::Remove => ("deleting", "deleted"),
            Sign::Wait => ("waiting for", "waited for"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::failure::Failure;
    use crate::plan::step::{KeyEnd, Produced};

    #[derive(Clone, Default)]
    struct Paper(Rc<RefCell<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn plan() -> Plan {
        let mut plan = Plan::default();
        let repository = "acme/base".parse::<crate::model::names::GithubRepositoryName>().expect("a name");
        let user = "ci".parse::<crate::model::names::UserName>().expect("a name");
        let arn = "arn:aws:iam::123456789012:user/ci".to_owned();
        plan.add(
            Step::PutSecret {
                repository: repository.clone(),
                name: "AWS_REGION".into(),
                value: "us-east-1".into(),
                replaces: false,
            },
            [],
        );
        plan.add(
            Step::IssueAccessKey {
                arn: arn.clone(),
                user: user.clone(),
                repository: repository.clone(),
                written: None,
            },
            [],
        );
        plan.add(Step::RestrictWorkflowToken { repository }, []);
        plan.add(Step::DeleteAccessKey { arn, user, key_id: "AKIAEXAMPLE".into(), end: KeyEnd::Leftover }, []);
        plan
    }

    #[test]
    fn without_a_terminal_every_finished_step_is_one_line_in_the_past_tense() {
        let paper = Paper::default();
        let progress = Progress::plain(Style::plain(), Box::new(paper.clone()));
        let plan = plan();
        let stage = progress.stage("looking at AWS and GitHub");
        stage.done("looked at AWS and GitHub");
        let watch = progress.watch(&plan);
        let ids: Vec<StepId> = plan.ids().collect();
        watch(ids[0], Event::Started);
        watch(ids[0], Event::Done(&Produced::Nothing));
        watch(ids[1], Event::Started);
        watch(ids[1], Event::Waiting("ECR does not accept the key yet".into()));
        watch(ids[1], Event::Failed(&Failure::new("the key never worked")));
        watch(ids[2], Event::Skipped);
        watch(ids[3], Event::Started);
        watch(ids[3], Event::Done(&Produced::Nothing));
        let text = String::from_utf8(paper.0.borrow().clone()).expect("UTF-8");
        insta::assert_snapshot!(text, @"
        ► looking at AWS and GitHub
        ✔ looked at AWS and GitHub
        ✔ uploaded secret AWS_REGION
        ► issuing access key of ci, takes up to 60 s
        ◎ access key of ci: ECR does not accept the key yet
        ✗ access key of ci: the key never worked
        ✔ deleted access key AKIAEXAMPLE
        ");
    }

    #[test]
    fn a_locale_without_unicode_gets_signs_of_its_own() {
        let paper = Paper::default();
        let style = Style { unicode: false, ..Style::plain() };
        let progress = Progress::plain(style, Box::new(paper.clone()));
        for glyph in [Glyph::Doing, Glyph::Done, Glyph::Waiting, Glyph::Failed] {
            progress.line(glyph, "it");
        }
        assert_eq!(String::from_utf8(paper.0.borrow().clone()).expect("UTF-8"), "> it\n+ it\no it\nx it\n");
    }
}
