//! Every change that sbi can make, as a closed list: a new one breaks the build wherever it must be handled.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Known;
use super::rotation::period;
use crate::model::commit::{Commit, Delivery};
use crate::model::config::{Config, Visibility};
use crate::model::git::CommitId;
use crate::model::iam::PolicyDocument;
use crate::model::identity::{Purpose, ReadingRef, SubjectContext, reading_trust_policy, trust_policy};
use crate::model::names::{EcrRepositoryName, EnvironmentName, GitTag, GithubRepositoryName, RoleName, UserName};
use crate::model::observed::{DeploymentPolicies, GithubIdentity, TagMutability};
use crate::model::secrets::ACCESS_KEY_SECRET;

/// One change. Each carries every value it needs: applying never reads in order to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    CreateEcrRepository {
        arn: String,
        name: EcrRepositoryName,
        tag_mutability: TagMutability,
        tags: BTreeMap<String, String>,
    },
    SetEcrTagMutability {
        arn: String,
        name: EcrRepositoryName,
        from: TagMutability,
        to: TagMutability,
    },
    SetEcrScanOnPush {
        arn: String,
        name: EcrRepositoryName,
    },
    SetEcrLifecycle {
        arn: String,
        name: EcrRepositoryName,
        policy: Value,
        replaces: bool,
    },
    TagEcrRepository {
        arn: String,
        name: EcrRepositoryName,
        tags: BTreeMap<String, String>,
    },
    CreateOidcProvider {
        arn: String,
        url: String,
        audience: String,
    },
    AddOidcAudience {
        arn: String,
        audience: String,
    },
    CreateRole {
        arn: String,
        name: RoleName,
        trust: Box<RoleTrust>,
        tags: BTreeMap<String, String>,
    },
    SetRoleTrust {
        arn: String,
        name: RoleName,
        trust: Box<RoleTrust>,
    },
    SetRolePolicy {
        arn: String,
        name: RoleName,
        purpose: Purpose,
        document: PolicyDocument,
        /// Those that the document is about, for people.
        repositories: Vec<EcrRepositoryName>,
        replaces: bool,
    },
    CreateUser {
        arn: String,
        name: UserName,
        tags: BTreeMap<String, String>,
    },
    SetUserPolicy {
        arn: String,
        name: UserName,
        document: PolicyDocument,
        /// Those that the document is about, for people.
        repositories: Vec<EcrRepositoryName>,
        replaces: bool,
    },
    /// Deletes a key that no job can be using.
    DeleteAccessKey {
        arn: String,
        user: UserName,
        key_id: String,
        why: KeyEnd,
    },
    /// Takes a key out of use, so that it can still be taken back.
    DeactivateAccessKey {
        arn: String,
        user: UserName,
        key_id: String,
    },
    /// Waits for this long, and fails when somebody uses the key meanwhile.
    WatchAccessKey {
        arn: String,
        user: UserName,
        key_id: String,
        quiet: SignedDuration,
    },
    /// Waits until every workflow run that was queued before the secret was written has ended: repository secrets are
    /// read when a run is queued (GitHub documentation, "Secrets reference").
    DrainRuns {
        repository: GithubRepositoryName,
        patience: SignedDuration,
    },
    /// Creates a key, waits until ECR accepts it, seals it and uploads it; deletes it when that fails.
    /// One step, because a secret never crosses a step's boundary.
    IssueAccessKey {
        arn: String,
        user: UserName,
        repository: GithubRepositoryName,
        /// When the secret was written that this key replaces.
        written: Option<Timestamp>,
    },
    CreateGithubRepository {
        repository: GithubRepositoryName,
        in_organization: bool,
        visibility: Visibility,
        description: String,
    },
    /// Gives an empty repository its first commit, `sbi.toml`: Git data calls refuse an empty repository.
    StartGithubHistory {
        repository: GithubRepositoryName,
        branch: String,
        text: String,
    },
    /// `GITHUB_TOKEN` reads by default and approves no pull request.
    RestrictWorkflowToken {
        repository: GithubRepositoryName,
    },
    /// Actions may only be used by full commit SHA. `allowed_actions` is the setting found, sent back unchanged.
    RequirePinnedActions {
        repository: GithubRepositoryName,
        allowed_actions: Option<String>,
    },
    /// Creates the environment, or narrows it, so that these refs deploy to it.
    SetEnvironment {
        repository: GithubRepositoryName,
        name: EnvironmentName,
        exists: bool,
        admits: AdmittedRefs,
    },
    /// Uploads a value that is no secret in itself as a repository secret.
    PutSecret {
        repository: GithubRepositoryName,
        name: String,
        value: String,
        replaces: bool,
    },
    /// `parent` is the commit that it stands on: `After` a step that creates the repository or its first commit.
    CommitFiles {
        commit: Box<Commit>,
        parent: Known<CommitId>,
    },
    CreateRelease {
        repository: GithubRepositoryName,
        tag: GitTag,
        notes: String,
        commit: Known<CommitId>,
    },
}

/// Why a key may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEnd {
    /// It never reached the secret and nobody used it.
    Leftover,
    /// Another one has taken its place.
    Replaced,
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
}

/// What a step leaves for later ones and for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Produced {
    Nothing,
    GithubRepository { identity: GithubIdentity, head: CommitId, url: String },
    Commit { id: CommitId, url: String },
    PullRequest { number: u64, url: String },
    Release { url: String },
    AccessKey { id: String },
}

/// How a line of the plan starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Add,
    Change,
    Remove,
    /// Nothing changes until something else has happened.
    Wait,
}

impl Sign {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Change => "~",
            Self::Remove => "-",
            Self::Wait => "…",
        }
    }
}

/// One line of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub sign: Sign,
    /// The kind of thing: `ECR repository`.
    pub kind: &'static str,
    /// Which one: `acme/base`.
    pub name: String,
    /// What about it, in a few words.
    pub detail: String,
}

/// A right that a step needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// An IAM action on a resource ARN (or `*`).
    Aws { action: &'static str, resource: String },
    /// A fine-grained permission of GitHub, such as `administration: write`.
    Github(&'static str),
}

impl Step {
    /// The line that a person reads before saying yes.
    #[must_use]
    pub fn describe(&self) -> Line {
        let line = |sign, kind, name: &dyn std::fmt::Display, detail: String| Line {
            sign,
            kind,
            name: name.to_string(),
            detail,
        };
        let add_or_change = |replaces: &bool| if *replaces { Sign::Change } else { Sign::Add };
        match self {
            Self::CreateEcrRepository { name, tag_mutability, .. } => line(
                Sign::Add,
                "ECR repository",
                name,
                format!("{}, scan on push, AES-256", describe_mutability(tag_mutability)),
            ),
            Self::SetEcrTagMutability { name, from, to, .. } => line(
                Sign::Change,
                "ECR repository",
                name,
                format!("{} → {}", describe_mutability(from), describe_mutability(to)),
            ),
            Self::SetEcrScanOnPush { name, .. } => {
                line(Sign::Change, "ECR repository", name, "scan on push: off → on".into())
            }
            Self::SetEcrLifecycle { name, replaces, .. } => line(
                add_or_change(replaces),
                "ECR lifecycle policy",
                name,
                "expires untagged leftovers after 14 days, never a released digest".into(),
            ),
            Self::TagEcrRepository { name, tags, .. } => {
                let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                line(Sign::Change, "ECR repository", name, format!("marked as ours: {}", tags.join(", ")))
            }
            Self::CreateOidcProvider { url, audience, .. } => line(
                Sign::Add,
                "OIDC provider",
                &url.trim_start_matches("https://"),
                format!("audience {audience}, shared by the whole account"),
            ),
            Self::AddOidcAudience { arn, audience } => line(
                Sign::Change,
                "OIDC provider",
                &arn.rsplit_once('/').map_or(arn.as_str(), |(_, url)| url),
                format!("audience {audience} added, others stay"),
            ),
            Self::CreateRole { name, trust, .. } => line(Sign::Add, "IAM role", name, describe_trust(trust)),
            Self::SetRoleTrust { name, trust, .. } => {
                line(Sign::Change, "IAM role", name, format!("trust: {}", describe_trust(trust)))
            }
            Self::SetRolePolicy { name, purpose, repositories, replaces, .. } => {
                let detail = describe_policy(*purpose, repositories);
                line(add_or_change(replaces), "IAM role policy", name, detail)
            }
            Self::CreateUser { name, .. } => {
                line(Sign::Add, "IAM user", name, "for CI only, no console sign-in".into())
            }
            Self::SetUserPolicy { name, repositories, replaces, .. } => {
                let detail = describe_policy(Purpose::Publish, repositories);
                line(add_or_change(replaces), "IAM user policy", name, detail)
            }
            Self::DeleteAccessKey { user, key_id, why, .. } => {
                let why = match why {
                    KeyEnd::Leftover => "left by an interrupted run, never used, in no secret",
                    KeyEnd::Replaced => "replaced, can't be taken back",
                };
                line(Sign::Remove, "access key", key_id, format!("of {user}: {why}"))
            }
            Self::DeactivateAccessKey { user, key_id, .. } => {
                line(Sign::Change, "access key", key_id, format!("of {user}: active → inactive"))
            }
            Self::WatchAccessKey { key_id, quiet, .. } => line(
                Sign::Wait,
                "access key",
                key_id,
                format!("stays inactive for {}; everything stops here if somebody uses it", period(*quiet)),
            ),
            Self::DrainRuns { repository, patience } => line(
                Sign::Wait,
                "workflow runs",
                repository,
                format!("those queued before the hand-over end first, at most {}", period(*patience)),
            ),
            Self::IssueAccessKey { user, written, .. } => line(
                add_or_change(&written.is_some()),
                "access key",
                &format!("of {user}"),
                format!("goes straight into secret {ACCESS_KEY_SECRET}, sealed; takes up to 60 s to work"),
            ),
            Self::CreateGithubRepository { repository, visibility, .. } => {
                line(Sign::Add, "GitHub repository", repository, visibility.as_str().into())
            }
            Self::StartGithubHistory { repository, branch, .. } => {
                line(Sign::Change, "GitHub repository", repository, format!("is empty: first commit on {branch}"))
            }
            Self::RestrictWorkflowToken { repository } => {
                line(Sign::Change, "workflow token", repository, "GITHUB_TOKEN reads only and approves nothing".into())
            }
            Self::RequirePinnedActions { repository, .. } => {
                line(Sign::Change, "action pinning", repository, "actions run only by full commit SHA".into())
            }
            Self::SetEnvironment { name, exists, admits, .. } => {
                let who = match admits {
                    AdmittedRefs::Tags(patterns) => format!("tags {} deploy", listed(patterns)),
                    AdmittedRefs::DefaultBranch(Known::Now(branch)) => format!("branch {branch} deploys"),
                    AdmittedRefs::DefaultBranch(Known::After(_)) => "the default branch deploys".into(),
                };
                line(add_or_change(exists), "environment", name, format!("only {who}"))
            }
            Self::PutSecret { name, value, replaces, .. } => {
                line(add_or_change(replaces), "secret", name, value.clone())
            }
            Self::CommitFiles { commit, .. } => {
                let how = match &commit.delivery {
                    Delivery::Push => "one commit",
                    Delivery::SignedPush => "one signed commit",
                    Delivery::PullRequest { number: None, .. } => "one commit, by a new pull request",
                    Delivery::PullRequest { number: Some(_), .. } => "one commit, into the open pull request",
                };
                let changed = commit.files.len() - commit.new_paths.len();
                let detail = match (commit.new_paths.len(), changed) {
                    (new, 0) => format!("{new} new, {how}"),
                    (0, changed) => format!("{changed} changed, {how}"),
                    (new, changed) => format!("{new} new, {changed} changed, {how}"),
                };
                let sign = if changed == 0 { Sign::Add } else { Sign::Change };
                line(sign, "files", &commit.branch.as_deref().unwrap_or("default branch"), detail)
            }
            Self::CreateRelease { tag, .. } => line(Sign::Add, "release", tag, "starts the publishing pipeline".into()),
        }
    }

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
            Self::SetRoleTrust { arn, .. } => vec![aws("iam:UpdateAssumeRolePolicy", arn)],
            Self::SetRolePolicy { arn, .. } => vec![aws("iam:PutRolePolicy", arn)],
            Self::CreateUser { arn, .. } => vec![aws("iam:CreateUser", arn), aws("iam:TagUser", arn)],
            Self::SetUserPolicy { arn, .. } => vec![aws("iam:PutUserPolicy", arn)],
            Self::DeleteAccessKey { arn, .. } => vec![aws("iam:DeleteAccessKey", arn)],
            Self::DeactivateAccessKey { arn, .. } => vec![aws("iam:UpdateAccessKey", arn)],
            Self::WatchAccessKey { arn, .. } => vec![aws("iam:GetAccessKeyLastUsed", arn)],
            Self::DrainRuns { .. } => vec![Permission::Github("actions: read"), Permission::Github("secrets: read")],
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
                if commit.files.keys().any(|path| path.starts_with(".github/workflows/")) {
                    needed.push(Permission::Github("workflows: write"));
                }
                if matches!(commit.delivery, Delivery::PullRequest { .. }) {
                    needed.push(Permission::Github("pull requests: write"));
                }
                needed
            }
            // A tag on a commit that touches a workflow needs the same right as the commit.
            Self::CreateRelease { .. } => {
                vec![Permission::Github("contents: write"), Permission::Github("workflows: write")]
            }
        }
    }

    /// Whether sending it twice does the same as sending it once, so that a lost answer may be retried.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        match self {
            Self::SetEcrTagMutability { .. }
            | Self::SetEcrScanOnPush { .. }
            | Self::SetEcrLifecycle { .. }
            | Self::TagEcrRepository { .. }
            | Self::AddOidcAudience { .. }
            | Self::SetRoleTrust { .. }
            | Self::SetRolePolicy { .. }
            | Self::SetUserPolicy { .. }
            | Self::RestrictWorkflowToken { .. }
            | Self::RequirePinnedActions { .. }
            | Self::SetEnvironment { .. }
            | Self::PutSecret { .. }
            | Self::DeleteAccessKey { .. }
            | Self::DeactivateAccessKey { .. }
            | Self::WatchAccessKey { .. }
            | Self::DrainRuns { .. } => true,
            Self::CreateEcrRepository { .. }
            | Self::CreateOidcProvider { .. }
            | Self::CreateRole { .. }
            | Self::CreateUser { .. }
            | Self::IssueAccessKey { .. }
            | Self::CreateGithubRepository { .. }
            | Self::StartGithubHistory { .. }
            | Self::CommitFiles { .. }
            | Self::CreateRelease { .. } => false,
        }
    }
}

fn listed<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn describe_mutability(mutability: &TagMutability) -> String {
    match mutability {
        TagMutability::Mutable => "mutable tags".into(),
        TagMutability::Immutable => "immutable tags".into(),
        TagMutability::ImmutableExcept(filters) => format!("immutable tags except {}", listed(filters)),
        TagMutability::MutableExcept(filters) => format!("mutable tags except {}", listed(filters)),
    }
}

fn describe_policy(purpose: Purpose, repositories: &[EcrRepositoryName]) -> String {
    let name = purpose.policy_name();
    let does = match purpose {
        Purpose::Publish => "pushes to",
        Purpose::Read => "reads",
    };
    format!("{name}: {does} {} and nothing else", listed(repositories))
}

fn describe_trust(trust: &RoleTrust) -> String {
    let tags = || listed(trust.config.outlets().iter().map(|outlet| &outlet.tag_pattern));
    let context = match &trust.trusted {
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
    match &trust.github {
        Known::Now(github) => format!("assumable by {}, {context}, only", github.subject_prefix),
        Known::After(_) => {
            format!(
                "assumable by {}, {context}, only (its ids are known after it is created)",
                trust.config.github.repository
            )
        }
    }
}
