//! The repository secrets that are no secret in themselves: where CI finds the registry and the role.

use sha2::{Digest as _, Sha256};

use super::files::open_pull_request;
use super::github::Ground;
use super::keep;
use crate::model::config::{Auth, Config};
use crate::model::desired::Desired;
use crate::model::observed::Observed;
use crate::model::secrets::ACCESS_KEY_SECRET;
use crate::plan::step::Step;
use crate::plan::{Plan, StepId};

/// The secret with the publishing role.
const ROLE_SECRET: &str = "AWS_ROLE_ARN";
/// The secret with the ECR repository, where there is one: of several, the workflow holds the table.
const ECR_REPOSITORY_SECRET: &str = "ECR_REPOSITORY";

/// Every secret that is none in itself, in one rendering or another.
const PLAIN_SECRETS: [&str; 4] = [ROLE_SECRET, "AWS_REGION", "ECR_REGISTRY", ECR_REPOSITORY_SECRET];

/// Whether a secret of this name is none in itself, in one rendering or another.
pub(in crate::plan) fn is_plain_secret(name: &str) -> bool {
    PLAIN_SECRETS.contains(&name)
}

/// Name → value of every secret whose value planning knows.
#[must_use]
pub fn plain_secrets(config: &Config) -> Vec<(&'static str, String)> {
    if !config.has_settings_as_secrets() {
        return Vec::new();
    }
    let mut secrets = vec![("AWS_REGION", config.aws.region.to_string()), ("ECR_REGISTRY", config.ecr_registry())];
    if let [only] = config.outlets().as_slice() {
        secrets.push((ECR_REPOSITORY_SECRET, only.ecr_repository.to_string()));
    }
    if config.publish.auth == Auth::Oidc {
        secrets.insert(0, (ROLE_SECRET, config.iam_arn(&format!("role/{}", config.role()))));
    }
    secrets
}

/// How `sbi.lock` remembers an uploaded value.
#[must_use]
pub fn fingerprint(value: &str) -> String {
    let hex: String = Sha256::digest(value).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// Returns the steps that replace a value: `sbi.lock` must not claim the new one before they are done. `recorded` says
/// that an open pull request's `sbi.lock` claims today's values already.
pub(super) fn plan(
    plan: &mut Plan,
    desired: &Desired,
    observed: &Observed,
    ground: &Ground,
    recorded: bool,
) -> Vec<StepId> {
    let config = &desired.config;
    let found = observed.github.repository.as_ref();
    // One with somebody's commits on its branch can't be brought up to date, and what it says was uploaded still is.
    let stuck = found.and_then(open_pull_request).filter(|open| !open.head_is_ours);
    let mut rewritten = Vec::new();
    for (name, value) in plain_secrets(config) {
        let there = found.is_some_and(|found| found.secrets.contains_key(name));
        let in_lock = found.and_then(|found| found.lock.as_ref()?.uploaded.get(name));
        let in_stuck = stuck.and_then(|open| open.lock.as_ref()?.uploaded.get(name));
        if there && (recorded || [in_lock, in_stuck].contains(&Some(&fingerprint(&value)))) {
            continue;
        }
        let step =
            Step::PutSecret { repository: config.github.repository.clone(), name: name.into(), value, replaces: there };
        let id = plan.add(step, ground.created);
        if there {
            rewritten.push(id);
        }
    }
    if let Some(found) = found {
        let ours: Vec<&str> = plain_secrets(config).iter().map(|(name, _)| *name).collect();
        for name in found.secrets.keys() {
            let name = name.as_str();
            if ours.contains(&name) || (config.publish.auth == Auth::AccessKey && name == ACCESS_KEY_SECRET) {
                continue;
            }
            let why = match name {
                ACCESS_KEY_SECRET => "holds an access key of before OIDC: `sbi rotate-keys --to-oidc` takes both back",
                _ if PLAIN_SECRETS.contains(&name) => "is read by no workflow of sbi's: they name what it holds",
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "is read by no workflow of sbi's",
                _ => "is not sbi's",
            };
            keep(plan, format!("secret {name}"), why);
        }
    }
    rewritten
}
