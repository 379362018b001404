//! Where a rendered file stands before any text is read: by the names that git has for its contents.

use std::collections::BTreeSet;

use super::There;
use crate::model::config::CONFIG_FILE;
use crate::model::desired::{Desired, RenderedFile};
use crate::model::git::BlobId;
use crate::model::lock::LOCK_FILE;

/// A rendered file, and what is known of its path.
#[derive(Clone, Debug)]
pub(super) struct Position<'a> {
    pub(super) file: &'a RenderedFile,
    /// Where it is today: its path, or the one that an earlier version gave it.
    pub(super) at: &'a str,
    /// The path under which `sbi.lock` has its base.
    pub(super) recorded: &'a str,
    pub(super) standing: Standing<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    New,
    Same,
    Untouched,
    /// Edited; what is rendered has not changed since, so nothing has to be merged.
    Unchanged,
    Edited {
        base: &'a BlobId,
        theirs: &'a BlobId,
    },
    Deleted,
    Foreign,
}

/// A path that `sbi.lock` knows and that is rendered no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leftover<'a> {
    pub(super) path: &'a str,
    /// `None`: it was deleted; else whether it was edited.
    pub(super) edited: Option<bool>,
}

/// Where every rendered file stands, `sbi.toml` left out: that one is the person's.
pub(super) fn positions<'a>(
    desired: &'a Desired,
    moved: &'a [(&'a str, &'a str)],
    there: There<'a>,
) -> Vec<Position<'a>> {
    let files = desired.files.iter().filter(|file| file.path != CONFIG_FILE);
    files.map(|file| position(file, moved, there)).collect()
}

fn position<'a>(file: &'a RenderedFile, moved: &'a [(&'a str, &'a str)], there: There<'a>) -> Position<'a> {
    let path = file.path.as_str();
    let mut recorded = path;
    let mut at = path;
    if !there.lock.files.contains_key(path) {
        let former = moved.iter().filter(|(_, present)| *present == path).map(|(former, _)| *former);
        let mut former = former.filter(|former| there.lock.files.contains_key(*former));
        if let Some(former) = former.next() {
            // Where both are there, the one at the new path is somebody else's.
            match (there.files.contains_key(former), there.files.contains_key(path)) {
                (true, true) => {}
                (true, false) => (recorded, at) = (former, former),
                // Deleted, or moved by the publisher to the very same place.
                (false, _) => recorded = former,
            }
        }
    }
    let standing = standing(file, at, there.lock.files.get(recorded), there.files.get(at));
    Position { file, at, recorded, standing }
}

fn standing<'a>(file: &RenderedFile, at: &str, base: Option<&'a BlobId>, theirs: Option<&'a BlobId>) -> Standing<'a> {
    let (ours, stays) = (file.blob_id(), at == file.path);
    match (base, theirs) {
        (None, None) => Standing::New,
        (Some(_), None) => Standing::Deleted,
        (_, Some(theirs)) if *theirs == ours && stays => Standing::Same,
        (None, Some(_)) => Standing::Foreign,
        (Some(base), Some(theirs)) if theirs == base || *theirs == ours => Standing::Untouched,
        (Some(base), Some(_)) if *base == ours && stays => Standing::Unchanged,
        (Some(base), Some(theirs)) => Standing::Edited { base, theirs },
    }
}

/// What is rendered no more, as far as `positions` did not find it under its new path.
pub(super) fn leftovers<'a>(positions: &[Position<'a>], there: There<'a>) -> Vec<Leftover<'a>> {
    let rendered: BTreeSet<&str> =
        positions.iter().flat_map(|position| [position.file.path.as_str(), position.recorded]).collect();
    let left = there.lock.files.iter().filter(|(path, _)| {
        !rendered.contains(path.as_str()) && path.as_str() != CONFIG_FILE && path.as_str() != LOCK_FILE
    });
    left.map(|(path, base)| Leftover { path, edited: there.files.get(path).map(|theirs| theirs != base) }).collect()
}
