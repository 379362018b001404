//! What a token without the right to look gets instead of an answer, told apart from what is not there.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::failure::{Cause, Failure};
use crate::model::names::GitTag;
use crate::model::observed::GithubRepository;

/// A repository, and what of it is hidden from the token.
#[derive(Debug)]
pub struct Looked {
    /// Where something is hidden, nothing stands in its place.
    pub found: GithubRepository,
    pub secrets: Result<(), Failure>,
    pub environments: Result<(), Failure>,
    pub subject: Result<(), Failure>,
    pub pull_requests: Result<(), Failure>,
    /// When each release was published.
    pub published: BTreeMap<GitTag, Timestamp>,
}

/// The value, or the default beside the reason why there is none.
pub(super) fn parted<T: Default>(told: Result<T, Failure>) -> (T, Result<(), Failure>) {
    match told {
        Ok(value) => (value, Ok(())),
        Err(failure) => (T::default(), Err(failure)),
    }
}

/// A refusal for want of a right inside, every other outside.
pub(super) fn hidden_apart<T>(result: Result<T, Failure>) -> Result<Result<T, Failure>, Failure> {
    match result {
        Err(failure) if !is_hidden(&failure) => Err(failure),
        told => Ok(told),
    }
}

/// What a token without the right to look gets instead of an answer.
#[must_use]
pub fn is_hidden(failure: &Failure) -> bool {
    matches!(failure.cause(), Cause::NotFound | Cause::Denied { .. })
}

pub(super) fn or_hidden<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(failure) if is_hidden(&failure) => Ok(None),
        Err(failure) => Err(failure),
    }
}
