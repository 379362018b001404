//! Users and organizations.

use serde_json::{Value, json};

use super::access;
use super::reply::{Reply, not_found, ok, refusal};
use super::routes::Call;
use super::world::{Account, Limit, World};

pub(super) fn viewer(world: &mut World, call: &Call<'_>) -> Reply {
    if access::is_installation(world) {
        return Err(refusal(403, "Resource not accessible by integration"));
    }
    let viewer = world.viewer()?;
    let mut user = public(viewer, call.base);
    // The private half, the plan included, takes the scope `user` (REST reference, "Get the authenticated user").
    if access::has_scope(world, &["user", "read:user"]) {
        let private = json!({
            "private_gists": 0, "total_private_repos": 0, "owned_private_repos": 0, "disk_usage": 0,
            "collaborators": 0, "two_factor_authentication": true,
            "plan": {"name": viewer.plan, "space": 976_562_499, "collaborators": 0, "private_repos": 9999},
        });
        merge(&mut user, private);
    }
    ok(&user)
}

pub(super) fn user(world: &mut World, call: &Call<'_>) -> Reply {
    let account = world.account(call.parameter(0)).ok_or_else(not_found)?;
    ok(&public(account, call.base))
}

pub(super) fn organization(world: &mut World, call: &Call<'_>) -> Reply {
    let account = world.account(call.parameter(0)).filter(|account| account.organization).ok_or_else(not_found)?;
    access::sign_on(world, account.id)?;
    let (base, login) = (call.base, &account.login);
    let mut body = json!({
        "login": login, "id": account.id, "node_id": format!("O_{}", account.id),
        "url": format!("{base}/orgs/{login}"),
        "repos_url": format!("{base}/orgs/{login}/repos"),
        "events_url": format!("{base}/orgs/{login}/events"),
        "hooks_url": format!("{base}/orgs/{login}/hooks"),
        "issues_url": format!("{base}/orgs/{login}/issues"),
        "members_url": format!("{base}/orgs/{login}/members{{/member}}"),
        "public_members_url": format!("{base}/orgs/{login}/public_members{{/member}}"),
        "avatar_url": format!("{base}/u/{}", account.id),
        "description": null, "has_organization_projects": true, "has_repository_projects": true,
        "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
        "html_url": format!("{base}/{login}"), "type": "Organization",
        "created_at": JOINED, "updated_at": JOINED, "archived_at": null,
    });
    // Owners see the plan with the scope `admin:org` (REST reference, "Get an organization").
    if account.administered && access::has_scope(world, &["admin:org"]) {
        merge(&mut body, json!({"plan": {"name": account.plan, "space": 976_562_499, "private_repos": 9999}}));
    }
    ok(&body)
}

pub(super) fn rate_limit(world: &mut World, _: &Call<'_>) -> Reply {
    let remaining = match world.limit {
        Limit::Remaining(left) => left,
        Limit::Secondary(_) => 5000,
    };
    let reset = (world.now().as_second() / 3600 + 1) * 3600;
    let core = json!({"limit": 5000, "remaining": remaining, "reset": reset, "used": world.used});
    let search = json!({"limit": 30, "remaining": 30, "reset": reset, "used": 0});
    ok(&json!({"resources": {"core": core, "search": search}, "rate": core}))
}

const JOINED: &str = "2020-01-01T00:00:00Z";

/// The form in which other objects carry an account.
pub(super) fn simple(account: &Account, base: &str) -> Value {
    let login = &account.login;
    let url = format!("{base}/users/{login}");
    json!({
        "login": login, "id": account.id, "node_id": format!("U_{}", account.id),
        "avatar_url": format!("{base}/u/{}", account.id), "gravatar_id": "",
        "url": url, "html_url": format!("{base}/{login}"),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": if account.organization { "Organization" } else { "User" }, "site_admin": false,
    })
}

fn public(account: &Account, base: &str) -> Value {
    let mut user = simple(account, base);
    merge(
        &mut user,
        json!({
            "name": null, "company": null, "blog": null, "location": null, "email": null, "hireable": null,
            "bio": null, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
            "created_at": JOINED, "updated_at": JOINED,
        }),
    );
    user
}

/// Adds the members of one object to another.
pub(super) fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
