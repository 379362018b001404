//! What exists now and where, and what the go-to-market plan still asks of a person.

use crate::model::config::{Auth, Config, Outlet, Visibility};

/// A thing and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub label: String,
    pub url: String,
}

/// Where a person looks at what exists.
#[must_use]
pub(super) fn links(config: &Config, github_url: &str) -> Vec<Link> {
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
    let mut links = Vec::new();
    for outlet in &outlets {
        let repository = &outlet.ecr_repository;
        let image = format!("{}/{repository}:{}", config.ecr_registry(), outlet.tag.version());
        links.push(link(label("image", outlet), image));
        let page =
            format!("https://{region}.{console}/ecr/repositories/private/{account}/{repository}?region={region}");
        links.push(link(label("ECR repository", outlet), page));
    }
    links.push(link("publishing identity".into(), format!("https://{console}/iam/home#/{identity}")));
    links.push(link("GitHub repository".into(), github_url.to_owned()));
    let release = |outlet| link(label("release", outlet), format!("{github_url}/releases/tag/{}", outlet.tag));
    links.extend(outlets.iter().map(release));
    links.push(link("workflow runs".into(), format!("{github_url}/actions/workflows/publish-to-ecr.yml")));
    links.push(link("scan results".into(), format!("{github_url}/security/code-scanning")));
    links
}

/// What only a person can do, in the go-to-market plan's order.
#[must_use]
pub(super) fn for_a_person(config: &Config) -> Vec<String> {
    let mut steps = Vec::new();
    if config.publish.environment.is_some() {
        steps.push(
            "optional: require a reviewer for the `publish` environment, in the repository's settings".to_owned(),
        );
    }
    if config.github.visibility == Visibility::Private {
        steps.push(
            "optional: code scanning for this private repository (GitHub Code Security), then set the variable \
             CODE_SCANNING to `on`; the SARIF report is an artifact of each run until then"
                .to_owned(),
        );
    }
    steps.extend([
        "register as an AWS Marketplace seller (tax, bank, identity): https://aws.amazon.com/marketplace/management".into(),
        "create the container listing; its images must be copied to Marketplace's own ECR, buyers never pull from yours"
            .into(),
        "apply for Docker Verified Publisher: https://docker.com/partners/verified-publisher".into(),
        "publish the free community image on Docker Hub with a link to the Marketplace listing".into(),
    ]);
    steps
}
