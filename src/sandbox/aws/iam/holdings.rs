//! What others put on users and roles.

use super::{no_such, roles, users, whole_list};
use crate::sandbox::aws::Foreign;
use crate::sandbox::aws::authority::Caller;
use crate::sandbox::aws::query::{Node, Params};
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::state::{Role, User, World};

fn user<'w>(world: &'w mut World, caller: &Caller, params: &Params, action: &str) -> Outcome<(&'w World, &'w User)> {
    params.only(&["UserName"])?;
    let name = users::named_or_own(caller, params)?;
    users::ask(world, caller, action, name)?;
    let world: &World = world;
    Ok((world, world.users.get(name).ok_or_else(|| no_such("user", name))?))
}

fn role<'w>(world: &'w mut World, caller: &Caller, params: &Params, action: &str) -> Outcome<(&'w World, &'w Role)> {
    params.only(&["RoleName"])?;
    let name = params.need("RoleName")?;
    roles::ask(world, caller, action, name)?;
    let world: &World = world;
    Ok((world, world.roles.get(name).ok_or_else(|| no_such("role", name))?))
}

fn attached<'f>(foreign: impl IntoIterator<Item = &'f Foreign>) -> Vec<Node> {
    let policies = foreign.into_iter().filter_map(|foreign| match foreign {
        Foreign::ManagedPolicy(arn) => {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            Some(vec![Node::text("PolicyName", name), Node::text("PolicyArn", arn)])
        }
        _ => None,
    });
    vec![Node::groups("AttachedPolicies", policies), whole_list()]
}

pub(super) fn attached_to_role(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    Ok(attached(&role(world, caller, params, "iam:ListAttachedRolePolicies")?.1.foreign))
}

pub(super) fn attached_to_user(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    Ok(attached(&user(world, caller, params, "iam:ListAttachedUserPolicies")?.1.foreign))
}

pub(super) fn instance_profiles(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    let (world, role) = role(world, caller, params, "iam:ListInstanceProfilesForRole")?;
    let profiles = role.foreign.iter().filter_map(|foreign| match foreign {
        Foreign::InstanceProfile(name) => Some(vec![
            Node::text("Path", "/"),
            Node::text("InstanceProfileName", name),
            Node::text("InstanceProfileId", "AIPAEXAMPLEEXAMPLE"),
            Node::text("Arn", world.iam_arn(&format!("instance-profile/{name}"))),
            Node::time("CreateDate", role.created),
            Node::groups("Roles", Vec::new()),
        ]),
        _ => None,
    });
    Ok(vec![Node::groups("InstanceProfiles", profiles), whole_list()])
}

pub(super) fn groups(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    let (world, user) = user(world, caller, params, "iam:ListGroupsForUser")?;
    let groups = user.foreign.iter().filter_map(|foreign| match foreign {
        Foreign::Group(name) => Some(vec![
            Node::text("Path", "/"),
            Node::text("GroupName", name),
            Node::text("GroupId", "AGPAEXAMPLEEXAMPLE"),
            Node::text("Arn", world.iam_arn(&format!("group/{name}"))),
            Node::time("CreateDate", user.created),
        ]),
        _ => None,
    });
    Ok(vec![Node::groups("Groups", groups), whole_list()])
}

pub(super) fn mfa_devices(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    let name = users::named_or_own(caller, params)?.to_owned();
    let (_, user) = user(world, caller, params, "iam:ListMFADevices")?;
    let devices = user.foreign.iter().filter_map(|foreign| match foreign {
        Foreign::MfaDevice(serial) => Some(vec![
            Node::text("UserName", &name),
            Node::text("SerialNumber", serial),
            Node::time("EnableDate", user.created),
        ]),
        _ => None,
    });
    Ok(vec![Node::groups("MFADevices", devices), whole_list()])
}

pub(super) fn login_profile(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    let name = users::named_or_own(caller, params)?.to_owned();
    let (_, user) = user(world, caller, params, "iam:GetLoginProfile")?;
    if !user.foreign.contains(&Foreign::Password) {
        return Err(Refusal::new(404, "NoSuchEntity", format!("Login Profile for User {name} cannot be found.")));
    }
    Ok(vec![Node::group(
        "LoginProfile",
        vec![
            Node::text("UserName", &name),
            Node::time("CreateDate", user.created),
            Node::text("PasswordResetRequired", "false"),
        ],
    )])
}
