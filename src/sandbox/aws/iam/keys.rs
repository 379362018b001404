//! Access keys: the secret leaves once, in the answer that makes the key.

use super::users::{ask, named_or_own};
use super::{no_such, whole_list};
use crate::sandbox::aws::authority::Caller;
use crate::sandbox::aws::query::{Node, Params};
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::state::World;

/// IAM user guide, "IAM and AWS STS quotas": cannot be raised, and inactive keys count.
const KEYS_PER_USER: usize = 2;

pub(super) fn create(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["UserName"])?;
    let user = named_or_own(caller, params)?;
    ask(world, caller, "iam:CreateAccessKey", user)?;
    if !world.users.contains_key(user) {
        return Err(no_such("user", user));
    }
    if world.keys_of(user).len() >= KEYS_PER_USER {
        let message = format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}");
        return Err(Refusal::new(409, "LimitExceeded", message));
    }
    let key = world.add_key(user);
    Ok(vec![Node::group(
        "AccessKey",
        vec![
            Node::text("UserName", user),
            Node::text("AccessKeyId", key.id()),
            Node::text("Status", "Active"),
            key.reveal(|secret| Node::text("SecretAccessKey", secret)),
            Node::time("CreateDate", (world.clock)()),
        ],
    )])
}

pub(super) fn list(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["UserName"])?;
    let user = named_or_own(caller, params)?;
    ask(world, caller, "iam:ListAccessKeys", user)?;
    if !world.users.contains_key(user) {
        return Err(no_such("user", user));
    }
    let keys = world.keys_of(user).into_iter().map(|key| {
        vec![
            Node::text("UserName", user),
            Node::text("AccessKeyId", &key.id),
            Node::text("Status", if key.active { "Active" } else { "Inactive" }),
            Node::time("CreateDate", key.created),
        ]
    });
    Ok(vec![Node::groups("AccessKeyMetadata", keys), whole_list()])
}

pub(super) fn last_used(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["AccessKeyId"])?;
    let id = params.need("AccessKeyId")?;
    let Some(user) = world.keys.get(id).map(|key| key.user.clone()) else {
        // Nobody may know whose a foreign key is.
        ask(world, caller, "iam:GetAccessKeyLastUsed", "*")?;
        return Err(no_such("access key", id));
    };
    ask(world, caller, "iam:GetAccessKeyLastUsed", &user)?;
    let used = world.keys.get(id).and_then(|key| key.last_used.clone());
    let facts = match used {
        Some(used) => vec![
            Node::time("LastUsedDate", used.at),
            Node::text("ServiceName", used.service),
            Node::text("Region", used.region),
        ],
        None => vec![Node::text("ServiceName", "N/A"), Node::text("Region", "N/A")],
    };
    Ok(vec![Node::text("UserName", user), Node::group("AccessKeyLastUsed", facts)])
}

pub(super) fn update(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["UserName", "AccessKeyId", "Status"])?;
    let user = named_or_own(caller, params)?;
    let id = params.need("AccessKeyId")?;
    let active = match params.need("Status")? {
        "Active" => true,
        "Inactive" => false,
        other => return Err(Refusal::validation(format!("Value '{other}' at 'status' must be Active or Inactive"))),
    };
    ask(world, caller, "iam:UpdateAccessKey", user)?;
    world.keys.get_mut(id).filter(|key| key.user == user).ok_or_else(|| no_such("access key", id))?.active = active;
    Ok(Vec::new())
}

pub(super) fn delete(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["UserName", "AccessKeyId"])?;
    let user = named_or_own(caller, params)?;
    let id = params.need("AccessKeyId")?;
    ask(world, caller, "iam:DeleteAccessKey", user)?;
    if world.keys.get(id).is_none_or(|key| key.user != user) {
        return Err(no_such("access key", id));
    }
    world.keys.remove(id);
    Ok(Vec::new())
}
