//! IAM roles and the OIDC provider.

use aws_sdk_iam::types as iam;
use sbi::model::identity::publishing_policy;
use serde_json::json;

use super::{ISSUER, PROVIDER, code, config, decoded, message, operator, start, trust};

#[tokio::test]
async fn roles_live_from_creation_to_deletion() {
    let aws = start();
    let me = operator(&aws).iam;
    let create = |name: &str, document: String| me.create_role().role_name(name).assume_role_policy_document(document);
    assert_eq!(code(me.get_role().role_name("publish").send().await), "NoSuchEntity");
    let role = create("publish", trust().to_json())
        .description("pushes & <nothing> else")
        .max_session_duration(3600)
        .tags(iam::Tag::builder().key("k").value("v").build().unwrap())
        .send()
        .await
        .unwrap()
        .role
        .unwrap();
    assert_eq!(role.arn, "arn:aws:iam::123456789012:role/publish");
    assert_eq!(role.description(), Some("pushes & <nothing> else"));
    assert_eq!(role.tags().len(), 1);
    assert_eq!(decoded(role.assume_role_policy_document().unwrap()), trust());
    assert_eq!(code(create("Publish", trust().to_json()).send().await), "EntityAlreadyExists");
    assert_eq!(code(create("a/b", trust().to_json()).send().await), "ValidationError");
    assert_eq!(code(create("other", trust().to_json()).max_session_duration(60).send().await), "ValidationError");
    assert_eq!(code(create("other", trust().to_json()).permissions_boundary(PROVIDER).send().await), "ValidationError");

    let without_subject = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": { "Federated": PROVIDER },
        "Condition": { "StringEquals": { "token.actions.githubusercontent.com:aud": "sts.amazonaws.com" } }
    }] });
    let refused = create("other", without_subject.to_string()).send().await.unwrap_err();
    assert!(refused.as_service_error().unwrap().is_malformed_policy_document_exception());
    let update = |document: String| me.update_assume_role_policy().role_name("publish").policy_document(document);
    assert_eq!(code(update(without_subject.to_string()).send().await), "MalformedPolicyDocument");
    assert_eq!(aws.role_trust("publish"), Some(trust()));
    let stranger = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "AWS": "arn:aws:iam::123456789012:user/nobody" } }] });
    assert!(message(update(stranger.to_string()).send().await).starts_with("Invalid principal"));
    let friend = stranger.to_string().replace("nobody", "operator");
    assert_eq!(code(update(friend).send().await), "ok");
    assert_eq!(
        code(update(format!("{}{}", trust().to_json(), " ".repeat(3_000))).send().await),
        "ok",
        "white space is free"
    );

    let policy = publishing_policy(&config());
    let put = me.put_role_policy().role_name("publish").policy_name("sbi-publish").policy_document(policy.to_json());
    assert_eq!(code(put.send().await), "ok");
    let found = me.get_role_policy().role_name("publish").policy_name("sbi-publish").send().await.unwrap();
    assert_eq!(decoded(&found.policy_document), policy);
    assert_eq!(me.list_role_policies().role_name("publish").send().await.unwrap().policy_names, ["sbi-publish"]);
    let tag = iam::Tag::builder().key("more").value("").build().unwrap();
    assert_eq!(code(me.tag_role().role_name("publish").tags(tag).send().await), "ok");
    assert_eq!(me.get_role().role_name("publish").send().await.unwrap().role.unwrap().tags().len(), 2);
    assert_eq!(code(me.delete_role().role_name("publish").send().await), "DeleteConflict");
    assert_eq!(code(me.delete_role_policy().role_name("publish").policy_name("sbi-publish").send().await), "ok");
    assert_eq!(code(me.delete_role().role_name("publish").send().await), "ok");
    assert_eq!(
        code(me.put_role_policy().role_name("publish").policy_name("p").policy_document("{}").send().await),
        "NoSuchEntity"
    );
    assert!(aws.role_names().is_empty());
}

#[tokio::test]
async fn there_is_one_provider_per_url() {
    let aws = start();
    let me = operator(&aws).iam;
    assert_eq!(
        code(me.get_open_id_connect_provider().open_id_connect_provider_arn(PROVIDER).send().await),
        "NoSuchEntity"
    );
    assert_eq!(code(me.create_open_id_connect_provider().url("http://x.example").send().await), "ValidationError");
    let made = me.create_open_id_connect_provider().url(ISSUER).client_id_list("other").send().await.unwrap();
    assert_eq!(made.open_id_connect_provider_arn(), Some(PROVIDER));
    assert_eq!(code(me.create_open_id_connect_provider().url(ISSUER).send().await), "EntityAlreadyExists");
    let add = || {
        me.add_client_id_to_open_id_connect_provider()
            .open_id_connect_provider_arn(PROVIDER)
            .client_id("sts.amazonaws.com")
    };
    assert_eq!(code(add().send().await), "ok");
    assert_eq!(code(add().send().await), "ok", "twice is once");
    let found = me.get_open_id_connect_provider().open_id_connect_provider_arn(PROVIDER).send().await.unwrap();
    assert_eq!(found.url(), Some("token.actions.githubusercontent.com"));
    assert_eq!(found.client_id_list(), ["other", "sts.amazonaws.com"]);
    let listed = me.list_open_id_connect_providers().send().await.unwrap();
    assert_eq!(listed.open_id_connect_provider_list()[0].arn(), Some(PROVIDER));
    assert_eq!(aws.oidc_providers()["token.actions.githubusercontent.com"].len(), 2);
}
