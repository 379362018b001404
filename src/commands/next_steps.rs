//! What exists now and where, and what the go-to-market plan still asks of a person.

use crate::model::config::{Auth, Config, Outlet};
use crate::model::go_to_market::PersonsPart;
use crate::model::observed::GithubRepository;

/// A thing and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub label: String,
    pub url: String,
}

/// Where a person looks at what exists; `found` tells what was released.
#[must_use]
pub(super) fn links(config: &Config, github_url: &str, found: Option<&GithubRepository>) -> Vec<Link> {
    let (region, account) = (&config.aws.region, &config.aws.account);
    let console = match region.partition() {
        crate::model::region::Partition::Aws => "console.aws.amazon.com",
        crate::model::region::Partition::AwsCn => "console.amazonaws.cn",
        crate::model::region::Partition::AwsUsGov => "console.amazonaws-us-gov.com",
    };
    let identity = match config.publish.auth {
        Auth::Oidc => format!("roles/details/{}", config.role()),
        Auth::AccessKey => format!("users/details/{}", config.user()),
    };
    let link = |label: String, url: String| Link { label, url };
    let outlets = config.outlets();
    // One image needs no name beside its label.
    let label = |what: &str, outlet: &Outlet| match outlets.len() {
        1 => what.to_owned(),
        _ => format!("{what} {}", outlet.image),
    };
    let releases = found.map(|found| found.releases.as_slice()).unwrap_or_default();
    let is_released = |outlet: &&Outlet| releases.iter().any(|release| release.tag == outlet.tag && !release.draft);
    let mut links = Vec::new();
    for outlet in &outlets {
        let repository = &outlet.ecr_repository;
        if is_released(&outlet) {
            let image = format!("{}/{repository}:{}", config.ecr_registry(), outlet.tag.version());
            links.push(link(label("image", outlet), image));
        }
        let page =
            format!("https://{region}.{console}/ecr/repositories/private/{account}/{repository}?region={region}");
        links.push(link(label("ECR repository", outlet), page));
    }
    links.push(link("publishing identity".into(), format!("https://{console}/iam/home#/{identity}")));
    links.push(link("GitHub repository".into(), github_url.to_owned()));
    let release = |outlet| link(label("release", outlet), format!("{github_url}/releases/tag/{}", outlet.tag));
    links.extend(outlets.iter().filter(is_released).map(release));
    links.push(link("workflow runs".into(), format!("{github_url}/actions/workflows/publish-to-ecr.yml")));
    links.push(link("scan results".into(), format!("{github_url}/security/code-scanning")));
    links
}

/// What the weekly update waits for: nobody but a person can make a token.
#[must_use]
pub(super) fn token_of_the_update(config: &Config) -> Option<String> {
    let name = config.update_environment()?;
    let repository = &config.github.repository;
    Some(format!(
        "give the weekly update a token that may write contents, workflows and pull requests of {repository}, unless it \
         has one: `gh secret set SBI_UPDATE_TOKEN --env {name} --repo {repository}`"
    ))
}

/// What only a person can do, in the go-to-market plan's order.
#[must_use]
pub(super) fn for_a_person(config: &Config) -> Vec<String> {
    let step = |part: PersonsPart| {
        let optional = if part.is_optional() { "optional: " } else { "" };
        let place = match part {
            PersonsPart::Seller | PersonsPart::VerifiedPublisher => format!(": {}", part.place("")),
            // Found from the links above, or from the first of these pages.
            PersonsPart::Reviewer | PersonsPart::CodeScanning | PersonsPart::Listing | PersonsPart::CommunityImage => {
                String::new()
            }
        };
        format!("{optional}{}{place}", part.what())
    };
    PersonsPart::all(config).into_iter().map(step).collect()
}
