//! `sbi rotate-keys --to-oidc` through the binary: publishing works at every moment, and in the end no key is left.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use sbi::model::secrets::ACCESS_KEY_SECRET;
use sbi::sandbox::github::{RunContext, RunOutcome};
use sbi::sandbox::http::{Request, Weather};

use crate::support::delivered_key::delivered_key;
use crate::support::room::{REPOSITORY, Room, is_write};

const USER: &str = "sbi-publish-acme-bases";
const TO_OIDC: &[&str] = &["rotate-keys", "--to-oidc", "--yes", "--grace", "0s"];
const ACCESS: &str = ".github/workflows/check-access.yml";

/// A publisher with an access key, since yesterday.
fn with_a_key() -> Room {
    let room = Room::new();
    room.init(&["--auth", "access-key", "--no-watch"]).exited(0);
    room.github.end_runs(REPOSITORY);
    for key in room.aws.access_keys(USER) {
        room.aws.age_access_key(&key.id, SignedDuration::from_hours(24));
    }
    room.github.age_secret(REPOSITORY, ACCESS_KEY_SECRET, Duration::from_secs(24 * 60 * 60));
    room
}

/// The same after the first run and the merge of its pull request.
fn merged() -> Room {
    let room = with_a_key();
    room.sbi(TO_OIDC).exited(0);
    let open = room.github.repository(REPOSITORY).unwrap().pull_requests;
    let [pull_request] = open.as_slice() else { panic!("{} pull requests", open.len()) };
    room.github.merge_pull_request(REPOSITORY, pull_request.number).unwrap();
    room
}

#[track_caller]
fn assert_the_key_works(room: &Room) {
    let delivered = delivered_key(room).unwrap().expect("a key in the secret");
    assert!(room.aws.access_keys(USER).iter().any(|key| key.id == delivered && key.active));
}

#[track_caller]
fn assert_only_oidc_is_left(room: &Room) {
    assert!(room.aws.user_names().is_empty(), "{:?}", room.aws.user_names());
    let found = room.github.repository(REPOSITORY).unwrap();
    assert!(!found.secrets.contains_key(ACCESS_KEY_SECRET));
    assert!(!found.tags.keys().any(|tag| tag.contains("access-check")), "{:?}", found.tags);
    assert_eq!(room.aws.role_names().len(), 2);
    room.sbi(&["plan", "--check"]).exited(0);
    room.check_contract();
}

/// Every change on either side that is asked for from now on.
fn watched(room: &Room) -> Arc<Mutex<Vec<String>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    for server in [room.aws.server(), room.github.server()] {
        let seen = Arc::clone(&seen);
        server.set_forecast(move |_, request: &Request| {
            if is_write(request) {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                let action = body.split('&').find_map(|pair| pair.strip_prefix("Action=").map(str::to_owned));
                let text = action.unwrap_or_else(|| format!("{} {}", request.method, request.path));
                seen.lock().unwrap().push(text);
            }
            Weather::Fair
        });
    }
    seen
}

#[test]
fn the_first_run_opens_a_pull_request_and_the_key_goes_on_working() {
    let room = with_a_key();
    let run = room.sbi(TO_OIDC).exited(0);
    assert!(run.stderr.contains("the access key goes on working; merge the pull request"), "{}", run.stderr);
    assert_the_key_works(&room);
    let found = room.github.repository(REPOSITORY).unwrap();
    assert!(String::from_utf8_lossy(&found.files["sbi.toml"]).contains("auth = \"access-key\""), "merged by itself");
    assert_eq!(found.pull_requests.len(), 1);
    assert_eq!(room.aws.role_names().len(), 2);

    // Another run before the merge changes nothing more.
    let seen = watched(&room);
    let again = room.sbi(TO_OIDC).exited(0);
    assert_eq!(*seen.lock().unwrap(), Vec::<String>::new(), "{}", again.stderr);
    assert_the_key_works(&room);
}

#[test]
fn after_the_merge_a_job_signs_in_with_each_role_and_then_key_secret_and_user_go() {
    let room = merged();
    let contexts: Arc<Mutex<Vec<RunContext>>> = Arc::default();
    let record = Arc::clone(&contexts);
    room.github.set_run_outcome(move |context: &RunContext| {
        record.lock().unwrap().push(context.clone());
        RunOutcome::Success
    });
    let seen = watched(&room);
    let run = room.sbi(TO_OIDC).exited(0);
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "POST /repos/acme/bases/git/refs",
            "POST /repos/acme/bases/actions/workflows/check-access.yml/dispatches",
            "DELETE /repos/acme/bases/git/refs/tags/v0.0.0-access-check",
            "UpdateAccessKey",
            "DELETE /repos/acme/bases/actions/secrets/AWS_ACCESS_KEY",
            "DeleteAccessKey",
            "DeleteUserPolicy",
            "DeleteUser",
        ]
    );
    let contexts = contexts.lock().unwrap();
    let [checked] = contexts.as_slice() else { panic!("{} runs", contexts.len()) };
    assert_eq!((checked.workflow.as_str(), checked.tag.as_str()), (ACCESS, "v0.0.0-access-check"));
    let subjects: Vec<String> =
        checked.jobs.iter().map(|job| job.claims.as_ref().unwrap()["sub"].as_str().unwrap().to_owned()).collect();
    assert!(subjects[0].ends_with(":environment:publish"), "{subjects:?}");
    assert!(subjects[1].ends_with(":ref:refs/tags/v0.0.0-access-check"), "{subjects:?}");
    assert!(run.stderr.contains("no access key works any more"), "{}", run.stderr);
    assert_only_oidc_is_left(&room);
    let nothing = room.sbi(TO_OIDC).exited(0);
    assert!(nothing.stderr.contains("no access key is left"), "{}", nothing.stderr);
}

#[test]
fn a_job_that_aws_turns_away_leaves_everything_as_it_was() {
    let room = merged();
    room.github.set_run_outcome(|_| RunOutcome::Failure {
        job: "Publishing role".into(),
        step: Some("Assume the role".into()),
    });
    let run = room.sbi(TO_OIDC).exited(1);
    for text in ["job `Publishing role`, step `Assume the role`", "AWS did not let the job in"] {
        assert!(run.stderr.contains(text), "{text:?} is not in\n{}", run.stderr);
    }
    assert_the_key_works(&room);
    assert!(!room.github.repository(REPOSITORY).unwrap().tags.keys().any(|tag| tag.contains("access-check")));
    room.github.set_run_outcome(|_| RunOutcome::Success);
    room.sbi(TO_OIDC).exited(0);
    assert_only_oidc_is_left(&room);
}

#[test]
fn drift_comes_before_the_key_may_go() {
    let room = merged();
    room.aws.set_role_trust(USER, sbi::model::iam::PolicyDocument::new(Vec::new()));
    let run = room.sbi(TO_OIDC).exited(1);
    let told = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [&format!("the access key of {REPOSITORY} can't go yet: IAM role {USER}: "), "`sbi apply`"] {
        assert!(told.contains(text), "no {text:?} in {told}");
    }
    assert_the_key_works(&room);
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    room.sbi(TO_OIDC).exited(0);
    assert_only_oidc_is_left(&room);
}

#[test]
fn with_a_long_grace_period_key_and_user_stay_until_it_is_finished() {
    let room = merged();
    let run = room.sbi(&["rotate-keys", "--to-oidc", "--yes", "--grace", "24h"]).exited(0);
    assert!(run.stdout.contains("--to-oidc --finish"), "{}", run.stdout);
    let keys = room.aws.access_keys(USER);
    assert!(keys.len() == 1 && !keys[0].active);
    room.sbi(&["rotate-keys", "--to-oidc", "--yes", "--grace", "24h", "--finish"]).exited(0);
    assert_only_oidc_is_left(&room);
}

#[test]
fn a_user_that_holds_more_than_sbi_gave_it_is_refused_before_anything() {
    let room = merged();
    room.aws.use_access_key(&room.aws.access_keys(USER)[0].id, "s3", "us-west-2");
    let run = room.sbi(TO_OIDC).exited(1);
    assert!(run.stderr.contains("last used on s3 in us-west-2"), "{}", run.stderr);
    assert_the_key_works(&room);
}
