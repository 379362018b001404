//! Writes what we added beside the sibling that it stands behind in ours.

use super::collections::Family;
use super::{Place, Three, Weave, Written};
use crate::merge::workflow::align::{Alignment, Anchor};
use crate::merge::workflow::text::{scalar, shifted};
use crate::merge::workflow::tree::Child;

const NEEDS_LINES: &str = "it stands between braces, where this version needs lines of their own";

impl Weave<'_> {
    pub(super) fn write_family(
        &mut self,
        family: &Family<'_>,
        alignment: &Alignment,
        removed: &[bool],
        place: &Place,
    ) -> Written {
        let added: Vec<usize> = alignment.added().collect();
        if added.is_empty() && !removed.contains(&true) {
            return Written::Parts;
        }
        let theirs = family.three.theirs;
        let is_list = family.theirs.iter().chain(&family.ours).any(|child| child.key.is_none());
        let is_collection = theirs.value.is_mapping() || theirs.value.is_sequence();
        if !is_collection {
            self.write_short_list(family, alignment, &added, removed, place);
            return Written::Parts;
        }
        if !removed.contains(&false) {
            return self.write_anew(family, &added, is_list, place);
        }
        if theirs.value.is_block_collection() {
            self.remove_lines(&family.theirs, removed, place);
            for index in added {
                self.add_lines(family, index, kept(alignment.anchor(index), removed), place);
            }
        } else {
            self.remove_between(&family.theirs, removed, place);
            for index in added {
                self.add_between(family, index, kept(alignment.anchor(index), removed), place);
            }
        }
        Written::Parts
    }

    /// Nothing of theirs is left.
    fn write_anew(&mut self, family: &Family<'_>, added: &[usize], is_list: bool, place: &Place) -> Written {
        let three = family.three;
        if added.len() == family.ours.len() && !three.flow {
            return self.replace_whole(three, place);
        }
        if added.is_empty() {
            let nothing = if is_list { " []" } else { " {}" };
            let (end, comment) = match three.theirs.value.is_block_collection() {
                // With what stands behind the key: ours where it is new, theirs as it was.
                true => (self.theirs.end(three.theirs), self.comment_behind(three)),
                false => (three.theirs.value.range.end, None),
            };
            let comment = comment.map_or_else(String::new, |comment| format!(" {comment}"));
            self.edits.replace(place.shown(), three.theirs.colon..end, format!("{nothing}{comment}"));
        } else {
            self.conflict(three, place, "nothing of it is left beside what this version adds");
        }
        Written::Whole
    }

    /// The comment behind a key: ours, unless it is an old one that the publisher took out.
    fn comment_behind(&self, three: Three<'_>) -> Option<String> {
        let (ours, theirs) = (self.ours.tail_text(three.ours), self.theirs.tail_text(three.theirs));
        let base = three.base.and_then(|base| self.base.tail_text(base));
        ours.filter(|_| ours != base || ours == theirs).map(str::to_owned)
    }

    /// `needs: build` becomes `needs: [build, test]`.
    fn write_short_list(
        &mut self,
        family: &Family<'_>,
        alignment: &Alignment,
        added: &[usize],
        removed: &[bool],
        place: &Place,
    ) {
        let three = family.three;
        let kept = family.theirs.iter().enumerate().filter(|(index, _)| !removed[*index]);
        let kept = kept.map(|(_, child)| self.theirs.text[child.value.range.clone()].to_owned());
        let is_before = |index: &usize| matches!(alignment.anchor(*index), Anchor::Before(_));
        let (before, behind): (Vec<usize>, Vec<usize>) = added.iter().partition(|index| is_before(index));
        let new = |index: usize| self.ours.text[family.ours[index].value.range.clone()].to_owned();
        let all: Vec<String> = before.into_iter().map(new).chain(kept).chain(behind.into_iter().map(new)).collect();
        if all.iter().any(|item| item.contains(['\n', ',', '[', ']', '{', '}'])) {
            return self.conflict(three, place, NEEDS_LINES);
        }
        let text = if let [one] = &all[..] { one.clone() } else { format!("[{}]", all.join(", ")) };
        self.edits.replace(place.shown(), three.theirs.value.range.clone(), text);
    }

    fn add_lines(&mut self, family: &Family<'_>, index: usize, anchor: Anchor, place: &Place) {
        let child = &family.ours[index];
        let below = self.below(place, self.ours, child, index);
        let Some(sibling) = family.theirs.first() else { return };
        let column = self.theirs.column(sibling);
        let lines = format!("{}{}", " ".repeat(column), self.lines_for(child, column));
        let inline = |at: usize| self.theirs.is_inline(&family.theirs[at]);
        let anchor = match anchor {
            Anchor::Before(at) if inline(at) && child.key.is_some() => Anchor::After(at),
            anchor => anchor,
        };
        match anchor {
            Anchor::Before(at) if inline(at) => {
                self.conflict(family.three, &below, "this version adds it before something that shares its line");
            }
            Anchor::Before(at) => {
                let blank = family.ours.get(index + 1).map_or(0, |next| self.blank_lines_between(Some(child), next));
                let text = format!("{lines}{}", self.line_break.repeat(1 + blank));
                self.edits.insert_ahead(below.shown(), self.theirs.lead(&family.theirs[at]).start, text);
            }
            Anchor::After(_) | Anchor::End => {
                let at = if let Anchor::After(at) = anchor { at } else { family.theirs.len() - 1 };
                let before = index.checked_sub(1).map(|before| &family.ours[before]);
                let blank = self.blank_lines_between(before, child);
                let text = format!("{}{lines}", self.line_break.repeat(1 + blank));
                self.edits.insert(below.shown(), self.theirs.end_with_foot(&family.theirs[at]), text);
            }
        }
    }

    /// Our text with its comments; the first line without indentation.
    fn lines_for(&self, child: &Child, column: usize) -> String {
        let ours = self.ours;
        let has_dash = child.key.is_some() || child.colon > child.start;
        if !has_dash {
            return format!("- {}", &ours.text[child.value.range.clone()]);
        }
        let alone = ours.is_blank(ours.line_start(child.start)..child.start);
        let is_between = child.key.is_some() && !alone && !ours.text[..child.start].trim_end().ends_with('-');
        let text = match (is_between, alone) {
            (true, _) => &ours.text[child.start..child.value.range.end.max(child.colon)],
            (false, true) => ours.text[ours.lead(child).start..ours.end_with_foot(child)].trim_start(),
            (false, false) => &ours.text[child.start..ours.end_with_foot(child)],
        };
        shifted(text, ours.column(child), column, self.line_break)
    }

    /// Blank lines of ours above a child, without those that are the end of a text before.
    fn blank_lines_between(&self, before: Option<&Child>, child: &Child) -> usize {
        let lead = self.ours.lead(child).start;
        let from = before.map_or(0, |before| self.ours.next_line(self.ours.end(before))).min(lead);
        let above = &self.ours.text[from..lead];
        let own_line = self.ours.is_blank(self.ours.line_start(child.start)..child.start);
        if own_line { above.lines().rev().take_while(|line| line.trim().is_empty()).count() } else { 0 }
    }

    fn add_between(&mut self, family: &Family<'_>, index: usize, anchor: Anchor, place: &Place) {
        let child = &family.ours[index];
        let below = self.below(place, self.ours, child, index);
        let value = &self.ours.text[child.value.range.clone()];
        let written = match scalar(self.ours, &child.value, &child.value, true) {
            Some(text) => Some(text),
            None if child.value.is_flow_collection() && !value.contains(['\n', '#']) => Some(value.to_owned()),
            None => None,
        };
        let Some(written) = written else { return self.conflict(family.three, &below, NEEDS_LINES) };
        let text = match &child.key {
            Some(_) => format!("{} {written}", &self.ours.text[child.start..child.colon]),
            None => written,
        };
        if let Some(comment) = self.ours.tail_text(child).or(self.ours.lead_text(child).first().copied()) {
            let what = format!("is added without its comment: {}", comment.trim_start_matches('#').trim());
            self.note(family.three.theirs.start, &below, what);
        }
        let end_of = |child: &Child| child.value.range.end.max(child.colon);
        match anchor {
            Anchor::Before(at) => self.edits.insert(below.shown(), family.theirs[at].start, format!("{text}, ")),
            Anchor::After(at) => self.edits.insert(below.shown(), end_of(&family.theirs[at]), format!(", {text}")),
            Anchor::End => {
                let last = family.theirs.last().map_or(0, end_of);
                self.edits.insert(below.shown(), last, format!(", {text}"));
            }
        }
    }
}

/// The end, when it would be beside something that goes, or beside nothing.
fn kept(anchor: Anchor, removed: &[bool]) -> Anchor {
    let last = removed.iter().rposition(|removed| !removed).map_or(Anchor::End, Anchor::After);
    match anchor {
        Anchor::After(at) | Anchor::Before(at) if !removed[at] => anchor,
        _ => last,
    }
}
