//! Three-way merges: of real workflows with generated edits, of the shapes that publishers' files have, and of what is
//! hard about YAML.

mod corpus;
mod edits;
mod habits;
mod properties;
mod shapes;

use std::sync::LazyLock;

use sbi::model::config::Config;
use sbi::model::desired::RenderedFile;
use sbi::model::pins::Pins;
use sbi::templates::{self, ACCESS_WORKFLOW, CHECK_WORKFLOW, RESCAN_WORKFLOW, WORKFLOW};

/// A repository with OIDC and one image.
static FILES: LazyLock<Vec<RenderedFile>> = LazyLock::new(|| {
    let text = r#"
        [github]
        repository = "acme/base-images"
        visibility = "public"
        [aws]
        account = "123456789012"
        region = "eu-central-1"
        [ecr]
        repository = "acme/static-go"
        [publish]
        auth = "oidc"
        images = ["static-go"]
        release = "v1.0.0"
        [publisher]
        name = "Acme Ltd"
        security-contact = "security@acme.example"
        "#;
    templates::render(&Config::parse(text).unwrap(), &Pins::default()).unwrap()
});

/// The workflows that are rendered for it.
fn workflows() -> impl Iterator<Item = &'static str> {
    [WORKFLOW, CHECK_WORKFLOW, RESCAN_WORKFLOW, ACCESS_WORKFLOW].into_iter()
}

fn rendered(path: &str) -> &'static str {
    &FILES.iter().find(|file| file.path == path).unwrap().text
}

/// What every combination of options renders.
fn configurations() -> Vec<&'static [RenderedFile]> {
    crate::templates::matrix().iter().map(|combination| combination.files.as_slice()).collect()
}
