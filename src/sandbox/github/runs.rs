//! Workflow runs: a release starts them, every look moves them on, a hook decides how they end.

use serde_json::{Value, json};

use super::access;
use super::accounts::simple;
use super::claims::{self, WorkflowRunContext};
use super::environments;
use super::git::{self, pages, person, root};
use super::reply::{Reply, no_content, not_found, ok, unprocessable};
use super::repository::minimal;
use super::routes::Call;
use super::workflow::{Job, Workflow};
use super::world::{Repository, Run, WorkflowFile, World, stamp};
use super::{JobContext, RunContext, RunOutcome};

/// Where workflow files are.
pub(super) const WORKFLOWS: &str = ".github/workflows/";

/// Starts every workflow on `commit` that waits for a published release.
pub(super) fn start(world: &mut World, id: u64, tag: &str, commit: &str, title: &str) -> Reply<()> {
    let repository = world.repository(id)?;
    // Events of an Actions token start no workflow ("Automatic token authentication").
    if access::is_installation(world) || !repository.actions.enabled {
        return Ok(());
    }
    let files = repository.objects.files(commit).unwrap_or_default();
    let mut started = Vec::new();
    for (path, entry) in files.iter().filter(|(path, _)| is_workflow_file(path)) {
        let text = String::from_utf8_lossy(repository.objects.blob(&entry.id).unwrap_or_default()).into_owned();
        match Workflow::read(&text) {
            Some(workflow) if workflow.waits_for_publication() => started.push((path.clone(), Some(workflow))),
            Some(_) => {}
            None => started.push((path.clone(), None)),
        }
    }
    for (path, workflow) in started {
        let repository = world.repository(id)?;
        if repository.workflows.iter().any(|known| known.path == path && known.state != "active") {
            continue;
        }
        queue(world, id, (path, workflow), ("release", &format!("refs/tags/{tag}"), commit), title)?;
    }
    Ok(())
}

/// Queues a run of a workflow file on a ref; returns its id.
fn queue(
    world: &mut World,
    id: u64,
    (path, workflow): (String, Option<Workflow>),
    (event, reference, commit): (&str, &str, &str),
    title: &str,
) -> Reply<u64> {
    let name = workflow.as_ref().and_then(|workflow| workflow.name.clone()).unwrap_or_else(|| path.clone());
    let workflow_id = known_workflow(world, id, &path, &name)?;
    let jobs = workflow.map(|workflow| workflow.jobs);
    let first_job = world.id();
    world.next_id += jobs.as_ref().map_or(0, Vec::len) as u64;
    let (run_id, created, hidden) = (world.id(), world.now(), world.run_delay);
    let repository = world.repository_mut(id)?;
    let outcome = refused_by_settings(repository, jobs.as_deref(), reference);
    repository.runs.push(Run {
        id: run_id,
        number: repository.runs.iter().filter(|run| run.workflow == workflow_id).count() as u64 + 1,
        workflow: workflow_id,
        path,
        name,
        event: event.to_owned(),
        head: commit.to_owned(),
        reference: reference.to_owned(),
        title: title.to_owned(),
        created,
        jobs,
        first_job,
        hidden,
        polls: 0,
        outcome,
    });
    Ok(run_id)
}

/// Starts a workflow by hand ("Create a workflow dispatch event").
pub(super) fn dispatch(world: &mut World, call: &Call<'_>) -> Reply {
    let (file, wanted) = (call.parameter(0).to_owned(), call.required("ref")?.to_owned());
    let path = format!(".github/workflows/{file}");
    let repository = world.repository(call.repository)?;
    let by_hand = |commit: &str| -> Option<Workflow> {
        let files = repository.objects.files(commit).unwrap_or_default();
        let text = repository.objects.blob(&files.get(&path)?.id)?;
        Workflow::read(&String::from_utf8_lossy(text)).filter(Workflow::waits_for_dispatch)
    };
    // GitHub knows workflows from the default branch.
    let default = format!("refs/heads/{}", repository.default_branch);
    let known = repository
        .refs
        .get(&default)
        .is_some_and(|tip| repository.objects.files(tip).unwrap_or_default().contains_key(&path));
    if !known {
        return Err(not_found());
    }
    let candidates = [wanted.clone(), format!("refs/heads/{wanted}"), format!("refs/tags/{wanted}")];
    let found = candidates.into_iter().find_map(|name| Some((repository.refs.get(&name)?.clone(), name)));
    let Some((commit, reference)) = found else {
        return Err(unprocessable(&format!("No ref found for: {wanted}")));
    };
    let Some(workflow) = by_hand(&commit) else {
        return Err(unprocessable("Workflow does not have 'workflow_dispatch' trigger"));
    };
    let title = workflow.name.clone().unwrap_or_else(|| path.clone());
    let started = ("workflow_dispatch", reference.as_str(), commit.as_str());
    let run = queue(world, call.repository, (path, Some(workflow)), started, &title)?;
    if call.flag("return_run_details")? != Some(true) {
        return no_content();
    }
    let repository = world.repository(call.repository)?;
    let (root, pages) = (root(world, repository, call.base), pages(world, repository, call.base));
    ok(&json!({
        "workflow_run_id": run, "run_url": format!("{root}/actions/runs/{run}"),
        "html_url": format!("{pages}/actions/runs/{run}"),
    }))
}

/// GitHub knows every workflow on the default branch, and those that ran.
fn know_workflows(world: &mut World, id: u64) -> Reply<()> {
    let repository = world.repository(id)?;
    let files = repository.files_at(repository.head());
    let found: Vec<(String, String)> = files
        .iter()
        .filter(|(path, _)| is_workflow_file(path))
        .map(|(path, entry)| {
            let text = String::from_utf8_lossy(repository.objects.blob(&entry.id).unwrap_or_default()).into_owned();
            let name = Workflow::read(&text).and_then(|workflow| workflow.name);
            (path.clone(), name.unwrap_or_else(|| path.clone()))
        })
        .collect();
    for (path, name) in found {
        known_workflow(world, id, &path, &name)?;
    }
    Ok(())
}

fn is_workflow_file(path: &str) -> bool {
    git::is_workflow(path)
        && path.matches('/').count() == 2
        && [".yml", ".yaml"].iter().any(|ending| path.ends_with(ending))
}

pub(super) fn known_workflow(world: &mut World, id: u64, path: &str, name: &str) -> Reply<u64> {
    let (created, fresh) = (world.now(), world.id());
    let workflows = &mut world.repository_mut(id)?.workflows;
    if let Some(workflow) = workflows.iter_mut().find(|workflow| workflow.path == path) {
        name.clone_into(&mut workflow.name);
        return Ok(workflow.id);
    }
    workflows.push(WorkflowFile { id: fresh, path: path.to_owned(), name: name.to_owned(), state: "active", created });
    Ok(fresh)
}

/// A run that the repository's own settings stop: an action without full SHA, a ref that may not deploy.
fn refused_by_settings(repository: &Repository, jobs: Option<&[Job]>, reference: &str) -> Option<RunOutcome> {
    let pinned = |uses: &String| {
        uses.starts_with("./")
            || uses.split_once('@').is_some_and(|(_, v)| v.len() == 40 && v.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let failed = |job: &Job| RunOutcome::Failure { job: job.name.clone(), step: Some("Set up job".into()) };
    jobs?.iter().find_map(|job| {
        let unpinned = repository.actions.sha_pinning_required && !job.uses.iter().all(pinned);
        let kept_out = job.environment.as_ref().is_some_and(|name| !environments::admits(repository, name, reference));
        (unpinned || kept_out).then(|| failed(job))
    })
}

/// The runs whose end must be decided before anyone looks at them again.
pub(super) fn undecided(world: &mut World) -> Vec<RunContext> {
    let mut found = Vec::new();
    let waiting: Vec<(u64, usize)> = world
        .repositories
        .values()
        .flat_map(|repository| {
            let open = repository.runs.iter().enumerate();
            open.filter(|(_, run)| run.outcome.is_none() && run.polls > 0).map(|(at, _)| (repository.id, at))
        })
        .collect();
    for (id, at) in waiting {
        let Ok(repository) = world.repository(id) else { continue };
        let run = &repository.runs[at];
        let mut context = RunContext {
            repository: world.full_name(repository),
            run_id: run.id,
            workflow: run.path.clone(),
            event: run.event.clone(),
            tag: run.branch().to_owned(),
            commit: run.head.clone(),
            jobs: Vec::new(),
        };
        let jobs = run.jobs.clone().unwrap_or_default();
        let asked = WorkflowRunContext {
            event: run.event.clone(),
            reference: run.reference.clone(),
            commit: Some(run.head.clone()),
            environment: None,
            workflow: run.path.clone(),
            workflow_name: run.name.clone(),
            run_id: run.id,
            run_number: run.number,
        };
        for job in jobs {
            let asked = WorkflowRunContext { environment: job.environment.clone(), ..asked.clone() };
            let claims = if job.id_token { claims::of(world, id, &asked) } else { None };
            context.jobs.push(JobContext { name: job.name, environment: job.environment, steps: job.steps, claims });
        }
        found.push(context);
    }
    found
}

pub(super) fn decide(world: &mut World, run_id: u64, outcome: RunOutcome) {
    let mut runs = world.repositories.values_mut().flat_map(|repository| repository.runs.iter_mut());
    if let Some(run) = runs.find(|run| run.id == run_id) {
        run.outcome.get_or_insert(outcome);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Queued,
    InProgress,
    Completed(&'static str),
}

impl Phase {
    fn status(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed(_) => "completed",
        }
    }

    fn conclusion(self) -> Option<&'static str> {
        match self {
            Self::Completed(conclusion) => Some(conclusion),
            Self::Queued | Self::InProgress => None,
        }
    }
}

impl Run {
    /// The branch or tag that it runs on, as GitHub shows it.
    pub(super) fn branch(&self) -> &str {
        self.reference.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/")
    }

    /// The first look finds it queued, then one job ends with each look, then the run does.
    fn look(&mut self) {
        if self.polls == 0 || self.outcome.is_some() {
            self.polls += 1;
        }
    }

    fn phase(&self) -> Phase {
        let Some(jobs) = &self.jobs else {
            return if self.polls <= 1 { Phase::Queued } else { Phase::Completed("startup_failure") };
        };
        match self.polls as usize {
            0 | 1 => Phase::Queued,
            polls if polls < 2 + jobs.len() => Phase::InProgress,
            _ => Phase::Completed(match &self.outcome {
                Some(RunOutcome::Failure { .. }) => "failure",
                Some(RunOutcome::Cancelled) => "cancelled",
                Some(RunOutcome::Success) | None => "success",
            }),
        }
    }

    /// How a job ends, or ended.
    fn end(&self, job: &Job) -> &'static str {
        match &self.outcome {
            Some(RunOutcome::Cancelled) => "cancelled",
            Some(RunOutcome::Failure { job: failed, .. }) if *failed == job.name => "failure",
            _ if self.needs_one_that_failed(job) && !job.always => "skipped",
            _ => "success",
        }
    }

    fn needs_one_that_failed(&self, job: &Job) -> bool {
        let jobs = self.jobs.as_deref().unwrap_or_default();
        let earlier = jobs.iter().take_while(|other| other.id != job.id);
        earlier.filter(|other| job.needs.contains(&other.id)).any(|other| self.end(other) != "success")
    }

    pub(super) fn status(&self) -> (&'static str, Option<&'static str>) {
        (self.phase().status(), self.phase().conclusion())
    }
}

fn describe(world: &World, repository: &Repository, base: &str, run: &Run) -> Reply<Value> {
    let (root, pages) = (root(world, repository, base), pages(world, repository, base));
    let url = format!("{root}/actions/runs/{}", run.id);
    let (status, conclusion) = run.status();
    let commit = repository.objects.commit(&run.head).ok_or_else(not_found)?;
    let viewer = simple(world.viewer()?, base);
    let own = minimal(world, repository, base)?;
    let author = person(&commit.author);
    Ok(json!({
        "id": run.id, "name": run.name, "node_id": format!("WFR_{}", run.id), "head_branch": run.branch(),
        "head_sha": run.head, "path": run.path, "display_title": run.title, "run_number": run.number,
        "event": run.event, "status": status, "conclusion": conclusion, "workflow_id": run.workflow,
        "check_suite_id": run.id, "check_suite_node_id": format!("CS_{}", run.id), "url": url,
        "html_url": format!("{pages}/actions/runs/{}", run.id), "pull_requests": [],
        "created_at": stamp(run.created), "updated_at": stamp(run.created), "run_started_at": stamp(run.created),
        "run_attempt": 1, "actor": viewer, "triggering_actor": viewer,
        "jobs_url": format!("{url}/jobs"), "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{root}/check-suites/{}", run.id), "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"), "rerun_url": format!("{url}/rerun"),
        "workflow_url": format!("{root}/actions/workflows/{}", run.workflow), "previous_attempt_url": null,
        "head_commit": {
            "id": run.head, "tree_id": commit.tree, "message": commit.message, "timestamp": author["date"],
            "author": {"name": commit.author.name, "email": commit.author.email},
            "committer": {"name": commit.committer.name, "email": commit.committer.email},
        },
        "repository": own, "head_repository": own,
    }))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Reply {
    list_where(world, call, |_| true)
}

/// The runs of one workflow, which is named by its number or by its file.
pub(super) fn list_of_workflow(world: &mut World, call: &Call<'_>) -> Reply {
    know_workflows(world, call.repository)?;
    let named = call.parameter(0);
    let path = format!("{WORKFLOWS}{named}");
    let workflows = &world.repository(call.repository)?.workflows;
    let found = workflows.iter().find(|workflow| workflow.path == path || workflow.id.to_string() == named);
    let id = found.ok_or_else(not_found)?.id;
    list_where(world, call, |run| run.workflow == id)
}

fn list_where(world: &mut World, call: &Call<'_>, wanted: impl Fn(&Run) -> bool) -> Reply {
    let filters: Vec<(&str, Option<String>)> =
        ["event", "head_sha", "branch", "status"].into_iter().map(|name| (name, call.query(name))).collect();
    for run in &mut world.repository_mut(call.repository)?.runs {
        if run.hidden > 0 {
            run.hidden -= 1;
        } else {
            run.look();
        }
    }
    let repository = world.repository(call.repository)?;
    let mut found = Vec::new();
    for run in repository.runs.iter().rev().filter(|run| run.polls > 0 && wanted(run)) {
        let (status, conclusion) = run.status();
        let fits = filters.iter().all(|(name, wanted)| {
            wanted.as_ref().is_none_or(|wanted| match *name {
                "event" => *wanted == run.event,
                "head_sha" => *wanted == run.head,
                "branch" => *wanted == run.branch(),
                _ => wanted == status || Some(wanted.as_str()) == conclusion,
            })
        });
        if fits {
            found.push(describe(world, repository, call.base, run)?);
        }
    }
    call.page().counted("workflow_runs", found)
}

fn looked_at<'w>(world: &'w mut World, call: &Call<'_>) -> Reply<(&'w World, &'w Repository, &'w Run)> {
    let id = call.number(0)?;
    let runs = &mut world.repository_mut(call.repository)?.runs;
    let run = runs.iter_mut().find(|run| run.id == id).ok_or_else(not_found)?;
    run.look();
    let repository = world.repository(call.repository)?;
    let run = repository.runs.iter().find(|run| run.id == id).ok_or_else(not_found)?;
    Ok((world, repository, run))
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Reply {
    let (world, repository, run) = looked_at(world, call)?;
    ok(&describe(world, repository, call.base, run)?)
}

pub(super) fn jobs(world: &mut World, call: &Call<'_>) -> Reply {
    let (world, repository, run) = looked_at(world, call)?;
    let (root, pages) = (root(world, repository, call.base), pages(world, repository, call.base));
    let jobs = run.jobs.as_deref().unwrap_or_default().iter().enumerate().map(|(at, job)| {
        let phase = match (run.polls as usize).cmp(&(2 + at)) {
            _ if matches!(run.phase(), Phase::Completed(_)) => Phase::Completed(run.end(job)),
            std::cmp::Ordering::Less => Phase::Queued,
            std::cmp::Ordering::Equal => Phase::InProgress,
            std::cmp::Ordering::Greater => Phase::Completed(run.end(job)),
        };
        let id = run.first_job + at as u64;
        let time = stamp(run.created);
        json!({
            "id": id, "run_id": run.id, "run_url": format!("{root}/actions/runs/{}", run.id), "run_attempt": 1,
            "node_id": format!("CR_{id}"), "head_sha": run.head, "head_branch": run.branch(),
            "url": format!("{root}/actions/jobs/{id}"),
            "html_url": format!("{pages}/actions/runs/{}/job/{id}", run.id),
            "status": phase.status(), "conclusion": phase.conclusion(), "created_at": time, "started_at": time,
            "completed_at": phase.conclusion().map(|_| &time), "name": job.name, "workflow_name": run.name,
            "steps": steps(run, job, phase, &time), "check_run_url": format!("{root}/check-runs/{id}"),
            "labels": ["ubuntu-24.04"], "runner_id": 1, "runner_name": "GitHub Actions 1", "runner_group_id": 0,
            "runner_group_name": "GitHub Actions",
        })
    });
    call.page().counted("jobs", jobs.collect())
}

fn steps(run: &Run, job: &Job, phase: Phase, time: &str) -> Value {
    let Phase::Completed(end) = phase else { return json!([]) };
    if end == "skipped" {
        return json!([]);
    }
    let mut names = vec!["Set up job"];
    names.extend(job.steps.iter().map(String::as_str));
    names.push("Complete job");
    let last = names.len() - 1;
    let failing = match &run.outcome {
        Some(RunOutcome::Failure { job: failed, step }) if *failed == job.name => {
            let named = step.as_ref().and_then(|step| names.iter().position(|name| name == step));
            Some(named.unwrap_or(last.saturating_sub(1)))
        }
        _ => None,
    };
    let all = names.iter().enumerate().map(|(at, name)| {
        let conclusion = match failing {
            Some(failing) if at == failing => "failure",
            Some(failing) if at > failing && at < last => "skipped",
            _ if end == "cancelled" && at > 0 && at < last => "cancelled",
            _ => "success",
        };
        json!({
            "name": name, "status": "completed", "conclusion": conclusion, "number": at + 1, "started_at": time,
            "completed_at": time,
        })
    });
    Value::Array(all.collect())
}

pub(super) fn list_workflows(world: &mut World, call: &Call<'_>) -> Reply {
    know_workflows(world, call.repository)?;
    let repository = world.repository(call.repository)?;
    let (root, pages) = (root(world, repository, call.base), pages(world, repository, call.base));
    let all = repository.workflows.iter().map(|workflow| {
        let (id, path) = (workflow.id, &workflow.path);
        json!({
            "id": id, "node_id": format!("W_{id}"), "name": workflow.name, "path": path, "state": workflow.state,
            "created_at": stamp(workflow.created), "updated_at": stamp(workflow.created),
            "url": format!("{root}/actions/workflows/{id}"), "html_url": format!("{pages}/blob/main/{path}"),
            "badge_url": format!("{pages}/workflows/{path}/badge.svg"),
        })
    });
    call.page().counted("workflows", all.collect())
}
