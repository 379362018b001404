//! What of a publisher's edits is not in a merged text: whatever a merge decided, nothing goes unsaid.

use std::collections::BTreeMap;

/// Lines, each as often as it is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Lines that the publisher wrote and that the result lacks.
    pub written: Vec<String>,
    /// Lines that the publisher took out and that are back.
    pub returned: Vec<String>,
}

impl Lost {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.written.is_empty() && self.returned.is_empty()
    }
}

/// Line without its ends → how often. Indentation belongs to a text's form, not to what it says.
fn counted(text: &str) -> BTreeMap<&str, usize> {
    let mut lines = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        *lines.entry(line).or_default() += 1;
    }
    lines
}

/// Compares line by line what the publisher did to `base` with what is left of it in `merged`.
pub(super) fn lost(base: &str, ours: &str, theirs: &str, merged: &str) -> Lost {
    let [before, rendered, edited, after] = [base, ours, theirs, merged].map(counted);
    let of = |lines: &BTreeMap<&str, usize>, line: &str| lines.get(line).copied().unwrap_or(0);
    let mut lost = Lost::default();
    for (line, count) in &edited {
        let written = count.saturating_sub(of(&before, line));
        let missing = count.saturating_sub(of(&after, line)).min(written);
        lost.written.extend(std::iter::repeat_n((*line).to_owned(), missing));
    }
    for (line, count) in &before {
        let taken = count.saturating_sub(of(&edited, line));
        // What this version adds itself is no return.
        let added = of(&rendered, line).saturating_sub(*count);
        let back = of(&after, line).saturating_sub(of(&edited, line) + added).min(taken);
        lost.returned.extend(std::iter::repeat_n((*line).to_owned(), back));
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_an_edit_that_is_missing_is_counted() {
        let lost = lost("a\nb\n", "a\nB\n", "a\nb\nmine\nmine\n  twice\n", "a\nB\nmine\n    twice\n");
        assert_eq!(lost.written, ["mine"]);
        assert_eq!(lost.returned, Vec::<String>::new());
    }

    #[test]
    fn what_the_publisher_took_out_may_not_come_back_unsaid() {
        let found = lost("a\nb\nc\n", "a\nb\nc\nd\n", "a\nc\n", "a\nb\nc\nd\n");
        assert_eq!((found.written.len(), found.returned.as_slice()), (0, &["b".to_owned()][..]));
        let found = lost("a\nb\n", "a\nb\nb\n", "a\n", "a\nb\n");
        assert!(found.is_empty(), "this version has one more of it: {found:?}");
    }
}
