//! Which jobs AWS would let in, evaluated here from the workflow files, the repository's facts and the roles' own trust
//! policies; and for each that it would not, the condition that fails and the likely reason. Pure.

mod claims;
mod reasons;

use std::collections::BTreeMap;

pub use claims::{Claims, claims};

use super::config::Config;
use super::desired::Desired;
use super::evaluation::{Context, Federated, Mismatch, TrustDecision, evaluate_trust, matches_wildcard};
use super::iam::PolicyDocument;
use super::identity::{OIDC_AUDIENCE, OIDC_ISSUER, Purpose, provider_arn, reading_trust_policy, trust_policy};
use super::jobs::{SignIn, SigningJob, Text, WorkflowFile};
use super::observed::{GithubRepository, Observed, Role};
use reasons::{claim_of, reason};

const ASSUME: &str = "sts:AssumeRoleWithWebIdentity";
/// How a workflow names the publishing role where it reads it from the secrets.
const ROLE_SECRET: &str = "secrets.AWS_ROLE_ARN";
/// Events that start the workflows of sbi with a role to assume; where a workflow has one of them, others are by hand.
const USUAL: [&str; 2] = ["release", "schedule"];

/// How a run starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    /// `release`, `schedule`, `workflow_dispatch`, …
    pub event: String,
    /// `refs/tags/v1.0.0`
    pub reference: String,
}

/// One job of one run, and whether AWS would let it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Path of the file.
    pub workflow: String,
    /// The job as GitHub shows it.
    pub job: String,
    /// The step that signs in.
    pub step: Option<String>,
    pub start: Start,
    /// The role's name, or what the file has in its place.
    pub role: String,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    LetIn,
    Refused(Vec<Obstacle>),
    /// It depends on what only a run knows.
    Untold(String),
}

/// Why a job would not be let in: one condition, or something before any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The claim, or `permissions`, `environment`, `role`, `provider`.
    pub about: String,
    /// What the trust policy, or GitHub's setting, asks for.
    pub wanted: Vec<String>,
    /// What the token carries; empty where it has no such claim.
    pub carried: Vec<String>,
    pub why: String,
    /// What to do about it.
    pub mend: String,
}

/// How runs of this workflow start, as far as they are meant to sign in: on the tags that publish and on the default
/// branch. Where `at` is given, on that ref alone.
#[must_use]
pub fn starts(workflow: &WorkflowFile, config: &Config, default_branch: &str, at: Option<&str>) -> Vec<Start> {
    let usual = workflow.events.iter().any(|event| USUAL.contains(&event.as_str()));
    let mut starts = Vec::new();
    for event in &workflow.events {
        let mut add = |reference: String| starts.push(Start { event: event.clone(), reference });
        let branch = format!("refs/heads/{default_branch}");
        match (event.as_str(), at) {
            ("release", None) => {
                config.outlets().iter().for_each(|outlet| add(format!("refs/tags/{}", outlet.tag)));
            }
            ("release", Some(at)) if at.starts_with("refs/tags/") => add(at.to_owned()),
            ("schedule", None) => add(branch),
            ("schedule", Some(at)) if at == branch => add(branch),
            // A workflow that is started by hand alone checks a release: the roles open on its tag.
            ("workflow_dispatch", None) if workflow.events.len() == 1 => {
                config.outlets().iter().for_each(|outlet| add(format!("refs/tags/{}", outlet.tag)));
            }
            ("push" | "workflow_dispatch", None) if !usual => add(branch),
            ("push" | "workflow_dispatch", Some(at)) => add(at.to_owned()),
            ("pull_request", None) if !usual => add("refs/pull/1/merge".into()),
            _ => {}
        }
    }
    // By hand is the last resort: on a ref that starts it otherwise, that other start is the one to know about.
    if starts.iter().any(|start| start.event != "workflow_dispatch" && start.event != "push") {
        starts.retain(|start| start.event != "workflow_dispatch" && start.event != "push");
    }
    starts
}

/// Judges every job of the workflow that signs in, for a run that starts so.
#[must_use]
pub fn judge(workflow: &WorkflowFile, start: &Start, desired: &Desired, observed: &Observed) -> Vec<Case> {
    let Some(repository) = &observed.github.repository else { return Vec::new() };
    let mut cases = Vec::new();
    for job in &workflow.jobs {
        let case = |step: Option<String>, role: &str, verdict| Case {
            workflow: workflow.path.clone(),
            job: job.name.clone(),
            step,
            start: start.clone(),
            role: role.to_owned(),
            verdict,
        };
        if let Some(called) = &job.calls {
            let verdict = Verdict::Untold(format!("it calls {called}, whose jobs are not looked into"));
            cases.push(case(None, "its own", verdict));
        }
        for sign_in in &job.sign_ins {
            let (role, verdict) = judge_one(workflow, job, sign_in, start, desired, (observed, repository));
            cases.push(case(Some(sign_in.step.clone()), &role, verdict));
        }
    }
    cases
}

fn judge_one(
    workflow: &WorkflowFile,
    job: &SigningJob,
    sign_in: &SignIn,
    start: &Start,
    desired: &Desired,
    (observed, repository): (&Observed, &GithubRepository),
) -> (String, Verdict) {
    let config = &desired.config;
    let Some(purpose) = purpose_of(&sign_in.role, config) else {
        let role = sign_in.role.as_str().to_owned();
        let why = match &sign_in.role {
            Text::Fixed(_) => "the role is none that sbi.toml names".to_owned(),
            Text::Computed(_) => "which role it is, only a run knows".to_owned(),
        };
        return (role, Verdict::Untold(why));
    };
    let name = purpose.role(config).to_string();
    for text in job.environment.iter().chain(&sign_in.audience) {
        if let Text::Computed(text) = text {
            return (name, Verdict::Untold(format!("it depends on `{text}`, which only a run knows")));
        }
    }
    let environment = job.environment.as_ref().map(Text::as_str);
    let audience = sign_in.audience.as_ref().map_or(OIDC_AUDIENCE, Text::as_str);
    let claims = claims(repository, workflow, environment, start, audience);
    if !claims.contains_key("sub") {
        let why = "the organization's own template decides the subject of its tokens".to_owned();
        return (name, Verdict::Untold(why));
    }
    let mut obstacles = before_the_token(job, workflow, environment, start, repository);
    obstacles.extend(before_the_trust(observed));
    let found = match purpose {
        Purpose::Publish => observed.aws.role.as_ref(),
        Purpose::Read => observed.aws.read_role.as_ref(),
    };
    match found {
        None => obstacles.push(obstacle("role", format!("there is no IAM role {name}"), APPLY)),
        Some(role) => obstacles.extend(against(role, &claims, purpose, desired, repository, (start, workflow))),
    }
    let verdict = if obstacles.is_empty() { Verdict::LetIn } else { Verdict::Refused(obstacles) };
    (name, verdict)
}

const APPLY: &str = "`sbi plan` shows the difference, `sbi apply` mends it";

fn obstacle(about: &str, why: impl Into<String>, mend: impl Into<String>) -> Obstacle {
    let (why, mend) = (why.into(), mend.into());
    Obstacle { about: about.to_owned(), wanted: Vec::new(), carried: Vec::new(), why, mend }
}

/// Which role of ours a step means.
fn purpose_of(role: &Text, config: &Config) -> Option<Purpose> {
    let arn = |purpose: Purpose| config.iam_arn(&format!("role/{}", purpose.role(config)));
    match role {
        Text::Fixed(text) => [Purpose::Publish, Purpose::Read].into_iter().find(|purpose| arn(*purpose) == *text),
        Text::Computed(text) => {
            let inner = text.trim().strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
            (inner.map(str::trim) == Some(ROLE_SECRET)).then_some(Purpose::Publish)
        }
    }
}

/// What keeps the job from having a token at all.
fn before_the_token(
    job: &SigningJob,
    workflow: &WorkflowFile,
    environment: Option<&str>,
    start: &Start,
    repository: &GithubRepository,
) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    if !job.has_tokens {
        obstacles.push(obstacle(
            "permissions",
            "the job may not ask GitHub for a token",
            format!("put `id-token: write` below its `permissions:` in {}", workflow.path),
        ));
    }
    let admits = environment.and_then(|name| repository.environments.get(name)?.admits.as_ref());
    if let (Some(name), Some(admits)) = (environment, admits) {
        let (kind, short, patterns) = match start.reference.strip_prefix("refs/tags/") {
            Some(tag) => ("tag", tag, &admits.tags),
            None => ("branch", start.reference.trim_start_matches("refs/heads/"), &admits.branches),
        };
        if !patterns.iter().any(|pattern| fits(pattern, short)) {
            obstacles.push(Obstacle {
                about: "environment".into(),
                wanted: patterns.iter().cloned().collect(),
                carried: vec![short.to_owned()],
                why: format!("the environment {name} admits no {kind} of that name: the job does not start"),
                mend: APPLY.into(),
            });
        }
    }
    obstacles
}

/// GitHub's `fnmatch`: `*` stops at a slash.
fn fits(pattern: &str, name: &str) -> bool {
    let (patterns, parts): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), name.split('/').collect());
    patterns.len() == parts.len() && patterns.iter().zip(parts).all(|(pattern, part)| matches_wildcard(pattern, part))
}

/// What keeps AWS from looking at any role.
fn before_the_trust(observed: &Observed) -> Option<Obstacle> {
    match &observed.aws.oidc_provider {
        None => Some(obstacle("provider", "the account has no OIDC provider for GitHub's tokens", APPLY)),
        Some(found) if !found.audiences.contains(OIDC_AUDIENCE) => Some(Obstacle {
            wanted: found.audiences.iter().cloned().collect(),
            carried: vec![OIDC_AUDIENCE.to_owned()],
            ..obstacle("provider", "the account's OIDC provider knows other audiences only", APPLY)
        }),
        Some(_) => None,
    }
}

/// The conditions of the role that the token does not meet: those of the statement that comes closest.
fn against(
    role: &Role,
    claims: &Claims,
    purpose: Purpose,
    desired: &Desired,
    repository: &GithubRepository,
    (start, workflow): (&Start, &WorkflowFile),
) -> Vec<Obstacle> {
    let config = &desired.config;
    let provider = provider_arn(config);
    let context: Context =
        claims.iter().map(|(claim, value)| (format!("{OIDC_ISSUER}:{claim}"), vec![value.clone()])).collect();
    let decide = |trust: &PolicyDocument| evaluate_trust(trust, ASSUME, Federated(&provider), &context);
    let TrustDecision::Refused(statements) = decide(&role.trust) else { return Vec::new() };
    let wanted = match purpose {
        Purpose::Publish => trust_policy(config, &desired.subject, &repository.identity),
        Purpose::Read => reading_trust_policy(config, &desired.reading, &repository.identity),
    };
    // What sbi would write lets the job in: then the policy drifted, otherwise the job did.
    let mend = if decide(&wanted).is_allowed() {
        APPLY.to_owned()
    } else {
        match start.event.as_str() {
            "release" | "schedule" => format!(
                "{} differs from what sbi renders: bring the job back, or run `sbi apply --overwrite {0}`",
                workflow.path
            ),
            _ => "the role is not for such a run; a release starts the one that it is for".to_owned(),
        }
    };
    let Some(closest) = statements.into_iter().min_by_key(|refused| refused.mismatches.len()) else {
        return vec![obstacle("role", "its trust policy can't be read or trusts nobody", mend)];
    };
    let explain = |mismatch: &Mismatch| {
        let why = reason(mismatch, repository, claims, start);
        let (about, wanted, carried) = match mismatch {
            Mismatch::Condition { key, wanted, actual, .. } => (claim_of(key), wanted.clone(), actual.clone()),
            Mismatch::Principal { trusted } => ("provider", trusted.clone(), vec![provider.clone()]),
            Mismatch::Action | Mismatch::Denied => ("role", Vec::new(), Vec::new()),
        };
        Obstacle { about: about.to_owned(), wanted, carried, why, mend: mend.clone() }
    };
    closest.mismatches.iter().map(explain).collect()
}

/// How many cases there are of each verdict: let in, refused, not to be told.
#[must_use]
pub fn counted(cases: &[Case]) -> (usize, usize, usize) {
    let of = |is: fn(&Verdict) -> bool| cases.iter().filter(|case| is(&case.verdict)).count();
    (
        of(|verdict| matches!(verdict, Verdict::LetIn)),
        of(|verdict| matches!(verdict, Verdict::Refused(_))),
        of(|verdict| matches!(verdict, Verdict::Untold(_))),
    )
}

/// Path → text of workflow files to those that sign in, and to why others can't be read.
#[must_use]
pub fn read_all(files: &BTreeMap<String, String>) -> (Vec<WorkflowFile>, Vec<crate::failure::Failure>) {
    let mut unreadable = Vec::new();
    let mut read = Vec::new();
    for (path, text) in files {
        match WorkflowFile::read(path, text) {
            Ok(file) if file.jobs.is_empty() => {}
            Ok(file) => read.push(file),
            Err(failure) => unreadable.push(failure),
        }
    }
    (read, unreadable)
}
