//! `sbi destroy` through the binary, against both stand-ins: what `sbi init` made goes, what others made stays, and a
//! run that was killed anywhere is finished by the next one.

mod bad_days;
mod killed;
mod rights;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use sbi::model::identity::OIDC_ISSUER;
use sbi::sandbox::github::{GithubOptions, RepositorySnapshot, Rules, Seed, TokenScopes};
use sbi::sandbox::http::{Answer, Weather};
use serde_json::Value;

use self::killed::{Kill, run_killed_at};
use crate::support::room::{REPOSITORY, Ran, Room};

const ROLE: &str = "sbi-publish-acme-bases";
const SURE: &[&str] = &["destroy", "--yes", "--confirm", REPOSITORY];

fn destroy(room: &Room, flags: &[&str]) -> Ran {
    room.sbi(&[SURE, flags].concat())
}

fn set_up(auth: &str) -> Room {
    let room = Room::new();
    room.init(&["--auth", auth, "--no-watch"]).exited(0);
    room
}

fn repository(room: &Room) -> RepositorySnapshot {
    room.github.repository(REPOSITORY).expect("the GitHub repository")
}

/// Nothing of ours is left on either side, and the provider of the account is.
#[track_caller]
fn assert_gone(room: &Room) {
    assert_eq!(room.aws.role_names(), BTreeSet::new());
    assert_eq!(room.aws.user_names(), BTreeSet::new());
    assert_eq!(room.aws.repository_names(), BTreeSet::new());
    if let Some(found) = room.github.repository(REPOSITORY) {
        assert_eq!(found.secrets.len(), 0, "{:?}", found.secrets.keys());
        assert_eq!(found.environments.len(), 0, "{:?}", found.environments.keys());
        assert_eq!(found.files.keys().collect::<Vec<_>>(), ["README.md"], "as GitHub makes it");
        assert_eq!(found.files["README.md"], b"# bases\n");
        assert_eq!(found.releases.len(), 1, "what was published stays");
    }
}

#[test]
fn what_init_made_goes_and_a_second_run_has_nothing_to_do() {
    for auth in ["oidc", "access-key"] {
        let room = set_up(auth);
        room.aws.add_image(REPOSITORY, Some("v1.0.0")).unwrap();
        let run = destroy(&room, &["--delete-images"]).exited(0);
        assert!(run.stderr.contains("looked again: nothing of sbi's is left"), "{}", run.stderr);
        assert_gone(&room);
        let provider = room.aws.oidc_providers().contains_key(OIDC_ISSUER);
        assert_eq!(provider, auth == "oidc", "the provider is the account's");
        assert_eq!(run.stdout.contains("delete-open-id-connect-provider"), provider, "{}", run.stdout);
        assert!(run.stdout.contains(&format!("gh repo delete {REPOSITORY}")), "{}", run.stdout);
        let before = room.writes();
        let again = destroy(&room, &[]).exited(0);
        assert!(again.stderr.contains("nothing of sbi's is left to take back"), "{}", again.stderr);
        room.sbi(&["destroy", "--plan", "--check"]).exited(0);
        assert_eq!(room.writes(), before, "a finished run changed something");
        room.check_contract();
    }
}

#[test]
fn two_images_and_all_that_they_had_go() {
    let Some(room) = Room::with_two_images() else { return };
    room.init(&["--no-watch"]).exited(0);
    for repository in room.aws.repository_names() {
        room.aws.add_image(&repository, Some("v1.0.0")).unwrap();
        room.aws.add_image(&repository, None).unwrap();
    }
    destroy(&room, &["--delete-images"]).exited(0);
    assert_eq!(room.aws.repository_names(), BTreeSet::new());
    assert_eq!(room.aws.role_names(), BTreeSet::new());
    room.check_contract();
}

#[test]
fn images_are_never_deleted_unasked_and_are_listed_before() {
    let room = set_up("oidc");
    let first = room.aws.add_image(REPOSITORY, Some("v1.0.0")).unwrap();
    let second = room.aws.add_image(REPOSITORY, None).unwrap();
    let before = room.writes();
    let refused = destroy(&room, &[]).exited(2);
    for told in ["holds 2 images", "`--delete-images`", "sbi:adopted"] {
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
    assert_eq!(room.writes(), before);
    let plan = room.sbi(&["destroy", "--plan", "--delete-images"]).exited(0);
    for (tag, digest) in [("v1.0.0", &first), ("untagged", &second)] {
        let line = plan.stdout.lines().find(|line| line.contains(&digest[..19]));
        let line = line.unwrap_or_else(|| panic!("{digest} is not listed:\n{}", plan.stdout));
        assert!(line.contains(tag) && line.contains("1.2 MB") && line.contains("UTC"), "{line}");
    }
    let json = room.sbi(&["destroy", "--plan", "--delete-images", "--format", "json"]).exited(0);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let changes = json["changes"].as_array().unwrap();
    let images = changes.iter().find(|change| change["kind"] == "images").unwrap()["images"].as_array().unwrap();
    let digests: BTreeSet<&str> = images.iter().map(|image| image["digest"].as_str().unwrap()).collect();
    assert_eq!(digests, BTreeSet::from([first.as_str(), second.as_str()]));
    assert_eq!(room.writes(), before, "a plan changed something");
    room.sbi(&["destroy", "--plan", "--check", "--delete-images"]).exited(3);
}

/// A release that nobody listed is not deleted along: the repository stays, and the next run lists it.
#[test]
fn an_image_that_was_pushed_since_the_plan_is_not_deleted() {
    let room = set_up("oidc");
    room.aws.add_image(REPOSITORY, Some("v1.0.0")).unwrap();
    // As ECR answers while an image is there that the plan did not list.
    let late = AtomicUsize::new(0);
    room.aws.server().set_forecast(move |_, request| {
        let last = request.header("x-amz-target").is_some_and(|target| target.ends_with("DeleteRepository"));
        if !last || late.fetch_add(1, Ordering::SeqCst) > 0 {
            return Weather::Fair;
        }
        let code = "RepositoryNotEmptyException";
        let body = format!("{{\"__type\":\"{code}\",\"message\":\"no\"}}");
        Weather::Instead(Answer::new(400, "application/x-amz-json-1.1", body).with("x-amzn-errortype", code))
    });
    let run = destroy(&room, &["--delete-images"]).exited(1);
    assert!(run.stderr.contains("holds images that are new since the plan"), "{}", run.stderr);
    assert!(room.aws.repository_names().contains(REPOSITORY));
    assert!(repository(&room).files.contains_key("sbi.toml"), "the next run needs it");
    destroy(&room, &["--delete-images"]).exited(0);
    assert_gone(&room);
}

#[test]
fn what_others_made_stays() {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("theirs.md", "theirs\n")] });
    room.github.add_secret(REPOSITORY, "THEIRS");
    room.github.add_environment(REPOSITORY, "staging", None);
    room.init(&["--no-watch"]).exited(0);
    room.github.add_environment_secret(REPOSITORY, "publish", "ALSO_THEIRS");
    room.github.commit_files(REPOSITORY, "main", &[("SECURITY.md", "ours now\n")], "edit");
    let run = destroy(&room, &[]).exited(0);
    let found = repository(&room);
    assert_eq!(found.files.keys().collect::<Vec<_>>(), ["SECURITY.md", "theirs.md"]);
    assert_eq!(found.secrets.keys().collect::<Vec<_>>(), ["THEIRS"]);
    assert_eq!(found.environments.keys().collect::<Vec<_>>(), ["publish", "staging"]);
    assert_eq!(room.aws.role_names(), BTreeSet::new());
    let told =
        ["file SECURITY.md: was edited", "environment publish: holds what sbi did not put there: secret ALSO_THEIRS"];
    for told in told.into_iter().chain(["secret THEIRS: is not sbi's"]) {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    room.check_contract();
}

#[test]
fn an_adopted_ecr_repository_keeps_its_images_and_loses_our_tags() {
    let room = Room::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = sbi::aws::Settings {
            endpoint: Some(room.aws.url()),
            region: Some("eu-central-1".parse().unwrap()),
            credentials: Some(room.aws.operator_credentials()),
            profile: None,
        };
        let aws = sbi::aws::Aws::connect(settings).await.unwrap();
        let tags = [("team".to_owned(), "platform".to_owned())].into();
        let mutable = sbi::model::observed::TagMutability::Mutable;
        aws.create_ecr_repository(&REPOSITORY.parse().unwrap(), &mutable, &tags).await.unwrap();
    });
    room.aws.add_image(REPOSITORY, Some("v0.9.0")).unwrap();
    room.init(&["--no-watch"]).exited(0);
    assert_eq!(room.aws.repository_tags(REPOSITORY).unwrap().len(), 4);
    destroy(&room, &["--delete-images"]).exited(0);
    assert_eq!(room.aws.repository_tags(REPOSITORY).unwrap().keys().collect::<Vec<_>>(), ["team"]);
    assert_eq!(room.aws.image_tags(REPOSITORY).unwrap().keys().collect::<Vec<_>>(), ["v0.9.0"]);
    assert_eq!(room.aws.role_names(), BTreeSet::new());
}

#[test]
fn everything_that_is_missing_is_one_error_before_the_first_call() {
    let room = Room::new();
    let calls = || room.aws.server().log().len() + room.github.server().log().len();
    let run = room.sbi(&["destroy"]).exited(2);
    for missing in ["--github OWNER/NAME", "--yes", "--confirm OWNER/NAME"] {
        assert!(run.stderr.contains(missing), "{missing}: {}", run.stderr);
    }
    let run = room.sbi(&["destroy", "--github", REPOSITORY, "--yes"]).exited(2);
    assert!(run.stderr.contains("--confirm acme/bases") && !run.stderr.contains("--github"), "{}", run.stderr);
    let run = room.sbi(&["destroy", "--github", REPOSITORY, "--yes", "--confirm", "acme/base"]).exited(2);
    assert!(run.stderr.contains("`--confirm acme/base` is not the repository"), "{}", run.stderr);
    assert_eq!(calls(), 0);
}

#[test]
fn without_sbi_toml_here_the_one_of_the_repository_is_read() {
    let room = set_up("oidc");
    std::fs::remove_file(room.folder().join("sbi.toml")).unwrap();
    room.sbi(&["destroy", "--plan", "--check", "--github", REPOSITORY]).exited(3);
    destroy(&room, &["--github", REPOSITORY]).exited(0);
    assert_gone(&room);
    let nothing = destroy(&room, &["--github", REPOSITORY]).exited(2);
    assert!(nothing.stderr.contains("holds no `sbi.toml`"), "{}", nothing.stderr);
}

/// Somebody copied a repository, its configuration and all.
#[test]
fn a_configuration_that_is_about_another_repository_is_refused() {
    let room = set_up("oidc");
    let copied = repository(&room).files["sbi.toml"].clone();
    let copied = String::from_utf8(copied).unwrap();
    room.github.create_repository("acme/copy", Seed { private: false, files: &[("sbi.toml", &copied)] });
    let before = room.writes();
    let run = room.sbi(&["destroy", "--github", "acme/copy", "--yes", "--confirm", "acme/copy"]).exited(2);
    assert!(run.stderr.contains("is about another repository, acme/bases"), "{}", run.stderr);
    assert_eq!(room.writes(), before);
}

#[test]
fn the_github_repository_goes_when_asked_and_only_with_the_right_for_it() {
    let room = set_up("oidc");
    let before = room.writes();
    let refused = destroy(&room, &["--delete-repository"]).exited(1);
    assert!(refused.stderr.contains("lacks scope `delete_repo`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("gh auth refresh --scopes delete_repo"), "{}", refused.stderr);
    assert_eq!(room.writes(), before, "something was changed before the scope was missed");
    room.github.set_token_scopes(TokenScopes::classic(["repo", "workflow", "delete_repo"]));
    destroy(&room, &["--delete-repository"]).exited(0);
    assert!(room.github.repository(REPOSITORY).is_none());
    assert_gone(&room);
    destroy(&room, &["--delete-repository"]).exited(0);
    room.check_contract();
}

/// A fine-grained token tells no rights: the first refused call does, and the next run finishes.
#[test]
fn a_fine_grained_token_without_administration_fails_at_the_last_step_and_the_next_run_finishes() {
    let permissions = |more: &[&'static str]| {
        let base = ["metadata: read", "contents: write", "workflows: write", "secrets: write", "actions: read"];
        let environments = ["environments: read", "pull requests: write"];
        TokenScopes::fine_grained(base.into_iter().chain(environments).chain(more.iter().copied()))
    };
    let room = Room::with(GithubOptions {
        login: "acme".into(),
        token_scopes: permissions(&["administration: write"]),
        ..GithubOptions::default()
    });
    room.init(&["--no-watch"]).exited(0);
    room.github.set_token_scopes(permissions(&["administration: read"]));
    let run = destroy(&room, &["--delete-repository"]).exited(1);
    assert!(run.stderr.contains("administration: write"), "{}", run.stderr);
    room.github.set_token_scopes(permissions(&["administration: write"]));
    destroy(&room, &["--delete-repository"]).exited(0);
    assert!(room.github.repository(REPOSITORY).is_none());
}

#[test]
fn where_rules_want_it_the_files_go_by_a_pull_request_or_a_signed_commit() {
    let room = set_up("oidc");
    room.github.add_ruleset(REPOSITORY, "main", Rules { pull_request: true, signatures: false });
    let run = destroy(&room, &[]).exited(0);
    assert!(run.stdout.contains("/pull/"), "{}", run.stdout);
    assert_eq!(room.aws.role_names(), BTreeSet::new());
    let pulls = repository(&room).pull_requests;
    assert_eq!((pulls.len(), pulls[0].head.as_str()), (1, "sbi/destroy"));
    let before = room.writes();
    destroy(&room, &[]).exited(0);
    assert_eq!(room.writes(), before, "the open pull request was touched");
    room.github.merge_pull_request(REPOSITORY, pulls[0].number).unwrap();
    destroy(&room, &[]).exited(0);
    assert_gone(&room);
    room.check_contract();

    let room = set_up("oidc");
    room.github.add_ruleset(REPOSITORY, "main", Rules { pull_request: false, signatures: true });
    destroy(&room, &[]).exited(0);
    assert_gone(&room);
    room.check_contract();
}

/// The pull request that sets up was never merged: it is closed, and its branch goes.
#[test]
fn a_set_up_that_waits_for_its_merge_is_taken_back_too() {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    room.github.add_ruleset(REPOSITORY, "main", Rules { pull_request: true, signatures: false });
    room.init(&["--no-watch"]).exited(0);
    // And one that would bring newer templates.
    room.github.commit_files(REPOSITORY, "sbi/update", &[("a", "c\n")], "update");
    destroy(&room, &[]).exited(0);
    let found = repository(&room);
    assert_eq!(found.secrets.len(), 0, "{:?}", found.secrets.keys());
    assert!(found.pull_requests.iter().all(|pull| !pull.open));
    assert!(found.branches.keys().all(|branch| branch == "main"), "{:?}", found.branches);
    assert_eq!(found.files.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(room.aws.role_names(), BTreeSet::new());
    assert_eq!(room.aws.repository_names(), BTreeSet::new());
    room.check_contract();
}

#[test]
fn a_renamed_repository_is_taken_apart_only_under_its_own_name() {
    for auth in ["oidc", "access-key"] {
        let room = set_up(auth);
        room.github.rename(REPOSITORY, "images");
        let before = room.writes();
        let plan = room.sbi(&["destroy", "--plan"]).exited(0);
        assert!(plan.stdout.contains("GitHub repository acme/bases is now acme/images"), "{}", plan.stdout);
        let refused = destroy(&room, &[]).exited(2);
        assert!(refused.stderr.contains("--github acme/images --confirm acme/images"), "{}", refused.stderr);
        assert_eq!(room.writes(), before);
        let sure = ["destroy", "--yes", "--github", "acme/images", "--confirm", "acme/images"];
        let run = room.sbi(&sure).exited(0);
        assert!(run.stderr.contains("looked again: nothing of sbi's is left"), "{}", run.stderr);
        assert_gone(&room);
        assert_eq!(room.github.repository("acme/images").unwrap().secrets.len(), 0);
        room.check_contract();
    }
}

/// Another repository has the name by now.
#[test]
fn what_another_repository_of_the_same_name_has_stays() {
    let room = set_up("oidc");
    room.github.rename(REPOSITORY, "images");
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    let before = room.writes();
    let run = destroy(&room, &[]).exited(0);
    assert!(run.stderr.contains("nothing of sbi's is left to take back"), "{}", run.stderr);
    let plan = room.sbi(&["destroy", "--plan"]).exited(0);
    assert!(plan.stdout.contains("belongs to GitHub repository acme/bases with the number"), "{}", plan.stdout);
    assert_eq!(room.writes(), before);
}

/// Kills `destroy` at every write, before and after the server did its work; returns how many kills were survived.
fn survives_every_kill(auth: &'static str, flags: &[&'static str], scopes: &TokenScopes) -> usize {
    let (next, survived) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let arguments = [SURE, &["--delete-images"], flags].concat();
    let work = || {
        loop {
            let turn = next.fetch_add(1, Ordering::SeqCst);
            let (number, kill) = (turn / 2, [Kill::BeforeTheRequest, Kill::AfterItReachedTheServer][turn % 2]);
            let room = set_up(auth);
            room.github.set_token_scopes(scopes.clone());
            for tag in [Some("v1.0.0"), Some("v1.0.1"), None] {
                room.aws.add_image(REPOSITORY, tag).unwrap();
            }
            room.github.add_secret(REPOSITORY, "THEIRS");
            if !run_killed_at(number, kill, &room, &arguments) {
                return;
            }
            // Wherever it stopped, the configuration is there until nothing else of ours is.
            let left = room.github.repository(REPOSITORY).is_some_and(|found| found.files.contains_key("sbi.toml"));
            let anything =
                room.aws.role_names().len() + room.aws.user_names().len() + room.aws.repository_names().len();
            assert!(left || anything == 0, "{kill:?} write {number}: sbi.toml is gone, and {anything} things are left");
            let second = room.sbi(&arguments);
            assert_eq!(second.code, 0, "{kill:?} write {number}:\n{}", second.stderr);
            assert_eq!(room.aws.role_names().len() + room.aws.user_names().len(), 0);
            assert_eq!(room.aws.repository_names(), BTreeSet::new());
            if let Some(found) = room.github.repository(REPOSITORY) {
                assert_eq!(found.secrets.keys().collect::<Vec<_>>(), ["THEIRS"]);
                assert_eq!(found.files.keys().collect::<Vec<_>>(), ["README.md"]);
                assert_eq!(found.environments.len(), 0);
            }
            room.check_contract();
            survived.fetch_add(1, Ordering::SeqCst);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    survived.into_inner()
}

#[test]
fn killed_at_any_write_the_next_run_finishes() {
    let scopes = TokenScopes::classic(["repo", "workflow"]);
    for auth in ["oidc", "access-key"] {
        let survived = survives_every_kill(auth, &[], &scopes);
        assert!(survived >= 24, "{auth}: only {survived} kills");
    }
}

#[test]
fn killed_at_any_write_on_the_way_to_deleting_all_of_it_the_next_run_finishes() {
    let scopes = TokenScopes::classic(["repo", "workflow", "delete_repo"]);
    let survived = survives_every_kill("oidc", &["--delete-repository"], &scopes);
    assert!(survived >= 12, "only {survived} kills");
}

#[test]
fn a_person_types_the_name_and_another_name_changes_nothing() {
    let room = set_up("oidc");
    let before = room.writes();
    for typed in ["", "y", "acme/base", "bases"] {
        let mut session = room.terminal(&["destroy"]);
        session.expect("type acme/bases:");
        session.type_line(typed);
        assert_eq!(session.exit_code(), 130, "{}", session.screen());
        assert_eq!(room.writes(), before, "{typed:?} was enough");
    }
    let mut session = room.terminal(&["destroy"]);
    session.expect("to remove");
    session.expect("type acme/bases:");
    session.type_line(REPOSITORY);
    assert_eq!(session.exit_code(), 0, "{}", session.screen());
    assert_gone(&room);
}
