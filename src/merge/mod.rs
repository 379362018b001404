//! Three-way merging of one file: what this version renders, what the last render was, and what the publisher made of
//! it. Pure. A merge is either whole or no merge at all: no text with markers in it leaves this module.

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
