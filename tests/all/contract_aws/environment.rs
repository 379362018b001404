//! What only the environment decides, each test in a process of its own: a process has one environment.

use std::process::Command;

use sbi::aws::{Aws, Settings, Timeouts};
use sbi::failure::Cause;
use sbi::model::secrets::AccessKey;
use sbi::sandbox::http::Request;

use super::{at, authorization, ecr_name, hasty, identity, json_error, operations, serve, whole_text};

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
    let (ecr, others) = (serve(|_, _| json_error(400, "RepositoryNotFoundException", "")), serve(|_, _| identity()));
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
