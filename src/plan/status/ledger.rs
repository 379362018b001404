//! The planner's answer, sorted by what it is about, and how an entry follows from it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Question, State, Topic, assumed, topic_of};
use crate::failure::Failure;
use crate::model::commit::UPDATE_BRANCH;
use crate::model::config::Config;
use crate::model::names::GitTag;
use crate::model::observed::{GithubRepository, PullRequest};
use crate::model::status::{AwsReality, GithubReality, RepositoryReality, Seen, Unread};
use crate::plan::Plan;
use crate::plan::setup::{ADOPTION_BRANCH, FileState, Phase, behind, file_states, open_pull_request, plan_by_phase};
use crate::plan::step::{Line, Sign};

/// Everything that entries and facts are made from.
pub(super) struct Ledger<'a> {
    pub(super) question: &'a Question<'a>,
    steps: Vec<(Topic, Line)>,
    refusals: BTreeMap<Phase, Vec<Unread>>,
    files: BTreeMap<String, FileState>,
    behind: BTreeSet<String>,
}

/// What stands in the way of planning, as an entry tells it.
fn told(failure: &Failure) -> Unread {
    Unread { why: failure.message().to_owned(), help: failure.hints().first().cloned() }
}

impl<'a> Ledger<'a> {
    pub(super) fn of(question: &'a Question<'a>) -> Self {
        let observed = assumed::completed(question.desired, question.reality);
        let mut refusals = BTreeMap::new();
        let mut seen = 0;
        let plan = plan_by_phase(question.desired, &observed, |phase, plan: &Plan| {
            let new: Vec<Unread> = plan.refusals[seen..].iter().map(told).collect();
            seen = plan.refusals.len();
            refusals.insert(phase, new);
        });
        if let Some(refusal) = &question.refusal {
            refusals.entry(Phase::Identity).or_default().insert(0, refusal.clone());
        }
        let steps = plan.nodes().iter().map(|node| (topic_of(&node.step), node.step.describe())).collect();
        let found = observed.github.repository.as_ref();
        let (files, behind) = (file_states(question.desired, found), behind(question.desired, found));
        Self { question, steps, refusals, files, behind }
    }

    pub(super) fn config(&self) -> &'a Config {
        &self.question.desired.config
    }

    pub(super) fn aws(&self) -> Seen<&'a AwsReality> {
        self.question.reality.aws.as_ref().map_err(Clone::clone)
    }

    pub(super) fn github(&self) -> Seen<&'a GithubReality> {
        self.question.reality.github.as_ref().map_err(Clone::clone)
    }

    /// `None` when there is no GitHub repository.
    pub(super) fn repository(&self) -> Seen<Option<&'a RepositoryReality>> {
        self.github()?.repository.as_ref().map(Option::as_ref).map_err(Clone::clone)
    }

    pub(super) fn found(&self) -> Option<&'a GithubRepository> {
        self.repository().ok().flatten().map(|repository| &repository.found)
    }

    pub(super) fn refusal(&self, phase: Phase) -> Option<&Unread> {
        self.refusals.get(&phase).and_then(|refusals| refusals.first())
    }

    pub(super) fn file(&self, path: &str) -> Option<FileState> {
        self.files.get(path).copied()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&str, FileState)> {
        self.files.iter().map(|(path, state)| (path.as_str(), *state))
    }

    /// The edited files that are rendered differently by now.
    pub(super) fn behind(&self) -> impl Iterator<Item = &str> {
        self.behind.iter().map(String::as_str)
    }

    /// The pull request that merges newer templates with what was edited.
    pub(super) fn open_update(&self) -> Option<&'a PullRequest> {
        self.found()?.pull_requests.iter().find(|open| open.branch == UPDATE_BRANCH)
    }

    /// A pull request waits that puts our files in the place of somebody else's.
    pub(super) fn is_being_adopted(&self) -> bool {
        self.found().and_then(open_pull_request).is_some_and(|open| open.branch == ADOPTION_BRANCH)
    }

    /// An address in the GitHub repository.
    pub(super) fn page(&self, rest: &str) -> String {
        format!("{}/{rest}", self.question.repository_url)
    }

    /// A file as people see it.
    pub(super) fn file_page(&self, path: &str) -> String {
        let branch = self.found().map_or("HEAD", |found| found.identity.default_branch.as_str());
        self.page(&format!("blob/{branch}/{path}"))
    }

    pub(super) fn lines(&self, topic: &Topic) -> Vec<&Line> {
        self.steps.iter().filter(|(about, _)| about == topic).map(|(_, line)| line).collect()
    }

    /// Done unless the planner has a step for it: then undone where it only adds, drifted where it changes.
    pub(super) fn by_steps(&self, topic: &Topic, done: impl FnOnce() -> String) -> State {
        let lines = self.lines(topic);
        let command = || self.question.converge.to_owned();
        let told = || lines.iter().map(|line| tell(line)).collect();
        if lines.is_empty() {
            State::done(done())
        } else if lines.iter().all(|line| line.sign == Sign::Add) {
            State::Undone { lacks: told(), command: command() }
        } else {
            State::Drifted { differs: told(), mend: command() }
        }
    }

    /// What the planner refuses, as a difference that a person mends first.
    pub(super) fn refused(&self, phase: Phase) -> Option<State> {
        let Unread { why, help } = self.refusal(phase)?.clone();
        Some(State::Drifted { differs: vec![why], mend: help.unwrap_or_else(|| self.question.converge.to_owned()) })
    }

    /// The pull request of this set-up, while files wait in it and nothing else brings them.
    pub(super) fn waits_for_merge(&self) -> Option<State> {
        let open = open_pull_request(self.found()?)?;
        let brought = |state| state == FileState::New || (state == FileState::Foreign && self.is_being_adopted());
        let waits = self.lines(&Topic::Files).is_empty() && self.files().any(|(_, state)| brought(state));
        waits.then(|| State::Person {
            what: format!("merge pull request #{}, then `{}`", open.number, self.question.converge),
            url: Some(open.url.clone()),
            optional: false,
        })
    }

    /// The newest published release of an image: the highest version, a pre-release only where there is nothing else.
    pub(super) fn newest_release(&self, first: &GitTag) -> Option<GitTag> {
        let published = self.found()?.releases.iter().filter(|release| !release.draft);
        newest(published.map(|release| &release.tag), first)
    }
}

/// The highest version among the tags of the same image as `first`.
pub fn newest<'t>(tags: impl Iterator<Item = &'t GitTag>, first: &GitTag) -> Option<GitTag> {
    let rank = |tag: &&GitTag| {
        let (major, minor, patch, pre_release) = tag.version().parts();
        (!pre_release, major, minor, patch)
    };
    tags.filter(|tag| tag.image() == first.image()).max_by_key(rank).cloned()
}

/// A line of the plan, in the words of a list of differences.
fn tell(Line { sign, kind, name, detail }: &Line) -> String {
    match sign {
        Sign::Add => format!("{kind} {name} is not there: {detail}"),
        Sign::Change | Sign::Wait => format!("{kind} {name}: {detail}"),
        Sign::Remove => format!("{kind} {name}, {detail}"),
    }
}
