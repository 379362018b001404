//! `sbi.lock`: what was rendered, so that a later run tells an untouched file from an edited one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::git::BlobId;
use super::names::GithubRepositoryName;
use super::pins::Pins;
use crate::failure::Failure;

/// The file's name at the root of the GitHub repository.
pub const LOCK_FILE: &str = "sbi.lock";

/// The whole of `sbi.lock`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The version of `sbi` whose templates were rendered.
    pub templates: String,
    /// The GitHub repository as it was called then: after a rename it leads to what was made under the old name.
    /// Versions before 0.2 did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<GithubRepositoryName>,
    /// Path → git blob id of the text as it was rendered.
    #[serde(default)]
    pub files: BTreeMap<String, BlobId>,
    /// Secret name → SHA-256 of the value that was uploaded, for values that are no secret in themselves (region,
    /// registry, role): a secret can't be read back, so this is how a changed value is noticed.
    #[serde(default)]
    pub uploaded: BTreeMap<String, String>,
    /// The digests that image references were pinned to when they were first rendered.
    #[serde(default)]
    pub images: Pins,
    /// Path → git blob id of a render that could not be merged with what a person made of the file, and that a pull
    /// request has told about: it is no reason for another one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, BlobId>,
    /// Path → the text as it was rendered, where no commit holds it: a merge into a working tree leaves it here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, String>,
}

impl Lock {
    /// # Errors
    /// When the text is not a lock file.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| Failure::usage(format!("`{LOCK_FILE}` can't be read")).caused_by(error))
    }

    /// Drops the texts of bases that are none any more.
    pub fn retain_texts(&mut self) {
        let files = &self.files;
        self.texts.retain(|path, text| files.get(path) == Some(&BlobId::of(text.as_bytes())));
    }

    #[must_use]
    pub fn to_text(&self) -> String {
        let body = toml::to_string(self).unwrap_or_default();
        format!("# Written by `sbi`: what it rendered, and from which templates. Not for editing.\n\n{body}")
    }
}
