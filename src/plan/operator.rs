//! What the person who runs sbi must be allowed to do, computed from the steps themselves; and the less that looking
//! takes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::step::{KeyEnd, Ownership, Permission, RoleTrust, Step, Trusted};
use super::{Known, Plan};
use crate::model::config::{Auth, Config, Outlet};
use crate::model::iam::{PolicyDocument, Statement, Values};
use crate::model::identity::{OIDC_AUDIENCE, OIDC_ISSUER, Purpose, SubjectContext, provider_arn};
use crate::model::observed::{GithubIdentity, TagMutability};
use crate::model::registry::{lifecycle_policy, tag_mutability};

/// Every right on AWS that setting up `config` can take, from any state, and nothing else: `sbi policy operator`.
#[must_use]
pub fn operator_policy(config: &Config) -> PolicyDocument {
    let changing = aws_steps(config).into_iter().flat_map(|step| step.permissions());
    policy_of(config, reading(config).into_iter().chain(changing))
}

/// Every right on AWS that replacing the access key can take, and nothing else: `sbi policy rotator`.
#[must_use]
pub fn rotator_policy(config: &Config) -> PolicyDocument {
    let changing = rotation_steps(config).into_iter().flat_map(|step| step.permissions());
    policy_of(config, reading_user(config).into_iter().chain(changing))
}

/// What `sbi status` reads of `config`, and nothing else: `sbi policy observer`.
#[must_use]
pub fn observer_policy(config: &Config) -> PolicyDocument {
    let images = config
        .ecr_repositories()
        .into_iter()
        .map(|name| Permission::Aws { action: "ecr:DescribeImages", resource: config.ecr_repository_arn(&name) });
    PolicyDocument::new(statements(reading(config).into_iter().chain(images)))
}

/// One document of these rights on AWS, and of asking IAM for one's own.
pub(super) fn policy_of(config: &Config, permissions: impl Iterator<Item = Permission>) -> PolicyDocument {
    let mut statements = statements(permissions);
    statements.push(check_own_rights(config));
    PolicyDocument::new(statements)
}

/// One statement for each kind of resource.
fn statements(permissions: impl Iterator<Item = Permission>) -> Vec<Statement> {
    let mut rights: BTreeMap<&'static str, (BTreeSet<&'static str>, BTreeSet<String>)> = BTreeMap::new();
    for permission in permissions {
        if let Permission::Aws { action, resource } = permission {
            // Resources of one kind take the same actions, so one statement for all of them allows no more.
            let (actions, resources) = rights.entry(sid(&resource)).or_default();
            actions.insert(action);
            resources.insert(resource);
        }
    }
    rights
        .into_iter()
        .map(|(sid, (actions, resources))| Statement::allow(sid, Values::new(actions), Values::new(resources)))
        .collect()
}

fn check_own_rights(config: &Config) -> Statement {
    let own = Values::new([config.iam_arn("role/*"), config.iam_arn("user/*")]);
    Statement::allow("CheckOwnRights", Values::one(SIMULATE), own)
}

/// Asked before the first write, so that a missing right is named before anything was made.
const SIMULATE: &str = "iam:SimulatePrincipalPolicy";

fn sid(resource: &str) -> &'static str {
    match resource.split(':').nth(2) {
        Some("ecr") => "EcrRepositories",
        _ if resource.contains(":oidc-provider/") => "OidcProvider",
        _ if resource.contains(":role/") => "Roles",
        _ => "PublishingUser",
    }
}

/// What observing takes. `sts:GetCallerIdentity` needs no right.
#[must_use]
fn reading(config: &Config) -> Vec<Permission> {
    let on = |resource: &str, actions: &[&'static str]| -> Vec<Permission> {
        actions.iter().map(|action| Permission::Aws { action, resource: resource.to_owned() }).collect()
    };
    let mut needed = Vec::new();
    for Outlet { ecr_repository, .. } in config.outlets() {
        let actions = ["ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"];
        needed.extend(on(&config.ecr_repository_arn(&ecr_repository), &actions));
    }
    match config.publish.auth {
        Auth::Oidc => {
            needed.extend(on(&provider_arn(config), &["iam:GetOpenIDConnectProvider"]));
            for name in [config.role(), config.read_role()] {
                needed.extend(on(&config.iam_arn(&format!("role/{name}")), &["iam:GetRole", "iam:GetRolePolicy"]));
            }
        }
        Auth::AccessKey => needed.extend(reading_user(config)),
    }
    needed
}

/// What observing the publishing user and its keys takes.
pub(super) fn reading_user(config: &Config) -> Vec<Permission> {
    let resource = config.iam_arn(&format!("user/{}", config.user()));
    ["iam:GetUser", "iam:GetUserPolicy", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"]
        .map(|action| Permission::Aws { action, resource: resource.clone() })
        .into()
}

/// What observing the user with all that hangs on it takes: whoever deletes it must know.
pub(super) fn reading_whole_user(config: &Config) -> Vec<Permission> {
    let resource = config.iam_arn(&format!("user/{}", config.user()));
    let holdings = [
        "iam:ListUserPolicies",
        "iam:ListAttachedUserPolicies",
        "iam:ListGroupsForUser",
        "iam:ListMFADevices",
        "iam:GetLoginProfile",
    ];
    let holdings = holdings.map(|action| Permission::Aws { action, resource: resource.clone() });
    reading_user(config).into_iter().chain(holdings).collect()
}

/// The AWS actions on resources that the steps of `plan` take, and observing what they made, each once.
#[must_use]
pub fn rights(config: &Config, plan: &Plan) -> Vec<(&'static str, String)> {
    on_resources(plan, reading(config))
}

/// The same of a plan that replaces the access key.
#[must_use]
pub fn rotation_rights(config: &Config, plan: &Plan) -> Vec<(&'static str, String)> {
    on_resources(plan, reading_user(config))
}

/// The AWS actions on resources that the steps of `plan`, and looking again by `reading`, take, each once.
pub(super) fn on_resources(plan: &Plan, reading: Vec<Permission>) -> Vec<(&'static str, String)> {
    let writing = plan.nodes().iter().flat_map(|node| node.step.permissions());
    let aws: BTreeSet<(&'static str, String)> = writing
        .chain(reading)
        .filter_map(|permission| match permission {
            Permission::Aws { action, resource } => Some((action, resource)),
            Permission::Github(_) | Permission::GithubScope(_) => None,
        })
        .collect();
    aws.into_iter().collect()
}

/// One step of each kind that setting up `config` may come to on AWS.
fn aws_steps(config: &Config) -> Vec<Step> {
    let nobody =
        GithubIdentity { repository_id: 0, owner_id: 0, subject_prefix: String::new(), default_branch: String::new() };
    let (repository, github) = (config.github.repository.clone(), Known::Now(nobody.clone()));
    let owner = Ownership { repository, github, adopted: true };
    let mut steps = Vec::new();
    for Outlet { ecr_repository: name, .. } in config.outlets() {
        let arn = config.ecr_repository_arn(&name);
        let (from, to) = (TagMutability::Mutable, tag_mutability());
        steps.extend([
            Step::CreateEcrRepository {
                arn: arn.clone(),
                name: name.clone(),
                tag_mutability: tag_mutability(),
                owner: owner.clone(),
            },
            Step::SetEcrTagMutability { arn: arn.clone(), name: name.clone(), from, to },
            Step::SetEcrScanOnPush { arn: arn.clone(), name: name.clone() },
            Step::SetEcrLifecycle { arn: arn.clone(), name: name.clone(), policy: lifecycle_policy(), replaces: false },
            Step::TagEcrRepository { arn, name, owner: owner.clone() },
        ]);
    }
    let repositories = config.ecr_repositories();
    match config.publish.auth {
        Auth::Oidc => {
            let arn = provider_arn(config);
            steps.extend([
                Step::CreateOidcProvider {
                    arn: arn.clone(),
                    url: format!("https://{OIDC_ISSUER}"),
                    audience: OIDC_AUDIENCE.into(),
                },
                Step::AddOidcAudience { arn, audience: OIDC_AUDIENCE.into() },
            ]);
            for trusted in [Trusted::Publisher(SubjectContext::ReleaseTag), Trusted::Reader(BTreeSet::new())] {
                let trust = RoleTrust { config: config.clone(), trusted, github: Known::Now(nobody.clone()) };
                let purpose = trust.purpose();
                let name = purpose.role(config);
                let (arn, document) = (config.iam_arn(&format!("role/{name}")), purpose.policy(config));
                let (trust, repositories) = (Box::new(trust), repositories.clone());
                steps.extend([
                    Step::CreateRole {
                        arn: arn.clone(),
                        name: name.clone(),
                        trust: trust.clone(),
                        owner: owner.clone(),
                    },
                    Step::TagRole { arn: arn.clone(), name: name.clone(), owner: owner.clone() },
                    Step::SetRoleTrust { arn: arn.clone(), name: name.clone(), trust },
                    Step::SetRolePolicy { arn, name, purpose, document, repositories, replaces: false },
                ]);
            }
        }
        Auth::AccessKey => {
            let user = config.user();
            let arn = config.iam_arn(&format!("user/{user}"));
            let document = Purpose::Publish.policy(config);
            steps.extend([
                Step::CreateUser { arn: arn.clone(), name: user.clone(), owner: owner.clone() },
                Step::TagUser { arn: arn.clone(), name: user.clone(), owner },
                Step::SetUserPolicy { arn: arn.clone(), name: user.clone(), document, repositories, replaces: false },
                Step::DeleteAccessKey {
                    arn: arn.clone(),
                    user: user.clone(),
                    key_id: String::new(),
                    end: KeyEnd::Leftover,
                },
                Step::IssueAccessKey { arn, user, repository: config.github.repository.clone(), written: None },
            ]);
        }
    }
    steps
}

/// One step of each kind that replacing the access key may come to on AWS.
fn rotation_steps(config: &Config) -> Vec<Step> {
    let user = config.user();
    let arn = config.iam_arn(&format!("user/{user}"));
    let key_id = String::new();
    vec![
        Step::DeleteAccessKey { arn: arn.clone(), user: user.clone(), key_id: key_id.clone(), end: KeyEnd::Replaced },
        Step::IssueAccessKey {
            arn: arn.clone(),
            user: user.clone(),
            repository: config.github.repository.clone(),
            written: None,
        },
        Step::DeactivateAccessKey { arn: arn.clone(), user: user.clone(), key_id: key_id.clone() },
        Step::WatchAccessKey { arn, user, key_id, quiet: SignedDuration::ZERO },
    ]
}
