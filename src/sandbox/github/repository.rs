//! Repositories themselves: made, read, changed, deleted.

use serde_json::{Value, json};

use super::access;
use super::accounts::{merge, simple};
use super::objects::Files;
use super::reply::{Reply, created, invalid, invalid_because, no_content, not_found, ok, refusal};
use super::routes::Call;
use super::world::{Repository, World, stamp};

pub(super) fn create_for_user(world: &mut World, call: &Call<'_>) -> Reply {
    let owner = world.viewer;
    create(world, call, owner)
}

pub(super) fn create_for_organization(world: &mut World, call: &Call<'_>) -> Reply {
    let account = world.account(call.parameter(0)).filter(|account| account.organization).ok_or_else(not_found)?;
    let owner = account.id;
    if !account.administered {
        return Err(refusal(403, "You need admin access to the organization before adding a repository to it."));
    }
    access::sign_on(world, owner)?;
    create(world, call, owner)
}

fn create(world: &mut World, call: &Call<'_>, owner: u64) -> Reply {
    let private = call.flag("private")?.unwrap_or(false) || call.text("visibility")?.is_some_and(|v| v != "public");
    access::may_create_repository(world, private)?;
    let name = call.required("name")?.to_owned();
    check_name(&name)?;
    let login = world.accounts.get(&owner).ok_or_else(not_found)?.login.clone();
    if world.named(&login, &name).is_some() {
        return Err(invalid_because("Repository", "name", "name already exists on this account"));
    }
    let description = call.text("description")?.map(str::to_owned);
    let auto_init = call.flag("auto_init")?.unwrap_or(false);
    let id = world.create_repository(owner, &name, private, description.clone());
    if auto_init {
        let person = world.person()?;
        let repository = world.repository_mut(id)?;
        let mut readme = format!("# {name}");
        if let Some(description) = description {
            readme += &format!("\n{description}\n");
        }
        let mut files = Files::new();
        repository.put_file(&mut files, "README.md", readme.into_bytes());
        // GitHub makes and signs this one itself.
        let commit = repository.write_commit(None, &files, &person, "Initial commit", true);
        repository.refs.insert("refs/heads/main".into(), commit);
    }
    created(&full(world, world.repository(id)?, call.base)?)
}

fn check_name(name: &str) -> Reply<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        return Err(invalid("Repository", "name", "missing_field"));
    }
    if name.len() > 100 {
        return Err(invalid_because("Repository", "name", "name is too long (maximum is 100 characters)"));
    }
    // GitHub would turn other characters into hyphens; a client that relies on that is better told.
    if !name.chars().all(allowed) || matches!(name, "." | "..") || name.to_ascii_lowercase().ends_with(".git") {
        return Err(invalid_because("Repository", "name", "name is not available"));
    }
    Ok(())
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Reply {
    ok(&full(world, world.repository(call.repository)?, call.base)?)
}

pub(super) fn change(world: &mut World, call: &Call<'_>) -> Reply {
    let (former, login) = {
        let repository = world.repository(call.repository)?;
        (world.full_name(repository), world.owner(repository)?.login.clone())
    };
    if let Some(branch) = call.text("default_branch")?
        && world.repository(call.repository)?.branch(branch).is_none()
    {
        return Err(invalid("Repository", "default_branch", "invalid"));
    }
    if let Some(name) = call.text("name")? {
        check_name(name)?;
        if world.named(&login, name).is_some_and(|other| other.id != call.repository) {
            return Err(invalid_because("Repository", "name", "name already exists on this account"));
        }
        if !former.eq_ignore_ascii_case(&format!("{login}/{name}")) {
            world.renamed.insert(former.to_lowercase(), call.repository);
        }
    }
    let now = world.now();
    let private = match (call.flag("private")?, call.text("visibility")?) {
        (Some(private), _) => Some(private),
        (None, Some(visibility)) => Some(visibility != "public"),
        (None, None) => None,
    };
    let new_subjects = world.immutable_subjects;
    let repository = world.repository_mut(call.repository)?;
    repository.updated = now;
    if let Some(name) = call.text("name")? {
        name.clone_into(&mut repository.name);
        // A rename brings the ids into the subject, as a creation does.
        repository.subject.immutable |= new_subjects;
    }
    if let Some(description) = call.text("description")? {
        repository.description = Some(description.to_owned());
    }
    if let Some(branch) = call.text("default_branch")? {
        branch.clone_into(&mut repository.default_branch);
    }
    repository.private = private.unwrap_or(repository.private);
    repository.archived = call.flag("archived")?.unwrap_or(repository.archived);
    get(world, call)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Reply {
    if matches!(world.scopes, super::TokenScopes::Classic(_)) && !access::has_scope(world, &["delete_repo"]) {
        return Err(refusal(403, "Must have admin rights to Repository."));
    }
    let id = call.repository;
    world.repositories.remove(&id);
    world.renamed.retain(|_, target| *target != id);
    no_content()
}

/// API addresses of a repository: member → what follows `/repos/OWNER/NAME`.
const ADDRESSES: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// The form in which workflow runs carry a repository.
pub(super) fn minimal(world: &World, repository: &Repository, base: &str) -> Reply<Value> {
    let owner = world.owner(repository)?;
    let full_name = world.full_name(repository);
    let mut body = json!({
        "id": repository.id, "node_id": format!("R_{}", repository.id), "name": repository.name,
        "full_name": full_name, "private": repository.private, "owner": simple(owner, base),
        "html_url": format!("{base}/{full_name}"), "description": repository.description, "fork": false,
    });
    for (member, tail) in ADDRESSES {
        merge(&mut body, json!({member: format!("{base}/repos/{full_name}{tail}")}));
    }
    Ok(body)
}

/// The form in which pull requests carry a repository.
pub(super) fn plain(world: &World, repository: &Repository, base: &str) -> Reply<Value> {
    let full_name = world.full_name(repository);
    let mut body = minimal(world, repository, base)?;
    let host = base.split_once("//").map_or(base, |(_, host)| host);
    merge(
        &mut body,
        json!({
            "git_url": format!("git://{host}/{full_name}.git"), "ssh_url": format!("git@{host}:{full_name}.git"),
            "clone_url": format!("{base}/{full_name}.git"), "svn_url": format!("{base}/{full_name}"),
            "mirror_url": null, "homepage": null, "language": null,
            "forks_count": 0, "stargazers_count": 0, "watchers_count": 0, "size": 0,
            "default_branch": repository.default_branch, "open_issues_count": 0, "is_template": false, "topics": [],
            "has_issues": repository.issues.is_some(), "has_projects": true, "has_wiki": true, "has_pages": false, "has_downloads": true,
            "has_discussions": false, "archived": repository.archived, "disabled": false,
            "visibility": if repository.private { "private" } else { "public" },
            "pushed_at": stamp(repository.updated), "created_at": stamp(repository.created),
            "updated_at": stamp(repository.updated), "license": null, "forks": 0, "open_issues": 0, "watchers": 0,
            "allow_forking": true, "web_commit_signoff_required": false,
        }),
    );
    Ok(body)
}

/// The form in which a repository is answered when it is asked for.
pub(super) fn full(world: &World, repository: &Repository, base: &str) -> Reply<Value> {
    let role = world.owner(repository)?.administered;
    let mut body = plain(world, repository, base)?;
    merge(
        &mut body,
        json!({
            "permissions": {"admin": role, "maintain": role, "push": role, "triage": role, "pull": true},
            "subscribers_count": 0, "network_count": 0,
        }),
    );
    if role {
        merge(
            &mut body,
            json!({
                "temp_clone_token": "", "allow_squash_merge": true, "allow_merge_commit": true,
                "allow_rebase_merge": true, "allow_auto_merge": false, "delete_branch_on_merge": false,
            }),
        );
    }
    Ok(body)
}
