//! `sbi rotate-keys` through the binary: what is left on both sides, whatever happens on the way.

use std::time::Duration;

use jiff::SignedDuration;
use sbi::model::config::{Auth, Config};
use sbi::model::iam::PolicyDocument;
use sbi::model::observed::KeyFacts;
use sbi::model::secrets::ACCESS_KEY_SECRET;
use sbi::plan::operator::rotator_policy;
use sbi::sandbox::http::{Answer, Weather};

use crate::convergence::fair;
use crate::support::delivered_key::delivered_key;
use crate::support::room::{REPOSITORY, Ran, Room, ran};

const USER: &str = "sbi-publish-acme-bases";
const NOW: &[&str] = &["rotate-keys", "--yes", "--grace", "0s"];

/// A publisher who was set up yesterday, and whose first run has ended.
pub(crate) fn yesterday() -> Room {
    let room = Room::new();
    room.init(&["--auth", "access-key", "--no-watch"]).exited(0);
    room.github.end_runs(REPOSITORY);
    age(&room);
    room
}

/// Makes all of it a day older.
fn age(room: &Room) {
    for key in room.aws.access_keys(USER) {
        room.aws.age_access_key(&key.id, SignedDuration::from_hours(24));
    }
    room.github.age_secret(REPOSITORY, ACCESS_KEY_SECRET, Duration::from_secs(24 * 60 * 60));
}

fn only_key(room: &Room) -> KeyFacts {
    let keys = room.aws.access_keys(USER);
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    key.clone()
}

/// What a job that starts now gets signs in.
#[track_caller]
fn assert_a_job_can_sign_in(room: &Room) -> String {
    let delivered = delivered_key(room).unwrap().expect("a key in the secret");
    let keys = room.aws.access_keys(USER);
    assert!(keys.iter().any(|key| key.id == delivered && key.active), "{keys:?}");
    delivered
}

#[track_caller]
fn assert_rotated(room: &Room, from: &str) {
    let key = only_key(room);
    assert_ne!(key.id, from);
    assert_eq!(assert_a_job_can_sign_in(room), key.id);
    room.check_contract();
}

fn config() -> Config {
    crate::support::world::config(Auth::AccessKey)
}

/// Changes on AWS, in their order.
fn changes(room: &Room) -> Vec<String> {
    let actions = room.aws.performed().into_iter().map(|call| call.action);
    actions.filter(|action| ["Create", "Update", "Delete", "Put"].iter().any(|verb| action.contains(verb))).collect()
}

#[test]
fn the_key_is_replaced_in_the_order_that_was_shown_and_nothing_else_is_touched() {
    let room = yesterday();
    let (old, before) = (only_key(&room), changes(&room).len());
    let secrets = room.github.repository(REPOSITORY).unwrap().secrets;
    let run = room.sbi(NOW).exited(0);
    assert_eq!(changes(&room)[before..], ["iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey"]);
    assert_rotated(&room, &old.id);
    let mut now = room.github.repository(REPOSITORY).unwrap().secrets;
    now.insert(ACCESS_KEY_SECRET.into(), secrets[ACCESS_KEY_SECRET]);
    assert_eq!(now, secrets, "another secret was written");
    for line in ["active → inactive", "those queued before the hand-over", "looked again: one key works"] {
        assert!(run.stderr.contains(line), "{line:?} is not in\n{}", run.stderr);
    }
    let nothing = room.sbi(&["rotate-keys", "--yes", "--finish"]).exited(0);
    assert!(nothing.stderr.contains("nothing to change"), "{}", nothing.stderr);
    // The pipeline's whole set-up still stands as planned.
    room.sbi(&["plan", "--check"]).exited(0);
}

#[test]
fn with_a_long_grace_period_the_old_key_stays_inactive_until_it_is_finished() {
    let room = yesterday();
    let old = only_key(&room).id;
    let run = room.sbi(&["rotate-keys", "--yes", "--grace", "24h"]).exited(0);
    assert!(run.stdout.contains("sbi rotate-keys --finish"), "{}", run.stdout);
    let keys = room.aws.access_keys(USER);
    assert_eq!(keys.iter().map(|key| key.active).collect::<Vec<_>>(), [false, true]);
    assert_eq!(assert_a_job_can_sign_in(&room), keys[1].id);
    // Another run within the grace period waits as well.
    let run = room.sbi(&["rotate-keys", "--yes", "--grace", "24h"]).exited(0);
    assert!(run.stderr.contains(&format!("{old} is inactive")), "{}", run.stderr);
    assert_eq!(room.aws.access_keys(USER).len(), 2);
    room.sbi(&["rotate-keys", "--yes", "--finish"]).exited(0);
    assert_rotated(&room, &old);
}

/// GitHub reads repository secrets when a run is queued, so one of before may sign in minutes later.
#[test]
fn the_old_key_works_until_every_run_of_before_has_ended() {
    let room = Room::new();
    room.init(&["--auth", "access-key", "--no-watch"]).exited(0);
    age(&room);
    let old = only_key(&room).id;
    let run = room.sbi(&["rotate-keys", "--yes", "--grace", "0s", "--drain", "0s"]).exited(1);
    for text in ["may still hold the old key", "/actions/runs/", "goes on from here"] {
        assert!(run.stderr.contains(text), "{text:?} is not in\n{}", run.stderr);
    }
    let keys = room.aws.access_keys(USER);
    assert_eq!(keys.iter().map(|key| key.active).collect::<Vec<_>>(), [true, true]);
    assert_eq!(assert_a_job_can_sign_in(&room), keys[1].id);
    let run = room.sbi(NOW).exited(0);
    assert!(run.stderr.contains("waited for workflow runs"), "{}", run.stderr);
    assert_rotated(&room, &old);
    assert_eq!(only_key(&room).id, keys[1].id, "the cut-off rotation is finished, no other one begun");
}

/// Weather over every upload of the secret.
fn over_the_upload(room: &Room, weather: Weather) {
    room.github.server().set_forecast(move |_, request| match request.method.as_str() {
        "PUT" if request.path.ends_with(ACCESS_KEY_SECRET) => weather.clone(),
        _ => Weather::Fair,
    });
}

#[test]
fn an_upload_whose_answer_is_lost_took_place_and_the_key_stays() {
    for weather in [Weather::ResetAfter, Weather::AnswerLost(Answer::new(502, "application/json", "{}"))] {
        let room = yesterday();
        let old = only_key(&room).id;
        over_the_upload(&room, weather);
        room.sbi(NOW).exited(0);
        assert_rotated(&room, &old);
    }
}

#[test]
fn an_upload_that_nobody_knows_the_end_of_leaves_both_keys_and_the_next_run_finds_out() {
    for weather in [Weather::ResetBefore, Weather::Instead(Answer::new(500, "application/json", "{}"))] {
        let room = yesterday();
        let old = only_key(&room).id;
        over_the_upload(&room, weather);
        let run = room.sbi(NOW).exited(1);
        assert!(run.stderr.contains("both keys work"), "{}", run.stderr);
        assert_eq!(room.aws.access_keys(USER).iter().filter(|key| key.active).count(), 2);
        assert_eq!(assert_a_job_can_sign_in(&room), old);
        fair(&room);
        room.sbi(NOW).exited(0);
        assert_rotated(&room, &old);
    }
}

#[test]
fn an_upload_that_was_refused_takes_the_new_key_back() {
    let room = yesterday();
    let old = only_key(&room).id;
    over_the_upload(&room, Weather::Instead(Answer::new(403, "application/json", r#"{"message":"no"}"#)));
    let run = room.sbi(NOW).exited(1);
    assert!(run.stderr.contains("was deleted again"), "{}", run.stderr);
    assert_eq!(only_key(&room).id, old);
    assert_eq!(assert_a_job_can_sign_in(&room), old);
}

#[test]
fn a_key_that_ecr_refuses_is_taken_back_and_the_old_one_goes_on() {
    let room = yesterday();
    let old = only_key(&room).id;
    room.aws.server().set_forecast(|_, request| {
        let target = request.header("x-amz-target").unwrap_or_default();
        match target.ends_with("GetAuthorizationToken") {
            true => Weather::Instead(Answer::new(
                400,
                "application/x-amz-json-1.1",
                r#"{"__type":"InvalidParameterException","message":"no"}"#,
            )),
            false => Weather::Fair,
        }
    });
    let run = room.sbi(NOW).exited(2);
    assert!(run.stderr.contains("was deleted again"), "{}", run.stderr);
    assert_eq!(only_key(&room).id, old);
    assert_eq!(assert_a_job_can_sign_in(&room), old);
}

#[test]
fn a_key_that_somebody_else_uses_is_not_touched() {
    let room = yesterday();
    let old = only_key(&room);
    room.aws.use_access_key(&old.id, "s3", "us-west-2");
    let before = changes(&room).len();
    let run = room.sbi(NOW).exited(1);
    for text in ["last used on s3 in us-west-2", "CloudTrail"] {
        assert!(run.stderr.contains(text), "{text:?} is not in\n{}", run.stderr);
    }
    assert_eq!(changes(&room).len(), before);
    assert!(only_key(&room).active);
}

#[test]
fn without_a_yes_and_a_terminal_nothing_is_changed() {
    let room = yesterday();
    let before = changes(&room).len();
    let run = room.sbi(&["rotate-keys"]).exited(2);
    assert!(run.stderr.contains("--yes"), "{}", run.stderr);
    assert_eq!(changes(&room).len(), before);
}

#[test]
fn check_tells_the_age_and_exits_with_3_when_it_is_too_high() {
    let room = yesterday();
    let run = room.sbi(&["rotate-keys", "--check"]).exited(0);
    assert!(run.stdout.contains("is 1 day old, the limit is 90 days"), "{}", run.stdout);
    let run = room.sbi(&["rotate-keys", "--check", "--max-age", "12h", "--format", "json"]).exited(3);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&answer["due"], &answer["key"]["age_days"]), (&true.into(), &1.into()));
    assert_eq!(answer["key"]["id"], only_key(&room).id);
    room.sbi(&["rotate-keys", "--check", "--max-age", "long"]).exited(2);
    room.sbi(&["rotate-keys", "--max-age", "1d"]).exited(2);
}

#[test]
fn elsewhere_the_repository_tells_what_its_key_is() {
    let room = yesterday();
    let old = only_key(&room).id;
    std::fs::remove_file(room.folder().join("sbi.toml")).unwrap();
    let run = room.sbi(NOW).exited(2);
    assert!(run.stderr.contains("--github OWNER/NAME"), "{}", run.stderr);
    room.sbi(&[NOW, &["--github", REPOSITORY]].concat()).exited(0);
    assert_rotated(&room, &old);
}

#[test]
fn with_oidc_there_is_nothing_to_rotate() {
    let room = Room::new();
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    for arguments in [NOW, &["rotate-keys", "--check"]] {
        let run = room.sbi(arguments).exited(2);
        assert!(run.stderr.contains("signs in by OIDC"), "{}", run.stderr);
    }
}

fn policy_without(action: &str) -> PolicyDocument {
    let text = rotator_policy(&config()).to_json().replace(&format!("\"{action}\""), "\"iam:ListMFADevices\"");
    PolicyDocument::parse(&text).unwrap()
}

/// The policy that `sbi policy rotator` prints is enough, and each of its actions is needed.
#[test]
fn the_printed_policy_is_just_enough() {
    let enough = |policy: PolicyDocument| -> Ran {
        let room = yesterday();
        let before = changes(&room).len();
        room.aws.set_operator_policy(policy);
        let run = ran(room.command(NOW));
        if run.code != 0 {
            assert_eq!(changes(&room)[before..], Vec::<String>::new(), "{}", run.stderr);
        }
        run
    };
    enough(rotator_policy(&config())).exited(0);
    for action in [
        "iam:GetUser",
        "iam:GetUserPolicy",
        "iam:ListAccessKeys",
        "iam:GetAccessKeyLastUsed",
        "iam:CreateAccessKey",
        "iam:UpdateAccessKey",
        "iam:DeleteAccessKey",
    ] {
        let run = enough(policy_without(action)).exited(1);
        assert!(run.stderr.contains(action), "{action} is not named:\n{}", run.stderr);
    }
}
