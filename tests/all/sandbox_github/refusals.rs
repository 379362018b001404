//! Who is refused, and how.

use sbi::sandbox::github::{GithubOptions, Organization, Seed, TokenScopes};
use serde_json::json;

use super::{FULL_NAME, Host, REPO};

const WORKFLOW: &str = ".github/workflows/publish.yml";

#[test]
fn a_request_without_its_headers_or_with_a_bad_token_is_refused() {
    let mut host = Host::start(GithubOptions::default());
    let mut with = |name: &str, value: Option<&str>| {
        let kept = host.rest.headers.clone();
        match value {
            Some(value) => host.rest.headers.insert(name.into(), value.into()),
            None => host.rest.headers.remove(name),
        };
        let got = host.get("/user");
        host.rest.headers = kept;
        got
    };
    with("user-agent", None).is(403);
    with("x-github-api-version", None).is(400);
    with("x-github-api-version", Some("2001-01-01")).is(400);
    assert_eq!(with("authorization", None).is(401).message(), "Requires authentication");
    for wrong in ["Bearer ghp_wrong", "Bearer ", "Basic eDp5"] {
        assert_eq!(with("authorization", Some(wrong)).is(401).message(), "Bad credentials");
    }
    let scheme = host.rest.headers["authorization"].replace("Bearer", "token");
    host.rest.headers.insert("authorization".into(), scheme);
    let good = host.get("/user").is(200);
    assert!(!good.header("x-github-request-id").is_empty());
    assert_eq!(good.header("x-ratelimit-limit"), "5000");
    host.github.expire_token();
    assert_eq!(host.get("/user").is(401).message(), "Bad credentials");
}

#[test]
fn both_rate_limits_say_when_to_come_back() {
    let host = Host::start(GithubOptions::default());
    host.github.limit_requests(1);
    assert_eq!(host.get("/user").is(200).header("x-ratelimit-remaining"), "0");
    let refused = host.get("/user").is(403);
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    let reset: i64 = refused.header("x-ratelimit-reset").parse().unwrap();
    let wait = reset - jiff::Timestamp::now().as_second();
    assert!((-2..=3600).contains(&wait), "{wait}");
    assert_eq!(host.get("/rate_limit").is(200).text("/rate/remaining"), "0");
    host.github.slow_down(7);
    assert_eq!(host.get("/user").is(403).header("retry-after"), "7");
}

#[test]
fn an_organization_with_single_sign_on_says_where_to_authorise() {
    let acme = Organization { login: "acme".into(), id: 77, plan: "team".into() };
    let host = Host::start(GithubOptions { organizations: vec![acme], ..GithubOptions::default() });
    host.github.create_repository("acme/base", Seed::default());
    host.github.require_sso("acme");
    for refused in [host.get("/repos/acme/base"), host.get("/orgs/acme")] {
        let header = refused.is(403).header("x-github-sso").to_owned();
        assert!(header.starts_with("required; url=https://github.com/orgs/acme/sso?"), "{header}");
    }
    host.post("/orgs/acme/repos", &json!({"name": "other"})).is(403);
    host.create("base", true);
}

#[test]
fn a_classic_token_without_repo_sees_public_things_only() {
    let host = Host::with_scopes(TokenScopes::classic(["read:org"]));
    host.github.create_repository(FULL_NAME, Seed { private: false, files: &[("a", "a")] });
    host.github.create_repository("octo-publisher/hidden", Seed { private: true, files: &[("a", "a")] });
    host.get(REPO).is(200);
    host.get(&format!("{REPO}/git/ref/heads/main")).is(200);
    host.get("/repos/octo-publisher/hidden").is(404);
    host.get(&format!("{REPO}/actions/secrets")).is(404);
    host.post("/user/repos", &json!({"name": "new"})).is(404);
    host.post(&format!("{REPO}/git/blobs"), &json!({"content": "x"})).is(404);
    assert_eq!(host.release("v1.0.0").is(404).header("x-accepted-oauth-scopes"), "repo");
    host.github.set_token_scopes(TokenScopes::classic(["public_repo"]));
    host.post("/user/repos", &json!({"name": "new", "private": true})).is(404);
    host.post("/user/repos", &json!({"name": "new"})).is(201);
    host.post(&format!("{REPO}/git/blobs"), &json!({"content": "x"})).is(201);
    // Deleting takes a scope of its own.
    host.delete(REPO).is(403);
}

#[test]
fn a_token_without_the_workflow_scope_gets_a_404_for_workflows_and_for_nothing_else() {
    let host = Host::with_scopes(TokenScopes::classic(["repo"]));
    host.create("base", true);
    let trees = format!("{REPO}/git/trees");
    let tree =
        |path: &str| json!({"tree": [{"path": path, "mode": "100644", "type": "blob", "content": "on: push\n"}]});
    host.post(&trees, &tree(WORKFLOW)).is(404);
    host.post(&trees, &tree(".github/dependabot.yml")).is(201);
    let put = json!({"message": "m", "content": "b246IHB1c2gK"});
    host.put(&format!("{REPO}/contents/{WORKFLOW}"), &put).is(404);
    host.put(&format!("{REPO}/contents/.github/dependabot.yml"), &put).is(201);
    // A commit with a workflow that the default branch doesn't have: neither ref nor release may name it.
    host.github.commit_files(FULL_NAME, "side", &[(WORKFLOW, "on: push\n")], "theirs");
    let side = host.get(&format!("{REPO}/git/ref/heads/side")).is(200).text("/object/sha");
    host.post(&format!("{REPO}/git/refs"), &json!({"ref": "refs/heads/other", "sha": side})).is(404);
    host.push(&side).is(404);
    host.post(&format!("{REPO}/releases"), &json!({"tag_name": "v1.0.0", "target_commitish": side})).is(404);
    host.release("v1.0.0").is(201);
    host.github.set_token_scopes(TokenScopes::classic(["repo", "workflow"]));
    host.push(&side).is(200);
    host.post(&trees, &tree(WORKFLOW)).is(201);
}

#[test]
fn a_fine_grained_token_is_told_which_permission_it_lacks() {
    let host = Host::with_scopes(TokenScopes::fine_grained(["contents: write", "secrets: read"]));
    host.github.create_repository(FULL_NAME, Seed { private: true, files: &[("a", "a")] });
    assert_eq!(host.get("/user").is(200).header("x-oauth-scopes"), "");
    let lacking = |got: super::Got, permission: &str| {
        let got = got.is(403);
        assert_eq!(got.message(), "Resource not accessible by personal access token");
        assert_eq!(got.header("x-accepted-github-permissions"), permission);
    };
    host.get(&format!("{REPO}/actions/secrets")).is(200);
    lacking(host.delete(&format!("{REPO}/actions/secrets/A")), "secrets=write");
    lacking(host.get(&format!("{REPO}/pulls")), "pull_requests=read");
    lacking(host.put(&format!("{REPO}/actions/permissions"), &json!({"enabled": true})), "administration=write");
    lacking(host.post("/user/repos", &json!({"name": "new"})), "administration=write");
    let entry = json!({"path": WORKFLOW, "mode": "100644", "type": "blob", "content": "x"});
    lacking(host.post(&format!("{REPO}/git/trees"), &json!({"tree": [entry]})), "contents=write,workflows=write");
    host.github.set_token_scopes(TokenScopes::fine_grained(["pull requests: write", "administration: write"]));
    host.get(&format!("{REPO}/pulls")).is(200);
    host.post("/user/repos", &json!({"name": "new"})).is(201);
    lacking(host.get(&format!("{REPO}/git/ref/heads/main")), "contents=read");
    // What everybody may read takes no permission; secrets' names are not among it.
    host.patch(REPO, &json!({"visibility": "public"})).is(200);
    host.get(&format!("{REPO}/git/ref/heads/main")).is(200);
    lacking(host.get(&format!("{REPO}/actions/secrets")), "secrets=read");
}

#[test]
fn what_is_somebody_elses_is_hidden_or_read_only() {
    let host = Host::start(GithubOptions::default());
    host.github.add_stranger("stranger", 9);
    host.github.create_repository("stranger/open", Seed { private: false, files: &[("a", "a")] });
    host.github.create_repository("stranger/closed", Seed { private: true, files: &[("a", "a")] });
    let open = host.get("/repos/stranger/open").is(200);
    assert_eq!((open.text("/permissions/push"), open.text("/permissions/pull")), ("false".into(), "true".into()));
    host.get("/repos/stranger/closed").is(404);
    host.get("/repos/stranger/open/contents/a").is(200);
    host.post("/repos/stranger/open/git/blobs", &json!({"content": "x"})).is(404);
    host.get("/repos/stranger/open/actions/permissions").is(403);
    host.get("/repos/stranger/open/actions/secrets").is(403);
    host.get("/repos/stranger/open/actions/runs").is(200);
    host.put("/repos/stranger/open/environments/e", &json!({})).is(403);
}

#[test]
fn a_free_private_repository_has_neither_environments_nor_rules() {
    let host = Host::start(GithubOptions::default());
    host.github.create_repository(FULL_NAME, Seed { private: true, files: &[("a", "a")] });
    host.get(&format!("{REPO}/environments")).is(404);
    host.put(&format!("{REPO}/environments/production"), &json!({})).is(404);
    for path in ["rules/branches/main", "branches/main/protection", "rulesets"] {
        let refused = host.get(&format!("{REPO}/{path}")).is(403);
        assert!(refused.message().starts_with("Upgrade to GitHub Pro or make this repository public"));
    }
    host.patch(REPO, &json!({"visibility": "public"})).is(200);
    host.put(&format!("{REPO}/environments/production"), &json!({})).is(200);
    host.get(&format!("{REPO}/rules/branches/main")).is(200);
    let paid = Host::start(GithubOptions { plan: "pro".into(), ..GithubOptions::default() });
    paid.github.create_repository(FULL_NAME, Seed { private: true, files: &[("a", "a")] });
    paid.put(&format!("{REPO}/environments/production"), &json!({"deployment_branch_policy": null})).is(200);
    paid.get(&format!("{REPO}/branches/main/protection")).is(404);
}

#[test]
fn an_environment_needs_custom_policies_before_it_takes_a_pattern() {
    let host = Host::with_repository();
    let environment = format!("{REPO}/environments/production");
    let policies = format!("{environment}/deployment-branch-policies");
    let both =
        |a: bool, b: bool| json!({"deployment_branch_policy": {"protected_branches": a, "custom_branch_policies": b}});
    host.get(&environment).is(404);
    host.post(&policies, &json!({"name": "v*", "type": "tag"})).is(404);
    host.put(&environment, &both(true, true)).is(422);
    host.put(&environment, &both(false, false)).is(422);
    host.put(&environment, &both(true, false)).is(200);
    host.post(&policies, &json!({"name": "v*", "type": "tag"})).is(404);
    host.put(&environment, &both(false, true)).is(200);
    host.post(&policies, &json!({"name": "v*", "type": "commit"})).is(422);
    let id = host.post(&policies, &json!({"name": "v*", "type": "tag"})).is(200).text("/id");
    host.delete(&format!("{policies}/{id}")).is(204);
    assert_eq!(host.get(&policies).is(200).text("/total_count"), "0");
}

#[test]
fn what_is_not_built_and_what_is_not_json_is_refused_loudly() {
    let mut host = Host::with_repository();
    host.checked = false;
    for (method, path) in [("GET", "/zen"), ("GET", "/repos/octo-publisher/base/labels"), ("POST", "/user")] {
        let message = host.send(method, path, None).is(404).message();
        assert!(message.contains(&format!("{method} {path} is not among the operations")), "{message}");
    }
    host.post("/user/repos", &json!([])).is(400);
    host.post("/user/repos", &json!({"name": 7})).is(422);
    host.post("/user/repos", &json!({"name": "x", "private": "yes"})).is(422);
    host.post("/user/repos", &json!({})).is(422);
    let permissions = format!("{REPO}/actions/permissions");
    host.put(&permissions, &json!({"allowed_actions": "all"})).is(422);
    host.put(&permissions, &json!({"enabled": true, "allowed_actions": "none"})).is(422);
    host.put(&format!("{permissions}/workflow"), &json!({"default_workflow_permissions": "none"})).is(422);
}
