//! Which OIDC subjects the rendered jobs will have, read from the files themselves: trust and workflows can't disagree.
//!
//! `saphyr` reads the YAML: pure Rust, maintained, permissively licensed, and a tree instead of a mapping to types,
//! which is what a file needs that people may edit.

use std::collections::BTreeSet;

use saphyr::{LoadableYamlNode as _, Yaml};

use super::WORKFLOW;
use crate::failure::Failure;
use crate::model::config::Config;
use crate::model::desired::RenderedFile;
use crate::model::identity::{Purpose, ReadingRef, SubjectContext};
use crate::model::names::EnvironmentName;

fn refuse(path: &str, reason: &str) -> Failure {
    Failure::usage(format!("`{path}` has no subject that a role could trust: {reason}"))
        .hinted("`sbi render --out DIR` writes the workflow as sbi means it")
}

/// # Errors
/// When there is no publishing workflow, or its publish job's subject can't be told from the file.
pub fn subject_context(files: &[RenderedFile]) -> Result<SubjectContext, Failure> {
    let refuse = |reason: &str| refuse(WORKFLOW, reason);
    let file = files.iter().find(|file| file.path == WORKFLOW).ok_or_else(|| refuse("the file is missing"))?;
    let documents = read(file)?;
    let [workflow] = documents.as_slice() else { return Err(refuse("it is not one YAML document")) };
    let publish = workflow
        .as_mapping_get("jobs")
        .and_then(|jobs| jobs.as_mapping_get("publish"))
        .ok_or_else(|| refuse("there is no job `publish`"))?;

    if let Some(environment) = publish.as_mapping_get("environment") {
        let name = environment
            .as_str()
            .or_else(|| environment.as_mapping_get("name").and_then(Yaml::as_str))
            .ok_or_else(|| refuse("the environment of the job `publish` has no name"))?;
        return Ok(SubjectContext::Environment(EnvironmentName::new(name)?));
    }
    if !runs_on(workflow, "release") {
        return Err(refuse("it does not run on a release"));
    }
    Ok(SubjectContext::ReleaseTag)
}

/// The refs on which jobs of any workflow assume the reading role, which they name by its ARN. Empty when none does.
///
/// # Errors
/// When such a job runs in an environment, which its subject would name instead of a ref, or on neither releases nor a
/// schedule.
pub fn reading_refs(config: &Config, files: &[RenderedFile]) -> Result<BTreeSet<ReadingRef>, Failure> {
    let role = config.iam_arn(&format!("role/{}", Purpose::Read.role(config)));
    let mut refs = BTreeSet::new();
    // A file that does not name the role has nothing to say, and need not be YAML either.
    for file in files.iter().filter(|file| is_workflow(&file.path) && file.text.contains(&role)) {
        let refuse = |reason: &str| refuse(&file.path, reason);
        let documents = read(file)?;
        let [workflow] = documents.as_slice() else { return Err(refuse("it is not one YAML document")) };
        let jobs = workflow.as_mapping_get("jobs").and_then(Yaml::as_mapping).into_iter().flatten();
        for (id, job) in jobs.filter(|(_, job)| assumes(job, &role)) {
            let id = id.as_str().unwrap_or_default();
            if job.as_mapping_get("environment").is_some() {
                return Err(refuse(&format!("the job `{id}` reads and runs in an environment")));
            }
            // Started by hand it runs on a ref of the person's choice, and gets in where another job does.
            if runs_on(workflow, "workflow_dispatch") && starts(workflow) == 1 {
                continue;
            }
            let on_release = runs_on(workflow, "release").then_some(ReadingRef::ReleaseTag);
            let on_schedule = runs_on(workflow, "schedule").then_some(ReadingRef::DefaultBranch);
            if on_release.or(on_schedule).is_none() {
                return Err(refuse(&format!("the job `{id}` runs on neither releases nor a schedule")));
            }
            refs.extend(on_release.into_iter().chain(on_schedule));
        }
    }
    Ok(refs)
}

fn is_workflow(path: &str) -> bool {
    path.starts_with(".github/workflows/")
}

fn read(file: &RenderedFile) -> Result<Vec<Yaml<'_>>, Failure> {
    Yaml::load_from_str(&file.text).map_err(|error| refuse(&file.path, "it is not YAML").caused_by(error))
}

/// A step of the job signs in with this role.
fn assumes(job: &Yaml<'_>, role: &str) -> bool {
    let steps = job.as_mapping_get("steps").and_then(Yaml::as_sequence).into_iter().flatten();
    steps
        .filter_map(|step| step.as_mapping_get("with")?.as_mapping_get("role-to-assume")?.as_str())
        .any(|assumed| assumed == role)
}

/// How many kinds of event start it.
fn starts(workflow: &Yaml<'_>) -> usize {
    let Some(on) = workflow.as_mapping_get("on") else { return 0 };
    on.as_mapping().map(|events| events.len()).or(on.as_sequence().map(|events| events.len())).unwrap_or(1)
}

fn runs_on(workflow: &Yaml<'_>, event: &str) -> bool {
    workflow.as_mapping_get("on").is_some_and(|on| {
        on.as_str() == Some(event)
            || on.as_mapping_get(event).is_some()
            || on.as_sequence().is_some_and(|events| events.iter().any(|each| each.as_str() == Some(event)))
    })
}
