//! The parts of the go-to-market plan that only a person can do: decisions, signatures and applications.

use super::config::{Config, Visibility};

/// What no program can do for the publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonsPart {
    /// Who looks at a release before it is published.
    Reviewer,
    /// Findings in the Security tab of a private repository.
    CodeScanning,
    /// Tax, bank, identity.
    Seller,
    Listing,
    VerifiedPublisher,
    CommunityImage,
}

impl PersonsPart {
    /// Those that `config` leaves to a person, in the plan's order.
    #[must_use]
    pub fn all(config: &Config) -> Vec<Self> {
        let reviewer = config.publish.environment.is_some().then_some(Self::Reviewer);
        let scanning = (config.github.visibility == Visibility::Private).then_some(Self::CodeScanning);
        let always = [Self::Seller, Self::Listing, Self::VerifiedPublisher, Self::CommunityImage];
        reviewer.into_iter().chain(scanning).chain(always).collect()
    }

    /// What to do.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::Reviewer => "require a reviewer for the `publish` environment, in the repository's settings",
            Self::CodeScanning => {
                "code scanning for this private repository (GitHub Code Security), then set the variable CODE_SCANNING to \
                 `on`; the SARIF report is an artifact of each run until then"
            }
            Self::Seller => "register as an AWS Marketplace seller (tax, bank, identity)",
            Self::Listing => {
                "create the container listing; its images must be copied to Marketplace's own ECR, buyers never pull from \
                 yours"
            }
            Self::VerifiedPublisher => "apply for Docker Verified Publisher",
            Self::CommunityImage => {
                "publish the free community image on Docker Hub with a link to the Marketplace listing"
            }
        }
    }

    /// The plan works without it.
    #[must_use]
    pub fn is_optional(self) -> bool {
        matches!(self, Self::Reviewer | Self::CodeScanning)
    }

    /// Where it is done; `repository` is the GitHub repository's address.
    #[must_use]
    pub fn place(self, repository: &str) -> String {
        match self {
            Self::Reviewer => format!("{repository}/settings/environments"),
            Self::CodeScanning => format!("{repository}/settings/security_analysis"),
            Self::Seller => "https://aws.amazon.com/marketplace/management".into(),
            Self::Listing => "https://aws.amazon.com/marketplace/management/products".into(),
            Self::VerifiedPublisher => "https://docker.com/partners/verified-publisher".into(),
            Self::CommunityImage => "https://hub.docker.com/repositories".into(),
        }
    }
}
