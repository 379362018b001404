//! Who is calling, and whether a new access key has reached AWS yet.

use std::time::{Duration, Instant};

use futures_util::future::try_join;

use super::error::{Call, Service};
use super::{Account, Aws};
use crate::failure::{Cause, Failure};
use crate::model::names::AccountId;
use crate::model::observed::CallerIdentity;
use crate::model::secrets::AccessKey;

impl Aws {
    /// `sts:GetCallerIdentity`, which needs no right.
    ///
    /// # Errors
    /// When there are no credentials, or none that AWS accepts.
    pub async fn caller_identity(&self) -> Result<CallerIdentity, Failure> {
        let call = Call::new(self, Service::Sts, "sts:GetCallerIdentity", "");
        let answer = self.sts.get_caller_identity().send().await.map_err(|error| call.failed(error))?;
        let (Some(account), Some(arn)) = (answer.account, answer.arn) else {
            return Err(call.incomplete("the account and its ARN"));
        };
        let account = AccountId::new(account).map_err(|_| call.incomplete("an account of twelve digits"))?;
        if let Some(partition) = arn.split(':').nth(1) {
            self.account.get_or_init(|| Account { partition: partition.to_owned(), id: account.to_string() });
        }
        Ok(CallerIdentity { account, arn })
    }

    /// Waits until STS and ECR accept a new key several times in a row. A key that works at once costs three round trips;
    /// `say` is told when there is a real wait and how long it can be.
    ///
    /// # Errors
    /// When the key is still refused after the pace's deadline.
    pub async fn wait_until_key_works(&self, key: &AccessKey, say: &dyn Fn(String)) -> Result<(), Failure> {
        let with_key = self.with_key(key);
        let started = Instant::now();
        let deadline = self.pace.key_deadline;
        let mut pauses = self.pace.pauses();
        let mut successes = 0;
        let mut told = false;
        loop {
            match with_key.try_key().await {
                Ok(()) => {
                    successes += 1;
                    if successes >= self.pace.successes {
                        return Ok(());
                    }
                    tokio::time::sleep(self.pace.between_successes).await;
                }
                Err(failure) if not_yet(failure.cause()) => {
                    successes = 0;
                    let pause = pauses.next().unwrap_or(Duration::ZERO);
                    if started.elapsed() + pause > deadline {
                        return Err(gave_up(key, deadline, failure));
                    }
                    if !told {
                        say(format!(
                            "AWS does not know the access key {} everywhere yet: usually 2 to 20 s, at most {} s",
                            key.id(),
                            deadline.as_secs()
                        ));
                        told = true;
                    }
                    tokio::time::sleep(pause).await;
                }
                Err(failure) => return Err(failure.during(format!("check the access key {}", key.id()))),
            }
        }
    }

    /// A key that STS accepts may still be refused by ECR.
    async fn try_key(&self) -> Result<(), Failure> {
        let sign_in = async {
            let call =
                Call::new(self, Service::Ecr, "ecr:GetAuthorizationToken", "the registry").on(Some("*".to_owned()));
            // The token is dropped unread.
            self.ecr.get_authorization_token().send().await.map(drop).map_err(|error| call.failed(error))
        };
        try_join(self.caller_identity(), sign_in).await.map(drop)
    }
}

/// What AWS answers while a key or its user's policy is still on its way.
fn not_yet(cause: &Cause) -> bool {
    matches!(cause, Cause::Unauthenticated | Cause::Denied { .. } | Cause::Throttled { .. })
}

/// The person is signed in; it is the new key that is not, so this is no `Unauthenticated`.
fn gave_up(key: &AccessKey, deadline: Duration, last: Failure) -> Failure {
    Failure::new(format!("AWS still refuses the new access key {} after {} s", key.id(), deadline.as_secs()))
        .caused_by(last)
        .hinted("run `sbi init` again in a minute: it replaces the key")
}
