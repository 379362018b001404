//! `sbi rotate-keys --to-oidc`: from an access key to OIDC, in two runs with a pull request between them.

use jiff::Timestamp;

use super::carry_out::{carry_out, confirm, preflight};
use super::console::{Console, summary};
use super::converge::{Prospect, Run, converge, look};
use super::desire::Wishes;
use super::guard::Guard;
use crate::apply::Report;
use crate::cli::{GlobalFlags, RotateKeysArgs};
use crate::failure::Failure;
use crate::live::Live;
use crate::model::config::{Auth, Config, RESCAN_ENVIRONMENT};
use crate::model::git::CommitId;
use crate::model::names::GithubRepositoryName;
use crate::model::observed::GithubRepository;
use crate::plan::retirement::{Retirement, plan_retirement, rights};
use crate::plan::{Kept, Plan};
use crate::ui::Glyph;
use crate::ui::report::Who;

const COMMAND: &str = "sbi rotate-keys --to-oidc";

/// # Errors
/// A refusal before any effect, or what failed while applying.
pub(super) async fn run(
    global: &GlobalFlags,
    arguments: &RotateKeysArgs,
    repository: &GithubRepositoryName,
    live: &Live,
    console: &Console,
) -> Result<(), Failure> {
    // What jobs do is decided by the default branch, not by a file here.
    let config = live.config_of(repository).await?.ok_or_else(|| {
        Failure::usage(format!("{repository} has no `sbi.toml`, or this token does not see it"))
            .hinted(format!("`sbi init --github {repository}` sets it up, with OIDC"))
    })?;
    match config.publish.auth {
        Auth::AccessKey => prepare(global, config, live, console).await,
        Auth::Oidc => {
            let guard = Guard::take(console, COMMAND, repository)?;
            let retired = Box::pin(retire(global, arguments, &config, live, &guard)).await;
            guard.end(retired.as_ref().err());
            retired
        }
    }
}

fn wishes() -> Wishes {
    Wishes { environment_settled: true, by_pull_request: true, ..Wishes::default() }
}

/// Makes provider and roles, and opens the pull request; the key goes on working.
async fn prepare(global: &GlobalFlags, mut config: Config, live: &Live, console: &Console) -> Result<(), Failure> {
    config.publish.auth = Auth::Oidc;
    config.publish.key_max_age_days = None;
    config.check()?;
    let run = Run {
        command: COMMAND,
        wishes: wishes(),
        yes: global.yes,
        show_policies: false,
        watch: None,
        config_file: Some(&global.config),
        rehearsal: false,
    };
    converge(live, &config, &run, console).await?;
    console.line(
        Glyph::Waiting,
        "the access key goes on working; merge the pull request, then run `sbi rotate-keys --to-oidc` again",
    );
    Ok(())
}

/// Lets a job sign in with the roles, then takes back key, secret and user.
async fn retire(
    global: &GlobalFlags,
    arguments: &RotateKeysArgs,
    config: &Config,
    live: &Live,
    guard: &Guard<'_>,
) -> Result<(), Failure> {
    let console = guard.console();
    let stage = console.stage("looking at AWS and GitHub");
    let prospect = look(live, config, &wishes()).await?;
    let found = prospect.observed.github.repository.as_ref();
    let rescan = found.is_some_and(|found| found.environments.contains_key(RESCAN_ENVIRONMENT));
    let head = settled(prospect, &config.github.repository, console)?;
    let (found, held) = live.observe_former_key(config).await?;
    drop(stage);
    let retirement = Retirement {
        config,
        grace: arguments.grace,
        drain: arguments.drain,
        finish: arguments.finish,
        now: Timestamp::now(),
        head: &head,
    };
    let mut plan = plan_retirement(&retirement, &found, &held);
    // Only the key needed it. It may hold what a person put there, and is no door to anything.
    plan.kept.extend(rescan.then(|| Kept {
        what: format!("environment {RESCAN_ENVIRONMENT}"),
        why: format!(
            "is used by no job any more: `gh api --method DELETE repos/{}/environments/{RESCAN_ENVIRONMENT}`",
            config.github.repository
        ),
    }));
    let needed = rights(config, &plan);
    preflight(live, &mut plan, &found.caller, &found.viewer, (&needed, "rotator")).await?;
    let who = Who { aws: found.caller.arn.clone(), github: found.viewer.login.clone() };
    console.show_steps(&plan, config, &who, &[], false)?;
    console.refuse(std::mem::take(&mut plan.refusals))?;
    if plan.is_empty() {
        if plan.waiting.is_empty() {
            console.line(Glyph::Done, "no access key is left: every job signs in by OIDC");
        }
        let nothing = Report { outcomes: Vec::new(), cancelled: false };
        return console.show_end(&plan, &nothing, &summary(Vec::new(), plan.waiting.clone()));
    }
    confirm(console, global.yes)?;
    let report = carry_out(live, &plan, guard, &config.github.repository, (&who.aws, &who.github)).await?;
    let stage = console.stage("looking again");
    let (again, _) = live.observe_former_key(config).await?;
    drop(stage);
    let active = again.user.iter().flat_map(|user| &user.keys).find(|key| key.active);
    if let Some(key) = active {
        return Err(Failure::new(format!("AWS does not show all of it yet: access key {} still works", key.id))
            .hinted("run `sbi rotate-keys --to-oidc` in a minute"));
    }
    console.line(Glyph::Done, "looked again: no access key works any more, every job signs in by OIDC");
    console.show_end(&plan, &report, &summary(Vec::new(), plan.waiting.clone()))
}

/// Names what the key has to wait for.
fn still_to_change(plan: &Plan, repository: &GithubRepositoryName, found: Option<&GithubRepository>) -> Failure {
    let lines = plan.nodes().iter().map(|node| node.step.describe());
    let changes: Vec<String> = lines.map(|line| format!("{} {}: {}", line.kind, line.name, line.detail)).collect();
    let failure = Failure::new(format!("the access key of {repository} can't go yet: {}", changes.join(", and ")))
        .hinted("`sbi plan` shows it, `sbi apply` does it; then `sbi rotate-keys --to-oidc` again");
    match found {
        Some(found) if found.environments_hidden => failure
            .hinted("this token may not read every environment: with `actions: read` it may see that all is done"),
        _ => failure,
    }
}

/// The tip of the default branch, when nothing but the key is left to do.
fn settled(prospect: Prospect, repository: &GithubRepositoryName, console: &Console) -> Result<CommitId, Failure> {
    let Prospect { mut plan, observed, .. } = prospect;
    console.refuse(std::mem::take(&mut plan.refusals))?;
    if !plan.is_empty() {
        return Err(still_to_change(&plan, repository, observed.github.repository.as_ref()));
    }
    let head = observed.github.repository.and_then(|repository| repository.head);
    head.ok_or_else(|| Failure::new("the GitHub repository is empty").hinted("`sbi apply` fills it"))
}
