//! What `sbi status` found out: the facts that planning compares, each told or not told by itself, and what happened
//! since the set-up. Facts only; what they mean is decided in `plan::status`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::names::{Digest, EcrRepositoryName, GitTag, ImageName, ReleaseTag};
use super::observed::{CallerIdentity, EcrRepository, GithubRepository, OidcProvider, Owner, Role, User, Viewer};

/// A fact, or why it can't be told.
pub type Seen<T> = Result<T, Unread>;

/// Why a fact can't be told: a missing right, no network, something that is switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Lower case, without full stop, as errors are.
    pub why: String,
    /// What to type to make it readable.
    pub help: Option<String>,
}

/// Both sides as they are, as far as they could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reality {
    /// Nothing at all where nobody is signed in, nothing answers, or the credentials are another account's.
    pub aws: Seen<AwsReality>,
    pub github: Seen<GithubReality>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsReality {
    pub caller: CallerIdentity,
    /// Every repository that images are to go to.
    pub ecr_repositories: BTreeMap<EcrRepositoryName, Seen<Option<EcrRepository>>>,
    pub oidc_provider: Seen<Option<OidcProvider>>,
    pub role: Seen<Option<Role>>,
    pub read_role: Seen<Option<Role>>,
    pub user: Seen<Option<User>>,
    /// Behind the tag of each image's newest release.
    pub images: BTreeMap<EcrRepositoryName, Seen<Option<PublishedImage>>>,
}

/// What a tag of an ECR repository names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedImage {
    pub tag: ReleaseTag,
    pub digest: Digest,
    pub pushed: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubReality {
    pub viewer: Viewer,
    pub owner: Seen<Owner>,
    /// `None` when there is no such repository, or none that this token sees.
    pub repository: Seen<Option<RepositoryReality>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryReality {
    /// Where one of the four below is untold, what stands here in its place means nothing.
    pub found: GithubRepository,
    pub secrets: Seen<()>,
    pub environments: Seen<()>,
    /// What OIDC subjects start with; untold, it is guessed from names and ids.
    pub subject: Seen<()>,
    pub pull_requests: Seen<()>,
    /// When each release was published.
    pub published: BTreeMap<GitTag, Timestamp>,
    pub activity: Activity,
}

/// What the pipeline did and found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Path → state, as GitHub names it: `active`, `disabled_inactivity`, …
    pub workflows: Seen<BTreeMap<String, String>>,
    /// Of the publishing workflow, newest first, as many as one page has.
    pub publish_runs: Seen<Vec<RunFacts>>,
    /// The newest run of the nightly scan.
    pub rescan: Seen<Option<RunFacts>>,
    pub alerts: Seen<OpenAlerts>,
    /// The one that the nightly scan keeps, while it is open.
    pub issue: Seen<Option<IssueFacts>>,
    /// The repository variable that switches the upload of findings on, where the repository is private.
    pub code_scanning: Seen<Option<String>>,
}

/// A workflow run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFacts {
    pub id: u64,
    pub url: String,
    /// `release`, `schedule`, `workflow_dispatch`.
    pub event: String,
    /// The tag of a release, the branch of any other run.
    pub branch: Option<String>,
    /// `success`, `failure`, … ; `None` while it goes on.
    pub conclusion: Option<String>,
    pub started: Timestamp,
}

/// Open alerts of the scanner by severity, as GitHub grades it: `critical`, `high`, `medium`, `low`, `unrated`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenAlerts {
    pub by_severity: BTreeMap<String, u64>,
    /// There are more than were counted.
    pub cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueFacts {
    pub number: u64,
    pub url: String,
    pub updated: Timestamp,
}

/// What the catalogue says of an image that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePromises {
    pub image: ImageName,
    pub title: String,
    /// With its tag.
    pub base: String,
    /// `NUMBER:NUMBER`
    pub user: String,
    pub shell: bool,
    pub package_manager: bool,
    /// The base and its end of support.
    pub support: Support,
}

/// How long the base of an image is supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    /// `Debian 13 (trixie), distroless`
    pub base: String,
    /// In words, since the end may depend on a release that has no date yet.
    pub until: String,
    /// The last day, once it is known.
    pub last_day: Option<jiff::civil::Date>,
}
