//! GitHub says no.

use sbi::sandbox::github::{GithubOptions, Rules, Seed, TokenScopes};
use sbi::sandbox::http::{Answer, Weather};

use super::{finishes, init, init_with};
use crate::support::room::{ANSWERS, REPOSITORY, Room, ran};

fn with_scopes(token_scopes: TokenScopes) -> Room {
    Room::with(GithubOptions { login: "acme".into(), token_scopes, ..GithubOptions::default() })
}

#[test]
fn no_token_at_all_says_how_to_get_one() {
    let room = Room::new();
    let mut command = room.command(&[&["init", "--yes"], ANSWERS].concat());
    command.env_remove("GH_TOKEN");
    ran(command).refused(&room, 4, &["no token for", "gh auth login", "GH_TOKEN"]);
}

#[test]
fn a_token_that_github_does_not_know_is_not_signed_in() {
    let room = Room::new();
    room.github.expire_token();
    let ran = init(&room, &[]).refused(&room, 4, &["does not accept the token", "gh auth"]);
    room.github.token().reveal(|token| assert!(!ran.stderr.contains(token)));
}

#[test]
fn a_token_without_the_workflow_scope_is_told_before_the_first_change() {
    let room = with_scopes(TokenScopes::classic(["repo"]));
    init(&room, &[]).refused(&room, 1, &["lacks scope `workflow`", "gh auth refresh", "--scopes workflow"]);
    room.github.set_token_scopes(TokenScopes::classic(["repo", "workflow"]));
    finishes(&room, &[]);
}

#[test]
fn a_token_without_any_scope_is_told_both() {
    let room = with_scopes(TokenScopes::classic(["gist"]));
    init(&room, &[]).refused(&room, 1, &["repo", "workflow", "gh auth refresh"]);
}

#[test]
fn a_fine_grained_token_that_lacks_a_permission_has_it_named() {
    let all = ["administration: write", "contents: write", "environments: write", "secrets: write", "workflows: write"];
    for missing in ["administration: write", "contents: write", "secrets: write"] {
        let granted = all.iter().copied().filter(|permission| *permission != missing).chain(["actions: read"]);
        let room = with_scopes(TokenScopes::fine_grained(granted));
        let name = missing.split(':').next().unwrap();
        init(&room, &[]).failed(1, &[name]);
        room.github.set_token_scopes(TokenScopes::classic(["repo", "workflow"]));
        finishes(&room, &[]);
    }
}

#[test]
fn a_workflows_own_token_is_refused_because_its_releases_start_nothing() {
    let permissions = ["administration: write", "contents: write", "metadata: read"].map(str::to_owned);
    let room = with_scopes(TokenScopes::Installation(permissions.into()));
    init(&room, &[]).refused(&room, 2, &["belongs to a workflow or an app", "starts no workflow", "gh auth login"]);
}

#[test]
fn single_sign_on_shows_where_to_authorise() {
    let organization = sbi::sandbox::github::Organization { login: "acme".into(), id: 77, plan: "team".into() };
    let room = Room::with(GithubOptions { organizations: vec![organization], ..GithubOptions::default() });
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    room.github.require_sso("acme");
    let url = "https://github.com/orgs/acme/sso?authorization_request=A4BCDEFGH";
    init(&room, &[]).refused(&room, 4, &["asks for single sign-on", &format!("authorise the token at {url}")]);
}

#[test]
fn rate_limits_say_until_when() {
    let room = Room::new();
    room.github.limit_requests(0);
    let until = |seconds: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        // The minute may turn while the program runs.
        [at, at + jiff::SignedDuration::from_secs(60)].map(|at| at.strftime("after %H:%M UTC").to_string())
    };
    let says_one_of = |ran: &crate::support::room::Ran, times: &[String]| {
        assert!(times.iter().any(|time| ran.stderr.contains(time)), "{times:?}: {}", ran.stderr);
    };
    // The primary limit ends with the hour that the answer names.
    let ran = init(&room, &[]).refused(&room, 1, &["rate limit", "run the command again after", "UTC"]);
    let reset = room.github.server().log().iter().find_map(|exchange| {
        let mut headers = exchange.answer.headers.iter();
        headers.find(|(name, _)| name == "x-ratelimit-reset").and_then(|(_, value)| value.parse::<i64>().ok())
    });
    says_one_of(&ran, &until(reset.unwrap() - jiff::Timestamp::now().as_second()));
    // The secondary one after as many seconds as it says.
    let room = Room::new();
    room.github.slow_down(3_600);
    let times = until(3_600);
    let ran = init(&room, &[]).refused(&room, 1, &["rate limit", "run the command again"]);
    says_one_of(&ran, &times);
}

#[test]
fn somebody_elses_account_and_repository_are_refused() {
    let room = Room::new();
    room.github.add_stranger("eve", 99);
    init_with(&room, &[("--github", "eve/bases")], &[]).refused(
        &room,
        2,
        &["only eve can create it", "--github acme/bases"],
    );
    init_with(&room, &[("--github", "nobody-at-all/bases")], &[]).refused(&room, 1, &["nobody-at-all", "--github"]);
}

#[test]
fn archived_and_renamed_repositories_are_refused() {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    room.github.archive(REPOSITORY);
    init(&room, &[]).refused(&room, 2, &["is archived", "gh repo unarchive"]);
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    room.github.rename(REPOSITORY, "other");
    init(&room, &[]).refused(&room, 2, &["acme/bases is called acme/other now", "repository = \"acme/other\""]);
}

#[test]
fn a_taken_version_is_refused_with_the_next_free_one() {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    room.github.add_tag(REPOSITORY, "v1.0.0");
    room.github.add_release(REPOSITORY, "v1.0.1", "by hand");
    init(&room, &[]).refused(&room, 2, &["v1.0.0 is taken", "--release v1.0.2"]);
}

/// A key that anybody could open a box for, or that is none.
#[test]
fn a_public_key_that_protects_nothing_gets_no_secret_and_no_access_key_stays() {
    use base64::Engine as _;
    let keys = [
        base64::prelude::BASE64_STANDARD.encode([0_u8; 32]),
        base64::prelude::BASE64_STANDARD.encode([7_u8; 31]),
        "not base64!".to_owned(),
    ];
    for key in keys {
        for auth in ["oidc", "access-key"] {
            let room = Room::new();
            let body = format!("{{\"key_id\":\"1\",\"key\":\"{key}\"}}");
            room.github.server().set_forecast(move |_, request| match request.path.ends_with("/public-key") {
                true => Weather::Instead(Answer::new(200, "application/json", body.clone())),
                false => Weather::Fair,
            });
            init(&room, &["--auth", auth]).failed(1, &["public key"]);
            assert!(room.github.repository(REPOSITORY).unwrap().secrets.is_empty());
            assert!(room.aws.access_keys("sbi-publish-acme-bases").is_empty(), "an orphan key");
            finishes(&room, &["--auth", auth]);
        }
    }
}

#[test]
fn a_rule_that_only_shows_at_the_push_is_named_with_the_way_round() {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    // The rules hide from observing, as a rule on another level does, and refuse the push.
    room.github.server().set_forecast(|_, request| match request.path.contains("/rules/branches/") {
        true => Weather::Instead(Answer::new(200, "application/json", "[]")),
        false => Weather::Fair,
    });
    room.github.add_ruleset(REPOSITORY, "main", Rules { pull_request: true, signatures: false });
    init(&room, &[]).failed(1, &["--pull-request"]);
}
