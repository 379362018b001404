//! The stand-in for AWS, driven by AWS's own SDK: what works, what is refused and how, and where moto differs.
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no, in its support functions too")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_ecr::types as ecr;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types as iam;
use jiff::Timestamp;
use sbi::model::config::Config;
use sbi::model::evaluation::{Call, Context, Decision, evaluate_identity, problems_in_trust_policy};
use sbi::model::iam::{PolicyDocument, Statement, Values};
use sbi::model::identity::{SubjectContext, publishing_policy, trust_policy};
use sbi::model::names::{AccountId, EnvironmentName};
use sbi::model::observed::GithubIdentity;
use sbi::model::registry::lifecycle_policy;
use sbi::sandbox::aws::{AwsOptions, AwsStandIn};
use sbi::sandbox::http::{Answer, Handler, Request, Server};
use sbi::sandbox::oidc::OidcIssuer;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{moto, tools};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";
const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

struct Clients {
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    ecr: aws_sdk_ecr::Client,
}

macro_rules! client {
    ($sdk:ident, $url:expr, $region:expr, $id:expr, $secret:expr, $token:expr) => {{
        let credentials = $sdk::config::Credentials::new($id, $secret, $token, None, "test");
        let config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new($region.to_owned()))
            .endpoint_url($url)
            .credentials_provider(credentials)
            .retry_config($sdk::config::retry::RetryConfig::disabled())
            .build();
        $sdk::Client::from_conf(config)
    }};
}

fn clients_in(region: &str, url: &str, id: &str, secret: &str, token: Option<String>) -> Clients {
    Clients {
        iam: client!(aws_sdk_iam, url, region, id, secret, token.clone()),
        sts: client!(aws_sdk_sts, url, region, id, secret, token.clone()),
        ecr: client!(aws_sdk_ecr, url, region, id, secret, token),
    }
}

fn clients(url: &str, id: &str, secret: &str, token: Option<String>) -> Clients {
    clients_in(REGION, url, id, secret, token)
}

fn start() -> AwsStandIn {
    AwsStandIn::start(AwsOptions::new(AccountId::new(ACCOUNT).unwrap())).unwrap()
}

fn operator(aws: &AwsStandIn) -> Clients {
    let key = aws.operator_credentials();
    key.reveal(|secret| clients(&aws.url(), key.id(), secret, None))
}

/// The error's code, or `ok`.
fn code<T, E: ProvideErrorMetadata>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "ok".into(),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}

fn message<T, E: ProvideErrorMetadata>(result: Result<T, E>) -> String {
    result.err().and_then(|error| error.message().map(str::to_owned)).unwrap_or_default()
}

fn decoded(document: &str) -> PolicyDocument {
    let text = percent_encoding::percent_decode_str(document).decode_utf8().unwrap();
    PolicyDocument::parse(&text).unwrap()
}

fn allow(actions: &[&str], resources: &[&str]) -> PolicyDocument {
    PolicyDocument::new(vec![Statement::allow(
        "One",
        Values::new(actions.iter().copied()),
        Values::new(resources.iter().copied()),
    )])
}

fn config() -> Config {
    Config::parse(
        r#"
        [github]
        repository = "acme/base"
        visibility = "public"
        [aws]
        account = "123456789012"
        region = "eu-central-1"
        [ecr]
        repository = "acme/base"
        [publish]
        auth = "oidc"
        images = ["static-go"]
        release = "v1.0.0"
        environment = "release"
        [publisher]
        name = "Acme"
        security-contact = "security@acme.example"
        "#,
    )
    .unwrap()
}

fn trust() -> PolicyDocument {
    let github = GithubIdentity {
        repository_id: 9,
        owner_id: 7,
        subject_prefix: "repo:acme@7/base@9".into(),
        default_branch: "main".into(),
    };
    let environment = SubjectContext::Environment(EnvironmentName::new("release").unwrap());
    trust_policy(&config(), &environment, &github)
}

/// The token of the job that may publish.
fn good_claims() -> Value {
    let now = Timestamp::now().as_second();
    json!({
        "iss": ISSUER, "aud": "sts.amazonaws.com", "sub": "repo:acme@7/base@9:environment:release",
        "repository": "acme/base", "repository_id": "9", "repository_owner": "acme", "repository_owner_id": "7",
        "ref": "refs/tags/v1.0.0", "ref_type": "tag", "environment": "release", "event_name": "release",
        "actor": "ann", "actor_id": "1", "workflow": "publish",
        "job_workflow_ref": "acme/base/.github/workflows/publish-to-ecr.yml@refs/tags/v1.0.0",
        "iat": now, "nbf": now - 5, "exp": now + 300, "jti": "1"
    })
}

async fn with_provider_and_role(aws: &AwsStandIn, me: &Clients) -> Arc<OidcIssuer> {
    let issuer = Arc::new(OidcIssuer::new().unwrap());
    aws.trust_github_issuer(Arc::clone(&issuer));
    me.iam.create_open_id_connect_provider().url(ISSUER).client_id_list("sts.amazonaws.com").send().await.unwrap();
    let role = me.iam.create_role().role_name("publish").assume_role_policy_document(trust().to_json());
    role.send().await.unwrap();
    me.iam
        .put_role_policy()
        .role_name("publish")
        .policy_name("sbi-publish")
        .policy_document(publishing_policy(&config()).to_json())
        .send()
        .await
        .unwrap();
    issuer
}

/// The job's clients, or the refusal's code and message.
async fn assume(aws: &AwsStandIn, token: &str) -> Result<Clients, (String, String)> {
    // The token is the proof: no key is needed, and none is looked at.
    let nobody = clients(&aws.url(), "nobody", "nothing", None);
    let answer = nobody
        .sts
        .assume_role_with_web_identity()
        .role_arn(format!("arn:aws:iam::{ACCOUNT}:role/publish"))
        .role_session_name("job")
        .web_identity_token(token)
        .send()
        .await
        .map_err(|error| {
            (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
        })?;
    let key = answer.credentials.unwrap();
    Ok(clients(&aws.url(), &key.access_key_id, &key.secret_access_key, Some(key.session_token)))
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

async fn create_repository(me: &Clients, name: &str) {
    me.ecr
        .create_repository()
        .repository_name(name)
        .image_tag_mutability(ecr::ImageTagMutability::ImmutableWithExclusion)
        .image_tag_mutability_exclusion_filters(
            ecr::ImageTagMutabilityExclusionFilter::builder()
                .filter("sha256-*")
                .filter_type(ecr::ImageTagMutabilityExclusionFilterType::Wildcard)
                .build()
                .unwrap(),
        )
        .image_scanning_configuration(ecr::ImageScanningConfiguration::builder().scan_on_push(true).build())
        .tags(ecr::Tag::builder().key("sbi:github-repository").value("acme/base").build().unwrap())
        .send()
        .await
        .unwrap();
}

async fn upload(me: &Clients, repository: &str, bytes: &[u8]) -> String {
    let id = me.ecr.initiate_layer_upload().repository_name(repository).send().await.unwrap().upload_id.unwrap();
    me.ecr
        .upload_layer_part()
        .repository_name(repository)
        .upload_id(&id)
        .part_first_byte(0)
        .part_last_byte(i64::try_from(bytes.len()).unwrap() - 1)
        .layer_part_blob(bytes.to_vec().into())
        .send()
        .await
        .unwrap();
    let done = me.ecr.complete_layer_upload().repository_name(repository).upload_id(id).layer_digests(digest(bytes));
    done.send().await.unwrap().layer_digest.unwrap()
}

fn manifest(config: &[u8], layer: &[u8]) -> String {
    let media = "application/vnd.oci.image.manifest.v1+json";
    json!({
        "schemaVersion": 2, "mediaType": media,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(layer), "size": layer.len() }]
    })
    .to_string()
}

async fn put_image(me: &Clients, repository: &str, manifest: &str, tag: Option<&str>) -> String {
    let put =
        me.ecr.put_image().repository_name(repository).image_manifest(manifest).set_image_tag(tag.map(Into::into));
    code(put.send().await)
}

#[tokio::test]
async fn the_operator_is_an_administrator_with_a_name() {
    let aws = start();
    let me = operator(&aws);
    let identity = me.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(identity.arn(), Some("arn:aws:iam::123456789012:user/operator"));
    assert_eq!(identity.account(), Some(ACCOUNT));
    assert!(identity.user_id().unwrap().starts_with("AIDA"));
    let user = me.iam.get_user().send().await.unwrap().user.unwrap();
    assert_eq!(user.user_name, "operator");
    assert!(aws.user_names().is_empty());
}

#[tokio::test]
async fn signatures_are_verified_and_their_refusals_are_the_services_own() {
    let aws = start();
    let key = aws.operator_credentials();
    let wrong = clients(&aws.url(), key.id(), "wrong", None);
    let unknown = clients(&aws.url(), "AKIAAAAAAAAAAAAAAAAA", "x", None);
    let as_session = key.reveal(|secret| clients(&aws.url(), key.id(), secret, Some("token".into())));
    assert_eq!(code(wrong.iam.get_user().send().await), "SignatureDoesNotMatch");
    assert_eq!(code(wrong.sts.get_caller_identity().send().await), "SignatureDoesNotMatch");
    assert_eq!(code(wrong.ecr.describe_repositories().send().await), "InvalidSignatureException");
    assert_eq!(code(unknown.iam.get_user().send().await), "InvalidClientTokenId");
    assert_eq!(code(unknown.ecr.describe_repositories().send().await), "UnrecognizedClientException");
    assert_eq!(code(as_session.sts.get_caller_identity().send().await), "InvalidClientTokenId");
    assert!(aws.performed().is_empty(), "nobody was let in, so nothing was asked");
}

/// Hands requests on to the stand-in with something changed on the way.
struct Meddler {
    to: String,
    change: fn(&mut Request),
}

impl Handler for Meddler {
    fn answer(&self, request: &Request) -> Answer {
        let mut request = request.clone();
        (self.change)(&mut request);
        send(&self.to, &request)
    }
}

/// One HTTP/1.1 exchange without any client's help.
fn send(to: &str, request: &Request) -> Answer {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(to.trim_start_matches("http://")).unwrap();
    let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        if !matches!(name.as_str(), "content-length" | "connection") {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", request.body.len()));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&request.body).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or("text/plain");
    Answer::new(status, kind, body)
}

#[tokio::test]
async fn a_request_that_was_changed_on_its_way_is_refused() {
    let aws = start();
    let key = aws.operator_credentials();
    let untouched: fn(&mut Request) = |_| {};
    let body: fn(&mut Request) = |request| {
        request.body = String::from_utf8_lossy(&request.body).replace("mallory", "malory").into_bytes();
    };
    let date: fn(&mut Request) = |request| {
        request.headers.insert("x-amz-date", "20200101T000000Z".parse().unwrap());
    };
    let extra: fn(&mut Request) = |request| {
        request.headers.insert("x-amz-extra", "1".parse().unwrap());
    };
    let unsigned: fn(&mut Request) = |request| {
        request.headers.remove("authorization");
    };
    let region: fn(&mut Request) = |request| {
        let changed = request.header("authorization").unwrap().replace("eu-central-1", "us-east-1");
        request.headers.insert("authorization", changed.parse().unwrap());
    };
    for (name, change, expected) in [
        ("untouched", untouched, "ok"),
        ("body", body, "SignatureDoesNotMatch"),
        ("date", date, "SignatureDoesNotMatch"),
        ("extra", extra, "SignatureDoesNotMatch"),
        ("region", region, "SignatureDoesNotMatch"),
        ("unsigned", unsigned, "MissingAuthenticationToken"),
    ] {
        let meddler = Server::start(Meddler { to: aws.url(), change }).unwrap();
        // The host is signed: it has to be what the stand-in sees.
        let me = key.reveal(|secret| clients(&meddler.url(), key.id(), secret, None));
        let made = me.iam.create_user().user_name("mallory").send().await;
        assert_eq!(code(made), expected, "{name}");
    }
    assert_eq!(aws.user_names().len(), 1);
}

#[tokio::test]
async fn a_signature_is_good_for_fifteen_minutes() {
    let aws = start();
    let key = aws.operator_credentials();
    for (minutes, expected) in [(0, 200), (14, 200), (16, 403), (600, 403)] {
        for early in [true, false] {
            let shift = Duration::from_secs(minutes * 60);
            let at = if early { SystemTime::now() - shift } else { SystemTime::now() + shift };
            let request = key.reveal(|secret| signed_at(at, &aws.url(), key.id(), secret));
            assert_eq!(send(&aws.url(), &request).status, expected, "{minutes} min, early: {early}");
        }
    }
}

/// `GetUser`, signed by AWS's own signer at a time of our choice.
fn signed_at(at: SystemTime, url: &str, id: &str, secret: &str) -> Request {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    let body = b"Action=GetUser&Version=2010-05-08";
    let host = url.trim_start_matches("http://");
    let identity = aws_sdk_iam::config::Credentials::new(id, secret, None, None, "test").into();
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("iam")
        .time(at)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers = [("host", host), ("content-type", "application/x-www-form-urlencoded")];
    let to_sign =
        SignableRequest::new("POST", format!("{url}/"), headers.into_iter(), SignableBody::Bytes(body)).unwrap();
    let (instructions, _) = sign(to_sign, &params).unwrap().into_parts();
    let mut request = Request {
        method: "POST".into(),
        path: "/".into(),
        query: String::new(),
        headers: Default::default(),
        body: body.to_vec(),
    };
    for (name, value) in headers.into_iter().chain(instructions.headers()) {
        let name: hyper::header::HeaderName = name.parse().unwrap();
        request.headers.insert(name, value.parse().unwrap());
    }
    request
}

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

#[tokio::test]
async fn one_token_of_thirteen_assumes_the_role() {
    let aws = start();
    let me = operator(&aws);
    let issuer = with_provider_and_role(&aws, &me).await;
    assert!(problems_in_trust_policy(&trust()).is_empty());
    let now = Timestamp::now().as_second();
    let changed = |claims: &[(&str, Value)]| {
        let mut token = good_claims();
        for (claim, value) in claims {
            match value {
                Value::Null => drop(token.as_object_mut().unwrap().remove(*claim)),
                value => token[*claim] = value.clone(),
            }
        }
        token
    };
    let refused = [
        ("wrong audience", changed(&[("aud", json!("sigstore"))]), "InvalidIdentityToken"),
        (
            "wrong environment",
            changed(&[("sub", json!("repo:acme@7/base@9:environment:staging")), ("environment", json!("staging"))]),
            "AccessDenied",
        ),
        (
            "other repository",
            changed(&[("sub", json!("repo:acme@7/other@8:environment:release")), ("repository_id", json!("8"))]),
            "AccessDenied",
        ),
        (
            "same names, other ids",
            changed(&[
                ("sub", json!("repo:acme@70/base@90:environment:release")),
                ("repository_id", json!("90")),
                ("repository_owner_id", json!("70")),
            ]),
            "AccessDenied",
        ),
        (
            "fork",
            changed(&[
                ("sub", json!("repo:mallory@66/base@67:environment:release")),
                ("repository_id", json!("67")),
                ("repository_owner_id", json!("66")),
            ]),
            "AccessDenied",
        ),
        ("branch", changed(&[("ref", json!("refs/heads/main")), ("ref_type", json!("branch"))]), "AccessDenied"),
        (
            "pull request",
            changed(&[("sub", json!("repo:acme@7/base@9:pull_request")), ("ref", json!("refs/pull/1/merge"))]),
            "AccessDenied",
        ),
        ("wrong issuer", changed(&[("iss", json!("https://token.example"))]), "InvalidIdentityToken"),
        ("expired", changed(&[("exp", json!(now - 1))]), "ExpiredTokenException"),
        ("not yet valid", changed(&[("nbf", json!(now + 300))]), "InvalidIdentityToken"),
        ("no subject", changed(&[("sub", Value::Null)]), "InvalidIdentityToken"),
        ("wrong owner id", changed(&[("repository_owner_id", json!("70"))]), "AccessDenied"),
    ];
    for (name, claims, expected) in refused {
        let (code, message) = assume(&aws, &issuer.sign(&claims).unwrap()).await.err().unwrap_or_default();
        assert_eq!(code, expected, "{name}: {message}");
        if code == "AccessDenied" {
            assert_eq!(message, "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        }
    }
    let good = issuer.sign(&good_claims()).unwrap();
    let job = assume(&aws, &good).await.map_err(|refusal| format!("{refusal:?}")).unwrap();
    let identity = job.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(identity.arn(), Some("arn:aws:sts::123456789012:assumed-role/publish/job"));

    let forged = OidcIssuer::new().unwrap().sign(&good_claims()).unwrap();
    assert_eq!(assume(&aws, &forged).await.err().unwrap().0, "InvalidIdentityToken");
    let (head, signature) = good.rsplit_once('.').unwrap();
    let tampered = format!("{}A.{signature}", &head[..head.len() - 1]);
    assert_eq!(assume(&aws, &tampered).await.err().unwrap().0, "InvalidIdentityToken");
    assert_eq!(assume(&aws, "nonsense").await.err().unwrap().0, "InvalidIdentityToken");
    let claims = |claim: &str, value: Value| issuer.sign(&changed(&[(claim, value)])).unwrap();
    // Claims that AWS does not evaluate change nothing.
    assert!(assume(&aws, &claims("event_name", json!("push"))).await.is_ok());
}

#[tokio::test]
async fn a_role_that_is_not_there_answers_like_one_that_does_not_trust() {
    let aws = start();
    let me = operator(&aws);
    let issuer = Arc::new(OidcIssuer::new().unwrap());
    let token = issuer.sign(&good_claims()).unwrap();
    assert_eq!(assume(&aws, &token).await.err().unwrap().0, "InvalidIdentityToken");
    aws.trust_github_issuer(issuer);
    assert!(assume(&aws, &token).await.err().unwrap().1.starts_with("No OpenIDConnect provider found"));
    me.iam.create_open_id_connect_provider().url(ISSUER).client_id_list("sts.amazonaws.com").send().await.unwrap();
    assert_eq!(assume(&aws, &token).await.err().unwrap().0, "AccessDenied");
}

#[tokio::test]
async fn a_session_ends_with_its_time_and_its_role() {
    let time = Arc::new(std::sync::Mutex::new(Timestamp::now()));
    let clock = {
        let time = Arc::clone(&time);
        Arc::new(move || *time.lock().unwrap())
    };
    let options = AwsOptions { clock, ..AwsOptions::new(AccountId::new(ACCOUNT).unwrap()) };
    let aws = AwsStandIn::start(options).unwrap();
    let me = operator(&aws);
    let issuer = with_provider_and_role(&aws, &me).await;
    let job = assume(&aws, &issuer.sign(&good_claims()).unwrap()).await.ok().unwrap();
    assert_eq!(code(job.ecr.get_authorization_token().send().await), "ok");
    me.iam.delete_role_policy().role_name("publish").policy_name("sbi-publish").send().await.unwrap();
    assert_eq!(code(job.ecr.get_authorization_token().send().await), "AccessDeniedException");
    *time.lock().unwrap() += jiff::SignedDuration::from_hours(2);
    assert_eq!(code(job.ecr.get_authorization_token().send().await), "ExpiredTokenException");
    assert_eq!(code(job.sts.get_caller_identity().send().await), "ExpiredToken");
}

#[tokio::test]
async fn a_role_made_anew_does_not_inherit_the_sessions_of_the_old_one() {
    let aws = start();
    let me = operator(&aws);
    let issuer = with_provider_and_role(&aws, &me).await;
    let job = assume(&aws, &issuer.sign(&good_claims()).unwrap()).await.ok().unwrap();
    me.iam.delete_role_policy().role_name("publish").policy_name("sbi-publish").send().await.unwrap();
    me.iam.delete_role().role_name("publish").send().await.unwrap();
    me.iam.create_role().role_name("publish").assume_role_policy_document(trust().to_json()).send().await.unwrap();
    let policy = publishing_policy(&config()).to_json();
    let put = me.iam.put_role_policy().role_name("publish").policy_name("sbi-publish").policy_document(policy);
    put.send().await.unwrap();
    assert_eq!(code(job.ecr.get_authorization_token().send().await), "AccessDeniedException");
    let fresh = assume(&aws, &issuer.sign(&good_claims()).unwrap()).await.ok().unwrap();
    assert_eq!(code(fresh.ecr.get_authorization_token().send().await), "ok");
}

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

#[tokio::test]
async fn images_are_what_their_digests_say_and_released_tags_do_not_move() {
    let aws = start();
    let me = operator(&aws);
    create_repository(&me, "acme/base").await;
    let name = "acme/base";
    let first = manifest(b"config", b"layer one");
    assert_eq!(put_image(&me, name, &first, Some("v1.0.0")).await, "LayersNotFoundException");
    let layer = upload(&me, name, b"layer one").await;
    upload(&me, name, b"layer two").await;
    upload(&me, name, b"config").await;
    let available = me
        .ecr
        .batch_check_layer_availability()
        .repository_name(name)
        .layer_digests(&layer)
        .layer_digests(digest(b"x"))
        .layer_digests("md5:1")
        .send()
        .await
        .unwrap();
    let states: Vec<&str> = available.layers().iter().map(|l| l.layer_availability().unwrap().as_str()).collect();
    assert_eq!(states, ["AVAILABLE", "UNAVAILABLE"]);
    assert_eq!(available.failures().len(), 1);

    assert_eq!(put_image(&me, name, &first, Some("v1.0.0")).await, "ok");
    assert_eq!(put_image(&me, name, &first, Some("v1.0.0")).await, "ImageAlreadyExistsException");
    assert_eq!(put_image(&me, name, &first, Some("sha256-abc.sig")).await, "ok");
    let second = manifest(b"config", b"layer two");
    assert_eq!(put_image(&me, name, &second, Some("v1.0.0")).await, "ImageTagAlreadyExistsException");
    assert_eq!(put_image(&me, name, &second, Some("sha256-abc.sig")).await, "ok", "signatures may move");
    assert_eq!(put_image(&me, name, &second, Some("not a tag")).await, "InvalidParameterException");
    assert_eq!(put_image(&me, name, "{}", Some("v2")).await, "InvalidParameterException");
    let tags = aws.image_tags(name).unwrap();
    assert_eq!(tags["v1.0.0"], digest(first.as_bytes()));
    assert_eq!(tags["sha256-abc.sig"], digest(second.as_bytes()));
    let lie =
        me.ecr.put_image().repository_name(name).image_manifest(&second).image_tag("v3").image_digest(digest(b"x"));
    assert_eq!(code(lie.send().await), "ImageDigestDoesNotMatchException");

    let index = |digest: String| {
        json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1 }]
        })
        .to_string()
    };
    assert_eq!(put_image(&me, name, &index(digest(b"nothing")), None).await, "ReferencedImagesNotFoundException");
    assert_eq!(put_image(&me, name, &index(digest(first.as_bytes())), Some("v1")).await, "ok");

    let by_tag = ecr::ImageIdentifier::builder().image_tag("v1.0.0").build();
    let missing = ecr::ImageIdentifier::builder().image_tag("v9").build();
    let got = me
        .ecr
        .batch_get_image()
        .repository_name(name)
        .image_ids(by_tag.clone())
        .image_ids(missing.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(got.images()[0].image_manifest(), Some(first.as_str()));
    assert_eq!(got.failures()[0].failure_code(), Some(&ecr::ImageFailureCode::ImageNotFound));
    let described = me.ecr.describe_images().repository_name(name).image_ids(by_tag).send().await.unwrap();
    assert_eq!(described.image_details()[0].image_digest(), Some(digest(first.as_bytes()).as_str()));
    assert_eq!(described.image_details()[0].image_size_in_bytes(), Some(9));
    let none = me.ecr.describe_images().repository_name(name).image_ids(missing).send().await.unwrap_err();
    assert!(none.as_service_error().unwrap().is_image_not_found_exception());
    let page = me.ecr.describe_images().repository_name(name).max_results(2).send().await.unwrap();
    let rest = me
        .ecr
        .describe_images()
        .repository_name(name)
        .max_results(2)
        .set_next_token(page.next_token)
        .send()
        .await
        .unwrap();
    assert_eq!((page.image_details.unwrap().len(), rest.image_details().len(), rest.next_token()), (2, 1, None));

    let link = me.ecr.get_download_url_for_layer().repository_name(name).layer_digest(&layer).send().await.unwrap();
    let path = link.download_url().unwrap().strip_prefix(&aws.url()).unwrap().to_owned();
    let mut request =
        Request { method: "GET".into(), path, query: String::new(), headers: Default::default(), body: Vec::new() };
    request.headers.insert("host", aws.url().trim_start_matches("http://").parse().unwrap());
    assert_eq!(send(&aws.url(), &request).body, b"layer one");
    request.path.push('x');
    assert_eq!(send(&aws.url(), &request).status, 403);
    assert_eq!(code(me.ecr.delete_repository().repository_name(name).send().await), "RepositoryNotEmptyException");
}

#[tokio::test]
async fn a_layer_is_taken_whole_or_not_at_all() {
    let aws = start();
    let me = operator(&aws);
    create_repository(&me, "acme/base").await;
    let name = "acme/base";
    upload(&me, name, b"known").await;
    let id = me.ecr.initiate_layer_upload().repository_name(name).send().await.unwrap().upload_id.unwrap();
    let complete = |id: &str, bytes: &[u8]| {
        me.ecr.complete_layer_upload().repository_name(name).upload_id(id).layer_digests(digest(bytes))
    };
    assert_eq!(code(complete(&id, b"x").send().await), "EmptyUploadException");
    let part = |first: i64, bytes: &[u8]| {
        let last = first + i64::try_from(bytes.len()).unwrap() - 1;
        me.ecr
            .upload_layer_part()
            .repository_name(name)
            .upload_id(&id)
            .part_first_byte(first)
            .part_last_byte(last)
            .layer_part_blob(bytes.to_vec().into())
    };
    assert_eq!(code(part(1, b"kn").send().await), "InvalidLayerPartException");
    assert_eq!(code(part(0, b"kn").send().await), "ok");
    assert_eq!(code(part(0, b"kn").send().await), "InvalidLayerPartException");
    assert_eq!(code(part(2, b"own").send().await), "ok");
    assert_eq!(code(complete(&id, b"known").send().await), "LayerPartTooSmallException");
    let id = me.ecr.initiate_layer_upload().repository_name(name).send().await.unwrap().upload_id.unwrap();
    let whole = me
        .ecr
        .upload_layer_part()
        .repository_name(name)
        .upload_id(&id)
        .part_first_byte(0)
        .part_last_byte(4)
        .layer_part_blob(b"known".to_vec().into());
    whole.send().await.unwrap();
    assert_eq!(code(complete(&id, b"other").send().await), "InvalidLayerException");
    assert_eq!(code(complete(&id, b"known").send().await), "LayerAlreadyExistsException");
    assert_eq!(code(complete("no-such-upload", b"known").send().await), "UploadNotFoundException");
}

#[tokio::test]
async fn what_the_stand_in_does_not_know_is_an_error_that_names_it() {
    let aws = start();
    let me = operator(&aws);
    let unknown = me.iam.list_users().send().await;
    assert_eq!(message(unknown), "the sandbox does not know the operation iam:ListUsers");
    assert_eq!(
        message(me.sts.get_session_token().send().await),
        "the sandbox does not know the operation sts:GetSessionToken"
    );
    let unknown = me.ecr.describe_registry().send().await;
    assert_eq!(message(unknown), "the sandbox does not know the operation ecr:DescribeRegistry");
    let stray = me.iam.list_access_keys().max_items(1).send().await;
    assert_eq!(message(stray), "the sandbox does not know the parameter MaxItems of ListAccessKeys");
}

#[tokio::test]
async fn another_partition_has_its_own_arns() {
    let options = AwsOptions {
        region: Some(sbi::model::region::Region::new("cn-north-1").unwrap()),
        ..AwsOptions::new(AccountId::new(ACCOUNT).unwrap())
    };
    let aws = AwsStandIn::start(options).unwrap();
    let key = aws.operator_credentials();
    let me = key.reveal(|secret| clients_in("cn-north-1", &aws.url(), key.id(), secret, None));
    let identity = me.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(identity.arn(), Some("arn:aws-cn:iam::123456789012:user/operator"));
    let made = me.ecr.create_repository().repository_name("acme/base").send().await.unwrap().repository.unwrap();
    assert_eq!(made.repository_uri(), Some("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/acme/base"));
}

/// What both must agree on: a step's name and its outcome, `ok`, an error code or a fact that was read back.
async fn scenario(me: &Clients, unique: &str) -> Vec<(&'static str, String)> {
    let mut told = Vec::new();
    let repository = format!("parity/{unique}");
    let user = format!("parity-{unique}");
    let provider_url = format!("https://{unique}.example");
    let mut tell = |step, outcome: String| told.push((step, outcome));

    tell(
        "describe a missing repository",
        code(me.ecr.describe_repositories().repository_names(&repository).send().await),
    );
    let create = || {
        me.ecr
            .create_repository()
            .repository_name(&repository)
            .image_tag_mutability(ecr::ImageTagMutability::ImmutableWithExclusion)
            .image_tag_mutability_exclusion_filters(
                ecr::ImageTagMutabilityExclusionFilter::builder()
                    .filter("sha256-*")
                    .filter_type(ecr::ImageTagMutabilityExclusionFilterType::Wildcard)
                    .build()
                    .unwrap(),
            )
            .image_scanning_configuration(ecr::ImageScanningConfiguration::builder().scan_on_push(true).build())
            .tags(ecr::Tag::builder().key("owner").value("a/b").build().unwrap())
    };
    tell("create a repository", code(create().send().await));
    tell("create it twice", code(create().send().await));
    let found = me.ecr.describe_repositories().repository_names(&repository).send().await.unwrap();
    let found = &found.repositories()[0];
    tell("its ARN", found.repository_arn().unwrap().replace(unique, "X"));
    tell("its URI", found.repository_uri().unwrap().replace(unique, "X"));
    tell("its mutability", found.image_tag_mutability().unwrap().as_str().into());
    tell("its filters", found.image_tag_mutability_exclusion_filters().iter().map(|f| f.filter()).collect());
    tell("its scanning", found.image_scanning_configuration().unwrap().scan_on_push().to_string());
    tell("its encryption", found.encryption_configuration().unwrap().encryption_type().as_str().into());
    let tags = me.ecr.list_tags_for_resource().resource_arn(found.repository_arn().unwrap()).send().await.unwrap();
    tell("its tags", tags.tags().iter().map(|tag| format!("{}={}", tag.key(), tag.value())).collect());
    tell("a bad repository name", code(me.ecr.create_repository().repository_name("Parity").send().await));
    tell(
        "a repository name of one character",
        code(me.ecr.create_repository().repository_name(&unique[..1]).send().await),
    );
    tell("no lifecycle policy", code(me.ecr.get_lifecycle_policy().repository_name(&repository).send().await));
    let lifecycle = |policy: &Value| {
        me.ecr.put_lifecycle_policy().repository_name(&repository).lifecycle_policy_text(policy.to_string())
    };
    tell("put a lifecycle policy", code(lifecycle(&lifecycle_policy()).send().await));
    let mut doubled = lifecycle_policy();
    let rule = doubled["rules"][0].clone();
    doubled["rules"].as_array_mut().unwrap().push(rule);
    tell("put one with a priority twice", code(lifecycle(&doubled).send().await));
    tell("put the first again", code(lifecycle(&lifecycle_policy()).send().await));
    let text = me.ecr.get_lifecycle_policy().repository_name(&repository).send().await.unwrap().lifecycle_policy_text;
    let same = serde_json::from_str::<Value>(&text.unwrap()).unwrap() == lifecycle_policy();
    tell("the lifecycle policy read back", same.to_string());
    let mutable = me.ecr.put_image_tag_mutability().repository_name(&repository);
    tell("change mutability", code(mutable.image_tag_mutability(ecr::ImageTagMutability::Immutable).send().await));
    let scan = ecr::ImageScanningConfiguration::builder().scan_on_push(false).build();
    let scanning = me.ecr.put_image_scanning_configuration().repository_name(&repository);
    tell("change scanning", code(scanning.image_scanning_configuration(scan).send().await));
    tell("an authorization token", code(me.ecr.get_authorization_token().send().await));
    tell("delete the repository", code(me.ecr.delete_repository().repository_name(&repository).send().await));

    tell("get a missing user", code(me.iam.get_user().user_name(&user).send().await));
    tell("create a user", code(me.iam.create_user().user_name(&user).send().await));
    tell("create it twice", code(me.iam.create_user().user_name(&user).send().await));
    let policy = allow(&["ecr:GetAuthorizationToken"], &["*"]);
    let put = |document: String| me.iam.put_user_policy().user_name(&user).policy_name("p").policy_document(document);
    tell("get a missing user policy", code(me.iam.get_user_policy().user_name(&user).policy_name("p").send().await));
    tell("put a user policy", code(put(policy.to_json()).send().await));
    let found = me.iam.get_user_policy().user_name(&user).policy_name("p").send().await.unwrap();
    tell("the user policy read back", (decoded(&found.policy_document) == policy).to_string());
    tell("a policy that is no JSON", code(put("{".into()).send().await));
    let with_principal = policy.to_json().replace("\"Resource\"", "\"Principal\":\"*\",\"Resource\"");
    tell("a policy with a principal", code(put(with_principal).send().await));
    let key = me.iam.create_access_key().user_name(&user).send().await.unwrap().access_key.unwrap();
    tell("a second key", code(me.iam.create_access_key().user_name(&user).send().await));
    tell("a third key", code(me.iam.create_access_key().user_name(&user).send().await));
    let listed = me.iam.list_access_keys().user_name(&user).send().await.unwrap();
    tell("keys listed", listed.access_key_metadata().len().to_string());
    let used = me.iam.get_access_key_last_used().access_key_id(&key.access_key_id).send().await.unwrap();
    tell("whose key", used.user_name.unwrap().replace(unique, "X"));
    tell("delete a user with keys", code(me.iam.delete_user().user_name(&user).send().await));
    tell(
        "delete a key",
        code(me.iam.delete_access_key().user_name(&user).access_key_id(&key.access_key_id).send().await),
    );
    tell(
        "delete it twice",
        code(me.iam.delete_access_key().user_name(&user).access_key_id(&key.access_key_id).send().await),
    );

    let provider = || me.iam.create_open_id_connect_provider().url(&provider_url).client_id_list("a");
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{unique}.example");
    tell(
        "get a missing provider",
        code(me.iam.get_open_id_connect_provider().open_id_connect_provider_arn(&arn).send().await),
    );
    tell("create a provider", code(provider().send().await));
    tell("create it twice", code(provider().send().await));
    let found = me.iam.get_open_id_connect_provider().open_id_connect_provider_arn(&arn).send().await.unwrap();
    tell("its URL", found.url().unwrap().replace(unique, "X"));
    tell("its audiences", found.client_id_list().concat());

    let role = |document: String| me.iam.create_role().role_name(&user).assume_role_policy_document(document);
    tell("get a missing role", code(me.iam.get_role().role_name(&user).send().await));
    let without_subject = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": { "Federated": PROVIDER }
    }] });
    tell("a trust policy without a subject", code(role(without_subject.to_string()).send().await));
    let _ = me.iam.delete_role().role_name(&user).send().await;
    tell("create a role", code(role(trust().to_json()).send().await));
    tell("create it twice", code(role(trust().to_json()).send().await));
    let found = me.iam.get_role().role_name(&user).send().await.unwrap().role.unwrap();
    tell("the trust policy read back", (decoded(found.assume_role_policy_document().unwrap()) == trust()).to_string());
    tell("its longest session", found.max_session_duration().unwrap_or_default().to_string());
    let put = me.iam.put_role_policy().role_name(&user).policy_name("p").policy_document(policy.to_json());
    tell("put a role policy", code(put.send().await));
    tell("delete a role with a policy", code(me.iam.delete_role().role_name(&user).send().await));
    let update = me.iam.update_assume_role_policy().role_name(&user).policy_document(trust().to_json());
    tell("update the trust", code(update.send().await));
    tell("a missing role policy", code(me.iam.get_role_policy().role_name(&user).policy_name("q").send().await));
    told
}

/// Where moto 5.2.5 and the stand-in part, and why the stand-in is right.
const DIFFERENCES: [(&str, &str); 4] = [
    ("a repository name of one character", "ECR wants 2 to 256 characters; moto takes it"),
    ("put one with a priority twice", "ECR refuses a doubled rulePriority; moto keeps it"),
    ("a policy with a principal", "IAM refuses a principal in an identity policy; moto keeps it"),
    ("a trust policy without a subject", "IAM refuses a GitHub trust that ignores `sub`; moto reads no trust policy"),
];

#[tokio::test]
async fn moto_answers_the_same_but_for_what_is_listed() {
    let Some(url) = moto::url() else { return };
    let theirs = scenario(&clients(url, "AKIAIOSFODNN7EXAMPLE", "secret", None), "parityrun").await;
    let aws = start();
    let ours = scenario(&operator(&aws), "parityrun").await;
    let differences: BTreeMap<&str, (&str, &str)> = ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, theirs)| ours != theirs)
        .map(|(ours, theirs)| (ours.0, (ours.1.as_str(), theirs.1.as_str())))
        .collect();
    let listed: Vec<&str> = DIFFERENCES.iter().map(|(step, _)| *step).collect();
    let unlisted: Vec<_> = differences.iter().filter(|(step, _)| !listed.contains(step)).collect();
    assert!(unlisted.is_empty(), "step → (ours, moto's): {unlisted:#?}");
    for (step, reason) in DIFFERENCES {
        assert!(differences.contains_key(step), "{step} differs no longer ({reason}): take it off the list");
    }
}

/// Another SDK signs and reads in its own way.
const PYTHON: &str = r#"
import json, os, sys
import boto3, botocore.exceptions

def client(service):
    return boto3.client(service, endpoint_url=os.environ["URL"], region_name="eu-central-1")

def told(call, **arguments):
    try:
        call(**arguments)
        return "ok"
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]

iam, sts, ecr = client("iam"), client("sts"), client("ecr")
policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}]})
out = [
    sts.get_caller_identity()["Arn"],
    told(iam.create_user, UserName="py", Tags=[{"Key": "a", "Value": "b c"}]),
    told(iam.create_user, UserName="py"),
    told(iam.put_user_policy, UserName="py", PolicyName="p", PolicyDocument=policy),
    iam.get_user_policy(UserName="py", PolicyName="p")["PolicyDocument"]["Statement"][0]["Action"],
    told(iam.get_role, RoleName="none"),
    told(ecr.create_repository, repositoryName="py/base", tags=[{"Key": "a", "Value": "b"}]),
    told(ecr.create_repository, repositoryName="py/base"),
    ecr.describe_repositories(repositoryNames=["py/base"])["repositories"][0]["createdAt"].year > 2000,
    told(ecr.get_lifecycle_policy, repositoryName="py/base"),
    ecr.get_authorization_token()["authorizationData"][0]["proxyEndpoint"],
]
json.dump(out, sys.stdout)
"#;

#[test]
fn the_python_sdk_is_understood_as_well() {
    let Some(python) = tools::python_tool("python") else { return };
    let aws = start();
    let key = aws.operator_credentials();
    let output = key.reveal(|secret| {
        Command::new(python)
            .args(["-c", PYTHON])
            .env_clear()
            .env("URL", aws.url())
            .env("AWS_ACCESS_KEY_ID", key.id())
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .output()
            .unwrap()
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!([
        "arn:aws:iam::123456789012:user/operator",
        "ok",
        "EntityAlreadyExists",
        "ok",
        "ecr:*",
        "NoSuchEntity",
        "ok",
        "RepositoryAlreadyExistsException",
        true,
        "LifecyclePolicyNotFoundException",
        "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com"
    ]);
    assert_eq!(told, expected);
}

/// A policy, a call and its context, drawn so that about half of the parts fit one another.
fn questions(count: usize) -> Vec<Value> {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let name = || prop_oneof![Just("acme/base"), Just("acme/other"), Just("acme/bases"), Just("base")];
    let arn = |name: &str| format!("arn:aws:ecr:eu-central-1:123456789012:repository/{name}");
    let pattern = prop_oneof![
        Just("*".to_owned()),
        name().prop_map(arn),
        Just(arn("acme/*")),
        Just(arn("acme/base?")),
        Just(arn("*base")),
        Just(arn("${aws:PrincipalTag/team}/*")),
        Just("arn:aws:ecr:*:123456789012:repository/*".to_owned()),
    ];
    let action = || prop_oneof![Just("ecr:PutImage"), Just("ecr:DescribeImages"), Just("ecr:DeleteRepository")];
    let action_pattern = prop_oneof![action(), Just("ecr:*"), Just("ECR:Put*"), Just("ecr:D?scribe*"), Just("*")];
    let value = || prop_oneof![Just("acme"), Just("Acme"), Just("ac*"), Just("other"), Just("5"), Just("true")];
    let operator = prop_oneof![
        prop::sample::select(vec![
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringEqualsIfExists",
            "StringLikeIfExists",
            "StringNotEqualsIfExists",
        ]),
        prop::sample::select(vec![
            "ForAllValues:StringEquals",
            "ForAnyValue:StringEquals",
            "ForAllValues:StringLike",
            "ForAnyValue:StringLike",
        ]),
    ];
    let condition = (operator, prop::collection::vec(value(), 1..3)).prop_map(|(operator, values)| {
        let key = if operator.starts_with("For") { "aws:TagKeys" } else { "aws:PrincipalTag/team" };
        json!({ operator: { key: values } })
    });
    let statement =
        (prop::bool::weighted(0.7), action_pattern, pattern, prop::option::of(condition), prop::bool::weighted(0.2));
    let statement = statement.prop_map(|(allow, action, resource, condition, negated)| {
        let mut statement = json!({
            "Effect": if allow { "Allow" } else { "Deny" },
            "Action": action,
            if negated { "NotResource" } else { "Resource" }: resource,
        });
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    });
    let context = (prop::option::of(value()), prop::option::of(prop::collection::vec(value(), 1..3)));
    let question = (prop::collection::vec(statement, 1..4), action(), name().prop_map(arn), context);
    let question = question.prop_map(|(statements, action, resource, (team, keys))| {
        let mut context = json!({});
        if let Some(team) = team {
            context["aws:PrincipalTag/team"] = json!(team);
        }
        if let Some(keys) = keys {
            context["aws:TagKeys"] = json!(keys);
        }
        let policy = json!({ "Version": "2012-10-17", "Statement": statements });
        json!({ "policy": policy, "action": action, "resource": resource, "context": context })
    });
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| question.new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn the_evaluator_decides_as_an_engine_that_is_not_ours() {
    if tools::node_package("@cloud-copilot/iam-simulate").is_none() {
        return;
    }
    let Some(node) = tools::system_tool("node") else { return };
    let questions = questions(3_000);
    let mut child = Command::new(node)
        .arg(tools::root().join("tests/tools/iam-evaluate.mjs"))
        .arg(tools::root().join(".tools/node/node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(json!(questions).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let theirs: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differences = Vec::new();
    for (question, theirs) in questions.iter().zip(&theirs) {
        let policy = PolicyDocument::parse(&question["policy"].to_string()).unwrap();
        let context: Context = question["context"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (key.clone(), value.as_array().map_or_else(|| vec![text(value)], |all| all.iter().map(text).collect()))
            })
            .collect();
        let (action, resource) = (question["action"].as_str().unwrap(), question["resource"].as_str().unwrap());
        let ours = match evaluate_identity(&[&policy], &Call { action, resource, context: &context }) {
            Decision::Allowed { .. } => "Allowed",
            Decision::ImplicitlyDenied => "ImplicitlyDenied",
            Decision::ExplicitlyDenied { .. } => "ExplicitlyDenied",
        };
        *counts.entry(ours).or_default() += 1;
        // A `Deny` on everything but a variable without a value: that engine drops the statement, ours refuses, since
        // AWS does not say which.
        let is_open = |statement: &Value| {
            statement["Effect"] == "Deny" && statement["NotResource"].as_str().is_some_and(|text| text.contains("${"))
        };
        let open = !context.contains_key("aws:PrincipalTag/team")
            && question["policy"]["Statement"].as_array().unwrap().iter().any(is_open);
        if ours != theirs && !(open && ours == "ExplicitlyDenied") {
            differences.push(format!("ours {ours}, theirs {theirs}: {question}"));
        }
    }
    assert_eq!(theirs.len(), questions.len());
    assert!(counts.len() == 3 && counts.values().all(|count| *count > 300), "a lopsided draw: {counts:?}");
    assert!(
        differences.is_empty(),
        "{} differences, first: {:#?}",
        differences.len(),
        &differences[..3.min(differences.len())]
    );
}
