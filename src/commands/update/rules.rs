//! The rules that an update is decided by: how texts are merged, how a merged one is judged, whom it wants trusted.

use std::collections::BTreeMap;

use crate::failure::Failure;
use crate::merge;
use crate::model::config::Config;
use crate::model::desired::{Desired, RenderedFile};
use crate::model::git::BlobId;
use crate::model::observed::GithubRepository;
use crate::model::pins::Pins;
use crate::plan::update::{Choice, Question, Rules, Settled, TrustNeeds};
use crate::templates;

/// Asks `then` the question that `desired` puts; `renders` are its `other_renders`, and `repository` tells whose tokens
/// the jobs get.
pub(super) fn asking<T>(
    desired: &Desired,
    renders: &BTreeMap<BlobId, String>,
    settled: &Settled,
    remembered: &[Choice],
    repository: Option<&GithubRepository>,
    then: impl FnOnce(&Question<'_>) -> T,
) -> T {
    let trust = |files: &[RenderedFile]| trust(&desired.config, files);
    then(&Question {
        desired,
        moved: templates::MOVED,
        settled,
        remembered,
        renders,
        rules: Rules { merge: &merge::merge, check: &merge::checks::check, trust: &trust, repository },
    })
}

fn trust(config: &Config, files: &[RenderedFile]) -> Result<TrustNeeds, Failure> {
    Ok((templates::subject_context(files)?, templates::reading_refs(config, files)?))
}

/// The files as they come out with these digests and with none: a base may be one of them.
pub(super) fn other_renders(desired: &Desired) -> BTreeMap<BlobId, String> {
    let without = templates::render(&desired.config, &Pins::default()).unwrap_or_default();
    desired.files.iter().chain(&without).map(|file| (file.blob_id(), file.text.clone())).collect()
}
