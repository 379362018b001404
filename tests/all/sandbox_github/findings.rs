//! What happened after the set-up: runs of one workflow, workflows that are off, findings and issues.

use std::time::Duration;

use sbi::sandbox::github::{GithubOptions, RunOutcome, Seed, TokenScopes};

use super::{FULL_NAME, Host, REPO};

const RESCAN: &str = ".github/workflows/rescan.yml";
const NIGHTLY: &str = "name: Rescan releases\non:\n  schedule:\n    - cron: \"47 3 * * *\"\njobs: {}\n";

fn with_nightly() -> Host {
    let host = Host::start(GithubOptions::default());
    host.github.create_repository(FULL_NAME, Seed { private: false, files: &[(RESCAN, NIGHTLY)] });
    host
}

#[test]
fn a_workflow_is_known_by_its_file_before_it_ran_and_tells_its_own_runs_only() {
    let host = with_nightly();
    let workflows = host.get(&format!("{REPO}/actions/workflows")).is(200);
    assert_eq!(
        (workflows.text("/workflows/0/path"), workflows.text("/workflows/0/state")),
        (RESCAN.into(), "active".into())
    );
    let runs = format!("{REPO}/actions/workflows/rescan.yml/runs");
    assert_eq!(host.get(&runs).is(200).text("/total_count"), "0");
    let hour = Duration::from_secs(3600);
    let failure = RunOutcome::Failure { job: "Scan".into(), step: None };
    host.github.add_run(FULL_NAME, RESCAN, "schedule", failure, hour * 24);
    host.github.add_run(FULL_NAME, RESCAN, "schedule", RunOutcome::Success, hour);
    host.github.add_run(FULL_NAME, ".github/workflows/other.yml", "push", RunOutcome::Success, hour);
    let found = host.get(&format!("{runs}?per_page=1")).is(200);
    assert_eq!((found.text("/total_count"), found.text("/workflow_runs/0/conclusion")), ("2".into(), "success".into()));
    assert_eq!(found.text("/workflow_runs/0/head_branch"), "main");
    let number = workflows.text("/workflows/0/id");
    assert_eq!(host.get(&format!("{REPO}/actions/workflows/{number}/runs")).is(200).text("/total_count"), "2");
    host.get(&format!("{REPO}/actions/workflows/absent.yml/runs")).is(404);
    host.github.disable_workflow(FULL_NAME, RESCAN, "disabled_inactivity");
    let workflows = host.get(&format!("{REPO}/actions/workflows")).is(200);
    assert_eq!(workflows.text("/workflows/0/state"), "disabled_inactivity");
}

#[test]
fn alerts_are_listed_once_there_was_an_analysis() {
    let host = with_nightly();
    let alerts = format!("{REPO}/code-scanning/alerts");
    assert_eq!(host.get(&alerts).is(404).message(), "no analysis found");
    host.github.start_code_scanning(FULL_NAME);
    assert_eq!(host.get(&alerts).is(200).body.as_array().unwrap().len(), 0);
    for severity in [Some("critical"), Some("high"), None] {
        host.github.add_alert(FULL_NAME, "Trivy", severity);
    }
    host.github.add_alert(FULL_NAME, "CodeQL", Some("high"));
    let found = host.get(&format!("{alerts}?state=open&tool_name=Trivy&per_page=2")).is(200);
    assert_eq!(found.body.as_array().unwrap().len(), 2);
    assert!(found.header("link").contains("page=2"), "{}", found.header("link"));
    assert_eq!(host.get(&format!("{alerts}?state=fixed")).is(200).body.as_array().unwrap().len(), 0);
    host.get(&format!("{alerts}?state=ajar")).is(422);
}

#[test]
fn a_private_repository_has_no_code_scanning_until_it_is_switched_on() {
    let host = Host::start(GithubOptions::default());
    host.github.create_repository(FULL_NAME, Seed { private: true, files: &[(RESCAN, NIGHTLY)] });
    host.get(&format!("{REPO}/code-scanning/alerts")).is(403);
    host.get(&format!("{REPO}/actions/variables/CODE_SCANNING")).is(404);
    host.github.set_variable(FULL_NAME, "CODE_SCANNING", "on");
    assert_eq!(host.get(&format!("{REPO}/actions/variables/CODE_SCANNING")).is(200).text("/value"), "on");
}

#[test]
fn issues_come_newest_first_with_pull_requests_among_them() {
    let host = with_nightly();
    host.github.add_issue(FULL_NAME, "octo-publisher", "a question", true);
    host.github.add_issue(FULL_NAME, "github-actions[bot]", "<!-- sbi-rescan -->\nfindings", true);
    host.github.add_issue(FULL_NAME, "octo-publisher", "done", false);
    host.github.commit_files(FULL_NAME, "topic", &[("a", "b")], "topic");
    let pull = serde_json::json!({"title": "Topic", "head": "topic", "base": "main"});
    assert_eq!(host.post(&format!("{REPO}/pulls"), &pull).is(201).text("/number"), "4");
    let open = host.get(&format!("{REPO}/issues?state=open")).is(200);
    let numbers: Vec<u64> =
        open.body.as_array().unwrap().iter().map(|issue| issue["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [4, 2, 1]);
    assert!(open.body[0]["pull_request"].is_object() && open.body[1].get("pull_request").is_none());
    assert_eq!(open.text("/1/user/type"), "Bot");
    assert_eq!(host.get(&format!("{REPO}/issues?state=all")).is(200).body.as_array().unwrap().len(), 4);
    host.github.switch_issues_off(FULL_NAME);
    host.get(&format!("{REPO}/issues")).is(410);
}

#[test]
fn a_fine_grained_token_reads_only_what_it_was_given() {
    let paths = [
        ("actions/workflows", "actions"),
        ("code-scanning/alerts", "security_events"),
        ("issues", "issues"),
        ("actions/variables/CODE_SCANNING", "actions_variables"),
    ];
    for (path, permission) in paths {
        let host = Host::with_scopes(TokenScopes::fine_grained([]));
        host.github.create_repository(FULL_NAME, Seed { private: true, files: &[(RESCAN, NIGHTLY)] });
        host.github.start_code_scanning(FULL_NAME);
        host.github.set_variable(FULL_NAME, "CODE_SCANNING", "on");
        let refused = host.get(&format!("{REPO}/{path}")).is(403);
        assert_eq!(refused.header("x-accepted-github-permissions"), format!("{permission}=read"));
        host.github.set_token_scopes(TokenScopes::fine_grained([format!("{permission}: read").as_str()]));
        host.get(&format!("{REPO}/{path}")).is(200);
    }
}
