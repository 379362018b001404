//! Files that reach the default branch together, and how.

use std::collections::{BTreeMap, BTreeSet};

use super::names::GithubRepositoryName;

/// One commit on top of a parent that whoever makes it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub repository: GithubRepositoryName,
    /// The default branch; `None` where it is only known once the repository was created.
    pub branch: Option<String>,
    /// Replace the whole tree: nothing but the host's own first commit is there.
    pub whole_tree: bool,
    /// Path → text; no entry for what stays as it is.
    pub files: BTreeMap<String, String>,
    /// The paths among `files` that do not exist yet.
    pub new_paths: BTreeSet<String>,
    /// The paths that go. Each is there: GitHub refuses to delete what is not.
    pub deletions: BTreeSet<String>,
    pub message: String,
    pub delivery: Delivery,
}

impl Commit {
    /// Workflow files take a right of their own, whether they come, change or go.
    #[must_use]
    pub fn touches_workflows(&self) -> bool {
        self.files.keys().chain(&self.deletions).any(|path| path.starts_with(".github/workflows/"))
    }
}

/// How a commit reaches the default branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// By moving the branch.
    Push,
    /// By moving the branch with a commit that GitHub signs (`createCommitOnBranch`): the rules want signatures.
    SignedPush,
    /// By a pull request from `branch`; `number` when it is open already and only its branch moves.
    PullRequest { branch: String, title: String, body: String, number: Option<u64> },
}
