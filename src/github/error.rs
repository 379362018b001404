//! What a refusal means, decided once from status, headers and error codes; never from a message's wording.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Call, Reply};
use crate::failure::{Cause, Failure};

const AT_FAULT: &str = "the fault is not here: https://www.githubstatus.com tells how GitHub is";
const AGAIN: &str = "run the same command again";
/// After a write whose answer never came.
const MAY_BE_DONE: &str = "it may have been done all the same; run the same command again: it looks first";
/// GitHub asks for at least a minute where a limit names no time ("Rate limits for the REST API").
const UNTOLD_WAIT: Duration = Duration::from_secs(60);

const DAY_SECONDS: u64 = 86_400;

#[derive(Deserialize, Default)]
struct Body {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: serde_json::Value,
}

impl Body {
    fn of(reply: &Reply) -> Self {
        serde_json::from_slice(&reply.body).unwrap_or_default()
    }

    fn has_code(&self, code: &str) -> bool {
        self.errors.as_array().into_iter().flatten().any(|error| error["code"] == code)
    }

    /// GitHub's own words with the field errors, shortened, and the id that its support asks for.
    fn told(&self, reply: &Reply) -> String {
        let id = reply.header("x-github-request-id").map(|id| format!("request {id}"));
        match (self.text(), id) {
            (text, None) => text,
            (text, Some(id)) if text.is_empty() => id,
            (text, Some(id)) => format!("{text} ({id})"),
        }
    }

    fn text(&self) -> String {
        let details: Vec<&str> =
            self.errors.as_array().into_iter().flatten().filter_map(|e| e["message"].as_str().or(e.as_str())).collect();
        let mut text = self.message.trim_end_matches('.').to_owned();
        if !details.is_empty() {
            text = format!("{text} ({})", details.join("; "));
        }
        text.chars().take(400).collect()
    }
}

/// How long until a rate limit ends; `None` when the answer is no rate limit.
fn limited_for(reply: &Reply) -> Option<Duration> {
    if !matches!(reply.status, 403 | 429) {
        return None;
    }
    let number = |name: &str| reply.header(name)?.parse::<i64>().ok();
    if let Some(seconds) = number("retry-after") {
        return Some(Duration::from_secs(seconds.unsigned_abs()));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let left = number("x-ratelimit-reset").map(|reset| (reset - Timestamp::now().as_second()).max(1));
        return Some(left.map_or(UNTOLD_WAIT, |seconds| Duration::from_secs(seconds.unsigned_abs())));
    }
    (reply.status == 429).then_some(UNTOLD_WAIT)
}

/// How long to wait before a call is sent again; `None` when repeating would not help, or might do the work twice. What a
/// limit refuses was not done, so after one even a creation may be repeated.
pub(super) fn wait_before_repeating(reply: &Reply, repeatable: bool) -> Option<Duration> {
    match reply.status {
        500 | 502..=504 => repeatable.then_some(Duration::ZERO),
        _ => limited_for(reply),
    }
}

pub(super) fn unreachable(call: &Call, host: &str, reason: String) -> Failure {
    let failure = Failure::new(format!("could not {}: {host} can't be reached", call.what))
        .because(Cause::Unreachable)
        .hinted(format!("check that https://{host} answers from here; HTTPS_PROXY and NO_PROXY are honoured"))
        .caused_by(reason);
    if call.writes() { failure.hinted(MAY_BE_DONE) } else { failure.hinted(AGAIN) }
}

/// A refusal for want of a right.
pub(super) fn denied(call: &Call, action: impl Into<String>) -> Failure {
    let action = action.into();
    let place = call.resource.as_deref().unwrap_or("this account");
    let hint = match action.strip_prefix("scope ") {
        Some(scope) => format!(
            "run `gh auth refresh -s {scope}`, or use a token with the scope `{scope}`, then run the same command again"
        ),
        None => format!(
            "give the token `{action}` on {place} (a classic token needs the scope `{}`), then run the same command again",
            call.scope
        ),
    };
    Failure::new(format!("this token may not {}: it lacks {action}", call.what))
        .because(Cause::Denied { action, resource: call.resource.clone() })
        .hinted(hint)
}

pub(super) fn classify(call: &Call, reply: &Reply, host: &str) -> Failure {
    let body = Body::of(reply);
    let what = &call.what;
    let told = body.told(reply);
    if reply.status == 401 {
        return Failure::new(format!("could not {what}: {host} does not accept the token"))
            .because(Cause::Unauthenticated)
            .hinted("run `gh auth login`, or set GH_TOKEN to a token that is valid");
    }
    if let Some(url) = reply.header("x-github-sso").and_then(sso_url) {
        return Failure::new(format!("could not {what}: the organisation asks for single sign-on"))
            .hinted(format!("authorise the token at {url} and run the command again"))
            .because(Cause::SsoRequired { url });
    }
    if let Some(wait) = limited_for(reply) {
        let seconds = wait.as_secs();
        let until = Timestamp::now().as_second() + i64::try_from(seconds).unwrap_or(i64::MAX / 2);
        let form = if seconds < DAY_SECONDS { "%H:%M UTC" } else { "%Y-%m-%d %H:%M UTC" };
        let time =
            Timestamp::from_second(until).map_or_else(|_| format!("{seconds} s"), |at| at.strftime(form).to_string());
        return Failure::new(format!("could not {what}: GitHub's rate limit is used up"))
            .because(Cause::Throttled { retry_after_seconds: Some(seconds) })
            .hinted(format!("run the command again after {time}: it goes on where it stopped"));
    }
    match reply.status {
        403 => {
            let accepted = reply.header("x-accepted-github-permissions").map(|text| text.replace('=', ": "));
            let scopes = reply.header("x-oauth-scopes");
            let action = match (accepted, scopes) {
                (Some(accepted), _) => accepted,
                (None, Some(scopes)) if !has_scope(scopes, call.scope) => format!("scope {}", call.scope),
                (None, _) => call.permission.to_owned(),
            };
            with_reason(denied(call, action), &told)
        }
        404 if call.writes() => match reply.header("x-oauth-scopes") {
            Some(scopes) => match ["repo", call.scope].into_iter().find(|scope| !has_scope(scopes, scope)) {
                Some(missing) => denied(call, format!("scope {missing}")),
                None => not_found(call),
            },
            // GitHub hides from a fine-grained token what it may not touch.
            None => denied(call, call.permission),
        },
        404 => not_found(call),
        409 | 422 if body.has_code("already_exists") => {
            with_reason(Failure::new(format!("could not {what}: it exists already")).because(Cause::Exists), &told)
                .hinted("run `sbi apply` again: it looks at what exists and goes on from there")
        }
        status => {
            let failure = with_reason(Failure::new(format!("could not {what}: GitHub answered {status}")), &told);
            match (status, call.writes()) {
                (500.., false) => failure.hinted(AT_FAULT).hinted(AGAIN),
                (500.., true) => failure.hinted(AT_FAULT).hinted(MAY_BE_DONE),
                _ => failure,
            }
        }
    }
}

fn not_found(call: &Call) -> Failure {
    Failure::new(format!("could not {}: GitHub finds no such thing, or hides it from this token", call.what))
        .because(Cause::NotFound)
}

fn with_reason(failure: Failure, told: &str) -> Failure {
    if told.is_empty() { failure } else { failure.caused_by(format!("GitHub says: {told}")) }
}

/// Classic scopes contain each other: `repo` is the widest that is asked for here.
pub(super) fn has_scope(header: &str, scope: &str) -> bool {
    header.split(',').any(|granted| granted.trim() == scope)
}

/// `required; url=https://github.com/orgs/acme/sso?authorization_request=…`
fn sso_url(header: &str) -> Option<String> {
    header.split(';').find_map(|part| part.trim().strip_prefix("url=")).map(str::to_owned)
}
