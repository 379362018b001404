//! The rules of a workflow.

use super::document::{Job, Node, below, events, get, jobs, scalar, text, walk};
use super::expression::{Word, inside, shortened, words};
use super::permissions::{Grant, Level};
use super::rules::{BrokenRule, Rule};
use super::scripts;
use crate::model::action_pin::ActionPin;
use crate::model::secrets::ACCESS_KEY_SECRET;

/// Events whose runs have the rights of the repository and look at somebody else's commit.
const PRIVILEGED: &[&str] = &["pull_request_target", "workflow_run"];
const BUILDING_ACTIONS: &[&str] = &["docker/build-push-action", "docker/bake-action", "redhat-actions/buildah-build"];
const SCANNING_ACTIONS: &[&str] =
    &["aquasecurity/trivy-action", "anchore/scan-action", "anchore/sbom-action", "snyk/actions", "docker/scout-action"];

/// Everything that a workflow breaks. `oidc` says that this repository's roles are assumed with tokens, whatever the
/// text says about it.
pub(super) fn broken(source: &str, oidc: bool) -> Vec<BrokenRule> {
    let Ok(workflow) = super::document::read(source) else { return Vec::new() };
    let mut rules = Rules { source, found: Vec::new() };
    let started_by = events(&workflow);
    rules.token(&workflow);
    rules.keys(&workflow, oidc);
    let releases = started_by.iter().any(|event| event == "release") || is_started_by_tags(&workflow);
    for job in jobs(&workflow) {
        rules.runner(&job);
        rules.credentials(&workflow, &job);
        if let Some(called) = get(job.node, "uses").and_then(text) {
            rules.reference(&job.place, called);
        }
        for step in &job.steps {
            if let Some(action) = get(step.node, "uses").and_then(text) {
                rules.reference(&step.place, action);
            }
            if let Some(event) = started_by.iter().find(|event| PRIVILEGED.contains(&event.as_str()))
                && checks_out(step.node)
            {
                rules.add(Rule::ForeignCode, &step.place, format!("a checkout in a run that {event} starts"));
            }
            if releases && let Some(cache) = cache(step.node) {
                rules.add(Rule::NoCacheInReleases, &step.place, format!("{cache} in a workflow that releases"));
            }
            rules.script(&job, &step.place, step.node, &workflow);
        }
    }
    rules.found
}

/// Collects what is broken.
struct Rules<'t> {
    source: &'t str,
    found: Vec<BrokenRule>,
}

impl Rules<'_> {
    fn add(&mut self, rule: Rule, place: &str, what: String) {
        self.found.push(BrokenRule { rule, place: place.to_owned(), what });
    }

    /// What stands behind a `uses:`.
    fn reference(&mut self, place: &str, reference: &str) {
        if reference.starts_with("./") {
            return;
        }
        if let Some(image) = reference.strip_prefix("docker://") {
            if !image.contains("@sha256:") {
                self.add(Rule::PinnedActions, place, format!("{reference} names no digest"));
            }
            return;
        }
        let Some(pin) = ActionPin::read(reference) else {
            return self.add(Rule::PinnedActions, place, format!("{reference} names no full commit"));
        };
        if pin.is_known_bad() {
            self.add(Rule::KnownBadActions, place, format!("{reference} is known to have been malicious"));
        }
        if !self.has_version_comment(reference) {
            let action = reference.split('@').next().unwrap_or(reference);
            self.add(Rule::VersionComments, place, format!("{action} has no version in a comment"));
        }
    }

    /// On every line that names the reference.
    fn has_version_comment(&self, reference: &str) -> bool {
        let mut lines = self.source.lines().filter_map(|line| line.split_once(reference)).map(|(_, behind)| behind);
        let has_version = |behind: &str| {
            let pin = ActionPin::read(&format!("{reference}{}", behind.trim_start_matches(['"', '\''])));
            pin.is_some_and(|pin| pin.version.is_some())
        };
        lines.all(has_version)
    }

    fn token(&mut self, workflow: &Node<'_>) {
        let everything = |node: &Node<'_>| get(node, "permissions").and_then(text) == Some("write-all");
        if everything(workflow) {
            self.add(Rule::NarrowToken, "permissions", "write-all".into());
        }
        for job in jobs(workflow) {
            if everything(job.node) {
                self.add(Rule::NarrowToken, &below(&job.place, "permissions"), "write-all".into());
            } else if Grant::of_job(workflow, job.node) == Grant::Default {
                let what = "no permissions are named: the token has what the repository's settings give".into();
                self.add(Rule::NarrowToken, &job.place, what);
            }
        }
    }

    fn runner(&mut self, job: &Job<'_, '_>) {
        let mut labels = Vec::new();
        for part in [get(job.node, "runs-on"), get(job.node, "strategy").and_then(|strategy| get(strategy, "matrix"))] {
            let Some(part) = part else { continue };
            walk(part, "", &mut |_, label| labels.push(label.to_owned()));
        }
        labels.sort();
        labels.dedup();
        let systems = ["ubuntu", "windows", "macos"];
        for label in labels
            .iter()
            .filter(|label| label.split_once("-latest").is_some_and(|(system, _)| systems.contains(&system)))
        {
            self.add(Rule::FixedRunners, &below(&job.place, "runs-on"), format!("{label} is no fixed runner"));
        }
    }

    /// A job that builds or scans holds nothing that could be taken.
    fn credentials(&mut self, workflow: &Node<'_>, job: &Job<'_, '_>) {
        let Some(does) = job.steps.iter().find_map(|step| work(step.node)) else { return };
        let mut held = Vec::new();
        if Grant::of_job(workflow, job.node).level("id-token") == Level::Write {
            held.push("id-token: write".to_owned());
        }
        held.extend(secrets(job.node).into_iter().map(|name| format!("the secret {name}")));
        if let Some(environment) = get(job.node, "environment") {
            let name = text(environment).or_else(|| get(environment, "name").and_then(text)).unwrap_or("?");
            held.push(format!("the environment {name}"));
        }
        for what in held {
            self.add(Rule::CredentialsApart, &job.place, format!("a job that {does} has {what}"));
        }
    }

    fn keys(&mut self, workflow: &Node<'_>, oidc: bool) {
        let mut assumes_role = oidc;
        walk(workflow, "", &mut |_, text| assumes_role |= text == "role-to-assume");
        for secret in secrets(workflow) {
            let is_pair = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].iter().any(|name| secret.contains(name));
            if is_pair || (assumes_role && secret == ACCESS_KEY_SECRET) {
                self.add(Rule::NoLongLivedKeys, "", format!("the secret {secret} holds an access key"));
            }
        }
    }

    fn script(&mut self, job: &Job<'_, '_>, place: &str, step: &Node<'_>, workflow: &Node<'_>) {
        let run = get(step, "run").and_then(text);
        let with = get(step, "with");
        let script = with.filter(|_| action(step) == "actions/github-script").and_then(|with| get(with, "script"));
        for script in run.into_iter().chain(script.and_then(text)) {
            for expression in inside(script).unwrap_or_default() {
                if !is_harmless(expression, job, workflow) {
                    let what = format!("${{{{ {} }}}} in a script", shortened(expression));
                    self.add(Rule::ExpressionsInScripts, place, what);
                }
            }
        }
        for line in run.into_iter().flat_map(scripts::commands).filter(|line| scripts::pipes_a_download(line)) {
            self.add(Rule::NoPipedDownloads, place, format!("`{}`", shortened(&line)));
        }
    }
}

fn is_started_by_tags(workflow: &Node<'_>) -> bool {
    get(workflow, "on").and_then(|on| get(on, "push")).is_some_and(|push| get(push, "tags").is_some())
}

/// The action of a step without what pins it, in lower case.
pub(super) fn action(step: &Node<'_>) -> String {
    let action = get(step, "uses").and_then(text).unwrap_or_default();
    action.split('@').next().unwrap_or_default().to_ascii_lowercase()
}

fn is_one_of(action: &str, list: &[&str]) -> bool {
    list.iter().any(|known| action == *known || action.strip_prefix(known).is_some_and(|rest| rest.starts_with('/')))
}

fn script_lines(step: &Node<'_>) -> Vec<String> {
    get(step, "run").and_then(text).map(scripts::commands).unwrap_or_default()
}

fn checks_out(step: &Node<'_>) -> bool {
    let commands = ["git checkout", "git clone", "git fetch", "gh pr checkout"];
    action(step) == "actions/checkout"
        || script_lines(step).iter().any(|line| commands.iter().any(|command| line.contains(command)))
}

pub(super) fn builds(step: &Node<'_>) -> bool {
    is_one_of(&action(step), BUILDING_ACTIONS) || script_lines(step).iter().any(|line| scripts::builds_an_image(line))
}

/// What a step that runs other people's code does.
fn work(step: &Node<'_>) -> Option<&'static str> {
    let action = action(step);
    let lines = script_lines(step);
    if builds(step) {
        Some("builds an image")
    } else if is_one_of(&action, SCANNING_ACTIONS) || lines.iter().any(|line| scripts::scans_an_image(line)) {
        Some("scans an image")
    } else {
        None
    }
}

fn cache(step: &Node<'_>) -> Option<String> {
    let action = action(step);
    if action.starts_with("actions/cache") || action == "swatinem/rust-cache" {
        return Some(action);
    }
    let inputs = get(step, "with").into_iter().flat_map(super::document::entries);
    let input = inputs.into_iter().find(|(key, value)| {
        let key = key.to_ascii_lowercase();
        let value = scalar(value).unwrap_or_default();
        (key.starts_with("cache") && !key.contains("dependency-path")) && !["", "false"].contains(&value.as_str())
    });
    let flag = || {
        ["--cache-from", "--cache-to"]
            .into_iter()
            .find(|flag| script_lines(step).iter().any(|line| line.contains(flag)))
    };
    input.map(|(key, _)| format!("`{key}`")).or_else(|| flag().map(|flag| format!("`{flag}`")))
}

/// The secrets that are read below a node, but for the token of the run, whose rights `permissions` name.
fn secrets(node: &Node<'_>) -> Vec<String> {
    let mut found = Vec::new();
    walk(node, "", &mut |place, value| {
        let mut all = inside(value).unwrap_or_default();
        if place.ends_with("if") && all.is_empty() {
            all.push(value);
        }
        for word in all.into_iter().flat_map(|expression| words(expression).unwrap_or_default()) {
            let Word::Path(path) = word else { continue };
            match path.as_slice() {
                [context, name, ..] if context == "secrets" && name != "github_token" => {
                    found.push(name.to_ascii_uppercase());
                }
                [context] if context == "secrets" => found.push("*".into()),
                _ => {}
            }
        }
    });
    if get(node, "secrets").and_then(text) == Some("inherit") {
        found.push("*".into());
    }
    found.sort();
    found.dedup();
    found
}

/// What nobody outside of the repository can fill with commands.
const HARMLESS: &[&[&str]] = &[
    &["github", "action"],
    &["github", "action_path"],
    &["github", "action_repository"],
    &["github", "action_status"],
    &["github", "actor_id"],
    &["github", "api_url"],
    &["github", "event", "after"],
    &["github", "event", "before"],
    &["github", "event", "issue", "number"],
    &["github", "event", "number"],
    &["github", "event", "pull_request", "base", "sha"],
    &["github", "event", "pull_request", "head", "sha"],
    &["github", "event", "pull_request", "number"],
    &["github", "event", "release", "id"],
    &["github", "event_name"],
    &["github", "event_path"],
    &["github", "graphql_url"],
    &["github", "job"],
    &["github", "ref_protected"],
    &["github", "ref_type"],
    &["github", "repository"],
    &["github", "repository_id"],
    &["github", "repository_owner"],
    &["github", "repository_owner_id"],
    &["github", "retention_days"],
    &["github", "run_attempt"],
    &["github", "run_id"],
    &["github", "run_number"],
    &["github", "server_url"],
    &["github", "sha"],
    &["github", "workflow_sha"],
    &["github", "workspace"],
    &["job", "status"],
    &["runner", "arch"],
    &["runner", "os"],
    &["runner", "temp"],
    &["runner", "tool_cache"],
    &["strategy", "job-index"],
    &["strategy", "job-total"],
];

/// Whether an expression can have no value that means something to a shell.
fn is_harmless(expression: &str, job: &Job<'_, '_>, workflow: &Node<'_>) -> bool {
    let Ok(words) = words(expression) else { return false };
    words.iter().all(|word| match word {
        Word::Path(path) => {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            match path.as_slice() {
                ["matrix", ..] => has_written_matrix(job),
                ["inputs", name] => is_bounded_input(workflow, name),
                // `success`, `failure`, `cancelled` or `skipped`.
                ["steps", _, "outcome" | "conclusion"] | ["needs", _, "result"] => true,
                _ => HARMLESS.contains(&path.as_slice()),
            }
        }
        Word::Call(_) | Word::Literal | Word::Sign => true,
    })
}

/// Every value of the job's matrix stands in the file.
fn has_written_matrix(job: &Job<'_, '_>) -> bool {
    let Some(matrix) = get(job.node, "strategy").and_then(|strategy| get(strategy, "matrix")) else { return false };
    let mut written = true;
    walk(matrix, "", &mut |_, value| written &= !value.contains("${{"));
    written
}

/// An input whose values GitHub checks.
fn is_bounded_input(workflow: &Node<'_>, name: &str) -> bool {
    let on = get(workflow, "on");
    let declared = ["workflow_dispatch", "workflow_call"].into_iter().filter_map(|event| {
        let inputs = get(get(on?, event)?, "inputs")?;
        super::document::entries(inputs).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, input)| input)
    });
    let kinds: Vec<Option<String>> = declared.map(|input| get(input, "type").and_then(scalar)).collect();
    !kinds.is_empty() && kinds.iter().all(|kind| matches!(kind.as_deref(), Some("boolean" | "number" | "choice")))
}
