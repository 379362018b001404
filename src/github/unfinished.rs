//! Workflow runs that have not ended: what may still hold a secret's former value.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Call, Github, repo_path};
use crate::failure::{Cause, Failure};
use crate::model::names::GithubRepositoryName;

/// Every status of a run that has not ended (GitHub REST API, "List workflow runs for a repository").
const UNFINISHED: [&str; 5] = ["queued", "in_progress", "waiting", "requested", "pending"];

/// A run that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UnfinishedRun {
    pub id: u64,
    pub name: Option<String>,
    #[serde(rename = "html_url")]
    pub url: String,
    pub status: Option<String>,
    created_at: Timestamp,
    /// When the latest attempt was queued.
    run_started_at: Option<Timestamp>,
}

impl UnfinishedRun {
    /// When its latest attempt was queued: it holds the secrets of then.
    #[must_use]
    pub fn queued(&self) -> Timestamp {
        self.run_started_at.unwrap_or(self.created_at)
    }
}

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<UnfinishedRun>,
}

#[derive(Deserialize)]
struct SecretFacts {
    updated_at: Timestamp,
}

impl Github {
    /// Every run that has not ended, each once.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn unfinished_runs(&self, repository: &GithubRepositoryName) -> Result<Vec<UnfinishedRun>, Failure> {
        let lists = UNFINISHED.map(|status| async move {
            let path = repo_path(repository, &format!("/actions/runs?status={status}"));
            let call = Call::get(path, "list the unfinished workflow runs").of(repository).needing("actions: read");
            self.ask_pages(call, |page: Runs| page.workflow_runs).await
        });
        let mut runs: Vec<UnfinishedRun> =
            futures_util::future::try_join_all(lists).await?.into_iter().flatten().collect();
        // One that moved on between two lists is in both.
        runs.sort_by_key(|run| run.id);
        runs.dedup_by_key(|run| run.id);
        Ok(runs)
    }

    /// When a repository secret was last written, by GitHub's clock; `None` when there is no such secret.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn secret_written(
        &self,
        repository: &GithubRepositoryName,
        secret: &str,
    ) -> Result<Option<Timestamp>, Failure> {
        let path = repo_path(repository, &format!("/actions/secrets/{secret}"));
        let call = Call::get(path, format!("read the date of secret {secret}")).of(repository).needing("secrets: read");
        match self.ask::<SecretFacts>(&call).await {
            Ok(facts) => Ok(Some(facts.updated_at)),
            Err(failure) if *failure.cause() == Cause::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}
