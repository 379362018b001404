//! The files: those that are byte for byte what `sbi.lock` records go in one commit, `sbi.toml` and `sbi.lock` with
//! them, after everything else.

use std::collections::{BTreeMap, BTreeSet};

use super::Wish;
use crate::model::commit::{Commit, Delivery};
use crate::model::config::{CONFIG_FILE, Config};
use crate::model::git::BlobId;
use crate::model::lock::LOCK_FILE;
use crate::model::observed::GithubRepository;
use crate::plan::setup::{keep, wait_for_the_owner_of};
use crate::plan::step::Step;
use crate::plan::{Known, Plan, StepId};

/// The branch of the pull request that takes the files away.
const BRANCH: &str = "sbi/destroy";

pub(super) fn plan(plan: &mut Plan, config: &Config, wish: Wish, found: &GithubRepository, before: &[StepId]) {
    let Some(head) = &found.head else { return };
    let mut deletions = untouched(plan, config, found);
    if deletions.is_empty() {
        return;
    }
    let mut files = BTreeMap::new();
    // Neither API of GitHub is told to make an empty tree: the README is left as GitHub makes it.
    if found.files.keys().all(|path| deletions.contains(path)) {
        let path = "README.md".to_owned();
        deletions.remove(&path);
        files.insert(path, format!("# {}\n", config.github.repository.name()));
    }
    let new_paths: BTreeSet<String> = files.keys().filter(|path| !found.files.contains_key(*path)).cloned().collect();
    // One that is open already is gone on with, whatever was asked for this time.
    let open = found.pull_requests.iter().find(|open| open.branch == BRANCH);
    let by_pull_request = found.branch_rules.pull_request_required || wish.by_pull_request || open.is_some();
    if let Some(open) = open {
        let written = files.iter().all(|(path, text)| open.files.get(path) == Some(&BlobId::of(text.as_bytes())));
        if written && deletions.iter().all(|path| !open.files.contains_key(path)) {
            plan.waiting.push(format!("merge {}: it takes the files away", open.url));
            return;
        }
        if !open.head_is_ours {
            plan.waiting.push(wait_for_the_owner_of(open));
            return;
        }
    }
    let delivery = if by_pull_request {
        plan.waiting.push("merge the pull request of this run: it takes the files away".into());
        Delivery::PullRequest {
            branch: BRANCH.into(),
            title: "Remove what sbi set up".into(),
            body: body(&deletions),
            draft: open.is_some_and(|open| open.draft),
            open: open.map(|open| Box::new(open.as_open())),
        }
    } else if found.branch_rules.signatures_required {
        Delivery::SignedPush
    } else {
        Delivery::Push
    };
    let commit = Commit {
        repository: config.github.repository.clone(),
        branch: Some(found.identity.default_branch.clone()),
        whole_tree: false,
        rendered: BTreeMap::new(),
        files,
        new_paths,
        deletions,
        message: "Remove what sbi set up\n\nTaken back by `sbi destroy`; files that were edited stay.".into(),
        delivery,
    };
    let step = Step::CommitFiles { commit: Box::new(commit), parent: Known::Now(head.clone()) };
    plan.add(step, before.iter().copied());
}

/// The paths that are as sbi wrote them; the others are kept, and told.
fn untouched(plan: &mut Plan, config: &Config, found: &GithubRepository) -> BTreeSet<String> {
    let mut untouched = BTreeSet::new();
    let Some(lock) = &found.lock else {
        if found.files.contains_key(LOCK_FILE) {
            keep(plan, format!("file {LOCK_FILE}"), "can't be read, so no file can be told to be sbi's");
        } else if found.files.get(CONFIG_FILE) == Some(&BlobId::of(config.to_text().as_bytes())) {
            // The first commit of an empty repository, by a run that came no further.
            untouched.insert(CONFIG_FILE.to_owned());
        }
        return untouched;
    };
    for (path, rendered) in &lock.files {
        match found.files.get(path) {
            Some(blob) if blob == rendered => {
                untouched.insert(path.clone());
            }
            Some(_) => keep(plan, format!("file {path}"), "was edited since sbi rendered it"),
            None => {}
        }
    }
    if found.files.contains_key(LOCK_FILE) {
        untouched.insert(LOCK_FILE.to_owned());
    }
    untouched
}

fn body(deletions: &BTreeSet<String>) -> String {
    let mut body =
        "`sbi destroy` has taken back what these files worked with. Those that were edited stay.\n\n".to_owned();
    for path in deletions {
        body.push_str(&format!("- `{path}`: deleted\n"));
    }
    body
}
