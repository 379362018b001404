//! Which handler answers which path, and what it asks of the token.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::access::{self, Need};
use super::reply::{Page, Reply, refusal, unprocessable};
use super::world::World;
use super::{
    accounts, branches, comments, compare, contents, environments, findings, git, graphql, pulls, releases, repository,
    runs, settings,
};
use crate::sandbox::http::{Answer, Request};

/// A request on its way to its handler.
pub(super) struct Call<'a> {
    /// `http://127.0.0.1:PORT`
    pub(super) base: &'a str,
    pub(super) request: &'a Request,
    /// The repository's number, 0 where the path names none.
    pub(super) repository: u64,
    /// The decoded parts of the path that the route leaves open, repository and owner excepted.
    pub(super) parameters: Vec<String>,
    /// `Null` when nothing was sent.
    pub(super) body: Value,
}

impl Call<'_> {
    /// # Panics
    /// Never: a missing parameter reads as an empty text.
    pub(super) fn parameter(&self, at: usize) -> &str {
        self.parameters.get(at).map_or("", String::as_str)
    }

    pub(super) fn number(&self, at: usize) -> Reply<u64> {
        self.parameter(at).parse().map_err(|_| super::reply::not_found())
    }

    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.request.query_pairs().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(super) fn page(&self) -> Page {
        Page::asked(format!("{}{}", self.base, self.request.path), self.request.query_pairs())
    }

    /// A text of the body; absent and null are the same.
    pub(super) fn text(&self, field: &str) -> Reply<Option<&str>> {
        match self.body.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => {
                Err(unprocessable(&format!("Invalid request.\n\nFor 'properties/{field}', {other} is not a string.")))
            }
        }
    }

    pub(super) fn required(&self, field: &str) -> Reply<&str> {
        self.text(field)?.ok_or_else(|| missing(field))
    }

    pub(super) fn flag(&self, field: &str) -> Reply<Option<bool>> {
        match self.body.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => {
                Err(unprocessable(&format!("Invalid request.\n\nFor 'properties/{field}', {other} is not a boolean.")))
            }
        }
    }
}

pub(super) fn missing(field: &str) -> Answer {
    unprocessable(&format!("Invalid request.\n\n\"{field}\" wasn't supplied."))
}

type Handle = fn(&mut World, &Call<'_>) -> Reply;

/// Answers a request and tells what its route asked of the token.
pub(super) fn answer(world: &mut World, base: &str, request: &Request) -> (Answer, Option<Need>) {
    let mut need = None;
    let reply = admit(world, base, request, &mut need);
    (reply.unwrap_or_else(|refused| refused), need)
}

fn admit(world: &mut World, base: &str, request: &Request, told: &mut Option<Need>) -> Reply {
    access::admit(world, request)?;
    let decoded: Vec<String> = request
        .path
        .trim_start_matches('/')
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let unknown = || {
        let message = format!("stand-in: {} {} is not among the operations built here", request.method, request.path);
        Err(refusal(404, &message))
    };
    let method = request.method.as_str();
    let body = body(request)?;
    let mut call = Call { base, request, repository: 0, parameters: Vec::new(), body };
    let (rest, found) = match parts.as_slice() {
        ["repos", owner, name, rest @ ..] => (rest, Some((*owner, *name))),
        ["repositories", _, rest @ ..] => (rest, None),
        _ => {
            let Some((handle, parameter)) = outside(method, &parts) else { return unknown() };
            call.parameters.extend(parameter.map(str::to_owned));
            return handle(world, &call);
        }
    };
    let Some((need, handle, parameters)) = inside(method, rest) else { return unknown() };
    *told = Some(need);
    call.parameters = parameters;
    call.repository = match found {
        Some((owner, name)) => {
            let tail = request.path.splitn(5, '/').nth(4).map_or_else(String::new, |tail| format!("/{tail}"));
            access::repository(world, base, owner, name, &tail, need, request)?
        }
        None => {
            let id = parts.get(1).and_then(|id| id.parse().ok()).unwrap_or(0);
            access::allow(world, id, need, request)?
        }
    };
    handle(world, &call)
}

fn body(request: &Request) -> Reply<Value> {
    if request.body.is_empty() {
        return Ok(Value::Null);
    }
    match serde_json::from_slice(&request.body) {
        Ok(body @ Value::Object(_)) => Ok(body),
        Ok(_) => Err(refusal(400, "Body should be a JSON object")),
        Err(_) => Err(refusal(400, "Problems parsing JSON")),
    }
}

/// Routes that name no repository.
fn outside<'p>(method: &str, parts: &[&'p str]) -> Option<(Handle, Option<&'p str>)> {
    Some(match (method, parts) {
        ("GET", ["user"]) => (accounts::viewer as Handle, None),
        ("GET", ["users", login]) => (accounts::user, Some(*login)),
        ("GET", ["orgs", login]) => (accounts::organization, Some(*login)),
        ("GET", ["rate_limit"]) => (accounts::rate_limit, None),
        ("POST", ["user", "repos"]) => (repository::create_for_user, None),
        ("POST", ["orgs", login, "repos"]) => (repository::create_for_organization, Some(*login)),
        ("POST", ["graphql"]) => (graphql::answer, None),
        _ => return None,
    })
}

/// Routes below `/repos/OWNER/NAME`.
fn inside(method: &str, rest: &[&str]) -> Option<(Need, Handle, Vec<String>)> {
    let none = Vec::new;
    let one = |text: &str| vec![text.to_owned()];
    let joined = |parts: &[&str]| vec![parts.join("/")];
    let contents_read = Need::read("contents");
    let contents_write = Need::write("contents");
    let administer = Need::admin("administration");
    Some(match (method, rest) {
        ("GET", []) => (Need::read("metadata"), repository::get as Handle, none()),
        ("PATCH", []) => (administer, repository::change, none()),
        ("DELETE", []) => (administer, repository::delete, none()),

        ("GET", ["actions", "secrets"]) => (Need::admin_read("secrets"), settings::list_secrets, none()),
        ("GET", ["actions", "secrets", "public-key"]) => (Need::admin_read("secrets"), settings::public_key, none()),
        ("GET", ["actions", "secrets", name]) => (Need::admin_read("secrets"), settings::get_secret, one(name)),
        ("PUT", ["actions", "secrets", name]) => (Need::write("secrets"), settings::put_secret, one(name)),
        ("DELETE", ["actions", "secrets", name]) => (Need::write("secrets"), settings::delete_secret, one(name)),

        ("GET", ["actions", "permissions"]) => (Need::admin_read("administration"), settings::get_permissions, none()),
        ("PUT", ["actions", "permissions"]) => (administer, settings::put_permissions, none()),
        ("GET", ["actions", "permissions", "workflow"]) => {
            (Need::admin_read("administration"), settings::get_workflow_permissions, none())
        }
        ("PUT", ["actions", "permissions", "workflow"]) => (administer, settings::put_workflow_permissions, none()),
        ("GET", ["actions", "oidc", "customization", "sub"]) => {
            (Need::admin_read("actions"), settings::get_subject, none())
        }
        ("PUT", ["actions", "oidc", "customization", "sub"]) => (Need::write("actions"), settings::put_subject, none()),
        ("GET", ["immutable-releases"]) => {
            (Need::admin_read("administration"), settings::get_immutable_releases, none())
        }
        ("PUT", ["immutable-releases"]) => (administer, settings::put_immutable_releases, none()),
        ("DELETE", ["immutable-releases"]) => (administer, settings::delete_immutable_releases, none()),

        ("GET", ["actions", "workflows"]) => (Need::read("actions"), runs::list_workflows, none()),
        ("POST", ["actions", "workflows", file, "dispatches"]) => (Need::write("actions"), runs::dispatch, one(file)),
        ("GET", ["actions", "workflows", id, "runs"]) => (Need::read("actions"), runs::list_of_workflow, one(id)),
        ("GET", ["actions", "variables", name]) => (Need::read("actions_variables"), findings::get_variable, one(name)),
        ("GET", ["code-scanning", "alerts"]) => (Need::read("security_events"), findings::list_alerts, none()),
        ("GET", ["issues"]) => (Need::read("issues"), findings::list_issues, none()),
        ("GET", ["issues", number, "comments"]) => (Need::read("pull_requests"), comments::list, one(number)),
        ("POST", ["issues", number, "comments"]) => (Need::write("pull_requests"), comments::create, one(number)),
        ("GET", ["actions", "runs"]) => (Need::read("actions"), runs::list, none()),
        ("GET", ["actions", "runs", id]) => (Need::read("actions"), runs::get, one(id)),
        ("GET", ["actions", "runs", id, "jobs"]) => (Need::read("actions"), runs::jobs, one(id)),

        ("GET", ["environments"]) => (Need::read("actions"), environments::list, none()),
        ("GET", ["environments", name]) => (Need::read("actions"), environments::get, one(name)),
        ("PUT", ["environments", name]) => (administer, environments::put, one(name)),
        ("DELETE", ["environments", name]) => (administer, environments::delete, one(name)),
        ("GET", ["environments", name, "secrets"]) => {
            (Need::admin_read("environments"), environments::list_secrets, one(name))
        }
        ("GET", ["environments", name, "variables"]) => {
            (Need::admin_read("environments"), environments::list_variables, one(name))
        }
        ("GET", ["environments", name, "deployment-branch-policies"]) => {
            (Need::read("actions"), environments::list_patterns, one(name))
        }
        ("POST", ["environments", name, "deployment-branch-policies"]) => {
            (administer, environments::add_pattern, one(name))
        }
        ("DELETE", ["environments", name, "deployment-branch-policies", id]) => {
            (administer, environments::delete_pattern, vec![(*name).to_owned(), (*id).to_owned()])
        }

        ("GET", ["contents"]) => (contents_read, contents::get, one("")),
        ("GET", ["contents", path @ ..]) => (contents_read, contents::get, joined(path)),
        ("PUT", ["contents", path @ ..]) => (contents_write, contents::put, joined(path)),
        ("DELETE", ["contents", path @ ..]) => (contents_write, contents::delete, joined(path)),

        ("GET", ["git", "ref", name @ ..]) => (contents_read, git::get_ref, joined(name)),
        ("GET", ["git", "matching-refs", name @ ..]) => (contents_read, git::matching_refs, joined(name)),
        ("POST", ["git", "refs"]) => (contents_write, git::create_ref, none()),
        ("PATCH", ["git", "refs", name @ ..]) => (contents_write, git::update_ref, joined(name)),
        ("DELETE", ["git", "refs", name @ ..]) => (contents_write, git::delete_ref, joined(name)),
        ("GET", ["git", "commits", id]) => (contents_read, git::get_commit, one(id)),
        ("POST", ["git", "commits"]) => (contents_write, git::create_commit, none()),
        ("GET", ["git", "tags", id]) => (contents_read, git::get_tag, one(id)),
        ("GET", ["git", "trees", id @ ..]) => (contents_read, git::get_tree, joined(id)),
        ("POST", ["git", "trees"]) => (contents_write, git::create_tree, none()),
        ("GET", ["git", "blobs", id]) => (contents_read, git::get_blob, one(id)),
        ("POST", ["git", "blobs"]) => (contents_write, git::create_blob, none()),

        ("GET", ["compare", sides @ ..]) => (contents_read, compare::compare, joined(sides)),
        ("GET", ["commits", id, "branches-where-head"]) => (contents_read, compare::branches_where_head, one(id)),
        ("GET", ["commits"]) => (contents_read, branches::list_commits, none()),
        ("GET", ["branches"]) => (contents_read, branches::list, none()),
        ("GET", ["branches", name @ .., "protection"]) => {
            (Need::admin_read("administration"), branches::protection, joined(name))
        }
        ("GET", ["branches", name @ ..]) => (contents_read, branches::get, joined(name)),
        ("GET", ["rules", "branches", name @ ..]) => (Need::read("metadata"), branches::rules, joined(name)),
        ("GET", ["rulesets"]) => (Need::read("metadata"), branches::rulesets, none()),
        ("GET", ["tags"]) => (Need::read("metadata"), branches::tags, none()),

        ("GET", ["releases"]) => (contents_read, releases::list, none()),
        ("POST", ["releases"]) => (contents_write, releases::create, none()),
        ("GET", ["releases", "latest"]) => (contents_read, releases::latest, none()),
        ("GET", ["releases", "tags", tag @ ..]) => (contents_read, releases::by_tag, joined(tag)),
        ("GET", ["releases", id]) => (contents_read, releases::get, one(id)),
        ("PATCH", ["releases", id]) => (contents_write, releases::change, one(id)),
        ("DELETE", ["releases", id]) => (contents_write, releases::delete, one(id)),

        ("GET", ["pulls"]) => (Need::read("pull_requests"), pulls::list, none()),
        ("POST", ["pulls"]) => (Need::write("pull_requests"), pulls::create, none()),
        ("GET", ["pulls", number]) => (Need::read("pull_requests"), pulls::get, one(number)),
        ("PATCH", ["pulls", number]) => (Need::write("pull_requests"), pulls::change, one(number)),
        ("PUT", ["pulls", number, "merge"]) => (contents_write, pulls::merge, one(number)),
        _ => return None,
    })
}
