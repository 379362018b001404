//! Whether the jobs of a merged workflow would still be let in: by what the roles trust, or are to trust.

use std::collections::BTreeSet;

use super::{Question, TrustNeeds};
use crate::model::config::Auth;
use crate::model::desired::{Desired, RenderedFile};
use crate::model::diagnosis::{Case, Verdict, judge, starts};
use crate::model::identity::{
    OIDC_AUDIENCE, ReadingRef, SubjectContext, provider_arn, reading_policy, reading_trust_policy, trust_policy,
};
use crate::model::jobs::{WorkflowFile, is_workflow};
use crate::model::observed::{
    AwsObserved, CallerIdentity, GithubObserved, GithubRepository, Observed, OidcProvider, Owner, Role, TokenKind,
    Viewer,
};

/// What is worth knowing about the sign-ins of a merged workflow; the error is the condition that would turn a job
/// away that is let in now.
pub(super) fn turned_away(
    question: &Question<'_>,
    path: &str,
    merged: &str,
    theirs: &str,
) -> Result<Vec<String>, String> {
    let desired = question.desired;
    if desired.config.publish.auth != Auth::Oidc || !is_workflow(path) {
        return Ok(Vec::new());
    }
    let mut remarks = Vec::new();
    let with = |text: &str| (question.rules.trust)(&replaced(&desired.files, path, text));
    let wanted = (desired.subject.clone(), desired.reading.clone());
    match (with(merged), with(theirs)) {
        (Ok(after), _) if after == wanted => {}
        (Ok(after), Ok(today)) if after == today => {
            remarks.push(format!("asks AWS for what it asks for today, {}", difference(&wanted, &after)));
        }
        (Err(after), Err(today)) if after.message() == today.message() => remarks.push(after.message().to_owned()),
        (Ok(after), _) => {
            return Err(format!("AWS would turn its jobs away: {}", difference(&wanted, &after)));
        }
        (Err(failure), _) => return Err(format!("AWS would turn its jobs away: {failure}")),
    }
    let Some(repository) = question.rules.repository else { return Ok(remarks) };
    let before: BTreeSet<(String, String)> = refused(desired, repository, path, theirs).collect();
    for (job, why) in refused(desired, repository, path, merged) {
        if !before.contains(&(job.clone(), why.clone())) {
            return Err(format!("AWS would turn its job `{job}` away: {why}"));
        }
        remarks.push(format!("the job `{job}` is let in neither now nor afterwards: {why}"));
    }
    Ok(remarks)
}

fn replaced(files: &[RenderedFile], path: &str, text: &str) -> Vec<RenderedFile> {
    let one = |file: &RenderedFile| match file.path == path {
        true => RenderedFile { path: file.path.clone(), text: text.to_owned() },
        false => file.clone(),
    };
    files.iter().map(one).collect()
}

/// Job → why it would not be let in, with roles that trust what this version asks for.
fn refused<'a>(
    desired: &'a Desired,
    repository: &'a GithubRepository,
    path: &str,
    text: &str,
) -> impl Iterator<Item = (String, String)> + use<'a> {
    // What is no workflow has no jobs, and is told by the checks.
    let workflow = WorkflowFile::read(path, text).ok();
    let branch = repository.identity.default_branch.as_str();
    let observed = as_wanted(desired, repository);
    let cases = workflow.into_iter().flat_map(move |workflow| {
        let starts = starts(&workflow, &desired.config, branch, None);
        starts.iter().flat_map(|start| judge(&workflow, start, desired, &observed)).collect::<Vec<Case>>()
    });
    cases.filter_map(|case| match case.verdict {
        Verdict::Refused(obstacles) => {
            let why: Vec<String> =
                obstacles.iter().map(|obstacle| format!("{}: {}", obstacle.about, obstacle.why)).collect();
            Some((case.job, why.join("; ")))
        }
        Verdict::LetIn | Verdict::Untold(_) => None,
    })
}

/// An account that holds just what is wanted: the question is about the workflow, not about drift.
fn as_wanted(desired: &Desired, repository: &GithubRepository) -> Observed {
    let config = &desired.config;
    let role = |trust, policy| Role { arn: String::new(), trust, policy: Some(policy), tags: Default::default() };
    let identity = &repository.identity;
    let aws = AwsObserved {
        caller: CallerIdentity { account: config.aws.account.clone(), arn: String::new() },
        ecr_repositories: Default::default(),
        oidc_provider: Some(OidcProvider {
            arn: provider_arn(config),
            audiences: BTreeSet::from([OIDC_AUDIENCE.to_owned()]),
        }),
        role: Some(role(
            trust_policy(config, &desired.subject, identity),
            crate::model::identity::publishing_policy(config),
        )),
        read_role: (!desired.reading.is_empty())
            .then(|| role(reading_trust_policy(config, &desired.reading, identity), reading_policy(config))),
        user: None,
    };
    // Environments are AWS's neighbours on GitHub: what admits other refs is told by `sbi plan`.
    let repository = GithubRepository { environments: Default::default(), ..repository.clone() };
    let viewer = Viewer { login: String::new(), id: 0, token: TokenKind::FineGrained };
    let owner = Owner { login: String::new(), id: identity.owner_id, is_organization: false, plan: None };
    Observed { aws, github: GithubObserved { viewer, owner, repository: Some(repository) } }
}

/// What differs from what the roles trust, in words.
fn difference(wanted: &TrustNeeds, other: &TrustNeeds) -> String {
    let subject = |context: &SubjectContext| match context {
        SubjectContext::Environment(name) => format!("the environment {name}"),
        SubjectContext::ReleaseTag => "a release tag".to_owned(),
    };
    let refs = |refs: &BTreeSet<ReadingRef>| {
        let named = refs.iter().map(|on| match on {
            ReadingRef::ReleaseTag => "release tags",
            ReadingRef::DefaultBranch => "the default branch",
        });
        let named: Vec<&str> = named.collect();
        if named.is_empty() { "nothing".to_owned() } else { named.join(" and ") }
    };
    let mut parts = Vec::new();
    if wanted.0 != other.0 {
        parts.push(format!(
            "the publishing job's subject names {}, the role trusts {}",
            subject(&other.0),
            subject(&wanted.0)
        ));
    }
    if wanted.1 != other.1 {
        parts.push(format!("jobs read on {}, the reading role trusts {}", refs(&other.1), refs(&wanted.1)));
    }
    parts.join("; ")
}
