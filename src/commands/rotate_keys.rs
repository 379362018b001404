//! `sbi rotate-keys`: replaces the access key that the pipeline publishes with.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::answers::read_config;
use super::carry_out::{carry_out, confirm, preflight};
use super::console::{Console, summary};
use super::guard::Guard;
use super::to_oidc;
use crate::apply::Report;
use crate::cli::{GlobalFlags, RotateKeysArgs};
use crate::failure::{Cause, Failure};
use crate::live::Live;
use crate::live::sign_in::Places;
use crate::model::config::{Auth, Config};
use crate::model::names::GithubRepositoryName;
use crate::model::observed::KeyObserved;
use crate::plan::Plan;
use crate::plan::operator::rotation_rights;
use crate::plan::rotation::{Rotation, oldest_active, plan_rotation, unfinished};
use crate::ui::report::Who;
use crate::ui::{Glyph, json};

/// # Errors
/// A refusal before any effect, what failed while applying; with `--check`, a key that is too old.
pub(super) async fn run(global: &GlobalFlags, arguments: &RotateKeysArgs, console: &Console) -> Result<(), Failure> {
    let live = console.sign_in(Places::default(), arguments.aws.profile.clone()).await?;
    let config = config_of(global, arguments, &live).await?;
    let live = live.in_region(&config.aws.region);
    if arguments.to_oidc {
        return to_oidc::run(global, arguments, &config.github.repository, &live, console).await;
    }
    if arguments.check {
        let days = config.publish.key_max_age_days.unwrap_or(DEFAULT_MAX_AGE_DAYS);
        let max_age = arguments.max_age.unwrap_or(SignedDuration::from_hours(24 * i64::from(days)));
        return check(&live, &config, max_age, console).await;
    }
    let guard = Guard::take(console, "sbi rotate-keys", &config.github.repository)?;
    let changed = Box::pin(change(&live, &config, global.yes, arguments, &guard)).await;
    guard.end(changed.as_ref().err());
    changed
}

async fn change(
    live: &Live,
    config: &Config,
    yes: bool,
    arguments: &RotateKeysArgs,
    guard: &Guard<'_>,
) -> Result<(), Failure> {
    let console = guard.console();
    let stage = console.stage("looking at the access keys");
    let (found, mut plan) = look(live, config, arguments).await?;
    drop(stage);
    let who = Who { aws: found.caller.arn.clone(), github: found.viewer.login.clone() };
    console.show_steps(&plan, config, &who, &[], false)?;
    console.refuse(std::mem::take(&mut plan.refusals))?;
    if plan.is_empty() {
        let nothing = Report { outcomes: Vec::new(), cancelled: false };
        return console.show_end(&plan, &nothing, &summary(Vec::new(), plan.waiting.clone()));
    }
    confirm(console, yes)?;
    let report = carry_out(live, &plan, guard, &config.github.repository, (&who.aws, &who.github)).await?;
    let stage = console.stage("looking again");
    let again = live.observe_key(config).await?;
    drop(stage);
    if let Some(key) = unfinished(&again) {
        return Err(Failure::new(format!("AWS and GitHub do not show all of it yet: {key}"))
            .hinted("run `sbi rotate-keys --finish` in a minute"));
    }
    console.line(Glyph::Done, "looked again: one key works, and it is the one in the secret");
    console.show_end(&plan, &report, &summary(Vec::new(), plan.waiting.clone()))
}

/// From `sbi.toml` here, or from the one in the repository.
async fn config_of(global: &GlobalFlags, arguments: &RotateKeysArgs, live: &Live) -> Result<Config, Failure> {
    let here = read_config(&global.config)?;
    let Some(text) = &arguments.github else {
        return here.ok_or_else(|| {
            Failure::usage(format!("there is no `{}` here", global.config.display()))
                .hinted("name the repository whose key it is: `--github OWNER/NAME`")
        });
    };
    let repository: GithubRepositoryName = text.parse()?;
    if let Some(config) = here.filter(|config| config.github.repository == repository) {
        return Ok(config);
    }
    live.config_of(&repository).await?.ok_or_else(|| {
        Failure::usage(format!("{repository} has no `sbi.toml`, or this token does not see it"))
            .hinted(format!("`sbi init --github {repository}` sets it up"))
    })
}

/// Observes and plans; changes nothing.
async fn look(live: &Live, config: &Config, arguments: &RotateKeysArgs) -> Result<(KeyObserved, Plan), Failure> {
    let found = live.observe_key(config).await?;
    let rotation = Rotation {
        config,
        grace: arguments.grace,
        drain: arguments.drain,
        finish: arguments.finish,
        now: Timestamp::now(),
    };
    let mut plan = plan_rotation(&rotation, &found);
    let rights = rotation_rights(config, &plan);
    preflight(live, &mut plan, &found.caller, &found.viewer, (&rights, "rotator")).await?;
    Ok((found, plan))
}

/// `sbi rotate-keys --check --format json`.
#[derive(Debug, Serialize)]
struct AgeJson {
    format_version: u32,
    user: String,
    /// The oldest key that works; absent when none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyJson>,
    max_age_days: i64,
    /// It is older than that, or there is none.
    due: bool,
}

#[derive(Debug, Serialize)]
struct KeyJson {
    id: String,
    created: Timestamp,
    age_days: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<Timestamp>,
}

/// The CIS AWS Foundations Benchmark asks for new access keys after 90 days.
const DEFAULT_MAX_AGE_DAYS: u16 = 90;
const DAY: i64 = 24 * 60 * 60;

async fn check(live: &Live, config: &Config, max_age: SignedDuration, console: &Console) -> Result<(), Failure> {
    if config.publish.auth == Auth::Oidc {
        let repository = &config.github.repository;
        return Err(Failure::usage(format!("{repository} signs in by OIDC: there is no access key that could be old")));
    }
    let stage = console.stage("looking at the access keys");
    let found = live.observe_key(config).await?;
    drop(stage);
    let oldest = found.user.as_ref().and_then(|user| oldest_active(user, Timestamp::now()));
    let due = oldest.as_ref().is_none_or(|(_, age)| *age > max_age);
    let (user, limit) = (config.user().to_string(), max_age.as_secs() / DAY);
    let text = match oldest {
        Some((key, age)) => {
            format!("access key {} of {user} is {} old, the limit is {}", key.id, days(age), days(max_age))
        }
        None => format!("{user} has no access key that works"),
    };
    if console.is_human() {
        console.result(&format!("{text}\n"))?;
    } else {
        let key = oldest.map(|(key, age)| KeyJson {
            id: key.id.clone(),
            created: key.created,
            age_days: age.as_secs() / DAY,
            last_used: key.last_used.as_ref().map(|used| used.at),
        });
        let format_version = json::FORMAT_VERSION;
        console.result(&json::text(&AgeJson { format_version, user, key, max_age_days: limit, due }))?;
    }
    if !due {
        return Ok(());
    }
    Err(Failure::new(text).because(Cause::ChangesPending).hinted("`sbi rotate-keys` issues a new one"))
}

/// `12 days`, or hours below one.
fn days(length: SignedDuration) -> String {
    match (length.as_secs() / DAY, length.as_hours()) {
        (0, 1) => "1 hour".into(),
        (0, hours) => format!("{hours} hours"),
        (1, _) => "1 day".into(),
        (days, _) => format!("{days} days"),
    }
}
