//! STS: who am I, and a workflow's token for credentials.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;

use super::PerformedCall;
use super::authority::Caller;
use super::query::{Node, Params};
use super::refusal::{Outcome, Protocol, Refusal};
use super::state::{Session, World, new_id, new_secret};
use crate::model::evaluation::{Context, Federated, evaluate_trust};

const ASSUME: &str = "sts:AssumeRoleWithWebIdentity";

/// GitHub's claims that AWS evaluates in a trust policy (IAM user guide, "Available keys for AWS OIDC federation").
/// A condition on any other claim never sees a value.
const EVALUATED_CLAIMS: [&str; 12] = [
    "aud",
    "sub",
    "actor",
    "actor_id",
    "job_workflow_ref",
    "repository",
    "repository_id",
    "repository_owner_id",
    "workflow",
    "ref",
    "environment",
    "enterprise_id",
];

pub(super) fn perform(world: &mut World, caller: &Caller, action: &str, params: &Params) -> Outcome<Vec<Node>> {
    match action {
        // Needs no right, and no policy can take it away (STS API reference, `GetCallerIdentity`).
        "GetCallerIdentity" => {
            params.only(&[])?;
            Ok(vec![
                Node::text("Arn", caller.arn(world)),
                Node::text("UserId", caller.user_id(world)),
                Node::text("Account", world.account.as_str()),
            ])
        }
        other => {
            Err(Refusal::new(400, "InvalidAction", format!("the sandbox does not know the operation sts:{other}")))
        }
    }
}

/// Unsigned: the token is the proof.
pub(super) fn assume_role_with_web_identity(world: &mut World, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["RoleArn", "RoleSessionName", "WebIdentityToken", "DurationSeconds"])?;
    let role_arn = params.need("RoleArn")?;
    let session_name = params.need("RoleSessionName")?;
    let name_fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session_name.len()) || !session_name.chars().all(name_fits) {
        return Err(Refusal::validation(format!(
            "1 validation error detected: Value '{session_name}' at 'roleSessionName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\w+=,.@-]{{2,64}}"
        )));
    }
    let duration =
        match params.get("DurationSeconds") {
            None => 3_600,
            Some(text) => text.parse().ok().filter(|seconds| (900..=43_200).contains(seconds)).ok_or_else(|| {
                Refusal::validation(format!("durationSeconds '{text}' must be between 900 and 43200"))
            })?,
        };
    let now = (world.clock)();
    let token = Token::read(world, params.need("WebIdentityToken")?, now)?;
    let mut context: Context = EVALUATED_CLAIMS
        .iter()
        .filter_map(|claim| Some((format!("{}:{claim}", token.provider), texts(token.claims.get(*claim)?)?)))
        .collect();
    context.insert("sts:RoleSessionName".into(), vec![session_name.into()]);
    context.insert("aws:FederatedProvider".into(), vec![token.provider_arn.clone()]);
    context.insert("aws:CurrentTime".into(), vec![now.to_string()]);
    let found = world.roles.iter().find(|(_, role)| role.arn == role_arn);
    let allowed = found.is_some_and(|(_, role)| {
        evaluate_trust(&role.trust.document, ASSUME, Federated(&token.provider_arn), &context).is_allowed()
    });
    world.performed.push(PerformedCall {
        action: ASSUME.into(),
        resource: role_arn.into(),
        allowed,
        caller_arn: token.provider_arn.clone(),
    });
    let Some((role_name, role)) = found.filter(|_| allowed) else {
        // A role that isn't there answers the same: strangers learn nothing.
        return Err(Refusal::denied(Protocol::Query, format!("Not authorized to perform {ASSUME}")));
    };
    if duration > role.longest_session {
        return Err(Refusal::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let expires = now + SignedDuration::from_secs(duration.into());
    let (id, secret, session_token) = (new_id("ASIA", 16), new_secret(40), new_secret(356));
    let answer = vec![
        Node::group(
            "Credentials",
            vec![
                Node::text("AccessKeyId", &id),
                Node::text("SecretAccessKey", &secret),
                Node::text("SessionToken", &session_token),
                Node::time("Expiration", expires),
            ],
        ),
        Node::text("SubjectFromWebIdentityToken", token.subject),
        Node::group(
            "AssumedRoleUser",
            vec![
                Node::text("AssumedRoleId", format!("{}:{session_name}", role.id)),
                Node::text("Arn", world.session_arn(role_name, session_name)),
            ],
        ),
        Node::text("Provider", token.provider_arn),
        Node::text("Audience", token.audience),
    ];
    let session = Session {
        role: role_name.clone(),
        role_id: role.id.clone(),
        name: session_name.into(),
        secret: SecretString::from(secret),
        token: SecretString::from(session_token),
        expires,
    };
    world.sessions.insert(id, session);
    Ok(answer)
}

/// A token that a provider of this account vouches for, whatever the role thinks of it.
struct Token {
    claims: BTreeMap<String, Value>,
    /// The issuer's URL without `https://`, the prefix of its condition keys.
    provider: String,
    provider_arn: String,
    subject: String,
    audience: String,
}

impl Token {
    fn read(world: &World, text: &str, now: Timestamp) -> Outcome<Self> {
        let invalid = |message: String| Refusal::new(400, "InvalidIdentityToken", message);
        let malformed = || {
            invalid(
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)".into(),
            )
        };
        if text.split('.').count() != 3 {
            return Err(malformed());
        }
        let verified = world
            .issuer
            .as_ref()
            .ok_or_else(|| invalid("Couldn't retrieve verification key from your identity provider".into()))?
            .verify(text)
            .map_err(|_| invalid("Token signature is not valid".into()))?;
        let Value::Object(claims) = verified else { return Err(malformed()) };
        let claims: BTreeMap<String, Value> = claims.into_iter().collect();
        let text_of = |claim: &str| claims.get(claim).and_then(Value::as_str).map(str::to_owned);
        let issuer = text_of("iss").ok_or_else(|| invalid("Missing a required claim: iss".into()))?;
        let provider = issuer.strip_prefix("https://").unwrap_or(&issuer).to_owned();
        let Some(known) = world.providers.get(&provider).filter(|_| issuer.starts_with("https://")) else {
            return Err(invalid(format!("No OpenIDConnect provider found in your account for {issuer}")));
        };
        let audiences = claims.get("aud").and_then(texts).unwrap_or_default();
        let Some(audience) = audiences.iter().find(|audience| known.audiences.contains(*audience)).cloned() else {
            return Err(invalid("Incorrect token audience".into()));
        };
        let subject = text_of("sub")
            .filter(|subject| !subject.is_empty())
            .ok_or_else(|| invalid("Missing a required claim: sub".into()))?;
        let second = |claim: &str| claims.get(claim).and_then(Value::as_i64);
        let now = now.as_second();
        let expires = second("exp").ok_or_else(|| invalid("Missing a required claim: exp".into()))?;
        second("iat").ok_or_else(|| invalid("Missing a required claim: iat".into()))?;
        if expires <= now {
            return Err(Refusal::new(
                400,
                "ExpiredTokenException",
                format!("Token expired: current date/time {now} must be before the expiration date/time {expires}"),
            ));
        }
        if second("nbf").is_some_and(|not_before| now < not_before) {
            return Err(invalid("Token is not yet valid".into()));
        }
        let provider_arn = known.arn.clone();
        Ok(Self { claims, provider, provider_arn, subject, audience })
    }
}

/// A claim as condition values; `None` for what is neither text, number, boolean nor a list of texts.
fn texts(claim: &Value) -> Option<Vec<String>> {
    match claim {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Number(number) => Some(vec![number.to_string()]),
        Value::Bool(value) => Some(vec![value.to_string()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        Value::Null | Value::Object(_) => None,
    }
}
