//! Base and builder images: which are named, and where their digests stand.

use std::collections::BTreeSet;
use std::process::Command;

use sbi::model::config::Config;
use sbi::model::pins::Pins;
use sbi::templates;

use super::linters::assert_clean;
use super::{Combination, matrix, public, write};
use crate::support::tools::python_tool;

/// A different digest for each image that the files of this configuration build on.
fn pins(config: &Config) -> Pins {
    let mut pins = Pins::default();
    for (number, reference) in templates::references(config).unwrap().into_iter().enumerate() {
        pins.insert(reference, format!("sha256:{}", format!("{number:02x}").repeat(32)).parse().unwrap());
    }
    pins
}

/// What `FROM` lines name: an image, a stage, or an argument.
fn from(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("FROM "));
    lines.filter_map(|line| line.split(' ').find(|word| !word.starts_with("--")))
}

#[test]
fn every_image_of_others_in_a_from_line_is_a_reference_and_no_other_is() {
    for Combination { name, config, files: plain, .. } in matrix() {
        let dockerfiles = plain.iter().filter(|file| file.path.ends_with("/Dockerfile"));
        let named: BTreeSet<&str> = dockerfiles.flat_map(|file| from(&file.text)).filter(|w| w.contains('/')).collect();
        let references = templates::references(config).unwrap();
        assert_eq!(named.into_iter().collect::<Vec<_>>(), references, "{name}: sorted, each once");
        assert!(references.len() >= 2);
    }
}

#[test]
fn a_digest_stands_behind_its_tag_in_from_lines_and_nowhere_else() {
    for Combination { name, config, files: plain, .. } in matrix() {
        let pinned = templates::render(config, &pins(config)).unwrap();
        for (file, plain) in pinned.iter().zip(plain) {
            let mut text = file.text.clone();
            for (reference, digest) in pins(config).iter() {
                text = text.replace(&format!("{reference}@{digest}"), reference);
                assert!(!text.contains(digest.as_str()), "{name}: {} has a digest without its tag", file.path);
            }
            assert_eq!(text, plain.text, "{name}: {} differs by more than digests", file.path);
            let outside = file.text.lines().find(|line| line.contains("@sha256:0") && !line.starts_with("FROM "));
            assert_eq!(outside, None, "{name}: {}", file.path);
            if file.path.ends_with("/Dockerfile") {
                let images: Vec<&str> = from(&file.text).filter(|word| word.contains('/')).collect();
                assert!(!images.is_empty() && images.iter().all(|image| image.contains("@sha256:")), "{images:?}");
            }
        }
    }
}

#[test]
fn hadolint_finds_nothing_in_pinned_files() {
    let Some(hadolint) = python_tool("hadolint") else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = templates::render(&public(), &pins(&public())).unwrap();
    write(&files, folder.path());
    for file in files.iter().filter(|file| file.path.ends_with("/Dockerfile")) {
        assert_clean(Command::new(&hadolint).arg(&file.path).current_dir(folder.path()), &file.path);
    }
}

#[test]
fn an_image_that_the_catalogue_lacks_has_no_references() {
    let mut config = public();
    config.publish.images = vec!["static-rust".parse().unwrap()];
    let failure = templates::references(&config).unwrap_err();
    assert_eq!(failure.message(), "there is no image `static-rust` in the catalogue");
}
