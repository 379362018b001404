//! Access keys that AWS does not know everywhere yet.

use std::collections::BTreeMap;
use std::sync::Mutex;

use sbi::failure::{Cause, Failure};
use sbi::model::secrets::AccessKey;
use sbi::sandbox::http::{Answer, Server};

use super::{authorization, connect, identity, json_error, operations, serve, whole_text, xml_error};

/// Refuses as `refuse` says for the n-th request to an operation, counted from 0.
fn young(refuse: impl Fn(&str, usize) -> Option<Answer> + Send + Sync + 'static) -> Server {
    let seen: Mutex<BTreeMap<String, usize>> = Mutex::default();
    serve(move |operation, _| {
        let number = {
            let mut seen = seen.lock().unwrap();
            let number = seen.entry(operation.to_owned()).or_default();
            *number += 1;
            *number - 1
        };
        refuse(operation, number).unwrap_or_else(|| match operation {
            "GetCallerIdentity" => identity(),
            _ => authorization(),
        })
    })
}

async fn wait(server: &Server) -> (Result<(), Failure>, Vec<String>) {
    let said = Mutex::new(Vec::new());
    let new = AccessKey::new("AKIANEW".into(), "new-secret-canary".into());
    let aws = connect(&server.url()).await;
    let result = aws.wait_until_key_works(&new, &|text| said.lock().unwrap().push(text)).await;
    let all = server.log().iter().all(|exchange| {
        exchange.request.header("authorization").is_some_and(|text| text.contains("Credential=AKIANEW/"))
    });
    assert!(all, "a request was signed with another key");
    (result, said.into_inner().unwrap())
}

#[tokio::test]
async fn must_work_three_times_in_a_row() {
    let server = young(|_, _| None);
    let (result, said) = wait(&server).await;
    result.unwrap();
    assert!(said.is_empty());
    assert_eq!(server.log().len(), 6);
}

#[tokio::test]
async fn are_waited_for_while_sts_or_ecr_does_not_know_them() {
    let server = young(|operation, number| match (operation, number) {
        ("GetCallerIdentity", 0) => Some(xml_error(403, "InvalidClientTokenId", "no")),
        ("GetAuthorizationToken", 1) => Some(json_error(400, "UnrecognizedClientException", "no")),
        // After a success: the next machine does not know it yet, so the count starts again.
        ("GetAuthorizationToken", 3) => Some(json_error(400, "AccessDeniedException", "no")),
        _ => None,
    });
    let (result, said) = wait(&server).await;
    result.unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("AKIANEW") && said[0].contains("at most"), "{said:?}");
    let identities = operations(&server).iter().filter(|name| *name == "GetCallerIdentity").count();
    assert!(identities >= 7, "{identities}");
}

#[tokio::test]
async fn are_given_up_after_the_deadline_without_calling_the_person_signed_out() {
    let server = young(|_, _| Some(xml_error(403, "InvalidClientTokenId", "no")));
    let (result, _) = wait(&server).await;
    let failure = result.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Other);
    assert!(failure.message().contains("AKIANEW"), "{failure}");
    assert!(!whole_text(&failure).contains("canary"));
}

#[tokio::test]
async fn fail_at_once_on_anything_else() {
    let server = young(|operation, _| {
        (operation == "GetAuthorizationToken").then(|| json_error(400, "ServerWeirdException", "no"))
    });
    let (result, said) = wait(&server).await;
    assert!(result.unwrap_err().message().starts_with("check the access key AKIANEW: "));
    assert!(said.is_empty());
}
