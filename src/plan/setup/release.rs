//! The first release, last of all: it starts the pipeline, so it needs everything else.

use super::files::{Landing, WORKFLOW};
use crate::failure::Failure;
use crate::model::desired::Desired;
use crate::model::names::ReleaseTag;
use crate::model::observed::{GithubRepository, Observed};
use crate::plan::Plan;
use crate::plan::step::Step;

pub(super) fn plan(plan: &mut Plan, desired: &Desired, observed: &Observed, landing: Landing) {
    let tag = &desired.config.publish.release;
    let found = observed.github.repository.as_ref();
    if let Some(found) = found {
        if found.releases.iter().any(|release| release.tag == *tag && release.ours && !release.draft) {
            return;
        }
        if is_taken(found, tag) {
            let free = next_free(found, tag);
            plan.refusals.push(
                Failure::usage(format!(
                    "{tag} is taken in {}: no published version is ever reused",
                    desired.config.github.repository
                ))
                .hinted(format!("the next free one: `--release {free}`")),
            );
            return;
        }
    }
    let commit = match landing {
        Landing::Branch(commit) => commit,
        Landing::PullRequest => return,
        Landing::ForeignWorkflow => {
            plan.waiting.push(format!(
                "release {tag}: {WORKFLOW} is not sbi's; replace it with `--overwrite {WORKFLOW}` or publish by hand"
            ));
            return;
        }
    };
    let everything: Vec<_> = plan.ids().collect();
    plan.add(
        Step::CreateRelease {
            repository: desired.config.github.repository.clone(),
            tag: tag.clone(),
            notes: desired.release_notes.clone(),
            commit,
        },
        everything,
    );
}

/// A tag or any release, drafts included, holds the name.
fn is_taken(found: &GithubRepository, tag: &ReleaseTag) -> bool {
    found.tags.contains(tag.as_str()) || found.releases.iter().any(|release| release.tag == *tag)
}

/// The first patch version after `tag` whose name nobody holds.
#[must_use]
pub fn next_free(found: &GithubRepository, tag: &ReleaseTag) -> ReleaseTag {
    let mut free = tag.next_patch();
    while is_taken(found, &free) {
        free = free.next_patch();
    }
    free
}
