//! What exists now and where, and what the go-to-market plan still asks of a person.

use crate::model::config::{Auth, Config, Visibility};

/// A thing and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub label: &'static str,
    pub url: String,
}

/// Where a person looks at what exists.
#[must_use]
pub(super) fn links(config: &Config, github_url: &str) -> Vec<Link> {
    let region = &config.aws.region;
    let (account, repository) = (&config.aws.account, &config.ecr.repository);
    let console = match region.partition() {
        crate::model::region::Partition::Aws => "console.aws.amazon.com",
        crate::model::region::Partition::AwsCn => "console.amazonaws.cn",
        crate::model::region::Partition::AwsUsGov => "console.amazonaws-us-gov.com",
    };
    let identity = match config.publish.auth {
        Auth::Oidc => format!("roles/details/{}", config.role()),
        Auth::AccessKey => format!("users/details/{}", config.user()),
    };
    let link = |label, url| Link { label, url };
    vec![
        link("image", image(config)),
        link(
            "ECR repository",
            format!("https://{region}.{console}/ecr/repositories/private/{account}/{repository}?region={region}"),
        ),
        link("publishing identity", format!("https://{console}/iam/home#/{identity}")),
        link("GitHub repository", github_url.to_owned()),
        link("release", format!("{github_url}/releases/tag/{}", config.publish.release)),
        link("workflow runs", format!("{github_url}/actions/workflows/publish-to-ecr.yml")),
        link("scan results", format!("{github_url}/security/code-scanning")),
    ]
}

/// The image as it is pulled.
#[must_use]
fn image(config: &Config) -> String {
    format!("{}/{}:{}", config.ecr_registry(), config.ecr.repository, config.publish.release)
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
