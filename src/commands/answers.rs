//! From flags, `sbi.toml`, what can be detected and, on a terminal, a person: the configuration of one run.

use std::path::Path;

use super::console::Console;
use super::desire::{Adopt, Wishes};
use super::detect;
use crate::cli::{AnswerFlags, PlanFlags};
use crate::failure::{Cause, Failure};
use crate::live::Live;
use crate::model::config::Config;
use crate::model::pins::Pins;
use crate::templates;
use crate::ui::questions::{Choice, Detected, Draft, Field, merge};

/// Reads `sbi.toml`; `None` when there is none.
///
/// # Errors
/// When the file can't be read or used.
pub(super) fn read_config(path: &Path) -> Result<Option<Config>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Config::parse(&text).map(Some).map_err(|failure| match path.to_str() {
            Some("sbi.toml") | None => failure,
            Some(other) => failure.during(format!("read {other}")),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::usage(format!("`{}` can't be read", path.display()))
            .hinted("choose another place for the answers with `--config FILE`")
            .caused_by(error)),
    }
}

/// Flags over the file, nothing detected and nothing asked: the offline commands' way.
///
/// # Errors
/// Lists every bad and every missing answer.
pub(super) fn offline(flags: &AnswerFlags, path: &Path) -> Result<Config, Failure> {
    let mut draft = draft(flags, path)?;
    let detected = Detected::default();
    draft.accept_defaults(&detected);
    draft.finish(&detected)
}

fn draft(flags: &AnswerFlags, path: &Path) -> Result<Draft, Failure> {
    merge(&flags.answers(), read_config(path)?.as_ref(), &products())
}

fn products() -> Vec<Choice> {
    templates::images().into_iter().map(|image| Choice::new(image.name, image.title)).collect()
}

/// The configuration, and what else the person wished.
pub(super) struct Decided {
    pub config: Config,
    pub wishes: Wishes,
}

/// Finds out, then asks what is left: on a terminal and without `yes`; otherwise what is left is one error.
///
/// # Errors
/// Bad or missing answers, no credentials on either side, or a person who gives up.
pub(super) async fn decide(
    flags: &AnswerFlags,
    plan: &PlanFlags,
    path: &Path,
    yes: bool,
    live: &Live,
    console: &Console,
) -> Result<Decided, Failure> {
    let mut draft = draft(flags, path)?;
    if draft.clone().finish(&Detected::default()).is_ok() {
        return complete(draft, plan, yes, &Detected::default(), console);
    }
    // A checkout elsewhere may have answered everything: the repository's own `sbi.toml` says what it said.
    let repository = match read_config(path)? {
        None => draft.answered(Field::Github).and_then(|text| text.parse().ok()),
        Some(_) => None,
    };
    let answered_there = async {
        match &repository {
            Some(repository) => live.config_of(repository).await,
            None => Ok(None),
        }
    };
    let (detected, answered_there) = futures_util::join!(detect_all(live, console), answered_there);
    let detected = detected?;
    if let Some(config) = answered_there? {
        draft = merge(&flags.answers(), Some(&config), &products())?;
    }
    complete(draft, plan, yes, &detected, console)
}

/// The same where everything was made up: `guess` is taken for an answer with `yes`.
///
/// # Errors
/// As `decide`.
#[cfg(feature = "sandbox")]
pub(super) fn decide_made_up(
    flags: &AnswerFlags,
    plan: &PlanFlags,
    yes: bool,
    detected: &Detected,
    (field, guess): (Field, &str),
    console: &Console,
) -> Result<Decided, Failure> {
    let mut draft = merge(&flags.answers(), None, &products())?;
    if yes && draft.answered(field).is_none() {
        draft.answer(field, guess)?;
    }
    complete(draft, plan, yes, detected, console)
}

fn complete(
    mut draft: Draft,
    plan: &PlanFlags,
    yes: bool,
    detected: &Detected,
    console: &Console,
) -> Result<Decided, Failure> {
    if yes {
        draft.accept_defaults(detected);
    } else {
        console.ask(&mut draft, detected)?;
    }
    let wishes = Wishes {
        overwrite: plan.overwrite.iter().cloned().collect(),
        by_pull_request: plan.pull_request,
        adopt: Adopt::or_ask(plan.adopt),
        environment_settled: !draft.environment_is_open(),
        offline: plan.offline,
        pins: Pins::default(),
    };
    let config = draft.finish(detected).map_err(|failure| {
        if yes { failure } else { failure.hinted("add --yes to take the defaults that there are") }
    })?;
    Ok(Decided { config, wishes })
}

async fn detect_all(live: &Live, console: &Console) -> Result<Detected, Failure> {
    let _stage = console.stage("finding out who you are");
    let folder = std::env::current_dir().unwrap_or_default();
    let ((caller, viewer), git) = futures_util::join!(live.who(), detect::from_git(&folder));
    let (caller, viewer) = both(caller, viewer)?;
    Ok(Detected {
        github_login: Some(viewer.login),
        region: live.detected_region(),
        account: Some(caller.account.to_string()),
        ..git
    })
}

/// Both sides' refusals at once: whoever is signed out of both should not learn it in two runs.
fn both<A, B>(a: Result<A, Failure>, b: Result<B, Failure>) -> Result<(A, B), Failure> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => Err(failure),
        (Err(a), Err(b)) => Err(joined(a, b)),
    }
}

/// Both refusals as one.
pub(super) fn joined(a: Failure, b: Failure) -> Failure {
    let text = format!("{a}; and {b}");
    let hints: Vec<String> = a.hints().iter().chain(b.hints()).cloned().collect();
    let cause = if *a.cause() == Cause::Unauthenticated { a.cause().clone() } else { b.cause().clone() };
    let failure = Failure::new(text).because(cause).caused_by(a);
    hints.into_iter().fold(failure, Failure::hinted)
}
