//! A workflow started by hand on a tag that exists for nothing else.

use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Call, Github, repo_path};
use crate::failure::Failure;
use crate::model::git::CommitId;
use crate::model::names::{GitTag, GithubRepositoryName};

#[derive(Deserialize)]
struct DispatchAnswer {
    workflow_run_id: u64,
}

impl Github {
    /// Makes a tag on `commit`. One that an interrupted run left is moved there.
    ///
    /// # Errors
    /// When a rule protects such tags, or GitHub refuses otherwise.
    pub async fn create_tag(
        &self,
        repository: &GithubRepositoryName,
        tag: &GitTag,
        commit: &CommitId,
    ) -> Result<(), Failure> {
        let make = Call::new(Method::POST, repo_path(repository, "/git/refs"), format!("make the tag {tag}"))
            .of(repository)
            .scoped("workflow")
            .body(json!({ "ref": format!("refs/tags/{tag}"), "sha": commit.as_str() }));
        let Err(failure) = self.send(&make).await else { return Ok(()) };
        // GitHub gives no code with "Reference already exists".
        let look = Call::get(repo_path(repository, &format!("/git/ref/tags/{tag}")), format!("look for the tag {tag}"));
        // An answer that was lost is looked for as well: the tag may have been made.
        if self.send(&look.of(repository)).await.is_err() {
            return Err(failure);
        }
        self.delete_tag(repository, tag).await?;
        self.send(&make).await.map(drop)
    }

    /// Deletes a tag; one that is gone already is fine.
    ///
    /// # Errors
    /// When GitHub refuses.
    pub async fn delete_tag(&self, repository: &GithubRepositoryName, tag: &GitTag) -> Result<(), Failure> {
        let path = repo_path(repository, &format!("/git/refs/tags/{tag}"));
        let call = Call::new(Method::DELETE, path, format!("delete the tag {tag}")).of(repository);
        let look = Call::get(repo_path(repository, &format!("/git/ref/tags/{tag}")), format!("look for the tag {tag}"));
        self.delete(&call, &look.of(repository)).await
    }

    /// Starts a workflow, named by its file, on a tag; returns the run's id.
    ///
    /// # Errors
    /// When the workflow is not on the default branch or can't be started by hand.
    pub async fn dispatch(
        &self,
        repository: &GithubRepositoryName,
        workflow: &str,
        tag: &GitTag,
    ) -> Result<u64, Failure> {
        let path = repo_path(repository, &format!("/actions/workflows/{workflow}/dispatches"));
        let call = Call::new(Method::POST, path, format!("start the workflow {workflow}"))
            .of(repository)
            .needing("actions: write")
            .body(json!({ "ref": tag.to_string(), "return_run_details": true }));
        let answer: DispatchAnswer = self.ask(&call).await?;
        Ok(answer.workflow_run_id)
    }
}
