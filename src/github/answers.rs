//! What GitHub answers about repositories, as far as it is read: small structs of our own, because the wide ones are
//! stricter than GitHub's contract.

use serde::Deserialize;
use serde_json::Value;

use super::commits::Sha;

#[derive(Deserialize)]
pub(super) struct UserAnswer {
    pub(super) login: String,
    pub(super) id: u64,
    pub(super) plan: Option<PlanAnswer>,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

#[derive(Deserialize)]
pub(super) struct OrganizationAnswer {
    pub(super) plan: Option<PlanAnswer>,
}

#[derive(Deserialize)]
pub(super) struct PlanAnswer {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct RepositoryAnswer {
    pub(super) id: u64,
    pub(super) full_name: String,
    pub(super) private: bool,
    #[serde(default)]
    pub(super) archived: bool,
    #[serde(default)]
    pub(super) permissions: PermissionsAnswer,
    pub(super) default_branch: String,
    pub(super) owner: AccountAnswer,
    pub(super) html_url: String,
    /// RFC 3339
    pub(super) created_at: Option<String>,
}

#[derive(Deserialize, Default)]
pub(super) struct PermissionsAnswer {
    #[serde(default)]
    pub(super) admin: bool,
    #[serde(default)]
    pub(super) push: bool,
}

#[derive(Deserialize)]
pub(super) struct AccountAnswer {
    pub(super) id: u64,
}

#[derive(Deserialize)]
pub(super) struct SubjectAnswer {
    pub(super) use_default: Option<bool>,
    pub(super) include_claim_keys: Option<Vec<String>>,
    pub(super) use_immutable_subject: Option<bool>,
    pub(super) sub_claim_prefix: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct TreeAnswer {
    pub(super) sha: String,
    pub(super) tree: Vec<TreeEntry>,
    #[serde(default)]
    pub(super) truncated: bool,
}

#[derive(Deserialize)]
pub(super) struct TreeEntry {
    pub(super) path: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) sha: String,
    #[serde(default)]
    pub(super) mode: String,
}

#[derive(Deserialize)]
pub(super) struct BranchAnswer {
    pub(super) commit: BranchCommit,
    #[serde(default)]
    pub(super) protected: bool,
}

#[derive(Deserialize)]
pub(super) struct BranchCommit {
    pub(super) sha: String,
    pub(super) commit: Option<BranchCommitDetails>,
}

#[derive(Deserialize)]
pub(super) struct BranchCommitDetails {
    pub(super) tree: Sha,
}

/// One line of a folder.
#[derive(Deserialize)]
pub(super) struct EntryAnswer {
    pub(super) path: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Deserialize)]
pub(super) struct FileAnswer {
    #[serde(default)]
    pub(super) content: String,
    pub(super) sha: String,
}

#[derive(Deserialize)]
pub(super) struct SecretsAnswer {
    pub(super) secrets: Vec<SecretAnswer>,
}

#[derive(Deserialize)]
pub(super) struct SecretAnswer {
    pub(super) name: String,
    /// RFC 3339
    pub(super) updated_at: String,
}

#[derive(Deserialize)]
pub(super) struct EnvironmentsAnswer {
    #[serde(default)]
    pub(super) environments: Vec<EnvironmentAnswer>,
}

#[derive(Deserialize)]
pub(super) struct EnvironmentAnswer {
    pub(super) name: String,
    pub(super) deployment_branch_policy: Option<BranchPolicyAnswer>,
}

#[derive(Deserialize)]
pub(super) struct BranchPolicyAnswer {
    pub(super) custom_branch_policies: bool,
}

#[derive(Deserialize)]
pub(super) struct PoliciesAnswer {
    pub(super) branch_policies: Vec<PolicyAnswer>,
}

#[derive(Deserialize)]
pub(super) struct PolicyAnswer {
    pub(super) name: String,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

#[derive(Deserialize)]
pub(super) struct ActionsAnswer {
    pub(super) enabled: bool,
    pub(super) allowed_actions: Option<String>,
    #[serde(default)]
    pub(super) sha_pinning_required: bool,
}

#[derive(Deserialize)]
pub(super) struct WorkflowAnswer {
    pub(super) default_workflow_permissions: String,
    pub(super) can_approve_pull_request_reviews: bool,
}

#[derive(Deserialize)]
pub(super) struct RuleAnswer {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Deserialize)]
pub(super) struct ProtectionAnswer {
    pub(super) required_pull_request_reviews: Option<Value>,
    pub(super) required_status_checks: Option<Value>,
    pub(super) required_signatures: Option<Switch>,
    pub(super) lock_branch: Option<Switch>,
}

#[derive(Deserialize)]
pub(super) struct Switch {
    pub(super) enabled: bool,
}

#[derive(Deserialize)]
pub(super) struct ReleaseAnswer {
    pub(super) tag_name: String,
    pub(super) draft: bool,
    pub(super) body: Option<String>,
    pub(super) html_url: String,
    /// RFC 3339; absent while it is a draft.
    pub(super) published_at: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RefAnswer {
    #[serde(rename = "ref")]
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct PullAnswer {
    pub(super) number: u64,
    pub(super) html_url: String,
    #[serde(default)]
    pub(super) node_id: String,
    pub(super) title: String,
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) draft: bool,
    /// RFC 3339; absent unless it was merged.
    pub(super) merged_at: Option<String>,
    pub(super) head: PullSide,
    pub(super) base: PullSide,
}

/// The branch that a pull request comes from, or the one that it goes to.
#[derive(Deserialize)]
pub(super) struct PullSide {
    #[serde(rename = "ref")]
    pub(super) branch: String,
    pub(super) sha: String,
    pub(super) repo: Option<AccountAnswer>,
}
