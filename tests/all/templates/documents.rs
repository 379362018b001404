//! What people read: as reviewed, with links that lead somewhere and commands that a shell can read.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use sbi::model::config::{Auth, Visibility};
use sbi::model::desired::RenderedFile;
use sbi::model::names::ImageName;
use sbi::templates;
use serde_yaml_ng::Value;

use super::{Combination, Options, USUAL, config, matrix, public, rendered, text};
use crate::support::tools::system_tool;

const DOCUMENTS: [&str; 3] = ["README.md", "SECURITY.md", "docs/verify.md"];

/// Every document of every combination, the release notes of each image included, by where it stands.
fn documents() -> Vec<(String, PathBuf, String, &'static Combination)> {
    let mut all = Vec::new();
    for combination in matrix() {
        let Combination { name, config, .. } = combination;
        for path in DOCUMENTS {
            let text = combination.text(path).to_owned();
            all.push((format!("{name}: {path}"), PathBuf::from(path), text, combination));
        }
        for image in &config.publish.images {
            let notes = templates::release_notes(config, image);
            all.push((format!("{name}: notes of {image}"), PathBuf::from("notes"), notes, combination));
        }
    }
    all
}

#[test]
fn what_people_read_is_as_reviewed() {
    let signed = public();
    let unsigned = config(Options {
        auth: Auth::AccessKey,
        visibility: Visibility::Private,
        environment: None,
        several: true,
        signing: false,
        ..USUAL
    });
    for (kind, config) in [("public-signed", signed), ("private-unsigned", unsigned)] {
        let files = rendered(&config);
        for path in DOCUMENTS {
            insta::assert_snapshot!(format!("{kind}__{}", path.replace('/', "__")), text(&files, path));
        }
        for image in &config.publish.images {
            insta::assert_snapshot!(format!("{kind}__notes__{image}"), templates::release_notes(&config, image));
        }
    }
}

/// The targets of inline links: `[text](target)`.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
}

#[test]
fn every_link_leads_to_a_file_that_is_rendered() {
    for (name, place, text, combination) in documents() {
        for target in links(&text) {
            let of_repository = "https://github.com/acme/base-images/blob/";
            let path = match target.strip_prefix(of_repository) {
                // TAG/PATH, where a tag of several images has a slash of its own.
                Some(rest) => {
                    let (_, path) = rest.split_once("v1.0.0/").unwrap_or_else(|| panic!("{name}: {target}"));
                    PathBuf::from(path)
                }
                None if target.starts_with("https://") => continue,
                None => normal(&place.parent().unwrap().join(target)),
            };
            let there = combination.files.iter().any(|file| Path::new(&file.path).starts_with(&path));
            assert!(there, "{name}: {target} leads nowhere");
        }
    }
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(normal.pop(), "{} leads out of the repository", path.display()),
            part => normal.push(part),
        }
    }
    normal
}

/// The blocks of commands, `sh` fenced.
fn commands(text: &str) -> Vec<String> {
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_command_is_one_that_a_shell_and_shellcheck_accept() {
    let Some(shellcheck) = system_tool("shellcheck") else { return };
    let mut seen = BTreeSet::new();
    for (name, _, text, _) in documents() {
        assert!(!commands(&text).is_empty() || name.ends_with("SECURITY.md") || name.contains("notes"), "{name}");
        // One document is one session: what an early block sets, a later one uses.
        let session = commands(&text).concat();
        if !seen.insert(session.clone()) {
            continue;
        }
        // `run` is the number that the reader fills in.
        let script = format!("#!/bin/bash\nset -eo pipefail\nrun=1\n: \"$run\"\n{session}");
        let options = ["--severity=style", "--shell=bash", "-"];
        let mut child =
            Command::new(&shellcheck).args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{name}:\n{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn only_what_is_signed_is_said_to_be_signed() {
    for Combination { name, config, files, .. } in matrix() {
        let notes = templates::release_notes(config, &config.publish.images[0]);
        for text in [text(files, "docs/verify.md"), text(files, "README.md"), notes.as_str()] {
            if !config.signs() {
                for absent in ["cosign", "SLSA", "signature"] {
                    assert!(!text.contains(absent), "{name}: {absent}");
                }
            }
        }
        let identity = "https://github.com/acme/base-images/.github/workflows/publish-to-ecr.yml@refs/tags/";
        for text in [notes.as_str(), text(files, "docs/verify.md")] {
            assert_eq!(text.contains("cosign verify "), config.signs(), "{name}");
        }
        assert_eq!(notes.contains(identity), config.signs(), "{name}");
        assert_eq!(text(files, "docs/verify.md").contains(identity), config.signs(), "{name}");
    }
}

#[test]
fn every_image_stands_in_every_document_with_its_own_facts() {
    for Combination { name, config, files, .. } in matrix() {
        for outlet in config.outlets() {
            let place = format!("{}/{}", config.ecr_registry(), outlet.ecr_repository);
            assert!(text(files, "README.md").contains(&format!("docker pull {place}:v1.0.0")), "{name}");
            assert!(text(files, "docs/verify.md").contains(&place), "{name}");
            for path in ["README.md", "SECURITY.md"] {
                assert!(text(files, path).contains(&format!("| {} | ", outlet.image)), "{name}: {path}");
            }
            let notes = templates::release_notes(config, &outlet.image);
            assert!(notes.contains(&format!("{place}:v1.0.0")), "{name}: {notes}");
        }
    }
}

#[test]
fn no_platform_is_named_that_is_not_published() {
    for Combination { name, config, files, .. } in matrix() {
        let both = config.publish.architectures.is_none();
        assert_eq!(text(files, "README.md").contains("linux/arm64"), both, "{name}");
    }
}

#[test]
fn notes_of_an_image_that_is_not_published_are_the_marker_alone() {
    let other = ImageName::new("other").unwrap();
    assert_eq!(templates::release_notes(&public(), &other), "<!-- sbi -->\n");
}

/// The `directories` of one ecosystem in Dependabot's configuration.
fn directories(files: &[RenderedFile], ecosystem: &str) -> BTreeSet<String> {
    let dependabot: Value = serde_yaml_ng::from_str(text(files, ".github/dependabot.yml")).unwrap();
    let updates = dependabot["updates"].as_sequence().unwrap();
    for update in updates {
        assert_eq!(update["cooldown"]["default-days"], 7);
    }
    let update = updates.iter().find(|update| update["package-ecosystem"] == ecosystem).unwrap();
    let directories = update["directories"].as_sequence().unwrap();
    directories.iter().map(|folder| folder.as_str().unwrap().to_owned()).collect()
}

#[test]
fn dependabot_looks_into_every_folder_that_has_something_to_renew() {
    for Combination { name, files, .. } in matrix() {
        for (ecosystem, file) in [("docker", "Dockerfile"), ("gomod", "go.mod")] {
            let expected: BTreeSet<String> = files
                .iter()
                .filter_map(|rendered| rendered.path.strip_suffix(&format!("/{file}")).map(|path| format!("/{path}")))
                .collect();
            assert_eq!(directories(files, ecosystem), expected, "{name}: {ecosystem}");
            assert!(!expected.is_empty());
        }
    }
}
