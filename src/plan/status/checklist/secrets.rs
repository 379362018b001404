//! The secrets of section 6, each by its name: there, matching, or not needed.

use super::super::ledger::Ledger;
use super::super::{State, Topic};
use super::List;
use crate::model::config::Auth;
use crate::model::secrets::ACCESS_KEY_SECRET;
use crate::model::status::Seen;
use crate::plan::setup::{Phase, plain_secrets};

/// As the plan lists them; the two halves of its access key are one secret.
const LISTED: [&str; 4] = [ACCESS_KEY_SECRET, "AWS_REGION", "ECR_REGISTRY", "ECR_REPOSITORY"];

pub(super) fn entries(ledger: &Ledger<'_>, list: &mut List) {
    let config = ledger.config();
    let plain: Vec<&str> = plain_secrets(config).into_iter().map(|(name, _)| name).collect();
    let others = plain.iter().copied().filter(|name| !LISTED.contains(name));
    for name in LISTED.into_iter().chain(others) {
        let is_key = name == ACCESS_KEY_SECRET;
        let state = if is_key && config.publish.auth == Auth::AccessKey {
            key_secret(ledger, name)
        } else if is_key {
            Ok(not_needed(ledger, name, "jobs sign in with OIDC"))
        } else if plain.contains(&name) {
            plain_secret(ledger, name)
        } else if config.has_settings_as_secrets() {
            Ok(not_needed(ledger, name, "the workflow holds the table of several images"))
        } else {
            Ok(not_needed(ledger, name, "the workflow names what it would hold"))
        };
        list.add_seen(format!("secret:{name}"), format!("Add {name}"), state);
    }
}

fn not_needed(ledger: &Ledger<'_>, name: &str, why: &str) -> State {
    let there = ledger.found().is_some_and(|found| found.secrets.contains_key(name));
    let yet = if there { "; there is one, and no workflow of sbi's reads it" } else { "" };
    State::done(format!("not needed: {why}{yet}"))
}

/// The secrets can be listed, or there is no repository that could hold any.
fn listed(ledger: &Ledger<'_>) -> Seen<()> {
    match ledger.repository()? {
        Some(repository) => repository.secrets.clone(),
        None => Ok(()),
    }
}

fn plain_secret(ledger: &Ledger<'_>, name: &str) -> Seen<State> {
    listed(ledger)?;
    Ok(ledger.by_steps(&Topic::Secret(name.to_owned()), || "there, with today's value".into()))
}

fn key_secret(ledger: &Ledger<'_>, name: &str) -> Seen<State> {
    listed(ledger)?;
    if ledger.aws().is_ok()
        && let Some(refused) = ledger.refused(Phase::Identity)
    {
        return Ok(refused);
    }
    let there = ledger.found().is_some_and(|found| found.secrets.contains_key(name));
    if !there {
        let lacks = vec![format!("{name} is not there")];
        return Ok(State::Undone { lacks, command: ledger.question.converge.to_owned() });
    }
    ledger.aws()?.user.as_ref().map_err(Clone::clone)?;
    Ok(ledger.by_steps(&Topic::AccessKey, || "there, written after an active key was created".into()))
}
