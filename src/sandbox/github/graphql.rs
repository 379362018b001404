//! The three mutations that sbi needs of GraphQL. Everything else is refused by name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::access::{self, Need};
use super::git::{self, pages};
use super::objects;
use super::reply::{Reply, ok};
use super::routes::Call;
use super::world::World;

const COMMIT: &str = "createCommitOnBranch";
const TO_DRAFT: &str = "convertPullRequestToDraft";
const TO_READY: &str = "markPullRequestReadyForReview";

/// A mutation, what it answers with, and which members of that can be asked for here.
const MUTATIONS: [(&str, &str, &[&str]); 3] = [
    (COMMIT, "commit", &["oid", "url"]),
    (TO_DRAFT, "pullRequest", &["id", "isDraft", "number"]),
    (TO_READY, "pullRequest", &["id", "isDraft", "number"]),
];

/// What a query asks for.
struct Asked<'q> {
    mutation: &'static str,
    answers_with: &'static str,
    /// The variable that carries the input.
    variable: &'q str,
    members: Vec<&'q str>,
}

pub(super) fn answer(world: &mut World, call: &Call<'_>) -> Reply {
    let query = call.body["query"].as_str().unwrap_or_default();
    let Some(asked) = read(query) else {
        let names = MUTATIONS.map(|(name, ..)| name).join(", ");
        let message = format!("stand-in: only `mutation(…) {{ NAME(input: $…) {{ … {{ … }} }} }}` of {names} is built");
        return ok(&json!({"data": null, "errors": [{"type": "UNPROCESSABLE", "message": message}]}));
    };
    let input = &call.body["variables"][asked.variable];
    let done = match asked.mutation {
        COMMIT => commit(world, call, input),
        mutation => set_draft(world, call, input, mutation == TO_DRAFT),
    };
    let Asked { mutation, answers_with, members, .. } = asked;
    match done {
        Ok(all) => {
            let told = members.iter().map(|member| ((*member).to_owned(), all[*member].clone()));
            let told = Value::Object(told.collect());
            ok(&json!({"data": {mutation: {answers_with: told}}}))
        }
        // GraphQL answers 200 to what it refuses.
        Err((kind, message)) => ok(&json!({
            "data": {mutation: null}, "errors": [{"type": kind, "path": [mutation], "message": message}],
        })),
    }
}

type Refused = (&'static str, String);

fn unprocessable(message: impl Into<String>) -> Refused {
    ("UNPROCESSABLE", message.into())
}

/// A text of the input.
fn text(value: &Value, path: &str) -> Result<String, Refused> {
    let found = value.pointer(path).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| unprocessable(format!("Variable $input was provided invalid value for {path}")))
}

fn commit(world: &mut World, call: &Call<'_>, input: &Value) -> Result<Value, Refused> {
    let full_name = text(input, "/branch/repositoryNameWithOwner")?;
    let branch = text(input, "/branch/branchName")?;
    let branch = branch.strip_prefix("refs/heads/").unwrap_or(&branch).to_owned();
    let headline = text(input, "/message/headline")?;
    let expected = text(input, "/expectedHeadOid")?;
    let message = match input.pointer("/message/body").and_then(Value::as_str) {
        Some(body) if !body.is_empty() => format!("{headline}\n\n{body}"),
        _ => headline,
    };
    let missing = || ("NOT_FOUND", format!("Could not resolve to a Repository with the name '{full_name}'."));
    let id = world.full_named(&full_name).ok_or_else(missing)?;
    access::allow(world, id, Need::write("contents"), call.request)
        .map_err(|refused| if refused.status == 404 { missing() } else { forbidden() })?;
    let list = |path: &str| input.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let (additions, deletions) = (list("/fileChanges/additions"), list("/fileChanges/deletions"));
    if additions.is_empty() && deletions.is_empty() {
        return Err(unprocessable("fileChanges must name at least one addition or deletion"));
    }
    let person = world.person().map_err(|_| missing())?;
    let (now, may_touch_workflows) = (world.now(), access::may_touch_workflows(world).is_ok());
    let repository = world.repository_mut(id).map_err(|_| missing())?;
    let Some(parent) = repository.branch(&branch).cloned() else {
        return Err(("NOT_FOUND", format!("No such branch '{branch}' in the repository.")));
    };
    if parent != expected {
        let message = format!("Expected branch to point to \"{expected}\" but it did not. Pull and try again.");
        return Err(("STALE_DATA", message));
    }
    let mut files = repository.files_at(Some(&parent));
    for addition in &additions {
        let (path, contents) = (text(addition, "/path")?, text(addition, "/contents")?);
        let bytes = STANDARD.decode(contents).map_err(|_| unprocessable(format!("{path}: contents is not base64")))?;
        if !objects::is_path(&path) {
            return Err(unprocessable(format!("{path} is not a valid path")));
        }
        if git::is_workflow(&path) && !may_touch_workflows {
            return Err(forbidden());
        }
        repository.put_file(&mut files, &path, bytes);
    }
    for deletion in &deletions {
        let path = text(deletion, "/path")?;
        files.remove(&path).ok_or_else(|| unprocessable(format!("{path} does not exist on the branch")))?;
    }
    if let Some(path) = objects::clash(&files) {
        return Err(unprocessable(format!("{path} runs through a file")));
    }
    let commit = repository.write_commit(Some(&parent), &files, &person, &message, true);
    if let Some(message) = git::violation(repository, &branch, &commit) {
        return Err(unprocessable(message));
    }
    repository.refs.insert(format!("refs/heads/{branch}"), commit.clone());
    repository.updated = now;
    let repository = world.repository(id).map_err(|_| missing())?;
    let url = format!("{}/commit/{commit}", pages(world, repository, call.base));
    Ok(json!({"oid": commit, "url": url}))
}

/// Turns an open pull request into a draft, or a draft into one that is ready for review.
fn set_draft(world: &mut World, call: &Call<'_>, input: &Value, draft: bool) -> Result<Value, Refused> {
    let node = text(input, "/pullRequestId")?;
    let missing = || ("NOT_FOUND", format!("Could not resolve to a node with the global id of '{node}'"));
    let number = node.strip_prefix("PR_").and_then(|id| id.parse::<u64>().ok()).ok_or_else(missing)?;
    let holder = world.repositories.values().find(|repository| repository.pulls.iter().any(|pull| pull.id == number));
    let id = holder.map(|repository| repository.id).ok_or_else(missing)?;
    access::allow(world, id, Need::write("pull_requests"), call.request)
        .map_err(|refused| if refused.status == 404 { missing() } else { forbidden() })?;
    let viewer = world.viewer().map(|viewer| viewer.login.clone()).unwrap_or_default();
    let repository = world.repository(id).map_err(|_| missing())?;
    let owner = world.owner(repository).map_err(|_| missing())?;
    if draft && !repository.has_drafts(owner) {
        let message = format!("{viewer} does not have permission to convert the pull request {node} to draft.");
        return Err(("FORBIDDEN", message));
    }
    let now = world.now();
    let repository = world.repository_mut(id).map_err(|_| missing())?;
    let pull = repository.pulls.iter_mut().find(|pull| pull.id == number).ok_or_else(missing)?;
    if !pull.open {
        return Err(unprocessable("Pull request is closed"));
    }
    if pull.draft == draft {
        let is = if draft { "already" } else { "not" };
        return Err(unprocessable(format!("Pull request is {is} a draft")));
    }
    pull.draft = draft;
    pull.updated = now;
    Ok(json!({"id": node, "isDraft": draft, "number": pull.number}))
}

fn forbidden() -> Refused {
    ("FORBIDDEN", "Resource not accessible by personal access token".into())
}

fn read(query: &str) -> Option<Asked<'_>> {
    let inside = query.trim_start().strip_prefix("mutation")?.split_once('{')?.1.trim_start();
    let (name, rest) = inside.split_once('(')?;
    let (mutation, answers_with, selectable) = MUTATIONS.into_iter().find(|(known, ..)| *known == name.trim())?;
    let (arguments, selection) = rest.split_once(')')?;
    let (argument, variable) = arguments.split_once(':')?;
    let variable = variable.trim().strip_prefix('$').filter(|_| argument.trim() == "input")?;
    let words: Vec<&str> = selection.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let (first, members) = words.split_first()?;
    let known = *first == answers_with && !members.is_empty() && members.iter().all(|m| selectable.contains(m));
    known.then(|| Asked { mutation, answers_with, variable, members: members.to_vec() })
}
