//! The few changes that only GraphQL can make. It answers 200 to what it refuses.

use serde::Deserialize;
use serde_json::Value;

use super::{Call, Github, error};
use crate::failure::{Cause, Failure};

#[derive(Deserialize)]
struct GraphqlAnswer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<GraphqlError>,
}

/// Why GraphQL says no.
#[derive(Deserialize)]
pub(super) struct GraphqlError {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    message: String,
}

impl GraphqlError {
    /// What the refusal means to a person.
    pub(super) fn into_failure(self, call: &Call) -> Failure {
        match self.kind.as_str() {
            "FORBIDDEN" | "INSUFFICIENT_SCOPES" | "NOT_FOUND" => {
                error::denied(call, call.permission).caused_by(format!("GitHub says: {}", self.message))
            }
            "RATE_LIMITED" => Failure::new(format!("could not {}: GitHub's rate limit is used up", call.what))
                .because(Cause::Throttled { retry_after_seconds: None })
                .hinted("run the command again in an hour: it goes on where it stopped"),
            _ => Failure::new(format!("could not {}: GitHub refuses it", call.what))
                .caused_by(format!("GitHub says: {}", self.message)),
        }
    }
}

impl Github {
    /// Sends one mutation; the inner error is GraphQL's own.
    pub(super) async fn mutate(&self, call: &Call) -> Result<Result<Value, GraphqlError>, Failure> {
        let reply = self.exchange(&self.graphql, call).await?;
        if reply.status != 200 {
            return Err(error::classify(call, &reply, &self.host));
        }
        let answer: GraphqlAnswer = reply.json(call)?;
        Ok(match answer.errors.into_iter().next() {
            Some(refused) => Err(refused),
            None => Ok(answer.data.unwrap_or_default()),
        })
    }
}
