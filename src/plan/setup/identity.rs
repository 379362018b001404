//! The identity that CI publishes with: a role that GitHub's OIDC tokens may assume, or a user with one access key.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::github::Ground;
use super::keep;
use super::secrets::{KEY_ID_SECRET, SECRET_KEY_SECRET};
use crate::failure::Failure;
use crate::model::desired::Desired;
use crate::model::identity::{OIDC_AUDIENCE, OIDC_ISSUER, provider_arn, publishing_policy};
use crate::model::observed::{KeyFacts, Observed, User};
use crate::model::registry::{OWNER_TAG, ownership_tags};
use crate::plan::step::{RoleTrust, Step};
use crate::plan::{Known, Plan, StepId};

/// How far apart the clocks of AWS and GitHub may be, in seconds, when a key's birth is compared with a secret's.
const CLOCK_SKEW_SECONDS: i64 = 5;
/// For this long after its birth a key's use is our own check that it works, in seconds.
const OWN_CHECK_SECONDS: i64 = 120;
/// Access keys that one user may have, inactive ones included (IAM quotas).
const MOST_KEYS: usize = 2;

pub(super) fn plan_role(plan: &mut Plan, desired: &Desired, observed: &Observed, ground: &Ground) {
    let config = &desired.config;
    let arn = provider_arn(config);
    let provider = match &observed.aws.oidc_provider {
        None => Some(plan.add(
            Step::CreateOidcProvider { arn, url: format!("https://{OIDC_ISSUER}"), audience: OIDC_AUDIENCE.into() },
            [],
        )),
        Some(found) if !found.audiences.contains(OIDC_AUDIENCE) => {
            Some(plan.add(Step::AddOidcAudience { arn: found.arn.clone(), audience: OIDC_AUDIENCE.into() }, []))
        }
        Some(found) => {
            keep(plan, format!("OIDC provider {}", found.arn), "is there already, shared by the whole account");
            None
        }
    };
    let name = config.role();
    let arn = config.iam_arn(&format!("role/{name}"));
    let trust = Box::new(RoleTrust {
        config: config.clone(),
        subject: desired.subject.clone(),
        github: ground.identity.clone(),
    });
    let policy = publishing_policy(config);
    let Some(found) = &observed.aws.role else {
        let created = plan.add(
            Step::CreateRole { arn: arn.clone(), name: name.clone(), trust, tags: ownership_tags(config) },
            ground.created.into_iter().chain(provider),
        );
        plan.add(Step::SetRolePolicy { arn, name, document: policy, replaces: false }, [created]);
        return;
    };
    if let Some(refusal) = not_ours(desired, "role", name.as_str(), "--role-name", &found.tags) {
        plan.refusals.push(refusal);
        return;
    }
    let trusted = match &ground.identity {
        Known::Now(identity) => found.trust == trust.document(identity),
        Known::After(_) => false,
    };
    let allowed = found.policy.as_ref() == Some(&policy);
    if (!trusted || !allowed) && observed.aws.caller.arn.contains(&format!(":assumed-role/{name}/")) {
        plan.refusals.push(own_identity("role", name.as_str()));
        return;
    }
    if !trusted {
        plan.add(
            Step::SetRoleTrust { arn: arn.clone(), name: name.clone(), trust },
            ground.created.into_iter().chain(provider),
        );
    }
    if !allowed {
        plan.add(Step::SetRolePolicy { arn, name, document: policy, replaces: found.policy.is_some() }, []);
    }
}

pub(super) fn plan_user(plan: &mut Plan, desired: &Desired, observed: &Observed, ground: &Ground) {
    let config = &desired.config;
    let name = config.user();
    let arn = config.iam_arn(&format!("user/{name}"));
    let document = publishing_policy(config);
    let issue = |replaces| Step::IssueAccessKey {
        arn: arn.clone(),
        user: name.clone(),
        repository: config.github.repository.clone(),
        replaces,
    };
    let secrets = observed.github.repository.as_ref().map(|repository| &repository.secrets);
    let secrets_there =
        secrets.is_some_and(|secrets| secrets.contains_key(KEY_ID_SECRET) || secrets.contains_key(SECRET_KEY_SECRET));
    let Some(found) = &observed.aws.user else {
        let created =
            plan.add(Step::CreateUser { arn: arn.clone(), name: name.clone(), tags: ownership_tags(config) }, []);
        let policy = plan
            .add(Step::SetUserPolicy { arn: arn.clone(), name: name.clone(), document, replaces: false }, [created]);
        // The key is tried on ECR before it is uploaded, so the policy comes first.
        plan.add(issue(secrets_there), ground.created.into_iter().chain([created, policy]));
        return;
    };
    if let Some(refusal) = not_ours(desired, "user", name.as_str(), "--user-name", &found.tags) {
        plan.refusals.push(refusal);
        return;
    }
    let allowed = found.policy.as_ref() == Some(&document);
    if !allowed && observed.aws.caller.arn == found.arn {
        plan.refusals.push(own_identity("user", name.as_str()));
        return;
    }
    let mut before_key: Vec<StepId> = ground.created.into_iter().collect();
    if !allowed {
        let replaces = found.policy.is_some();
        before_key.push(plan.add(Step::SetUserPolicy { arn: arn.clone(), name: name.clone(), document, replaces }, []));
    }
    let uploaded = secrets.and_then(|secrets| Some(*secrets.get(KEY_ID_SECRET)?.min(secrets.get(SECRET_KEY_SECRET)?)));
    if found.keys.iter().any(|key| key.active && delivered(key, uploaded)) {
        return;
    }
    plan_new_key(plan, desired, found, before_key, uploaded, issue(secrets_there));
}

/// Both secrets were written after the key was born: `IssueAccessKey` is the only one that does so.
fn delivered(key: &KeyFacts, uploaded: Option<Timestamp>) -> bool {
    uploaded.is_some_and(|at| at + SignedDuration::from_secs(CLOCK_SKEW_SECONDS) >= key.created)
}

/// Clears what an interrupted run left behind, then issues a key, unless somebody else's keys take both places.
fn plan_new_key(
    plan: &mut Plan,
    desired: &Desired,
    found: &User,
    mut before_key: Vec<StepId>,
    uploaded: Option<Timestamp>,
    issue: Step,
) {
    let user = desired.config.user();
    let mut staying = Vec::new();
    for key in &found.keys {
        let used_by_others = key
            .last_used
            .as_ref()
            .is_some_and(|last| last.at > key.created + SignedDuration::from_secs(OWN_CHECK_SECONDS));
        if key.active && !used_by_others && !delivered(key, uploaded) {
            let step = Step::DeleteAccessKey { arn: found.arn.clone(), user: user.clone(), key_id: key.id.clone() };
            before_key.push(plan.add(step, []));
        } else {
            staying.push(key);
            let state = if key.active { "is in use elsewhere" } else { "is inactive" };
            keep(plan, format!("access key {} of {user}", key.id), state);
        }
    }
    if staying.len() >= MOST_KEYS {
        plan.refusals.push(
            Failure::new(format!("IAM user {user} has {MOST_KEYS} access keys already, AWS allows no third")).hinted(
                format!(
                    "delete one that nobody needs: `aws iam delete-access-key --user-name {user} --access-key-id {}`",
                    staying[0].id
                ),
            ),
        );
        return;
    }
    plan.add(issue, before_key);
}

fn not_ours(desired: &Desired, kind: &str, name: &str, flag: &str, tags: &BTreeMap<String, String>) -> Option<Failure> {
    let repository = desired.config.github.repository.to_string();
    let hint = |text: &str| Failure::usage(text).hinted(format!("choose another name: `{flag} NAME`"));
    match tags.get(OWNER_TAG) {
        Some(owner) if owner.eq_ignore_ascii_case(&repository) => None,
        Some(owner) => Some(hint(&format!("IAM {kind} {name} belongs to GitHub repository {owner}"))),
        None => Some(hint(&format!("IAM {kind} {name} exists and was not made by sbi")).hinted(format!(
            "or hand it over: `aws iam tag-{kind} --{kind}-name {name} --tags Key={OWNER_TAG},Value={repository}`"
        ))),
    }
}

fn own_identity(kind: &str, name: &str) -> Failure {
    Failure::usage(format!("you are signed in as IAM {kind} {name}, which this plan would change"))
        .hinted("sign in as somebody else: sbi does not change the rights of the identity that runs it")
}
