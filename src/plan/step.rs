//! Every change that sbi can make, as a closed list: a new one breaks the build wherever it must be handled.

mod deferred;
mod rights;
mod sign_in;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Known;
use super::rotation::period;
use crate::model::commit::{Commit, Delivery, OpenPullRequest};
use crate::model::config::Visibility;
use crate::model::git::CommitId;
use crate::model::holdings::ImageFacts;
use crate::model::iam::PolicyDocument;
use crate::model::identity::Purpose;
use crate::model::names::{EcrRepositoryName, EnvironmentName, GitTag, GithubRepositoryName, RoleName, UserName};
use crate::model::observed::{GithubIdentity, TagMutability};
use crate::model::secrets::ACCESS_KEY_SECRET;

pub use deferred::{AdmittedRefs, Ownership, RoleTrust, Trusted};
pub use rights::Permission;

/// One change. Each carries every value it needs: applying never reads in order to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    CreateEcrRepository {
        arn: String,
        name: EcrRepositoryName,
        tag_mutability: TagMutability,
        owner: Ownership,
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
        owner: Ownership,
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
        owner: Ownership,
    },
    TagRole {
        arn: String,
        name: RoleName,
        owner: Ownership,
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
        owner: Ownership,
    },
    TagUser {
        arn: String,
        name: UserName,
        owner: Ownership,
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
        end: KeyEnd,
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
        /// `None`: before the secret with the access key was written.
        queued_before: Option<Timestamp>,
    },
    /// Runs a workflow that signs in to AWS with each role and does nothing else, on a tag that exists for it alone.
    CheckAccess {
        repository: GithubRepositoryName,
        /// The file's name below `.github/workflows`.
        workflow: &'static str,
        tag: GitTag,
        commit: CommitId,
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
    /// Brings title, text and draft state of an open pull request of ours up to date; its branch stays where it is.
    UpdatePullRequest {
        repository: GithubRepositoryName,
        open: Box<OpenPullRequest>,
        title: String,
        body: String,
        draft: bool,
    },
    /// Says in a comment why an open pull request of ours is pointless by now, and deletes its branch, which closes it.
    ClosePullRequest {
        repository: GithubRepositoryName,
        branch: String,
        open: Box<OpenPullRequest>,
        why: String,
    },
    CreateRelease {
        repository: GithubRepositoryName,
        tag: GitTag,
        notes: String,
        commit: Known<CommitId>,
    },
    /// Deletes the inline policy of our name.
    DeleteRolePolicy {
        arn: String,
        name: RoleName,
        purpose: Purpose,
    },
    /// IAM refuses it while any policy is left.
    DeleteRole {
        arn: String,
        name: RoleName,
    },
    /// Deletes the inline policy of our name.
    DeleteUserPolicy {
        arn: String,
        name: UserName,
    },
    /// IAM refuses it while a key or a policy is left.
    DeleteUser {
        arn: String,
        name: UserName,
    },
    /// Deletes a repository secret.
    DeleteSecret {
        repository: GithubRepositoryName,
        name: String,
    },
    /// Deletes exactly these images, by digest: what is pushed meanwhile stays.
    DeleteImages {
        arn: String,
        name: EcrRepositoryName,
        images: Vec<ImageFacts>,
    },
    /// ECR refuses it while the repository holds an image.
    DeleteEcrRepository {
        arn: String,
        name: EcrRepositoryName,
    },
    /// Takes our tags off a repository that was there before sbi.
    UntagEcrRepository {
        arn: String,
        name: EcrRepositoryName,
        keys: BTreeSet<String>,
    },
    DeleteEnvironment {
        repository: GithubRepositoryName,
        name: EnvironmentName,
    },
    /// Deletes a branch of ours; GitHub closes the pull request that is open from it.
    DeleteBranch {
        repository: GithubRepositoryName,
        branch: String,
    },
    /// Deletes the repository with everything in it.
    DeleteGithubRepository {
        repository: GithubRepositoryName,
        /// What goes with it, for people.
        holds: String,
    },
}

/// Why a key may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEnd {
    /// It never reached the secret and nobody used it.
    Leftover,
    /// Another one has taken its place.
    Replaced,
    /// Its user goes.
    WithUser,
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
            Self::TagEcrRepository { name, owner, .. } => line(Sign::Change, "ECR repository", name, owner.describe()),
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
            Self::CreateRole { name, trust, .. } => line(Sign::Add, "IAM role", name, trust.describe()),
            Self::TagRole { name, owner, .. } => line(Sign::Change, "IAM role", name, owner.describe()),
            Self::SetRoleTrust { name, trust, .. } => {
                line(Sign::Change, "IAM role", name, format!("trust: {}", trust.describe()))
            }
            Self::SetRolePolicy { name, purpose, repositories, replaces, .. } => {
                let detail = describe_policy(*purpose, repositories);
                line(add_or_change(replaces), "IAM role policy", name, detail)
            }
            Self::CreateUser { name, .. } => {
                line(Sign::Add, "IAM user", name, "for CI only, no console sign-in".into())
            }
            Self::TagUser { name, owner, .. } => line(Sign::Change, "IAM user", name, owner.describe()),
            Self::SetUserPolicy { name, repositories, replaces, .. } => {
                let detail = describe_policy(Purpose::Publish, repositories);
                line(add_or_change(replaces), "IAM user policy", name, detail)
            }
            Self::DeleteAccessKey { user, key_id, end, .. } => {
                let why = match end {
                    KeyEnd::Leftover => "left by an interrupted run, never used, in no secret",
                    KeyEnd::Replaced => "replaced, can't be taken back",
                    KeyEnd::WithUser => "nothing can sign in with it any more",
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
            Self::DrainRuns { repository, patience, queued_before } => {
                let before = if queued_before.is_some() { "now" } else { "the hand-over" };
                let detail = format!("those queued before {before} end first, at most {}", period(*patience));
                line(Sign::Wait, "workflow runs", repository, detail)
            }
            Self::CheckAccess { workflow, tag, .. } => line(
                Sign::Wait,
                "workflow",
                workflow,
                format!("must sign in with each role, on the tag {tag}, made for it and deleted again"),
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
                    Delivery::PullRequest { open: None, draft: false, .. } => "by a new pull request",
                    Delivery::PullRequest { open: None, draft: true, .. } => "by a new draft pull request",
                    Delivery::PullRequest { open: Some(_), .. } => "into the open pull request",
                };
                let how = match (&commit.delivery, commit.rendered.is_empty()) {
                    (Delivery::PullRequest { .. }, true) => format!("one commit, {how}"),
                    (Delivery::PullRequest { .. }, false) => format!("two commits, {how}"),
                    (Delivery::Push | Delivery::SignedPush, _) => how.to_owned(),
                };
                let changed = commit.files.len() - commit.new_paths.len();
                let counts =
                    [(commit.new_paths.len(), "new"), (changed, "changed"), (commit.deletions.len(), "deleted")];
                let counts = counts.into_iter().filter(|(count, _)| *count > 0);
                let counts = counts.map(|(count, what)| format!("{count} {what}, ")).collect::<String>();
                let sign = match (commit.deletions.len(), changed) {
                    (0, 0) => Sign::Add,
                    (0, _) => Sign::Change,
                    _ => Sign::Remove,
                };
                line(sign, "files", &commit.branch.as_deref().unwrap_or("default branch"), format!("{counts}{how}"))
            }
            Self::UpdatePullRequest { open, title, body, draft, .. } => {
                let texts = open.title != *title || open.body != *body;
                let state = match (open.draft, *draft) {
                    (false, true) => Some("ready → draft"),
                    (true, false) => Some("draft → ready for review"),
                    (false, false) | (true, true) => None,
                };
                let changes: Vec<&str> = texts.then_some("title and text").into_iter().chain(state).collect();
                line(Sign::Change, "pull request", &format!("#{}", open.number), changes.join(", "))
            }
            Self::ClosePullRequest { branch, open, why, .. } => {
                let name = format!("#{}", open.number);
                line(Sign::Remove, "pull request", &name, format!("closed with its branch {branch}: {why}"))
            }
            Self::CreateRelease { tag, .. } => line(Sign::Add, "release", tag, "starts the publishing pipeline".into()),
            Self::DeleteRolePolicy { name, purpose, .. } => {
                line(Sign::Remove, "IAM role policy", name, purpose.policy_name().into())
            }
            Self::DeleteRole { name, .. } => {
                line(Sign::Remove, "IAM role", name, "nobody can assume it any more".into())
            }
            Self::DeleteUserPolicy { name, .. } => {
                line(Sign::Remove, "IAM user policy", name, Purpose::Publish.policy_name().into())
            }
            Self::DeleteUser { name, .. } => line(Sign::Remove, "IAM user", name, "nobody can sign in as it".into()),
            Self::DeleteSecret { repository, name } => line(Sign::Remove, "secret", name, format!("of {repository}")),
            Self::DeleteImages { name, images, .. } => {
                let bytes = images.iter().map(|image| image.bytes).sum();
                let count = if images.len() == 1 { "1 image".into() } else { format!("{} images", images.len()) };
                line(Sign::Remove, "images", name, format!("{count}, {}, listed below", size(bytes)))
            }
            Self::DeleteEcrRepository { name, .. } => {
                line(Sign::Remove, "ECR repository", name, "made by sbi, empty by then".into())
            }
            Self::UntagEcrRepository { name, keys, .. } => {
                line(Sign::Change, "ECR repository", name, format!("stays, without our tags {}", listed(keys)))
            }
            Self::DeleteEnvironment { repository, name } => {
                line(Sign::Remove, "environment", name, format!("of {repository}, holds nothing of anybody else"))
            }
            Self::DeleteBranch { repository, branch } => line(
                Sign::Remove,
                "branch",
                branch,
                format!("of {repository}, with its open pull request if there is one"),
            ),
            Self::DeleteGithubRepository { repository, holds } => {
                line(Sign::Remove, "GitHub repository", repository, holds.clone())
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
            | Self::TagRole { .. }
            | Self::TagUser { .. }
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
            | Self::DrainRuns { .. }
            | Self::DeleteRolePolicy { .. }
            | Self::DeleteRole { .. }
            | Self::DeleteUserPolicy { .. }
            | Self::DeleteUser { .. }
            | Self::DeleteSecret { .. }
            | Self::DeleteImages { .. }
            | Self::DeleteEcrRepository { .. }
            | Self::UntagEcrRepository { .. }
            | Self::DeleteEnvironment { .. }
            | Self::DeleteBranch { .. }
            | Self::UpdatePullRequest { .. }
            | Self::ClosePullRequest { .. }
            | Self::DeleteGithubRepository { .. } => true,
            Self::CreateEcrRepository { .. }
            | Self::CreateOidcProvider { .. }
            | Self::CreateRole { .. }
            | Self::CreateUser { .. }
            | Self::IssueAccessKey { .. }
            | Self::CheckAccess { .. }
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

/// Bytes as people read them: `12.3 MB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    // One decimal of a size needs no more digits than a double has.
    #[expect(clippy::cast_precision_loss)]
    let bytes_f = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes_f / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes_f / 1e6),
        _ => format!("{:.1} GB", bytes_f / 1e9),
    }
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
