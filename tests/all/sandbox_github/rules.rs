//! Branch rules, pull requests, signed commits and releases.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sbi::sandbox::github::{Rules, TokenScopes};
use serde_json::{Value, json};

use super::{FULL_NAME, Got, Host, REPO};

const PULL_REQUEST: Rules = Rules { pull_request: true, signatures: false };
const SIGNATURES: Rules = Rules { pull_request: false, signatures: true };

fn guarded(rules: Rules, classic: bool) -> Host {
    let host = Host::with_repository();
    if classic {
        host.github.protect(FULL_NAME, "main", rules);
    } else {
        host.github.add_ruleset(FULL_NAME, "main", rules);
    }
    host
}

#[test]
fn a_guarded_branch_moves_by_pull_request_only() {
    for classic in [false, true] {
        let host = guarded(PULL_REQUEST, classic);
        let told = host.get(&format!("{REPO}/rules/branches/main")).is(200);
        if classic {
            assert_eq!(told.body, json!([]));
            let protection = host.get(&format!("{REPO}/branches/main/protection")).is(200);
            assert_eq!(protection.text("/required_pull_request_reviews/required_approving_review_count"), "1");
        } else {
            assert_eq!(told.text("/0/type"), "pull_request");
            host.get(&format!("{REPO}/branches/main/protection")).is(404);
            host.get(&format!("{REPO}/rulesets")).is(200);
        }
        let start = host.head();
        let commit = host.commit(&start, &[("a", "a")]);
        assert!(host.push(&commit).is(422).message().contains("Changes must be made through a pull request."));
        let put = json!({"message": "m", "content": "YQ=="});
        host.put(&format!("{REPO}/contents/b"), &put).is(409);
        assert_eq!(host.head(), start);

        host.post(&format!("{REPO}/git/refs"), &json!({"ref": "refs/heads/sbi/setup", "sha": commit})).is(201);
        let pull = json!({"title": "Set up", "head": "sbi/setup", "base": "main", "body": "why"});
        assert_eq!(host.post(&format!("{REPO}/pulls"), &pull).is(201).text("/number"), "1");
        let open = host.get(&format!("{REPO}/pulls?state=open&head=octo-publisher:sbi/setup")).is(200);
        assert_eq!(open.text("/0/head/sha"), commit);
        host.put(&format!("{REPO}/pulls/1/merge"), &json!({})).is(405);
        let merged = host.github.merge_pull_request(FULL_NAME, 1).unwrap();
        assert_eq!(host.head(), merged);
        assert_eq!(host.get(&format!("{REPO}/pulls/1")).is(200).text("/merged"), "true");
        assert_eq!(host.get(&format!("{REPO}/pulls")).is(200).body, json!([]));
        assert_eq!(host.get(&format!("{REPO}/contents/a")).is(200).text("/content"), "YQ==\n");
    }
}

#[test]
fn pull_requests_need_something_to_merge_and_come_once() {
    let host = Host::with_repository();
    let pulls = format!("{REPO}/pulls");
    let pull = json!({"title": "t", "head": "side", "base": "main"});
    host.post(&pulls, &pull).is(422);
    let start = host.head();
    host.post(&format!("{REPO}/git/refs"), &json!({"ref": "refs/heads/side", "sha": start})).is(201);
    let none = host.post(&pulls, &pull).is(422);
    assert_eq!(none.text("/errors/0/message"), "No commits between main and side");
    let commit = host.commit(&start, &[("a", "a")]);
    host.patch(&format!("{REPO}/git/refs/heads/side"), &json!({"sha": commit})).is(200);
    host.post(&pulls, &json!({"title": "t", "head": "side", "base": "none"})).is(422);
    host.post(&pulls, &json!({"title": "t", "head": "somebody:side", "base": "main"})).is(422);
    host.post(&pulls, &json!({"head": "side", "base": "main"})).is(422);
    host.post(&pulls, &pull).is(201);
    let twice = host.post(&pulls, &pull).is(422);
    assert_eq!(twice.text("/errors/0/message"), "A pull request already exists for octo-publisher:side.");
    assert_eq!(host.get(&format!("{pulls}?head=octo-publisher:other")).is(200).body, json!([]));
    assert_eq!(host.get(&format!("{pulls}?base=main&state=all")).is(200).text("/0/state"), "open");
    host.patch(&format!("{pulls}/1"), &json!({"state": "closed", "title": "new"})).is(200);
    assert_eq!(host.get(&format!("{pulls}?state=closed")).is(200).text("/0/title"), "new");
    host.get(&format!("{pulls}/2")).is(404);
    host.post(&pulls, &pull).is(201);
    assert_eq!(host.put(&format!("{pulls}/2/merge"), &json!({})).is(200).text("/merged"), "true");
}

fn mutation(host: &Host, head: &str, change: &Value) -> Got {
    let query =
        "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid url } } }";
    let input = json!({
        "branch": {"repositoryNameWithOwner": FULL_NAME, "branchName": "main"},
        "message": {"headline": "Add files", "body": "in one commit"}, "expectedHeadOid": head, "fileChanges": change,
    });
    host.post("/graphql", &json!({"query": query, "variables": {"input": input}})).is(200)
}

#[test]
fn where_signatures_are_required_only_githubs_own_commits_pass() {
    let host = guarded(SIGNATURES, false);
    assert_eq!(host.get(&format!("{REPO}/rules/branches/main")).is(200).text("/0/type"), "required_signatures");
    let start = host.head();
    let commit = host.commit(&start, &[("a", "a")]);
    assert!(host.push(&commit).is(422).message().contains("Commits must have verified signatures."));

    let add = |path: &str| json!({"additions": [{"path": path, "contents": STANDARD.encode("text\n")}]});
    let made = mutation(&host, &start, &add("a/b"));
    let oid = made.text("/data/createCommitOnBranch/commit/oid");
    assert_eq!(host.head(), oid);
    let commit = host.get(&format!("{REPO}/git/commits/{oid}")).is(200);
    assert_eq!(commit.text("/verification/verified"), "true");
    assert_eq!(commit.text("/message"), "Add files\n\nin one commit");
    let refused = |got: Got| got.text("/errors/0/type");
    assert_eq!(refused(mutation(&host, &start, &add("c"))), "STALE_DATA");
    assert_eq!(refused(mutation(&host, &oid, &json!({}))), "UNPROCESSABLE");
    assert_eq!(refused(mutation(&host, &oid, &json!({"deletions": [{"path": "none"}]}))), "UNPROCESSABLE");
    assert_eq!(
        refused(mutation(&host, &oid, &json!({"additions": [{"path": "x", "contents": "~"}]}))),
        "UNPROCESSABLE"
    );
    host.github.set_token_scopes(TokenScopes::classic(["repo"]));
    assert_eq!(refused(mutation(&host, &oid, &add(".github/workflows/w.yml"))), "FORBIDDEN");
    assert_eq!(host.head(), oid);
    host.github.set_token_scopes(TokenScopes::classic(["workflow"]));
    assert_eq!(refused(mutation(&host, &oid, &add("c"))), "NOT_FOUND");
    for query in ["{ viewer { login } }", "mutation { createIssue(input: $input) { id } }"] {
        let got = host.post("/graphql", &json!({"query": query, "variables": {}})).is(200);
        assert!(got.text("/errors/0/message").starts_with("stand-in: "), "{query}");
    }
}

#[test]
fn a_release_is_made_once_and_a_draft_is_none_yet() {
    let host = Host::with_repository();
    let releases = format!("{REPO}/releases");
    host.get(&format!("{releases}/latest")).is(404);
    let draft = host.post(&releases, &json!({"tag_name": "v1.0.0", "draft": true})).is(201);
    assert_eq!(draft.body["published_at"], Value::Null);
    host.get(&format!("{REPO}/git/ref/tags/v1.0.0")).is(404);
    host.get(&format!("{releases}/tags/v1.0.0")).is(404);
    host.post(&releases, &json!({"tag_name": "v1.0.0", "target_commitish": "nowhere"})).is(422);
    host.post(&releases, &json!({"tag_name": "v 1"})).is(422);
    host.post(&releases, &json!({})).is(422);
    host.release("v1.0.0").is(201);
    assert_eq!(host.get(&format!("{REPO}/git/ref/tags/v1.0.0")).is(200).text("/object/sha"), host.head());
    let twice = host.release("v1.0.0").is(422);
    assert_eq!(twice.text("/errors/0/code"), "already_exists");
    assert_eq!(twice.text("/errors/0/field"), "tag_name");
    let id = draft.text("/id");
    host.patch(&format!("{releases}/{id}"), &json!({"draft": false})).is(422);
    host.delete(&format!("{releases}/{id}")).is(204);
    host.get(&format!("{releases}/{id}")).is(404);
    // A tag that exists already is used as it is.
    let old = host.head();
    host.github.add_tag(FULL_NAME, "v2.0.0");
    host.push(&host.commit(&old, &[("a", "a")])).is(200);
    host.release("v2.0.0").is(201);
    assert_eq!(host.get(&format!("{REPO}/git/ref/tags/v2.0.0")).is(200).text("/object/sha"), old);
}

#[test]
fn the_tag_of_an_immutable_release_is_gone_for_ever() {
    let host = Host::with_scopes(TokenScopes::classic(["repo", "delete_repo"]));
    host.create("base", true);
    host.get(&format!("{REPO}/immutable-releases")).is(404);
    host.send("PUT", &format!("{REPO}/immutable-releases"), None).is(204);
    host.get(&format!("{REPO}/immutable-releases")).is(200);
    let release = host.release("v1.0.0").is(201);
    assert_eq!(release.text("/immutable"), "true");
    host.delete(&format!("{REPO}/git/refs/tags/v1.0.0")).is(422);
    host.delete(&format!("{REPO}/releases/{}", release.text("/id"))).is(204);
    let used = "tag_name was used by an immutable release";
    assert_eq!(host.release("v1.0.0").is(422).text("/errors/0/message"), used);
    host.delete(REPO).is(204);
    host.create("base", true);
    assert_eq!(host.release("v1.0.0").is(422).text("/errors/0/message"), used);
    let tag = json!({"ref": "refs/tags/v1.0.0", "sha": host.head()});
    host.post(&format!("{REPO}/git/refs"), &tag).is(422);
    host.release("v1.0.1").is(201);
    assert!(!host.github.repository(FULL_NAME).unwrap().releases[0].immutable);
}
