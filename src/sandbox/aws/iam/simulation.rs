//! `SimulatePrincipalPolicy`, answered by the evaluator that judges every call.

use std::collections::BTreeSet;

use super::whole_list;
use crate::model::evaluation::{Call, Context, Decision, evaluate_identity, problems_in_identity_policy};
use crate::model::iam::PolicyDocument;
use crate::sandbox::aws::authority::{Caller, Extra, Principal, authorise, policies_of};
use crate::sandbox::aws::query::{Node, Params};
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::state::World;

pub(super) fn simulate(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&[
        "PolicySourceArn",
        "ActionNames",
        "ResourceArns",
        "ContextEntries",
        "PolicyInputList",
        "MaxItems",
    ])?;
    let source = params.need("PolicySourceArn")?;
    let actions = params.list("ActionNames");
    if actions.is_empty() {
        params.need("ActionNames")?;
    }
    if let Some(nameless) = actions.iter().find(|action| action.split(':').filter(|part| !part.is_empty()).count() != 2)
    {
        return Err(Refusal::new(400, "InvalidInput", format!("Invalid Action/Resource name: {nameless}")));
    }
    let mut resources = params.list("ResourceArns");
    if resources.is_empty() {
        resources.push("*");
    }
    if let Some(text) = params.get("MaxItems") {
        let most: usize = text.parse().map_err(|_| Refusal::validation("MaxItems is no number"))?;
        if most < actions.len() * resources.len() {
            return Err(Refusal::validation("the sandbox does not page: MaxItems is less than the results"));
        }
    }
    authorise(world, caller, "iam:SimulatePrincipalPolicy", source, Extra::new())?;
    let principal = principal_of(world, source)?;
    let mut policies = policies_of(world, &principal);
    for text in params.list("PolicyInputList") {
        let document = PolicyDocument::parse(text)
            .ok()
            .filter(|document| problems_in_identity_policy(document).is_empty())
            .ok_or_else(|| Refusal::new(400, "InvalidInput", "PolicyInputList holds a document that is no policy"))?;
        policies.push(document);
    }
    let policies: Vec<&PolicyDocument> = policies.iter().collect();
    let context = context_of(world, &principal, source, params)?;
    let missing = missing_keys(&policies, &context);
    let mut results = Vec::new();
    for action in &actions {
        for resource in &resources {
            let decision = evaluate_identity(&policies, &Call { action, resource, context: &context });
            let (word, statement) = match decision {
                Decision::Allowed { by } => ("allowed", Some(by)),
                Decision::ImplicitlyDenied => ("implicitDeny", None),
                Decision::ExplicitlyDenied { by } => ("explicitDeny", Some(by)),
            };
            let matched = statement
                .map(|by| vec![Node::text("SourcePolicyId", by), Node::text("SourcePolicyType", "IAM Policy")]);
            results.push(vec![
                Node::text("EvalActionName", *action),
                Node::text("EvalResourceName", *resource),
                Node::text("EvalDecision", word),
                Node::groups("MatchedStatements", matched),
                Node::texts("MissingContextValues", &missing),
            ]);
        }
    }
    Ok(vec![Node::groups("EvaluationResults", results), whole_list()])
}

/// Condition keys that the policies look at and nobody gave.
fn missing_keys(policies: &[&PolicyDocument], context: &Context) -> BTreeSet<String> {
    let asked = policies
        .iter()
        .flat_map(|policy| &policy.statements)
        .flat_map(|statement| statement.condition.values())
        .flat_map(|keys| keys.keys());
    asked.filter(|key| !context.keys().any(|given| given.eq_ignore_ascii_case(key))).cloned().collect()
}

fn principal_of(world: &World, arn: &str) -> Outcome<Principal> {
    if let Some((name, _)) = world.users.iter().find(|(_, user)| user.arn == arn) {
        return Ok(Principal::User(name.clone()));
    }
    if let Some((name, role)) = world.roles.iter().find(|(_, role)| role.arn == arn) {
        return Ok(Principal::Session { role: name.clone(), role_id: role.id.clone(), name: "simulated".into() });
    }
    let fields: Vec<&str> = arn.split(':').collect();
    if fields.len() < 6 || fields[2] != "iam" || !(fields[5].starts_with("user/") || fields[5].starts_with("role/")) {
        return Err(Refusal::new(
            400,
            "InvalidInput",
            format!("Invalid Entity Arn: {arn} does not clearly define entity type and name."),
        ));
    }
    Err(Refusal::new(404, "NoSuchEntity", format!("Can't find entity {arn}")))
}

fn context_of(world: &World, principal: &Principal, arn: &str, params: &Params) -> Outcome<Context> {
    let mut context = Context::new();
    context.insert("aws:PrincipalArn".into(), vec![arn.to_owned()]);
    context.insert("aws:PrincipalAccount".into(), vec![world.account.to_string()]);
    context.insert("aws:CurrentTime".into(), vec![(world.clock)().to_string()]);
    if let Principal::User(name) = principal {
        context.insert("aws:username".into(), vec![name.clone()]);
    }
    for entry in params.forms("ContextEntries") {
        let values = entry.list("ContextKeyValues").into_iter().map(str::to_owned).collect();
        context.insert(entry.need("ContextKeyName")?.to_owned(), values);
    }
    Ok(context)
}
