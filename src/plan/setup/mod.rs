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
use crate::model::config::{Auth, Config};
use crate::model::desired::Desired;
use crate::model::observed::{CallerIdentity, Observed};

pub(super) use identity::not_ours;
pub use release::next_free;
pub use secrets::{fingerprint, plain_secrets};

/// The steps from what was found to what is wanted. Empty when nothing differs.
pub fn plan_setup(desired: &Desired, observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    let (config, caller) = (&desired.config, &observed.aws.caller);
    plan.refusals.extend((caller.account != config.aws.account).then(|| wrong_account(config, caller)));
    plan.refusals.extend(github::refusals(desired, observed));
    if !plan.refusals.is_empty() {
        return plan;
    }
    ecr::plan(&mut plan, desired, observed);
    let ground = github::plan(&mut plan, desired, observed);
    match desired.config.publish.auth {
        Auth::Oidc => identity::plan_roles(&mut plan, desired, observed, &ground),
        Auth::AccessKey => identity::plan_user(&mut plan, desired, observed, &ground),
    }
    let comparison = files::compare(desired, observed);
    let recorded = comparison.lock_awaits_merge(observed);
    let rewritten = secrets::plan(&mut plan, desired, observed, &ground, recorded);
    let files = files::plan(&mut plan, desired, observed, &ground, comparison, &rewritten);
    release::plan(&mut plan, desired, observed, files);
    plan
}

pub(super) fn wrong_account(config: &Config, caller: &CallerIdentity) -> Failure {
    let wanted = &config.aws.account;
    Failure::usage(format!("these AWS credentials belong to account {}, `sbi.toml` pins {wanted}", caller.account))
        .hinted(format!("you are {}: choose another profile with `--profile NAME` or AWS_PROFILE", caller.arn))
}

fn keep(plan: &mut Plan, what: impl Into<String>, why: impl Into<String>) {
    plan.kept.push(Kept { what: what.into(), why: why.into() });
}
