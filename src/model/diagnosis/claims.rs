//! The claims of the OIDC token that GitHub gives a job (GitHub documentation, "OpenID Connect reference"), as far as
//! AWS evaluates them.

use std::collections::BTreeMap;

use super::Start;
use crate::model::jobs::WorkflowFile;
use crate::model::observed::{GithubRepository, SubjectTemplate};

/// Claim → value; `None` for `sub` where an organization's template decides it.
pub type Claims = BTreeMap<String, String>;

/// What the token of a job of this workflow carries when the run starts so.
#[must_use]
pub fn claims(
    repository: &GithubRepository,
    workflow: &WorkflowFile,
    environment: Option<&str>,
    start: &Start,
    audience: &str,
) -> Claims {
    let owner = repository.full_name.split('/').next().unwrap_or_default();
    let context = match (environment, start.event.as_str()) {
        (Some(name), _) => format!("environment:{}", escaped(name)),
        (None, "pull_request") => "pull_request".to_owned(),
        (None, _) => format!("ref:{}", start.reference),
    };
    let file = format!("{}/{}@{}", repository.full_name, workflow.path, start.reference);
    let visibility = if repository.private { "private" } else { "public" };
    let mut claims: Claims = [
        ("aud", audience.to_owned()),
        ("repository", repository.full_name.clone()),
        ("repository_id", repository.identity.repository_id.to_string()),
        ("repository_owner", owner.to_owned()),
        ("repository_owner_id", repository.identity.owner_id.to_string()),
        ("repository_visibility", visibility.to_owned()),
        ("ref", start.reference.clone()),
        ("event_name", start.event.clone()),
        ("workflow", workflow.name.clone()),
        ("workflow_ref", file.clone()),
        ("job_workflow_ref", file),
    ]
    .into_iter()
    .map(|(claim, value)| (claim.to_owned(), value))
    .collect();
    claims.extend(environment.map(|name| ("environment".to_owned(), name.to_owned())));
    let prefix = &repository.identity.subject_prefix;
    let subject = match &repository.subject {
        SubjectTemplate::Default => Some(format!("{prefix}:{context}")),
        SubjectTemplate::Claims(keys) => Some(customised(keys, prefix, &context, &claims)),
        SubjectTemplate::Organization => None,
    };
    claims.extend(subject.map(|subject| ("sub".to_owned(), subject)));
    claims
}

fn customised(keys: &[String], prefix: &str, context: &str, claims: &Claims) -> String {
    let parts = keys.iter().map(|key| match key.as_str() {
        "repo" => prefix.to_owned(),
        "context" => context.to_owned(),
        other => format!("{other}:{}", escaped(claims.get(other).map_or("", String::as_str))),
    });
    parts.collect::<Vec<_>>().join(":")
}

/// A colon inside a value would look like the next part.
fn escaped(value: &str) -> String {
    value.replace(':', "%3A")
}
