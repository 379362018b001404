//! `sbi init`, in both of its ways.

use std::collections::BTreeMap;

use sbi::aws::{Aws, Settings};
use sbi::model::iam::{PolicyDocument, Statement, Values};
use sbi::model::observed::TagMutability;
use sbi::sandbox::github::Seed;

use super::scenario::Scenario;
use super::sweep::sweep;
use crate::convergence::assert_set_up;
use crate::support::room::Room;

/// What `init` may make or change, and nothing else.
const OWN: &[&str] = &[
    "AWS ECR repository acme/bases in eu-central-1",
    "AWS OIDC provider token.actions.githubusercontent.com",
    "AWS IAM role sbi-publish-acme-bases",
    "AWS IAM role sbi-read-acme-bases",
    "GitHub acme/bases itself",
    "GitHub acme/bases Actions settings",
    "GitHub acme/bases file ",
    "GitHub acme/bases branch main",
    "GitHub acme/bases secret AWS_",
    "GitHub acme/bases secret ECR_",
    "GitHub acme/bases environment publish",
    "GitHub acme/bases tag v1.0.0",
    "GitHub acme/bases release v1.0.0",
];

/// Things of others on both sides, some of them with names that are near.
pub(super) fn with_strangers(room: Room) -> Room {
    let settings = Settings {
        endpoint: Some(room.aws.url()),
        region: Some("eu-central-1".parse().unwrap()),
        credentials: Some(room.aws.operator_credentials()),
        profile: None,
    };
    let tags = BTreeMap::from([("team".to_owned(), "platform".to_owned())]);
    let policy = PolicyDocument::new(vec![Statement::allow("Read", Values::one("s3:GetObject"), Values::one("*"))]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let aws = Aws::connect(settings).await.unwrap();
        let near = "publish-acme-bases".parse().unwrap();
        aws.create_user(&near, &tags).await.unwrap();
        aws.set_user_policy(&near, "read", &policy).await.unwrap();
        aws.create_access_key(&near).await.unwrap();
        aws.create_ecr_repository(&"acme/base".parse().unwrap(), &TagMutability::Mutable, &tags).await.unwrap();
    });
    let files = [("README.md", "theirs\n"), ("sbi.toml", "# not this one's\n")];
    room.github.create_repository("acme/other", Seed { private: true, files: &files });
    for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "NPM_TOKEN"] {
        room.github.add_secret("acme/other", name);
    }
    room.github.add_environment("acme/other", "publish", Some(&["v*"]));
    room.github.add_release("acme/other", "v1.0.0", "theirs");
    room.with_strangers()
}

fn fine(_: &Room) -> Result<(), String> {
    Ok(())
}

const OIDC: Scenario = Scenario {
    name: "init-oidc",
    open: || with_strangers(Room::new()),
    command: |room| room.init_arguments(&["--auth", "oidc", "--no-watch"]),
    own: OWN,
    always: fine,
    goal: |room| assert_set_up(room, "oidc"),
    floor: 150,
};

#[test]
fn init_with_oidc_survives_every_fault() {
    sweep(&OIDC);
}
