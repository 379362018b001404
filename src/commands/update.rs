//! `sbi update`: brings this version's templates into a repository whose files were edited, by one pull request.

mod decide;
mod local;
mod look;
mod rules;
mod working_tree;

use std::path::Path;

use super::answers::read_config;
use super::carry_out::{carry_out, confirm};
use super::console::{Console, summary};
use super::guard::Guard;
use super::next_steps::Link;
use crate::apply::{Outcome, Report};
use crate::cli::{GlobalFlags, UpdateArgs};
use crate::failure::{Cause, Failure};
use crate::live::Live;
use crate::live::sign_in::Places;
use crate::model::config::Config;
use crate::model::names::GithubRepositoryName;
use crate::plan::Plan;
use crate::plan::step::Produced;
use crate::plan::update::{Settled, Update};
use crate::ui::Glyph;
use crate::ui::update::Prospectus;
use look::{Looked, look};

const COMMAND: &str = "sbi update";

/// # Errors
/// A refusal before any effect, or what failed while applying; with `--check`, something that is newer.
pub(super) async fn run(global: &GlobalFlags, arguments: &UpdateArgs, console: &Console) -> Result<(), Failure> {
    if arguments.local {
        return local::run(global, arguments, console).await;
    }
    let here = read_config(&global.config)?;
    let repository = repository(arguments, here.as_ref(), &global.config)?;
    let live = console.sign_in(Places::default(), arguments.aws.profile.clone()).await?;
    let wishes = Wishes {
        settled: settled(arguments),
        again: arguments.again,
        offline: arguments.offline,
        pins: arguments.pins,
    };
    if arguments.check {
        let stage = console.stage("looking at GitHub, and at AWS where somebody is signed in");
        let (_, looked) = look(live, &repository, &wishes).await?;
        drop(stage);
        console.show_update(&looked.prospectus(), true)?;
        let proposes = !looked.plan.is_empty();
        console.refuse(looked.plan.refusals)?;
        return conclusion(&looked.update, proposes, "`sbi update` opens a pull request with it");
    }
    let guard = Guard::take(console, COMMAND, &repository)?;
    let changed = Box::pin(change(live, &repository, &wishes, global.yes, &guard)).await;
    guard.end(changed.as_ref().err());
    changed
}

/// What was asked for beside `sbi.toml`.
struct Wishes {
    settled: Settled,
    again: bool,
    offline: bool,
    /// Renew what is pinned.
    pins: bool,
}

fn settled(arguments: &UpdateArgs) -> Settled {
    Settled { keep: arguments.keep.iter().cloned().collect(), overwrite: arguments.overwrite.iter().cloned().collect() }
}

/// Whose files are updated. What is rendered is up to the `sbi.toml` that the repository holds.
fn repository(arguments: &UpdateArgs, here: Option<&Config>, path: &Path) -> Result<GithubRepositoryName, Failure> {
    match (&arguments.github, here) {
        (Some(text), _) => text.parse(),
        (None, Some(config)) => Ok(config.github.repository.clone()),
        (None, None) => Err(Failure::usage(format!("there is no `{}` here", path.display()))
            .hinted("name the repository to update: `--github OWNER/NAME`")),
    }
}

/// `proposes`: a run without `--check` would change something about the pull request. `next` is what to type.
///
/// # Errors
/// `ChangesPending` when this version has something that the files lack, or a pull request has become pointless.
fn conclusion(update: &Update, proposes: bool, next: &str) -> Result<(), Failure> {
    if !update.is_pending() {
        let pointless = Failure::new("the open pull request has become pointless").because(Cause::ChangesPending);
        return if proposes { Err(pointless.hinted("`sbi update` closes it")) } else { Ok(()) };
    }
    let changed = update.files.iter().filter(|file| file.decision.is_change()).count();
    let conflicts = update.conflicts().count();
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let text = match (changed, conflicts) {
        (changed, 0) => format!("this version would change {}", count(changed, "file")),
        (0, conflicts) => format!("this version has {}", count(conflicts, "conflict")),
        (changed, conflicts) => {
            format!("this version would change {}, and has {}", count(changed, "file"), count(conflicts, "conflict"))
        }
    };
    Err(Failure::new(text).because(Cause::ChangesPending).hinted(next))
}

async fn change(
    live: Live,
    repository: &GithubRepositoryName,
    wishes: &Wishes,
    yes: bool,
    guard: &Guard<'_>,
) -> Result<(), Failure> {
    let console = guard.console();
    let stage = console.stage("looking at GitHub, and at AWS where somebody is signed in");
    let (live, mut looked) = look(live, repository, wishes).await?;
    drop(stage);
    console.show_update(&looked.prospectus(), false)?;
    console.refuse(std::mem::take(&mut looked.plan.refusals))?;
    let Looked { plan, who, .. } = looked;
    if plan.is_empty() {
        let nothing = Report { outcomes: Vec::new(), cancelled: false };
        return console.show_end(&plan, &nothing, &summary(Vec::new(), plan.waiting.clone()));
    }
    confirm(console, yes)?;
    let report = carry_out(&live, &plan, guard, repository, (&who.aws, &who.github)).await?;
    let stage = console.stage("looking again");
    let (_, again) =
        look(live, repository, &Wishes { settled: wishes.settled.clone(), again: false, ..*wishes }).await?;
    drop(stage);
    if !again.plan.is_empty() || !again.plan.refusals.is_empty() {
        console.show_update(&again.prospectus(), false)?;
        console.refuse(again.plan.refusals)?;
        return Err(Failure::new("GitHub does not show all of it yet")
            .hinted("run `sbi update` again in a minute; if it still lists changes, something undoes them"));
    }
    console.line(Glyph::Done, "looked again: nothing is left to change");
    console.show_end(&plan, &report, &summary(links(&plan, &report), again.plan.waiting))
}

/// Where the pull request is.
fn links(plan: &Plan, report: &Report) -> Vec<Link> {
    let produced = plan.ids().filter_map(|id| match report.outcomes.get(id.index()) {
        Some(Outcome::Done(Produced::PullRequest { url, .. })) => {
            Some(Link { label: "pull request".into(), url: url.clone() })
        }
        _ => None,
    });
    produced.collect()
}

impl Looked {
    fn prospectus(&self) -> Prospectus<'_> {
        Prospectus {
            repository: &self.desired.config.github.repository,
            who: Some(&self.who),
            update: &self.update,
            reasons: &self.reasons,
            pins: &self.pins,
            policies: Some(&self.policies),
            plan: Some(&self.plan),
        }
    }
}
