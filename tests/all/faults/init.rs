//! `sbi init` in both of its ways, from nothing and into what exists.

use std::collections::BTreeMap;
use std::time::Duration;

use sbi::aws::{Aws, Settings};
use sbi::model::iam::{PolicyDocument, Statement, Values};
use sbi::model::observed::TagMutability;
use sbi::model::secrets::ACCESS_KEY_SECRET;
use sbi::sandbox::github::{Rules, Seed};

use super::scenario::Scenario;
use super::sweep::sweep;
use crate::convergence::assert_set_up;
use crate::support::delivered_key::delivered_key;
use crate::support::room::{REPOSITORY, Room};

macro_rules! init {
    ($($flag:expr),*) => {
        &[
            "init", "--yes", "--no-watch", "--github", "acme/bases", "--visibility", "public",
            "--account", "123456789012", "--region", "eu-central-1", "--ecr-repository", "acme/bases",
            "--image", "static-go", "--release", "v1.0.0", "--publisher", "Acme",
            "--security-contact", "security@acme.example", $($flag),*
        ]
    };
}

const BY_OIDC: &[&str] = init!("--auth", "oidc");
const TWO_BY_OIDC: &[&str] = init!("--auth", "oidc", "--image", "base-go");
const BY_KEY: &[&str] = init!("--auth", "access-key");

pub(super) const OIDC: Scenario = Scenario {
    name: "init-oidc",
    open: || with_strangers(Room::new()),
    command: BY_OIDC,
    meanwhile: |_| {},
    idle: BY_OIDC,
    own: &[
        "AWS ECR repository acme/bases in eu-central-1",
        "AWS OIDC provider token.actions.githubusercontent.com",
        "AWS IAM role sbi-publish-acme-bases",
        "AWS IAM role sbi-read-acme-bases",
        "GitHub acme/bases itself",
        "GitHub acme/bases Actions settings",
        "GitHub acme/bases file ",
        "GitHub acme/bases branch main",
        "GitHub acme/bases secret AWS_ROLE_ARN",
        "GitHub acme/bases secret AWS_REGION",
        "GitHub acme/bases secret ECR_",
        "GitHub acme/bases environment publish",
        "GitHub acme/bases tag v1.0.0",
        "GitHub acme/bases release v1.0.0",
    ],
    always: |_| Ok(()),
    goal: |room| {
        assert_set_up(room, "oidc");
        assert_made_once(room);
    },
    floor: 220,
    spared: |_| false,
    beyond: None,
};

const KEY: Scenario = Scenario {
    name: "init-key",
    command: BY_KEY,
    idle: BY_KEY,
    own: &[
        "AWS ECR repository acme/bases in eu-central-1",
        "AWS IAM user sbi-publish-acme-bases",
        "AWS access key ",
        "GitHub acme/bases itself",
        "GitHub acme/bases Actions settings",
        "GitHub acme/bases file ",
        "GitHub acme/bases branch main",
        "GitHub acme/bases secret AWS_",
        "GitHub acme/bases secret ECR_",
        "GitHub acme/bases environment publish",
        "GitHub acme/bases environment rescan",
        "GitHub acme/bases tag v1.0.0",
        "GitHub acme/bases release v1.0.0",
    ],
    // Whatever has happened: a key that is in the secret is one that works.
    always: |room| their_keys_stand(room).and_then(|()| delivered_key(room).map(drop)),
    goal: |room| {
        assert_set_up(room, "access-key");
        assert_made_once(room);
    },
    floor: 220,
    ..OIDC
};

/// Into somebody's repository whose branch takes pull requests only, with an ECR repository made by hand.
pub(super) const PULL_REQUEST: Scenario = Scenario {
    name: "init-pull-request",
    open: || {
        let room = with_strangers(theirs(Rules { pull_request: true, signatures: false }));
        on_aws(&room, async |aws| {
            aws.create_ecr_repository(&REPOSITORY.parse().unwrap(), &TagMutability::Mutable, &BTreeMap::new()).await
        });
        room
    },
    own: &[
        "AWS ECR repository acme/bases in eu-central-1",
        "AWS OIDC provider token.actions.githubusercontent.com",
        "AWS IAM role sbi-publish-acme-bases",
        "AWS IAM role sbi-read-acme-bases",
        "GitHub acme/bases Actions settings",
        "GitHub acme/bases branch sbi/",
        "GitHub acme/bases pull request from sbi/",
        "GitHub acme/bases secret AWS_ROLE_ARN",
        "GitHub acme/bases secret AWS_REGION",
        "GitHub acme/bases secret ECR_",
        "GitHub acme/bases environment publish",
    ],
    goal: |room| {
        let found = room.github.repository(REPOSITORY).unwrap();
        let open: Vec<_> = found.pull_requests.iter().filter(|pull| pull.open).collect();
        assert_eq!((open.len(), found.releases.len()), (1, 1), "{open:?}");
        assert_eq!(found.environments["publish"], Some(["tag v*".to_owned()].into()));
        assert!(found.secrets.contains_key("AWS_ROLE_ARN") && !found.files.contains_key("sbi.toml"));
        assert_eq!(room.made(room.aws.role_names()).len(), 2);
    },
    floor: 70,
    beyond: Some(&OIDC),
    ..OIDC
};

/// Into somebody's repository whose branch wants signatures, beside a secret that a person made by hand.
const SIGNED: Scenario = Scenario {
    name: "init-signed",
    open: || {
        let room = with_strangers(theirs(Rules { pull_request: false, signatures: true }));
        room.github.add_secret(REPOSITORY, ACCESS_KEY_SECRET);
        room.github.age_secret(REPOSITORY, ACCESS_KEY_SECRET, Duration::from_secs(86_400));
        room
    },
    own: &[
        "AWS ECR repository acme/bases in eu-central-1",
        "AWS IAM user sbi-publish-acme-bases",
        "AWS access key ",
        "GitHub acme/bases Actions settings",
        "GitHub acme/bases file .github/",
        "GitHub acme/bases file SECURITY.md",
        "GitHub acme/bases file docs/verify.md",
        "GitHub acme/bases file images/",
        "GitHub acme/bases file sbi.",
        "GitHub acme/bases branch main",
        "GitHub acme/bases secret AWS_",
        "GitHub acme/bases secret ECR_",
        "GitHub acme/bases environment publish",
        "GitHub acme/bases environment rescan",
        "GitHub acme/bases tag v1.0.0",
        "GitHub acme/bases release v1.0.0",
    ],
    always: their_keys_stand,
    goal: |room| {
        let key = delivered_key(room).unwrap();
        let keys = room.aws.access_keys("sbi-publish-acme-bases");
        assert_eq!(keys.iter().map(|key| Some(key.id.clone())).collect::<Vec<_>>(), [key]);
        let found = room.github.repository(REPOSITORY).unwrap();
        assert!(found.files.contains_key("sbi.lock"));
        assert_eq!(found.releases.iter().filter(|release| release.tag == "v1.0.0").count(), 1);
        assert_made_once(room);
    },
    floor: 100,
    beyond: Some(&OIDC),
    ..KEY
};

/// Into a repository without a commit.
const EMPTY: Scenario = Scenario {
    name: "init-empty",
    open: || {
        let room = with_strangers(Room::new());
        room.github.create_repository(REPOSITORY, Seed { private: false, files: &[] });
        room
    },
    floor: 35,
    beyond: Some(&OIDC),
    ..OIDC
};

/// Two products, each with an ECR repository and a release of its own.
const TWO: Scenario = Scenario {
    name: "init-two-images",
    command: TWO_BY_OIDC,
    idle: TWO_BY_OIDC,
    own: &[
        "AWS ECR repository acme/bases/",
        "AWS OIDC provider token.actions.githubusercontent.com",
        "AWS IAM role sbi-publish-acme-bases",
        "AWS IAM role sbi-read-acme-bases",
        "GitHub acme/bases itself",
        "GitHub acme/bases Actions settings",
        "GitHub acme/bases file ",
        "GitHub acme/bases branch main",
        "GitHub acme/bases secret AWS_ROLE_ARN",
        "GitHub acme/bases secret AWS_REGION",
        "GitHub acme/bases secret ECR_",
        "GitHub acme/bases environment publish",
        "GitHub acme/bases tag static-go/v1.0.0",
        "GitHub acme/bases tag base-go/v1.0.0",
        "GitHub acme/bases release static-go/v1.0.0",
        "GitHub acme/bases release base-go/v1.0.0",
    ],
    goal: |room| assert_set_up(room, "oidc"),
    floor: 80,
    beyond: Some(&OIDC),
    ..OIDC
};

/// GitHub's own first commit and one of ours, which one release started one run of.
#[track_caller]
fn assert_made_once(room: &Room) {
    let found = room.github.repository(REPOSITORY).unwrap();
    assert_eq!((found.commits, found.runs.len()), (2, 1));
}

/// A repository with files, a release and settings of its own.
fn theirs(rules: Rules) -> Room {
    let room = Room::new();
    let files = [("README.md", "mine\n"), ("src/main.go", "package main\n")];
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &files });
    room.github.add_ruleset(REPOSITORY, "main", rules);
    room.github.loosen_workflow_token(REPOSITORY);
    room.github.commit_files(REPOSITORY, "feature", &[("src/main.go", "package feature\n")], "a feature");
    room.github.add_release(REPOSITORY, "v0.1.0", "by hand");
    room.github.add_secret(REPOSITORY, "NPM_TOKEN");
    room.github.add_environment(REPOSITORY, "staging", Some(&["rc*"]));
    room.github.add_environment(REPOSITORY, "publish", None);
    room
}

fn on_aws<T>(room: &Room, work: impl AsyncFnOnce(Aws) -> Result<T, sbi::failure::Failure>) -> T {
    let settings = Settings {
        endpoint: Some(room.aws.url()),
        region: Some("eu-central-1".parse().unwrap()),
        credentials: Some(room.aws.operator_credentials()),
        profile: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { work(Aws::connect(settings).await?).await }).unwrap()
}

/// Whose name is near, and is not ours.
const NEAR: &str = "publish-acme-bases";

/// Things of others on both sides, some of them with names that are near.
pub(super) fn with_strangers(room: Room) -> Room {
    let tags = BTreeMap::from([("team".to_owned(), "platform".to_owned())]);
    let policy = PolicyDocument::new(vec![Statement::allow("Read", Values::one("s3:GetObject"), Values::one("*"))]);
    on_aws(&room, async |aws| {
        let near = NEAR.parse().unwrap();
        aws.create_user(&near, &tags).await?;
        aws.set_user_policy(&near, "read", &policy).await?;
        aws.create_access_key(&near).await?;
        aws.create_ecr_repository(&"acme/base".parse().unwrap(), &TagMutability::Mutable, &tags).await
    });
    let files = [("README.md", "theirs\n"), ("sbi.toml", "# not this one's\n")];
    room.github.create_repository("acme/other", Seed { private: true, files: &files });
    for name in ["AWS_REGION", ACCESS_KEY_SECRET, "NPM_TOKEN"] {
        room.github.add_secret("acme/other", name);
    }
    room.github.add_environment("acme/other", "publish", Some(&["v*"]));
    room.github.add_release("acme/other", "v1.0.0", "theirs");
    room.with_strangers()
}

/// Keys have names that nobody knows before, so whose they are is looked at here: the operator's and the neighbour's
/// stay, and nobody else gets one.
pub(super) fn their_keys_stand(room: &Room) -> Result<(), String> {
    let inventory = room.aws.inventory();
    let keys_of = |user: &str| {
        let end = format!(" of {user}");
        inventory.iter().filter(|(name, _)| name.starts_with("access key ") && name.ends_with(&end)).collect::<Vec<_>>()
    };
    for user in ["operator", NEAR] {
        match keys_of(user).as_slice() {
            [(_, facts)] if facts["active"] == true => {}
            keys => return Err(format!("the keys of {user} were touched: {keys:?}")),
        }
    }
    Ok(())
}

#[test]
fn init_with_oidc_survives_every_fault() {
    sweep(&OIDC);
}

#[test]
fn init_with_an_access_key_survives_every_fault() {
    sweep(&KEY);
}

#[test]
fn init_by_pull_request_survives_every_fault() {
    sweep(&PULL_REQUEST);
}

#[test]
fn init_by_a_signed_commit_survives_every_fault() {
    sweep(&SIGNED);
}

#[test]
fn init_with_two_images_survives_every_fault() {
    sweep(&TWO);
}

#[test]
fn init_into_an_empty_repository_survives_every_fault() {
    sweep(&EMPTY);
}
