//! The publishing identity: OIDC provider, role, user, their inline policies and access keys.

use std::collections::BTreeMap;

use aws_config::retry::RetryConfig;
use aws_sdk_iam::operation::create_access_key::CreateAccessKeyError;
use aws_sdk_iam::operation::create_open_id_connect_provider::CreateOpenIDConnectProviderError;
use aws_sdk_iam::operation::create_role::CreateRoleError;
use aws_sdk_iam::operation::create_user::CreateUserError;
use aws_sdk_iam::operation::delete_access_key::DeleteAccessKeyError;
use aws_sdk_iam::operation::get_open_id_connect_provider::GetOpenIDConnectProviderError;
use aws_sdk_iam::operation::get_role::GetRoleError;
use aws_sdk_iam::operation::get_role_policy::GetRolePolicyError;
use aws_sdk_iam::operation::get_user::GetUserError;
use aws_sdk_iam::operation::get_user_policy::GetUserPolicyError;
use aws_sdk_iam::primitives::DateTime;
use aws_sdk_iam::types::{AccessKeyMetadata, StatusType, Tag};
use futures_util::future::{try_join, try_join_all};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::Aws;
use super::error::{Call, Service};
use super::settling::Refusal;
use crate::failure::{Cause, Failure};
use crate::model::iam::PolicyDocument;
use crate::model::names::{RoleName, UserName};
use crate::model::observed::{KeyFacts, KeyUse, OidcProvider, Role, User};
use crate::model::secrets::AccessKey;

/// Longest session of the role, in seconds: IAM's least, and plenty for one job.
const MAX_SESSION_SECONDS: i32 = 3600;

impl Aws {
    pub(super) fn role_call(&self, action: &'static str, name: &str) -> Call<'_> {
        Call::new(self, Service::Iam, action, format!("the IAM role {name}")).on(self.iam_arn(&format!("role/{name}")))
    }

    pub(super) fn user_call(&self, action: &'static str, name: &UserName) -> Call<'_> {
        Call::new(self, Service::Iam, action, format!("the IAM user {name}")).on(self.iam_arn(&format!("user/{name}")))
    }

    fn provider_call(&self, action: &'static str, arn: &str) -> Call<'_> {
        Call::new(self, Service::Iam, action, format!("the OIDC provider {arn}")).on(Some(arn.to_owned()))
    }

    /// The account's OIDC provider of this ARN; `None` when there is none.
    ///
    /// # Errors
    /// When the read is refused.
    pub async fn oidc_provider(&self, arn: &str) -> Result<Option<OidcProvider>, Failure> {
        match self.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send().await {
            Ok(answer) => Ok(Some(OidcProvider {
                arn: arn.to_owned(),
                audiences: answer.client_id_list.unwrap_or_default().into_iter().collect(),
            })),
            Err(error)
                if error.as_service_error().is_some_and(GetOpenIDConnectProviderError::is_no_such_entity_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.provider_call("iam:GetOpenIDConnectProvider", arn).failed(error)),
        }
    }

    /// The role with its trust, its inline policy of this name and its tags; `None` when there is none.
    ///
    /// # Errors
    /// When one of the reads is refused.
    pub async fn role(&self, name: &RoleName, policy_name: &str) -> Result<Option<Role>, Failure> {
        let Some(role) = self.bare_role(name.as_str()).await? else { return Ok(None) };
        let sent = self.iam.get_role_policy().role_name(name.as_str()).policy_name(policy_name).send().await;
        let policy = match sent {
            Ok(answer) => Some(document(&answer.policy_document)),
            Err(error) if error.as_service_error().is_some_and(GetRolePolicyError::is_no_such_entity_exception) => None,
            Err(error) => return Err(self.role_call("iam:GetRolePolicy", name.as_str()).failed(error)),
        };
        Ok(Some(Role { policy, ..role }))
    }

    /// The role without its inline policy.
    async fn bare_role(&self, name: &str) -> Result<Option<Role>, Failure> {
        let call = self.role_call("iam:GetRole", name);
        let role = match self.iam.get_role().role_name(name).send().await {
            Ok(answer) => answer.role.ok_or_else(|| call.incomplete("the role"))?,
            Err(error) if error.as_service_error().is_some_and(GetRoleError::is_no_such_entity_exception) => {
                return Ok(None);
            }
            Err(error) => return Err(call.failed(error)),
        };
        Ok(Some(Role {
            trust: document(role.assume_role_policy_document.as_deref().unwrap_or_default()),
            policy: None,
            tags: tag_map(role.tags),
            arn: role.arn,
        }))
    }

    /// The ARN of a role, path included.
    pub(super) async fn role_arn(&self, name: &str) -> Result<Option<String>, Failure> {
        Ok(self.bare_role(name).await?.map(|role| role.arn))
    }

    /// The user with its inline policy of this name, its tags and every access key; `None` when there is none.
    ///
    /// # Errors
    /// When one of the reads is refused.
    pub async fn user(&self, name: &UserName, policy_name: &str) -> Result<Option<User>, Failure> {
        let Some(user) = self.bare_user(name).await? else { return Ok(None) };
        let (policy, keys) = try_join(self.user_policy(name, policy_name), self.access_keys(name)).await?;
        Ok(Some(User { policy, keys, ..user }))
    }

    /// The user without its policy and keys.
    async fn bare_user(&self, name: &UserName) -> Result<Option<User>, Failure> {
        let call = self.user_call("iam:GetUser", name);
        let user = match self.iam.get_user().user_name(name.as_str()).send().await {
            Ok(answer) => answer.user.ok_or_else(|| call.incomplete("the user"))?,
            Err(error) if error.as_service_error().is_some_and(GetUserError::is_no_such_entity_exception) => {
                return Ok(None);
            }
            Err(error) => return Err(call.failed(error)),
        };
        Ok(Some(User { arn: user.arn, policy: None, tags: tag_map(user.tags), keys: Vec::new() }))
    }

    async fn user_policy(&self, name: &UserName, policy_name: &str) -> Result<Option<PolicyDocument>, Failure> {
        match self.iam.get_user_policy().user_name(name.as_str()).policy_name(policy_name).send().await {
            Ok(answer) => Ok(Some(document(&answer.policy_document))),
            Err(error) if error.as_service_error().is_some_and(GetUserPolicyError::is_no_such_entity_exception) => {
                Ok(None)
            }
            Err(error) => Err(self.user_call("iam:GetUserPolicy", name).failed(error)),
        }
    }

    /// One page holds them all: a user has at most two.
    async fn access_keys(&self, name: &UserName) -> Result<Vec<KeyFacts>, Failure> {
        let answer = self
            .iam
            .list_access_keys()
            .user_name(name.as_str())
            .send()
            .await
            .map_err(|error| self.user_call("iam:ListAccessKeys", name).failed(error))?;
        try_join_all(answer.access_key_metadata.into_iter().map(|key| self.key_facts(name, key))).await
    }

    async fn key_facts(&self, user: &UserName, key: AccessKeyMetadata) -> Result<KeyFacts, Failure> {
        let call = self.user_call("iam:GetAccessKeyLastUsed", user);
        let (Some(id), Some(created)) = (key.access_key_id, key.create_date.and_then(timestamp)) else {
            return Err(call.incomplete("the key's id and date"));
        };
        let last_used = self.access_key_use(user, &id).await?;
        Ok(KeyFacts { id, active: key.status == Some(StatusType::Active), created, last_used })
    }

    /// Creates the provider without thumbprints: AWS checks GitHub's certificate by its own list of authorities.
    ///
    /// # Errors
    /// `Cause::Exists` when there is one that lacks the audience.
    pub async fn create_oidc_provider(&self, url: &str, audience: &str) -> Result<(), Failure> {
        let host = url.trim_start_matches("https://");
        let arn = self.iam_arn(&format!("oidc-provider/{host}"));
        let call =
            Call::new(self, Service::Iam, "iam:CreateOpenIDConnectProvider", format!("the OIDC provider {host}"))
                .on(arn);
        match self.iam.create_open_id_connect_provider().url(url).client_id_list(audience).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreateOpenIDConnectProviderError::is_entity_already_exists_exception) =>
            {
                if self.account.get().is_none() {
                    self.caller_identity().await?;
                }
                let arn = self.iam_arn(&format!("oidc-provider/{host}")).unwrap_or_default();
                let found = self.oidc_provider(&arn).await?;
                if found.is_some_and(|found| found.audiences.contains(audience)) {
                    Ok(())
                } else {
                    Err(call.exists_differently())
                }
            }
            Err(error) => Err(call.failed(error)),
        }
    }

    /// Adds an audience; others stay, and one that is there already is fine.
    ///
    /// # Errors
    /// When AWS refuses the change.
    pub async fn add_oidc_audience(&self, arn: &str, audience: &str) -> Result<(), Failure> {
        self.iam
            .add_client_id_to_open_id_connect_provider()
            .open_id_connect_provider_arn(arn)
            .client_id(audience)
            .send()
            .await
            .map(drop)
            .map_err(|error| self.provider_call("iam:AddClientIDToOpenIDConnectProvider", arn).failed(error))
    }

    /// Creates the role. One that exists already with this trust and these tags is fine: an answer may have been lost.
    ///
    /// # Errors
    /// `Cause::Exists` when the existing one differs.
    pub async fn create_role(
        &self,
        name: &RoleName,
        description: &str,
        trust: &PolicyDocument,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let call = self.role_call("iam:CreateRole", name.as_str()).tagging("iam:TagRole");
        let sent = self
            .iam
            .create_role()
            .role_name(name.as_str())
            .assume_role_policy_document(trust.to_json())
            .description(description)
            .max_session_duration(MAX_SESSION_SECONDS)
            .set_tags(Some(iam_tags(&call, tags)?))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(CreateRoleError::is_entity_already_exists_exception) => {
                let found = self.bare_role(name.as_str()).await?;
                if found.is_some_and(|found| found.trust == *trust && has_all(&found.tags, tags)) {
                    Ok(())
                } else {
                    Err(call.exists_differently())
                }
            }
            Err(error) => Err(call.failed(error)),
        }
    }

    /// Sets these tags of the role; others stay.
    ///
    /// # Errors
    /// When AWS refuses the change.
    pub async fn tag_role(&self, name: &RoleName, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = self.role_call("iam:TagRole", name.as_str());
        let request = self.iam.tag_role().role_name(name.as_str()).set_tags(Some(iam_tags(&call, tags)?));
        request.send().await.map(drop).map_err(|error| call.failed(error))
    }

    /// Sets these tags of the user; others stay.
    ///
    /// # Errors
    /// When AWS refuses the change.
    pub async fn tag_user(&self, name: &UserName, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = self.user_call("iam:TagUser", name);
        let request = self.iam.tag_user().user_name(name.as_str()).set_tags(Some(iam_tags(&call, tags)?));
        request.send().await.map(drop).map_err(|error| call.failed(error))
    }

    /// # Errors
    /// When AWS refuses the change.
    pub async fn set_role_trust(&self, name: &RoleName, trust: &PolicyDocument) -> Result<(), Failure> {
        self.iam
            .update_assume_role_policy()
            .role_name(name.as_str())
            .policy_document(trust.to_json())
            .send()
            .await
            .map(drop)
            .map_err(|error| self.role_call("iam:UpdateAssumeRolePolicy", name.as_str()).failed(error))
    }

    /// # Errors
    /// When AWS refuses the change, or does not find the role for longer than a new one can take.
    pub async fn set_role_policy(
        &self,
        name: &RoleName,
        policy_name: &str,
        document: &PolicyDocument,
    ) -> Result<(), Failure> {
        let text = document.to_json();
        self.once_found(|| async {
            let request = self.iam.put_role_policy().role_name(name.as_str()).policy_name(policy_name);
            let sent = request.policy_document(&text).send().await;
            sent.map(drop).map_err(|error| self.role_call("iam:PutRolePolicy", name.as_str()).failed(error))
        })
        .await
    }

    /// Creates the user. One that exists already with these tags is fine: an answer may have been lost.
    ///
    /// # Errors
    /// `Cause::Exists` when the existing one lacks the tags.
    pub async fn create_user(&self, name: &UserName, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = self.user_call("iam:CreateUser", name).tagging("iam:TagUser");
        let sent = self.iam.create_user().user_name(name.as_str()).set_tags(Some(iam_tags(&call, tags)?)).send().await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(CreateUserError::is_entity_already_exists_exception) => {
                let found = self.bare_user(name).await?;
                if found.is_some_and(|found| has_all(&found.tags, tags)) {
                    Ok(())
                } else {
                    Err(call.exists_differently())
                }
            }
            Err(error) => Err(call.failed(error)),
        }
    }

    /// # Errors
    /// When AWS refuses the change, or does not find the user for longer than a new one can take.
    pub async fn set_user_policy(
        &self,
        name: &UserName,
        policy_name: &str,
        document: &PolicyDocument,
    ) -> Result<(), Failure> {
        let text = document.to_json();
        self.once_found(|| async {
            let request = self.iam.put_user_policy().user_name(name.as_str()).policy_name(policy_name);
            let sent = request.policy_document(&text).send().await;
            sent.map(drop).map_err(|error| self.user_call("iam:PutUserPolicy", name).failed(error))
        })
        .await
    }

    /// Creates an access key, sent once: a repeated request would make a second key that nobody knows.
    ///
    /// # Errors
    /// When the user has two keys already, active or not; when the answer is lost.
    pub async fn create_access_key(&self, name: &UserName) -> Result<AccessKey, Failure> {
        let call = self.user_call("iam:CreateAccessKey", name);
        self.once_found(|| async {
            let once = aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled());
            let sent =
                self.iam.create_access_key().user_name(name.as_str()).customize().config_override(once).send().await;
            match sent {
                Ok(answer) => {
                    let key = answer.access_key.ok_or_else(|| call.incomplete("the key"))?;
                    Ok(AccessKey::new(key.access_key_id, key.secret_access_key))
                }
                Err(error)
                    if error.as_service_error().is_some_and(CreateAccessKeyError::is_limit_exceeded_exception) =>
                {
                    Err(Failure::new(format!("the IAM user {name} has two access keys already, as many as AWS allows"))
                        .hinted(format!("`aws iam list-access-keys --user-name {name}` lists them"))
                        .hinted(format!(
                            "delete one that nothing uses with `aws iam delete-access-key --user-name {name} \
                             --access-key-id ID`, then run `sbi init` again"
                        )))
                }
                Err(error) => {
                    let failure = call.failed(error);
                    Err(match failure.cause() {
                        Cause::Unreachable => failure.hinted(
                            "a key may have been created all the same; `sbi init` finds and replaces it the next time",
                        ),
                        _ => failure,
                    })
                }
            }
        })
        .await
    }

    /// Deletes a key; one that is gone already is fine.
    ///
    /// # Errors
    /// When AWS refuses the change.
    pub async fn delete_access_key(&self, name: &UserName, key_id: &str) -> Result<(), Failure> {
        match self.iam.delete_access_key().user_name(name.as_str()).access_key_id(key_id).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(DeleteAccessKeyError::is_no_such_entity_exception) => {
                Ok(())
            }
            Err(error) => Err(self.user_call("iam:DeleteAccessKey", name).failed(error)),
        }
    }

    /// Switches a key off.
    ///
    /// # Errors
    /// When AWS refuses the change.
    pub async fn deactivate_access_key(&self, name: &UserName, key_id: &str) -> Result<(), Failure> {
        let call = self.iam.update_access_key().user_name(name.as_str()).access_key_id(key_id);
        let sent = call.status(StatusType::Inactive).send().await;
        sent.map(drop).map_err(|error| self.user_call("iam:UpdateAccessKey", name).failed(error))
    }

    /// When and where a key was last used; `None` when it never was.
    ///
    /// # Errors
    /// When AWS refuses the question.
    pub async fn access_key_use(&self, user: &UserName, key_id: &str) -> Result<Option<KeyUse>, Failure> {
        let call = self.user_call("iam:GetAccessKeyLastUsed", user);
        let sent = self.iam.get_access_key_last_used().access_key_id(key_id).send().await;
        let answer = sent.map_err(|error| call.failed(error))?;
        // A key that was never used has no date, and `N/A` for service and region.
        Ok(answer.access_key_last_used.and_then(|used| {
            let at = timestamp(used.last_used_date?)?;
            Some(KeyUse { at, service: used.service_name, region: used.region })
        }))
    }

    /// Repeats `attempt` while IAM does not find what it has just created, or gets too many requests: neither refusal has
    /// done anything.
    async fn once_found<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let refusal = |failure: Failure| match failure.cause() {
            Cause::NotFound | Cause::Throttled { .. } => Refusal::Passing(failure),
            _ => Refusal::Final(failure),
        };
        self.until_settled(|| async { attempt().await.map_err(refusal) }).await
    }
}

fn has_all(found: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| found.get(key) == Some(value))
}

fn tag_map(tags: Option<Vec<Tag>>) -> BTreeMap<String, String> {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()
}

fn iam_tags(call: &Call<'_>, tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, Failure> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect::<Result<_, _>>().map_err(|error| call.unbuildable(&error))
}

pub(super) fn timestamp(at: DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// IAM sends documents percent-encoded (RFC 3986). One that is not of our grammar differs from every document of ours.
fn document(text: &str) -> PolicyDocument {
    let decoded = match text.trim_start().starts_with('{') {
        true => text.into(),
        false => percent_decode_str(text).decode_utf8_lossy(),
    };
    PolicyDocument::parse(&decoded).unwrap_or_else(|_| PolicyDocument::new(Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::document;
    use crate::model::iam::PolicyDocument;

    #[test]
    fn documents_are_read_encoded_or_plain_and_a_foreign_one_is_empty() {
        let plain = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:PutImage","Resource":"*","Condition":{"StringEquals":{"a":"100%41"}}}]}"#;
        let encoded = percent_encoding::utf8_percent_encode(plain, percent_encoding::NON_ALPHANUMERIC).to_string();
        assert_eq!(document(plain), document(&encoded));
        assert_eq!(document(plain).statements.len(), 1);
        assert!(document(plain).to_json().contains("100%41"));
        for foreign in ["", "%7B%22Version%22", r#"{"Statement":[],"Future":1}"#] {
            assert_eq!(document(foreign), PolicyDocument::new(Vec::new()), "{foreign}");
        }
    }
}
