//! Comments on pull requests and issues, which GitHub numbers together.

use serde_json::{Value, json};

use super::access::{self, Need};
use super::accounts::simple;
use super::git::{pages, root};
use super::pulls::LONGEST_TEXT;
use super::reply::{Reply, created, invalid, invalid_because, not_found};
use super::routes::Call;
use super::world::{Comment, Repository, World, stamp};

/// Whether the number is a pull request's; an issue takes the right to issues instead.
fn find(world: &World, call: &Call<'_>, write: bool) -> Reply<(u64, bool)> {
    let number = call.number(0)?;
    let repository = world.repository(call.repository)?;
    if repository.pulls.iter().any(|pull| pull.number == number) {
        return Ok((number, true));
    }
    if !repository.issues.iter().flatten().any(|issue| issue.number == number) {
        return Err(not_found());
    }
    let need = if write { Need::write("issues") } else { Need::read("issues") };
    access::allow(world, call.repository, need, call.request)?;
    Ok((number, false))
}

fn describe(world: &World, repository: &Repository, base: &str, comment: &Comment, of_pull: bool) -> Reply<Value> {
    let (root, pages) = (root(world, repository, base), pages(world, repository, base));
    let Comment { id, number, login, body, created } = comment;
    let user = world.account(login).ok_or_else(not_found)?;
    let folder = if of_pull { "pull" } else { "issues" };
    Ok(json!({
        "id": id, "node_id": format!("IC_{id}"), "url": format!("{root}/issues/comments/{id}"),
        "html_url": format!("{pages}/{folder}/{number}#issuecomment-{id}"), "body": body, "user": simple(user, base),
        "created_at": stamp(*created), "updated_at": stamp(*created), "issue_url": format!("{root}/issues/{number}"),
        "author_association": if user.administered { "OWNER" } else { "NONE" }, "performed_via_github_app": null,
    }))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Reply {
    let (number, of_pull) = find(world, call, false)?;
    let repository = world.repository(call.repository)?;
    let comments = repository.comments.iter().filter(|comment| comment.number == number);
    let told: Reply<Vec<Value>> =
        comments.map(|comment| describe(world, repository, call.base, comment, of_pull)).collect();
    call.page().array(told?)
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Reply {
    let (number, of_pull) = find(world, call, true)?;
    let body = call.required("body")?.to_owned();
    if body.trim().is_empty() {
        return Err(invalid("IssueComment", "body", "missing_field"));
    }
    if body.chars().count() > LONGEST_TEXT {
        return Err(invalid_because("IssueComment", "body", "body is too long (maximum is 65536 characters)"));
    }
    let comment = Comment { id: world.id(), number, login: world.viewer()?.login.clone(), body, created: world.now() };
    world.repository_mut(call.repository)?.comments.push(comment);
    let repository = world.repository(call.repository)?;
    let comment = repository.comments.last().ok_or_else(not_found)?;
    created(&describe(world, repository, call.base, comment, of_pull)?)
}
