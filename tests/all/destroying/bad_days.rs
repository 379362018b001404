//! What stands in the way: what others hung on our identities, and answers that go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sbi::model::observed::KeyUse;
use sbi::sandbox::aws::Foreign;
use sbi::sandbox::http::{Answer, Request, Weather};

use super::{ROLE, assert_gone, destroy, set_up};
use crate::convergence::fair;
use crate::support::room::{REPOSITORY, is_write};

#[test]
fn what_others_hung_on_an_identity_is_named_before_the_first_write() {
    let on_user = [
        (Foreign::ManagedPolicy("arn:aws:iam::aws:policy/ReadOnlyAccess".into()), "list-attached-user-policies"),
        (Foreign::Group("admins".into()), "list-groups-for-user"),
        (Foreign::MfaDevice("arn:aws:iam::123456789012:mfa/phone".into()), "list-mfa-devices"),
        (Foreign::Password, "get-login-profile"),
    ];
    let room = set_up("access-key");
    let before = room.writes();
    for (foreign, _) in on_user.clone() {
        room.aws.hang_on_user(ROLE, foreign);
    }
    let run = destroy(&room, &[]).exited(1);
    for (_, command) in on_user {
        assert!(run.stderr.contains(command), "{command}: {}", run.stderr);
    }
    assert_eq!(room.writes(), before);

    let room = set_up("oidc");
    let before = room.writes();
    room.aws.hang_on_role(ROLE, Foreign::ManagedPolicy("arn:aws:iam::123456789012:policy/theirs".into()));
    room.aws.hang_on_role("sbi-read-acme-bases", Foreign::InstanceProfile("servers".into()));
    let run = destroy(&room, &[]).exited(1);
    for told in ["policy/theirs", "list-attached-role-policies", "servers", "list-instance-profiles-for-role"] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    assert_eq!(room.writes(), before);
}

#[test]
fn a_key_that_somebody_uses_elsewhere_stops_it_all() {
    let room = set_up("access-key");
    let key = room.aws.access_keys(ROLE).remove(0);
    let last = KeyUse { at: key.created, service: "s3".into(), region: "eu-central-1".into() };
    room.aws.set_key_use(&key.id, last);
    let before = room.writes();
    let run = destroy(&room, &[]).exited(1);
    for told in [key.id.as_str(), "s3", "get-access-key-last-used"] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    assert_eq!(room.writes(), before);
}

/// An error for one write after the other: the next run does the rest.
#[test]
fn an_error_at_any_write_stops_what_depends_on_it_and_the_next_run_finishes() {
    for auth in ["oidc", "access-key"] {
        for number in 0..40 {
            let room = set_up(auth);
            room.aws.add_image(REPOSITORY, Some("v1.0.0")).unwrap();
            let seen = Arc::new(AtomicUsize::new(0));
            let forecast = || {
                let seen = Arc::clone(&seen);
                move |_: usize, request: &Request| match is_write(request)
                    && seen.fetch_add(1, Ordering::SeqCst) == number
                {
                    true => Weather::Instead(Answer::new(418, "application/json", "{\"message\":\"broken\"}")),
                    false => Weather::Fair,
                }
            };
            room.aws.server().set_forecast(forecast());
            room.github.server().set_forecast(forecast());
            let first = destroy(&room, &["--delete-images"]);
            fair(&room);
            if seen.load(Ordering::SeqCst) <= number {
                assert!(number >= 12, "{auth}: only {number} writes");
                break;
            }
            assert_eq!(first.code, 1, "write {number}:\n{}", first.stderr);
            let second = destroy(&room, &["--delete-images"]);
            assert_eq!(second.code, 0, "after write {number}:\n{}\n---\n{}", first.stderr, second.stderr);
            assert_gone(&room);
        }
    }
}

/// The answer is lost and the call is sent again: what is gone by then is fine.
#[test]
fn a_lost_answer_at_any_deletion_is_no_failure() {
    for auth in ["oidc", "access-key"] {
        let room = set_up(auth);
        room.aws.add_image(REPOSITORY, Some("v1.0.0")).unwrap();
        let lose_each_first = || {
            let seen = std::sync::Mutex::new(std::collections::BTreeSet::new());
            move |_: usize, request: &Request| {
                let deletes = request.method == "DELETE"
                    || request.header("x-amz-target").is_some_and(|target| target.contains("Delete"))
                    || String::from_utf8_lossy(&request.body).contains("Action=Delete");
                let key = format!("{} {}", request.path, String::from_utf8_lossy(&request.body));
                match deletes && seen.lock().unwrap().insert(key) {
                    true => Weather::ResetAfter,
                    false => Weather::Fair,
                }
            }
        };
        room.aws.server().set_forecast(lose_each_first());
        room.github.server().set_forecast(lose_each_first());
        destroy(&room, &["--delete-images"]).exited(0);
        assert_gone(&room);
    }
}
