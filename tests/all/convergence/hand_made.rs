//! A publisher who comes late: the repository holds a hand-made Dockerfile and a publishing workflow, and sbi proposes
//! to take their place, says why, and names every line that goes.

use std::collections::BTreeMap;

use sbi::sandbox::github::Seed;
use sbi::templates::WORKFLOW;
use serde_json::Value;

use super::{assert_nothing_left, repository};
use crate::support::room::{ANSWERS, REPOSITORY, Room};

const PUBLISHING: &str = "\
name: Build and push
on:
  push:
    branches: [main]
jobs:
  unit:
    runs-on: ubuntu-latest
    steps:
      - run: make test # ```
  image:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: aws-actions/amazon-ecr-login@v2
        env:
          AWS_ACCESS_KEY_ID: ${{ secrets.AWS_ACCESS_KEY_ID }}
      - run: |
          docker build -t 123456789012.dkr.ecr.eu-central-1.amazonaws.com/bases:${{ github.ref_name }} .
          docker push 123456789012.dkr.ecr.eu-central-1.amazonaws.com/bases:${{ github.ref_name }}
";
const AT_OUR_PATH: &str = "name: Old\non: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{run: 'true'}]\n";
const DOCKERFILE: &str = "\
FROM debian:latest
LABEL com.acme.support=\"gold\" \\
      com.acme.tier=\"1\"
ENV NPM_TOKEN=x
RUN curl -s https://acme.example/install | sh
COPY certificates /etc/ssl/acme
";

const SEED: &[(&str, &str)] = &[
    (
        ".github/workflows/hub.yml",
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps: [{run: docker push acme/a}]\n",
    ),
    (".github/workflows/publish-to-ecr.yml", AT_OUR_PATH),
    (".github/workflows/release.yaml", PUBLISHING),
    (".github/workflows/test.yml", "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps: [{run: make test}]\n"),
    ("Dockerfile", DOCKERFILE),
    ("README.md", "mine\n"),
    ("images/static-go/Dockerfile", DOCKERFILE),
];

fn room() -> Room {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: SEED });
    room
}

/// The file as it is on the default branch; empty when there is none.
fn text(room: &Room, path: &str) -> String {
    String::from_utf8(repository(room).files.get(path).cloned().unwrap_or_default()).unwrap()
}

fn assert_untouched(room: &Room) {
    let files: BTreeMap<String, Vec<u8>> = repository(room).files;
    for (path, text) in SEED {
        assert_eq!(files.get(*path).map(Vec::as_slice), Some(text.as_bytes()), "{path}");
    }
}

/// The body of the one pull request.
fn body(room: &Room) -> String {
    repository(room).pull_requests[0].body.clone()
}

#[test]
fn without_a_yes_what_was_made_by_hand_stays_and_is_told_with_the_reasons() {
    let room = room();
    let run = room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert_untouched(&room);
    assert!(repository(&room).pull_requests.is_empty() && repository(&room).releases.is_empty());
    for told in [
        "made by hand; a pull request could replace it (--adopt):",
        ".github/workflows/publish-to-ecr.yml: replaced",
        ".github/workflows/release.yaml: removed",
        "sends images to Amazon ECR, which the pipeline does from now on",
        "unit: goes with it",
        "actions/checkout@v4 names no full commit, and 1 more: whoever takes over an action",
        "Dockerfile: stays",
        "debian is taken as it is today",
        "file .github/workflows/release.yaml: is not sbi's and sends images to Amazon ECR",
        "file images/static-go/Dockerfile: is not sbi's; `--adopt` would propose to replace it, `--overwrite",
        "hub.yml: stays",
    ] {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&run.stderr).contains(&words(told)), "no `{told}`:\n{}", run.stderr);
    }
    assert!(!run.stderr.contains("test.yml"), "{}", run.stderr);
    // Asked again next time; nothing remembers the refusal, and nothing is done.
    let before = room.writes();
    let again = room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert!(again.stderr.contains("could replace it (--adopt)"), "{}", again.stderr);
    assert_eq!(room.writes(), before);
    room.check_contract();
}

#[test]
fn adopting_is_one_pull_request_whose_body_names_every_line_that_goes() {
    let room = room();
    let run = room.init(&["--auth", "oidc", "--no-watch", "--adopt"]).exited(0);
    assert!(run.stdout.contains("then run `sbi apply`"), "{}", run.stdout);
    // Nothing is pushed, though no rule would forbid it.
    assert_untouched(&room);
    let found = repository(&room);
    assert_eq!((found.commits, found.releases.len(), found.pull_requests.len()), (1, 0, 1));
    assert_eq!(found.pull_requests[0].head, "sbi/adopt");
    let body = body(&room);
    for (path, theirs) in [
        (".github/workflows/release.yaml", PUBLISHING),
        (WORKFLOW, AT_OUR_PATH),
        ("images/static-go/Dockerfile", DOCKERFILE),
    ] {
        assert!(body.contains(&format!("## `{path}`: ")), "{path} has no part:\n{body}");
        for line in theirs.lines().filter(|line| !line.trim().is_empty()) {
            assert!(body.contains(line), "{path}: {line:?} goes and is not named:\n{body}");
        }
    }
    for told in [
        "## `Dockerfile`: stays",
        "What buyers may rely on",
        "com.acme.tier",
        "````\n", // A fence that no line ends.
        "After the merge",
    ] {
        assert!(body.contains(told), "no `{told}`:\n{body}");
    }
    insta::assert_snapshot!(body);
    // With the pull request open nothing changes, whether adopting is asked for again or not.
    let before = room.writes();
    for flags in [&["--auth", "oidc", "--no-watch"][..], &["--auth", "oidc", "--no-watch", "--adopt"]] {
        let again = room.init(flags).exited(0);
        assert!(again.stdout.contains("merge "), "{}", again.stdout);
    }
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    let status = room.sbi(&["status"]).exited(0);
    assert!(status.stdout.contains("merge pull request #"), "{}", status.stdout);
    assert_eq!(room.writes(), before, "a second run wrote something");

    room.github.merge_pull_request(REPOSITORY, found.pull_requests[0].number).expect("merged");
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    let after = repository(&room);
    assert_eq!(after.releases.len(), 1);
    assert!(!after.files.contains_key(".github/workflows/release.yaml"));
    assert!(text(&room, WORKFLOW).contains("name: Publish to ECR"));
    for kept in ["README.md", "Dockerfile", ".github/workflows/test.yml", ".github/workflows/hub.yml"] {
        let (_, theirs) = SEED.iter().find(|(path, _)| *path == kept).unwrap();
        assert_eq!(text(&room, kept), *theirs, "{kept}");
    }
    assert_nothing_left(&room, "oidc");
    room.check_contract();
}

#[test]
fn status_and_update_know_the_pull_request_that_adopts() {
    let room = room();
    let run = room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert!(run.stdout.contains("propose to replace it with `--adopt`"), "{}", run.stdout);
    let status = room.sbi(&["status"]).exited(0).stdout;
    assert!(status.contains("sbi apply --adopt") && !status.contains("--overwrite"), "{status}");
    room.sbi(&["apply", "--yes", "--no-watch", "--adopt"]).exited(0);
    assert_eq!(repository(&room).pull_requests[0].head, "sbi/adopt");
    let status = room.sbi(&["status"]).exited(0).stdout;
    assert!(status.contains("merge pull request #1") && !status.contains("--adopt"), "{status}");
    let before = room.writes();
    let update = room.sbi(&["update", "--yes"]).exited(0);
    assert!(update.stdout.contains("/pull/1 first"), "{}", update.stdout);
    assert_eq!(room.writes(), before);
}

#[test]
fn an_open_pull_request_is_brought_up_to_date_when_either_side_changes() {
    let room = room();
    room.init(&["--auth", "oidc", "--no-watch", "--adopt"]).exited(0);
    assert!(!body(&room).contains("make notify"));
    // Theirs change: the body would not name what goes now.
    let changed = format!("{PUBLISHING}      - run: make notify\n");
    room.github.commit_files(REPOSITORY, "main", &[(".github/workflows/release.yaml", &changed)], "More of ours");
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert!(body(&room).contains("      - run: make notify"), "{}", body(&room));
    let before = room.writes();
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert_eq!(room.writes(), before, "it is up to date, and was written again");
    // Ours change: another answer renders other files.
    room.init(&["--auth", "oidc", "--no-watch", "--signing", "none"]).exited(0);
    assert!(room.writes() > before);
    let found = repository(&room);
    assert_eq!(
        (found.pull_requests.len(), found.commits),
        (1, 2),
        "one pull request, and nothing on the default branch"
    );
    room.check_contract();
}

#[test]
fn a_repository_without_anything_in_the_way_is_set_up_as_ever_with_the_flag() {
    let room = Room::new();
    room.github
        .create_repository(REPOSITORY, Seed { private: false, files: &[("README.md", "mine\n"), ("a.yml", "b\n")] });
    let run = room.init(&["--auth", "oidc", "--no-watch", "--adopt"]).exited(0);
    assert!(!run.stderr.contains("made by hand"), "{}", run.stderr);
    assert!(repository(&room).pull_requests.is_empty());
    assert_eq!(repository(&room).releases.len(), 1);
}

#[test]
fn what_does_not_fit_into_the_body_is_named_with_its_blob_and_commit() {
    let room = Room::new();
    let long: String =
        (0..4000).map(|number| format!("      - run: echo a line that is long enough, number {number}\n")).collect();
    let huge = format!("{PUBLISHING}{long}");
    let other = PUBLISHING.replace("Build and push", "Another one");
    room.github.create_repository(
        REPOSITORY,
        Seed { private: false, files: &[(".github/workflows/a.yml", &huge), (".github/workflows/b.yml", &other)] },
    );
    room.init(&["--auth", "oidc", "--no-watch", "--adopt"]).exited(0);
    let body = body(&room);
    assert!(body.chars().count() <= 65_536, "{}", body.len());
    let blob = sbi::model::git::BlobId::of(huge.as_bytes());
    assert!(
        body.contains(&format!("is blob `{blob}`")) && body.contains("they stay in that blob, in commit `"),
        "{body}"
    );
    assert!(body.contains("name: Another one"), "what is small enough is named in full");
    assert!(body.contains("After the merge"));
}

#[test]
fn plan_shows_it_for_programs_and_writes_nothing() {
    let room = room();
    let plan = [&["plan", "--yes", "--format", "json", "--adopt"], ANSWERS].concat();
    let document: Value = serde_json::from_str(&room.sbi(&plan).exited(0).stdout).unwrap();
    assert_eq!(document["adopts"], true);
    let found = document["hand_made"].as_array().unwrap();
    let fates: Vec<(&str, &str)> =
        found.iter().map(|one| (one["path"].as_str().unwrap(), one["fate"].as_str().unwrap())).collect();
    assert_eq!(
        fates,
        [
            (WORKFLOW, "replaced"),
            ("images/static-go/Dockerfile", "replaced"),
            (".github/workflows/release.yaml", "removed"),
            (".github/workflows/hub.yml", "stays"),
            ("Dockerfile", "stays"),
        ]
    );
    assert_eq!(room.writes(), 0);
}

#[test]
fn on_a_terminal_it_is_asked_and_a_yes_opens_the_pull_request() {
    for (answer, opened) in [("y", 1), ("n", 0)] {
        let room = room();
        let arguments = [&["init", "--no-watch", "--auth", "oidc"], ANSWERS].concat();
        let mut session = room.terminal(&arguments);
        session.expect("made by hand; a pull request could replace it");
        session.expect("Propose that in a pull request?");
        session.type_line(answer);
        session.expect("Apply this plan?");
        session.type_line("y");
        assert_eq!(session.exit_code(), 0, "{}", session.screen());
        assert_eq!(repository(&room).pull_requests.len(), opened);
        assert_untouched(&room);
    }
}
