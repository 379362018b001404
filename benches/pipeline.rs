//! What the pipeline of `static-go` costs: seconds of building, scanning and merging, and bytes of the images, from a
//! rehearsal on this machine with warm caches.
//!
//! `cargo bench --profile dev --bench pipeline`. Engine, registries and Trivy's database are the caller's, as for
//! `sbi rehearse`; what is missing is said. buildah and podman store what they fetch below Cargo's target folder, unless
//! `CONTAINERS_STORAGE_CONF` says otherwise. Publishing and verifying need a registry and are not measured.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

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

/// Settings that give the engines a store of the benchmark's own.
fn write_storage(folder: &Path) -> PathBuf {
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rehearsals");
    // What is mounted is forgotten when the machine starts anew, so it is noted where that is forgotten too.
    let run = std::env::var("XDG_RUNTIME_DIR").unwrap_or_else(|_| "/run".into());
    let id: String =
        Sha256::digest(store.as_os_str().as_encoded_bytes())[..4].iter().map(|b| format!("{b:02x}")).collect();
    let run = format!("{run}/sbi-rehearsals-{id}");
    let settings = folder.join("storage.conf");
    let text = format!("[storage]\ndriver = \"overlay\"\ngraphroot = {store:?}\nrunroot = {run:?}\n");
    std::fs::write(&settings, text).unwrap();
    settings
}

fn sbi(folder: &Path, storage: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sbi"));
    if std::env::var_os("CONTAINERS_STORAGE_CONF").is_none() {
        command.env("CONTAINERS_STORAGE_CONF", storage);
    }
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let settings = tempfile::tempdir().unwrap();
    let storage = write_storage(settings.path());
    let rendered = sbi(folder.path(), &storage, &[&["render", "--out", ".", "--yes"], ANSWERS].concat());
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    // The first one fetches images and databases, the second one is measured.
    let mut measured = Value::Null;
    for run in ["with what the caches hold", "with warm caches"] {
        println!("rehearsing {run}");
        let output = sbi(folder.path(), &storage, &["rehearse", "--format", "json"]);
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

/// One line an architecture: bytes of the image, seconds of its build and scan; then what all have in common.
fn print(report: &Value) {
    let trivy = report["trivy"].as_str().unwrap_or("as the workflow pins it");
    println!("\nengine {}, Trivy {trivy}\n", report["engine"]["version"].as_str().unwrap_or_default());
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for run in list(&report["runs"]) {
        let jobs = list(&run["jobs"]);
        let seconds = |id: &str, arch: &str| {
            let mut found = jobs.iter().filter(|job| job["id"] == id && job["outcome"] != "skipped");
            let job = found.find(|job| arch.is_empty() || job["name"].as_str().is_some_and(|name| name.contains(arch)));
            job.and_then(|job| job["seconds"].as_f64())
                .map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}"))
        };
        println!("{:14} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "bytes", "allowed", "packages", "build s", "scan s");
        for built in list(&run["architectures"]) {
            let number = |name: &str| built[name].as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string());
            let arch = built["arch"].as_str().unwrap_or_default();
            println!(
                "linux/{arch:8} {:>9} {:>9} {:>9} {:>9} {:>9}",
                number("bytes"),
                number("size_budget"),
                number("packages"),
                seconds("build", arch),
                seconds("scan", arch)
            );
        }
        println!("\nplan {} s, merge {} s", seconds("plan", ""), seconds("publish", ""));
    }
    println!("not measured: publish and verify, which need a registry");
}
