//! `sbi update`: brings what this version renders into a repository whose files were edited since. One decision a path,
//! by name; then one pull request with all of them. Pure: texts, rules and reasons are arguments.
//!
//! *Base* is what was rendered last (the blob whose id `sbi.lock` has), *ours* what this version renders, *theirs* what
//! the default branch holds today.

mod bases;
mod body;
mod choices;
mod decision;
mod delivery;
mod differences;
mod edits;
mod policies;
mod renewal;
mod standing;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Failure;
use crate::merge::Merged;
use crate::merge::checks::Checked;
use crate::model::desired::{Desired, RenderedFile};
use crate::model::git::BlobId;
use crate::model::identity::{ReadingRef, SubjectContext};
use crate::model::lock::Lock;
use crate::model::observed::GithubRepository;

pub use crate::merge::{Hunk, Note};
pub use body::{Story, body, title};
pub use choices::{Choice, Remembered, Wish, remembered};
pub use decision::{decide, needed};
pub use delivery::{Found, deliver};
pub use differences::{difference, differences};
pub use edits::Lost;
pub use policies::{Policies, PolicyChange, policy_changes};
pub use renewal::{pins_in_use, renew, renewable};

/// What a person decided about files that there is nothing to decide about: a slip of the pen, most likely.
#[must_use]
pub fn unknown_paths(update: &Update, settled: &Settled) -> Vec<Failure> {
    let of = |path: &String| update.files.iter().find(|file| file.path == *path).map(|file| &file.decision);
    let mut refusals = Vec::new();
    for path in &settled.keep {
        let why = match of(path) {
            Some(
                Decision::Kept | Decision::Unchanged | Decision::Deleted | Decision::Foreign | Decision::Abandoned,
            ) => continue,
            Some(Decision::Conflict { .. }) => "it can't be read as text, so it stays as it is anyway",
            Some(Decision::Overwritten) => "it is to be overwritten too",
            Some(_) => "nobody edited it",
            None if update.lock.files.contains_key(path) => continue,
            None => "this version renders no such file",
        };
        refusals.push(Failure::usage(format!("`--keep {path}` is about no edited file: {why}")));
    }
    for path in &settled.overwrite {
        if of(path).is_none() && !update.lock.files.contains_key(path) {
            refusals.push(
                Failure::usage(format!("`--overwrite {path}` is about no file that this version renders"))
                    .hinted("paths are relative to the repository's root: `images/static-go/Dockerfile`"),
            );
        }
    }
    refusals
}

/// What is wanted, and by which rules.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Its files are *ours*; what it says about overwriting is not asked, `settled` is.
    pub desired: &'a Desired,
    /// Former → present path of what this version renders elsewhere than an earlier one did.
    pub moved: &'a [(&'a str, &'a str)],
    pub settled: &'a Settled,
    /// What an open pull request remembers of earlier decisions.
    pub remembered: &'a [Choice],
    /// Other renders of the templates at hand, by what they are in git: where a base is gone from the history.
    pub renders: &'a BTreeMap<BlobId, String>,
    pub rules: Rules<'a>,
}

/// What a person decided about single files, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Theirs stays as it is, and counts as a version of what is rendered now.
    pub keep: BTreeSet<String>,
    /// Ours takes its place, edits and all.
    pub overwrite: BTreeSet<String>,
}

/// Which subject the publishing job has, and the refs on which jobs read.
pub type TrustNeeds = (SubjectContext, BTreeSet<ReadingRef>);

/// How texts are merged and judged.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Path, base, ours, theirs.
    pub merge: &'a dyn Fn(&str, &str, &str, &str) -> Merged,
    /// Path, merged, theirs, ours.
    pub check: &'a dyn Fn(&str, &str, &str, &str) -> Checked,
    /// Whom the roles must trust when these are the files.
    pub trust: &'a dyn Fn(&[RenderedFile]) -> Result<TrustNeeds, Failure>,
    /// Whose tokens the jobs get, where it is known.
    pub repository: Option<&'a GithubRepository>,
}

/// What is there today.
#[derive(Clone, Copy, Debug)]
pub struct There<'a> {
    /// Path → blob id.
    pub files: &'a BTreeMap<String, BlobId>,
    pub lock: &'a Lock,
}

/// The contents that `needed` asked for; `None` where nobody has such a blob any more.
pub type Texts = BTreeMap<BlobId, Option<Vec<u8>>>;

/// What happens to one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This version renders a file that was not there.
    New,
    /// Nobody edited it: this version's takes its place.
    Replaced,
    /// A person wants this version's in place of what is there.
    Overwritten,
    /// Both sides changed it, and one text holds what both did.
    Merged(MergedEdits),
    /// It was edited so that it holds what this version changes already; from now on that is its base.
    Caught(MergedEdits),
    /// Nothing but its pins is newer.
    Renewed,
    /// A person wants their own to stay; from now on this version's render is its base.
    Kept,
    /// No text satisfies both sides: it stays as it is.
    Conflict {
        /// Why, in one sentence.
        why: String,
        hunks: Vec<Hunk>,
    },
    /// It was edited, and what is rendered has not changed since.
    Unchanged,
    /// It was deleted, and stays so.
    Deleted,
    /// It is not sbi's.
    Foreign,
    /// This version renders it no more, and nobody edited it: it goes.
    Removed,
    /// This version renders it no more, but it was edited: it stays.
    Abandoned,
}

/// What a person should know who reviews a merged file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedEdits {
    pub notes: Vec<Note>,
    pub remarks: Vec<String>,
    /// What of theirs is not in the result.
    pub lost: Lost,
}

impl Decision {
    /// For programs and for the list of files.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Replaced => "replaced",
            Self::Overwritten => "overwritten",
            Self::Merged(_) => "merged",
            Self::Caught(_) => "already merged",
            Self::Renewed => "renewed",
            Self::Kept => "kept",
            Self::Conflict { .. } => "conflict",
            Self::Unchanged => "unchanged",
            Self::Deleted => "stays deleted",
            Self::Foreign => "foreign",
            Self::Removed => "removed",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether a newer template is what it brings or waits with; newer pins are none.
    #[must_use]
    pub fn is_of_a_template(&self) -> bool {
        !matches!(self, Self::Renewed)
    }

    /// Whether something reaches the default branch by it.
    #[must_use]
    pub fn is_change(&self) -> bool {
        match self {
            Self::New
            | Self::Replaced
            | Self::Overwritten
            | Self::Merged(_)
            | Self::Caught(_)
            | Self::Renewed
            | Self::Kept
            | Self::Removed => true,
            Self::Conflict { .. } | Self::Unchanged | Self::Deleted | Self::Foreign | Self::Abandoned => false,
        }
    }
}

/// One path and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileUpdate {
    pub path: String,
    /// Where it was before, when this version renders it elsewhere.
    pub from: Option<String>,
    pub decision: Decision,
}

/// Everything that one update would change, path by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The version whose templates were rendered last.
    pub from: String,
    /// This one.
    pub to: String,
    /// Every path with something to say, sorted. What holds this version's render exactly is not among them.
    pub files: Vec<FileUpdate>,
    /// Path → text of what is written, `sbi.lock` not among it.
    pub changes: BTreeMap<String, String>,
    /// The paths among `changes` that do not exist yet.
    pub new_paths: BTreeSet<String>,
    pub deletions: BTreeSet<String>,
    /// Path → this version's render, of files that hold something else: their next base, which has to be in the
    /// history.
    pub rendered: BTreeMap<String, String>,
    /// What a person decided, by a flag of this run or of an earlier one.
    pub choices: Vec<Choice>,
    /// There is a conflict that no merged pull request has told about.
    pub has_news: bool,
    /// What `sbi.lock` says afterwards.
    pub lock: Lock,
}

impl Update {
    /// The files that no text satisfies.
    pub fn conflicts(&self) -> impl Iterator<Item = &FileUpdate> {
        self.files.iter().filter(|file| matches!(file.decision, Decision::Conflict { .. }))
    }

    /// Whether a pull request is worth a person's time: a file changes or its base does, or there is a conflict that
    /// nobody was told about. Another version of sbi alone is not.
    #[must_use]
    pub fn is_worthwhile(&self) -> bool {
        self.files.iter().any(|file| file.decision.is_change()) || self.has_news
    }

    /// Whether this version has something that the files lack.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.is_worthwhile() || self.conflicts().next().is_some()
    }
}
