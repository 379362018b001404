//! Mappings, key by key, and lists, item by item.

use std::collections::BTreeSet;

use super::{Place, Three, Weave, Written};
use crate::merge::workflow::align::Alignment;
use crate::merge::workflow::tree::{Child, Document, Kind};
use crate::merge::workflow::values::Value;

/// The children of one collection in the three texts.
pub(super) struct Family<'c> {
    pub(super) three: Three<'c>,
    pub(super) base: Vec<Child>,
    pub(super) ours: Vec<Child>,
    pub(super) theirs: Vec<Child>,
}

impl Weave<'_> {
    pub(super) fn mapping(&mut self, three: Three<'_>, place: &Place) -> Written {
        let children = |child: &Child| child.value.children().to_vec();
        let family = Family {
            three,
            base: three.base.map(children).unwrap_or_default(),
            ours: children(three.ours),
            theirs: children(three.theirs),
        };
        let at = |of: &[Child], key: &Child| of.iter().position(|child| child.key == key.key);
        let alignment = Alignment {
            theirs: family.theirs.iter().map(|key| (at(&family.base, key), at(&family.ours, key))).collect(),
            ours: family.ours.iter().map(|key| (at(&family.base, key), at(&family.theirs, key))).collect(),
            ..Alignment::default()
        };
        self.family(&family, &alignment, place)
    }

    pub(super) fn sequence(&mut self, three: Three<'_>, place: &Place) -> Written {
        let family = Family {
            three,
            base: three.base.map(items).unwrap_or_default(),
            ours: items(three.ours),
            theirs: items(three.theirs),
        };
        let values = |document: &Document<'_>, children: &[Child]| -> Vec<Value> {
            let keys: Vec<&str> = place.keys().into_iter().chain(["-"]).collect();
            children.iter().map(|child| Value::of(&child.value, Some(document)).shaped(&keys)).collect()
        };
        let base = values(self.base, &family.base);
        let theirs = values(self.theirs, &family.theirs);
        let alignment = Alignment::of(&base, &values(self.ours, &family.ours), &theirs);
        if alignment.both_replace {
            self.conflict(three, place, "");
            return Written::Parts;
        }
        if !alignment.we_reorder {
            return self.family(&family, &alignment, place);
        }
        if Value::List(base).means(&Value::List(theirs)) && !three.flow {
            return self.replace_whole(three, place);
        }
        self.conflict(three, place, "this version puts it into another order");
        Written::Parts
    }

    fn family(&mut self, family: &Family<'_>, alignment: &Alignment, place: &Place) -> Written {
        let flow = family.three.flow || !family.three.theirs.value.is_block_collection();
        let mut removed = vec![false; family.theirs.len()];
        for (index, child) in family.theirs.iter().enumerate() {
            match alignment.theirs[index] {
                (base, Some(ours)) => {
                    let ours = &family.ours[ours];
                    let three = Three { base: base.map(|base| &family.base[base]), ours, theirs: child, flow };
                    let below = self.below(place, self.theirs, child, index);
                    self.thing(three, &below);
                }
                (Some(base), None) => removed[index] = self.may_remove(&family.base[base], child, index, place),
                (None, None) => {}
            }
        }
        for (index, child) in family.ours.iter().enumerate() {
            if let (Some(base), None) = alignment.ours[index] {
                self.stays_deleted(&family.base[base], child, index, family.three.theirs.start, place);
            }
        }
        self.write_family(family, alignment, &removed, place)
    }

    pub(super) fn below(&self, place: &Place, document: &Document<'_>, child: &Child, index: usize) -> Place {
        match &child.key {
            Some(key) => place.key(key),
            None => place.item(&Value::of(&child.value, Some(document)), index),
        }
    }

    /// Whether what we don't render any more is as we rendered it; a conflict otherwise.
    fn may_remove(&mut self, base: &Child, theirs: &Child, index: usize, place: &Place) -> bool {
        let below = self.below(place, self.theirs, theirs, index);
        let old = self.meaning(self.base, base, &below);
        let there = self.meaning(self.theirs, theirs, &below);
        let own = self.has_own_comments(base, theirs);
        if old.unpinned().means(&there.unpinned()) && !own {
            if !old.means(&there) {
                self.note(theirs.start, &below, "is removed by this version, with the actions renewed in it");
            } else if matches!(place.keys()[..], ["jobs"]) {
                self.note(theirs.start, &below, "is removed by this version");
            }
            return true;
        }
        let why = "this version removes it";
        let texts = (super::excerpt(self.base, base), super::excerpt(self.theirs, theirs));
        self.hunk(&below, why, texts.0, String::new(), texts.1);
        false
    }

    /// A list or mapping of which the publisher left nothing but its key.
    pub(super) fn tell_emptied(&mut self, base: &Child, ours: &Child, theirs: &Child, place: &Place) {
        for (index, child) in ours.value.children().iter().enumerate() {
            let same =
                |(at, other): &(usize, &Child)| if child.key.is_some() { other.key == child.key } else { *at == index };
            if let Some((_, old)) = base.value.children().iter().enumerate().find(same) {
                self.stays_deleted(old, child, index, theirs.start, place);
            }
        }
    }

    /// What the publisher deleted is not written again; what of ours is missed by that is said.
    fn stays_deleted(&mut self, base: &Child, ours: &Child, index: usize, at: usize, place: &Place) {
        let below = self.below(place, self.ours, ours, index);
        let old = self.meaning(self.base, base, &below).unpinned();
        let new = self.meaning(self.ours, ours, &below).unpinned();
        let changed = !old.means(&new);
        let steps = |job: &Value| job.get("steps").map(Value::items).unwrap_or_default().to_vec();
        let touched = match below.keys()[..] {
            ["jobs", _, "steps", "-"] if changed => vec![old.clone()],
            ["jobs", _] if changed => {
                let now = steps(&new);
                steps(&old).into_iter().filter(|step| !now.iter().any(|other| other.means(step))).collect()
            }
            _ => Vec::new(),
        };
        if touched.iter().any(|step| self.is_elsewhere(step)) {
            let texts = (super::excerpt(self.base, base), super::excerpt(self.ours, ours));
            let why = "what this version changes in it was moved to another job";
            return self.hunk(&below, why, texts.0, texts.1, String::new());
        }
        if changed {
            self.note(at, &below, format!("stays deleted, though this version changes {}", what_differs(&old, &new)));
        } else if matches!(below.keys()[..], ["jobs", _] | ["jobs", _, "steps", "-"]) {
            self.note(at, &below, "stays deleted");
        }
    }

    /// Whether a step of the base that is gone from its job is as often in theirs as it was.
    fn is_elsewhere(&self, step: &Value) -> bool {
        let count = |document: &Document<'_>| {
            let workflow = Value::of(&document.root, Some(document)).unpinned();
            let jobs = workflow.get("jobs").map(Value::entries).unwrap_or_default();
            let steps = jobs.iter().filter_map(|(_, job)| job.get("steps")).flat_map(Value::items);
            steps.filter(|other| other.means(step)).count()
        };
        count(self.theirs) >= count(self.base).max(1)
    }
}

/// `its env and run`, or `it`.
fn what_differs(old: &Value, new: &Value) -> String {
    let keys = new.entries().iter().chain(old.entries()).map(|(key, _)| key.as_str());
    let differs = |key: &&str| match (old.get(key), new.get(key)) {
        (Some(old), Some(new)) => !old.means(new),
        _ => true,
    };
    let keys: BTreeSet<&str> = keys.filter(differs).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    if keys.is_empty() { "it".to_owned() } else { format!("its {}", keys.join(" and ")) }
}

/// The items of a list; one text alone is a list of one.
fn items(child: &Child) -> Vec<Child> {
    match &child.value.kind {
        Kind::Sequence { children, .. } => children.clone(),
        Kind::Null => Vec::new(),
        _ => {
            let start = child.value.range.start;
            vec![Child { key: None, start, colon: start, value: child.value.clone() }]
        }
    }
}
