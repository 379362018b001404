//! The programs that a rehearsal finds instead of the runner's: an engine that builds images, and Trivy.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::environment::{Passed, found_on};
use crate::failure::Failure;

/// How long a program may take to say its version or whether its server is there.
const PATIENCE: Duration = Duration::from_secs(20);

/// The stand-in for docker, without its first lines.
const DOCKER: &str = include_str!("docker.sh");

/// Which program builds images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// `docker buildx`, as on the runner.
    Docker,
    Buildah,
    Podman,
}

impl EngineKind {
    /// In the order in which they are looked for: the runner's own first, then the one without a daemon.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Buildah, Self::Podman];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Buildah => "buildah",
            Self::Podman => "podman",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Engine {
    pub kind: EngineKind,
    /// As the program says it.
    pub version: String,
    path: PathBuf,
}

/// Which Trivy scans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trivy {
    /// This one; the step that installs another is left out.
    Installed { path: PathBuf, version: String },
    /// The one that the workflow downloads and checks.
    Download,
}

/// What the person wishes for.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    pub engine: Option<EngineKind>,
    /// A path, `download`, or `None` for the one on `PATH` when there is one.
    pub trivy: Option<String>,
}

/// All of it, ready to be used.
pub struct Tools {
    pub engine: Engine,
    pub trivy: Trivy,
    pub passed: Passed,
    /// Comes first on `PATH`.
    pub bin: PathBuf,
    /// What a job's scripts see beside `passed`.
    pub variables: BTreeMap<String, String>,
    buildx: PathBuf,
}

impl Tools {
    /// Finds them, and writes the stand-in for docker into `folder` where it is needed.
    ///
    /// # Errors
    /// Usage, when there is no engine, or not the one that was asked for, or no such Trivy: it says what to install.
    pub async fn find(
        wishes: &Wishes,
        person: &BTreeMap<String, String>,
        passed: Passed,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let bin = folder.join("bin");
        let buildx = folder.join("buildx");
        std::fs::create_dir_all(&bin)
            .map_err(|error| Failure::new(format!("{} can't be written", bin.display())).caused_by(error))?;
        let engine = find_engine(wishes.engine, &passed).await?;
        let trivy = find_trivy(wishes.trivy.as_deref(), &passed).await?;
        let mut variables = BTreeMap::new();
        if engine.kind == EngineKind::Docker {
            // Builders of the person's own are out of sight, so that none is used or removed.
            variables.insert("BUILDX_CONFIG".into(), buildx.display().to_string());
            variables.insert("DOCKER_CONFIG".into(), passed.docker_config(person).display().to_string());
        } else {
            write_docker(&bin.join("docker"), &engine.path, &passed.home)?;
        }
        if let Trivy::Installed { path, .. } = &trivy {
            let linked = std::os::unix::fs::symlink(path, bin.join("trivy"));
            linked.map_err(|error| Failure::new("trivy can't be linked").caused_by(error))?;
        }
        Ok(Self { engine, trivy, passed, bin, variables, buildx })
    }

    /// Removes the builders that a job has made; the runner's machine would be gone.
    pub async fn clean_up(&self) {
        let builders = std::fs::read_dir(self.buildx.join("instances"));
        for builder in builders.into_iter().flatten().flatten() {
            let mut command = Command::new(&self.engine.path);
            command.args(["buildx", "rm", "--force"]).arg(builder.file_name());
            // What can't be removed stays in docker under its name, and is no reason for a rehearsal to fail.
            let _ = answer(command.env("BUILDX_CONFIG", &self.buildx)).await;
        }
    }
}

async fn answer(command: &mut Command) -> Option<Output> {
    let ran = command.stdin(Stdio::null()).kill_on_drop(true).output();
    timeout(PATIENCE, ran).await.ok()?.ok().filter(|output| output.status.success())
}

fn first_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned()
}

/// The engine when it is there and works.
async fn look_for(kind: EngineKind, passed: &Passed) -> Result<Engine, &'static str> {
    let path = passed.variables.get("PATH").map_or("", String::as_str);
    let program = found_on(path, kind.as_str()).ok_or("it is not installed")?;
    let mut command = Command::new(&program);
    let version = match kind {
        EngineKind::Docker => {
            let server = answer(Command::new(&program).args(["version", "--format", "{{.Server.Version}}"])).await;
            server.ok_or("its daemon does not answer")?;
            answer(command.args(["buildx", "version"])).await.ok_or("its plugin buildx is missing")?
        }
        EngineKind::Buildah | EngineKind::Podman => {
            answer(command.arg("--version")).await.ok_or("it does not say its version")?
        }
    };
    Ok(Engine { kind, version: first_line(&version), path: program })
}

async fn find_engine(wished: Option<EngineKind>, passed: &Passed) -> Result<Engine, Failure> {
    let mut refusals = Vec::new();
    let kinds = wished.map_or_else(|| EngineKind::ALL.to_vec(), |kind| vec![kind]);
    for kind in kinds {
        match look_for(kind, passed).await {
            Ok(engine) => return Ok(engine),
            Err(reason) => refusals.push(format!("{}: {reason}", kind.as_str())),
        }
    }
    let failure = Failure::usage("there is no engine that builds images").caused_by(refusals.join("; "));
    Err(failure.hinted("install docker with buildx, podman or buildah; `apt-get install buildah` is the smallest"))
}

async fn find_trivy(wished: Option<&str>, passed: &Passed) -> Result<Trivy, Failure> {
    let path = passed.variables.get("PATH").map_or("", String::as_str);
    let (program, is_wished) = match wished {
        Some("download") => return Ok(Trivy::Download),
        Some(place) => (Some(PathBuf::from(place)), true),
        None => (found_on(path, "trivy"), false),
    };
    let Some(program) = program else { return Ok(Trivy::Download) };
    let program = std::path::absolute(&program).unwrap_or(program);
    match answer(Command::new(&program).args(["version", "--format", "json"])).await {
        Some(output) => {
            let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let version = said["Version"].as_str().unwrap_or("of an unknown version").to_owned();
            Ok(Trivy::Installed { path: program, version })
        }
        None if is_wished => Err(Failure::usage(format!("{} is no Trivy that runs", program.display()))
            .hinted("give the path of a trivy, or `--trivy download` for the one that the workflow pins")),
        None => Ok(Trivy::Download),
    }
}

/// In single quotes, as the shell reads it.
fn quoted(place: &Path) -> String {
    format!("'{}'", place.to_string_lossy().replace('\'', r"'\''"))
}

fn write_docker(place: &Path, engine: &Path, home: &Path) -> Result<(), Failure> {
    let script = format!("#!/usr/bin/env bash\nengine={}\nhome={}\n{DOCKER}", quoted(engine), quoted(home));
    std::fs::write(place, script)
        .and_then(|()| std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755)))
        .map_err(|error| Failure::new(format!("{} can't be written", place.display())).caused_by(error))
}
