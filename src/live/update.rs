//! Looks at what an update stands on: GitHub, and AWS where somebody is signed in there.

use super::Live;
use crate::failure::Failure;
use crate::model::config::{Auth, Config};
use crate::model::observed::{AwsObserved, GithubObserved};

impl Live {
    /// GitHub's side, and AWS's or why it can't be told; both asked at once. What is hidden from the token and no matter
    /// of files is left out: a workflow's own token is enough to look.
    ///
    /// # Errors
    /// When GitHub refuses to tell of the repository, its content or its pull requests, or can't be reached.
    pub async fn observe_files(
        &self,
        config: &Config,
    ) -> Result<(GithubObserved, Result<AwsObserved, Failure>), Failure> {
        let oidc = config.publish.auth == Auth::Oidc;
        let name = &config.github.repository;
        let people = async {
            let viewer = self.github.viewer().await?;
            let owner = self.github.owner(name.owner(), &viewer).await?;
            Ok((viewer, owner))
        };
        let github = futures_util::future::try_join(people, self.github.look_at(name));
        let (aws, github) = futures_util::join!(self.observe_aws(config, oidc, !oidc), github);
        let ((viewer, owner), looked) = github?;
        let repository = match looked {
            Some(looked) => {
                looked.pull_requests?;
                Some(looked.found)
            }
            None => None,
        };
        Ok((GithubObserved { viewer, owner, repository }, aws))
    }
}
