//! What hangs on the things that sbi made: images, and what others put on the identities of CI.

use std::collections::BTreeSet;

use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::types::ImageDetail;
use aws_sdk_iam::operation::get_login_profile::GetLoginProfileError;
use futures_util::try_join;

use super::Aws;
use super::error::Call;
use super::iam::timestamp;
use crate::failure::Failure;
use crate::model::holdings::{IamHoldings, ImageFacts};
use crate::model::names::{EcrRepositoryName, RoleName, UserName};

/// Every page of a list of IAM as a set of names.
macro_rules! all {
    ($request:expr, $call:expr, $name:expr) => {
        async {
            let found: Result<Vec<_>, _> = $request.into_paginator().items().send().collect().await;
            let found = found.map_err(|error| $call.failed(error))?;
            Ok::<BTreeSet<String>, Failure>(found.into_iter().filter_map($name).collect())
        }
    };
}

impl Aws {
    /// Every image of the repository, the newest first; none when there is no such repository.
    ///
    /// # Errors
    /// When the read is refused.
    pub async fn images(&self, name: &EcrRepositoryName) -> Result<Vec<ImageFacts>, Failure> {
        let call = self.ecr_call("ecr:DescribeImages", name);
        let pages = self.ecr.describe_images().repository_name(name.as_str()).into_paginator().items().send();
        let found: Result<Vec<ImageDetail>, _> = pages.collect().await;
        let found = match found {
            Ok(found) => found,
            Err(error)
                if error.as_service_error().is_some_and(DescribeImagesError::is_repository_not_found_exception) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(call.failed(error)),
        };
        let mut images = found.into_iter().map(|image| facts(image, &call)).collect::<Result<Vec<_>, _>>()?;
        images.sort_by(|a, b| (b.pushed, &a.tags, &a.digest).cmp(&(a.pushed, &b.tags, &b.digest)));
        Ok(images)
    }

    /// What hangs on a role that exists.
    ///
    /// # Errors
    /// When one of the reads is refused: what can't be seen must not be taken along.
    pub async fn role_holdings(&self, name: &RoleName) -> Result<IamHoldings, Failure> {
        let name = name.as_str();
        let call = |action| self.role_call(action, name);
        let (policies, attached, instance_profiles) = try_join!(
            all!(self.iam.list_role_policies().role_name(name), call("iam:ListRolePolicies"), Some),
            all!(
                self.iam.list_attached_role_policies().role_name(name),
                call("iam:ListAttachedRolePolicies"),
                |policy| policy.policy_arn
            ),
            all!(
                self.iam.list_instance_profiles_for_role().role_name(name),
                call("iam:ListInstanceProfilesForRole"),
                |profile| Some(profile.instance_profile_name)
            ),
        )?;
        Ok(IamHoldings { policies, attached, instance_profiles, ..IamHoldings::default() })
    }

    /// What hangs on a user that exists, its access keys excepted.
    ///
    /// # Errors
    /// When one of the reads is refused: what can't be seen must not be taken along.
    pub async fn user_holdings(&self, user: &UserName) -> Result<IamHoldings, Failure> {
        let name = user.as_str();
        let call = |action| self.user_call(action, user);
        let (policies, attached, groups, mfa_devices, has_password) = try_join!(
            all!(self.iam.list_user_policies().user_name(name), call("iam:ListUserPolicies"), Some),
            all!(
                self.iam.list_attached_user_policies().user_name(name),
                call("iam:ListAttachedUserPolicies"),
                |policy| policy.policy_arn
            ),
            all!(self.iam.list_groups_for_user().user_name(name), call("iam:ListGroupsForUser"), |group| Some(
                group.group_name
            )),
            all!(self.iam.list_mfa_devices().user_name(name), call("iam:ListMFADevices"), |device| Some(
                device.serial_number
            )),
            self.has_password(user),
        )?;
        Ok(IamHoldings { policies, attached, groups, mfa_devices, has_password, ..IamHoldings::default() })
    }

    async fn has_password(&self, user: &UserName) -> Result<bool, Failure> {
        match self.iam.get_login_profile().user_name(user.as_str()).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(GetLoginProfileError::is_no_such_entity_exception) => {
                Ok(false)
            }
            Err(error) => Err(self.user_call("iam:GetLoginProfile", user).failed(error)),
        }
    }
}

fn facts(image: ImageDetail, call: &Call<'_>) -> Result<ImageFacts, Failure> {
    let digest = image.image_digest.and_then(|digest| digest.parse().ok());
    Ok(ImageFacts {
        digest: digest.ok_or_else(|| call.incomplete("an image's digest"))?,
        tags: image.image_tags.unwrap_or_default().into_iter().collect(),
        pushed: image.image_pushed_at.and_then(timestamp),
        bytes: image.image_size_in_bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
    })
}
