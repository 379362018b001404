//! Who calls, and may they? Every question that is asked here is kept for `performed`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::refusal::{Outcome, Protocol, Refusal};
use super::signature::{Authorization, Scope};
use super::state::World;
use super::{OPERATOR, PerformedCall};
use crate::model::evaluation::{Call, Context, Decision, evaluate_identity};
use crate::model::iam::PolicyDocument;
use crate::model::observed::KeyUse;
use crate::sandbox::http::Request;

/// Condition keys that a call adds to the global ones.
pub(super) type Extra = BTreeMap<String, Vec<String>>;

/// Whose signature was verified.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) principal: Principal,
    pub(super) region: String,
    pub(super) protocol: Protocol,
}

#[derive(Clone)]
pub(super) enum Principal {
    User(String),
    Session { role: String, role_id: String, name: String },
}

impl Caller {
    /// The user that calls without being named; sessions have none.
    pub(super) fn own_user(&self) -> Outcome<&str> {
        match &self.principal {
            Principal::User(name) => Ok(name),
            Principal::Session { .. } => {
                Err(Refusal::validation("Must specify userName when calling with non-User credentials"))
            }
        }
    }

    pub(super) fn arn(&self, world: &World) -> String {
        match &self.principal {
            Principal::User(name) => world.user_arn(name),
            Principal::Session { role, name, .. } => world.session_arn(role, name),
        }
    }

    /// `aws:userid`
    pub(super) fn user_id(&self, world: &World) -> String {
        match &self.principal {
            Principal::User(name) => world.users.get(name).map(|user| user.id.clone()).unwrap_or_default(),
            Principal::Session { role_id, name, .. } => format!("{role_id}:{name}"),
        }
    }
}

/// Verifies the signature and finds whose it is.
pub(super) fn authenticate(world: &mut World, request: &Request, protocol: Protocol) -> Outcome<(Caller, Scope)> {
    let authorization = Authorization::read(request, protocol).ok_or_else(|| Refusal::unsigned(protocol))??;
    let now = (world.clock)();
    let token = request.header("x-amz-security-token");
    let (secret, principal) = if let Some(key) = world.keys.get_mut(&authorization.key_id) {
        if token.is_some() {
            return Err(Refusal::unknown_key(protocol));
        }
        if key.refusals_left > 0 {
            key.refusals_left -= 1;
            return Err(Refusal::unknown_key(protocol));
        }
        if !key.active {
            return Err(Refusal::unknown_key(protocol));
        }
        (&key.secret, Principal::User(key.user.clone()))
    } else if let Some(session) = world.sessions.get(&authorization.key_id) {
        if token != Some(session.token.expose_secret()) {
            return Err(Refusal::unknown_key(protocol));
        }
        if session.expires <= now {
            return Err(Refusal::expired_session(protocol));
        }
        let principal = Principal::Session {
            role: session.role.clone(),
            role_id: session.role_id.clone(),
            name: session.name.clone(),
        };
        (&session.secret, principal)
    } else {
        return Err(Refusal::unknown_key(protocol));
    };
    authorization.verify(request, secret.expose_secret(), protocol, Timestamp::now())?;
    let scope = authorization.scope.clone();
    if let Some(key) = world.keys.get_mut(&authorization.key_id) {
        key.last_used = Some(KeyUse { at: now, service: scope.service.clone(), region: scope.region.clone() });
    }
    Ok((Caller { principal, region: scope.region.clone(), protocol }, scope))
}

/// Asks the caller's identity policies, and keeps question and answer.
pub(super) fn authorise(world: &mut World, caller: &Caller, action: &str, resource: &str, extra: Extra) -> Outcome<()> {
    let arn = caller.arn(world);
    let context = context_of(world, caller, &arn, extra);
    let policies = policies_of(world, &caller.principal);
    let decision =
        evaluate_identity(&policies.iter().collect::<Vec<_>>(), &Call { action, resource, context: &context });
    world.performed.push(PerformedCall {
        action: action.into(),
        resource: resource.into(),
        allowed: decision.is_allowed(),
        caller_arn: arn.clone(),
    });
    let because = match decision {
        Decision::Allowed { .. } => return Ok(()),
        Decision::ImplicitlyDenied => format!("because no identity-based policy allows the {action} action"),
        Decision::ExplicitlyDenied { .. } => "with an explicit deny in an identity-based policy".into(),
    };
    let message = format!("User: {arn} is not authorized to perform: {action} on resource: {resource} {because}");
    Err(Refusal::denied(caller.protocol, message))
}

/// What a user or a role may do, all its policies together. A role that is gone takes its sessions' rights along.
pub(super) fn policies_of(world: &World, principal: &Principal) -> Vec<PolicyDocument> {
    match principal {
        Principal::User(name) => {
            let own = world.users.get(name).into_iter().flat_map(|user| user.policies.documents().into_values());
            let attached = (name == OPERATOR).then(|| world.operator_policy.clone());
            own.chain(attached).collect()
        }
        Principal::Session { role, role_id, .. } => world
            .roles
            .get(role)
            .filter(|role| role.id == *role_id)
            .map(|role| role.policies.documents().into_values().collect())
            .unwrap_or_default(),
    }
}

fn context_of(world: &World, caller: &Caller, arn: &str, extra: Extra) -> Context {
    let now = (world.clock)();
    let (kind, principal_arn) = match &caller.principal {
        Principal::User(_) => ("User", arn.to_owned()),
        Principal::Session { role, .. } => ("AssumedRole", world.role_arn(role)),
    };
    let mut context = extra;
    let mut put = |key: &str, value: String| context.insert(key.to_owned(), vec![value]);
    put("aws:PrincipalArn", principal_arn);
    put("aws:PrincipalAccount", world.account.to_string());
    put("aws:PrincipalType", kind.into());
    put("aws:userid", caller.user_id(world));
    put("aws:CurrentTime", now.to_string());
    put("aws:EpochTime", now.as_second().to_string());
    put("aws:SourceIp", "127.0.0.1".into());
    // The loopback stands for the TLS connection that the client would have.
    put("aws:SecureTransport", "true".into());
    put("aws:RequestedRegion", caller.region.clone());
    if let Principal::User(name) = &caller.principal {
        put("aws:username", name.clone());
    }
    context
}
