//! Who may do what: the token, its scopes or permissions, the owner's sign-on, the rate limit, and what is told of
//! them in headers.

use std::collections::BTreeSet;

use super::TokenScopes;
use super::reply::{Reply, not_found, refusal};
use super::world::{Limit, World};
use crate::sandbox::http::{Answer, Request};

/// The one version of the REST API that is spoken here.
const API_VERSION: &str = "2022-11-28";
/// Requests an hour with a personal token.
const HOURLY_LIMIT: u32 = 5000;

/// What a route asks of the token and of its owner's role.
#[derive(Clone, Copy)]
pub(super) struct Need {
    /// A fine-grained permission, as the headers spell it.
    pub(super) permission: &'static str,
    pub(super) write: bool,
    /// The owner of the token must administer the repository.
    pub(super) admin: bool,
}

impl Need {
    pub(super) const fn read(permission: &'static str) -> Self {
        Self { permission, write: false, admin: false }
    }

    pub(super) const fn write(permission: &'static str) -> Self {
        Self { permission, write: true, admin: false }
    }

    pub(super) const fn admin_read(permission: &'static str) -> Self {
        Self { permission, write: false, admin: true }
    }

    pub(super) const fn admin(permission: &'static str) -> Self {
        Self { permission, write: true, admin: true }
    }

    fn header(self) -> String {
        format!("{}={}", self.permission, if self.write { "write" } else { "read" })
    }
}

/// Checks what GitHub checks before it looks at a path.
pub(super) fn admit(world: &mut World, request: &Request) -> Reply<()> {
    if request.header("user-agent").is_none_or(str::is_empty) {
        return Err(refusal(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
        ));
    }
    match request.header("x-github-api-version") {
        Some(API_VERSION) => {}
        // GitHub serves its oldest version to those who name none; a client that forgets is better told.
        None if request.path != "/graphql" => {
            return Err(refusal(400, "stand-in: the header X-GitHub-Api-Version is missing"));
        }
        None => {}
        Some(other) => return Err(refusal(400, &format!("Version \"{other}\" is not a supported version."))),
    }
    let Some(authorization) = request.header("authorization") else {
        return Err(refusal(401, "Requires authentication"));
    };
    let given = authorization
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token"));
    let known = given.is_some_and(|(_, text)| world.token.reveal(|token| token == text.trim()));
    if !known || world.expired {
        return Err(refusal(401, "Bad credentials"));
    }
    match &mut world.limit {
        // Asking for the limit costs nothing and is never refused.
        _ if request.path == "/rate_limit" => {}
        Limit::Remaining(0) => {
            let login = world.viewer()?.id;
            return Err(refusal(403, &format!("API rate limit exceeded for user ID {login}.")));
        }
        Limit::Remaining(left) => {
            *left -= 1;
            world.used += 1;
        }
        Limit::Secondary(seconds) => {
            let seconds = seconds.to_string();
            return Err(refusal(
                403,
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            )
            .with("retry-after", seconds));
        }
    }
    Ok(())
}

/// Finds a repository for a request, as far as this token sees it and may do what the route does.
pub(super) fn repository(
    world: &World,
    base: &str,
    owner: &str,
    name: &str,
    tail: &str,
    need: Need,
    request: &Request,
) -> Reply<u64> {
    let Some(repository) = world.named(owner, name) else {
        let former = format!("{owner}/{name}").to_lowercase();
        let Some(id) = world.renamed.get(&former) else { return Err(not_found()) };
        let status = if request.method == "GET" { 301 } else { 307 };
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let location = format!("{base}/repositories/{id}{tail}{query}");
        let body = serde_json::json!({"message": "Moved Permanently", "url": location,
            "documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api"});
        return Err(super::reply::json_answer(status, &body).with("location", location));
    };
    allow(world, repository.id, need, request)
}

/// The same for a repository that is known by its number.
pub(super) fn allow(world: &World, id: u64, need: Need, request: &Request) -> Reply<u64> {
    let repository = world.repository(id)?;
    let owner = world.owner(repository)?;
    if repository.private && !owner.administered {
        return Err(not_found());
    }
    sign_on(world, owner.id)?;
    // What everybody may read of a public repository takes no right.
    let open_to_all = !repository.private && !need.write && !need.admin;
    match &world.scopes {
        TokenScopes::Classic(scopes) => {
            let enough = scopes.contains("repo") || (!repository.private && scopes.contains("public_repo"));
            if !enough && !open_to_all {
                return Err(not_found());
            }
        }
        TokenScopes::FineGrained(permissions) | TokenScopes::Installation(permissions) => {
            let unasked = open_to_all || need.permission == "metadata";
            if !unasked && !holds(permissions, need.permission, need.write) {
                return Err(lacking(world, &need.header()));
            }
        }
    }
    if !owner.administered && need.admin {
        return Err(refusal(403, "Must have admin rights to Repository."));
    }
    if !owner.administered && need.write {
        return Err(not_found());
    }
    if repository.archived && request.method != "GET" && !(need.permission == "administration" && is_whole(request)) {
        return Err(refusal(403, "Repository was archived so it is read-only."));
    }
    Ok(id)
}

/// `/repos/OWNER/NAME` itself: it can be unarchived and deleted.
fn is_whole(request: &Request) -> bool {
    request.path.trim_matches('/').split('/').count() == 3
}

/// Refuses a token that an organization has not been asked to accept, and whoever comes from an address that it doesn't
/// know.
pub(super) fn sign_on(world: &World, owner: u64) -> Reply<()> {
    if world.walled.contains(&owner) {
        let login = world.accounts.get(&owner).map_or("", |account| account.login.as_str());
        let message = format!(
            "Although you appear to have the correct authorization credentials, the `{login}` organization has an IP \
             allow list enabled, and your IP address is not permitted to access this resource."
        );
        return Err(refusal(403, &message));
    }
    if !world.sso.contains(&owner) {
        return Ok(());
    }
    let login = world.accounts.get(&owner).map_or("", |account| account.login.as_str());
    let message = "Resource protected by organization SAML enforcement. You must grant your Personal Access token \
                   access to this organization.";
    let url = format!("https://github.com/orgs/{login}/sso?authorization_request=A4BCDEFGH");
    Err(refusal(403, message).with("x-github-sso", format!("required; url={url}")))
}

/// Refuses a token that may not make repositories.
pub(super) fn may_create_repository(world: &World, private: bool) -> Reply<()> {
    match &world.scopes {
        TokenScopes::Classic(scopes) if scopes.contains("repo") => Ok(()),
        TokenScopes::Classic(scopes) if scopes.contains("public_repo") && !private => Ok(()),
        TokenScopes::Classic(_) => Err(not_found()),
        TokenScopes::FineGrained(permissions) if holds(permissions, "administration", true) => Ok(()),
        TokenScopes::FineGrained(_) | TokenScopes::Installation(_) => Err(lacking(world, "administration=write")),
    }
}

/// Refuses a token that may not touch workflows: GitHub hides the reason from classic tokens behind a 404.
pub(super) fn may_touch_workflows(world: &World) -> Reply<()> {
    match &world.scopes {
        TokenScopes::Classic(scopes) if scopes.contains("workflow") => Ok(()),
        TokenScopes::Classic(_) => Err(not_found()),
        TokenScopes::FineGrained(permissions) | TokenScopes::Installation(permissions) => {
            if holds(permissions, "workflows", true) {
                Ok(())
            } else {
                Err(lacking(world, "contents=write,workflows=write"))
            }
        }
    }
}

/// Whether a classic token has a scope; others are asked for a permission of the account instead.
pub(super) fn has_scope(world: &World, scopes: &[&str]) -> bool {
    match &world.scopes {
        TokenScopes::Classic(held) => scopes.iter().any(|scope| held.contains(*scope)),
        TokenScopes::FineGrained(_) | TokenScopes::Installation(_) => false,
    }
}

pub(super) fn is_installation(world: &World) -> bool {
    matches!(world.scopes, TokenScopes::Installation(_))
}

fn lacking(world: &World, permissions: &str) -> Answer {
    let bearer = if is_installation(world) { "integration" } else { "personal access token" };
    refusal(403, &format!("Resource not accessible by {bearer}")).with("x-accepted-github-permissions", permissions)
}

/// `permissions` are written `pull requests: write`; write includes read.
fn holds(permissions: &BTreeSet<String>, wanted: &str, write: bool) -> bool {
    permissions.iter().filter_map(|held| held.split_once(':')).any(|(name, level)| {
        name.trim().replace(' ', "_") == wanted && (level.trim() == "write" || (!write && level.trim() == "read"))
    })
}

/// Adds what every answer of GitHub carries.
pub(super) fn sign(world: &mut World, need: Option<Need>, mut answer: Answer) -> Answer {
    let number = world.id();
    let (remaining, hour) = match world.limit {
        Limit::Remaining(left) => (left, world.now().as_second() / 3600 + 1),
        Limit::Secondary(_) => (HOURLY_LIMIT.saturating_sub(world.used), world.now().as_second() / 3600 + 1),
    };
    let mut add = |name: &str, value: String| answer.headers.push((name.to_owned(), value));
    add("x-github-request-id", format!("{:04X}:{number:06X}:57A0D1", 0xC0DE));
    add("x-github-media-type", "github.v3; format=json".into());
    add("x-github-api-version-selected", API_VERSION.into());
    add("x-ratelimit-limit", HOURLY_LIMIT.to_string());
    add("x-ratelimit-remaining", remaining.to_string());
    add("x-ratelimit-used", world.used.to_string());
    add("x-ratelimit-reset", (hour * 3600).to_string());
    add("x-ratelimit-resource", "core".into());
    match &world.scopes {
        TokenScopes::Classic(scopes) if answer.status != 401 => {
            let held: Vec<&str> = scopes.iter().map(String::as_str).collect();
            answer.headers.push(("x-oauth-scopes".into(), held.join(", ")));
            let accepted = if need.is_some() { "repo" } else { "" };
            answer.headers.push(("x-accepted-oauth-scopes".into(), accepted.into()));
        }
        TokenScopes::FineGrained(_) | TokenScopes::Installation(_) => {
            let named = answer.headers.iter().any(|(name, _)| name == "x-accepted-github-permissions");
            if let Some(need) = need.filter(|_| !named) {
                answer.headers.push(("x-accepted-github-permissions".into(), need.header()));
            }
        }
        TokenScopes::Classic(_) => {}
    }
    answer
}
