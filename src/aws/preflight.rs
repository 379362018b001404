//! Asks IAM before the first write what the caller may do. A hint: the simulation knows neither every condition nor
//! every policy of an organization.

use std::collections::BTreeMap;

use aws_config::retry::RetryConfig;
use aws_sdk_iam::types::{EvaluationResult, PolicyEvaluationDecisionType};
use futures_util::future::try_join_all;

use super::Aws;
use super::error::{Call, Service};
use crate::failure::{Cause, Failure};

impl Aws {
    /// The (action, resource) pairs among `wanted` that `iam:SimulatePrincipalPolicy` says are denied to the caller;
    /// `None` when it can't say: the caller may not ask, is root or federated, or an emulator lacks the call.
    ///
    /// # Errors
    /// When IAM can't be reached or accepts no credentials: nothing else would work then.
    pub async fn denied_actions(
        &self,
        caller_arn: &str,
        wanted: &[(&'static str, String)],
    ) -> Result<Option<Vec<(String, String)>>, Failure> {
        let Some(caller) = Caller::of(caller_arn) else { return Ok(None) };
        let mut by_resource: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
        for (action, resource) in wanted {
            let actions = by_resource.entry(resource).or_default();
            if !actions.contains(action) {
                actions.push(action);
            }
        }
        let first = self.simulate_all(caller.principal(), &by_resource).await;
        let result = match (first, caller) {
            // A session's ARN lacks the path of its role, and the roles of IAM Identity Center have one.
            (Err(failure), Caller::Session { role, .. }) if *failure.cause() == Cause::NotFound => {
                match self.role_arn(&role).await {
                    Ok(Some(arn)) => self.simulate_all(&arn, &by_resource).await,
                    Ok(None) => return Ok(None),
                    Err(failure) => Err(failure),
                }
            }
            (first, _) => first,
        };
        match result {
            Ok(denied) => Ok(Some(denied)),
            Err(failure) if matches!(failure.cause(), Cause::Unauthenticated | Cause::Unreachable) => Err(failure),
            Err(_) => Ok(None),
        }
    }

    async fn simulate_all(
        &self,
        principal: &str,
        by_resource: &BTreeMap<&str, Vec<&'static str>>,
    ) -> Result<Vec<(String, String)>, Failure> {
        let requests = by_resource.iter().map(|(resource, actions)| self.simulate(principal, resource, actions));
        Ok(try_join_all(requests).await?.into_iter().flatten().collect())
    }

    async fn simulate(
        &self,
        principal: &str,
        resource: &str,
        actions: &[&'static str],
    ) -> Result<Vec<(String, String)>, Failure> {
        let call = Call::new(self, Service::Iam, "iam:SimulatePrincipalPolicy", "the caller's policies")
            .on(Some(principal.to_owned()));
        let mut denied = Vec::new();
        let mut marker = None;
        loop {
            let mut request = self.iam.simulate_principal_policy().policy_source_arn(principal);
            for action in actions {
                request = request.action_names(*action);
            }
            // A hint is not worth a wait: emulators answer 500 to what they lack.
            let once = aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled());
            let answer = request
                .resource_arns(resource)
                .set_marker(marker.take())
                .customize()
                .config_override(once)
                .send()
                .await
                .map_err(|error| call.failed(error))?;
            let results = answer.evaluation_results.unwrap_or_default();
            let refused = results.into_iter().filter(is_denied);
            denied.extend(refused.map(|result| (result.eval_action_name, resource.to_owned())));
            match answer.marker.filter(|_| answer.is_truncated) {
                Some(next) => marker = Some(next),
                None => return Ok(denied),
            }
        }
    }
}

/// A denial that hangs on a value which the simulation did not know may be an approval in truth.
fn is_denied(result: &EvaluationResult) -> bool {
    let denied = matches!(
        result.eval_decision,
        PolicyEvaluationDecisionType::ExplicitDeny | PolicyEvaluationDecisionType::ImplicitDeny
    );
    denied && result.missing_context_values().is_empty()
}

/// Whose policies are simulated.
enum Caller {
    User { arn: String },
    Session { role: String, arn: String },
}

impl Caller {
    fn of(arn: &str) -> Option<Self> {
        let mut fields = arn.splitn(6, ':');
        let ("arn", partition, service, _, account, resource) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?)
        else {
            return None;
        };
        match (service, resource.split('/').collect::<Vec<_>>().as_slice()) {
            ("iam", ["user", ..]) => Some(Self::User { arn: arn.to_owned() }),
            ("sts", ["assumed-role", role, _session]) => Some(Self::Session {
                role: (*role).to_owned(),
                arn: format!("arn:{partition}:iam::{account}:role/{role}"),
            }),
            _ => None,
        }
    }

    fn principal(&self) -> &str {
        match self {
            Self::User { arn } | Self::Session { arn, .. } => arn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Caller;

    #[test]
    fn only_users_and_roles_are_simulated() {
        let principal = |arn: &str| Caller::of(arn).map(|caller| caller.principal().to_owned());
        let user = "arn:aws:iam::123456789012:user/division/ada";
        assert_eq!(principal(user).as_deref(), Some(user));
        assert_eq!(
            principal("arn:aws-cn:sts::123456789012:assumed-role/Deploy/ada@example.com").as_deref(),
            Some("arn:aws-cn:iam::123456789012:role/Deploy")
        );
        assert_eq!(principal("arn:aws:iam::123456789012:root"), None);
        assert_eq!(principal("arn:aws:sts::123456789012:federated-user/ada"), None);
        assert_eq!(principal("nonsense"), None);
    }
}
