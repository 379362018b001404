//! STS: whose token assumes the role, and how long its session lives.

use std::sync::Arc;

use jiff::Timestamp;
use sbi::model::evaluation::problems_in_trust_policy;
use sbi::model::identity::publishing_policy;
use sbi::model::names::AccountId;
use sbi::sandbox::aws::{AwsOptions, AwsStandIn};
use sbi::sandbox::oidc::OidcIssuer;
use serde_json::{Value, json};

use super::{ACCOUNT, ISSUER, assume, code, config, good_claims, operator, start, trust, with_provider_and_role};

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
