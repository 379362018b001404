//! Differences between texts, as lines that a person reads.

use diffy::{DiffOptions, Line};

use crate::merge::Hunk;

/// Lines around a change.
const CONTEXT: usize = 3;

/// What leads from one text to another: lines that begin with `-`, `+` or a blank, and one that says where for each
/// place. Empty when there is no difference.
#[must_use]
pub fn difference(before: &str, after: &str) -> Vec<String> {
    let mut options = DiffOptions::new();
    options.set_context_len(CONTEXT);
    let patch = options.create_patch(before, after);
    let mut lines = Vec::new();
    for hunk in patch.hunks() {
        lines.push(format!("@@ line {} @@", hunk.new_range().start().max(1)));
        for line in hunk.lines() {
            let (sign, text) = match line {
                Line::Context(text) => (' ', text),
                Line::Delete(text) => ('-', text),
                Line::Insert(text) => ('+', text),
            };
            let (text, end) = match text.strip_suffix('\n') {
                Some(text) => (text, ""),
                None => (*text, " (no line feed behind)"),
            };
            lines.push(format!("{sign}{}{end}", text.strip_suffix('\r').unwrap_or(text)));
        }
    }
    lines
}

/// Both sides of a conflict, each with what it is: what this version changes, and what the publisher changed. Where
/// there is no base to compare with, the one difference between both.
#[must_use]
pub fn differences(hunk: &Hunk) -> Vec<(&'static str, Vec<String>)> {
    if hunk.base.is_empty() {
        return vec![("from what is there to what this version renders", difference(&hunk.theirs, &hunk.ours))];
    }
    vec![
        ("what this version changes", difference(&hunk.base, &hunk.ours)),
        ("what was changed here", difference(&hunk.base, &hunk.theirs)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_what_goes_and_what_comes() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), Vec::<String>::new());
        let lines = difference("a\r\nb\n", "a\r\nc");
        assert_eq!(lines, ["@@ line 1 @@", " a", "-b", "+c (no line feed behind)"]);
    }

    #[test]
    fn without_a_base_there_is_one_difference() {
        let hunk = |base: &str| Hunk {
            place: "line 1".into(),
            base: base.into(),
            ours: "ours\n".into(),
            theirs: "theirs\n".into(),
        };
        assert_eq!(differences(&hunk("")).len(), 1);
        let both = differences(&hunk("base\n"));
        assert!(both[0].1.contains(&"+ours".to_owned()) && both[1].1.contains(&"+theirs".to_owned()), "{both:?}");
    }
}
