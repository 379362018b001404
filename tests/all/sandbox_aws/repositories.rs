//! ECR repositories and their settings.

use aws_sdk_ecr::types as ecr;
use sbi::model::registry::lifecycle_policy;
use serde_json::{Value, json};

use super::{clients_in, code, create_repository, operator, start};

#[tokio::test]
async fn repositories_keep_their_settings() {
    let aws = start();
    let me = operator(&aws).ecr;
    let missing = me.describe_repositories().repository_names("acme/base").send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_repository_not_found_exception());
    create_repository(&operator(&aws), "acme/base").await;
    let again = me.create_repository().repository_name("acme/base").send().await.unwrap_err();
    assert!(again.as_service_error().unwrap().is_repository_already_exists_exception());
    let found = me.describe_repositories().repository_names("acme/base").send().await.unwrap();
    let found = &found.repositories()[0];
    let arn = found.repository_arn().unwrap();
    assert_eq!(arn, "arn:aws:ecr:eu-central-1:123456789012:repository/acme/base");
    assert_eq!(found.repository_uri(), Some("123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme/base"));
    assert_eq!(found.image_tag_mutability(), Some(&ecr::ImageTagMutability::ImmutableWithExclusion));
    assert_eq!(found.image_tag_mutability_exclusion_filters()[0].filter(), "sha256-*");
    assert_eq!(found.encryption_configuration().unwrap().encryption_type(), &ecr::EncryptionType::Aes256);
    assert!(found.image_scanning_configuration().unwrap().scan_on_push());
    assert!(found.created_at().is_some());

    for name in ["a", "Acme/base", "acme//base", "acme/base-", "a".repeat(257).as_str()] {
        assert_eq!(
            code(me.create_repository().repository_name(name).send().await),
            "InvalidParameterException",
            "{name}"
        );
    }
    let plain = me
        .create_repository()
        .repository_name("acme/plain")
        .image_tag_mutability(ecr::ImageTagMutability::ImmutableWithExclusion);
    assert_eq!(code(plain.send().await), "InvalidParameterException", "an exclusion without filters");

    let change = me.put_image_tag_mutability().repository_name("acme/base");
    change.image_tag_mutability(ecr::ImageTagMutability::Mutable).send().await.unwrap();
    let scan = ecr::ImageScanningConfiguration::builder().scan_on_push(false).build();
    me.put_image_scanning_configuration()
        .repository_name("acme/base")
        .image_scanning_configuration(scan)
        .send()
        .await
        .unwrap();
    let found = me.describe_repositories().send().await.unwrap();
    assert_eq!(found.repositories()[0].image_tag_mutability(), Some(&ecr::ImageTagMutability::Mutable));
    assert!(!found.repositories()[0].image_scanning_configuration().unwrap().scan_on_push());

    let tag = |key: &str| ecr::Tag::builder().key(key).value("1").build().unwrap();
    me.tag_resource().resource_arn(arn).tags(tag("b")).send().await.unwrap();
    assert_eq!(me.list_tags_for_resource().resource_arn(arn).send().await.unwrap().tags().len(), 2);
    let reserved = me.tag_resource().resource_arn(arn).tags(tag("aws:b")).send().await.unwrap_err();
    assert!(reserved.as_service_error().unwrap().is_invalid_tag_parameter_exception());
    let many = (0..60).map(|n| tag(&format!("k{n}"))).collect();
    assert_eq!(code(me.tag_resource().resource_arn(arn).set_tags(Some(many)).send().await), "TooManyTagsException");
    assert_eq!(
        code(me.list_tags_for_resource().resource_arn(format!("{arn}s")).send().await),
        "RepositoryNotFoundException"
    );

    let elsewhere = {
        let key = aws.operator_credentials();
        key.reveal(|s| clients_in("us-east-1", &aws.url(), key.id(), s, None))
    };
    let there = elsewhere.ecr.describe_repositories().repository_names("acme/base").send().await;
    assert_eq!(code(there), "RepositoryNotFoundException", "a repository lives in one region");

    let token = me.get_authorization_token().send().await.unwrap();
    let data = &token.authorization_data()[0];
    assert_eq!(data.proxy_endpoint(), Some("https://123456789012.dkr.ecr.eu-central-1.amazonaws.com"));
    assert!(data.authorization_token().unwrap().starts_with("QVdTO"), "AWS: in base64");

    assert_eq!(code(me.delete_repository().repository_name("acme/base").send().await), "ok");
    assert_eq!(code(me.delete_repository().repository_name("acme/base").send().await), "RepositoryNotFoundException");
}

#[tokio::test]
async fn lifecycle_policies_are_checked_before_they_are_kept() {
    let aws = start();
    let me = operator(&aws).ecr;
    create_repository(&operator(&aws), "acme/base").await;
    let none = me.get_lifecycle_policy().repository_name("acme/base").send().await.unwrap_err();
    assert!(none.as_service_error().unwrap().is_lifecycle_policy_not_found_exception());
    let put = |policy: &Value| {
        me.put_lifecycle_policy().repository_name("acme/base").lifecycle_policy_text(policy.to_string())
    };
    let good = lifecycle_policy();
    put(&good).send().await.unwrap();
    let found = me.get_lifecycle_policy().repository_name("acme/base").send().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(found.lifecycle_policy_text().unwrap()).unwrap(), good);
    let with = |pointer: &str, value: Value| {
        let mut policy = good.clone();
        *policy.pointer_mut(pointer).unwrap() = value;
        policy
    };
    let mut twice = good.clone();
    let rule = twice["rules"][0].clone();
    twice["rules"].as_array_mut().unwrap().push(rule);
    for (name, policy) in [
        ("two of one priority", twice),
        ("priority", with("/rules/0/rulePriority", json!(0))),
        ("status", with("/rules/0/selection/tagStatus", json!("some"))),
        ("tagged without a list", with("/rules/0/selection/tagStatus", json!("tagged"))),
        ("unit", with("/rules/0/selection/countUnit", json!("weeks"))),
        ("count", with("/rules/0/selection/countNumber", json!(0))),
        ("action", with("/rules/0/action/type", json!("delete"))),
        ("no rules", with("/rules", json!([]))),
    ] {
        assert_eq!(code(put(&policy).send().await), "InvalidParameterException", "{name}");
    }
}
