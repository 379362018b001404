//! What hangs on the things that sbi made, as one run found it: facts that only taking them back needs, so that no other
//! command must be allowed to read them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::names::{Digest, EcrRepositoryName};

/// Beside `Observed`, for those of its things that exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// The newest first.
    pub images: BTreeMap<EcrRepositoryName, Vec<ImageFacts>>,
    /// Of the publishing role.
    pub role: IamHoldings,
    /// Of the role that only reads.
    pub read_role: IamHoldings,
    pub user: IamHoldings,
    /// Of the environments that sbi uses.
    pub environments: BTreeMap<String, EnvironmentHoldings>,
    /// Branches of the GitHub repository that start with `sbi/`.
    pub branches: BTreeSet<String>,
}

/// One image of an ECR repository: a manifest, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    pub digest: Digest,
    pub tags: BTreeSet<String>,
    pub pushed: Option<Timestamp>,
    pub bytes: u64,
}

impl ImageFacts {
    /// How people name it: its tags and when it was pushed, or its shortened digest.
    #[must_use]
    pub fn label(&self) -> String {
        let name = match self.tags.is_empty() {
            true => self.short_digest(),
            false => self.tags.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        match self.pushed_at() {
            Some(at) => format!("{name} of {at}"),
            None => name,
        }
    }

    /// `sha256:0123456789ab`
    #[must_use]
    pub fn short_digest(&self) -> String {
        self.digest.as_str().chars().take("sha256:".len() + 12).collect()
    }

    /// `2026-11-25 12:00 UTC`
    #[must_use]
    pub fn pushed_at(&self) -> Option<String> {
        self.pushed.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
    }
}

/// What can hang on an IAM role or user, by name or ARN. IAM deletes neither while anything does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IamHoldings {
    /// Inline policies.
    pub policies: BTreeSet<String>,
    /// Managed policies that are attached.
    pub attached: BTreeSet<String>,
    /// Of a role.
    pub instance_profiles: BTreeSet<String>,
    /// Of a user.
    pub groups: BTreeSet<String>,
    /// Of a user.
    pub mfa_devices: BTreeSet<String>,
    /// Of a user: it can sign in to the console.
    pub has_password: bool,
}

/// What an environment holds beside its list of refs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentHoldings {
    pub secrets: BTreeSet<String>,
    pub variables: BTreeSet<String>,
    /// Protection rules other than the list of refs, in GitHub's words: `required_reviewers`, `wait_timer`.
    pub rules: BTreeSet<String>,
}
