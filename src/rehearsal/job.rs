//! One job on one machine: its folders, its steps in order, and what they tell it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::actions::action_of;
use super::artifacts::{Artifacts, Refusal};
use super::machine::Machine;
use super::matrix::Combination;
use super::process::{End, Interruption, Script};
use super::runner::{JobRun, JobState, Progress, Rehearsal, StepRun, StepState};
use super::scope::{Gap, Scope};
use super::speech::{Complaint, complaint, pairs};
use super::tools::Trivy;
use super::value;
use super::workflow::{Job, Shell, Step, Variables, Work};
use crate::failure::Failure;

/// GitHub's limit for a job that sets none (GitHub documentation, "Workflow syntax", `timeout-minutes`).
const DEFAULT_TIMEOUT: f64 = 360.0;
/// Lines of a failed step's output that are kept for the person.
const KEPT_LINES: usize = 30;
/// In the script of the step that installs Trivy.
const TRIVY_DOWNLOAD: &str = "aquasecurity/trivy/releases/download";
/// In the script of the step that installs cosign, which only signs what a runner has pushed.
const COSIGN_DOWNLOAD: &str = "sigstore/cosign/releases/download";
/// Signs in to AWS with the job's OIDC token; what follows it in a job needs the account.
const SIGN_IN: &str = "aws-actions/configure-aws-credentials";

/// What steps have changed for the steps after them.
#[derive(Default)]
struct Memory {
    /// `GITHUB_ENV`
    variables: BTreeMap<String, String>,
    /// `GITHUB_PATH`, the last one first.
    path: Vec<String>,
    /// The `steps` context.
    steps: Map<String, Value>,
    /// What later expressions can't have.
    absent: Vec<String>,
    failed: bool,
    /// Why the rest of the job is not rehearsed.
    stopped: Option<String>,
}

/// A job's way through its steps.
pub(super) struct Worker<'a> {
    pub(super) rehearsal: &'a Rehearsal<'a>,
    pub(super) job: &'a Job,
    pub(super) matrix: Combination,
    /// Contexts of the whole run and `needs`.
    pub(super) scope: Scope,
    pub(super) artifacts: &'a Artifacts,
    pub(super) folder: PathBuf,
    pub(super) name: String,
    /// The rest is left out at the first step that needs a credential.
    pub(super) ends_at_credentials: bool,
}

impl Worker<'_> {
    pub(super) async fn run(
        &self,
        interruption: &mut Interruption,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<JobRun, Failure> {
        let started = Instant::now();
        let registries = self.rehearsal.tools.passed.variables.get("CONTAINERS_REGISTRIES_CONF");
        let machine = Machine::new(&self.folder, registries.map(String::as_str))
            .map_err(|error| Failure::new(format!("{} can't be written", self.folder.display())).caused_by(error))?;
        let deadline = started + minutes(self.job.timeout.unwrap_or(DEFAULT_TIMEOUT));
        let mut memory = Memory::default();
        let mut steps: Vec<StepRun> = Vec::new();
        for (index, step) in self.job.steps.iter().enumerate() {
            let begun = Instant::now();
            let scope = self.scope(&memory, &machine);
            let title = step.name.as_ref().and_then(|name| scope.fill(name).ok());
            let title = title.as_ref().map_or_else(|| step.title.clone(), value::text);
            self.log(&format!("== {title}"));
            let state = match &memory.stopped {
                Some(reason) => StepState::LeftOut(reason.clone()),
                None => self
                    .step(index, step, scope, &machine, &mut memory, deadline, interruption, progress)
                    .await
                    .map_err(|failure| failure.during(format!("job `{}`, step `{title}`", self.name)))?,
            };
            self.remember(step, &state, &mut memory, &machine, index)?;
            steps.push(StepRun { name: title, seconds: begun.elapsed().as_secs_f64(), state });
        }
        let outputs = self.outputs(&memory, &machine)?;
        let left_out = steps.iter().any(|step| matches!(step.state, StepState::LeftOut(_)));
        let state = match memory.stopped {
            _ if memory.failed => JobState::Failed,
            Some(reason) => JobState::Partly(reason),
            None => JobState::Passed,
        };
        Ok(JobRun {
            id: self.job.id.clone(),
            name: self.name.clone(),
            arch: self.matrix.get("arch").and_then(Value::as_str).map(str::to_owned),
            state,
            has_gaps: left_out,
            steps,
            outputs,
            seconds: started.elapsed().as_secs_f64(),
            work: machine.work,
        })
    }

    fn scope(&self, memory: &Memory, machine: &Machine) -> Scope {
        let mut scope = self.scope.clone();
        scope.contexts.insert("runner".into(), machine.context());
        scope.contexts.insert("steps".into(), Value::Object(memory.steps.clone()));
        scope.contexts.insert("matrix".into(), Value::Object(self.matrix.clone()));
        scope.contexts.insert("job".into(), json!({ "status": if memory.failed { "failure" } else { "success" } }));
        if let Some(Value::Object(github)) = scope.contexts.get_mut("github") {
            github.insert("job".into(), self.job.id.clone().into());
            github.insert("workspace".into(), machine.work.display().to_string().into());
        }
        scope.absent.extend(memory.absent.iter().cloned());
        scope.status.failed = memory.failed;
        scope.workspace = Some(machine.work.clone());
        scope
    }

    #[allow(clippy::too_many_arguments)]
    async fn step(
        &self,
        index: usize,
        step: &Step,
        mut scope: Scope,
        machine: &Machine,
        memory: &mut Memory,
        deadline: Instant,
        interruption: &mut Interruption,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<StepState, Failure> {
        let unknown = |reason: String| {
            Failure::usage(reason)
                .during(format!("`{}`", self.rehearsal.workflow.file))
                .hinted("the rehearsal knows what sbi renders; `sbi rehearse --render` runs that")
        };
        let (environment, action) = {
            let prepared = self.environment(step, &mut scope, machine, memory, index);
            match prepared.and_then(|environment| Ok((environment, scope.holds(step.condition.as_ref())?))) {
                Ok((_, false)) => return Ok(StepState::Skipped),
                Ok((environment, true)) => (environment, &step.work),
                Err(Gap::Absent(what)) => {
                    // A step that would not have run lacks nothing.
                    if matches!(scope.holds(step.condition.as_ref()), Ok(false)) {
                        return Ok(StepState::Skipped);
                    }
                    return Ok(self.leave_out(memory, format!("it needs `{what}`, which only a runner has")));
                }
                Err(Gap::Unknown(reason)) => return Err(unknown(reason)),
            }
        };
        match action {
            Work::Action { name, with } => match self.action(name, with, &scope, machine) {
                Ok(Some(said)) => {
                    self.log(&said);
                    Ok(StepState::Passed)
                }
                Ok(None) if action_of(name) == SIGN_IN => {
                    Ok(self.leave_out(memory, "it signs in to AWS, which only a runner of this repository can".into()))
                }
                Ok(None) => {
                    Ok(StepState::LeftOut(format!("the rehearsal does not run the action {}", action_of(name))))
                }
                Err(Refusal::Failed(reason)) => {
                    self.log(&reason);
                    Ok(StepState::refused(reason))
                }
                Err(Refusal::Gap(Gap::Absent(what))) => {
                    Ok(self.leave_out(memory, format!("it needs `{what}`, which only a runner has")))
                }
                Err(Refusal::Gap(Gap::Unknown(reason))) => Err(unknown(reason)),
            },
            Work::Run { script, shell, folder } => {
                let fill = |template| scope.fill(template).map(|value| value::text(&value));
                let (script, folder) = match (fill(script), folder.as_ref().map(fill).transpose()) {
                    (Ok(script), Ok(folder)) => (script, folder),
                    (Err(Gap::Absent(what)), _) | (_, Err(Gap::Absent(what))) => {
                        return Ok(self.leave_out(memory, format!("it needs `{what}`, which only a runner has")));
                    }
                    (Err(Gap::Unknown(reason)), _) | (_, Err(Gap::Unknown(reason))) => return Err(unknown(reason)),
                };
                if let (true, Trivy::Installed { version, .. }) =
                    (script.contains(TRIVY_DOWNLOAD), &self.rehearsal.tools.trivy)
                {
                    return Ok(StepState::LeftOut(format!("Trivy {version} of this machine scans instead")));
                }
                if script.contains(COSIGN_DOWNLOAD) {
                    return Ok(StepState::LeftOut("nothing is signed in a rehearsal".into()));
                }
                let file = machine.files.join(format!("step-{index}.sh"));
                std::fs::write(&file, script)
                    .map_err(|error| Failure::new("a script can't be written").caused_by(error))?;
                let (program, arguments) = command_line(*shell, &file);
                let limit = step.timeout.map_or(deadline, |limit| deadline.min(Instant::now() + minutes(limit)));
                let script = Script {
                    program,
                    arguments: &arguments,
                    folder: &folder.map_or_else(|| machine.work.clone(), |folder| machine.work.join(folder)),
                    environment: &environment,
                    deadline: limit,
                };
                self.script(&script, interruption, progress).await
            }
        }
    }

    /// Without this step; and without the rest, where the rest is about what this step would have got.
    fn leave_out(&self, memory: &mut Memory, reason: String) -> StepState {
        if self.ends_at_credentials {
            memory.stopped = Some("what follows signing in is not rehearsed".into());
        }
        StepState::LeftOut(reason)
    }

    async fn script(
        &self,
        script: &Script<'_>,
        interruption: &mut Interruption,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<StepState, Failure> {
        let mut complaints: Vec<Complaint> = Vec::new();
        let mut tail = std::collections::VecDeque::new();
        let mut log = OpenOptions::new().create(true).append(true).open(self.log_file()).ok();
        let line = |line: &str| {
            complaints.extend(complaint(line));
            if tail.len() == KEPT_LINES {
                tail.pop_front();
            }
            tail.push_back(line.to_owned());
            if let Some(log) = &mut log {
                // A log that can't be written is no reason to stop; the same lines are shown when a step fails.
                let _ = writeln!(log, "{line}");
            }
            progress(Progress::Line(line));
        };
        let end = script.run(interruption, line).await?;
        let code = match end {
            End::Status(status) => status.code(),
            End::TimedOut => None,
        };
        let reason = match end {
            End::Status(status) if status.success() => return Ok(StepState::Passed),
            End::TimedOut => "it took longer than its timeout-minutes".to_owned(),
            End::Status(status) => match status.code() {
                Some(code) => format!("it ended with code {code}"),
                None => "it was killed".to_owned(),
            },
        };
        Ok(StepState::Failed { reason, code, complaints, tail: tail.into() })
    }

    /// The whole environment of a step's script. Its `env` context grows with it.
    fn environment(
        &self,
        step: &Step,
        scope: &mut Scope,
        machine: &Machine,
        memory: &Memory,
        index: usize,
    ) -> Result<BTreeMap<String, String>, Gap> {
        let tools = self.rehearsal.tools;
        let mut environment = tools.passed.variables.clone();
        environment.extend(tools.variables.clone());
        environment.extend(machine.variables(self.rehearsal.event, &self.job.id, index));
        let mut own = BTreeMap::new();
        let layers = [&self.rehearsal.workflow.env, &self.job.env];
        let mut add = |own: &mut BTreeMap<String, String>, layer: &Variables| -> Result<(), Gap> {
            for (name, template) in layer {
                own.insert(name.clone(), value::text(&scope.fill(template)?));
            }
            let context = own.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            scope.contexts.insert("env".into(), Value::Object(context));
            Ok(())
        };
        for layer in layers {
            add(&mut own, layer)?;
        }
        own.extend(memory.variables.clone());
        add(&mut own, &step.env)?;
        environment.extend(own);
        let path = environment.get("PATH").cloned().unwrap_or_default();
        let bin = tools.bin.display().to_string();
        let path: Vec<&str> = memory.path.iter().map(String::as_str).chain([bin.as_str(), path.as_str()]).collect();
        environment.insert("PATH".into(), path.join(":"));
        Ok(environment)
    }

    /// Takes over what a step left for those after it.
    fn remember(
        &self,
        step: &Step,
        state: &StepState,
        memory: &mut Memory,
        machine: &Machine,
        index: usize,
    ) -> Result<(), Failure> {
        let read = |name: &str| std::fs::read_to_string(machine.file_behind(name, index)).unwrap_or_default();
        let understood = |name: &str| {
            pairs(&read(name)).map_err(|reason| {
                Failure::new(format!("the pipeline would stop: {reason}"))
                    .during(format!("job `{}`, step `{}`: {name}", self.name, step.title))
            })
        };
        let outputs: Map<String, Value> =
            understood("GITHUB_OUTPUT")?.into_iter().map(|(name, value)| (name, value.into())).collect();
        memory.variables.extend(understood("GITHUB_ENV")?);
        for folder in read("GITHUB_PATH").lines().filter(|line| !line.is_empty()) {
            memory.path.insert(0, folder.to_owned());
        }
        let (outcome, conclusion) = match state {
            StepState::Passed => ("success", "success"),
            StepState::Skipped | StepState::LeftOut(_) => ("skipped", "skipped"),
            StepState::Failed { .. } if step.continue_on_error => ("failure", "success"),
            StepState::Failed { .. } => ("failure", "failure"),
        };
        memory.failed |= conclusion == "failure";
        if let Some(id) = &step.id {
            if matches!(state, StepState::LeftOut(_)) {
                memory.absent.push(format!("steps.{id}.outputs"));
            }
            let result = json!({ "outputs": outputs, "outcome": outcome, "conclusion": conclusion });
            memory.steps.insert(id.clone(), result);
        }
        Ok(())
    }

    fn outputs(&self, memory: &Memory, machine: &Machine) -> Result<Map<String, Value>, Failure> {
        let scope = self.scope(memory, machine);
        let mut outputs = Map::new();
        for (name, template) in &self.job.outputs {
            match scope.fill(template) {
                Ok(value) => outputs.insert(name.clone(), Value::String(value::text(&value))),
                Err(Gap::Absent(_)) => outputs.insert(name.clone(), Value::String(String::new())),
                Err(Gap::Unknown(reason)) => {
                    let place = format!("`{}`: job `{}`, output `{name}`", self.rehearsal.workflow.file, self.job.id);
                    return Err(Failure::usage(reason).during(place));
                }
            };
        }
        Ok(outputs)
    }

    fn log_file(&self) -> PathBuf {
        self.rehearsal.folder.join("logs").join(format!("{}.log", file_name(&self.name)))
    }

    fn log(&self, line: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.log_file());
        if let Ok(mut file) = file {
            let _ = writeln!(file, "{line}");
        }
    }
}

/// A name that every file system takes.
pub(super) fn file_name(name: &str) -> String {
    let mut safe = String::new();
    for c in name.chars() {
        let fits = c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        // Writing to a String can't fail.
        let _ = if fits { write!(safe, "{c}") } else { write!(safe, "_") };
    }
    safe
}

fn minutes(number: f64) -> Duration {
    Duration::try_from_secs_f64(number * 60.0).unwrap_or(Duration::from_secs(6 * 60 * 60))
}

fn command_line(shell: Shell, file: &Path) -> (&'static str, Vec<OsString>) {
    let (program, arguments): (_, &[&str]) = match shell {
        Shell::Unnamed => ("bash", &["-e"]),
        Shell::Bash => ("bash", &["--noprofile", "--norc", "-eo", "pipefail"]),
        Shell::Sh => ("sh", &["-e"]),
    };
    (program, arguments.iter().map(OsString::from).chain([file.as_os_str().to_owned()]).collect())
}
