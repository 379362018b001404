//! What happened since the set-up: runs, workflows that were switched off, findings.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Call, Github, PAGE, escape, next_page, repo_path};
use crate::failure::{Cause, Failure};
use crate::model::names::GithubRepositoryName;
use crate::model::status::{IssueFacts, OpenAlerts, RunFacts};

/// Pages of a list that can be endless.
const MOST_PAGES: usize = 10;
/// What the workflow's scanner calls itself in SARIF.
const SCANNER: &str = "Trivy";
/// The first line of the issue that the nightly scan keeps.
const RESCAN_MARK: &str = "<!-- sbi-rescan -->";
/// Who writes with a workflow's own token: anybody may open an issue, nobody else opens one as this author.
const WORKFLOW_BOT: &str = "github-actions[bot]";

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<RunAnswer>,
}

#[derive(Deserialize)]
struct RunAnswer {
    id: u64,
    html_url: String,
    event: String,
    head_branch: Option<String>,
    status: Option<String>,
    conclusion: Option<String>,
    created_at: Timestamp,
    /// Of the latest attempt, RFC 3339.
    run_started_at: Option<String>,
}

#[derive(Deserialize)]
struct Workflows {
    workflows: Vec<WorkflowFileAnswer>,
}

#[derive(Deserialize)]
struct WorkflowFileAnswer {
    path: String,
    state: String,
}

#[derive(Deserialize)]
struct AlertAnswer {
    rule: AlertRule,
}

#[derive(Deserialize)]
struct AlertRule {
    security_severity_level: Option<String>,
}

#[derive(Deserialize)]
struct IssueAnswer {
    number: u64,
    html_url: String,
    body: Option<String>,
    user: Option<IssueAuthor>,
    updated_at: Timestamp,
    /// To GitHub, a pull request is an issue too.
    pull_request: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct IssueAuthor {
    login: String,
}

#[derive(Deserialize)]
struct VariableAnswer {
    value: String,
}

/// GitHub answers with the same status where code scanning is off and where the token may not look: its own words tell
/// them apart for a person.
fn without_code_scanning(failure: Failure) -> Failure {
    let cause = failure.cause().clone();
    match (&cause, failure.reasons().first()) {
        (Cause::NotFound, _) => {
            Failure::new("code scanning has no report of the scanner yet, or hides it from this token").because(cause)
        }
        (Cause::Denied { .. }, Some(told)) => {
            Failure::new(format!("code scanning is off, or hidden from this token ({told})"))
                .because(cause)
                .hinted("where it is on, a token reads it with `security_events: read`")
        }
        _ => failure,
    }
}

impl Github {
    /// The newest runs of a workflow, `most` at most; none where the workflow is unknown. `workflow` is its path.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn runs_of_workflow(
        &self,
        repository: &GithubRepositoryName,
        workflow: &str,
        most: u32,
    ) -> Result<Vec<RunFacts>, Failure> {
        let file = workflow.rsplit('/').next().unwrap_or(workflow);
        let path = format!("/actions/workflows/{}/runs?per_page={}", escape(file), most.min(PAGE));
        let call = Call::get(repo_path(repository, &path), format!("read the runs of {file}"))
            .of(repository)
            .needing("actions: read");
        let answer: Option<Runs> = self.ask_maybe(&call).await?;
        let facts = |run: RunAnswer| RunFacts {
            id: run.id,
            url: run.html_url,
            event: run.event,
            branch: run.head_branch,
            conclusion: run.conclusion.filter(|_| run.status.as_deref() == Some("completed")),
            started: run.run_started_at.and_then(|text| text.parse().ok()).unwrap_or(run.created_at),
        };
        Ok(answer.map_or_else(Vec::new, |answer| answer.workflow_runs.into_iter().map(facts).collect()))
    }

    /// Path → state of every workflow.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn workflow_states(
        &self,
        repository: &GithubRepositoryName,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let call = Call::get(repo_path(repository, "/actions/workflows"), "list the workflows")
            .of(repository)
            .needing("actions: read");
        let workflows = self.ask_pages(call, |page: Workflows| page.workflows).await?;
        Ok(workflows.into_iter().map(|workflow| (workflow.path, workflow.state)).collect())
    }

    /// The scanner's open alerts of the default branch.
    ///
    /// # Errors
    /// Where code scanning is off or nothing was uploaded yet; when GitHub refuses or can't be reached.
    pub async fn open_alerts(&self, repository: &GithubRepositoryName) -> Result<OpenAlerts, Failure> {
        let path = repo_path(repository, &format!("/code-scanning/alerts?state=open&tool_name={SCANNER}"));
        let call = Call::get(path, "read the code scanning alerts").of(repository).needing("security_events: read");
        let (alerts, cut) =
            self.ask_some_pages::<Vec<AlertAnswer>, _>(call, |page| page).await.map_err(without_code_scanning)?;
        let mut open = OpenAlerts { cut, ..OpenAlerts::default() };
        for alert in alerts {
            let severity = alert.rule.security_severity_level.unwrap_or_else(|| "unrated".into());
            *open.by_severity.entry(severity).or_default() += 1;
        }
        Ok(open)
    }

    /// The issue that the nightly scan keeps, while it is open: known by its mark and its author.
    ///
    /// # Errors
    /// Where issues are switched off or too many are open; when GitHub refuses or can't be reached.
    pub async fn rescan_issue(&self, repository: &GithubRepositoryName) -> Result<Option<IssueFacts>, Failure> {
        let path = repo_path(repository, "/issues?state=open&sort=updated");
        let call = Call::get(path, "list the open issues").of(repository).needing("issues: read");
        let (issues, cut) = self.ask_some_pages::<Vec<IssueAnswer>, _>(call, |page| page).await?;
        let ours = |issue: &IssueAnswer| {
            issue.pull_request.is_none()
                && issue.user.as_ref().is_some_and(|user| user.login == WORKFLOW_BOT)
                && issue.body.as_ref().is_some_and(|body| body.starts_with(RESCAN_MARK))
        };
        match issues.into_iter().find(ours) {
            Some(IssueAnswer { number, html_url, updated_at, .. }) => {
                Ok(Some(IssueFacts { number, url: html_url, updated: updated_at }))
            }
            None if cut => Err(Failure::new(format!(
                "{repository} has more than {} open issues, and none of the newest is the nightly scan's",
                MOST_PAGES * PAGE as usize
            ))),
            None => Ok(None),
        }
    }

    /// A repository variable of Actions; `None` when there is none of that name.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn variable(&self, repository: &GithubRepositoryName, name: &str) -> Result<Option<String>, Failure> {
        let call = Call::get(repo_path(repository, &format!("/actions/variables/{name}")), format!("read {name}"))
            .of(repository)
            .needing("actions_variables: read");
        Ok(self.ask_maybe::<VariableAnswer>(&call).await?.map(|variable| variable.value))
    }

    /// The first pages of a list, and whether there are more.
    async fn ask_some_pages<P: DeserializeOwned, T>(
        &self,
        mut call: Call,
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<(Vec<T>, bool), Failure> {
        call.path = format!("{}&per_page={PAGE}", call.path);
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            let reply = self.send(&call).await?;
            all.extend(items(reply.json(&call)?));
            match reply.header("link").and_then(next_page) {
                Some(next) if next != call.path => call.path = next,
                _ => return Ok((all, false)),
            }
        }
        Ok((all, true))
    }
}
