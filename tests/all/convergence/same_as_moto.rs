//! What `init` leaves in moto and in the stand-in, read by another SDK: the same, value by value.

use std::process::Command;

use serde_json::{Value, json};

use super::{ANSWERS, REPOSITORY};
use crate::support::room::{Ran, Room, ran};
use crate::support::{moto, tools};

const PYTHON: &str = r#"
import json, os, sys
import boto3

def client(service):
    return boto3.client(service, endpoint_url=os.environ["URL"], region_name="eu-central-1")

ecr, iam = client("ecr"), client("iam")
repository, identity, auth = sys.argv[1:]
found = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
found.pop("createdAt")
tags = ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
lifecycle = ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"]
out = {"repository": found, "tags": tags, "lifecycle": json.loads(lifecycle)}
if auth == "oidc":
    role = iam.get_role(RoleName=identity)["Role"]
    out["trust"] = role["AssumeRolePolicyDocument"]
    out["role"] = {key: role.get(key) for key in ("Arn", "Path", "Description", "MaxSessionDuration", "Tags")}
    out["policies"] = {
        name: iam.get_role_policy(RoleName=identity, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=identity)["PolicyNames"]
    } if os.environ["LISTS"] else {
        "sbi-publish": iam.get_role_policy(RoleName=identity, PolicyName="sbi-publish")["PolicyDocument"]
    }
    arn = out["trust"]["Statement"][0]["Principal"]["Federated"]
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    out["provider"] = [provider["Url"], provider["ClientIDList"]]
else:
    user = iam.get_user(UserName=identity)["User"]
    out["user"] = {key: user.get(key) for key in ("Arn", "Path", "Tags")}
    out["policy"] = iam.get_user_policy(UserName=identity, PolicyName="sbi-publish")["PolicyDocument"]
    keys = iam.list_access_keys(UserName=identity)["AccessKeyMetadata"]
    out["keys"] = [key["Status"] for key in keys]
json.dump(out, sys.stdout)
"#;

/// The account at `url` as boto3 reads it.
fn read(url: &str, key: (&str, &str), repository: &str, identity: &str, auth: &str) -> Value {
    let python = tools::python_tool("python").unwrap();
    let output = Command::new(python)
        .args(["-c", PYTHON, repository, identity, auth])
        .env_clear()
        .env("URL", url)
        .env("LISTS", "")
        .env("AWS_ACCESS_KEY_ID", key.0)
        .env("AWS_SECRET_ACCESS_KEY", key.1)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn from_nothing_the_stand_in_and_moto_end_in_the_same_state() {
    let Some(moto) = moto::url() else { return };
    const KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "secret");
    for auth in ["oidc", "access-key"] {
        let repository = format!("same/{auth}");
        let identity = format!("sbi-same-{auth}");
        let name_flag = if auth == "oidc" { "--role-name" } else { "--user-name" };
        let place = ANSWERS.iter().rposition(|word| *word == REPOSITORY).unwrap();
        let mut arguments = vec!["init", "--yes", "--no-watch", "--auth", auth, name_flag, &identity];
        arguments.extend(ANSWERS.iter().enumerate().map(|(at, word)| if at == place { &repository } else { *word }));

        let with_moto = Room::new();
        let mut command = with_moto.command(&arguments);
        command.env("AWS_ENDPOINT_URL", moto).env("AWS_ACCESS_KEY_ID", KEY.0).env("AWS_SECRET_ACCESS_KEY", KEY.1);
        let first: Ran = ran(command).exited(0);
        let stand_in = Room::new();
        let second = stand_in.sbi(&arguments).exited(0);
        // Both sides number their repositories alike, so that even the trust documents are equal.
        let ids = [&with_moto, &stand_in].map(|room| room.github.repository(REPOSITORY).unwrap().id);
        assert_eq!(ids[0], ids[1]);

        let mut in_moto = read(moto, KEY, &repository, &identity, auth);
        let key = stand_in.aws.operator_credentials();
        let in_stand_in =
            key.reveal(|secret| read(&stand_in.aws.url(), (key.id(), secret), &repository, &identity, auth));
        // moto adds these to every repository, ECR only where they are used.
        for field in ["imageScanningConfiguration", "encryptionConfiguration"] {
            assert!(in_moto["repository"][field].is_object(), "{field}");
        }
        if auth == "oidc" {
            // Another test may have been here first: the account's provider is shared.
            in_moto["provider"][1].as_array_mut().unwrap().retain(|audience| *audience == json!("sts.amazonaws.com"));
        }
        assert_eq!(in_moto, in_stand_in, "\n{}\n{}", first.stderr, second.stderr);
        with_moto.check_contract();
        stand_in.check_contract();
    }
}
