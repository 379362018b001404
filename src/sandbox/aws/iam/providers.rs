//! OIDC providers: one per URL, shared by the account.

use std::collections::BTreeSet;

use crate::sandbox::aws::authority::{Caller, Extra, authorise};
use crate::sandbox::aws::query::{Node, Params};
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::state::{Provider, World};

/// IAM user guide, "IAM and AWS STS quotas".
const AUDIENCES_PER_PROVIDER: usize = 100;

pub(super) fn create(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["Url", "ClientIDList", "ThumbprintList", "Tags"])?;
    let given = params.need("Url")?;
    let url = read_url(given)?;
    let audiences: BTreeSet<String> = params.list("ClientIDList").into_iter().map(str::to_owned).collect();
    if audiences.len() > AUDIENCES_PER_PROVIDER {
        return Err(too_many_audiences());
    }
    audiences.iter().try_for_each(|audience| check_audience(audience))?;
    let thumbprints: Vec<String> = params.list("ThumbprintList").into_iter().map(str::to_owned).collect();
    if thumbprints.len() > 5 || thumbprints.iter().any(|text| text.len() != 40) {
        return Err(Refusal::validation("a thumbprint has 40 characters, and there are at most 5"));
    }
    let tags = params.tags()?;
    let arn = world.iam_arn(&format!("oidc-provider/{url}"));
    authorise(world, caller, "iam:CreateOpenIDConnectProvider", &arn, tags.requested())?;
    if !tags.0.is_empty() {
        authorise(world, caller, "iam:TagOpenIDConnectProvider", &arn, tags.requested())?;
    }
    if world.providers.contains_key(&url) {
        return Err(Refusal::new(409, "EntityAlreadyExists", format!("Provider with url {given} already exists.")));
    }
    let provider = Provider { arn: arn.clone(), created: (world.clock)(), audiences, thumbprints, tags: tags.0 };
    world.providers.insert(url, provider);
    Ok(vec![Node::text("OpenIDConnectProviderArn", arn)])
}

pub(super) fn get(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["OpenIDConnectProviderArn"])?;
    let arn = params.need("OpenIDConnectProviderArn")?;
    authorise(world, caller, "iam:GetOpenIDConnectProvider", arn, Extra::new())?;
    let (url, provider) =
        world.providers.iter().find(|(_, provider)| provider.arn == arn).ok_or_else(|| no_such_provider(arn))?;
    let mut nodes = vec![
        // As IAM answers it: without the scheme.
        Node::text("Url", url),
        Node::texts("ClientIDList", &provider.audiences),
        Node::texts("ThumbprintList", &provider.thumbprints),
        Node::time("CreateDate", provider.created),
    ];
    if !provider.tags.is_empty() {
        nodes.push(Node::tags(&provider.tags));
    }
    Ok(nodes)
}

pub(super) fn list(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&[])?;
    authorise(world, caller, "iam:ListOpenIDConnectProviders", "*", Extra::new())?;
    let arns = world.providers.values().map(|provider| vec![Node::text("Arn", &provider.arn)]);
    Ok(vec![Node::groups("OpenIDConnectProviderList", arns)])
}

/// Adding one that is there already changes nothing and is no error.
pub(super) fn add_audience(world: &mut World, caller: &Caller, params: &Params) -> Outcome<Vec<Node>> {
    params.only(&["OpenIDConnectProviderArn", "ClientID"])?;
    let arn = params.need("OpenIDConnectProviderArn")?;
    let audience = params.need("ClientID")?;
    check_audience(audience)?;
    authorise(world, caller, "iam:AddClientIDToOpenIDConnectProvider", arn, Extra::new())?;
    let provider =
        world.providers.values_mut().find(|provider| provider.arn == arn).ok_or_else(|| no_such_provider(arn))?;
    if provider.audiences.len() >= AUDIENCES_PER_PROVIDER && !provider.audiences.contains(audience) {
        return Err(too_many_audiences());
    }
    provider.audiences.insert(audience.to_owned());
    Ok(Vec::new())
}

/// The URL without its scheme. IAM wants `https`, no query and no port, and 255 characters at most.
fn read_url(given: &str) -> Outcome<String> {
    let invalid = || Refusal::validation("Invalid Open ID Connect Provider URL");
    let url = given.strip_prefix("https://").ok_or_else(invalid)?;
    if given.len() > 255 || url.is_empty() || url.contains(['?', '#', ':', '@', ' ']) {
        return Err(invalid());
    }
    Ok(url.to_owned())
}

fn check_audience(audience: &str) -> Outcome<()> {
    if (1..=255).contains(&audience.len()) {
        return Ok(());
    }
    Err(Refusal::validation("a client id has 1 to 255 characters"))
}

fn too_many_audiences() -> Refusal {
    Refusal::new(
        409,
        "LimitExceeded",
        format!("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {AUDIENCES_PER_PROVIDER}"),
    )
}

fn no_such_provider(arn: &str) -> Refusal {
    Refusal::new(404, "NoSuchEntity", format!("OpenIDConnect Provider not found for arn {arn}"))
}
