//! The workflow that reminds of an old access key, executed: what IAM answers, and what becomes of the issue.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::rescan::issue::{BOT, issue, sent, tell};
use super::runner::{Outcome, Run};
use super::{Combination, matrix};
use sbi::templates::KEY_AGE_WORKFLOW;

const LOOK: &str = "age: Ask when the oldest key was made";

/// A date so many days ago, as IAM writes it.
fn days_ago(days: i64) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days);
    at.strftime("%Y-%m-%dT10:00:00+00:00").to_string()
}

fn keys(keys: &[(&str, &str)]) -> Value {
    let keys: Vec<Value> =
        keys.iter().map(|(status, created)| json!({"Status": status, "CreateDate": created})).collect();
    json!({"AccessKeyMetadata": keys})
}

/// A week's run, with these keys and these issues.
fn week(combination: &Combination, answer: &Value, issues: &[Value]) -> Run {
    let mut run = Run::of(&combination.config, KEY_AGE_WORKFLOW);
    let path = run.at("keys");
    std::fs::write(&path, answer.to_string()).unwrap();
    run.set("AWS_KEYS", &path);
    tell(&mut run);
    std::fs::write(run.at("issues"), json!(issues).to_string()).unwrap();
    run
}

fn reminding() -> &'static Combination {
    matrix().iter().find(|combination| combination.config.publish.key_max_age_days == Some(90)).unwrap()
}

/// What the issue's job sends for a key of this age.
fn told(days: i64, issues: &[Value]) -> Vec<(String, Value)> {
    let mut run = week(reminding(), &keys(&[("Active", &days_ago(days))]), issues);
    passes(run.job("age", &[]));
    passes(run.job("issue", &[]));
    sent(&run)
}

fn passes(outcome: Outcome) {
    outcome.passes();
}

#[test]
fn an_old_key_opens_one_issue_and_a_young_one_none() {
    assert_eq!(told(90, &[]), []);
    let [(call, body)] = told(91, &[]).try_into().unwrap();
    assert_eq!(call, "POST repos/acme/base-images/issues");
    assert_eq!(body["title"], "The access key is older than 90 days");
    let text = body["body"].as_str().unwrap();
    assert!(text.starts_with("<!-- sbi-key-age -->") && text.contains("sbi rotate-keys"), "{text}");
    assert!(text.contains(&days_ago(91)[..10]), "{text}");
    // The same, word for word, a week later.
    assert_eq!(told(91, &[issue(7, "open", BOT, text)]), []);
}

#[test]
fn the_issue_closes_with_a_young_key_and_opens_again_for_the_next_old_one() {
    let of = |days: i64| format!("<!-- sbi-key-age -->\n\nmade on {}", &days_ago(days)[..10]);
    let [(call, body)] = told(3, &[issue(7, "open", BOT, &of(120))]).try_into().unwrap();
    assert_eq!((call.as_str(), &body["state"]), ("PATCH repos/acme/base-images/issues/7", &json!("closed")));
    assert_eq!(told(3, &[issue(7, "closed", BOT, &of(120))]), []);
    // Closed by a person who knows of this key.
    assert_eq!(told(100, &[issue(7, "closed", BOT, &of(100))]), []);
    let [(call, body)] = told(100, &[issue(7, "closed", BOT, &of(400))]).try_into().unwrap();
    assert_eq!((call.as_str(), &body["state"]), ("PATCH repos/acme/base-images/issues/7", &json!("open")));
}

#[test]
fn an_issue_that_somebody_else_wrote_is_not_taken_for_ours() {
    let forged = issue(7, "open", "mallory", "<!-- sbi-key-age -->");
    let [(call, _)] = told(91, &[forged]).try_into().unwrap();
    assert_eq!(call, "POST repos/acme/base-images/issues");
}

#[test]
fn the_oldest_key_that_works_counts() {
    let answer = keys(&[("Active", &days_ago(5)), ("Active", &days_ago(40)), ("Inactive", &days_ago(400))]);
    let mut run = week(reminding(), &answer, &[]);
    passes(run.job("age", &[]));
    assert_eq!(run.known("needs.age.outputs.created"), Some(&days_ago(40)[..10]));
}

#[test]
fn an_answer_without_a_date_is_no_young_key() {
    for answer in [json!({}), keys(&[]), keys(&[("Inactive", &days_ago(1))]), keys(&[("Active", "$(touch owned)")])] {
        let mut run = week(reminding(), &answer, &[]);
        assert!(!run.step(LOOK).passed(), "{answer}");
        assert!(!run.read("output").contains("created"), "{answer}");
    }
}

#[test]
fn a_call_that_github_refuses_fails_the_run() {
    for call in 1..=3 {
        let mut run = week(reminding(), &keys(&[("Active", &days_ago(91))]), &[]);
        passes(run.job("age", &[]));
        run.set("GH_FAIL", &(run.read("calls").matches("gh ").count() + call).to_string());
        run.job("issue", &[]).fails_at("Open or close the issue", "::error title=Issue not written::");
    }
}

/// Both jobs, for the test that no script is left that did not run.
pub(super) fn whole(combination: &Combination) -> BTreeSet<String> {
    let mut run = week(combination, &keys(&[("Active", &days_ago(91))]), &[]);
    passes(run.job("age", &[]));
    assert!(run.read("calls").contains("aws iam list-access-keys"), "{}", combination.name);
    passes(run.job("issue", &[]));
    assert_eq!(sent(&run).len(), 1, "{}", combination.name);
    run.executed
}
