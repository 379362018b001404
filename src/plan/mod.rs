//! Planning: from what is wanted and what was found to the steps in between. Pure: no effects, no clock.
//!
//! `setup` plans in this order: the GitHub repository and its settings, the ECR repositories, the identities of CI,
//! the secrets, the files, the releases. Each phase may need the ids of earlier ones; none can need a later one.
//! `destroy` plans the way back, which begins with the identities and ends with the files.

pub mod access_keys;
pub mod destroy;
mod markdown;
pub mod operator;
pub mod pins;
pub mod retirement;
pub mod rotation;
pub mod setup;
pub mod status;
pub mod step;
pub mod update;

use crate::failure::Failure;
use crate::model::names::GithubRepositoryName;
use crate::model::pins::Pins;
use step::Step;

/// A step's place in its plan. Only `Plan::add` makes one, so needs always point backwards and no cycle can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(usize);

impl StepId {
    /// Position in `Plan::nodes`, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// A value that planning knows, or that a step will produce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known<T> {
    Now(T),
    After(StepId),
}

/// One step and the steps that must have succeeded before it starts.
#[derive(Debug, PartialEq, Eq)]
pub struct Node {
    pub step: Step,
    pub needs: Vec<StepId>,
}

/// Something that exists, was looked at, and stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The thing, as the plan's lines name things: `file README.md`.
    pub what: String,
    /// Why it stays, or what a person can do about it.
    pub why: String,
}

/// A file of the publisher's own that does what sbi's pipeline does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandMade {
    pub path: String,
    pub fate: Fate,
    /// What is safer about sbi's version and what else a person should know, a line each.
    pub why: Vec<String>,
}

/// What adopting a repository does to a file of the publisher's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Replaced,
    Removed,
    /// It is in nobody's way.
    Stays,
}

/// What a GitHub repository was called, and what it is called now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    pub from: GithubRepositoryName,
    pub to: GithubRepositoryName,
}

/// Everything one run would do, in an order that satisfies every need.
#[derive(Debug, Default)]
#[must_use = "a plan does nothing until it is applied or shown"]
pub struct Plan {
    nodes: Vec<Node>,
    /// The GitHub repository goes by another name than it did, and the plan follows it.
    pub renamed: Option<Renamed>,
    /// What stays as it is although it is near.
    pub kept: Vec<Kept>,
    /// What must wait for somebody else, with the command that goes on afterwards.
    pub waiting: Vec<String>,
    /// Images of others whose digest is new in the files of this plan.
    pub pinned: Pins,
    /// What the publisher made by hand where sbi would put something safer.
    pub hand_made: Vec<HandMade>,
    /// A pull request replaces and removes what was made by hand, because somebody has agreed.
    pub adopts: bool,
    /// Why this plan must not be applied. Shown all at once.
    pub refusals: Vec<Failure>,
}

impl Plan {
    /// Adds a step that starts when all of `needs` have succeeded.
    pub fn add(&mut self, step: Step, needs: impl IntoIterator<Item = StepId>) -> StepId {
        let mut needs: Vec<StepId> = needs.into_iter().collect();
        needs.sort();
        needs.dedup();
        self.nodes.push(Node { step, needs });
        StepId(self.nodes.len() - 1)
    }

    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn ids(&self) -> impl Iterator<Item = StepId> + use<> {
        (0..self.nodes.len()).map(StepId)
    }

    #[must_use]
    pub fn node(&self, id: StepId) -> &Node {
        &self.nodes[id.0]
    }

    /// Nothing to do and nothing that waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}
