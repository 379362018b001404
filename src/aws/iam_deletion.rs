//! Taking an identity of CI away again. What is gone already is fine: an answer may have been lost, or a run was
//! interrupted.

use aws_sdk_iam::operation::delete_role::DeleteRoleError;
use aws_sdk_iam::operation::delete_role_policy::DeleteRolePolicyError;
use aws_sdk_iam::operation::delete_user::DeleteUserError;
use aws_sdk_iam::operation::delete_user_policy::DeleteUserPolicyError;

use super::Aws;
use super::settling::Refusal;
use crate::failure::Failure;
use crate::model::names::{RoleName, UserName};

impl Aws {
    /// Deletes one inline policy of a role.
    ///
    /// # Errors
    /// When AWS refuses the change.
    pub async fn delete_role_policy(&self, name: &RoleName, policy_name: &str) -> Result<(), Failure> {
        match self.iam.delete_role_policy().role_name(name.as_str()).policy_name(policy_name).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(DeleteRolePolicyError::is_no_such_entity_exception) => {
                Ok(())
            }
            Err(error) => Err(self.role_call("iam:DeleteRolePolicy", name.as_str()).failed(error)),
        }
    }

    /// Deletes a role that holds nothing any more.
    ///
    /// # Errors
    /// When AWS refuses the change, for instance because somebody attached a policy meanwhile.
    pub async fn delete_role(&self, name: &RoleName) -> Result<(), Failure> {
        self.until_settled(|| async {
            match self.iam.delete_role().role_name(name.as_str()).send().await {
                Ok(_) => Ok(()),
                Err(error) => match error.as_service_error() {
                    Some(DeleteRoleError::NoSuchEntityException(_)) => Ok(()),
                    Some(DeleteRoleError::DeleteConflictException(_)) => Err(Refusal::Passing(
                        self.role_call("iam:DeleteRole", name.as_str()).failed(error).hinted(format!(
                            "`aws iam list-attached-role-policies --role-name {name}` and \
                             `aws iam list-role-policies --role-name {name}` show what is still on it"
                        )),
                    )),
                    _ => Err(Refusal::Final(self.role_call("iam:DeleteRole", name.as_str()).failed(error))),
                },
            }
        })
        .await
    }

    /// Deletes one inline policy of a user.
    ///
    /// # Errors
    /// When AWS refuses the change.
    pub async fn delete_user_policy(&self, name: &UserName, policy_name: &str) -> Result<(), Failure> {
        match self.iam.delete_user_policy().user_name(name.as_str()).policy_name(policy_name).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(DeleteUserPolicyError::is_no_such_entity_exception) => {
                Ok(())
            }
            Err(error) => Err(self.user_call("iam:DeleteUserPolicy", name).failed(error)),
        }
    }

    /// Deletes a user that holds nothing any more.
    ///
    /// # Errors
    /// When AWS refuses the change, for instance because somebody made a key meanwhile.
    pub async fn delete_user(&self, name: &UserName) -> Result<(), Failure> {
        self.until_settled(|| async {
            match self.iam.delete_user().user_name(name.as_str()).send().await {
                Ok(_) => Ok(()),
                Err(error) => match error.as_service_error() {
                    Some(DeleteUserError::NoSuchEntityException(_)) => Ok(()),
                    Some(DeleteUserError::DeleteConflictException(_)) => {
                        Err(Refusal::Passing(self.user_call("iam:DeleteUser", name).failed(error).hinted(format!(
                            "`aws iam list-access-keys --user-name {name}` and \
                             `aws iam list-attached-user-policies --user-name {name}` show what may still be on it"
                        ))))
                    }
                    _ => Err(Refusal::Final(self.user_call("iam:DeleteUser", name).failed(error))),
                },
            }
        })
        .await
    }
}
