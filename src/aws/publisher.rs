//! CI's side of AWS: what jobs do with the identities that sbi made. The sandbox proves itself with it.

use aws_credential_types::Credentials;
use aws_sdk_ecr::config::SharedCredentialsProvider;
use aws_sdk_ecr::types::ImageIdentifier;

use super::Aws;
use super::error::{Call, Service};
use crate::failure::Failure;
use crate::model::names::{EcrRepositoryName, ReleaseTag};

impl Aws {
    /// `sts:AssumeRoleWithWebIdentity`, as a workflow does it: the same region with the role's temporary credentials.
    ///
    /// # Errors
    /// When AWS does not trust the token for this role.
    pub async fn assume_role_with_token(&self, role_arn: &str, token: &str) -> Result<Aws, Failure> {
        let call =
            Call::new(self, Service::Sts, "sts:AssumeRoleWithWebIdentity", "the role").on(Some(role_arn.to_owned()));
        let answer = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(role_arn)
            .role_session_name("sbi")
            .web_identity_token(token)
            .send()
            .await
            .map_err(|error| call.failed(error))?;
        let Some(session) = answer.credentials else { return Err(call.incomplete("credentials")) };
        let session = Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.session_token),
            None,
            "role",
        );
        Ok(self.with_credentials(SharedCredentialsProvider::new(session)))
    }

    /// The two first calls of every push: signing in to the registry, and starting an upload. Uploads nothing.
    ///
    /// # Errors
    /// When the identity may not push there.
    pub async fn start_push(&self, repository: &EcrRepositoryName) -> Result<(), Failure> {
        self.sign_in_to_registry().await?;
        let thing = format!("the ECR repository {repository}");
        let call = Call::new(self, Service::Ecr, "ecr:InitiateLayerUpload", thing).on(self.ecr_arn(repository));
        self.ecr
            .initiate_layer_upload()
            .repository_name(repository.as_str())
            .send()
            .await
            .map(drop)
            .map_err(|error| call.failed(error))
    }

    /// The two first calls of every pull: signing in to the registry, and asking for what the tag names. A tag that
    /// names nothing yet is an answer too.
    ///
    /// # Errors
    /// When the identity may not pull from there.
    pub async fn start_pull(&self, repository: &EcrRepositoryName, tag: &ReleaseTag) -> Result<(), Failure> {
        self.sign_in_to_registry().await?;
        let thing = format!("the ECR repository {repository}");
        let call = Call::new(self, Service::Ecr, "ecr:BatchGetImage", thing).on(self.ecr_arn(repository));
        self.ecr
            .batch_get_image()
            .repository_name(repository.as_str())
            .image_ids(ImageIdentifier::builder().image_tag(tag.as_str()).build())
            .send()
            .await
            .map(drop)
            .map_err(|error| call.failed(error))
    }

    async fn sign_in_to_registry(&self) -> Result<(), Failure> {
        let call = Call::new(self, Service::Ecr, "ecr:GetAuthorizationToken", "the registry").on(Some("*".to_owned()));
        // The token is dropped unread.
        self.ecr.get_authorization_token().send().await.map(drop).map_err(|error| call.failed(error))
    }
}
