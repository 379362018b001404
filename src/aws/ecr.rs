//! The ECR repository: its settings, lifecycle policy and tags.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::operation::create_repository::CreateRepositoryError;
use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::operation::describe_repositories::DescribeRepositoriesError;
use aws_sdk_ecr::operation::get_lifecycle_policy::GetLifecyclePolicyError;
use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageIdentifier, ImageScanningConfiguration, ImageTagMutability,
    ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType, Repository, Tag,
};
use futures_util::future::try_join;
use jiff::Timestamp;
use serde_json::Value;

use super::Aws;
use super::error::{Call, Service};
use crate::failure::Failure;
use crate::model::names::{EcrRepositoryName, ReleaseTag};
use crate::model::observed::{EcrRepository, Encryption, TagMutability};
use crate::model::status::PublishedImage;

impl Aws {
    pub(super) fn ecr_call(&self, action: &'static str, name: &EcrRepositoryName) -> Call<'_> {
        Call::new(self, Service::Ecr, action, format!("the ECR repository {name}")).on(self.ecr_arn(name))
    }

    /// The repository with everything that sbi manages; `None` when there is none.
    ///
    /// # Errors
    /// When one of the three reads is refused.
    pub async fn ecr_repository(&self, name: &EcrRepositoryName) -> Result<Option<EcrRepository>, Failure> {
        let call = self.ecr_call("ecr:DescribeRepositories", name);
        let answer = match self.ecr.describe_repositories().repository_names(name.as_str()).send().await {
            Ok(answer) => answer,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DescribeRepositoriesError::is_repository_not_found_exception) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(call.failed(error)),
        };
        let Some(mut repository) = answer.repositories.unwrap_or_default().into_iter().next() else {
            return Ok(None);
        };
        let tag_mutability = tag_mutability(&mut repository).map_err(|what| call.incomplete(&what))?;
        let (Some(arn), Some(uri)) = (repository.repository_arn, repository.repository_uri) else {
            return Err(call.incomplete("its ARN and URI"));
        };
        let (lifecycle, tags) = try_join(self.ecr_lifecycle(name), self.ecr_tags(name, &arn)).await?;
        Ok(Some(EcrRepository {
            tag_mutability,
            scan_on_push: repository.image_scanning_configuration.is_some_and(|scanning| scanning.scan_on_push),
            encryption: encryption(repository.encryption_configuration),
            lifecycle,
            tags,
            arn,
            uri,
        }))
    }

    /// What a release's tag names; `None` when there is no such tag, or no such repository.
    ///
    /// # Errors
    /// When AWS refuses or can't be reached.
    pub async fn published_image(
        &self,
        name: &EcrRepositoryName,
        tag: &ReleaseTag,
    ) -> Result<Option<PublishedImage>, Failure> {
        let call = self.ecr_call("ecr:DescribeImages", name);
        let id = ImageIdentifier::builder().image_tag(tag.as_str()).build();
        let answer = match self.ecr.describe_images().repository_name(name.as_str()).image_ids(id).send().await {
            Ok(answer) => answer,
            Err(error)
                if error.as_service_error().is_some_and(|refused: &DescribeImagesError| {
                    refused.is_image_not_found_exception() || refused.is_repository_not_found_exception()
                }) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(call.failed(error)),
        };
        let Some(detail) = answer.image_details.unwrap_or_default().into_iter().next() else { return Ok(None) };
        let digest = detail.image_digest.and_then(|digest| digest.parse().ok());
        Ok(Some(PublishedImage {
            tag: tag.clone(),
            digest: digest.ok_or_else(|| call.incomplete("a digest"))?,
            pushed: detail.image_pushed_at.and_then(|at| Timestamp::from_second(at.secs()).ok()),
        }))
    }

    async fn ecr_lifecycle(&self, name: &EcrRepositoryName) -> Result<Option<Value>, Failure> {
        match self.ecr.get_lifecycle_policy().repository_name(name.as_str()).send().await {
            // What is no JSON differs from every policy of ours, and says so as it is.
            Ok(answer) => {
                Ok(answer.lifecycle_policy_text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))))
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetLifecyclePolicyError::is_lifecycle_policy_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.ecr_call("ecr:GetLifecyclePolicy", name).failed(error)),
        }
    }

    async fn ecr_tags(&self, name: &EcrRepositoryName, arn: &str) -> Result<BTreeMap<String, String>, Failure> {
        let answer = self
            .ecr
            .list_tags_for_resource()
            .resource_arn(arn)
            .send()
            .await
            .map_err(|error| self.ecr_call("ecr:ListTagsForResource", name).failed(error))?;
        Ok(answer.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// Creates the repository, encrypted with AES-256 and scanned on push. One that exists already and is just like
    /// it is fine: an answer may have been lost.
    ///
    /// # Errors
    /// `Cause::Exists` when the existing one differs.
    pub async fn create_ecr_repository(
        &self,
        name: &EcrRepositoryName,
        mutability: &TagMutability,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let call = self.ecr_call("ecr:CreateRepository", name).tagging("ecr:TagResource");
        let (setting, filters) = mutability_setting(&call, mutability)?;
        let encryption = EncryptionConfiguration::builder()
            .encryption_type(EncryptionType::Aes256)
            .build()
            .map_err(|error| call.unbuildable(&error))?;
        let sent = self
            .ecr
            .create_repository()
            .repository_name(name.as_str())
            .image_tag_mutability(setting)
            .set_image_tag_mutability_exclusion_filters(filters)
            .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(true).build())
            .encryption_configuration(encryption)
            .set_tags(Some(ecr_tags(&call, tags)?))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreateRepositoryError::is_repository_already_exists_exception) =>
            {
                let same = self.ecr_repository(name).await?.is_some_and(|found| {
                    found.tag_mutability == *mutability
                        && found.scan_on_push
                        && found.encryption == Encryption::Aes256
                        && tags.iter().all(|(key, value)| found.tags.get(key) == Some(value))
                });
                if same { Ok(()) } else { Err(call.exists_differently()) }
            }
            Err(error) => Err(call.failed(error)),
        }
    }

    /// # Errors
    /// When AWS refuses the change.
    pub async fn set_ecr_tag_mutability(
        &self,
        name: &EcrRepositoryName,
        mutability: &TagMutability,
    ) -> Result<(), Failure> {
        let call = self.ecr_call("ecr:PutImageTagMutability", name);
        let (setting, filters) = mutability_setting(&call, mutability)?;
        self.ecr
            .put_image_tag_mutability()
            .repository_name(name.as_str())
            .image_tag_mutability(setting)
            .set_image_tag_mutability_exclusion_filters(filters)
            .send()
            .await
            .map(drop)
            .map_err(|error| call.failed(error))
    }

    /// # Errors
    /// When AWS refuses the change.
    pub async fn set_ecr_scan_on_push(&self, name: &EcrRepositoryName) -> Result<(), Failure> {
        self.ecr
            .put_image_scanning_configuration()
            .repository_name(name.as_str())
            .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(true).build())
            .send()
            .await
            .map(drop)
            .map_err(|error| self.ecr_call("ecr:PutImageScanningConfiguration", name).failed(error))
    }

    /// # Errors
    /// When AWS refuses the change.
    pub async fn set_ecr_lifecycle(&self, name: &EcrRepositoryName, policy: &Value) -> Result<(), Failure> {
        self.ecr
            .put_lifecycle_policy()
            .repository_name(name.as_str())
            .lifecycle_policy_text(policy.to_string())
            .send()
            .await
            .map(drop)
            .map_err(|error| self.ecr_call("ecr:PutLifecyclePolicy", name).failed(error))
    }

    /// Adds tags; others stay.
    ///
    /// # Errors
    /// When AWS refuses the change.
    pub async fn tag_ecr_repository(&self, arn: &str, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = Call::new(self, Service::Ecr, "ecr:TagResource", arn).on(Some(arn.to_owned()));
        self.ecr
            .tag_resource()
            .resource_arn(arn)
            .set_tags(Some(ecr_tags(&call, tags)?))
            .send()
            .await
            .map(drop)
            .map_err(|error| call.failed(error))
    }
}

fn ecr_tags(call: &Call<'_>, tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, Failure> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect::<Result<_, _>>().map_err(|error| call.unbuildable(&error))
}

/// The setting as ECR takes it, with its wildcard filters.
type MutabilitySetting = (ImageTagMutability, Option<Vec<ImageTagMutabilityExclusionFilter>>);

fn mutability_setting(call: &Call<'_>, mutability: &TagMutability) -> Result<MutabilitySetting, Failure> {
    let wildcard = |filter: &String| {
        ImageTagMutabilityExclusionFilter::builder()
            .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
            .filter(filter)
            .build()
    };
    let filters = |filters: &BTreeSet<String>| {
        filters.iter().map(wildcard).collect::<Result<Vec<_>, _>>().map_err(|error| call.unbuildable(&error))
    };
    Ok(match mutability {
        TagMutability::Mutable => (ImageTagMutability::Mutable, None),
        TagMutability::Immutable => (ImageTagMutability::Immutable, None),
        TagMutability::ImmutableExcept(except) => (ImageTagMutability::ImmutableWithExclusion, Some(filters(except)?)),
        TagMutability::MutableExcept(except) => (ImageTagMutability::MutableWithExclusion, Some(filters(except)?)),
    })
}

/// # Errors
/// What is missing, when the answer holds a setting that this program does not know: guessing could weaken it.
fn tag_mutability(repository: &mut Repository) -> Result<TagMutability, String> {
    let filters = repository.image_tag_mutability_exclusion_filters.take().unwrap_or_default();
    let except = || filters.into_iter().map(|filter| filter.filter).collect();
    match repository.image_tag_mutability.take() {
        Some(ImageTagMutability::Mutable) | None => Ok(TagMutability::Mutable),
        Some(ImageTagMutability::Immutable) => Ok(TagMutability::Immutable),
        Some(ImageTagMutability::ImmutableWithExclusion) => Ok(TagMutability::ImmutableExcept(except())),
        Some(ImageTagMutability::MutableWithExclusion) => Ok(TagMutability::MutableExcept(except())),
        Some(other) => Err(format!("a tag mutability that sbi knows (`{}`)", other.as_str())),
    }
}

/// A repository without the setting is encrypted with AES-256 (Amazon ECR user guide, "Encryption at rest").
fn encryption(configuration: Option<EncryptionConfiguration>) -> Encryption {
    match configuration {
        None => Encryption::Aes256,
        Some(configuration) if configuration.encryption_type == EncryptionType::Aes256 => Encryption::Aes256,
        Some(configuration) => Encryption::Kms {
            dual_layer: configuration.encryption_type == EncryptionType::KmsDsse,
            key: configuration.kms_key,
        },
    }
}
