//! Values of one piece: texts, numbers, actions, scripts.

use super::{Place, Three, Weave, Written};
use crate::merge::workflow::comments::beyond;
use crate::merge::workflow::pins::{self, Choice};
use crate::merge::workflow::text::{block, relined, scalar, shifted};
use crate::merge::workflow::tree::{Child, Document, Kind, Style};
use crate::merge::workflow::values::Value;
use crate::model::action_pin::{ActionPin, ActionVersion};

const NEEDS_LINES: &str = "it stands between braces, where this version needs lines of their own";

impl Weave<'_> {
    /// `uses:`; `false` when one of them is not a text.
    pub(super) fn action(&mut self, three: Three<'_>, place: &Place) -> bool {
        let text = |document: &Document<'_>, child: &Child| match (
            &child.value.kind,
            Value::of_child(child, Some(document)),
        ) {
            (Kind::Scalar { style, .. }, Value::Text(text)) if !matches!(style, Style::Block { .. }) => Some(text),
            _ => None,
        };
        let base = three.base.map(|base| text(self.base, base));
        let (Some(ours), Some(theirs)) = (text(self.ours, three.ours), text(self.theirs, three.theirs)) else {
            return false;
        };
        if base == Some(None) {
            return false;
        }
        match pins::choose(base.flatten().as_deref(), &ours, &theirs) {
            Choice::Theirs(note) => self.tell(three, place, note),
            Choice::Neither => self.conflict(three, place, ""),
            Choice::Ours(note) => {
                self.tell(three, place, note);
                self.write_action(three, place, &ours);
            }
        }
        true
    }

    fn tell(&mut self, three: Three<'_>, place: &Place, note: Option<String>) {
        if let Some(what) = note {
            self.note(three.theirs.start, place, what);
        }
    }

    /// Commit and version together; what else the comment says stays.
    fn write_action(&mut self, three: Three<'_>, place: &Place, ours: &str) {
        let node = &three.theirs.value;
        let Some(text) = scalar(self.ours, &three.ours.value, node, three.flow) else {
            return self.conflict(three, place, "it is not written on one line");
        };
        self.edits.replace(place.shown(), node.content..node.range.end, text);
        let version = ActionPin::read(ours).and_then(|pin| pin.version);
        let comment = self.theirs.tail(three.theirs).filter(|_| !three.flow);
        let old =
            comment.as_ref().map_or("", |comment| self.theirs.text[comment.clone()].trim_start_matches('#').trim());
        let (first, rest) = old.split_once(char::is_whitespace).unwrap_or((old, ""));
        let rest = if ActionVersion::read(first).is_some() { rest.trim() } else { old };
        let new = [version.map(|version| version.to_string()).unwrap_or_default(), rest.to_owned()];
        let new = new.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ");
        match comment {
            Some(comment) if new.is_empty() => self.edits.remove(place.shown(), node.range.end..comment.end),
            Some(comment) => self.edits.replace(place.shown(), comment, format!("# {new}")),
            None if three.flow || new.is_empty() => {}
            None => self.edits.insert(place.shown(), node.range.end, format!(" # {new}")),
        }
    }

    /// Our value instead of theirs, which is what was rendered before.
    pub(super) fn replace(&mut self, three: Three<'_>, place: &Place) -> Written {
        let (ours, theirs) = (three.ours, three.theirs);
        let is_line = |child: &Child| matches!(&child.value.kind, Kind::Scalar { style, .. } if !matches!(style, Style::Block { .. }));
        if three.flow || is_line(ours) && is_line(theirs) {
            let node = &theirs.value;
            let written = &self.ours.text[ours.value.range.clone()];
            let text = if ours.value.is_flow_collection() && !written.contains(['\n', '#']) {
                Some(written.to_owned())
            } else {
                scalar(self.ours, &ours.value, node, three.flow)
            };
            let Some(text) = text else {
                self.conflict(three, place, if three.flow { NEEDS_LINES } else { "it is not written on one line" });
                return Written::Parts;
            };
            let space = if node.range.is_empty() { " " } else { "" };
            self.edits.replace(place.shown(), node.content..node.range.end, format!("{space}{text}"));
            return Written::Parts;
        }
        if let (true, true, Value::Text(text)) =
            (ours.value.is_block_scalar(), theirs.value.is_block_scalar(), Value::of(&ours.value, None))
            && matches!(ours.value.kind, Kind::Scalar { style: Style::Block { folded: false, .. }, .. })
        {
            self.rewrite(three, place, &text);
            return Written::Parts;
        }
        self.replace_whole(three, place)
    }

    /// Everything behind the colon, in the lines that we have.
    pub(super) fn replace_whole(&mut self, three: Three<'_>, place: &Place) -> Written {
        let (ours, theirs) = (three.ours, three.theirs);
        let behind = |document: &Document<'_>, child: &Child, tail: bool| match document.tail(child) {
            _ if child.value.is_block_collection() => document.end(child),
            Some(comment) if tail => comment.end.max(child.value.range.end),
            _ => child.value.range.end.max(child.colon),
        };
        // A comment behind their value that the publisher wrote stays there, and ours is left out.
        let untouched = three.base.and_then(|base| self.base.tail_text(base)) == self.theirs.tail_text(theirs);
        let range = theirs.colon..behind(self.theirs, theirs, untouched);
        let known = three.base.map_or_else(Vec::new, |base| self.base.comments_in(&(base.start..self.base.end(base))));
        if !beyond(&self.theirs.comments_in(&range), &known).is_empty() {
            self.conflict(three, place, "this version replaces it, with the comment in it");
            return Written::Whole;
        }
        let text = &self.ours.text[ours.colon..behind(self.ours, ours, untouched)];
        let text = shifted(text, self.ours.column(ours), self.theirs.column(theirs), self.line_break);
        self.edits.replace(place.shown(), range, text);
        Written::Whole
    }

    /// A text of several lines, at the indentation that theirs has.
    pub(super) fn rewrite(&mut self, three: Three<'_>, place: &Place, text: &str) {
        let theirs = three.theirs;
        let column = self.theirs.column(theirs);
        if matches!(&theirs.value.kind, Kind::Scalar { value, .. } if value.text() == text) {
            return;
        }
        if three.flow {
            return self.conflict(three, place, NEEDS_LINES);
        }
        let Kind::Scalar { style: Style::Block { header_end, body, folded }, value } = &theirs.value.kind else {
            match block(text, column + 2, self.line_break) {
                Some((header, lines)) => {
                    let text = format!("{header}{}{lines}", self.line_break);
                    self.edits.replace(place.shown(), theirs.value.content..theirs.value.range.end, text);
                }
                None => self.conflict(three, place, "its text can't be written as a block"),
            }
            return;
        };
        let end = theirs.value.range.end;
        let (header_end, body) = (*header_end, *body);
        let first = self.theirs.text[body.min(end)..end].lines().find(|line| !line.trim().is_empty());
        let indent = first.map_or(column + 2, |line| line.len() - line.trim_start_matches(' ').len());
        let header = &self.theirs.text[theirs.value.content..header_end];
        match block(text, indent, self.line_break) {
            Some((sign, lines)) if first.is_some() && !header.contains(|c: char| c.is_ascii_digit()) => {
                self.edits.replace(place.shown(), theirs.value.content..header_end, sign);
                let written = (!folded).then(|| &self.theirs.text[body..end]);
                let kept = written.and_then(|written| relined(written, value.text(), text, indent, self.line_break));
                self.edits.replace(place.shown(), body..end, kept.unwrap_or(lines));
            }
            _ => self.conflict(three, place, "its text can't be written as a block"),
        }
    }
}
