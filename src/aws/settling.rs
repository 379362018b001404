//! IAM shows its own changes late: what it refuses for that reason is asked for again.

use std::time::{Duration, Instant};

use super::Aws;
use crate::failure::Failure;

/// Why an attempt came to nothing.
pub(super) enum Refusal {
    /// Perhaps only because IAM has not settled yet; nothing was done.
    Passing(Failure),
    Final(Failure),
}

impl Aws {
    /// Repeats `attempt` while its refusals are passing ones, until the settling deadline.
    ///
    /// # Errors
    /// The last refusal.
    pub(super) async fn until_settled<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let started = Instant::now();
        let mut pauses = self.pace.pauses();
        loop {
            let failure = match attempt().await {
                Ok(done) => return Ok(done),
                Err(Refusal::Final(failure)) => return Err(failure),
                Err(Refusal::Passing(failure)) => failure,
            };
            let pause = pauses.next().unwrap_or(Duration::ZERO);
            if started.elapsed() + pause > self.pace.settling_deadline {
                return Err(failure);
            }
            tokio::time::sleep(pause).await;
        }
    }
}
