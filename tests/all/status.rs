//! `sbi status` against the stand-ins: before, after, half done, with rights missing.

mod rights;

use std::collections::BTreeMap;
use std::time::Duration;

use sbi::sandbox::github::RunOutcome;
use serde_json::Value;

use crate::support::room::{ANSWERS, REPOSITORY, Ran, Room};

const USER: &str = "sbi-publish-acme-bases";
const RESCAN: &str = ".github/workflows/rescan.yml";
const PUBLISH: &str = ".github/workflows/publish-to-ecr.yml";
const DAY: Duration = Duration::from_secs(86_400);

/// What `sbi status --format json` says.
pub(crate) struct Told(Value);

impl Told {
    /// Entry → state and its whole text.
    fn entries(&self) -> BTreeMap<String, (String, String)> {
        let entries = self.0["entries"].as_array().unwrap().iter();
        entries.map(|entry| (text(&entry["id"]), (text(&entry["state"]), entry.to_string()))).collect()
    }

    #[track_caller]
    fn state(&self, id: &str) -> String {
        self.entries().get(id).unwrap_or_else(|| panic!("no entry {id}")).0.clone()
    }

    #[track_caller]
    fn says(&self, id: &str) -> String {
        self.entries().get(id).unwrap_or_else(|| panic!("no entry {id}")).1.clone()
    }

    /// The ids of entries in this state.
    pub(crate) fn in_state(&self, state: &str) -> Vec<String> {
        self.entries().into_iter().filter(|(_, (found, _))| found == state).map(|(id, _)| id).collect()
    }

    #[track_caller]
    fn fact(&self, key: &str) -> &Value {
        let facts = self.0["facts"].as_array().unwrap();
        facts.iter().find(|fact| fact["key"] == key).unwrap_or_else(|| panic!("no fact {key}"))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The checklist after `sbi init` with these flags. Nothing was written for it, and GitHub was asked as it documents.
#[track_caller]
pub(crate) fn status(room: &Room, flags: &[&str]) -> Told {
    let before = room.writes();
    let run = room.sbi(&[&["status", "--format", "json"], flags].concat()).exited(0);
    assert_eq!(room.writes(), before, "status wrote something");
    room.github.token().reveal(|token| assert!(!run.stdout.contains(token) && !run.stderr.contains(token)));
    room.check_contract();
    Told(serde_json::from_str(&run.stdout).unwrap())
}

/// Set up, published, and looked at by the nightly scan.
pub(crate) fn published(auth: &str) -> Room {
    let room = Room::new();
    room.init(&["--auth", auth]).exited(0);
    room.aws.publish_image(REPOSITORY, "v1.0.0").unwrap();
    room.github.add_run(REPOSITORY, RESCAN, "schedule", RunOutcome::Success, DAY / 2);
    room.github.start_code_scanning(REPOSITORY);
    room
}

fn check(room: &Room, flags: &[&str]) -> Ran {
    room.sbi(&[&["status", "--check"], flags].concat())
}

#[test]
fn before_the_set_up_everything_is_to_do() {
    for auth in ["oidc", "access-key"] {
        let room = Room::new();
        let flags = [ANSWERS, &["--auth", auth]].concat();
        let told = status(&room, &flags);
        assert_eq!(told.in_state("unknown"), Vec::<String>::new());
        assert_eq!(told.in_state("drifted"), Vec::<String>::new());
        for id in ["github-repository", "ecr-repository:acme/bases", "identity", "access", "files", "release:v1.0.0"] {
            assert_eq!(told.state(id), "to_do", "{id}");
            assert!(told.says(id).contains("sbi init"), "{}", told.says(id));
        }
        assert!(told.says("github-repository").contains("hidden from acme"));
        assert_eq!(told.fact("last_release")["text"], "none yet");
        let run = check(&room, &flags).exited(3);
        assert!(run.stderr.contains("not as they should be"), "{}", run.stderr);
    }
}

#[test]
fn once_published_nothing_is_left_but_what_is_a_persons() {
    for auth in ["oidc", "access-key"] {
        let room = published(auth);
        let told = status(&room, &[]);
        let states: Vec<String> = told.entries().into_values().map(|(state, _)| state).collect();
        assert!(states.iter().all(|state| state == "done" || state == "person"), "{}", told.0);
        let persons = told.in_state("person");
        for id in ["marketplace-seller", "marketplace-listing", "docker-verified-publisher"] {
            assert!(persons.contains(&id.to_owned()) && told.says(id).contains("https://"), "{id}");
        }
        let digest = &room.aws.image_tags(REPOSITORY).unwrap()["v1.0.0"];
        assert!(told.says("published:static-go").contains(digest.as_str()));
        for key in ["last_release", "last_publish_run", "last_rescan", "open_findings", "rescan_issue", "pull_requests"]
        {
            assert_eq!(told.fact(key)["state"], "fine", "{key}");
        }
        assert!(text(&told.fact("last_publish_run")["text"]).starts_with("v1.0.0 succeeded"));
        assert_eq!(told.0["pending"].as_array().unwrap().len(), 0);
        let run = check(&room, &[]).exited(0);
        assert!(run.stdout.contains("✔ Create release v1.0.0"), "{}", run.stdout);
    }
}

#[test]
fn what_drifted_is_told_on_both_sides_and_counted() {
    let room = published("oidc");
    room.aws.switch_scan_on_push_off(REPOSITORY);
    let trust = room.aws.role_trust("sbi-read-acme-bases").unwrap();
    room.aws.set_role_trust("sbi-publish-acme-bases", trust);
    room.github.loosen_workflow_token(REPOSITORY);
    room.github.disable_workflow(REPOSITORY, RESCAN, "disabled_inactivity");
    room.github.add_run(REPOSITORY, RESCAN, "schedule", RunOutcome::Failure { job: "Scan".into(), step: None }, DAY);
    room.github.add_alert(REPOSITORY, "Trivy", Some("high"));
    room.github.add_alert(REPOSITORY, "CodeQL", Some("critical"));
    room.github.add_issue(REPOSITORY, "github-actions[bot]", "<!-- sbi-rescan -->\nfindings", true);
    let told = status(&room, &[]);
    let mut drifted = told.in_state("drifted");
    drifted.sort();
    assert_eq!(drifted, ["access", "ecr-settings:acme/bases", "github-settings", "rescan"]);
    assert!(told.says("rescan").contains("gh workflow enable rescan.yml --repo acme/bases"), "{}", told.says("rescan"));
    assert!(told.says("access").contains("sbi apply"));
    assert_eq!(told.fact("last_rescan")["state"], "warning");
    assert_eq!(told.fact("open_findings")["counts"], serde_json::json!({"high": 1}), "another tool's are its own");
    assert_eq!(told.fact("rescan_issue")["state"], "warning");
    check(&room, &[]).exited(3);
    // The command that is named mends what sbi can mend.
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    assert_eq!(status(&room, &[]).in_state("drifted"), ["rescan"]);
}

#[test]
fn an_old_access_key_is_counted_against_the_limit_that_was_asked_for() {
    let room = published("access-key");
    room.aws.age_access_keys(USER, DAY * 100);
    let run = check(&room, &[]).exited(3);
    assert!(run.stderr.contains("access key"), "{}", run.stderr);
    assert!(run.stdout.contains("100 days old, 90 days are allowed"), "{}", run.stdout);
    check(&room, &["--max-age", "15w"]).exited(0);
    let run = check(&room, &["--max-age", "soon"]).exited(2);
    assert!(run.stderr.contains("90d"), "{}", run.stderr);
}

#[test]
fn an_edit_is_read_before_it_is_called_one() {
    let room = published("oidc");
    let file = |path: &str| String::from_utf8(room.github.repository(REPOSITORY).unwrap().files[path].clone()).unwrap();
    let (before, after) =
        file(PUBLISH).split_once("actions/checkout@").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let newer = format!("{before}actions/checkout@{}{}", "ab".repeat(20), &after[40..]);
    room.github.commit_files(REPOSITORY, "main", &[(PUBLISH, &newer)], "newer pins");
    let told = status(&room, &[]);
    assert_eq!((told.state("trivy-gate"), told.state("workflow")), ("done".into(), "done".into()));
    assert!(told.says("workflow").contains("newer pins"), "{}", told.says("workflow"));
    room.github.commit_files(REPOSITORY, "main", &[(PUBLISH, &newer.replace("CRITICAL", "MAYBE"))], "no gate");
    let told = status(&room, &[]);
    assert_eq!((told.state("trivy-gate"), told.state("workflow")), ("person".into(), "done".into()));
    assert!(told.says("trivy-gate").contains("/blob/main/.github/workflows/publish-to-ecr.yml"));
    check(&room, &[]).exited(0);
}

#[test]
fn a_renamed_repository_is_still_judged() {
    let room = published("oidc");
    room.github.rename(REPOSITORY, "renamed");
    let told = status_without_contract(&room);
    assert_eq!(told.state("github-settings"), "drifted");
    assert!(told.says("github-settings").contains("acme/renamed"));
    assert_eq!(told.state("workflow"), "done");
}

/// Redirections are documented for a few operations only.
fn status_without_contract(room: &Room) -> Told {
    Told(serde_json::from_str(&room.sbi(&["status", "--format", "json"]).exited(0).stdout).unwrap())
}

#[test]
fn two_images_are_told_apart() {
    let Some(room) = Room::with_two_images() else { return };
    room.init(&["--auth", "oidc"]).exited(0);
    room.aws.publish_image("acme/bases/static-go", "v1.0.0").unwrap();
    let told = status(&room, &[]);
    assert_eq!(told.state("published:static-go"), "done");
    assert_eq!(told.state("published:base-go"), "drifted");
    assert!(told.says("secret:ECR_REPOSITORY").contains("not needed"));
    assert_eq!(told.state("release:base-go/v1.0.0"), "done");
}

#[test]
fn a_run_that_goes_on_is_neither_done_nor_drifted() {
    let room = Room::new();
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let told = status(&room, &[]);
    assert_eq!(told.state("published:static-go"), "unknown");
    assert!(text(&told.fact("last_publish_run")["text"]).starts_with("v1.0.0 goes on"), "{}", told.0);
    check(&room, &[]).exited(1);
}
