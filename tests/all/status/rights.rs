//! What can't be read: rights, credentials and answers that are missing.

use std::collections::BTreeSet;

use sbi::model::iam::PolicyDocument;
use sbi::sandbox::github::{GithubOptions, TokenScopes};
use sbi::sandbox::http::{Answer, Request, Weather};

use super::{Told, check, published, status, text};
use crate::support::room::{ANSWERS, REPOSITORY, Room, ran};

/// Each right to read by itself: without it something can't be told, all else still is, and nothing fails.
#[test]
fn a_token_that_only_reads_is_enough_and_each_missing_right_costs_only_its_facts() {
    const READS: [&str; 8] = [
        "actions: read",
        "actions_variables: read",
        "administration: read",
        "contents: read",
        "issues: read",
        "pull_requests: read",
        "secrets: read",
        "security_events: read",
    ];
    // Private repositories have environments with this plan.
    let room = Room::with(GithubOptions { login: "acme".into(), plan: "pro".into(), ..GithubOptions::default() });
    let answers: Vec<&str> = ANSWERS.iter().map(|word| if *word == "public" { "private" } else { *word }).collect();
    let flags = ["init", "--yes", "--auth", "access-key", "--environment", "publish"];
    room.sbi(&[&flags, answers.as_slice()].concat()).exited(0);
    room.aws.publish_image(REPOSITORY, "v1.0.0").unwrap();
    room.github.start_code_scanning(REPOSITORY);
    room.github.set_variable(REPOSITORY, "CODE_SCANNING", "on");
    room.github.set_token_scopes(TokenScopes::fine_grained(READS));
    let whole = status(&room, &[]);
    assert_eq!(whole.in_state("unknown"), Vec::<String>::new());
    let facts = |told: &Told| {
        let facts = told.0["facts"].as_array().unwrap().iter();
        facts.filter(|fact| fact["state"] == "unknown").map(|fact| text(&fact["key"])).collect::<Vec<_>>()
    };
    assert_eq!(facts(&whole), Vec::<String>::new());
    for missing in READS {
        room.github.set_token_scopes(TokenScopes::fine_grained(READS.into_iter().filter(|right| *right != missing)));
        let told = status(&room, &[]);
        let unknown = told.in_state("unknown");
        assert!(!unknown.is_empty() || !facts(&told).is_empty(), "{missing} is needed for nothing");
        for (id, (state, _)) in told.entries() {
            assert!(state == "unknown" || state == whole.state(&id), "{missing}: {id} is called {state}");
        }
        let run = check(&room, &[]);
        assert_eq!(run.code, i32::from(!unknown.is_empty()), "{missing}:\n{}", run.stderr);
    }
}

/// Every right on AWS is missing: that side can't be told, and its help names the document.
#[test]
fn without_rights_on_aws_the_other_side_is_told() {
    let room = published("oidc");
    room.aws.set_operator_policy(PolicyDocument::new(Vec::new()));
    let told = status(&room, &[]);
    let mut unknown = told.in_state("unknown");
    unknown.sort();
    assert_eq!(
        unknown,
        ["access", "ecr-repository:acme/bases", "ecr-settings:acme/bases", "identity", "published:static-go"]
    );
    for id in unknown {
        assert!(told.says(&id).contains("sbi policy observer"), "{}", told.says(&id));
    }
    let run = check(&room, &[]).exited(1);
    assert!(run.stderr.contains("5 entries can't be told"), "{}", run.stderr);
}

#[test]
fn signed_in_on_one_side_the_other_cannot_be_told_and_on_neither_nothing_can() {
    let room = published("access-key");
    let run = |change: &dyn Fn(&mut std::process::Command), code: i32| {
        let mut command = room.command(&["status", "--format", "json"]);
        change(&mut command);
        ran(command).exited(code)
    };
    let no_token = |command: &mut std::process::Command| {
        command.env_remove("GH_TOKEN");
    };
    let no_aws = |command: &mut std::process::Command| {
        command.env("AWS_SECRET_ACCESS_KEY", "wrong");
    };
    let unreachable = |command: &mut std::process::Command| {
        command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_MAX_ATTEMPTS", "1");
    };
    let aws_side = [
        "access",
        "ecr-repository:acme/bases",
        "ecr-settings:acme/bases",
        "identity",
        "published:static-go",
        "secret:AWS_ACCESS_KEY",
    ];
    for change in [&no_aws as &dyn Fn(&mut std::process::Command), &unreachable] {
        let told = Told(serde_json::from_str(&run(change, 0).stdout).unwrap());
        let mut unknown = told.in_state("unknown");
        unknown.sort();
        assert_eq!(unknown, aws_side);
    }
    let told = Told(serde_json::from_str(&run(&no_token, 0).stdout).unwrap());
    assert_eq!(told.state("github-repository"), "unknown");
    assert!(told.says("github-repository").contains("gh auth login"), "{}", told.says("github-repository"));
    for id in ["ecr-repository:acme/bases", "ecr-settings:acme/bases", "identity", "access"] {
        assert_eq!(told.state(id), "done", "{id}");
    }
    let neither = run(
        &|command| {
            no_token(command);
            no_aws(command);
        },
        4,
    );
    assert!(neither.stderr.contains("signature") && neither.stderr.contains("no token"), "{}", neither.stderr);
    let expired = |command: &mut std::process::Command| no_aws(command);
    room.github.expire_token();
    run(&expired, 4);
}

#[test]
fn another_accounts_credentials_tell_nothing_of_this_one() {
    let room = published("oidc");
    let other: Vec<&str> =
        ANSWERS.iter().map(|word| if *word == "123456789012" { "210987654321" } else { *word }).collect();
    std::fs::remove_file(room.folder().join("sbi.toml")).unwrap();
    let told = status(&room, &[other.as_slice(), &["--auth", "oidc", "--environment", "publish"]].concat());
    assert!(told.says("ecr-repository:acme/bases").contains("belong to account 123456789012"));
    assert_eq!(told.state("github-repository"), "done");
}

/// The operation of a request to AWS: ECR names it in a header, IAM and STS in the body.
fn operation(request: &Request) -> String {
    if let Some(target) = request.header("x-amz-target") {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let body = String::from_utf8_lossy(&request.body).into_owned();
    body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default().to_owned()
}

/// Each call by itself is refused or broken: the list is shown, and nothing that can't be read is called drifted or
/// missing.
#[test]
fn any_one_call_that_fails_costs_only_what_it_would_have_told() {
    for auth in ["oidc", "access-key"] {
        let room = published(auth);
        let from = (room.github.server().log().len(), room.aws.server().log().len());
        let whole = status(&room, &[]);
        let github: BTreeSet<String> =
            room.github.server().log()[from.0..].iter().map(|exchange| exchange.request.path.clone()).collect();
        let aws: BTreeSet<String> =
            room.aws.server().log()[from.1..].iter().map(|exchange| operation(&exchange.request)).collect();
        assert!(github.len() > 15 && aws.len() > 5, "{github:?} {aws:?}");
        let look = |what: &str| {
            let run = room.sbi(&["status", "--format", "json"]);
            assert_eq!(run.code, 0, "{what}:\n{}", run.stderr);
            let told = Told(serde_json::from_str(&run.stdout).unwrap());
            for (id, (state, says)) in told.entries() {
                assert!(state == "unknown" || state == whole.state(&id), "{what}: {says}");
            }
        };
        for path in &github {
            for code in [403, 500] {
                let path = path.clone();
                let refused = Answer::new(code, "application/json", "{\"message\":\"no\"}");
                let what = format!("{code} at {path}");
                room.github.server().set_forecast(move |_, request| match request.path == path {
                    true => Weather::Instead(refused.clone()),
                    false => Weather::Fair,
                });
                look(&what);
            }
        }
        room.github.server().set_forecast(|_, _| Weather::Fair);
        for name in aws {
            let json = r#"{"__type":"AccessDeniedException","message":"no"}"#;
            let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error>\
                       <RequestId>1</RequestId></ErrorResponse>";
            let what = format!("{name} is denied");
            room.aws.server().set_forecast(move |_, request| {
                if operation(request) != name {
                    return Weather::Fair;
                }
                Weather::Instead(match request.header("x-amz-target") {
                    Some(_) => Answer::new(400, "application/x-amz-json-1.1", json),
                    None => Answer::new(403, "text/xml", xml),
                })
            });
            look(&what);
        }
        room.aws.server().set_forecast(|_, _| Weather::Fair);
    }
}
