//! Which entry a step of the planner belongs to: a new step breaks the build here, so that none is forgotten.

use crate::model::names::{EcrRepositoryName, GitTag};
use crate::plan::step::Step;

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    GithubRepository,
    GithubSettings,
    Environments,
    Ecr(EcrRepositoryName),
    EcrSettings(EcrRepositoryName),
    /// That the identities of CI exist.
    Identity,
    /// Whom they trust and what they may do.
    Access,
    AccessKey,
    Secret(String),
    Files,
    Release(GitTag),
}

/// The entry that is not done while `step` is planned.
#[must_use]
pub fn topic_of(step: &Step) -> Topic {
    match step {
        Step::CreateEcrRepository { name, .. } => Topic::Ecr(name.clone()),
        Step::SetEcrTagMutability { name, .. }
        | Step::SetEcrScanOnPush { name, .. }
        | Step::SetEcrLifecycle { name, .. }
        | Step::TagEcrRepository { name, .. } => Topic::EcrSettings(name.clone()),
        Step::CreateOidcProvider { .. } | Step::CreateRole { .. } | Step::CreateUser { .. } => Topic::Identity,
        Step::AddOidcAudience { .. }
        | Step::SetRoleTrust { .. }
        | Step::SetRolePolicy { .. }
        | Step::SetUserPolicy { .. } => Topic::Access,
        Step::DeleteAccessKey { .. } | Step::IssueAccessKey { .. } => Topic::AccessKey,
        Step::CreateGithubRepository { .. } | Step::StartGithubHistory { .. } => Topic::GithubRepository,
        Step::RestrictWorkflowToken { .. } | Step::RequirePinnedActions { .. } => Topic::GithubSettings,
        Step::SetEnvironment { .. } => Topic::Environments,
        Step::PutSecret { name, .. } => Topic::Secret(name.clone()),
        Step::CommitFiles { .. } => Topic::Files,
        Step::CreateRelease { tag, .. } => Topic::Release(tag.clone()),
    }
}
