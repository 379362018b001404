//! What an ECR repository of ours looks like.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::observed::TagMutability;

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
