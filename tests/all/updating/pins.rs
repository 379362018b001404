//! `sbi update --pins`: newer pins come with the same pull request, and go with it.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use sbi::model::action_pin::ActionVersion;
use sbi::model::git::{BlobId, CommitId};
use sbi::model::lock::Lock;
use sbi::plan::pins::{ActionChange, NewPins};
use sbi::sandbox::github::{GithubOptions, Seed};

use super::aged::{CHECK, DOCKERFILE, OLDER, UPDATE};
use super::local::Clone;
use super::scene::Scene;
use crate::support::room::{REPOSITORY, Room};

const CHECKOUT: &str = "actions/checkout";
const BASE: &str = "gcr.io/distroless/static-debian13:nonroot";

/// A publisher whose actions have moved on a hundred days ago.
fn with_newer_actions() -> Room {
    let clock = Arc::new(Mutex::new(Timestamp::now()));
    let time = Arc::clone(&clock);
    let room = Room::with(GithubOptions {
        login: "acme".into(),
        clock: Arc::new(move || *time.lock().unwrap()),
        ..GithubOptions::default()
    });
    room.init(&["--no-watch"]).exited(0);
    let text = room.text(CHECK);
    let pin = text.split("actions/checkout@").nth(1).unwrap();
    let (commit, version) = (&pin[..40], pin[40..].trim_start_matches(" # ").lines().next().unwrap().to_owned());
    *clock.lock().unwrap() = Timestamp::now() - SignedDuration::from_hours(24 * 100);
    let github = &room.github;
    github.add_stranger("actions", 44);
    github.create_repository(CHECKOUT, Seed { private: false, files: &[("action.yml", "runs: node24\n")] });
    github.tag_commit(CHECKOUT, &version, commit);
    github.commit_files(CHECKOUT, "main", &[("index.js", "newer\n")], "newer");
    github.add_tag(CHECKOUT, "v99.0.0");
    github.publish_release(CHECKOUT, "v99.0.0", false);
    *clock.lock().unwrap() = Timestamp::now();
    room
}

#[test]
fn newer_pins_come_with_the_pull_request_and_later_runs_know_it() {
    let room = with_newer_actions().aged(OLDER);
    room.edit(CHECK, "    runs-on: ubuntu-24.04\n", "    runs-on: [self-hosted, ours]\n");
    room.registry.move_tag(BASE);
    let before = room.lock().images.get(BASE).cloned().unwrap();
    let run = room.sbi(&["update", "--yes", "--pins"]).exited(0);
    assert!(run.stderr.contains("→ v99.0.0"), "{}", run.stderr);
    let open = room.open_request();
    for text in [
        "pin: actions/checkout ",
        "a new major version",
        "pin: gcr.io/distroless/static-debian13:nonroot",
        "left as it is",
        // No template of it changed, so no reason of one is told.
        "rescan.yml`: newer pins, and nothing else.\n",
    ] {
        assert!(open.body.contains(text), "{text:?} is not in\n{}", open.body);
    }
    let writes = room.writes();
    room.sbi(UPDATE).exited(0);
    assert_eq!(room.writes(), writes, "a run without the flag took them back");
    room.merge_update();
    let texts = room.texts();
    for path in texts.keys().filter(|path| path.starts_with(".github/workflows/")) {
        assert!(!texts[path].contains("actions/checkout@") || texts[path].contains("# v99.0.0"), "{path}");
    }
    assert!(texts[CHECK].contains("[self-hosted, ours]") && texts[CHECK].contains("cancel-in-progress: true"));
    let after = room.lock().images.get(BASE).cloned().unwrap();
    assert!(after != before && texts[DOCKERFILE].contains(after.as_str()));
    // Pins that are newer than those of the templates are an edit like Dependabot's.
    room.assert_settled();
    room.sbi(&["plan", "--check"]).exited(0);
    room.sbi(&["update", "--check", "--pins"]).exited(0);
}

#[test]
fn newer_pins_are_written_into_a_working_tree_too() {
    let room = with_newer_actions().aged(OLDER);
    room.registry.move_tag(BASE);
    let before = room.lock().images.get(BASE).cloned().unwrap();
    let clone = Clone::of(room);
    clone.edit(CHECK, "    runs-on: ubuntu-24.04\n", "    runs-on: [self-hosted, ours]\n");
    clone.commit();
    let alone = clone.sbi(&["--pins"]);
    assert!(alone.code != 0 && alone.stderr.contains("GH_TOKEN"), "{}", alone.stderr);
    let check = clone.signed_in(&["--pins", "--check"]).exited(3);
    assert!(check.stdout.contains("→ v99.0.0"), "{}", check.stdout);
    assert_eq!(clone.changed(), Vec::<String>::new());
    clone.signed_in(&["--pins"]).exited(0);
    let changed = clone.changed();
    for path in changed.iter().filter(|path| path.starts_with(".github/workflows/")) {
        let text = clone.read(path);
        assert!(!text.contains("actions/checkout@") || text.contains("# v99.0.0"), "{path}");
    }
    let merged = clone.read(CHECK);
    for text in ["[self-hosted, ours]", "cancel-in-progress: true", "# v99.0.0"] {
        assert!(merged.contains(text), "no {text} in\n{merged}");
    }
    let after = Lock::parse(&clone.read("sbi.lock")).unwrap().images.get(BASE).cloned().unwrap();
    assert!(after != before && clone.read(DOCKERFILE).contains(after.as_str()));
    clone.commit();
    clone.signed_in(&["--pins", "--check"]).exited(0);
    clone.sbi(&["--check"]).exited(0);
}

#[test]
fn what_is_rendered_keeps_its_own_pins_and_stays_the_base() {
    let path = ".github/workflows/check-images.yml";
    let workflow = |commit: &str, version: &str, more: &str| {
        format!("on: push\njobs:\n  a:\n    steps:\n      - uses: {CHECKOUT}@{commit} # {version}\n{more}")
    };
    let (old, new) = ("0a".repeat(20), "1b".repeat(20));
    let (base, ours) = (workflow(&old, "v1.0.0", ""), workflow(&old, "v1.0.0", "      - run: 'true'\n"));
    let scene = Scene::new(&[(path, &base)], &[(path, &ours)]);
    let pins = NewPins {
        actions: vec![ActionChange {
            repository: CHECKOUT.into(),
            from: CommitId::told(old.clone()),
            from_version: ActionVersion::read("v1.0.0"),
            to: CommitId::told(new.clone()),
            to_version: ActionVersion::read("v2.0.0").unwrap(),
            released: Timestamp::now(),
        }],
        ..NewPins::default()
    };
    let update = scene.renewed(&pins);
    assert_eq!(update.changes[path], workflow(&new, "v2.0.0", "      - run: 'true'\n"));
    assert_eq!(update.rendered[path], ours, "in no commit otherwise");
    assert_eq!(update.lock.files[path], BlobId::of(ours.as_bytes()));
    assert!(!scene.after(&update).update().is_pending());
}

#[test]
fn without_an_older_version_pins_alone_make_a_pull_request() {
    let room = with_newer_actions();
    room.sbi(&["update", "--check", "--pins"]).exited(3);
    room.sbi(&["update", "--yes", "--pins"]).exited(0);
    let open = room.open_request();
    assert_eq!(open.title, "Update pinned actions and base images");
    assert!(open.body.contains("newer pins, and nothing else"), "{}", open.body);
    // What somebody wrote into the text becomes no pin: it is asked again.
    room.github.close_pull_request(REPOSITORY, open.number);
    let run = room.sbi(&["update", "--yes", "--pins"]).exited(0);
    assert!(run.stdout.contains("`sbi update --again`"), "{}", run.stdout);
}
