//! One run of a rendered workflow: its jobs in their order, each `run:` block in the shell and with the environment that
//! GitHub gives it, and each action that sbi renders as what it does to files. Registry, scanner, signer and builder are
//! stand-ins on `PATH`; hashing, merging and deciding is the scripts' own work.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sbi::model::config::Config;
use sbi::model::desired::RenderedFile;
use sbi::templates::WORKFLOW;
use serde_yaml_ng::Value;
use sha2::{Digest as _, Sha256};

use super::{rendered, text, write};
use crate::support::tools::root;

pub(super) const COMMIT: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";
pub(super) const SECRETS: [(&str, &str); 5] = [
    ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/sbi-publish-acme-base-images"),
    ("AWS_ACCESS_KEY", "AKIAEXAMPLE\nvery-secret"),
    ("AWS_REGION", "eu-central-1"),
    ("ECR_REGISTRY", "123456789012.dkr.ecr.eu-central-1.amazonaws.com"),
    ("ECR_REPOSITORY", "acme/static-go"),
];

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) struct Run {
    folder: tempfile::TempDir,
    workflow: Value,
    pub(super) files: Vec<RenderedFile>,
    /// What expressions stand for: `github.ref`, `inputs.publish`, …
    context: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    /// Values of `env:` that the test puts in place of the rendered ones.
    overrides: BTreeMap<String, String>,
    /// Every script that ran, as it stands in the file.
    pub(super) executed: BTreeSet<String>,
    workspaces: u32,
}

/// How a job ended: all its steps passed, or one failed and the rest did not run.
pub(super) struct Outcome {
    failed_at: Option<String>,
    said: String,
    pub(super) workspace: PathBuf,
}

impl Run {
    /// The ARN of the role that the last job signed in with.
    pub(super) fn assumed(&self) -> &str {
        &self.environment["ASSUMED"]
    }

    /// A run of the publishing workflow for a release of this tag.
    pub(super) fn release(config: &Config, tag: &str) -> Self {
        let mut run = Self::of(config, WORKFLOW);
        run.know("github.event_name", "release");
        run.know("github.event.release.tag_name", tag);
        run.know("inputs.publish", "");
        run.know("inputs.image", "");
        run.at_ref(&format!("refs/tags/{tag}"));
        run
    }

    /// A run that somebody started by hand.
    pub(super) fn dispatch(config: &Config, reference: &str, publish: bool, image: &str) -> Self {
        let mut run = Self::of(config, WORKFLOW);
        run.know("github.event_name", "workflow_dispatch");
        run.know("github.event.release.tag_name", "");
        run.know("inputs.publish", &publish.to_string());
        run.know("inputs.image", image);
        run.at_ref(reference);
        run
    }

    pub(super) fn of(config: &Config, path: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = rendered(config);
        let workflow = serde_yaml_ng::from_str(text(&files, path)).unwrap();
        let mut run = Self {
            folder,
            workflow,
            files,
            context: BTreeMap::new(),
            environment: BTreeMap::new(),
            overrides: BTreeMap::new(),
            executed: BTreeSet::new(),
            workspaces: 0,
        };
        for (name, value) in SECRETS {
            run.know(&format!("secrets.{name}"), value);
        }
        for (name, value) in [
            ("github.server_url", "https://github.com"),
            ("github.repository", "acme/base-images"),
            ("github.sha", COMMIT),
            ("github.event.repository.default_branch", "main"),
        ] {
            run.know(name, value);
        }
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", root().join("tests/tools/stand-ins").display());
        for (name, value) in [
            ("PATH", path),
            ("CALLS", run.at("calls")),
            ("REGISTRY", run.at("registry")),
            ("DOWNLOAD", run.at("download")),
            ("TRIVY_JSON", CLEAN.into()),
            ("GITHUB_SHA", COMMIT.into()),
            ("GITHUB_SERVER_URL", "https://github.com".into()),
            ("GITHUB_REPOSITORY", "acme/base-images".into()),
            ("GITHUB_REPOSITORY_ID", "700000003".into()),
            ("GITHUB_REPOSITORY_OWNER_ID", "583231".into()),
            ("GITHUB_EVENT_NAME", "release".into()),
            ("GITHUB_RUN_ID", "42".into()),
            ("GITHUB_RUN_ATTEMPT", "1".into()),
            ("RUNNER_ENVIRONMENT", "github-hosted".into()),
        ] {
            run.set(name, &value);
        }
        run.offer_download();
        run
    }

    /// The same run on a disk of its own, from here on.
    pub(super) fn fork(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["artifacts", "registry"] {
            if self.folder.path().join(part).is_dir() {
                copy(&self.folder.path().join(part), &folder.path().join(part));
            }
        }
        for file in ["download", "calls", "summary"] {
            if self.folder.path().join(file).is_file() {
                std::fs::copy(self.at(file), folder.path().join(file)).unwrap();
            }
        }
        let (old, new) = (self.at(""), format!("{}/", folder.path().display()));
        let moved = |(name, value): (&String, &String)| (name.clone(), value.replace(&old, &new));
        Self {
            environment: self.environment.iter().map(moved).collect(),
            folder,
            workflow: self.workflow.clone(),
            files: self.files.clone(),
            context: self.context.clone(),
            overrides: self.overrides.clone(),
            executed: self.executed.clone(),
            workspaces: 0,
        }
    }

    fn at_ref(&mut self, reference: &str) {
        self.know("github.ref", reference);
        self.set("GITHUB_REF", reference);
        let identity = format!("https://github.com/acme/base-images/{WORKFLOW}@{reference}");
        self.set("IDENTITY", &identity);
    }

    /// One archive stands for whatever is downloaded; its checksum replaces the one in the file.
    fn offer_download(&mut self) {
        let program = self.folder.path().join("trivy");
        std::fs::write(&program, "a program").unwrap();
        let mut tar = Command::new("tar");
        tar.args(["-czf", &self.at("download"), "-C", &self.at("."), "trivy"]);
        assert!(tar.status().unwrap().success());
        let checksum = sha256(&std::fs::read(self.at("download")).unwrap());
        self.put_in_place("SHA256", &checksum);
    }

    pub(super) fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A file of the run's: `calls`, `summary`, `registry/…`, `artifacts/…`; empty when absent.
    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    pub(super) fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(super) fn artifact(&self, name: &str) -> PathBuf {
        self.folder.path().join("artifacts").join(name)
    }

    pub(super) fn forget_calls(&self) {
        for file in ["calls", "calls.count"] {
            let _ = std::fs::remove_file(self.folder.path().join(file));
        }
    }

    pub(super) fn know(&mut self, expression: &str, value: &str) {
        self.context.insert(expression.into(), value.into());
    }

    /// A variable that every script sees, as the runner's own or as a stand-in's order.
    pub(super) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.environment.remove(name);
    }

    pub(super) fn put_in_place(&mut self, name: &str, value: &str) {
        self.overrides.insert(name.into(), value.into());
    }

    pub(super) fn edit(&mut self, path: &str, change: impl FnOnce(&str) -> String) {
        let file = self.files.iter_mut().find(|file| file.path == path).unwrap();
        let changed = change(&file.text);
        assert_ne!(file.text, changed, "{path} was not changed");
        file.text = changed;
    }

    /// One job from its first step to its last, on a fresh machine.
    pub(super) fn job(&mut self, job: &str, matrix: &[(&str, &str)]) -> Outcome {
        for (name, value) in matrix {
            self.know(&format!("matrix.{name}"), value);
        }
        self.workspaces += 1;
        let machine = self.folder.path().join(format!("machine-{}", self.workspaces));
        let workspace = machine.join("work");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::create_dir_all(machine.join("temp")).unwrap();
        let mut said = String::new();
        let mut failed_at = None;
        for step in self.steps(job) {
            let name = step["name"].as_str().unwrap().to_owned();
            let passed = match step["run"].as_str() {
                Some(script) => self.script(&step, script, &machine, &mut said),
                None => self.action(&step, &workspace),
            };
            self.collect_outputs(&step, &machine);
            if !passed {
                failed_at = Some(name);
                break;
            }
        }
        if let Some(outputs) = self.workflow["jobs"][job]["outputs"].as_mapping().cloned() {
            for (name, value) in outputs {
                // A job that failed early hands on empty values.
                let value = if failed_at.is_none() { self.expand(value.as_str().unwrap()) } else { String::new() };
                self.know(&format!("needs.{job}.outputs.{}", name.as_str().unwrap()), &value);
            }
        }
        Outcome { failed_at, said, workspace }
    }

    /// The steps of a job as the file has them.
    fn steps(&self, job: &str) -> Vec<Value> {
        let steps = self.workflow["jobs"][job]["steps"].as_sequence().cloned();
        steps.unwrap_or_else(|| panic!("no job {job}"))
    }

    /// The script of one step, named `job: step`, on the machine that all steps run this way share: `work` and `output`
    /// of the run's folder. What an action would have brought is the test's to bring.
    pub(super) fn step(&mut self, name: &str) -> Outcome {
        let (job, step) = name.split_once(": ").unwrap();
        let steps = self.steps(job);
        let step = steps.iter().find(|found| found["name"] == step).unwrap_or_else(|| panic!("no step {name}"));
        let machine = self.folder.path().to_owned();
        std::fs::create_dir_all(machine.join("temp")).unwrap();
        std::fs::create_dir_all(machine.join("work")).unwrap();
        let mut said = String::new();
        let passed = self.script(step, step["run"].as_str().unwrap(), &machine, &mut said);
        Outcome { failed_at: (!passed).then(|| name.to_owned()), said, workspace: machine.join("work") }
    }

    /// Puts the repository's files where a checkout would.
    pub(super) fn check_out(&self, workspace: &Path) {
        write(&self.files, workspace);
    }

    /// Where the scripts of single steps run.
    pub(super) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn script(&mut self, step: &Value, script: &str, machine: &Path, said: &mut String) -> bool {
        self.executed.insert(script.to_owned());
        let file = machine.join("script");
        std::fs::write(&file, script).unwrap();
        let mut command = Command::new("/bin/bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(&file);
        command.current_dir(machine.join("work")).env_clear().envs(&self.environment).stdin(Stdio::null());
        command.env("RUNNER_TEMP", machine.join("temp"));
        command.env("GITHUB_OUTPUT", machine.join("output"));
        command.env("GITHUB_PATH", machine.join("path"));
        command.env("GITHUB_STEP_SUMMARY", self.folder.path().join("summary"));
        for (name, value) in step["env"].as_mapping().into_iter().flatten() {
            let name = name.as_str().unwrap();
            let value = value.as_str().map_or_else(|| serde_yaml_ng::to_string(value).unwrap(), str::to_owned);
            command.env(name, self.expand(value.trim_end()));
        }
        for (name, value) in &self.overrides {
            if step["env"].get(name.as_str()).is_some() {
                command.env(name, value);
            }
        }
        let output = command.output().unwrap();
        for bytes in [&output.stdout, &output.stderr] {
            said.push_str(&String::from_utf8_lossy(bytes));
        }
        output.status.success()
    }

    fn action(&mut self, step: &Value, workspace: &Path) -> bool {
        let action = step["uses"].as_str().unwrap().split('@').next().unwrap().to_owned();
        let with = |name: &str| step["with"][name].as_str().map(|value| self.expand(value));
        match action.as_str() {
            "actions/checkout" => self.check_out(workspace),
            "actions/upload-artifact" => {
                let to = self.artifact(&with("name").unwrap());
                let _ = std::fs::remove_dir_all(&to);
                copy(&workspace.join(with("path").unwrap()), &to);
            }
            "actions/download-artifact" => match with("name") {
                Some(name) => copy(&self.artifact(&name), &workspace.join(with("path").unwrap_or_default())),
                None => {
                    let place = workspace.join(with("path").unwrap_or_default());
                    let pattern = with("pattern").unwrap();
                    for entry in std::fs::read_dir(self.artifact(".")).unwrap() {
                        let name = entry.unwrap().file_name().into_string().unwrap();
                        if matches(&pattern, &name) {
                            copy(&self.artifact(&name), &place.join(name));
                        }
                    }
                }
            },
            "aws-actions/configure-aws-credentials" => {
                let role = with("role-to-assume").unwrap();
                assert!(role.starts_with("arn:aws:iam::123456789012:role/sbi-"), "{role}");
                self.set("ASSUMED", &role);
                for (output, value) in [
                    ("aws-access-key-id", "ASIAEXAMPLE"),
                    ("aws-secret-access-key", "very-secret-as-well"),
                    ("aws-session-token", "session-of-the-role"),
                ] {
                    self.know(&format!("steps.aws.outputs.{output}"), value);
                }
            }
            "github/codeql-action/upload-sarif" => {
                if workspace.join(with("sarif_file").unwrap()).is_file() {
                    // Without a ref, it is the run's own.
                    let reference = with("ref").unwrap_or_default();
                    let line = format!("sarif {} {reference}\n", with("category").unwrap());
                    let calls = format!("{}{line}", self.read("calls"));
                    std::fs::write(self.at("calls"), calls).unwrap();
                }
            }
            other => panic!("nobody plays {other}"),
        }
        true
    }

    fn collect_outputs(&mut self, step: &Value, machine: &Path) {
        let Some(id) = step["id"].as_str() else { return };
        let outputs = std::fs::read_to_string(machine.join("output")).unwrap_or_default();
        let _ = std::fs::remove_file(machine.join("output"));
        for line in outputs.lines() {
            let (name, value) = line.split_once('=').unwrap();
            self.know(&format!("steps.{id}.outputs.{name}"), value);
        }
    }

    fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").unwrap();
            let expression = expression.trim();
            expanded.push_str(before);
            expanded.push_str(self.context.get(expression).unwrap_or_else(|| panic!("nothing is {expression}")));
            rest = after;
        }
        expanded + rest
    }

    pub(super) fn known(&self, expression: &str) -> Option<&str> {
        self.context.get(expression).map(String::as_str)
    }
}

/// A scan of an image with one package and nothing to report.
pub(super) const CLEAN: &str = r#"{"Results":[{"Packages":[{"Name":"tzdata"}]}]}"#;

/// The globs that sbi renders: `a-*` and `{b,a-*}`.
fn matches(pattern: &str, name: &str) -> bool {
    let inner = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(pattern);
    inner.split(',').any(|one| match one.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == one,
    })
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

impl Outcome {
    #[track_caller]
    pub(super) fn passes(self) -> Self {
        assert!(self.failed_at.is_none(), "failed at {:?}: {}", self.failed_at, self.said);
        self
    }

    #[track_caller]
    pub(super) fn fails_at(self, step: &str, reason: &str) -> Self {
        assert_eq!(self.failed_at.as_deref(), Some(step), "{}", self.said);
        assert!(self.said.contains(reason), "failed without `{reason}`: {}", self.said);
        self
    }

    #[track_caller]
    pub(super) fn fails_with(&self, reason: &str) {
        assert!(self.failed_at.is_some(), "passed: {}", self.said);
        assert!(self.said.contains(reason), "failed without `{reason}`: {}", self.said);
    }

    pub(super) fn passed(&self) -> bool {
        self.failed_at.is_none()
    }

    pub(super) fn said(&self) -> &str {
        &self.said
    }
}
