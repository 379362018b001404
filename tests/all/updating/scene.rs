//! A repository that an older version rendered, as plain data: what is decided about it needs no more.

use std::collections::{BTreeMap, BTreeSet};

use sbi::failure::Failure;
use sbi::merge::checks::Checked;
use sbi::merge::{Clean, Hunk, Merged};
use sbi::model::config::{Auth, CONFIG_FILE};
use sbi::model::desired::{Desired, RenderedFile};
use sbi::model::git::BlobId;
use sbi::model::lock::Lock;
use sbi::plan::pins::NewPins;
use sbi::plan::update::{
    Choice, Decision, Question, Rules, Settled, Texts, There, TrustNeeds, Update, decide, needed, renew,
};

use crate::support::world;

/// Whom the jobs of some files want trusted.
type Trust = fn(&[RenderedFile]) -> Result<TrustNeeds, Failure>;

pub(super) struct Scene {
    pub(super) desired: Desired,
    pub(super) files: BTreeMap<String, BlobId>,
    pub(super) lock: Lock,
    /// What the history holds.
    pub(super) blobs: BTreeMap<BlobId, Vec<u8>>,
    pub(super) moved: Vec<(&'static str, &'static str)>,
    pub(super) settled: Settled,
    pub(super) renders: BTreeMap<BlobId, String>,
    /// Whom the jobs of these files want trusted; `None`: whom the render does, whatever is in them.
    pub(super) trust: Option<Trust>,
    pub(super) merge: fn(&str, &str, &str, &str) -> Merged,
}

impl Scene {
    /// Rendered last: `base`; this version renders `ours`; nobody has edited anything yet.
    pub(super) fn new(base: &[(&str, &str)], ours: &[(&str, &str)]) -> Self {
        let mut desired = world::desired(Auth::Oidc);
        desired.files.retain(|file| file.path == CONFIG_FILE);
        let file = |(path, text): &(&str, &str)| RenderedFile { path: (*path).into(), text: (*text).into() };
        desired.files.extend(ours.iter().map(file));
        let mut scene = Self {
            desired,
            files: BTreeMap::new(),
            lock: Lock { templates: "1.0.0".into(), ..Lock::default() },
            blobs: BTreeMap::new(),
            moved: Vec::new(),
            settled: Settled::default(),
            renders: BTreeMap::new(),
            trust: None,
            merge: by_lines,
        };
        for (path, text) in base {
            let id = scene.holds(text.as_bytes());
            scene.files.insert((*path).into(), id.clone());
            scene.lock.files.insert((*path).into(), id);
        }
        scene
    }

    fn holds(&mut self, bytes: &[u8]) -> BlobId {
        let id = BlobId::of(bytes);
        self.blobs.insert(id.clone(), bytes.to_owned());
        id
    }

    pub(super) fn edited(mut self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let id = self.holds(text.as_ref());
        self.files.insert(path.into(), id);
        self
    }

    pub(super) fn deleted(mut self, path: &str) -> Self {
        self.files.remove(path);
        self
    }

    pub(super) fn there(&self) -> There<'_> {
        There { files: &self.files, lock: &self.lock }
    }

    fn ask<T>(&self, remembered: &[Choice], then: impl FnOnce(&Question<'_>) -> T) -> T {
        let needs: TrustNeeds = (self.desired.subject.clone(), self.desired.reading.clone());
        let trust = |files: &[RenderedFile]| -> Result<TrustNeeds, Failure> {
            self.trust.map_or_else(|| Ok(needs.clone()), |trust| trust(files))
        };
        let check = |_: &str, _: &str, _: &str, _: &str| Checked::default();
        then(&Question {
            desired: &self.desired,
            moved: &self.moved,
            settled: &self.settled,
            remembered,
            renders: &self.renders,
            rules: Rules { merge: &self.merge, check: &check, trust: &trust, repository: None },
        })
    }

    pub(super) fn needed(&self) -> BTreeSet<BlobId> {
        self.ask(&[], |question| needed(question, self.there()))
    }

    /// What is decided after reading just what is asked for.
    pub(super) fn update(&self) -> Update {
        self.update_beside(&[])
    }

    pub(super) fn update_beside(&self, remembered: &[Choice]) -> Update {
        let needed = self.needed();
        let texts: Texts = needed.into_iter().map(|id| (id.clone(), self.blobs.get(&id).cloned())).collect();
        self.ask(remembered, |question| decide(question, self.there(), &texts))
    }

    /// The same with newer pins.
    pub(super) fn renewed(&self, pins: &NewPins) -> Update {
        let mut update = self.update();
        self.ask(&[], |question| renew(question, self.there(), &Texts::new(), pins, &mut update));
        update
    }

    /// The same repository after the merge of this update.
    pub(super) fn after(mut self, update: &Update) -> Self {
        for path in &update.deletions {
            self.files.remove(path);
        }
        for text in update.rendered.values() {
            self.holds(text.as_bytes());
        }
        for (path, text) in &update.changes {
            let id = self.holds(text.as_bytes());
            self.files.insert(path.clone(), id);
        }
        self.lock = update.lock.clone();
        self.settled = Settled::default();
        self
    }
}

/// The plainest merge that there is.
pub(super) fn by_lines(_: &str, base: &str, ours: &str, theirs: &str) -> Merged {
    match diffy::merge(base, ours, theirs) {
        Ok(text) => Merged::Clean(Clean { text, notes: Vec::new() }),
        Err(_) => Merged::Conflict(vec![Hunk {
            place: "line 1".into(),
            base: base.into(),
            ours: ours.into(),
            theirs: theirs.into(),
        }]),
    }
}

/// A merge as it must not be: where both sides changed something, one side's is gone.
pub(super) fn carelessly(path: &str, base: &str, ours: &str, theirs: &str) -> Merged {
    match by_lines(path, base, ours, theirs) {
        Merged::Conflict(_) => Merged::Clean(Clean { text: ours.to_owned(), notes: Vec::new() }),
        clean => clean,
    }
}

/// Path → what is decided about it.
pub(super) fn words(update: &Update) -> BTreeMap<&str, &'static str> {
    update.files.iter().map(|file| (file.path.as_str(), file.decision.word())).collect()
}

pub(super) fn decision<'a>(update: &'a Update, path: &str) -> &'a Decision {
    &update.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("nothing about {path}")).decision
}
