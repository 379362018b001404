//! The lines of a run's file, one JSON object each. Readers pass over what they do not know.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::plan::step::{Line, Produced, Sign};

/// Changes when a line means something else than before.
pub(super) const FORMAT_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) event: Event,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    RunStarted {
        format_version: u32,
        /// The version of sbi.
        sbi: String,
        /// `sbi apply`
        command: String,
        pid: u32,
        /// `owner/name`
        repository: String,
        /// The ARN of the AWS credentials.
        aws: String,
        /// The login of the GitHub token.
        github: String,
        /// The plan that was agreed to.
        steps: Vec<Step>,
    },
    StepStarted {
        step: usize,
    },
    StepDone {
        step: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        produced: Option<String>,
    },
    StepFailed {
        step: usize,
        #[serde(flatten)]
        failure: Words,
    },
    StepNotStarted {
        step: usize,
    },
    RunEnded {
        /// `done`, `failed` or `cancelled`.
        outcome: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Words>,
    },
    #[serde(other)]
    Unknown,
}

/// A step as the plan showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `+`, `~` or `-`.
    pub sign: String,
    pub kind: String,
    pub name: String,
    pub detail: String,
}

impl Step {
    pub(super) fn new(line: Line) -> Self {
        let Line { sign, kind, name, detail } = line;
        let sign: Sign = sign;
        Self { sign: sign.as_str().to_owned(), kind: kind.to_owned(), name, detail }
    }
}

/// What a failure said. Failures hold no secret: they are printed as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    pub error: String,
    /// What is underneath, with the service's own words and its request id.
    #[serde(default)]
    pub because: Vec<String>,
    #[serde(default)]
    pub help: Vec<String>,
}

impl Words {
    pub(super) fn new(failure: &Failure) -> Self {
        Self { error: failure.message().to_owned(), because: failure.reasons(), help: failure.hints().to_vec() }
    }
}

/// What a step left, in a few words: ids and addresses.
pub(super) fn produced(produced: &Produced) -> Option<String> {
    match produced {
        Produced::Nothing => None,
        Produced::GithubRepository { identity, url, .. } => Some(format!("{url}, number {}", identity.repository_id)),
        Produced::Commit { id, .. } => Some(format!("commit {id}")),
        Produced::PullRequest { url, .. } | Produced::Release { url } => Some(url.clone()),
        Produced::AccessKey { id } => Some(format!("access key {id}")),
    }
}
