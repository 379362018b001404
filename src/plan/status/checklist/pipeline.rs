//! Section 3: what runs, what stops a release, what is reported, who may publish.

use super::super::ledger::Ledger;
use super::super::{State, Topic};
use super::files::{Strictness, by_files, only_pins};
use super::{List, persons};
use crate::model::config::Visibility;
use crate::model::go_to_market::PersonsPart;
use crate::model::status::Seen;
use crate::plan::setup::FileState;

pub(super) const PUBLISH: &str = ".github/workflows/publish-to-ecr.yml";
pub(super) const RESCAN: &str = ".github/workflows/rescan.yml";

pub(super) fn entries(ledger: &Ledger<'_>, list: &mut List) {
    let patterns: Vec<String> = ledger.config().outlets().into_iter().map(|outlet| outlet.tag_pattern).collect();
    let on = format!("on tags {}", patterns.join(", "));
    list.add_seen("release-trigger", "Pipeline runs on every published release", running(ledger, PUBLISH, on));
    list.add_seen(
        "trivy-gate",
        "Trivy stops a release with CRITICAL or HIGH findings",
        claim(ledger, "built locally, scanned before anything is pushed"),
    );
    list.add_seen("sarif", "SARIF report in the Security tab", sarif(ledger));
    list.add_seen("publish-after-gate", "Only what passed is pushed", publishing(ledger));
    if ledger.config().publish.environment.is_some() {
        list.persons(ledger, PersonsPart::Reviewer);
    }
    let nightly = running(ledger, RESCAN, "every night, against what is known by then".into());
    list.add_seen("rescan", "Supported releases are scanned again", nightly);
}

/// A workflow that is there and that GitHub has not switched off.
fn running(ledger: &Ledger<'_>, path: &str, done: String) -> Seen<State> {
    let state = by_files(ledger, &[path], Strictness::Claim, || done)?;
    let (State::Done { .. }, Some(repository)) = (&state, ledger.repository()?) else { return Ok(state) };
    let workflows = repository.activity.workflows.as_ref().map_err(Clone::clone)?;
    let file = path.rsplit('/').next().unwrap_or(path);
    let enable = format!("gh workflow enable {file} --repo {}", ledger.config().github.repository);
    Ok(match workflows.get(path).map(String::as_str) {
        Some("active") | None => state,
        Some("disabled_inactivity") => State::Drifted {
            differs: vec![format!("GitHub switched {file} off: the repository saw no activity for 60 days")],
            mend: enable,
        },
        Some(other) => State::Drifted {
            differs: vec![format!("{file} is switched off ({})", other.replace('_', " "))],
            mend: enable,
        },
    })
}

/// What the workflow does as rendered; of one that was edited, its author knows.
fn claim(ledger: &Ledger<'_>, done: &str) -> Seen<State> {
    if ledger.file(PUBLISH) == Some(FileState::Edited) && !only_pins(ledger, PUBLISH) {
        ledger.repository()?;
        return Ok(State::Person {
            what: format!("{PUBLISH} was edited: see that this still holds; `sbi rehearse` runs its scan"),
            url: Some(ledger.file_page(PUBLISH)),
            optional: true,
        });
    }
    by_files(ledger, &[PUBLISH], Strictness::Claim, || done.to_owned())
}

fn sarif(ledger: &Ledger<'_>) -> Seen<State> {
    let uploads = claim(ledger, "uploaded by every release and every night")?;
    let (State::Done { .. }, Some(repository)) = (&uploads, ledger.repository()?) else { return Ok(uploads) };
    if ledger.config().github.visibility == Visibility::Public {
        return Ok(uploads);
    }
    match &repository.activity.code_scanning {
        Ok(Some(value)) if value == "on" => Ok(uploads),
        Ok(_) => Ok(persons(ledger, PersonsPart::CodeScanning)),
        Err(unread) => Err(unread.clone()),
    }
}

fn publishing(ledger: &Ledger<'_>) -> Seen<State> {
    let gate = claim(ledger, "the scanned bytes, by digest")?;
    let Some(repository) = ledger.repository()? else { return Ok(gate) };
    if ledger.config().publish.environment.is_some() {
        repository.environments.as_ref().map_err(Clone::clone)?;
    }
    let environments = ledger.by_steps(&Topic::Environments, String::new);
    Ok(if environments.is_pending() && !gate.is_pending() { environments } else { gate })
}
