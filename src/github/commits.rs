//! Files reach the default branch here: one commit by push, signed push or pull request.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Github, error, escape, lock, repo_path};
use crate::failure::{Cause, Failure};
use crate::model::commit::{Commit, Delivery};
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

#[derive(Deserialize)]
struct PullAnswer {
    number: u64,
    html_url: String,
}

#[derive(Deserialize)]
struct GraphqlAnswer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<GraphqlError>,
}

#[derive(Deserialize)]
struct GraphqlError {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
}

const SIGNED_COMMIT: &str =
    "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid url } } }";

/// What a call of this commit needs: workflow files take a right of their own.
fn with_rights(call: Call, commit: &Commit) -> Call {
    let call = call.of(&commit.repository);
    if commit.touches_workflows() { call.needing("workflows: write").scoped("workflow") } else { call }
}

fn moved(commit: &Commit, branch: &str) -> Failure {
    Failure::new(format!("the branch {branch} of {} moved meanwhile", commit.repository))
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
            "message": format!("Add {CONFIG_FILE}"),
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
                let made = self.make_commit(commit, parent).await?;
                self.move_branch(commit, branch, parent, &made.sha).await?;
                Ok(Delivered::Commit { id: CommitId::told(made.sha), url: made.html_url })
            }
            Delivery::SignedPush => self.signed_commit(commit, branch, parent).await,
            Delivery::PullRequest { branch: head, title, body, number } => {
                let made = self.make_commit(commit, parent).await?;
                self.point_branch(commit, head, &made.sha, number.is_some()).await?;
                match number {
                    Some(number) => {
                        let url = made.html_url.split("/commit/").next().unwrap_or_default();
                        Ok(Delivered::PullRequest { number: *number, url: format!("{url}/pull/{number}") })
                    }
                    None => self.open_pull_request(commit, branch, head, title, body).await,
                }
            }
        }
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

    /// Tree and commit: nothing points to them yet, so nobody sees them.
    async fn make_commit(&self, commit: &Commit, parent: &CommitId) -> Result<CommitAnswer, Failure> {
        let repository = &commit.repository;
        let entries: Vec<Value> = commit
            .files
            .iter()
            .map(|(path, text)| json!({ "path": path, "mode": "100644", "type": "blob", "content": text }))
            // Without an object there is nothing at the path any more.
            .chain(
                commit
                    .deletions
                    .iter()
                    .map(|path| json!({ "path": path, "mode": "100644", "type": "blob", "sha": null })),
            )
            .collect();
        let mut tree = json!({ "tree": entries });
        if !commit.whole_tree {
            tree["base_tree"] = self.tree_of(repository, parent).await?.into();
        }
        let call = Call::new(Method::POST, repo_path(repository, "/git/trees"), "upload the files").body(tree);
        let tree: Sha = self.ask(&with_rights(call, commit)).await?;
        let call = Call::new(Method::POST, repo_path(repository, "/git/commits"), "make the commit").body(json!({
            "message": commit.message,
            "tree": tree.sha,
            "parents": [parent.as_str()],
        }));
        let made: CommitAnswer = self.ask(&with_rights(call, commit)).await?;
        self.remember_tree(&CommitId::told(made.sha.clone()), made.tree.sha.clone());
        Ok(made)
    }

    async fn tip(&self, repository: &GithubRepositoryName, branch: &str) -> Result<Option<String>, Failure> {
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
                _ => Err(moved(commit, branch)),
            },
            _ => Err(error::classify(&call, &reply, &self.host)),
        }
    }

    /// Creates a branch of ours or moves it wherever it was.
    async fn point_branch(&self, commit: &Commit, branch: &str, to: &str, exists: bool) -> Result<(), Failure> {
        let repository = &commit.repository;
        let what = format!("point the branch {branch} to the new commit");
        if !exists {
            let call = Call::new(Method::POST, repo_path(repository, "/git/refs"), what.clone())
                .body(json!({ "ref": format!("refs/heads/{branch}"), "sha": to }));
            match self.ask::<RefAnswer>(&with_rights(call, commit)).await {
                Ok(_) => return Ok(()),
                // Left by an earlier run that stopped before it opened the pull request.
                Err(failure) => {
                    if self.tip(repository, branch).await?.is_none() {
                        return Err(failure);
                    }
                }
            }
        }
        let path = repo_path(repository, &format!("/git/refs/heads/{}", escape(branch)));
        let call = with_rights(Call::new(Method::PATCH, path, what), commit)
            .body(json!({ "sha": to, "force": true }))
            .repeatable();
        self.send(&call).await.map(drop)
    }

    async fn open_pull_request(
        &self,
        commit: &Commit,
        base: &str,
        head: &str,
        title: &str,
        body: &str,
    ) -> Result<Delivered, Failure> {
        let call = Call::new(
            Method::POST,
            repo_path(&commit.repository, "/pulls"),
            format!("open the pull request from {head}"),
        )
        .of(&commit.repository)
        .needing("pull_requests: write")
        .body(json!({ "title": title, "body": body, "head": head, "base": base }));
        let answer: PullAnswer = self.ask(&call).await?;
        Ok(Delivered::PullRequest { number: answer.number, url: answer.html_url })
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
        let (headline, details) = commit.message.split_once('\n').unwrap_or((&commit.message, ""));
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
        let reply = self.exchange(&self.graphql, &call).await?;
        if reply.status != 200 {
            return Err(error::classify(&call, &reply, &self.host));
        }
        let answer: GraphqlAnswer = reply.json(&call)?;
        if let Some(error) = answer.errors.first() {
            return Err(match error.kind.as_str() {
                "STALE_DATA" => moved(commit, branch),
                "FORBIDDEN" | "INSUFFICIENT_SCOPES" | "NOT_FOUND" => error::denied(&call, call.permission),
                _ => Failure::new(format!("could not {}: GitHub refuses it", call.what))
                    .caused_by(format!("GitHub says: {}", error.message)),
            });
        }
        let data = answer.data.unwrap_or_default();
        let made = &data["createCommitOnBranch"]["commit"];
        match (made["oid"].as_str(), made["url"].as_str()) {
            (Some(oid), Some(url)) => Ok(Delivered::Commit { id: CommitId::told(oid), url: url.to_owned() }),
            _ => Err(Failure::new(format!("could not {}: GitHub's answer names no commit", call.what))),
        }
    }
}

fn refused_by_rules(commit: &Commit, branch: &str) -> Failure {
    Failure::new(format!("the rules of the branch {branch} of {} refuse a push", commit.repository))
        .because(Cause::Denied { action: format!("push to {branch}"), resource: Some(commit.repository.to_string()) })
        .hinted("run the command again with `--pull-request`")
}
