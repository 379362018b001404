//! The GitHub repository: our secrets, environments and files in it, or all of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Wish, everything, files};
use crate::model::commit::UPDATE_BRANCH;
use crate::model::config::Config;
use crate::model::holdings::{EnvironmentHoldings, Holdings};
use crate::model::lock::Lock;
use crate::model::names::EnvironmentName;
use crate::model::observed::{DeploymentPolicies, GithubRepository, Observed};
use crate::model::secrets::ACCESS_KEY_SECRET;
use crate::plan::setup::{ADOPTION_BRANCH, PULL_REQUEST_BRANCH, environments, is_plain_secret, keep, plain_secrets};
use crate::plan::step::{AdmittedRefs, Step};
use crate::plan::{Known, Plan, StepId};

pub(super) fn plan(
    plan: &mut Plan,
    config: &Config,
    wish: Wish,
    (observed, holdings): (&Observed, &Holdings),
    signed_out: &[StepId],
) {
    let repository = config.github.repository.clone();
    let Some(found) = &observed.github.repository else {
        let viewer = &observed.github.viewer.login;
        keep(plan, format!("GitHub repository {repository}"), format!("does not exist or is hidden from {viewer}"));
        return;
    };
    if wish.delete_repository {
        // What is in it goes with it; only the secrets with the access key were planned before, to go before the key.
        let holds = contents(config, found);
        let before = everything(plan);
        plan.add(Step::DeleteGithubRepository { repository, holds }, before);
        return;
    }
    plan_secrets(plan, config, found, signed_out);
    plan_environments(plan, config, found, &holdings.environments, signed_out);
    let before = everything(plan);
    files::plan(plan, config, wish, found, &before);
    for branch in [PULL_REQUEST_BRANCH, ADOPTION_BRANCH, UPDATE_BRANCH] {
        if holdings.branches.contains(branch) {
            let step = Step::DeleteBranch { repository: repository.clone(), branch: branch.into() };
            plan.add(step, before.iter().copied());
        }
    }
    if !found.releases.is_empty() {
        let count = found.releases.len();
        let releases = if count == 1 { "1 release".to_owned() } else { format!("{count} releases") };
        keep(plan, format!("{releases} of {repository}"), "with their tags: no published version is ever reused");
    }
    if found.lock.is_some() {
        keep(
            plan,
            format!("Actions settings of {repository}"),
            "stay as strict as they are: a read-only token, actions by full commit SHA",
        );
    }
    keep(plan, format!("GitHub repository {repository}"), "stays; `--delete-repository` deletes it with all in it");
}

/// Which secrets the `sbi.lock` of the default branch, or of the pull request that sets up, says were uploaded. Whoever
/// may push can write that file, so names that sbi never uploads prove nothing.
fn uploaded(found: &GithubRepository) -> BTreeSet<&str> {
    let proposed = found.pull_requests.iter().filter_map(|open| open.lock.as_ref());
    let locks: Vec<&Lock> = found.lock.iter().chain(proposed).collect();
    let names = locks.iter().flat_map(|lock| lock.uploaded.keys()).map(String::as_str);
    names.filter(|name| is_plain_secret(name)).collect()
}

fn plan_secrets(plan: &mut Plan, config: &Config, found: &GithubRepository, signed_out: &[StepId]) {
    let repository = &config.github.repository;
    let uploaded = uploaded(found);
    let planned: BTreeSet<String> = plan.nodes().iter().filter_map(|node| deleted_secret(&node.step)).collect();
    for name in found.secrets.keys() {
        let name = name.as_str();
        if planned.contains(name) {
            continue;
        }
        if uploaded.contains(name) {
            let step = Step::DeleteSecret { repository: repository.clone(), name: name.to_owned() };
            plan.add(step, signed_out.iter().copied());
            continue;
        }
        let expected = plain_secrets(config).iter().any(|(ours, _)| *ours == name) || is_plain_secret(name);
        let why = match (name == ACCESS_KEY_SECRET, expected) {
            (true, _) => format!(
                "is older than every access key of IAM user {}; if nothing needs it: `gh secret delete {name} --repo \
                 {repository}`",
                config.user()
            ),
            (false, true) => format!(
                "has a name that sbi uses, but no sbi.lock says that sbi uploaded it; if nothing needs it: `gh secret \
                 delete {name} --repo {repository}`"
            ),
            (false, false) => "is not sbi's".into(),
        };
        keep(plan, format!("secret {name}"), why);
    }
}

fn deleted_secret(step: &Step) -> Option<String> {
    match step {
        Step::DeleteSecret { name, .. } => Some(name.clone()),
        _ => None,
    }
}

fn plan_environments(
    plan: &mut Plan,
    config: &Config,
    found: &GithubRepository,
    held: &BTreeMap<String, EnvironmentHoldings>,
    signed_out: &[StepId],
) {
    let branch = found.identity.default_branch.clone();
    let ours: Vec<(EnvironmentName, AdmittedRefs)> = environments(config, || Known::Now(branch.clone())).collect();
    for (name, admits) in ours {
        let Some(environment) = found.environments.get(name.as_str()) else { continue };
        let nothing = EnvironmentHoldings::default();
        let held = held.get(name.as_str()).unwrap_or(&nothing);
        match foreign_in(environment.admits.as_ref(), &admits, held) {
            Some(foreign) => keep(plan, format!("environment {name}"), foreign),
            // While a role trusts the environment, its list of refs is what keeps other branches out.
            None => {
                let repository = config.github.repository.clone();
                plan.add(Step::DeleteEnvironment { repository, name }, signed_out.iter().copied());
            }
        }
    }
}

/// What an environment holds that sbi did not put there; `None` when there is nothing.
fn foreign_in(
    policies: Option<&DeploymentPolicies>,
    ours: &AdmittedRefs,
    held: &EnvironmentHoldings,
) -> Option<String> {
    let mut foreign = Vec::new();
    let mut tell = |what: &str, which: Vec<String>| {
        if !which.is_empty() {
            foreign.push(format!("{what} {}", which.join(", ")));
        }
    };
    tell("secret", held.secrets.iter().cloned().collect());
    tell("variable", held.variables.iter().cloned().collect());
    tell("protection rule", held.rules.iter().cloned().collect());
    match policies {
        None => return Some("lets every ref deploy: not as sbi made it".into()),
        Some(policies) => {
            let (tags, branches) = match ours {
                AdmittedRefs::Tags(patterns) => (patterns.clone(), BTreeSet::new()),
                AdmittedRefs::DefaultBranch(Known::Now(branch)) => (BTreeSet::new(), BTreeSet::from([branch.clone()])),
                AdmittedRefs::DefaultBranch(Known::After(_)) => (BTreeSet::new(), BTreeSet::new()),
            };
            tell("tag pattern", policies.tags.difference(&tags).cloned().collect());
            tell("branch pattern", policies.branches.difference(&branches).cloned().collect());
        }
    }
    (!foreign.is_empty()).then(|| format!("holds what sbi did not put there: {}", foreign.join("; ")))
}

/// What goes with the whole repository, in a few words.
fn contents(config: &Config, found: &GithubRepository) -> String {
    let rendered = found.lock.as_ref().map(|lock| &lock.files);
    let ours = |(path, blob): &(&String, &_)| {
        path.as_str() == crate::model::lock::LOCK_FILE || rendered.is_some_and(|files| files.get(*path) == Some(*blob))
    };
    let foreign = found.files.iter().filter(|file| !ours(file)).count();
    let uploaded = uploaded(found);
    let secrets: Vec<&str> = found
        .secrets
        .keys()
        .map(String::as_str)
        .filter(|name| !uploaded.contains(name) && *name != ACCESS_KEY_SECRET)
        .collect();
    let known: Vec<String> =
        environments(config, || Known::Now(String::new())).map(|(name, _)| name.to_string()).collect();
    let others: Vec<&str> =
        found.environments.keys().map(String::as_str).filter(|name| !known.iter().any(|ours| ours == name)).collect();
    let mut parts = vec![format!("with its history, {} files", found.files.len())];
    if foreign > 0 {
        parts.push(format!("{foreign} of them not as sbi wrote them"));
    }
    match found.releases.len() {
        0 => {}
        1 => parts.push("1 release".into()),
        count => parts.push(format!("{count} releases")),
    }
    if !secrets.is_empty() {
        parts.push(format!("the secrets {} that are not sbi's", secrets.join(", ")));
    }
    if !others.is_empty() {
        parts.push(format!("the environments {} that are not sbi's", others.join(", ")));
    }
    parts.push("issues and pull requests".into());
    parts.join(", ")
}
