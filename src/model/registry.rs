//! What an ECR repository of ours looks like.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::config::Config;
use super::observed::TagMutability;

/// Tag that marks what sbi made or adopted; its value is the GitHub repository.
pub const OWNER_TAG: &str = "sbi:github-repository";

/// Tag beside it that marks what was there before sbi: it is never deleted. People may set it to keep a resource.
pub const ADOPTED_TAG: &str = "sbi:adopted";

/// The tags of an AWS resource that sbi makes.
#[must_use]
pub fn ownership_tags(config: &Config) -> BTreeMap<String, String> {
    [(OWNER_TAG.to_owned(), config.github.repository.to_string())].into_iter().collect()
}

/// The tags that an AWS resource gets which was there before.
#[must_use]
pub fn adoption_tags(config: &Config) -> BTreeMap<String, String> {
    let mut tags = ownership_tags(config);
    tags.insert(ADOPTED_TAG.to_owned(), "true".to_owned());
    tags
}

/// Whether an AWS resource with these tags belongs to this GitHub repository, made or adopted.
#[must_use]
pub fn is_ours(tags: &BTreeMap<String, String>, config: &Config) -> bool {
    let repository = config.github.repository.to_string();
    tags.get(OWNER_TAG).is_some_and(|owner| owner.eq_ignore_ascii_case(&repository))
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
