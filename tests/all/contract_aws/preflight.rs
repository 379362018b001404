//! What the operator may do, asked before the first write.

use sbi::failure::Cause;
use sbi::sandbox::http::Answer;

use super::{ACCOUNT, connect, operations, serve, xml, xml_error};

fn member(action: &str, decision: &str, missing: &str) -> String {
    format!(
        "<member><EvalActionName>{action}</EvalActionName><EvalResourceName>x</EvalResourceName>\
         <EvalDecision>{decision}</EvalDecision><MissingContextValues>{missing}</MissingContextValues></member>"
    )
}

fn simulated(members: &str) -> Answer {
    xml(
        "SimulatePrincipalPolicy",
        &format!("<EvaluationResults>{members}</EvaluationResults><IsTruncated>false</IsTruncated>"),
    )
}

/// Denies `iam:CreateRole` and, for want of a value, `iam:TagRole`.
fn judge(body: &str) -> Answer {
    let members = url::form_urlencoded::parse(body.as_bytes())
        .filter(|(key, _)| key.starts_with("ActionNames.member."))
        .map(|(_, action)| match &*action {
            "iam:CreateRole" => member(&action, "implicitDeny", ""),
            "iam:TagRole" => member(&action, "implicitDeny", "<member>aws:RequestTag/x</member>"),
            "ecr:CreateRepository" => member(&action, "explicitDeny", ""),
            _ => member(&action, "allowed", ""),
        })
        .collect::<String>();
    simulated(&members)
}

fn wanted() -> Vec<(&'static str, String)> {
    [
        ("iam:CreateRole", "arn:aws:iam::1:role/a"),
        ("iam:TagRole", "arn:aws:iam::1:role/a"),
        ("iam:GetRole", "arn:aws:iam::1:role/a"),
        ("ecr:CreateRepository", "arn:aws:ecr:eu-central-1:1:repository/b"),
        ("iam:GetRole", "arn:aws:iam::1:role/a"),
    ]
    .map(|(action, resource)| (action, resource.to_owned()))
    .to_vec()
}

#[tokio::test]
async fn denials_are_found_with_one_request_a_resource() {
    let server = serve(|_, body| judge(body));
    let caller = format!("arn:aws:iam::{ACCOUNT}:user/team/ada");
    let aws = connect(&server.url()).await;
    let mut denied = aws.denied_actions(&caller, &wanted()).await.unwrap().unwrap();
    denied.sort();
    assert_eq!(
        denied,
        [
            ("ecr:CreateRepository", "arn:aws:ecr:eu-central-1:1:repository/b"),
            ("iam:CreateRole", "arn:aws:iam::1:role/a"),
        ]
        .map(|(action, resource)| (action.to_owned(), resource.to_owned()))
    );
    assert_eq!(operations(&server), ["SimulatePrincipalPolicy"; 2]);
}

#[tokio::test]
async fn a_session_of_a_role_with_a_path_is_simulated_as_that_role() {
    const ARN: &str =
        "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef";
    let server = serve(|operation, body| match operation {
        "GetRole" => xml(
            "GetRole",
            &format!(
                "<Role><Path>/aws-reserved/sso.amazonaws.com/</Path><RoleName>r</RoleName><RoleId>i</RoleId>\
                 <Arn>{ARN}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>"
            ),
        ),
        _ if url::form_urlencoded::parse(body.as_bytes()).any(|(_, value)| value == ARN) => judge(body),
        _ => xml_error(404, "NoSuchEntity", "no such role"),
    });
    let caller = format!("arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ada@example.com");
    let denied = connect(&server.url()).await.denied_actions(&caller, &wanted()).await.unwrap().unwrap();
    assert_eq!(denied.len(), 2);
}

#[tokio::test]
async fn no_answer_stops_nobody() {
    let user = format!("arn:aws:iam::{ACCOUNT}:user/ada");
    for answer in [
        xml_error(403, "AccessDenied", "no"),
        xml_error(404, "NoSuchEntity", "no"),
        xml_error(501, "NotImplemented", "no"),
        Answer::new(500, "text/html", "oops"),
    ] {
        let server = serve(move |_, _| answer.clone());
        assert_eq!(connect(&server.url()).await.denied_actions(&user, &wanted()).await.unwrap(), None);
        assert!(server.log().len() <= 2, "retried");
    }
    let server = serve(|_, body| judge(body));
    let aws = connect(&server.url()).await;
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    assert_eq!(aws.denied_actions(&root, &wanted()).await.unwrap(), None);
    assert!(server.log().is_empty(), "root is never simulated");
}

#[tokio::test]
async fn credentials_that_have_expired_stop_everybody() {
    let server = serve(|_, _| xml_error(403, "ExpiredToken", "no"));
    let user = format!("arn:aws:iam::{ACCOUNT}:user/ada");
    let failure = connect(&server.url()).await.denied_actions(&user, &wanted()).await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Unauthenticated);
}
