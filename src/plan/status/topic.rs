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
        Step::CreateEcrRepository { name, .. }
        | Step::DeleteEcrRepository { name, .. }
        | Step::DeleteImages { name, .. } => Topic::Ecr(name.clone()),
        Step::SetEcrTagMutability { name, .. }
        | Step::SetEcrScanOnPush { name, .. }
        | Step::SetEcrLifecycle { name, .. }
        | Step::TagEcrRepository { name, .. }
        | Step::UntagEcrRepository { name, .. } => Topic::EcrSettings(name.clone()),
        Step::CreateOidcProvider { .. }
        | Step::CreateRole { .. }
        | Step::CreateUser { .. }
        | Step::DeleteRole { .. }
        | Step::DeleteUser { .. } => Topic::Identity,
        Step::AddOidcAudience { .. }
        | Step::CheckAccess { .. }
        | Step::TagRole { .. }
        | Step::TagUser { .. }
        | Step::DeleteRolePolicy { .. }
        | Step::DeleteUserPolicy { .. }
        | Step::SetRoleTrust { .. }
        | Step::SetRolePolicy { .. }
        | Step::SetUserPolicy { .. } => Topic::Access,
        Step::DeleteAccessKey { .. }
        | Step::DeactivateAccessKey { .. }
        | Step::WatchAccessKey { .. }
        | Step::DrainRuns { .. }
        | Step::IssueAccessKey { .. } => Topic::AccessKey,
        Step::CreateGithubRepository { .. } | Step::StartGithubHistory { .. } | Step::DeleteGithubRepository { .. } => {
            Topic::GithubRepository
        }
        Step::RestrictWorkflowToken { .. } | Step::RequirePinnedActions { .. } => Topic::GithubSettings,
        Step::SetEnvironment { .. } | Step::DeleteEnvironment { .. } => Topic::Environments,
        Step::PutSecret { name, .. } | Step::DeleteSecret { name, .. } => Topic::Secret(name.clone()),
        Step::CommitFiles { .. }
        | Step::DeleteBranch { .. }
        | Step::UpdatePullRequest { .. }
        | Step::ClosePullRequest { .. } => Topic::Files,
        Step::CreateRelease { tag, .. } => Topic::Release(tag.clone()),
    }
}
