//! The AWS adapter against moto, and against answers that moto can't give from a loopback server of our own.
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no, in its support functions too")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sbi::aws::{Aws, Pace, Settings, Timeouts};
use sbi::failure::{Cause, ExitCode, Failure};
use sbi::model::iam::{PolicyDocument, Statement, Values};
use sbi::model::names::{EcrRepositoryName, RoleName, UserName};
use sbi::model::observed::{EcrRepository, Encryption, TagMutability};
use sbi::model::region::Region;
use sbi::model::registry::{lifecycle_policy, tag_mutability};
use sbi::model::secrets::AccessKey;
use sbi::sandbox::http::{Answer, Handler, Request, Server, Weather};
use serde_json::json;

use crate::support::moto;

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
        creation_deadline: Duration::from_millis(15),
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

mod against_moto {
    use super::*;

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
    async fn a_setting_that_ecr_refuses_is_a_usage_failure_with_its_words() {
        let Some(url) = moto::url() else { return };
        let aws = connect(url).await;
        let name = ecr_name("contract/refused");
        aws.create_ecr_repository(&name, &tag_mutability(), &tags("acme/base")).await.unwrap();
        let failure = aws.set_ecr_lifecycle(&name, &json!({ "rule": [] })).await.unwrap_err();
        assert_eq!(*failure.cause(), Cause::Usage, "{}", whole_text(&failure));
        assert_eq!(
            failure.message(),
            "Amazon ECR refuses ecr:PutLifecyclePolicy on the ECR repository contract/refused"
        );
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
        let credentials =
            key.reveal(|secret| aws_sdk_ecr::config::Credentials::new(key.id(), secret, None, None, "test"));
        aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("eu-central-1"))
            .endpoint_url(url)
            .credentials_provider(aws_sdk_ecr::config::SharedCredentialsProvider::new(credentials))
            .build()
    }

    fn raw_ecr(url: &str) -> aws_sdk_ecr::Client {
        aws_sdk_ecr::Client::new(&raw_config(url))
    }

    fn raw_iam(url: &str) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&raw_config(url))
    }
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

mod refusals {
    use super::*;

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
}

mod bad_networks {
    use super::*;

    #[tokio::test]
    async fn a_refused_connection_names_service_and_endpoint() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let aws = connect(&endpoint).await;
        let failure = aws.ecr_repository(&ecr_name("acme/base")).await.unwrap_err();
        assert_eq!(*failure.cause(), Cause::Unreachable);
        assert_eq!(failure.message(), format!("can't reach Amazon ECR at {endpoint}"));
        assert!(failure.reasons()[0].contains("refused"), "{:?}", failure.reasons());
        assert_eq!(failure.exit_code(), ExitCode::Failed);
    }

    #[tokio::test]
    async fn an_unknown_host_is_unreachable() {
        let aws = connect("http://aws.invalid").await;
        let failure = aws.caller_identity().await.unwrap_err();
        assert_eq!(*failure.cause(), Cause::Unreachable, "{}", whole_text(&failure));
        assert_eq!(failure.message(), "can't reach AWS STS at http://aws.invalid");
    }

    #[tokio::test]
    async fn a_silent_server_ends_in_a_clear_message() {
        let server = serve(|_, _| identity());
        server.set_forecast(|_, _| Weather::Hang);
        let timeouts = Timeouts { attempt: Duration::from_millis(30), ..Timeouts::default() };
        let aws = Aws::connect_with(at(&server.url()), timeouts, hasty()).await.unwrap();
        let failure = aws.caller_identity().await.unwrap_err();
        assert_eq!(*failure.cause(), Cause::Unreachable, "{}", whole_text(&failure));
        assert_eq!(failure.message(), format!("AWS STS does not answer at {}", server.url()));

        // A connection that is taken from the queue by nobody.
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let timeouts = Timeouts { operation: Duration::from_millis(50), ..Timeouts::default() };
        let aws = Aws::connect_with(at(&endpoint), timeouts, hasty()).await.unwrap();
        let failure = aws.role(&RoleName::new("publisher").unwrap(), "sbi-publish").await.unwrap_err();
        assert_eq!(failure.message(), format!("AWS IAM does not answer at {endpoint}"));
    }

    #[tokio::test]
    async fn an_answer_that_is_not_of_aws_is_called_that() {
        let server = serve(|_, _| Answer::new(200, "text/html", "<html>sign in to the hotel</html>"));
        let aws = connect(&server.url()).await;
        let failure = aws.ecr_repository(&ecr_name("acme/base")).await.unwrap_err();
        assert!(failure.message().contains("no answer of AWS (status 200)"), "{}", whole_text(&failure));
        assert!(failure.message().contains(&server.url()), "{failure}");
        let failure = aws.caller_identity().await.unwrap_err();
        assert!(whole_text(&failure).contains("AWS STS"), "{}", whole_text(&failure));
    }

    #[test]
    fn the_programs_own_patience_is_bounded() {
        let Timeouts { connect, attempt, operation } = Timeouts::default();
        assert_eq!([connect, attempt, operation].map(|time| time.as_secs()), [5, 15, 60]);
        assert_eq!(Pace::default().key_deadline.as_secs(), 60);
    }
}

mod new_keys {
    use super::*;

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
}

mod preflight {
    use super::*;

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
        let caller =
            format!("arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ada@example.com");
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
}

/// What only the environment decides, each test in a process of its own: a process has one environment.
mod environment {
    use super::*;

    /// Runs the test `name` again, alone, in exactly this environment and a home of its own; true inside of that run.
    fn alone(name: &str, environment: &[(&str, &str)], config: &str) -> bool {
        if std::env::var_os("SBI_TEST_ALONE").is_some() {
            return true;
        }
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/config"), config).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("contract_aws::environment::{name}"), "--nocapture"])
            .env_clear()
            .env("HOME", home.path())
            .env("SBI_TEST_ALONE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("1 passed"), "no test of this name ran: {text}");
        false
    }

    fn variable(name: &str) -> String {
        std::env::var(name).unwrap()
    }

    /// The id of the access key that signed a request.
    fn signer(request: &Request) -> String {
        let header = request.header("authorization").unwrap_or_default();
        header.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned()
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "secret")];

    #[tokio::test]
    async fn no_credentials_at_all_say_how_to_get_some() {
        if !alone("no_credentials_at_all_say_how_to_get_some", &[], "") {
            return;
        }
        let aws = Aws::connect(Settings::default()).await.unwrap();
        assert_eq!(aws.detected_region(), None);
        let failure = aws.caller_identity().await.unwrap_err();
        assert_eq!(*failure.cause(), Cause::Unauthenticated, "{}", whole_text(&failure));
        assert_eq!(failure.message(), "no AWS credentials were found");
        assert!(failure.hints()[0].contains("aws configure"), "{:?}", failure.hints());
    }

    #[tokio::test]
    async fn a_profile_that_does_not_exist_is_named() {
        if !alone("a_profile_that_does_not_exist_is_named", &KEYS, "[profile real]\nregion = eu-west-1\n") {
            return;
        }
        let settings = Settings { profile: Some("unreal".into()), ..Settings::default() };
        let failure = Aws::connect(settings).await.unwrap().caller_identity().await.unwrap_err();
        assert_eq!(*failure.cause(), Cause::Unauthenticated);
        assert!(failure.message().contains("`unreal`"), "{}", whole_text(&failure));
        assert!(whole_text(&failure).contains("aws configure list-profiles"), "{}", whole_text(&failure));
    }

    #[tokio::test]
    async fn a_named_profile_wins_over_keys_in_the_environment() {
        let server = serve(|_, _| identity());
        let config = "[profile named]\nregion = eu-west-1\naws_access_key_id = AKIAPROFILE\n\
                      aws_secret_access_key = secret\n";
        let url = server.url();
        let environment = [KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL", url.as_str())];
        if !alone("a_named_profile_wins_over_keys_in_the_environment", &environment, config) {
            let signers: Vec<String> = server.log().iter().map(|exchange| signer(&exchange.request)).collect();
            assert_eq!(signers, ["AKIAPROFILE", "AKIAENV"]);
            return;
        }
        let settings = Settings { profile: Some("named".into()), ..Settings::default() };
        let aws = Aws::connect(settings).await.unwrap();
        assert_eq!(aws.detected_region().as_deref(), Some("eu-west-1"));
        aws.caller_identity().await.unwrap();
        Aws::connect(Settings::default()).await.unwrap().caller_identity().await.unwrap();
    }

    #[tokio::test]
    async fn a_new_key_is_tried_by_itself_not_by_the_callers_credentials() {
        let server = serve(|operation, _| match operation {
            "GetCallerIdentity" => identity(),
            _ => authorization(),
        });
        let url = server.url();
        let environment = [KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL", url.as_str())];
        if !alone("a_new_key_is_tried_by_itself_not_by_the_callers_credentials", &environment, "") {
            let signers: Vec<String> = server.log().iter().map(|exchange| signer(&exchange.request)).collect();
            assert_eq!(signers[0], "AKIAENV");
            assert_eq!(signers[1..], ["AKIANEW"; 6]);
            return;
        }
        let aws = Aws::connect_with(Settings::default(), Timeouts::default(), hasty()).await.unwrap();
        aws.caller_identity().await.unwrap();
        let new = AccessKey::new("AKIANEW".into(), "secret".into());
        aws.wait_until_key_works(&new, &|_| {}).await.unwrap();
    }

    #[tokio::test]
    async fn each_service_can_have_an_endpoint_of_its_own() {
        let (ecr, others) =
            (serve(|_, _| json_error(400, "RepositoryNotFoundException", "")), serve(|_, _| identity()));
        let (ecr_url, others_url) = (ecr.url(), others.url());
        let environment = [
            KEYS[0],
            KEYS[1],
            ("AWS_REGION", "ap-south-1"),
            ("AWS_ENDPOINT_URL_ECR", ecr_url.as_str()),
            ("AWS_ENDPOINT_URL", others_url.as_str()),
        ];
        if !alone("each_service_can_have_an_endpoint_of_its_own", &environment, "") {
            assert_eq!(operations(&ecr), ["DescribeRepositories"]);
            assert_eq!(operations(&others), ["GetCallerIdentity"]);
            return;
        }
        let aws = Aws::connect(Settings::default()).await.unwrap();
        assert_eq!(aws.detected_region().as_deref(), Some("ap-south-1"));
        assert_eq!(aws.ecr_repository(&ecr_name("acme/base")).await.unwrap(), None);
        aws.caller_identity().await.unwrap();
    }

    #[tokio::test]
    async fn a_proxy_is_used_except_for_hosts_that_need_none() {
        let (proxy, direct) = (serve(|_, _| identity()), serve(|_, _| identity()));
        let (proxy_url, direct_url) = (proxy.url(), direct.url());
        let environment = [
            KEYS[0],
            KEYS[1],
            ("HTTP_PROXY", proxy_url.as_str()),
            ("NO_PROXY", "127.0.0.1"),
            ("SBI_TEST_DIRECT", direct_url.as_str()),
        ];
        if !alone("a_proxy_is_used_except_for_hosts_that_need_none", &environment, "") {
            assert_eq!((proxy.log().len(), direct.log().len()), (1, 1));
            assert_eq!(proxy.log()[0].request.header("host"), Some("aws.invalid"));
            return;
        }
        for endpoint in ["http://aws.invalid".to_owned(), variable("SBI_TEST_DIRECT")] {
            let settings = Settings { endpoint: Some(endpoint), ..Settings::default() };
            Aws::connect(settings).await.unwrap().caller_identity().await.unwrap();
        }
    }

    #[tokio::test]
    async fn given_credentials_and_endpoint_ignore_the_environment() {
        let server = serve(|_, _| identity());
        let url = server.url();
        let environment = [
            KEYS[0],
            KEYS[1],
            ("AWS_REGION", "ap-south-1"),
            ("AWS_ENDPOINT_URL_STS", "http://aws.invalid"),
            ("HTTP_PROXY", "http://proxy.invalid:1"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
            ("SBI_TEST_SERVER", url.as_str()),
        ];
        if !alone("given_credentials_and_endpoint_ignore_the_environment", &environment, "not a [config file") {
            let signers: Vec<String> = server.log().iter().map(|exchange| signer(&exchange.request)).collect();
            assert_eq!(signers, ["AKIAIOSFODNN7EXAMPLE"]);
            return;
        }
        let aws = Aws::connect(at(&variable("SBI_TEST_SERVER"))).await.unwrap();
        assert_eq!(aws.detected_region().as_deref(), Some("eu-central-1"));
        aws.caller_identity().await.unwrap();
    }
}
