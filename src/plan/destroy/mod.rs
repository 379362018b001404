//! Plans taking back what sbi made, and only that. The identities of CI go first: from then on a release that is made
//! meanwhile stops before it pushes, wherever its workflow comes from (a release runs the workflow of the commit that it
//! tags, so deleting the file on the default branch would not stop it). Then what they used, and `sbi.toml` and
//! `sbi.lock` last, because the next run needs them to finish an interrupted one.

mod ecr;
mod files;
mod github;
mod identity;
pub mod rights;

pub(super) use identity::hung_on;

use super::setup::{archived, no_administrator, owned_by, renamed, renaming, wrong_account};
use super::step::{Permission, Step};
use super::{Plan, StepId};
use crate::model::config::Config;
use crate::model::holdings::Holdings;
use crate::model::observed::Observed;
use crate::model::ownership::{Claimant, Owner};

/// What the person asked for beside taking back what can be made again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Images go as well; buyers may be pulling them.
    pub delete_images: bool,
    /// The GitHub repository goes as well, with everything in it.
    pub delete_repository: bool,
    /// The files go by a pull request although a push would be allowed.
    pub by_pull_request: bool,
}

/// The steps that take back what was found of ours. Empty when nothing is left.
pub fn plan_destroy(config: &Config, wish: Wish, observed: &Observed, holdings: &Holdings) -> Plan {
    let mut plan = Plan::default();
    plan.refusals.extend(wrong_account(config, &observed.aws.caller));
    // One that sbi has set up is followed to its new name before anything is planned.
    let found = observed.github.repository.as_ref();
    plan.refusals.extend(found.and_then(|found| renamed(&config.github.repository, &found.full_name)));
    if !plan.refusals.is_empty() {
        return plan;
    }
    plan.renamed = renaming(config, observed);
    let signed_out = identity::plan(&mut plan, config, observed, holdings);
    ecr::plan(&mut plan, config, wish, (observed, holdings), &signed_out);
    github::plan(&mut plan, config, wish, (observed, holdings), &signed_out);
    let on_github = |step: &Step| step.permissions().iter().any(|needed| matches!(needed, Permission::Github(_)));
    let stays = |step: &Step| on_github(step) && !matches!(step, Step::DeleteGithubRepository { .. });
    if plan.nodes().iter().any(|node| on_github(&node.step)) {
        plan.refusals.extend(no_administrator(config, observed));
    }
    // An archived repository takes no change, but it can be deleted.
    if plan.nodes().iter().any(|node| stays(&node.step)) {
        plan.refusals.extend(archived(config, observed));
    }
    plan
}

/// Why a resource stays that is not ours; `None` when it is. `untag` is the command that takes the number of a GitHub
/// repository off it, so that the name tells whose it is.
fn of_others(owner: Owner, claimant: &Claimant, untag: &str) -> Option<String> {
    match owner {
        Owner::Ours => None,
        Owner::Unmarked => Some("was not made by sbi".into()),
        Owner::Other { name, id } => {
            let whose = owned_by(name.as_deref(), id.as_deref(), claimant);
            Some(match (id, claimant.id) {
                (Some(_), None) => format!("{whose}; when it is gone for good: `{untag}`, then `sbi destroy` again"),
                _ => whose,
            })
        }
    }
}

/// Every step so far.
fn everything(plan: &Plan) -> Vec<StepId> {
    plan.ids().collect()
}
