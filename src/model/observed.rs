//! Facts about AWS and GitHub as one run found them. Nothing here is a wish or a decision.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::commit::OpenPullRequest;
use super::git::{BlobId, CommitId};
use super::iam::PolicyDocument;
use super::lock::Lock;
use super::names::{AccountId, EcrRepositoryName, GitTag, GithubRepositoryName};

/// Everything that planning looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub aws: AwsObserved,
    pub github: GithubObserved,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsObserved {
    pub caller: CallerIdentity,
    /// Those of the images' repositories that exist.
    pub ecr_repositories: BTreeMap<EcrRepositoryName, EcrRepository>,
    /// The account's provider for GitHub's issuer, found by exact URL.
    pub oidc_provider: Option<OidcProvider>,
    /// The publishing role.
    pub role: Option<Role>,
    /// The role that only reads.
    pub read_role: Option<Role>,
    pub user: Option<User>,
}

/// `sts:GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    pub account: AccountId,
    pub arn: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrRepository {
    pub arn: String,
    /// `registry/name`, as images are pulled.
    pub uri: String,
    pub tag_mutability: TagMutability,
    pub scan_on_push: bool,
    pub encryption: Encryption,
    /// The lifecycle policy's JSON, `None` when the repository has none.
    pub lifecycle: Option<serde_json::Value>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagMutability {
    Mutable,
    Immutable,
    /// Immutable but for tags that match one of these wildcard filters.
    ImmutableExcept(BTreeSet<String>),
    /// Mutable but for tags that match one of these wildcard filters.
    MutableExcept(BTreeSet<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// `AES256`
    Aes256,
    /// `KMS` or `KMS_DSSE`, with the key's ARN where told.
    Kms { dual_layer: bool, key: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcProvider {
    pub arn: String,
    pub audiences: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub arn: String,
    pub trust: PolicyDocument,
    /// The inline policy of our name.
    pub policy: Option<PolicyDocument>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub arn: String,
    /// The inline policy of our name.
    pub policy: Option<PolicyDocument>,
    pub tags: BTreeMap<String, String>,
    pub keys: Vec<KeyFacts>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    pub id: String,
    pub active: bool,
    pub created: Timestamp,
    pub last_used: Option<KeyUse>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    pub at: Timestamp,
    pub service: String,
    pub region: String,
}

/// All that replacing the access key looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyObserved {
    pub caller: CallerIdentity,
    pub viewer: Viewer,
    /// `None` when there is none that the token sees.
    pub repository: Option<RepositoryNow>,
    pub user: Option<User>,
    /// When the secret with the key was last written; `None` when there is none.
    pub secret_written: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubObserved {
    pub viewer: Viewer,
    pub owner: Owner,
    pub repository: Option<GithubRepository>,
}

/// Whose token it is and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    pub login: String,
    pub id: u64,
    pub token: TokenKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A classic or OAuth token, with the scopes of `X-OAuth-Scopes`.
    Scoped(BTreeSet<String>),
    /// A fine-grained token: GitHub doesn't tell its permissions.
    FineGrained,
    /// An Actions or app installation token (`ghs_…`): what it does starts no workflow.
    Installation,
}

/// The account that owns, or is to own, the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub login: String,
    pub id: u64,
    pub is_organization: bool,
    /// `free`, `pro`, `team`, `enterprise`, where GitHub tells it.
    pub plan: Option<String>,
}

impl GithubObserved {
    /// Whether the repository has draft pull requests: every public one, and private ones with a plan for teams. A plan
    /// that GitHub doesn't tell counts as none.
    #[must_use]
    pub fn has_drafts(&self) -> bool {
        let private = self.repository.as_ref().is_some_and(|found| found.private);
        !private || self.owner.plan.as_deref().is_some_and(|plan| !matches!(plan, "free" | "pro"))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubRepository {
    pub identity: GithubIdentity,
    /// `owner/name` as GitHub spells it now: differs from what was asked after a rename.
    pub full_name: String,
    /// Other names under which GitHub finds this very repository: what it was called before.
    pub former_names: BTreeSet<GithubRepositoryName>,
    /// What the subject of its OIDC tokens is made of.
    pub subject: SubjectTemplate,
    pub private: bool,
    pub archived: bool,
    pub can_admin: bool,
    pub can_push: bool,
    /// The tip of the default branch; `None` when the repository is empty.
    pub head: Option<CommitId>,
    /// Path → blob id on the default branch. Executables and links are in, folders and submodules are not.
    pub files: BTreeMap<String, BlobId>,
    /// Path → text of those files of the default branch that were read because somebody may have made by hand what sbi
    /// renders; each is the blob that `files` names.
    pub texts: BTreeMap<String, String>,
    /// `sbi.lock` on the default branch.
    pub lock: Option<Lock>,
    /// Secret name → when it was last written.
    pub secrets: BTreeMap<String, Timestamp>,
    pub environments: BTreeMap<String, Environment>,
    /// This token may not read all of them: what is not among them may be there.
    pub environments_hidden: bool,
    /// `None` when this token may not read them.
    pub actions: Option<ActionsPermissions>,
    pub branch_rules: BranchRules,
    /// Those whose tag could be one of ours.
    pub releases: Vec<Release>,
    /// Every tag's name.
    pub tags: BTreeSet<String>,
    /// Open pull requests from branches of this repository that sbi made.
    pub pull_requests: Vec<PullRequest>,
}

/// Which repository GitHub finds under a name, maybe a former one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryNow {
    pub id: u64,
    /// `owner/name` as GitHub spells it now.
    pub full_name: String,
}

/// What a repository's OIDC tokens carry: its numbers, and the branch that scheduled jobs run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubIdentity {
    pub repository_id: u64,
    pub owner_id: u64,
    /// What every subject of this repository starts with, without a colon at its end: `repo:acme@7/base@9`
    /// (`GET /repos/{owner}/{repo}/actions/oidc/customization/sub`).
    pub subject_prefix: String,
    pub default_branch: String,
}

/// How a repository's OIDC subjects are put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SubjectTemplate {
    /// The prefix, then the environment or the ref.
    #[default]
    Default,
    /// These claims one after the other; `repo` is the prefix, `context` the environment or the ref.
    Claims(Vec<String>),
    /// As the organization has it, which is not read.
    Organization,
}

/// A workflow run, and where it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStory {
    pub id: u64,
    pub url: String,
    /// Path of the workflow file.
    pub workflow: String,
    pub event: String,
    /// The branch, or the tag, that it ran on.
    pub branch: String,
    pub commit: CommitId,
    /// `success`, `failure`, …; `None` while it is going.
    pub conclusion: Option<String>,
    /// Every job that failed.
    pub failed: Vec<FailedJob>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedJob {
    pub name: String,
    /// The first step that failed, where GitHub tells it.
    pub step: Option<String>,
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Who may deploy by name; `None` when any ref may.
    pub admits: Option<DeploymentPolicies>,
}

/// Patterns of the refs that may deploy to an environment, by GitHub's `fnmatch`: `*` stops at a slash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentPolicies {
    pub tags: BTreeSet<String>,
    pub branches: BTreeSet<String>,
}

/// Settings → Actions → General.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionsPermissions {
    pub enabled: bool,
    /// `all`, `local_only` or `selected`.
    pub allowed_actions: Option<String>,
    pub sha_pinning_required: bool,
    /// `GITHUB_TOKEN` may write by default.
    pub default_write: bool,
    pub can_approve_pull_requests: bool,
}

/// What the default branch's rulesets and protection ask of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchRules {
    pub pull_request_required: bool,
    pub signatures_required: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub tag: GitTag,
    pub draft: bool,
    /// Made by sbi: its body carries the marker.
    pub ours: bool,
    pub url: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    pub branch: String,
    pub url: String,
    /// As GraphQL calls it.
    pub node_id: String,
    pub title: String,
    pub body: String,
    pub draft: bool,
    /// The branch's tip.
    pub head: CommitId,
    /// The tip is a commit that sbi made; otherwise the branch holds somebody's work, and is not to be moved.
    pub head_is_ours: bool,
    /// Path → blob id at the branch's tip.
    pub files: BTreeMap<String, BlobId>,
    /// `sbi.lock` at the branch's tip, when it can be read.
    pub lock: Option<Lock>,
}

impl PullRequest {
    /// As a step is told of it that changes it.
    #[must_use]
    pub fn as_open(&self) -> OpenPullRequest {
        OpenPullRequest {
            number: self.number,
            node_id: self.node_id.clone(),
            url: self.url.clone(),
            title: self.title.clone(),
            body: self.body.clone(),
            draft: self.draft,
            head: self.head.clone(),
        }
    }
}

/// The newest pull request from a branch of ours that a person closed without merging it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedDown {
    pub number: u64,
    pub url: String,
    /// Path → blob id at its head.
    pub files: BTreeMap<String, BlobId>,
    /// `sbi.lock` at its head, when it can be read.
    pub lock: Option<Lock>,
}
