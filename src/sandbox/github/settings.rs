//! What a repository's settings pages hold: secrets, Actions permissions, the OIDC subject, immutable releases.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::claims;
use super::reply::{Reply, json_answer, no_content, not_found, ok, refusal, unprocessable};
use super::routes::{Call, missing};
use super::world::{Secret, World, stamp};

/// Bytes of a secret (GitHub documentation, "Secrets", limits).
const LARGEST_SECRET: usize = 48 * 1024;
/// Secrets of one repository.
const MOST_SECRETS: usize = 100;

pub(super) fn public_key(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    let key = STANDARD.encode(repository.secret_key.public_key().as_bytes());
    ok(&json!({"key_id": repository.key_id, "key": key}))
}

pub(super) fn list_secrets(world: &mut World, call: &Call<'_>) -> Reply {
    let secrets = &world.repository(call.repository)?.secrets;
    call.page().counted("secrets", secrets.iter().map(|(name, secret)| facts(name, secret)).collect())
}

pub(super) fn get_secret(world: &mut World, call: &Call<'_>) -> Reply {
    let name = call.parameter(0).to_uppercase();
    let secret = world.repository(call.repository)?.secrets.get(&name).ok_or_else(not_found)?;
    ok(&facts(&name, secret))
}

fn facts(name: &str, secret: &Secret) -> Value {
    json!({"name": name, "created_at": stamp(secret.created), "updated_at": stamp(secret.updated)})
}

pub(super) fn put_secret(world: &mut World, call: &Call<'_>) -> Reply {
    let name = call.parameter(0).to_uppercase();
    let first = name.chars().next();
    let allowed = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !allowed || first.is_none_or(|c| c.is_ascii_digit()) || name.starts_with("GITHUB_") {
        return Err(unprocessable(
            "Secret names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_). Spaces \
             are not allowed. Must start with a letter ([a-z], [A-Z]) or underscores (_). Must not start with GITHUB_.",
        ));
    }
    let (value, key_id) = (call.required("encrypted_value")?, call.required("key_id")?);
    let now = world.now();
    let repository = world.repository_mut(call.repository)?;
    if key_id != repository.key_id {
        return Err(unprocessable("The key_id is not the id of this repository's public key"));
    }
    let Ok(sealed) = STANDARD.decode(value) else {
        return Err(unprocessable("Invalid request.\n\n\"encrypted_value\" is not valid base64"));
    };
    let Ok(opened) = repository.secret_key.unseal(&sealed) else {
        return Err(unprocessable("The encrypted_value is not a box sealed to this repository's public key"));
    };
    if opened.len() > LARGEST_SECRET {
        return Err(unprocessable("Secret value exceeds the maximum of 48 KB"));
    }
    if let Some(secret) = repository.secrets.get_mut(&name) {
        secret.sealed = sealed;
        secret.updated = now;
        return no_content();
    }
    if repository.secrets.len() == MOST_SECRETS {
        return Err(unprocessable("The repository has reached the maximum of 100 secrets"));
    }
    repository.secrets.insert(name, Secret { sealed, created: now, updated: now });
    Ok(json_answer(201, &json!({})))
}

pub(super) fn delete_secret(world: &mut World, call: &Call<'_>) -> Reply {
    let name = call.parameter(0).to_uppercase();
    world.repository_mut(call.repository)?.secrets.remove(&name).ok_or_else(not_found)?;
    no_content()
}

pub(super) fn get_permissions(world: &mut World, call: &Call<'_>) -> Reply {
    let actions = &world.repository(call.repository)?.actions;
    let mut body = json!({"enabled": actions.enabled, "sha_pinning_required": actions.sha_pinning_required});
    if actions.enabled {
        body["allowed_actions"] = json!(actions.allowed_actions);
    }
    ok(&body)
}

pub(super) fn put_permissions(world: &mut World, call: &Call<'_>) -> Reply {
    let enabled = call.flag("enabled")?.ok_or_else(|| missing("enabled"))?;
    let pinned = call.flag("sha_pinning_required")?;
    let allowed = call.text("allowed_actions")?.map(str::to_owned);
    if let Some(allowed) = &allowed
        && !matches!(allowed.as_str(), "all" | "local_only" | "selected")
    {
        return Err(unprocessable(&format!(
            "Invalid request.\n\nFor 'properties/allowed_actions', {allowed} is not a member of [\"all\", \
             \"local_only\", \"selected\"]."
        )));
    }
    let actions = &mut world.repository_mut(call.repository)?.actions;
    actions.enabled = enabled;
    actions.allowed_actions = allowed.unwrap_or_else(|| actions.allowed_actions.clone());
    actions.sha_pinning_required = pinned.unwrap_or(actions.sha_pinning_required);
    no_content()
}

pub(super) fn get_workflow_permissions(world: &mut World, call: &Call<'_>) -> Reply {
    let actions = &world.repository(call.repository)?.actions;
    ok(&json!({
        "default_workflow_permissions": if actions.default_write { "write" } else { "read" },
        "can_approve_pull_request_reviews": actions.can_approve,
    }))
}

pub(super) fn put_workflow_permissions(world: &mut World, call: &Call<'_>) -> Reply {
    let default_write = match call.text("default_workflow_permissions")? {
        None => None,
        Some("read") => Some(false),
        Some("write") => Some(true),
        Some(other) => {
            return Err(unprocessable(&format!(
                "Invalid request.\n\nFor 'properties/default_workflow_permissions', {other} is not a member of \
                 [\"read\", \"write\"]."
            )));
        }
    };
    let can_approve = call.flag("can_approve_pull_request_reviews")?;
    let actions = &mut world.repository_mut(call.repository)?.actions;
    actions.default_write = default_write.unwrap_or(actions.default_write);
    actions.can_approve = can_approve.unwrap_or(actions.can_approve);
    no_content()
}

pub(super) fn get_subject(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    let subject = &repository.subject;
    let mut body = json!({"use_default": subject.use_default, "use_immutable_subject": subject.immutable});
    if world.tells_subject_prefix {
        body["sub_claim_prefix"] = json!(claims::subject_prefix(world, repository));
    }
    if !subject.use_default {
        body["include_claim_keys"] = json!(subject.claim_keys);
    }
    ok(&body)
}

pub(super) fn put_subject(world: &mut World, call: &Call<'_>) -> Reply {
    let use_default = call.flag("use_default")?.ok_or_else(|| missing("use_default"))?;
    let immutable = call.flag("use_immutable_subject")?;
    let keys: Vec<String> = match call.body.get("include_claim_keys") {
        None | Some(Value::Null) => Vec::new(),
        Some(keys) => serde_json::from_value(keys.clone())
            .map_err(|_| unprocessable("Invalid request.\n\n\"include_claim_keys\" is not an array of strings"))?,
    };
    let word = |key: &String| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !use_default && (keys.is_empty() || !keys.iter().all(word)) {
        return Err(refusal(
            400,
            "include_claim_keys must name at least one claim, in letters, digits and underscores",
        ));
    }
    let subject = &mut world.repository_mut(call.repository)?.subject;
    subject.use_default = use_default;
    subject.claim_keys = if use_default { Vec::new() } else { keys };
    subject.immutable = immutable.unwrap_or(subject.immutable);
    Ok(json_answer(201, &json!({})))
}

pub(super) fn get_immutable_releases(world: &mut World, call: &Call<'_>) -> Reply {
    if !world.repository(call.repository)?.immutable_releases {
        return Err(not_found());
    }
    ok(&json!({"enabled": true, "enforced_by_owner": false}))
}

pub(super) fn put_immutable_releases(world: &mut World, call: &Call<'_>) -> Reply {
    world.repository_mut(call.repository)?.immutable_releases = true;
    no_content()
}

pub(super) fn delete_immutable_releases(world: &mut World, call: &Call<'_>) -> Reply {
    world.repository_mut(call.repository)?.immutable_releases = false;
    no_content()
}
