//! What the pipeline of `static-go` costs: seconds of building, scanning and merging, and bytes of the images, from a
//! rehearsal on this machine with warm caches.
//!
//! `cargo bench --profile dev --bench pipeline`. Engine, registries and Trivy's database are the caller's, as for
//! `sbi rehearse`; what is missing is said.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

use serde_json::Value;

const ANSWERS: &[&str] = &[
    "--github",
    "octo-publisher/base",
    "--visibility",
    "public",
    "--account",
    "111122223333",
    "--region",
    "us-east-1",
    "--ecr-repository",
    "acme/base",
    "--image",
    "static-go",
    "--publisher",
    "Acme",
    "--security-contact",
    "security@acme.example",
];

fn sbi(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sbi"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let rendered = sbi(folder.path(), &[&["render", "--out", ".", "--yes"], ANSWERS].concat());
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    // The first one fetches images and databases, the second one is measured.
    let mut measured = Value::Null;
    for run in ["with what the caches hold", "with warm caches"] {
        println!("rehearsing {run}");
        let output = sbi(folder.path(), &["rehearse", "--format", "json"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            println!("nothing is measured, because the rehearsal does not get through:\n{said}");
            // Without an engine there is nothing to measure; a pipeline that stops is a failure.
            return if output.status.code() == Some(2) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        measured = serde_json::from_slice(&output.stdout).unwrap();
    }
    print(&measured);
    ExitCode::SUCCESS
}

fn print(report: &Value) {
    let trivy = report["trivy"].as_str().unwrap_or("as the workflow pins it");
    println!("\nengine {}, Trivy {trivy}\n", report["engine"]["version"].as_str().unwrap_or_default());
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    println!("{:24} {:>9}", "job", "seconds");
    for run in list(&report["runs"]) {
        for job in list(&run["jobs"]).iter().filter(|job| job["outcome"] != "skipped") {
            println!("{:24} {:>9.2}", job["name"].as_str().unwrap_or_default(), job["seconds"].as_f64().unwrap_or(0.0));
        }
        println!("\n{:24} {:>9} {:>9} {:>9}", "image", "bytes", "allowed", "packages");
        for built in list(&run["architectures"]) {
            let number = |name: &str| built[name].as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string());
            let name = format!("linux/{}", built["arch"].as_str().unwrap_or_default());
            println!("{name:24} {:>9} {:>9} {:>9}", number("bytes"), number("size_budget"), number("packages"));
        }
    }
}
