//! What an account holds already: adopted, mended or left alone, and each right that this takes is named when missing.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability, Tag,
};
use sbi::aws::{Aws, Settings};
use sbi::model::config::Auth;
use sbi::model::iam::{PolicyDocument, Statement, Values};
use sbi::model::identity::OIDC_ISSUER;
use sbi::model::observed::{EcrRepository, Encryption, TagMutability};
use sbi::model::ownership::{ADOPTED_TAG, OWNER_ID_TAG, OWNER_TAG};
use sbi::model::registry::tag_mutability;
use sbi::plan::operator::operator_policy;
use serde_json::Value;

use super::{IDENTITY, assert_nothing_left, assert_set_up, repository};
use crate::support::policies::{actions, without};
use crate::support::room::{REPOSITORY, Room};

const FOREIGN_AUDIENCE: &str = "https://github.com/somebody";
const FOREIGN_LIFECYCLE: &str = r#"{"rules":[{"rulePriority":7,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}"#;

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn operator(room: &Room) -> Aws {
    let settings = Settings {
        endpoint: Some(room.aws.url()),
        region: Some("eu-central-1".parse().unwrap()),
        credentials: Some(room.aws.operator_credentials()),
        profile: None,
    };
    Aws::connect(settings).await.unwrap()
}

fn credentials(room: &Room) -> aws_credential_types::Credentials {
    let key = room.aws.operator_credentials();
    key.reveal(|secret| aws_credential_types::Credentials::new(key.id(), secret, None, None, "test"))
}

/// The SDK itself, for what the adapter has no call for.
fn ecr(room: &Room) -> aws_sdk_ecr::Client {
    let config = aws_sdk_ecr::Config::builder()
        .behavior_version(aws_sdk_ecr::config::BehaviorVersion::latest())
        .region(aws_sdk_ecr::config::Region::from_static("eu-central-1"))
        .endpoint_url(room.aws.url())
        .credentials_provider(credentials(room));
    aws_sdk_ecr::Client::from_conf(config.build())
}

fn iam(room: &Room) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(aws_sdk_iam::config::BehaviorVersion::latest())
        .region(aws_sdk_iam::config::Region::from_static("eu-central-1"))
        .endpoint_url(room.aws.url())
        .credentials_provider(credentials(room));
    aws_sdk_iam::Client::from_conf(config.build())
}

fn registry(room: &Room) -> EcrRepository {
    let name = REPOSITORY.parse().unwrap();
    block(async { operator(room).await.ecr_repository(&name).await }).unwrap().unwrap()
}

#[test]
fn an_ecr_repository_and_a_provider_of_others_are_adopted_and_keep_what_is_theirs() {
    for auth in ["oidc", "access-key"] {
        let room = Room::new();
        let kms = EncryptionConfiguration::builder().encryption_type(EncryptionType::Kms).build().unwrap();
        block(async {
            let ecr = ecr(&room);
            ecr.create_repository()
                .repository_name(REPOSITORY)
                .image_tag_mutability(ImageTagMutability::Mutable)
                .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(false).build())
                .encryption_configuration(kms)
                .tags(Tag::builder().key("team").value("platform").build().unwrap())
                .send()
                .await
                .unwrap();
            ecr.put_lifecycle_policy()
                .repository_name(REPOSITORY)
                .lifecycle_policy_text(FOREIGN_LIFECYCLE)
                .send()
                .await
                .unwrap();
            let url = format!("https://{OIDC_ISSUER}");
            operator(&room).await.create_oidc_provider(&url, FOREIGN_AUDIENCE).await.unwrap();
        });
        let before = registry(&room);
        assert!(matches!(before.encryption, Encryption::Kms { .. }) && !before.scan_on_push);

        let run = room.init(&["--auth", auth, "--no-watch"]).exited(0);
        assert!(run.stderr.contains("lifecycle policy of acme/bases: is not sbi's"), "{}", run.stderr);
        assert!(run.stderr.contains("encryption of acme/bases: uses a KMS key"), "{}", run.stderr);
        assert_set_up(&room, auth);
        let id = repository(&room).id.to_string();
        let tags = [("team", "platform"), (OWNER_TAG, REPOSITORY), (OWNER_ID_TAG, id.as_str()), (ADOPTED_TAG, "true")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let after = EcrRepository {
            tag_mutability: tag_mutability(),
            scan_on_push: true,
            tags: BTreeMap::from(tags),
            ..before
        };
        assert_eq!(registry(&room), after);
        assert_eq!(after.lifecycle, Some(serde_json::from_str::<Value>(FOREIGN_LIFECYCLE).unwrap()));
        let mut audiences = BTreeSet::from([FOREIGN_AUDIENCE.to_owned()]);
        if auth == "oidc" {
            audiences.insert("sts.amazonaws.com".to_owned());
        }
        assert_eq!(room.aws.oidc_providers()[OIDC_ISSUER], audiences);
        assert_nothing_left(&room, auth);
        room.check_contract();
    }
}

/// Everything that sbi made on AWS is changed behind its back, and one key is orphaned.
fn drift(room: &Room, auth: &str) {
    block(async {
        let (ecr, iam) = (ecr(room), iam(room));
        let name = REPOSITORY.parse().unwrap();
        operator(room).await.set_ecr_tag_mutability(&name, &TagMutability::Mutable).await.unwrap();
        ecr.put_image_scanning_configuration()
            .repository_name(REPOSITORY)
            .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(false).build())
            .send()
            .await
            .unwrap();
        let arn = format!("arn:aws:ecr:eu-central-1:{}:repository/{REPOSITORY}", crate::support::room::ACCOUNT);
        let other = Tag::builder().key(OWNER_TAG).value("acme/other").build().unwrap();
        ecr.tag_resource().resource_arn(arn).tags(other).send().await.unwrap();
        let harmless =
            PolicyDocument::new(vec![Statement::allow("No", Values::one("ecr:ListImages"), Values::one("*"))]);
        if auth == "oidc" {
            iam.put_role_policy()
                .role_name(IDENTITY)
                .policy_name("sbi-publish")
                .policy_document(harmless.to_json())
                .send()
                .await
                .unwrap();
        } else {
            iam.put_user_policy()
                .user_name(IDENTITY)
                .policy_name("sbi-publish")
                .policy_document(harmless.to_json())
                .send()
                .await
                .unwrap();
            // The key in the secrets is gone, and another one lies about that nobody has.
            let key = room.aws.access_keys(IDENTITY).remove(0).id;
            iam.delete_access_key().user_name(IDENTITY).access_key_id(key).send().await.unwrap();
        }
    });
    if auth == "oidc" {
        let mut trust = room.aws.role_trust(IDENTITY).unwrap();
        let condition = trust.statements[0].condition.get_mut("StringEquals").unwrap();
        condition.insert(format!("{OIDC_ISSUER}:repository_id"), Values::one("1"));
        room.aws.set_role_trust(IDENTITY, trust);
    }
}

#[test]
fn what_was_changed_behind_its_back_is_mended() {
    for auth in ["oidc", "access-key"] {
        let room = Room::new();
        room.init(&["--auth", auth, "--no-watch"]).exited(0);
        let made = registry(&room);
        drift(&room, auth);
        assert_ne!(registry(&room), made);
        room.init(&["--auth", auth, "--no-watch"]).exited(0);
        // Whatever name somebody wrote on it, the number says whose it is.
        assert_eq!(registry(&room), made);
        assert_set_up(&room, auth);
        assert_nothing_left(&room, auth);
    }
}

/// From nothing, from a drifted set-up and beside somebody's provider: each right of the policy is missed in one of
/// them, named, and missed before anything is written; then the whole policy finishes.
#[test]
fn each_right_of_the_printed_policy_is_missed_somewhere_named_and_nothing_was_written() {
    let nothing = |_: &Room, _: &str| {};
    let drifted = |room: &Room, auth: &str| {
        room.init(&["--auth", auth, "--no-watch"]).exited(0);
        drift(room, auth);
    };
    let beside_others = |room: &Room, auth: &str| {
        if auth == "oidc" {
            let url = format!("https://{OIDC_ISSUER}");
            block(async { operator(room).await.create_oidc_provider(&url, FOREIGN_AUDIENCE).await }).unwrap();
        }
    };
    type Start<'a> = &'a dyn Fn(&Room, &str);
    let starts: [Start<'_>; 3] = [&nothing, &drifted, &beside_others];
    for (name, auth) in [("oidc", Auth::Oidc), ("access-key", Auth::AccessKey)] {
        let policy = operator_policy(&crate::support::world::config(auth));
        let all = actions(&policy);
        let mut never_missed = all.clone();
        for action in &all {
            for start in starts {
                let room = Room::new();
                start(&room, name);
                let before = room.writes();
                room.aws.set_operator_policy(without(&policy, action));
                let run = room.init(&["--auth", name, "--no-watch"]);
                if run.code == 0 {
                    continue;
                }
                assert!(run.stderr.contains(action), "{action} is not named:\n{}", run.stderr);
                for help in ["allow it with the statement {", "`sbi policy operator` prints"] {
                    assert!(run.stderr.contains(help), "{action}: no `{help}`:\n{}", run.stderr);
                }
                assert_eq!(room.writes(), before, "{action} was missing, and something was written");
                room.aws.set_operator_policy(policy.clone());
                room.init(&["--auth", name, "--no-watch"]).exited(0);
                never_missed.remove(action);
                break;
            }
        }
        // The check of the rights itself is a courtesy: without it a refused call names the right.
        assert_eq!(never_missed, BTreeSet::from(["iam:SimulatePrincipalPolicy".to_owned()]), "{name}");
    }
}
