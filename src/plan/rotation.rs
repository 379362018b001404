//! Plans the replacement of the publishing user's access key: issue → drain → deactivate → watch → delete.
//!
//! A job that starts at any instant sees a pair that belongs together, because both halves are one secret, and one that
//! is active, because the old key goes only after every run that was queued before the hand-over has ended. What an
//! interrupted run left is told from dates, so that the next one goes on from there.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::access_keys::{Standing, is_by_somebody_else, standings};
use super::setup::{not_ours, own_identity, renamed, wrong_account};
use super::step::{KeyEnd, Step};
use super::{Plan, StepId};
use crate::failure::Failure;
use crate::model::config::{Auth, Config};
use crate::model::observed::{KeyFacts, KeyObserved, User};
use crate::model::ownership::Claimant;
use crate::model::secrets::ACCESS_KEY_SECRET;

/// A grace period up to this long is waited for in the same run; a longer one leaves the deletion to the next.
pub const LONGEST_WATCH: SignedDuration = SignedDuration::from_mins(15);
/// A key this young was issued by the rotation that a left-over former key belongs to.
const ONE_ROTATION: SignedDuration = SignedDuration::from_hours(24);

/// What was asked for, and when.
#[derive(Clone, Debug)]
pub struct Rotation<'a> {
    pub config: &'a Config,
    /// How long the old key must have been quiet before it is deleted.
    pub grace: SignedDuration,
    /// How long to wait for runs that may hold the old key.
    pub drain: SignedDuration,
    /// Only end what an earlier run began.
    pub finish: bool,
    pub now: Timestamp,
}

/// The steps that replace the key, or that end a replacement which was begun. A second run after it plans a new one.
pub fn plan_rotation(rotation: &Rotation<'_>, found: &KeyObserved) -> Plan {
    let mut plan = Plan::default();
    let config = rotation.config;
    let user = match subject(config, found) {
        Ok(user) => user,
        Err(refusal) => {
            plan.refusals.push(refusal);
            return plan;
        }
    };
    let keys = standings(&user.keys, found.secret_written);
    plan.refusals.extend(keys.iter().filter_map(|(key, standing)| used_by_others(config, key, *standing)));
    let Some((current, _)) = keys.iter().find(|(_, standing)| *standing == Standing::Current) else {
        plan.refusals.push(nothing_to_replace(found));
        return plan;
    };
    if !plan.refusals.is_empty() {
        return plan;
    }
    let with = |standing: Standing| keys.iter().filter(move |(_, found)| *found == standing).map(|(key, _)| *key);
    let mut cleared: Vec<StepId> = Vec::new();
    for leftover in with(Standing::Leftover) {
        cleared.push(plan.add(delete(config, user, leftover, KeyEnd::Leftover), []));
    }
    if !current.active {
        // Somebody switched it off, and no job can sign in: whatever else is there, a new one comes first.
        if rotation.finish {
            plan.waiting
                .push(format!("{} is in the secret and inactive: `sbi rotate-keys` issues another", current.id));
            return plan;
        }
        cleared.push(plan.add(delete(config, user, current, KeyEnd::Replaced), []));
        let (active, inactive): (Vec<&KeyFacts>, Vec<&KeyFacts>) = with(Standing::Former).partition(|key| key.active);
        cleared.extend(inactive.into_iter().map(|key| plan.add(delete(config, user, key, KeyEnd::Replaced), [])));
        let issued = issue(&mut plan, rotation, user, found, cleared);
        for former in active {
            retire(&mut plan, rotation, user, former, Some(issued));
        }
        return plan;
    }
    for former in with(Standing::Former) {
        if former.active {
            // That rotation was cut off before its old key was deactivated.
            retire(&mut plan, rotation, user, former, None);
            return plan;
        }
        let quiet_since = found.secret_written.into_iter().chain(former.last_used.as_ref().map(|used| used.at)).max();
        let due = quiet_since.unwrap_or(former.created) + rotation.grace;
        if !rotation.finish && rotation.now < due {
            plan.waiting.push(format!(
                "{} is inactive and is deleted by the first run after {}: `sbi rotate-keys --finish` deletes it now",
                former.id,
                minute(due)
            ));
            return plan;
        }
        cleared.push(plan.add(delete(config, user, former, KeyEnd::Replaced), []));
        if rotation.now < current.created + ONE_ROTATION {
            return plan;
        }
    }
    if rotation.finish {
        return plan;
    }
    let issued = issue(&mut plan, rotation, user, found, cleared);
    retire(&mut plan, rotation, user, current, Some(issued));
    plan
}

fn issue(plan: &mut Plan, rotation: &Rotation<'_>, user: &User, found: &KeyObserved, cleared: Vec<StepId>) -> StepId {
    let config = rotation.config;
    let step = Step::IssueAccessKey {
        arn: user.arn.clone(),
        user: config.user(),
        repository: config.github.repository.clone(),
        written: found.secret_written,
    };
    plan.add(step, cleared)
}

/// Takes `key` out of use, once nobody can hold it any more.
fn retire(plan: &mut Plan, rotation: &Rotation<'_>, user: &User, key: &KeyFacts, issued: Option<StepId>) {
    let config = rotation.config;
    let (arn, name) = (user.arn.clone(), config.user());
    let mut last = issued;
    if key.active {
        let repository = config.github.repository.clone();
        let drained = plan.add(Step::DrainRuns { repository, patience: rotation.drain, queued_before: None }, issued);
        let key_id = key.id.clone();
        last = Some(plan.add(Step::DeactivateAccessKey { arn: arn.clone(), user: name.clone(), key_id }, [drained]));
    }
    if rotation.grace > LONGEST_WATCH {
        plan.waiting.push(format!(
            "{} stays, inactive, for {}: `sbi rotate-keys --finish` deletes it then, and so does the next rotation",
            key.id,
            period(rotation.grace)
        ));
        return;
    }
    if key.active && rotation.grace.is_positive() {
        let watch = Step::WatchAccessKey { arn, user: name, key_id: key.id.clone(), quiet: rotation.grace };
        last = Some(plan.add(watch, last));
    }
    plan.add(delete(config, user, key, KeyEnd::Replaced), last);
}

fn delete(config: &Config, user: &User, key: &KeyFacts, end: KeyEnd) -> Step {
    Step::DeleteAccessKey { arn: user.arn.clone(), user: config.user(), key_id: key.id.clone(), end }
}

/// The user whose keys these are, when they can be touched at all.
fn subject<'a>(config: &Config, found: &'a KeyObserved) -> Result<&'a User, Failure> {
    if let Some(refusal) = wrong_account(config, &found.caller) {
        return Err(refusal);
    }
    if config.publish.auth == Auth::Oidc {
        return Err(Failure::usage(format!(
            "{} signs in by OIDC: there is no access key to replace",
            config.github.repository
        ))
        .hinted("nothing is to be done: GitHub's tokens live for minutes and are new for every job"));
    }
    if let Some(now) = &found.repository
        && let Some(refusal) = renamed(&config.github.repository, &now.full_name)
    {
        return Err(refusal.hinted("or have `sbi apply` follow it, with all that names it"));
    }
    let name = config.user();
    let Some(user) = &found.user else {
        return Err(Failure::new(format!("there is no IAM user {name}"))
            .hinted("`sbi plan` shows what is missing, `sbi apply` makes it"));
    };
    untouchable(config, found, user).map_or(Ok(user), Err)
}

/// Why this user is not touched; `None` when it is the repository's own.
pub(super) fn untouchable(config: &Config, found: &KeyObserved, user: &User) -> Option<Failure> {
    let name = config.user();
    let claimant = Claimant {
        repository: config.github.repository.clone(),
        id: found.repository.as_ref().map(|repository| repository.id),
        former_names: BTreeSet::new(),
    };
    let own = || (found.caller.arn == user.arn).then(|| own_identity("user", name.as_str()));
    not_ours(&claimant, ("user", name.as_str(), "--user-name"), &user.tags, None).or_else(own)
}

fn nothing_to_replace(found: &KeyObserved) -> Failure {
    match found.secret_written {
        None => {
            Failure::new(format!("there is no secret {ACCESS_KEY_SECRET}, so no job has a key that could be replaced"))
                .hinted("`sbi apply` issues the first one")
        }
        Some(written) => {
            Failure::new(format!("the key that was put into secret {ACCESS_KEY_SECRET} on {} is gone", minute(written)))
                .hinted("`sbi apply` issues a new one")
        }
    }
}

/// A key that somebody beside the pipeline uses: taking it away would break what nobody here knows.
pub(super) fn used_by_others(config: &Config, key: &KeyFacts, standing: Standing) -> Option<Failure> {
    let used = key.last_used.as_ref()?;
    let foreign = match standing {
        Standing::Foreign => true,
        Standing::Current | Standing::Former => is_by_somebody_else(used, &config.aws.region),
        Standing::Leftover => false,
    };
    foreign.then(|| {
        let failure = Failure::new(format!(
            "access key {} of {} was last used on {} in {}, at {}: that was not the pipeline",
            key.id,
            config.user(),
            used.service,
            used.region,
            minute(used.at)
        ))
        .hinted("find who uses it in AWS CloudTrail by its id, and give them an identity of their own");
        match standing {
            Standing::Foreign => failure.hinted(format!(
                "when that is done: `aws iam delete-access-key --user-name {} --access-key-id {}`",
                config.user(),
                key.id
            )),
            _ => failure.hinted(
                "when that is done: publish once more, or run the nightly scan, so that the last use is the pipeline's",
            ),
        }
    })
}

/// `2026-11-25 18:40 UTC`
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `24 h`, `10 min`
pub(super) fn period(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    match seconds {
        _ if seconds % 3600 == 0 && seconds != 0 => format!("{} h", seconds / 3600),
        _ if seconds % 60 == 0 && seconds != 0 => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// The age of the oldest key that works, and which one it is.
#[must_use]
pub fn oldest_active(user: &User, now: Timestamp) -> Option<(&KeyFacts, SignedDuration)> {
    let oldest = user.keys.iter().filter(|key| key.active).min_by_key(|key| key.created)?;
    Some((oldest, now.duration_since(oldest.created)))
}

/// What a finished rotation must not leave behind, in words: a key that works beside the one in the secret, one that
/// never got there, or none that works.
#[must_use]
pub fn unfinished(found: &KeyObserved) -> Option<String> {
    let keys = found.user.as_ref().map(|user| standings(&user.keys, found.secret_written)).unwrap_or_default();
    let mut works = false;
    for (key, standing) in keys {
        match standing {
            Standing::Current if key.active => works = true,
            Standing::Current => return Some(format!("access key {} is in the secret and inactive", key.id)),
            Standing::Former if !key.active => {}
            Standing::Former => return Some(format!("access key {} still works", key.id)),
            Standing::Leftover | Standing::Foreign => return Some(format!("access key {} is in no secret", key.id)),
        }
    }
    (!works).then(|| "no access key is in the secret".to_owned())
}
