//! The first release of each image, last of all: it starts the pipeline, so it needs everything else.

use super::files::{Landing, WORKFLOW};
use crate::failure::Failure;
use crate::model::config::{Config, Outlet};
use crate::model::desired::Desired;
use crate::model::names::{GitTag, ReleaseTag};
use crate::model::observed::{GithubRepository, Observed};
use crate::plan::Plan;
use crate::plan::step::Step;

pub(super) fn plan(plan: &mut Plan, desired: &Desired, observed: &Observed, landing: Landing) {
    let config = &desired.config;
    let found = observed.github.repository.as_ref();
    let published = |tag: &GitTag| {
        let ours = |found: &GithubRepository| {
            found.releases.iter().any(|release| release.tag == *tag && release.ours && !release.draft)
        };
        found.is_some_and(ours)
    };
    let missing: Vec<Outlet> = config.outlets().into_iter().filter(|outlet| !published(&outlet.tag)).collect();
    if let Some(found) = found {
        let taken: Vec<String> =
            missing.iter().filter(|outlet| is_taken(found, &outlet.tag)).map(|outlet| outlet.tag.to_string()).collect();
        if !taken.is_empty() {
            let verb = if taken.len() == 1 { "is" } else { "are" };
            plan.refusals.push(
                Failure::usage(format!(
                    "{} {verb} taken in {}: no published version is ever reused",
                    taken.join(", "),
                    config.github.repository
                ))
                .hinted(format!("the next free one: `--release {}`", next_free(found, config))),
            );
            return;
        }
    }
    let commit = match landing {
        Landing::Branch(commit) => commit,
        Landing::PullRequest => return,
        Landing::ForeignWorkflow => {
            let is_there = found.is_some_and(|found| found.files.contains_key(WORKFLOW));
            let gone = match is_there {
                true => "not sbi's; propose to replace it with `--adopt`".to_owned(),
                false => format!("deleted; bring it back with `--overwrite {WORKFLOW}`"),
            };
            plan.waiting.extend(
                missing
                    .iter()
                    .map(|Outlet { tag, .. }| format!("release {tag}: {WORKFLOW} is {gone}, or publish by hand")),
            );
            return;
        }
    };
    // One release doesn't wait for another: an image that can't be published holds nobody up.
    let everything: Vec<_> = plan.ids().collect();
    for Outlet { image, tag, .. } in missing {
        plan.add(
            Step::CreateRelease {
                repository: config.github.repository.clone(),
                tag,
                notes: desired.release_notes.get(&image).cloned().unwrap_or_default(),
                commit: commit.clone(),
            },
            everything.iter().copied(),
        );
    }
}

/// A tag or any release, drafts included, holds the name.
fn is_taken(found: &GithubRepository, tag: &GitTag) -> bool {
    found.tags.contains(&tag.to_string()) || found.releases.iter().any(|release| release.tag == *tag)
}

/// The first patch version after the configured one whose tag nobody holds for any image: they share the version.
#[must_use]
pub fn next_free(found: &GithubRepository, config: &Config) -> ReleaseTag {
    let images: Vec<_> = config.outlets().into_iter().map(|outlet| outlet.tag.image().cloned()).collect();
    let mut free = config.publish.release.next_patch();
    while images.iter().any(|image| is_taken(found, &GitTag::new(image.clone(), free.clone()))) {
        free = free.next_patch();
    }
    free
}
