//! Releases. Publishing one makes its tag and starts the workflows that wait for it.

use serde_json::{Value, json};

use super::accounts::simple;
use super::git::{self, pages, root};
use super::reply::{Reply, created, invalid, invalid_because, no_content, not_found, ok};
use super::routes::Call;
use super::world::{Release, Repository, World, stamp};
use super::{access, runs};

fn describe(world: &World, repository: &Repository, base: &str, release: &Release) -> Reply<Value> {
    let (root, pages) = (root(world, repository, base), pages(world, repository, base));
    let (id, tag) = (release.id, &release.tag);
    let url = format!("{root}/releases/{id}");
    let page = if release.draft { format!("untagged-{id}") } else { tag.clone() };
    Ok(json!({
        "url": url, "html_url": format!("{pages}/releases/tag/{page}"), "assets_url": format!("{url}/assets"),
        "upload_url": format!("{url}/assets{{?name,label}}"),
        "tarball_url": (!release.draft).then(|| format!("{root}/tarball/{tag}")),
        "zipball_url": (!release.draft).then(|| format!("{root}/zipball/{tag}")),
        "id": id, "node_id": format!("RE_{id}"), "tag_name": tag, "target_commitish": release.target,
        "name": release.name, "body": release.body, "draft": release.draft, "prerelease": release.prerelease,
        "immutable": release.immutable, "created_at": stamp(release.created),
        "published_at": release.published.map(stamp), "author": simple(world.viewer()?, base), "assets": [],
    }))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Reply {
    let repository = world.repository(call.repository)?;
    // Drafts are for those who may push.
    let sees_drafts = world.owner(repository)?.administered;
    let visible = repository.releases.iter().rev().filter(|release| sees_drafts || !release.draft);
    let all: Reply<Vec<Value>> = visible.map(|release| describe(world, repository, call.base, release)).collect();
    call.page().array(all?)
}

fn one(world: &World, call: &Call<'_>, wanted: impl Fn(&Release) -> bool) -> Reply<Value> {
    let repository = world.repository(call.repository)?;
    let release = repository.releases.iter().rev().find(|release| wanted(release)).ok_or_else(not_found)?;
    describe(world, repository, call.base, release)
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let id = call.number(0)?;
    ok(&one(world, call, |release| release.id == id)?)
}

pub(super) fn by_tag(world: &mut World, call: &Call<'_>) -> Reply {
    ok(&one(world, call, |release| !release.draft && release.tag == call.parameter(0))?)
}

pub(super) fn latest(world: &mut World, call: &Call<'_>) -> Reply {
    ok(&one(world, call, |release| !release.draft && !release.prerelease)?)
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Reply {
    let tag = call.required("tag_name")?.to_owned();
    let draft = call.flag("draft")?.unwrap_or(false);
    let repository = world.repository(call.repository)?;
    if tag.is_empty() {
        return Err(invalid("Release", "tag_name", "missing_field"));
    }
    if !git::is_ref_name(&tag) {
        return Err(invalid_because("Release", "tag_name", "tag_name is not well-formed"));
    }
    if repository.is_empty() {
        return Err(invalid_because("Release", "target_commitish", "Repository is empty."));
    }
    if repository.releases.iter().any(|release| !release.draft && !draft && release.tag == tag) {
        return Err(invalid("Release", "tag_name", "already_exists"));
    }
    let target = call.text("target_commitish")?.unwrap_or(&repository.default_branch).to_owned();
    let now = world.now();
    let release = Release {
        id: world.id(),
        tag,
        target,
        name: call.text("name")?.map(str::to_owned),
        body: call.text("body")?.map(str::to_owned),
        draft,
        prerelease: call.flag("prerelease")?.unwrap_or(false),
        immutable: false,
        created: now,
        published: None,
    };
    let release = if draft { release } else { publish(world, call.repository, release)? };
    let repository = world.repository_mut(call.repository)?;
    repository.releases.push(release);
    let repository = world.repository(call.repository)?;
    let release = repository.releases.last().ok_or_else(not_found)?;
    created(&describe(world, repository, call.base, release)?)
}

/// Makes the tag where there is none yet and starts the workflows.
fn publish(world: &mut World, id: u64, mut release: Release) -> Reply<Release> {
    let repository = world.repository(id)?;
    let full_name = world.full_name(repository).to_lowercase();
    if world.burned.contains(&(full_name.clone(), release.tag.clone())) {
        return Err(invalid_because("Release", "tag_name", "tag_name was used by an immutable release"));
    }
    let commit = match repository.tag(&release.tag) {
        // An existing tag wins over the target.
        Some(commit) => commit.clone(),
        None => match repository.resolve(&release.target) {
            Some(commit) => commit,
            None => return Err(invalid("Release", "target_commitish", "invalid")),
        },
    };
    if git::brings_workflows(repository, &commit) {
        access::may_touch_workflows(world)?;
    }
    let now = world.now();
    let repository = world.repository_mut(id)?;
    repository.refs.insert(format!("refs/tags/{}", release.tag), commit.clone());
    release.draft = false;
    release.published = Some(now);
    release.immutable = repository.immutable_releases;
    if release.immutable {
        world.burned.insert((full_name, release.tag.clone()));
    }
    let title = release.name.clone().unwrap_or_else(|| release.tag.clone());
    runs::start(world, id, &release.tag, &commit, &title)?;
    Ok(release)
}

pub(super) fn change(world: &mut World, call: &Call<'_>) -> Reply {
    let id = call.number(0)?;
    let publishes = call.flag("draft")? == Some(false);
    let repository = world.repository_mut(call.repository)?;
    let at = repository.releases.iter().position(|release| release.id == id).ok_or_else(not_found)?;
    let release = &mut repository.releases[at];
    if let Some(name) = call.text("name")? {
        release.name = Some(name.to_owned());
    }
    if let Some(body) = call.text("body")? {
        release.body = Some(body.to_owned());
    }
    if release.draft && publishes {
        let release = repository.releases.remove(at);
        if repository.releases.iter().any(|other| !other.draft && other.tag == release.tag) {
            repository.releases.insert(at, release);
            return Err(invalid("Release", "tag_name", "already_exists"));
        }
        let release = publish(world, call.repository, release)?;
        world.repository_mut(call.repository)?.releases.push(release);
    }
    get(world, call)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Reply {
    let id = call.number(0)?;
    let repository = world.repository_mut(call.repository)?;
    let at = repository.releases.iter().position(|release| release.id == id).ok_or_else(not_found)?;
    let release = repository.releases.remove(at);
    // The tag of a deleted immutable release goes with it and stays in `burned` for ever.
    if release.immutable {
        repository.refs.remove(&format!("refs/tags/{}", release.tag));
    }
    no_content()
}
