//! `sbi apply` after the repository was renamed: one run follows, however it is interrupted.

use super::init::{their_keys_stand, with_strangers};
use super::scenario::Scenario;
use super::sweep::sweep;
use crate::convergence::renamed::assert_goes_with;
use crate::support::room::{REPOSITORY, Room};

const APPLY: &[&str] = &["apply", "--yes", "--no-watch"];

const OIDC: Scenario = Scenario {
    name: "renamed-oidc",
    open: || renamed("oidc"),
    command: APPLY,
    meanwhile: |_| {},
    idle: APPLY,
    own: &[
        "AWS ECR repository acme/bases in eu-central-1",
        "AWS IAM role sbi-publish-acme-bases",
        "AWS IAM role sbi-read-acme-bases",
        "GitHub acme/images file ",
        "GitHub acme/images branch main",
    ],
    always: their_keys_stand,
    goal: |room| assert_goes_with(room, "acme/images", "oidc"),
    floor: 40,
    beyond: None,
};

const KEY: Scenario = Scenario {
    name: "renamed-key",
    open: || renamed("access-key"),
    own: &[
        "AWS ECR repository acme/bases in eu-central-1",
        "AWS IAM user sbi-publish-acme-bases",
        "GitHub acme/images file ",
        "GitHub acme/images branch main",
    ],
    goal: |room| assert_goes_with(room, "acme/images", "access-key"),
    floor: 20,
    beyond: Some(&OIDC),
    ..OIDC
};

fn renamed(auth: &str) -> Room {
    let room = with_strangers(Room::new());
    room.init(&["--auth", auth, "--no-watch"]).exited(0);
    room.github.rename(REPOSITORY, "images");
    room
}

#[test]
fn following_a_renamed_repository_survives_every_fault() {
    sweep(&OIDC);
    sweep(&KEY);
}
