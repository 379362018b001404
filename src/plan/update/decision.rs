//! One decision a path.

use std::collections::{BTreeMap, BTreeSet};

use super::bases::base_text;
use super::edits::lost;
use super::standing::{Leftover, Position, Standing, leftovers, positions};
use super::trust::turned_away;
use super::{Choice, Decision, FileUpdate, MergedEdits, Question, Texts, There, Update, Wish};
use crate::merge::{Hunk, Merged, Note};
use crate::model::git::BlobId;

/// The blobs that must be read: of files that were edited and that this version renders differently, what was rendered
/// last and what is there. Nothing for all others, however many there are.
#[must_use]
pub fn needed(question: &Question<'_>, there: There<'_>) -> BTreeSet<BlobId> {
    let edited = positions(question.desired, question.moved, there).into_iter().filter_map(|position| {
        let Standing::Edited { base, theirs } = position.standing else { return None };
        (!question.settled.overwrite.contains(&position.file.path)).then_some([base, theirs])
    });
    edited.flatten().cloned().collect()
}

/// Decides about every path. Total: what can't be decided is a conflict that says why.
#[must_use]
pub fn decide(question: &Question<'_>, there: There<'_>, texts: &Texts) -> Update {
    let desired = question.desired;
    let mut update = Update {
        from: there.lock.templates.clone(),
        to: desired.templates.clone(),
        files: Vec::new(),
        changes: BTreeMap::new(),
        new_paths: BTreeSet::new(),
        deletions: BTreeSet::new(),
        rendered: BTreeMap::new(),
        choices: Vec::new(),
        has_news: false,
        lock: there.lock.clone(),
    };
    let positions = positions(desired, question.moved, there);
    let left = leftovers(&positions, there);
    for position in &positions {
        let (decision, text) = decide_one(question, position, there, texts);
        let theirs = there.files.get(position.at);
        let ours = position.file.blob_id();
        match &decision {
            Some(Decision::Overwritten) => {
                update.remember(&position.file.path, Wish::Overwrite, theirs, Some(&ours));
            }
            Some(Decision::Kept) => update.remember(&position.file.path, Wish::Keep, theirs, Some(&ours)),
            _ => {}
        }
        update.take(position, decision, text);
    }
    for Leftover { path, edited } in left {
        let theirs = there.files.get(path);
        let overwrite = wish(question, path, theirs, None) == Some(Wish::Overwrite);
        let decision = match edited {
            None => None,
            Some(true) if !overwrite => Some(Decision::Abandoned),
            Some(_) => {
                update.deletions.insert(path.to_owned());
                if edited == Some(true) {
                    update.remember(path, Wish::Overwrite, theirs, None);
                }
                Some(Decision::Removed)
            }
        };
        if decision != Some(Decision::Abandoned) {
            update.lock.files.remove(path);
        }
        update.files.extend(decision.map(|decision| FileUpdate { path: path.to_owned(), from: None, decision }));
    }
    update.files.sort_by(|a, b| a.path.cmp(&b.path));
    update.lock.images.clone_from(&desired.images);
    update.lock.templates.clone_from(&desired.templates);
    update.lock.retain_texts();
    update
}

impl Update {
    fn remember(&mut self, path: &str, wish: Wish, theirs: Option<&BlobId>, ours: Option<&BlobId>) {
        let (theirs, ours) = (theirs.cloned(), ours.cloned());
        self.choices.push(Choice { path: path.to_owned(), wish, theirs, ours });
    }

    /// Notes a decision; `text` is what the file holds afterwards, where that is something else than the render.
    fn take(&mut self, position: &Position<'_>, decision: Option<Decision>, text: Option<String>) {
        let (file, path) = (position.file, position.file.path.clone());
        let moves = position.at != file.path;
        let writes = match &decision {
            Some(Decision::New | Decision::Replaced | Decision::Overwritten) => true,
            // What stays as it is stands on top of what was rendered, so it is written too.
            Some(Decision::Merged(_) | Decision::Caught(_) | Decision::Kept) => {
                self.rendered.insert(path.clone(), file.text.clone());
                true
            }
            _ => false,
        };
        if writes {
            let fresh = matches!(position.standing, Standing::New | Standing::Deleted) || moves;
            self.new_paths.extend(fresh.then(|| path.clone()));
            self.changes.insert(path.clone(), text.unwrap_or_else(|| file.text.clone()));
            self.deletions.extend(moves.then(|| position.at.to_owned()));
        }
        // Told once it is merged; a render that changes again is told again.
        let told = self.lock.told.remove(&path);
        if let Some(Decision::Conflict { .. }) = &decision {
            let ours = file.blob_id();
            self.has_news |= told.as_ref() != Some(&ours);
            self.lock.told.insert(path.clone(), ours);
        }
        let settled = decision.as_ref().is_none_or(|decision| decision.is_change() || *decision == Decision::Unchanged);
        if settled {
            self.lock.files.remove(position.recorded);
            self.lock.files.insert(path.clone(), file.blob_id());
        } else if matches!(decision, Some(Decision::Deleted)) && position.recorded != path {
            // It stays deleted under its new name too.
            let base = self.lock.files.remove(position.recorded);
            self.lock.files.extend(base.map(|base| (path.clone(), base)));
        }
        let from = moves.then(|| position.at.to_owned());
        self.files.extend(decision.map(|decision| FileUpdate { path, from, decision }));
    }
}

/// `None` for a file that holds just what this version renders.
fn decide_one(
    question: &Question<'_>,
    position: &Position<'_>,
    there: There<'_>,
    texts: &Texts,
) -> (Option<Decision>, Option<String>) {
    let decision = match position.standing {
        Standing::Same => return (None, None),
        Standing::New => Decision::New,
        Standing::Untouched => Decision::Replaced,
        _ if wish_about(question, position, there) == Some(Wish::Overwrite) => Decision::Overwritten,
        Standing::Unchanged => Decision::Unchanged,
        Standing::Deleted => Decision::Deleted,
        Standing::Foreign => Decision::Foreign,
        Standing::Edited { base, theirs } => {
            let (decision, text) = merge(question, position, there, texts, (base, theirs));
            return (Some(decision), text);
        }
    };
    (Some(decision), None)
}

/// What a person wants of a file: by a flag of this run; else by one of an earlier run, as long as both sides are what
/// they were then.
fn wish(question: &Question<'_>, path: &str, theirs: Option<&BlobId>, ours: Option<&BlobId>) -> Option<Wish> {
    if question.settled.overwrite.contains(path) {
        return Some(Wish::Overwrite);
    }
    if question.settled.keep.contains(path) {
        return Some(Wish::Keep);
    }
    let same =
        |choice: &&Choice| choice.path == path && choice.theirs.as_ref() == theirs && choice.ours.as_ref() == ours;
    question.remembered.iter().find(same).map(|choice| choice.wish)
}

fn wish_about(question: &Question<'_>, position: &Position<'_>, there: There<'_>) -> Option<Wish> {
    let file = position.file;
    wish(question, &file.path, there.files.get(position.at), Some(&file.blob_id()))
}

fn told(note: &Note) -> String {
    if note.place.is_empty() { note.what.clone() } else { format!("{}: {}", note.place, note.what) }
}

fn conflict(why: impl Into<String>, hunks: Vec<Hunk>) -> (Decision, Option<String>) {
    (Decision::Conflict { why: why.into(), hunks }, None)
}

fn merge(
    question: &Question<'_>,
    position: &Position<'_>,
    there: There<'_>,
    texts: &Texts,
    (base, theirs): (&BlobId, &BlobId),
) -> (Decision, Option<String>) {
    let (path, ours) = (position.file.path.as_str(), position.file.text.as_str());
    let Some(Some(bytes)) = texts.get(theirs) else {
        return conflict(format!("its content, blob {theirs}, can't be read"), Vec::new());
    };
    let Ok(theirs) = std::str::from_utf8(bytes) else {
        return conflict("it is no UTF-8 text any more, so it can't be merged", Vec::new());
    };
    if wish_about(question, position, there) == Some(Wish::Keep) {
        return (Decision::Kept, Some(theirs.to_owned()));
    }
    let whole = |base: &str| Hunk {
        place: "the whole file".into(),
        base: base.to_owned(),
        ours: ours.to_owned(),
        theirs: theirs.to_owned(),
    };
    let base = match base_text(question, there, position.recorded, base, texts) {
        Ok(base) => base,
        Err(why) => return conflict(why, vec![whole("")]),
    };
    let clean = match (question.rules.merge)(path, base, ours, theirs) {
        Merged::Clean(clean) => clean,
        Merged::Conflict(hunks) => return conflict("both sides changed the same places", hunks),
    };
    let checked = (question.rules.check)(path, &clean.text, theirs, ours);
    if !checked.problems.is_empty() {
        let problems: Vec<String> = checked.problems.iter().map(told).collect();
        let why = format!("the merged file would not be sound: {}", problems.join("; "));
        return conflict(why, vec![whole(base)]);
    }
    let mut remarks: Vec<String> = checked.remarks.iter().map(told).collect();
    match turned_away(question, path, &clean.text, theirs) {
        Ok(more) => remarks.extend(more),
        Err(why) => return conflict(why, vec![whole(base)]),
    }
    let edits = MergedEdits { notes: clean.notes, remarks, lost: lost(base, ours, theirs, &clean.text) };
    let decision = if clean.text == theirs { Decision::Caught(edits) } else { Decision::Merged(edits) };
    (decision, Some(clean.text))
}
