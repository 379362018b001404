//! Files that reach the default branch together, and how.

use std::collections::{BTreeMap, BTreeSet};

use super::git::CommitId;
use super::names::GithubRepositoryName;

/// The branch of the pull request that brings newer templates.
pub const UPDATE_BRANCH: &str = "sbi/update";

/// The trailer of every commit that sbi makes. Where the tree is known beforehand it names it too, so that a commit which
/// somebody amended is not taken for ours.
const MADE_BY: &str = "Made-by: sbi ";

/// One commit on top of a parent that whoever makes it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub repository: GithubRepositoryName,
    /// The default branch; `None` where it is only known once the repository was created.
    pub branch: Option<String>,
    /// Replace the whole tree: nothing but the host's own first commit is there.
    pub whole_tree: bool,
    /// Path → text of a commit of its own below this one: what was rendered, before it was merged with what is there, so
    /// that the repository's history holds the base of the next merge. Empty where nothing is merged.
    pub rendered: BTreeMap<String, String>,
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
        let paths = self.files.keys().chain(self.rendered.keys()).chain(&self.deletions);
        paths.into_iter().any(|path| path.starts_with(".github/workflows/"))
    }
}

/// How a commit reaches the default branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// By moving the branch.
    Push,
    /// By moving the branch with a commit that GitHub signs (`createCommitOnBranch`): the rules want signatures.
    SignedPush,
    /// By a pull request from `branch`; where one is `open` already its branch moves, and of the rest what differs changes.
    PullRequest { branch: String, title: String, body: String, draft: bool, open: Option<Box<OpenPullRequest>> },
}

/// An open pull request of ours as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPullRequest {
    pub number: u64,
    /// Its name in GraphQL, which knows no numbers.
    pub node_id: String,
    pub url: String,
    pub title: String,
    pub body: String,
    pub draft: bool,
    /// The tip of its branch: nothing is moved that has moved since.
    pub head: CommitId,
}

/// A commit's message with the trailer that marks it as ours.
#[must_use]
pub fn marked(message: &str, version: &str, tree: Option<&str>) -> String {
    let tree = tree.map(|tree| format!(", tree {tree}")).unwrap_or_default();
    format!("{}\n\n{MADE_BY}{version}{tree}", message.trim_end())
}

/// Whether sbi made the commit of this message and tree, and nobody has amended it. Earlier versions left no trailer.
#[must_use]
pub fn is_ours(message: &str, tree: &str) -> bool {
    let last = message.trim_end().lines().last().unwrap_or_default();
    match last.strip_prefix(MADE_BY) {
        Some(rest) => rest.split_once(", tree ").is_none_or(|(_, made)| made.trim() == tree),
        None => last.starts_with("Rendered by sbi ") || last.starts_with("Taken back by `sbi destroy`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_of_ours_is_known_by_its_trailer_and_tree() {
        let message = marked("Set up\n\nRendered by sbi 0.2.0.\n", "0.2.0", Some("abc"));
        assert_eq!(message, "Set up\n\nRendered by sbi 0.2.0.\n\nMade-by: sbi 0.2.0, tree abc");
        assert!(is_ours(&message, "abc") && is_ours(&format!("{message}\n"), "abc"));
        assert!(!is_ours(&message, "abd"), "somebody amended it");
        assert!(is_ours(&marked("Add sbi.toml", "0.2.0", None), "abc"));
        assert!(is_ours("Set up the publishing pipeline\n\nRendered by sbi 0.1.0.", "abc"));
        for theirs in ["", "Merge branch 'main' into sbi/update", "Made-by: somebody", "Made-by: sbi 1\n\nand me"] {
            assert!(!is_ours(theirs, "abc"), "{theirs}");
        }
    }
}
