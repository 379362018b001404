//! What the pipeline of `static-go` costs: seconds of building, scanning and merging, and bytes of the images, from a
//! rehearsal on this machine with warm caches.
//!
//! `cargo bench --profile dev --bench pipeline`. Where `tests/run` has installed its tools, base images, a registry and
//! Trivy's database are those of the tests, and nothing leaves the machine; else they are the caller's, as for `sbi
//! rehearse`. What is missing is said. buildah and podman store what they fetch below Cargo's target folder, unless
//! `CONTAINERS_STORAGE_CONF` says otherwise. Publishing and verifying are a push to a registry on this machine and a
//! pull from it, without the signatures.

#![allow(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../tests/all/support"]
mod support {
    pub(crate) mod bases;
    pub(crate) mod bbolt;
    pub(crate) mod buildah;
    pub(crate) mod registry;
    pub(crate) mod tools;
    pub(crate) mod trivy_database;
}

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Instant;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::buildah::{BASES, BUILDER};
use support::registry::Registry;
use support::trivy_database::Database;

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

/// The tests' own base images, registry and database.
struct Own {
    _registry: Registry,
    environment: BTreeMap<&'static str, String>,
    trivy: PathBuf,
}

impl Own {
    /// `None` when a tool is absent; the database is written into `folder`.
    fn new(folder: &Path) -> Option<Self> {
        let trivy = support::tools::own_tool("trivy")?.canonicalize().unwrap();
        support::tools::system_tool("skopeo")?;
        let registry = Registry::start()?;
        for (product, name) in BASES {
            registry.push(&support::bases::base(product, "index")?, name);
        }
        registry.push(&support::bases::builder()?, BUILDER);
        Database::clean().write(folder);
        let mut environment = BTreeMap::from([
            ("BUILDAH_ISOLATION", "chroot".to_owned()),
            ("CONTAINERS_REGISTRIES_CONF", registry.stands_in_for(&["gcr.io", "docker.io"]).display().to_string()),
            ("TRIVY_CACHE_DIR", folder.display().to_string()),
        ]);
        for name in [
            "TRIVY_DISABLE_TELEMETRY",
            "TRIVY_OFFLINE_SCAN",
            "TRIVY_SKIP_DB_UPDATE",
            "TRIVY_SKIP_JAVA_DB_UPDATE",
            "TRIVY_SKIP_VERSION_CHECK",
        ] {
            environment.insert(name, "true".to_owned());
        }
        Some(Self { _registry: registry, environment, trivy })
    }
}

fn sbi(folder: &Path, storage: &Path, own: Option<&Own>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sbi"));
    command.envs(own.map(|own| &own.environment).into_iter().flatten());
    if std::env::var_os("CONTAINERS_STORAGE_CONF").is_none() {
        command.env("CONTAINERS_STORAGE_CONF", storage);
    }
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let settings = tempfile::tempdir().unwrap();
    let storage = write_storage(settings.path());
    let own = Own::new(&settings.path().join("trivy"));
    let rendered = sbi(folder.path(), &storage, own.as_ref(), &[&["render", "--out", ".", "--yes"], ANSWERS].concat());
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    // The first one fetches images and databases, the second one is measured.
    let mut measured = (Value::Null, PathBuf::new());
    for run in ["with what the caches hold", "with warm caches"] {
        println!("rehearsing {run}");
        let kept = settings.path().join(run.replace(' ', "-"));
        let kept_as = kept.display().to_string();
        let mut arguments = vec!["rehearse", "--format", "json", "--out", &kept_as];
        let trivy = own.as_ref().map(|own| own.trivy.display().to_string());
        arguments.extend(trivy.iter().flat_map(|trivy| ["--trivy", trivy]));
        let output = sbi(folder.path(), &storage, own.as_ref(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            println!("nothing is measured, because the rehearsal does not get through:\n{said}");
            // Without an engine there is nothing to measure; a pipeline that stops is a failure.
            return if output.status.code() == Some(2) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        measured = (serde_json::from_slice(&output.stdout).unwrap(), kept);
    }
    print(&measured.0);
    publish(&measured.1);
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
}

/// Pushes the merged index to a registry on this machine, as the publish job does, and pulls it back.
fn publish(kept: &Path) {
    let merged = kept.join("merged");
    let Some(registry) = Registry::start().filter(|_| merged.is_dir()) else {
        return println!("publish and verify are not measured: there is no registry, or nothing was merged");
    };
    let blobs = std::fs::read_dir(merged.join("blobs/sha256")).unwrap();
    let bytes: u64 = blobs.map(|blob| blob.unwrap().metadata().unwrap().len()).sum();
    let layout = format!("oci:{}:release", merged.display());
    let place = format!("docker://{}/acme/base:v1.0.0", registry.address());
    let pulled = format!("oci:{}:release", kept.join("pulled").display());
    let copy = |from: &str, to: &str, plain: &str| {
        let since = Instant::now();
        let options = ["copy", "--quiet", "--all", "--preserve-digests", plain, from, to];
        assert!(Command::new("skopeo").args(options).status().unwrap().success(), "{from} to {to}");
        since.elapsed().as_secs_f64()
    };
    let push = copy(&layout, &place, "--dest-tls-verify=false");
    let pull = copy(&place, &pulled, "--src-tls-verify=false");
    println!("publish {push:.2} s and verify {pull:.2} s: {bytes} bytes to a registry on this machine and back");
}
