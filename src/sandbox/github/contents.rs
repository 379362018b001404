//! Files by path. A `PUT` is what gives an empty repository its first commit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::access;
use super::git::{self, commit_body, pages, root};
use super::objects::{self, Entry, Mode};
use super::reply::{Reply, created, not_found, ok, refusal, unprocessable};
use super::routes::Call;
use super::world::{Repository, World};
use crate::sandbox::http::Answer;

/// Bytes above which the contents are left out of the answer.
const LARGEST_INLINE: usize = 1024 * 1024;

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    if repository.is_empty() {
        return Err(refusal(404, "This repository is empty."));
    }
    let named = call.query("ref").unwrap_or_else(|| repository.default_branch.clone());
    let Some(commit) = repository.resolve(&named) else {
        return Err(refusal(404, &format!("No commit found for the ref {named}")));
    };
    let path = call.parameter(0).trim_matches('/');
    let Some(commit) = repository.objects.commit(&commit) else { return Err(not_found()) };
    let addresses = (root(world, repository, call.base), pages(world, repository, call.base));
    let mut found: Option<Entry> = None;
    let mut inside: Vec<(String, Entry)> = Vec::new();
    repository.objects.walk(&commit.tree, "", &mut |at, entry| {
        if at == path {
            found = Some(entry.clone());
        }
        if at.rsplit_once('/').map_or("", |(folder, _)| folder) == path {
            inside.push((at.to_owned(), entry.clone()));
        }
    });
    match found {
        Some(entry) if entry.mode != Mode::Folder && wants_raw(call) => {
            let bytes = repository.objects.blob(&entry.id).unwrap_or_default();
            Ok(Answer::new(200, "application/vnd.github.raw+json; charset=utf-8", bytes))
        }
        Some(entry) if entry.mode != Mode::Folder => ok(&file(repository, &addresses, path, &entry, &named)),
        None if !path.is_empty() => Err(not_found()),
        _ => {
            let entries = inside.iter().map(|(at, entry)| {
                let mut body = describe(repository, &addresses, at, entry, &named);
                body["type"] = json!(if entry.mode == Mode::Folder { "dir" } else { "file" });
                body
            });
            ok(&Value::Array(entries.collect()))
        }
    }
}

/// `Accept: application/vnd.github.raw+json`, with or without a version and `+json`.
fn wants_raw(call: &Call<'_>) -> bool {
    let media_type = |accepted: &str| {
        let accepted = accepted.trim().trim_end_matches("+json");
        accepted.starts_with("application/vnd.github.") && accepted.ends_with("raw")
    };
    call.request.header("accept").is_some_and(|accept| accept.split(',').any(media_type))
}

fn describe(repository: &Repository, addresses: &(String, String), path: &str, entry: &Entry, named: &str) -> Value {
    let (root, pages) = addresses;
    let own = format!("{root}/contents/{path}?ref={named}");
    let git = format!("{root}/git/{}s/{}", entry.mode.kind(), entry.id);
    let html = format!("{pages}/{}/{named}/{path}", entry.mode.kind());
    let download = (entry.mode != Mode::Folder).then(|| format!("{pages}/raw/{named}/{path}"));
    json!({
        "name": path.rsplit('/').next(), "path": path, "sha": entry.id,
        "size": repository.objects.blob(&entry.id).map_or(0, <[u8]>::len),
        "url": own, "git_url": git, "html_url": html, "download_url": download,
        "_links": {"self": own, "git": git, "html": html},
    })
}

fn file(repository: &Repository, addresses: &(String, String), path: &str, entry: &Entry, named: &str) -> Value {
    let mut body = describe(repository, addresses, path, entry, named);
    let bytes = repository.objects.blob(&entry.id).unwrap_or_default();
    if entry.mode == Mode::Link {
        body["type"] = json!("symlink");
        body["target"] = json!(String::from_utf8_lossy(bytes));
        return body;
    }
    body["type"] = json!("file");
    if bytes.len() > LARGEST_INLINE {
        body["encoding"] = json!("none");
        body["content"] = json!("");
    } else {
        // GitHub breaks the lines after 60 characters.
        let encoded = STANDARD.encode(bytes);
        let lines = encoded.as_bytes().chunks(60).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
        body["encoding"] = json!("base64");
        body["content"] = json!(lines.collect::<String>());
    }
    body
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Reply {
    let path = call.parameter(0).to_owned();
    let message = call.required("message")?.to_owned();
    let Ok(bytes) = STANDARD.decode(call.required("content")?.replace('\n', "")) else {
        return Err(unprocessable("content is not valid Base64"));
    };
    if !objects::is_path(&path) {
        return Err(unprocessable("path contains a malformed path component"));
    }
    if git::is_workflow(&path) {
        access::may_touch_workflows(world)?;
    }
    let default = world.person()?;
    let author = git::signatory(&call.body["author"], &git::signatory(&call.body["committer"], &default)?)?;
    let now = world.now();
    let given = call.text("sha")?;
    let repository = world.repository_mut(call.repository)?;
    let branch = call.text("branch")?.unwrap_or(&repository.default_branch).to_owned();
    let parent = repository.branch(&branch).cloned();
    if parent.is_none() && !repository.is_empty() {
        return Err(refusal(404, &format!("Branch {branch} not found")));
    }
    let mut files = repository.files_at(parent.as_ref());
    let existed = match (files.get(&path), given) {
        (Some(_), None) => return Err(unprocessable("Invalid request.\n\n\"sha\" wasn't supplied.")),
        (Some(entry), Some(given)) if entry.id != given => {
            return Err(refusal(409, &format!("{path} does not match {given}")));
        }
        (None, Some(given)) => return Err(refusal(409, &format!("{path} does not match {given}"))),
        (existing, _) => existing.is_some(),
    };
    repository.put_file(&mut files, &path, bytes);
    if objects::clash(&files).is_some() {
        return Err(unprocessable("path runs through a file"));
    }
    let id = repository.write_commit(parent.as_ref(), &files, &author, &message, false);
    if let Some(message) = git::violation(repository, &branch, &id) {
        return Err(refusal(409, &message));
    }
    repository.refs.insert(format!("refs/heads/{branch}"), id.clone());
    repository.updated = now;
    let repository = world.repository(call.repository)?;
    let addresses = (root(world, repository, call.base), pages(world, repository, call.base));
    let entry = files.get(&path).ok_or_else(not_found)?;
    let mut content = describe(repository, &addresses, &path, entry, &branch);
    content["type"] = json!("file");
    let commit = repository.objects.commit(&id).ok_or_else(not_found)?;
    let body = json!({"content": content, "commit": commit_body(&addresses.0, &addresses.1, &id, commit)});
    if existed { ok(&body) } else { created(&body) }
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Reply {
    let path = call.parameter(0).to_owned();
    let (message, given) = (call.required("message")?.to_owned(), call.required("sha")?);
    if git::is_workflow(&path) {
        access::may_touch_workflows(world)?;
    }
    let (person, now) = (world.person()?, world.now());
    let repository = world.repository_mut(call.repository)?;
    let branch = call.text("branch")?.unwrap_or(&repository.default_branch).to_owned();
    let parent = repository.branch(&branch).cloned().ok_or_else(not_found)?;
    let mut files = repository.files_at(Some(&parent));
    if files.remove(&path).ok_or_else(not_found)?.id != given {
        return Err(refusal(409, &format!("{path} does not match {given}")));
    }
    let id = repository.write_commit(Some(&parent), &files, &person, &message, false);
    if let Some(message) = git::violation(repository, &branch, &id) {
        return Err(refusal(409, &message));
    }
    repository.refs.insert(format!("refs/heads/{branch}"), id.clone());
    repository.updated = now;
    let repository = world.repository(call.repository)?;
    let commit = repository.objects.commit(&id).ok_or_else(not_found)?;
    let (root, pages) = (root(world, repository, call.base), pages(world, repository, call.base));
    ok(&json!({"content": null, "commit": commit_body(&root, &pages, &id, commit)}))
}
