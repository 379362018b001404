//! Plans a publisher's whole set-up, in phases: GitHub repository and its settings, ECR repositories, the
//! identities of CI, secrets, files, releases. A phase returns the steps that later ones must wait for.

mod adoption;
mod ecr;
mod files;
mod github;
mod identity;
mod release;
mod rename;
mod secrets;

use super::{Kept, Plan};
use crate::failure::Failure;
use crate::model::config::{Auth, Config};
use crate::model::desired::Desired;
use crate::model::observed::{CallerIdentity, Observed};
use crate::model::ownership::Claimant;

pub use adoption::texts_to_read;
pub use files::{FileState, behind, file_states, open_pull_request};
pub use github::environments;
pub use release::next_free;
pub use rename::{followed, settled};
pub use secrets::{fingerprint, plain_secrets};

pub(super) use adoption::ADOPTION_BRANCH;
pub(super) use files::{PULL_REQUEST_BRANCH, wait_for_the_owner_of};
pub(super) use github::{archived, archived_repository, no_administrator, renamed};
pub(super) use identity::{not_ours, own_identity};
pub(super) use rename::renaming;
pub(super) use secrets::is_plain_secret;

/// What a phase of planning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Whether anything may be planned at all.
    Ground,
    Ecr,
    Github,
    Identity,
    Secrets,
    Files,
    Release,
}

/// The steps from what was found to what is wanted. Empty when nothing differs.
pub fn plan_setup(desired: &Desired, observed: &Observed) -> Plan {
    plan_by_phase(desired, observed, |_, _| {})
}

/// The same; `after` sees the plan as it stands at the end of each phase.
pub fn plan_by_phase(desired: &Desired, observed: &Observed, mut after: impl FnMut(Phase, &Plan)) -> Plan {
    let mut plan = Plan::default();
    plan.refusals.extend(wrong_account(&desired.config, &observed.aws.caller));
    plan.refusals.extend(github::refusals(desired, observed));
    after(Phase::Ground, &plan);
    if !plan.refusals.is_empty() {
        return plan;
    }
    rename::plan(&mut plan, desired, observed);
    let ground = github::plan(&mut plan, desired, observed);
    after(Phase::Github, &plan);
    ecr::plan(&mut plan, desired, observed, &ground);
    after(Phase::Ecr, &plan);
    let mut before_lock = match desired.config.publish.auth {
        Auth::Oidc => identity::plan_roles(&mut plan, desired, observed, &ground),
        Auth::AccessKey => identity::plan_user(&mut plan, desired, observed, &ground),
    };
    after(Phase::Identity, &plan);
    let adoption = adoption::Adoption::find(desired, observed);
    adoption.tell(&mut plan);
    let comparison = files::compare(desired, observed, &adoption);
    let recorded = comparison.lock_awaits_merge(observed);
    before_lock.extend(secrets::plan(&mut plan, desired, observed, &ground, recorded));
    after(Phase::Secrets, &plan);
    let files = files::plan(&mut plan, desired, observed, (&ground, &adoption), comparison, &before_lock);
    after(Phase::Files, &plan);
    release::plan(&mut plan, desired, observed, files);
    after(Phase::Release, &plan);
    plan
}

/// Credentials of another account than `sbi.toml` pins.
pub(super) fn wrong_account(config: &Config, caller: &CallerIdentity) -> Option<Failure> {
    let wanted = &config.aws.account;
    (caller.account != *wanted).then(|| {
        Failure::usage(format!("these AWS credentials belong to account {}, `sbi.toml` pins {wanted}", caller.account))
            .hinted(format!("you are {}: choose another profile with `--profile NAME` or AWS_PROFILE", caller.arn))
    })
}

/// `belongs to GitHub repository acme/old with the number 9, and acme/base has the number 12`
pub(super) fn owned_by(name: Option<&str>, id: Option<&str>, claimant: &Claimant) -> String {
    let name = name.map_or_else(|| "another GitHub repository".to_owned(), |name| format!("GitHub repository {name}"));
    match (id, claimant.id) {
        (None, _) => format!("belongs to {name}"),
        (Some(id), Some(ours)) => {
            format!("belongs to {name} with the number {id}, and {} has the number {ours}", claimant.repository)
        }
        (Some(id), None) => {
            format!("belongs to {name} with the number {id}, which is deleted, or elsewhere and hidden from this token")
        }
    }
}

/// Says that something stays, and why.
pub(super) fn keep(plan: &mut Plan, what: impl Into<String>, why: impl Into<String>) {
    plan.kept.push(Kept { what: what.into(), why: why.into() });
}
