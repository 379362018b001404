//! What GitHub tells of workflows and their runs, for whoever looks for the reason of a failure.

use std::collections::BTreeMap;

use super::Live;
use crate::failure::Failure;
use crate::github::Run;
use crate::model::git::CommitId;
use crate::model::jobs::is_workflow;
use crate::model::names::GithubRepositoryName;
use crate::model::observed::{FailedJob, RunStory};

impl Live {
    /// Path → text of the workflow files at a ref.
    ///
    /// # Errors
    /// When GitHub knows no such ref, refuses, or can't be reached.
    pub async fn workflows(
        &self,
        repository: &GithubRepositoryName,
        at: &str,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let mut files = self.github.folder(repository, ".github/workflows", at).await?;
        files.retain(|path, _| is_workflow(path));
        Ok(files)
    }

    /// One run with the jobs of it that failed.
    ///
    /// # Errors
    /// When there is no such run, or GitHub refuses or can't be reached.
    pub async fn run_story(&self, repository: &GithubRepositoryName, id: u64) -> Result<RunStory, Failure> {
        let run = self.github.run(repository, id).await?;
        self.story(repository, run).await
    }

    /// The newest run of the workflow that has ended, when it failed; `None` also where runs may not be read.
    ///
    /// # Errors
    /// When GitHub can't be reached.
    pub async fn last_failure(
        &self,
        repository: &GithubRepositoryName,
        workflow: &str,
    ) -> Result<Option<RunStory>, Failure> {
        let runs = match self.github.latest_runs(repository).await {
            Err(failure) if crate::github::is_hidden(&failure) => return Ok(None),
            runs => runs?,
        };
        let ended = |run: &Run| file_of(run) == workflow && run.status.as_deref() == Some("completed");
        match runs.into_iter().find(ended) {
            Some(run) if run.conclusion.as_deref() == Some("failure") => self.story(repository, run).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn story(&self, repository: &GithubRepositoryName, run: Run) -> Result<RunStory, Failure> {
        let jobs = self.github.jobs(repository, run.id).await?;
        let failed = jobs.into_iter().filter(|job| job.conclusion.as_deref() == Some("failure")).map(|job| FailedJob {
            step: job.steps.iter().find(|step| step.conclusion.as_deref() == Some("failure")).map(|s| s.name.clone()),
            name: job.name,
            url: job.url,
        });
        Ok(RunStory {
            failed: failed.collect(),
            workflow: file_of(&run).to_owned(),
            id: run.id,
            url: run.url,
            event: run.event,
            branch: run.branch.unwrap_or_default(),
            commit: CommitId::told(run.head_sha),
            conclusion: run.conclusion,
        })
    }
}

/// The path of the run's workflow, without the ref that may stand behind it.
fn file_of(run: &Run) -> &str {
    run.path.split('@').next().unwrap_or_default()
}
