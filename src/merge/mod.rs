//! Three-way merging of one file: what this version renders, what the last render was, and what the publisher made of
//! it. Pure. A merge is either whole or no merge at all: no text with markers in it leaves this module.

pub mod checks;
pub mod lines;
pub mod workflow;

/// What became of three texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    Clean(Clean),
    /// Why no text satisfies both sides; nobody's text was changed.
    Conflict(Vec<Hunk>),
}

/// A text that holds what both sides did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clean {
    pub text: String,
    /// What a person should know who reviews it, in the order of the text.
    pub notes: Vec<Note>,
}

/// One thing that the merge decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where, as people name it: `jobs.build.steps."Check out"`, `line 12`.
    pub place: String,
    /// `keeps actions/checkout v8.0.0, which is newer than v7.0.1`
    pub what: String,
}

/// One place that both sides changed in ways that don't go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// Where, as people name it.
    pub place: String,
    /// What was rendered last; empty where there was nothing.
    pub base: String,
    /// What this version renders; empty where it removes.
    pub ours: String,
    /// What is there today; empty where it was removed.
    pub theirs: String,
}

/// The text that holds what `ours`, this version's render, and `theirs`, the file of today, each made of `base`, the
/// last render.
#[must_use]
pub fn merge(path: &str, base: &str, ours: &str, theirs: &str) -> Merged {
    match Reader::of(path) {
        Reader::Github => workflow::merge(base, ours, theirs),
        Reader::Others => lines::merge(base, ours, theirs),
    }
}

/// Who reads a file, which decides what a change of it means.
enum Reader {
    /// YAML below `.github`, such as workflows.
    Github,
    Others,
}

impl Reader {
    fn of(path: &str) -> Self {
        let is_yaml = path.ends_with(".yml") || path.ends_with(".yaml");
        if is_yaml && path.starts_with(".github/") { Self::Github } else { Self::Others }
    }
}

/// How a line is named; the first one is 1.
fn line_place(number: usize) -> String {
    format!("line {number}")
}
