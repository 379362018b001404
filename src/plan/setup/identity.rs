//! The identities of CI: roles that GitHub's OIDC tokens may assume, one that pushes and one that reads, or a user with
//! one access key.

use jiff::{SignedDuration, Timestamp};

use super::github::Ground;
use super::secrets::{KEY_ID_SECRET, SECRET_KEY_SECRET};
use super::{keep, owned_by};
use crate::failure::Failure;
use crate::model::config::Config;
use crate::model::desired::Desired;
use crate::model::identity::{OIDC_AUDIENCE, OIDC_ISSUER, Purpose, provider_arn, publishing_policy};
use crate::model::observed::{KeyFacts, Observed, Role, User};
use crate::model::ownership::{OWNER_ID_TAG, OWNER_TAG, Owner, owner_of};
use crate::plan::step::{RoleTrust, Step, Trusted};
use crate::plan::{Known, Plan, StepId};

/// How far apart the clocks of AWS and GitHub may be, in seconds, when a key's birth is compared with a secret's.
const CLOCK_SKEW_SECONDS: i64 = 5;
/// For this long after its birth a key's use is our own check that it works, in seconds.
const OWN_CHECK_SECONDS: i64 = 120;
/// Access keys that one user may have, inactive ones included (IAM quotas).
const MOST_KEYS: usize = 2;

/// Returns the steps that mark what was found as ours: `sbi.lock` must not claim the repository's name before them.
pub(super) fn plan_roles(plan: &mut Plan, desired: &Desired, observed: &Observed, ground: &Ground) -> Vec<StepId> {
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
    let before: Vec<StepId> = ground.created.into_iter().chain(provider).collect();
    let mut role = |trusted: Trusted, found: Option<&Role>| {
        let trust = RoleTrust { config: config.clone(), trusted, github: ground.identity.clone() };
        plan_role(plan, trust, found, observed, ground, &before)
    };
    let publisher = role(Trusted::Publisher(desired.subject.clone()), observed.aws.role.as_ref());
    // A role that no job assumes would only be one more door.
    let reads = !desired.reading.is_empty();
    let reader = reads.then(|| role(Trusted::Reader(desired.reading.clone()), observed.aws.read_role.as_ref()));
    publisher.into_iter().chain(reader.flatten()).collect()
}

/// `before` is what its trust stands on: the provider, and the GitHub repository whose ids it names.
fn plan_role(
    plan: &mut Plan,
    trust: RoleTrust,
    found: Option<&Role>,
    observed: &Observed,
    ground: &Ground,
    before: &[StepId],
) -> Option<StepId> {
    let config = &trust.config;
    let purpose = trust.purpose();
    let name = purpose.role(config);
    let arn = config.iam_arn(&format!("role/{name}"));
    let document = purpose.policy(config);
    let repositories = config.ecr_repositories();
    let before = before.iter().copied();
    let Some(found) = found else {
        let owner = ground.ownership(config);
        let step = Step::CreateRole { arn: arn.clone(), name: name.clone(), trust: Box::new(trust), owner };
        let created = plan.add(step, before);
        let replaces = false;
        plan.add(Step::SetRolePolicy { arn, name, purpose, document, repositories, replaces }, [created]);
        return None;
    };
    let flag = match purpose {
        Purpose::Publish => "--role-name",
        Purpose::Read => "--read-role-name",
    };
    let owner =
        owner_of(&found.tags, Some(&found.trust), &config.github.repository, observed.github.repository.as_ref());
    if let Some(refusal) = not_ours(config, observed, "role", name.as_str(), flag, owner) {
        plan.refusals.push(refusal);
        return None;
    }
    let owner = ground.ownership(config);
    let marked = owner.is_told_by(&found.tags);
    let trusted = match &trust.github {
        Known::Now(identity) => found.trust == trust.document(identity),
        Known::After(_) => false,
    };
    let allowed = found.policy.as_ref() == Some(&document);
    let caller = &observed.aws.caller;
    if !(trusted && allowed && marked) && caller.arn.contains(&format!(":assumed-role/{name}/")) {
        plan.refusals.push(own_identity("role", name.as_str()));
        return None;
    }
    let step = || Step::TagRole { arn: arn.clone(), name: name.clone(), owner };
    let marking = (!marked).then(|| plan.add(step(), ground.created));
    if !trusted {
        plan.add(Step::SetRoleTrust { arn: arn.clone(), name: name.clone(), trust: Box::new(trust) }, before);
    }
    if !allowed {
        let replaces = found.policy.is_some();
        plan.add(Step::SetRolePolicy { arn, name, purpose, document, repositories, replaces }, []);
    }
    marking
}

/// Returns what `plan_roles` does.
pub(super) fn plan_user(plan: &mut Plan, desired: &Desired, observed: &Observed, ground: &Ground) -> Vec<StepId> {
    let config = &desired.config;
    let name = config.user();
    let arn = config.iam_arn(&format!("user/{name}"));
    let document = publishing_policy(config);
    let repositories = config.ecr_repositories();
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
        let owner = ground.ownership(config);
        let created = plan.add(Step::CreateUser { arn: arn.clone(), name: name.clone(), owner }, ground.created);
        let policy = plan.add(
            Step::SetUserPolicy { arn: arn.clone(), name: name.clone(), document, repositories, replaces: false },
            [created],
        );
        // The key is tried on ECR before it is uploaded, so the policy comes first.
        plan.add(issue(secrets_there), ground.created.into_iter().chain([created, policy]));
        return Vec::new();
    };
    let owner = owner_of(&found.tags, None, &config.github.repository, observed.github.repository.as_ref());
    if let Some(refusal) = not_ours(config, observed, "user", name.as_str(), "--user-name", owner) {
        plan.refusals.push(refusal);
        return Vec::new();
    }
    let owner = ground.ownership(config);
    let marked = owner.is_told_by(&found.tags);
    let allowed = found.policy.as_ref() == Some(&document);
    if !(allowed && marked) && observed.aws.caller.arn == found.arn {
        plan.refusals.push(own_identity("user", name.as_str()));
        return Vec::new();
    }
    let step = || Step::TagUser { arn: arn.clone(), name: name.clone(), owner };
    let marking: Vec<StepId> = (!marked).then(|| plan.add(step(), ground.created)).into_iter().collect();
    let mut before_key: Vec<StepId> = ground.created.into_iter().collect();
    if !allowed {
        let replaces = found.policy.is_some();
        let step = Step::SetUserPolicy { arn: arn.clone(), name: name.clone(), document, repositories, replaces };
        before_key.push(plan.add(step, []));
    }
    let uploaded = secrets.and_then(|secrets| Some(*secrets.get(KEY_ID_SECRET)?.min(secrets.get(SECRET_KEY_SECRET)?)));
    if !found.keys.iter().any(|key| key.active && delivered(key, uploaded)) {
        plan_new_key(plan, desired, found, before_key, uploaded, issue(secrets_there));
    }
    marking
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

fn not_ours(config: &Config, observed: &Observed, kind: &str, name: &str, flag: &str, owner: Owner) -> Option<Failure> {
    let repository = &config.github.repository;
    let refuse = |text: String| Failure::usage(text).hinted(format!("choose another name: `{flag} NAME`"));
    let tag = |tags: String| format!("or hand it over: `aws iam tag-{kind} --{kind}-name {name} --tags {tags}`");
    match owner {
        Owner::Ours => None,
        Owner::Unmarked => Some(
            refuse(format!("IAM {kind} {name} exists and was not made by sbi"))
                .hinted(tag(format!("Key={OWNER_TAG},Value={repository}"))),
        ),
        Owner::Other { name: owner, id } => {
            let mut failure =
                refuse(format!("IAM {kind} {name} {}", owned_by(owner.as_deref(), id.as_deref(), observed)));
            if let Some(id) = &id {
                failure = failure.hinted(format!(
                    "`gh api repositories/{id} --jq .full_name` tells what that repository is called now: it goes into \
                     sbi.toml when it is yours"
                ));
            }
            Some(match &observed.github.repository {
                Some(found) => {
                    failure.hinted(tag(format!("Key={OWNER_ID_TAG},Value={}", found.identity.repository_id)))
                }
                None => failure.hinted(format!(
                    "or, when that repository is gone for good: `aws iam untag-{kind} --{kind}-name {name} --tag-keys \
                     {OWNER_ID_TAG}`"
                )),
            })
        }
    }
}

fn own_identity(kind: &str, name: &str) -> Failure {
    Failure::usage(format!("you are signed in as IAM {kind} {name}, which this plan would change"))
        .hinted("sign in as somebody else: sbi does not change the rights of the identity that runs it")
}
