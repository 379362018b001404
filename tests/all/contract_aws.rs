//! The AWS adapter against moto, and against answers that moto can't give from a loopback server of our own.
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no, in its support functions too")]

mod against_moto;
mod bad_networks;
mod deletions;
mod environment;
mod new_keys;
mod preflight;
mod refusals;

use std::collections::BTreeMap;
use std::time::Duration;

use sbi::aws::{Aws, Pace, Settings, Timeouts};
use sbi::failure::Failure;
use sbi::model::iam::{PolicyDocument, Statement, Values};
use sbi::model::names::EcrRepositoryName;
use sbi::model::region::Region;
use sbi::model::secrets::AccessKey;
use sbi::sandbox::http::{Answer, Handler, Request, Server};
use serde_json::json;

const ACCOUNT: &str = "123456789012";

fn key() -> AccessKey {
    AccessKey::new("AKIAIOSFODNN7EXAMPLE".into(), "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into())
}

fn region() -> Region {
    Region::new("eu-central-1").unwrap()
}

fn at(endpoint: &str) -> Settings {
    Settings { profile: None, region: Some(region()), endpoint: Some(endpoint.into()), credentials: Some(key()) }
}

/// As patient as the program, but in milliseconds.
fn hasty() -> Pace {
    Pace {
        pauses: [1, 2, 4, 5].map(Duration::from_millis).to_vec(),
        key_deadline: Duration::from_millis(60),
        between_successes: Duration::ZERO,
        settling_deadline: Duration::from_millis(300),
        ..Pace::default()
    }
}

async fn connect(endpoint: &str) -> Aws {
    Aws::connect_with(at(endpoint), Timeouts::default(), hasty()).await.unwrap()
}

fn tags(owner: &str) -> BTreeMap<String, String> {
    [("sbi:github-repository".to_owned(), owner.to_owned())].into_iter().collect()
}

fn ecr_name(text: &str) -> EcrRepositoryName {
    EcrRepositoryName::new(text).unwrap()
}

fn allow(action: &str) -> PolicyDocument {
    PolicyDocument::new(vec![Statement::allow("One", Values::one(action), Values::one("*"))])
}

fn trust(repository: &str) -> PolicyDocument {
    let text = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com") },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub": format!("repo:{repository}:environment:50%+é"),
            } }
        }]
    });
    PolicyDocument::parse(&text.to_string()).unwrap()
}

fn whole_text(failure: &Failure) -> String {
    [vec![failure.message().to_owned()], failure.reasons(), failure.hints().to_vec()].concat().join("\n")
}

/// Answers by the name of the operation.
struct Scripted<F>(F);

impl<F: Fn(&str, &str) -> Answer + Send + Sync + 'static> Handler for Scripted<F> {
    fn answer(&self, request: &Request) -> Answer {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        (self.0)(&operation(request), &body)
    }
}

/// `CreateRepository`, from ECR's header or from the form of IAM and STS.
fn operation(request: &Request) -> String {
    if let Some(target) = request.header("x-amz-target") {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    url::form_urlencoded::parse(&request.body)
        .find(|(key, _)| key == "Action")
        .map(|(_, action)| action.into_owned())
        .unwrap_or_default()
}

fn serve(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Server {
    Server::start(Scripted(answer)).unwrap()
}

fn operations(server: &Server) -> Vec<String> {
    server.log().iter().map(|exchange| operation(&exchange.request)).collect()
}

fn json_error(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({ "__type": code, "message": message }).to_string();
    Answer::new(status, "application/x-amz-json-1.1", body).with("x-amzn-requestid", "ecr-request-1")
}

fn xml_error(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>iam-request-1</RequestId></ErrorResponse>"
    );
    Answer::new(status, "text/xml", body).with("x-amzn-requestid", "iam-request-1")
}

fn xml(operation: &str, result: &str) -> Answer {
    let body = format!(
        "<{operation}Response><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>iam-request-1</RequestId></ResponseMetadata></{operation}Response>"
    );
    Answer::new(200, "text/xml", body)
}

fn identity() -> Answer {
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/ada");
    xml("GetCallerIdentity", &format!("<Arn>{arn}</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account>"))
}

fn authorization() -> Answer {
    let body = json!({ "authorizationData": [{ "authorizationToken": "QVdTOnNlY3JldA==", "expiresAt": 1.0 }] });
    Answer::new(200, "application/x-amz-json-1.1", body.to_string())
}
