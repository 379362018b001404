//! `sbi apply` after the repository was renamed and moved.

use super::init::{OIDC, with_strangers};
use super::scenario::Scenario;
use super::sweep::sweep;
use crate::convergence::renamed::{Move, options, stands_followed};
use crate::support::room::Room;

const APPLY: &[&str] = &["apply", "--yes", "--no-watch"];

const RENAMED: Scenario = Scenario {
    name: "apply-after-a-rename",
    open: || moved("oidc"),
    command: APPLY,
    idle: APPLY,
    own: &[
        "AWS ECR repository acme/bases in eu-central-1",
        "AWS IAM role sbi-publish-acme-bases",
        "AWS IAM role sbi-read-acme-bases",
        "GitHub bigco/images file ",
        "GitHub bigco/images branch main",
        "GitHub bigco/images secret AWS_ROLE_ARN",
    ],
    goal: |room| stands_followed(room, "bigco/images", "oidc"),
    floor: 160,
    beyond: None,
    ..OIDC
};

const RENAMED_BY_KEY: Scenario = Scenario {
    name: "apply-by-key-after-a-rename",
    open: || moved("access-key"),
    own: &[
        "AWS ECR repository acme/bases in eu-central-1",
        "AWS IAM user sbi-publish-acme-bases",
        "GitHub bigco/images file ",
        "GitHub bigco/images branch main",
    ],
    goal: |room| stands_followed(room, "bigco/images", "access-key"),
    floor: 25,
    beyond: Some(&RENAMED),
    ..RENAMED
};

fn moved(auth: &str) -> Room {
    let room = with_strangers(Room::with(options()));
    room.init(&["--auth", auth, "--no-watch"]).exited(0);
    Move::Both.make(&room);
    room
}

#[test]
fn following_a_rename_survives_every_fault() {
    sweep(&RENAMED);
}

#[test]
fn following_a_rename_by_key_survives_every_fault() {
    sweep(&RENAMED_BY_KEY);
}
