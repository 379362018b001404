//! `sbi doctor`: which jobs AWS would let in, and for each that it would not, why and what mends it. Changes nothing.

use super::answers::read_config;
use super::console::Console;
use super::converge::observe;
use super::desire::{Wishes, desire};
use crate::cli::{DoctorArgs, GlobalFlags};
use crate::failure::{Cause, Failure};
use crate::live::sign_in::Places;
use crate::model::config::{Auth, CONFIG_FILE};
use crate::model::desired::Desired;
use crate::model::diagnosis::{Case, Start, counted, judge, read_all, starts};
use crate::model::jobs::WorkflowFile;
use crate::model::names::GithubRepositoryName;
use crate::model::observed::{GithubRepository, RunStory};
use crate::plan::setup::plan_setup;
use crate::plan::{Plan, Renamed};
use crate::templates;
use crate::ui::diagnosis::Findings;
use crate::ui::report::Who;

/// # Errors
/// When a side can't be read; when a job would be refused.
pub(super) async fn run(global: &GlobalFlags, arguments: &DoctorArgs, console: &Console) -> Result<(), Failure> {
    let path = &global.config;
    let config = read_config(path)?.ok_or_else(|| {
        Failure::usage(format!("there is no `{}` here", path.display()))
            .hinted(format!("fetch it: `gh api repos/OWNER/NAME/contents/{CONFIG_FILE} --jq .content | base64 -d`"))
    })?;
    let live = console.sign_in(Places::default(), arguments.aws.profile.clone()).await?;
    let live = live.in_region(&config.aws.region);
    let stage = console.stage("looking at AWS, GitHub and the workflows");
    let (config, observed) = observe(&live, &config).await?;
    let name = config.github.repository.clone();
    let found = observed.github.repository.as_ref().ok_or_else(|| {
        Failure::new(format!("{name} does not exist or is hidden from {}", observed.github.viewer.login))
            .because(Cause::NotFound)
            .hinted("`sbi plan` shows what setting it up takes")
    })?;
    let pins = found.lock.as_ref().map(|lock| lock.images.clone()).unwrap_or_default();
    let desired = desire(config, pins, &Wishes { environment_settled: true, offline: true, ..Wishes::default() })?;
    let plan = plan_setup(&desired, &observed);
    let asked = Asked::new(arguments, &name, found)?;
    let story = match &asked {
        Asked::Run(id) => Some(live.run_story(&name, *id).await?),
        Asked::Ref { .. } => None,
        Asked::Usual => live.last_failure(&name, templates::WORKFLOW).await?,
    };
    let at = asked.place(found, story.as_ref());
    let files = live.workflows(&name, &at).await?;
    drop(stage);
    if files.is_empty() {
        return Err(Failure::new(format!("{name} has no workflow at {at}"))
            .because(Cause::NotFound)
            .hinted("`sbi plan` shows what is missing"));
    }
    let (workflows, unreadable) = read_all(&files);
    let cases: Vec<Case> = workflows
        .iter()
        .flat_map(|workflow| {
            asked.starts(workflow, &desired, found, story.as_ref()).into_iter().map(move |s| (workflow, s))
        })
        .flat_map(|(workflow, start)| judge(workflow, &start, &desired, &observed))
        .collect();
    let note = note(&desired, &cases, &plan);
    let findings = Findings {
        config: &desired.config,
        who: Who { aws: observed.aws.caller.arn.clone(), github: observed.github.viewer.login.clone() },
        at,
        cases,
        unreadable,
        run: story,
        drift: plan
            .nodes()
            .iter()
            .filter(|node| node.step.changes_whom_aws_lets_in() || node.step.changes_credentials())
            .map(|node| node.step.describe())
            .collect(),
        note,
    };
    console.show_findings(&findings)?;
    console.refuse(conclusion(&findings, plan))
}

/// What the person wants to know about.
enum Asked {
    /// A run by hand or by release of the files at this ref.
    Ref {
        short: String,
        full: String,
    },
    Run(u64),
    /// What is to come: the next releases and the scheduled runs.
    Usual,
}

impl Asked {
    fn new(arguments: &DoctorArgs, name: &GithubRepositoryName, found: &GithubRepository) -> Result<Self, Failure> {
        if let Some(text) = &arguments.run {
            return run_id(text, name, found).map(Self::Run);
        }
        let Some(text) = &arguments.reference else { return Ok(Self::Usual) };
        let tag = text.strip_prefix("refs/tags/").or_else(|| found.tags.contains(text).then_some(text.as_str()));
        Ok(match tag {
            Some(tag) => Self::Ref { short: tag.to_owned(), full: format!("refs/tags/{tag}") },
            None => {
                let branch = text.trim_start_matches("refs/heads/");
                Self::Ref { short: branch.to_owned(), full: format!("refs/heads/{branch}") }
            }
        })
    }

    /// The ref or commit whose workflow files count.
    fn place(&self, found: &GithubRepository, story: Option<&RunStory>) -> String {
        match (self, story) {
            (Self::Ref { short, .. }, _) => short.clone(),
            (Self::Run(_), Some(story)) => story.commit.to_string(),
            _ => found.identity.default_branch.clone(),
        }
    }

    fn starts(
        &self,
        workflow: &WorkflowFile,
        desired: &Desired,
        found: &GithubRepository,
        story: Option<&RunStory>,
    ) -> Vec<Start> {
        let branch = &found.identity.default_branch;
        match (self, story) {
            (Self::Ref { full, .. }, _) => starts(workflow, &desired.config, branch, Some(full)),
            (Self::Run(_), Some(story)) if story.workflow == workflow.path => {
                let is_tag = story.event == "release" || found.tags.contains(&story.branch);
                let kind = if is_tag { "tags" } else { "heads" };
                let reference = match story.event.as_str() {
                    "pull_request" => "refs/pull/1/merge".to_owned(),
                    _ => format!("refs/{kind}/{}", story.branch),
                };
                vec![Start { event: story.event.clone(), reference }]
            }
            (Self::Run(_), _) => Vec::new(),
            (Self::Usual, _) => starts(workflow, &desired.config, branch, None),
        }
    }
}

/// The number of a run, or the address at which GitHub shows it.
fn run_id(text: &str, name: &GithubRepositoryName, found: &GithubRepository) -> Result<u64, Failure> {
    let refuse = |reason: String| {
        Failure::usage(format!("`{text}` is no workflow run: {reason}"))
            .hinted(format!("`gh run list --repo {name}` lists the runs"))
    };
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let (before, after) =
        text.split_once("/actions/runs/").ok_or_else(|| refuse("it is neither a number nor its address".into()))?;
    let ours = |full_name: &str| before.to_lowercase().ends_with(&format!("/{}", full_name.to_lowercase()));
    if !std::iter::once(found.full_name.clone())
        .chain(found.former_names.iter().map(ToString::to_string))
        .any(|n| ours(&n))
    {
        return Err(refuse(format!("it belongs to another repository than {name}")));
    }
    let id: String = after.chars().take_while(char::is_ascii_digit).collect();
    id.parse().map_err(|_| refuse("its address has no number".into()))
}

/// What is to be known beside the cases, or in their place.
fn note(desired: &Desired, cases: &[Case], plan: &Plan) -> Option<String> {
    if let Some(Renamed { from, to }) = &plan.renamed {
        return Some(format!("GitHub repository {from} is now {to}"));
    }
    if desired.config.publish.auth == Auth::AccessKey {
        let user = desired.config.user();
        return Some(format!(
            "they sign in with an access key of {user}: no trust policy decides, the key and its secrets do"
        ));
    }
    cases.is_empty().then(|| "no job of such a run signs in".to_owned())
}

/// A job that would be refused, an identity that differs, and what `sbi plan` refuses, as one failure each.
fn conclusion(findings: &Findings<'_>, plan: Plan) -> Vec<Failure> {
    let mut failures = plan.refusals;
    let (_, refused, _) = counted(&findings.cases);
    if refused > 0 {
        let all = findings.cases.len();
        let failure = Failure::new(format!("{refused} of {all} sign-ins would be refused"));
        failures.push(failure.hinted("the reasons are above, with what mends each"));
    } else if !findings.drift.is_empty() {
        failures.push(
            Failure::new("what the jobs sign in with differs from what sbi.toml asks for")
                .hinted("`sbi apply` mends it, after showing the plan"),
        );
    }
    failures
}
