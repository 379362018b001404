//! Which OIDC subject the rendered publish job will have, read from the file itself: trust and workflow can't disagree.
//!
//! `saphyr` reads the YAML: pure Rust, maintained, permissively licensed, and a tree instead of a mapping to types,
//! which is what a file needs that people may edit.

use saphyr::{LoadableYamlNode as _, Yaml};

use super::WORKFLOW;
use crate::failure::Failure;
use crate::model::desired::RenderedFile;
use crate::model::identity::SubjectContext;
use crate::model::names::EnvironmentName;

/// # Errors
/// When there is no publishing workflow, or its publish job's subject can't be told from the file.
pub fn subject_context(files: &[RenderedFile]) -> Result<SubjectContext, Failure> {
    let refuse = |reason: &str| {
        Failure::usage(format!("`{WORKFLOW}` has no subject that a role could trust: {reason}"))
            .hinted("`sbi render --out DIR` writes the workflow as sbi means it")
    };
    let file = files.iter().find(|file| file.path == WORKFLOW).ok_or_else(|| refuse("the file is missing"))?;
    let documents = Yaml::load_from_str(&file.text).map_err(|error| refuse("it is not YAML").caused_by(error))?;
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
    let releases = workflow.as_mapping_get("on").is_some_and(|on| {
        on.as_str() == Some("release")
            || on.as_mapping_get("release").is_some()
            || on.as_sequence().is_some_and(|events| events.iter().any(|event| event.as_str() == Some("release")))
    });
    if !releases {
        return Err(refuse("it does not run on a release"));
    }
    Ok(SubjectContext::ReleaseTag)
}
