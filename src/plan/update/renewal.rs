//! Newer pins of actions, put into what the files hold after an update. What is rendered keeps its own pins: a file with
//! newer ones is one that was edited, as Dependabot leaves it.

use std::collections::BTreeSet;

use super::standing::{Standing, positions};
use super::{Decision, FileUpdate, Question, Texts, There, Update};
use crate::model::action_pin::ActionPin;
use crate::model::git::BlobId;
use crate::model::jobs::is_workflow;
use crate::plan::pins::{NewPins, action_pins, with_pins};

/// The blobs that must be read beside those of `needed`: workflows that were edited and stay as they are otherwise.
#[must_use]
pub fn renewable(question: &Question<'_>, there: There<'_>) -> BTreeSet<BlobId> {
    let unchanged = positions(question.desired, question.moved, there)
        .into_iter()
        .filter(|position| position.standing == Standing::Unchanged && is_workflow(&position.file.path));
    unchanged.filter_map(|position| there.files.get(position.at)).cloned().collect()
}

/// Every action that the rendered workflows pin after the update.
#[must_use]
pub fn pins_in_use(question: &Question<'_>, there: There<'_>, texts: &Texts, update: &Update) -> Vec<ActionPin> {
    let files = afterwards(question, there, texts, update);
    files.into_iter().flat_map(|(_, text)| action_pins(&text)).collect()
}

/// Puts newer pins into the workflows.
pub fn renew(question: &Question<'_>, there: There<'_>, texts: &Texts, pins: &NewPins, update: &mut Update) {
    for (path, text) in afterwards(question, there, texts, update) {
        let renewed = with_pins(&text, &pins.actions);
        if renewed == text {
            continue;
        }
        match update.files.iter_mut().find(|file| file.path == path) {
            None => update.files.push(FileUpdate { path: path.clone(), from: None, decision: Decision::Renewed }),
            Some(file) if file.decision == Decision::Unchanged => file.decision = Decision::Renewed,
            // What is rendered is in no commit otherwise, and is the next base.
            Some(_) => {
                let ours = question.desired.files.iter().find(|file| file.path == path);
                update.rendered.extend(ours.map(|file| (path.clone(), file.text.clone())));
            }
        }
        update.changes.insert(path, renewed);
    }
    update.files.sort_by(|a, b| a.path.cmp(&b.path));
}

/// Path → text of the rendered workflows after the update, those left out that are not sbi's to change.
fn afterwards(question: &Question<'_>, there: There<'_>, texts: &Texts, update: &Update) -> Vec<(String, String)> {
    let text = |path: &str, at: &str, standing: Standing<'_>, ours: &str| {
        if let Some(text) = update.changes.get(path) {
            return Some(text.clone());
        }
        match standing {
            Standing::Same => Some(ours.to_owned()),
            Standing::Unchanged => {
                let bytes = texts.get(there.files.get(at)?)?.as_ref()?;
                std::str::from_utf8(bytes).ok().map(str::to_owned)
            }
            _ => None,
        }
    };
    positions(question.desired, question.moved, there)
        .into_iter()
        .filter(|position| is_workflow(&position.file.path))
        .filter_map(|position| {
            let file = position.file;
            Some((file.path.clone(), text(&file.path, position.at, position.standing, &file.text)?))
        })
        .collect()
}
