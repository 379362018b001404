//! IAM users and their access keys.

use aws_sdk_iam::types as iam;
use serde_json::json;

use super::{REGION, allow, clients, code, decoded, operator, start};

#[tokio::test]
async fn users_live_from_creation_to_deletion() {
    let aws = start();
    let me = operator(&aws).iam;
    assert!(
        me.get_user()
            .user_name("ci")
            .send()
            .await
            .unwrap_err()
            .as_service_error()
            .unwrap()
            .is_no_such_entity_exception()
    );
    let tag = iam::Tag::builder().key("team").value("a & <b>").build().unwrap();
    assert_eq!(code(me.create_user().user_name("ci").tags(tag).send().await), "InvalidInput");
    let tag = |key: &str, value: &str| iam::Tag::builder().key(key).value(value).build().unwrap();
    let user = me.create_user().user_name("ci").tags(tag("team", "a = b/c")).send().await.unwrap().user.unwrap();
    assert_eq!(user.arn, "arn:aws:iam::123456789012:user/ci");
    let again = me.create_user().user_name("CI").send().await.unwrap_err();
    assert!(again.as_service_error().unwrap().is_entity_already_exists_exception());
    assert_eq!(code(me.create_user().user_name("a b").send().await), "ValidationError");
    assert_eq!(code(me.tag_user().user_name("ci").tags(tag("more", "1")).send().await), "ok");
    assert_eq!(code(me.tag_user().user_name("ci").tags(tag("aws:x", "1")).send().await), "InvalidInput");
    let found = me.get_user().user_name("ci").send().await.unwrap().user.unwrap();
    assert_eq!(found.tags().iter().map(iam::Tag::key).collect::<Vec<_>>(), ["more", "team"]);

    let policy = allow(&["ecr:GetAuthorizationToken"], &["*"]);
    let put = |document: String| me.put_user_policy().user_name("ci").policy_name("p").policy_document(document);
    assert_eq!(code(put(policy.to_pretty_json()).send().await), "ok");
    let found = me.get_user_policy().user_name("ci").policy_name("p").send().await.unwrap();
    assert!(found.policy_document.starts_with("%7B%0A%20%20%22Version%22%3A"), "{}", found.policy_document);
    assert_eq!(decoded(&found.policy_document), policy);
    assert_eq!(aws.user_policies("ci").unwrap()["p"], policy);
    assert_eq!(me.list_user_policies().user_name("ci").send().await.unwrap().policy_names, ["p"]);
    assert_eq!(code(put("{".into()).send().await), "MalformedPolicyDocument");
    let with_principal = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "a:B", "Resource": "*", "Principal": "*" } });
    let refused = put(with_principal.to_string()).send().await.unwrap_err();
    assert!(refused.as_service_error().unwrap().is_malformed_policy_document_exception());
    let long: Vec<String> = (0..60).map(|n| format!("arn:aws:s3:::a-long-bucket-name-{n:04}")).collect();
    let long = allow(&["s3:GetObject"], &long.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(code(put(long.to_json()).send().await), "LimitExceeded");

    assert_eq!(code(me.delete_user().user_name("ci").send().await), "DeleteConflict");
    assert_eq!(code(me.delete_user_policy().user_name("ci").policy_name("p").send().await), "ok");
    assert_eq!(code(me.delete_user_policy().user_name("ci").policy_name("p").send().await), "NoSuchEntity");
    assert_eq!(code(me.get_user_policy().user_name("ci").policy_name("p").send().await), "NoSuchEntity");
    let key = me.create_access_key().user_name("ci").send().await.unwrap().access_key.unwrap();
    assert_eq!(code(me.delete_user().user_name("ci").send().await), "DeleteConflict");
    assert_eq!(code(me.delete_access_key().user_name("ci").access_key_id(key.access_key_id).send().await), "ok");
    assert_eq!(code(me.delete_user().user_name("ci").send().await), "ok");
    assert_eq!(code(me.delete_user().user_name("ci").send().await), "NoSuchEntity");
    assert_eq!(code(me.create_access_key().user_name("ci").send().await), "NoSuchEntity");
}

#[tokio::test]
async fn a_user_has_two_keys_at_most_and_an_inactive_one_opens_nothing() {
    let aws = start();
    let me = operator(&aws);
    me.iam.create_user().user_name("ci").send().await.unwrap();
    let first = me.iam.create_access_key().user_name("ci").send().await.unwrap().access_key.unwrap();
    let second = me.iam.create_access_key().user_name("ci").send().await.unwrap().access_key.unwrap();
    let third = me.iam.create_access_key().user_name("ci").send().await.unwrap_err();
    assert!(third.as_service_error().unwrap().is_limit_exceeded_exception());
    assert!(aws.is_secret_of(&first.access_key_id, &first.secret_access_key));
    assert!(!aws.is_secret_of(&first.access_key_id, &second.secret_access_key));
    let used = me.iam.get_access_key_last_used().access_key_id(&first.access_key_id).send().await.unwrap();
    assert_eq!(used.access_key_last_used.unwrap().service_name, "N/A");

    let ci = clients(&aws.url(), &first.access_key_id, &first.secret_access_key, None);
    let identity = ci.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(identity.arn(), Some("arn:aws:iam::123456789012:user/ci"));
    assert_eq!(code(ci.ecr.get_authorization_token().send().await), "AccessDeniedException");
    let used = me.iam.get_access_key_last_used().access_key_id(&first.access_key_id).send().await.unwrap();
    let facts = used.access_key_last_used.unwrap();
    assert_eq!(
        (used.user_name.as_deref(), facts.service_name.as_str(), facts.region.as_str()),
        (Some("ci"), "ecr", REGION)
    );
    assert!(facts.last_used_date.is_some());

    let set = |status| me.iam.update_access_key().user_name("ci").access_key_id(&first.access_key_id).status(status);
    set(iam::StatusType::Inactive).send().await.unwrap();
    assert_eq!(code(ci.sts.get_caller_identity().send().await), "InvalidClientTokenId");
    assert_eq!(code(ci.ecr.get_authorization_token().send().await), "UnrecognizedClientException");
    assert_eq!(code(me.iam.create_access_key().user_name("ci").send().await), "LimitExceeded", "inactive keys count");
    set(iam::StatusType::Active).send().await.unwrap();
    assert_eq!(code(ci.sts.get_caller_identity().send().await), "ok");

    let listed = me.iam.list_access_keys().user_name("ci").send().await.unwrap().access_key_metadata;
    let ids: Vec<&str> = listed.iter().filter_map(|key| key.access_key_id()).collect();
    assert_eq!(ids, [first.access_key_id.as_str(), second.access_key_id.as_str()]);
    assert_eq!(aws.access_keys("ci").len(), 2);
    me.iam.delete_access_key().user_name("ci").access_key_id(&first.access_key_id).send().await.unwrap();
    assert_eq!(code(ci.sts.get_caller_identity().send().await), "InvalidClientTokenId");
    let gone = me.iam.delete_access_key().user_name("ci").access_key_id(&first.access_key_id).send().await;
    assert_eq!(code(gone), "NoSuchEntity");
}

#[tokio::test]
async fn a_new_key_can_take_its_time() {
    let aws = start();
    let me = operator(&aws);
    me.iam.create_user().user_name("ci").send().await.unwrap();
    aws.set_new_key_refusals(2);
    let key = me.iam.create_access_key().user_name("ci").send().await.unwrap().access_key.unwrap();
    let ci = clients(&aws.url(), &key.access_key_id, &key.secret_access_key, None);
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(code(ci.sts.get_caller_identity().send().await));
    }
    assert_eq!(answers, ["InvalidClientTokenId", "InvalidClientTokenId", "ok"]);
}
