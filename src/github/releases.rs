//! Releases and runs, provisionally.

use serde_json::{Value, json};

use super::{Github, s};
use crate::failure::Failure;
use crate::model::git::CommitId;
use crate::model::names::{GithubRepositoryName, ReleaseTag};

pub struct Run {
    pub id: u64,
    pub url: String,
    pub status: String,
    pub conclusion: Option<String>,
}

pub struct Job {
    pub name: String,
    pub status: String,
    pub conclusion: Option<String>,
    pub url: String,
    pub steps: Vec<JobStep>,
}

pub struct JobStep {
    pub name: String,
    pub status: String,
    pub conclusion: Option<String>,
}

fn run(v: &Value) -> Run {
    Run {
        id: v["id"].as_u64().unwrap_or(0),
        url: s(&v["html_url"]),
        status: s(&v["status"]),
        conclusion: v["conclusion"].as_str().map(str::to_owned),
    }
}

impl Github {
    pub async fn create_release(
        &self,
        name: &GithubRepositoryName,
        tag: &ReleaseTag,
        notes: &str,
        commit: &CommitId,
    ) -> Result<String, Failure> {
        let v = self.send("POST", &format!("/repos/{name}/releases"), Some(&json!({"tag_name": tag.as_str(), "name": tag.as_str(), "body": notes, "target_commitish": commit.as_str(), "draft": false}))).await?.2;
        Ok(s(&v["html_url"]))
    }

    pub async fn find_run(
        &self,
        name: &GithubRepositoryName,
        head: &CommitId,
        event: &str,
    ) -> Result<Option<Run>, Failure> {
        let v = self.get(&format!("/repos/{name}/actions/runs?event={event}&head_sha={head}")).await?;
        Ok(v["workflow_runs"].as_array().and_then(|a| a.first()).map(run))
    }

    pub async fn run(&self, name: &GithubRepositoryName, id: u64) -> Result<Run, Failure> {
        Ok(run(&self.get(&format!("/repos/{name}/actions/runs/{id}")).await?))
    }

    pub async fn jobs(&self, name: &GithubRepositoryName, id: u64) -> Result<Vec<Job>, Failure> {
        let v = self.get(&format!("/repos/{name}/actions/runs/{id}/jobs")).await?;
        let opt = |v: &Value| v.as_str().map(str::to_owned);
        Ok(v["jobs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|j| Job {
                name: s(&j["name"]),
                status: s(&j["status"]),
                conclusion: opt(&j["conclusion"]),
                url: s(&j["html_url"]),
                steps: j["steps"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|t| JobStep {
                        name: s(&t["name"]),
                        status: s(&t["status"]),
                        conclusion: opt(&t["conclusion"]),
                    })
                    .collect(),
            })
            .collect())
    }
}
