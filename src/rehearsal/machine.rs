//! The machine that a job believes to have for itself: its folders, and what a runner says about them.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::event::Event;

/// What the machine is called in `runner.name`.
const NAME: &str = "sbi rehearse";

/// Where one job works. Everything is below one folder, which goes when the rehearsal ends.
pub(super) struct Machine {
    pub(super) work: PathBuf,
    temp: PathBuf,
    home: PathBuf,
    /// Scripts, and the files behind `GITHUB_OUTPUT` and its like.
    pub(super) files: PathBuf,
}

impl Machine {
    pub(super) fn new(folder: &Path, registries: Option<&str>) -> std::io::Result<Self> {
        let at = |name: &str| folder.join(name);
        let machine = Self { work: at("work"), temp: at("temp"), home: at("home"), files: at("files") };
        for folder in [&machine.work, &machine.temp, &machine.home, &machine.files] {
            std::fs::create_dir_all(folder)?;
        }
        if let Some(registries) = registries {
            // buildah and podman read the variable, skopeo looks into the home folder.
            let containers = machine.home.join(".config/containers");
            std::fs::create_dir_all(&containers)?;
            std::os::unix::fs::symlink(registries, containers.join("registries.conf"))?;
        }
        Ok(machine)
    }

    /// The `runner` context.
    pub(super) fn context(&self) -> Value {
        json!({
            "os": "Linux", "arch": runner_arch(), "name": NAME, "environment": "self-hosted", "debug": "",
            "temp": place(&self.temp), "tool_cache": place(&self.temp), "workspace": place(&self.work),
        })
    }

    /// The file behind `GITHUB_OUTPUT` or its like, one for every step.
    pub(super) fn file_behind(&self, name: &str, index: usize) -> PathBuf {
        self.files.join(format!("{name}-{index}"))
    }

    /// What a runner sets for the step number `index` of a job.
    pub(super) fn variables(&self, event: &Event, job: &str, index: usize) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
        for (name, value) in &event.github {
            // The event itself is a file on a runner, and the rest are texts.
            if let Value::String(text) = value {
                set(&format!("GITHUB_{}", name.to_uppercase()), text.clone());
            }
        }
        set("GITHUB_JOB", job.to_owned());
        set("GITHUB_ACTIONS", "true".into());
        set("CI", "true".into());
        set("GITHUB_WORKSPACE", place(&self.work));
        set("RUNNER_TEMP", place(&self.temp));
        set("RUNNER_TOOL_CACHE", place(&self.temp));
        set("RUNNER_ENVIRONMENT", "self-hosted".into());
        set("RUNNER_NAME", NAME.into());
        set("RUNNER_OS", "Linux".into());
        set("RUNNER_ARCH", runner_arch().into());
        set("HOME", place(&self.home));
        set("TMPDIR", place(&self.temp));
        set("LANG", "C.UTF-8".into());
        for name in ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"] {
            let file = self.file_behind(name, index);
            // Scripts append, but some ask whether it is there.
            let _ = OpenOptions::new().create(true).append(true).open(&file);
            set(name, place(&file));
        }
        let text = serde_json::to_vec(&event.github["event"]).unwrap_or_default();
        let file = self.files.join("event.json");
        if std::fs::write(&file, text).is_ok() {
            set("GITHUB_EVENT_PATH", place(&file));
        }
        variables
    }
}

fn place(path: &Path) -> String {
    path.display().to_string()
}

fn runner_arch() -> &'static str {
    if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" }
}
