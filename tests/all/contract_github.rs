//! The GitHub adapter against GitHub's own description, canned answers, `emulate` and PyNaCl.
#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic")]

mod pull_requests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sbi::failure::{Cause, Failure};
use sbi::github::{Delivered, Github, Settings, Timing};
use sbi::model::action_repository::TagTarget;
use sbi::model::commit::{Commit, Delivery, OpenPullRequest};
use sbi::model::config::Visibility;
use sbi::model::git::{BlobId, CommitId};
use sbi::model::names::{GitTag, GithubRepositoryName};
use sbi::model::observed::{DeploymentPolicies, TokenKind, Viewer};
use sbi::model::secrets::{AccessKey, Token};
use sbi::sandbox::http::{Answer, Exchange, Handler, Request, Server, Weather};
use serde_json::{Value, json};

use crate::support::emulate::{self, Emulate};
use crate::support::{openapi, tools};

fn exchange(method: &str, path: &str, query: &str, body: &Value, status: u16, answer: &Value) -> Exchange {
    let bytes = |value: &Value| if value.is_null() { Vec::new() } else { value.to_string().into_bytes() };
    Exchange {
        request: Request {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: hyper::HeaderMap::new(),
            body: bytes(body),
        },
        answer: Answer::new(status, "application/json", bytes(answer)),
    }
}

#[test]
fn the_description_judges_requests_and_answers() {
    let reference = json!({"ref": "refs/heads/sbi/update", "node_id": "x", "url": "https://api.github.com/x",
        "object": {"type": "commit", "sha": "aa218f56b14c9653891f9e74264a383fa43fefbd", "url": "https://api.github.com/x"}});
    let path = "/repos/acme/base/git/refs/heads/sbi/update";
    let sent = json!({"sha": "aa218f56b14c9653891f9e74264a383fa43fefbd", "force": false});
    let good = exchange("PATCH", path, "", &sent, 200, &reference);
    assert_eq!(openapi::check(&good), Ok(()));
    let misspelt = json!({"sha": "aa218f56b14c9653891f9e74264a383fa43fefbd", "forced": false});
    let wrong = [
        exchange("PATCH", path, "", &misspelt, 200, &reference),
        exchange("PATCH", path, "", &json!({"force": true}), 200, &reference),
        exchange("PATCH", path, "", &sent, 200, &json!({"ref": "refs/heads/main"})),
        exchange("PATCH", path, "", &sent, 418, &json!({"error": "no message"})),
        exchange("PATCH", path, "force=true", &sent, 200, &reference),
        exchange("PUT", path, "", &sent, 200, &reference),
        exchange("GET", "/repos/acme/base/releases", "per_page=many", &Value::Null, 200, &json!([])),
        exchange("DELETE", "/repos/acme/base", "", &Value::Null, 204, &json!({"message": "gone"})),
    ];
    for exchange in wrong {
        assert!(openapi::check(&exchange).is_err(), "{} {}", exchange.request.method, exchange.request.path);
    }
    let undocumented = exchange("PATCH", path, "", &sent, 418, &json!({"message": "I'm a teapot"}));
    assert_eq!(openapi::check(&undocumented), Ok(()));
}

/// Examples that break their own schema in GitHub's description are known by number; more would be our mistake.
#[test]
fn githubs_own_examples_pass_but_for_the_known_ones() {
    let mut broken = Vec::new();
    let mut seen = 0;
    for operation in openapi::operations() {
        for (status, example) in &operation.examples {
            seen += 1;
            if let Err(reason) = openapi::check_answer(operation, *status, example) {
                broken.push(format!("{} {status}: {reason}", operation.path));
            }
        }
    }
    assert!(seen >= 50, "only {seen} examples");
    assert!(broken.len() <= 15, "{} of {seen}:\n{}", broken.len(), broken.join("\n"));
}

struct Canned<F>(F);

impl<F: Fn(&Request) -> Answer + Send + Sync + 'static> Handler for Canned<F> {
    fn answer(&self, request: &Request) -> Answer {
        (self.0)(request)
    }
}

fn serve(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
    Server::start(Canned(answer)).unwrap()
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer::new(status, "application/json", body.to_string())
}

fn client(url: &str, token: &str) -> Github {
    let timing =
        Timing { connect: Duration::from_secs(2), answer: Duration::from_secs(10), pause: Duration::from_millis(1) };
    let settings = Settings { api_url: Some(url.to_owned()), token: Token::new(token.to_owned()) };
    Github::connect_timed(settings, timing).unwrap_or_else(|failure| panic!("{failure}"))
}

fn base() -> GithubRepositoryName {
    GithubRepositoryName::new("acme/base").unwrap()
}

fn commit_of(files: &[(&str, &str)], delivery: Delivery) -> Commit {
    let files: BTreeMap<String, String> = files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
    Commit {
        repository: base(),
        branch: Some("main".into()),
        whole_tree: false,
        rendered: BTreeMap::new(),
        new_paths: files.keys().cloned().collect(),
        deletions: BTreeSet::new(),
        files,
        message: "Set up publishing".into(),
        delivery,
    }
}

fn open_pull_request(head: &str) -> OpenPullRequest {
    OpenPullRequest {
        number: 7,
        node_id: "PR_kwDOA".into(),
        url: "https://github.com/acme/base/pull/7".into(),
        title: "Set up".into(),
        body: "other words".into(),
        draft: false,
        head: CommitId::told(head),
    }
}

async fn refusal(status: u16, headers: &[(&str, &str)], body: Value) -> Failure {
    let headers: Vec<(String, String)> = headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
    let server = serve(move |_| {
        let mut refused = answer(status, &body);
        refused.headers.extend(headers.clone());
        refused
    });
    let tag = "v1.0.0".parse::<GitTag>().unwrap();
    match client(&server.url(), "ghp_x").create_release(&base(), &tag, "notes", &CommitId::told("a")).await {
        Ok(url) => panic!("{url}"),
        Err(failure) => failure,
    }
}

#[tokio::test]
async fn every_refusal_has_its_cause_and_a_next_step() {
    let message = || json!({"message": "no"});
    let denied = |action: &str| Cause::Denied { action: action.into(), resource: Some("acme/base".into()) };
    let cases = [
        (401, vec![], message(), Cause::Unauthenticated),
        (
            403,
            vec![("x-github-sso", "required; url=https://github.com/orgs/acme/sso?x=1")],
            message(),
            Cause::SsoRequired { url: "https://github.com/orgs/acme/sso?x=1".into() },
        ),
        (403, vec![("retry-after", "120")], message(), Cause::Throttled { retry_after_seconds: Some(120) }),
        (429, vec![], message(), Cause::Throttled { retry_after_seconds: Some(60) }),
        (403, vec![("x-accepted-github-permissions", "contents=write")], message(), denied("contents: write")),
        (403, vec![("x-oauth-scopes", "gist")], message(), denied("scope workflow")),
        (403, vec![], message(), denied("contents: write")),
        (404, vec![("x-oauth-scopes", "repo, gist")], message(), denied("scope workflow")),
        (404, vec![("x-oauth-scopes", "")], message(), denied("scope repo")),
        (404, vec![("x-oauth-scopes", "repo, workflow")], message(), Cause::NotFound),
        (404, vec![], message(), denied("contents: write")),
        (
            422,
            vec![],
            json!({"message": "Validation Failed", "errors": [{"resource": "Release", "code": "already_exists", "field": "tag_name"}]}),
            Cause::Exists,
        ),
        (422, vec![], message(), Cause::Other),
        (500, vec![("x-github-request-id", "ABCD:1")], message(), Cause::Other),
    ];
    for (status, headers, body, cause) in cases {
        let failure = refusal(status, &headers, body).await;
        assert_eq!(*failure.cause(), cause, "{status} {headers:?}: {failure}");
        assert!(failure.message().contains("v1.0.0"), "{failure} does not name the thing");
        assert!(matches!(cause, Cause::Other | Cause::NotFound) || !failure.hints().is_empty(), "{failure}");
    }
    let spent = refusal(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "4102444800")], message()).await;
    assert!(matches!(spent.cause(), Cause::Throttled { retry_after_seconds: Some(_) }));
    assert!(spent.hints()[0].contains("00:00 UTC") || spent.hints()[0].contains("23:59 UTC"), "{:?}", spent.hints());
    let unknown = refusal(500, &[("x-github-request-id", "ABCD:1")], message()).await;
    assert!(unknown.reasons().join("\n").contains("request ABCD:1"), "{:?}", unknown.reasons());
}

#[tokio::test]
async fn reads_are_repeated_and_creations_never() {
    let server = serve(|_| answer(200, &json!({"id": 1, "html_url": "https://github.com/r", "status": "queued"})));
    let bad = [
        Weather::Instead(answer(500, &json!({"message": "server error"}))),
        Weather::Instead(answer(502, &json!({"message": "bad gateway"}))),
        Weather::ResetBefore,
        Weather::ResetAfter,
    ];
    let github = client(&server.url(), "ghp_x");
    for weather in bad {
        let once = weather.clone();
        server.set_forecast(move |number, _| if number == 0 { once.clone() } else { Weather::Fair });
        let run = github.run(&base(), 1).await.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(run.id, 1);
        let sent = Arc::new(Mutex::new(0));
        let count = Arc::clone(&sent);
        server.set_forecast(move |_, request| {
            *count.lock().unwrap() += usize::from(request.method == "POST");
            weather.clone()
        });
        let tag = "v1.0.0".parse::<GitTag>().unwrap();
        assert!(github.create_release(&base(), &tag, "", &CommitId::told("a")).await.is_err());
        assert_eq!(*sent.lock().unwrap(), 1, "a creation was sent twice");
    }
}

#[tokio::test]
async fn a_creation_that_a_passing_limit_refused_is_sent_again() {
    let server = serve(|_| answer(201, &json!({"html_url": "https://github.com/r"})));
    let github = client(&server.url(), "ghp_x");
    let refusals: [(u16, &[(&str, &str)]); 2] =
        [(429, &[("retry-after", "0")]), (403, &[("retry-after", "0"), ("x-ratelimit-remaining", "7")])];
    for (status, headers) in refusals {
        let limited = headers.iter().fold(answer(status, &json!({"message": "slow down"})), |a, (k, v)| a.with(k, *v));
        server.set_forecast(move |number, _| match number {
            0 => Weather::Instead(limited.clone()),
            _ => Weather::Fair,
        });
        let tag = "v1.0.0".parse::<GitTag>().unwrap();
        github.create_release(&base(), &tag, "", &CommitId::told("a")).await.unwrap();
    }
    assert_eq!(server.log().len(), 2, "a limited request was carried out");
}

#[tokio::test]
async fn a_release_whose_answer_was_lost_is_told_by_its_notes() {
    let server = serve(|_| answer(200, &json!({"html_url": "https://github.com/r", "body": "ours"})));
    let github = client(&server.url(), "ghp_x");
    let tag = "v1.0.0".parse::<GitTag>().unwrap();
    let lost = [Weather::ResetAfter, Weather::AnswerLost(answer(502, &json!({"message": "bad gateway"})))];
    for weather in lost {
        server.set_forecast(move |number, _| if number == 0 { weather.clone() } else { Weather::Fair });
        github.create_release(&base(), &tag, "ours", &CommitId::told("a")).await.unwrap();
        server.set_forecast(|number, _| if number == 0 { Weather::ResetAfter } else { Weather::Fair });
        let theirs = github.create_release(&base(), &tag, "other notes", &CommitId::told("a")).await.unwrap_err();
        assert_eq!(*theirs.cause(), Cause::Exists);
    }
}

#[tokio::test]
async fn a_pattern_that_is_there_already_is_fine() {
    let server = serve(|request| answer(if request.method == "POST" { 303 } else { 200 }, &json!({})));
    let github = client(&server.url(), "ghp_x");
    let admits = DeploymentPolicies { tags: ["v*".to_owned()].into(), ..DeploymentPolicies::default() };
    github.set_environment(&base(), &"publish".parse().unwrap(), false, &admits).await.unwrap();
}

#[tokio::test]
async fn a_silent_server_is_given_up_and_named() {
    let server = serve(|_| answer(200, &json!({})));
    server.set_forecast(|_, _| Weather::Hang);
    let timing =
        Timing { connect: Duration::from_millis(50), answer: Duration::from_millis(50), pause: Duration::ZERO };
    let settings = Settings { api_url: Some(server.url()), token: Token::new("ghp_canary".into()) };
    let github = Github::connect_timed(settings, timing).ok().unwrap();
    let Err(failure) = github.viewer().await else { panic!("answered") };
    assert_eq!(*failure.cause(), Cause::Unreachable);
    assert!(failure.message().contains("127.0.0.1"), "{failure}");
    assert!(!format!("{failure} {:?} {:?}", failure.reasons(), failure.hints()).contains("canary"));
}

#[tokio::test]
async fn the_token_never_travels_unencrypted() {
    let settings = Settings { api_url: Some("http://github.example.com/api/v3".into()), token: Token::new("x".into()) };
    let Err(failure) = Github::connect(settings) else { panic!("accepted") };
    assert_eq!(*failure.cause(), Cause::Usage);
}

/// Runs Python of the tools with one line in, and gives back what it prints. Secrets go over stdin alone.
fn python(program: &str, input: &str) -> Option<String> {
    let python = tools::python_tool("python")?;
    let mut child =
        Command::new(python).args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[tokio::test]
async fn pynacl_opens_every_sealed_secret_and_the_key_is_fetched_once() {
    let make = "from nacl.public import *; import base64 as b; k=PrivateKey.generate(); \
                print(b.b64encode(bytes(k)).decode(), b.b64encode(bytes(k.public_key)).decode())";
    let Some(keys) = python(make, "") else { return };
    let (private, public) = keys.split_once(' ').unwrap();
    let public = public.to_owned();
    let server = serve(move |request| match request.method.as_str() {
        "GET" => answer(200, &json!({"key_id": "568250167242549743", "key": public})),
        _ => Answer::new(201, "application/json", "{}"),
    });
    let github = client(&server.url(), "ghp_x");
    let repository = base();
    let access = AccessKey::new("AKIAIOSFODNN7EXAMPLE".into(), "wJalrXUtnFEMI/canary".into());
    let (a, b, c) = tokio::join!(
        github.put_access_key(&repository, &access),
        github.put_secret(&repository, "AWS_REGION", "eu-central-1"),
        github.put_secret(&repository, "ECR_REPOSITORY", "acme/base"),
    );
    for result in [a, b, c] {
        result.unwrap_or_else(|failure| panic!("{failure}"));
    }
    let log = server.log();
    assert_eq!(log.iter().filter(|e| e.request.method == "GET").count(), 1, "one key fetch for all secrets");
    let mut opened = BTreeMap::new();
    for exchange in log.iter().filter(|exchange| exchange.request.method == "PUT") {
        openapi::check(exchange).unwrap();
        let body: Value = serde_json::from_slice(&exchange.request.body).unwrap();
        assert_eq!(body["key_id"], "568250167242549743");
        let open = "from nacl.public import *; import base64 as b; k,x=input().split(); \
                    print(SealedBox(PrivateKey(b.b64decode(k))).decrypt(b.b64decode(x)).decode())";
        let value = python(open, &format!("{private} {}\n", body["encrypted_value"].as_str().unwrap())).unwrap();
        opened.insert(exchange.request.path.rsplit('/').next().unwrap().to_owned(), value);
    }
    let expected = [
        ("AWS_ACCESS_KEY", "AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/canary"),
        ("AWS_REGION", "eu-central-1"),
        ("ECR_REPOSITORY", "acme/base"),
    ];
    assert_eq!(opened, expected.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect());
}

#[tokio::test]
async fn nothing_is_sealed_to_a_key_that_anyone_could_open() {
    let server = serve(|_| answer(200, &json!({"key_id": "1", "key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})));
    let Err(failure) = client(&server.url(), "ghp_x").put_secret(&base(), "AWS_REGION", "x").await else {
        panic!("sealed")
    };
    assert!(failure.message().contains("low order"), "{failure}");
    assert_eq!(server.log().len(), 1, "nothing was uploaded");
}

/// A GitHub that answers every documented request with GitHub's own example.
fn example(request: &Request) -> Answer {
    let Some(operation) = openapi::operation(&request.method, &request.path) else {
        return answer(404, &json!({"message": format!("undocumented {} {}", request.method, request.path)}));
    };
    if let Err(reason) = openapi::check_request(operation, request) {
        return answer(400, &json!({"message": format!("undocumented: {reason}")}));
    }
    if request.path.ends_with("/contents/sbi.lock") {
        return answer(404, &json!({"message": "Not Found"}));
    }
    match operation.examples.iter().find(|(status, _)| (200..300).contains(status)) {
        Some((status, body)) => answer(*status, body),
        None => Answer::new(204, "application/json", Vec::new()),
    }
}

#[tokio::test]
async fn githubs_own_examples_are_understood_and_every_request_is_documented() {
    let server = serve(example);
    let github = client(&server.url(), "github_pat_x");
    let repository = GithubRepositoryName::new("octocat/Hello-World").unwrap();
    let viewer = github.viewer().await.unwrap();
    assert_eq!((viewer.login.as_str(), viewer.token == TokenKind::FineGrained), ("octocat", true));
    let stranger = Viewer { login: "somebody".into(), ..viewer };
    github.owner("github", &stranger).await.unwrap();
    let found = github.repository(&repository).await.unwrap().unwrap();
    assert!(!found.files.is_empty() && !found.secrets.is_empty(), "{found:?}");
    assert!(found.actions.is_some() && found.head.is_some());
    let calls = server.log().len();
    assert!(calls <= 24, "{calls} calls to observe one repository");
    github.find_run(&repository, &CommitId::told("a"), &"v1.0.0".parse().unwrap()).await.unwrap();
    github.run(&repository, 1).await.unwrap();
    assert!(!github.jobs(&repository, 1).await.unwrap()[0].steps.is_empty());
    let looked = github.look_at(&repository).await.unwrap().unwrap();
    assert_eq!(looked.found, found);
    assert!(looked.secrets.is_ok() && looked.environments.is_ok() && looked.subject.is_ok());
    assert!(looked.pull_requests.is_ok());
    assert_eq!(looked.published.len(), 1);
    let runs = github.runs_of_workflow(&repository, ".github/workflows/publish-to-ecr.yml", 100).await.unwrap();
    assert_eq!((runs.len(), runs[0].event.as_str()), (1, "push"));
    assert!(github.workflow_states(&repository).await.unwrap().values().all(|state| state == "active"));
    let alerts = github.open_alerts(&repository).await.unwrap();
    assert_eq!((alerts.by_severity.values().sum::<u64>(), alerts.cut), (2, false));
    assert_eq!(github.rescan_issue(&repository).await.unwrap(), None, "GitHub's example is no issue of ours");
    assert!(github.variable(&repository, "CODE_SCANNING").await.unwrap().is_some());
    github.restrict_workflow_token(&repository).await.unwrap();
    github.require_pinned_actions(&repository, Some("all")).await.unwrap();
    let admits = DeploymentPolicies { tags: ["static-go/v*".to_owned()].into(), branches: ["main".to_owned()].into() };
    for exists in [true, false] {
        github.set_environment(&repository, &"release".parse().unwrap(), exists, &admits).await.unwrap();
    }
    for in_organization in [true, false] {
        github.create_repository(&repository, in_organization, Visibility::Private, "words").await.unwrap();
    }
    github.start_history(&repository, "main", "text").await.unwrap();
    let parent = CommitId::told("7fd1a60b01f91b314f59955a4e4d4e80d8edf11d");
    let by_request = |open| Delivery::PullRequest {
        branch: "sbi/setup".into(),
        title: "Set up".into(),
        body: "words".into(),
        draft: false,
        open,
    };
    // The commit that GitHub's example of a branch is at.
    let open = open_pull_request("aa218f56b14c9653891f9e74264a383fa43fefbd");
    for delivery in [Delivery::Push, by_request(None), by_request(Some(Box::new(open.clone())))] {
        let mut commit = commit_of(&[(".github/workflows/x.yml", "on: release")], delivery);
        commit.deletions.insert("README.md".into());
        github.commit(&commit, "main", &parent).await.unwrap();
    }
    github.close_pull_request(&repository, "sbi/setup", &open, "nothing is left of it").await.unwrap();
    // GitHub's example of a closed pull request was merged.
    assert_eq!(github.turned_down(&repository, "new-topic").await.unwrap(), None);
    let action = github.action_repository(&repository).await.unwrap();
    assert!(action.tags.is_empty() && action.default_branch == "master", "GitHub's example has branches alone");
    let target = TagTarget { object: "940bd336248efae0f9ee5bc7b2d5c985887b16ac".into(), annotated: true };
    let tagged = github.tagged_commit(&repository, "v0.0.1", &target).await.unwrap();
    assert_eq!(tagged.commit.as_str(), "c3d0be41ecbe669545ee3e94d31ed9a4bc91ee3c");
    assert!(tagged.release.is_some_and(|release| release.published.is_some() && !release.prerelease));
    assert!(github.branch_with(&repository, &tagged.commit, "master", &[]).await.unwrap().is_some());
    // GitHub's example of a blob is not the one of this id, which is noticed.
    assert!(github.blobs(&repository, &[BlobId::of(b"x")].into()).await.is_err());
    github.create_release(&repository, &"v1.0.0".parse().unwrap(), "notes", &parent).await.unwrap();
    github.delete_secret(&repository, "AWS_REGION").await.unwrap();
    let held = github.environment_holdings(&repository, &"release".parse().unwrap()).await.unwrap();
    assert!(held.rules.contains("required_reviewers") && !held.rules.contains("branch_policy"), "{held:?}");
    assert!(!held.secrets.is_empty() && !held.variables.is_empty(), "{held:?}");
    github.our_branches(&repository).await.unwrap();
    github.delete_environment(&repository, &"release".parse().unwrap()).await.unwrap();
    github.delete_branch(&repository, "sbi/setup").await.unwrap();
    github.delete_repository(&repository).await.unwrap();
    for exchange in server.log() {
        let asked = (&exchange.request.method, &exchange.request.path);
        assert_ne!(exchange.answer.status, 400, "{asked:?}: {}", String::from_utf8_lossy(&exchange.answer.body));
        assert!(openapi::operation(asked.0, asked.1).is_some(), "{asked:?} is not documented");
        assert_eq!(exchange.request.header("x-github-api-version"), Some("2022-11-28"));
        assert_eq!(exchange.request.header("authorization"), Some("Bearer github_pat_x"));
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_costs_one_call() {
    let server = serve(|_| answer(404, &json!({"message": "Not Found"})));
    assert_eq!(client(&server.url(), "ghp_x").repository(&base()).await.unwrap(), None);
    assert_eq!(server.log().len(), 1);
}

/// What a token may not see must not pass for empty.
#[tokio::test]
async fn an_environment_that_is_hidden_is_no_empty_one() {
    for (status, seen) in [(404, true), (403, false)] {
        let server = serve(move |_| answer(status, &json!({"message": "no"})));
        let github = client(&server.url(), "github_pat_x");
        let held = github.environment_holdings(&base(), &"publish".parse().unwrap()).await;
        assert_eq!(held.is_ok(), seen, "{status}");
    }
}

/// Deleting a repository takes a scope of its own, and GitHub says 403 without it.
#[tokio::test]
async fn a_repository_is_deleted_with_the_scope_for_it_only() {
    let server = serve(|_| {
        answer(403, &json!({"message": "Must have admin rights to Repository."}))
            .with("x-oauth-scopes", "repo, workflow")
    });
    let Err(failure) = client(&server.url(), "ghp_x").delete_repository(&base()).await else { panic!("deleted") };
    assert!(matches!(failure.cause(), Cause::Denied { action, .. } if action == "scope delete_repo"), "{failure}");
    assert!(failure.hints()[0].contains("gh auth refresh -s delete_repo"), "{:?}", failure.hints());
    let server = serve(|_| answer(404, &json!({"message": "Not Found"})));
    client(&server.url(), "ghp_x").delete_repository(&base()).await.unwrap();
}

/// A branch that is gone is refused with 422, as much else is.
#[tokio::test]
async fn a_branch_that_is_gone_is_deleted_and_a_protected_one_is_not() {
    for there in [false, true] {
        let server = serve(move |request| match request.method.as_str() {
            "GET" if there => answer(200, &json!({"object": {"sha": "a"}})),
            "GET" => answer(404, &json!({"message": "Not Found"})),
            _ => answer(422, &json!({"message": "no"})),
        });
        let deleted = client(&server.url(), "ghp_x").delete_branch(&base(), "sbi/setup").await;
        assert_eq!(deleted.is_err(), there);
    }
}

/// GitHub answers 404 to what is gone and to what a token may not touch.
#[tokio::test]
async fn a_secret_that_is_gone_is_deleted_and_one_that_is_hidden_is_not() {
    for there in [false, true] {
        let server = serve(move |request| match request.method.as_str() {
            "GET" if there => answer(200, &json!({"name": "A", "created_at": "x", "updated_at": "x"})),
            _ => answer(404, &json!({"message": "Not Found"})),
        });
        let deleted = client(&server.url(), "github_pat_x").delete_secret(&base(), "A").await;
        match deleted {
            Ok(()) => assert!(!there, "a hidden secret counts as deleted"),
            Err(failure) => {
                assert!(there && matches!(failure.cause(), Cause::Denied { .. }), "{failure}");
                assert!(failure.hints()[0].contains("secrets: write"), "{:?}", failure.hints());
            }
        }
    }
}

#[tokio::test]
async fn lists_are_read_to_their_last_page() {
    let server = serve(|request| {
        let page = |name: &str| json!({"jobs": [{"name": name, "status": "completed", "conclusion": "success", "html_url": null, "steps": []}]});
        let path = &request.path;
        if request.query.contains("page=2") && request.query.contains("per_page=100") {
            answer(200, &page("second"))
        } else {
            answer(200, &page("first"))
                .with("link", format!("<https://api.github.com{path}?per_page=100&page=2>; rel=\"next\""))
        }
    });
    let jobs = client(&server.url(), "ghp_x").jobs(&base(), 1).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["first", "second"]);
}

/// Anybody may write the mark into an issue of theirs, and a pull request may carry it.
#[tokio::test]
async fn the_nightly_issue_is_known_by_mark_and_author_and_lists_end() {
    let issue = |number: u64, login: &str, body: &str| {
        json!({"number": number, "html_url": "u", "user": {"login": login}, "body": body,
            "updated_at": "2026-11-20T03:50:00Z"})
    };
    let mark = "<!-- sbi-rescan -->\nfindings";
    let others = [issue(9, "somebody", mark), issue(8, "github-actions[bot]", "another bot's"), {
        let mut pull = issue(7, "github-actions[bot]", mark);
        pull["pull_request"] = json!({"url": "u"});
        pull
    }];
    for (there, endless) in [(true, false), (false, false), (false, true)] {
        let mut page = others.to_vec();
        page.extend(there.then(|| issue(3, "github-actions[bot]", mark)));
        let server = serve(move |request| {
            let page = answer(200, &json!(page));
            let next = format!("<https://api.github.com{}?{}x>; rel=\"next\"", request.path, request.query);
            if endless { page.with("link", next) } else { page }
        });
        let found = client(&server.url(), "ghp_x").rescan_issue(&base()).await;
        match found {
            Ok(found) => {
                assert!(!endless);
                assert_eq!(found.map(|issue| issue.number), there.then_some(3));
            }
            Err(failure) => assert!(endless && failure.message().contains("1000"), "{failure}"),
        }
        assert_eq!(server.log().len(), if endless { 10 } else { 1 });
    }
}

#[tokio::test]
async fn a_refused_push_is_told_apart_by_the_branch_itself() {
    for (tip, wanted) in [("parent", "--pull-request"), ("other", "run the command again")] {
        let server = serve(move |request| match (request.method.as_str(), request.path.rsplit('/').next()) {
            ("POST", Some("trees")) => answer(201, &json!({"sha": "t"})),
            ("POST", _) => answer(201, &json!({"sha": "new", "tree": {"sha": "t"}, "html_url": "u"})),
            ("PATCH", _) => answer(422, &json!({"message": "no"})),
            (_, Some("main")) => answer(200, &json!({"object": {"sha": tip}})),
            _ => answer(200, &json!({"sha": "parent", "tree": {"sha": "t0"}, "html_url": "u"})),
        });
        let parent = CommitId::told("parent");
        let commit = commit_of(&[("a", "b")], Delivery::Push);
        let Err(failure) = client(&server.url(), "ghp_x").commit(&commit, "main", &parent).await else { panic!() };
        assert!(failure.hints()[0].contains(wanted), "{failure}: {:?}", failure.hints());
    }
}

#[tokio::test]
async fn emulate_takes_repository_commits_pull_request_and_release() {
    let Some(emulate) = Emulate::start() else { return };
    let github = client(&emulate.url, emulate::TOKEN);
    let viewer = github.viewer().await.unwrap();
    assert_eq!(viewer.login, "acme");
    assert!(!github.owner("acme", &viewer).await.unwrap().is_organization);
    assert_eq!(github.repository(&base()).await.unwrap(), None);
    let made = github.create_repository(&base(), false, Visibility::Public, "a base image").await.unwrap();
    let Err(again) = github.create_repository(&base(), false, Visibility::Public, "").await else { panic!() };
    assert_eq!(*again.cause(), Cause::Exists, "{again}");

    let mut first = commit_of(&[("sbi.toml", "a = 1\n"), ("images/x/Dockerfile", "FROM scratch\n")], Delivery::Push);
    first.whole_tree = true;
    let Delivered::Commit { id, .. } = github.commit(&first, "main", &made.head).await.unwrap() else { panic!() };
    let seen = github.repository(&base()).await.unwrap().unwrap();
    assert_eq!(seen.head.as_ref(), Some(&id));
    let expected: BTreeMap<String, BlobId> =
        first.files.iter().map(|(path, text)| (path.clone(), BlobId::of(text.as_bytes()))).collect();
    assert_eq!(seen.files, expected, "ids computed here are git's, and the whole tree was replaced");
    assert_eq!(github.file(&base(), "sbi.toml").await.unwrap().as_deref(), Some("a = 1\n"));
    assert_eq!(github.file(&base(), "absent").await.unwrap(), None);

    let second = commit_of(&[("README.md", "words\n")], Delivery::Push);
    github.commit(&second, "main", &id).await.unwrap();
    let seen = github.repository(&base()).await.unwrap().unwrap();
    assert_eq!(seen.files.len(), 3, "what is not in a commit stays");
    let mut away = commit_of(&[], Delivery::Push);
    away.deletions.insert("images/x/Dockerfile".into());
    github.commit(&away, "main", &seen.head.unwrap()).await.unwrap();
    let seen = github.repository(&base()).await.unwrap().unwrap();
    assert_eq!(seen.files.keys().collect::<Vec<_>>(), ["README.md", "sbi.toml"], "and what is deleted goes");

    let head = seen.head.unwrap();
    let delivery = |open| Delivery::PullRequest {
        branch: "sbi/setup".into(),
        title: "Set up publishing".into(),
        body: "words".into(),
        draft: false,
        open,
    };
    let third = commit_of(&[("SECURITY.md", "words\n")], delivery(None));
    let Delivered::PullRequest { number, .. } = github.commit(&third, "main", &head).await.unwrap() else { panic!() };
    let seen = github.repository(&base()).await.unwrap().unwrap();
    assert_eq!(seen.pull_requests.len(), 1);
    assert_eq!(seen.pull_requests[0].files["SECURITY.md"], BlobId::of(b"words\n"));
    // `emulate` keeps the commit that a pull request was opened with, so only the move itself is seen here.
    let fourth =
        commit_of(&[("SECURITY.md", "other words\n")], delivery(Some(Box::new(seen.pull_requests[0].as_open()))));
    let Delivered::PullRequest { number: same, .. } = github.commit(&fourth, "main", &head).await.unwrap() else {
        panic!()
    };
    assert_eq!(same, number);
    assert_eq!(seen.head.as_ref(), Some(&head), "a pull request moves no default branch");

    let tag = "v1.0.0".parse::<GitTag>().unwrap();
    let notes = format!("words\n{}", sbi::model::desired::RELEASE_MARKER);
    github.create_release(&base(), &tag, &notes, &head).await.unwrap();
    let Err(again) = github.create_release(&base(), &tag, &notes, &head).await else { panic!() };
    assert_eq!(*again.cause(), Cause::Exists, "{again}");
    let seen = github.repository(&base()).await.unwrap().unwrap();
    assert!(seen.releases.len() == 1 && seen.releases[0].ours && seen.releases[0].tag == tag);
}

#[tokio::test]
async fn a_signed_commit_is_one_graphql_call_and_says_when_the_branch_moved() {
    let replies = [
        (json!({"data": {"createCommitOnBranch": {"commit": {"oid": "new", "url": "https://github.com/c"}}}}), None),
        (json!({"data": null, "errors": [{"type": "STALE_DATA", "message": "x"}]}), Some("moved meanwhile")),
        (json!({"data": null, "errors": [{"type": "FORBIDDEN", "message": "x"}]}), Some("may not")),
    ];
    for (reply, refused) in replies {
        let server = serve(move |_| answer(200, &reply));
        let parent = CommitId::told("parent");
        let mut commit = commit_of(&[("a", "text")], Delivery::SignedPush);
        commit.deletions.insert("b".into());
        let result = client(&server.url(), "ghp_x").commit(&commit, "main", &parent).await;
        let log = server.log();
        assert_eq!(log.len(), 1);
        openapi::check(&log[0]).unwrap();
        let input = serde_json::from_slice::<Value>(&log[0].request.body).unwrap()["variables"]["input"].clone();
        assert_eq!(input["expectedHeadOid"], "parent");
        assert_eq!(input["fileChanges"]["additions"][0], json!({"path": "a", "contents": "dGV4dA=="}));
        assert_eq!(input["fileChanges"]["deletions"], json!([{"path": "b"}]));
        match (result, refused) {
            (Ok(Delivered::Commit { id, .. }), None) => assert_eq!(id.as_str(), "new"),
            (Err(failure), Some(text)) => assert!(failure.message().contains(text), "{failure}"),
            _ => panic!("the wrong outcome"),
        }
    }
}
