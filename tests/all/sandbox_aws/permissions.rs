//! What each identity may do, and the simulator that says so before the call.

use aws_sdk_ecr::types as ecr;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types as iam;
use sbi::model::iam::{PolicyDocument, Statement, Values};

use super::{
    ACCOUNT, REGION, allow, assume, clients_in, code, create_repository, good_claims, manifest, message, operator,
    put_image, start, upload, with_provider_and_role,
};

#[tokio::test]
async fn the_publishing_role_pushes_to_its_repository_and_does_nothing_else() {
    let aws = start();
    let me = operator(&aws);
    let issuer = with_provider_and_role(&aws, &me).await;
    create_repository(&me, "acme/base").await;
    create_repository(&me, "acme/other").await;
    let job = assume(&aws, &issuer.sign(&good_claims()).unwrap()).await.ok().unwrap();
    let before = aws.performed().len();
    upload(&job, "acme/base", b"config").await;
    upload(&job, "acme/base", b"layer").await;
    assert_eq!(put_image(&job, "acme/base", &manifest(b"config", b"layer"), Some("v1.0.0")).await, "ok");
    assert_eq!(aws.image_tags("acme/base").unwrap().len(), 1);
    assert!(aws.performed()[before..].iter().all(|call| call.allowed));

    let refused = job.ecr.initiate_layer_upload().repository_name("acme/other").send().await;
    assert_eq!(
        message(refused),
        "User: arn:aws:sts::123456789012:assumed-role/publish/job is not authorized to perform: ecr:InitiateLayerUpload \
         on resource: arn:aws:ecr:eu-central-1:123456789012:repository/acme/other because no identity-based policy \
         allows the ecr:InitiateLayerUpload action"
    );
    assert_eq!(
        code(job.ecr.delete_repository().repository_name("acme/base").force(true).send().await),
        "AccessDeniedException"
    );
    assert_eq!(code(job.ecr.create_repository().repository_name("acme/new").send().await), "AccessDeniedException");
    assert_eq!(code(job.iam.create_user().user_name("x").send().await), "AccessDenied");
    assert_eq!(code(job.iam.get_role().role_name("publish").send().await), "AccessDenied");
    let other_region = clients_in("us-east-1", &aws.url(), "AKIA", "x", None);
    assert_eq!(code(other_region.ecr.describe_repositories().send().await), "UnrecognizedClientException");
}

#[tokio::test]
async fn an_operator_with_few_rights_is_told_which_one_is_missing() {
    let aws = start();
    let me = operator(&aws);
    let arn = format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/acme/base");
    aws.set_operator_policy(allow(&["ecr:CreateRepository"], &[&arn]));
    let tag = ecr::Tag::builder().key("a").value("b").build().unwrap();
    let create = me.ecr.create_repository().repository_name("acme/base").tags(tag).send().await;
    assert!(message(create).contains("not authorized to perform: ecr:TagResource"));
    assert!(aws.repository_names().is_empty(), "a refused call leaves nothing behind");
    let asked: Vec<(String, bool)> = aws.performed().into_iter().map(|call| (call.action, call.allowed)).collect();
    assert_eq!(asked, [("ecr:CreateRepository".into(), true), ("ecr:TagResource".into(), false)]);
    assert_eq!(code(me.ecr.create_repository().repository_name("acme/base").send().await), "ok");
    let create = me.iam.create_user().user_name("ci").send().await.unwrap_err();
    let SdkError::ServiceError(refused) = &create else { panic!("an answer was expected") };
    assert_eq!(refused.raw().status().as_u16(), 403);
    assert_eq!(create.code(), Some("AccessDenied"));
    assert_eq!(code(me.sts.get_caller_identity().send().await), "ok", "nobody can forbid this one");

    let mut denied = allow(&["*"], &["*"]);
    denied.statements.push(Statement {
        effect: sbi::model::iam::Effect::Deny,
        ..Statement::allow("No", Values::one("iam:*"), Values::one("*"))
    });
    aws.set_operator_policy(denied);
    assert!(
        message(me.iam.create_user().user_name("ci").send().await)
            .ends_with("with an explicit deny in an identity-based policy")
    );
    // Conditions on the request's own tags.
    let tagged = PolicyDocument::new(vec![
        Statement::allow("Tagged", Values::new(["iam:CreateUser", "iam:TagUser"]), Values::one("*")).when(
            "StringEquals",
            "aws:RequestTag/team",
            Values::one("base"),
        ),
    ]);
    aws.set_operator_policy(tagged);
    assert_eq!(code(me.iam.create_user().user_name("ci").send().await), "AccessDenied");
    let tag = iam::Tag::builder().key("team").value("base").build().unwrap();
    assert_eq!(code(me.iam.create_user().user_name("ci").tags(tag).send().await), "ok");
}

#[tokio::test]
async fn the_simulator_answers_what_the_call_would() {
    let aws = start();
    let me = operator(&aws);
    aws.set_operator_policy(allow(
        &["iam:SimulatePrincipalPolicy", "ecr:CreateRepository"],
        &["arn:aws:iam::*", "arn:aws:ecr:*:*:repository/acme/*"],
    ));
    let simulate = |arn: &str| {
        me.iam
            .simulate_principal_policy()
            .policy_source_arn(arn)
            .action_names("ecr:CreateRepository")
            .action_names("ecr:DeleteRepository")
            .resource_arns(format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/acme/base"))
    };
    let answer = simulate("arn:aws:iam::123456789012:user/operator").send().await.unwrap();
    let decisions: Vec<(&str, &str)> =
        answer.evaluation_results().iter().map(|r| (r.eval_action_name(), r.eval_decision().as_str())).collect();
    assert_eq!(decisions, [("ecr:CreateRepository", "allowed"), ("ecr:DeleteRepository", "implicitDeny")]);
    assert!(!answer.is_truncated);
    assert_eq!(code(simulate("arn:aws:iam::123456789012:user/nobody").send().await), "NoSuchEntity");
    assert_eq!(code(simulate("arn:aws:iam::123456789012:root").send().await), "InvalidInput");
    aws.set_operator_policy(allow(&["ecr:*"], &["*"]));
    assert_eq!(code(simulate("arn:aws:iam::123456789012:user/operator").send().await), "AccessDenied");
}
