//! Plans a publisher's whole set-up, in phases: ECR repositories, GitHub repository and its settings, the
//! identities of CI, secrets, files, releases. A phase returns the steps that later ones must wait for.

mod ecr;
mod files;
mod github;
mod identity;
mod release;
mod secrets;

use super::{Kept, Plan};
use crate::failure::Failure;
use crate::model::config::Auth;
use crate::model::desired::Desired;
use crate::model::observed::Observed;

pub use files::{FileState, file_states, open_pull_request};
pub use github::environments;
pub use release::next_free;
pub use secrets::{KEY_ID_SECRET, SECRET_KEY_SECRET, fingerprint, plain_secrets};

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
    plan.refusals.extend(wrong_account(desired, observed));
    plan.refusals.extend(github::refusals(desired, observed));
    after(Phase::Ground, &plan);
    if !plan.refusals.is_empty() {
        return plan;
    }
    ecr::plan(&mut plan, desired, observed);
    after(Phase::Ecr, &plan);
    let ground = github::plan(&mut plan, desired, observed);
    after(Phase::Github, &plan);
    match desired.config.publish.auth {
        Auth::Oidc => identity::plan_roles(&mut plan, desired, observed, &ground),
        Auth::AccessKey => identity::plan_user(&mut plan, desired, observed, &ground),
    }
    after(Phase::Identity, &plan);
    let comparison = files::compare(desired, observed);
    let recorded = comparison.lock_awaits_merge(observed);
    let rewritten = secrets::plan(&mut plan, desired, observed, &ground, recorded);
    after(Phase::Secrets, &plan);
    let files = files::plan(&mut plan, desired, observed, &ground, comparison, &rewritten);
    after(Phase::Files, &plan);
    release::plan(&mut plan, desired, observed, files);
    after(Phase::Release, &plan);
    plan
}

fn wrong_account(desired: &Desired, observed: &Observed) -> Option<Failure> {
    let wanted = &desired.config.aws.account;
    let caller = &observed.aws.caller;
    (caller.account != *wanted).then(|| {
        Failure::usage(format!("these AWS credentials belong to account {}, `sbi.toml` pins {wanted}", caller.account))
            .hinted(format!("you are {}: choose another profile with `--profile NAME` or AWS_PROFILE", caller.arn))
    })
}

fn keep(plan: &mut Plan, what: impl Into<String>, why: impl Into<String>) {
    plan.kept.push(Kept { what: what.into(), why: why.into() });
}
