//! A GitHub repository that was renamed or moved to another owner: the configuration follows it, and what was made
//! under its old name is kept under that name.

use super::keep;
use crate::model::config::{Auth, Config};
use crate::model::desired::Desired;
use crate::model::names::GithubRepositoryName;
use crate::model::observed::{Observed, Role};
use crate::model::ownership::Claimant;
use crate::plan::{Plan, Renamed};

/// The configuration that goes with the repository's name of today and with the identities that its former names gave
/// theirs; `None` when `config` does already.
///
/// Only a repository that sbi has set up is followed. Where the returned names are others than those that `observed` is
/// about, look again and let `settled` decide.
#[must_use]
pub fn followed(config: &Config, observed: &Observed) -> Option<Config> {
    let found = observed.github.repository.as_ref()?;
    let today = GithubRepositoryName::new(&found.full_name).ok()?;
    let mut next = config.clone();
    let asked = &config.github.repository;
    let aws = &observed.aws;
    if !asked.is(&found.full_name) {
        if found.lock.is_none() && !has_identities(config, observed) {
            return None;
        }
        next.github.repository = today;
        // Names that come from the old one and are in use.
        next.aws.role = config.aws.role.clone().or_else(|| aws.role.as_ref().map(|_| config.role()));
        next.aws.read_role =
            config.aws.read_role.clone().or_else(|| aws.read_role.as_ref().map(|_| config.read_role()));
        next.aws.user = config.aws.user.clone().or_else(|| aws.user.as_ref().map(|_| config.user()));
        return Some(next);
    }
    // The file has the new name already: what was made before may still be there under names that come from the old.
    let former = found.former_names.iter().find(|former| **former != today)?;
    let mut before = config.clone();
    before.github.repository = former.clone();
    match config.publish.auth {
        Auth::Oidc => {
            next.aws.role = config.aws.role.clone().or_else(|| aws.role.is_none().then(|| before.role()));
            next.aws.read_role =
                config.aws.read_role.clone().or_else(|| aws.read_role.is_none().then(|| before.read_role()));
        }
        Auth::AccessKey => {
            next.aws.user = config.aws.user.clone().or_else(|| aws.user.is_none().then(|| before.user()))
        }
    }
    (next != *config && next.check().is_ok()).then_some(next)
}

/// What holds after `next` of `followed(config, first)` was looked at: a name that it took from the old one and that no
/// identity of this repository has is let go.
#[must_use]
pub fn settled(config: &Config, first: Observed, mut next: Config, mut second: Observed) -> (Config, Observed) {
    let claimant = Claimant::new(&next.github.repository, second.github.repository.as_ref());
    let role_is_ours = |role: &Role| claimant.owns(&role.tags, Some(&role.trust));
    let same_name = config.github.repository == next.github.repository;
    if same_name {
        if config.aws.role.is_none() && !second.aws.role.as_ref().is_some_and(role_is_ours) {
            next.aws.role = None;
            second.aws.role = first.aws.role;
        }
        if config.aws.read_role.is_none() && !second.aws.read_role.as_ref().is_some_and(role_is_ours) {
            next.aws.read_role = None;
            second.aws.read_role = first.aws.read_role;
        }
        if config.aws.user.is_none() && !second.aws.user.as_ref().is_some_and(|user| claimant.owns(&user.tags, None)) {
            next.aws.user = None;
            second.aws.user = first.aws.user;
        }
    }
    // The second look asked by the name of today, so GitHub had nothing to redirect.
    if let (Some(before), Some(after)) = (first.github.repository, &mut second.github.repository) {
        after.former_names.extend(before.former_names);
    }
    (next, second)
}

/// An identity of this repository stands under a name of `config`.
fn has_identities(config: &Config, observed: &Observed) -> bool {
    let aws = &observed.aws;
    let claimant = Claimant::new(&config.github.repository, observed.github.repository.as_ref());
    let roles = aws.role.iter().chain(&aws.read_role).map(|role| (&role.tags, Some(&role.trust)));
    let users = aws.user.iter().map(|user| (&user.tags, None));
    roles.chain(users).any(|(tags, trust)| claimant.owns(tags, trust))
}

/// What the repository was called, when it goes by another name now.
pub(in crate::plan) fn renaming(config: &Config, observed: &Observed) -> Option<Renamed> {
    let today = &config.github.repository;
    let from = observed.github.repository.as_ref()?.former_names.iter().find(|former| *former != today)?;
    Some(Renamed { from: from.clone(), to: today.clone() })
}

/// Says what the repository was called, and what goes on naming it so.
pub(super) fn plan(plan: &mut Plan, desired: &Desired, observed: &Observed) {
    plan.renamed = renaming(&desired.config, observed);
    let (Some(Renamed { from, to }), Some(found)) = (&plan.renamed, &observed.github.repository) else { return };
    if desired.config.signs() && found.releases.iter().any(|release| release.ours) {
        let why = format!("name {from}: whoever verifies them asks for that name, later ones carry {to}");
        keep(plan, "signatures of earlier releases", why);
    }
}
