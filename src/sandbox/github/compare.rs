//! How two commits lie to each other, and which branches end with one.

use serde_json::{Value, json};

use super::branches::commit;
use super::git::{pages, root};
use super::reply::{Reply, not_found, ok, refusal, unprocessable};
use super::routes::Call;
use super::world::{Repository, World};

/// Commits of a comparison that are shown at most on one page.
const LONGEST_PAGE: usize = 250;

/// The commit that a side of a comparison names: a branch or a commit, of this repository's owner alone.
fn side(world: &World, repository: &Repository, named: &str) -> Reply<String> {
    let named = match named.split_once(':') {
        Some((owner, name)) if world.owner(repository)?.login.eq_ignore_ascii_case(owner) => name,
        Some(_) => return Err(not_found()),
        None => named,
    };
    repository.resolve(named).ok_or_else(not_found)
}

pub(super) fn compare(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    if repository.is_empty() {
        return Err(refusal(409, "Git Repository is empty."));
    }
    let (base_name, head_name) = call.parameter(0).split_once("...").ok_or_else(not_found)?;
    let (base, head) = (side(world, repository, base_name)?, side(world, repository, head_name)?);
    let (theirs, ours) = (repository.objects.history(&base), repository.objects.history(&head));
    // Histories come newest first, so the first one in common is the nearest.
    let Some(common) = ours.iter().find(|id| theirs.contains(id)) else {
        return Err(refusal(404, &format!("No common ancestor between {base_name} and {head_name}.")));
    };
    let ahead: Vec<&String> = ours.iter().filter(|id| !theirs.contains(id)).collect();
    let behind = theirs.iter().filter(|id| !ours.contains(id)).count();
    let status = match (ahead.len(), behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let number =
        |name: &str, otherwise: usize| call.query(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (page, per_page) = (number("page", 1).max(1), number("per_page", LONGEST_PAGE).clamp(1, LONGEST_PAGE));
    let shown = ahead.iter().rev().skip((page - 1) * per_page).take(per_page);
    let commits: Reply<Vec<Value>> = shown.map(|id| commit(world, repository, call.base, id)).collect();
    let (root, pages) = (root(world, repository, call.base), pages(world, repository, call.base));
    let address = format!("{pages}/compare/{base_name}...{head_name}");
    ok(&json!({
        "url": format!("{root}/compare/{base_name}...{head_name}"), "html_url": address,
        "permalink_url": address, "diff_url": format!("{address}.diff"), "patch_url": format!("{address}.patch"),
        "base_commit": commit(world, repository, call.base, &base)?,
        "merge_base_commit": commit(world, repository, call.base, common)?,
        "status": status, "ahead_by": ahead.len(), "behind_by": behind, "total_commits": ahead.len(),
        "commits": commits?, "files": [],
    }))
}

pub(super) fn branches_where_head(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    if repository.is_empty() {
        return Err(refusal(409, "Git Repository is empty."));
    }
    let id = call.parameter(0);
    if repository.objects.commit(id).is_none() {
        return Err(unprocessable(&format!("No commit found for SHA: {id}")));
    }
    let root = root(world, repository, call.base);
    let ending = repository.branches().filter(|(_, tip)| *tip == id).map(|(name, tip)| {
        json!({
            "name": name, "commit": {"sha": tip, "url": format!("{root}/commits/{tip}")},
            "protected": super::branches::is_guarded(repository.rules(name)),
        })
    });
    ok(&Value::Array(ending.collect()))
}
