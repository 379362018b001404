//! A repository whose publisher had a pipeline before sbi: which of its files are in the way, what is safer about ours,
//! and what a pull request would replace and remove. Nothing of it happens unless a person agrees.

mod body;

use std::collections::BTreeSet;

use super::files::state_of;
use super::{FileState, keep};
use crate::merge::checks::{BrokenRule, Publishing, Rule, broken_rules, is_dockerfile, publishing};
use crate::model::config::Auth;
use crate::model::desired::Desired;
use crate::model::git::BlobId;
use crate::model::jobs::is_workflow;
use crate::model::observed::{GithubRepository, Observed};
use crate::plan::{Fate, HandMade, Plan};

pub(super) use body::body;

/// The branch of the pull request that adopts. It is another one than that of a set-up without adoption, so that an open
/// one tells that somebody has agreed.
pub(in crate::plan) const ADOPTION_BRANCH: &str = "sbi/adopt";

/// Most files that are read to find out what was made by hand.
const MOST_WORKFLOWS: usize = 100;
const MOST_DOCKERFILES: usize = 20;

/// The paths whose texts tell what could be adopted. `asked` says that somebody wants to know; otherwise it matters only
/// while the pull request that adopts is open.
#[must_use]
pub fn texts_to_read(desired: &Desired, observed: &Observed, asked: bool) -> BTreeSet<String> {
    let Some(found) = observed.github.repository.as_ref().filter(|found| asked || is_under_way(found)) else {
        return BTreeSet::new();
    };
    let mut wanted: BTreeSet<String> = in_the_way(desired, found).map(|(path, _)| path.to_owned()).collect();
    let others = || found.files.keys().filter(|path| is_others(desired, found, path));
    wanted.extend(others().filter(|path| is_workflow(path)).take(MOST_WORKFLOWS).cloned());
    if !wanted.is_empty() {
        let mut dockerfiles: Vec<&String> = others().filter(|path| is_dockerfile(path)).collect();
        dockerfiles.sort_by_key(|path| path.matches('/').count());
        wanted.extend(dockerfiles.into_iter().take(MOST_DOCKERFILES).cloned());
    }
    wanted
}

/// The pull request that adopts is open.
fn is_under_way(found: &GithubRepository) -> bool {
    found.pull_requests.iter().any(|open| open.branch == ADOPTION_BRANCH)
}

/// Only what the pipeline runs or builds: documents and settings of theirs are never replaced.
pub(super) fn is_replaceable(path: &str) -> bool {
    is_workflow(path) || path.starts_with("images/")
}

/// Others' files at paths of ours that the pipeline needs, with our text.
fn in_the_way<'a>(desired: &'a Desired, found: &GithubRepository) -> impl Iterator<Item = (&'a str, &'a str)> {
    let lock = found.lock.clone().unwrap_or_default();
    let foreign = move |path: &str, file| {
        is_replaceable(path) && state_of(desired, Some(found), &lock, file) == FileState::Foreign
    };
    let files = desired.files.iter().filter(move |file| foreign(&file.path, file));
    files.map(|file| (file.path.as_str(), file.text.as_str())).collect::<Vec<_>>().into_iter()
}

/// Neither rendered now nor before.
fn is_others(desired: &Desired, found: &GithubRepository, path: &str) -> bool {
    let before = found.lock.as_ref().is_some_and(|lock| lock.files.contains_key(path));
    !before && !desired.files.iter().any(|file| file.path == path)
}

/// One file of theirs.
struct Found<'a> {
    path: &'a str,
    text: &'a str,
    blob: &'a BlobId,
    fate: Fate,
    /// Our text at the same path.
    ours: Option<&'a str>,
    broken: Vec<BrokenRule>,
    publishing: Option<Publishing>,
}

/// What could be adopted, and whether it will be.
pub(super) struct Adoption<'a> {
    found: Vec<Found<'a>>,
    /// Somebody has agreed, in this run or in the one that opened the pull request.
    pub(super) agreed: bool,
}

impl<'a> Adoption<'a> {
    pub(super) fn find(desired: &'a Desired, observed: &'a Observed) -> Self {
        let Some(repository) = &observed.github.repository else { return Self { found: Vec::new(), agreed: false } };
        let excused = |broken: &BrokenRule| {
            broken.rule == Rule::NoLongLivedKeys && desired.config.publish.auth == Auth::AccessKey
        };
        let look = |path: &'a str, fate, ours| {
            let (text, blob) = (repository.texts.get(path)?.as_str(), repository.files.get(path)?);
            let broken = broken_rules(path, text).into_iter().filter(|broken| !excused(broken)).collect();
            let publishing = if is_workflow(path) { publishing(text) } else { None };
            Some(Found { path, text, blob, fate, ours, broken, publishing })
        };
        let mut found: Vec<Found<'a>> =
            in_the_way(desired, repository).filter_map(|(path, ours)| look(path, Fate::Replaced, Some(ours))).collect();
        let mut beside = Vec::new();
        for path in repository.texts.keys().filter(|path| is_others(desired, repository, path)) {
            let Some(mut other) = look(path, Fate::Stays, None) else { continue };
            match &other.publishing {
                Some(publishing) if publishing.to_ecr => {
                    other.fate = Fate::Removed;
                    found.push(other);
                }
                Some(_) => beside.push(other),
                None if is_dockerfile(path) => beside.push(other),
                None => {}
            }
        }
        let agreed = !found.is_empty() && (desired.adopt || is_under_way(repository));
        if !found.is_empty() {
            found.extend(beside);
        }
        Self { found, agreed }
    }

    /// Whether this file of theirs gives way to ours.
    pub(super) fn replaces(&self, path: &str) -> bool {
        self.agreed && self.found.iter().any(|found| found.fate == Fate::Replaced && found.path == path)
    }

    /// Whether one body is about the same texts of theirs as another: people may have added words of their own.
    pub(super) fn names_as_much(&self, one: &str, other: &str) -> bool {
        let gone = self.found.iter().filter(|found| self.agreed && found.fate != Fate::Stays);
        gone.map(|found| found.blob.as_str()).all(|blob| one.contains(blob) || !other.contains(blob))
    }

    /// The files of theirs that go.
    pub(super) fn removals(&self) -> BTreeSet<String> {
        let gone = self.found.iter().filter(|found| self.agreed && found.fate == Fate::Removed);
        gone.map(|found| found.path.to_owned()).collect()
    }

    /// Tells in the plan what was found, and what becomes of it.
    pub(super) fn tell(&self, plan: &mut Plan) {
        plan.adopts = self.agreed;
        plan.hand_made = self
            .found
            .iter()
            .map(|found| HandMade { path: found.path.to_owned(), fate: found.fate, why: found.why() })
            .collect();
        for found in self.found.iter().filter(|found| !self.agreed && found.fate == Fate::Removed) {
            let why = "is not sbi's and sends images to Amazon ECR; `--adopt` would propose to remove it";
            keep(plan, format!("file {}", found.path), why);
        }
    }
}

impl Found<'_> {
    /// What is safer about ours, and what else a person should know; one line a rule.
    fn why(&self) -> Vec<String> {
        self.reasons()
            .into_iter()
            .map(|(what, why)| if what.is_empty() { why } else { format!("{what}: {why}") })
            .collect()
    }

    /// The same with what stands in their file apart.
    fn reasons(&self) -> Vec<(String, String)> {
        let mut reasons = Vec::new();
        if let Some(Publishing { places, other_jobs, to_ecr }) = &self.publishing {
            let places = places.join(", ");
            reasons.push((
                places,
                match to_ecr {
                    true => "sends images to Amazon ECR, which the pipeline does from now on".to_owned(),
                    false => "sends images to another registry, which the pipeline does not do".to_owned(),
                },
            ));
            if self.fate != Fate::Stays && !other_jobs.is_empty() {
                let (what, verb) = (other_jobs.join(", "), if other_jobs.len() == 1 { "goes" } else { "go" });
                reasons.push((what, format!("{verb} with it: move what you need to a workflow of its own")));
            }
        }
        let mut rules: Vec<Rule> = self.broken.iter().map(|broken| broken.rule).collect();
        rules.sort();
        rules.dedup();
        for rule in rules {
            let mut broken = self.broken.iter().filter(|broken| broken.rule == rule);
            let Some(first) = broken.next() else { continue };
            let more = match broken.count() {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            reasons.push((format!("{}{more}", first.what), rule.why().to_owned()));
        }
        if self.broken.is_empty() && self.fate == Fate::Replaced {
            reasons.push((String::new(), "the pipeline needs its own file at this path".into()));
        }
        reasons
    }
}
