//! What AWS refuses, and what the operator is told.

use std::collections::BTreeMap;

use sbi::failure::{Cause, ExitCode, Failure};
use sbi::model::names::{RoleName, UserName};
use sbi::model::registry::tag_mutability;
use sbi::sandbox::http::{Answer, Weather};

use super::{
    ACCOUNT, allow, connect, ecr_name, identity, json_error, operations, serve, tags, whole_text, xml, xml_error,
};

/// What the role's reader makes of an IAM answer.
async fn of_iam(answer: Answer) -> Failure {
    let server = serve(move |operation, _| match operation {
        "GetCallerIdentity" => identity(),
        _ => answer.clone(),
    });
    let aws = connect(&server.url()).await;
    aws.caller_identity().await.unwrap();
    aws.role(&RoleName::new("publisher").unwrap(), "sbi-publish").await.unwrap_err()
}

async fn of_ecr(answer: Answer) -> Failure {
    let server = serve(move |operation, _| match operation {
        "GetCallerIdentity" => identity(),
        _ => answer.clone(),
    });
    let aws = connect(&server.url()).await;
    aws.caller_identity().await.unwrap();
    aws.create_ecr_repository(&ecr_name("acme/base"), &tag_mutability(), &tags("acme/base")).await.unwrap_err()
}

#[tokio::test]
async fn a_denial_names_action_resource_and_the_statement_to_add() {
    let failure = of_iam(xml_error(403, "AccessDenied", "User ada is not authorized")).await;
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/publisher");
    let denied = |action: &str, resource: String| Cause::Denied { action: action.into(), resource: Some(resource) };
    assert_eq!(*failure.cause(), denied("iam:GetRole", arn.clone()));
    assert_eq!(failure.message(), format!("these AWS credentials may not iam:GetRole on {arn}"));
    assert_eq!(failure.reasons(), ["User ada is not authorized (AccessDenied, request iam-request-1)"]);
    assert_eq!(
        failure.hints()[0],
        format!(r#"allow it with the statement {{"Effect":"Allow","Action":"iam:GetRole","Resource":"{arn}"}}"#)
    );
    assert!(failure.hints()[1].contains("`sbi policy operator`"));
    assert_eq!(failure.exit_code(), ExitCode::Failed);

    let failure = of_ecr(json_error(400, "AccessDeniedException", "no")).await;
    let arn = format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/acme/base");
    assert_eq!(*failure.cause(), denied("ecr:CreateRepository", arn));
    assert!(failure.hints()[0].contains(r#""Action":["ecr:CreateRepository","ecr:TagResource"]"#));
}

#[tokio::test]
async fn credentials_that_aws_refuses_are_not_signed_in_and_say_what_to_do() {
    for (code, words) in [
        ("ExpiredToken", "the AWS credentials have expired"),
        ("InvalidClientTokenId", "AWS does not accept these credentials"),
        ("SignatureDoesNotMatch", "AWS refuses the signature"),
        ("RequestExpired", "AWS refuses the request's time"),
    ] {
        let failure = of_iam(xml_error(403, code, "canonical request: x-amz-security-token:canary")).await;
        assert_eq!(*failure.cause(), Cause::Unauthenticated, "{code}");
        assert_eq!(failure.exit_code(), ExitCode::NotSignedIn, "{code}");
        assert!(failure.message().starts_with(words) && failure.message().contains(code), "{failure}");
        assert!(!failure.hints().is_empty(), "{code}");
        assert!(!whole_text(&failure).contains("canary"), "{code} repeats what was signed");
    }
    for code in ["ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"] {
        let failure = of_ecr(json_error(400, code, "no")).await;
        assert_eq!(*failure.cause(), Cause::Unauthenticated, "{code}");
    }
}

#[tokio::test]
async fn other_refusals_keep_code_message_and_request_id() {
    let failure = of_iam(xml_error(400, "Weird", "the moon is full")).await;
    assert_eq!(*failure.cause(), Cause::Other);
    assert_eq!(
        failure.message(),
        "AWS IAM refuses iam:GetRole on the IAM role publisher: the moon is full (Weird, request iam-request-1)"
    );
    let failure = of_ecr(json_error(400, "LimitExceededException", "10,000 repositories")).await;
    assert!(failure.message().contains("quota"), "{failure}");
    assert_eq!(failure.reasons(), ["10,000 repositories (LimitExceededException, request ecr-request-1)"]);
    let failure = of_iam(xml_error(400, "ValidationError", "roleName: too long")).await;
    assert_eq!(*failure.cause(), Cause::Usage);
    let failure = of_iam(Answer::new(404, "text/html", "<html>not here</html>")).await;
    assert!(whole_text(&failure).contains("404"), "{}", whole_text(&failure));
}

#[tokio::test]
async fn throttling_is_retried_and_then_told_with_the_servers_own_wait() {
    let server = serve(|_, _| json_error(400, "ThrottlingException", "Rate exceeded").with("retry-after", "7"));
    let aws = connect(&server.url()).await;
    let failure = aws.ecr_repository(&ecr_name("acme/base")).await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Throttled { retry_after_seconds: Some(7) });
    assert_eq!(server.log().len(), 3);
}

#[tokio::test]
async fn a_server_error_is_retried_and_then_laid_at_the_servers_door() {
    let server = serve(|_, _| xml_error(500, "ServiceFailure", "try later"));
    let aws = connect(&server.url()).await;
    let failure = aws.user(&UserName::new("ada").unwrap(), "sbi-publish").await.unwrap_err();
    assert!(failure.message().contains("try later (ServiceFailure, request iam-request-1)"), "{failure}");
    assert!(failure.hints()[0].contains(&server.url()), "{:?}", failure.hints());
    assert_eq!(server.log().len(), 3);
}

#[tokio::test]
async fn one_bad_answer_among_good_ones_is_not_noticed() {
    let server = serve(|_, _| identity());
    for weather in [Weather::Instead(xml_error(503, "ServiceUnavailable", "busy")), Weather::ResetBefore] {
        server.set_forecast(move |number, _| if number == 0 { weather.clone() } else { Weather::Fair });
        connect(&server.url()).await.caller_identity().await.unwrap();
    }
}

#[tokio::test]
async fn creating_an_access_key_is_sent_once_whatever_happens() {
    let name = UserName::new("ada").unwrap();
    let server = serve(|_, _| xml_error(500, "ServiceFailure", "try later"));
    connect(&server.url()).await.create_access_key(&name).await.err().unwrap();
    assert_eq!(operations(&server), ["CreateAccessKey"]);

    let server = serve(|_, _| xml_error(200, "", ""));
    server.set_forecast(|_, _| Weather::ResetAfter);
    let failure = connect(&server.url()).await.create_access_key(&name).await.err().unwrap();
    assert_eq!(operations(&server), ["CreateAccessKey"]);
    assert_eq!(*failure.cause(), Cause::Unreachable);
    assert!(whole_text(&failure).contains("a key may have been created"), "{}", whole_text(&failure));
}

#[tokio::test]
async fn an_access_key_that_a_passing_limit_refused_is_asked_for_again() {
    let server = serve(|_, _| xml_error(500, "ServiceFailure", "try later"));
    server.set_forecast(|number, _| match number {
        0 | 1 => Weather::Instead(xml_error(400, "Throttling", "Rate exceeded")),
        _ => Weather::Fair,
    });
    connect(&server.url()).await.create_access_key(&UserName::new("ada").unwrap()).await.err().unwrap();
    assert_eq!(operations(&server), ["CreateAccessKey"], "asked for once more than refused, then no more");
}

#[tokio::test]
async fn a_lost_answer_to_a_creation_is_found_out_by_reading() {
    let server = serve(|operation, _| match operation {
        "GetUser" => xml(
            "GetUser",
            "<User><Path>/</Path><UserName>ada</UserName><UserId>i</UserId><Arn>arn</Arn>\
             <CreateDate>2026-01-01T00:00:00Z</CreateDate><Tags><member><Key>sbi:github-repository</Key>\
             <Value>acme/base</Value></member></Tags></User>",
        ),
        _ => xml_error(409, "EntityAlreadyExists", "by the first request"),
    });
    server.set_forecast(|number, _| match number {
        0 => Weather::ResetAfter,
        _ => Weather::Fair,
    });
    let name = UserName::new("ada").unwrap();
    connect(&server.url()).await.create_user(&name, &tags("acme/base")).await.unwrap();
    assert_eq!(operations(&server), ["CreateUser", "CreateUser", "GetUser"]);
}

#[tokio::test]
async fn a_role_that_iam_does_not_find_yet_is_waited_for() {
    let server = serve(|_, _| Answer::new(200, "text/xml", "<PutRolePolicyResponse/>"));
    server.set_forecast(|number, _| match number {
        0 | 1 => Weather::Instead(xml_error(404, "NoSuchEntity", "not yet")),
        _ => Weather::Fair,
    });
    let name = RoleName::new("new").unwrap();
    let aws = connect(&server.url()).await;
    aws.set_role_policy(&name, "sbi-publish", &allow("ecr:PutImage")).await.unwrap();
    assert_eq!(operations(&server), ["PutRolePolicy"]);
}

#[tokio::test]
async fn adding_an_audience_sends_exactly_that() {
    let server = serve(|_, _| Answer::new(200, "text/xml", "<AddClientIDToOpenIDConnectProviderResponse/>"));
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com");
    connect(&server.url()).await.add_oidc_audience(&arn, "sts.amazonaws.com").await.unwrap();
    let log = server.log();
    let form: BTreeMap<_, _> = url::form_urlencoded::parse(&log[0].request.body).into_owned().collect();
    assert_eq!(log.len(), 1);
    assert_eq!(form["Action"], "AddClientIDToOpenIDConnectProvider");
    assert_eq!(form["OpenIDConnectProviderArn"], arn);
    assert_eq!(form["ClientID"], "sts.amazonaws.com");
}
