//! The reports of a scan, read by the tools of those who made the formats.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::runner::Ended;
use super::{World, debian_13, layout};
use crate::support::tools::{own_folder, python_tool, root};
use crate::support::trivy_database::{CRITICAL, Database};

/// What the judge says against a report; `None` when it accepts it.
fn objection(kind: &str, report: &Path) -> Option<String> {
    let output = Command::new(python_tool("python").unwrap())
        .arg(root().join("tests/tools/check-reports.py"))
        .args([kind.as_ref(), report, &root().join("tests/tools/sarif-2.1.0.json")])
        .env("PYTHONPATH", root().join(".tools/reports"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (!output.status.success()).then_some(said)
}

#[test]
fn the_reports_are_valid_by_their_standards_and_hold_every_package() {
    let Some(world) = World::new() else { return };
    let (Some(_), Some(_)) = (python_tool("python"), own_folder("reports")) else { return };
    let Some(program) = layout::go_program("amd64") else { return };
    let database = Database::clean().debian("netbase", "CVE-2026-20007", CRITICAL, Some("6.6"));
    let mut run = world.small_release(&debian_13().file("usr/bin/hello", &program), &database);
    run.all();
    run.assert_failed("scan", "::error title=Findings::");

    let evidence = run.artifact("evidence-amd64");
    let scratch = tempfile::tempdir().unwrap();
    for (kind, file, spoiled) in [
        ("cyclonedx", "sbom.cdx.json", "/components/0/type"),
        ("spdx", "sbom.spdx.json", "/packages/0/SPDXID"),
        ("sarif", "trivy.sarif", "/runs/0/tool/driver/name"),
    ] {
        assert_eq!(objection(kind, &evidence.join(file)), None, "{file}");
        // The judge is awake: it refuses the same report with one value of a wrong kind.
        let mut report: Value = serde_json::from_slice(&std::fs::read(evidence.join(file)).unwrap()).unwrap();
        *report.pointer_mut(spoiled).unwrap() = serde_json::json!(["no", "text"]);
        let path = scratch.path().join(file);
        std::fs::write(&path, report.to_string()).unwrap();
        assert!(objection(kind, &path).is_some(), "{file} without a sound {spoiled}");
    }

    let names = |file: &str, list: &str| -> Vec<String> {
        let report: Value = serde_json::from_slice(&std::fs::read(evidence.join(file)).unwrap()).unwrap();
        report[list].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap().to_owned()).collect()
    };
    for (file, list) in [("sbom.cdx.json", "components"), ("sbom.spdx.json", "packages")] {
        let names = names(file, list);
        for package in ["base-files", "netbase", "tzdata", "media-types", "stdlib"] {
            assert!(names.iter().any(|name| name == package), "{package} is missing in {file}: {names:?}");
        }
    }
    // The finding is in the report for the Security tab, with the words that a reader needs.
    let sarif = std::fs::read_to_string(evidence.join("trivy.sarif")).unwrap();
    for word in ["CVE-2026-20007", "netbase", "Fixed Version: 6.6"] {
        assert!(sarif.contains(word), "{word}");
    }
    assert_eq!(run.ended["publish"], Ended::Skipped);
}
