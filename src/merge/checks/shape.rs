//! Whether GitHub would take a text for a workflow: closed lists of keys at each level, what each of them may hold, and
//! names that lead somewhere (GitHub documentation, "Workflow syntax for GitHub Actions").

use std::collections::BTreeSet;

use super::document::{
    Job, Node, below, entries, get, has_foreign_parts, is_mapping, items, jobs, scalar, text, texts,
};
use super::{events, names, permissions};
use crate::merge::Note;

const WORKFLOW: &[&str] = &["name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs"];
const JOB: &[&str] = &[
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
    "cancel-timeout-minutes",
    "strategy",
    "continue-on-error",
    "container",
    "services",
    "snapshot",
];
/// A job that calls another workflow.
const CALL: &[&str] = &["name", "needs", "if", "permissions", "concurrency", "strategy", "uses", "with", "secrets"];
const ANY_STEP: &[&str] = &["id", "if", "name", "env", "continue-on-error", "timeout-minutes", "background"];
const SCRIPT_STEP: &[&str] = &["run", "shell", "working-directory"];
const ACTION_STEP: &[&str] = &["uses", "with"];
/// Steps that neither run nor use: each of the keys makes one.
const OTHER_STEPS: &[&str] = &["wait", "wait-all", "cancel", "parallel"];
const CONTAINER: &[&str] = &["image", "credentials", "env", "ports", "volumes", "options"];
const SERVICE: &[&str] = &["image", "credentials", "env", "ports", "volumes", "options", "entrypoint", "command"];

/// Everything that GitHub would refuse; nothing when it is a workflow.
pub(super) fn flaws(workflow: &Node<'_>) -> Vec<Note> {
    let mut shape = Shape::default();
    shape.workflow(workflow);
    if shape.found.is_empty() {
        shape.found.extend(names::flaws(workflow));
    }
    shape.found
}

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Shape {
    found: Vec<Note>,
}

impl Shape {
    pub(super) fn wrong(&mut self, place: &str, what: impl Into<String>) {
        self.found.push(Note { place: place.to_owned(), what: what.into() });
    }

    /// A mapping with no other keys than these; tells whether it is one at all.
    pub(super) fn keys(&mut self, place: &str, node: &Node<'_>, known: &[&[&str]]) -> bool {
        if !is_mapping(node) {
            self.wrong(place, "a mapping is expected");
            return false;
        }
        for (key, _) in entries(node).filter(|(key, _)| !known.iter().any(|list| list.contains(&key.as_str()))) {
            self.wrong(&below(place, &key), format!("`{key}` is no key that GitHub knows here"));
        }
        true
    }

    fn workflow(&mut self, workflow: &Node<'_>) {
        if has_foreign_parts(workflow) {
            self.wrong("", "it has a tag, or an alias of nothing, which a workflow can't have");
        }
        if !self.keys("", workflow, &[WORKFLOW]) {
            return;
        }
        match get(workflow, "on") {
            Some(on) => events::check(self, on),
            None => self.wrong("on", "nothing starts it"),
        }
        self.everywhere("", workflow);
        match get(workflow, "jobs") {
            Some(node) if is_mapping(node) && entries(node).next().is_some() => {}
            _ => self.wrong("jobs", "there is no job"),
        }
        let mut ids = BTreeSet::new();
        for job in jobs(workflow) {
            if !ids.insert(job.id.to_ascii_lowercase()) {
                self.wrong(&job.place, "another job has this name already");
            }
            self.job(&job);
        }
    }

    /// What a workflow and a job both can have.
    fn everywhere(&mut self, place: &str, node: &Node<'_>) {
        if let Some(granted) = get(node, "permissions") {
            self.found.extend(permissions::flaws(&below(place, "permissions"), granted));
        }
        self.variables(place, node, "env");
        if let Some(defaults) = get(node, "defaults") {
            let place = below(place, "defaults");
            if self.keys(&place, defaults, &[&["run"]])
                && let Some(run) = get(defaults, "run")
            {
                self.keys(&below(&place, "run"), run, &[&["shell", "working-directory"]]);
            }
        }
        if let Some(concurrency) = get(node, "concurrency") {
            let place = below(place, "concurrency");
            if is_mapping(concurrency) {
                self.keys(&place, concurrency, &[&["group", "cancel-in-progress", "queue"]]);
                if get(concurrency, "group").is_none() {
                    self.wrong(&place, "it has no `group`");
                }
                self.truth(&place, concurrency, "cancel-in-progress");
            } else if text(concurrency).is_none() {
                self.wrong(&place, "a group or a mapping is expected");
            }
        }
    }

    fn job(&mut self, job: &Job<'_, '_>) {
        let (place, node) = (job.place.as_str(), job.node);
        self.id(place, &job.id);
        let calls = get(node, "uses");
        if !self.keys(place, node, &[if calls.is_some() { CALL } else { JOB }]) {
            return;
        }
        self.everywhere(place, node);
        self.condition(place, node);
        for key in ["timeout-minutes", "cancel-timeout-minutes"] {
            self.number(place, node, key);
        }
        self.truth(place, node, "continue-on-error");
        self.strategy(place, node);
        if let Some(calls) = calls {
            if !text(calls).is_some_and(is_workflow_reference) {
                self.wrong(&below(place, "uses"), "it names no workflow file");
            }
            self.variables(place, node, "with");
            if let Some(secrets) = get(node, "secrets").filter(|secrets| text(secrets) != Some("inherit")) {
                self.keys_of_any_name(&below(place, "secrets"), secrets);
            }
            return;
        }
        self.variables(place, node, "outputs");
        self.runner(place, node);
        if let Some(environment) = get(node, "environment").filter(|environment| text(environment).is_none()) {
            let place = below(place, "environment");
            if self.keys(&place, environment, &[&["name", "url", "deployment"]]) && get(environment, "name").is_none() {
                self.wrong(&place, "it has no `name`");
            }
        }
        if let Some(container) = get(node, "container").filter(|container| text(container).is_none()) {
            self.container(&below(place, "container"), container, CONTAINER);
        }
        if let Some(services) = get(node, "services") {
            for (name, service) in entries(services) {
                self.container(&below(&below(place, "services"), &name), service, SERVICE);
            }
        }
        if job.steps.is_empty() {
            self.wrong(&below(place, "steps"), "there is no step");
        }
        let mut ids = BTreeSet::new();
        for step in &job.steps {
            self.step(&step.place, step.node);
            let Some(id) = get(step.node, "id") else { continue };
            let id = scalar(id).unwrap_or_default();
            self.id(&step.place, &id);
            if !ids.insert(id.to_ascii_lowercase()) {
                self.wrong(&step.place, format!("another step has the id `{id}` already"));
            }
        }
    }

    fn step(&mut self, place: &str, step: &Node<'_>) {
        let kinds: Vec<&str> =
            ["run", "uses"].iter().chain(OTHER_STEPS).copied().filter(|key| get(step, key).is_some()).collect();
        let [kind] = kinds.as_slice() else {
            return self.wrong(place, "it has to have either `run` or `uses`");
        };
        let own = match *kind {
            "run" => SCRIPT_STEP,
            "uses" => ACTION_STEP,
            other => &[other][..],
        };
        self.keys(place, step, &[ANY_STEP, own]);
        self.condition(place, step);
        self.variables(place, step, "env");
        self.variables(place, step, "with");
        self.truth(place, step, "continue-on-error");
        self.number(place, step, "timeout-minutes");
        match (*kind, get(step, kind)) {
            ("run", Some(script)) if text(script).is_none_or(|script| script.trim().is_empty()) => {
                self.wrong(place, "`run` is no script");
            }
            ("uses", Some(action)) if !text(action).is_some_and(is_action_reference) => {
                self.wrong(place, "`uses` names no action");
            }
            _ => {}
        }
    }

    fn runner(&mut self, place: &str, job: &Node<'_>) {
        let place_of_it = below(place, "runs-on");
        match get(job, "runs-on") {
            None => self.wrong(place, "it has neither `runs-on` nor `uses`"),
            Some(group) if is_mapping(group) => {
                self.keys(&place_of_it, group, &[&["group", "labels"]]);
            }
            Some(labels) => {
                let labels = texts(labels);
                if labels.is_empty() || labels.iter().any(String::is_empty) {
                    self.wrong(&place_of_it, "it names no runner");
                }
            }
        }
    }

    fn strategy(&mut self, place: &str, job: &Node<'_>) {
        let Some(strategy) = get(job, "strategy") else { return };
        let place = below(place, "strategy");
        if !self.keys(&place, strategy, &[&["matrix", "fail-fast", "max-parallel"]]) {
            return;
        }
        self.truth(&place, strategy, "fail-fast");
        self.number(&place, strategy, "max-parallel");
        let place = below(&place, "matrix");
        let Some(matrix) = get(strategy, "matrix") else { return self.wrong(&place, "it has no `matrix`") };
        if is_expression(matrix) {
            return;
        }
        if !is_mapping(matrix) {
            return self.wrong(&place, "a mapping or an expression is expected");
        }
        for (name, values) in entries(matrix).filter(|(_, values)| !is_expression(values)) {
            if items(values).is_empty() {
                self.wrong(&below(&place, &name), "a list is expected");
            }
            if ["include", "exclude"].contains(&name.as_str()) && items(values).iter().any(|item| !is_mapping(item)) {
                self.wrong(&below(&place, &name), "a list of mappings is expected");
            }
        }
    }

    fn container(&mut self, place: &str, container: &Node<'_>, known: &[&str]) {
        if !self.keys(place, container, &[known]) {
            return;
        }
        if get(container, "image").is_none() {
            self.wrong(place, "it has no `image`");
        }
        if let Some(credentials) = get(container, "credentials") {
            self.keys(&below(place, "credentials"), credentials, &[&["username", "password"]]);
        }
        self.variables(place, container, "env");
    }

    fn id(&mut self, place: &str, id: &str) {
        let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
        let is_part = |c: char| is_start(c) || c.is_ascii_digit() || c == '-';
        if !id.starts_with(is_start) || !id.chars().all(is_part) {
            self.wrong(place, format!("`{id}` is no id: letters, digits, `-` and `_`, a letter or `_` first"));
        }
    }

    /// `if:`
    fn condition(&mut self, place: &str, node: &Node<'_>) {
        if let Some(condition) = get(node, "if")
            && scalar(condition).is_none_or(|text| text.trim().is_empty())
        {
            self.wrong(&below(place, "if"), "it is no condition");
        }
    }

    /// Names and values that are no lists, or an expression.
    pub(super) fn variables(&mut self, place: &str, node: &Node<'_>, key: &str) {
        if let Some(found) = get(node, key).filter(|found| !is_expression(found)) {
            self.keys_of_any_name(&below(place, key), found);
        }
    }

    fn keys_of_any_name(&mut self, place: &str, node: &Node<'_>) {
        if !is_mapping(node) {
            return self.wrong(place, "a mapping is expected");
        }
        for (name, _) in entries(node).filter(|(_, value)| scalar(value).is_none()) {
            self.wrong(&below(place, &name), "a text is expected");
        }
    }

    pub(super) fn truth(&mut self, place: &str, node: &Node<'_>, key: &str) {
        if let Some(found) = get(node, key)
            && !is_expression(found)
            && !scalar(found).is_some_and(|text| matches!(text.as_str(), "true" | "false"))
        {
            self.wrong(&below(place, key), "true, false or an expression is expected");
        }
    }

    fn number(&mut self, place: &str, node: &Node<'_>, key: &str) {
        if let Some(found) = get(node, key)
            && !is_expression(found)
            && !scalar(found).is_some_and(|text| text.parse::<f64>().is_ok_and(|number| number > 0.0))
        {
            self.wrong(&below(place, key), "a number or an expression is expected");
        }
    }
}

pub(super) fn is_expression(node: &Node<'_>) -> bool {
    text(node).is_some_and(|text| text.contains("${{"))
}

/// `owner/repository[/path]@ref`, `./path` or `docker://image`.
fn is_action_reference(text: &str) -> bool {
    if text.starts_with("./") || text.strip_prefix("docker://").is_some_and(|image| !image.is_empty()) {
        return true;
    }
    text.split_once('@')
        .is_some_and(|(name, at)| !at.is_empty() && name.split('/').count() >= 2 && !name.split('/').any(str::is_empty))
}

/// `./.github/workflows/file.yml` or `owner/repository/.github/workflows/file.yml@ref`.
fn is_workflow_reference(text: &str) -> bool {
    let is_file =
        |path: &str| path.contains(".github/workflows/") && (path.ends_with(".yml") || path.ends_with(".yaml"));
    if text.starts_with("./") {
        return is_file(text);
    }
    text.split_once('@').is_some_and(|(path, at)| !at.is_empty() && is_file(path) && path.split('/').count() >= 5)
}
