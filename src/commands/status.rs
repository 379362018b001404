//! `sbi status`: the go-to-market plan held against AWS and GitHub. Reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::answers::{self, decide, joined};
use super::console::Console;
use super::converge::{foreign_issuer, known_pins};
use super::desire::{Wishes, desire, settle_environment};
use crate::cli::{GlobalFlags, PlanFlags, StatusArgs};
use crate::failure::{Cause, Failure};
use crate::live::Live;
use crate::live::sign_in::{Places, look_without_github};
use crate::live::status::{Workflows, unread};
use crate::model::config::{CONFIG_FILE, Config};
use crate::model::desired::Desired;
use crate::model::names::GithubRepositoryName;
use crate::model::observed::GithubRepository;
use crate::model::status::{Reality, Seen, Unread};
use crate::plan::setup::{FileState, file_states};
use crate::plan::status::{Question, Status, judge};
use crate::templates;
use crate::ui::report::Who;

/// Whose runs are told.
const WORKFLOWS: Workflows<'static> = Workflows { publish: templates::WORKFLOW, rescan: templates::RESCAN_WORKFLOW };

/// # Errors
/// Signed in on neither side, bad or missing answers; with `--check`, what is left to do.
pub(super) async fn run(global: &GlobalFlags, arguments: &StatusArgs, console: &Console) -> Result<(), Failure> {
    let max_age = age(&arguments.max_age)?;
    let Looked { config, wishes, reality, live } = look(global, arguments, console).await?;
    let (found, owner) = match &reality.github {
        Ok(github) => {
            let repository = github.repository.as_ref().ok().and_then(Option::as_ref);
            (repository.map(|repository| &repository.found), github.owner.as_ref().ok())
        }
        Err(_) => (None, None),
    };
    let config = match owner {
        Some(owner) => settle_environment(config, owner, &wishes),
        None => config,
    };
    let pins = known_pins(found, &templates::references(&config)?, &wishes);
    let desired = desire(config, pins, &wishes)?;
    let promises = templates::image_promises(&desired.config)?;
    let edits = match (&live, found) {
        (Some(live), Some(found)) => edits(live, &desired, found).await,
        _ => BTreeMap::new(),
    };
    let refusal = live.as_ref().and_then(|live| foreign_issuer(live, &desired)).map(|failure| unread(&failure));
    let full_name = found.map_or_else(|| desired.config.github.repository.to_string(), |found| found.full_name.clone());
    let url = live.as_ref().map_or_else(|| format!("https://github.com/{full_name}"), |live| live.web_url(&full_name));
    let now = Timestamp::now();
    let status = judge(&Question {
        desired: &desired,
        reality: &reality,
        promises: &promises,
        edits: &edits,
        refusal,
        repository_url: &url,
        converge: &converge(&global.config),
        update: &format!("sbi update{}", at(&global.config)),
        max_age,
        now,
    });
    console.show_status(&status, &desired.config, &who(&reality), now)?;
    if arguments.check { check(&status) } else { Ok(()) }
}

/// What was found, and with whom to ask on.
struct Looked {
    config: Config,
    wishes: Wishes,
    reality: Reality,
    /// `None` without a token for GitHub.
    live: Option<Live>,
}

/// # Errors
/// When neither side tells who is asking.
async fn look(global: &GlobalFlags, arguments: &StatusArgs, console: &Console) -> Result<Looked, Failure> {
    let profile = arguments.aws.profile.clone();
    let neither = |(aws, github)| joined(aws, github);
    let live = match console.sign_in(Places::default(), profile.clone()).await {
        Ok(live) => live,
        // AWS alone tells much, where it is known what to ask about.
        Err(no_token) if *no_token.cause() == Cause::Unauthenticated => {
            let Ok(config) = answers::offline(&arguments.answers, &global.config) else { return Err(no_token) };
            let stage = console.stage("looking at AWS");
            let reality = look_without_github(profile, &config, no_token).await.map_err(neither)?;
            drop(stage);
            let wishes = Wishes { offline: true, environment_settled: true, ..Wishes::default() };
            return Ok(Looked { config, wishes, reality, live: None });
        }
        Err(failure) => return Err(failure),
    };
    // No registry is asked: what the lock holds stands, and what it does not hold is not there yet.
    let plan = PlanFlags { offline: true, ..PlanFlags::default() };
    let decided = decide(&arguments.answers, &plan, &global.config, global.yes, &live, console).await?;
    let live = live.in_region(&decided.config.aws.region);
    let stage = console.stage("looking at AWS and GitHub");
    let reality = live.reality(&decided.config, WORKFLOWS).await.map_err(neither)?;
    drop(stage);
    Ok(Looked { config: decided.config, wishes: decided.wishes, reality, live: Some(live) })
}

/// Of each edited file that the plan stands on: whether it differs from the rendered one by newer pins alone.
async fn edits(live: &Live, desired: &Desired, found: &GithubRepository) -> BTreeMap<String, Seen<bool>> {
    let name = GithubRepositoryName::new(&found.full_name).unwrap_or_else(|_| desired.config.github.repository.clone());
    let states = file_states(desired, Some(found));
    let dockerfiles = desired.config.publish.images.iter().map(|image| format!("images/{image}/Dockerfile"));
    let asked: BTreeSet<String> =
        [templates::WORKFLOW, templates::RESCAN_WORKFLOW].map(str::to_owned).into_iter().chain(dockerfiles).collect();
    let edited = desired
        .files
        .iter()
        .filter(|file| asked.contains(&file.path) && states.get(&file.path) == Some(&FileState::Edited));
    let name = &name;
    let each = edited.map(|file| async move {
        let same = match live.text_of(name, &file.path).await {
            Ok(Some(text)) => Ok(templates::differ_by_pins_alone(&file.text, &text)),
            Ok(None) => Ok(false),
            Err(failure) => Err(unread(&failure)),
        };
        (file.path.clone(), same)
    });
    join_all(each).await.into_iter().collect()
}

/// The command that brings about what is wanted.
fn converge(config_file: &Path) -> String {
    let verb = if config_file.exists() { "apply" } else { "init" };
    format!("sbi {verb}{}", at(config_file))
}

fn at(config_file: &Path) -> String {
    match config_file.to_str() {
        Some(CONFIG_FILE) | None => String::new(),
        Some(other) => format!(" --config {other}"),
    }
}

/// Who is signed in, or why nobody is.
fn who(reality: &Reality) -> Who {
    let told = |unread: &Unread| format!("can't be asked: {}", unread.why);
    Who {
        aws: reality.aws.as_ref().map_or_else(told, |aws| format!("as {}", aws.caller.arn)),
        github: reality.github.as_ref().map_or_else(told, |github| format!("as {}", github.viewer.login)),
    }
}

/// # Errors
/// `ChangesPending` when something is left to do; another failure when that can't be told.
fn check(status: &Status) -> Result<(), Failure> {
    let pending: Vec<&str> = status.pending().collect();
    if let [first, ..] = pending.as_slice() {
        let text = match pending.len() {
            1 => format!("one thing is not as it should be: {first}"),
            count => format!("{count} things are not as they should be, first of all: {first}"),
        };
        return Err(Failure::new(text).because(Cause::ChangesPending).hinted("the list above says what mends each"));
    }
    let mut untold = status.untold();
    match untold.next() {
        None => Ok(()),
        Some((title, reason)) => {
            let failure = Failure::new(format!("{} can't be told: {title}", counted(untold.count() + 1)))
                .caused_by(reason.why.clone());
            Err(reason.help.iter().fold(failure, Failure::hinted))
        }
    }
}

fn counted(entries: usize) -> String {
    if entries == 1 { "one entry".into() } else { format!("{entries} entries") }
}

/// `90d`, `12w`
///
/// # Errors
/// When the text is no number of days or weeks.
fn age(text: &str) -> Result<SignedDuration, Failure> {
    let refuse = || {
        Failure::usage(format!("`--max-age {text}` is no age")).hinted("write days or weeks: `--max-age 90d`, `12w`")
    };
    let (number, days) = match text.strip_suffix('w') {
        Some(weeks) => (weeks, 7),
        None => (text.strip_suffix('d').ok_or_else(refuse)?, 1),
    };
    let number: u32 = number.parse().map_err(|_| refuse())?;
    Ok(SignedDuration::from_hours(i64::from(number) * days * 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_days_or_weeks() {
        let hours = |text: &str| age(text).ok().map(|age| age.as_hours());
        assert_eq!([hours("90d"), hours("2w"), hours("0d")], [Some(2160), Some(336), Some(0)]);
        assert_eq!([hours("90"), hours("-1d"), hours("1.5d"), hours("d"), hours("1m")], [None; 5]);
    }
}
