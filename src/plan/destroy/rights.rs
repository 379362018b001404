//! What the person who runs `sbi destroy` must be allowed to do, computed from the steps themselves.

use std::collections::BTreeSet;

use crate::model::config::Config;
use crate::model::iam::PolicyDocument;
use crate::model::identity::{Purpose, provider_arn};
use crate::plan::Plan;
use crate::plan::operator::{on_resources, policy_of, reading_whole_user};
use crate::plan::step::{KeyEnd, Permission, Step};

/// Every right on AWS that taking back what `config` names can take, and nothing else: `sbi policy destroyer`.
#[must_use]
pub fn destroyer_policy(config: &Config) -> PolicyDocument {
    let changing = steps(config).into_iter().flat_map(|step| step.permissions());
    policy_of(config, reading(config).into_iter().chain(changing))
}

/// The AWS actions on resources that the steps of `plan` take, and looking again after it, each once.
#[must_use]
pub fn rights(config: &Config, plan: &Plan) -> Vec<(&'static str, String)> {
    on_resources(plan, reading(config))
}

/// What looking takes: both kinds of identity, because a publisher may have changed from one to the other.
fn reading(config: &Config) -> Vec<Permission> {
    let on = |resource: String, actions: &[&'static str]| -> Vec<Permission> {
        actions.iter().map(|action| Permission::Aws { action, resource: resource.clone() }).collect()
    };
    let mut needed = on(provider_arn(config), &["iam:GetOpenIDConnectProvider"]);
    for name in config.ecr_repositories() {
        let actions =
            ["ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource", "ecr:DescribeImages"];
        needed.extend(on(config.ecr_repository_arn(&name), &actions));
    }
    for name in [config.role(), config.read_role()] {
        let actions = [
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListRolePolicies",
            "iam:ListAttachedRolePolicies",
            "iam:ListInstanceProfilesForRole",
        ];
        needed.extend(on(config.iam_arn(&format!("role/{name}")), &actions));
    }
    needed.extend(reading_whole_user(config));
    needed
}

/// One step of each kind that it may come to on AWS.
fn steps(config: &Config) -> Vec<Step> {
    let mut steps = Vec::new();
    for name in config.ecr_repositories() {
        let arn = config.ecr_repository_arn(&name);
        steps.extend([
            Step::DeleteImages { arn: arn.clone(), name: name.clone(), images: Vec::new() },
            Step::DeleteEcrRepository { arn: arn.clone(), name: name.clone() },
            Step::UntagEcrRepository { arn, name, keys: BTreeSet::new() },
        ]);
    }
    for purpose in [Purpose::Publish, Purpose::Read] {
        let name = purpose.role(config);
        let arn = config.iam_arn(&format!("role/{name}"));
        steps.extend([
            Step::DeleteRolePolicy { arn: arn.clone(), name: name.clone(), purpose },
            Step::DeleteRole { arn, name },
        ]);
    }
    let user = config.user();
    let arn = config.iam_arn(&format!("user/{user}"));
    let end = KeyEnd::WithUser;
    steps.extend([
        Step::DeleteAccessKey { arn: arn.clone(), user: user.clone(), key_id: String::new(), end },
        Step::DeleteUserPolicy { arn: arn.clone(), name: user.clone() },
        Step::DeleteUser { arn, name: user },
    ]);
    steps
}
