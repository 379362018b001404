//! Which action pins and base images are to be renewed, and to what. Decided from facts; nothing here asks anybody.
//!
//! A version counts as settled a week after it came out: most of what was planted in actions was found within days. Its
//! date is the latest of those that are told: when GitHub saw the release, and when tagger and committer say they worked.
//! The last two are claims of whoever pushed. With a release they can only make a version younger than GitHub saw it,
//! so that a tag that is moved under an old release is noticed unless its commit lies; a tag without a release has
//! nothing else, and then the branch that must hold its commit is what vouches for it.

mod edit;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::model::action_pin::{ActionPin, ActionVersion};
use crate::model::action_repository::{ActionRepository, TagTarget, TaggedCommit};
use crate::model::git::CommitId;
use crate::model::names::Digest;

pub use edit::{action_pins, with_pins};

/// How old a version must be.
pub const SETTLED_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So many versions are looked at before an action is left as it is.
const MOST_CANDIDATES: usize = 10;

/// What to renew, and what is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPins {
    pub actions: Vec<ActionChange>,
    pub images: Vec<ImageChange>,
    pub left: Vec<Left>,
}

/// One pin of an action's repository, with every action in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionChange {
    /// `owner/name`, as written.
    pub repository: String,
    pub from: CommitId,
    /// `None` when nothing tells which one it is.
    pub from_version: Option<ActionVersion>,
    pub to: CommitId,
    pub to_version: ActionVersion,
    pub released: Timestamp,
}

/// A reference to somebody else's image whose tag stands for another digest by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageChange {
    pub reference: String,
    pub from: Digest,
    pub to: Digest,
}

/// Something that is not renewed, or not to the newest there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// `actions/checkout v7.0.1`
    pub what: String,
    pub why: String,
    /// Somebody should look at it: a moved tag, a commit on no branch.
    pub suspicious: bool,
}

impl NewPins {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.images.is_empty()
    }
}

impl ActionChange {
    /// The first number differs, so what the action takes or does may differ too.
    #[must_use]
    pub fn is_major(&self) -> bool {
        let major = |version: &ActionVersion| version.numbers().first().copied();
        self.from_version.as_ref().is_some_and(|from| major(from) != major(&self.to_version))
    }
}

impl fmt::Display for ActionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(version) = &self.from_version {
            write!(f, " {version}")?;
        }
        let released = self.released.strftime("%Y-%m-%d");
        write!(f, " {} → {} {}, released {released}", short(&self.from), self.to_version, short(&self.to))?;
        if self.is_major() { f.write_str(", a new major version") } else { Ok(()) }
    }
}

impl fmt::Display for ImageChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brief = |digest: &Digest| digest.as_str().chars().take(19).collect::<String>();
        write!(f, "{} {} → {}", self.reference, brief(&self.from), brief(&self.to))
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// The beginning of a commit, as people read them.
#[must_use]
pub fn short(commit: &CommitId) -> &str {
    commit.as_str().get(..7).unwrap_or(commit.as_str())
}

/// Which version a pin is: as its comment says when that is a full one; else the one whose tag is on its commit.
#[must_use]
pub fn version_in_use(pin: &ActionPin, repository: &ActionRepository) -> Option<ActionVersion> {
    if let Some(version) = pin.version.as_ref().filter(|version| version.is_full()) {
        return Some(version.clone());
    }
    let here = repository.tags.iter().filter(|(_, target)| target.object == pin.commit.as_str());
    let mut versions: Vec<_> = here.filter_map(|(tag, _)| full(tag)).collect();
    versions.sort_by_key(|(numbers, _)| *numbers);
    versions.pop().map(|(_, version)| version)
}

/// The tag of exactly this version, with or without its `v`.
#[must_use]
pub fn tag_of<'r>(version: &ActionVersion, repository: &'r ActionRepository) -> Option<&'r TagTarget> {
    let text = version.to_string();
    let other = text.strip_prefix('v').map_or_else(|| format!("v{text}"), str::to_owned);
    repository.tags.get(&text).or_else(|| repository.tags.get(&other))
}

/// The tags of versions that are newer than this one, the newest first: `vX.Y.Z` and no other, so neither `v4`, which
/// moves, nor `v5.0.0-beta`.
#[must_use]
pub fn newer_versions(than: &ActionVersion, repository: &ActionRepository) -> Vec<(ActionVersion, String, TagTarget)> {
    let mut found: Vec<_> = repository
        .tags
        .iter()
        .filter_map(|(tag, target)| full(tag).map(|(numbers, version)| (numbers, version, tag, target)))
        .filter(|(_, version, ..)| version.compare(than).is_gt())
        .collect();
    // Of `1.2.3` and `v1.2.3` the second: it is what releases are called.
    found.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| other.2.cmp(one.2)));
    found.dedup_by(|later, earlier| later.0 == earlier.0);
    found.truncate(MOST_CANDIDATES);
    found.into_iter().map(|(_, version, tag, target)| (version, tag.clone(), target.clone())).collect()
}

/// The branches that an action of this version may be released from, beside the default one.
#[must_use]
pub fn release_branches(version: &ActionVersion) -> Vec<String> {
    let Some(major) = version.numbers().first() else { return Vec::new() };
    let forms = ["releases/v", "release/v", "release-v", "v"].map(|start| format!("{start}{major}"));
    forms.into_iter().chain([format!("v{major}.x"), format!("{major}.x")]).collect()
}

/// When the version came out, if it may be used; else why it may not.
///
/// # Errors
/// Why the version is passed over.
pub fn judge(tagged: &TaggedCommit, now: Timestamp) -> Result<Timestamp, String> {
    if crate::model::action_pin::is_known_bad(&tagged.commit) {
        return Err("is known to have been malicious".into());
    }
    let release = tagged.release.as_ref();
    if release.is_some_and(|release| release.prerelease) {
        return Err("is a prerelease".into());
    }
    if release.is_some_and(|release| release.draft || release.published.is_none()) {
        return Err("is not published yet".into());
    }
    let published = release.and_then(|release| release.published);
    let came_out = published.map_or(tagged.dated, |published| published.max(tagged.dated));
    let settled = came_out.checked_add(SETTLED_AFTER).map_err(|_| "is of no time that can be".to_owned())?;
    if settled > now {
        return Err(format!(
            "came out on {} and is taken from {} on",
            came_out.strftime("%Y-%m-%d"),
            settled.strftime("%Y-%m-%d")
        ));
    }
    Ok(came_out)
}

/// Three numbers and no more, so that any two can be compared.
fn full(tag: &str) -> Option<([u64; 3], ActionVersion)> {
    let version = ActionVersion::read(tag)?;
    let numbers = <[u64; 3]>::try_from(version.numbers()).ok()?;
    Some((numbers, version))
}
