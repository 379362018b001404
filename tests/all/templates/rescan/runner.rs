//! One runner of the nightly workflow: a work folder, the files behind `GITHUB_OUTPUT` and its like, the stand-ins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sbi::model::config::Config;
use sbi::templates::RESCAN_WORKFLOW;
use sha2::{Digest as _, Sha256};

use crate::support::tools::root;
use crate::templates::{public, rendered, text, write};

pub(super) struct Runner {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

pub(super) struct Outcome {
    pub(super) success: bool,
    pub(super) said: String,
}

impl Runner {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        std::fs::create_dir_all(&work).unwrap();
        std::fs::create_dir_all(folder.path().join("temp")).unwrap();
        write(&rendered(&public()), &work);
        let mut runner = Self { folder, environment: BTreeMap::new() };
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", root().join("tests/tools/night-stand-ins").display());
        for (name, value) in [
            ("PATH", path),
            ("CALLS", runner.at("calls")),
            ("REGISTRY", runner.at("registry")),
            ("RUNNER_TEMP", runner.at("temp")),
            ("GITHUB_OUTPUT", runner.at("output")),
            ("GITHUB_STEP_SUMMARY", runner.at("summary")),
        ] {
            runner.set(name, &value);
        }
        runner
    }

    pub(super) fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(super) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Runs `job: step` as GitHub does, with the step's own environment unless the test set it; what an expression
    /// fills in must come from the test.
    pub(super) fn run(&mut self, config: &Config, name: &str) -> Outcome {
        let workflow = rescan(config);
        let (job, step) = name.split_once(": ").unwrap();
        let steps = workflow["jobs"][job]["steps"].as_sequence().unwrap();
        let step = steps.iter().find(|found| found["name"] == step).unwrap_or_else(|| panic!("no step {name}"));
        for (key, value) in step["env"].as_mapping().into_iter().flatten() {
            let (key, value) = (key.as_str().unwrap(), value.as_str().unwrap());
            assert!(!value.contains("${{") || self.environment.contains_key(key), "{name} needs {key}");
            self.environment.entry(key.into()).or_insert_with(|| value.into());
        }
        let script = self.folder.path().join("script");
        std::fs::write(&script, step["run"].as_str().unwrap()).unwrap();
        let output = Command::new("/bin/bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(&script)
            .current_dir(self.work())
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Outcome { success: output.status.success(), said }
    }
}

impl Outcome {
    #[track_caller]
    pub(super) fn passes(self) -> Self {
        assert!(self.success, "{}", self.said);
        self
    }

    #[track_caller]
    pub(super) fn fails_with(self, reason: &str) {
        assert!(!self.success, "passed: {}", self.said);
        assert!(self.said.contains(reason), "failed without `{reason}`: {}", self.said);
    }
}

pub(super) fn rescan(config: &Config) -> serde_yaml_ng::Value {
    serde_yaml_ng::from_str(text(&rendered(config), RESCAN_WORKFLOW)).unwrap()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A layout with one image; returns the manifest's digest.
pub(super) fn write_layout(folder: &Path, arch: &str) -> String {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let blob = |bytes: &[u8]| {
        std::fs::write(blobs.join(sha256(bytes)), bytes).unwrap();
        format!("sha256:{}", sha256(bytes))
    };
    let layer = blob(b"a layer that both architectures share");
    let config = serde_json::json!({"architecture": arch, "os": "linux", "rootfs": {"type": "layers"}}).to_string();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob(config.as_bytes()), "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": 37}],
    })
    .to_string();
    let digest = blob(manifest.as_bytes());
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": manifest.len(),
    }]});
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    digest
}
