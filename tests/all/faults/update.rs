//! `sbi update`: one pull request, whatever breaks on the way to it, and nothing on the default branch.

use super::call::Protocol;
use super::scenario::Scenario;
use super::sweep::sweep;
use crate::support::room::{REPOSITORY, Room};
use crate::updating::aged::{CHECK, DOCKERFILE, OLDER, UPDATE};

/// One file to merge, one in conflict, one to replace; or, `renewed`, the same beside what was proposed yesterday.
fn older(renewed: bool) -> Room {
    let room = Room::published().aged(OLDER);
    room.edit(CHECK, "    runs-on: ubuntu-24.04\n", "    runs-on: [self-hosted, ours]\n");
    room.edit(DOCKERFILE, "USER 65532\n", "USER 1234:1234\n");
    if renewed {
        room.sbi(UPDATE).exited(0);
        // The conflict is mended, and something else is there.
        room.edit(DOCKERFILE, "USER 1234:1234\n", "USER 65532\n");
        room.write("main", "notes.txt", "mine\n");
    }
    room
}

const NEW: Scenario = Scenario {
    name: "update",
    open: || older(false),
    command: UPDATE,
    meanwhile: |_| {},
    idle: UPDATE,
    own: &["GitHub acme/bases branch sbi/update", "GitHub acme/bases pull request from sbi/update"],
    // On AWS it only looks: whatever is there is somebody else's.
    always: |_| Ok(()),
    goal: |room| {
        let open = room.open_request();
        assert!(open.draft, "there is a conflict");
        let found = room.github.repository(REPOSITORY).unwrap();
        let messages = room.github.history(REPOSITORY, &found.branches["sbi/update"]);
        assert!(messages[0].0.starts_with("Update what sbi renders"), "{:?}", messages[0]);
        assert!(messages[1].0.starts_with("Render anew"), "{:?}", messages[1]);
    },
    floor: 40,
    // AWS is looked at where it can be, secrets are no matter of files, and what GraphQL did is looked at when its answer
    // is lost.
    spared: |call| {
        call.name.protocol != Protocol::Github
            || ["/graphql", "/actions/secrets"].iter().any(|path| call.name.of.ends_with(path))
    },
    beyond: None,
};

const RENEWED: Scenario = Scenario {
    name: "update-renewed",
    open: || older(true),
    goal: |room| assert!(!room.open_request().draft, "the conflict is mended"),
    floor: 20,
    beyond: Some(&NEW),
    ..NEW
};

#[test]
fn update_survives_every_fault() {
    sweep(&NEW);
}

#[test]
fn update_in_place_survives_every_fault() {
    sweep(&RENEWED);
}
