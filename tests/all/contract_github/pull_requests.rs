//! Pull requests of ours, and what was once in a repository, against the strict stand-in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sbi::failure::{Cause, Failure};
use sbi::github::{Delivered, Github, Settings, Timing};
use sbi::model::commit::{Commit, Delivery, UPDATE_BRANCH, is_ours};
use sbi::model::git::{BlobId, CommitId};
use sbi::model::observed::{GithubRepository, PullRequest};
use sbi::sandbox::github::{GithubOptions, GithubStandIn, PullRequestSnapshot, Seed, TokenScopes};
use sbi::sandbox::http::Weather;
use serde_json::json;

use super::{answer, base, client, commit_of, serve};
use crate::support::openapi;

const FULL_NAME: &str = "acme/base";
const FILES: &[(&str, &str)] = &[("sbi.toml", "a = 1\n"), ("run.sh", "true\n"), ("theirs", "theirs\n")];

/// A stand-in with a repository, the adapter on it, and all that was exchanged held against GitHub's description.
struct Host {
    stand_in: GithubStandIn,
    github: Github,
}

impl Host {
    fn start() -> Self {
        Self::with(GithubOptions::default(), false)
    }

    fn with(options: GithubOptions, private: bool) -> Self {
        let stand_in = GithubStandIn::start(GithubOptions { login: "acme".into(), ..options }).unwrap();
        stand_in.create_repository(FULL_NAME, Seed { private, files: FILES });
        let github = stand_in.token().reveal(|token| client(&stand_in.url(), token));
        Self { stand_in, github }
    }

    /// Another run of the program: it remembers nothing.
    fn again(&mut self) {
        self.stand_in.server().set_forecast(|_, _| Weather::Fair);
        self.github = self.stand_in.token().reveal(|token| client(&self.stand_in.url(), token));
    }

    async fn observe(&self) -> GithubRepository {
        self.github.repository(&base()).await.unwrap().unwrap()
    }

    async fn open(&self) -> PullRequest {
        self.observe().await.pull_requests.into_iter().find(|open| open.branch == UPDATE_BRANCH).unwrap()
    }

    fn pull(&self) -> PullRequestSnapshot {
        self.stand_in.repository(FULL_NAME).unwrap().pull_requests.last().unwrap().clone()
    }

    /// How often a method was used on paths that end so.
    fn sent(&self, method: &str, tail: &str) -> usize {
        let log = self.stand_in.server().log();
        log.iter().filter(|each| each.request.method == method && each.request.path.ends_with(tail)).count()
    }

    async fn deliver(&self, commit: &Commit) -> Result<u64, Failure> {
        let head = self.observe().await.head.unwrap();
        match self.github.commit(commit, "main", &head).await? {
            Delivered::PullRequest { number, .. } => Ok(number),
            Delivered::Commit { .. } => panic!("pushed"),
        }
    }

    /// What a planner does about a wanted pull request: a new one, a move, a description, or nothing.
    async fn converge(&self, wanted: &Commit) -> Result<bool, Failure> {
        let found = self.github.repository(&base()).await?.unwrap();
        let Delivery::PullRequest { title, body, draft, .. } = &wanted.delivery else { panic!() };
        let open = found.pull_requests.iter().find(|open| open.branch == UPDATE_BRANCH);
        let carries = |open: &&PullRequest| {
            wanted.files.iter().all(|(path, text)| open.files.get(path) == Some(&BlobId::of(text.as_bytes())))
        };
        match open.filter(carries) {
            Some(open) if (&open.title, &open.body, open.draft) == (title, body, *draft) => Ok(true),
            Some(open) => {
                self.github.change_pull_request(&base(), &open.as_open(), (title, body), *draft).await?;
                Ok(false)
            }
            None => {
                let mut commit = wanted.clone();
                if let Delivery::PullRequest { open: into, .. } = &mut commit.delivery {
                    *into = open.map(|open| Box::new(open.as_open()));
                }
                self.github.commit(&commit, "main", &found.head.unwrap()).await?;
                Ok(false)
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stand_in.server().log().iter().for_each(|exchange| openapi::check(exchange).unwrap());
        }
    }
}

fn update(files: &[(&str, &str)], (title, body): (&str, &str), draft: bool, open: Option<&PullRequest>) -> Commit {
    let delivery = Delivery::PullRequest {
        branch: UPDATE_BRANCH.into(),
        title: title.into(),
        body: body.into(),
        draft,
        open: open.map(|open| Box::new(open.as_open())),
    };
    commit_of(files, delivery)
}

#[tokio::test]
async fn blobs_come_in_their_exact_bytes_and_unknown_ones_are_none() {
    let host = Host::start();
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let known = [BlobId::of(b"theirs\n"), BlobId::of(b"a = 1\n")];
    // What is in no commit any more is still there.
    host.stand_in.commit_files(FULL_NAME, "main", &[("theirs", "others\n")], "edit");
    let odd = ["", "main", "../../user", "0a0A", &"g".repeat(40), &"0".repeat(64)].map(BlobId::told);
    let unknown = BlobId::of(b"nowhere");
    let ids: BTreeSet<BlobId> = known.iter().chain(&odd).chain([&unknown]).cloned().collect();
    let before = host.stand_in.server().log().len();
    let found = host.github.blobs(&base(), &ids).await.unwrap();
    assert_eq!(host.stand_in.server().log().len() - before, 3, "what is no id is asked of nobody");
    assert_eq!(found.len(), ids.len());
    assert_eq!(found[&known[0]].as_deref(), Some(&b"theirs\n"[..]));
    assert_eq!(found[&known[1]].as_deref(), Some(&b"a = 1\n"[..]));
    assert!(odd.iter().chain([&unknown]).all(|id| found[id].is_none()));

    let id = BlobId::of(&bytes);
    // GitHub breaks its base64 into lines.
    let lines: String = STANDARD
        .encode(&bytes)
        .as_bytes()
        .chunks(60)
        .fold(String::new(), |all, line| all + std::str::from_utf8(line).unwrap() + "\n");
    let body = json!({"content": lines, "encoding": "base64", "sha": id.as_str(), "size": bytes.len()});
    let server = serve(move |_| answer(200, &body));
    let github = client(&server.url(), "ghp_x");
    let found = github.blobs(&base(), &BTreeSet::from([id.clone()])).await.unwrap();
    assert_eq!(found[&id].as_deref(), Some(&bytes[..]));
    // Other bytes than those that were asked for are no answer.
    assert!(github.blobs(&base(), &BTreeSet::from([unknown.clone()])).await.is_err());
    let server = serve(|_| answer(409, &json!({"message": "Git Repository is empty."})));
    assert_eq!(client(&server.url(), "x").blobs(&base(), &[unknown.clone()].into()).await.unwrap()[&unknown], None);
}

#[tokio::test]
async fn a_blob_that_the_token_may_not_see_is_not_taken_for_absent() {
    let host = Host::with(
        GithubOptions { token_scopes: TokenScopes::fine_grained(["metadata: read"]), ..GithubOptions::default() },
        true,
    );
    let failure = host.github.blobs(&base(), &[BlobId::of(b"theirs\n")].into()).await.unwrap_err();
    assert!(matches!(failure.cause(), Cause::Denied { action, .. } if action == "contents: read"), "{failure}");
}

#[tokio::test]
async fn few_blobs_are_asked_for_at_once() {
    let server = serve(|_| answer(200, &json!({})));
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&asked);
    server.set_forecast(move |_, request| {
        seen.lock().unwrap().insert(request.path.clone());
        Weather::Hang
    });
    let timing =
        Timing { connect: Duration::from_secs(2), answer: Duration::from_millis(200), pause: Duration::from_millis(1) };
    let settings = Settings { api_url: Some(server.url()), token: super::Token::new("ghp_x".into()) };
    let github = Github::connect_timed(settings, timing).ok().unwrap();
    let ids = (0..30).map(|number: u32| BlobId::of(&number.to_le_bytes())).collect();
    assert!(github.blobs(&base(), &ids).await.is_err());
    let asked = asked.lock().unwrap().len();
    assert!((2..=8).contains(&asked), "{asked} at once");
}

#[tokio::test]
async fn what_is_merged_stands_on_a_commit_of_what_was_rendered() {
    let host = Host::start();
    host.stand_in.make_executable(FULL_NAME, &["run.sh"]);
    let mut commit =
        update(&[("run.sh", "merged\n"), ("sbi.lock", "templates = \"9\"\n")], ("Update", "why"), true, None);
    commit.rendered = BTreeMap::from([("run.sh".to_owned(), "rendered\n".to_owned())]);
    commit.deletions = BTreeSet::from(["theirs".to_owned()]);
    let number = host.deliver(&commit).await.unwrap();
    let open = host.open().await;
    assert_eq!((open.number, open.draft, open.head_is_ours), (number, true, true));
    assert_eq!((open.title.as_str(), open.body.as_str()), ("Update", "why"));
    assert_eq!(open.files["run.sh"], BlobId::of(b"merged\n"));
    assert!(!open.files.contains_key("theirs"));
    assert_eq!(open.lock.unwrap().templates, "9");
    let rendered = BlobId::of(b"rendered\n");
    let found = host.github.blobs(&base(), &[rendered.clone()].into()).await.unwrap();
    assert_eq!(found[&rendered].as_deref(), Some(&b"rendered\n"[..]));
    let history = host.stand_in.history(FULL_NAME, open.head.as_str());
    let messages: Vec<&str> = history.iter().map(|(message, _)| message.as_str()).collect();
    assert_eq!(history.len(), 4, "{messages:?}");
    assert!(history[..2].iter().all(|(message, tree)| is_ours(message, tree)), "{messages:?}");
    assert!(messages[0].starts_with("Set up publishing\n\nMade-by: sbi "), "{messages:?}");
    let executables = host.stand_in.executables(FULL_NAME, open.head.as_str());
    assert_eq!(executables, BTreeSet::from(["run.sh".to_owned()]), "a file stays executable when its text changes");
}

#[tokio::test]
async fn an_open_pull_request_is_moved_and_described_where_it_differs_only() {
    let host = Host::start();
    host.deliver(&update(&[("a", "1\n")], ("Update", "why"), false, None)).await.unwrap();
    let open = host.open().await;
    let number = host.deliver(&update(&[("a", "2\n")], ("Update", "why"), false, Some(&open))).await.unwrap();
    assert_eq!(number, open.number);
    assert_eq!((host.sent("PATCH", "/pulls/1"), host.sent("POST", "/graphql")), (0, 0), "nothing differs");
    let open = host.open().await;
    assert_eq!(open.files["a"], BlobId::of(b"2\n"));
    host.deliver(&update(&[("a", "3\n")], ("Update", "why else"), true, Some(&open))).await.unwrap();
    assert_eq!((host.pull().body.as_str(), host.pull().draft), ("why else", true));
    let open = host.open().await;
    let texts = ("New title", "why else");
    host.github.change_pull_request(&base(), &open.as_open(), texts, false).await.unwrap();
    assert_eq!((host.pull().title.as_str(), host.pull().draft), ("New title", false));
    assert_eq!(host.open().await.head, open.head, "the branch stays where it is");
    // What somebody else did meanwhile is no failure.
    host.github.change_pull_request(&base(), &open.as_open(), texts, false).await.unwrap();
}

#[tokio::test]
async fn a_persons_commits_on_our_branch_are_never_moved_over() {
    let mut host = Host::start();
    host.deliver(&update(&[("a", "1\n")], ("Update", "why"), false, None)).await.unwrap();
    let ours = host.open().await;
    host.stand_in.commit_files(FULL_NAME, UPDATE_BRANCH, &[("a", "theirs\n")], "Fix it");
    let theirs = host.open().await;
    assert!(ours.head_is_ours && !theirs.head_is_ours);
    let failure = host.deliver(&update(&[("a", "2\n")], ("Update", "why"), false, Some(&ours))).await.unwrap_err();
    assert!(failure.message().contains("moved meanwhile"), "{failure}");
    let failure = host.github.close_pull_request(&base(), UPDATE_BRANCH, &ours.as_open(), "no").await.unwrap_err();
    assert!(failure.message().contains("moved meanwhile"), "{failure}");
    assert_eq!(host.open().await, theirs);
    assert!(host.pull().comments.is_empty());

    // The same on a branch whose pull request is closed.
    host.stand_in.close_pull_request(FULL_NAME, ours.number);
    host.again();
    let fresh = update(&[("a", "2\n")], ("Update", "why"), false, None);
    let failure = host.deliver(&fresh).await.unwrap_err();
    assert!(failure.message().contains("commits that are not sbi's"), "{failure}");
    assert!(failure.hints()[0].contains("git push origin --delete sbi/update"), "{:?}", failure.hints());
    assert_eq!(host.stand_in.repository(FULL_NAME).unwrap().branches[UPDATE_BRANCH], theirs.head.as_str());
}

#[tokio::test]
async fn a_branch_that_was_left_behind_is_gone_on_with() {
    let host = Host::start();
    host.deliver(&update(&[("a", "1\n")], ("Update", "why"), false, None)).await.unwrap();
    host.stand_in.close_pull_request(FULL_NAME, 1);
    assert_eq!(host.deliver(&update(&[("a", "2\n")], ("Update", "why"), false, None)).await.unwrap(), 2);
    assert_eq!(host.open().await.files["a"], BlobId::of(b"2\n"));
}

#[tokio::test]
async fn a_pull_request_that_became_pointless_is_closed_with_a_reason() {
    let mut host = Host::start();
    host.deliver(&update(&[("a", "1\n")], ("Update", "why"), false, None)).await.unwrap();
    let open = host.open().await;
    host.github.close_pull_request(&base(), UPDATE_BRANCH, &open.as_open(), "main has all of it").await.unwrap();
    let pull = host.pull();
    assert!(!pull.open && !pull.merged);
    assert_eq!(pull.comments.len(), 1);
    assert!(pull.comments[0].1.starts_with("Closed by `sbi`: main has all of it."), "{:?}", pull.comments);
    assert!(!host.stand_in.repository(FULL_NAME).unwrap().branches.contains_key(UPDATE_BRANCH));
    host.again();
    assert_eq!(host.github.turned_down(&base(), UPDATE_BRANCH).await.unwrap(), None, "nobody turned it down");
}

#[tokio::test]
async fn what_a_person_turned_down_is_known_with_its_files() {
    let host = Host::start();
    assert_eq!(host.github.turned_down(&base(), UPDATE_BRANCH).await.unwrap(), None);
    for (number, branch) in [(1, UPDATE_BRANCH), (2, UPDATE_BRANCH), (3, "sbi/setup")] {
        let mut commit =
            update(&[("a", &format!("{number}\n")), ("sbi.lock", "templates = \"7\"\n")], ("U", "w"), false, None);
        if let Delivery::PullRequest { branch: from, .. } = &mut commit.delivery {
            *from = branch.to_owned();
        }
        assert_eq!(host.deliver(&commit).await.unwrap(), number);
        host.stand_in.close_pull_request(FULL_NAME, number);
    }
    let found = host.github.turned_down(&base(), UPDATE_BRANCH).await.unwrap().unwrap();
    assert_eq!((found.number, found.url.ends_with("/acme/base/pull/2")), (2, true));
    assert_eq!(found.files["a"], BlobId::of(b"2\n"));
    assert_eq!(found.lock.unwrap().templates, "7");
    // One that was merged was not turned down.
    assert_eq!(host.deliver(&update(&[("a", "4\n")], ("U", "w"), false, None)).await.unwrap(), 4);
    host.stand_in.merge_pull_request(FULL_NAME, 4).unwrap();
    assert_eq!(host.github.turned_down(&base(), UPDATE_BRANCH).await.unwrap().unwrap().number, 2);
}

#[tokio::test]
async fn a_private_repository_without_a_plan_for_it_has_no_drafts() {
    for (plan, drafts) in [("free", false), ("pro", false), ("team", true)] {
        let host = Host::with(GithubOptions { plan: plan.into(), ..GithubOptions::default() }, true);
        let opened = host.deliver(&update(&[("a", "1\n")], ("U", "w"), true, None)).await;
        assert_eq!(opened.is_ok(), drafts, "{plan}");
        if drafts {
            continue;
        }
        host.deliver(&update(&[("a", "1\n")], ("U", "w"), false, None)).await.unwrap();
        let open = host.open().await;
        let failure = host.github.change_pull_request(&base(), &open.as_open(), ("U", "w"), true).await.unwrap_err();
        assert!(failure.message().contains("turn pull request #1 to a draft"), "{failure}");
        assert!(failure.reasons().iter().any(|reason| reason.contains("to draft")), "{:?}", failure.reasons());
    }
}

#[tokio::test]
async fn pull_requests_take_the_right_to_write_them() {
    let scopes = TokenScopes::fine_grained(["contents: write", "pull requests: read", "secrets: read"]);
    let host = Host::with(GithubOptions { token_scopes: scopes, ..GithubOptions::default() }, false);
    let failure = host.deliver(&update(&[("a", "1\n")], ("U", "w"), false, None)).await.unwrap_err();
    let denied = |failure: &Failure| {
        assert!(
            matches!(failure.cause(), Cause::Denied { action, .. } if action == "pull_requests: write"),
            "{failure}"
        );
    };
    denied(&failure);
    host.stand_in.set_token_scopes(TokenScopes::fine_grained([
        "contents: write",
        "pull requests: write",
        "secrets: read",
    ]));
    host.deliver(&update(&[("a", "1\n")], ("U", "w"), false, None)).await.unwrap();
    let open = host.open().await.as_open();
    host.stand_in.set_token_scopes(TokenScopes::fine_grained([
        "contents: write",
        "pull requests: read",
        "secrets: read",
    ]));
    for (texts, draft) in [(("V", "w"), false), (("U", "w"), true)] {
        denied(&host.github.change_pull_request(&base(), &open, texts, draft).await.unwrap_err());
    }
    denied(&host.github.close_pull_request(&base(), UPDATE_BRANCH, &open, "no").await.unwrap_err());
    assert!(host.pull().open && host.pull().title == "U" && !host.pull().draft);
}

/// Breaks each call of an update once, before and after it was carried out, and lets further runs finish.
#[tokio::test]
async fn an_update_cut_off_at_any_call_is_finished_by_the_next_run() {
    let first = update(&[("a", "1\n"), ("sbi.lock", "templates = \"1\"\n")], ("Update", "why"), false, None);
    let mut second = update(&[("a", "2\n"), ("sbi.lock", "templates = \"2\"\n")], ("Conflict", "hunks"), true, None);
    second.rendered = BTreeMap::from([("a".to_owned(), "rendered\n".to_owned())]);
    let third = update(&[("a", "3\n"), ("sbi.lock", "templates = \"3\"\n")], ("Update", "done"), false, None);
    for weather in [Weather::ResetBefore, Weather::ResetAfter] {
        let mut number = 0;
        loop {
            let mut host = Host::start();
            let mut cut = false;
            for wanted in [&first, &second, &third] {
                let (hit, weather) = (Arc::new(Mutex::new(false)), weather.clone());
                let seen = Arc::clone(&hit);
                let at = Arc::new(Mutex::new(0));
                // Only writes are counted: what is read is read again.
                host.stand_in.server().set_forecast(move |_, request| {
                    if request.method == "GET" {
                        return Weather::Fair;
                    }
                    let mut at = at.lock().unwrap();
                    *at += 1;
                    if *at - 1 < number {
                        return Weather::Fair;
                    }
                    *seen.lock().unwrap() = true;
                    weather.clone()
                });
                let _ = host.converge(wanted).await;
                cut |= *hit.lock().unwrap();
                host.again();
                let mut runs = 0;
                while !host.converge(wanted).await.unwrap() {
                    runs += 1;
                    assert!(runs <= 3, "call {number}: it does not come to an end");
                }
                let pull = host.pull();
                let Delivery::PullRequest { title, body, draft, .. } = &wanted.delivery else { panic!() };
                assert_eq!((&pull.title, &pull.body, pull.draft), (title, body, *draft), "call {number}");
                assert_eq!(host.stand_in.repository(FULL_NAME).unwrap().pull_requests.len(), 1, "call {number}");
            }
            if !cut {
                break;
            }
            number += 1;
        }
        assert!(number >= 6, "only {number} writes were cut off");
    }
}

#[tokio::test]
async fn closing_cut_off_at_any_call_is_finished_by_the_next_run() {
    for weather in [Weather::ResetBefore, Weather::ResetAfter] {
        for number in 0..3 {
            let mut host = Host::start();
            host.deliver(&update(&[("a", "1\n")], ("U", "w"), false, None)).await.unwrap();
            let open = host.open().await.as_open();
            let (at, weather) = (Mutex::new(0), weather.clone());
            host.stand_in.server().set_forecast(move |_, request| {
                let mut at = at.lock().unwrap();
                *at += usize::from(request.method != "GET");
                if *at <= number { Weather::Fair } else { weather.clone() }
            });
            let _ = host.github.close_pull_request(&base(), UPDATE_BRANCH, &open, "enough").await;
            host.again();
            if let Some(open) = host.observe().await.pull_requests.first() {
                let open = open.as_open();
                host.github.close_pull_request(&base(), UPDATE_BRANCH, &open, "enough").await.unwrap();
            }
            assert!(!host.pull().open, "call {number}");
            assert_eq!(host.pull().comments.len(), 1, "call {number}");
            assert!(!host.stand_in.repository(FULL_NAME).unwrap().branches.contains_key(UPDATE_BRANCH));
            assert_eq!(host.github.turned_down(&base(), UPDATE_BRANCH).await.unwrap(), None, "call {number}");
        }
    }
}

#[tokio::test]
async fn a_pull_request_of_ours_costs_three_calls_to_observe() {
    let host = Host::start();
    let calls = || host.stand_in.server().log().len();
    host.observe().await;
    let before = calls();
    host.observe().await;
    let without = calls() - before;
    host.github
        .commit(
            &update(&[("a", "1\n")], ("U", "w"), false, None),
            "main",
            &CommitId::told(host.stand_in.repository(FULL_NAME).unwrap().head.unwrap()),
        )
        .await
        .unwrap();
    let before = calls();
    host.observe().await;
    assert_eq!(calls() - before, without + 3);
}
