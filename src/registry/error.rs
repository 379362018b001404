//! What a registry's refusal means, decided once from the status and the error code; never from a message's wording.

use serde_json::Value;
use url::Url;

use super::MIRROR_VARIABLE;
use super::address::{Address, shortened};
use super::exchange::Reply;
use crate::failure::{Cause, Failure};
use crate::model::names::Digest;

fn could_not(address: &Address, why: &str) -> Failure {
    Failure::new(format!("could not look up the digest of {}: {why}", address.reference()))
}

pub(super) fn unreachable(address: &Address, url: &Url, reason: String) -> Failure {
    let host = url.host_str().unwrap_or_default();
    could_not(address, &format!("{host} can't be reached"))
        .because(Cause::Unreachable)
        .hinted(format!(
            "check that {} answers from here; HTTPS_PROXY and NO_PROXY are honoured, {MIRROR_VARIABLE} names a mirror",
            super::exchange::origin(url)
        ))
        .caused_by(reason)
}

/// A redirection or a realm that must not be followed.
pub(super) fn astray(address: &Address, why: &str) -> Failure {
    could_not(address, &format!("{} can't be followed: {why}", address.asked())).hinted(
        "a registry sends to https only; something between here and the registry may have answered in its place",
    )
}

pub(super) fn no_token(address: &Address, reply: &Reply) -> Failure {
    match reply.status {
        429 => throttled(address, reply),
        401 | 403 => denied(address, reply),
        status => {
            with_reason(could_not(address, &format!("{} gives no anonymous token ({status})", address.asked())), reply)
        }
    }
}

pub(super) fn unreadable_token(address: &Address, realm: &Url) -> Failure {
    let host = realm.host_str().unwrap_or_default();
    could_not(address, &format!("{host} answered without a token that can be sent"))
}

pub(super) fn no_manifest(address: &Address, kind: Option<&str>) -> Failure {
    let kind = kind.map_or_else(|| "something without a media type".to_owned(), shortened);
    could_not(address, &format!("{} answered with {kind}, which is no image manifest", address.asked()))
        .hinted("a sign-in page of this network may have answered in the registry's place")
}

pub(super) fn malformed_digest(address: &Address, told: &str) -> Failure {
    could_not(address, &format!("{} names it `{}`, which is no SHA-256 digest", address.asked(), shortened(told)))
}

pub(super) fn contradiction(address: &Address, told: &Digest, computed: &Digest) -> Failure {
    could_not(address, &format!("{} sent a manifest of {computed} and called it {told}", address.asked()))
        .hinted("the answer was changed on its way, or the registry is broken: nothing is pinned to it")
}

pub(super) fn classify(address: &Address, reply: &Reply) -> Failure {
    match reply.status {
        401 | 403 => denied(address, reply),
        404 => {
            let tag = address.reference();
            with_reason(could_not(address, &format!("{} knows no such image or tag", address.asked())), reply)
                .because(Cause::NotFound)
                .hinted(format!("look whether {tag} still exists; a newer version of sbi may name another"))
        }
        429 => throttled(address, reply),
        status => with_reason(could_not(address, &format!("{} answered {status}", address.asked())), reply),
    }
}

fn denied(address: &Address, reply: &Reply) -> Failure {
    let why = format!("{} gives it to nobody without signing in", address.asked());
    with_reason(could_not(address, &why), reply)
        .because(Cause::Denied { action: "pull".into(), resource: Some(address.reference().into()) })
        .hinted(format!("public images need no sign-in: check the name, or the mirror that {MIRROR_VARIABLE} names"))
}

fn throttled(address: &Address, reply: &Reply) -> Failure {
    let seconds = reply.retry_after();
    let wait = seconds.map_or_else(|| "in an hour".to_owned(), |seconds| format!("in {seconds} s"));
    let failure =
        with_reason(could_not(address, &format!("{} takes no more requests for now", address.asked())), reply)
            .because(Cause::Throttled { retry_after_seconds: seconds });
    let failure = if address.is_docker_hub() {
        failure.hinted(
            "Docker Hub limits those who are not signed in by their network address, and others may share yours",
        )
    } else {
        failure
    };
    failure.hinted(format!("run the command again {wait}, or ask a mirror: {MIRROR_VARIABLE}=https://HOST"))
}

/// The registry's own words (OCI distribution specification, "Error Codes"), shortened.
fn with_reason(failure: Failure, reply: &Reply) -> Failure {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let said: Vec<String> = body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|error| {
            let code = error["code"].as_str()?;
            Some(error["message"].as_str().map_or_else(|| code.to_owned(), |message| format!("{code}: {message}")))
        })
        .collect();
    if said.is_empty() { failure } else { failure.caused_by(shortened(&said.join("; "))) }
}
