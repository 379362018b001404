//! Follows the workflow run that a release started, and says what to do when it fails.

use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::github::{Github, Job, Run};
use crate::model::git::CommitId;
use crate::model::names::{GitTag, GithubRepositoryName};

/// How often and how long to look.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub between_looks: Duration,
    /// Until a run must have appeared: GitHub starts one within seconds of a release.
    pub to_appear: Duration,
    /// Until the run must have ended.
    pub to_end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            between_looks: Duration::from_secs(4),
            to_appear: Duration::from_secs(90),
            to_end: Duration::from_secs(45 * 60),
        }
    }
}

#[cfg(feature = "sandbox")]
impl Patience {
    /// For a stand-in that answers at once.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { between_looks: Duration::from_millis(20), ..Self::default() }
    }
}

/// How the run that the release started ended.
#[derive(Debug)]
pub enum Ended {
    Succeeded {
        url: String,
    },
    Failed {
        url: String,
        failure: Failure,
    },
    /// It was still going when patience ran out.
    StillRunning {
        url: String,
    },
}

impl super::Live {
    /// Waits for the run that the release of `tag` on `head` started and follows it; `say` hears each change of state once.
    ///
    /// # Errors
    /// When no run appeared, or GitHub stopped answering.
    pub async fn follow_run(
        &self,
        repository: &GithubRepositoryName,
        (tag, head): (&GitTag, &CommitId),
        patience: Patience,
        say: &dyn Fn(String),
    ) -> Result<Ended, Failure> {
        follow(&self.github, repository, (tag, head), patience, say).await
    }
}

async fn follow(
    github: &Github,
    repository: &GithubRepositoryName,
    (tag, head): (&GitTag, &CommitId),
    patience: Patience,
    say: &dyn Fn(String),
) -> Result<Ended, Failure> {
    let started = Instant::now();
    let run = loop {
        if let Some(run) = github.find_run(repository, head, tag).await? {
            break run;
        }
        if started.elapsed() > patience.to_appear {
            return Err(Failure::new(format!("the release {tag} of {repository} started no workflow run"))
                .hinted(format!("see that Actions is on: https://github.com/{repository}/settings/actions"))
                .hinted("GitHub starts runs only for releases that a person's token made"));
        }
        tokio::time::sleep(patience.between_looks).await;
    };
    follow_to_end(github, repository, run, patience, say).await
}

/// Follows a run that is there.
pub(super) async fn follow_to_end(
    github: &Github,
    repository: &GithubRepositoryName,
    mut run: Run,
    patience: Patience,
    say: &dyn Fn(String),
) -> Result<Ended, Failure> {
    let started = Instant::now();
    let mut told = String::new();
    loop {
        if run.status.as_deref() == Some("completed") {
            return ended(github, repository, run).await;
        }
        let state = describe(&run, &github.jobs(repository, run.id).await?);
        if state != told {
            say(state.clone());
            told = state;
        }
        if started.elapsed() > patience.to_end {
            return Ok(Ended::StillRunning { url: run.url });
        }
        tokio::time::sleep(patience.between_looks).await;
        run = github.run(repository, run.id).await?;
    }
}

fn describe(run: &Run, jobs: &[Job]) -> String {
    let names = |status: &str| -> Vec<&str> {
        jobs.iter().filter(|job| job.status == status).map(|job| job.name.as_str()).collect()
    };
    let running = names("in_progress");
    let done = names("completed").len();
    if running.is_empty() {
        format!(
            "workflow run {}: {done} of {} jobs done",
            run.status.as_deref().unwrap_or("requested").replace('_', " "),
            jobs.len()
        )
    } else {
        format!("workflow run: {} ({done} of {} jobs done)", running.join(", "), jobs.len())
    }
}

async fn ended(github: &Github, repository: &GithubRepositoryName, run: Run) -> Result<Ended, Failure> {
    if run.conclusion.as_deref() == Some("success") {
        return Ok(Ended::Succeeded { url: run.url });
    }
    let jobs = github.jobs(repository, run.id).await?;
    let conclusion = run.conclusion.as_deref().unwrap_or("no conclusion").replace('_', " ");
    let failed = jobs.iter().find(|job| job.conclusion.as_deref() == Some("failure"));
    let failure = match failed {
        None => {
            Failure::new(format!("the workflow run ended with {conclusion}")).hinted(format!("read it: {}", run.url))
        }
        Some(job) => {
            let step = job.steps.iter().find(|step| step.conclusion.as_deref() == Some("failure"));
            let place = match step {
                Some(step) => format!("job `{}`, step `{}`", job.name, step.name),
                None => format!("job `{}`", job.name),
            };
            Failure::new(format!("the workflow run failed in {place}"))
                .hinted(advice(&job.name))
                .hinted(format!("read its log: {}", job.url.as_deref().unwrap_or(&run.url)))
        }
    };
    Ok(Ended::Failed { url: run.url, failure })
}

/// What to do about a failed job of the rendered workflow; matrix jobs have their values behind the name.
fn advice(job: &str) -> &'static str {
    match job.split(" (").next().unwrap_or(job) {
        "Plan" => {
            "the release's tag is none that publishes (v1.0.0, or image/v1.0.0 of several): delete the release and publish one that does"
        }
        "Build" => "mend the Dockerfile below images/, then publish the next version",
        "Scan" => {
            "the image has CRITICAL or HIGH findings or an end-of-life base: the job's table names them; update the base, \
             then publish the next version"
        }
        "Report findings" => {
            "findings could not be uploaded: switch code scanning on, or make the upload optional in the workflow"
        }
        "Verify" => {
            "the image is published, and what its tag names could not be checked: re-run the job before anybody uses it"
        }
        "Publishing role" | "Reading role" => {
            "AWS did not let the job in, or the registry did not: `sbi plan` shows whether trust or policy drifted"
        }
        "Publish" => {
            "nothing was tagged; `sbi plan` shows whether role, policy or secrets drifted; then re-run the job"
        }
        _ => "mend it, then publish the next version: a failed release's tag is never reused",
    }
}
