//! Taking away what sbi made in a GitHub repository, and the repository itself. What is gone already is fine.

use hyper::Method;

use super::{Call, Github, escape, repo_path};
use crate::failure::Failure;
use crate::model::names::{EnvironmentName, GithubRepositoryName};

impl Github {
    /// Deletes an environment with all that it holds.
    ///
    /// # Errors
    /// When GitHub refuses.
    pub async fn delete_environment(
        &self,
        repository: &GithubRepositoryName,
        name: &EnvironmentName,
    ) -> Result<(), Failure> {
        let path = repo_path(repository, &format!("/environments/{name}"));
        let call = Call::new(Method::DELETE, path.clone(), format!("delete the environment {name}"))
            .of(repository)
            .needing("administration: write");
        let look = Call::get(path, format!("look for the environment {name}")).of(repository);
        self.delete(&call, &look).await
    }

    /// Deletes a branch; GitHub closes the pull request from it.
    ///
    /// # Errors
    /// When GitHub or a rule refuses.
    pub async fn delete_branch(&self, repository: &GithubRepositoryName, branch: &str) -> Result<(), Failure> {
        let escaped = escape(branch);
        let path = repo_path(repository, &format!("/git/refs/heads/{escaped}"));
        let call = Call::new(Method::DELETE, path, format!("delete the branch {branch}")).of(repository);
        let path = repo_path(repository, &format!("/git/ref/heads/{escaped}"));
        let look = Call::get(path, format!("look for the branch {branch}")).of(repository);
        self.delete(&call, &look).await
    }

    /// Deletes a repository with everything in it.
    ///
    /// # Errors
    /// When the token lacks the right, or the organisation keeps it for its owners.
    pub async fn delete_repository(&self, repository: &GithubRepositoryName) -> Result<(), Failure> {
        let mut call =
            Call::new(Method::DELETE, repo_path(repository, ""), format!("delete the repository {repository}"))
                .needing("administration: write")
                .scoped("delete_repo");
        call.resource = Some(repository.to_string());
        let look = Call::get(repo_path(repository, ""), "read the settings").of(repository);
        self.delete(&call, &look).await
    }
}
