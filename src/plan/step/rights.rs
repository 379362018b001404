//! What carrying out each change takes: computed before the first write, and what `sbi policy` prints is made of it.

use super::Step;
use crate::model::commit::Delivery;

/// A right that a step needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// An IAM action on a resource ARN (or `*`).
    Aws { action: &'static str, resource: String },
    /// A fine-grained permission of GitHub, such as `administration: write`.
    Github(&'static str),
    /// A scope that a classic token needs beside those of its permissions.
    GithubScope(&'static str),
}

impl Step {
    /// The rights that applying this step takes, every call of it.
    #[must_use]
    pub fn permissions(&self) -> Vec<Permission> {
        let aws = |action, resource: &str| Permission::Aws { action, resource: resource.to_owned() };
        match self {
            Self::CreateEcrRepository { arn, .. } => {
                vec![aws("ecr:CreateRepository", arn), aws("ecr:TagResource", arn)]
            }
            Self::SetEcrTagMutability { arn, .. } => vec![aws("ecr:PutImageTagMutability", arn)],
            Self::SetEcrScanOnPush { arn, .. } => vec![aws("ecr:PutImageScanningConfiguration", arn)],
            Self::SetEcrLifecycle { arn, .. } => vec![aws("ecr:PutLifecyclePolicy", arn)],
            Self::TagEcrRepository { arn, .. } => vec![aws("ecr:TagResource", arn)],
            Self::CreateOidcProvider { arn, .. } => vec![aws("iam:CreateOpenIDConnectProvider", arn)],
            Self::AddOidcAudience { arn, .. } => vec![aws("iam:AddClientIDToOpenIDConnectProvider", arn)],
            Self::CreateRole { arn, .. } => vec![aws("iam:CreateRole", arn), aws("iam:TagRole", arn)],
            Self::TagRole { arn, .. } => vec![aws("iam:TagRole", arn)],
            Self::TagUser { arn, .. } => vec![aws("iam:TagUser", arn)],
            Self::SetRoleTrust { arn, .. } => vec![aws("iam:UpdateAssumeRolePolicy", arn)],
            Self::SetRolePolicy { arn, .. } => vec![aws("iam:PutRolePolicy", arn)],
            Self::CreateUser { arn, .. } => vec![aws("iam:CreateUser", arn), aws("iam:TagUser", arn)],
            Self::SetUserPolicy { arn, .. } => vec![aws("iam:PutUserPolicy", arn)],
            Self::DeleteAccessKey { arn, .. } => vec![aws("iam:DeleteAccessKey", arn)],
            Self::DeactivateAccessKey { arn, .. } => vec![aws("iam:UpdateAccessKey", arn)],
            Self::WatchAccessKey { arn, .. } => vec![aws("iam:GetAccessKeyLastUsed", arn)],
            Self::DrainRuns { .. } => vec![Permission::Github("actions: read"), Permission::Github("secrets: read")],
            // A tag on a commit that touches a workflow needs the same right as the commit.
            Self::CheckAccess { .. } => vec![
                Permission::Github("actions: write"),
                Permission::Github("contents: write"),
                Permission::Github("workflows: write"),
            ],
            Self::IssueAccessKey { arn, .. } => vec![
                aws("iam:CreateAccessKey", arn),
                aws("iam:DeleteAccessKey", arn),
                Permission::Github("secrets: write"),
            ],
            Self::CreateGithubRepository { .. } => vec![Permission::Github("administration: write")],
            Self::StartGithubHistory { .. } => vec![Permission::Github("contents: write")],
            Self::RestrictWorkflowToken { .. } | Self::RequirePinnedActions { .. } | Self::SetEnvironment { .. } => {
                vec![Permission::Github("administration: write")]
            }
            Self::PutSecret { .. } => vec![Permission::Github("secrets: write")],
            Self::CommitFiles { commit, .. } => {
                let mut needed = vec![Permission::Github("contents: write")];
                if commit.touches_workflows() {
                    needed.push(Permission::Github("workflows: write"));
                }
                if matches!(commit.delivery, Delivery::PullRequest { .. }) {
                    needed.push(Permission::Github("pull requests: write"));
                }
                needed
            }
            Self::UpdatePullRequest { .. } => vec![Permission::Github("pull requests: write")],
            Self::ClosePullRequest { .. } => {
                vec![Permission::Github("contents: write"), Permission::Github("pull requests: write")]
            }
            // A tag on a commit that touches a workflow needs the same right as the commit.
            Self::CreateRelease { .. } => {
                vec![Permission::Github("contents: write"), Permission::Github("workflows: write")]
            }
            Self::DeleteRolePolicy { arn, .. } => vec![aws("iam:DeleteRolePolicy", arn)],
            Self::DeleteRole { arn, .. } => vec![aws("iam:DeleteRole", arn)],
            Self::DeleteUserPolicy { arn, .. } => vec![aws("iam:DeleteUserPolicy", arn)],
            Self::DeleteUser { arn, .. } => vec![aws("iam:DeleteUser", arn)],
            Self::DeleteSecret { .. } => vec![Permission::Github("secrets: write")],
            Self::DeleteImages { arn, .. } => vec![aws("ecr:BatchDeleteImage", arn)],
            Self::DeleteEcrRepository { arn, .. } => vec![aws("ecr:DeleteRepository", arn)],
            Self::UntagEcrRepository { arn, .. } => vec![aws("ecr:UntagResource", arn)],
            Self::DeleteEnvironment { .. } => vec![Permission::Github("administration: write")],
            Self::DeleteBranch { .. } => vec![Permission::Github("contents: write")],
            Self::DeleteGithubRepository { .. } => {
                vec![Permission::Github("administration: write"), Permission::GithubScope("delete_repo")]
            }
        }
    }
}
