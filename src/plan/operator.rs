//! What the person who runs sbi must be allowed to do, computed from the steps themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::step::{Permission, RoleTrust, Step};
use super::{Known, Plan};
use crate::model::config::{Auth, Config};
use crate::model::iam::{PolicyDocument, Statement, Values};
use crate::model::identity::{OIDC_AUDIENCE, OIDC_ISSUER, SubjectContext, provider_arn, publishing_policy};
use crate::model::observed::{GithubIdentity, TagMutability};
use crate::model::registry::{lifecycle_policy, ownership_tags, tag_mutability};

/// Every right on AWS that setting up `config` can take, from any state, and nothing else: `sbi policy operator`.
#[must_use]
pub fn operator_policy(config: &Config) -> PolicyDocument {
    let mut actions: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    let changing = aws_steps(config).into_iter().flat_map(|step| step.permissions());
    for permission in reading(config).into_iter().chain(changing) {
        if let Permission::Aws { action, resource } = permission {
            actions.entry(resource).or_default().insert(action);
        }
    }
    let mut statements: Vec<Statement> = actions
        .into_iter()
        .map(|(resource, actions)| Statement::allow(sid(&resource), Values::new(actions), Values::one(resource)))
        .collect();
    statements.push(Statement::allow(
        "CheckOwnRights",
        Values::one(SIMULATE),
        Values::new([config.iam_arn("role/*"), config.iam_arn("user/*")]),
    ));
    PolicyDocument::new(statements)
}

/// Asked before the first write, so that a missing right is named before anything was made.
const SIMULATE: &str = "iam:SimulatePrincipalPolicy";

fn sid(resource: &str) -> &'static str {
    match resource.split(':').nth(2) {
        Some("ecr") => "EcrRepository",
        _ if resource.contains(":oidc-provider/") => "OidcProvider",
        _ if resource.contains(":role/") => "PublishingRole",
        _ => "PublishingUser",
    }
}

/// What observing takes. `sts:GetCallerIdentity` needs no right.
#[must_use]
fn reading(config: &Config) -> Vec<Permission> {
    let on = |resource: &str, actions: &[&'static str]| -> Vec<Permission> {
        actions.iter().map(|action| Permission::Aws { action, resource: resource.to_owned() }).collect()
    };
    let mut needed = on(
        &config.ecr_repository_arn(&config.ecr.repository),
        &["ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"],
    );
    match config.publish.auth {
        Auth::Oidc => {
            needed.extend(on(&provider_arn(config), &["iam:GetOpenIDConnectProvider"]));
            needed
                .extend(on(&config.iam_arn(&format!("role/{}", config.role())), &["iam:GetRole", "iam:GetRolePolicy"]));
        }
        Auth::AccessKey => needed.extend(on(
            &config.iam_arn(&format!("user/{}", config.user())),
            &["iam:GetUser", "iam:GetUserPolicy", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"],
        )),
    }
    needed
}

/// The AWS actions on resources that the steps of `plan` take, and observing what they made, each once.
#[must_use]
pub fn rights(config: &Config, plan: &Plan) -> Vec<(&'static str, String)> {
    let writing = plan.nodes().iter().flat_map(|node| node.step.permissions());
    let permissions = writing.chain(reading(config));
    let aws: BTreeSet<(&'static str, String)> = permissions
        .filter_map(|permission| match permission {
            Permission::Aws { action, resource } => Some((action, resource)),
            Permission::Github(_) => None,
        })
        .collect();
    aws.into_iter().collect()
}

/// One step of each kind that setting up `config` may come to on AWS.
fn aws_steps(config: &Config) -> Vec<Step> {
    let arn = config.ecr_repository_arn(&config.ecr.repository);
    let name = config.ecr.repository.clone();
    let tags = ownership_tags(config);
    let document = publishing_policy(config);
    let mut steps = vec![
        Step::CreateEcrRepository {
            arn: arn.clone(),
            name: name.clone(),
            tag_mutability: tag_mutability(),
            tags: tags.clone(),
        },
        Step::SetEcrTagMutability {
            arn: arn.clone(),
            name: name.clone(),
            from: TagMutability::Mutable,
            to: tag_mutability(),
        },
        Step::SetEcrScanOnPush { arn: arn.clone(), name: name.clone() },
        Step::SetEcrLifecycle { arn: arn.clone(), name: name.clone(), policy: lifecycle_policy(), replaces: false },
        Step::TagEcrRepository { arn, name, tags: tags.clone() },
    ];
    match config.publish.auth {
        Auth::Oidc => {
            let provider = provider_arn(config);
            let name = config.role();
            let arn = config.iam_arn(&format!("role/{name}"));
            let github = Known::Now(GithubIdentity { repository_id: 0, owner_id: 0, subject_prefix: String::new() });
            let trust = Box::new(RoleTrust { config: config.clone(), subject: SubjectContext::ReleaseTag, github });
            steps.extend([
                Step::CreateOidcProvider {
                    arn: provider.clone(),
                    url: format!("https://{OIDC_ISSUER}"),
                    audience: OIDC_AUDIENCE.into(),
                },
                Step::AddOidcAudience { arn: provider, audience: OIDC_AUDIENCE.into() },
                Step::CreateRole { arn: arn.clone(), name: name.clone(), trust: trust.clone(), tags },
                Step::SetRoleTrust { arn: arn.clone(), name: name.clone(), trust },
                Step::SetRolePolicy { arn, name, document, replaces: false },
            ]);
        }
        Auth::AccessKey => {
            let user = config.user();
            let arn = config.iam_arn(&format!("user/{user}"));
            steps.extend([
                Step::CreateUser { arn: arn.clone(), name: user.clone(), tags },
                Step::SetUserPolicy { arn: arn.clone(), name: user.clone(), document, replaces: false },
                Step::DeleteAccessKey { arn: arn.clone(), user: user.clone(), key_id: String::new() },
                Step::IssueAccessKey { arn, user, repository: config.github.repository.clone(), replaces: false },
            ]);
        }
    }
    steps
}
