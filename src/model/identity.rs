//! The publishing identity: whom the role trusts and what it may do.

use super::config::Config;
use super::iam::{Effect, PolicyDocument, Principal, Statement, Values};
use super::names::EnvironmentName;
use super::observed::GithubIdentity;

/// GitHub's issuer, as IAM names the provider.
pub const OIDC_ISSUER: &str = "token.actions.githubusercontent.com";
/// The audience that AWS asks for.
pub const OIDC_AUDIENCE: &str = "sts.amazonaws.com";
/// Name of the inline policy on the role or the user.
pub const POLICY_NAME: &str = "sbi-publish";

/// The ECR actions of a push to one repository, in the order a push uses them (Amazon ECR user guide, "IAM
/// permissions for pushing an image"; the last three verify what was pushed and sign it).
pub const PUSH_ACTIONS: [&str; 8] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:DescribeImages",
];

/// What the publishing identity may do: sign in to ECR and push to exactly this repository.
#[must_use]
pub fn publishing_policy(config: &Config) -> PolicyDocument {
    PolicyDocument::new(vec![
        // GetAuthorizationToken knows no resource: AWS refuses anything but `*` here.
        Statement::allow("SignIn", Values::one("ecr:GetAuthorizationToken"), Values::one("*")),
        Statement::allow(
            "Push",
            Values::new(PUSH_ACTIONS),
            Values::one(config.ecr_repository_arn(&config.ecr.repository)),
        ),
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

/// The ref of every release that publishes, as an IAM wildcard.
pub const RELEASE_REF_PATTERN: &str = "refs/tags/v*";

/// Who may assume the role: jobs of exactly this repository, in exactly this context.
#[must_use]
pub fn trust_policy(config: &Config, subject: &SubjectContext, github: &GithubIdentity) -> PolicyDocument {
    let key = |claim: &str| format!("{OIDC_ISSUER}:{claim}");
    let prefix = &github.subject_prefix;
    let mut statement = Statement {
        sid: Some("Publish".into()),
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
    .when("StringEquals", &key("aud"), Values::one(OIDC_AUDIENCE))
    .when("StringEquals", &key("repository_id"), Values::one(github.repository_id.to_string()))
    .when("StringEquals", &key("repository_owner_id"), Values::one(github.owner_id.to_string()))
    .when("StringLike", &key("ref"), Values::one(RELEASE_REF_PATTERN));
    statement = match subject {
        SubjectContext::Environment(name) => {
            statement.when("StringEquals", &key("sub"), Values::one(format!("{prefix}:environment:{name}")))
        }
        SubjectContext::ReleaseTag => {
            statement.when("StringLike", &key("sub"), Values::one(format!("{prefix}:ref:{RELEASE_REF_PATTERN}")))
        }
    };
    PolicyDocument::new(vec![statement])
}

/// The ARN of the account's provider for GitHub's issuer: AWS derives it from the URL.
#[must_use]
pub fn provider_arn(config: &Config) -> String {
    config.iam_arn(&format!("oidc-provider/{OIDC_ISSUER}"))
}
