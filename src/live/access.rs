//! Proves that AWS lets the jobs in: a workflow that signs in and does nothing else, on a tag that is made for it.

use super::Live;
use super::watch::{Ended, Patience, follow_to_end};
use crate::failure::Failure;
use crate::model::git::CommitId;
use crate::model::names::{GitTag, GithubRepositoryName};

impl Live {
    /// Runs the workflow on a new tag, waits for its end, and deletes the tag again, however it ended.
    pub(super) async fn check_access(
        &self,
        repository: &GithubRepositoryName,
        workflow: &str,
        (tag, commit): (&GitTag, &CommitId),
        patience: Patience,
        say: &dyn Fn(String),
    ) -> Result<(), Failure> {
        let run = async {
            self.github.create_tag(repository, tag, commit).await?;
            let id = self.github.dispatch(repository, workflow, tag).await?;
            let run = self.github.run(repository, id).await?;
            follow_to_end(&self.github, repository, run, patience, say).await
        };
        let ended = run.await;
        let deleted = self.github.delete_tag(repository, tag).await;
        match ended? {
            Ended::Succeeded { .. } => deleted,
            Ended::Failed { failure, .. } => Err(failure),
            Ended::StillRunning { url } => Err(Failure::new(format!("{workflow} did not end in time: {url}"))
                .hinted("nothing was taken away; run it again")),
        }
    }
}
