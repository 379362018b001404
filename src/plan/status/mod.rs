//! `sbi status`: the go-to-market plan as a checklist, judged from what was found. What differs from the wish is the
//! planner's to say: `setup` plans, and each of its steps is an entry that is not done. Pure: now is an argument.

mod assumed;
mod checklist;
mod facts;
mod ledger;
mod time;
mod topic;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::desired::Desired;
use crate::model::status::{ImagePromises, Reality, Seen, Unread};

pub use assumed::as_wanted;
pub use ledger::newest;
pub use topic::{Topic, topic_of};

/// The sections of the go-to-market plan, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Product,
    Security,
    Pipeline,
    Distribution,
    Marketing,
    Actions,
}

impl Section {
    pub const ALL: [Self; 6] =
        [Self::Product, Self::Security, Self::Pipeline, Self::Distribution, Self::Marketing, Self::Actions];

    /// As the plan numbers it.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// As the plan calls it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Product => "Repository & Product Definition",
            Self::Security => "Security-First Development",
            Self::Pipeline => "Secure CI/CD Pipeline",
            Self::Distribution => "Commercialization & Distribution",
            Self::Marketing => "Marketing & Visibility",
            Self::Actions => "Action Plan",
        }
    }
}

/// One step of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub section: Section,
    /// For programs; stays the same from version to version: `ecr-repository:acme/base`.
    pub id: String,
    pub title: String,
    pub state: State,
}

/// How a step of the plan stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Seen now, on AWS or GitHub.
    Done { detail: String },
    /// It is there, and not as wanted.
    Drifted {
        differs: Vec<String>,
        /// The command that mends it, or what to do.
        mend: String,
    },
    /// Not there yet, and sbi makes it.
    Undone { lacks: Vec<String>, command: String },
    /// A person's, and where.
    Person { what: String, url: Option<String>, optional: bool },
    /// It can't be told how it stands.
    Untold(Unread),
}

impl State {
    fn done(detail: impl Into<String>) -> Self {
        Self::Done { detail: detail.into() }
    }

    /// What `--check` waits for.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Drifted { .. } | Self::Undone { .. })
    }
}

/// What is told below the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// For programs: `access_key`.
    pub key: &'static str,
    pub label: String,
    pub tone: Tone,
    pub text: String,
    pub at: Option<Timestamp>,
    pub url: Option<String>,
    /// What to type about it.
    pub command: Option<String>,
    pub counts: BTreeMap<String, u64>,
    /// `--check` waits for it.
    pub pending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Fine,
    /// Somebody should look.
    Warning,
    Untold,
}

/// Everything that the checklist is made from.
pub struct Question<'a> {
    pub desired: &'a Desired,
    pub reality: &'a Reality,
    /// Of each published image, in the order of `publish.images`.
    pub promises: &'a [ImagePromises],
    /// Path → whether an edited file differs from the rendered one by nothing but newer pins.
    pub edits: &'a BTreeMap<String, Seen<bool>>,
    /// Why the identities can't be planned at all.
    pub refusal: Option<Unread>,
    /// The GitHub repository's address for people.
    pub repository_url: &'a str,
    /// The command that brings about what is wanted: `sbi apply`.
    pub converge: &'a str,
    /// The command that merges newer templates with what was edited: `sbi update`.
    pub update: &'a str,
    /// An access key may be this old.
    pub max_age: SignedDuration,
    pub now: Timestamp,
}

/// The checklist and the facts below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// In the plan's order.
    pub entries: Vec<Entry>,
    pub facts: Vec<Fact>,
}

impl Status {
    /// What `--check` waits for: entries that are drifted or that sbi has not done, and facts that are over a limit.
    pub fn pending(&self) -> impl Iterator<Item = &str> {
        let entries = self.entries.iter().filter(|entry| entry.state.is_pending()).map(|entry| entry.title.as_str());
        entries.chain(self.facts.iter().filter(|fact| fact.pending).map(|fact| fact.label.as_str()))
    }

    /// The entries of which nothing could be told.
    pub fn untold(&self) -> impl Iterator<Item = (&str, &Unread)> {
        self.entries.iter().filter_map(|entry| match &entry.state {
            State::Untold(unread) => Some((entry.title.as_str(), unread)),
            _ => None,
        })
    }
}

/// Judges what was found.
#[must_use]
pub fn judge(question: &Question<'_>) -> Status {
    let ledger = ledger::Ledger::of(question);
    Status { entries: checklist::entries(&ledger), facts: facts::facts(&ledger) }
}
