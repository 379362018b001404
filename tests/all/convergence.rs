//! The binary against both stand-ins, and against moto for AWS: from nothing, from half-done, from done, cancelled.

mod adoption;
mod hand_made;
mod pins;
pub(crate) mod renamed;
mod same_as_moto;
mod two_images;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use sbi::model::config::{Auth, Config};
use sbi::model::identity::{publishing_policy, reading_policy};
use sbi::model::lock::Lock;
use sbi::plan::setup::plain_secrets;
use sbi::sandbox::github::{GithubOptions, Organization, RepositorySnapshot, Rules, Seed, TokenScopes};
use sbi::sandbox::http::{Answer, Request, Weather};
use secrecy::ExposeSecret as _;

use crate::support::delivered_key::delivered_key;
use crate::support::moto;
use crate::support::room::{ANSWERS, REPOSITORY, Ran, Room, is_write, ran};

const IDENTITY: &str = "sbi-publish-acme-bases";
const READER: &str = "sbi-read-acme-bases";

fn repository(room: &Room) -> RepositorySnapshot {
    room.github.repository(REPOSITORY).expect("the GitHub repository")
}

fn config(room: &Room) -> Config {
    Config::parse(std::str::from_utf8(&repository(room).files["sbi.toml"]).unwrap()).unwrap()
}

fn lock(room: &Room) -> Lock {
    Lock::parse(std::str::from_utf8(&repository(room).files["sbi.lock"]).unwrap()).unwrap()
}

/// One of everything, matched on both sides; `foreign` secrets are others'.
#[track_caller]
pub(crate) fn assert_set_up(room: &Room, auth: &str) {
    let config = config(room);
    assert_eq!(config.publish.auth.as_str(), auth);
    let places: BTreeSet<String> = config.ecr_repositories().iter().map(ToString::to_string).collect();
    assert_eq!(room.made(room.aws.repository_names()), places);
    let lock = lock(room);
    let rendered = sbi::templates::render(&config, &lock.images).unwrap();
    let reading = sbi::templates::reading_refs(&config, &rendered).unwrap();
    let policies = BTreeMap::from([("sbi-publish".to_owned(), publishing_policy(&config))]);
    let open = |name: &str| room.github.open_secret(REPOSITORY, name).map(|secret| secret.expose_secret().to_owned());
    match config.publish.auth {
        Auth::Oidc => {
            let mut roles = BTreeSet::from([IDENTITY.to_owned()]);
            if !reading.is_empty() {
                roles.insert(READER.to_owned());
                let policies = BTreeMap::from([("sbi-read".to_owned(), reading_policy(&config))]);
                assert_eq!(room.aws.role_policies(READER).unwrap(), policies);
                let trust = room.aws.role_trust(READER).unwrap().to_json();
                assert!(!trust.contains("environment:") && !trust.contains("pull_request"), "{trust}");
            }
            assert_eq!(room.made(room.aws.role_names()), roles);
            assert_eq!(room.aws.role_policies(IDENTITY).unwrap(), policies);
            let trust = room.aws.role_trust(IDENTITY).unwrap().to_json();
            let found = repository(room);
            assert!(trust.contains(&format!("\"{}\"", found.id)), "{trust}");
            assert!(trust.contains(&format!("repo:acme@{}/bases@{}:environment:publish", found.owner_id, found.id)));
            assert!(room.made(room.aws.user_names()).is_empty());
        }
        Auth::AccessKey => {
            assert_eq!(room.made(room.aws.user_names()), BTreeSet::from([IDENTITY.to_owned()]));
            assert_eq!(room.aws.user_policies(IDENTITY).unwrap(), policies);
            let keys = room.aws.access_keys(IDENTITY);
            let [key] = keys.as_slice() else { panic!("{} keys", keys.len()) };
            assert_eq!(delivered_key(room), Ok(Some(key.id.clone())));
            assert!(room.made(room.aws.role_names()).is_empty());
        }
    }
    for (name, value) in plain_secrets(&config) {
        assert_eq!(open(name).as_ref(), Some(&value), "secret {name}");
    }
    let found = repository(room);
    let released: Vec<&str> = found.releases.iter().map(|release| release.tag.as_str()).collect();
    for outlet in config.outlets() {
        let tag = outlet.tag.to_string();
        assert_eq!(released.iter().filter(|released| **released == tag).count(), 1, "{released:?}");
    }
    assert!(!found.actions.default_write && found.actions.sha_pinning_required);
    for file in &rendered {
        assert_eq!(found.files.get(&file.path).map(Vec::as_slice), Some(file.text.as_bytes()), "{}", file.path);
    }
    assert_eq!(lock.files.len(), rendered.len());
    let pinned: Vec<String> = lock.images.iter().map(|(reference, _)| reference.to_owned()).collect();
    assert_eq!(pinned, sbi::templates::references(&config).unwrap());
}

#[track_caller]
fn assert_nothing_left(room: &Room, auth: &str) {
    let before = room.writes();
    let again = room.init(&["--auth", auth, "--no-watch"]).exited(0);
    assert!(again.stderr.contains("nothing to change"), "{}", again.stderr);
    assert_eq!(room.writes(), before, "a second run wrote something");
}

#[test]
fn from_nothing_one_run_sets_everything_up_and_a_second_writes_nothing() {
    for auth in ["oidc", "access-key"] {
        let room = Room::new();
        room.init(&["--auth", auth]).exited(0);
        assert_set_up(&room, auth);
        let found = repository(&room);
        assert_eq!(found.commits, 2, "GitHub's own first commit and one of ours");
        assert_eq!(found.environments["publish"], Some(BTreeSet::from(["tag v*".to_owned()])));
        // The access key of the nightly scan is out of every other branch's reach.
        let rescan = found.environments.get("rescan").cloned().flatten();
        assert_eq!(rescan, (auth == "access-key").then(|| BTreeSet::from(["branch main".to_owned()])));
        assert_eq!(found.runs.len(), 1);
        assert_eq!(found.runs[0].conclusion, Some("success"));
        assert_nothing_left(&room, auth);
        room.check_contract();
    }
}

#[test]
fn an_organizations_private_repository_without_environments_trusts_release_tags() {
    let organization = Organization { login: "acme".into(), id: 77, plan: "free".into() };
    let options = GithubOptions { organizations: vec![organization], ..GithubOptions::default() };
    let room = Room::with(options);
    let answers: Vec<&str> = ANSWERS.iter().map(|word| if *word == "public" { "private" } else { *word }).collect();
    room.sbi(&[&["init", "--yes", "--no-watch", "--auth", "oidc"], answers.as_slice()].concat()).exited(0);
    let trust = room.aws.role_trust(IDENTITY).unwrap().to_json();
    assert!(trust.contains(":ref:refs/tags/v*"), "{trust}");
    assert!(repository(&room).private && repository(&room).environments.is_empty());
    room.check_contract();
}

/// Its token writes workflows, so it is behind an environment that opens for the default branch alone.
#[test]
fn a_weekly_update_gets_its_workflow_and_an_environment_for_its_token() {
    let room = Room::new();
    let program = format!("https://downloads.acme.example/sbi-0.2.0#sha256={}", "0a".repeat(32));
    let flags = ["--auth", "oidc", "--no-watch", "--update-program", &program];
    let first = room.init(&flags).exited(0);
    let asks = "`gh secret set SBI_UPDATE_TOKEN --env update --repo acme/bases`";
    assert!(first.stdout.contains(asks), "{}\n{}", first.stdout, first.stderr);
    let found = repository(&room);
    assert!(found.files.contains_key(".github/workflows/update.yml"));
    assert_eq!(found.environments["update"], Some(BTreeSet::from(["branch main".to_owned()])));
    assert_nothing_left(&room, "oidc");
    room.sbi(&["destroy", "--yes", "--confirm", REPOSITORY]).exited(0);
    assert!(!repository(&room).environments.contains_key("update"));
    room.check_contract();
}

/// What is there already is adopted or left alone, and said.
#[test]
fn what_exists_is_adopted_and_what_is_foreign_stays() {
    let room = Room::new();
    room.github.create_repository(
        REPOSITORY,
        Seed { private: false, files: &[("README.md", "mine\n"), ("src/main.go", "package main\n")] },
    );
    room.github.add_secret(REPOSITORY, "FOREIGN");
    room.github.loosen_workflow_token(REPOSITORY);
    room.github.add_environment(REPOSITORY, "publish", None);
    let foreign = room.github.open_secret(REPOSITORY, "FOREIGN").map(|secret| secret.expose_secret().to_owned());
    let first = room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert!(first.stderr.contains("file README.md: is not sbi's"), "{}", first.stderr);
    assert!(first.stderr.contains("secret FOREIGN: is not sbi's"), "{}", first.stderr);
    let found = repository(&room);
    assert_eq!(found.files["README.md"], b"mine\n");
    assert_eq!(found.files["src/main.go"], b"package main\n");
    assert_eq!(room.github.open_secret(REPOSITORY, "FOREIGN").map(|s| s.expose_secret().to_owned()), foreign);
    assert!(!found.actions.default_write);
    assert_nothing_left(&room, "oidc");
    room.init(&["--auth", "oidc", "--overwrite", "README.md", "--no-watch"]).exited(0);
    assert_ne!(repository(&room).files["README.md"], b"mine\n");
    room.check_contract();
}

#[test]
fn an_empty_repository_gets_a_history() {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[] });
    room.init(&["--auth", "access-key", "--no-watch"]).exited(0);
    assert_set_up(&room, "access-key");
    assert_nothing_left(&room, "access-key");
    room.check_contract();
}

#[test]
fn a_protected_branch_gets_a_pull_request_and_apply_releases_after_the_merge() {
    for classic in [false, true] {
        let room = Room::new();
        room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
        let rules = Rules { pull_request: true, signatures: false };
        if classic {
            room.github.protect(REPOSITORY, "main", rules);
        } else {
            room.github.add_ruleset(REPOSITORY, "main", rules);
        }
        let first = room.init(&["--auth", "oidc"]).exited(0);
        assert!(first.stdout.contains("then run `sbi apply`"), "{}", first.stdout);
        assert!(!first.stdout.contains("v1.0.0"), "nothing is released yet: {}", first.stdout);
        let found = repository(&room);
        assert!(found.releases.is_empty() && !found.files.contains_key("sbi.toml"));
        assert_eq!(found.pull_requests.len(), 1);
        // Again: the pull request is there, nothing more is made.
        let before = room.writes();
        room.init(&["--auth", "oidc"]).exited(0);
        assert_eq!(room.writes(), before);
        room.github.merge_pull_request(REPOSITORY, found.pull_requests[0].number).expect("merged");
        room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
        assert_set_up(&room, "oidc");
        room.check_contract();
    }
}

#[test]
fn somebodys_commits_on_the_set_up_branch_are_left_to_them() {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    room.github.add_ruleset(REPOSITORY, "main", Rules { pull_request: true, signatures: false });
    room.init(&["--no-watch"]).exited(0);
    room.github.commit_files(REPOSITORY, "sbi/setup", &[("README.md", "better words\n")], "Say it better");
    let (before, branch) = (room.writes(), repository(&room).branches["sbi/setup"].clone());
    let again = room.init(&["--no-watch"]).exited(0);
    assert!(again.stdout.contains("somebody's commits are on its branch sbi/setup"), "{}", again.stdout);
    assert_eq!(room.writes(), before);
    assert_eq!(repository(&room).branches["sbi/setup"], branch);
    room.check_contract();
}

#[test]
fn a_branch_that_wants_signatures_gets_a_commit_that_github_signs() {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    room.github.add_ruleset(REPOSITORY, "main", Rules { pull_request: false, signatures: true });
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert_set_up(&room, "oidc");
    let asked = room.github.server().log().iter().any(|exchange| exchange.request.path.ends_with("/graphql"));
    assert!(asked, "the commit did not go through GraphQL");
}

#[test]
fn another_checkout_takes_the_answers_from_the_repository() {
    let room = Room::new();
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    std::fs::remove_file(room.folder().join("sbi.toml")).unwrap();
    let plan = room.sbi(&["plan", "--check", "--github", REPOSITORY]).exited(0);
    assert!(plan.stdout.contains("nothing to change"), "{}", plan.stdout);
}

#[test]
fn plan_writes_nothing_and_check_tells_by_its_exit_code() {
    let room = Room::new();
    let plan = [&["plan", "--yes", "--check", "--format", "json"], ANSWERS].concat();
    let run = room.sbi(&plan).exited(3);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["format_version"], 1);
    assert_eq!(document["changes"].as_array().unwrap().last().unwrap()["kind"], "release");
    assert_eq!(room.writes(), 0);
    assert!(!room.folder().join("sbi.toml").exists());
    room.init(&["--no-watch"]).exited(0);
    room.sbi(&plan).exited(0);
}

#[test]
fn a_failed_first_run_names_the_job_and_what_to_do() {
    let room = Room::new();
    room.github.set_run_outcome(|_| sbi::sandbox::github::RunOutcome::Failure { job: "Scan".into(), step: None });
    // A look at the real pace would take seconds: the run is followed at the stand-in's.
    let run = room.init(&["--auth", "oidc"]).exited(1);
    assert!(run.stderr.contains("the workflow run failed in job `Scan`"), "{}", run.stderr);
    assert!(run.stderr.contains("CRITICAL or HIGH"), "{}", run.stderr);
}

/// The cost is the network; `benches/network.rs` shows the depth. A call more is a decision, not an accident.
#[test]
fn a_run_takes_no_more_calls_than_its_job_needs() {
    let room = Room::new();
    let calls = || room.aws.server().log().len() + room.github.server().log().len();
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let first = calls();
    assert!(first <= 60, "{first} calls from nothing");
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let second = calls() - first;
    assert!(second <= 24, "{second} calls for nothing to do");
}

// Interrupted.

pub(crate) fn fair(room: &Room) {
    room.aws.server().set_forecast(|_, _| Weather::Fair);
    room.github.server().set_forecast(|_, _| Weather::Fair);
}

/// What `init` with OIDC leaves when somebody presses Ctrl-C at its first write.
pub(crate) fn cancelled_at_the_first_write(room: &Room) -> Output {
    let (arrived, first_write) = channel();
    room.aws.server().set_forecast(move |_, request: &Request| {
        if !is_write(request) {
            return Weather::Fair;
        }
        // Only the first is waited for.
        let _ = arrived.send(());
        Weather::Slow(Duration::from_millis(700))
    });
    let arguments = room.init_arguments(&["--auth", "oidc", "--no-watch"]);
    let child = room.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    first_write.recv_timeout(Duration::from_secs(60)).unwrap();
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    child.wait_with_output().unwrap()
}

#[test]
fn ctrl_c_while_applying_finishes_what_is_under_way_and_the_next_run_goes_on() {
    let room = Room::new();
    let output = cancelled_at_the_first_write(&room);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("finishing what is under way"), "{stderr}");
    assert!(stderr.contains("created OIDC provider") && stderr.contains("not started"), "{stderr}");
    fair(&room);
    assert!(repository(&room).releases.is_empty());
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert_set_up(&room, "oidc");
}

/// The same program with moto for AWS: from nothing, half-done and done.
#[test]
fn with_motos_aws_the_same_runs_end_the_same_way() {
    let Some(moto) = moto::url() else { return };
    for (auth, ecr, name) in [("oidc", "moto/oidc", "sbi-moto-oidc"), ("access-key", "moto/key", "sbi-moto-key")] {
        let room = Room::new();
        let name_flag = if auth == "oidc" { "--role-name" } else { "--user-name" };
        let answers: Vec<&str> = ANSWERS.iter().copied().filter(|word| *word != "--ecr-repository").collect();
        // The ECR name is the second `acme/bases`.
        let place = answers.iter().rposition(|word| *word == REPOSITORY).unwrap();
        let answers: Vec<&str> =
            answers.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, word)| *word).collect();
        let flags = ["init", "--yes", "--no-watch", "--auth", auth, "--ecr-repository", ecr, name_flag, name];
        // moto is shared: what another test's repository made there is not this one's.
        let reader: &[&str] = if auth == "oidc" { &["--read-role-name", "sbi-moto-read"] } else { &[] };
        let arguments = [flags.as_slice(), reader, answers.as_slice()].concat();
        let run = || -> Ran {
            let mut command = room.command(&arguments);
            command.env("AWS_ENDPOINT_URL", moto).env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
            command.env("AWS_SECRET_ACCESS_KEY", "secret");
            ran(command)
        };
        // Half-done: the first release is refused, everything before it is made.
        room.github.server().set_forecast(|_, request| {
            match request.path.ends_with("/releases") && is_write(request) {
                true => Weather::Instead(Answer::new(418, "application/json", "{\"message\":\"broken\"}")),
                false => Weather::Fair,
            }
        });
        run().exited(1);
        assert!(repository(&room).releases.is_empty());
        fair(&room);
        let second = run().exited(0);
        assert!(second.stderr.contains("1 done"), "{}", second.stderr);
        let third = run().exited(0);
        assert!(third.stderr.contains("nothing to change"), "{}", third.stderr);
        let config = config(&room);
        for (name, value) in plain_secrets(&config) {
            let opened = room.github.open_secret(REPOSITORY, name).unwrap();
            assert_eq!(opened.expose_secret(), value);
        }
        room.check_contract();
    }
}

/// A fine-grained token with just the permissions that the README names is enough.
#[test]
fn the_fine_grained_permissions_of_the_readme_are_enough() {
    let permissions = [
        "administration: write",
        "contents: write",
        "environments: write",
        "pull requests: write",
        "secrets: write",
        "workflows: write",
        "actions: read",
    ];
    let options = GithubOptions {
        login: "acme".into(),
        token_scopes: TokenScopes::fine_grained(permissions),
        ..GithubOptions::default()
    };
    let room = Room::with(options);
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert_set_up(&room, "oidc");
}
