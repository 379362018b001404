//! What an ECR repository of ours looks like.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::config::Config;
use super::observed::TagMutability;

/// Tag that marks what sbi made or adopted; its value is the GitHub repository.
pub const OWNER_TAG: &str = "sbi:github-repository";

/// The tags that mark an AWS resource as ours.
#[must_use]
pub fn ownership_tags(config: &Config) -> BTreeMap<String, String> {
    [(OWNER_TAG.to_owned(), config.github.repository.to_string())].into_iter().collect()
}

/// Released tags never move; signatures in the tag scheme (`sha256-…`) must be able to.
#[must_use]
pub fn tag_mutability() -> TagMutability {
    TagMutability::ImmutableExcept(BTreeSet::from(["sha256-*".to_owned()]))
}

/// Days that an untagged manifest is kept: it is the rest of a publish that failed half-way.
const UNTAGGED_DAYS: u32 = 14;

/// Expires untagged images only: a released digest has a tag, so it stays for ever.
#[must_use]
pub fn lifecycle_policy() -> Value {
    json!({
        "rules": [{
            "rulePriority": 1,
            "description": "Expire what an interrupted publish left untagged; released digests are tagged and stay",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": UNTAGGED_DAYS
            },
            "action": { "type": "expire" }
        }]
    })
}
