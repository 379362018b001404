//! Users.

use std::collections::BTreeSet;

use super::{exists, no_such, path_of};
use crate::model::names::UserName;
use crate::sandbox::aws::authority::{Caller, authorise};
use crate::sandbox::aws::query::{Node, Params};
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::state::{InlinePolicies, User, World, new_id};
use crate::sandbox::aws::tags::resource_tags;

pub(super) fn create(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["UserName", "Path", "Tags"])?;
    let name = params.need("UserName")?;
    UserName::new(name).map_err(|failure| Refusal::validation(failure.message()))?;
    let path = path_of(params)?;
    let tags = params.tags()?;
    let arn = world.iam_arn(&format!("user{path}{name}"));
    authorise(world, caller, "iam:CreateUser", &arn, tags.requested())?;
    if !tags.0.is_empty() {
        authorise(world, caller, "iam:TagUser", &arn, tags.requested())?;
    }
    if let Some(taken) = world.users.keys().find(|taken| taken.eq_ignore_ascii_case(name)) {
        return Err(exists("User", taken));
    }
    let user = User {
        id: new_id("AIDA", 17),
        arn,
        path,
        created: (world.clock)(),
        tags: tags.0,
        policies: InlinePolicies::default(),
        foreign: BTreeSet::new(),
    };
    let answer = describe(name, &user);
    world.users.insert(name.to_owned(), user);
    Ok(vec![Node::group("User", answer)])
}

/// Without a name: the caller.
pub(super) fn get(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["UserName"])?;
    let name = named_or_own(caller, params)?;
    ask(world, caller, "iam:GetUser", name)?;
    let user = world.users.get(name).ok_or_else(|| no_such("user", name))?;
    Ok(vec![Node::group("User", describe(name, user))])
}

pub(super) fn tag(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["UserName", "Tags"])?;
    let name = params.need("UserName")?;
    let tags = params.tags()?;
    let arn = world.user_arn(name);
    let mut extra = tags.requested();
    extra.extend(world.users.get(name).map(|user| resource_tags("iam", &user.tags)).unwrap_or_default());
    authorise(world, caller, "iam:TagUser", &arn, extra)?;
    world.users.get_mut(name).ok_or_else(|| no_such("user", name))?.tags.extend(tags.0);
    Ok(Vec::new())
}

pub(super) fn delete(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["UserName"])?;
    let name = params.need("UserName")?;
    ask(world, caller, "iam:DeleteUser", name)?;
    let user = world.users.get(name).ok_or_else(|| no_such("user", name))?;
    let conflict = |what: &str| {
        Err(Refusal::new(409, "DeleteConflict", format!("Cannot delete entity, must delete {what} first.")))
    };
    if world.keys.values().any(|key| key.user == name) {
        return conflict("access keys");
    }
    if !user.policies.0.is_empty() {
        return conflict("policies");
    }
    if let Some(foreign) = user.foreign.iter().next() {
        return conflict(foreign.what());
    }
    world.users.remove(name);
    Ok(Vec::new())
}

pub(super) fn named_or_own<'a>(caller: &'a Caller, params: &'a Params) -> Outcome<&'a str> {
    params.get("UserName").map_or_else(|| caller.own_user(), Ok)
}

pub(super) fn ask(world: &mut World, caller: &Caller, action: &str, name: &str) -> Outcome<()> {
    let arn = world.user_arn(name);
    let extra = world.users.get(name).map(|user| resource_tags("iam", &user.tags)).unwrap_or_default();
    authorise(world, caller, action, &arn, extra)
}

fn describe(name: &str, user: &User) -> Vec<Node> {
    let mut nodes = vec![
        Node::text("Path", &user.path),
        Node::text("UserName", name),
        Node::text("UserId", &user.id),
        Node::text("Arn", &user.arn),
        Node::time("CreateDate", user.created),
    ];
    if !user.tags.is_empty() {
        nodes.push(Node::tags(&user.tags));
    }
    nodes
}
