//! IAM: users, keys, roles, providers and the simulator.

mod holdings;
mod keys;
mod policies;
mod providers;
mod roles;
mod simulation;
mod users;

use super::authority::Caller;
use super::query::{Node, Params};
use super::refusal::{Outcome, Refusal};
use super::state::World;

pub(super) fn perform(world: &mut World, caller: &Caller, action: &str, params: &Params) -> Outcome<Vec<Node>> {
    match action {
        "CreateRole" => roles::create(world, caller, params),
        "GetRole" => roles::get(world, caller, params),
        "UpdateAssumeRolePolicy" => roles::update_trust(world, caller, params),
        "TagRole" => roles::tag(world, caller, params),
        "DeleteRole" => roles::delete(world, caller, params),
        "PutRolePolicy" => policies::put(world, caller, params, policies::Holder::Role),
        "GetRolePolicy" => policies::get(world, caller, params, policies::Holder::Role),
        "ListRolePolicies" => policies::list(world, caller, params, policies::Holder::Role),
        "DeleteRolePolicy" => policies::delete(world, caller, params, policies::Holder::Role),
        "CreateUser" => users::create(world, caller, params),
        "GetUser" => users::get(world, caller, params),
        "TagUser" => users::tag(world, caller, params),
        "DeleteUser" => users::delete(world, caller, params),
        "PutUserPolicy" => policies::put(world, caller, params, policies::Holder::User),
        "GetUserPolicy" => policies::get(world, caller, params, policies::Holder::User),
        "ListUserPolicies" => policies::list(world, caller, params, policies::Holder::User),
        "DeleteUserPolicy" => policies::delete(world, caller, params, policies::Holder::User),
        "ListAttachedRolePolicies" => holdings::attached_to_role(world, caller, params),
        "ListInstanceProfilesForRole" => holdings::instance_profiles(world, caller, params),
        "ListAttachedUserPolicies" => holdings::attached_to_user(world, caller, params),
        "ListGroupsForUser" => holdings::groups(world, caller, params),
        "ListMFADevices" => holdings::mfa_devices(world, caller, params),
        "GetLoginProfile" => holdings::login_profile(world, caller, params),
        "CreateAccessKey" => keys::create(world, caller, params),
        "ListAccessKeys" => keys::list(world, caller, params),
        "GetAccessKeyLastUsed" => keys::last_used(world, caller, params),
        "UpdateAccessKey" => keys::update(world, caller, params),
        "DeleteAccessKey" => keys::delete(world, caller, params),
        "CreateOpenIDConnectProvider" => providers::create(world, caller, params),
        "GetOpenIDConnectProvider" => providers::get(world, caller, params),
        "ListOpenIDConnectProviders" => providers::list(world, caller, params),
        "AddClientIDToOpenIDConnectProvider" => providers::add_audience(world, caller, params),
        "SimulatePrincipalPolicy" => simulation::simulate(world, caller, params),
        other => {
            Err(Refusal::new(400, "InvalidAction", format!("the sandbox does not know the operation iam:{other}")))
        }
    }
}

fn no_such(what: &str, name: &str) -> Refusal {
    Refusal::new(404, "NoSuchEntity", format!("The {what} with name {name} cannot be found."))
}

fn exists(what: &str, name: &str) -> Refusal {
    Refusal::new(409, "EntityAlreadyExists", format!("{what} with name {name} already exists."))
}

fn malformed(problems: Vec<String>) -> Outcome<()> {
    match problems.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(Refusal::new(400, "MalformedPolicyDocument", first)),
    }
}

/// `/` or `/part/part/`; the default is `/`.
fn path_of(params: &Params) -> Outcome<String> {
    let path = params.get("Path").unwrap_or("/");
    if path.starts_with('/')
        && path.ends_with('/')
        && path.len() <= 512
        && path.bytes().all(|b| (0x21..0x7f).contains(&b))
    {
        return Ok(path.to_owned());
    }
    Err(Refusal::validation(
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric \
         characters and/or / characters.",
    ))
}

/// The names of a page, all of them: paging is refused rather than faked.
fn whole_list() -> Node {
    Node::text("IsTruncated", "false")
}
