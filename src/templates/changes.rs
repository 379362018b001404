//! Why templates changed from one version to another: what a person who reviews an update asks first.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::VERSION;
use crate::model::evaluation::matches_wildcard;
use crate::model::version::is_older;

const CHANGES: &str = include_str!("../../templates/changes.toml");

/// Former → present path of what this version renders elsewhere than an earlier one did. Nothing so far.
pub const MOVED: &[(&str, &str)] = &[];

/// One change of the templates.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The version that brought it.
    pub version: String,
    /// The template sources that it is about; `*` stands for any text.
    pub sources: Vec<String>,
    /// The rendered paths that it is found in.
    pub paths: Vec<String>,
    /// One sentence.
    pub what: String,
}

/// Every change, in the order of the file.
#[must_use]
pub fn changes() -> Vec<Change> {
    #[derive(Deserialize)]
    struct Changes {
        change: Vec<Change>,
    }
    // A test parses it: a mistake does not reach a release.
    toml::from_str::<Changes>(CHANGES).map(|changes| changes.change).unwrap_or_default()
}

/// Path → what changed in it since `version` rendered it, oldest first.
#[must_use]
pub fn reasons<'a>(version: &str, paths: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Vec<String>> {
    let changes: Vec<Change> = changes()
        .into_iter()
        .filter(|change| is_older(version, &change.version) && !is_older(VERSION, &change.version))
        .collect();
    let of = |path: &str| -> Vec<String> {
        let about = |change: &&Change| change.paths.iter().any(|pattern| matches_wildcard(pattern, path));
        changes.iter().filter(about).map(|change| change.what.clone()).collect()
    };
    paths.into_iter().map(|path| (path.to_owned(), of(path))).filter(|(_, reasons)| !reasons.is_empty()).collect()
}
