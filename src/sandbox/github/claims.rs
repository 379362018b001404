//! The claims of GitHub's OIDC tokens ("OpenID Connect reference", GitHub documentation).

use serde_json::{Value, json};

use super::world::{Repository, World};
use crate::model::identity::{OIDC_AUDIENCE, OIDC_ISSUER};

/// How long a token is valid, in seconds.
const LIFETIME: i64 = 300;

/// The run and the job for which a token is asked.
#[derive(Clone)]
pub struct WorkflowRunContext {
    /// `release`, `push`, `pull_request`, …
    pub event: String,
    /// `refs/tags/v1.0.0`
    pub reference: String,
    /// The commit; `None` takes what the ref points to.
    pub commit: Option<String>,
    /// The environment of the job, when it has one.
    pub environment: Option<String>,
    /// Path of the workflow file.
    pub workflow: String,
    /// The workflow's `name:`, or its path.
    pub workflow_name: String,
    pub run_id: u64,
    pub run_number: u64,
}

impl WorkflowRunContext {
    /// The first run of a workflow for a release.
    #[must_use]
    pub fn release(workflow: &str, tag: &str, environment: Option<&str>) -> Self {
        Self {
            event: "release".into(),
            reference: format!("refs/tags/{tag}"),
            commit: None,
            environment: environment.map(str::to_owned),
            workflow: workflow.to_owned(),
            workflow_name: workflow.to_owned(),
            run_id: 1,
            run_number: 1,
        }
    }

    /// The first run of a workflow on its schedule, which GitHub starts on the default branch.
    #[must_use]
    pub fn scheduled(workflow: &str, default_branch: &str) -> Self {
        Self {
            event: "schedule".into(),
            reference: format!("refs/heads/{default_branch}"),
            ..Self::release(workflow, "", None)
        }
    }

    /// The first run of a workflow for a pull request.
    #[must_use]
    pub fn pull_request(workflow: &str, number: u64) -> Self {
        Self {
            event: "pull_request".into(),
            reference: format!("refs/pull/{number}/merge"),
            ..Self::release(workflow, "", None)
        }
    }
}

/// What every subject of a repository starts with.
pub(super) fn subject_prefix(world: &World, repository: &Repository) -> String {
    let owner = world.accounts.get(&repository.owner).map_or("", |account| account.login.as_str());
    if repository.subject.immutable {
        format!("repo:{owner}@{}/{}@{}", repository.owner, repository.name, repository.id)
    } else {
        format!("repo:{owner}/{}", repository.name)
    }
}

pub(super) fn of(world: &mut World, repository: u64, run: &WorkflowRunContext) -> Option<Value> {
    let serial = world.id();
    let now = world.now().as_second();
    let world = &*world;
    let repository = world.repository(repository).ok()?;
    let viewer = world.viewer().ok()?;
    let owner = world.owner(repository).ok()?;
    let full_name = world.full_name(repository);
    let commit = run.commit.clone().or_else(|| repository.resolve(&run.reference)).unwrap_or_default();
    let context = match (&run.environment, run.event.as_str()) {
        (Some(name), _) => format!("environment:{}", name.replace(':', "%3A")),
        (None, "pull_request") => "pull_request".into(),
        (None, _) => format!("ref:{}", run.reference),
    };
    let prefix = subject_prefix(world, repository);
    let file = format!("{full_name}/{}@{}", run.workflow, run.reference);
    let mut claims = json!({
        "iss": format!("https://{OIDC_ISSUER}"), "aud": OIDC_AUDIENCE, "sub": format!("{prefix}:{context}"),
        "jti": format!("{serial:08x}-0000-4000-8000-{:012x}", repository.id),
        "iat": now, "nbf": now - LIFETIME, "exp": now + LIFETIME,
        "repository": full_name, "repository_id": repository.id.to_string(),
        "repository_owner": owner.login, "repository_owner_id": owner.id.to_string(),
        "repository_visibility": if repository.private { "private" } else { "public" },
        "actor": viewer.login, "actor_id": viewer.id.to_string(),
        "ref": run.reference, "ref_type": if run.reference.starts_with("refs/tags/") { "tag" } else { "branch" },
        "ref_protected": "false", "sha": commit, "event_name": run.event, "head_ref": "", "base_ref": "",
        "workflow": run.workflow_name, "workflow_ref": file, "workflow_sha": commit,
        "job_workflow_ref": file, "job_workflow_sha": commit,
        "run_id": run.run_id.to_string(), "run_number": run.run_number.to_string(), "run_attempt": "1",
        "runner_environment": "github-hosted",
    });
    if let Some(environment) = &run.environment {
        claims["environment"] = json!(environment);
    }
    if !repository.subject.use_default {
        let parts = repository.subject.claim_keys.iter().map(|key| match key.as_str() {
            "repo" => prefix.clone(),
            "context" => context.clone(),
            other => format!("{other}:{}", claims[other].as_str().unwrap_or_default().replace(':', "%3A")),
        });
        claims["sub"] = json!(parts.collect::<Vec<_>>().join(":"));
    }
    Some(claims)
}
