//! Names that lead somewhere: jobs that are needed, steps and outputs that are read, contexts and functions.

use std::collections::BTreeSet;

use super::document::{Job, Node, entries, get, is_mapping, jobs, scalar, texts, walk};
use super::expression::{Word, inside, words};
use super::shape::is_expression;
use crate::merge::Note;

const CONTEXTS: &[&str] =
    &["github", "env", "vars", "job", "jobs", "steps", "runner", "secrets", "strategy", "matrix", "needs", "inputs"];
/// In lower case: GitHub's functions know none.
const FUNCTIONS: &[&str] = &[
    "contains",
    "startswith",
    "endswith",
    "format",
    "join",
    "tojson",
    "fromjson",
    "hashfiles",
    "success",
    "always",
    "cancelled",
    "failure",
    "case",
];

/// Everything in a workflow of the right shape that leads nowhere.
pub(super) fn flaws(workflow: &Node<'_>) -> Vec<Note> {
    let all = jobs(workflow);
    let mut found = needs(&all);
    for (key, part) in entries(workflow).filter(|(key, _)| key != "jobs") {
        expressions(&key, part, &Scope { workflow, jobs: &all, job: None, steps: None }, &mut found);
    }
    for job in &all {
        for (key, part) in entries(job.node).filter(|(key, _)| key != "steps") {
            // Outputs and the address of an environment are computed when the steps have run.
            let after = ["outputs", "environment"].contains(&key.as_str()).then_some(job.steps.len());
            let scope = Scope { workflow, jobs: &all, job: Some(job), steps: after };
            expressions(&format!("{}.{key}", job.place), part, &scope, &mut found);
        }
        for (index, step) in job.steps.iter().enumerate() {
            let scope = Scope { workflow, jobs: &all, job: Some(job), steps: Some(index) };
            for (key, part) in entries(step.node).filter(|(key, _)| key != "parallel") {
                expressions(&format!("{}.{key}", step.place), part, &scope, &mut found);
            }
        }
    }
    found
}

/// Jobs that are needed exist, and none waits for itself.
fn needs(all: &[Job<'_, '_>]) -> Vec<Note> {
    let mut found = Vec::new();
    let mut wrong = |job: &Job<'_, '_>, what: String| {
        found.push(Note { place: format!("{}.needs", job.place), what });
    };
    let needed = |job: &Job<'_, '_>| get(job.node, "needs").map(texts).unwrap_or_default();
    let find = |id: &str| all.iter().find(|job| job.id.eq_ignore_ascii_case(id));
    for job in all {
        let mut seen = BTreeSet::new();
        for need in needed(job) {
            if find(&need).is_none() {
                wrong(job, format!("`{need}` is no job"));
            }
            if !seen.insert(need.to_ascii_lowercase()) {
                wrong(job, format!("`{need}` is named twice"));
            }
        }
        let mut before: Vec<&str> = Vec::new();
        let mut waiting: Vec<&Job<'_, '_>> = needed(job).iter().filter_map(|need| find(need)).collect();
        while let Some(next) = waiting.pop() {
            if next.id == job.id {
                wrong(job, format!("`{}` waits for itself", job.id));
                break;
            }
            if !before.contains(&next.id.as_str()) {
                before.push(&next.id);
                waiting.extend(needed(next).iter().filter_map(|need| find(need)));
            }
        }
    }
    found
}

/// What an expression can read where it stands.
struct Scope<'s, 'n, 'a> {
    workflow: &'n Node<'a>,
    jobs: &'s [Job<'n, 'a>],
    job: Option<&'s Job<'n, 'a>>,
    /// How many steps have run.
    steps: Option<usize>,
}

fn expressions(place: &str, node: &Node<'_>, scope: &Scope<'_, '_, '_>, found: &mut Vec<Note>) {
    walk(node, place, &mut |place, text| {
        let is_condition = place.ends_with(".if") && !text.contains("${{");
        let read = if is_condition { Ok(vec![text]) } else { inside(text) };
        let judged = read.and_then(|all| all.into_iter().try_for_each(|one| judge(one, scope)));
        if let Err(what) = judged {
            found.push(Note { place: place.to_owned(), what });
        }
    });
}

fn judge(expression: &str, scope: &Scope<'_, '_, '_>) -> Result<(), String> {
    for word in words(expression)? {
        match word {
            Word::Call(name) if !FUNCTIONS.contains(&name.to_ascii_lowercase().as_str()) => {
                return Err(format!("`{name}` is no function"));
            }
            Word::Path(path) => scope.judge(&path)?,
            Word::Call(_) | Word::Literal | Word::Sign => {}
        }
    }
    Ok(())
}

impl Scope<'_, '_, '_> {
    fn judge(&self, path: &[String]) -> Result<(), String> {
        let context = path.first().map_or("", String::as_str);
        if !CONTEXTS.contains(&context) {
            return Err(format!("`{context}` is nothing that an expression can read"));
        }
        let Some(name) = path.get(1).filter(|name| *name != "*") else { return Ok(()) };
        match context {
            "needs" => self.need(name, path.get(2..).unwrap_or_default()),
            "steps" => self.step(name),
            "matrix" => self.axis(name),
            "inputs" => self.input(name),
            _ => Ok(()),
        }
    }

    fn need(&self, name: &str, rest: &[String]) -> Result<(), String> {
        let Some(job) = self.job else { return Err("`needs` is known to jobs only".into()) };
        let needed = get(job.node, "needs").map(texts).unwrap_or_default();
        if !needed.iter().any(|need| need.eq_ignore_ascii_case(name)) {
            return Err(format!("it reads `needs.{name}`, which is not among its needs"));
        }
        let other = self.jobs.iter().find(|job| job.id.eq_ignore_ascii_case(name));
        match (other, rest) {
            (Some(other), [outputs, output, ..]) if outputs == "outputs" && output != "*" => {
                let is_called = get(other.node, "uses").is_some();
                let named = get(other.node, "outputs").into_iter().flat_map(entries);
                let has_it = named.into_iter().any(|(key, _)| key.eq_ignore_ascii_case(output));
                if is_called || has_it { Ok(()) } else { Err(format!("`{name}` has no output `{output}`")) }
            }
            _ => Ok(()),
        }
    }

    fn step(&self, name: &str) -> Result<(), String> {
        let (Some(job), Some(count)) = (self.job, self.steps) else {
            return Err("`steps` is known to steps only".into());
        };
        let ids = job.steps.iter().take(count).filter_map(|step| get(step.node, "id").and_then(scalar));
        if ids.into_iter().any(|id| id.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        Err(format!("it reads `steps.{name}`, and no step before has that id"))
    }

    fn axis(&self, name: &str) -> Result<(), String> {
        let strategy = self.job.and_then(|job| get(job.node, "strategy"));
        let Some(matrix) = strategy.and_then(|strategy| get(strategy, "matrix")) else {
            return Err(format!("it reads `matrix.{name}`, and there is no matrix"));
        };
        // What an expression makes of it only a run knows.
        let include = get(matrix, "include");
        if is_expression(matrix) || include.is_some_and(is_expression) {
            return Ok(());
        }
        let included = include.map(super::document::items).into_iter().flatten().flat_map(entries);
        let named = entries(matrix).chain(included).any(|(key, _)| key.eq_ignore_ascii_case(name));
        if named { Ok(()) } else { Err(format!("it reads `matrix.{name}`, which the matrix lacks")) }
    }

    fn input(&self, name: &str) -> Result<(), String> {
        let on = get(self.workflow, "on").filter(|on| is_mapping(on));
        let events = ["workflow_dispatch", "workflow_call"].map(|event| on.and_then(|on| get(on, event)));
        let inputs = events.into_iter().flatten().filter_map(|event| get(event, "inputs")).flat_map(entries);
        if inputs.into_iter().any(|(key, _)| key.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        Err(format!("it reads `inputs.{name}`, and there is no such input"))
    }
}
