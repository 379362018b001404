//! Writes what we changed into their text, one range of bytes after the other, and says where that can't be done.

mod collections;
mod insertion;
mod removal;
mod scalars;
mod slots;

use super::super::{Hunk, Note};
use super::edits::Edits;
use super::place::Place;
use super::text::shifted;
use super::tree::{Child, Document, Kind};
use super::values::{Shape, Value};

/// The work on one file.
pub(super) struct Weave<'a> {
    base: &'a Document<'a>,
    ours: &'a Document<'a>,
    theirs: &'a Document<'a>,
    line_break: &'static str,
    pub(super) edits: Edits,
    pub(super) hunks: Vec<Hunk>,
    /// With the place in their text that each one is about.
    pub(super) notes: Vec<(usize, Note)>,
}

/// One thing in the three texts; there need not have been one before.
#[derive(Clone, Copy)]
struct Three<'a> {
    base: Option<&'a Child>,
    ours: &'a Child,
    theirs: &'a Child,
    /// Whether theirs stands between braces or brackets.
    flow: bool,
}

/// What was written for one thing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Its parts, or nothing.
    Parts,
    /// Its whole value with the comment behind.
    Whole,
}

impl<'a> Weave<'a> {
    pub(super) fn of(base: &'a Document<'a>, ours: &'a Document<'a>, theirs: &'a Document<'a>) -> Self {
        let line_break = theirs.line_break();
        let mut weave =
            Self { base, ours, theirs, line_break, edits: Edits::default(), hunks: Vec::new(), notes: Vec::new() };
        let root = |document: &Document<'_>| Child { key: None, start: 0, colon: 0, value: document.root.clone() };
        let (base, ours, theirs) = (root(base), root(ours), root(theirs));
        let place = Place::default();
        let three = Three { base: Some(&base), ours: &ours, theirs: &theirs, flow: false };
        if [&base, &ours, &theirs].iter().all(|root| root.value.is_mapping()) {
            weave.mapping(three, &place);
        } else {
            weave.conflict(three, &place, "the file is no mapping");
        }
        weave.guard();
        weave
    }

    /// Merges one thing with its comments.
    fn thing(&mut self, three: Three<'_>, place: &Place) {
        let is_action = three.ours.key.as_deref() == Some("uses");
        let written = if is_action && self.action(three, place) { Written::Parts } else { self.value(three, place) };
        if !three.flow {
            self.lead(three, place);
            if written == Written::Parts && !is_action {
                self.tail(three, place);
            }
        }
    }

    fn value(&mut self, three: Three<'_>, place: &Place) -> Written {
        let Three { base, ours, theirs, .. } = three;
        let is = |test: fn(&Child) -> bool| test(ours) && test(theirs) && base.is_none_or(test);
        if is(|child| child.value.is_mapping()) {
            return self.mapping(three, place);
        }
        let is_list = |child: &Child| !matches!(child.value.kind, Kind::Alias(_) | Kind::Null | Kind::Mapping { .. });
        if (place.shape() != Shape::Choice && is(|child| child.value.is_sequence()))
            || (place.shape() == Shape::List && is_list(ours) && is_list(theirs) && base.is_none_or(is_list))
        {
            return self.sequence(three, place);
        }
        let (our_value, their_value) = (self.meaning(self.ours, ours, place), self.meaning(self.theirs, theirs, place));
        let base_value = base.map(|base| self.meaning(self.base, base, place));
        if base_value.as_ref().is_some_and(|value| value.means(&our_value)) {
            self.tell_kept(&our_value, &their_value, theirs, place);
            if let (Some(base), Kind::Null) = (base, &theirs.value.kind) {
                self.tell_emptied(base, ours, theirs, place);
            }
            return Written::Parts;
        }
        if our_value.means(&their_value) {
            return Written::Parts;
        }
        if matches!(theirs.value.kind, Kind::Alias(_)) {
            self.conflict(three, place, "an alias stands there");
            return Written::Parts;
        }
        if base_value.as_ref().is_some_and(|value| value.means(&their_value)) {
            return self.replace(three, place);
        }
        if let (Some(Value::Text(base)), Value::Text(our), Value::Text(their)) = (&base_value, &our_value, &their_value)
            && base.contains('\n')
        {
            match super::expect::lines(base, our, their) {
                Some(merged) => self.rewrite(three, place, &merged),
                None => self.conflict(three, place, ""),
            }
            return Written::Parts;
        }
        self.conflict(three, place, "");
        Written::Parts
    }

    fn meaning(&self, document: &Document<'_>, child: &Child, place: &Place) -> Value {
        Value::of_child(child, Some(document)).shaped(&place.keys())
    }

    /// A machine that the publisher chose is worth a look, since it differs from what is rendered.
    fn tell_kept(&mut self, ours: &Value, theirs: &Value, child: &Child, place: &Place) {
        if let ["jobs", _, "runs-on"] = place.keys()[..]
            && !ours.means(theirs)
        {
            let list = |value: &Value| value.items().iter().map(Value::text).collect::<Vec<_>>().join(", ");
            let what = format!("keeps {}; this version has {}", list(theirs), list(ours));
            self.note(child.start, place, what);
        }
    }

    fn note(&mut self, at: usize, place: &Place, what: impl Into<String>) {
        self.notes.push((at, Note { place: place.shown().to_owned(), what: what.into() }));
    }

    /// Both sides' texts as they are; `why` where it is more than that both changed the same thing.
    fn conflict(&mut self, three: Three<'_>, place: &Place, why: &str) {
        let (base, ours) =
            (three.base.map_or_else(String::new, |base| excerpt(self.base, base)), excerpt(self.ours, three.ours));
        let theirs = excerpt(self.theirs, three.theirs);
        self.hunk(place, why, base, ours, theirs);
    }

    fn hunk(&mut self, place: &Place, why: &str, base: String, ours: String, theirs: String) {
        let place = match (place.shown(), why) {
            (place, "") => place.to_owned(),
            ("", why) => why.to_owned(),
            (place, why) => format!("{place}: {why}"),
        };
        self.hunks.push(Hunk { place, base, ours, theirs });
    }

    /// Nothing is changed inside of what other places repeat, or what is filled up from elsewhere.
    fn guard(&mut self) {
        let fills = filled_up(&self.theirs.root);
        let mut hunks = Vec::new();
        for edit in self.edits.iter() {
            let inside = |range: &std::ops::Range<usize>| {
                range.start < edit.range.end.max(edit.range.start + 1) && edit.range.start < range.end
            };
            let why = if self.theirs.repeated.iter().any(inside) {
                "other places repeat this by its anchor"
            } else if fills.iter().any(inside) {
                "a merge key (<<) stands there, which GitHub does not know"
            } else {
                continue;
            };
            let place = format!("{}: {why}", edit.place);
            let theirs = self.theirs.text[edit.range.clone()].trim().to_owned();
            hunks.push(Hunk { place, base: String::new(), ours: edit.text.trim().to_owned(), theirs });
        }
        self.hunks.append(&mut hunks);
    }
}

/// The text of a thing, its lines moved to the left.
fn excerpt(document: &Document<'_>, child: &Child) -> String {
    let end =
        if child.value.is_block_collection() { document.end(child) } else { child.value.range.end.max(child.colon) };
    shifted(document.text[child.start..end].trim_end(), document.column(child), 0, "\n")
}

/// Mappings with a merge key.
fn filled_up(node: &super::tree::Node) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<_> = node.children().iter().flat_map(|child| filled_up(&child.value)).collect();
    if node.child("<<").is_some() {
        found.push(node.range.clone());
    }
    found
}
