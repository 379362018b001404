//! A whole run: which jobs run, how often, in which order, and what their ends mean for the others.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::artifacts::Artifacts;
use super::event::Event;
use super::job::{Worker, file_name};
use super::matrix::{Combination, combinations};
use super::process::Interruption;
use super::scope::{Gap, Scope};
use super::source::Source;
use super::speech::Complaint;
use super::tools::Tools;
use super::value;
use super::workflow::{Axis, Job, Matrix, Work, Workflow};
use crate::failure::Failure;

/// The job whose first part, before it signs in, is rehearsed although its condition asks for a release.
const PUBLISH: &str = "publish";
/// What only a runner has.
const ABSENT: &[&str] = &["secrets", "github.token"];

/// One run of a workflow.
pub struct Rehearsal<'a> {
    pub workflow: &'a Workflow,
    pub source: &'a Source,
    pub tools: &'a Tools,
    pub event: &'a Event,
    /// Where everything happens; removed by whoever made it.
    pub folder: &'a Path,
    /// The architectures that are wanted; all when empty.
    pub architectures: &'a [String],
}

/// What is going on.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    Begins { job: &'a str, is_slow: bool },
    Line(&'a str),
    Ended(&'a JobRun),
}

/// How one job ended.
#[derive(Clone, Debug)]
pub struct JobRun {
    pub id: String,
    /// With the values of its matrix.
    pub name: String,
    /// `matrix.arch`, where the job has one.
    pub arch: Option<String>,
    pub state: JobState,
    /// A step of it was left out.
    pub has_gaps: bool,
    pub steps: Vec<StepRun>,
    pub outputs: Map<String, Value>,
    pub seconds: f64,
    /// Its work folder.
    pub work: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    Passed,
    /// Up to a step that needs what a rehearsal lacks; the reason.
    Partly(String),
    Failed,
    /// Its condition, or a job that it needs, kept it from running.
    Skipped(String),
}

#[derive(Clone, Debug)]
pub struct StepRun {
    pub name: String,
    pub seconds: f64,
    pub state: StepState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    Passed,
    /// By its condition, or after a failure.
    Skipped,
    /// Not rehearsed; the reason.
    LeftOut(String),
    Failed {
        reason: String,
        /// The exit code of its script, when it had one.
        code: Option<i32>,
        complaints: Vec<Complaint>,
        /// The last lines of its output.
        tail: Vec<String>,
    },
}

impl StepState {
    pub(super) fn refused(reason: String) -> Self {
        Self::Failed { reason, code: None, complaints: Vec::new(), tail: Vec::new() }
    }
}

impl JobRun {
    fn skipped(job: &Job, name: String, reason: String) -> Self {
        Self {
            id: job.id.clone(),
            name,
            arch: None,
            state: JobState::Skipped(reason),
            has_gaps: false,
            steps: Vec::new(),
            outputs: Map::new(),
            seconds: 0.0,
            work: PathBuf::new(),
        }
    }

    /// The step that made it fail.
    #[must_use]
    pub fn failed_step(&self) -> Option<&StepRun> {
        self.steps.iter().find(|step| matches!(step.state, StepState::Failed { .. }))
    }
}

/// Whether a job may start.
enum Start {
    Now,
    /// Its condition says no, but the part of it that needs no account is rehearsed.
    FirstPart,
    Never(String),
}

impl Rehearsal<'_> {
    /// Where uploaded artifacts are.
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.folder.join("artifacts")
    }

    /// Runs every job that can run, one after the other.
    ///
    /// # Errors
    /// Usage, for a construct that the rehearsal does not know; `Cancelled`. A job that fails is no error.
    pub async fn run(
        &self,
        interruption: &mut Interruption,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<Vec<JobRun>, Failure> {
        for folder in [self.artifacts(), self.folder.join("logs")] {
            std::fs::create_dir_all(&folder)
                .map_err(|error| Failure::new(format!("{} can't be written", folder.display())).caused_by(error))?;
        }
        let artifacts = Artifacts { folder: self.artifacts() };
        let mut ended: Vec<JobRun> = Vec::new();
        for job in &self.workflow.jobs {
            let scope = self.scope(job, &ended);
            let unknown = |reason: String| {
                Failure::usage(reason)
                    .during(format!("`{}`: job `{}`", self.workflow.file, job.id))
                    .hinted("the rehearsal knows what sbi renders; `sbi rehearse --render` runs that")
            };
            let start = match self.start(job, &scope, &ended) {
                Ok(start) => start,
                Err(Gap::Absent(what)) => {
                    Start::Never(format!("its condition asks for `{what}`, which only a runner has"))
                }
                Err(Gap::Unknown(reason)) => return Err(unknown(reason)),
            };
            if let Start::Never(reason) = start {
                ended.push(self.over(JobRun::skipped(job, job.id.clone(), reason), progress));
                continue;
            }
            let all = match combinations(&job.matrix, &scope) {
                Ok(all) => all,
                Err(Gap::Absent(what)) => {
                    let reason = format!("its matrix asks for `{what}`, which only a runner has");
                    ended.push(self.over(JobRun::skipped(job, job.id.clone(), reason), progress));
                    continue;
                }
                Err(Gap::Unknown(reason)) => return Err(unknown(reason)),
            };
            for matrix in all {
                let name = name_of(job, &matrix, &scope);
                if self.is_left_out(&matrix) {
                    let reason = "its architecture is not rehearsed".to_owned();
                    let mut run = JobRun::skipped(job, name, reason);
                    run.has_gaps = true;
                    ended.push(self.over(run, progress));
                    continue;
                }
                progress(Progress::Begins { job: &name, is_slow: is_slow(job) });
                let worker = Worker {
                    rehearsal: self,
                    job,
                    matrix,
                    scope: scope.clone(),
                    artifacts: &artifacts,
                    folder: self.folder.join("jobs").join(file_name(&format!("{}-{name}", ended.len()))),
                    name,
                    ends_at_credentials: job.id == PUBLISH || signs_in(job),
                };
                let run = worker.run(interruption, progress).await;
                self.tools.clean_up().await;
                ended.push(self.over(run?, progress));
            }
        }
        Ok(ended)
    }

    fn over(&self, run: JobRun, progress: &dyn Fn(Progress<'_>)) -> JobRun {
        progress(Progress::Ended(&run));
        run
    }

    fn is_left_out(&self, matrix: &Combination) -> bool {
        let arch = matrix.get("arch").and_then(Value::as_str);
        !self.architectures.is_empty()
            && arch.is_some_and(|arch| !self.architectures.iter().any(|wanted| wanted == arch))
    }

    fn start(&self, job: &Job, scope: &Scope, ended: &[JobRun]) -> Result<Start, Gap> {
        if let Some(reason) = job.beyond {
            return Ok(Start::Never(format!("{reason}, which is not rehearsed")));
        }
        let needed = || ended.iter().filter(|run| job.needs.contains(&run.id));
        let lacks = |run: &JobRun| match run.state {
            JobState::Partly(_) => true,
            // What is left out by architecture is missed by jobs that take all of them together.
            JobState::Skipped(_) => run.has_gaps && !is_per_architecture(job),
            JobState::Passed | JobState::Failed => false,
        };
        if needed().any(lacks) {
            return Ok(Start::Never("a job that it needs was rehearsed in part only".into()));
        }
        if scope.holds(job.condition.as_ref())? {
            return Ok(Start::Now);
        }
        if job.id == PUBLISH && !scope.status.failed {
            return Ok(Start::FirstPart);
        }
        let failed = needed().find(|run| run.state == JobState::Failed);
        Ok(Start::Never(match failed {
            Some(run) if scope.status.failed => format!("`{}` failed", run.name),
            _ if scope.status.failed => "a job that it needs did not run".to_owned(),
            _ => "its condition does not hold in a rehearsal".to_owned(),
        }))
    }

    /// What a job's own keys can name.
    fn scope(&self, job: &Job, ended: &[JobRun]) -> Scope {
        let mut needs = Map::new();
        let mut failed = false;
        for need in &job.needs {
            let runs: Vec<&JobRun> = ended.iter().filter(|run| run.id == *need).collect();
            let has = |wanted: fn(&JobState) -> bool| runs.iter().any(|run| wanted(&run.state));
            let result = if has(|state| *state == JobState::Failed) {
                "failure"
            } else if has(|state| matches!(state, JobState::Passed | JobState::Partly(_))) {
                "success"
            } else {
                "skipped"
            };
            failed |= result != "success";
            let outputs: Map<String, Value> = runs.iter().flat_map(|run| run.outputs.clone()).collect();
            needs.insert(need.clone(), json!({ "result": result, "outputs": outputs }));
        }
        let mut scope = Scope::default();
        scope.contexts.insert("github".into(), Value::Object(self.event.github.clone()));
        scope.contexts.insert("inputs".into(), Value::Object(self.event.inputs.clone()));
        scope.contexts.insert("needs".into(), Value::Object(needs));
        scope.absent = ABSENT.iter().map(|name| (*name).to_owned()).collect();
        scope.status.failed = failed;
        scope
    }
}

fn is_per_architecture(job: &Job) -> bool {
    let Matrix { axes, include, whole, .. } = &job.matrix;
    let included = match include {
        Some(Axis::Listed(entries)) => entries.iter().any(|entry| entry.get("arch").is_some()),
        Some(Axis::Computed(_)) => true,
        None => false,
    };
    included || whole.is_some() || axes.iter().any(|(name, _)| name == "arch")
}

/// Whether the job builds or scans, which waits for downloads the first time.
fn is_slow(job: &Job) -> bool {
    let slow = |work: &Work| match work {
        Work::Run { script, .. } => script.mentions("buildx build") || script.mentions("trivy image"),
        Work::Action { .. } => false,
    };
    job.steps.iter().any(|step| slow(&step.work))
}

/// Whether the job asks AWS for credentials by its own token.
fn signs_in(job: &Job) -> bool {
    let is_sign_in = |name: &str| name.starts_with("aws-actions/configure-aws-credentials");
    job.steps.iter().any(|step| matches!(&step.work, Work::Action { name, .. } if is_sign_in(name)))
}

/// As GitHub shows it: the name with its expressions filled, or the id with the values of the matrix.
fn name_of(job: &Job, matrix: &Combination, scope: &Scope) -> String {
    let mut scope = scope.clone();
    scope.contexts.insert("matrix".into(), Value::Object(matrix.clone()));
    match job.name.as_ref().and_then(|name| scope.fill(name).ok()) {
        Some(name) => value::text(&name),
        None if matrix.is_empty() => job.id.clone(),
        None => format!("{} ({})", job.id, matrix.values().map(value::text).collect::<Vec<_>>().join(", ")),
    }
}
