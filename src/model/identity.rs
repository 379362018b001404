//! The identities of CI: whom each role trusts and what it may do.

use std::collections::BTreeSet;

use super::config::{Auth, Config};
use super::evaluation::{TRUST_LIMIT, counted_size};
use super::iam::{Effect, PolicyDocument, Principal, Statement, Values, literal};
use super::names::{EnvironmentName, RoleName};
use super::observed::GithubIdentity;

/// GitHub's issuer, as IAM names the provider.
pub const OIDC_ISSUER: &str = "token.actions.githubusercontent.com";
/// The audience that AWS asks for.
pub const OIDC_AUDIENCE: &str = "sts.amazonaws.com";
/// Name of the inline policy on the publishing role or user.
pub const POLICY_NAME: &str = "sbi-publish";

/// What an identity of CI is for. With an access key there is one for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The publish job pushes.
    Publish,
    /// The jobs that verify a release and scan it again read.
    Read,
}

impl Purpose {
    /// Name of the inline policy.
    #[must_use]
    pub fn policy_name(self) -> &'static str {
        match self {
            Self::Publish => POLICY_NAME,
            Self::Read => "sbi-read",
        }
    }

    #[must_use]
    pub fn role(self, config: &Config) -> RoleName {
        match self {
            Self::Publish => config.role(),
            Self::Read => config.read_role(),
        }
    }

    /// What the role may do.
    #[must_use]
    pub fn policy(self, config: &Config) -> PolicyDocument {
        match self {
            Self::Publish => publishing_policy(config),
            Self::Read => reading_policy(config),
        }
    }

    /// As IAM's console shows the role.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Publish => "Pushes the images of one GitHub repository; set up by sbi",
            Self::Read => "Reads the images of one GitHub repository, to verify and scan them; set up by sbi",
        }
    }
}

/// The ECR actions of a push, in the order a push uses them (Amazon ECR user guide, "IAM permissions for pushing an
/// image"). The last two also pull back what was pushed, and read what signs it.
pub const PUSH_ACTIONS: [&str; 7] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
];

/// The ECR actions of a pull, and of asking what there is to pull. Looking up what refers to an image, such as its
/// signatures, takes `ecr:BatchGetImage` (Amazon ECR API reference, `ListImageReferrers`).
pub const READ_ACTIONS: [&str; 3] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", LIST_ACTION];

/// Asking what there is to pull: the nightly scan does, a push does not.
const LIST_ACTION: &str = "ecr:DescribeImages";

/// What the publishing identity may do: sign in to ECR and push to exactly the repositories of the images; and see the
/// dates of its own keys where a workflow reminds of old ones.
#[must_use]
pub fn publishing_policy(config: &Config) -> PolicyDocument {
    // With an access key there is one identity for all jobs, the one that reads at night included.
    let also = (config.publish.auth == Auth::AccessKey).then_some(LIST_ACTION);
    let mut policy = ecr_policy(config, "Push", Values::new(PUSH_ACTIONS.into_iter().chain(also)));
    if config.publish.key_max_age_days.is_some() {
        let user = config.iam_arn(&format!("user/{}", config.user()));
        policy.statements.push(Statement::allow("SeeOwnKeys", Values::one("iam:ListAccessKeys"), Values::one(user)));
    }
    policy
}

/// What the reading role may do: sign in to ECR and pull from exactly the repositories of the images.
#[must_use]
pub fn reading_policy(config: &Config) -> PolicyDocument {
    ecr_policy(config, "Pull", Values::new(READ_ACTIONS))
}

fn ecr_policy(config: &Config, sid: &str, actions: Values) -> PolicyDocument {
    let arns = config.ecr_repositories().into_iter().map(|repository| config.ecr_repository_arn(&repository));
    PolicyDocument::new(vec![
        // GetAuthorizationToken knows no resource: AWS refuses anything but `*` here.
        Statement::allow("SignIn", Values::one("ecr:GetAuthorizationToken"), Values::one("*")),
        Statement::allow(sid, actions, Values::new(arns)),
    ])
}

/// What the OIDC subject of the publish job ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectContext {
    /// The job has `environment: NAME`.
    Environment(EnvironmentName),
    /// The job has none and runs on a release: its subject names the tag.
    ReleaseTag,
}

/// A ref that jobs with the reading role run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadingRef {
    /// The tag of a release: the job that verifies what was published.
    ReleaseTag,
    /// The default branch: scheduled jobs run there.
    DefaultBranch,
}

/// The refs of every release that publishes, as IAM wildcards.
fn release_refs(config: &Config) -> Vec<String> {
    config.outlets().into_iter().map(|outlet| format!("refs/tags/{}", outlet.tag_pattern)).collect()
}

/// The same in one pattern, whatever the image: where there are several, each tag is `IMAGE/vX.Y.Z`.
const ANY_RELEASE: &str = "refs/tags/*/v*";

/// A trust policy that names the releases of each image, or of all of them by one pattern where there are so many that
/// IAM would not store it. Which image a tag is of is the pipeline's to say either way: the role pushes to all.
fn fitting(config: &Config, document: impl Fn(Vec<String>) -> PolicyDocument) -> PolicyDocument {
    let named = document(release_refs(config));
    if counted_size(&named.to_json()) <= TRUST_LIMIT { named } else { document(vec![ANY_RELEASE.to_owned()]) }
}

/// Who may assume the publishing role: jobs of exactly this repository, in exactly this context.
#[must_use]
pub fn trust_policy(config: &Config, subject: &SubjectContext, github: &GithubIdentity) -> PolicyDocument {
    fitting(config, |refs| {
        let statement =
            trusting("Publish", config, github).when("StringLike", &claim("ref"), Values::new(refs.clone()));
        PolicyDocument::new(vec![match subject {
            SubjectContext::Environment(name) => {
                let subject = format!("{}:environment:{name}", github.subject_prefix);
                statement.when("StringEquals", &claim("sub"), Values::one(subject))
            }
            SubjectContext::ReleaseTag => statement.when("StringLike", &claim("sub"), subjects(github, &refs)),
        }])
    })
}

/// Who may assume the reading role: jobs of exactly this repository that run on one of these refs and in no
/// environment. A pull request's subject is none of them.
#[must_use]
pub fn reading_trust_policy(config: &Config, on: &BTreeSet<ReadingRef>, github: &GithubIdentity) -> PolicyDocument {
    fitting(config, |releases| {
        let refs: Vec<String> = on
            .iter()
            .flat_map(|on| match on {
                ReadingRef::ReleaseTag => releases.clone(),
                ReadingRef::DefaultBranch => vec![format!("refs/heads/{}", literal(&github.default_branch))],
            })
            .collect();
        let statement = trusting("Read", config, github)
            .when("StringLike", &claim("sub"), subjects(github, &refs))
            .when("StringLike", &claim("ref"), Values::new(refs));
        PolicyDocument::new(vec![statement])
    })
}

fn claim(name: &str) -> String {
    format!("{OIDC_ISSUER}:{name}")
}

/// The subjects of jobs without an environment on these refs.
fn subjects(github: &GithubIdentity, refs: &[String]) -> Values {
    let prefix = literal(&github.subject_prefix);
    Values::new(refs.iter().map(|on| format!("{prefix}:ref:{on}")))
}

/// GitHub's tokens for AWS from this repository by its numbers, whatever it is called.
fn trusting(sid: &str, config: &Config, github: &GithubIdentity) -> Statement {
    Statement {
        sid: Some(sid.into()),
        effect: Effect::Allow,
        principal: Some(Principal::Kinds(
            [("Federated".to_owned(), Values::one(provider_arn(config)))].into_iter().collect(),
        )),
        not_principal: None,
        action: Some(Values::one("sts:AssumeRoleWithWebIdentity")),
        not_action: None,
        resource: None,
        not_resource: None,
        condition: std::collections::BTreeMap::new(),
    }
    .when("StringEquals", &claim("aud"), Values::one(OIDC_AUDIENCE))
    .when("StringEquals", &claim("repository_id"), Values::one(github.repository_id.to_string()))
    .when("StringEquals", &claim("repository_owner_id"), Values::one(github.owner_id.to_string()))
}

/// The ARN of the account's provider for GitHub's issuer: AWS derives it from the URL.
#[must_use]
pub fn provider_arn(config: &Config) -> String {
    config.iam_arn(&format!("oidc-provider/{OIDC_ISSUER}"))
}
