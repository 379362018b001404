//! The identities of CI: roles that GitHub's OIDC tokens may assume, one that pushes and one that reads, or a user with
//! one access key.

use std::collections::BTreeMap;

use super::github::Ground;
use super::keep;
use crate::failure::Failure;
use crate::model::config::Config;
use crate::model::desired::Desired;
use crate::model::identity::{OIDC_AUDIENCE, OIDC_ISSUER, Purpose, provider_arn, publishing_policy};
use crate::model::observed::{CallerIdentity, KeyFacts, Observed, Role, User};
use crate::model::registry::{OWNER_TAG, ownership_tags};
use crate::model::secrets::ACCESS_KEY_SECRET;
use crate::plan::access_keys::{MOST_KEYS, Standing, standings};
use crate::plan::step::{KeyEnd, RoleTrust, Step, Trusted};
use crate::plan::{Known, Plan, StepId};

pub(super) fn plan_roles(plan: &mut Plan, desired: &Desired, observed: &Observed, ground: &Ground) {
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
        plan_role(plan, trust, found, &observed.aws.caller, &before);
    };
    role(Trusted::Publisher(desired.subject.clone()), observed.aws.role.as_ref());
    // A role that no job assumes would only be one more door.
    if !desired.reading.is_empty() {
        role(Trusted::Reader(desired.reading.clone()), observed.aws.read_role.as_ref());
    }
}

/// `before` is what its trust stands on: the provider, and the GitHub repository whose ids it names.
fn plan_role(plan: &mut Plan, trust: RoleTrust, found: Option<&Role>, caller: &CallerIdentity, before: &[StepId]) {
    let config = &trust.config;
    let purpose = trust.purpose();
    let name = purpose.role(config);
    let arn = config.iam_arn(&format!("role/{name}"));
    let document = purpose.policy(config);
    let repositories = config.ecr_repositories();
    let before = before.iter().copied();
    let Some(found) = found else {
        let tags = ownership_tags(config);
        let step = Step::CreateRole { arn: arn.clone(), name: name.clone(), trust: Box::new(trust), tags };
        let created = plan.add(step, before);
        let replaces = false;
        plan.add(Step::SetRolePolicy { arn, name, purpose, document, repositories, replaces }, [created]);
        return;
    };
    let flag = match purpose {
        Purpose::Publish => "--role-name",
        Purpose::Read => "--read-role-name",
    };
    if let Some(refusal) = not_ours(config, "role", name.as_str(), flag, &found.tags) {
        plan.refusals.push(refusal);
        return;
    }
    let trusted = match &trust.github {
        Known::Now(identity) => found.trust == trust.document(identity),
        Known::After(_) => false,
    };
    let allowed = found.policy.as_ref() == Some(&document);
    if (!trusted || !allowed) && caller.arn.contains(&format!(":assumed-role/{name}/")) {
        plan.refusals.push(own_identity("role", name.as_str()));
        return;
    }
    if !trusted {
        plan.add(Step::SetRoleTrust { arn: arn.clone(), name: name.clone(), trust: Box::new(trust) }, before);
    }
    if !allowed {
        let replaces = found.policy.is_some();
        plan.add(Step::SetRolePolicy { arn, name, purpose, document, repositories, replaces }, []);
    }
}

pub(super) fn plan_user(plan: &mut Plan, desired: &Desired, observed: &Observed, ground: &Ground) {
    let config = &desired.config;
    let name = config.user();
    let arn = config.iam_arn(&format!("user/{name}"));
    let document = publishing_policy(config);
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
        let created =
            plan.add(Step::CreateUser { arn: arn.clone(), name: name.clone(), tags: ownership_tags(config) }, []);
        let policy = plan.add(
            Step::SetUserPolicy { arn: arn.clone(), name: name.clone(), document, repositories, replaces: false },
            [created],
        );
        // The key is tried on ECR before it is uploaded, so the policy comes first.
        plan.add(issue, ground.created.into_iter().chain([created, policy]));
        return;
    };
    if let Some(refusal) = not_ours(config, "user", name.as_str(), "--user-name", &found.tags) {
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
        let step = Step::SetUserPolicy { arn: arn.clone(), name: name.clone(), document, repositories, replaces };
        before_key.push(plan.add(step, []));
    }
    let keys = standings(&found.keys, written);
    if keys.iter().any(|(key, standing)| *standing == Standing::Current && key.active) {
        return;
    }
    plan_new_key(plan, desired, found, before_key, &keys, issue);
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
            let step = Step::DeleteAccessKey { arn, user: user.clone(), key_id, why: KeyEnd::Leftover };
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

pub(in crate::plan) fn not_ours(
    config: &Config,
    kind: &str,
    name: &str,
    flag: &str,
    tags: &BTreeMap<String, String>,
) -> Option<Failure> {
    let repository = config.github.repository.to_string();
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
