//! The gate: what stops a release, by which name, and what is readable afterwards.

use super::{USUAL, config};
use crate::templates::runner::{Outcome, Run};

const NAME: &str = "Name what is scanned";
const SCAN: &str = "Scan once";
const GATE: &str = "Stop on CRITICAL, HIGH and end of life";

fn built() -> Run {
    let mut run = Run::release(&config(USUAL), "v1.0.0");
    run.job("plan", &[]).passes();
    run.job("build", &[("arch", "amd64")]).passes();
    run.forget_calls();
    run
}

fn scan(run: &mut Run) -> Outcome {
    run.job("scan", &[("arch", "amd64")])
}

#[test]
fn a_clean_image_passes_the_gate_with_all_its_evidence() {
    let mut run = built();
    scan(&mut run).passes();
    for file in ["scanned.json", "trivy.json", "trivy.sarif", "sbom.spdx.json", "sbom.cdx.json", "trivy-version.json"] {
        assert!(run.artifact("evidence-amd64").join(file).is_file(), "{file}");
    }
    let scanned = run.json("artifacts/evidence-amd64/scanned.json");
    assert_eq!(scanned["digest"], run.json("artifacts/image-amd64/index.json")["manifests"][0]["digest"]);
    for key in ["started", "finished"] {
        assert!(scanned[key].as_str().unwrap().ends_with('Z'), "{key}");
    }
    let calls = run.read("calls");
    assert_eq!(calls.matches("trivy image").count(), 1, "scanned once: {calls}");
    assert!(calls.contains("--ignorefile plan/accepted-findings.yaml"), "{calls}");
    assert!(!calls.contains("ignore-unfixed"), "{calls}");
    assert!(run.read("summary").contains("passes: no CRITICAL or HIGH finding"));
}

#[test]
fn a_finding_an_end_of_life_and_a_crash_all_stop_the_release_each_by_its_name() {
    for (code, title) in [("10", "Findings"), ("11", "End of life"), ("1", "Scan failed"), ("137", "Scan failed")] {
        let mut run = built();
        run.set("TRIVY_GATE_CODE", code);
        scan(&mut run).fails_at(GATE, &format!("::error title={title}::"));
        assert!(run.read("summary").contains("the table"), "{code}");
        assert!(run.artifact("evidence-amd64/trivy.sarif").is_file(), "the report is there before the gate");
    }
}

#[test]
fn the_summary_counts_findings_by_severity() {
    let mut run = built();
    let finding = |severity: &str| format!(r#"{{"Severity":"{severity}"}}"#);
    let found = [finding("MEDIUM"), finding("LOW"), finding("MEDIUM")].join(",");
    run.set("TRIVY_JSON", &format!(r#"{{"Results":[{{"Packages":[{{}}],"Vulnerabilities":[{found}]}},{{}}]}}"#));
    scan(&mut run).passes();
    assert!(run.read("summary").contains("\n| 0 | 0 | 2 | 1 | 0 | 1 |\n"), "{}", run.read("summary"));
}

#[test]
fn a_scan_that_crashed_leaves_no_report_and_an_empty_inventory_is_no_clean_image() {
    let mut run = built();
    run.set("TRIVY_SCAN_CODE", "1");
    scan(&mut run).fails_at(SCAN, "");
    assert!(!run.artifact("evidence-amd64").exists());

    for empty in ["{}", r#"{"Results":[]}"#, r#"{"Results":[{"Packages":[]}]}"#, r#"{"Results":null}"#] {
        let mut run = built();
        run.set("TRIVY_JSON", empty);
        scan(&mut run).fails_at(SCAN, "::error title=Empty scan::");
    }
    let mut run = built();
    run.set("TRIVY_JSON", "not JSON");
    scan(&mut run).fails_at(SCAN, "");
    let mut run = built();
    run.set("TRIVY_VERSION", r#"{"Version":"0.75.0"}"#);
    scan(&mut run).fails_at(SCAN, "::error title=No database::");
}

#[test]
fn each_call_of_the_scanner_may_fail_and_then_no_gate_is_passed() {
    for call in 1..=6 {
        let mut run = built();
        run.set("FAIL_AT", &call.to_string());
        assert!(!scan(&mut run).passed(), "call {call}");
    }
    let mut run = built();
    run.set("FAIL_AT", "7");
    scan(&mut run).passes();
}

#[test]
fn a_tampered_layout_is_not_scanned() {
    let mut run = built();
    let blob = std::fs::read_dir(run.artifact("image-amd64/blobs/sha256")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(blob, "other bytes").unwrap();
    scan(&mut run).fails_at(NAME, "FAILED");
}

#[test]
fn trivy_is_installed_only_when_its_checksum_is_the_one_in_the_file() {
    let mut run = built();
    run.put_in_place("SHA256", &"0".repeat(64));
    let outcome = scan(&mut run).fails_at("Install Trivy", "FAILED");
    let installed = outcome.workspace.parent().unwrap().join("temp/bin/trivy");
    assert!(!installed.exists());

    let mut run = built();
    let outcome = scan(&mut run).passes();
    let temp = outcome.workspace.parent().unwrap().join("temp");
    assert!(temp.join("bin/trivy").is_file());
    let path = std::fs::read_to_string(temp.parent().unwrap().join("path")).unwrap();
    assert_eq!(path, format!("{}/bin\n", temp.display()));
    assert!(run.read("calls").contains("--proto =https --tlsv1.2"), "{}", run.read("calls"));
}
