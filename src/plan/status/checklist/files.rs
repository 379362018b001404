//! Rendered files on the default branch: as rendered, outdated, edited, deleted, or somebody else's.

use super::super::ledger::Ledger;
use super::super::{State, Topic};
use crate::model::status::Seen;
use crate::plan::setup::{FileState, Phase};
use crate::plan::step::Sign;

/// Whose a file is once it is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// The plan stands on it: outdated, deleted or replaced by another, it is drift.
    Ours,
    /// What it does counts, and an earlier version's does it as well.
    Claim,
    /// A text: whoever deletes or replaces it chose to.
    Theirs,
}

/// Proposes our files in the place of somebody else's, who sees each line that goes.
pub(super) const ADOPT: &str = " --adopt";

/// An edited file differs by newer pins alone, as Dependabot leaves it.
pub(super) fn only_pins(ledger: &Ledger<'_>, path: &str) -> bool {
    ledger.question.edits.get(path) == Some(&Ok(true))
}

/// How these files stand together.
pub(super) fn by_files(
    ledger: &Ledger<'_>,
    paths: &[&str],
    strictness: Strictness,
    done: impl FnOnce() -> String,
) -> Seen<State> {
    ledger.repository()?;
    let converge = &ledger.question.converge;
    let (mut new, mut differs, mut flags, mut notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        let ours = strictness != Strictness::Theirs;
        match ledger.file(path) {
            Some(FileState::Same) => {}
            Some(FileState::New) | None => new.push(*path),
            Some(FileState::Foreign) if ours && ledger.is_being_adopted() => new.push(*path),
            Some(FileState::Untouched) if strictness == Strictness::Claim => {
                notes.push(format!("{path} is as an earlier version rendered it"));
            }
            Some(FileState::Untouched) => {
                differs.push(format!("{path} is outdated: this version renders it differently"))
            }
            Some(FileState::Edited) if only_pins(ledger, path) => notes.push(format!("{path} has newer pins")),
            Some(FileState::Edited) => notes.push(format!("{path} was edited since sbi rendered it")),
            Some(state @ (FileState::Deleted | FileState::Foreign)) => {
                let (what, flag) = match state {
                    FileState::Deleted => (format!("{path} was deleted"), format!(" --overwrite {path}")),
                    _ => (format!("{path} is not sbi's"), ADOPT.to_owned()),
                };
                if ours {
                    flags.extend((!flags.contains(&flag)).then_some(flag));
                    differs.push(what);
                } else {
                    notes.push(what);
                }
            }
        }
    }
    if !differs.is_empty() {
        return Ok(State::Drifted { differs, mend: format!("{converge}{}", flags.concat()) });
    }
    if !new.is_empty() {
        if let Some(waits) = ledger.waits_for_merge() {
            return Ok(waits);
        }
        let lacks = match new.as_slice() {
            [only] => vec![format!("{only} is not there")],
            several => vec![format!("{} files are not there", several.len())],
        };
        return Ok(State::Undone { lacks, command: converge.to_string() });
    }
    Ok(State::done(if notes.is_empty() { done() } else { notes.join(", ") }))
}

/// What brings newer templates and edits together.
fn merge_edits(ledger: &Ledger<'_>) -> Option<State> {
    let differs: Vec<String> =
        ledger.behind().map(|path| format!("{path} was edited, and is rendered differently now")).collect();
    if differs.is_empty() {
        return None;
    }
    Some(match ledger.open_update() {
        Some(open) => State::Person {
            what: format!("review and merge pull request #{}", open.number),
            url: Some(open.url.clone()),
            optional: false,
        },
        None => State::Drifted { differs, mend: ledger.question.update.to_owned() },
    })
}

/// All of them, `sbi.lock` included.
pub(super) fn all(ledger: &Ledger<'_>) -> Seen<State> {
    ledger.repository()?;
    if let Some(refused) = ledger.refused(Phase::Files) {
        return Ok(refused);
    }
    let command = ledger.question.converge.to_owned();
    let lines = ledger.lines(&Topic::Files);
    if let Some(line) = lines.first() {
        let told = vec![format!("{}: {}", line.name, line.detail)];
        return Ok(match line.sign {
            Sign::Add => State::Undone { lacks: told, command },
            Sign::Change | Sign::Remove | Sign::Wait => State::Drifted { differs: told, mend: command },
        });
    }
    if let Some(waits) = ledger.waits_for_merge() {
        return Ok(waits);
    }
    if let Some(merge) = merge_edits(ledger) {
        return Ok(merge);
    }
    let count = |wanted: FileState| ledger.files().filter(|(_, state)| *state == wanted).count();
    let mut parts = vec![format!("{} files as rendered", count(FileState::Same))];
    for (state, word) in
        [(FileState::Edited, "edited"), (FileState::Deleted, "deleted"), (FileState::Foreign, "not sbi's")]
    {
        parts.extend(Some(count(state)).filter(|count| *count > 0).map(|count| format!("{count} {word}")));
    }
    Ok(State::done(parts.join(", ")))
}
