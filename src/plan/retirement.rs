//! Plans the end of the access key once the repository signs in by OIDC: check → drain → deactivate → watch → delete,
//! then the user that it belonged to.
//!
//! Nothing goes before a job has really signed in with the role, and before every run has ended that may hold the key.

use jiff::{SignedDuration, Timestamp};

use super::access_keys::Standing;
use super::destroy::hung_on;
use super::rotation::{LONGEST_WATCH, period, untouchable, used_by_others};
use super::setup::{keep, wrong_account};
use super::step::{KeyEnd, Step};
use super::{Plan, StepId};
use crate::failure::Failure;
use crate::model::config::Config;
use crate::model::git::CommitId;
use crate::model::holdings::IamHoldings;
use crate::model::iam::PolicyDocument;
use crate::model::identity::Purpose;
use crate::model::names::{GitTag, ReleaseTag};
use crate::model::observed::{KeyObserved, User};
use crate::model::ownership::ADOPTED_TAG;
use crate::model::secrets::ACCESS_KEY_SECRET;
use crate::plan::operator::{on_resources, policy_of, reading_whole_user};

/// What was asked for, when, and where the repository stands.
#[derive(Clone, Debug)]
pub struct Retirement<'a> {
    pub config: &'a Config,
    /// How long an inactive key stays before it is deleted.
    pub grace: SignedDuration,
    /// How long to wait for runs that may hold the key.
    pub drain: SignedDuration,
    /// Delete what is inactive, whatever its grace period.
    pub finish: bool,
    pub now: Timestamp,
    /// The tip of the default branch: its workflows sign in by OIDC.
    pub head: &'a CommitId,
}

/// The steps that end the access key and its user. Empty when neither is there.
pub fn plan_retirement(retirement: &Retirement<'_>, found: &KeyObserved, held: &IamHoldings) -> Plan {
    let mut plan = Plan::default();
    let config = retirement.config;
    plan.refusals.extend(wrong_account(config, &found.caller));
    let Some(user) = &found.user else {
        if found.secret_written.is_some() && plan.refusals.is_empty() {
            delete_secret(&mut plan, config, []);
        }
        return plan;
    };
    let adopted = user.tags.contains_key(ADOPTED_TAG);
    plan.refusals.extend(refusals(config, found, user, held, adopted));
    if !plan.refusals.is_empty() {
        return plan;
    }
    let (name, arn) = (config.user(), user.arn.clone());
    let active: Vec<&str> = user.keys.iter().filter(|key| key.active).map(|key| key.id.as_str()).collect();
    let mut quiet: Vec<StepId> = Vec::new();
    if !active.is_empty() {
        let check = Step::CheckAccess {
            repository: config.github.repository.clone(),
            workflow: "check-access.yml",
            tag: tag(config),
            commit: retirement.head.clone(),
        };
        let checked = plan.add(check, []);
        let repository = config.github.repository.clone();
        let drain = Step::DrainRuns { repository, patience: retirement.drain, queued_before: Some(retirement.now) };
        let drained = plan.add(drain, [checked]);
        for key_id in &active {
            let (arn, key_id) = (arn.clone(), (*key_id).to_owned());
            quiet.push(plan.add(Step::DeactivateAccessKey { arn, user: name.clone(), key_id }, [drained]));
        }
    }
    if retirement.grace > LONGEST_WATCH && !retirement.finish {
        if !user.keys.is_empty() {
            plan.waiting.push(format!(
                "the key of {name} stays, inactive, for {}: `sbi rotate-keys --to-oidc --finish` deletes it then",
                period(retirement.grace)
            ));
            return plan;
        }
    } else if retirement.grace.is_positive() && !retirement.finish {
        let watches: Vec<Step> = active
            .iter()
            .map(|key_id| Step::WatchAccessKey {
                arn: arn.clone(),
                user: name.clone(),
                key_id: (*key_id).to_owned(),
                quiet: retirement.grace,
            })
            .collect();
        let deactivated = quiet.clone();
        quiet.extend(watches.into_iter().map(|watch| plan.add(watch, deactivated.iter().copied())));
    }
    if found.secret_written.is_some() {
        quiet.push(delete_secret(&mut plan, config, quiet.iter().copied()));
    }
    if adopted {
        keep(&mut plan, format!("IAM user {name}"), "was handed over to sbi, not made by it; it and its keys stay");
        return plan;
    }
    let mut gone: Vec<StepId> = Vec::new();
    for key in &user.keys {
        let (arn, key_id, end) = (arn.clone(), key.id.clone(), KeyEnd::WithUser);
        let step = Step::DeleteAccessKey { arn, user: name.clone(), key_id, end };
        gone.push(plan.add(step, quiet.iter().copied()));
    }
    if user.policy.is_some() {
        let step = Step::DeleteUserPolicy { arn: arn.clone(), name: name.clone() };
        gone.push(plan.add(step, quiet.iter().copied()));
    }
    let before = if gone.is_empty() { quiet } else { gone };
    plan.add(Step::DeleteUser { arn, name }, before);
    plan
}

fn delete_secret(plan: &mut Plan, config: &Config, needs: impl IntoIterator<Item = StepId>) -> StepId {
    let repository = config.github.repository.clone();
    plan.add(Step::DeleteSecret { repository, name: ACCESS_KEY_SECRET.into() }, needs)
}

fn refusals(config: &Config, found: &KeyObserved, user: &User, held: &IamHoldings, adopted: bool) -> Vec<Failure> {
    let name = config.user();
    if let Some(refusal) = untouchable(config, found, user) {
        return vec![refusal];
    }
    if adopted {
        return Vec::new();
    }
    let used = user.keys.iter().filter_map(|key| used_by_others(config, key, Standing::Current));
    used.chain(hung_on("user", name.as_str(), Purpose::Publish.policy_name(), held)).collect()
}

/// A tag that the trust lets in and that nobody releases: semantic versioning puts it before everything.
fn tag(config: &Config) -> GitTag {
    let image = config.outlets().into_iter().next().and_then(|outlet| outlet.tag.image().cloned());
    GitTag::new(image, ReleaseTag::preceding("access-check"))
}

/// The rights on AWS that `plan`, and looking again after it, take, each once.
#[must_use]
pub fn rights(config: &Config, plan: &Plan) -> Vec<(&'static str, String)> {
    on_resources(plan, reading_whole_user(config))
}

/// Every right on AWS that ending the access key can take, and nothing else: `sbi policy rotator` with OIDC.
#[must_use]
pub fn retirement_policy(config: &Config) -> PolicyDocument {
    let user = config.user();
    let arn = config.iam_arn(&format!("user/{user}"));
    let key_id = String::new();
    let steps = [
        Step::DeactivateAccessKey { arn: arn.clone(), user: user.clone(), key_id: key_id.clone() },
        Step::DeleteAccessKey { arn: arn.clone(), user: user.clone(), key_id, end: KeyEnd::WithUser },
        Step::DeleteUserPolicy { arn: arn.clone(), name: user.clone() },
        Step::DeleteUser { arn, name: user },
    ];
    policy_of(config, reading_whole_user(config).into_iter().chain(steps.iter().flat_map(Step::permissions)))
}
