//! Inline policies of users and roles.

use super::{malformed, no_such, whole_list};
use crate::model::evaluation::{ROLE_INLINE_LIMIT, USER_INLINE_LIMIT, counted_size, problems_in_identity_policy};
use crate::model::iam::PolicyDocument;
use crate::sandbox::aws::authority::{Caller, authorise};
use crate::sandbox::aws::query::{Node, Params, encode_document};
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::state::{Document, InlinePolicies, World};
use crate::sandbox::aws::tags::resource_tags;

/// Whose inline policies.
#[derive(Clone, Copy)]
pub(super) enum Holder {
    User,
    Role,
}

impl Holder {
    fn parameter(self) -> &'static str {
        match self {
            Self::User => "UserName",
            Self::Role => "RoleName",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
        }
    }

    /// What all of them together may measure, in characters that count.
    fn quota(self) -> usize {
        match self {
            Self::User => USER_INLINE_LIMIT,
            Self::Role => ROLE_INLINE_LIMIT,
        }
    }

    fn ask(self, world: &mut World, caller: &Caller, verb: &str, name: &str) -> Outcome<()> {
        let (arn, tags, action) = match self {
            Self::User => (world.user_arn(name), world.users.get(name).map(|user| &user.tags), format!("iam:{verb}")),
            Self::Role => (world.role_arn(name), world.roles.get(name).map(|role| &role.tags), format!("iam:{verb}")),
        };
        let extra = tags.map(|tags| resource_tags("iam", tags)).unwrap_or_default();
        authorise(world, caller, &action, &arn, extra)
    }

    fn policies<'a>(self, world: &'a mut World, name: &str) -> Outcome<&'a mut InlinePolicies> {
        let found = match self {
            Self::User => world.users.get_mut(name).map(|user| &mut user.policies),
            Self::Role => world.roles.get_mut(name).map(|role| &mut role.policies),
        };
        found.ok_or_else(|| no_such(self.word(), name))
    }

    fn verb(self, before: &str, after: &str) -> String {
        let word = match self {
            Self::User => "User",
            Self::Role => "Role",
        };
        format!("{before}{word}{after}")
    }
}

pub(super) fn put(world: &mut World, caller: &Caller, params: &Params, holder: Holder) -> Outcome<Vec<Node>> {
    params.only(&[holder.parameter(), "PolicyName", "PolicyDocument"])?;
    let name = params.need(holder.parameter())?;
    let policy_name = params.need("PolicyName")?;
    let text = params.need("PolicyDocument")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if policy_name.is_empty() || policy_name.len() > 128 || !policy_name.chars().all(fits) {
        return Err(Refusal::validation(format!(
            "1 validation error detected: Value '{policy_name}' at 'policyName' failed to satisfy constraint: Member \
             must satisfy regular expression pattern: [\\w+=,.@-]{{1,128}}"
        )));
    }
    holder.ask(world, caller, &holder.verb("Put", "Policy"), name)?;
    let policies = holder.policies(world, name)?;
    let document = PolicyDocument::parse(text).map_err(|failure| {
        let reason = failure.reasons().into_iter().next().unwrap_or_default();
        Refusal::new(400, "MalformedPolicyDocument", format!("Syntax errors in policy: {reason}"))
    })?;
    malformed(problems_in_identity_policy(&document))?;
    let others: usize =
        policies.0.iter().filter(|(other, _)| *other != policy_name).map(|(_, d)| counted_size(&d.text)).sum();
    let quota = holder.quota();
    if others + counted_size(text) > quota {
        return Err(Refusal::new(
            409,
            "LimitExceeded",
            format!("Maximum policy size of {quota} bytes exceeded for {} {name}", holder.word()),
        ));
    }
    policies.0.insert(policy_name.to_owned(), Document { text: text.to_owned(), document });
    Ok(Vec::new())
}

pub(super) fn get(world: &mut World, caller: &Caller, params: &Params, holder: Holder) -> Outcome<Vec<Node>> {
    params.only(&[holder.parameter(), "PolicyName"])?;
    let name = params.need(holder.parameter())?;
    let policy_name = params.need("PolicyName")?;
    holder.ask(world, caller, &holder.verb("Get", "Policy"), name)?;
    let policies = holder.policies(world, name)?;
    let policy = policies.0.get(policy_name).ok_or_else(|| no_such_policy(holder, policy_name))?;
    Ok(vec![
        Node::text(holder.parameter(), name),
        Node::text("PolicyName", policy_name),
        Node::text("PolicyDocument", encode_document(&policy.text)),
    ])
}

pub(super) fn list(world: &mut World, caller: &Caller, params: &Params, holder: Holder) -> Outcome<Vec<Node>> {
    params.only(&[holder.parameter()])?;
    let name = params.need(holder.parameter())?;
    holder.ask(world, caller, &holder.verb("List", "Policies"), name)?;
    let policies = holder.policies(world, name)?;
    Ok(vec![Node::texts("PolicyNames", policies.0.keys()), whole_list()])
}

pub(super) fn delete(world: &mut World, caller: &Caller, params: &Params, holder: Holder) -> Outcome<Vec<Node>> {
    params.only(&[holder.parameter(), "PolicyName"])?;
    let name = params.need(holder.parameter())?;
    let policy_name = params.need("PolicyName")?;
    holder.ask(world, caller, &holder.verb("Delete", "Policy"), name)?;
    let policies = holder.policies(world, name)?;
    policies.0.remove(policy_name).ok_or_else(|| no_such_policy(holder, policy_name))?;
    Ok(Vec::new())
}

fn no_such_policy(holder: Holder, name: &str) -> Refusal {
    no_such(&format!("{} policy", holder.word()), name)
}
