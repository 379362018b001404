//! What one run wants, fully decided.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Config;
use super::git::BlobId;
use super::identity::{ReadingRef, SubjectContext};
use super::names::ImageName;
use super::pins::Pins;

/// Stands in the body of every release that sbi makes, invisible when rendered.
pub const RELEASE_MARKER: &str = "<!-- sbi -->";

/// Everything that planning compares with what was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub config: Config,
    /// The rendered files, `sbi.toml` included, `sbi.lock` not: planning writes that one.
    pub files: Vec<RenderedFile>,
    /// The digests that the rendered files name, for `sbi.lock`.
    pub images: Pins,
    /// The version of the templates, for `sbi.lock`.
    pub templates: String,
    /// Where the rendered workflow's publish job gets its OIDC subject from.
    pub subject: SubjectContext,
    /// The refs on which rendered jobs assume the reading role; with none there is no such role.
    pub reading: BTreeSet<ReadingRef>,
    /// Text of each image's release.
    pub release_notes: BTreeMap<ImageName, String>,
    /// Paths that the person agreed to have overwritten although they are foreign or edited.
    pub overwrite: BTreeSet<String>,
    /// Propose to replace and remove what the publisher made by hand.
    pub adopt: bool,
    /// Bring the files in by a pull request although the rules would allow a push.
    pub by_pull_request: bool,
}

/// One file of the publisher's repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedFile {
    /// Relative to the repository's root, with `/`.
    pub path: String,
    pub text: String,
}

impl RenderedFile {
    #[must_use]
    pub fn blob_id(&self) -> BlobId {
        BlobId::of(self.text.as_bytes())
    }
}
