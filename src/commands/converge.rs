//! The heart of every command that changes something: observe → plan → confirm → apply → observe again → watch.

use std::path::Path;

use super::carry_out::{carry_out, confirm, preflight};
use super::console::{Console, summary};
use super::desire::{Adopt, Wishes, desire, settle_environment};
use super::guard::Guard;
use super::next_steps;
use crate::apply::{Outcome, Report};
use crate::cli::{GlobalFlags, PlanFlags};
use crate::failure::Failure;
use crate::live::Live;
use crate::live::watch::{Ended, Patience};
use crate::model::config::{Auth, Config};
use crate::model::desired::Desired;
use crate::model::git::{BlobId, CommitId};
use crate::model::names::{GitTag, RoleName, UserName};
use crate::model::observed::{GithubRepository, Observed};
use crate::model::pins::Pins;
use crate::plan::operator::rights;
use crate::plan::setup::{followed, plan_setup, settled, texts_to_read};
use crate::plan::step::{Produced, Step};
use crate::plan::{Kept, Known, Plan};
use crate::templates;
use crate::ui::Glyph;

/// What one run was asked to do beside the configuration.
pub(super) struct Run<'a> {
    /// As the journal names it: `sbi apply`.
    pub command: &'static str,
    pub wishes: Wishes,
    /// Apply without asking.
    pub yes: bool,
    pub show_policies: bool,
    /// Follow the workflow run of a release made here.
    pub watch: Option<Patience>,
    /// Where the answers are kept, written once the plan is agreed to; `None` in the sandbox.
    pub config_file: Option<&'a Path>,
    /// Nothing of it is real: no links, and the real thing comes next.
    pub rehearsal: bool,
}

impl<'a> Run<'a> {
    /// A run that is meant: the answers are kept, and a release is followed unless `no_watch`.
    #[must_use]
    pub(super) fn real(
        command: &'static str,
        wishes: Wishes,
        global: &'a GlobalFlags,
        plan: &PlanFlags,
        no_watch: bool,
    ) -> Self {
        Self {
            command,
            wishes,
            yes: global.yes,
            show_policies: plan.show_policies,
            watch: (!no_watch).then(Patience::default),
            config_file: Some(&global.config),
            rehearsal: false,
        }
    }
}

/// A plan and what it was made from.
pub(super) struct Prospect {
    pub desired: Desired,
    pub observed: Observed,
    pub plan: Plan,
}

/// Observes and plans; changes nothing.
///
/// # Errors
/// When a side can't be read, or a template refuses the configuration.
///
/// The configuration of the prospect is the one to go on with: it follows a repository that was renamed.
pub(super) async fn look(live: &Live, config: &Config, wishes: &Wishes) -> Result<Prospect, Failure> {
    let (config, mut observed) = observe(live, config).await?;
    let wanted = config.publish.environment.clone();
    let config = settle_environment(config, &observed.github.owner, wishes);
    let without_environment = wanted.filter(|_| config.publish.environment.is_none());
    let references = templates::references(&config)?;
    let images = pin(live, &references, observed.github.repository.as_ref(), wishes).await?;
    let by_tag = references.iter().any(|reference| images.get(reference).is_none());
    let desired = desire(config, images, wishes)?;
    read_hand_made(live, &desired, &mut observed, wishes.adopt != Adopt::Leave).await?;
    let mut plan = plan_setup(&desired, &observed);
    plan.kept.extend(without_environment.map(|name| Kept {
        what: format!("environment {name}"),
        why: format!("GitHub names no plan that has it in private repositories; with one, `--environment {name}`"),
    }));
    plan.kept.extend(by_tag.then(|| Kept {
        what: "base images".into(),
        why: "named by tag, because no registry was asked; `sbi apply` without `--offline` pins them".into(),
    }));
    plan.refusals.extend(foreign_issuer(live, &desired));
    let (caller, viewer) = (&observed.aws.caller, &observed.github.viewer);
    let rights = rights(&desired.config, &plan);
    preflight(live, &mut plan, caller, viewer, (&rights, "operator")).await?;
    Ok(Prospect { desired, observed, plan })
}

/// Reads what the publisher may have made by hand. A text that is not the one that was listed is of a later commit, and
/// is left for the next run.
async fn read_hand_made(live: &Live, desired: &Desired, observed: &mut Observed, asked: bool) -> Result<(), Failure> {
    let wanted = texts_to_read(desired, observed, asked);
    let Some(found) = observed.github.repository.as_mut().filter(|_| !wanted.is_empty()) else { return Ok(()) };
    let mut texts = live.texts(&desired.config.github.repository, &wanted).await?;
    texts.retain(|path, text| found.files.get(path) == Some(&BlobId::of(text.as_bytes())));
    found.texts = texts;
    Ok(())
}

/// Observes, and follows a repository that was renamed or moved: one look, or two where the names of its identities
/// turn out to be others.
///
/// # Errors
/// When a side can't be read.
pub(super) async fn observe(live: &Live, config: &Config) -> Result<(Config, Observed), Failure> {
    let observed = live.observe(config).await?;
    let Some(next) = followed(config, &observed) else { return Ok((config.clone(), observed)) };
    if identities(&next) == identities(config) {
        return Ok((next, observed));
    }
    let again = live.observe(&next).await?;
    Ok(settled(config, observed, next, again))
}

/// The names of the identities that observing asks about.
pub(super) fn identities(config: &Config) -> (RoleName, RoleName, UserName) {
    (config.role(), config.read_role(), config.user())
}

/// The digest of each reference: as `sbi.lock` has it, whatever the tag stands for by now, so that a second run changes
/// nothing and Dependabot proposes what is newer; else as sbi's open pull request has it; else as this run knows it;
/// else as the registry says.
///
/// # Errors
/// The first registry that can't be reached or refuses.
pub(super) async fn pin(
    live: &Live,
    references: &[String],
    found: Option<&GithubRepository>,
    wishes: &Wishes,
) -> Result<Pins, Failure> {
    let mut pins = known_pins(found, references, wishes);
    let open = unpinned(&pins, references);
    if !open.is_empty() && !wishes.offline {
        pins.extend(looked_up(live, &open).await?);
    }
    Ok(pins)
}

/// Those of the references that have no digest yet.
#[must_use]
pub(super) fn unpinned(pins: &Pins, references: &[String]) -> Vec<String> {
    references.iter().filter(|reference| pins.get(reference).is_none()).cloned().collect()
}

/// Their digests, as the registries tell them.
///
/// # Errors
/// The first registry that can't be reached or refuses.
pub(super) async fn looked_up(live: &Live, references: &[String]) -> Result<Pins, Failure> {
    live.pin(references).await.map_err(|failure| {
        failure.hinted("nothing was changed; with `--offline` base images are named by tag, without a digest")
    })
}

/// The digests that need no registry.
#[must_use]
pub(super) fn known_pins(found: Option<&GithubRepository>, references: &[String], wishes: &Wishes) -> Pins {
    let proposed = found.into_iter().flat_map(|found| &found.pull_requests).filter_map(|open| open.lock.as_ref());
    let mut pins = wishes.pins.clone();
    for lock in proposed.chain(found.and_then(|found| found.lock.as_ref())) {
        pins.extend(lock.images.clone());
    }
    pins.retain(references);
    pins
}

/// Every other GitHub than github.com issues its tokens under a URL of its own.
pub(super) fn foreign_issuer(live: &Live, desired: &Desired) -> Option<Failure> {
    let host = live.other_github().filter(|_| desired.config.publish.auth == Auth::Oidc)?;
    Some(
        Failure::usage(format!("sbi sets up OIDC for github.com only, and {host} issues tokens of its own"))
            .hinted("use an IAM user instead: `--auth access-key`"),
    )
}

/// Runs the whole way, from the first look to the end of the pipeline's first run.
///
/// # Errors
/// What the person must know: a refusal before any effect, or what failed while applying.
pub(super) async fn converge(
    live: &Live,
    config: &Config,
    run: &Run<'_>,
    console: &Console,
) -> Result<Config, Failure> {
    let guard = match run.rehearsal {
        false => Guard::take(console, run.command, &config.github.repository)?,
        true => Guard::none(console, run.command),
    };
    // Boxed: the compiler gives up on futures that lie as deep in each other as these would.
    let changed = Box::pin(change(live, config, run, console, &guard)).await;
    guard.end(changed.as_ref().err());
    // Following a workflow run changes nothing: the next run may start.
    drop(guard);
    let Changed { config, plan, report, observed, waiting } = changed?;
    let followed = match run.watch {
        Some(patience) => follow(live, &config, &released(&plan, &report), patience, console).await,
        None => Vec::new(),
    };
    end((live, console), run, &config, &observed, (&plan, &report), &waiting, followed)?;
    Ok(config)
}

/// What was changed, and what is there now.
struct Changed {
    config: Config,
    plan: Plan,
    report: Report,
    observed: Observed,
    waiting: Vec<String>,
}

/// Everything up to the second look.
async fn change(
    live: &Live,
    config: &Config,
    run: &Run<'_>,
    console: &Console,
    guard: &Guard<'_>,
) -> Result<Changed, Failure> {
    let stage = console.stage("looking at AWS and GitHub");
    let mut prospect = look(live, config, &run.wishes).await?;
    let repository = &prospect.desired.config.github.repository;
    if *repository != config.github.repository {
        // Runs that know the new name already are kept out from here on, and what they did meanwhile is looked at.
        guard.move_to(repository)?;
        let renamed = prospect.plan.renamed.take();
        prospect = look(live, &prospect.desired.config.clone(), &run.wishes).await?;
        prospect.plan.renamed = prospect.plan.renamed.or(renamed);
    }
    drop(stage);
    let mut wishes = run.wishes.clone();
    if wishes.adopt == Adopt::Ask && !run.yes && console.agrees_to_adopt(&prospect.plan)? {
        wishes.adopt = Adopt::Agreed;
        let _stage = console.stage("looking again");
        prospect = look(live, &prospect.desired.config.clone(), &wishes).await?;
    }
    console.show_plan(&prospect, run.show_policies, false)?;
    let Prospect { desired, mut plan, observed } = prospect;
    console.refuse(std::mem::take(&mut plan.refusals))?;
    let config = desired.config;
    if plan.is_empty() {
        // A file elsewhere that still has the old name of a repository that somebody has followed already.
        if let (Some(path), Some(renamed)) = (run.config_file, &plan.renamed) {
            keep_answers(path, &config)?;
            console.line(Glyph::Done, &format!("`{}` names {} now", path.display(), renamed.to));
        }
        let (report, waiting) = (Report { outcomes: Vec::new(), cancelled: false }, plan.waiting.clone());
        return Ok(Changed { config, plan, report, observed, waiting });
    }
    confirm(console, run.yes)?;
    if let Some(path) = run.config_file {
        keep_answers(path, &config)?;
    }
    let who = (observed.aws.caller.arn.as_str(), observed.github.viewer.login.as_str());
    let report = carry_out(live, &plan, guard, &config.github.repository, who).await?;
    let stage = console.stage("looking again");
    let again = look(live, &config, &decided(&wishes, desired.images)).await?;
    drop(stage);
    if !again.plan.is_empty() || !again.plan.refusals.is_empty() {
        console.show_plan(&again, false, false)?;
        console.refuse(again.plan.refusals)?;
        return Err(Failure::new("AWS and GitHub do not show all of it yet")
            .hinted("run `sbi plan` in a minute; if it still lists changes, something undoes them"));
    }
    console.line(Glyph::Done, "looked again: nothing is left to change");
    Ok(Changed { config, plan, report, observed: again.observed, waiting: again.plan.waiting })
}

/// The environment and the digests were decided by the first look; the second one must not decide anew.
fn decided(wishes: &Wishes, pins: Pins) -> Wishes {
    Wishes { environment_settled: true, pins, ..wishes.clone() }
}

/// Tells how the workflow run ended, what exists now, and what is left for a person.
fn end(
    (live, console): (&Live, &Console),
    run: &Run<'_>,
    config: &Config,
    observed: &Observed,
    (plan, report): (&Plan, &Report),
    waiting: &[String],
    followed: Vec<(GitTag, Result<Ended, Failure>)>,
) -> Result<(), Failure> {
    let found = observed.github.repository.as_ref();
    let full_name = found.map_or_else(|| config.github.repository.to_string(), |found| found.full_name.clone());
    let url = live.web_url(&full_name);
    let mut links = next_steps::links(config, &url, found);
    let several = config.publish.images.len() > 1;
    let of = |tag: &GitTag| if several { format!(" of {tag}") } else { String::new() };
    let mut failed = Vec::new();
    for (tag, ended) in followed {
        let of = of(&tag);
        let mut link = |label: &str, url| links.push(next_steps::Link { label: format!("{label}{of}"), url });
        match ended {
            Ok(Ended::Succeeded { url }) => {
                let rehearsed =
                    "; in the sandbox its publish job signs in and starts a push, nothing is built or scanned";
                let so_far = if run.rehearsal { rehearsed } else { "" };
                console.line(Glyph::Done, &format!("the workflow run{of} succeeded{so_far}"));
                link("first run", url);
            }
            Ok(Ended::StillRunning { url }) => {
                console.line(Glyph::Waiting, &format!("the workflow run{of} is still going"));
                link("first run", url);
            }
            Ok(Ended::Failed { url, failure }) => {
                link("failed run", url);
                failed.push(if several { failure.during(format!("publish {tag}")) } else { failure });
            }
            Err(failure) => failed.push(failure),
        }
    }
    let mut next = waiting.to_vec();
    if run.rehearsal {
        links.clear();
        next.push("do it for real: `sbi init`, with AWS credentials and a GitHub token".to_owned());
    }
    next.extend(next_steps::token_of_the_update(config));
    next.extend(next_steps::for_a_person(config));
    next.extend((!run.rehearsal).then(|| "where all of it stands, at any time: `sbi status`".to_owned()));
    console.show_end(plan, report, &summary(links, next))?;
    console.refuse(failed)
}

/// What this run released, and of which commit.
fn released(plan: &Plan, report: &Report) -> Vec<(GitTag, CommitId)> {
    let released = plan.nodes().iter().filter_map(|node| match &node.step {
        Step::CreateRelease { tag, commit: Known::Now(id), .. } => Some((tag.clone(), id.clone())),
        Step::CreateRelease { tag, commit: Known::After(step), .. } => match report.outcomes.get(step.index()) {
            Some(Outcome::Done(Produced::Commit { id, .. })) => Some((tag.clone(), id.clone())),
            _ => None,
        },
        _ => None,
    });
    released.collect()
}

/// Follows the run of every release, all at once; one that fails does not end the others.
async fn follow(
    live: &Live,
    config: &Config,
    released: &[(GitTag, CommitId)],
    patience: Patience,
    console: &Console,
) -> Vec<(GitTag, Result<Ended, Failure>)> {
    if released.is_empty() {
        return Vec::new();
    }
    let stage = console.stage(match released.len() {
        1 => "waiting for the workflow run that the release starts",
        _ => "waiting for the workflow runs that the releases start",
    });
    let stage = &stage;
    let runs = released.iter().map(|(tag, head)| async move {
        let say = |text: String| match released.len() {
            1 => stage.waits(&text),
            _ => stage.waits(&format!("{tag}: {text}")),
        };
        (tag.clone(), live.follow_run(&config.github.repository, (tag, head), patience, &say).await)
    });
    futures_util::future::join_all(runs).await
}

/// Writes `sbi.toml`, so that a second run asks nothing.
fn keep_answers(path: &Path, config: &Config) -> Result<(), Failure> {
    let text = config.to_text();
    if std::fs::read_to_string(path).is_ok_and(|found| Config::parse(&found).is_ok_and(|found| found == *config)) {
        return Ok(());
    }
    std::fs::write(path, text).map_err(|error| {
        Failure::usage(format!("the answers can't be written to `{}`", path.display()))
            .hinted("nothing was changed; choose another place with `--config FILE`")
            .caused_by(error)
    })
}
