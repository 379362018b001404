//! Taking an ECR repository away, or our tags off one that stays. What is gone already is fine.

use std::collections::BTreeSet;

use aws_sdk_ecr::operation::batch_delete_image::BatchDeleteImageError;
use aws_sdk_ecr::operation::delete_repository::DeleteRepositoryError;
use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier};

use super::Aws;
use super::error::{Call, Service};
use crate::failure::Failure;
use crate::model::names::{Digest, EcrRepositoryName};

/// Images that one call takes at most (Amazon ECR API reference, `BatchDeleteImage`).
const MOST_IMAGES: usize = 100;

impl Aws {
    /// Deletes these images, whatever their tags. An image that a list refers to goes after the list, so it may take
    /// several rounds; each takes something away or is the last.
    ///
    /// # Errors
    /// When AWS refuses the change, or a list that is not among them refers to one of them.
    pub async fn delete_images(&self, name: &EcrRepositoryName, digests: Vec<Digest>) -> Result<(), Failure> {
        let call = self.ecr_call("ecr:BatchDeleteImage", name);
        let mut left = digests;
        while !left.is_empty() {
            let mut referred_to = Vec::new();
            for some in left.chunks(MOST_IMAGES) {
                let ids = some.iter().map(|digest| ImageIdentifier::builder().image_digest(digest.as_str()).build());
                let request = self.ecr.batch_delete_image().repository_name(name.as_str());
                let answer = match request.set_image_ids(Some(ids.collect())).send().await {
                    Ok(answer) => answer,
                    Err(error)
                        if error
                            .as_service_error()
                            .is_some_and(BatchDeleteImageError::is_repository_not_found_exception) =>
                    {
                        return Ok(());
                    }
                    Err(error) => return Err(call.failed(error)),
                };
                for failure in answer.failures.unwrap_or_default() {
                    let digest = failure.image_id.and_then(|id| id.image_digest);
                    let digest = digest.and_then(|digest| some.iter().find(|one| one.as_str() == digest));
                    match (failure.failure_code, digest) {
                        // It went with the image that it is a signature of.
                        (Some(ImageFailureCode::ImageNotFound), _) => {}
                        (Some(ImageFailureCode::ImageReferencedByManifestList), Some(digest)) => {
                            referred_to.push(digest.clone());
                        }
                        (code, digest) => {
                            let image = digest.map_or_else(|| "an image".to_owned(), ToString::to_string);
                            let code = code.map_or_else(|| "no code".to_owned(), |code| code.as_str().to_owned());
                            return Err(Failure::new(format!("Amazon ECR keeps {image} of {name} ({code})"))
                                .caused_by(failure.failure_reason.unwrap_or_default()));
                        }
                    }
                }
            }
            if referred_to.len() == left.len() {
                return Err(Failure::new(format!("images of {name} are part of an image that is new since the plan"))
                    .hinted("run the command again: it lists the new one first"));
            }
            left = referred_to;
        }
        Ok(())
    }

    /// Deletes an empty repository.
    ///
    /// # Errors
    /// When AWS refuses the change, or the repository holds an image: none goes that was not listed.
    pub async fn delete_ecr_repository(&self, name: &EcrRepositoryName) -> Result<(), Failure> {
        match self.ecr.delete_repository().repository_name(name.as_str()).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteRepositoryError::RepositoryNotFoundException(_)) => Ok(()),
                Some(DeleteRepositoryError::RepositoryNotEmptyException(_)) => {
                    Err(Failure::new(format!("the ECR repository {name} holds images that are new since the plan"))
                        .hinted("run the command again: it lists them first"))
                }
                _ => Err(self.ecr_call("ecr:DeleteRepository", name).failed(error)),
            },
        }
    }

    /// Takes tags off; others stay.
    ///
    /// # Errors
    /// When AWS refuses the change.
    pub async fn untag_ecr_repository(&self, arn: &str, keys: &BTreeSet<String>) -> Result<(), Failure> {
        let call = Call::new(self, Service::Ecr, "ecr:UntagResource", arn).on(Some(arn.to_owned()));
        self.ecr
            .untag_resource()
            .resource_arn(arn)
            .set_tag_keys(Some(keys.iter().cloned().collect()))
            .send()
            .await
            .map(drop)
            .map_err(|error| call.failed(error))
    }
}
