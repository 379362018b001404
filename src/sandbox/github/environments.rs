//! Environments and which refs may deploy to them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::accounts::{merge, simple};
use super::reply::{Reply, no_content, not_found, ok, unprocessable};

use super::routes::Call;
use super::world::{DeploymentPolicy, Environment, Pattern, Repository, World, stamp};

/// Private repositories have environments from GitHub Pro and Team upwards ("Managing environments for deployment").
fn available(world: &World, repository: u64) -> Reply<&Repository> {
    let repository = world.repository(repository)?;
    if repository.private && world.owner(repository)?.plan == "free" {
        return Err(not_found());
    }
    Ok(repository)
}

fn environment_mut<'w>(world: &'w mut World, call: &Call<'_>) -> Reply<&'w mut Environment> {
    available(world, call.repository)?;
    world.repository_mut(call.repository)?.environments.get_mut(call.parameter(0)).ok_or_else(not_found)
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = available(world, call.repository)?;
    let root = root(world, repository, call.base);
    let all = repository
        .environments
        .iter()
        .map(|(name, environment)| describe(world, name, environment, (call.base, &root)));
    call.page().counted("environments", all.collect())
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = available(world, call.repository)?;
    let name = call.parameter(0);
    let environment = repository.environments.get(name).ok_or_else(not_found)?;
    ok(&describe(world, name, environment, (call.base, &root(world, repository, call.base))))
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Reply {
    available(world, call.repository)?;
    let name = call.parameter(0).to_owned();
    if name.len() > 255 {
        return Err(unprocessable("Environment name is too long (maximum is 255 characters)"));
    }
    // Absent leaves it as it is, null opens the environment to every ref.
    let policy = match call.body.get("deployment_branch_policy") {
        None => None,
        Some(Value::Null) => Some(DeploymentPolicy::Any),
        Some(policy) => match (policy["protected_branches"].as_bool(), policy["custom_branch_policies"].as_bool()) {
            (Some(true), Some(false)) => Some(DeploymentPolicy::ProtectedBranches),
            (Some(false), Some(true)) => Some(DeploymentPolicy::Custom),
            _ => {
                return Err(unprocessable(
                    "protected_branches and custom_branch_policies cannot have the same value, and both are required",
                ));
            }
        },
    };
    let wait_timer = call.body["wait_timer"].as_u64().unwrap_or(0);
    if wait_timer > 43_200 {
        return Err(unprocessable("wait_timer must be at most 43200 minutes"));
    }
    let sent = call.body["reviewers"].as_array().into_iter().flatten();
    let reviewers: BTreeSet<u64> = sent.filter_map(|reviewer| reviewer["id"].as_u64()).collect();
    if reviewers.len() > 6 || reviewers.iter().any(|id| !world.accounts.contains_key(id)) {
        return Err(unprocessable("reviewers are at most six people or teams that can read the repository"));
    }
    let now = world.now();
    let id = world.id();
    let environment = world.repository_mut(call.repository)?.environments.entry(name).or_insert_with(|| Environment {
        id,
        created: now,
        updated: now,
        policy: DeploymentPolicy::Any,
        patterns: Vec::new(),
        secrets: BTreeSet::new(),
        variables: BTreeMap::new(),
        reviewers: BTreeSet::new(),
        wait_timer: 0,
    });
    environment.updated = now;
    // What is not sent is taken off.
    environment.reviewers = reviewers;
    environment.wait_timer = wait_timer;
    if let Some(policy) = policy {
        environment.policy = policy;
        if policy != DeploymentPolicy::Custom {
            environment.patterns.clear();
        }
    }
    get(world, call)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Reply {
    environment_mut(world, call)?;
    world.repository_mut(call.repository)?.environments.remove(call.parameter(0));
    no_content()
}

pub(super) fn list_patterns(world: &mut World, call: &Call<'_>) -> Reply {
    let environment = environment_mut(world, call)?;
    if environment.policy != DeploymentPolicy::Custom {
        return call.page().counted("branch_policies", Vec::new());
    }
    call.page().counted("branch_policies", environment.patterns.iter().map(pattern).collect())
}

pub(super) fn list_secrets(world: &mut World, call: &Call<'_>) -> Reply {
    let environment = environment_mut(world, call)?;
    let at = stamp(environment.updated);
    let each = environment.secrets.iter().map(|name| json!({"name": name, "created_at": at, "updated_at": at}));
    call.page().counted("secrets", each.collect())
}

pub(super) fn list_variables(world: &mut World, call: &Call<'_>) -> Reply {
    let environment = environment_mut(world, call)?;
    let at = stamp(environment.updated);
    let one = |(name, value)| json!({"name": name, "value": value, "created_at": at, "updated_at": at});
    call.page().counted("variables", environment.variables.iter().map(one).collect())
}

pub(super) fn add_pattern(world: &mut World, call: &Call<'_>) -> Reply {
    let name = call.required("name")?.to_owned();
    let kind = call.text("type")?.unwrap_or("branch").to_owned();
    if !matches!(kind.as_str(), "branch" | "tag") || name.is_empty() {
        return Err(unprocessable("Invalid request.\n\n\"type\" is \"branch\" or \"tag\" and \"name\" is not empty"));
    }
    let id = world.id();
    let environment = environment_mut(world, call)?;
    // Without custom policies there is nothing that a pattern could belong to.
    if environment.policy != DeploymentPolicy::Custom {
        return Err(not_found());
    }
    if environment.patterns.iter().any(|other| other.name == name && other.kind == kind) {
        return Ok(crate::sandbox::http::Answer { status: 303, headers: Vec::new(), body: Vec::new() });
    }
    let added = Pattern { id, name, kind };
    let body = pattern(&added);
    environment.patterns.push(added);
    ok(&body)
}

pub(super) fn delete_pattern(world: &mut World, call: &Call<'_>) -> Reply {
    let id = call.number(1)?;
    let environment = environment_mut(world, call)?;
    let at = environment.patterns.iter().position(|pattern| pattern.id == id).ok_or_else(not_found)?;
    environment.patterns.remove(at);
    no_content()
}

/// Whether a ref, `refs/tags/v1.0.0`, may deploy to an environment of this repository; one that doesn't exist keeps
/// nobody out.
pub(super) fn admits(repository: &Repository, environment: &str, reference: &str) -> bool {
    let Some(environment) = repository.environments.get(environment) else { return true };
    match environment.policy {
        DeploymentPolicy::Any => true,
        DeploymentPolicy::ProtectedBranches => false,
        DeploymentPolicy::Custom => {
            let (kind, name) = match (reference.strip_prefix("refs/tags/"), reference.strip_prefix("refs/heads/")) {
                (Some(tag), _) => ("tag", tag),
                (None, Some(branch)) => ("branch", branch),
                (None, None) => return false,
            };
            environment.patterns.iter().any(|pattern| pattern.kind == kind && matches(&pattern.name, name))
        }
    }
}

/// GitHub's patterns: `*` and `?` stop at a slash, `**` doesn't (Ruby's `File.fnmatch` with `FNM_PATHNAME`).
fn matches(pattern: &str, text: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix("**") {
        return text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| matches(rest, &text[at..]));
    }
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let end = text.find('/').unwrap_or(text.len());
            (0..=end).filter(|at| text.is_char_boundary(*at)).any(|at| matches(rest.as_str(), &text[at..]))
        }
        Some(wanted) => text.chars().next().is_some_and(|found| {
            (wanted == found || (wanted == '?' && found != '/')) && matches(rest.as_str(), &text[found.len_utf8()..])
        }),
    }
}

/// API and page addresses that an environment's own are built on.
fn root(world: &World, repository: &Repository, base: &str) -> (String, String) {
    let full_name = world.full_name(repository);
    (format!("{base}/repos/{full_name}/environments"), format!("{base}/{full_name}/deployments"))
}

fn describe(
    world: &World,
    name: &str,
    environment: &Environment,
    (base, (api, pages)): (&str, &(String, String)),
) -> Value {
    let policy = match environment.policy {
        DeploymentPolicy::Any => Value::Null,
        policy => json!({
            "protected_branches": policy == DeploymentPolicy::ProtectedBranches,
            "custom_branch_policies": policy == DeploymentPolicy::Custom,
        }),
    };
    let mut rules = Vec::new();
    let mut add = |rest: Value| {
        let id = environment.id + rules.len() as u64;
        let mut rule = json!({"id": id, "node_id": format!("GA_{id}")});
        merge(&mut rule, rest);
        rules.push(rule);
    };
    if environment.wait_timer > 0 {
        add(json!({"type": "wait_timer", "wait_timer": environment.wait_timer}));
    }
    if !environment.reviewers.is_empty() {
        let people = environment.reviewers.iter().filter_map(|id| world.accounts.get(id));
        let people = people.map(|account| json!({"type": "User", "reviewer": simple(account, base)}));
        let people: Vec<Value> = people.collect();
        add(json!({"type": "required_reviewers", "prevent_self_review": false, "reviewers": people}));
    }
    if environment.policy != DeploymentPolicy::Any {
        add(json!({"type": "branch_policy"}));
    }
    json!({
        "id": environment.id, "node_id": format!("EN_{}", environment.id), "name": name,
        "url": format!("{api}/{name}"), "html_url": format!("{pages}/activity_log?environments_filter={name}"),
        "created_at": stamp(environment.created), "updated_at": stamp(environment.updated),
        "can_admins_bypass": true, "protection_rules": rules, "deployment_branch_policy": policy,
    })
}

fn pattern(pattern: &Pattern) -> Value {
    json!({
        "id": pattern.id, "node_id": format!("DBP_{}", pattern.id), "name": pattern.name, "type": pattern.kind,
    })
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stops_at_a_slash() {
        assert!(matches("v*", "v1.0.0"));
        assert!(matches("v*", "v"));
        assert!(!matches("v*", "v1/2"));
        assert!(matches("v**", "v1/2"));
        assert!(matches("static-go/v*", "static-go/v1.0.0"));
        assert!(!matches("v*", "static-go/v1.0.0") && !matches("static-go/v*", "v1.0.0"));
        assert!(!matches("v*", "w1"));
        assert!(matches("v?.*.*", "v1.0.0"));
        assert!(!matches("v?.*.*", "v10.0"));
    }
}
