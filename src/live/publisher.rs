//! CI's ways into AWS, for whoever must see that they are open, and that others are shut.

use crate::aws::{Aws, Settings};
use crate::failure::Failure;
use crate::model::names::{EcrRepositoryName, ReleaseTag};
use crate::model::region::Region;
use crate::model::secrets::AccessKey;

/// An identity of CI: one that pushes images, or one that only reads them.
pub struct Publisher(Aws);

impl Publisher {
    /// Signs in with an access key, at one endpoint for all of AWS.
    ///
    /// # Errors
    /// None yet: whether the key works is only known when it is used.
    pub async fn with_key(endpoint: String, region: Region, key: AccessKey) -> Result<Self, Failure> {
        let settings =
            Settings { endpoint: Some(endpoint), region: Some(region), credentials: Some(key), profile: None };
        Aws::connect(settings).await.map(Self)
    }

    /// Assumes a role with a workflow's token.
    ///
    /// # Errors
    /// When AWS does not trust the token for this role.
    pub async fn with_token(endpoint: String, region: Region, role_arn: &str, token: &str) -> Result<Self, Failure> {
        // The call that assumes a role is not signed, so any credentials will do.
        let nobody = AccessKey::new("none".into(), "none".into());
        let Self(aws) = Self::with_key(endpoint, region, nobody).await?;
        aws.assume_role_with_token(role_arn, token).await.map(Self)
    }

    /// Signs in to the registry and starts an upload; uploads nothing.
    ///
    /// # Errors
    /// When this identity may not push there.
    pub async fn start_push(&self, repository: &EcrRepositoryName) -> Result<(), Failure> {
        self.0.start_push(repository).await
    }

    /// Signs in to the registry and asks what a tag names; downloads nothing.
    ///
    /// # Errors
    /// When this identity may not pull from there.
    pub async fn start_pull(&self, repository: &EcrRepositoryName, tag: &ReleaseTag) -> Result<(), Failure> {
        self.0.start_pull(repository, tag).await
    }
}
