//! Whose an AWS resource is, by two tags: the GitHub repository's name for people, and its number, which survives
//! renames and transfers, for deciding.

use std::collections::{BTreeMap, BTreeSet};

use super::iam::PolicyDocument;
use super::identity::OIDC_ISSUER;
use super::names::GithubRepositoryName;
use super::observed::GithubRepository;

/// Tag with the GitHub repository as it was called when the tag was written: `acme/base`.
pub const OWNER_TAG: &str = "sbi:github-repository";
/// Tag with the GitHub repository's number. Resources of versions before this tag lack it.
pub const OWNER_ID_TAG: &str = "sbi:github-repository-id";

/// Tag beside them on what was there before sbi: it is never deleted. People may set it to keep a resource.
pub const ADOPTED_TAG: &str = "sbi:adopted";

/// The tags that mark an AWS resource as this repository's.
#[must_use]
pub fn ownership_tags(repository: &GithubRepositoryName, repository_id: u64) -> BTreeMap<String, String> {
    let tags = [(OWNER_TAG, repository.to_string()), (OWNER_ID_TAG, repository_id.to_string())];
    tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Whose a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The GitHub repository's that this run is about.
    Ours,
    /// Nobody's that sbi knows.
    Unmarked,
    /// Another GitHub repository's, by its name where the tag tells it and by its number where one is known.
    Other { name: Option<String>, id: Option<String> },
}

/// The GitHub repository that this run is about, as far as it tells what is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// As it is wanted.
    pub repository: GithubRepositoryName,
    /// As GitHub shows it; `None` when there is no such repository, or none that is shown.
    pub id: Option<u64>,
    /// Other names that GitHub itself leads to it from.
    pub former_names: BTreeSet<GithubRepositoryName>,
}

impl Claimant {
    #[must_use]
    pub fn new(wanted: &GithubRepositoryName, found: Option<&GithubRepository>) -> Self {
        Self {
            repository: wanted.clone(),
            id: found.map(|found| found.identity.repository_id),
            former_names: found.map(|found| found.former_names.clone()).unwrap_or_default(),
        }
    }

    /// Decides by the number where the tags hold one: a name may belong to another repository by now. Without a
    /// number, a role's trust tells it; without either, the name, or a former one that GitHub itself vouches for, has
    /// to do. A resource with a number never belongs to a repository that does not exist.
    #[must_use]
    pub fn owner_of(&self, tags: &BTreeMap<String, String>, trust: Option<&PolicyDocument>) -> Owner {
        let ours = self.id.map(|id| id.to_string());
        let name = tags.get(OWNER_TAG);
        let other = |id: Option<&str>| Owner::Other { name: name.cloned(), id: id.map(str::to_owned) };
        if let Some(id) = tags.get(OWNER_ID_TAG) {
            return if ours.as_ref() == Some(id) { Owner::Ours } else { other(Some(id)) };
        }
        let Some(name) = name else { return Owner::Unmarked };
        let trusted = trust.map(trusted_repositories).unwrap_or_default();
        if let (Some(ours), Some(first)) = (&ours, trusted.first()) {
            return if trusted.contains(ours.as_str()) { Owner::Ours } else { other(Some(first)) };
        }
        match std::iter::once(&self.repository).chain(&self.former_names).any(|known| known.is(name)) {
            true => Owner::Ours,
            false => other(None),
        }
    }

    /// Whether a resource is this repository's, made or adopted.
    #[must_use]
    pub fn owns(&self, tags: &BTreeMap<String, String>, trust: Option<&PolicyDocument>) -> bool {
        self.owner_of(tags, trust) == Owner::Ours
    }
}

/// The numbers of the repositories that a trust policy names.
fn trusted_repositories(trust: &PolicyDocument) -> BTreeSet<&str> {
    let key = format!("{OIDC_ISSUER}:repository_id");
    let conditions = trust.statements.iter().flat_map(|statement| statement.condition.values());
    let named = conditions.flat_map(|keys| keys.iter()).filter(|(name, _)| name.eq_ignore_ascii_case(&key));
    named.flat_map(|(_, values)| values.iter()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trust_policy_names_its_repositories_by_number() {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"x"},
            "Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{
            "token.actions.githubusercontent.com:repository_id":"9",
            "token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}}]}"#;
        let trust = PolicyDocument::parse(text).unwrap();
        assert_eq!(trusted_repositories(&trust), BTreeSet::from(["9"]));
        assert!(trusted_repositories(&PolicyDocument::new(Vec::new())).is_empty());
    }
}
