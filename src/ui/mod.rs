//! What a person sees and types. Results go to stdout; progress, questions and errors to stderr.

pub mod diagnosis;
pub mod json;
pub mod progress;
pub mod prompt;
pub mod questions;
pub mod report;
pub mod status;
pub mod story;
mod text;
pub mod update;

use std::io::{self, IsTerminal as _};

use dialoguer::console::Term;

/// How text is written: decided once from the terminal, then passed along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub color: bool,
    /// Columns; `usize::MAX` where nothing is a terminal and lines are not to be broken.
    pub width: usize,
    pub unicode: bool,
}

/// One of the two streams that are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Style {
    /// No colour, no line breaks.
    #[must_use]
    pub fn plain() -> Self {
        Self { color: false, width: usize::MAX, unicode: true }
    }

    /// What suits `stream`: `color` forces or forbids colour, `None` asks the terminal and `NO_COLOR`.
    #[must_use]
    pub fn of(stream: Stream, color: Option<bool>) -> Self {
        let (terminal, term) = match stream {
            Stream::Stdout => (io::stdout().is_terminal(), Term::stdout()),
            Stream::Stderr => (io::stderr().is_terminal(), Term::stderr()),
        };
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let width = match term.size_checked() {
            Some((_, columns)) if terminal => usize::from(columns).max(20),
            _ if terminal => 80,
            _ => usize::MAX,
        };
        Self {
            color: color.unwrap_or_else(|| terminal && !dumb && set("NO_COLOR").is_none()),
            width,
            // An unset locale is a container more often than a terminal that can't show a check mark.
            unicode: locale.is_none_or(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8")),
        }
    }

    fn paint(self, paint: Paint, text: &str) -> String {
        if self.color && !text.is_empty() { format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code()) } else { text.into() }
    }

    fn glyph(self, glyph: Glyph) -> String {
        let (unicode, ascii, paint) = match glyph {
            Glyph::Doing => ("►", ">", Paint::Cyan),
            Glyph::Done => ("✔", "+", Paint::Green),
            Glyph::Waiting => ("◎", "o", Paint::Yellow),
            Glyph::Failed => ("✗", "x", Paint::Red),
            Glyph::Unknown => ("?", "?", Paint::Yellow),
        };
        self.paint(paint, if self.unicode { unicode } else { ascii })
    }
}

/// What a line of progress is about; each has a sign of its own, so colour is never the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    Doing,
    Done,
    Waiting,
    Failed,
    Unknown,
}

#[derive(Clone, Copy)]
enum Paint {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Cyan => "36",
        }
    }
}

/// Whether a person can be asked: questions are written to stderr and answered on stdin.
#[must_use]
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Writing to a reader that has gone (`sbi plan | head -1`) is no failure: whoever closed the pipe has seen enough.
///
/// # Errors
/// Every other error of the stream.
pub fn unless_closed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
