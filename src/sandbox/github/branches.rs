//! Branches, tags, the commits behind them, and the rules that guard a branch.

use serde_json::{Value, json};

use super::accounts::simple;
use super::git::{pages, person, root, verification};
use super::reply::{Reply, not_found, ok, refusal};
use super::routes::Call;
use super::world::{Repository, Rules, World};

/// A commit as the repository routes show it.
pub(super) fn commit(world: &World, repository: &Repository, base: &str, id: &str) -> Reply<Value> {
    let commit = repository.objects.commit(id).ok_or_else(not_found)?;
    let (root, pages) = (root(world, repository, base), pages(world, repository, base));
    let viewer = simple(world.viewer()?, base);
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|parent| {
            json!({
                "sha": parent, "url": format!("{root}/commits/{parent}"), "html_url": format!("{pages}/commit/{parent}"),
            })
        })
        .collect();
    Ok(json!({
        "sha": id, "node_id": format!("C_{id}"), "url": format!("{root}/commits/{id}"),
        "html_url": format!("{pages}/commit/{id}"), "comments_url": format!("{root}/commits/{id}/comments"),
        "commit": {
            "url": format!("{root}/git/commits/{id}"), "author": person(&commit.author),
            "committer": person(&commit.committer), "message": commit.message, "comment_count": 0,
            "tree": {"sha": commit.tree, "url": format!("{root}/git/trees/{}", commit.tree)},
            "verification": verification(commit),
        },
        "author": viewer, "committer": viewer, "parents": parents,
    }))
}

pub(super) fn list_commits(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    if repository.is_empty() {
        return Err(refusal(409, "Git Repository is empty."));
    }
    let start = call.query("sha").unwrap_or_else(|| repository.default_branch.clone());
    let tip = repository.resolve(&start).ok_or_else(not_found)?;
    let all: Reply<Vec<Value>> =
        repository.objects.history(&tip).iter().map(|id| commit(world, repository, call.base, id)).collect();
    call.page().array(all?)
}

pub(super) fn is_guarded(rules: Rules) -> bool {
    rules.pull_request || rules.signatures
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    let root = root(world, repository, call.base);
    let branches = repository.branches().map(|(name, id)| {
        json!({
            "name": name, "commit": {"sha": id, "url": format!("{root}/commits/{id}")},
            "protected": is_guarded(repository.rules(name)),
        })
    });
    call.page().array(branches.collect())
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    let name = call.parameter(0);
    let Some(id) = repository.branch(name) else { return Err(refusal(404, "Branch not found")) };
    let root = root(world, repository, call.base);
    let checks = json!({"enforcement_level": "off", "contexts": [], "checks": []});
    ok(&json!({
        "name": name, "commit": commit(world, repository, call.base, id)?,
        "_links": {
            "self": format!("{root}/branches/{name}"),
            "html": format!("{}/tree/{name}", pages(world, repository, call.base)),
        },
        "protected": is_guarded(repository.rules(name)),
        "protection": {
            "enabled": repository.protection.contains_key(name), "required_status_checks": checks,
        },
        "protection_url": format!("{root}/branches/{name}/protection"),
    }))
}

/// Rules of private repositories take a paid plan ("About protected branches").
fn paid(world: &World, repository: &Repository) -> Reply<()> {
    if repository.private && world.owner(repository)?.plan == "free" {
        let plan = if world.owner(repository)?.organization { "GitHub Team" } else { "GitHub Pro" };
        return Err(refusal(403, &format!("Upgrade to {plan} or make this repository public to enable this feature.")));
    }
    Ok(())
}

pub(super) fn protection(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    paid(world, repository)?;
    let name = call.parameter(0);
    if repository.branch(name).is_none() {
        return Err(refusal(404, "Branch not found"));
    }
    let Some(rules) = repository.protection.get(name) else { return Err(refusal(404, "Branch not protected")) };
    let url = format!("{}/branches/{name}/protection", root(world, repository, call.base));
    let mut body = json!({
        "url": url,
        "required_signatures": {"url": format!("{url}/required_signatures"), "enabled": rules.signatures},
        "enforce_admins": {"url": format!("{url}/enforce_admins"), "enabled": true},
        "required_linear_history": {"enabled": false}, "allow_force_pushes": {"enabled": false},
        "allow_deletions": {"enabled": false}, "block_creations": {"enabled": false},
        "required_conversation_resolution": {"enabled": false}, "lock_branch": {"enabled": false},
        "allow_fork_syncing": {"enabled": false},
    });
    if rules.pull_request {
        body["required_pull_request_reviews"] = json!({
            "url": format!("{url}/required_pull_request_reviews"), "dismiss_stale_reviews": false,
            "require_code_owner_reviews": false, "require_last_push_approval": false,
            "required_approving_review_count": 1,
        });
    }
    ok(&body)
}

/// What rulesets, and they alone, ask of a branch.
pub(super) fn rules(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    paid(world, repository)?;
    let source = world.full_name(repository);
    let mut found = Vec::new();
    for ruleset in repository.rulesets.iter().filter(|ruleset| ruleset.branch == call.parameter(0)) {
        let mut add = |mut rule: Value| {
            rule["ruleset_source_type"] = json!("Repository");
            rule["ruleset_source"] = json!(source);
            rule["ruleset_id"] = json!(ruleset.id);
            found.push(rule);
        };
        if ruleset.rules.pull_request {
            add(json!({
                "type": "pull_request",
                "parameters": {
                    "dismiss_stale_reviews_on_push": false, "require_code_owner_review": false,
                    "require_last_push_approval": false, "required_approving_review_count": 1,
                    "required_review_thread_resolution": false,
                },
            }));
        }
        if ruleset.rules.signatures {
            add(json!({"type": "required_signatures"}));
        }
    }
    call.page().array(found)
}

pub(super) fn rulesets(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    paid(world, repository)?;
    let source = world.full_name(repository);
    let all = repository.rulesets.iter().map(|ruleset| {
        json!({
            "id": ruleset.id, "name": ruleset.name, "target": "branch", "source_type": "Repository",
            "source": source, "enforcement": "active",
        })
    });
    call.page().array(all.collect())
}

pub(super) fn tags(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    let root = root(world, repository, call.base);
    let mut all: Vec<Value> = repository
        .tags()
        .map(|(name, id)| {
            json!({
                "name": name, "node_id": format!("REF_refs/tags/{name}"),
                "commit": {"sha": id, "url": format!("{root}/commits/{id}")},
                "zipball_url": format!("{root}/zipball/refs/tags/{name}"),
                "tarball_url": format!("{root}/tarball/refs/tags/{name}"),
            })
        })
        .collect();
    all.reverse();
    call.page().array(all)
}
