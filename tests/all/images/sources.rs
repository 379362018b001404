//! What is rendered for each product, read by the judges of its languages.

use std::process::Command;

use super::{Rendered, facts, products};
use crate::support::tools::{go, gofmt, python_tool};

fn assert_clean(command: &mut Command, what: &str) {
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.is_empty(), "{what}: {said}");
}

#[test]
fn every_dockerfile_is_clean_for_hadolint() {
    let Some(hadolint) = python_tool("hadolint") else { return };
    for product in products() {
        let rendered = Rendered::new(&product);
        for folder in [rendered.image(), rendered.example()] {
            assert_clean(Command::new(&hadolint).arg(folder.join("Dockerfile")), &product);
        }
    }
}

#[test]
fn every_dockerfile_keeps_to_what_all_builders_understand() {
    for product in products() {
        let rendered = Rendered::new(&product);
        for folder in [rendered.image(), rendered.example()] {
            let text = std::fs::read_to_string(folder.join("Dockerfile")).unwrap();
            for special in ["<<", "--link", "--exclude", "--checksum", "# syntax=", "ADD ", "HEALTHCHECK"] {
                assert!(!text.contains(special), "{product}: {special}");
            }
            assert!(text.contains("USER 65532:65532"), "{product}");
        }
    }
}

#[test]
fn every_go_source_is_formatted_and_sound() {
    let (Some(go), Some(gofmt)) = (go(), gofmt()) else { return };
    for product in products() {
        let rendered = Rendered::new(&product);
        for folder in [rendered.image().join("audit"), rendered.example()] {
            assert_clean(Command::new(&gofmt).args(["-l", "."]).current_dir(&folder), &product);
            let mut vet = Command::new(&go);
            assert_clean(vet.args(["vet", "."]).current_dir(&folder).env("GOTOOLCHAIN", "local"), &product);
        }
    }
}

#[test]
fn every_image_toml_is_honest_about_its_end_of_support() {
    for product in products() {
        let support = facts(&product)["support"].clone();
        assert!(!support["until"].as_str().unwrap().is_empty(), "{product}");
        if let Some(date) = support.get("date") {
            date.as_str().unwrap().parse::<jiff::civil::Date>().unwrap_or_else(|error| panic!("{product}: {error}"));
        }
    }
}
