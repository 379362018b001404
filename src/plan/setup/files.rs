//! The rendered files: which are new, untouched, edited or foreign, and the one commit that brings what differs.

use std::collections::{BTreeMap, BTreeSet};

use super::adoption::{self, ADOPTION_BRANCH, Adoption};
use super::github::Ground;
use super::keep;
use super::secrets::{fingerprint, plain_secrets};
use crate::failure::Failure;
use crate::model::commit::{Commit, Delivery};
use crate::model::config::CONFIG_FILE;
use crate::model::desired::{Desired, RenderedFile};
use crate::model::git::{BlobId, CommitId};
use crate::model::lock::{LOCK_FILE, Lock};
use crate::model::observed::{GithubRepository, Observed, PullRequest};
use crate::model::pins::Pins;
use crate::plan::step::Step;
use crate::plan::{Known, Plan, StepId};

/// The branch of sbi's own pull request.
pub(in crate::plan) const PULL_REQUEST_BRANCH: &str = "sbi/setup";

/// The workflow that a release must start.
pub(super) const WORKFLOW: &str = ".github/workflows/publish-to-ecr.yml";

/// Where the files of this run end up.
pub(super) enum Landing {
    /// On the default branch, at this commit.
    Branch(Known<CommitId>),
    /// In a pull request that a person must merge first.
    PullRequest,
    /// The publishing workflow is not sbi's, so no release may rely on it.
    ForeignWorkflow,
}

/// What a path on the default branch is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    New,
    Same,
    /// As sbi, or the host's first commit, wrote it.
    Untouched,
    Edited,
    Deleted,
    Foreign,
}

/// What differs between the rendered files and the default branch.
pub(super) struct Comparison {
    /// Path → text of what must be written, `sbi.lock` included.
    changes: BTreeMap<String, String>,
    new_paths: BTreeSet<String>,
    kept: Vec<(String, FileState)>,
    /// Of what is kept: an edit and a newer render, which only a merge brings together.
    behind: BTreeSet<String>,
    /// What the default branch's `sbi.lock` holds no digest of yet, or another one.
    pinned: Pins,
    lock: BlobId,
    /// What `sbi.lock` would say about the secrets.
    uploaded: BTreeMap<String, String>,
}

impl Comparison {
    /// The open pull request carries exactly the `sbi.lock` that this run would write, or adopts and says the same of the
    /// secrets, whatever it holds beside: what it says was uploaded is.
    pub(super) fn lock_awaits_merge(&self, observed: &Observed) -> bool {
        let found = observed.github.repository.as_ref();
        found.and_then(open_pull_request).is_some_and(|open| {
            let says_the_same = open.lock.as_ref().is_some_and(|lock| lock.uploaded == self.uploaded);
            open.files.get(LOCK_FILE) == Some(&self.lock) || (open.branch == ADOPTION_BRANCH && says_the_same)
        })
    }
}

pub(super) fn compare(desired: &Desired, observed: &Observed, adoption: &Adoption<'_>) -> Comparison {
    let found = observed.github.repository.as_ref();
    let rendered_before = found.and_then(|found| found.lock.clone()).unwrap_or_default();
    let mut lock = rendered_before.clone();
    let mut changes = BTreeMap::new();
    let mut new_paths = BTreeSet::new();
    let mut kept = Vec::new();
    for file in &desired.files {
        let state = state_of(desired, found, &rendered_before, file);
        let write = match state {
            FileState::New | FileState::Untouched => true,
            FileState::Same => false,
            FileState::Edited | FileState::Foreign | FileState::Deleted => {
                desired.overwrite.contains(&file.path) || adoption.replaces(&file.path)
            }
        };
        if write {
            changes.insert(file.path.clone(), file.text.clone());
            if matches!(state, FileState::New | FileState::Deleted) {
                new_paths.insert(file.path.clone());
            }
        }
        if write || state == FileState::Same {
            lock.files.insert(file.path.clone(), file.blob_id());
        } else {
            kept.push((file.path.clone(), state));
        }
    }
    for (name, value) in plain_secrets(&desired.config) {
        lock.uploaded.insert(name.into(), fingerprint(&value));
    }
    lock.images.clone_from(&desired.images);
    lock.repository = Some(desired.config.github.repository.clone());
    let mut pinned = Pins::default();
    for (reference, digest) in desired.images.iter() {
        if rendered_before.images.get(reference) != Some(digest) {
            pinned.insert(reference, digest.clone());
        }
    }
    if !changes.is_empty() || lock.templates.is_empty() {
        lock.templates.clone_from(&desired.templates);
    }
    let uploaded = lock.uploaded.clone();
    lock.retain_texts();
    let lock = RenderedFile { path: LOCK_FILE.into(), text: lock.to_text() };
    let lock_id = lock.blob_id();
    let lock_found = found.and_then(|found| found.files.get(LOCK_FILE));
    if lock_found != Some(&lock_id) {
        if lock_found.is_none() {
            new_paths.insert(lock.path.clone());
        }
        changes.insert(lock.path, lock.text);
    }
    let behind = behind(desired, found);
    Comparison { changes, new_paths, kept, behind, pinned, lock: lock_id, uploaded }
}

/// `before` are the steps that `sbi.lock` must not get ahead of.
pub(super) fn plan(
    plan: &mut Plan,
    desired: &Desired,
    observed: &Observed,
    (ground, adoption): (&Ground, &Adoption<'_>),
    comparison: Comparison,
    before: &[StepId],
) -> Landing {
    for (path, state) in &comparison.kept {
        report_kept(plan, path, *state, comparison.behind.contains(path));
    }
    let foreign_workflow = comparison
        .kept
        .iter()
        .any(|(path, state)| path == WORKFLOW && matches!(state, FileState::Foreign | FileState::Deleted));
    let landing = if comparison.changes.is_empty() && adoption.removals().is_empty() {
        Landing::Branch(ground.parent.clone())
    } else {
        plan_commit(plan, desired, observed.github.repository.as_ref(), (ground, adoption), before, comparison)
    };
    if foreign_workflow { Landing::ForeignWorkflow } else { landing }
}

/// What each rendered file's path on the default branch is.
#[must_use]
pub fn file_states(desired: &Desired, found: Option<&GithubRepository>) -> BTreeMap<String, FileState> {
    let lock = found.and_then(|found| found.lock.clone()).unwrap_or_default();
    desired.files.iter().map(|file| (file.path.clone(), state_of(desired, found, &lock, file))).collect()
}

/// The edited files that are rendered differently by now. `sbi.toml` is none of them: nothing is merged into it.
#[must_use]
pub fn behind(desired: &Desired, found: Option<&GithubRepository>) -> BTreeSet<String> {
    let Some(lock) = found.and_then(|found| found.lock.as_ref()) else { return BTreeSet::new() };
    let is_behind = |file: &&RenderedFile| {
        file.path != CONFIG_FILE
            && state_of(desired, found, lock, file) == FileState::Edited
            && lock.files.get(&file.path) != Some(&file.blob_id())
    };
    desired.files.iter().filter(is_behind).map(|file| file.path.clone()).collect()
}

/// The open pull request that brings this set-up; one that adopts brings it as well.
#[must_use]
pub fn open_pull_request(found: &GithubRepository) -> Option<&PullRequest> {
    open_from(found, ADOPTION_BRANCH).or_else(|| open_from(found, PULL_REQUEST_BRANCH))
}

fn open_from<'a>(found: &'a GithubRepository, branch: &str) -> Option<&'a PullRequest> {
    found.pull_requests.iter().find(|open| open.branch == branch)
}

/// What a person has to do whose commits are on a branch of ours: it is not moved over them.
pub(in crate::plan) fn wait_for_the_owner_of(open: &PullRequest) -> String {
    format!("merge or close {}: somebody's commits are on its branch {}, which stays as it is", open.url, open.branch)
}

pub(super) fn state_of(
    desired: &Desired,
    found: Option<&GithubRepository>,
    lock: &Lock,
    file: &RenderedFile,
) -> FileState {
    let blob = found.and_then(|found| found.files.get(&file.path));
    let rendered_before = lock.files.get(&file.path);
    match (blob, rendered_before) {
        (None, None) => FileState::New,
        (None, Some(_)) => FileState::Deleted,
        (Some(blob), _) if *blob == file.blob_id() => FileState::Same,
        (Some(blob), Some(before)) if blob == before => FileState::Untouched,
        (Some(_), Some(_)) => FileState::Edited,
        (Some(blob), None) if file.path == "README.md" && is_hosts_readme(desired, blob) => FileState::Untouched,
        (Some(_), None) => FileState::Foreign,
    }
}

/// The README that GitHub writes when it creates a repository with a first commit: an interrupted run leaves it.
fn is_hosts_readme(desired: &Desired, blob: &BlobId) -> bool {
    let name = desired.config.github.repository.name();
    let description = super::github::DESCRIPTION;
    [
        format!("# {name}\n{description}\n"),
        format!("# {name}\n{description}"),
        format!("# {name}\n"),
        format!("# {name}"),
    ]
    .iter()
    .any(|text| BlobId::of(text.as_bytes()) == *blob)
}

fn report_kept(plan: &mut Plan, path: &str, state: FileState, is_behind: bool) {
    if path == CONFIG_FILE {
        plan.refusals.push(
            Failure::usage(format!("`{CONFIG_FILE}` here and in the GitHub repository differ, and both were edited"))
                .hinted(format!("take the repository's: move `{CONFIG_FILE}` away and run the command again"))
                .hinted(format!("or take this one: add `--overwrite {CONFIG_FILE}`")),
        );
        return;
    }
    if is_behind {
        let why = "was edited since sbi rendered it, and is rendered differently now; `sbi update` merges both";
        return keep(plan, format!("file {path}"), why);
    }
    if state == FileState::Foreign && adoption::is_replaceable(path) {
        let why =
            format!("is not sbi's; `--adopt` would propose to replace it, `--overwrite {path}` would do it at once");
        return keep(plan, format!("file {path}"), why);
    }
    let why = match state {
        FileState::Edited => "was edited since sbi rendered it",
        FileState::Deleted => "was deleted since sbi rendered it",
        FileState::Foreign | FileState::New | FileState::Same | FileState::Untouched => "is not sbi's",
    };
    keep(plan, format!("file {path}"), format!("{why}; `--overwrite {path}` would replace it"));
}

fn plan_commit(
    plan: &mut Plan,
    desired: &Desired,
    found: Option<&GithubRepository>,
    (ground, adoption): (&Ground, &Adoption<'_>),
    before: &[StepId],
    comparison: Comparison,
) -> Landing {
    let Comparison { changes: files, new_paths, pinned, .. } = comparison;
    let rules = found.map(|found| found.branch_rules.clone()).unwrap_or_default();
    let adopts = adoption.agreed;
    let deletions = adoption.removals();
    // What a publisher made is never replaced behind their back.
    let by_pull_request = rules.pull_request_required || desired.by_pull_request || adopts;
    if let Some(open) = found.and_then(|found| open_from(found, ADOPTION_BRANCH)).filter(|_| !adopts) {
        // It brings the files as well; what it adopts was not looked at, or is gone.
        plan.waiting.push(format!("merge or close {}, then run `sbi apply`", open.url));
        return Landing::PullRequest;
    }
    let (head_branch, body) = if adopts {
        let head = found.and_then(|found| found.head.as_ref());
        (ADOPTION_BRANCH, adoption::body(desired, adoption, (&files, &new_paths), head))
    } else {
        (PULL_REQUEST_BRANCH, pull_request_body(desired, &files, &new_paths))
    };
    let open = found.and_then(|found| open_from(found, head_branch));
    if let Some(open) = open.filter(|_| by_pull_request) {
        let same = files.iter().all(|(path, text)| open.files.get(path) == Some(&BlobId::of(text.as_bytes())))
            && !deletions.iter().any(|path| open.files.contains_key(path))
            // Its body names every line that goes: what changed since would go unnamed.
            && adoption.names_as_much(&open.body, &body);
        if same {
            plan.waiting.push(format!("merge {}, then run `sbi apply`", open.url));
            return Landing::PullRequest;
        }
        if !open.head_is_ours {
            plan.waiting.push(wait_for_the_owner_of(open));
            return Landing::PullRequest;
        }
    }
    let delivery = if by_pull_request {
        Delivery::PullRequest {
            branch: head_branch.into(),
            title: if adopts { "Adopt the publishing pipeline" } else { "Set up the publishing pipeline" }.into(),
            body,
            // Whether it is a draft is up to whoever made it one.
            draft: open.is_some_and(|open| open.draft),
            open: open.map(|open| Box::new(open.as_open())),
        }
    } else if rules.signatures_required {
        Delivery::SignedPush
    } else {
        Delivery::Push
    };
    let first = found.is_none_or(|found| found.lock.is_none());
    let title = if first { "Set up the publishing pipeline" } else { "Update what sbi renders" };
    let needs_parent = match &ground.parent {
        Known::After(step) => Some(*step),
        Known::Now(_) => None,
    };
    let step = Step::CommitFiles {
        parent: ground.parent.clone(),
        commit: Box::new(Commit {
            repository: desired.config.github.repository.clone(),
            branch: found.map(|found| found.identity.default_branch.clone()),
            whole_tree: found.is_none(),
            rendered: BTreeMap::new(),
            files,
            new_paths,
            deletions,
            message: format!("{title}\n\nRendered by sbi {}.", desired.templates),
            delivery,
        }),
    };
    plan.pinned = pinned;
    if adopts && let Some(other) = found.and_then(|found| open_from(found, PULL_REQUEST_BRANCH)) {
        plan.waiting.push(format!("close {}: the pull request of this run brings what it does", other.url));
    }
    let id = plan.add(step, before.iter().copied().chain(needs_parent));
    if by_pull_request {
        plan.waiting.push("merge the pull request of this run, then run `sbi apply`".into());
        Landing::PullRequest
    } else {
        Landing::Branch(Known::After(id))
    }
}

fn pull_request_body(desired: &Desired, files: &BTreeMap<String, String>, new_paths: &BTreeSet<String>) -> String {
    let outlets = desired.config.outlets();
    let places: Vec<String> = outlets.iter().map(|outlet| format!("`{}`", outlet.ecr_repository)).collect();
    let tags: Vec<String> = outlets.iter().map(|outlet| outlet.tag.to_string()).collect();
    let mut body = format!("This brings the publishing pipeline of {} into the repository.\n\n", places.join(", "));
    for path in files.keys() {
        let change = if new_paths.contains(path) { "new" } else { "changed" };
        body.push_str(&format!("- `{path}`: {change}\n"));
    }
    body.push_str(&format!(
        "\nAfter the merge, `sbi apply` publishes {} and so starts the first run of the pipeline.\n",
        tags.join(", ")
    ));
    body
}
