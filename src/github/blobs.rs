//! Contents by their git names, in exact bytes: what a repository once held is found without knowing where it lay.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Deserialize;

use super::{Call, Github, repo_path};
use crate::failure::{Cause, Failure};
use crate::model::git::BlobId;
use crate::model::names::GithubRepositoryName;

/// So many are asked for at once; GitHub takes a hundred requests at a time, from everybody who uses the token.
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
struct BlobAnswer {
    content: String,
    encoding: String,
}

impl Github {
    /// The bytes of each of these blobs, one call an id; `None` where the repository's history has no such blob.
    ///
    /// # Errors
    /// When GitHub refuses, can't be reached, or answers other bytes than those of the id.
    pub async fn blobs(
        &self,
        repository: &GithubRepositoryName,
        ids: &BTreeSet<BlobId>,
    ) -> Result<BTreeMap<BlobId, Option<Vec<u8>>>, Failure> {
        let each = ids.iter().map(|id| async move { Ok((id.clone(), self.blob(repository, id).await?)) });
        stream::iter(each).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn blob(&self, repository: &GithubRepositoryName, id: &BlobId) -> Result<Option<Vec<u8>>, Failure> {
        // Ids come from `sbi.lock`, which anybody may have edited: nothing else becomes a part of a path.
        if id.as_str().len() != 40 || !id.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let call = Call::get(repo_path(repository, &format!("/git/blobs/{id}")), format!("read the blob {id}"))
            .of(repository)
            .needing("contents: read");
        let reply = self.exchange(&self.rest, &call).await?;
        let answer: BlobAnswer = match reply.status {
            200..300 => reply.json(&call)?,
            // Unknown, or an empty repository.
            404 | 409 => return Ok(None),
            _ => return Err(super::error::classify(&call, &reply, &self.host)),
        };
        let packed: String = answer.content.split_ascii_whitespace().collect();
        let bytes = BASE64_STANDARD.decode(packed).ok().filter(|_| answer.encoding == "base64");
        // SHA-1 is good enough to notice an answer that was cut or changed on its way.
        match bytes.filter(|bytes| BlobId::of(bytes).as_str().eq_ignore_ascii_case(id.as_str())) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(Failure::new(format!("could not {}: GitHub's answer is not that blob", call.what))
                .because(Cause::Other)
                .hinted("run the same command again")),
        }
    }
}
