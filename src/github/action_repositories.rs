//! Repositories of actions: their tags, what a tag stands for, and whether a commit is on a branch.
//!
//! GitHub serves a commit of any fork under its parent's name, so that a tag, or a pin, may name a commit that nobody of
//! the repository ever wrote. Only a branch of the repository itself vouches for one.

use futures_util::try_join;
use jiff::Timestamp;
use serde::Deserialize;

use super::answers::RepositoryAnswer;
use super::commits::Sha;
use super::{Call, Github, error, escape, repo_path};
use crate::failure::Failure;
use crate::model::action_repository::{ActionRepository, ReleaseFacts, TagTarget, TaggedCommit};
use crate::model::git::CommitId;
use crate::model::names::GithubRepositoryName;

/// A tag may name a tag, and so on: nobody means more than that.
const MOST_TAGS_OF_TAGS: u32 = 3;

#[derive(Deserialize)]
struct TagRefAnswer {
    #[serde(rename = "ref")]
    name: String,
    object: ObjectAnswer,
}

#[derive(Deserialize)]
struct ObjectAnswer {
    sha: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct TagAnswer {
    object: ObjectAnswer,
    tagger: DatedAnswer,
}

#[derive(Deserialize)]
struct DatedCommitAnswer {
    committer: DatedAnswer,
}

#[derive(Deserialize)]
struct DatedAnswer {
    /// RFC 3339
    date: String,
}

#[derive(Deserialize)]
struct ReleaseAnswer {
    draft: bool,
    prerelease: bool,
    /// RFC 3339
    published_at: Option<String>,
}

#[derive(Deserialize)]
struct BranchNameAnswer {
    name: String,
}

#[derive(Deserialize)]
struct CompareAnswer {
    status: String,
    merge_base_commit: Sha,
}

fn reading(name: &GithubRepositoryName, path: &str, what: impl Into<String>) -> Call {
    Call::get(repo_path(name, path), what).of(name).needing("contents: read")
}

impl Github {
    /// The tags of an action's repository, and where its development goes on: two calls.
    ///
    /// # Errors
    /// When GitHub knows no such repository, refuses, or can't be reached.
    pub async fn action_repository(&self, name: &GithubRepositoryName) -> Result<ActionRepository, Failure> {
        let settings = reading(name, "", "read the settings");
        let refs = reading(name, "/git/matching-refs/tags", "list the tags");
        let (settings, refs): (RepositoryAnswer, Vec<TagRefAnswer>) = try_join!(self.ask(&settings), self.ask(&refs))?;
        let tags = refs.into_iter().filter_map(|found| {
            let tag = found.name.strip_prefix("refs/tags/")?.to_owned();
            Some((tag, TagTarget { annotated: found.object.kind == "tag", object: found.object.sha }))
        });
        Ok(ActionRepository {
            full_name: settings.full_name,
            default_branch: settings.default_branch,
            tags: tags.collect(),
        })
    }

    /// What a tag stands for, and when it came about.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached, or the tag is of no commit.
    pub async fn tagged_commit(
        &self,
        name: &GithubRepositoryName,
        tag: &str,
        target: &TagTarget,
    ) -> Result<TaggedCommit, Failure> {
        let (release, (commit, tagged)) = try_join!(self.release_of(name, tag), self.peel(name, tag, target))?;
        let call = reading(name, &format!("/git/commits/{commit}"), format!("read commit {commit}"));
        let answer: DatedCommitAnswer = self.ask(&call).await?;
        let committed = moment(&call, &answer.committer.date)?;
        let dated = tagged.map_or(committed, |tagged| tagged.max(committed));
        Ok(TaggedCommit { commit, dated, release })
    }

    /// The commit that a tag is of, and when an annotated one says it was made.
    ///
    /// # Errors
    /// As `tagged_commit`.
    pub async fn peel(
        &self,
        name: &GithubRepositoryName,
        tag: &str,
        target: &TagTarget,
    ) -> Result<(CommitId, Option<Timestamp>), Failure> {
        let (mut object, mut annotated, mut dated) = (target.object.clone(), target.annotated, None);
        for _ in 0..MOST_TAGS_OF_TAGS {
            if !annotated {
                break;
            }
            let call = reading(name, &format!("/git/tags/{object}"), format!("read the tag {tag}"));
            let answer: TagAnswer = self.ask(&call).await?;
            dated = dated.max(Some(moment(&call, &answer.tagger.date)?));
            (object, annotated) = (answer.object.sha, answer.object.kind == "tag");
            if !annotated && answer.object.kind != "commit" {
                return Err(Failure::new(format!("the tag {tag} of {name} is of no commit")));
            }
        }
        if annotated {
            return Err(Failure::new(format!("the tag {tag} of {name} is a tag of tags")));
        }
        Ok((CommitId::told(object), dated))
    }

    /// The release of a tag, for everybody to see; a draft is none.
    async fn release_of(&self, name: &GithubRepositoryName, tag: &str) -> Result<Option<ReleaseFacts>, Failure> {
        let call = reading(name, &format!("/releases/tags/{}", escape(tag)), format!("read the release {tag}"));
        let Some(release) = self.ask_maybe::<ReleaseAnswer>(&call).await? else { return Ok(None) };
        let published = release.published_at.map(|text| moment(&call, &text)).transpose()?;
        Ok(Some(ReleaseFacts { draft: release.draft, prerelease: release.prerelease, published }))
    }

    /// A branch of the repository that holds the commit: the default one, one that ends with it, or one of `others`.
    /// `None` when none of these does.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn branch_with(
        &self,
        name: &GithubRepositoryName,
        commit: &CommitId,
        default_branch: &str,
        others: &[String],
    ) -> Result<Option<String>, Failure> {
        if self.holds(name, default_branch, commit).await? {
            return Ok(Some(default_branch.to_owned()));
        }
        let path = format!("/commits/{commit}/branches-where-head");
        let call = reading(name, &path, format!("list the branches that end with {commit}"));
        let reply = self.exchange(&self.rest, &call).await?;
        let ending: Vec<BranchNameAnswer> = match reply.status {
            200..300 => reply.json(&call)?,
            // No commit of the repository.
            404 | 422 => Vec::new(),
            _ => return Err(error::classify(&call, &reply, &self.host)),
        };
        if let Some(branch) = ending.into_iter().next() {
            return Ok(Some(branch.name));
        }
        for branch in others.iter().filter(|branch| *branch != default_branch) {
            if self.holds(name, branch, commit).await? {
                return Ok(Some(branch.clone()));
            }
        }
        Ok(None)
    }

    /// Whether a branch holds a commit. It is asked for by its tip: by its name, a tag of the same name might answer.
    async fn holds(&self, name: &GithubRepositoryName, branch: &str, commit: &CommitId) -> Result<bool, Failure> {
        let Some(tip) = self.tip(name, branch).await? else { return Ok(false) };
        if tip == commit.as_str() {
            return Ok(true);
        }
        let path = format!("/compare/{tip}...{commit}?per_page=1");
        let call = reading(name, &path, format!("look for commit {commit} on the branch {branch}"));
        // 404: the two have no ancestor in common.
        let Some(answer) = self.ask_maybe::<CompareAnswer>(&call).await? else { return Ok(false) };
        let behind = matches!(answer.status.as_str(), "behind" | "identical");
        Ok(behind && answer.merge_base_commit.sha == commit.as_str())
    }
}

fn moment(call: &Call, text: &str) -> Result<Timestamp, Failure> {
    text.parse().map_err(|error| {
        Failure::new(format!("could not {}: GitHub's date `{text}` can't be read", call.what)).caused_by(error)
    })
}
