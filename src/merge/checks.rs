//! Judges a merged file before anybody pushes it, and a publisher's own file by the rules of a fresh render.
//!
//! What a publisher's file has already is theirs to decide and is remarked on; what a merge would bring in forbids it.

mod dockerfile;
mod document;
mod events;
mod expression;
mod names;
mod permissions;
mod publishing;
mod rules;
mod scripts;
mod shape;
mod workflow;

use super::Note;
use crate::model::jobs::is_workflow;

pub use publishing::{Publishing, publishing};
pub use rules::{BrokenRule, Rule};

/// What is to be said about a merged file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Why the merge must not be used.
    pub problems: Vec<Note>,
    /// What was so in the publisher's file already.
    pub remarks: Vec<Note>,
}

/// Judges `merged`, made of `theirs`, the publisher's file, and `ours`, this version's render.
#[must_use]
pub fn check(path: &str, merged: &str, theirs: &str, ours: &str) -> Checked {
    let mut checked = Checked::default();
    let is_yaml = path.ends_with(".yml") || path.ends_with(".yaml");
    if is_yaml {
        let document = match document::read(merged) {
            Ok(document) => document,
            Err(what) => {
                checked.problems.push(Note { place: String::new(), what });
                return checked;
            }
        };
        if is_workflow(path) {
            let [theirs, ours] = [theirs, ours].map(document::read);
            let before = theirs.as_ref().map(shape::flaws).unwrap_or_default();
            checked.sort(shape::flaws(&document), before);
            // A file that can't be read gives nobody anything.
            if let Ok(nothing) = document::read("permissions: {}") {
                let (theirs, ours) = (theirs.as_ref().unwrap_or(&nothing), ours.as_ref().unwrap_or(&nothing));
                checked.problems.extend(permissions::excess(&document, theirs, ours));
            }
        }
    }
    let oidc = is_workflow(path) && ours.contains("role-to-assume:");
    let as_note =
        |broken: BrokenRule| Note { place: broken.place, what: format!("{}: {}", broken.what, broken.rule.why()) };
    let notes = |text: &str| broken_rules_beside(path, text, oidc).into_iter().map(as_note).collect();
    checked.sort(notes(merged), notes(theirs));
    checked
}

impl Checked {
    /// Tells what is new in `found` from what was there `before`, wherever it stood.
    fn sort(&mut self, found: Vec<Note>, mut before: Vec<Note>) {
        for note in found {
            let known = before.iter().position(|other| *other == note);
            match known.or_else(|| before.iter().position(|other| other.what == note.what)) {
                Some(at) => {
                    before.swap_remove(at);
                    self.remarks.push(note);
                }
                None => self.problems.push(note),
            }
        }
    }
}

/// Where a workflow or a Dockerfile breaks a rule that every rendered one keeps, in the order of the file. No other file
/// has rules.
#[must_use]
pub fn broken_rules(path: &str, text: &str) -> Vec<BrokenRule> {
    broken_rules_beside(path, text, false)
}

fn broken_rules_beside(path: &str, text: &str, oidc: bool) -> Vec<BrokenRule> {
    if is_workflow(path) {
        workflow::broken(text, oidc)
    } else if is_dockerfile(path) {
        dockerfile::broken(text)
    } else {
        Vec::new()
    }
}

/// `Dockerfile`, `Dockerfile.release`, `release.Dockerfile`, `Containerfile`, wherever it is.
#[must_use]
pub fn is_dockerfile(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    ["dockerfile", "containerfile"].iter().any(|kind| {
        name == *kind
            || name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('.'))
            || name.ends_with(&format!(".{kind}"))
    })
}

#[cfg(test)]
mod tests;
