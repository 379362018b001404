//! What started the run: a rehearsal by hand, or the release of a tag as if it had been published.

use serde_json::{Map, Value, json};

use super::source::Source;
use super::workflow::Workflow;
use crate::failure::Failure;

/// The answers to `github.*` and `inputs.*`, the same for every job.
#[derive(Clone, Debug)]
pub struct Event {
    pub github: Map<String, Value>,
    pub inputs: Map<String, Value>,
    pub is_release: bool,
}

/// What the person decided about a run.
#[derive(Clone, Debug, Default)]
pub struct Occasion {
    /// `OWNER/NAME`
    pub repository: String,
    pub is_private: bool,
    pub image: Option<String>,
    /// The git tag of the release to pretend.
    pub tag: Option<String>,
}

impl Event {
    /// # Errors
    /// Usage, when the workflow doesn't run on releases, or has no such image to choose.
    pub fn new(workflow: &Workflow, source: &Source, occasion: &Occasion) -> Result<Self, Failure> {
        let is_release = occasion.tag.is_some();
        if is_release && !workflow.runs_on_releases {
            return Err(
                Failure::usage(format!("`{}` does not run on releases", workflow.file)).hinted("leave `--tag` out")
            );
        }
        let mut inputs = Map::new();
        // A release has no inputs; GitHub then answers every one with nothing.
        for input in &workflow.inputs {
            let chosen = (input.name == "image").then(|| occasion.image.clone()).flatten().map(Value::String);
            let value = if is_release { Value::Null } else { chosen.unwrap_or_else(|| input.default.clone()) };
            inputs.insert(input.name.clone(), value);
        }
        let owner = occasion.repository.split('/').next().unwrap_or_default();
        let (reference, kind, short) = match &occasion.tag {
            Some(tag) => (format!("refs/tags/{tag}"), "tag", tag.clone()),
            None => (format!("refs/heads/{}", source.branch), "branch", source.branch.clone()),
        };
        let repository = json!({
            "full_name": occasion.repository,
            "name": occasion.repository.split('/').nth(1),
            "default_branch": source.branch,
            "private": occasion.is_private,
            "visibility": if occasion.is_private { "private" } else { "public" },
        });
        let mut event = json!({ "repository": repository });
        match &occasion.tag {
            Some(tag) => event["release"] = json!({ "tag_name": tag, "draft": false, "prerelease": false }),
            None => event["inputs"] = Value::Object(inputs.clone()),
        }
        let github = json!({
            "action": "",
            "actor": owner,
            "api_url": "https://api.github.com",
            "base_ref": "",
            "event": event,
            "event_name": if is_release { "release" } else { "workflow_dispatch" },
            "graphql_url": "https://api.github.com/graphql",
            "head_ref": "",
            "job": "",
            "ref": reference,
            "ref_name": short,
            "ref_protected": false,
            "ref_type": kind,
            "repository": occasion.repository,
            "repository_id": "0",
            "repository_owner": owner,
            "repository_owner_id": "0",
            "repository_visibility": if occasion.is_private { "private" } else { "public" },
            "retention_days": "90",
            "run_attempt": "1",
            "run_id": "1",
            "run_number": "1",
            "server_url": "https://github.com",
            "sha": source.commit,
            "triggering_actor": owner,
            "workflow": workflow.name,
            "workflow_ref": format!("{}/{}@{reference}", occasion.repository, workflow.file),
            "workflow_sha": source.commit,
        });
        let Value::Object(github) = github else { return Err(Failure::new("the event is no mapping")) };
        Ok(Self { github, inputs, is_release })
    }
}
