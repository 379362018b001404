//! Pull requests between branches of one repository.

use serde_json::{Value, json};

use super::accounts::{merge as add, simple};
use super::git::{self, pages, root};
use super::objects::Commit;
use super::reply::{Reply, created, invalid, invalid_because, not_found, ok, refusal, unprocessable};
use super::repository::plain;
use super::routes::{Call, missing};
use super::world::{Pull, Repository, SIGNATURE, World, stamp};

/// Characters of a title's text or a comment.
pub(super) const LONGEST_TEXT: usize = 65_536;
const MUST_BE: &str = "body is too long (maximum is 65536 characters)";

/// # Errors
/// When the title is blank or the text too long.
fn check_texts(title: Option<&str>, body: Option<&str>) -> Reply<()> {
    if title.is_some_and(|title| title.trim().is_empty()) {
        return Err(invalid("PullRequest", "title", "missing_field"));
    }
    if body.is_some_and(|body| body.chars().count() > LONGEST_TEXT) {
        return Err(invalid_because("PullRequest", "body", MUST_BE));
    }
    Ok(())
}

fn simple_body(world: &World, repository: &Repository, base: &str, pull: &Pull) -> Reply<Value> {
    let (root, pages) = (root(world, repository, base), pages(world, repository, base));
    let owner = simple(world.owner(repository)?, base);
    let viewer = simple(world.viewer()?, base);
    let login = &world.owner(repository)?.login;
    let number = pull.number;
    let (url, issue) = (format!("{root}/pulls/{number}"), format!("{root}/issues/{number}"));
    let tip = match &pull.closed {
        Some((commit, _)) => commit.clone(),
        None => repository.branch(&pull.head).cloned().unwrap_or_default(),
    };
    let side = |branch: &str, commit: &str| -> Reply<Value> {
        Ok(json!({
            "label": format!("{login}:{branch}"), "ref": branch, "sha": commit, "user": owner,
            "repo": plain(world, repository, base)?,
        }))
    };
    let (statuses, comments) = (format!("{root}/statuses/{tip}"), format!("{issue}/comments"));
    let review_comment = format!("{root}/pulls/comments{{/number}}");
    let link = |address: &str| json!({"href": address});
    let base_commit = repository.branch(&pull.base).cloned().unwrap_or_default();
    Ok(json!({
        "url": url, "id": pull.id, "node_id": format!("PR_{}", pull.id), "html_url": format!("{pages}/pull/{number}"),
        "diff_url": format!("{pages}/pull/{number}.diff"), "patch_url": format!("{pages}/pull/{number}.patch"),
        "issue_url": issue, "commits_url": format!("{url}/commits"), "review_comments_url": format!("{url}/comments"),
        "review_comment_url": review_comment, "comments_url": comments, "statuses_url": statuses,
        "number": number, "state": if pull.open { "open" } else { "closed" }, "locked": false, "title": pull.title,
        "user": viewer, "body": pull.body, "labels": [], "milestone": null,
        "created_at": stamp(pull.created), "updated_at": stamp(pull.updated),
        "closed_at": pull.closed.as_ref().map(|(_, at)| stamp(*at)),
        "merged_at": pull.merged.as_ref().map(|(_, at)| stamp(*at)),
        "merge_commit_sha": pull.merged.as_ref().map(|(commit, _)| commit),
        "assignee": null, "assignees": [], "requested_reviewers": [], "requested_teams": [],
        "head": side(&pull.head, &tip)?, "base": side(&pull.base, &base_commit)?,
        "_links": {
            "self": link(&url), "html": link(&format!("{pages}/pull/{number}")), "issue": link(&issue),
            "comments": link(&comments), "review_comments": link(&format!("{url}/comments")),
            "review_comment": link(&review_comment), "commits": link(&format!("{url}/commits")),
            "statuses": link(&statuses),
        },
        "author_association": "OWNER", "auto_merge": null, "draft": pull.draft,
    }))
}

fn full_body(world: &World, repository: &Repository, base: &str, pull: &Pull) -> Reply<Value> {
    let mut body = simple_body(world, repository, base, pull)?;
    let tip = body["head"]["sha"].as_str().unwrap_or_default().to_owned();
    let ours = repository.objects.history(&tip);
    let theirs = repository.branch(&pull.base).map(|id| repository.objects.history(id)).unwrap_or_default();
    let merged = pull.merged.is_some();
    add(
        &mut body,
        json!({
            "merged": merged, "mergeable": if merged { Value::Null } else { json!(true) },
            "mergeable_state": if merged { "unknown" } else { "clean" },
            "merged_by": if merged { simple(world.viewer()?, base) } else { Value::Null },
            "comments": 0, "review_comments": 0, "maintainer_can_modify": false,
            "commits": ours.iter().filter(|id| !theirs.contains(id)).count(),
            "additions": 0, "deletions": 0, "changed_files": 0,
        }),
    );
    Ok(body)
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    let login = world.owner(repository)?.login.to_lowercase();
    let state = call.query("state").unwrap_or_else(|| "open".into());
    if !matches!(state.as_str(), "open" | "closed" | "all") {
        return Err(unprocessable(&format!("Invalid request.\n\n\"state\" can't be {state}.")));
    }
    let sort = call.query("sort").unwrap_or_else(|| "created".into());
    let mut pulls: Vec<&Pull> = repository.pulls.iter().collect();
    match sort.as_str() {
        "created" => {}
        "updated" => pulls.sort_by_key(|pull| pull.updated),
        _ => return Err(unprocessable("stand-in: sort is created or updated")),
    }
    match call.query("direction").as_deref() {
        Some("asc") => {}
        None if sort != "created" => {}
        Some("desc") | None => pulls.reverse(),
        Some(other) => return Err(unprocessable(&format!("Invalid request.\n\n\"direction\" can't be {other}."))),
    }
    let (head, base) = (call.query("head"), call.query("base"));
    let mut found = Vec::new();
    for pull in pulls {
        let state_fits = state == "all" || (state == "open") == pull.open;
        // A head without its owner filters nothing, as on GitHub.
        let head_fits = head
            .as_ref()
            .and_then(|head| head.split_once(':'))
            .is_none_or(|(owner, branch)| owner.to_lowercase() == login && branch == pull.head);
        if state_fits && head_fits && base.as_ref().is_none_or(|base| *base == pull.base) {
            found.push(simple_body(world, repository, call.base, pull)?);
        }
    }
    call.page().array(found)
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let number = call.number(0)?;
    let repository = world.repository(call.repository)?;
    let pull = repository.pulls.iter().find(|pull| pull.number == number).ok_or_else(not_found)?;
    ok(&full_body(world, repository, call.base, pull)?)
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Reply {
    let title = call.text("title")?.ok_or_else(|| missing("title"))?.to_owned();
    let (head, base) = (call.required("head")?, call.required("base")?.to_owned());
    let repository = world.repository(call.repository)?;
    let login = world.owner(repository)?.login.clone();
    let head = match head.split_once(':') {
        Some((owner, branch)) if owner.eq_ignore_ascii_case(&login) => branch.to_owned(),
        Some(_) => return Err(invalid("PullRequest", "head", "invalid")),
        None => head.to_owned(),
    };
    let Some(tip) = repository.branch(&head) else { return Err(invalid("PullRequest", "head", "invalid")) };
    let Some(bottom) = repository.branch(&base) else { return Err(invalid("PullRequest", "base", "invalid")) };
    if repository.objects.descends(bottom, tip) {
        let message = format!("No commits between {base} and {head}");
        return Err(invalid_because("PullRequest", "head", &message));
    }
    if repository.pulls.iter().any(|pull| pull.open && pull.head == head && pull.base == base) {
        let message = format!("A pull request already exists for {login}:{head}.");
        return Err(invalid_because("PullRequest", "head", &message));
    }
    let (body, draft) = (call.text("body")?, call.flag("draft")?.unwrap_or(false));
    check_texts(Some(&title), body)?;
    if draft && !repository.has_drafts(world.owner(repository)?) {
        return Err(unprocessable("Draft pull requests are not supported in this repository."));
    }
    let now = world.now();
    let pull = Pull {
        id: world.id(),
        number: world.repository(call.repository)?.next_number(),
        title,
        body: body.map(str::to_owned),
        head,
        base,
        draft,
        open: true,
        merged: None,
        closed: None,
        created: now,
        updated: now,
    };
    world.repository_mut(call.repository)?.pulls.push(pull);
    let repository = world.repository(call.repository)?;
    let pull = repository.pulls.last().ok_or_else(not_found)?;
    created(&full_body(world, repository, call.base, pull)?)
}

fn find(repository: &mut Repository, number: u64) -> Reply<(usize, String)> {
    let at = repository.pulls.iter().position(|pull| pull.number == number).ok_or_else(not_found)?;
    let tip = repository.branch(&repository.pulls[at].head).cloned().unwrap_or_default();
    Ok((at, tip))
}

pub(super) fn change(world: &mut World, call: &Call<'_>) -> Reply {
    let number = call.number(0)?;
    let now = world.now();
    let repository = world.repository_mut(call.repository)?;
    let (at, tip) = find(repository, number)?;
    check_texts(call.text("title")?, call.text("body")?)?;
    let pull = &mut repository.pulls[at];
    let state = call.text("state")?;
    match state {
        None | Some("closed") => {}
        Some("open") if pull.open || (pull.merged.is_none() && !tip.is_empty()) => {}
        Some("open") => {
            return Err(invalid_because(
                "PullRequest",
                "state",
                "state cannot be changed. The branch has been deleted.",
            ));
        }
        Some(other) => return Err(unprocessable(&format!("Invalid request.\n\n\"state\" can't be {other}."))),
    }
    if let Some(title) = call.text("title")? {
        title.clone_into(&mut pull.title);
    }
    if let Some(body) = call.text("body")? {
        pull.body = Some(body.to_owned());
    }
    match state {
        Some("closed") if pull.open => {
            pull.open = false;
            pull.closed = Some((tip, now));
        }
        Some("open") => {
            pull.open = true;
            pull.closed = None;
        }
        _ => {}
    }
    pull.updated = now;
    get(world, call)
}

pub(super) fn merge_pull(world: &mut World, id: u64, number: u64) -> Reply<String> {
    let now = world.now();
    let person = world.person()?;
    let repository = world.repository_mut(id)?;
    let (at, tip) = find(repository, number)?;
    if !repository.pulls[at].open {
        return Err(refusal(405, "Pull Request is not mergeable"));
    }
    if repository.pulls[at].draft {
        return Err(refusal(405, "Pull Request is still a draft"));
    }
    let branch = repository.pulls[at].base.clone();
    let bottom = repository.branch(&branch).cloned().ok_or_else(not_found)?;
    // A real merge of trees is not built: the branch must hold everything that its base holds.
    if !repository.objects.descends(&tip, &bottom) {
        return Err(refusal(405, "Pull Request is not mergeable"));
    }
    let tree = repository.objects.commit(&tip).ok_or_else(not_found)?.tree.clone();
    let pull = &repository.pulls[at];
    let message = format!("Merge pull request #{number} from {}\n\n{}", pull.head, pull.title);
    let commit = repository.objects.put_commit(Commit {
        tree,
        parents: vec![bottom, tip.clone()],
        author: person.clone(),
        committer: person,
        message,
        signature: Some(SIGNATURE.to_owned()),
        verified: true,
    });
    repository.refs.insert(format!("refs/heads/{branch}"), commit.clone());
    let pull = &mut repository.pulls[at];
    pull.open = false;
    pull.merged = Some((commit.clone(), now));
    pull.closed = Some((tip, now));
    pull.updated = now;
    Ok(commit)
}

pub(super) fn merge(world: &mut World, call: &Call<'_>) -> Reply {
    let number = call.number(0)?;
    let repository = world.repository(call.repository)?;
    let pull = repository.pulls.iter().find(|pull| pull.number == number).ok_or_else(not_found)?;
    let brings = repository.branch(&pull.head).is_some_and(|tip| git::brings_workflows(repository, tip));
    if brings {
        super::access::may_touch_workflows(world)?;
    }
    // An approving review is asked for, and nobody can approve their own pull request.
    if repository.rules(&pull.base).pull_request {
        return Err(refusal(405, "At least 1 approving review is required by reviewers with write access."));
    }
    let commit = merge_pull(world, call.repository, number)?;
    ok(&json!({"sha": commit, "merged": true, "message": "Pull Request successfully merged"}))
}
