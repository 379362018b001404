//! The paths that a run takes.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sbi::sandbox::github::{GithubOptions, Organization, Seed, TokenScopes, WorkflowRunContext};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{FULL_NAME, Host, OWNER, REPO};

#[test]
fn from_nothing_to_settings_secrets_files_and_a_release() {
    let host = Host::with_scopes(TokenScopes::classic(["repo", "workflow"]));
    let user = host.get("/user").is(200);
    assert_eq!(user.header("x-oauth-scopes"), "repo, workflow");
    // Without the scope `user` GitHub keeps the plan to itself.
    assert!(user.body.get("plan").is_none());
    host.get(REPO).is(404);
    let made =
        host.post("/user/repos", &json!({"name": "base", "description": "A base image", "auto_init": true})).is(201);
    assert_eq!(made.text("/full_name"), FULL_NAME);
    assert_eq!(made.text("/permissions/admin"), "true");
    let readme = host.get(&format!("{REPO}/contents/README.md")).is(200);
    let text = STANDARD.decode(readme.text("/content").replace('\n', "")).unwrap();
    assert_eq!(text, b"# base\nA base image\n");

    host.put(&format!("{REPO}/actions/permissions/workflow"), &json!({"default_workflow_permissions": "read"})).is(204);
    let permissions = json!({"enabled": true, "allowed_actions": "all", "sha_pinning_required": true});
    host.put(&format!("{REPO}/actions/permissions"), &permissions).is(204);
    assert_eq!(host.get(&format!("{REPO}/actions/permissions")).is(200).body, permissions);
    let environment = format!("{REPO}/environments/production");
    let custom = json!({"deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}});
    host.put(&environment, &custom).is(200);
    let policies = format!("{environment}/deployment-branch-policies");
    host.post(&policies, &json!({"name": "v*", "type": "tag"})).is(200);
    host.post(&policies, &json!({"name": "v*", "type": "tag"})).is(303);
    assert_eq!(host.get(&policies).is(200).text("/total_count"), "1");
    assert_eq!(host.get(&format!("{REPO}/environments")).is(200).text("/environments/0/name"), "production");

    host.put(&format!("{REPO}/actions/secrets/AWS_REGION"), &host.seal("eu-central-1")).is(201);
    host.put(&format!("{REPO}/actions/secrets/aws_region"), &host.seal("eu-west-1")).is(204);
    assert_eq!(host.get(&format!("{REPO}/actions/secrets")).is(200).text("/secrets/0/name"), "AWS_REGION");
    let opened = host.github.open_secret(FULL_NAME, "AWS_REGION").unwrap();
    assert_eq!(opened.expose_secret(), "eu-west-1");

    let commit = host.commit(&host.head(), &[(".github/workflows/p.yml", "on: push\n"), ("sbi.toml", "x = 1\n")]);
    host.push(&commit).is(200);
    let release = host.release("v1.0.0").is(201);
    assert_eq!(release.text("/tag_name"), "v1.0.0");
    assert_eq!(host.get(&format!("{REPO}/releases/latest")).is(200).text("/id"), release.text("/id"));
    host.get(&format!("{REPO}/releases/tags/v1.0.0")).is(200);
    assert_eq!(host.get(&format!("{REPO}/tags")).is(200).text("/0/commit/sha"), commit);
    host.get(&format!("{REPO}/commits")).is(200);
    host.get(&format!("{REPO}/branches")).is(200);
    host.get(&format!("{REPO}/branches/main")).is(200);
    host.get(&format!("{REPO}/contents/.github/workflows")).is(200);
    host.get("/rate_limit").is(200);

    let now = host.github.repository(FULL_NAME).unwrap();
    assert_eq!(now.head.as_deref(), Some(commit.as_str()));
    assert_eq!(now.files["sbi.toml"], b"x = 1\n");
    assert_eq!((now.commits, now.releases.len(), now.tags["v1.0.0"].as_str()), (2, 1, commit.as_str()));
    assert_eq!(now.environments["production"], Some(BTreeSet::from(["tag v*".to_owned()])));
    assert!(now.actions.sha_pinning_required && !now.actions.default_write);
    assert_eq!(now.secrets.len(), 1);
}

#[test]
fn an_empty_repository_refuses_git_data_until_a_file_is_put() {
    let host = Host::start(GithubOptions::default());
    host.create("base", false);
    let head = host.get(&format!("{REPO}/git/ref/heads/main")).is(409);
    assert_eq!(head.message(), "Git Repository is empty.");
    let file = json!({"path": "x", "mode": "100644", "type": "blob", "content": "x"});
    host.post(&format!("{REPO}/git/trees"), &json!({"tree": [file]})).is(409);
    host.post(&format!("{REPO}/git/blobs"), &json!({"content": "x"})).is(409);
    host.get(&format!("{REPO}/git/matching-refs/tags")).is(409);
    host.get(&format!("{REPO}/git/trees/main?recursive=1")).is(409);
    host.get(&format!("{REPO}/commits")).is(409);
    host.get(&format!("{REPO}/contents/sbi.toml")).is(404);
    host.get(&format!("{REPO}/branches/main")).is(404);
    host.release("v1.0.0").is(422);
    let contents = format!("{REPO}/contents/sbi.toml");
    let put = json!({"message": "start", "content": STANDARD.encode("a = 1\n")});
    let made = host.put(&contents, &put).is(201);
    assert_eq!(host.head(), made.text("/commit/sha"));
    // A second one must say what it replaces.
    host.put(&contents, &put).is(422);
    let replace = |sha: &str| json!({"message": "again", "content": STANDARD.encode("a = 2\n"), "sha": sha});
    host.put(&contents, &replace(&"0".repeat(40))).is(409);
    host.put(&contents, &replace(&made.text("/content/sha"))).is(200);
    assert_eq!(host.github.repository(FULL_NAME).unwrap().commits, 2);
    let sha = host.get(&contents).is(200).text("/sha");
    let remove = |sha: &str| Some(json!({"message": "away", "sha": sha}));
    host.send("DELETE", &contents, remove(&"0".repeat(40)).as_ref()).is(409);
    host.send("DELETE", &contents, remove(&sha).as_ref()).is(200);
    host.send("DELETE", &contents, remove(&sha).as_ref()).is(404);
}

#[test]
fn a_file_comes_raw_to_those_who_accept_that() {
    let mut host = Host::start(GithubOptions::default());
    host.github.create_repository(FULL_NAME, Seed { private: false, files: &[("sbi.lock", "[1]\n"), ("a/b", "b")] });
    for accept in ["application/vnd.github.raw+json", "application/vnd.github.raw", "application/vnd.github.v3.raw"] {
        host.rest.headers.insert("accept".into(), accept.into());
        let raw = host.get(&format!("{REPO}/contents/sbi.lock")).is(200);
        assert_eq!(raw.body, json!([1]), "{accept}");
        host.get(&format!("{REPO}/contents/none")).is(404);
        // A folder has no raw form.
        assert_eq!(host.get(&format!("{REPO}/contents/a")).is(200).text("/0/path"), "a/b");
    }
    host.rest.headers.insert("accept".into(), "application/vnd.github+json".into());
    assert_eq!(host.get(&format!("{REPO}/contents/sbi.lock")).is(200).text("/encoding"), "base64");
}

#[test]
fn secrets_are_kept_sealed_and_bad_boxes_are_refused() {
    let host = Host::with_repository();
    let secret = |name: &str| format!("{REPO}/actions/secrets/{name}");
    let good = host.seal("value");
    let with = |field: &str, value: &str| {
        let mut body = good.clone();
        body[field] = json!(value);
        body
    };
    host.put(&secret("A"), &with("key_id", "1")).is(422);
    host.put(&secret("A"), &with("encrypted_value", &STANDARD.encode([7; 64]))).is(422);
    for name in ["GITHUB_X", "1A", "A-B", "A.B"] {
        host.put(&secret(name), &good).is(422);
    }
    // A box sealed for another repository's key.
    host.create("other", true);
    let key = host.get("/repos/octo-publisher/other/actions/secrets/public-key").is(200).text("/key_id");
    host.put("/repos/octo-publisher/other/actions/secrets/A", &with("key_id", &key)).is(422);
    host.put(&secret("A"), &host.seal(&"x".repeat(48 * 1024 + 1))).is(422);
    host.put(&secret("A"), &host.seal(&"x".repeat(48 * 1024))).is(201);
    host.get(&secret("A")).is(200);
    host.delete(&secret("A")).is(204);
    host.get(&secret("A")).is(404);
    host.delete(&secret("A")).is(404);
    assert!(host.github.open_secret(FULL_NAME, "A").is_none());
}

#[test]
fn the_subject_has_ids_in_it_unless_the_repository_is_old() {
    for immutable in [true, false] {
        let host = Host::start(GithubOptions { immutable_subjects: immutable, ..GithubOptions::default() });
        let made = host.create("base", true);
        host.release("v1.0.0").is(201);
        let (id, owner) = (made.text("/id"), made.text("/owner/id"));
        let prefix = if immutable { format!("repo:{OWNER}@{owner}/base@{id}") } else { format!("repo:{FULL_NAME}") };
        let sub = format!("{REPO}/actions/oidc/customization/sub");
        let told = host.get(&sub).is(200);
        assert_eq!(told.text("/sub_claim_prefix"), prefix);
        assert_eq!(told.text("/use_immutable_subject"), immutable.to_string());

        let workflow = ".github/workflows/publish.yml";
        let claims = |environment: Option<&str>| {
            host.github.claims_for(FULL_NAME, &WorkflowRunContext::release(workflow, "v1.0.0", environment)).unwrap()
        };
        assert_eq!(claims(None)["sub"], json!(format!("{prefix}:ref:refs/tags/v1.0.0")));
        assert!(claims(None).get("environment").is_none());
        let in_environment = claims(Some("pro:d"));
        assert_eq!(in_environment["sub"], json!(format!("{prefix}:environment:pro%3Ad")));
        for (claim, value) in [
            ("iss", "https://token.actions.githubusercontent.com"),
            ("aud", "sts.amazonaws.com"),
            ("repository", FULL_NAME),
            ("repository_id", &id),
            ("repository_owner", OWNER),
            ("repository_owner_id", &owner),
            ("ref", "refs/tags/v1.0.0"),
            ("ref_type", "tag"),
            ("event_name", "release"),
            ("environment", "pro:d"),
            ("sha", &host.head()),
            ("job_workflow_ref", "octo-publisher/base/.github/workflows/publish.yml@refs/tags/v1.0.0"),
        ] {
            assert_eq!(in_environment[claim], json!(value), "{claim}");
        }
        assert_ne!(claims(None)["jti"], claims(None)["jti"]);

        host.put(&sub, &json!({"use_default": false, "include_claim_keys": ["repo", "event_name"]})).is(201);
        assert_eq!(claims(None)["sub"], json!(format!("{prefix}:event_name:release")));
        host.put(&sub, &json!({"use_default": false, "include_claim_keys": ["not a word"]})).is(400);
        host.put(&sub, &json!({"use_default": true, "use_immutable_subject": !immutable})).is(201);
        assert_ne!(host.get(&sub).is(200).text("/sub_claim_prefix"), prefix);
        host.github.hide_subject_prefix();
        assert!(host.get(&sub).is(200).body.get("sub_claim_prefix").is_none());
    }
}

#[test]
fn a_rename_brings_the_ids_into_an_old_repositorys_subject() {
    let host = Host::start(GithubOptions::default());
    let id = host.create("base", true).text("/id");
    host.github.set_immutable_subject(FULL_NAME, false);
    let prefix = |name: &str| {
        let sub = format!("/repos/{OWNER}/{name}/actions/oidc/customization/sub");
        host.get(&sub).is(200).text("/sub_claim_prefix")
    };
    assert_eq!(prefix("base"), format!("repo:{FULL_NAME}"));
    host.github.rename(FULL_NAME, "image");
    assert_eq!(prefix("image"), format!("repo:{OWNER}@583231/image@{id}"));
}

#[test]
fn an_organization_has_a_plan_for_those_who_may_see_it() {
    let acme = Organization { login: "acme".into(), id: 77, plan: "team".into() };
    let options = |scopes: TokenScopes| GithubOptions {
        organizations: vec![acme.clone()],
        token_scopes: scopes,
        plan: "pro".into(),
        ..GithubOptions::default()
    };
    let host = Host::start(options(TokenScopes::classic(["repo", "user", "admin:org"])));
    assert_eq!(host.get("/orgs/acme").is(200).text("/plan/name"), "team");
    assert_eq!(host.get("/user").is(200).text("/plan/name"), "pro");
    assert_eq!(host.get("/users/acme").is(200).text("/type"), "Organization");
    assert_eq!(host.get(&format!("/users/{OWNER}")).is(200).text("/type"), "User");
    host.get("/users/nobody").is(404);
    host.get(&format!("/orgs/{OWNER}")).is(404);
    let made = host.post("/orgs/acme/repos", &json!({"name": "base", "private": true})).is(201);
    assert_eq!(made.text("/owner/login"), "acme");
    assert_eq!(made.text("/visibility"), "private");
    let host = Host::start(options(TokenScopes::classic(["repo"])));
    assert!(host.get("/orgs/acme").is(200).body.get("plan").is_none());
}

#[test]
fn lists_come_in_pages_that_link_to_one_another() {
    let host = Host::with_repository();
    for number in 0..5 {
        host.github.add_tag(FULL_NAME, &format!("v0.{number}.0"));
    }
    let first = host.get(&format!("{REPO}/tags?per_page=2")).is(200);
    assert_eq!(first.body.as_array().unwrap().len(), 2);
    let next = format!("<{}{REPO}/tags?per_page=2&page=2>; rel=\"next\"", host.github.url());
    assert!(first.header("link").contains(&next), "{}", first.header("link"));
    assert!(first.header("link").contains("page=3>; rel=\"last\""));
    let last = host.get(&format!("{REPO}/tags?per_page=2&page=3")).is(200);
    assert_eq!(last.body.as_array().unwrap().len(), 1);
    assert!(!last.header("link").contains("next") && last.header("link").contains("rel=\"prev\""));
    assert_eq!(host.get(&format!("{REPO}/tags?per_page=100")).is(200).header("link"), "");
}

#[test]
fn a_repository_is_changed_renamed_archived_and_deleted() {
    let host = Host::with_scopes(TokenScopes::classic(["repo", "delete_repo"]));
    host.create("base", true);
    host.post("/user/repos", &json!({"name": "Base"})).is(422);
    for name in ["", "a b", "..", "x.git", &"n".repeat(101)] {
        host.post("/user/repos", &json!({"name": name})).is(422);
    }
    host.patch(REPO, &json!({"default_branch": "nowhere"})).is(422);
    assert_eq!(host.patch(REPO, &json!({"description": "d"})).is(200).text("/description"), "d");
    assert_eq!(host.patch(REPO, &json!({"name": "image"})).is(200).text("/name"), "image");
    let moved = host.get(&format!("{REPO}/releases?per_page=1")).is(301);
    let location = moved.header("location").strip_prefix(&host.github.url()).unwrap().to_owned();
    assert!(location.ends_with("/releases?per_page=1"), "{location}");
    assert_eq!(host.get(&location).is(200).body, json!([]));
    host.post(&format!("{REPO}/releases"), &json!({"tag_name": "v1"})).is(307);
    let image = "/repos/octo-publisher/image";
    host.patch(image, &json!({"archived": true})).is(200);
    let refused = host.put(&format!("{image}/environments/e"), &json!({})).is(403);
    assert_eq!(refused.message(), "Repository was archived so it is read-only.");
    host.get(image).is(200);
    host.delete(image).is(204);
    host.get(image).is(404);
    host.get(REPO).is(404);
}

#[test]
fn a_seeded_repository_is_there_before_the_run() {
    let host = Host::start(GithubOptions::default());
    host.github.create_repository(FULL_NAME, Seed { private: false, files: &[("README.md", "theirs")] });
    host.github.add_release(FULL_NAME, "v1.0.0", "theirs");
    host.github.add_secret(FULL_NAME, "THEIRS");
    host.github.add_environment(FULL_NAME, "production", Some(&["v*"]));
    host.github.loosen_workflow_token(FULL_NAME);
    host.github.create_repository("octo-publisher/empty", Seed::default());
    assert_eq!(host.get(&format!("{REPO}/releases")).is(200).text("/0/body"), "theirs");
    assert_eq!(host.get(&format!("{REPO}/actions/secrets")).is(200).text("/total_count"), "1");
    let workflow = host.get(&format!("{REPO}/actions/permissions/workflow")).is(200);
    assert_eq!(workflow.text("/default_workflow_permissions"), "write");
    let patterns = host.get(&format!("{REPO}/environments/production/deployment-branch-policies")).is(200);
    assert_eq!(patterns.text("/branch_policies/0/type"), "tag");
    host.delete(&format!("{REPO}/environments/production")).is(204);
    host.get(&format!("{REPO}/environments/production")).is(404);
    host.get("/repos/octo-publisher/empty/git/ref/heads/main").is(409);
}

#[test]
fn an_environment_shows_what_others_put_into_it_and_goes_with_it() {
    let host = Host::with_repository();
    host.github.add_environment(FULL_NAME, "publish", Some(&["v*"]));
    let environment = format!("{REPO}/environments/publish");
    assert_eq!(host.get(&format!("{environment}/secrets")).is(200).text("/total_count"), "0");
    assert_eq!(host.get(&format!("{environment}/variables")).is(200).text("/total_count"), "0");
    host.github.add_environment_secret(FULL_NAME, "publish", "THEIRS");
    host.github.add_environment_variable(FULL_NAME, "publish", "ALSO_THEIRS");
    host.github.require_reviewer(FULL_NAME, "publish", 30);
    assert_eq!(host.get(&format!("{environment}/secrets")).is(200).text("/secrets/0/name"), "THEIRS");
    assert_eq!(host.get(&format!("{environment}/variables")).is(200).text("/variables/0/name"), "ALSO_THEIRS");
    let kinds = |got: &crate::support::rest::Got| -> Vec<String> {
        let rules = got.body["protection_rules"].as_array().unwrap();
        rules.iter().map(|rule| rule["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&host.get(&environment).is(200)), ["wait_timer", "required_reviewers", "branch_policy"]);
    host.get(&format!("{REPO}/environments")).is(200);
    // What is not sent again is taken off.
    assert_eq!(kinds(&host.put(&environment, &json!({"wait_timer": 5})).is(200)), ["wait_timer", "branch_policy"]);
    host.put(&environment, &json!({"wait_timer": 50_000})).is(422);
    host.delete(&environment).is(204);
    host.get(&format!("{environment}/secrets")).is(404);
    host.delete(&environment).is(404);
}

#[test]
fn a_branch_that_goes_closes_its_pull_request() {
    let host = Host::with_repository();
    host.github.commit_files(FULL_NAME, "sbi/setup", &[("a", "b")], "change");
    let body = json!({"title": "t", "head": "sbi/setup", "base": "main"});
    let number = host.post(&format!("{REPO}/pulls"), &body).is(201).text("/number");
    host.delete(&format!("{REPO}/git/refs/heads/sbi/setup")).is(204);
    host.delete(&format!("{REPO}/git/refs/heads/sbi/setup")).is(422);
    assert_eq!(host.get(&format!("{REPO}/pulls/{number}")).is(200).text("/state"), "closed");
}
