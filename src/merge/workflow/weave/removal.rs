//! Takes out what we don't render any more, with its comments and the blank lines before it.

use std::ops::Range;

use super::{Place, Weave};
use crate::merge::workflow::comments::beyond;
use crate::merge::workflow::tree::{Child, Document};

impl Weave<'_> {
    /// Whether the publisher wrote a comment on it.
    pub(super) fn has_own_comments(&self, base: &Child, theirs: &Child) -> bool {
        let all = |document: &Document<'_>, child: &Child| document.lead(child).start..document.end_with_foot(child);
        let known = self.base.comments_in(&all(self.base, base));
        !beyond(&self.theirs.comments_in(&all(self.theirs, theirs)), &known).is_empty()
    }

    /// Children by indentation.
    pub(super) fn remove_lines(&mut self, children: &[Child], removed: &[bool], place: &Place) {
        for (index, child) in children.iter().enumerate().filter(|(index, _)| removed[*index]) {
            let below = self.below(place, self.theirs, child, index);
            if !self.theirs.is_inline(child) {
                let range = self.lines_of(child, index == 0, index + 1 == children.len());
                self.edits.remove(below.shown(), range);
                continue;
            }
            let next = children.get(index + 1).filter(|_| !removed[index + 1]);
            match next {
                Some(next) if self.theirs.is_blank(self.theirs.end(child)..next.start) => {
                    self.edits.remove(below.shown(), child.start..next.start);
                }
                _ => {
                    let theirs = super::excerpt(self.theirs, child);
                    self.hunk(
                        &below,
                        "this version removes it, and it shares its line",
                        String::new(),
                        String::new(),
                        theirs,
                    );
                }
            }
        }
    }

    /// From the end of the line above to the end of its own last one, so that what is written behind either stays there.
    fn lines_of(&self, child: &Child, first: bool, last: bool) -> Range<usize> {
        let text = self.theirs.text;
        let lead = self.theirs.lead(child).start;
        let mut end = self.theirs.end(child);
        if first && !last {
            let next = self.theirs.line_start(text.len() - text[end..].trim_start().len());
            end = self.theirs.line_end(self.theirs.line_start(next - 1));
        }
        if lead == 0 {
            return 0..self.theirs.next_line(end);
        }
        let mut start = self.theirs.line_end(self.theirs.line_start(lead - 1));
        while !first && start > 0 && self.theirs.is_blank(self.theirs.line_start(start)..start) {
            start = self.theirs.line_end(self.theirs.line_start(self.theirs.line_start(start) - 1));
        }
        start..end
    }

    /// Children between braces or brackets: each run of them with one comma.
    pub(super) fn remove_between(&mut self, children: &[Child], removed: &[bool], place: &Place) {
        let mut index = 0;
        while index < children.len() {
            if !removed[index] {
                index += 1;
                continue;
            }
            let first = index;
            while index < children.len() && removed[index] {
                index += 1;
            }
            let end_of = |child: &Child| child.value.range.end.max(child.colon);
            let range = match (first.checked_sub(1), children.get(index)) {
                (Some(before), _) => end_of(&children[before])..end_of(&children[index - 1]),
                (None, Some(next)) => children[first].start..next.start,
                (None, None) => children[first].start..end_of(&children[index - 1]),
            };
            self.edits.remove(place.shown(), range);
        }
    }
}
