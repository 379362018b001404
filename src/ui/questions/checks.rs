//! What is wrong with an answer that no name refuses, and texts as the values they stand for.

use crate::failure::Failure;
use crate::model::config::{Architecture, Auth, Signing, Visibility};
use crate::model::names::GithubRepositoryName;

pub(super) fn parse_visibility(text: &str) -> Result<Visibility, Failure> {
    [Visibility::Private, Visibility::Public]
        .into_iter()
        .find(|visibility| visibility.as_str() == text)
        .ok_or_else(|| Failure::usage(format!("`{text}` is neither `private` nor `public`")))
}

pub(super) fn parse_auth(text: &str) -> Result<Auth, Failure> {
    [Auth::Oidc, Auth::AccessKey]
        .into_iter()
        .find(|auth| auth.as_str() == text)
        .ok_or_else(|| Failure::usage(format!("`{text}` is neither `oidc` nor `access-key`")))
}

/// Names joined by commas; a comma too many is a name that nothing is called.
pub(super) fn listed_names(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

pub(super) fn parse_signing(text: &str) -> Result<Signing, Failure> {
    Signing::ALL
        .into_iter()
        .find(|signing| signing.as_str() == text)
        .ok_or_else(|| Failure::usage(format!("`{text}` is neither `keyless` nor `none`")))
}

/// A number of days, one to ten years.
pub(super) fn parse_days(text: &str) -> Result<u16, Failure> {
    let days = text.parse().ok().filter(|days| (1..=3650).contains(days));
    days.ok_or_else(|| Failure::usage(format!("`{text}` is no number of days from 1 to 3650")))
}

pub(super) fn parse_architectures(text: &str) -> Result<Vec<Architecture>, Failure> {
    let mut architectures = Vec::new();
    for name in listed_names(text) {
        let architecture = Architecture::ALL
            .into_iter()
            .find(|architecture| architecture.as_str() == name)
            .ok_or_else(|| Failure::usage(format!("`{name}` is neither `amd64` nor `arm64`")))?;
        if architectures.contains(&architecture) {
            return Err(Failure::usage(format!("`{name}` is named twice")));
        }
        architectures.push(architecture);
    }
    Ok(architectures)
}

/// One line of at most 100 characters: it goes into labels and headings.
pub(super) fn check_publisher(text: &str) -> Result<(), Failure> {
    if text.chars().count() > 100 {
        return Err(Failure::usage("a publisher's name has at most 100 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(Failure::usage("a publisher's name is one line without control characters"));
    }
    Ok(())
}

pub(super) fn check_security_contact(text: &str) -> Result<(), Failure> {
    let refuse = |reason: &str| Failure::usage(format!("`{}` is no security contact: {reason}", text.escape_debug()));
    if text.len() > 254 || text.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"`".contains(c)) {
        return Err(refuse("it has at most 254 characters, without white space, quotes and angle brackets"));
    }
    if text.contains("://") {
        return match url::Url::parse(text) {
            Ok(url) if url.scheme() == "https" && url.username().is_empty() && url.password().is_none() => Ok(()),
            _ => Err(refuse("an address on the web starts with https:// and names no user")),
        };
    }
    let shape = || Err(refuse("it is an e-mail address like security@acme.example, or an https URL"));
    let Some((mailbox, domain)) = text.rsplit_once('@') else { return shape() };
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    let letters = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    let sound = !mailbox.is_empty()
        && !mailbox.contains('@')
        && domain.contains('.')
        && domain.chars().all(letters)
        && domain.split('.').all(label);
    if sound { Ok(()) } else { shape() }
}

/// `owner/name` as ECR takes it: lower case, and between two words only what ECR allows there.
pub(super) fn ecr_name(github: &GithubRepositoryName) -> String {
    let part = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let trimmed = lower.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let mut made = String::new();
        let mut separators = String::new();
        for c in trimmed.chars() {
            if c.is_ascii_alphanumeric() {
                made.push_str(if separators.len() > 1 { "-" } else { &separators });
                separators.clear();
                made.push(c);
            } else {
                separators.push(c);
            }
        }
        made
    };
    format!("{}/{}", part(github.owner()), part(github.name()))
}
