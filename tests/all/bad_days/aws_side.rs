//! AWS says no.

use std::collections::BTreeSet;

use sbi::model::iam::{Effect, PolicyDocument, Statement, Values};
use sbi::sandbox::http::{Answer, Weather};

use super::{changes, finishes, init};
use crate::support::room::{ANSWERS, Room, ran};

const EVERY_ANSWER: &[&str] = &["init", "--yes", "--no-watch"];

/// Everything but these actions.
fn all_but(actions: &[&str]) -> PolicyDocument {
    let mut deny = Statement::allow("Not", Values::new(actions.iter().copied()), Values::one("*"));
    deny.effect = Effect::Deny;
    PolicyDocument::new(vec![Statement::allow("All", Values::one("*"), Values::one("*")), deny])
}

fn xml_error(status: u16, code: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>\
         <RequestId>1</RequestId></ErrorResponse>"
    );
    Answer::new(status, "text/xml", body)
}

#[test]
fn no_credentials_at_all_say_how_to_get_some() {
    let room = Room::new();
    for arguments in [&[EVERY_ANSWER, ANSWERS].concat()[..], &["plan"]] {
        let mut command = room.command(arguments);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        ran(command).refused(&room, 4, &["no AWS credentials were found", "aws sso login", "AWS_ACCESS_KEY_ID"]);
    }
}

#[test]
fn a_profile_that_does_not_exist_is_named() {
    let room = Room::new();
    init(&room, &["--profile", "nobodys"]).refused(&room, 4, &["nobodys", "aws sso login --profile nobodys"]);
}

#[test]
fn a_key_that_aws_does_not_know_is_not_signed_in() {
    let room = Room::new();
    let mut command = room.command(&[EVERY_ANSWER, ANSWERS].concat());
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    ran(command).refused(&room, 4, &["AWS does not accept these credentials", "aws sso login"]);
}

#[test]
fn a_wrong_secret_is_not_signed_in_and_is_not_repeated() {
    let room = Room::new();
    let mut command = room.command(&[EVERY_ANSWER, ANSWERS].concat());
    command.env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let ran = ran(command).refused(&room, 4, &["secret access key is wrong", "date -u"]);
    assert!(!ran.stderr.contains("wJalrXUtnFEMI"));
}

#[test]
fn expired_credentials_are_not_signed_in() {
    let room = Room::new();
    room.aws.server().set_forecast(|_, _| Weather::Instead(xml_error(403, "ExpiredToken")));
    init(&room, &[]).refused(&room, 4, &["the AWS credentials have expired", "aws sso login"]);
    finishes(&room, &[]);
}

#[test]
fn whoever_is_signed_out_of_both_sides_learns_it_in_one_run() {
    let room = Room::new();
    room.github.expire_token();
    for arguments in [&[EVERY_ANSWER, ANSWERS].concat()[..], &["plan", "--github", "acme/bases"]] {
        let mut command = room.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
        ran(command).refused(
            &room,
            4,
            &["AWS does not accept", "does not accept the token", "aws sso login", "gh auth"],
        );
    }
}

#[test]
fn a_denied_look_names_the_action_and_the_resource() {
    let oidc = ["ecr:DescribeRepositories", "iam:GetOpenIDConnectProvider", "iam:GetRole"];
    for action in oidc {
        let room = Room::new();
        room.aws.set_operator_policy(all_but(&[action]));
        init(&room, &[]).refused(&room, 1, &[action, "arn:aws:", "sbi policy operator"]);
    }
    let room = Room::new();
    room.aws.set_operator_policy(all_but(&["iam:GetUser"]));
    let ran = init(&room, &["--auth", "access-key"]);
    ran.refused(&room, 1, &["iam:GetUser", "user/sbi-publish-acme-bases", "sbi policy operator"]);
    room.aws.set_operator_policy(all_but(&[]));
    finishes(&room, &["--auth", "access-key"]);
}

#[test]
fn all_denied_changes_are_named_before_the_first_of_them() {
    let room = Room::new();
    room.aws.set_operator_policy(all_but(&["ecr:CreateRepository", "iam:CreateRole", "iam:PutRolePolicy"]));
    init(&room, &[]).refused(
        &room,
        1,
        &["user/operator may not", "ecr:CreateRepository on arn:aws:ecr", "iam:CreateRole", "iam:PutRolePolicy"],
    );
    room.aws.set_operator_policy(all_but(&[]));
    finishes(&room, &[]);
}

/// Which changes a run from nothing takes on AWS.
fn taken(flags: &[&str]) -> BTreeSet<String> {
    let room = Room::new();
    init(&room, flags).exited(0);
    changes(&room).into_iter().filter(|change| change.contains(':')).collect()
}

/// Where the caller may not ask IAM about itself, the refused call names the right, what needs it is not started, and
/// the rest is finished.
#[track_caller]
fn each_denied_change_is_named_where_it_is_refused(flags: &[&str], at_least: usize) {
    let actions = taken(flags);
    assert!(actions.len() >= at_least, "{actions:?}");
    for action in actions.iter().map(String::as_str) {
        let room = Room::new();
        room.aws.set_operator_policy(all_but(&[action, "iam:SimulatePrincipalPolicy"]));
        let ran = init(&room, flags).failed(1, &[action, "arn:aws:", "not started:", "release v1.0.0"]);
        assert!(ran.stderr.contains("sbi policy operator"), "{action}:\n{}", ran.stderr);
        let made = room.github.repository("acme/bases").unwrap();
        assert_eq!((made.releases.len(), made.runs.len()), (0, 0), "released without {action}");
        room.aws.set_operator_policy(all_but(&[]));
        finishes(&room, flags);
    }
}

#[test]
fn with_oidc_each_denied_change_is_named_and_the_next_run_finishes() {
    each_denied_change_is_named_where_it_is_refused(&[], 5);
}

#[test]
fn with_a_key_each_denied_change_is_named_and_the_next_run_finishes() {
    each_denied_change_is_named_where_it_is_refused(&["--auth", "access-key"], 5);
}

#[test]
fn too_many_requests_say_to_wait() {
    let room = Room::new();
    room.aws.server().set_forecast(|_, request| match request.header("x-amz-target") {
        Some(_) => Weather::Fair,
        None => Weather::Instead(xml_error(400, "Throttling")),
    });
    init(&room, &[]).refused(&room, 1, &["gets too many requests", "wait a minute"]);
    finishes(&room, &[]);
}

#[test]
fn a_fault_of_aws_is_laid_at_its_door() {
    for status in [500, 503] {
        let room = Room::new();
        room.aws.server().set_forecast(move |_, _| Weather::Instead(xml_error(status, "ServiceFailure")));
        init(&room, &[]).refused(&room, 1, &["failed at", "the fault is at http://127.0.0.1"]);
        finishes(&room, &[]);
    }
}

#[test]
fn a_new_key_that_never_works_is_deleted_again() {
    let room = Room::new();
    // As a key that AWS forgot: sbi tries it for a minute, so this one is refused for good instead.
    room.aws.server().set_forecast(|_, request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        match body.contains("Action=CreateAccessKey") {
            true => Weather::AnswerLost(xml_error(500, "ServiceFailure")),
            false => Weather::Fair,
        }
    });
    let flags = ["--auth", "access-key"];
    init(&room, &flags).failed(1, &["iam:CreateAccessKey"]);
    assert_eq!(room.aws.access_keys("sbi-publish-acme-bases").len(), 1, "the lost answer's key");
    finishes(&room, &flags);
}
