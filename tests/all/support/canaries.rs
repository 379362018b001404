//! What must never be seen, in every form in which it could slip out, and where to look for it.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sbi::model::secrets::{ACCESS_KEY_SECRET, AccessKey};
use sbi::sandbox::http::{Exchange, Request};

use super::room::{REPOSITORY, Room};

/// A secret in the forms in which it could slip out.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    vec![secret.into(), url, BASE64_STANDARD.encode(secret)]
}

fn files_below(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { files_below(&path, into) } else { into.push(path) }
    }
}

/// Every file of a run's home and work folder, with what it holds.
pub(crate) fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    files_below(folder, &mut files);
    let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    files.into_iter().map(|path| (path.display().to_string(), text(&path))).collect()
}

/// Whatever is secret in a room: what it was started with, and what AWS has handed out since.
pub(crate) fn every_secret(room: &Room) -> Vec<(&'static str, String)> {
    let mut secrets = vec![
        ("the GitHub token", room.github.token().reveal(str::to_owned)),
        ("the operator's key", room.aws.operator_credentials().reveal(str::to_owned)),
    ];
    let both = room.github.open_secret(REPOSITORY, ACCESS_KEY_SECRET);
    if let Some(issued) = both.as_ref().and_then(AccessKey::from_both) {
        secrets.push(("the issued key", issued.reveal(str::to_owned)));
    }
    // What ECR handed out, and anything that a body called a token.
    for exchange in room.aws.server().log() {
        let body = String::from_utf8_lossy(&exchange.answer.body).into_owned();
        for (begin, end) in [("\"authorizationToken\":\"", '"'), ("<SessionToken>", '<'), ("<SecretAccessKey>", '<')] {
            if let Some(token) = body.split_once(begin).and_then(|(_, rest)| rest.split(end).next()) {
                secrets.push(("a token of AWS", token.to_owned()));
            }
        }
    }
    secrets.sort();
    secrets.dedup();
    secrets
}

/// The first secret that is in one of these texts, and in which.
pub(crate) fn leak(secrets: &[(&'static str, String)], places: &[(String, String)]) -> Option<String> {
    for (name, secret) in secrets {
        for form in forms(secret) {
            if let Some((place, _)) = places.iter().find(|(_, text)| text.contains(&form)) {
                return Some(format!("{name} is in {place}"));
            }
        }
    }
    None
}

/// All that a server was sent, but for the header in which a credential belongs.
pub(crate) fn requests(log: &[Exchange]) -> Vec<(String, String)> {
    let text = |request: &Request| {
        let headers = request.headers.iter().filter(|(name, _)| *name != "authorization");
        let headers: Vec<String> =
            headers.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect();
        format!(
            "{}?{}\n{}\n{}",
            request.path,
            request.query,
            headers.join("\n"),
            String::from_utf8_lossy(&request.body)
        )
    };
    log.iter()
        .map(|exchange| &exchange.request)
        .map(|request| (format!("the request {} {}", request.method, request.path), text(request)))
        .collect()
}
