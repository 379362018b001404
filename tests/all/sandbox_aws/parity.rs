//! Where moto and the stand-in agree, and where they part; AWS's SDK for Python.

use std::collections::BTreeMap;
use std::process::Command;

use aws_sdk_ecr::types as ecr;
use sbi::model::registry::lifecycle_policy;
use serde_json::{Value, json};

use super::{ACCOUNT, Clients, PROVIDER, allow, clients, code, decoded, operator, start, trust};
use crate::support::{moto, tools};

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
    let image = |tag: &str| {
        let id = ecr::ImageIdentifier::builder().image_tag(tag).build();
        me.ecr.describe_images().repository_name(&repository).image_ids(id)
    };
    tell("describe a missing image", code(image("v1.0.0").send().await));
    let elsewhere = me.ecr.describe_images().repository_name("parity/absent");
    tell("describe images of a missing repository", code(elsewhere.send().await));
    tell("an authorization token", code(me.ecr.get_authorization_token().send().await));
    let arn = found.repository_arn().unwrap();
    let untag = |key: &str| me.ecr.untag_resource().resource_arn(arn).tag_keys(key);
    tell("take a tag off", code(untag("owner").send().await));
    tell("take it off twice", code(untag("owner").send().await));
    let left = me.ecr.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    tell("tags left", left.tags().len().to_string());
    let absent = ecr::ImageIdentifier::builder().image_digest(format!("sha256:{}", "0".repeat(64))).build();
    let gone = me.ecr.batch_delete_image().repository_name(&repository).image_ids(absent).send().await.unwrap();
    tell("delete a missing image", gone.failures()[0].failure_code().unwrap().as_str().into());
    tell("delete the repository", code(me.ecr.delete_repository().repository_name(&repository).send().await));
    tell("delete it twice", code(me.ecr.delete_repository().repository_name(&repository).send().await));
    let images = me.ecr.describe_images().repository_name(&repository);
    tell("list the images of a missing repository", code(images.send().await));

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
    let tag = |value: &str| aws_sdk_iam::types::Tag::builder().key("k").value(value).build().unwrap();
    tell("tag a user", code(me.iam.tag_user().user_name(&user).tags(tag("a")).send().await));
    tell("tag a missing user", code(me.iam.tag_user().user_name("nobody-here").tags(tag("a")).send().await));
    tell("tag the user again", code(me.iam.tag_user().user_name(&user).tags(tag("b")).send().await));
    let found = me.iam.get_user().user_name(&user).send().await.unwrap().user.unwrap();
    tell("the user's tags", found.tags().iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect());
    let key = me.iam.create_access_key().user_name(&user).send().await.unwrap().access_key.unwrap();
    tell("a second key", code(me.iam.create_access_key().user_name(&user).send().await));
    tell("a third key", code(me.iam.create_access_key().user_name(&user).send().await));
    let listed = me.iam.list_access_keys().user_name(&user).send().await.unwrap();
    tell("keys listed", listed.access_key_metadata().len().to_string());
    let used = me.iam.get_access_key_last_used().access_key_id(&key.access_key_id).send().await.unwrap();
    tell("whose key", used.user_name.unwrap().replace(unique, "X"));
    tell("delete a user with keys", code(me.iam.delete_user().user_name(&user).send().await));
    let other = format!("{user}-other");
    let count = |list: usize| list.to_string();
    tell(
        "policies on a user",
        count(me.iam.list_attached_user_policies().user_name(&user).send().await.unwrap().attached_policies().len()),
    );
    tell("groups", count(me.iam.list_groups_for_user().user_name(&user).send().await.unwrap().groups().len()));
    tell("MFA devices", count(me.iam.list_mfa_devices().user_name(&user).send().await.unwrap().mfa_devices().len()));
    tell("a password", code(me.iam.get_login_profile().user_name(&user).send().await));
    tell("a password of a missing user", code(me.iam.get_login_profile().user_name(&other).send().await));
    tell("policies on a missing user", code(me.iam.list_attached_user_policies().user_name(&other).send().await));
    tell("groups of a missing user", code(me.iam.list_groups_for_user().user_name(&other).send().await));
    let remove_policy = |user: &str| me.iam.delete_user_policy().user_name(user).policy_name("p");
    tell("delete the policy of a missing user", code(remove_policy(&other).send().await));
    tell("delete a missing user", code(me.iam.delete_user().user_name(&other).send().await));
    me.iam.create_user().user_name(&other).send().await.unwrap();
    tell("delete a missing user policy", code(remove_policy(&other).send().await));
    let put = me.iam.put_user_policy().user_name(&other).policy_name("p").policy_document(policy.to_json());
    put.send().await.unwrap();
    tell("delete a user with a policy", code(me.iam.delete_user().user_name(&other).send().await));
    tell("delete a user policy", code(remove_policy(&other).send().await));
    tell("delete a user", code(me.iam.delete_user().user_name(&other).send().await));
    tell("get the deleted user", code(me.iam.get_user().user_name(&other).send().await));
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
    tell("tag a role", code(me.iam.tag_role().role_name(&user).tags(tag("a")).send().await));
    tell("tag a missing role", code(me.iam.tag_role().role_name("nobody-here").tags(tag("a")).send().await));
    let found = me.iam.get_role().role_name(&user).send().await.unwrap().role.unwrap();
    tell("the role's tags", found.tags().iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect());
    let put = me.iam.put_role_policy().role_name(&user).policy_name("p").policy_document(policy.to_json());
    tell("put a role policy", code(put.send().await));
    tell("delete a role with a policy", code(me.iam.delete_role().role_name(&user).send().await));
    let update = me.iam.update_assume_role_policy().role_name(&user).policy_document(trust().to_json());
    tell("update the trust", code(update.send().await));
    tell("a missing role policy", code(me.iam.get_role_policy().role_name(&user).policy_name("q").send().await));
    let attached = me.iam.list_attached_role_policies().role_name(&user).send().await.unwrap();
    tell("policies on a role", attached.attached_policies().len().to_string());
    let profiles = me.iam.list_instance_profiles_for_role().role_name(&user).send().await.unwrap();
    tell("instance profiles of a role", profiles.instance_profiles().len().to_string());
    tell("policies on a missing role", code(me.iam.list_attached_role_policies().role_name(&other).send().await));
    let profiles = me.iam.list_instance_profiles_for_role().role_name(&other);
    tell("instance profiles of a missing role", code(profiles.send().await));
    let remove_policy = |role: &str, policy: &str| me.iam.delete_role_policy().role_name(role).policy_name(policy);
    tell("delete a missing role policy", code(remove_policy(&user, "q").send().await));
    tell("delete the policy of a missing role", code(remove_policy(&other, "p").send().await));
    tell("delete a role policy", code(remove_policy(&user, "p").send().await));
    tell("delete a role", code(me.iam.delete_role().role_name(&user).send().await));
    tell("delete it twice", code(me.iam.delete_role().role_name(&user).send().await));
    told
}

/// Where moto 5.2.5 and the stand-in part, and why the stand-in is right.
const DIFFERENCES: [(&str, &str); 5] = [
    ("a repository name of one character", "ECR wants 2 to 256 characters; moto takes it"),
    ("put one with a priority twice", "ECR refuses a doubled rulePriority; moto keeps it"),
    ("instance profiles of a missing role", "IAM names the missing role; moto answers an empty list"),
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
