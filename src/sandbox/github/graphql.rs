//! The one mutation that sbi needs of GraphQL: `createCommitOnBranch`. Everything else is refused by name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::access::{self, Need};
use super::git::{self, pages};
use super::objects;
use super::reply::{Reply, ok};
use super::routes::Call;
use super::world::World;

const MUTATION: &str = "createCommitOnBranch";
/// Members of the commit that can be asked for here.
const SELECTABLE: [&str; 2] = ["oid", "url"];

pub(super) fn answer(world: &mut World, call: &Call<'_>) -> Reply {
    match commit(world, call) {
        Ok(commit) => ok(&json!({"data": {MUTATION: {"commit": commit}}})),
        // GraphQL answers 200 to what it refuses.
        Err((kind, message)) => ok(&json!({
            "data": {MUTATION: null}, "errors": [{"type": kind, "path": [MUTATION], "message": message}],
        })),
    }
}

type Refused = (&'static str, String);

fn unprocessable(message: impl Into<String>) -> Refused {
    ("UNPROCESSABLE", message.into())
}

fn commit(world: &mut World, call: &Call<'_>) -> Result<Value, Refused> {
    let query = call.body["query"].as_str().unwrap_or_default();
    let (input, selected) = read(query).ok_or_else(|| {
        unprocessable(
            "stand-in: only `mutation(…) { createCommitOnBranch(input: $…) { commit { oid url } } }` is built",
        )
    })?;
    let input = &call.body["variables"][input];
    let text = |value: &Value, path: &str| -> Result<String, Refused> {
        let found = value.pointer(path).and_then(Value::as_str).map(str::to_owned);
        found.ok_or_else(|| unprocessable(format!("Variable $input was provided invalid value for {path}")))
    };
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
    let all = [("oid", commit), ("url", url)];
    let told = all.into_iter().filter(|(member, _)| selected.iter().any(|wanted| wanted == member));
    Ok(Value::Object(told.map(|(member, value)| (member.to_owned(), Value::String(value))).collect()))
}

fn forbidden() -> Refused {
    ("FORBIDDEN", "Resource not accessible by personal access token".into())
}

/// The variable that carries the input, and what is asked of the commit.
fn read(query: &str) -> Option<(&str, Vec<&str>)> {
    let after = query.trim_start().strip_prefix("mutation")?.split_once(MUTATION)?.1.trim_start();
    let (arguments, selection) = after.strip_prefix('(')?.split_once(')')?;
    let (name, variable) = arguments.split_once(':')?;
    let variable = variable.trim().strip_prefix('$').filter(|_| name.trim() == "input")?;
    let words: Vec<&str> = selection.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let (first, members) = words.split_first()?;
    let known = *first == "commit" && !members.is_empty() && members.iter().all(|m| SELECTABLE.contains(m));
    known.then(|| (variable, members.to_vec()))
}
