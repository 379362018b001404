//! Parts of steps that hold what may only be known once the GitHub repository exists.

use std::collections::{BTreeMap, BTreeSet};

use super::{Known, listed};
use crate::model::config::Config;
use crate::model::iam::PolicyDocument;
use crate::model::identity::{Purpose, ReadingRef, SubjectContext, reading_trust_policy, trust_policy};
use crate::model::names::GithubRepositoryName;
use crate::model::observed::{DeploymentPolicies, GithubIdentity};
use crate::model::ownership::{ADOPTED_TAG, OWNER_TAG, ownership_tags};

/// Whose an AWS resource becomes; the number may only be known once the GitHub repository exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    pub repository: GithubRepositoryName,
    pub github: Known<GithubIdentity>,
    /// It was there before sbi, and stays when sbi is gone.
    pub adopted: bool,
}

impl Ownership {
    /// The tags, once the repository's identity is known.
    #[must_use]
    pub fn tags(&self, github: &GithubIdentity) -> BTreeMap<String, String> {
        let mut tags = ownership_tags(&self.repository, github.repository_id);
        if self.adopted {
            tags.insert(ADOPTED_TAG.to_owned(), "true".to_owned());
        }
        tags
    }

    /// Whether these tags say so already.
    #[must_use]
    pub fn is_told_by(&self, tags: &BTreeMap<String, String>) -> bool {
        match &self.github {
            Known::Now(github) => self.tags(github).iter().all(|(key, value)| tags.get(key) == Some(value)),
            Known::After(_) => false,
        }
    }

    pub(super) fn describe(&self) -> String {
        match &self.github {
            Known::Now(github) => {
                let tags = self.tags(github);
                format!("marked as ours: {}", listed(tags.iter().map(|(key, value)| format!("{key}={value}"))))
            }
            Known::After(_) => {
                let adopted = if self.adopted { format!(", {ADOPTED_TAG}=true") } else { String::new() };
                format!("marked as ours: {OWNER_TAG}={}{adopted}, and its number", self.repository)
            }
        }
    }
}

/// The refs that may deploy to an environment of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmittedRefs {
    /// Tags of these patterns.
    Tags(BTreeSet<String>),
    /// The default branch, whose name may only be known once the GitHub repository exists.
    DefaultBranch(Known<String>),
}

impl AdmittedRefs {
    /// An environment with these policies admits all of them already; what else it admits was somebody's choice.
    #[must_use]
    pub fn are_among(&self, policies: &DeploymentPolicies) -> bool {
        match self {
            Self::Tags(patterns) => policies.tags.is_superset(patterns),
            Self::DefaultBranch(Known::Now(branch)) => policies.branches.contains(branch),
            Self::DefaultBranch(Known::After(_)) => false,
        }
    }
}

/// Whom a role trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    Publisher(SubjectContext),
    Reader(BTreeSet<ReadingRef>),
}

/// A role's trust, whose numbers may only be known once the GitHub repository exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleTrust {
    pub config: Config,
    pub trusted: Trusted,
    pub github: Known<GithubIdentity>,
}

impl RoleTrust {
    /// The document, once the repository's identity is known.
    #[must_use]
    pub fn document(&self, github: &GithubIdentity) -> PolicyDocument {
        match &self.trusted {
            Trusted::Publisher(subject) => trust_policy(&self.config, subject, github),
            Trusted::Reader(on) => reading_trust_policy(&self.config, on, github),
        }
    }

    /// What the role is for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        match &self.trusted {
            Trusted::Publisher(_) => Purpose::Publish,
            Trusted::Reader(_) => Purpose::Read,
        }
    }

    pub(super) fn describe(&self) -> String {
        let tags = || listed(self.config.outlets().iter().map(|outlet| &outlet.tag_pattern));
        let context = match &self.trusted {
            Trusted::Publisher(SubjectContext::Environment(name)) => format!("environment {name}"),
            Trusted::Publisher(SubjectContext::ReleaseTag) => format!("release tags {}", tags()),
            Trusted::Reader(refs) => {
                let each = refs.iter().map(|on| match on {
                    ReadingRef::ReleaseTag => format!("release tags {}", tags()),
                    ReadingRef::DefaultBranch => "the default branch".into(),
                });
                each.collect::<Vec<_>>().join(" and ")
            }
        };
        match &self.github {
            Known::Now(github) => format!("assumable by {}, {context}, only", github.subject_prefix),
            Known::After(_) => {
                let repository = &self.config.github.repository;
                format!("assumable by {repository}, {context}, only (its ids are known after it is created)")
            }
        }
    }
}
