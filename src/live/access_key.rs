//! The life of an access key on both sides: issued into the secret, drained, watched.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::{Live, only_if};
use crate::failure::{Cause, Failure};
use crate::github::UnfinishedRun;
use crate::model::config::{Auth, Config};
use crate::model::holdings::IamHoldings;
use crate::model::identity::POLICY_NAME;
use crate::model::names::{GithubRepositoryName, UserName};
use crate::model::observed::KeyObserved;
use crate::model::secrets::ACCESS_KEY_SECRET;
use crate::plan::step::Produced;

/// The dates of a secret and of the key after it must tell which came first, whatever the clocks of AWS and GitHub say:
/// for this long after a writing no other key is issued.
const BETWEEN_KEYS: SignedDuration = SignedDuration::from_secs(10);
/// Pauses between two looks at runs and keys; the last one repeats.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];

fn pauses() -> impl Iterator<Item = Duration> {
    PAUSES.into_iter().chain(std::iter::repeat(PAUSES[PAUSES.len() - 1]))
}

impl Live {
    /// Looks at what replacing the access key compares.
    ///
    /// # Errors
    /// The first refusal of either side; nothing has been changed.
    pub async fn observe_key(&self, config: &Config) -> Result<KeyObserved, Failure> {
        let user = config.user();
        let by_key = config.publish.auth == Auth::AccessKey;
        let written = async { self.github.secret_written(&config.github.repository, ACCESS_KEY_SECRET).await };
        let (caller, viewer, repository, user, secret_written) = futures_util::try_join!(
            self.aws.caller_identity(),
            self.github.viewer(),
            self.github.repository_now(&config.github.repository),
            only_if(by_key, self.aws.user(&user, POLICY_NAME)),
            only_if(by_key, written),
        )?;
        Ok(KeyObserved { caller, viewer, repository, user, secret_written })
    }

    /// The same, and what hangs on the user, of a repository that signs in by OIDC and may have a key of before.
    ///
    /// # Errors
    /// As `observe_key`.
    pub async fn observe_former_key(&self, config: &Config) -> Result<(KeyObserved, IamHoldings), Failure> {
        let name = config.user();
        let user = async {
            let Some(user) = self.aws.user(&name, POLICY_NAME).await? else { return Ok(None) };
            Ok(Some((user, self.aws.user_holdings(&name).await?)))
        };
        let (caller, viewer, repository, user, secret_written) = futures_util::try_join!(
            self.aws.caller_identity(),
            self.github.viewer(),
            self.github.repository_now(&config.github.repository),
            user,
            self.github.secret_written(&config.github.repository, ACCESS_KEY_SECRET),
        )?;
        let (user, held) = user.unzip();
        Ok((KeyObserved { caller, viewer, repository, user, secret_written }, held.unwrap_or_default()))
    }

    /// Creates a key, waits until it works, and uploads it. `written` is when the secret was written before.
    pub(super) async fn issue_access_key(
        &self,
        user: &UserName,
        repository: &GithubRepositoryName,
        written: Option<Timestamp>,
        say: &dyn Fn(String),
    ) -> Result<Produced, Failure> {
        let early = written.map_or(SignedDuration::ZERO, |at| at + BETWEEN_KEYS - Timestamp::now());
        if early.is_positive() {
            let wait = early.min(BETWEEN_KEYS);
            say(format!(
                "the secret was written a moment ago: waiting {} s, so that dates can tell keys apart",
                wait.as_secs() + 1
            ));
            tokio::time::sleep(wait.unsigned_abs()).await;
        }
        // Before there is a key that nothing could be sealed for.
        self.github.prepare_sealing(repository).await?;
        let key = self.aws.create_access_key(user).await?;
        let produced = || Produced::AccessKey { id: key.id().to_owned() };
        if let Err(failure) = self.aws.wait_until_key_works(&key, say).await {
            return Err(self.take_back(user, key.id(), failure).await);
        }
        let Err(failure) = self.github.put_access_key(repository, &key).await else { return Ok(produced()) };
        if !may_have_arrived(failure.cause()) {
            return Err(self.take_back(user, key.id(), failure).await);
        }
        // Deleting a key that did arrive would leave every job with a dead one.
        match self.github.secret_written(repository, ACCESS_KEY_SECRET).await {
            Ok(now) if now > written => Ok(produced()),
            _ => Err(failure.hinted(format!(
                "whether the new access key {} reached the secret is not known; both keys work, and the next run finds \
                 out and goes on from there",
                key.id()
            ))),
        }
    }

    /// A key that never reached the secret must not live on; where even that fails, the person is told its id.
    async fn take_back(&self, user: &UserName, key_id: &str, failure: Failure) -> Failure {
        match self.aws.delete_access_key(user, key_id).await {
            Ok(()) => failure.hinted(format!("the new access key {key_id} was deleted again; run it once more")),
            Err(_) => {
                failure.hinted(format!("the new access key {key_id} could not be deleted either; the next run does it"))
            }
        }
    }

    /// Waits until no run is left that was queued before then, or before the secret was written.
    pub(super) async fn drain_runs(
        &self,
        repository: &GithubRepositoryName,
        patience: SignedDuration,
        queued_before: Option<Timestamp>,
        say: &dyn Fn(String),
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let written = match queued_before {
            Some(at) => at,
            None => self.github.secret_written(repository, ACCESS_KEY_SECRET).await?.ok_or_else(|| {
                Failure::new(format!("the secret {ACCESS_KEY_SECRET} of {repository} is gone"))
                    .hinted("the old key still works; `sbi plan` shows what is there")
            })?,
        };
        let mut told = String::new();
        for pause in pauses() {
            let mut open = self.github.unfinished_runs(repository).await?;
            // Dates have whole seconds: one of the same second may have read the former value.
            open.retain(|run| run.queued() <= written);
            let Some(first) = open.first() else { return Ok(()) };
            if started.elapsed() + pause > patience.unsigned_abs() {
                return Err(still_running(&open));
            }
            let text = match open.len() {
                1 => format!("one run may hold the old key: {}", describe(first)),
                many => format!("{many} runs may hold the old key, one of them {}", describe(first)),
            };
            if text != told {
                say(text.clone());
                told = text;
            }
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Fails when the key is used within `quiet`.
    pub(super) async fn watch_access_key(
        &self,
        user: &UserName,
        key_id: &str,
        quiet: SignedDuration,
        say: &dyn Fn(String),
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let before = self.aws.access_key_use(user, key_id).await?;
        say(format!("watching {key_id} for {} s", quiet.as_secs()));
        for pause in pauses() {
            let left = quiet.unsigned_abs().saturating_sub(started.elapsed());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(pause.min(left)).await;
            let now = self.aws.access_key_use(user, key_id).await?;
            if now == before {
                continue;
            }
            if let Some(used) = now {
                return Err(Failure::new(format!(
                    "access key {key_id} was used on {} in {} at {}, although no job has it any more",
                    used.service, used.region, used.at
                ))
                .hinted(format!(
                    "it is inactive and not deleted; give it back: `aws iam update-access-key --user-name {user} \
                     --access-key-id {key_id} --status Active`"
                ))
                .hinted("or, when nobody needs it: `sbi rotate-keys --finish`"));
            }
        }
        Ok(())
    }
}

/// A request without an answer, or one that broke on the way, may have been carried out.
fn may_have_arrived(cause: &Cause) -> bool {
    matches!(cause, Cause::Unreachable | Cause::Other)
}

fn describe(run: &UnfinishedRun) -> String {
    let status = run.status.as_deref().unwrap_or("unfinished").replace('_', " ");
    format!("{} ({status}): {}", run.name.as_deref().unwrap_or("a run"), run.url)
}

fn still_running(open: &[UnfinishedRun]) -> Failure {
    let runs = if open.len() == 1 { "run" } else { "runs" };
    let mut failure =
        Failure::new(format!("{} {runs} may still hold the old key, which therefore stays active", open.len()))
            .hinted("both keys work, and jobs that start now have the new one; `sbi rotate-keys` goes on from here");
    for run in open.iter().take(5) {
        failure = failure.hinted(format!("let it end, approve it or cancel it: {}", describe(run)));
    }
    failure
}
