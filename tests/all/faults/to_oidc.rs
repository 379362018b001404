//! `sbi rotate-keys --to-oidc`: the key goes on working until a job has signed in with the roles, and they are not
//! touched after that.

use super::init::{PULL_REQUEST, their_keys_stand};
use super::rotate_keys::{USER, a_day_after};
use super::scenario::Scenario;
use super::sweep::sweep;
use crate::support::delivered_key::delivered_key;
use crate::support::room::{REPOSITORY, Room};

const TO_OIDC: &[&str] = &["rotate-keys", "--to-oidc", "--yes", "--grace", "0s"];

/// Up to the pull request.
const BEFORE: Scenario = Scenario {
    name: "to-oidc-before-the-merge",
    open: a_day_after,
    command: TO_OIDC,
    meanwhile: |_| {},
    idle: TO_OIDC,
    own: &[
        "AWS OIDC provider token.actions.githubusercontent.com",
        "AWS IAM role sbi-publish-acme-bases",
        "AWS IAM role sbi-read-acme-bases",
        "GitHub acme/bases branch sbi/",
        "GitHub acme/bases pull request from sbi/",
        "GitHub acme/bases secret AWS_ROLE_ARN",
    ],
    always: a_job_gets_a_key,
    goal: |room| {
        let found = room.github.repository(REPOSITORY).unwrap();
        assert_eq!(found.pull_requests.iter().filter(|pull| pull.open).count(), 1);
        assert_eq!(room.made(room.aws.role_names()).len(), 2);
    },
    floor: 12,
    spared: |_| false,
    beyond: Some(&PULL_REQUEST),
};

/// From the merge on. What is somebody else's includes the roles here: jobs sign in with them.
const AFTER: Scenario = Scenario {
    name: "to-oidc-after-the-merge",
    open: || {
        let room = a_day_after();
        room.sbi(TO_OIDC).exited(0);
        let open = room.github.repository(REPOSITORY).unwrap().pull_requests;
        room.github.merge_pull_request(REPOSITORY, open[0].number).unwrap();
        room
    },
    command: TO_OIDC,
    meanwhile: |_| {},
    idle: TO_OIDC,
    own: &[
        "AWS IAM user sbi-publish-acme-bases",
        "AWS access key ",
        "GitHub acme/bases secret AWS_ACCESS_KEY",
        "GitHub acme/bases tag v0.0.0-access-check",
    ],
    always: their_keys_stand,
    goal: |room| {
        assert!(room.made(room.aws.user_names()).is_empty() && room.aws.access_keys(USER).is_empty());
        assert_eq!(delivered_key(room), Ok(None));
        let tags = room.github.repository(REPOSITORY).unwrap().tags;
        assert_eq!(tags.into_keys().collect::<Vec<_>>(), ["v1.0.0"]);
    },
    floor: 120,
    spared: |_| false,
    beyond: None,
};

fn a_job_gets_a_key(room: &Room) -> Result<(), String> {
    their_keys_stand(room)?;
    delivered_key(room)?.map(drop).ok_or_else(|| "a job that starts now gets no key".into())
}

#[test]
fn to_oidc_survives_every_fault_before_the_merge() {
    sweep(&BEFORE);
}

#[test]
fn to_oidc_survives_every_fault_after_the_merge() {
    sweep(&AFTER);
}
