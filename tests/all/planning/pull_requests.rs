//! Pull requests of ours: moved, described, closed, and left to whoever works on their branch.

use sbi::model::commit::{Commit, Delivery, OpenPullRequest, UPDATE_BRANCH};
use sbi::model::git::CommitId;
use sbi::plan::Known;
use sbi::plan::step::{Permission, Step};

use super::*;

#[test]
fn an_open_pull_request_moves_unless_somebodys_commits_are_on_its_branch() {
    let mut desired = desired(Auth::Oidc);
    let mut observed = nothing();
    let mut repository = fresh_repository(false);
    repository.branch_rules.pull_request_required = true;
    observed.github.repository = Some(repository);
    let world = World::new(observed);
    assert!(run(&plan_now(&desired, &world), &world).succeeded());
    desired.files.iter_mut().find(|file| file.path == "README.md").unwrap().text.push_str("more\n");
    let moved = plan_now(&desired, &world);
    assert!(lines(&moved).iter().any(|line| line.ends_with("one commit, into the open pull request")), "{moved:?}");
    world.observed.borrow_mut().github.repository.as_mut().unwrap().pull_requests[0].head_is_ours = false;
    let plan = plan_now(&desired, &world);
    assert!(plan.is_empty(), "{:?}", lines(&plan));
    assert!(plan.waiting[0].contains("somebody's commits are on its branch sbi/setup"), "{:?}", plan.waiting);
}

#[test]
fn drafts_are_for_public_repositories_and_plans_for_teams() {
    let mut observed = nothing();
    for (private, plan, drafts) in [
        (false, None, true),
        (false, Some("free"), true),
        (true, None, false),
        (true, Some("free"), false),
        (true, Some("pro"), false),
        (true, Some("team"), true),
        (true, Some("enterprise"), true),
    ] {
        let mut repository = fresh_repository(false);
        repository.private = private;
        observed.github.repository = Some(repository);
        observed.github.owner.plan = plan.map(str::to_owned);
        assert_eq!(observed.github.has_drafts(), drafts, "{private} {plan:?}");
    }
}

fn open(draft: bool) -> Box<OpenPullRequest> {
    Box::new(OpenPullRequest {
        number: 7,
        node_id: "PR_7".into(),
        url: "https://github.com/acme/bases/pull/7".into(),
        title: "Update".into(),
        body: "why".into(),
        draft,
        head: CommitId::told("1".repeat(40)),
    })
}

/// One step as a plan of its own, in the words that a person reads.
fn told(step: Step) -> String {
    let mut plan = Plan::default();
    plan.add(step, []);
    lines(&plan).remove(0)
}

#[test]
fn what_happens_to_a_pull_request_is_told_in_one_line() {
    let repository = desired(Auth::Oidc).config.github.repository;
    let update = |from, title: &str, draft| Step::UpdatePullRequest {
        repository: repository.clone(),
        open: open(from),
        title: title.into(),
        body: "why".into(),
        draft,
    };
    assert_eq!(told(update(false, "New", false)), "~ pull request #7: title and text");
    assert_eq!(told(update(true, "Update", false)), "~ pull request #7: draft → ready for review");
    assert_eq!(told(update(false, "New", true)), "~ pull request #7: title and text, ready → draft");
    let close = Step::ClosePullRequest {
        repository: repository.clone(),
        branch: UPDATE_BRANCH.into(),
        open: open(false),
        why: "main has all of it".into(),
    };
    let writing = [Permission::Github("contents: write"), Permission::Github("pull requests: write")];
    assert_eq!(close.permissions(), writing);
    assert_eq!(update(true, "New", true).permissions(), writing[1..]);
    assert!(close.is_repeatable() && update(true, "New", true).is_repeatable());
    assert_eq!(told(close), "- pull request #7: closed with its branch sbi/update: main has all of it");

    let file = |path: &str| BTreeMap::from([(path.to_owned(), "text".to_owned())]);
    let commit = |rendered, draft, open| Commit {
        repository: repository.clone(),
        branch: Some("main".into()),
        whole_tree: false,
        rendered,
        files: file("a"),
        new_paths: BTreeSet::new(),
        deletions: BTreeSet::new(),
        message: "Update".into(),
        delivery: Delivery::PullRequest {
            branch: UPDATE_BRANCH.into(),
            title: "Update".into(),
            body: "why".into(),
            draft,
            open,
        },
    };
    let step = |commit: Commit| {
        let parent = Known::Now(CommitId::told("2".repeat(40)));
        Step::CommitFiles { commit: Box::new(commit), parent }
    };
    let merged = commit(file(".github/workflows/x.yml"), true, None);
    assert!(merged.touches_workflows(), "what is rendered takes the right as well");
    assert_eq!(told(step(merged)), "~ files main: 1 changed, two commits, by a new draft pull request");
    let moved = commit(BTreeMap::new(), false, Some(open(true)));
    assert_eq!(told(step(moved)), "~ files main: 1 changed, one commit, into the open pull request");
}
