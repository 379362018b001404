//! Pull requests between branches of one repository: those of ours that are open, the one that was turned down, and
//! what is changed about one.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use futures_util::try_join;
use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::answers::PullAnswer;
use super::hidden::hidden_apart;
use super::repository::{OUR_BRANCHES, files_of, text_of};
use super::{Call, Github, commits, escape, repo_path};
use crate::failure::Failure;
use crate::model::commit::OpenPullRequest;
use crate::model::git::{BlobId, CommitId};
use crate::model::lock::{LOCK_FILE, Lock};
use crate::model::names::GithubRepositoryName;
use crate::model::observed::{PullRequest, TurnedDown};

const TO_DRAFT: &str = "mutation($input: ConvertPullRequestToDraftInput!) \
                        { convertPullRequestToDraft(input: $input) { pullRequest { isDraft } } }";
const TO_READY: &str = "mutation($input: MarkPullRequestReadyForReviewInput!) \
                        { markPullRequestReadyForReview(input: $input) { pullRequest { isDraft } } }";

/// Ends the comment with which sbi closes its own pull request: one without it was closed by a person.
const CLOSING_MARKER: &str = "<!-- sbi:closed -->";

#[derive(Deserialize)]
struct CommentAnswer {
    body: Option<String>,
}

/// `pull_requests: write` is what GitHub asks for in all of it.
fn writing(method: Method, path: String, what: String, repository: &GithubRepositoryName) -> Call {
    Call::new(method, path, what).of(repository).needing("pull_requests: write")
}

impl Github {
    /// Those that are open from branches of ours. The inner error is that of a token without the right to look.
    pub(super) async fn pull_requests(
        &self,
        name: &GithubRepositoryName,
        id: u64,
    ) -> Result<Result<Vec<PullRequest>, Failure>, Failure> {
        let call = Call::get(repo_path(name, "/pulls?state=open"), "list the pull requests")
            .of(name)
            .needing("pull_requests: read");
        let open = match hidden_apart(self.ask_pages(call, |page: Vec<PullAnswer>| page).await)? {
            Ok(open) => open,
            Err(failure) => return Ok(Err(failure)),
        };
        let ours = open.into_iter().filter(|pull| {
            pull.head.branch.starts_with(OUR_BRANCHES) && pull.head.repo.as_ref().is_some_and(|repo| repo.id == id)
        });
        let each = ours.map(|pull| async move {
            let ((files, lock), head_is_ours) =
                try_join!(self.content_of(name, &pull.head.sha), self.is_our_commit(name, &pull.head.sha))?;
            Ok::<_, Failure>(PullRequest {
                number: pull.number,
                branch: pull.head.branch,
                url: pull.html_url,
                node_id: pull.node_id,
                title: pull.title,
                body: pull.body.unwrap_or_default(),
                draft: pull.draft,
                head: CommitId::told(pull.head.sha),
                head_is_ours,
                files,
                lock,
            })
        });
        try_join_all(each).await.map(Ok)
    }

    /// The newest pull request from this branch that was closed without a merge, unless sbi itself closed it.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn turned_down(&self, name: &GithubRepositoryName, branch: &str) -> Result<Option<TurnedDown>, Failure> {
        let head = format!("{}:{branch}", name.owner());
        // The newest first; one page goes back far enough.
        let path = format!("/pulls?state=closed&head={}&sort=created&direction=desc&per_page=100", escape(&head));
        let call =
            Call::get(repo_path(name, &path), "list the closed pull requests").of(name).needing("pull_requests: read");
        let closed: Vec<PullAnswer> = self.ask(&call).await?;
        let newest = closed.into_iter().find(|pull| {
            // The filter goes by the account, which may hold a fork beside the repository.
            let here = pull.head.repo.as_ref().map(|repo| repo.id);
            pull.merged_at.is_none() && here.is_some() && here == pull.base.repo.as_ref().map(|repo| repo.id)
        });
        let Some(pull) = newest else { return Ok(None) };
        let ((files, lock), by_sbi) =
            try_join!(self.content_of(name, &pull.head.sha), self.has_closing_comment(name, pull.number))?;
        Ok((!by_sbi).then_some(TurnedDown { number: pull.number, url: pull.html_url, files, lock }))
    }

    /// The files at a commit, and its `sbi.lock`.
    async fn content_of(
        &self,
        name: &GithubRepositoryName,
        commit: &str,
    ) -> Result<(BTreeMap<String, BlobId>, Option<Lock>), Failure> {
        let (tree, lock) = try_join!(self.tree(name, commit), self.file_at(name, LOCK_FILE, Some(commit)))?;
        let files = tree.map_or_else(|| Ok(BTreeMap::new()), |tree| files_of(tree, name))?;
        let lock = lock.as_ref().and_then(text_of).and_then(|text| Lock::parse(&text).ok());
        Ok((files, lock))
    }

    pub(super) async fn open_pull_request(
        &self,
        repository: &GithubRepositoryName,
        (base, head): (&str, &str),
        (title, body): (&str, &str),
        draft: bool,
    ) -> Result<commits::Delivered, Failure> {
        let what = format!("open the pull request from {head}");
        let mut sent = json!({ "title": title, "body": body, "head": head, "base": base });
        if draft {
            sent["draft"] = true.into();
        }
        let call = writing(Method::POST, repo_path(repository, "/pulls"), what, repository).body(sent);
        let answer: PullAnswer = self.ask(&call).await?;
        Ok(commits::Delivered::PullRequest { number: answer.number, url: answer.html_url })
    }

    /// Brings title, text and draft state of an open pull request up to date, as far as they differ. A draft becomes one
    /// before it is described anew, and ceases to be one last: nobody is invited to merge what is half done.
    ///
    /// # Errors
    /// When GitHub refuses, for instance because the repository's plan has no drafts.
    pub async fn change_pull_request(
        &self,
        repository: &GithubRepositoryName,
        open: &OpenPullRequest,
        (title, body): (&str, &str),
        draft: bool,
    ) -> Result<(), Failure> {
        if draft && !open.draft {
            self.set_draft(repository, open, true).await?;
        }
        if open.title != title || open.body != body {
            let path = repo_path(repository, &format!("/pulls/{}", open.number));
            let call = writing(Method::PATCH, path, format!("describe pull request #{}", open.number), repository)
                .body(json!({ "title": title, "body": body }))
                .repeatable();
            self.send(&call).await?;
        }
        if !draft && open.draft {
            self.set_draft(repository, open, false).await?;
        }
        Ok(())
    }

    /// REST shows whether a pull request is a draft and can't change it.
    pub(super) async fn set_draft(
        &self,
        repository: &GithubRepositoryName,
        open: &OpenPullRequest,
        draft: bool,
    ) -> Result<(), Failure> {
        let (query, to) = if draft { (TO_DRAFT, "to a draft") } else { (TO_READY, "to one that is ready for review") };
        let what = format!("turn pull request #{} {to}", open.number);
        let call = writing(Method::POST, "/graphql".into(), what, repository)
            .body(json!({ "query": query, "variables": { "input": { "pullRequestId": open.node_id } } }));
        let failure = match self.mutate(&call).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(refused)) => refused.into_failure(&call),
            Err(failure) => failure,
        };
        // A second time is refused too, and a lost answer is no failure: the pull request itself tells.
        let path = repo_path(repository, &format!("/pulls/{}", open.number));
        let look = Call::get(path, format!("read pull request #{}", open.number)).of(repository);
        match self.ask::<PullAnswer>(&look).await {
            Ok(found) if found.draft == draft => Ok(()),
            _ => Err(failure),
        }
    }

    /// Says why and deletes the branch, which closes the pull request. The comment comes first, so that whoever stops in
    /// between leaves an open pull request, and the next run goes on; it is not written twice.
    ///
    /// # Errors
    /// When the branch has moved since, or GitHub or a rule refuses.
    pub async fn close_pull_request(
        &self,
        repository: &GithubRepositoryName,
        branch: &str,
        open: &OpenPullRequest,
        why: &str,
    ) -> Result<(), Failure> {
        let number = open.number;
        let (tip, said) = try_join!(self.tip(repository, branch), self.has_closing_comment(repository, number))?;
        if tip.is_some_and(|tip| tip != open.head.as_str()) {
            return Err(commits::moved(repository, branch));
        }
        if !said {
            let path = repo_path(repository, &format!("/issues/{number}/comments"));
            let call = writing(Method::POST, path, format!("comment on pull request #{number}"), repository)
                .body(json!({ "body": format!("Closed by `sbi`: {why}.\n\n{CLOSING_MARKER}") }));
            self.send(&call).await?;
        }
        let deleted = self.delete_branch(repository, branch).await;
        // Where a rule keeps the branch, the pull request is closed all the same.
        let path = repo_path(repository, &format!("/pulls/{number}"));
        let call = writing(Method::PATCH, path, format!("close pull request #{number}"), repository)
            .body(json!({ "state": "closed" }))
            .repeatable();
        self.send(&call).await?;
        deleted
    }

    async fn has_closing_comment(&self, repository: &GithubRepositoryName, number: u64) -> Result<bool, Failure> {
        let path = repo_path(repository, &format!("/issues/{number}/comments"));
        let call = Call::get(path, format!("read the comments on pull request #{number}"))
            .of(repository)
            .needing("pull_requests: read");
        let bodies = self.ask_pages(call, |page: Vec<CommentAnswer>| page).await?;
        Ok(bodies.into_iter().filter_map(|comment| comment.body).any(|body| body.contains(CLOSING_MARKER)))
    }
}
