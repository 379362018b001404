//! Pull requests as drafts, described, commented on and closed, and blobs by their id.

use sbi::sandbox::github::{GithubOptions, Seed, TokenScopes};
use serde_json::json;

use super::{FULL_NAME, Host, REPO};

const TO_DRAFT: &str = "mutation($i: ConvertPullRequestToDraftInput!) { convertPullRequestToDraft(input: $i) { pullRequest { isDraft number } } }";
const TO_READY: &str = "mutation($i: MarkPullRequestReadyForReviewInput!) { markPullRequestReadyForReview(input: $i) { pullRequest { isDraft id } } }";

fn open(host: &Host, draft: bool) -> crate::support::rest::Got {
    host.github.commit_files(FULL_NAME, "side", &[("a", "b")], "change");
    let body = json!({"title": "t", "body": "why", "head": "side", "base": "main", "draft": draft});
    host.post(&format!("{REPO}/pulls"), &body)
}

fn mutate(host: &Host, query: &str, node: &str) -> crate::support::rest::Got {
    host.post("/graphql", &json!({"query": query, "variables": {"i": {"pullRequestId": node}}})).is(200)
}

#[test]
fn a_blob_is_found_by_its_whole_id_only() {
    let host = Host::with_repository();
    let blob =
        host.post(&format!("{REPO}/git/blobs"), &json!({"content": "AP8K", "encoding": "base64"})).is(201).text("/sha");
    let got = host.get(&format!("{REPO}/git/blobs/{blob}")).is(200);
    assert_eq!((got.text("/content"), got.text("/size")), ("AP8K".to_owned(), "3".to_owned()));
    for (id, status) in
        [("0".repeat(40), 404), ("main".into(), 422), (blob[..39].into(), 422), (blob.to_uppercase(), 422)]
    {
        host.get(&format!("{REPO}/git/blobs/{id}")).is(status);
    }
    let tree = host.get(&format!("{REPO}/git/trees/main")).is(200).text("/sha");
    host.get(&format!("{REPO}/git/blobs/{tree}")).is(404);
}

#[test]
fn a_draft_becomes_ready_and_a_draft_again() {
    let host = Host::with_repository();
    let made = open(&host, true).is(201);
    let (node, number) = (made.text("/node_id"), made.text("/number"));
    assert_eq!(made.text("/draft"), "true");
    host.put(&format!("{REPO}/pulls/{number}/merge"), &json!({})).is(405);
    assert_eq!(mutate(&host, TO_READY, &node).text("/data/markPullRequestReadyForReview/pullRequest/isDraft"), "false");
    assert_eq!(mutate(&host, TO_READY, &node).text("/errors/0/type"), "UNPROCESSABLE");
    assert_eq!(mutate(&host, TO_DRAFT, &node).text("/data/convertPullRequestToDraft/pullRequest/number"), number);
    assert_eq!(mutate(&host, TO_DRAFT, "PR_1").text("/errors/0/type"), "NOT_FOUND");
    assert_eq!(mutate(&host, TO_DRAFT, "nothing").text("/errors/0/type"), "NOT_FOUND");
    let wrong = TO_DRAFT.replace("isDraft number", "mergedBy");
    assert!(mutate(&host, &wrong, &node).text("/errors/0/message").contains("stand-in"));
    assert_eq!(host.get(&format!("{REPO}/pulls/{number}")).is(200).text("/draft"), "true");
    host.patch(&format!("{REPO}/pulls/{number}"), &json!({"state": "closed"})).is(200);
    assert_eq!(mutate(&host, TO_READY, &node).text("/errors/0/type"), "UNPROCESSABLE");
}

#[test]
fn drafts_take_a_plan_in_private_repositories_and_a_right_everywhere() {
    let host = Host::start(GithubOptions::default());
    host.github.create_repository(FULL_NAME, Seed { private: true, files: &[("x", "y")] });
    assert_eq!(open(&host, true).is(422).message(), "Draft pull requests are not supported in this repository.");
    let node = open(&host, false).is(201).text("/node_id");
    let refused = mutate(&host, TO_DRAFT, &node);
    assert_eq!(refused.text("/errors/0/type"), "FORBIDDEN");
    assert!(refused.text("/errors/0/message").ends_with("to draft."));
    let host = Host::with_repository();
    let node = open(&host, false).is(201).text("/node_id");
    host.github.set_token_scopes(TokenScopes::fine_grained(["contents: write", "pull requests: read"]));
    assert_eq!(mutate(&host, TO_DRAFT, &node).text("/errors/0/type"), "FORBIDDEN");
    host.patch(&format!("{REPO}/pulls/1"), &json!({"title": "u"})).is(403);
    host.post(&format!("{REPO}/issues/1/comments"), &json!({"body": "b"})).is(403);
    host.get(&format!("{REPO}/issues/1/comments")).is(200);
}

#[test]
fn texts_that_github_would_not_keep_are_refused() {
    let host = Host::with_repository();
    let number = open(&host, false).is(201).text("/number");
    let path = format!("{REPO}/pulls/{number}");
    let long = "ä".repeat(65_536);
    host.patch(&path, &json!({"body": long})).is(200);
    host.patch(&path, &json!({"body": format!("{long}x")})).is(422);
    host.patch(&path, &json!({"title": " "})).is(422);
    host.patch(&path, &json!({"state": "merged"})).is(422);
    let comments = format!("{REPO}/issues/{number}/comments");
    for body in [json!({}), json!({"body": " "}), json!({"body": format!("{long}x")})] {
        host.post(&comments, &body).is(422);
    }
    host.post(&format!("{REPO}/issues/99/comments"), &json!({"body": "b"})).is(404);
    let made = host.post(&comments, &json!({"body": "b"})).is(201);
    assert_eq!(host.get(&comments).is(200).text("/0/id"), made.text("/id"));
    assert_eq!(host.github.repository(FULL_NAME).unwrap().pull_requests[0].comments[0].1, "b");
}

#[test]
fn closed_pull_requests_are_listed_by_branch_and_keep_their_head() {
    let host = Host::with_repository();
    let head = open(&host, false).is(201).text("/head/sha");
    host.delete(&format!("{REPO}/git/refs/heads/side")).is(204);
    host.github.commit_files(FULL_NAME, "side", &[("a", "c")], "change");
    open(&host, false).is(201);
    let list = |query: &str| host.get(&format!("{REPO}/pulls?{query}")).is(200);
    let closed = list("state=closed&head=octo-publisher%3Aside&sort=created&direction=desc");
    assert_eq!((closed.body.as_array().unwrap().len(), closed.text("/0/head/sha")), (1, head));
    assert_eq!(closed.text("/0/merged_at"), "null");
    assert_eq!(list("state=closed&head=octo-publisher%3Aother").body, json!([]));
    assert_eq!(list("state=all").text("/0/number"), "2");
    assert_eq!(list("state=all&direction=asc").text("/0/number"), "1");
    host.get(&format!("{REPO}/pulls?state=gone")).is(422);
    // Without its branch it can't be opened again.
    host.delete(&format!("{REPO}/git/refs/heads/side")).is(204);
    host.patch(&format!("{REPO}/pulls/1"), &json!({"state": "open"})).is(422);
}
