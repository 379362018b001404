//! A workflow file as data: triggers' inputs, jobs in the order in which they can run, and their steps.
//!
//! Every key and every expression is read before anything runs. What the rehearsal does not know is an error that names
//! the file, the job and the step.

use std::collections::BTreeSet;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

use super::expression::{Expression, Template};
use super::value;
use crate::failure::Failure;

pub struct Workflow {
    /// As messages name it.
    pub file: String,
    pub name: String,
    pub env: Variables,
    pub inputs: Vec<Input>,
    pub runs_on_releases: bool,
    /// Each after those that it needs.
    pub jobs: Vec<Job>,
}

/// Names and values of `env:` or `with:`, in the order of the file.
pub type Variables = Vec<(String, Template)>;

/// One input of `workflow_dispatch`.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub name: String,
    pub default: Value,
    /// With `type: choice`.
    pub options: Vec<String>,
}

pub struct Job {
    pub id: String,
    pub name: Option<Template>,
    pub needs: Vec<String>,
    pub condition: Option<Expression>,
    pub matrix: Matrix,
    /// Minutes, `timeout-minutes`.
    pub timeout: Option<f64>,
    pub env: Variables,
    pub outputs: Variables,
    pub steps: Vec<Step>,
    /// The reason when the job needs what only a runner has, such as a container.
    pub beyond: Option<&'static str>,
}

/// `strategy.matrix`, before its expressions have values.
#[derive(Default)]
pub struct Matrix {
    pub axes: Vec<(String, Axis)>,
    pub include: Option<Axis>,
    pub exclude: Option<Axis>,
    /// The whole matrix is one expression.
    pub whole: Option<Template>,
}

pub enum Axis {
    Listed(Vec<Value>),
    Computed(Template),
}

pub struct Step {
    pub id: Option<String>,
    /// The name as the file has it, or what it runs.
    pub title: String,
    pub name: Option<Template>,
    pub condition: Option<Expression>,
    pub env: Variables,
    pub work: Work,
    pub continue_on_error: bool,
    pub timeout: Option<f64>,
}

pub enum Work {
    Run { script: Template, shell: Shell, folder: Option<Template> },
    Action { name: String, with: Variables },
}

/// The command line that GitHub makes of `shell:` (GitHub documentation, "Workflow syntax", `jobs.<id>.steps[*].shell`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// None is named: `bash -e`.
    Unnamed,
    /// `bash --noprofile --norc -eo pipefail`
    Bash,
    /// `sh -e`
    Sh,
}

const JOB_KEYS: &[&str] = &[
    "name",
    "needs",
    "if",
    "runs-on",
    "permissions",
    "environment",
    "concurrency",
    "outputs",
    "env",
    "defaults",
    "steps",
    "timeout-minutes",
    "strategy",
    "continue-on-error",
    "container",
    "services",
    "uses",
    "with",
    "secrets",
];
const STEP_KEYS: &[&str] = &[
    "id",
    "if",
    "name",
    "uses",
    "run",
    "shell",
    "with",
    "env",
    "continue-on-error",
    "timeout-minutes",
    "working-directory",
];

impl Workflow {
    /// # Errors
    /// Names the file, the job and the step with what can't be read or is not known.
    pub fn parse(file: &str, text: &str) -> Result<Self, Failure> {
        let broken = |reason: String| {
            Failure::usage(format!("`{file}`: {reason}"))
                .hinted("`sbi render --out DIR` writes the workflow as sbi means it")
        };
        let documents = Yaml::load_from_str(text).map_err(|error| broken("it is not YAML".into()).caused_by(error))?;
        let [document] = documents.as_slice() else { return Err(broken("it is not one YAML document".into())) };
        Reader { shell: Shell::Unnamed, folder: None }.workflow(file, document).map_err(broken)
    }

    #[must_use]
    pub fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }
}

/// Reads with the defaults that are in force.
#[derive(Clone)]
struct Reader {
    shell: Shell,
    folder: Option<Template>,
}

impl Reader {
    fn workflow(mut self, file: &str, document: &Yaml<'_>) -> Result<Workflow, String> {
        self.defaults(document)?;
        let on = document.as_mapping_get("on").ok_or("it has no `on:`")?;
        let starts = |event: &str| {
            on.as_str() == Some(event)
                || on.as_mapping_get(event).is_some()
                || on.as_sequence().is_some_and(|events| events.iter().any(|found| found.as_str() == Some(event)))
        };
        let inputs = on.as_mapping_get("workflow_dispatch").and_then(|dispatch| dispatch.as_mapping_get("inputs"));
        let jobs = document.as_mapping_get("jobs").and_then(Yaml::as_mapping).ok_or("it has no `jobs:`")?;
        let mut read = Vec::new();
        for (id, job) in jobs {
            let id = id.as_str().ok_or("a job has no name")?;
            read.push(self.clone().job(id, job).map_err(|reason| format!("job `{id}`, {reason}"))?);
        }
        Ok(Workflow {
            file: file.to_owned(),
            name: document.as_mapping_get("name").and_then(Yaml::as_str).unwrap_or(file).to_owned(),
            env: variables(document, "env")?,
            inputs: inputs.map(read_inputs).transpose()?.unwrap_or_default(),
            runs_on_releases: starts("release"),
            jobs: in_order(read)?,
        })
    }

    fn defaults(&mut self, node: &Yaml<'_>) -> Result<(), String> {
        let Some(run) = node.as_mapping_get("defaults").and_then(|defaults| defaults.as_mapping_get("run")) else {
            return Ok(());
        };
        if let Some(shell) = run.as_mapping_get("shell") {
            self.shell = read_shell(shell)?;
        }
        if let Some(folder) = run.as_mapping_get("working-directory") {
            self.folder = Some(template(folder)?);
        }
        Ok(())
    }

    fn job(mut self, id: &str, job: &Yaml<'_>) -> Result<Job, String> {
        known_keys(job, JOB_KEYS)?;
        self.defaults(job)?;
        let beyond = [
            ("uses", "it calls another workflow"),
            ("container", "it runs in a container"),
            ("services", "it starts service containers"),
        ];
        let needs = match job.as_mapping_get("needs") {
            None => Vec::new(),
            Some(one) if one.as_str().is_some() => one.as_str().map(str::to_owned).into_iter().collect(),
            Some(several) => texts(several).ok_or("`needs` is not a list of jobs")?,
        };
        let mut steps = Vec::new();
        for (index, step) in job.as_mapping_get("steps").and_then(Yaml::as_sequence).into_iter().flatten().enumerate() {
            let title = title(step).unwrap_or_else(|| format!("number {}", index + 1));
            steps.push(self.step(title.clone(), step).map_err(|reason| format!("step `{title}`: {reason}"))?);
        }
        let matrix = job.as_mapping_get("strategy").and_then(|strategy| strategy.as_mapping_get("matrix"));
        Ok(Job {
            id: id.to_owned(),
            name: job.as_mapping_get("name").map(template).transpose()?,
            needs,
            condition: condition(job)?,
            matrix: matrix.map(read_matrix).transpose()?.unwrap_or_default(),
            timeout: timeout(job)?,
            env: variables(job, "env")?,
            outputs: variables(job, "outputs")?,
            steps,
            beyond: beyond.iter().find(|(key, _)| job.as_mapping_get(key).is_some()).map(|(_, reason)| *reason),
        })
    }

    fn step(&self, title: String, step: &Yaml<'_>) -> Result<Step, String> {
        known_keys(step, STEP_KEYS)?;
        let shell = step.as_mapping_get("shell").map(read_shell).transpose()?.unwrap_or(self.shell);
        let folder =
            step.as_mapping_get("working-directory").map(template).transpose()?.or_else(|| self.folder.clone());
        let work = match (step.as_mapping_get("run"), step.as_mapping_get("uses")) {
            (Some(script), None) => Work::Run { script: template(script)?, shell, folder },
            (None, Some(action)) => {
                let name = action.as_str().ok_or("`uses` names no action")?.to_owned();
                Work::Action { name, with: variables(step, "with")? }
            }
            _ => return Err("it has to have either `run` or `uses`".into()),
        };
        let continue_on_error = match step.as_mapping_get("continue-on-error").map(json).transpose()? {
            None => false,
            Some(Value::Bool(truth)) => truth,
            Some(_) => return Err("`continue-on-error` is known as true or false only".into()),
        };
        Ok(Step {
            id: step.as_mapping_get("id").and_then(Yaml::as_str).map(str::to_owned),
            title,
            name: step.as_mapping_get("name").map(template).transpose()?,
            condition: condition(step)?,
            env: variables(step, "env")?,
            work,
            continue_on_error,
            timeout: timeout(step)?,
        })
    }
}

fn title(step: &Yaml<'_>) -> Option<String> {
    let part = |key: &str| step.as_mapping_get(key).and_then(Yaml::as_str);
    let first_line = || part("run").and_then(|run| run.lines().next());
    part("name").map(str::to_owned).or_else(|| Some(format!("Run {}", part("uses").or_else(first_line)?)))
}

fn known_keys(node: &Yaml<'_>, known: &[&str]) -> Result<(), String> {
    let mapping = node.as_mapping().ok_or("it is not a mapping")?;
    match mapping.iter().find(|(key, _)| !key.as_str().is_some_and(|key| known.contains(&key))) {
        None => Ok(()),
        Some((key, _)) => Err(format!("the rehearsal does not know the key `{}`", key.as_str().unwrap_or("?"))),
    }
}

fn read_shell(node: &Yaml<'_>) -> Result<Shell, String> {
    match node.as_str() {
        Some("bash") => Ok(Shell::Bash),
        Some("sh") => Ok(Shell::Sh),
        other => Err(format!("the rehearsal knows the shells bash and sh, not `{}`", other.unwrap_or("?"))),
    }
}

fn condition(node: &Yaml<'_>) -> Result<Option<Expression>, String> {
    match node.as_mapping_get("if").map(json).transpose()? {
        None => Ok(None),
        Some(Value::String(text)) => Template::condition(&text).map(Some),
        Some(fixed) => Ok(Some(Expression::Literal(fixed))),
    }
}

fn timeout(node: &Yaml<'_>) -> Result<Option<f64>, String> {
    match node.as_mapping_get("timeout-minutes").map(json).transpose()? {
        None => Ok(None),
        Some(Value::Number(minutes)) => Ok(minutes.as_f64()),
        Some(_) => Err("`timeout-minutes` is known as a number only".into()),
    }
}

fn template(node: &Yaml<'_>) -> Result<Template, String> {
    match json(node)? {
        Value::Array(_) | Value::Object(_) => Err("a text is expected where a list or a mapping stands".into()),
        scalar => Template::parse(&value::text(&scalar)),
    }
}

fn variables(node: &Yaml<'_>, key: &str) -> Result<Variables, String> {
    let Some(found) = node.as_mapping_get(key) else { return Ok(Vec::new()) };
    let mapping = found.as_mapping().ok_or_else(|| format!("`{key}` is not a mapping"))?;
    let read = |(name, value): (&Yaml<'_>, &Yaml<'_>)| {
        let name = name.as_str().ok_or_else(|| format!("`{key}` has a name that is no text"))?;
        template(value).map(|value| (name.to_owned(), value)).map_err(|reason| format!("`{key}`, `{name}`: {reason}"))
    };
    mapping.iter().map(read).collect()
}

fn texts(node: &Yaml<'_>) -> Option<Vec<String>> {
    node.as_sequence()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn read_inputs(node: &Yaml<'_>) -> Result<Vec<Input>, String> {
    let read = |(name, input): (&Yaml<'_>, &Yaml<'_>)| {
        let name = name.as_str().ok_or("an input has no name")?.to_owned();
        let options = input.as_mapping_get("options").and_then(texts).unwrap_or_default();
        let kind = input.as_mapping_get("type").and_then(Yaml::as_str).unwrap_or("string");
        // What GitHub's form shows before anybody has touched it.
        let untouched = match kind {
            "boolean" => Value::Bool(false),
            "choice" => options.first().cloned().map_or(Value::Null, Value::String),
            _ => Value::String(String::new()),
        };
        let default = input.as_mapping_get("default").map(json).transpose()?.unwrap_or(untouched);
        Ok(Input { name, default, options })
    };
    node.as_mapping().ok_or("`inputs` is not a mapping")?.iter().map(read).collect()
}

fn read_matrix(node: &Yaml<'_>) -> Result<Matrix, String> {
    if let Some(text) = node.as_str() {
        return Ok(Matrix { whole: Some(Template::parse(text)?), ..Matrix::default() });
    }
    let mut matrix = Matrix::default();
    for (name, values) in node.as_mapping().ok_or("`matrix` is not a mapping")? {
        let name = name.as_str().ok_or("`matrix` has a name that is no text")?;
        let axis = match json(values)? {
            Value::Array(values) => Axis::Listed(values),
            Value::String(text) => Axis::Computed(Template::parse(&text)?),
            _ => return Err(format!("`matrix`, `{name}`: a list is expected")),
        };
        match name {
            "include" => matrix.include = Some(axis),
            "exclude" => matrix.exclude = Some(axis),
            _ => matrix.axes.push((name.to_owned(), axis)),
        }
    }
    Ok(matrix)
}

fn json(node: &Yaml<'_>) -> Result<Value, String> {
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(truth)) => Value::Bool(*truth),
        Yaml::Value(Scalar::Integer(number)) => Value::from(*number),
        Yaml::Value(Scalar::FloatingPoint(number)) => value::of_number(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => Value::String(text.to_string()),
        Yaml::Sequence(items) => Value::Array(items.iter().map(json).collect::<Result<_, _>>()?),
        Yaml::Mapping(mapping) => {
            let pair = |(key, value): (&Yaml<'_>, &Yaml<'_>)| {
                let key = key.as_str().ok_or("a key is no text")?.to_owned();
                Ok::<_, String>((key, json(value)?))
            };
            Value::Object(mapping.iter().map(pair).collect::<Result<Map<_, _>, _>>()?)
        }
        _ => return Err("it has YAML (a tag or an alias) that a workflow can't have".into()),
    })
}

/// Each job after those that it needs, otherwise in the order of the file.
fn in_order(mut waiting: Vec<Job>) -> Result<Vec<Job>, String> {
    let known: BTreeSet<String> = waiting.iter().map(|job| job.id.clone()).collect();
    for job in &waiting {
        if let Some(missing) = job.needs.iter().find(|need| !known.contains(*need)) {
            return Err(format!("job `{}` needs `{missing}`, which is no job", job.id));
        }
    }
    let mut ordered: Vec<Job> = Vec::new();
    while !waiting.is_empty() {
        let is_ready = |job: &Job| job.needs.iter().all(|need| ordered.iter().any(|before| before.id == *need));
        let Some(next) = waiting.iter().position(is_ready) else {
            return Err(format!("job `{}` waits for itself", waiting[0].id));
        };
        ordered.push(waiting.remove(next));
    }
    Ok(ordered)
}
