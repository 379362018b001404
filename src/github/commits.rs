//! Files reach the default branch here: one commit by push, signed push or pull request.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::TreeAnswer;
use super::{Call, Github, error, escape, lock, repo_path};
use crate::failure::{Cause, Failure};
use crate::model::commit::{Commit, Delivery, OpenPullRequest, is_ours, marked};
use crate::model::config::CONFIG_FILE;
use crate::model::git::CommitId;
use crate::model::names::GithubRepositoryName;

/// How a commit arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    Commit { id: CommitId, url: String },
    PullRequest { number: u64, url: String },
}

#[derive(Deserialize)]
pub(super) struct Sha {
    pub(super) sha: String,
}

#[derive(Deserialize)]
struct CommitAnswer {
    sha: String,
    tree: Sha,
    html_url: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct ContentsAnswer {
    commit: FirstCommit,
}

#[derive(Deserialize)]
struct FirstCommit {
    sha: String,
    tree: Option<Sha>,
}

#[derive(Deserialize)]
struct RefAnswer {
    object: Sha,
}

/// The version that stands in the trailer of our commits.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Of the commit below one that merges.
const RENDERED: &str = "Render anew the files that the next commit merges with what is there";

const SIGNED_COMMIT: &str =
    "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid url } } }";

/// What a call of this commit needs: workflow files take a right of their own.
fn with_rights(call: Call, commit: &Commit) -> Call {
    let call = call.of(&commit.repository);
    if commit.touches_workflows() { call.needing("workflows: write").scoped("workflow") } else { call }
}

pub(super) fn moved(repository: &GithubRepositoryName, branch: &str) -> Failure {
    Failure::new(format!("the branch {branch} of {repository} moved meanwhile"))
        .hinted("run the command again: it looks at the new commits first")
}

impl Github {
    /// Gives an empty repository its first commit: one `sbi.toml`.
    ///
    /// # Errors
    /// When GitHub refuses the file.
    pub async fn start_history(
        &self,
        repository: &GithubRepositoryName,
        branch: &str,
        text: &str,
    ) -> Result<CommitId, Failure> {
        let call = Call::new(
            Method::PUT,
            repo_path(repository, &format!("/contents/{CONFIG_FILE}")),
            format!("make the first commit on {branch}"),
        )
        .of(repository)
        .once()
        .body(json!({
            "message": marked(&format!("Add {CONFIG_FILE}"), VERSION, None),
            "content": BASE64_STANDARD.encode(text),
            "branch": branch,
        }));
        let answer: ContentsAnswer = self.ask(&call).await?;
        let id = CommitId::told(answer.commit.sha);
        if let Some(tree) = answer.commit.tree {
            self.remember_tree(&id, tree.sha);
        }
        Ok(id)
    }

    /// Makes one commit on `parent` and brings it to `branch` as its delivery says.
    ///
    /// # Errors
    /// When the branch has moved, its rules refuse the push, or the token lacks a right.
    pub async fn commit(&self, commit: &Commit, branch: &str, parent: &CommitId) -> Result<Delivered, Failure> {
        match &commit.delivery {
            Delivery::Push => {
                let made = self.make_commits(commit, parent).await?;
                self.move_branch(commit, branch, parent, &made.sha).await?;
                Ok(Delivered::Commit { id: CommitId::told(made.sha), url: made.html_url })
            }
            Delivery::SignedPush => self.signed_commit(commit, branch, parent).await,
            Delivery::PullRequest { branch: head, title, body, draft, open } => {
                let texts = (title.as_str(), body.as_str());
                match open {
                    Some(open) => self.renew_pull_request(commit, parent, (head, open), texts, *draft).await,
                    None => {
                        let made = self.make_commits(commit, parent).await?;
                        self.create_our_branch(commit, head, &made.sha).await?;
                        self.open_pull_request(&commit.repository, (branch, head), texts, *draft).await
                    }
                }
            }
        }
    }

    /// Whatever call is the last one that arrives, the next run finds what is left: the branch shows whether it moved,
    /// the pull request how it is described. It becomes a draft before the branch moves, and ready after.
    async fn renew_pull_request(
        &self,
        commit: &Commit,
        parent: &CommitId,
        (head, open): (&str, &OpenPullRequest),
        texts: (&str, &str),
        draft: bool,
    ) -> Result<Delivered, Failure> {
        let repository = &commit.repository;
        let mut open = open.clone();
        if draft && !open.draft {
            self.set_draft(repository, &open, true).await?;
            open.draft = true;
        }
        let made = self.make_commits(commit, parent).await?;
        match self.tip(repository, head).await? {
            Some(tip) if tip == made.sha => {}
            Some(tip) if tip == open.head.as_str() => self.force_branch(commit, head, &made.sha).await?,
            // Somebody's commits came in since, or the branch went and closed the pull request.
            _ => return Err(moved(repository, head)),
        }
        self.change_pull_request(repository, &open, texts, draft).await?;
        Ok(Delivered::PullRequest { number: open.number, url: open.url })
    }

    pub(super) fn remember_tree(&self, commit: &CommitId, tree: String) {
        lock(&self.trees).insert(commit.clone(), tree);
    }

    async fn tree_of(&self, repository: &GithubRepositoryName, commit: &CommitId) -> Result<String, Failure> {
        if let Some(tree) = lock(&self.trees).get(commit) {
            return Ok(tree.clone());
        }
        let call = Call::get(repo_path(repository, &format!("/git/commits/{commit}")), format!("read commit {commit}"))
            .of(repository);
        let answer: CommitAnswer = self.ask(&call).await?;
        self.remember_tree(commit, answer.tree.sha.clone());
        Ok(answer.tree.sha)
    }

    pub(super) fn remember_executables(&self, commit: &CommitId, tree: &TreeAnswer) {
        let executables = tree.tree.iter().filter(|entry| entry.mode == "100755").map(|entry| entry.path.clone());
        let executables: BTreeSet<String> = executables.collect();
        if !executables.is_empty() {
            lock(&self.executables).insert(commit.clone(), executables);
        }
    }

    /// Whether sbi made the commit, by its trailer.
    pub(super) async fn is_our_commit(&self, repository: &GithubRepositoryName, id: &str) -> Result<bool, Failure> {
        let call =
            Call::get(repo_path(repository, &format!("/git/commits/{id}")), format!("read commit {id}")).of(repository);
        let answer: CommitAnswer = self.ask(&call).await?;
        Ok(is_ours(&answer.message, &answer.tree.sha))
    }

    /// The commit, and below it the one of what was rendered where there is something to merge.
    async fn make_commits(&self, commit: &Commit, parent: &CommitId) -> Result<CommitAnswer, Failure> {
        let executables = lock(&self.executables).get(parent).cloned().unwrap_or_default();
        let blob = |(path, text): (&String, &String)| {
            let mode = if executables.contains(path) { "100755" } else { "100644" };
            json!({ "path": path, "mode": mode, "type": "blob", "content": text })
        };
        let mut on = parent.clone();
        if !commit.rendered.is_empty() {
            let entries = commit.rendered.iter().map(blob).collect();
            on = CommitId::told(self.make_commit(commit, &on, entries, RENDERED).await?.sha);
        }
        // Without an object there is nothing at the path any more.
        let gone = |path: &String| json!({ "path": path, "mode": "100644", "type": "blob", "sha": null });
        let entries = commit.files.iter().map(blob).chain(commit.deletions.iter().map(gone)).collect();
        self.make_commit(commit, &on, entries, &commit.message).await
    }

    /// Tree and commit: nothing points to them yet, so nobody sees them.
    async fn make_commit(
        &self,
        commit: &Commit,
        on: &CommitId,
        entries: Vec<Value>,
        message: &str,
    ) -> Result<CommitAnswer, Failure> {
        let repository = &commit.repository;
        let mut tree = json!({ "tree": entries });
        if !commit.whole_tree {
            tree["base_tree"] = self.tree_of(repository, on).await?.into();
        }
        let call = Call::new(Method::POST, repo_path(repository, "/git/trees"), "upload the files").body(tree);
        let tree: Sha = self.ask(&with_rights(call, commit)).await?;
        let call = Call::new(Method::POST, repo_path(repository, "/git/commits"), "make the commit").body(json!({
            "message": marked(message, VERSION, Some(&tree.sha)),
            "tree": tree.sha,
            "parents": [on.as_str()],
        }));
        let made: CommitAnswer = self.ask(&with_rights(call, commit)).await?;
        self.remember_tree(&CommitId::told(made.sha.clone()), made.tree.sha.clone());
        Ok(made)
    }

    /// The commit that a branch is at; `None` when there is no such branch.
    pub(super) async fn tip(&self, repository: &GithubRepositoryName, branch: &str) -> Result<Option<String>, Failure> {
        let path = repo_path(repository, &format!("/git/ref/heads/{}", escape(branch)));
        let call = Call::get(path, format!("read the branch {branch}")).of(repository);
        Ok(self.ask_maybe::<RefAnswer>(&call).await?.map(|answer| answer.object.sha))
    }

    /// Fast-forwards the branch. Sending it again does the same, so a lost answer is no failure.
    async fn move_branch(&self, commit: &Commit, branch: &str, parent: &CommitId, to: &str) -> Result<(), Failure> {
        let call = with_rights(
            Call::new(
                Method::PATCH,
                repo_path(&commit.repository, &format!("/git/refs/heads/{}", escape(branch))),
                format!("move the branch {branch}"),
            )
            .body(json!({ "sha": to, "force": false }))
            .repeatable(),
            commit,
        );
        let reply = self.exchange(&self.rest, &call).await?;
        match reply.status {
            200..300 => Ok(()),
            // Both a moved branch and a rule end here, and only the branch itself tells which it was.
            409 | 422 => match self.tip(&commit.repository, branch).await? {
                Some(tip) if tip == to => Ok(()),
                Some(tip) if tip == parent.as_str() => Err(refused_by_rules(commit, branch)),
                _ => Err(moved(&commit.repository, branch)),
            },
            _ => Err(error::classify(&call, &reply, &self.host)),
        }
    }

    /// Creates a branch of ours. One that is there already was left by an earlier run, and moves; somebody's commits on it
    /// stay.
    async fn create_our_branch(&self, commit: &Commit, branch: &str, to: &str) -> Result<(), Failure> {
        let repository = &commit.repository;
        let call = Call::new(Method::POST, repo_path(repository, "/git/refs"), pointing(branch))
            .body(json!({ "ref": format!("refs/heads/{branch}"), "sha": to }));
        let Err(failure) = self.ask::<RefAnswer>(&with_rights(call, commit)).await else { return Ok(()) };
        match self.tip(repository, branch).await? {
            None => Err(failure),
            Some(tip) if tip == to => Ok(()),
            Some(tip) if self.is_our_commit(repository, &tip).await? => self.force_branch(commit, branch, to).await,
            Some(_) => Err(Failure::new(format!(
                "the branch {branch} of {repository} holds commits that are not sbi's"
            ))
            .hinted(format!(
                "keep them under another name and delete the branch: `git push origin --delete {branch}`, then run \
                     the command again"
            ))),
        }
    }

    /// Moves a branch of ours wherever it was.
    async fn force_branch(&self, commit: &Commit, branch: &str, to: &str) -> Result<(), Failure> {
        let path = repo_path(&commit.repository, &format!("/git/refs/heads/{}", escape(branch)));
        let call = with_rights(Call::new(Method::PATCH, path, pointing(branch)), commit)
            .body(json!({ "sha": to, "force": true }))
            .repeatable();
        self.send(&call).await.map(drop)
    }

    /// GitHub signs what it commits itself; REST commits of a person's token stay unsigned.
    async fn signed_commit(&self, commit: &Commit, branch: &str, parent: &CommitId) -> Result<Delivered, Failure> {
        let additions: Vec<Value> = commit
            .files
            .iter()
            .map(|(path, text)| json!({ "path": path, "contents": BASE64_STANDARD.encode(text) }))
            .collect();
        let mut changes = json!({ "additions": additions });
        if !commit.deletions.is_empty() {
            changes["deletions"] = commit.deletions.iter().map(|path| json!({ "path": path })).collect();
        }
        if !commit.rendered.is_empty() {
            return Err(Failure::new("the plan is inconsistent: what is merged comes by pull request"));
        }
        let message = marked(&commit.message, VERSION, None);
        let (headline, details) = message.split_once('\n').unwrap_or((&message, ""));
        let input = json!({
            "branch": { "repositoryNameWithOwner": commit.repository.to_string(), "branchName": branch },
            "message": { "headline": headline, "body": details.trim_start() },
            "expectedHeadOid": parent.as_str(),
            "fileChanges": changes,
        });
        let call = with_rights(
            Call::new(Method::POST, "/graphql", format!("make the signed commit on {branch}"))
                .body(json!({ "query": SIGNED_COMMIT, "variables": { "input": input } })),
            commit,
        );
        let data = match self.mutate(&call).await? {
            Ok(data) => data,
            Err(refused) if refused.kind == "STALE_DATA" => return Err(moved(&commit.repository, branch)),
            Err(refused) => return Err(refused.into_failure(&call)),
        };
        let made = &data["createCommitOnBranch"]["commit"];
        match (made["oid"].as_str(), made["url"].as_str()) {
            (Some(oid), Some(url)) => Ok(Delivered::Commit { id: CommitId::told(oid), url: url.to_owned() }),
            _ => Err(Failure::new(format!("could not {}: GitHub's answer names no commit", call.what))),
        }
    }
}

fn pointing(branch: &str) -> String {
    format!("point the branch {branch} to the new commit")
}

fn refused_by_rules(commit: &Commit, branch: &str) -> Failure {
    Failure::new(format!("the rules of the branch {branch} of {} refuse a push", commit.repository))
        .because(Cause::Denied { action: format!("push to {branch}"), resource: Some(commit.repository.to_string()) })
        .hinted("run the command again with `--pull-request`")
}
