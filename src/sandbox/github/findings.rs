//! What was found in what was published: code scanning alerts, issues, and the variable that switches the upload on.

use serde_json::{Value, json};

use super::accounts::simple;
use super::git::{pages, root};
use super::reply::{Reply, not_found, ok, refusal, unprocessable};
use super::routes::Call;
use super::world::{Account, Alert, Issue, Repository, World, stamp};

/// The account behind a workflow's own token (github.com, `/users/github-actions[bot]`).
pub(super) const WORKFLOW_BOT: &str = "github-actions[bot]";
const WORKFLOW_BOT_ID: u64 = 41_898_282;

/// The alerts of the default branch. Without an analysis there is nothing to list, and a private repository has code
/// scanning only where it is paid for and switched on (REST reference, "List code scanning alerts for a repository").
pub(super) fn list_alerts(world: &mut World, call: &Call<'_>) -> Reply {
    let state = one_of(call, "state", &["open", "closed", "dismissed", "fixed"])?;
    let tool = call.query("tool_name");
    let repository = world.repository(call.repository)?;
    let Some(alerts) = &repository.alerts else {
        return Err(match repository.private {
            true => refusal(403, "Code Security must be enabled for this repository to use code scanning."),
            false => refusal(404, "no analysis found"),
        });
    };
    let fits = |alert: &&Alert| {
        state
            .as_deref()
            .is_none_or(|state| (state == "open") == alert.open && matches!(state, "open" | "fixed" | "closed"))
            && tool.as_deref().is_none_or(|tool| tool == alert.tool)
    };
    let found = alerts.iter().rev().filter(fits);
    call.page().array(found.map(|alert| describe_alert(world, repository, call.base, alert)).collect())
}

fn describe_alert(world: &World, repository: &Repository, base: &str, alert: &Alert) -> Value {
    let (root, pages) = (root(world, repository, base), pages(world, repository, base));
    let (number, state) = (alert.number, if alert.open { "open" } else { "fixed" });
    let at = format!("{root}/code-scanning/alerts/{number}");
    json!({
        "number": number, "created_at": stamp(alert.created), "updated_at": stamp(alert.created), "url": at,
        "html_url": format!("{pages}/security/code-scanning/{number}"), "state": state,
        "fixed_at": (!alert.open).then(|| stamp(alert.created)), "dismissed_by": null, "dismissed_at": null,
        "dismissed_reason": null, "dismissed_comment": null,
        "rule": {
            "id": format!("CVE-2026-{number:04}"), "name": "OsPackageVulnerability", "severity": "error",
            "security_severity_level": alert.severity, "description": "a package is vulnerable", "tags": ["security"],
        },
        "tool": {"name": alert.tool, "guid": null, "version": "0.72.0"},
        "most_recent_instance": {
            "ref": format!("refs/heads/{}", repository.default_branch), "category": "static-go-amd64",
            "analysis_key": ".github/workflows/rescan.yml:sarif", "environment": "{}", "state": state,
            "commit_sha": repository.head(), "message": {"text": "a package is vulnerable"}, "classifications": [],
        },
        "instances_url": format!("{at}/instances"),
    })
}

/// Newest first, pull requests included: to GitHub they are issues too.
pub(super) fn list_issues(world: &mut World, call: &Call<'_>) -> Reply {
    let state = one_of(call, "state", &["open", "closed", "all"])?.unwrap_or_else(|| "open".into());
    let repository = world.repository(call.repository)?;
    let Some(issues) = &repository.issues else {
        return Err(refusal(410, "Issues has been disabled in this repository."));
    };
    let fits = |open: bool| state == "all" || (state == "open") == open;
    let mut found: Vec<(u64, Value)> = issues
        .iter()
        .filter(|issue| fits(issue.open))
        .map(|issue| (issue.number, describe_issue(world, repository, call.base, issue)))
        .collect();
    let viewer = world.viewer()?;
    let pulls = repository.pulls.iter().filter(|pull| fits(pull.open)).map(|pull| {
        let as_issue = Issue {
            number: pull.number,
            login: viewer.login.clone(),
            title: pull.title.clone(),
            body: pull.body.clone().unwrap_or_default(),
            open: pull.open,
            created: pull.created,
        };
        let mut told = describe_issue(world, repository, call.base, &as_issue);
        told["pull_request"] = json!({
            "url": format!("{}/pulls/{}", root(world, repository, call.base), pull.number),
            "html_url": format!("{}/pull/{}", pages(world, repository, call.base), pull.number),
            "diff_url": null, "patch_url": null,
        });
        (pull.number, told)
    });
    found.extend(pulls);
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    call.page().array(found.into_iter().map(|(_, issue)| issue).collect())
}

fn describe_issue(world: &World, repository: &Repository, base: &str, issue: &Issue) -> Value {
    let (root, pages) = (root(world, repository, base), pages(world, repository, base));
    let Issue { number, login, title, body, open, created } = issue;
    let url = format!("{root}/issues/{number}");
    let is_bot = login.as_str() == WORKFLOW_BOT;
    let id = if is_bot { WORKFLOW_BOT_ID } else { world.account(login).map_or(1, |account| account.id) };
    let mut user = simple(
        &Account { id, login: login.clone(), organization: false, plan: String::new(), administered: false },
        base,
    );
    if is_bot {
        user["type"] = json!("Bot");
    }
    json!({
        "id": 3_000_000_000_u64 + number, "node_id": format!("I_{number}"), "number": number, "title": title,
        "body": body, "user": user, "state": if *open { "open" } else { "closed" },
        "state_reason": if *open { Value::Null } else { json!("completed") },
        "labels": [], "assignee": null, "assignees": [], "milestone": null, "locked": false, "comments": 0,
        "created_at": stamp(*created), "updated_at": stamp(*created), "closed_at": (!open).then(|| stamp(*created)),
        "author_association": "NONE", "active_lock_reason": null, "url": url,
        "html_url": format!("{pages}/issues/{number}"), "repository_url": root, "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"), "labels_url": format!("{url}/labels{{/name}}"),
        "timeline_url": format!("{url}/timeline"),
    })
}

pub(super) fn get_variable(world: &mut World, call: &Call<'_>) -> Reply {
    let name = call.parameter(0).to_uppercase();
    let repository = world.repository(call.repository)?;
    let value = repository.variables.get(&name).ok_or_else(not_found)?;
    let time = stamp(repository.created);
    ok(&json!({"name": name, "value": value, "created_at": time, "updated_at": time}))
}

/// # Errors
/// When the query's value is none that GitHub documents.
fn one_of(call: &Call<'_>, name: &str, allowed: &[&str]) -> Reply<Option<String>> {
    match call.query(name) {
        Some(value) if !allowed.contains(&value.as_str()) => {
            Err(unprocessable(&format!("Invalid request.\n\n\"{name}\" can't be {value}.")))
        }
        value => Ok(value),
    }
}
