//! Three-way merges: of real workflows with generated edits, of the shapes that publishers' files have, of what
//! formatters leave, and of what is hard about YAML.

mod corpus;
mod edits;
mod formatters;
mod habits;
mod properties;
mod shapes;

use sbi::model::desired::RenderedFile;
use sbi::templates::{ACCESS_WORKFLOW, CHECK_WORKFLOW, RESCAN_WORKFLOW, WORKFLOW};

/// Of a repository with OIDC and one image, without an environment.
fn files() -> &'static [RenderedFile] {
    let usual = "oidc-public-none-one-signed-both";
    let found = crate::templates::matrix().iter().find(|combination| combination.name == usual);
    &found.expect("it is one of the matrix").files
}

/// The workflows that are rendered for it.
fn workflows() -> impl Iterator<Item = &'static str> {
    [WORKFLOW, CHECK_WORKFLOW, RESCAN_WORKFLOW, ACCESS_WORKFLOW].into_iter()
}

fn rendered(path: &str) -> &'static str {
    &files().iter().find(|file| file.path == path).unwrap().text
}

/// What every combination of options renders.
fn configurations() -> Vec<&'static [RenderedFile]> {
    crate::templates::matrix().iter().map(|combination| combination.files.as_slice()).collect()
}
