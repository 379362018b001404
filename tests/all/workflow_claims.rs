//! The tokens that jobs of the rendered workflows can ask GitHub for, derived from the files, and judged against the
//! rendered trust policies by an engine that is not ours and by our own: the job that publishes gets in, the jobs that
//! read get in to read, nobody else does.

use std::collections::{BTreeMap, BTreeSet};

use sbi::model::config::{Auth, Config};
use sbi::model::desired::RenderedFile;
use sbi::model::evaluation::{Context, Federated, evaluate_trust};
use sbi::model::iam::PolicyDocument;
use sbi::model::identity::{OIDC_ISSUER, Purpose, provider_arn, reading_trust_policy, trust_policy};
use sbi::model::observed::GithubIdentity;
use sbi::templates;
use serde_json::Value as Json;
use serde_yaml_ng::Value;

use super::templates::{Combination, matrix};
use crate::support::iam_judge::{Judge, WebIdentity};

const BRANCH: &str = "main";

fn github() -> GithubIdentity {
    GithubIdentity {
        repository_id: 9,
        owner_id: 7,
        subject_prefix: "repo:acme@7/base-images@9".into(),
        default_branch: BRANCH.into(),
    }
}

/// What starts a run, and the ref that it then has (GitHub documentation, "Events that trigger workflows").
#[derive(Clone, Debug)]
struct Start {
    event: &'static str,
    reference: String,
}

/// Every way in which this workflow can start: what its `on:` allows, on the refs that people can choose.
fn starts(workflow: &Value, config: &Config) -> Vec<Start> {
    let tags = || config.outlets().into_iter().map(|outlet| format!("refs/tags/{}", outlet.tag));
    let start = |event, reference: String| Start { event, reference };
    let mut starts = Vec::new();
    for event in workflow["on"].as_mapping().unwrap().keys().map(|event| event.as_str().unwrap()) {
        match event {
            "release" => {
                starts.extend(tags().map(|tag| start("release", tag)));
                // A release can be made of any tag.
                starts.push(start("release", "refs/tags/nightly".into()));
            }
            "workflow_dispatch" => {
                starts.extend(tags().map(|tag| start("workflow_dispatch", tag)));
                for branch in [BRANCH, "feature", "v1"] {
                    starts.push(start("workflow_dispatch", format!("refs/heads/{branch}")));
                }
            }
            "schedule" => starts.push(start("schedule", format!("refs/heads/{BRANCH}"))),
            "pull_request" => starts.push(start("pull_request", "refs/pull/1/merge".into())),
            "merge_group" => {
                starts.push(start("merge_group", format!("refs/heads/gh-readonly-queue/{BRANCH}/pr-1-abc")));
            }
            other => panic!("what ref does a run on {other} have?"),
        }
    }
    starts
}

/// The claims of a job's token that AWS evaluates (GitHub documentation, "OpenID Connect reference").
fn claims(path: &str, workflow: &Value, job: &Value, start: &Start) -> BTreeMap<String, String> {
    let environment = job.get("environment").map(|name| name.as_str().unwrap());
    let context = match (environment, start.event) {
        (Some(name), _) => format!("environment:{name}"),
        (None, "pull_request") => "pull_request".to_owned(),
        (None, _) => format!("ref:{}", start.reference),
    };
    let mut claims = BTreeMap::from([
        ("aud", "sts.amazonaws.com".to_owned()),
        ("sub", format!("repo:acme@7/base-images@9:{context}")),
        ("repository", "acme/base-images".to_owned()),
        ("repository_id", "9".to_owned()),
        ("repository_owner_id", "7".to_owned()),
        ("ref", start.reference.clone()),
        ("workflow", workflow["name"].as_str().unwrap().to_owned()),
        ("job_workflow_ref", format!("acme/base-images/{path}@{}", start.reference)),
        ("actor", "octocat".to_owned()),
    ]);
    if let Some(name) = environment {
        claims.insert("environment", name.to_owned());
    }
    claims.into_iter().map(|(claim, value)| (claim.to_owned(), value)).collect()
}

/// A token, and where it comes from.
struct Token {
    from: String,
    /// The workflow's file, the job, and the ref of its run.
    place: (String, String, String),
    claims: BTreeMap<String, String>,
}

/// Every token that the rendered files let anybody have.
fn tokens(config: &Config, files: &[RenderedFile]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with(".github/workflows/")) {
        let workflow: Value = serde_yaml_ng::from_str(&file.text).unwrap();
        assert_eq!(workflow["permissions"], Value::Mapping(Default::default()), "{}: jobs inherit nothing", file.path);
        for (id, job) in workflow["jobs"].as_mapping().unwrap() {
            if job["permissions"].get("id-token").is_none() {
                continue;
            }
            let id = id.as_str().unwrap();
            for start in starts(&workflow, config) {
                tokens.push(Token {
                    from: format!("{} {id} on {} of {}", file.path, start.event, start.reference),
                    place: (file.path.clone(), id.to_owned(), start.reference.clone()),
                    claims: claims(&file.path, &workflow, job, &start),
                });
            }
        }
    }
    tokens
}

/// What a stranger changes, and what the token then is. Every row is refused by every trust policy.
fn strangers(claims: &BTreeMap<String, String>) -> Vec<(&'static str, BTreeMap<String, String>)> {
    let subject = &claims["sub"];
    let (_, context) = subject.split_once("base-images@9:").unwrap();
    let with = |changes: &[(&str, String)]| {
        let mut changed = claims.clone();
        changed.extend(changes.iter().map(|(claim, value)| ((*claim).to_owned(), value.clone())));
        changed
    };
    let text = str::to_owned;
    vec![
        (
            "a pull request",
            with(&[("sub", text("repo:acme@7/base-images@9:pull_request")), ("ref", text("refs/pull/1/merge"))]),
        ),
        (
            "a branch",
            with(&[
                ("sub", text("repo:acme@7/base-images@9:ref:refs/heads/feature")),
                ("ref", text("refs/heads/feature")),
            ]),
        ),
        ("a branch that claims the right subject", with(&[("ref", text("refs/heads/feature"))])),
        (
            "another repository of the owner",
            with(&[
                ("sub", format!("repo:acme@7/other@10:{context}")),
                ("repository", text("acme/other")),
                ("repository_id", text("10")),
            ]),
        ),
        (
            "a fork",
            with(&[
                ("sub", format!("repo:mallory@8/base-images@11:{context}")),
                ("repository", text("mallory/base-images")),
                ("repository_id", text("11")),
                ("repository_owner_id", text("8")),
            ]),
        ),
        (
            "the same names with other ids",
            with(&[
                ("sub", format!("repo:acme@70/base-images@90:{context}")),
                ("repository_id", text("90")),
                ("repository_owner_id", text("70")),
            ]),
        ),
        (
            "the same names with another repository id, whose subject is of the old form",
            with(&[("sub", format!("repo:acme/base-images:{context}")), ("repository_id", text("90"))]),
        ),
        (
            "another environment",
            with(&[("sub", text("repo:acme@7/base-images@9:environment:staging")), ("environment", text("staging"))]),
        ),
        ("another audience", with(&[("aud", text("https://github.com/acme"))])),
    ]
}

fn ask(provider: &str, claims: &BTreeMap<String, String>) -> WebIdentity {
    let claims = claims.iter().map(|(claim, value)| (format!("{OIDC_ISSUER}:{claim}"), value.clone())).collect();
    WebIdentity { provider: provider.to_owned(), claims }
}

#[test]
fn every_token_that_a_rendered_job_can_have_opens_only_the_role_of_its_job() {
    for Combination { name, config, files, .. } in matrix() {
        // What neither tokens nor trust depend on is judged once.
        if config.publish.auth != Auth::Oidc || config.publish.architectures.is_some() {
            continue;
        }
        let Some(judge) = Judge::of(config) else { return };
        let subject = templates::subject_context(files).unwrap();
        let reading = templates::reading_refs(config, files).unwrap();
        let documents = [trust_policy(config, &subject, &github()), reading_trust_policy(config, &reading, &github())];
        let provider = provider_arn(config);

        let tokens = tokens(config, files);
        let mut asked: Vec<(String, BTreeMap<String, String>)> = Vec::new();
        for token in &tokens {
            asked.push((token.from.clone(), token.claims.clone()));
            let strangers = strangers(&token.claims).into_iter();
            asked.extend(strangers.map(|(what, claims)| (format!("{what} instead of {}", token.from), claims)));
        }
        let identities: Vec<WebIdentity> = asked.iter().map(|(_, claims)| ask(&provider, claims)).collect();
        let json: Vec<Json> =
            documents.iter().map(|document| serde_json::from_str(&document.to_json()).unwrap()).collect();
        let verdicts = judge.trust(&json, &identities);

        // By job and ref, as the design says: written out, not taken from the policies.
        let releases: BTreeSet<String> =
            config.outlets().into_iter().map(|outlet| format!("refs/tags/{}", outlet.tag)).collect();
        let default_branch = format!("refs/heads/{BRANCH}");
        let environments = config.publish.environment.is_some();
        for (role, purpose) in [Purpose::Publish, Purpose::Read].into_iter().enumerate() {
            let expected: BTreeSet<&str> = tokens
                .iter()
                .filter(|token| {
                    let (_, job, reference) = &token.place;
                    let on_release = releases.contains(reference);
                    match purpose {
                        // Without environments a token does not tell the jobs of a release's run apart.
                        Purpose::Publish => {
                            on_release && (["publish", "publishing"].contains(&job.as_str()) || !environments)
                        }
                        Purpose::Read => {
                            (on_release || *reference == default_branch)
                                && (!["publish", "publishing"].contains(&job.as_str()) || !environments)
                        }
                    }
                })
                .map(|token| token.from.as_str())
                .collect();
            let allowed: BTreeSet<&str> = asked
                .iter()
                .zip(&verdicts[role])
                .filter(|(_, allowed)| **allowed)
                .map(|((from, _), _)| from.as_str())
                .collect();
            assert_eq!(allowed, expected, "{name}: {purpose:?}\n{}", documents[role].to_pretty_json());
            for needed in match purpose {
                Purpose::Publish => vec!["publish", "publishing"],
                Purpose::Read => vec!["verify", "fetch", "reading"],
            } {
                assert!(expected.iter().any(|from| from.contains(&format!(" {needed} on "))), "{name}: {needed}");
            }
        }
        our_engine_agrees(name, &provider, &documents, &asked, &verdicts);
    }
}

/// The evaluator behind the sandbox gives the same verdicts as the engine that is not ours.
fn our_engine_agrees(
    name: &str,
    provider: &str,
    documents: &[PolicyDocument],
    asked: &[(String, BTreeMap<String, String>)],
    verdicts: &[Vec<bool>],
) {
    for (document, row) in documents.iter().zip(verdicts) {
        for ((from, claims), expected) in asked.iter().zip(row) {
            let context: Context =
                claims.iter().map(|(claim, value)| (format!("{OIDC_ISSUER}:{claim}"), vec![value.clone()])).collect();
            let ours = evaluate_trust(document, "sts:AssumeRoleWithWebIdentity", Federated(provider), &context);
            assert_eq!(ours.is_allowed(), *expected, "{name}: {from}: {ours:?}");
        }
    }
}
