//! Git data: refs, commits, trees, blobs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::access;
use super::objects::{self, Commit, Entry, Files, Mode, Person};
use super::reply::{Reply, created, no_content, not_found, ok, refusal, unprocessable};
use super::routes::{Call, missing};
use super::world::{Pull, Repository, World, stamp};
use crate::sandbox::http::Answer;

/// The repository, unless it has no commit yet: GitHub refuses git data then.
fn with_history<'w>(world: &'w World, call: &Call<'_>) -> Reply<&'w Repository> {
    let repository = world.repository(call.repository)?;
    if repository.is_empty() {
        return Err(refusal(409, "Git Repository is empty."));
    }
    Ok(repository)
}

/// `http://HOST/repos/OWNER/NAME`
pub(super) fn root(world: &World, repository: &Repository, base: &str) -> String {
    format!("{base}/repos/{}", world.full_name(repository))
}

/// `http://HOST/OWNER/NAME`
pub(super) fn pages(world: &World, repository: &Repository, base: &str) -> String {
    format!("{base}/{}", world.full_name(repository))
}

fn reference(repository: &Repository, root: &str, name: &str, id: &str) -> Value {
    let kind = if repository.objects.tag(id).is_some() { "tag" } else { "commit" };
    json!({
        "ref": name, "node_id": format!("REF_{name}"), "url": format!("{root}/git/{name}"),
        "object": {"type": kind, "sha": id, "url": format!("{root}/git/{kind}s/{id}")},
    })
}

/// An annotated tag by its own id; a lightweight one has none.
pub(super) fn get_tag(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let id = call.parameter(0);
    let tag = repository.objects.tag(id).ok_or_else(not_found)?;
    let root = root(world, repository, call.base);
    let kind = if repository.objects.tag(&tag.object).is_some() { "tag" } else { "commit" };
    ok(&json!({
        "node_id": format!("TA_{id}"), "tag": tag.name, "sha": id, "url": format!("{root}/git/tags/{id}"),
        "message": tag.message, "tagger": person(&tag.tagger),
        "object": {"sha": tag.object, "type": kind, "url": format!("{root}/git/{kind}s/{}", tag.object)},
        "verification": {
            "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null,
        },
    }))
}

pub(super) fn get_ref(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let name = format!("refs/{}", call.parameter(0));
    let id = repository.refs.get(&name).ok_or_else(not_found)?;
    ok(&reference(repository, &root(world, repository, call.base), &name, id))
}

pub(super) fn matching_refs(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let start = format!("refs/{}", call.parameter(0));
    let root = root(world, repository, call.base);
    let found = repository.refs.iter().filter(|(name, _)| name.starts_with(&start));
    call.page().array(found.map(|(name, id)| reference(repository, &root, name, id)).collect())
}

pub(super) fn create_ref(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let (name, id) = (call.required("ref")?.to_owned(), call.required("sha")?.to_owned());
    if !name.starts_with("refs/") || name.matches('/').count() < 2 || !is_ref_name(&name) {
        return Err(unprocessable(&format!("{name} is not a valid ref name.")));
    }
    if repository.refs.contains_key(&name) {
        return Err(unprocessable("Reference already exists"));
    }
    if repository.objects.commit(&id).is_none() {
        return Err(unprocessable("Object does not exist"));
    }
    if let Some(tag) = name.strip_prefix("refs/tags/") {
        let full_name = world.full_name(repository).to_lowercase();
        if world.burned.contains(&(full_name, tag.to_owned())) {
            return Err(unprocessable("Reference cannot be created: the tag was used by an immutable release"));
        }
    }
    if brings_workflows(repository, &id) {
        access::may_touch_workflows(world)?;
    }
    world.repository_mut(call.repository)?.refs.insert(name.clone(), id.clone());
    let repository = world.repository(call.repository)?;
    created(&reference(repository, &root(world, repository, call.base), &name, &id))
}

pub(super) fn update_ref(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let name = format!("refs/{}", call.parameter(0));
    let id = call.required("sha")?.to_owned();
    let force = call.flag("force")?.unwrap_or(false);
    let Some(old) = repository.refs.get(&name) else { return Err(unprocessable("Reference does not exist")) };
    if repository.objects.commit(&id).is_none() {
        return Err(unprocessable("Object does not exist"));
    }
    if !force && !repository.objects.descends(&id, old) {
        return Err(unprocessable("Update is not a fast forward"));
    }
    if let Some(branch) = name.strip_prefix("refs/heads/")
        && let Some(message) = violation(repository, branch, &id)
    {
        return Err(unprocessable(&message));
    }
    if brings_workflows(repository, &id) {
        access::may_touch_workflows(world)?;
    }
    let now = world.now();
    let repository = world.repository_mut(call.repository)?;
    repository.refs.insert(name.clone(), id.clone());
    repository.updated = now;
    let repository = world.repository(call.repository)?;
    ok(&reference(repository, &root(world, repository, call.base), &name, &id))
}

pub(super) fn delete_ref(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let name = format!("refs/{}", call.parameter(0));
    if !repository.refs.contains_key(&name) {
        return Err(unprocessable("Reference does not exist"));
    }
    if name.strip_prefix("refs/heads/") == Some(&repository.default_branch) {
        return Err(unprocessable("Cannot delete the default branch"));
    }
    let immutable = |tag| repository.releases.iter().any(|release| release.immutable && release.tag == tag);
    if name.strip_prefix("refs/tags/").is_some_and(immutable) {
        return Err(unprocessable("Cannot delete a tag that an immutable release uses"));
    }
    let now = world.now();
    let repository = world.repository_mut(call.repository)?;
    let tip = repository.refs.remove(&name).unwrap_or_default();
    // A pull request can't outlive the branch that it comes from.
    let from_it = |pull: &&mut Pull| name.strip_prefix("refs/heads/") == Some(&pull.head);
    for pull in repository.pulls.iter_mut().filter(|pull| pull.open).filter(from_it) {
        pull.open = false;
        pull.closed = Some((tip.clone(), now));
        pull.updated = now;
    }
    no_content()
}

/// Git's rules for a ref's name, as far as a client could break them by mistake.
pub(super) fn is_ref_name(name: &str) -> bool {
    let bad = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let part = |p: &str| !p.is_empty() && !p.starts_with('.') && !p.ends_with(".lock");
    !name.contains(bad)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && name.split('/').all(part)
}

/// Whether a commit adds or changes a workflow relative to the default branch (REST reference, "Create a release").
pub(super) fn brings_workflows(repository: &Repository, commit: &str) -> bool {
    let there = repository.files_at(repository.head());
    let brought = repository.objects.files(commit).unwrap_or_default();
    brought.iter().any(|(path, entry)| is_workflow(path) && there.get(path) != Some(entry))
}

pub(super) fn is_workflow(path: &str) -> bool {
    path.starts_with(".github/workflows/")
}

/// Why a branch's rules forbid moving it to this commit directly.
pub(super) fn violation(repository: &Repository, branch: &str, commit: &str) -> Option<String> {
    let rules = repository.rules(branch);
    let known = repository.branch(branch).map(|old| repository.objects.history(old)).unwrap_or_default();
    let unsigned = || {
        repository
            .objects
            .history(commit)
            .iter()
            .filter(|id| !known.contains(id))
            .any(|id| repository.objects.commit(id).is_some_and(|commit| !commit.verified))
    };
    let broken = if rules.pull_request {
        "Changes must be made through a pull request."
    } else if rules.signatures && unsigned() {
        "Commits must have verified signatures."
    } else {
        return None;
    };
    Some(format!("Repository rule violations found\n\n{broken}\n\n"))
}

pub(super) fn get_commit(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let id = call.parameter(0);
    let commit = repository.objects.commit(id).ok_or_else(not_found)?;
    ok(&commit_body(&root(world, repository, call.base), &pages(world, repository, call.base), id, commit))
}

/// A commit as the git data routes show it.
pub(super) fn commit_body(root: &str, pages: &str, id: &str, commit: &Commit) -> Value {
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|parent| {
            json!({
                "sha": parent, "url": format!("{root}/git/commits/{parent}"),
                "html_url": format!("{pages}/commit/{parent}"),
            })
        })
        .collect();
    json!({
        "sha": id, "node_id": format!("C_{id}"), "url": format!("{root}/git/commits/{id}"),
        "html_url": format!("{pages}/commit/{id}"),
        "author": person(&commit.author), "committer": person(&commit.committer), "message": commit.message,
        "tree": {"sha": commit.tree, "url": format!("{root}/git/trees/{}", commit.tree)}, "parents": parents,
        "verification": verification(commit),
    })
}

pub(super) fn person(person: &Person) -> Value {
    let date = Timestamp::from_second(person.seconds).unwrap_or_default();
    json!({"name": person.name, "email": person.email, "date": stamp(date)})
}

pub(super) fn verification(commit: &Commit) -> Value {
    let reason = match (&commit.signature, commit.verified) {
        (None, _) => "unsigned",
        (Some(_), true) => "valid",
        (Some(_), false) => "unknown_key",
    };
    let at = commit.verified.then(|| Timestamp::from_second(commit.committer.seconds).unwrap_or_default());
    json!({
        "verified": commit.verified, "reason": reason, "signature": commit.signature,
        "payload": commit.signature.as_ref().map(|_| format!("tree {}\n", commit.tree)),
        "verified_at": at.map(stamp),
    })
}

pub(super) fn create_commit(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let (message, tree) = (call.required("message")?.to_owned(), call.required("tree")?.to_owned());
    if repository.objects.tree(&tree).is_none() {
        return Err(unprocessable("Tree SHA does not exist"));
    }
    let parents: Vec<String> = match call.body.get("parents") {
        None | Some(Value::Null) => Vec::new(),
        Some(parents) => serde_json::from_value(parents.clone())
            .map_err(|_| unprocessable("Invalid request.\n\n\"parents\" is not an array of strings"))?,
    };
    if parents.iter().any(|parent| repository.objects.commit(parent).is_none()) {
        return Err(unprocessable("Parent SHA does not exist or is not a commit object"));
    }
    let default = world.person()?;
    let author = signatory(&call.body["author"], &default)?;
    let committer = match &call.body["committer"] {
        Value::Null => author.clone(),
        committer => signatory(committer, &default)?,
    };
    let signature = call.text("signature")?.map(str::to_owned);
    let commit = Commit { tree, parents, author, committer, message, signature, verified: false };
    let id = world.repository_mut(call.repository)?.objects.put_commit(commit.clone());
    let repository = world.repository(call.repository)?;
    created(&commit_body(&root(world, repository, call.base), &pages(world, repository, call.base), &id, &commit))
}

/// An author or committer that was sent, with what the token's owner has where something is absent.
pub(super) fn signatory(sent: &Value, default: &Person) -> Reply<Person> {
    if sent.is_null() {
        return Ok(default.clone());
    }
    let clean = |text: &str| text.chars().filter(|c| !matches!(c, '<' | '>' | '\n')).collect::<String>();
    let part = |field: &str| sent[field].as_str().map(clean).ok_or_else(|| missing(field));
    let seconds = match sent["date"].as_str() {
        None => default.seconds,
        Some(text) => text
            .parse::<Timestamp>()
            .map_err(|_| unprocessable("Invalid request.\n\n\"date\" is not an ISO 8601 time"))?
            .as_second(),
    };
    Ok(Person { name: part("name")?, email: part("email")?, seconds })
}

pub(super) fn get_tree(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let named = call.parameter(0);
    let tree = match repository.resolve(named) {
        Some(commit) => repository.objects.commit(&commit).map(|commit| commit.tree.clone()),
        None => repository.objects.tree(named).map(|_| named.to_owned()),
    };
    let tree = tree.ok_or_else(not_found)?;
    // Any value at all, even 0 or false, means recursive (REST reference, "Get a tree").
    ok(&tree_body(repository, &root(world, repository, call.base), &tree, call.query("recursive").is_some()))
}

fn tree_body(repository: &Repository, root: &str, tree: &str, recursive: bool) -> Value {
    let mut entries = Vec::new();
    repository.objects.walk(tree, "", &mut |path, entry| {
        if !recursive && path.contains('/') {
            return;
        }
        let mut body = json!({
            "path": path, "mode": entry.mode.as_str(), "type": entry.mode.kind(), "sha": entry.id,
        });
        if let Some(blob) = repository.objects.blob(&entry.id) {
            body["size"] = json!(blob.len());
        }
        if entry.mode != Mode::Submodule {
            body["url"] = json!(format!("{root}/git/{}s/{}", entry.mode.kind(), entry.id));
        }
        entries.push(body);
    });
    json!({"sha": tree, "url": format!("{root}/git/trees/{tree}"), "truncated": false, "tree": entries})
}

pub(super) fn create_tree(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let Some(sent) = call.body.get("tree") else { return Err(missing("tree")) };
    let sent = sent.as_array().ok_or_else(|| unprocessable("Invalid tree info"))?;
    let mut files = match call.text("base_tree")? {
        None => Files::new(),
        Some(base) if repository.objects.tree(base).is_some() => repository.objects.files(base).unwrap_or_default(),
        // GitHub also takes a commit here; its documentation says a tree.
        Some(_) => return Err(unprocessable("base_tree is not the SHA of a tree in this repository")),
    };
    let path_of =
        |entry: &Value| entry["path"].as_str().map(str::to_owned).ok_or_else(|| unprocessable("Invalid tree info"));
    if sent.is_empty() && call.text("base_tree")?.is_none() {
        return Err(unprocessable("Invalid tree info"));
    }
    for entry in sent {
        let path = path_of(entry)?;
        if !objects::is_path(&path) {
            return Err(unprocessable("tree.path contains a malformed path component"));
        }
        if is_workflow(&path) {
            access::may_touch_workflows(world)?;
        }
    }
    let repository = world.repository_mut(call.repository)?;
    for entry in sent {
        place(repository, &mut files, &path_of(entry)?, entry)?;
    }
    if let Some(path) = objects::clash(&files) {
        return Err(unprocessable(&format!("tree.path {path} runs through a file")));
    }
    let tree = repository.objects.put_files(&files);
    let repository = world.repository(call.repository)?;
    created(&tree_body(repository, &root(world, repository, call.base), &tree, false))
}

/// Puts one entry of a sent tree among the files, or takes one away.
fn place(repository: &mut Repository, files: &mut Files, path: &str, entry: &Value) -> Reply<()> {
    let wrong = |why: &str| -> Answer { unprocessable(&format!("tree.{path}: {why}")) };
    let mode = entry["mode"]
        .as_str()
        .and_then(Mode::parse)
        .ok_or_else(|| unprocessable("Must supply a valid tree.mode: 100644, 100755, 040000, 160000 or 120000"))?;
    if entry["type"].as_str().is_some_and(|kind| kind != mode.kind()) {
        return Err(wrong("type and mode disagree"));
    }
    let id = match (entry.get("sha"), entry.get("content")) {
        (Some(Value::String(_)), Some(Value::String(_))) => {
            return Err(unprocessable("Must supply either tree.sha or tree.content, not both"));
        }
        (Some(Value::String(id)), _) => id.clone(),
        (_, Some(Value::String(text))) if mode.kind() == "blob" => {
            repository.objects.put_blob(text.clone().into_bytes())
        }
        // A null takes the path away, from the base.
        (Some(Value::Null), None) => {
            let under = format!("{path}/");
            let before = files.len();
            files.retain(|other, _| other != path && !other.starts_with(&under));
            return if files.len() < before { Ok(()) } else { Err(unprocessable("GitRPC::BadObjectState")) };
        }
        _ => return Err(unprocessable("Must supply tree.sha or tree.content")),
    };
    match mode {
        Mode::Folder => {
            let inside = repository.objects.tree(&id).and_then(|_| repository.objects.files(&id));
            let inside = inside.ok_or_else(|| wrong("sha is not a tree"))?;
            let under = format!("{path}/");
            files.retain(|other, _| other != path && !other.starts_with(&under));
            files.extend(inside.into_iter().map(|(inner, entry)| (format!("{under}{inner}"), entry)));
        }
        Mode::File | Mode::Executable | Mode::Link => {
            if repository.objects.blob(&id).is_none() {
                return Err(wrong("sha is not a blob"));
            }
            files.insert(path.to_owned(), Entry { mode, id });
        }
        Mode::Submodule => {
            files.insert(path.to_owned(), Entry { mode, id });
        }
    }
    Ok(())
}

pub(super) fn get_blob(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = with_history(world, call)?;
    let id = call.parameter(0);
    if id.len() != 40 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        let message = "The sha parameter must be exactly 40 characters and contain only [0-9a-f].";
        return Err(unprocessable(message));
    }
    let bytes = repository.objects.blob(id).ok_or_else(not_found)?;
    ok(&json!({
        "content": STANDARD.encode(bytes), "encoding": "base64", "sha": id, "size": bytes.len(),
        "node_id": format!("B_{id}"), "url": format!("{}/git/blobs/{id}", root(world, repository, call.base)),
    }))
}

pub(super) fn create_blob(world: &mut World, call: &Call<'_>) -> Reply {
    with_history(world, call)?;
    let content = call.required("content")?;
    let bytes = match call.text("encoding")?.unwrap_or("utf-8") {
        "utf-8" => content.as_bytes().to_vec(),
        // Line breaks are allowed, as in what GitHub itself answers.
        "base64" => STANDARD
            .decode(content.replace('\n', ""))
            .map_err(|_| unprocessable("Invalid request.\n\n\"content\" is not valid base64"))?,
        _ => return Err(unprocessable("encoding is utf-8 or base64")),
    };
    let id = world.repository_mut(call.repository)?.objects.put_blob(bytes);
    let repository = world.repository(call.repository)?;
    created(&json!({"sha": id, "url": format!("{}/git/blobs/{id}", root(world, repository, call.base))}))
}
