//! What hangs on the environments that sbi made, and its branches.

use std::collections::BTreeSet;

use futures_util::try_join;
use serde::Deserialize;

use super::answers::RefAnswer;
use super::repository::OUR_BRANCHES;
use super::{Call, Github, repo_path};
use crate::failure::Failure;
use crate::model::holdings::EnvironmentHoldings;
use crate::model::names::{EnvironmentName, GithubRepositoryName};

#[derive(Deserialize)]
struct RulesAnswer {
    #[serde(default)]
    protection_rules: Vec<RuleAnswer>,
}

#[derive(Deserialize)]
struct RuleAnswer {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct SecretNames {
    secrets: Vec<Named>,
}

#[derive(Deserialize)]
struct VariableNames {
    variables: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

fn names(all: Vec<Named>) -> BTreeSet<String> {
    all.into_iter().map(|one| one.name).collect()
}

impl Github {
    /// What the environment holds; nothing when there is none.
    ///
    /// # Errors
    /// When GitHub refuses: what can't be seen must not be deleted.
    pub async fn environment_holdings(
        &self,
        repository: &GithubRepositoryName,
        name: &EnvironmentName,
    ) -> Result<EnvironmentHoldings, Failure> {
        let path = repo_path(repository, &format!("/environments/{name}"));
        let call = |rest: &str, what: &str| {
            Call::get(format!("{path}{rest}"), format!("{what} of the environment {name}"))
                .of(repository)
                .needing("environments: read")
        };
        let environment = call("", "read the protection").needing("actions: read");
        let Some(found) = self.ask_maybe::<RulesAnswer>(&environment).await? else {
            return Ok(EnvironmentHoldings::default());
        };
        let (secrets, variables) = try_join!(
            self.ask_pages(call("/secrets", "list the secrets"), |page: SecretNames| page.secrets),
            self.ask_pages(call("/variables", "list the variables"), |page: VariableNames| page.variables),
        )?;
        // `branch_policy` is the list of refs, which is observed with its patterns.
        let rules = found.protection_rules.into_iter().map(|rule| rule.kind).filter(|kind| kind != "branch_policy");
        Ok(EnvironmentHoldings { secrets: names(secrets), variables: names(variables), rules: rules.collect() })
    }

    /// The branches whose name starts as those of sbi do.
    ///
    /// # Errors
    /// When GitHub refuses.
    pub async fn our_branches(&self, repository: &GithubRepositoryName) -> Result<BTreeSet<String>, Failure> {
        let path = repo_path(repository, &format!("/git/matching-refs/heads/{OUR_BRANCHES}"));
        let call = Call::get(path, "list the branches").of(repository).needing("contents: read");
        let reply = self.exchange(&self.rest, &call).await?;
        let refs: Vec<RefAnswer> = match reply.status {
            200..300 => reply.json(&call)?,
            // An empty repository.
            404 | 409 => Vec::new(),
            _ => return Err(super::error::classify(&call, &reply, &self.host)),
        };
        Ok(refs.iter().filter_map(|found| found.name.strip_prefix("refs/heads/")).map(str::to_owned).collect())
    }
}
