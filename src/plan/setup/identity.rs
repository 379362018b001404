//! The identities of CI: roles that GitHub's OIDC tokens may assume, one that pushes and one that reads, or a user with
//! one access key.

use std::collections::BTreeMap;

use super::github::Ground;
use super::{keep, owned_by};
use crate::failure::Failure;
use crate::model::config::Config;
use crate::model::desired::Desired;
use crate::model::evaluation::{ROLE_INLINE_LIMIT, USER_INLINE_LIMIT, counted_size};
use crate::model::iam::PolicyDocument;
use crate::model::identity::{OIDC_AUDIENCE, OIDC_ISSUER, Purpose, provider_arn, publishing_policy};
use crate::model::observed::{KeyFacts, Observed, Role, User};
use crate::model::ownership::{ADOPTED_TAG, Claimant, OWNER_ID_TAG, OWNER_TAG, Owner};
use crate::model::secrets::ACCESS_KEY_SECRET;
use crate::plan::access_keys::{MOST_KEYS, Standing, standings};
use crate::plan::step::{KeyEnd, RoleTrust, Step, Trusted};
use crate::plan::{Known, Plan, StepId};

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
    if let Some(refusal) = too_many_images(config, &document, (name.as_str(), ROLE_INLINE_LIMIT)) {
        plan.refusals.push(refusal);
        return None;
    }
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
    let claimant = Claimant::new(&config.github.repository, observed.github.repository.as_ref());
    if let Some(refusal) = not_ours(&claimant, ("role", name.as_str(), flag), &found.tags, Some(&found.trust)) {
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

/// What IAM would not store is refused before anything is made.
fn too_many_images(config: &Config, document: &PolicyDocument, (who, limit): (&str, usize)) -> Option<Failure> {
    let size = counted_size(&document.to_json());
    (size > limit).then(|| {
        let images = config.publish.images.len();
        Failure::usage(format!(
            "{images} images are too many for one identity: the policy of {who} would have {size} characters, and IAM \
             takes {limit}"
        ))
        .hinted("publish some of them from another GitHub repository")
    })
}

/// Returns what `plan_roles` does.
pub(super) fn plan_user(plan: &mut Plan, desired: &Desired, observed: &Observed, ground: &Ground) -> Vec<StepId> {
    let config = &desired.config;
    let name = config.user();
    let arn = config.iam_arn(&format!("user/{name}"));
    let document = publishing_policy(config);
    if let Some(refusal) = too_many_images(config, &document, (name.as_str(), USER_INLINE_LIMIT)) {
        plan.refusals.push(refusal.hinted("or publish by OIDC: `--auth oidc`; a role takes five times as much"));
        return Vec::new();
    }
    let repositories = config.ecr_repositories();
    let found = observed.github.repository.as_ref();
    let written = found.and_then(|repository| repository.secrets.get(ACCESS_KEY_SECRET).copied());
    let issue = Step::IssueAccessKey {
        arn: arn.clone(),
        user: name.clone(),
        repository: config.github.repository.clone(),
        written,
    };
    let Some(found) = &observed.aws.user else {
        let owner = ground.ownership(config);
        let created = plan.add(Step::CreateUser { arn: arn.clone(), name: name.clone(), owner }, ground.created);
        let policy = plan.add(
            Step::SetUserPolicy { arn: arn.clone(), name: name.clone(), document, repositories, replaces: false },
            [created],
        );
        // The key is tried on ECR before it is uploaded, so the policy comes first.
        plan.add(issue, ground.created.into_iter().chain([created, policy]));
        return Vec::new();
    };
    let claimant = Claimant::new(&config.github.repository, observed.github.repository.as_ref());
    if let Some(refusal) = not_ours(&claimant, ("user", name.as_str(), "--user-name"), &found.tags, None) {
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
    let keys = standings(&found.keys, written);
    if !keys.iter().any(|(key, standing)| *standing == Standing::Current && key.active) {
        plan_new_key(plan, desired, found, before_key, &keys, issue);
    }
    marking
}

/// Clears what an interrupted run left behind, then issues a key, unless somebody else's keys take both places.
fn plan_new_key(
    plan: &mut Plan,
    desired: &Desired,
    found: &User,
    mut before_key: Vec<StepId>,
    keys: &[(&KeyFacts, Standing)],
    issue: Step,
) {
    let user = desired.config.user();
    let mut staying = Vec::new();
    for (key, standing) in keys {
        if key.active && *standing == Standing::Leftover {
            let (arn, key_id) = (found.arn.clone(), key.id.clone());
            let step = Step::DeleteAccessKey { arn, user: user.clone(), key_id, end: KeyEnd::Leftover };
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

/// Why a role or a user that `tags` and `trust` tell about is not touched; `None` when it is `claimant`'s own.
pub(in crate::plan) fn not_ours(
    claimant: &Claimant,
    (kind, name, flag): (&str, &str, &str),
    tags: &BTreeMap<String, String>,
    trust: Option<&PolicyDocument>,
) -> Option<Failure> {
    let refuse = |text: String| Failure::usage(text).hinted(format!("choose another name: `{flag} NAME`"));
    let tag = |tag: &str, value: &str| {
        format!(
            "or hand it over: `aws iam tag-{kind} --{kind}-name {name} --tags Key={tag},Value={value} \
             Key={ADOPTED_TAG},Value=true`"
        )
    };
    match claimant.owner_of(tags, trust) {
        Owner::Ours => None,
        Owner::Unmarked => Some(
            refuse(format!("IAM {kind} {name} exists and was not made by sbi"))
                .hinted(tag(OWNER_TAG, &claimant.repository.to_string())),
        ),
        Owner::Other { name: owner, id } => {
            let whose = owned_by(owner.as_deref(), id.as_deref(), claimant);
            let mut failure = refuse(format!("IAM {kind} {name} {whose}"));
            if let Some(id) = &id {
                failure = failure.hinted(format!(
                    "`gh api repositories/{id} --jq .full_name` tells what that repository is called now: it goes into \
                     sbi.toml when it is yours"
                ));
            }
            Some(failure.hinted(match claimant.id {
                Some(ours) => tag(OWNER_ID_TAG, &ours.to_string()),
                None => format!(
                    "or, when that repository is gone for good: `aws iam untag-{kind} --{kind}-name {name} --tag-keys \
                     {OWNER_ID_TAG}`"
                ),
            }))
        }
    }
}

/// Nobody takes the rights of the identity that runs sbi.
pub(in crate::plan) fn own_identity(kind: &str, name: &str) -> Failure {
    Failure::usage(format!("you are signed in as IAM {kind} {name}, which this plan would change"))
        .hinted("sign in as somebody else: sbi does not change the rights of the identity that runs it")
}
