//! Comments: ours replaces the base's where theirs still has that one; what the publisher wrote stays.

use super::{Place, Three, Weave};
use crate::merge::workflow::text::shifted;

impl Weave<'_> {
    /// The comment above a thing.
    pub(super) fn lead(&mut self, three: Three<'_>, place: &Place) {
        let Some(base) = three.base else { return };
        let old = self.base.lead_text(base);
        let new = self.ours.lead_text(three.ours);
        let there = self.theirs.lead_text(three.theirs);
        if old == new || new == there {
            return;
        }
        if there != old {
            return self.tell_comment(three, place, &new.join("\n"), there.is_empty());
        }
        let lines = self.theirs.lead(three.theirs);
        if self.theirs.is_inline(three.theirs) {
            return self.tell_comment(three, place, &new.join("\n"), false);
        }
        let column = self.theirs.column(three.theirs);
        let written = &self.ours.text[self.ours.lead(three.ours)];
        let indent = " ".repeat(column);
        let text = shifted(written.trim(), self.ours.column(three.ours), column, self.line_break);
        let text = if new.is_empty() { String::new() } else { format!("{indent}{text}{}", self.line_break) };
        self.edits.replace(place.shown(), lines, text);
    }

    /// The comment at the end of its line.
    pub(super) fn tail(&mut self, three: Three<'_>, place: &Place) {
        let Some(base) = three.base else { return };
        let old = self.base.tail_text(base);
        let new = self.ours.tail_text(three.ours);
        let there = self.theirs.tail_text(three.theirs);
        if old == new || new == there {
            return;
        }
        if there != old {
            return self.tell_comment(three, place, new.unwrap_or_default(), there.is_none());
        }
        let anchor = self.theirs.tail_anchor(three.theirs);
        let end = self.theirs.tail(three.theirs).map_or(anchor, |comment| comment.end);
        let text = new.map_or_else(String::new, |new| format!(" {new}"));
        self.edits.replace(place.shown(), anchor..end, text);
    }

    /// A comment of this version that is not in the result, unless the publisher wants none there.
    fn tell_comment(&mut self, three: Three<'_>, place: &Place, new: &str, unwanted: bool) {
        if !new.is_empty() && !unwanted {
            let words: Vec<&str> = new.lines().map(|line| line.trim_start_matches('#').trim()).collect();
            self.note(three.theirs.start, place, format!("keeps its comment; this version says: {}", words.join(" ")));
        }
    }
}
