//! Roles and their trust.

use std::collections::BTreeSet;

use super::{exists, malformed, no_such, path_of};
use crate::model::evaluation::{TRUST_LIMIT, counted_size, problems_in_trust_policy};
use crate::model::iam::{PolicyDocument, Principal, Values};
use crate::model::names::RoleName;
use crate::sandbox::aws::authority::{Caller, authorise};
use crate::sandbox::aws::query::{Node, Params, encode_document};
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::state::{Document, InlinePolicies, Role, World, new_id};
use crate::sandbox::aws::tags::resource_tags;

pub(super) fn create(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["RoleName", "Path", "AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Tags"])?;
    let name = params.need("RoleName")?;
    RoleName::new(name).map_err(|failure| Refusal::validation(failure.message()))?;
    let text = params.need("AssumeRolePolicyDocument")?;
    let path = path_of(params)?;
    let tags = params.tags()?;
    let description = params.get("Description").map(str::to_owned);
    if description.as_ref().is_some_and(|text| text.chars().count() > 1_000) {
        return Err(Refusal::validation("the description has more than 1000 characters"));
    }
    let longest_session = match params.get("MaxSessionDuration") {
        None => 3_600,
        Some(text) => text.parse().ok().filter(|seconds| (3_600..=43_200).contains(seconds)).ok_or_else(|| {
            Refusal::validation(format!("MaxSessionDuration '{text}' must be between 3600 and 43200"))
        })?,
    };
    let arn = world.iam_arn(&format!("role{path}{name}"));
    authorise(world, caller, "iam:CreateRole", &arn, tags.requested())?;
    if !tags.0.is_empty() {
        authorise(world, caller, "iam:TagRole", &arn, tags.requested())?;
    }
    if let Some(taken) = world.roles.keys().find(|taken| taken.eq_ignore_ascii_case(name)) {
        return Err(exists("Role", taken));
    }
    let trust = trust_document(world, text)?;
    let role = Role {
        id: new_id("AROA", 17),
        arn,
        path,
        created: (world.clock)(),
        description,
        longest_session,
        tags: tags.0,
        trust,
        policies: InlinePolicies::default(),
        foreign: BTreeSet::new(),
    };
    let answer = describe(name, &role);
    world.roles.insert(name.to_owned(), role);
    Ok(vec![Node::group("Role", answer)])
}

pub(super) fn get(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["RoleName"])?;
    let name = params.need("RoleName")?;
    ask(world, caller, "iam:GetRole", name)?;
    let role = world.roles.get(name).ok_or_else(|| no_such("role", name))?;
    Ok(vec![Node::group("Role", describe(name, role))])
}

pub(super) fn update_trust(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["RoleName", "PolicyDocument"])?;
    let name = params.need("RoleName")?;
    let text = params.need("PolicyDocument")?;
    ask(world, caller, "iam:UpdateAssumeRolePolicy", name)?;
    if !world.roles.contains_key(name) {
        return Err(no_such("role", name));
    }
    let trust = trust_document(world, text)?;
    if let Some(role) = world.roles.get_mut(name) {
        role.trust = trust;
    }
    Ok(Vec::new())
}

pub(super) fn tag(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["RoleName", "Tags"])?;
    let name = params.need("RoleName")?;
    let tags = params.tags()?;
    let arn = world.role_arn(name);
    let mut extra = tags.requested();
    extra.extend(world.roles.get(name).map(|role| resource_tags("iam", &role.tags)).unwrap_or_default());
    authorise(world, caller, "iam:TagRole", &arn, extra)?;
    world.roles.get_mut(name).ok_or_else(|| no_such("role", name))?.tags.extend(tags.0);
    Ok(Vec::new())
}

pub(super) fn delete(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["RoleName"])?;
    let name = params.need("RoleName")?;
    ask(world, caller, "iam:DeleteRole", name)?;
    let role = world.roles.get(name).ok_or_else(|| no_such("role", name))?;
    if !role.policies.0.is_empty() {
        return Err(Refusal::new(409, "DeleteConflict", "Cannot delete entity, must delete policies first."));
    }
    if let Some(foreign) = role.foreign.iter().next() {
        let message = format!("Cannot delete entity, must delete {} first.", foreign.what());
        return Err(Refusal::new(409, "DeleteConflict", message));
    }
    world.roles.remove(name);
    Ok(Vec::new())
}

pub(super) fn ask(world: &mut World, caller: &Caller, action: &str, name: &str) -> Outcome<()> {
    let arn = world.role_arn(name);
    let extra = world.roles.get(name).map(|role| resource_tags("iam", &role.tags)).unwrap_or_default();
    authorise(world, caller, action, &arn, extra)
}

fn trust_document(world: &World, text: &str) -> Outcome<Document> {
    let document = PolicyDocument::parse(text).map_err(|failure| {
        let reason = failure.reasons().into_iter().next().unwrap_or_default();
        Refusal::new(400, "MalformedPolicyDocument", format!("This policy contains invalid Json: {reason}"))
    })?;
    let size = counted_size(text);
    if size > TRUST_LIMIT {
        return Err(Refusal::new(
            409,
            "LimitExceeded",
            format!("Cannot exceed quota for ACLSizePerRole: {TRUST_LIMIT}"),
        ));
    }
    malformed(problems_in_trust_policy(&document))?;
    malformed(unknown_principals(world, &document))?;
    Ok(Document { text: text.to_owned(), document })
}

/// IAM looks a user or a role of this account up when it is named as `AWS` principal; a provider it does not look up.
fn unknown_principals(world: &World, document: &PolicyDocument) -> Vec<String> {
    let here = format!("arn:{}:iam::{}:", world.partition.id(), world.account);
    document
        .statements
        .iter()
        .filter_map(|statement| match &statement.principal {
            Some(Principal::Kinds(kinds)) => kinds.get("AWS"),
            _ => None,
        })
        .flat_map(Values::iter)
        .filter(|arn| {
            arn.strip_prefix(&here).is_some_and(|rest| {
                rest != "root"
                    && !world.users.values().any(|user| user.arn == **arn)
                    && !world.roles.values().any(|role| role.arn == **arn)
            })
        })
        .map(|arn| format!("Invalid principal in policy: \"AWS\":\"{arn}\""))
        .collect()
}

fn describe(name: &str, role: &Role) -> Vec<Node> {
    let mut nodes = vec![
        Node::text("Path", &role.path),
        Node::text("RoleName", name),
        Node::text("RoleId", &role.id),
        Node::text("Arn", &role.arn),
        Node::time("CreateDate", role.created),
        Node::text("AssumeRolePolicyDocument", encode_document(&role.trust.text)),
        Node::text("MaxSessionDuration", role.longest_session.to_string()),
    ];
    nodes.extend(role.description.as_ref().map(|text| Node::text("Description", text)));
    if !role.tags.is_empty() {
        nodes.push(Node::tags(&role.tags));
    }
    nodes
}
