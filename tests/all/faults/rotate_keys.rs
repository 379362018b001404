//! `sbi rotate-keys`: at every instant, a job that starts gets a key that works.

use std::time::Duration;

use jiff::SignedDuration;
use sbi::model::secrets::ACCESS_KEY_SECRET;

use super::init::{their_keys_stand, with_strangers};
use super::scenario::Scenario;
use super::sweep::sweep;
use crate::support::delivered_key::delivered_key;
use crate::support::room::{REPOSITORY, Room};

pub(super) const USER: &str = "sbi-publish-acme-bases";

const ROTATE: Scenario = Scenario {
    name: "rotate-keys",
    open: a_day_after,
    command: &["rotate-keys", "--yes", "--grace", "0s"],
    // The next rotation would wait until dates can tell its key from the last one.
    meanwhile: |room| pass(room, 60),
    // A rotation always begins another one; what is left of the last one is nothing.
    idle: &["rotate-keys", "--yes", "--finish"],
    own: &["AWS access key ", "GitHub acme/bases secret AWS_ACCESS_KEY"],
    always: |room| {
        their_keys_stand(room)?;
        match delivered_key(room)? {
            Some(_) => Ok(()),
            None => Err("a job that starts now gets no key".into()),
        }
    },
    goal: |room| {
        let [key] = &room.aws.access_keys(USER)[..] else { panic!("{:?}", room.aws.access_keys(USER)) };
        assert_eq!(delivered_key(room), Ok(Some(key.id.clone())));
        assert!(key.created > jiff::Timestamp::now() - SignedDuration::from_hours(12), "the old key is still there");
    },
    floor: 60,
    spared: |_| false,
    beyond: None,
};

/// A publisher with an access key, whose first run has ended, a day later.
pub(super) fn a_day_after() -> Room {
    let room = with_strangers(Room::new());
    room.init(&["--auth", "access-key", "--no-watch"]).exited(0);
    room.github.end_runs(REPOSITORY);
    pass(&room, 24 * 60 * 60);
    room
}

/// Makes the publisher's key and the secret that many seconds older.
fn pass(room: &Room, seconds: u32) {
    for key in room.aws.access_keys(USER) {
        room.aws.age_access_key(&key.id, SignedDuration::from_secs(i64::from(seconds)));
    }
    room.github.age_secret(REPOSITORY, ACCESS_KEY_SECRET, Duration::from_secs(u64::from(seconds)));
}

#[test]
fn rotate_keys_survives_every_fault() {
    sweep(&ROTATE);
}
