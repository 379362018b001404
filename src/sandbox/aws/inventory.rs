//! Everything that the account holds, for whoever must see that nothing else was touched.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::AwsStandIn;
use super::ecr::Repository;
use super::state::{InlinePolicies, Key, Provider, Role, User};
use crate::model::observed::{Encryption, TagMutability};

impl AwsStandIn {
    /// Each thing by its kind and name (`IAM role NAME`) with every fact about it, but no secret and no use.
    #[must_use]
    pub fn inventory(&self) -> BTreeMap<String, Value> {
        let world = self.world();
        let users = world.users.iter().map(|(name, user)| (format!("IAM user {name}"), user_facts(user)));
        let keys = world.keys.iter().map(|(id, key)| (format!("access key {id} of {}", key.user), key_facts(key)));
        let roles = world.roles.iter().map(|(name, role)| (format!("IAM role {name}"), role_facts(role)));
        let providers =
            world.providers.iter().map(|(url, found)| (format!("OIDC provider {url}"), provider_facts(found)));
        let repositories = world
            .repositories
            .iter()
            .map(|((region, name), found)| (format!("ECR repository {name} in {region}"), repository_facts(found)));
        users.chain(keys).chain(roles).chain(providers).chain(repositories).collect()
    }
}

fn documents(policies: &InlinePolicies) -> BTreeMap<&str, &str> {
    policies.0.iter().map(|(name, document)| (name.as_str(), document.text.as_str())).collect()
}

fn user_facts(user: &User) -> Value {
    let User { id, arn, path, created, tags, policies, foreign } = user;
    json!({
        "id": id, "arn": arn, "path": path, "created": created.to_string(), "tags": tags,
        "policies": documents(policies), "foreign": format!("{foreign:?}"),
    })
}

fn key_facts(key: &Key) -> Value {
    json!({ "active": key.active, "created": key.created.to_string() })
}

fn role_facts(role: &Role) -> Value {
    let Role { id, arn, path, created, description, longest_session, tags, trust, policies, foreign } = role;
    json!({
        "id": id, "arn": arn, "path": path, "created": created.to_string(), "description": description,
        "longest_session": longest_session, "tags": tags, "trust": trust.text, "policies": documents(policies),
        "foreign": format!("{foreign:?}"),
    })
}

fn provider_facts(provider: &Provider) -> Value {
    let Provider { arn, created, audiences, thumbprints, tags } = provider;
    json!({
        "arn": arn, "created": created.to_string(), "audiences": audiences, "thumbprints": thumbprints, "tags": tags,
    })
}

fn repository_facts(repository: &Repository) -> Value {
    let Repository { arn, created, tag_mutability, scan_on_push, encryption, lifecycle, tags, layers, uploads, images } =
        repository;
    let (mutability, except) = match tag_mutability {
        TagMutability::Mutable => ("mutable", None),
        TagMutability::Immutable => ("immutable", None),
        TagMutability::ImmutableExcept(filters) => ("immutable", Some(filters)),
        TagMutability::MutableExcept(filters) => ("mutable", Some(filters)),
    };
    let encryption = match encryption {
        Encryption::Aes256 => json!("AES256"),
        Encryption::Kms { dual_layer, key } => json!({ "dual_layer": dual_layer, "key": key }),
    };
    json!({
        "arn": arn, "created": created.to_string(), "mutability": mutability, "except": except,
        "scan_on_push": scan_on_push, "encryption": encryption, "lifecycle": lifecycle, "tags": tags,
        "layers": layers.keys().collect::<Vec<_>>(), "uploads": uploads.len(),
        "images": images.keys().collect::<Vec<_>>(), "tags_of_images": repository.tags_of_images(),
    })
}
