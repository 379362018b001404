//! Lifecycle policies: stored when they are valid, never run.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Target;
use crate::sandbox::aws::authority::{Caller, Extra};
use crate::sandbox::aws::json::Input;
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::state::World;

pub(super) fn put(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "lifecyclePolicyText"])?;
    let target = Target::read(world, caller, input)?;
    let text = input.need("lifecyclePolicyText")?;
    target.ask(world, caller, "PutLifecyclePolicy", Extra::new())?;
    target.find(world)?;
    if let Err(problem) = check(text) {
        return Err(Input::invalid("LifecyclePolicyText", &format!("Lifecycle policy validation failure: {problem}")));
    }
    target.find_mut(world)?.lifecycle = Some(text.to_owned());
    Ok(target.answer(json!({ "lifecyclePolicyText": text })))
}

pub(super) fn get(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName"])?;
    let target = Target::read(world, caller, input)?;
    target.ask(world, caller, "GetLifecyclePolicy", Extra::new())?;
    let Some(text) = &target.find(world)?.lifecycle else {
        let message = format!(
            "Lifecycle policy does not exist for the repository with name '{}' in the registry with id '{}'",
            target.name(),
            target.registry
        );
        return Err(Refusal::new(400, "LifecyclePolicyNotFoundException", message));
    };
    Ok(target.answer(json!({ "lifecyclePolicyText": text })))
}

/// The rules of the Amazon ECR user guide, "Lifecycle policy parameters".
fn check(text: &str) -> Result<(), String> {
    if !(100..=30_720).contains(&text.len()) {
        return Err("the text has 100 to 30720 characters".into());
    }
    let policy: Value = serde_json::from_str(text).map_err(|_| "the text is not JSON".to_owned())?;
    let rules = policy.get("rules").and_then(Value::as_array).ok_or("there is no list of rules")?;
    if !(1..=50).contains(&rules.len()) {
        return Err("there are 1 to 50 rules".into());
    }
    let mut priorities = BTreeSet::new();
    let mut any_priority = None;
    for rule in rules {
        let priority = rule
            .get("rulePriority")
            .and_then(Value::as_u64)
            .filter(|priority| *priority > 0)
            .ok_or("rulePriority is a whole number above 0")?;
        if !priorities.insert(priority) {
            return Err(format!("rulePriority {priority} is there twice"));
        }
        if rule.pointer("/action/type").and_then(Value::as_str) != Some("expire") {
            return Err("the action's type is expire".into());
        }
        if check_selection(rule.get("selection").ok_or("a rule has a selection")?)? == "any" {
            any_priority = Some(priority);
        }
        for key in rule.as_object().into_iter().flat_map(|rule| rule.keys()) {
            if !matches!(key.as_str(), "rulePriority" | "description" | "selection" | "action") {
                return Err(format!("a rule has no field {key}"));
            }
        }
    }
    match (any_priority, priorities.last()) {
        (Some(any), Some(last)) if any != *last => Err("a rule of tagStatus any has the highest rulePriority".into()),
        _ => Ok(()),
    }
}

fn check_selection(selection: &Value) -> Result<&str, String> {
    let text = |name: &str| selection.get(name).and_then(Value::as_str);
    let has_list = |name: &str| selection.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let status = text("tagStatus").ok_or("a selection has a tagStatus")?;
    let named = has_list("tagPrefixList") != has_list("tagPatternList");
    match status {
        "tagged" if !named => {
            return Err("tagStatus tagged goes with a tagPrefixList or a tagPatternList".into());
        }
        "untagged" | "any" if has_list("tagPrefixList") || has_list("tagPatternList") => {
            return Err(format!("tagStatus {status} goes without lists of tags"));
        }
        "tagged" | "untagged" | "any" => {}
        other => return Err(format!("tagStatus is tagged, untagged or any, not {other}")),
    }
    if selection.get("countNumber").and_then(Value::as_u64).is_none_or(|count| count == 0) {
        return Err("countNumber is a whole number above 0".into());
    }
    match (text("countType"), text("countUnit")) {
        (Some("sinceImagePushed"), Some("days")) | (Some("imageCountMoreThan"), None) => Ok(status),
        (Some("sinceImagePushed"), _) => Err("sinceImagePushed goes with the countUnit days".into()),
        (Some("imageCountMoreThan"), Some(_)) => Err("imageCountMoreThan goes without countUnit".into()),
        _ => Err("countType is imageCountMoreThan or sinceImagePushed".into()),
    }
}
