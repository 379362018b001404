//! The identities of CI. Each goes with our policy, and an owned user with its keys; what others hung on one is a
//! refusal, because IAM would refuse half-way.

use std::collections::BTreeSet;

use super::of_others;
use crate::failure::Failure;
use crate::model::config::Config;
use crate::model::holdings::{Holdings, IamHoldings};
use crate::model::identity::{OIDC_ISSUER, Purpose};
use crate::model::observed::{KeyFacts, Observed, Role, User};
use crate::model::ownership::{ADOPTED_TAG, Claimant, OWNER_ID_TAG};
use crate::model::secrets::ACCESS_KEY_SECRET;
use crate::plan::access_keys::{Standing, is_by_somebody_else, standings};
use crate::plan::setup::{keep, own_identity};
use crate::plan::step::{KeyEnd, Step};
use crate::plan::{Plan, StepId};

/// Returns the steps after which no job signs in any more.
pub(super) fn plan(plan: &mut Plan, config: &Config, observed: &Observed, holdings: &Holdings) -> Vec<StepId> {
    let mut last = Vec::new();
    let claimant = Claimant::new(&config.github.repository, observed.github.repository.as_ref());
    let roles = [
        (Purpose::Publish, &observed.aws.role, &holdings.role),
        (Purpose::Read, &observed.aws.read_role, &holdings.read_role),
    ];
    for (purpose, found, held) in roles {
        if let Some(found) = found {
            last.extend(plan_role(plan, config, purpose, (found, held), (&claimant, &observed.aws.caller.arn)));
        }
    }
    if let Some(found) = &observed.aws.user {
        last.extend(plan_user(plan, config, observed, (found, &holdings.user), &claimant));
    }
    if observed.aws.oidc_provider.is_some() {
        keep(plan, format!("OIDC provider {OIDC_ISSUER}"), "is shared by the whole account");
    }
    last
}

fn plan_role(
    plan: &mut Plan,
    config: &Config,
    purpose: Purpose,
    (found, held): (&Role, &IamHoldings),
    (claimant, caller): (&Claimant, &str),
) -> Vec<StepId> {
    let name = purpose.role(config);
    let owner = claimant.owner_of(&found.tags, Some(&found.trust));
    if let Some(why) = of_others(owner, claimant, &untagging("role", name.as_str())) {
        keep(plan, format!("IAM role {name}"), why);
        return Vec::new();
    }
    if caller.contains(&format!(":assumed-role/{name}/")) {
        plan.refusals.push(own_identity("role", name.as_str()));
        return Vec::new();
    }
    let adopted = found.tags.contains_key(ADOPTED_TAG);
    if !adopted {
        plan.refusals.extend(hung_on("role", name.as_str(), purpose.policy_name(), held));
    }
    let arn = found.arn.clone();
    let policy = found
        .policy
        .as_ref()
        .map(|_| plan.add(Step::DeleteRolePolicy { arn: arn.clone(), name: name.clone(), purpose }, []));
    if adopted {
        keep(
            plan,
            format!("IAM role {name}"),
            format!(
                "was handed over to sbi, not made by it; whom it trusts stays as sbi set it: \
                 `aws iam get-role --role-name {name}`"
            ),
        );
        return policy.into_iter().collect();
    }
    vec![plan.add(Step::DeleteRole { arn, name }, policy)]
}

fn plan_user(
    plan: &mut Plan,
    config: &Config,
    observed: &Observed,
    (found, held): (&User, &IamHoldings),
    claimant: &Claimant,
) -> Vec<StepId> {
    let name = config.user();
    let owner = claimant.owner_of(&found.tags, None);
    if let Some(why) = of_others(owner, claimant, &untagging("user", name.as_str())) {
        keep(plan, format!("IAM user {name}"), why);
        return Vec::new();
    }
    if observed.aws.caller.arn == found.arn {
        plan.refusals.push(own_identity("user", name.as_str()));
        return Vec::new();
    }
    let adopted = found.tags.contains_key(ADOPTED_TAG);
    if !adopted {
        plan.refusals.extend(hung_on("user", name.as_str(), Purpose::Publish.policy_name(), held));
        plan.refusals.extend(found.keys.iter().filter_map(|key| used_elsewhere(config, key)));
    }
    let secrets = plan_key_secrets(plan, config, observed, &found.keys);
    let arn = found.arn.clone();
    let policy =
        found.policy.as_ref().map(|_| plan.add(Step::DeleteUserPolicy { arn: arn.clone(), name: name.clone() }, []));
    if adopted {
        keep(plan, format!("IAM user {name}"), "was handed over to sbi, not made by it; its access keys stay with it");
        return policy.into_iter().chain(secrets).collect();
    }
    let mut before: Vec<StepId> = policy.into_iter().collect();
    for key in &found.keys {
        let step = Step::DeleteAccessKey {
            arn: arn.clone(),
            user: name.clone(),
            key_id: key.id.clone(),
            end: KeyEnd::WithUser,
        };
        // A key tells that a secret is ours, so the secrets go before the keys that prove it.
        before.push(plan.add(step, secrets.iter().copied()));
    }
    vec![plan.add(Step::DeleteUser { arn, name }, before)]
}

/// The secret with the access key: ours when it was written after a key of our user was born. An older one is
/// somebody else's that sbi never came to replace.
fn plan_key_secrets(plan: &mut Plan, config: &Config, observed: &Observed, keys: &[KeyFacts]) -> Vec<StepId> {
    let Some(found) = &observed.github.repository else { return Vec::new() };
    let Some(written) = found.secrets.get(ACCESS_KEY_SECRET) else { return Vec::new() };
    if !standings(keys, Some(*written)).iter().any(|(_, standing)| *standing == Standing::Current) {
        return Vec::new();
    }
    let repository = config.github.repository.clone();
    vec![plan.add(Step::DeleteSecret { repository, name: ACCESS_KEY_SECRET.into() }, [])]
}

/// The command that takes the number of a GitHub repository off a role or user.
fn untagging(kind: &str, name: &str) -> String {
    format!("aws iam untag-{kind} --{kind}-name {name} --tag-keys {OWNER_ID_TAG}")
}

/// What others put on a role or a user that sbi made, each with the command that shows it.
pub(in crate::plan) fn hung_on(kind: &str, name: &str, ours: &str, held: &IamHoldings) -> Option<Failure> {
    let inline: BTreeSet<String> = held.policies.iter().filter(|policy| *policy != ours).cloned().collect();
    let password = held.has_password.then(|| "for the console".to_owned()).into_iter().collect();
    let lists = [
        ("the inline policy", &inline, format!("list-{kind}-policies")),
        ("the managed policy", &held.attached, format!("list-attached-{kind}-policies")),
        ("the instance profile", &held.instance_profiles, "list-instance-profiles-for-role".into()),
        ("membership in", &held.groups, "list-groups-for-user".into()),
        ("the MFA device", &held.mfa_devices, "list-mfa-devices".into()),
        ("a password", &password, "get-login-profile".into()),
    ];
    let found: Vec<_> = lists.iter().filter(|(_, which, _)| !which.is_empty()).collect();
    if found.is_empty() {
        return None;
    }
    let named = |(what, which, _): &&(&str, &BTreeSet<String>, String)| {
        format!("{what} {}", which.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    let what: Vec<String> = found.iter().map(named).collect();
    let failure = Failure::new(format!("IAM {kind} {name} holds what sbi did not put there: {}", what.join("; ")));
    let shows = |failure: Failure, (_, _, command): &&(&str, &BTreeSet<String>, String)| {
        failure.hinted(format!("`aws iam {command} --{kind}-name {name}` shows it"))
    };
    let failure = found.iter().fold(failure, shows);
    Some(failure.hinted(format!("take it off first, or keep the {kind}: `{}`", keeping(kind, name))))
}

/// The command that makes sbi keep a role or user.
fn keeping(kind: &str, name: &str) -> String {
    format!("aws iam tag-{kind} --{kind}-name {name} --tags Key={ADOPTED_TAG},Value=true")
}

fn used_elsewhere(config: &Config, key: &KeyFacts) -> Option<Failure> {
    let last = key.last_used.as_ref().filter(|last| is_by_somebody_else(last, &config.aws.region))?;
    let (user, id) = (config.user(), &key.id);
    Some(
        Failure::new(format!(
            "access key {id} of IAM user {user} is used for more than publishing: last for {} in {}, at {}",
            last.service, last.region, last.at
        ))
        .hinted(format!("`aws iam get-access-key-last-used --access-key-id {id}` shows it"))
        .hinted(format!(
            "when nothing needs it any more: `aws iam delete-access-key --user-name {user} --access-key-id {id}`, then \
             `sbi destroy` again"
        )),
    )
}
