//! The repository of an action as one run found it: facts that only choosing a newer version looks at.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::git::CommitId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRepository {
    /// `owner/name` as GitHub spells it now: differs from what was asked after a rename.
    pub full_name: String,
    pub default_branch: String,
    /// Name → what it points to.
    pub tags: BTreeMap<String, TagTarget>,
}

/// What a tag's ref points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagTarget {
    pub object: String,
    /// The object is not the commit itself, but a note about it.
    pub annotated: bool,
}

/// What a tag stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedCommit {
    pub commit: CommitId,
    /// The later of the tagger's and the committer's date, both as they tell it themselves.
    pub dated: Timestamp,
    /// `None` when nobody made a release of the tag.
    pub release: Option<ReleaseFacts>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseFacts {
    pub draft: bool,
    pub prerelease: bool,
    /// As GitHub saw it.
    pub published: Option<Timestamp>,
}
