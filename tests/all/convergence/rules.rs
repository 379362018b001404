//! Killed at every write where the default branch has rules: by pull request and by signed commit.

use std::sync::atomic::{AtomicUsize, Ordering};

use sbi::sandbox::github::{Rules, Seed};

use super::{Kill, assert_nothing_left, assert_set_up, killed_at, repository};
use crate::support::room::{REPOSITORY, Room};

fn ruled(rules: Rules) -> Room {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    room.github.add_ruleset(REPOSITORY, "main", rules);
    room
}

/// Kills at every write, two at a time; `finish` runs after each kill. Returns how many kills there were.
fn every_kill(rules: impl Fn() -> Rules + Sync, finish: impl Fn(&Room, &str) + Sync) -> usize {
    let (next, survived) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        loop {
            let turn = next.fetch_add(1, Ordering::SeqCst);
            let (number, kill) = (turn / 2, [Kill::BeforeTheRequest, Kill::AfterItReachedTheServer][turn % 2]);
            let room = ruled(rules());
            if !killed_at(number, kill, &room, &["--auth", "oidc"]) {
                return;
            }
            finish(&room, &format!("{kill:?} write {number}"));
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
fn killed_at_any_write_before_a_pull_request_there_is_one_in_the_end() {
    let kills = every_kill(
        || Rules { pull_request: true, signatures: false },
        |room, place| {
            room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
            let found = repository(room);
            assert_eq!(found.pull_requests.len(), 1, "{place}");
            assert!(found.releases.is_empty(), "{place}");
            let before = room.writes();
            room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
            assert_eq!(room.writes(), before, "{place}: written again while the pull request waits");
            room.github.merge_pull_request(REPOSITORY, found.pull_requests[0].number).expect("merged");
            room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
            assert_set_up(room, "oidc");
            assert_nothing_left(room, "oidc");
            assert_eq!(repository(room).runs.len(), 1, "{place}");
        },
    );
    assert!(kills >= 28, "only {kills} kills");
}

#[test]
fn killed_at_any_write_around_a_signed_commit_there_is_one_commit_in_the_end() {
    let kills = every_kill(
        || Rules { pull_request: false, signatures: true },
        |room, place| {
            room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
            assert_set_up(room, "oidc");
            assert_nothing_left(room, "oidc");
            let found = repository(room);
            assert_eq!((found.commits, found.runs.len(), found.releases.len()), (2, 1, 1), "{place}");
            assert_eq!(found.files["a"], b"b\n", "{place}");
        },
    );
    assert!(kills >= 26, "only {kills} kills");
}
