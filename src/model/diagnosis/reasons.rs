//! From a condition that does not hold to the likely reason in plain words.

use super::Start;
use super::claims::Claims;
use crate::model::evaluation::Mismatch;
use crate::model::identity::OIDC_ISSUER;
use crate::model::observed::{GithubRepository, SubjectTemplate};

/// What a condition is about: the claim's name for GitHub's, the whole key for others.
pub(super) fn claim_of(key: &str) -> &str {
    key.strip_prefix(OIDC_ISSUER).and_then(|rest| rest.strip_prefix(':')).unwrap_or(key)
}

/// Why one part of a trust policy does not fit a token.
pub(super) fn reason(mismatch: &Mismatch, repository: &GithubRepository, claims: &Claims, start: &Start) -> String {
    match mismatch {
        Mismatch::Action => "the statement is about other calls than AssumeRoleWithWebIdentity".into(),
        Mismatch::Principal { .. } => "the role trusts another identity provider than this account's for GitHub".into(),
        Mismatch::Denied => "a statement of the trust policy denies it".into(),
        Mismatch::Condition { key, wanted, .. } => condition(claim_of(key), wanted, repository, claims, start),
    }
}

fn condition(claim: &str, wanted: &[String], repository: &GithubRepository, claims: &Claims, start: &Start) -> String {
    match claim {
        "aud" => "the job asks for a token for another audience: `audience` of its sign-in step".into(),
        "repository_id" => format!("the role is for another GitHub repository than {}", repository.full_name),
        "repository_owner_id" => "the repository belonged to another owner when the role was set up".into(),
        "ref" => reference(start),
        "sub" => subject(wanted, repository, claims, start),
        _ if !claims.contains_key(claim) => {
            format!("the condition asks for `{claim}`, which sbi does not know of a token before the run")
        }
        _ => "the condition asks for something else".into(),
    }
}

fn reference(start: &Start) -> String {
    match start.reference.split_once("refs/").map_or("", |(_, rest)| rest) {
        rest if rest.starts_with("heads/") => "the run is on a branch, and the role opens on other refs".into(),
        rest if rest.starts_with("tags/") => {
            format!("the tag {} is none that the role opens for", rest.trim_start_matches("tags/"))
        }
        _ => "the run is of a pull request, and no role of sbi's opens for one".into(),
    }
}

/// A subject in its parts: `repo:OWNER/NAME` with or without numbers, then where the job runs.
struct Subject<'a> {
    repository: &'a str,
    has_numbers: bool,
    context: &'a str,
}

fn parts(subject: &str) -> Option<Subject<'_>> {
    let (repository, context) = subject.strip_prefix("repo:")?.split_once(':')?;
    Some(Subject { repository, has_numbers: repository.contains('@'), context })
}

fn subject(wanted: &[String], repository: &GithubRepository, claims: &Claims, start: &Start) -> String {
    if repository.subject != SubjectTemplate::Default {
        return format!(
            "{} customises the subject of its tokens, and the role asks for GitHub's own form; `gh api -X PUT \
             repos/{0}/actions/oidc/customization/sub -F use_default=true` gives it back, for all who rely on the other",
            repository.full_name
        );
    }
    let carried = claims.get("sub").map_or("", String::as_str);
    let (Some(wanted), Some(carried)) = (wanted.first().and_then(|one| parts(one)), parts(carried)) else {
        return "the role asks for a subject of another form".into();
    };
    if wanted.repository != carried.repository {
        return match (wanted.has_numbers, carried.has_numbers) {
            (false, true) => {
                "the trust policy names the repository by its name alone, and its tokens carry the numbers of \
                              owner and repository: the form since July 2026, and of every repository renamed since"
                    .into()
            }
            (true, false) => {
                "the trust policy names the repository with its numbers, and its tokens have the older form \
                              without them"
                    .into()
            }
            _ => format!(
                "the trust policy names the repository `{}`: it was renamed or moved, or the role is another's",
                wanted.repository
            ),
        };
    }
    match (wanted.context.strip_prefix("environment:"), carried.context.strip_prefix("environment:")) {
        (Some(wanted), Some(carried)) => {
            format!("the job runs in the environment {carried}, the role opens for {wanted}")
        }
        (Some(wanted), None) => format!("the job runs in no environment, the role opens for the environment {wanted}"),
        (None, Some(carried)) => {
            format!("the job runs in the environment {carried}, and the role opens for jobs without one")
        }
        (None, None) => reference(start),
    }
}
