//! What a workflow file says about its jobs that sign in to AWS with an OIDC token. The file may be anybody's: what it
//! leaves to a run is kept as it is written.

use std::collections::BTreeSet;

use saphyr::{LoadableYamlNode as _, Yaml};

use crate::failure::Failure;

/// One workflow, as far as signing in to AWS goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowFile {
    pub path: String,
    /// Its `name:`, or its path.
    pub name: String,
    /// The events that start it.
    pub events: BTreeSet<String>,
    /// Those of its jobs that sign in, or that hand the right to ask for tokens to a workflow that they call.
    pub jobs: Vec<SigningJob>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningJob {
    pub id: String,
    /// Its `name:`, or its id.
    pub name: String,
    pub environment: Option<Text>,
    /// `permissions` let it ask GitHub for a token.
    pub has_tokens: bool,
    pub sign_ins: Vec<SignIn>,
    /// The workflow that it calls instead of having steps.
    pub calls: Option<String>,
}

/// A step that assumes a role with the job's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The step as GitHub shows it.
    pub step: String,
    pub role: Text,
    pub audience: Option<Text>,
}

/// A text of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    Fixed(String),
    /// It has an expression in it, whose value only a run knows.
    Computed(String),
}

impl Text {
    fn new(text: &str) -> Self {
        if text.contains("${{") { Self::Computed(text.to_owned()) } else { Self::Fixed(text.to_owned()) }
    }

    /// As the file has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Fixed(text) | Self::Computed(text) => text,
        }
    }
}

/// Whether a path is that of a workflow: GitHub reads no deeper.
#[must_use]
pub fn is_workflow(path: &str) -> bool {
    let name = path.strip_prefix(".github/workflows/");
    name.is_some_and(|name| !name.contains('/') && (name.ends_with(".yml") || name.ends_with(".yaml")))
}

impl WorkflowFile {
    /// # Errors
    /// When the file is no workflow that can be read.
    pub fn read(path: &str, text: &str) -> Result<Self, Failure> {
        let broken = |reason: &str| Failure::usage(format!("`{path}` can't be read: {reason}"));
        let documents = Yaml::load_from_str(text).map_err(|error| broken("it is not YAML").caused_by(error))?;
        let [workflow] = documents.as_slice() else { return Err(broken("it is not one YAML document")) };
        let jobs = workflow.as_mapping_get("jobs").and_then(Yaml::as_mapping);
        let jobs = jobs.ok_or_else(|| broken("it has no `jobs:`"))?;
        let inherited = workflow.as_mapping_get("permissions");
        Ok(Self {
            path: path.to_owned(),
            name: workflow.as_mapping_get("name").and_then(Yaml::as_str).unwrap_or(path).to_owned(),
            events: workflow.as_mapping_get("on").map(events).unwrap_or_default(),
            jobs: jobs.iter().filter_map(|(id, job)| signing_job(id.as_str()?, job, inherited)).collect(),
        })
    }
}

fn events(on: &Yaml<'_>) -> BTreeSet<String> {
    let one = on.as_str().map(str::to_owned);
    let listed = on.as_sequence().into_iter().flatten().filter_map(|event| event.as_str().map(str::to_owned));
    let named = on.as_mapping().into_iter().flatten().filter_map(|(event, _)| event.as_str().map(str::to_owned));
    one.into_iter().chain(listed).chain(named).collect()
}

fn signing_job(id: &str, job: &Yaml<'_>, inherited: Option<&Yaml<'_>>) -> Option<SigningJob> {
    let steps = job.as_mapping_get("steps").and_then(Yaml::as_sequence).into_iter().flatten();
    let sign_ins: Vec<SignIn> = steps.filter_map(sign_in).collect();
    let has_tokens = job.as_mapping_get("permissions").or(inherited).is_some_and(grants_tokens);
    let calls = job.as_mapping_get("uses").and_then(Yaml::as_str).map(str::to_owned);
    if sign_ins.is_empty() && !(calls.is_some() && has_tokens) {
        return None;
    }
    let environment = job.as_mapping_get("environment");
    let environment = environment
        .and_then(|environment| environment.as_str().or_else(|| environment.as_mapping_get("name")?.as_str()))
        .map(Text::new);
    let name = job.as_mapping_get("name").and_then(Yaml::as_str).unwrap_or(id).to_owned();
    Some(SigningJob { id: id.to_owned(), name, environment, has_tokens, sign_ins, calls })
}

/// Without `permissions` a job has no tokens: GitHub's default leaves `id-token` out.
fn grants_tokens(permissions: &Yaml<'_>) -> bool {
    permissions.as_str() == Some("write-all")
        || permissions.as_mapping_get("id-token").and_then(Yaml::as_str) == Some("write")
}

fn sign_in(step: &Yaml<'_>) -> Option<SignIn> {
    let with = step.as_mapping_get("with")?;
    let role = with.as_mapping_get("role-to-assume")?.as_str()?;
    let part = |key: &str| step.as_mapping_get(key).and_then(Yaml::as_str);
    let title = part("name").map(str::to_owned).or_else(|| Some(format!("Run {}", part("uses")?)))?;
    let audience = with.as_mapping_get("audience").and_then(Yaml::as_str).map(Text::new);
    Some(SignIn { step: title, role: Text::new(role), audience })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_sign_in_are_read_with_what_their_tokens_depend_on() {
        let text = "
name: Mine
on: [push, workflow_dispatch]
permissions: {id-token: write}
jobs:
  a:
    environment: {name: production}
    steps:
      - uses: aws-actions/configure-aws-credentials@0123
        with: {role-to-assume: 'arn:aws:iam::1:role/x', audience: mine}
  b:
    permissions: {contents: read}
    environment: '${{ inputs.where }}'
    steps:
      - name: Sign in
        with: {role-to-assume: '${{ secrets.AWS_ROLE_ARN }}'}
  c:
    steps: [{run: 'true'}]
  d:
    uses: ./.github/workflows/other.yml
";
        let file = WorkflowFile::read(".github/workflows/mine.yml", text).unwrap();
        assert_eq!(file.events, BTreeSet::from(["push".to_owned(), "workflow_dispatch".to_owned()]));
        let [a, b, d] = file.jobs.as_slice() else { panic!("{:?}", file.jobs) };
        assert!(a.has_tokens && !b.has_tokens && d.has_tokens);
        assert_eq!(a.environment, Some(Text::Fixed("production".into())));
        assert_eq!(a.sign_ins[0].audience, Some(Text::Fixed("mine".into())));
        assert_eq!(a.sign_ins[0].step, "Run aws-actions/configure-aws-credentials@0123");
        assert_eq!(b.environment, Some(Text::Computed("${{ inputs.where }}".into())));
        assert_eq!(b.sign_ins[0].role, Text::Computed("${{ secrets.AWS_ROLE_ARN }}".into()));
        assert_eq!(d.calls.as_deref(), Some("./.github/workflows/other.yml"));
        assert!(WorkflowFile::read("x", "jobs: [").is_err());
        assert!(WorkflowFile::read("x", "on: push").is_err());
    }
}
