//! Actions that workflows use, pinned to one commit, and which of two pins is the newer one.

use std::cmp::Ordering;
use std::fmt;

use super::git::CommitId;

/// Commits of actions that read the secrets of whoever ran them, and ran on as if nothing was: tj-actions in March 2025,
/// Trivy's in March 2026 (CVE-2025-30066, CVE-2026-33634). A beginning of the commit is enough.
const KNOWN_BAD: &[&str] =
    &["0e58ed8671d6b60d0890c21b07f8835ace038e67", "8afa9b9f9183b4e00c46e2b82d34047e3c177bd0", "ddb9da4475c1"];

/// `owner/repository/path@COMMIT # vX.Y.Z`: what stands behind `uses:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionPin {
    /// `owner/repository`, as written.
    pub repository: String,
    /// `/upload-sarif`; empty for the action at the repository's root.
    pub path: String,
    pub commit: CommitId,
    /// What the comment behind says, when it is a version.
    pub version: Option<ActionVersion>,
}

/// `v7.0.1`, `v4`, `4.36.2`: numbers that are compared as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionVersion {
    text: String,
    numbers: Vec<u64>,
}

impl ActionPin {
    /// Reads the rest of a line behind `uses:`; `None` unless it names a full commit.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (action, comment) = match text.split_once(" #") {
            Some((action, comment)) => (action, comment.trim()),
            None => (text, ""),
        };
        let action = action.trim().trim_matches(['"', '\'']);
        let (name, commit) = action.split_once('@')?;
        if commit.len() != 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut parts = name.splitn(3, '/');
        let (owner, repository) = (parts.next()?, parts.next()?);
        if owner.is_empty() || owner.starts_with('.') || repository.is_empty() {
            return None;
        }
        Some(Self {
            repository: format!("{owner}/{repository}"),
            path: parts.next().map(|path| format!("/{path}")).unwrap_or_default(),
            commit: CommitId::told(commit.to_ascii_lowercase()),
            version: comment.split_whitespace().next().and_then(ActionVersion::read),
        })
    }

    /// The same action: whatever commit it is pinned to. GitHub's names know no case.
    #[must_use]
    pub fn is_same_action(&self, other: &Self) -> bool {
        self.repository.eq_ignore_ascii_case(&other.repository) && self.path == other.path
    }

    /// Whether it is known to have been malicious.
    #[must_use]
    pub fn is_known_bad(&self) -> bool {
        is_known_bad(&self.commit)
    }

    /// Whether this pin is to be preferred to another one of the same action: a newer version, or a good one to a bad
    /// one. `None` when neither version says so.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> Option<bool> {
        if self.commit == other.commit {
            return Some(false);
        }
        match (self.is_known_bad(), other.is_known_bad()) {
            (true, _) => return Some(false),
            (false, true) => return Some(true),
            (false, false) => {}
        }
        match self.version.as_ref()?.compare(other.version.as_ref()?) {
            Ordering::Greater => Some(true),
            Ordering::Less => Some(false),
            Ordering::Equal => None,
        }
    }
}

impl fmt::Display for ActionPin {
    /// As it stands behind `uses:`; the comment is the last thing of the line, so that Dependabot renews both together.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}@{}", self.repository, self.path, self.commit)?;
        match &self.version {
            Some(version) => write!(f, " # {version}"),
            None => Ok(()),
        }
    }
}

/// Whether a commit of an action is known to have been malicious.
#[must_use]
pub fn is_known_bad(commit: &CommitId) -> bool {
    let commit = commit.as_str().to_ascii_lowercase();
    KNOWN_BAD.iter().any(|bad| commit.starts_with(bad))
}

impl ActionVersion {
    /// `None` when it is no release's version: a branch, a prerelease.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('v').unwrap_or(text);
        let numbers: Option<Vec<u64>> = digits
            .split('.')
            .map(|part| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten())
            .collect();
        numbers.filter(|numbers| numbers.len() <= 4).map(|numbers| Self { text: text.to_owned(), numbers })
    }

    /// All of `vX.Y.Z`, and no moving `vX`.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.numbers.len() >= 3
    }

    /// Major, minor, …, as far as the text has them.
    #[must_use]
    pub fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// By number; what one of them leaves out is not compared, since `v4` may stand for any `v4.y.z`.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        let pairs = self.numbers.iter().zip(&other.numbers);
        pairs.map(|(one, other)| one.cmp(other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl fmt::Display for ActionVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> ActionPin {
        ActionPin::read(text).unwrap()
    }

    fn at(digit: &str, version: &str) -> ActionPin {
        pin(&format!("actions/checkout@{} # {version}", digit.repeat(40)))
    }

    #[test]
    fn a_pin_is_written_as_it_was_read() {
        let text = format!("github/codeql-action/upload-sarif@{} # v4.36.2", "0a".repeat(20));
        let read = pin(&format!(" {text}"));
        assert_eq!((read.repository.as_str(), read.path.as_str()), ("github/codeql-action", "/upload-sarif"));
        assert_eq!(read.to_string(), text);
        assert_eq!(pin(&format!("\"a/b@{}\"", "0A".repeat(20))).to_string(), format!("a/b@{}", "0a".repeat(20)));
    }

    #[test]
    fn what_names_no_full_commit_is_no_pin() {
        let commit = "0a".repeat(20);
        for text in ["actions/checkout@v4", "./local", "docker://alpine:3", "actions/checkout", "a@0a0a"] {
            assert_eq!(ActionPin::read(text), None, "{text}");
        }
        assert_eq!(ActionPin::read(&format!("./x/y@{commit}")), None);
        assert_eq!(ActionPin::read(&format!("checkout@{commit}")), None);
    }

    #[test]
    fn the_newer_of_two_pins_is_told_by_number() {
        assert_eq!(at("a", "v10.0.0").is_newer_than(&at("b", "v9.1.0")), Some(true));
        assert_eq!(at("a", "v9.1.0").is_newer_than(&at("b", "v10.0.0")), Some(false));
        assert_eq!(at("a", "v4").is_newer_than(&at("b", "v4.2.0")), None, "v4 may be any of them");
        assert_eq!(at("a", "v4.2.0").is_newer_than(&at("b", "main")), None);
        assert_eq!(at("a", "v4.2.0").is_newer_than(&at("a", "v4.1.0")), Some(false), "the same commit");
        assert!(!at("a", "v4").version.unwrap().is_full());
        for text in ["v4.0.0-beta", "v4-node20", "latest", "v", "", "v1.2.3.4.5", "v+1"] {
            assert_eq!(ActionVersion::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_known_bad_pin_is_never_the_newer_one() {
        let bad = pin(&format!("aquasecurity/trivy-action@ddb9da4475c1{} # v9.9.9", "0".repeat(28)));
        let good = pin(&format!("aquasecurity/trivy-action@{} # v0.1.0", "1".repeat(40)));
        assert_eq!(bad.is_newer_than(&good), Some(false));
        assert_eq!(good.is_newer_than(&bad), Some(true));
    }
}
