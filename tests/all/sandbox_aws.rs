//! The stand-in for AWS, driven by AWS's own SDK: what works, what is refused and how, and where moto differs.
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no, in its support functions too")]

mod evaluator;
mod images;
mod parity;
mod permissions;
mod repositories;
mod roles;
mod sessions;
mod signatures;
mod users;

use std::sync::Arc;

use aws_sdk_ecr::types as ecr;
use aws_sdk_iam::error::ProvideErrorMetadata;
use jiff::Timestamp;
use sbi::model::config::Config;
use sbi::model::iam::{PolicyDocument, Statement, Values};
use sbi::model::identity::{SubjectContext, publishing_policy, trust_policy};
use sbi::model::names::{AccountId, EnvironmentName};
use sbi::model::observed::GithubIdentity;
use sbi::sandbox::aws::{AwsOptions, AwsStandIn};
use sbi::sandbox::oidc::OidcIssuer;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

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
