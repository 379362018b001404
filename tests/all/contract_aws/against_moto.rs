//! The adapter against moto.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sbi::failure::Cause;
use sbi::model::iam::PolicyDocument;
use sbi::model::names::{RoleName, UserName};
use sbi::model::observed::{EcrRepository, Encryption, TagMutability};
use sbi::model::region::Region;
use sbi::model::registry::{lifecycle_policy, tag_mutability};
use serde_json::json;

use super::{ACCOUNT, allow, connect, ecr_name, key, tags, trust, whole_text};
use crate::support::moto;

#[tokio::test]
async fn the_caller_is_known() {
    let Some(url) = moto::url() else { return };
    let caller = connect(url).await.caller_identity().await.unwrap();
    assert_eq!(caller.account.as_str(), ACCOUNT);
    assert!(caller.arn.starts_with("arn:aws:"), "{}", caller.arn);
}

#[tokio::test]
async fn an_ecr_repository_is_absent_then_created_then_read_back_whole() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = ecr_name("contract/created");
    assert_eq!(aws.ecr_repository(&name).await.unwrap(), None);

    aws.create_ecr_repository(&name, &tag_mutability(), &tags("acme/base")).await.unwrap();
    let created = EcrRepository {
        arn: format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/contract/created"),
        uri: format!("{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/contract/created"),
        tag_mutability: TagMutability::ImmutableExcept(BTreeSet::from(["sha256-*".to_owned()])),
        scan_on_push: true,
        encryption: Encryption::Aes256,
        lifecycle: None,
        tags: tags("acme/base"),
    };
    assert_eq!(aws.ecr_repository(&name).await.unwrap(), Some(created.clone()));

    aws.set_ecr_lifecycle(&name, &lifecycle_policy()).await.unwrap();
    let whole = EcrRepository { lifecycle: Some(lifecycle_policy()), ..created };
    assert_eq!(aws.ecr_repository(&name).await.unwrap(), Some(whole.clone()));

    // A second run: the same creation is fine, the same settings change nothing.
    aws.create_ecr_repository(&name, &tag_mutability(), &tags("acme/base")).await.unwrap();
    aws.set_ecr_lifecycle(&name, &lifecycle_policy()).await.unwrap();
    assert_eq!(aws.ecr_repository(&name).await.unwrap(), Some(whole));
}

#[tokio::test]
async fn another_region_has_its_own_repositories() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = ecr_name("contract/regional");
    let elsewhere = aws.in_region(&Region::new("us-west-2").unwrap());
    assert_eq!(elsewhere.detected_region().as_deref(), Some("us-west-2"));
    elsewhere.create_ecr_repository(&name, &tag_mutability(), &tags("acme/base")).await.unwrap();
    assert_eq!(aws.ecr_repository(&name).await.unwrap(), None);
    let found = elsewhere.ecr_repository(&name).await.unwrap().unwrap();
    assert!(found.uri.contains(".us-west-2."), "{}", found.uri);
}

#[tokio::test]
async fn a_foreign_ecr_repository_is_reported_as_it_is_and_adopted_setting_by_setting() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = ecr_name("contract/foreign");
    let raw = raw_ecr(url);
    let theirs = aws_sdk_ecr::types::Tag::builder().key("team").value("platform").build().unwrap();
    raw.create_repository().repository_name(name.as_str()).tags(theirs).send().await.unwrap();

    let found = aws.ecr_repository(&name).await.unwrap().unwrap();
    assert_eq!(found.tag_mutability, TagMutability::Mutable);
    assert!(!found.scan_on_push);
    assert_eq!(found.lifecycle, None);

    let failure = aws.create_ecr_repository(&name, &tag_mutability(), &tags("acme/base")).await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Exists);
    assert!(failure.message().contains("contract/foreign"), "{failure}");
    assert!(failure.hints()[0].contains("`sbi init`"), "{:?}", failure.hints());

    aws.set_ecr_tag_mutability(&name, &tag_mutability()).await.unwrap();
    aws.set_ecr_scan_on_push(&name).await.unwrap();
    aws.tag_ecr_repository(&found.arn, &tags("acme/base")).await.unwrap();
    let adopted = aws.ecr_repository(&name).await.unwrap().unwrap();
    assert_eq!(adopted.tag_mutability, tag_mutability());
    assert!(adopted.scan_on_push);
    assert_eq!(adopted.tags.get("team").map(String::as_str), Some("platform"), "foreign tags stay");
    assert_eq!(adopted.tags.get("sbi:github-repository").map(String::as_str), Some("acme/base"));

    for mutability in [
        TagMutability::Immutable,
        TagMutability::MutableExcept(BTreeSet::from(["v*".to_owned(), "latest".to_owned()])),
        TagMutability::Mutable,
    ] {
        aws.set_ecr_tag_mutability(&name, &mutability).await.unwrap();
        assert_eq!(aws.ecr_repository(&name).await.unwrap().unwrap().tag_mutability, mutability);
    }
}

#[tokio::test]
async fn a_released_tag_is_found_with_its_digest_and_a_missing_one_is_no_error() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let (name, tag) = (ecr_name("contract/images"), "v1.0.0".parse().unwrap());
    assert_eq!(aws.published_image(&name, &tag).await.unwrap(), None, "no repository");
    aws.create_ecr_repository(&name, &tag_mutability(), &tags("acme/base")).await.unwrap();
    assert_eq!(aws.published_image(&name, &tag).await.unwrap(), None, "no image");
    let media = "application/vnd.oci.image.manifest.v1+json";
    let layer = json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": format!("sha256:{}", "0a".repeat(32)), "size": 3 });
    let manifest = json!({ "schemaVersion": 2, "mediaType": media, "config": layer, "layers": [layer] }).to_string();
    let put = raw_ecr(url).put_image().repository_name(name.as_str()).image_manifest(manifest).image_tag("v1.0.0");
    let pushed = put.send().await.unwrap().image.unwrap().image_id.unwrap().image_digest.unwrap();
    let found = aws.published_image(&name, &tag).await.unwrap().unwrap();
    assert_eq!((found.digest.as_str(), found.tag.as_str()), (pushed.as_str(), "v1.0.0"));
    assert!(found.pushed.is_some());
    assert_eq!(aws.published_image(&name, &"v1.0.1".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_setting_that_ecr_refuses_is_a_usage_failure_with_its_words() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = ecr_name("contract/refused");
    aws.create_ecr_repository(&name, &tag_mutability(), &tags("acme/base")).await.unwrap();
    let failure = aws.set_ecr_lifecycle(&name, &json!({ "rule": [] })).await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Usage, "{}", whole_text(&failure));
    assert_eq!(failure.message(), "Amazon ECR refuses ecr:PutLifecyclePolicy on the ECR repository contract/refused");
    assert!(failure.reasons()[0].contains("Lifecycle policy validation failure"), "{:?}", failure.reasons());
    assert_eq!(aws.ecr_repository(&name).await.unwrap().unwrap().lifecycle, None);
}

#[tokio::test]
async fn settings_of_a_missing_ecr_repository_are_not_found() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = ecr_name("contract/missing");
    for failure in [
        aws.set_ecr_tag_mutability(&name, &tag_mutability()).await.unwrap_err(),
        aws.set_ecr_scan_on_push(&name).await.unwrap_err(),
        aws.set_ecr_lifecycle(&name, &lifecycle_policy()).await.unwrap_err(),
    ] {
        assert_eq!(*failure.cause(), Cause::NotFound, "{}", whole_text(&failure));
        assert_eq!(failure.message(), "the ECR repository contract/missing does not exist");
    }
}

#[tokio::test]
async fn an_oidc_provider_is_reused_by_its_url_and_refused_without_the_audience() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let issuer = "https://token.contract.example.com";
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/token.contract.example.com");
    assert_eq!(aws.oidc_provider(&arn).await.unwrap(), None);
    aws.create_oidc_provider(issuer, "sts.amazonaws.com").await.unwrap();
    let found = aws.oidc_provider(&arn).await.unwrap().unwrap();
    assert_eq!(found.arn, arn);
    assert_eq!(found.audiences, BTreeSet::from(["sts.amazonaws.com".to_owned()]));
    aws.create_oidc_provider(issuer, "sts.amazonaws.com").await.unwrap();
    let failure = aws.create_oidc_provider(issuer, "another.example.com").await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Exists);
}

#[tokio::test]
async fn a_role_is_absent_then_created_then_read_back_whole() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = RoleName::new("contract-role").unwrap();
    assert_eq!(aws.role(&name, "sbi-publish").await.unwrap(), None);

    aws.create_role(&name, "a role", &trust("acme/base"), &tags("acme/base")).await.unwrap();
    let role = aws.role(&name, "sbi-publish").await.unwrap().unwrap();
    assert_eq!(role.arn, format!("arn:aws:iam::{ACCOUNT}:role/contract-role"));
    assert_eq!(role.trust, trust("acme/base"));
    assert_eq!(role.policy, None);
    assert_eq!(role.tags, tags("acme/base"));
    let raw = raw_iam(url).get_role().role_name("contract-role").send().await.unwrap().role.unwrap();
    assert_eq!(raw.max_session_duration, Some(3600));
    assert_eq!(raw.description.as_deref(), Some("a role"));

    aws.set_role_policy(&name, "sbi-publish", &allow("ecr:PutImage")).await.unwrap();
    assert_eq!(aws.role(&name, "sbi-publish").await.unwrap().unwrap().policy, Some(allow("ecr:PutImage")));
    assert_eq!(aws.role(&name, "another").await.unwrap().unwrap().policy, None);

    aws.create_role(&name, "a role", &trust("acme/base"), &tags("acme/base")).await.unwrap();
    let failure = aws.create_role(&name, "a role", &trust("evil/base"), &tags("acme/base")).await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Exists);
    let failure = aws.create_role(&name, "a role", &trust("acme/base"), &tags("evil/base")).await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Exists);

    aws.tag_role(&name, &tags("acme/renamed")).await.unwrap();
    let tagged = aws.role(&name, "p").await.unwrap().unwrap().tags;
    assert_eq!(tagged, tags("acme/renamed"));
    aws.set_role_trust(&name, &trust("acme/renamed")).await.unwrap();
    aws.set_role_policy(&name, "sbi-publish", &allow("ecr:BatchGetImage")).await.unwrap();
    let role = aws.role(&name, "sbi-publish").await.unwrap().unwrap();
    assert_eq!((role.trust, role.policy), (trust("acme/renamed"), Some(allow("ecr:BatchGetImage"))));
}

#[tokio::test]
async fn a_trust_that_is_not_of_our_grammar_is_observed_as_an_empty_one() {
    let Some(url) = moto::url() else { return };
    let name = RoleName::new("contract-foreign-role").unwrap();
    raw_iam(url)
        .create_role()
        .role_name(name.as_str())
        .assume_role_policy_document(r#"{"Version":"2012-10-17","Statement":[],"Future":{}}"#)
        .send()
        .await
        .unwrap();
    let role = connect(url).await.role(&name, "sbi-publish").await.unwrap().unwrap();
    assert_eq!(role.trust, PolicyDocument::new(Vec::new()));
}

#[tokio::test]
async fn a_user_and_its_two_keys_live_and_die() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = UserName::new("contract-user").unwrap();
    assert_eq!(aws.user(&name, "sbi-publish").await.unwrap(), None);
    aws.create_user(&name, &tags("acme/base")).await.unwrap();
    aws.create_user(&name, &tags("acme/base")).await.unwrap();
    let failure = aws.create_user(&name, &tags("evil/base")).await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Exists);
    let user = aws.user(&name, "sbi-publish").await.unwrap().unwrap();
    assert_eq!(user.arn, format!("arn:aws:iam::{ACCOUNT}:user/contract-user"));
    assert_eq!((user.policy, user.tags, user.keys), (None, tags("acme/base"), Vec::new()));

    aws.tag_user(&name, &tags("acme/renamed")).await.unwrap();
    assert_eq!(aws.user(&name, "sbi-publish").await.unwrap().unwrap().tags, tags("acme/renamed"));

    aws.set_user_policy(&name, "sbi-publish", &allow("ecr:PutImage")).await.unwrap();
    let first = aws.create_access_key(&name).await.unwrap();
    let second = aws.create_access_key(&name).await.unwrap();
    assert!(first.reveal(|secret| secret.len() >= 40));
    let user = aws.user(&name, "sbi-publish").await.unwrap().unwrap();
    assert_eq!(user.policy, Some(allow("ecr:PutImage")));
    let ids: BTreeSet<&str> = user.keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, BTreeSet::from([first.id(), second.id()]));
    assert!(user.keys.iter().all(|key| key.active && key.last_used.is_none()));

    let Err(failure) = aws.create_access_key(&name).await else { panic!("a third key was created") };
    assert!(failure.message().contains("two access keys"), "{failure}");
    assert!(whole_text(&failure).contains("aws iam delete-access-key --user-name contract-user"));

    let waited = Mutex::new(Vec::new());
    aws.wait_until_key_works(&first, &|text| waited.lock().unwrap().push(text)).await.unwrap();
    assert_eq!(*waited.lock().unwrap(), Vec::<String>::new(), "a key that works at once is no wait");

    let gone = first.id().to_owned();
    aws.delete_access_key(&name, &gone).await.unwrap();
    aws.delete_access_key(&name, &gone).await.unwrap();
    let keys = aws.user(&name, "sbi-publish").await.unwrap().unwrap().keys;
    assert_eq!(keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), [second.id()]);
}

#[tokio::test]
async fn a_used_and_an_inactive_key_are_told_apart() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = UserName::new("contract-key-facts").unwrap();
    aws.create_user(&name, &tags("acme/base")).await.unwrap();
    let used = aws.create_access_key(&name).await.unwrap();
    let inactive = aws.create_access_key(&name).await.unwrap();
    let iam = raw_iam(url);
    let off = iam.update_access_key().user_name(name.as_str()).access_key_id(inactive.id());
    off.status(aws_sdk_iam::types::StatusType::Inactive).send().await.unwrap();
    let before = jiff::Timestamp::now();
    aws.wait_until_key_works(&used, &|_| {}).await.unwrap();

    let keys = aws.user(&name, "sbi-publish").await.unwrap().unwrap().keys;
    let facts = |id: &str| keys.iter().find(|key| key.id == id).unwrap();
    assert!(!facts(inactive.id()).active);
    let last = facts(used.id()).last_used.clone().unwrap();
    assert!(facts(used.id()).active && ["sts", "ecr"].contains(&last.service.as_str()), "{}", last.service);
    assert!(last.at.as_second() >= before.as_second() - 1 && last.region == "eu-central-1", "{}", last.at);
}

#[tokio::test]
async fn what_belongs_to_nobody_is_not_found_after_the_grace_of_a_new_one() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let (role, user) = (RoleName::new("nobody").unwrap(), UserName::new("nobody").unwrap());
    let policy = allow("ecr:PutImage");
    let failure = aws.set_role_policy(&role, "sbi-publish", &policy).await.unwrap_err();
    assert_eq!((failure.cause(), failure.message()), (&Cause::NotFound, "the IAM role nobody does not exist"));
    let failure = aws.set_user_policy(&user, "sbi-publish", &policy).await.unwrap_err();
    assert_eq!((failure.cause(), failure.message()), (&Cause::NotFound, "the IAM user nobody does not exist"));
    let failure = aws.create_access_key(&user).await.err().unwrap();
    assert_eq!(*failure.cause(), Cause::NotFound);
    assert_eq!(*aws.set_role_trust(&role, &policy).await.unwrap_err().cause(), Cause::NotFound);
    aws.delete_access_key(&user, "AKIAIOSFODNN7EXAMPLE").await.unwrap();
}

/// Moto answers 500 to `SimulatePrincipalPolicy`, as emulators do.
#[tokio::test]
async fn a_preflight_that_an_emulator_lacks_is_no_answer_and_no_error() {
    let Some(url) = moto::url() else { return };
    let wanted = [("ecr:CreateRepository", "*".to_owned())];
    let caller = format!("arn:aws:iam::{ACCOUNT}:user/ada");
    let started = Instant::now();
    assert_eq!(connect(url).await.denied_actions(&caller, &wanted).await.unwrap(), None);
    assert!(started.elapsed() < Duration::from_secs(5), "it was retried");
}

fn raw_config(url: &str) -> aws_config::SdkConfig {
    let key = key();
    let credentials = key.reveal(|secret| aws_sdk_ecr::config::Credentials::new(key.id(), secret, None, None, "test"));
    aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("eu-central-1"))
        .endpoint_url(url)
        .credentials_provider(aws_sdk_ecr::config::SharedCredentialsProvider::new(credentials))
        .build()
}

pub(super) fn raw_ecr(url: &str) -> aws_sdk_ecr::Client {
    aws_sdk_ecr::Client::new(&raw_config(url))
}

pub(super) fn raw_iam(url: &str) -> aws_sdk_iam::Client {
    aws_sdk_iam::Client::new(&raw_config(url))
}
