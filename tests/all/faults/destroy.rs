//! `sbi destroy`: what sbi made goes, whatever happens on the way, and nothing else does.

use super::init::with_strangers;
use super::scenario::Scenario;
use super::sweep::sweep;
use crate::support::room::{REPOSITORY, Room};

const DESTROY: &[&str] = &["destroy", "--yes", "--confirm", REPOSITORY, "--delete-images"];

const DESTROY_OIDC: Scenario = Scenario {
    name: "destroy-oidc",
    open: || set_up("oidc"),
    command: DESTROY,
    meanwhile: |_| {},
    idle: DESTROY,
    own: &[
        "AWS ECR repository acme/bases in eu-central-1",
        "AWS IAM role sbi-publish-acme-bases",
        "AWS IAM role sbi-read-acme-bases",
        "GitHub acme/bases file ",
        "GitHub acme/bases branch main",
        "GitHub acme/bases secret ",
        "GitHub acme/bases environment ",
    ],
    always: |_| Ok(()),
    goal: is_gone,
    floor: 180,
    spared: |_| false,
    beyond: None,
};

const DESTROY_KEY: Scenario = Scenario {
    name: "destroy-key",
    open: || set_up("access-key"),
    own: &[
        "AWS ECR repository acme/bases in eu-central-1",
        "AWS IAM user sbi-publish-acme-bases",
        "AWS access key ",
        "GitHub acme/bases file ",
        "GitHub acme/bases branch main",
        "GitHub acme/bases secret ",
        "GitHub acme/bases environment ",
    ],
    always: super::init::their_keys_stand,
    floor: 65,
    beyond: Some(&DESTROY_OIDC),
    ..DESTROY_OIDC
};

fn set_up(auth: &str) -> Room {
    let room = with_strangers(Room::new());
    room.init(&["--auth", auth, "--no-watch"]).exited(0);
    room.aws.add_image(REPOSITORY, Some("v1.0.0")).unwrap();
    room
}

#[track_caller]
fn is_gone(room: &Room) {
    for names in [room.aws.role_names(), room.aws.user_names(), room.aws.repository_names()] {
        assert!(room.made(names.clone()).is_empty(), "{names:?}");
    }
    let found = room.github.repository(REPOSITORY).unwrap();
    assert!(found.secrets.is_empty() && found.environments.is_empty());
    assert_eq!(found.files.into_keys().collect::<Vec<_>>(), ["README.md"]);
}

#[test]
fn destroy_with_oidc_survives_every_fault() {
    sweep(&DESTROY_OIDC);
}

#[test]
fn destroy_with_an_access_key_survives_every_fault() {
    sweep(&DESTROY_KEY);
}
