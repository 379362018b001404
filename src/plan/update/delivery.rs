//! How an update reaches a person: by one pull request, opened, brought up to date, closed, or left as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::body::POLICIES;
use super::{Policies, Story, Update, body, title};
use crate::failure::{Cause, Failure};
use crate::model::commit::{Commit, Delivery, UPDATE_BRANCH};
use crate::model::git::{BlobId, CommitId};
use crate::model::lock::LOCK_FILE;
use crate::model::observed::{GithubObserved, GithubRepository, PullRequest, TurnedDown};
use crate::model::version::is_older;
use crate::plan::setup::{archived_repository, open_pull_request, renamed};
use crate::plan::step::Step;
use crate::plan::{Known, Plan};

/// What stands between an update and its pull request.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    pub github: &'a GithubObserved,
    /// The newest pull request from our branch that a person closed without a merge.
    pub turned_down: Option<&'a TurnedDown>,
    /// Propose again what a person turned down.
    pub again: bool,
}

/// The one step, or none, that brings the pull request to what `story` tells. Empty when nothing differs.
pub fn deliver(story: &Story<'_>, found: Found<'_>) -> Plan {
    let mut plan = Plan::default();
    let update = story.update;
    let Some(repository) = &found.github.repository else { return plan };
    plan.refusals.extend(refusals(story, repository, found.github));
    if !plan.refusals.is_empty() {
        return plan;
    }
    let open = repository.pull_requests.iter().find(|open| open.branch == UPDATE_BRANCH);
    if let Some(setup) = open_pull_request(repository) {
        plan.waiting.push(format!("merge or close {} first: it brings the set-up; then run `sbi update`", setup.url));
        return plan;
    }
    if !update.is_worthwhile() {
        for file in update.conflicts() {
            plan.waiting.push(format!(
                "settle {}: `sbi update --keep {0}` keeps it as it is, `--overwrite {0}` takes this version's",
                file.path
            ));
        }
        if let Some(open) = open {
            close(&mut plan, story, open);
        }
        return plan;
    }
    let wanted = tree_after(update, repository);
    match (open, found.turned_down) {
        (Some(open), _) => bring_up_to_date(&mut plan, story, found, repository, open, &wanted),
        (None, Some(closed)) if !found.again && is_same(update, &wanted, closed) => plan.waiting.push(format!(
            "{} proposed just this and was closed without a merge: `sbi update --again` proposes it again",
            closed.url
        )),
        (None, _) => {
            let step = commit(story, found, repository, None);
            plan.add(step, []);
            plan.waiting.push("review and merge the pull request of this run".into());
        }
    }
    plan
}

fn refusals(story: &Story<'_>, repository: &GithubRepository, github: &GithubObserved) -> Vec<Failure> {
    let wanted = &story.desired.config.github.repository;
    let update = story.update;
    let mut refusals: Vec<Failure> = renamed(wanted, &repository.full_name)
        .map(|failure| failure.hinted("`sbi apply` follows the new name, and the roles with it"))
        .into_iter()
        .chain(archived_repository(wanted, repository))
        .collect();
    if !repository.can_push {
        refusals.push(
            Failure::new(format!("{} may not push to {wanted}", github.viewer.login))
                .because(Cause::Denied { action: "contents: write".into(), resource: Some(wanted.to_string()) })
                .hinted("ask an owner for the role that writes, or run it with another token"),
        );
    }
    if repository.lock.is_none() {
        refusals.push(
            Failure::usage(format!("{wanted} has no `{LOCK_FILE}` that can be read: nobody knows what was rendered"))
                .hinted("`sbi apply` sets the repository up"),
        );
    }
    if is_older(&update.to, &update.from) {
        refusals.push(
            Failure::usage(format!("{wanted} was rendered by sbi {}, and this is {}", update.from, update.to)).hinted(
                format!("install sbi {} or newer: this one would take back what that one brought", update.from),
            ),
        );
    }
    refusals
}

/// Path → blob id of the default branch with this update in it.
fn tree_after(update: &Update, repository: &GithubRepository) -> BTreeMap<String, BlobId> {
    let mut tree = repository.files.clone();
    for path in &update.deletions {
        tree.remove(path);
    }
    tree.extend(update.changes.iter().map(|(path, text)| (path.clone(), BlobId::of(text.as_bytes()))));
    tree.insert(LOCK_FILE.to_owned(), BlobId::of(update.lock.to_text().as_bytes()));
    tree
}

/// Whether a closed pull request proposed the same for every path of this one.
fn is_same(update: &Update, wanted: &BTreeMap<String, BlobId>, closed: &TurnedDown) -> bool {
    let written = update.changes.keys().map(String::as_str).chain([LOCK_FILE]);
    written.into_iter().all(|path| closed.files.get(path) == wanted.get(path))
        && update.deletions.iter().all(|path| !closed.files.contains_key(path))
}

fn close(plan: &mut Plan, story: &Story<'_>, open: &PullRequest) {
    if !open.head_is_ours {
        plan.waiting.push(format!(
            "close {} or merge it: the default branch holds all that sbi proposed, and somebody's commits are on its branch",
            open.url
        ));
        return;
    }
    plan.add(
        Step::ClosePullRequest {
            repository: story.desired.config.github.repository.clone(),
            branch: UPDATE_BRANCH.into(),
            open: Box::new(open.as_open()),
            why: "the default branch holds all of it by now".into(),
        },
        [],
    );
}

fn bring_up_to_date(
    plan: &mut Plan,
    story: &Story<'_>,
    found: Found<'_>,
    repository: &GithubRepository,
    open: &PullRequest,
    wanted: &BTreeMap<String, BlobId>,
) {
    let update = story.update;
    let waits = match update.conflicts().next() {
        Some(_) => format!("settle the conflicts that {} tells about", open.url),
        None => format!("review and merge {}", open.url),
    };
    if !open.head_is_ours {
        if open.lock.as_ref() == Some(&update.lock) {
            plan.waiting.push(format!("{waits}; somebody's commits are on its branch and stay"));
            return;
        }
        plan.refusals.push(
            Failure::new(format!("somebody's commits are on {UPDATE_BRANCH}, and it has to be made anew"))
                .hinted(format!("merge {} as it is, then run `sbi update` again", open.url))
                .hinted("or take those commits to a branch of their own, close the pull request, and run `sbi update` again"),
        );
        return;
    }
    if open.files != *wanted {
        let step = commit(story, found, repository, Some(open));
        plan.add(step, []);
    } else if let Some(step) = describe_anew(story, found, open) {
        plan.add(step, []);
    }
    plan.waiting.push(waits);
}

fn is_draft(story: &Story<'_>, found: Found<'_>) -> bool {
    story.update.conflicts().next().is_some() && found.github.has_drafts()
}

fn full_title(story: &Story<'_>, found: Found<'_>) -> String {
    let title = title(story.update, story.asked_for_pins);
    match story.update.conflicts().count() {
        0 => title,
        _ if found.github.has_drafts() => title,
        _ => format!("{title} (not to be merged yet: there are conflicts)"),
    }
}

/// GitHub's site sends line ends of its own.
fn normal(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// What stands before the part about roles and policies, which comes after everything else but advice.
fn without_policies(text: &str) -> &str {
    text.rsplit_once(POLICIES).map_or(text, |(before, _)| before)
}

/// Where nobody could look at AWS, what the pull request says about policies stands as it was told before.
fn says_the_same(story: &Story<'_>, open: &str, body: &str) -> bool {
    let (open, body) = (normal(open), normal(body));
    match story.policies {
        Policies::Seen(_) => open == body,
        Policies::Unseen(_) => without_policies(&open) == without_policies(&body),
    }
}

fn describe_anew(story: &Story<'_>, found: Found<'_>, open: &PullRequest) -> Option<Step> {
    let (title, body, draft) = (full_title(story, found), body(story), is_draft(story, found));
    let same = open.title == title && says_the_same(story, &open.body, &body) && open.draft == draft;
    (!same).then(|| Step::UpdatePullRequest {
        repository: story.desired.config.github.repository.clone(),
        open: Box::new(open.as_open()),
        title,
        body,
        draft,
    })
}

fn commit(story: &Story<'_>, found: Found<'_>, repository: &GithubRepository, open: Option<&PullRequest>) -> Step {
    let update = story.update;
    let title = full_title(story, found);
    let mut files = update.changes.clone();
    files.insert(LOCK_FILE.into(), update.lock.to_text());
    let deletions: BTreeSet<String> =
        update.deletions.iter().filter(|path| repository.files.contains_key(*path)).cloned().collect();
    Step::CommitFiles {
        // Without a commit there is no `sbi.lock`, and that was refused.
        parent: Known::Now(repository.head.clone().unwrap_or_else(|| CommitId::told(""))),
        commit: Box::new(Commit {
            repository: story.desired.config.github.repository.clone(),
            branch: Some(repository.identity.default_branch.clone()),
            whole_tree: false,
            rendered: update.rendered.clone(),
            files,
            new_paths: update.new_paths.clone(),
            deletions,
            message: format!("{title}\n\nRendered by sbi {}.", update.to),
            delivery: Delivery::PullRequest {
                branch: UPDATE_BRANCH.into(),
                title,
                body: body(story),
                draft: is_draft(story, found),
                open: open.map(|open| Box::new(open.as_open())),
            },
        }),
    }
}
