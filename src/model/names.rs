//! Names that AWS and GitHub accept, valid by construction: whoever holds one need not check it again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Defines a string newtype whose only way in is a checking function that returns the reason of a refusal.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// # Errors
            /// Says which rule of the service the text breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, Failure> {
                let text = text.into();
                match $check(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(reason) => Err(Failure::usage(format!("`{text}` is not {}: {reason}", $what))),
                }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = Failure;
            fn from_str(text: &str) -> Result<Self, Failure> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = Failure;
            fn try_from(text: String) -> Result<Self, Failure> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name!(
    /// An AWS account id: twelve digits.
    AccountId, "an AWS account id", check_account_id
);
name!(
    /// A private ECR repository name, 2–256 characters: lower-case words joined by single `.`, `_` or `-`, in parts
    /// between slashes (Amazon ECR API reference, `CreateRepository`).
    EcrRepositoryName, "an ECR repository name", check_ecr_repository_name
);
name!(
    /// An IAM role name, 1–64 of letters, digits and `_+=,.@-` (IAM API reference, `CreateRole`).
    RoleName, "an IAM role name", check_role_name
);
name!(
    /// An IAM user name, 1–64 of letters, digits and `_+=,.@-` (IAM API reference, `CreateUser`).
    UserName, "an IAM user name", check_iam_name
);
name!(
    /// A release tag that the pipeline accepts: `vMAJOR.MINOR.PATCH` with an optional pre-release part.
    ReleaseTag, "a release tag", check_release_tag
);
name!(
    /// A product of the catalogue: a folder below `images/`, lower-case words joined by `-`.
    ImageName, "an image name", check_image_name
);
name!(
    /// An environment of a GitHub repository.
    EnvironmentName, "an environment name", check_environment_name
);

name!(
    /// The digest of a manifest: `sha256:` and 64 lower-case hex digits (OCI image specification, "Digests").
    Digest, "a digest", check_digest
);

fn check_digest(text: &str) -> Result<(), String> {
    let hex = |c: &u8| c.is_ascii_digit() || matches!(c, b'a'..=b'f');
    match text.strip_prefix("sha256:") {
        Some(digits) if digits.len() == 64 && digits.as_bytes().iter().all(hex) => Ok(()),
        _ => Err("it is `sha256:` and 64 lower-case hex digits".into()),
    }
}

impl EcrRepositoryName {
    /// The most characters that ECR takes.
    pub const LONGEST: usize = 256;

    /// The repository of one of several images, `acme/bases/static-go`.
    #[must_use]
    pub fn join(&self, image: &ImageName) -> Self {
        // An image's name is a valid part of a repository's; `Config` refuses the few that are too long together.
        Self(format!("{}/{image}", self.0))
    }
}

fn check_account_id(text: &str) -> Result<(), String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(())
    } else {
        Err("it has twelve digits, without hyphens".into())
    }
}

fn check_ecr_repository_name(text: &str) -> Result<(), String> {
    if !(2..=EcrRepositoryName::LONGEST).contains(&text.len()) {
        return Err("it has 2 to 256 characters".into());
    }
    if let Some(c) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/')) {
        return Err(format!("`{c}` is not allowed, only lower-case letters, digits and `. _ - /`"));
    }
    for part in text.split('/') {
        let edge = |c: Option<char>| c.is_none_or(|c| matches!(c, '.' | '_' | '-'));
        if edge(part.chars().next()) || edge(part.chars().last()) {
            return Err("each part between slashes starts and ends with a letter or a digit".into());
        }
        if let Some(run) = part.split(|c: char| c.is_ascii_alphanumeric()).find(|run| run.len() > 1) {
            return Err(format!("`{run}` can't join two words, only a single `.`, `_` or `-`"));
        }
    }
    Ok(())
}

fn check_iam_name(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 64 {
        return Err("it has 1 to 64 characters".into());
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c))) {
        Some(c) => Err(format!("`{c}` is not allowed, only letters, digits and `_ + = , . @ -`")),
        None => Ok(()),
    }
}

fn check_role_name(text: &str) -> Result<(), String> {
    if text == "GitHubActions" {
        return Err("AWS refuses GitHub's tokens for a role of exactly this name".into());
    }
    check_iam_name(text)
}

fn check_release_tag(text: &str) -> Result<(), String> {
    let wrong = || Err("it looks like v1.0.0 or v1.0.0-rc.1".into());
    let Some(version) = text.strip_prefix('v') else { return wrong() };
    let (numbers, pre_release) = match version.split_once('-') {
        Some((numbers, pre_release)) => (numbers, Some(pre_release)),
        None => (version, None),
    };
    let parts: Vec<&str> = numbers.split('.').collect();
    let number = |p: &&str| {
        p.bytes().all(|b| b.is_ascii_digit()) && (1..=9).contains(&p.len()) && (*p == "0" || !p.starts_with('0'))
    };
    if parts.len() != 3 || !parts.iter().all(number) || text.len() > 64 {
        return wrong();
    }
    let identifier = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    match pre_release {
        Some(pre_release) if !pre_release.split('.').all(identifier) => wrong(),
        _ => Ok(()),
    }
}

fn check_image_name(text: &str) -> Result<(), String> {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if text.len() <= 64 && text.split('-').all(word) {
        Ok(())
    } else {
        Err("lower-case letters and digits, in words joined by single hyphens".into())
    }
}

fn check_environment_name(text: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !text.is_empty() && text.len() <= 255 && text.bytes().all(allowed) {
        Ok(())
    } else {
        Err("1 to 255 letters, digits and `- _ .`".into())
    }
}

impl ReleaseTag {
    /// The tag with its patch number raised by one and any pre-release part dropped.
    #[must_use]
    pub fn next_patch(&self) -> Self {
        let (major, minor, patch, _) = self.parts();
        Self(format!("v{major}.{minor}.{}", patch + 1))
    }

    /// `v0.0.0-WHAT`, which semantic versioning puts before every release.
    pub(crate) fn preceding(what: &'static str) -> Self {
        Self(format!("v0.0.0-{what}"))
    }

    /// Major, minor, patch, and whether it is a pre-release.
    #[must_use]
    pub fn parts(&self) -> (u64, u64, u64, bool) {
        let version = self.0.trim_start_matches('v');
        let numbers = version.split('-').next().unwrap_or(version);
        let mut parts = numbers.split('.').map(|p| p.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        (next(), next(), next(), version.contains('-'))
    }
}

/// The git tag of one image's release: `v1.0.0` where the repository publishes one image, `static-go/v1.0.0` where it
/// publishes several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GitTag {
    image: Option<ImageName>,
    version: ReleaseTag,
}

impl GitTag {
    #[must_use]
    pub fn new(image: Option<ImageName>, version: ReleaseTag) -> Self {
        Self { image, version }
    }

    /// The image that the tag names, where the repository publishes several.
    #[must_use]
    pub fn image(&self) -> Option<&ImageName> {
        self.image.as_ref()
    }

    /// The tag that the registry shows.
    #[must_use]
    pub fn version(&self) -> &ReleaseTag {
        &self.version
    }
}

impl fmt::Display for GitTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.image {
            Some(image) => write!(f, "{image}/{}", self.version),
            None => self.version.fmt(f),
        }
    }
}

impl FromStr for GitTag {
    type Err = Failure;
    fn from_str(text: &str) -> Result<Self, Failure> {
        Ok(match text.split_once('/') {
            Some((image, version)) => Self::new(Some(image.parse()?), version.parse()?),
            None => Self::new(None, text.parse()?),
        })
    }
}

impl TryFrom<String> for GitTag {
    type Error = Failure;
    fn try_from(text: String) -> Result<Self, Failure> {
        text.parse()
    }
}

impl From<GitTag> for String {
    fn from(tag: GitTag) -> String {
        tag.to_string()
    }
}

/// A GitHub repository, `OWNER/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GithubRepositoryName {
    owner: String,
    name: String,
}

impl GithubRepositoryName {
    /// # Errors
    /// Says which rule of GitHub the text breaks.
    pub fn new(text: &str) -> Result<Self, Failure> {
        let refuse = |reason: &str| Failure::usage(format!("`{text}` is not a GitHub repository: {reason}"));
        let Some((owner, name)) = text.split_once('/') else {
            return Err(refuse("it is written OWNER/NAME"));
        };
        let owner_character = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if owner.is_empty() || owner.len() > 39 || !owner.bytes().all(owner_character) {
            return Err(refuse("the owner has 1 to 39 letters, digits and hyphens"));
        }
        if owner.starts_with('-') || owner.ends_with('-') {
            return Err(refuse("the owner neither starts nor ends with a hyphen"));
        }
        let name_character = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 100 || !name.bytes().all(name_character) {
            return Err(refuse("the name has 1 to 100 letters, digits and `- _ .`"));
        }
        if matches!(name, "." | "..") || name.to_ascii_lowercase().ends_with(".git") {
            return Err(refuse("GitHub reserves this name"));
        }
        Ok(Self { owner: owner.into(), name: name.into() })
    }

    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether GitHub takes `full_name` for the same name: case does not count.
    #[must_use]
    pub fn is(&self, full_name: &str) -> bool {
        self.to_string().eq_ignore_ascii_case(full_name)
    }
}

impl fmt::Display for GithubRepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for GithubRepositoryName {
    type Err = Failure;
    fn from_str(text: &str) -> Result<Self, Failure> {
        Self::new(text)
    }
}

impl TryFrom<String> for GithubRepositoryName {
    type Error = Failure;
    fn try_from(text: String) -> Result<Self, Failure> {
        Self::new(&text)
    }
}

impl From<GithubRepositoryName> for String {
    fn from(name: GithubRepositoryName) -> String {
        name.to_string()
    }
}
