//! The GitHub repository, its Actions settings and its environments.

use crate::failure::{Cause, Failure};
use crate::model::config::Config;
use crate::model::desired::Desired;
use crate::model::git::CommitId;
use crate::model::names::{EnvironmentName, GithubRepositoryName};
use crate::model::observed::{GithubIdentity, GithubRepository, Observed, TokenKind};
use crate::plan::step::{AdmittedRefs, Ownership, Step};
use crate::plan::{Known, Plan, StepId};

use super::keep;

/// Of a repository that sbi creates.
pub(super) const DESCRIPTION: &str = "Hardened container base images, built, scanned and published by release";

/// What later phases stand on.
pub(super) struct Ground {
    /// The step that creates the repository, when it does not exist.
    pub(super) created: Option<StepId>,
    pub(super) identity: Known<GithubIdentity>,
    /// The commit that the files go on top of.
    pub(super) parent: Known<CommitId>,
}

impl Ground {
    /// What marks an AWS resource as this repository's.
    pub(super) fn ownership(&self, config: &Config) -> Ownership {
        Ownership { repository: config.github.repository.clone(), github: self.identity.clone(), adopted: false }
    }
}

/// Why nothing may be planned on this GitHub repository, all reasons at once.
pub(super) fn refusals(desired: &Desired, observed: &Observed) -> Vec<Failure> {
    let wanted = &desired.config.github.repository;
    let github = &observed.github;
    let mut refusals = Vec::new();
    if github.viewer.token == TokenKind::Installation {
        refusals.push(
            Failure::usage("this GitHub token belongs to a workflow or an app: a release it makes starts no workflow")
                .hinted("run sbi with a person's token: `gh auth login -s workflow`, then unset GITHUB_TOKEN"),
        );
    }
    let Some(found) = &github.repository else {
        if !github.owner.is_organization && github.owner.id != github.viewer.id {
            refusals.push(
                Failure::usage(format!(
                    "{wanted} does not exist or is hidden from {}, and only {} can create it",
                    github.viewer.login, github.owner.login
                ))
                .hinted(format!(
                    "use your own account: `--github {}/{}`",
                    github.viewer.login,
                    wanted.name()
                )),
            );
        }
        return refusals;
    };
    // One that sbi has set up is followed to its new name before anything is planned.
    refusals.extend(renamed(wanted, &found.full_name));
    refusals.extend(archived(&desired.config, observed));
    refusals.extend(no_administrator(&desired.config, observed));
    if found.actions.as_ref().is_some_and(|actions| !actions.enabled) {
        refusals.push(
            Failure::usage(format!("GitHub Actions is switched off in {wanted}"))
                .hinted(format!("switch it on: https://github.com/{wanted}/settings/actions")),
        );
    }
    refusals
}

/// GitHub redirects a former name, and nothing may be planned on a name that somebody else can take tomorrow.
pub(in crate::plan) fn renamed(wanted: &GithubRepositoryName, full_name: &str) -> Option<Failure> {
    (!wanted.is(full_name)).then(|| {
        Failure::usage(format!("{wanted} is called {full_name} now"))
            .hinted(format!("put `repository = \"{full_name}\"` into sbi.toml"))
    })
}

/// An archived repository refuses every change.
pub(in crate::plan) fn archived(config: &Config, observed: &Observed) -> Option<Failure> {
    archived_repository(&config.github.repository, observed.github.repository.as_ref()?)
}

/// The same of a repository that was looked at by itself.
pub(in crate::plan) fn archived_repository(wanted: &GithubRepositoryName, found: &GithubRepository) -> Option<Failure> {
    found.archived.then(|| {
        Failure::usage(format!("{wanted} is archived and takes no change"))
            .hinted(format!("unarchive it: `gh repo unarchive {wanted}`"))
    })
}

/// Most of what sbi changes takes the role of an administrator.
pub(in crate::plan) fn no_administrator(config: &Config, observed: &Observed) -> Option<Failure> {
    let wanted = &config.github.repository;
    let found = observed.github.repository.as_ref()?;
    (!found.can_admin).then(|| {
        Failure::new(format!("{} is no administrator of {wanted}", observed.github.viewer.login))
            .because(Cause::Denied { action: "administration: write".into(), resource: Some(wanted.to_string()) })
            .hinted("secrets, environments and Actions settings need an administrator: ask an owner for that role")
    })
}

pub(super) fn plan(plan: &mut Plan, desired: &Desired, observed: &Observed) -> Ground {
    let config = &desired.config;
    let repository = config.github.repository.clone();
    let Some(found) = &observed.github.repository else {
        let created = plan.add(
            Step::CreateGithubRepository {
                repository: repository.clone(),
                in_organization: observed.github.owner.is_organization,
                visibility: config.github.visibility,
                description: DESCRIPTION.into(),
            },
            [],
        );
        plan.add(Step::RestrictWorkflowToken { repository: repository.clone() }, [created]);
        plan.add(Step::RequirePinnedActions { repository: repository.clone(), allowed_actions: None }, [created]);
        for (name, admits) in environments(config, || Known::After(created)) {
            let repository = repository.clone();
            plan.add(Step::SetEnvironment { repository, name, exists: false, admits }, [created]);
        }
        return Ground { created: Some(created), identity: Known::After(created), parent: Known::After(created) };
    };
    plan_settings(plan, desired, found);
    let parent = match &found.head {
        Some(head) => Known::Now(head.clone()),
        None => Known::After(plan.add(
            Step::StartGithubHistory {
                repository,
                branch: found.identity.default_branch.clone(),
                text: config.to_text(),
            },
            [],
        )),
    };
    Ground { created: None, identity: Known::Now(found.identity.clone()), parent }
}

fn plan_settings(plan: &mut Plan, desired: &Desired, found: &GithubRepository) {
    let config = &desired.config;
    let repository = &config.github.repository;
    let is = if found.private { "private" } else { "public" };
    if config.github.visibility.as_str() != is {
        keep(
            plan,
            format!("visibility of {repository}"),
            format!("it is {is}, sbi.toml says {}: change one of them by hand", config.github.visibility.as_str()),
        );
    }
    match &found.actions {
        Some(actions) => {
            if actions.default_write || actions.can_approve_pull_requests {
                plan.add(Step::RestrictWorkflowToken { repository: repository.clone() }, []);
            }
            if !actions.sha_pinning_required {
                let allowed_actions = actions.allowed_actions.clone();
                plan.add(Step::RequirePinnedActions { repository: repository.clone(), allowed_actions }, []);
            }
        }
        None => keep(plan, "Actions settings", "this token may not read them"),
    }
    let planned = plan.nodes().len();
    for (name, admits) in environments(config, || Known::Now(found.identity.default_branch.clone())) {
        let environment = found.environments.get(name.as_str());
        let policies = environment.and_then(|environment| environment.admits.as_ref());
        if !policies.is_some_and(|policies| admits.are_among(policies)) {
            let repository = repository.clone();
            plan.add(Step::SetEnvironment { repository, name, exists: environment.is_some(), admits }, []);
        }
    }
    if found.environments_hidden && plan.nodes().len() > planned {
        keep(plan, "environments", "this token may not read all of them: what this run sets may be there already");
    }
}

/// The environments that jobs with credentials run in, and which refs deploy to each.
pub fn environments(
    config: &Config,
    default_branch: impl Fn() -> Known<String>,
) -> impl Iterator<Item = (EnvironmentName, AdmittedRefs)> {
    let patterns = config.outlets().into_iter().map(|outlet| outlet.tag_pattern).collect();
    let publish = config.publish.environment.clone().map(|name| (name, AdmittedRefs::Tags(patterns)));
    let rescan = config.rescan_environment().map(|name| (name, AdmittedRefs::DefaultBranch(default_branch())));
    let update = config.update_environment().map(|name| (name, AdmittedRefs::DefaultBranch(default_branch())));
    publish.into_iter().chain(rescan).chain(update)
}
