//! Releases, and the workflow runs that they start.

use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Call, Github, error, repo_path};
use crate::failure::{Cause, Failure};
use crate::model::git::CommitId;
use crate::model::names::{GitTag, GithubRepositoryName};

/// A workflow run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Run {
    pub id: u64,
    #[serde(rename = "html_url")]
    pub url: String,
    /// Of a run that a release started: the release's tag.
    #[serde(rename = "head_branch")]
    pub branch: Option<String>,
    /// `queued`, `in_progress`, `completed` and a few more.
    pub status: Option<String>,
    /// `success`, `failure`, … once completed.
    pub conclusion: Option<String>,
    /// `release`, `schedule`, …
    #[serde(default)]
    pub event: String,
    #[serde(default)]
    pub head_sha: String,
    /// Of the workflow file, sometimes with `@REF` behind it.
    #[serde(default)]
    pub path: String,
}

/// A job of a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Job {
    pub name: String,
    pub status: String,
    pub conclusion: Option<String>,
    #[serde(rename = "html_url")]
    pub url: Option<String>,
    #[serde(default)]
    pub steps: Vec<JobStep>,
}

/// A step of a job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct JobStep {
    pub name: String,
    pub status: String,
    pub conclusion: Option<String>,
}

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct ReleaseAnswer {
    html_url: String,
    #[serde(default)]
    body: Option<String>,
}

impl Github {
    /// Publishes a release of `commit`; GitHub makes the tag. One that is there with these notes after an answer was lost
    /// is the one that was asked for.
    ///
    /// # Errors
    /// `Cause::Exists` when the tag has a release already.
    pub async fn create_release(
        &self,
        repository: &GithubRepositoryName,
        tag: &GitTag,
        notes: &str,
        commit: &CommitId,
    ) -> Result<String, Failure> {
        let call = Call::new(Method::POST, repo_path(repository, "/releases"), format!("publish the release {tag}"))
            .of(repository)
            .scoped("workflow")
            .body(json!({
                "tag_name": tag.to_string(),
                "target_commitish": commit.as_str(),
                "name": tag.to_string(),
                "body": notes,
                "draft": false,
                "prerelease": tag.version().parts().3,
            }));
        let (failure, lost) = match self.exchange(&self.rest, &call).await {
            Ok(reply) if (200..300).contains(&reply.status) => {
                return reply.json::<ReleaseAnswer>(&call).map(|answer| answer.html_url);
            }
            Ok(reply) => (error::classify(&call, &reply, &self.host), reply.status >= 500),
            Err(failure) => (failure, true),
        };
        let next = format!("the next free tag may be {}: `--release {0}`", tag.version().next_patch());
        match failure.cause() {
            Cause::Exists => Err(failure.hinted(next)),
            // A lost answer and a refusal without a code end here: whether the release is there shows by looking.
            Cause::Other | Cause::Unreachable => {
                let path = repo_path(repository, &format!("/releases/tags/{tag}"));
                let look = Call::get(path, format!("look for the release {tag}")).of(repository);
                match self.ask::<ReleaseAnswer>(&look).await {
                    Ok(found) if lost && found.body.as_deref() == Some(notes) => Ok(found.html_url),
                    Ok(_) => Err(failure.because(Cause::Exists).hinted(next)),
                    Err(_) => Err(failure),
                }
            }
            _ => Err(failure),
        }
    }

    /// The newest run that the release of `tag` started on `head`; `None` while there is none. Several releases can be
    /// of one commit: the branch of a release's run is its tag.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn find_run(
        &self,
        repository: &GithubRepositoryName,
        head: &CommitId,
        tag: &GitTag,
    ) -> Result<Option<Run>, Failure> {
        let path = repo_path(repository, &format!("/actions/runs?event=release&head_sha={head}&per_page=100"));
        let call = Call::get(path, "look for the workflow run").of(repository).needing("actions: read");
        let answer: Runs = self.ask(&call).await?;
        let tag = tag.to_string();
        Ok(answer.workflow_runs.into_iter().find(|run| run.branch.as_ref() == Some(&tag)))
    }

    /// The latest runs, newest first, those of every workflow.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn latest_runs(&self, repository: &GithubRepositoryName) -> Result<Vec<Run>, Failure> {
        let path = repo_path(repository, "/actions/runs?per_page=100");
        let call = Call::get(path, "list the workflow runs").of(repository).needing("actions: read");
        Ok(self.ask::<Runs>(&call).await?.workflow_runs)
    }

    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn run(&self, repository: &GithubRepositoryName, id: u64) -> Result<Run, Failure> {
        let path = repo_path(repository, &format!("/actions/runs/{id}"));
        self.ask(&Call::get(path, "read the workflow run").of(repository).needing("actions: read")).await
    }

    /// The jobs of a run's latest attempt.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn jobs(&self, repository: &GithubRepositoryName, run: u64) -> Result<Vec<Job>, Failure> {
        let path = repo_path(repository, &format!("/actions/runs/{run}/jobs"));
        let call = Call::get(path, "read the jobs of the workflow run").of(repository).needing("actions: read");
        self.ask_pages(call, |page: Jobs| page.jobs).await
    }
}
