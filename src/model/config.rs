//! `sbi.toml`: what the publisher wants. People edit it; unknown keys are errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::names::{
    AccountId, EcrRepositoryName, EnvironmentName, GitTag, GithubRepositoryName, ImageName, ReleaseTag, RoleName,
    UserName,
};
use super::pinned_program::PinnedProgram;
use super::region::Region;
use crate::failure::Failure;

/// The file's name, in the working directory and at the root of the GitHub repository.
pub const CONFIG_FILE: &str = "sbi.toml";

/// How CI proves to AWS who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// GitHub's OIDC token for a role: nothing to steal, nothing to rotate.
    Oidc,
    /// An IAM user with one access key, kept as a repository secret.
    AccessKey,
}

impl Auth {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::AccessKey => "access-key",
        }
    }
}

/// Who sees the GitHub repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    Public,
    Private,
}

impl Visibility {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// Whether the pipeline signs what it publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signing {
    /// Sigstore, by the publish job's own OIDC token: no key to keep. Writes the repository's name into a public log.
    Keyless,
    /// No signature and no attestation.
    None,
}

impl Signing {
    pub const ALL: [Self; 2] = [Self::Keyless, Self::None];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keyless => "keyless",
            Self::None => "none",
        }
    }
}

/// A processor architecture that images are built for, by its Go name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    Amd64,
    Arm64,
}

impl Architecture {
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The hosted runner that builds for it without emulation (GitHub documentation, "GitHub-hosted runners
    /// reference"). Never `ubuntu-latest`, which moves.
    #[must_use]
    pub fn runner(self) -> &'static str {
        match self {
            Self::Amd64 => "ubuntu-24.04",
            Self::Arm64 => "ubuntu-24.04-arm",
        }
    }
}

/// The whole of `sbi.toml`, fully answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub github: GithubSection,
    pub aws: AwsSection,
    pub ecr: EcrSection,
    pub publish: PublishSection,
    pub publisher: PublisherSection,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GithubSection {
    /// `OWNER/NAME`
    pub repository: GithubRepositoryName,
    pub visibility: Visibility,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSection {
    /// Pinned: credentials of any other account are refused before anything is read.
    pub account: AccountId,
    pub region: Region,
    /// The role's name where the default does not suit; only with `auth = "oidc"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// The name of the role that only reads, where the default does not suit; only with `auth = "oidc"`.
    #[serde(default, rename = "read-role", skip_serializing_if = "Option::is_none")]
    pub read_role: Option<RoleName>,
    /// The user's name where the default does not suit; only with `auth = "access-key"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EcrSection {
    /// Where one image goes; of several, each goes to a repository of its own below this name.
    pub repository: EcrRepositoryName,
    /// Where single images go instead, such as one that was published before there were several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub repositories: BTreeMap<ImageName, EcrRepositoryName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishSection {
    pub auth: Auth,
    /// One or more products of the catalogue, each once.
    pub images: Vec<ImageName>,
    /// The first release, of every image.
    pub release: ReleaseTag,
    /// The GitHub environment that the publish job runs in; absent where the repository's plan has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// What the images are built for; absent: every architecture that the image promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architectures: Option<Vec<Architecture>>,
    /// Absent: public repositories sign, private ones do not, because the log of signatures is public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
    /// A workflow opens an issue when the access key is older; absent: none does. Only with `auth = "access-key"`.
    #[serde(default, rename = "key-max-age-days", skip_serializing_if = "Option::is_none")]
    pub key_max_age_days: Option<u16>,
    /// The `sbi` that a weekly workflow downloads and looks for updates with; absent: no such workflow.
    #[serde(default, rename = "update-program", skip_serializing_if = "Option::is_none")]
    pub update_program: Option<PinnedProgram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublisherSection {
    /// As it stands in the documents and the image labels.
    pub name: String,
    /// An e-mail address or an https URL where vulnerabilities are reported.
    #[serde(rename = "security-contact")]
    pub security_contact: String,
}

/// One image's way out: what is built, which tag releases it, and where it is pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlet {
    pub image: ImageName,
    pub ecr_repository: EcrRepositoryName,
    /// The git tag of its first release.
    pub tag: GitTag,
    /// Every git tag that releases it, as GitHub's rules and IAM's conditions match it: `v*` or `static-go/v*`.
    pub tag_pattern: String,
}

/// The environment that the nightly scan fetches images in, where it needs one.
pub const RESCAN_ENVIRONMENT: &str = "rescan";

/// The environment that holds the token of the weekly update.
pub const UPDATE_ENVIRONMENT: &str = "update";

const HEADER: &str = "# What this repository publishes and where. Read by `sbi`; edit it and run `sbi apply`.\n\n";

impl Config {
    /// # Errors
    /// Names the file, the line and the key that can't be used.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let unusable = |failure: Failure| failure.hinted("mend the file, or move it away and run `sbi init` again");
        let config: Self = toml::from_str(text)
            .map_err(|error| unusable(Failure::usage(format!("`{CONFIG_FILE}` can't be used")).caused_by(error)))?;
        match config.check() {
            Ok(()) => Ok(config),
            Err(failure) => Err(unusable(failure.during(format!("read {CONFIG_FILE}")))),
        }
    }

    /// What no single value tells: that they fit together.
    ///
    /// # Errors
    /// Names the first key whose value clashes, with the image or the name in question.
    pub fn check(&self) -> Result<(), Failure> {
        let refuse = |key: &str, reason: String| Err(Failure::usage(format!("`{key}` {reason}")));
        let images = &self.publish.images;
        if images.is_empty() {
            return refuse("publish.images", "names no image".into());
        }
        if let Some(twice) = first_double(images) {
            return refuse("publish.images", format!("names {twice} twice"));
        }
        if let Some(stranger) = self.ecr.repositories.keys().find(|image| !images.contains(image)) {
            return refuse("ecr.repositories", format!("has a place for {stranger}, which `publish.images` lacks"));
        }
        let outlets = self.outlets();
        if let Some(long) =
            outlets.iter().find(|outlet| outlet.ecr_repository.as_str().len() > EcrRepositoryName::LONGEST)
        {
            let reason = format!(
                "makes a name of {} characters for {}, ECR takes {}",
                long.ecr_repository.as_str().len(),
                long.image,
                EcrRepositoryName::LONGEST
            );
            return refuse("ecr.repository", reason);
        }
        let places: Vec<&EcrRepositoryName> = outlets.iter().map(|outlet| &outlet.ecr_repository).collect();
        if let Some(shared) = first_double(&places) {
            return refuse("ecr.repositories", format!("sends two images to {shared}: their tags would meet there"));
        }
        match self.publish.architectures.as_deref() {
            Some([]) => return refuse("publish.architectures", "names no architecture".into()),
            Some(architectures) => {
                if let Some(twice) = first_double(architectures) {
                    return refuse("publish.architectures", format!("names {} twice", twice.as_str()));
                }
            }
            None => {}
        }
        if self.publish.key_max_age_days == Some(0) {
            return refuse("publish.key-max-age-days", "is 0: every key is older".into());
        }
        if self.publish.update_program.is_some() {
            // Its token writes workflows: outside an environment every workflow of the repository could read it.
            match &self.publish.environment {
                None => {
                    let reason = "needs environments, for a token that may write workflows: without, run `sbi update`";
                    return refuse("publish.update-program", reason.into());
                }
                Some(name) if name.as_str() == UPDATE_ENVIRONMENT => {
                    let reason = format!("can't be `{UPDATE_ENVIRONMENT}`: the weekly update has its token there");
                    return refuse("publish.environment", reason);
                }
                Some(_) => {}
            }
        }
        match self.publish.auth {
            Auth::Oidc if self.publish.key_max_age_days.is_some() => {
                refuse("publish.key-max-age-days", "needs an access key: with `auth = \"oidc\"` there is none".into())
            }
            Auth::Oidc if self.role() == self.read_role() => {
                refuse("aws.read-role", format!("is the publishing role too: {} would read and push", self.role()))
            }
            Auth::AccessKey
                if self.publish.environment == self.rescan_environment() && self.publish.environment.is_some() =>
            {
                refuse("publish.environment", format!("can't be `{RESCAN_ENVIRONMENT}`: the nightly scan runs there"))
            }
            Auth::Oidc | Auth::AccessKey => Ok(()),
        }
    }

    /// The file's text, the same for the same answers.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Serialising plain strings to TOML can't fail; an empty body would be caught by every test.
        let body = toml::to_string(self).unwrap_or_default();
        format!("{HEADER}{body}")
    }

    /// `123456789012.dkr.ecr.us-east-1.amazonaws.com`
    #[must_use]
    pub fn ecr_registry(&self) -> String {
        format!("{}.dkr.ecr.{}.{}", self.aws.account, self.aws.region, self.aws.region.partition().dns_suffix())
    }

    /// Every image with its tag and its ECR repository, in the order of `publish.images`.
    #[must_use]
    pub fn outlets(&self) -> Vec<Outlet> {
        self.publish.images.iter().map(|image| self.outlet_of(image)).collect()
    }

    /// One image with its tag and its ECR repository.
    #[must_use]
    pub fn outlet_of(&self, image: &ImageName) -> Outlet {
        let prefix = (self.publish.images.len() > 1).then(|| image.clone());
        Outlet {
            image: image.clone(),
            ecr_repository: self.ecr_repository_of(image),
            tag_pattern: prefix.as_ref().map_or_else(|| "v*".into(), |prefix| format!("{prefix}/v*")),
            tag: GitTag::new(prefix, self.publish.release.clone()),
        }
    }

    /// Every image's ECR repository, in the order of `publish.images`.
    #[must_use]
    pub fn ecr_repositories(&self) -> Vec<EcrRepositoryName> {
        self.publish.images.iter().map(|image| self.ecr_repository_of(image)).collect()
    }

    /// Where one image is pushed to.
    #[must_use]
    pub fn ecr_repository_of(&self, image: &ImageName) -> EcrRepositoryName {
        match self.ecr.repositories.get(image) {
            Some(own) => own.clone(),
            None if self.publish.images.len() > 1 => self.ecr.repository.join(image),
            None => self.ecr.repository.clone(),
        }
    }

    #[must_use]
    pub fn ecr_repository_arn(&self, repository: &EcrRepositoryName) -> String {
        let partition = self.aws.region.partition().id();
        format!("arn:{partition}:ecr:{}:{}:repository/{repository}", self.aws.region, self.aws.account)
    }

    /// Whether the pipeline signs what it publishes.
    #[must_use]
    pub fn signs(&self) -> bool {
        match self.publish.signing {
            Some(signing) => signing == Signing::Keyless,
            None => self.github.visibility == Visibility::Public,
        }
    }

    /// Whether the publish job finds role, region and registry in secrets. Outside an environment it reads no secret
    /// that is none: the workflow names them.
    #[must_use]
    pub fn has_settings_as_secrets(&self) -> bool {
        self.publish.environment.is_some()
    }

    /// The environment of the nightly scan's job that holds the access key; `None` where it holds none, or where the
    /// publish job has no environment either.
    #[must_use]
    pub fn rescan_environment(&self) -> Option<EnvironmentName> {
        let needed = self.publish.auth == Auth::AccessKey && self.publish.environment.is_some();
        needed.then(|| EnvironmentName::new(RESCAN_ENVIRONMENT).unwrap_or_else(|failure| unreachable!("{failure}")))
    }

    /// The environment of the weekly update's job that proposes; `None` where there is no such workflow.
    #[must_use]
    pub fn update_environment(&self) -> Option<EnvironmentName> {
        let name = || EnvironmentName::new(UPDATE_ENVIRONMENT).unwrap_or_else(|failure| unreachable!("{failure}"));
        self.publish.update_program.as_ref().map(|_| name())
    }

    /// An IAM ARN in this account: `resource` is like `role/name`.
    #[must_use]
    pub fn iam_arn(&self, resource: &str) -> String {
        format!("arn:{}:iam::{}:{resource}", self.aws.region.partition().id(), self.aws.account)
    }

    #[must_use]
    pub fn role(&self) -> RoleName {
        self.aws.role.clone().unwrap_or_else(|| default_iam_name("publish", &self.github.repository, RoleName::new))
    }

    /// The role that the verifying and the rescanning jobs assume: it reads and nothing else.
    #[must_use]
    pub fn read_role(&self) -> RoleName {
        self.aws.read_role.clone().unwrap_or_else(|| default_iam_name("read", &self.github.repository, RoleName::new))
    }

    #[must_use]
    pub fn user(&self) -> UserName {
        self.aws.user.clone().unwrap_or_else(|| default_iam_name("publish", &self.github.repository, UserName::new))
    }
}

fn first_double<T: PartialEq>(items: &[T]) -> Option<&T> {
    items.iter().enumerate().find(|(at, item)| items[..*at].contains(item)).map(|(_, item)| item)
}

/// `sbi-PURPOSE-OWNER-NAME`, or cut to 64 characters with a hash of the whole at its end, so that two long names
/// never share one identity.
fn default_iam_name<T>(
    purpose: &str,
    repository: &GithubRepositoryName,
    new: impl Fn(String) -> Result<T, Failure>,
) -> T {
    use sha2::{Digest as _, Sha256};
    let full = format!("sbi-{purpose}-{}-{}", repository.owner(), repository.name());
    let name = if full.len() <= 64 {
        full
    } else {
        let hash: String = Sha256::digest(&full).iter().take(4).map(|b| format!("{b:02x}")).collect();
        format!("{}-{hash}", &full[..55])
    };
    // Owner and name hold only characters that IAM takes as well, and the length is bounded above.
    new(name).unwrap_or_else(|failure| unreachable!("{failure}"))
}
