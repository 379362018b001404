//! Runs whole jobs of a rendered workflow as GitHub does, with the real programs: conditions, matrices, artifacts and
//! `uses:` steps included. Only the build and the downloads of tools are left to other tests.

mod actions;
mod matrix;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sbi::model::desired::RenderedFile;
use serde_yaml_ng::Value;

use super::expressions::Scope;
use super::registry::PASSWORD;
use crate::support::tools::{own_tool, root, system_tool};

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Success,
    Skipped,
    /// At this step.
    Failure(String),
}

/// A SARIF report that a job uploaded.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) category: String,
    pub(super) text: String,
}

/// One run of a workflow, and the folders it leaves behind.
pub(super) struct Run {
    folder: tempfile::TempDir,
    workflow: Value,
    scope: Scope,
    /// What the scripts find beside what the workflow gives them: where the real programs and the database are.
    environment: BTreeMap<String, String>,
    /// Jobs that another test stands for, with the artifacts they would have left.
    provided: Vec<String>,
    /// The settings of the copier: which registries are the ones on loopback.
    registries: String,
    pub(super) ended: BTreeMap<String, Ended>,
    /// Everything the scripts printed, job by job.
    pub(super) log: String,
    /// The summaries of all jobs.
    pub(super) summary: String,
    pub(super) uploads: Vec<Upload>,
    /// The roles that were assumed, job by job.
    pub(super) roles: Vec<(String, String)>,
    /// How long each step took.
    pub(super) took: Vec<(String, Duration)>,
}

/// Whether everything is here that the jobs call.
pub(super) fn tools_are_here() -> bool {
    let system = ["skopeo", "jq", "curl", "git", "docker-registry", "setpriv", "unshare"];
    system.iter().all(|name| system_tool(name).is_some()) && own_tool("trivy").is_some()
}

impl Run {
    /// A run of the workflow at `path` of the rendered files, which lie in a commit of their own. The registry's host
    /// in the files becomes the address of the local one.
    pub(super) fn new(files: &[RenderedFile], path: &str, registry: (&str, &str)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path());
        for name in ["repository", "artifacts", "jobs", "cache", "bin"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            open(&folder.path().join(name));
        }
        let repository = folder.path().join("repository");
        for file in files {
            let target = repository.join(&file.path);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::write(target, &file.text).unwrap();
        }
        let text = &files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).text;
        let workflow = serde_yaml_ng::from_str(&text.replace(registry.0, registry.1)).unwrap();
        let mut run = Self {
            folder,
            workflow,
            scope: Scope::default(),
            environment: BTreeMap::new(),
            provided: Vec::new(),
            registries: String::new(),
            ended: BTreeMap::new(),
            log: String::new(),
            summary: String::new(),
            uploads: Vec::new(),
            roles: Vec::new(),
            took: Vec::new(),
        };
        let revision = run.commit();
        for (name, value) in [
            ("github.actor", "octocat"),
            ("github.event.repository.default_branch", "main"),
            ("github.job", "job"),
            ("github.repository", "acme/base-images"),
            ("github.repository_id", "1296269"),
            ("github.repository_owner", "acme"),
            ("github.repository_owner_id", "583231"),
            ("github.run_attempt", "1"),
            ("github.run_id", "4711"),
            ("github.run_number", "1"),
            ("github.server_url", "https://github.com"),
            ("github.sha", revision.as_str()),
            ("github.token", "token-of-the-job"),
            ("github.workflow", "Publish to ECR"),
        ] {
            run.scope.set(name, value);
        }
        run.give("REAL_REGISTRY", registry.1).give("REAL_PASSWORD", PASSWORD);
        for (name, value) in [
            ("TRIVY_DISABLE_TELEMETRY", "true"),
            ("TRIVY_OFFLINE_SCAN", "true"),
            ("TRIVY_SKIP_DB_UPDATE", "true"),
            ("TRIVY_SKIP_JAVA_DB_UPDATE", "true"),
            ("TRIVY_SKIP_VERSION_CHECK", "true"),
            ("TRIVY_SKIP_VEX_REPO_UPDATE", "true"),
        ] {
            run.give(name, value);
        }
        run.give("TRIVY_CACHE_DIR", &run.cache().display().to_string());
        if let Some(trivy) = own_tool("trivy") {
            run.give("REAL_TRIVY", &trivy.canonicalize().unwrap().display().to_string());
        }
        run
    }

    /// Sends what is asked of these hosts to a registry on loopback, in plain HTTP, as it must be for the other.
    pub(super) fn remap(&mut self, hosts: &[&str], public: &str, private: &str) -> &mut Self {
        let mut text = "unqualified-search-registries = []\n".to_owned();
        for address in [public, private] {
            text += &format!("[[registry]]\nlocation = \"{address}\"\ninsecure = true\n");
        }
        for host in hosts {
            text += &format!("[[registry]]\nprefix = \"{host}\"\nlocation = \"{public}/{host}\"\ninsecure = true\n");
        }
        self.registries = text;
        self
    }

    /// The event of a published release.
    pub(super) fn released(mut self, tag: &str) -> Self {
        self.scope.set("github.event_name", "release");
        self.scope.set("github.event.release.tag_name", tag);
        self.scope.set("github.ref", format!("refs/tags/{tag}"));
        self.scope.set("github.ref_name", tag);
        self.scope.set("github.ref_type", "tag");
        self.workflow_ref(&format!("publish-to-ecr.yml@refs/tags/{tag}"))
    }

    /// The event of a schedule, which has no other branch than the default one.
    pub(super) fn at_night(mut self) -> Self {
        self.scope.set("github.event_name", "schedule");
        self.scope.set("github.ref", "refs/heads/main");
        self.scope.set("github.ref_name", "main");
        self.scope.set("github.ref_type", "branch");
        self.scope.set("github.workflow", "Rescan releases");
        self.workflow_ref("rescan.yml@refs/heads/main")
    }

    fn workflow_ref(mut self, reference: &str) -> Self {
        self.scope.set("github.workflow_ref", format!("acme/base-images/.github/workflows/{reference}"));
        self.scope.set("github.workflow_sha", self.scope.values["github.sha"].clone());
        self
    }

    pub(super) fn secret(&mut self, name: &str, value: &str) -> &mut Self {
        self.scope.set(&format!("secrets.{name}"), value);
        self
    }

    /// Sets a variable of the scripts' environment.
    pub(super) fn give(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Puts a program first on the scripts' `PATH`.
    pub(super) fn program(&mut self, name: &str, text: &str) -> &mut Self {
        let path = self.at("bin").join(name);
        std::fs::write(&path, text).unwrap();
        mode(&path, 0o755);
        self
    }

    /// Stands for a job that left this folder as an artifact.
    pub(super) fn provide(&mut self, job: &str, artifact: &str, fill: impl FnOnce(&Path)) -> &mut Self {
        let folder = self.artifact(artifact);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        fill(&folder);
        if !self.provided.iter().any(|name| name == job) {
            self.provided.push(job.into());
        }
        self
    }

    pub(super) fn artifact(&self, name: &str) -> PathBuf {
        self.at("artifacts").join(name)
    }

    /// Trivy's cache, where a test puts its database.
    pub(super) fn cache(&self) -> PathBuf {
        self.at("cache")
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.at("repository")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs all jobs, each after those it needs.
    pub(super) fn all(&mut self) -> &mut Self {
        let jobs: Vec<String> =
            self.workflow["jobs"].as_mapping().unwrap().keys().map(|job| job.as_str().unwrap().to_owned()).collect();
        self.only(&jobs.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs these jobs, as a person re-runs them; what they need keeps its result.
    pub(super) fn only(&mut self, jobs: &[&str]) -> &mut Self {
        for job in jobs {
            let body = self.workflow["jobs"][*job].clone();
            assert!(body.is_mapping(), "there is no job {job}");
            let ended = self.job(job, &body);
            self.log += &format!("== {job}: {ended:?}\n");
            let result = match ended {
                Ended::Success => "success",
                Ended::Skipped => "skipped",
                Ended::Failure(_) => "failure",
            };
            self.scope.set(&format!("needs.{job}.result"), result);
            self.ended.insert((*job).to_owned(), ended);
        }
        self
    }

    fn job(&mut self, name: &str, body: &Value) -> Ended {
        if self.provided.iter().any(|job| job == name) {
            return Ended::Success;
        }
        let needs: Vec<&str> = match &body["needs"] {
            Value::Null => Vec::new(),
            Value::String(one) => vec![one],
            many => many.as_sequence().unwrap().iter().map(|job| job.as_str().unwrap()).collect(),
        };
        let results: Vec<&Ended> = needs
            .iter()
            .map(|job| self.ended.get(*job).unwrap_or_else(|| panic!("{name} stands before {job}, which it needs")))
            .collect();
        let mut scope = self.scope.clone();
        scope.failed = results.iter().any(|ended| **ended != Ended::Success);
        if !scope.allows(body["if"].as_str()) {
            return Ended::Skipped;
        }
        scope.failed = false;
        let mut ended = Ended::Success;
        for cell in matrix::cells(body) {
            let mut scope = scope.clone();
            for (key, value) in &cell {
                scope.set(&format!("matrix.{key}"), value.clone());
            }
            if let failure @ Ended::Failure(_) = self.cell(name, body, scope) {
                ended = failure;
            }
        }
        ended
    }

    /// One runner: a work folder, a temporary folder and the steps, up to the first that fails.
    fn cell(&mut self, job: &str, body: &Value, mut scope: Scope) -> Ended {
        let number = std::fs::read_dir(self.at("jobs")).unwrap().count();
        let place = self.at("jobs").join(format!("{number}-{job}"));
        let (work, temp) = (place.join("work"), place.join("temp"));
        for folder in [&place, &work, &temp] {
            std::fs::create_dir_all(folder).unwrap();
            open(folder);
        }
        let settings = place.join("home/.config/containers");
        std::fs::create_dir_all(&settings).unwrap();
        std::fs::write(settings.join("registries.conf"), &self.registries).unwrap();
        scope.folder.clone_from(&work);
        scope.set("runner.temp", temp.display().to_string());
        scope.set("runner.arch", "X64");
        scope.set("runner.os", "Linux");
        scope.set("github.workspace", work.display().to_string());
        let mut ended = Ended::Success;
        let mut carried = BTreeMap::new();
        let mut paths =
            vec![self.at("bin").display().to_string(), root().join("tests/tools/real").display().to_string()];
        for step in body["steps"].as_sequence().unwrap() {
            let name = step["name"].as_str().or_else(|| step["uses"].as_str()).unwrap_or("a step");
            if !scope.allows(step["if"].as_str()) {
                continue;
            }
            self.log += &format!("-- {job}: {name}\n");
            let since = Instant::now();
            let outputs = if let Some(script) = step["run"].as_str() {
                if installs_a_tool(script) {
                    self.log += "(the tool is here already)\n";
                    continue;
                }
                let mut environment = self.standard(&scope, &place);
                environment.extend(carried.clone());
                for holder in [&self.workflow["env"], &body["env"], &step["env"]] {
                    for (key, value) in holder.as_mapping().into_iter().flatten() {
                        environment.insert(key.as_str().unwrap().into(), scope.fill(&scalar(value)));
                    }
                }
                environment
                    .insert("PATH".into(), format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", paths.join(":")));
                let script = scope.fill(script);
                self.execute(&script, &work, &environment).map(|()| {
                    let read = |file: &str| std::fs::read_to_string(place.join(file)).unwrap_or_default();
                    paths.extend(read("path").lines().map(str::to_owned));
                    carried.extend(assignments(&read("env")));
                    assignments(&read("output"))
                })
            } else {
                self.action(job, step, &scope, &work)
            };
            self.took.push((format!("{job}: {name}"), since.elapsed()));
            match outputs {
                Some(outputs) => {
                    let id = step["id"].as_str().unwrap_or_default();
                    for (key, value) in outputs {
                        scope.set(&format!("steps.{id}.outputs.{key}"), value);
                    }
                }
                None if step["continue-on-error"].as_bool() == Some(true) => {}
                None if ended == Ended::Success => {
                    scope.failed = true;
                    ended = Ended::Failure(name.to_owned());
                }
                None => {}
            }
            let _ = std::fs::remove_file(place.join("output"));
        }
        self.summary += &std::fs::read_to_string(place.join("summary")).unwrap_or_default();
        for (key, value) in body["outputs"].as_mapping().into_iter().flatten() {
            let value = scope.fill(value.as_str().unwrap());
            self.scope.set(&format!("needs.{job}.outputs.{}", key.as_str().unwrap()), value);
        }
        ended
    }

    fn standard(&self, scope: &Scope, place: &Path) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        for name in [
            "event_name",
            "ref",
            "ref_name",
            "ref_type",
            "repository",
            "repository_id",
            "repository_owner",
            "repository_owner_id",
            "run_attempt",
            "run_id",
            "server_url",
            "sha",
            "workflow_ref",
            "workflow_sha",
            "workspace",
        ] {
            if let Some(value) = scope.values.get(&format!("github.{name}")) {
                environment.insert(format!("GITHUB_{}", name.to_uppercase()), value.clone());
            }
        }
        for (name, file) in [
            ("GITHUB_OUTPUT", "output"),
            ("GITHUB_PATH", "path"),
            ("GITHUB_ENV", "env"),
            ("GITHUB_STEP_SUMMARY", "summary"),
            ("RUNNER_TEMP", "temp"),
            ("HOME", "home"),
        ] {
            environment.insert(name.into(), place.join(file).display().to_string());
        }
        environment.extend(
            [("CI", "true"), ("GITHUB_ACTIONS", "true"), ("RUNNER_ENVIRONMENT", "github-hosted")]
                .map(|(name, value)| (name.into(), value.into())),
        );
        environment
    }

    fn execute(&mut self, script: &str, work: &Path, environment: &BTreeMap<String, String>) -> Option<()> {
        let file = work.parent().unwrap().join("script");
        std::fs::write(&file, script).unwrap();
        // The scanner runs as nobody and writes into folders that the script makes.
        let output = Command::new("/bin/bash")
            .args(["-c", "umask 0; exec /bin/bash --noprofile --norc -eo pipefail \"$0\""])
            .arg(&file)
            .current_dir(work)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        self.log += &String::from_utf8_lossy(&output.stdout);
        self.log += &String::from_utf8_lossy(&output.stderr);
        output.status.success().then_some(())
    }

    fn commit(&self) -> String {
        let git = |arguments: &[&str]| {
            let output = Command::new("git")
                .args(["-c", "user.name=test", "-c", "user.email=test@acme.example", "-c", "commit.gpgsign=false"])
                .args(arguments)
                .current_dir(self.repository())
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_SYSTEM", "/dev/null")
                .env("GIT_AUTHOR_DATE", "2026-11-01T00:00:00Z")
                .env("GIT_COMMITTER_DATE", "2026-11-01T00:00:00Z")
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        git(&["init", "--quiet", "--initial-branch=main"]);
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message=all"]);
        git(&["rev-parse", "HEAD"])
    }

    #[track_caller]
    pub(super) fn assert_ended(&self, job: &str, ended: &Ended) {
        assert_eq!(&self.ended[job], ended, "{job}\n{}", self.log);
    }

    /// The job failed, and told why in these words.
    #[track_caller]
    pub(super) fn assert_failed(&self, job: &str, reason: &str) {
        assert!(matches!(self.ended[job], Ended::Failure(_)), "{job} is {:?}\n{}", self.ended[job], self.log);
        assert!(self.log.contains(reason), "failed without `{reason}`\n{}", self.log);
    }
}

/// A tool's download, checked against a checksum: the tests of the scripts hold it against right and wrong bytes.
fn installs_a_tool(script: &str) -> bool {
    script.contains("curl ") && script.contains("https://github.com/") && script.contains("sha256sum --check")
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        other => panic!("{other:?} is no scalar"),
    }
}

/// The `name=value` lines and `name<<END` blocks of a runner's file.
fn assignments(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some((name, end)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            found.insert(name.to_owned(), value.join("\n"));
        } else if let Some((name, value)) = line.split_once('=') {
            found.insert(name.to_owned(), value.to_owned());
        }
    }
    found
}

fn open(folder: &Path) {
    mode(folder, 0o777);
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
