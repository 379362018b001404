//! What people do to a repository with a clone or in the browser, past all rules.

use super::GithubStandIn;
use crate::sandbox::http::lock;

impl GithubStandIn {
    /// Deletes files of a branch past all rules, as a person with a clone would have done.
    pub fn delete_files(&self, full_name: &str, branch: &str, paths: &[&str], message: &str) {
        let Ok(person) = lock(&self.shared.world).person() else { return };
        self.arrange(full_name, |repository| {
            let parent = repository.branch(branch).cloned();
            let mut files = repository.files_at(parent.as_ref());
            files.retain(|path, _| !paths.contains(&path.as_str()));
            let commit = repository.write_commit(parent.as_ref(), &files, &person, message, false);
            repository.refs.insert(format!("refs/heads/{branch}"), commit);
        });
    }

    /// A person replaces the default branch by one commit without parents that holds the same files.
    pub fn rewrite_history(&self, full_name: &str) {
        let Ok(person) = lock(&self.shared.world).person() else { return };
        self.arrange(full_name, |repository| {
            let files = repository.files_at(repository.head());
            let commit = repository.write_commit(None, &files, &person, "start over", false);
            repository.refs.insert(format!("refs/heads/{}", repository.default_branch), commit);
        });
    }

    /// The blob of this id is collected: nothing that is kept holds it any more.
    pub fn collect_blob(&self, full_name: &str, id: &str) {
        self.arrange(full_name, |repository| repository.objects.forget(id));
    }

    /// Merges a pull request into one new commit, as a person does in the browser, and deletes its branch.
    pub fn squash_pull_request(&self, full_name: &str, number: u64) {
        let now = lock(&self.shared.world).now();
        let Ok(person) = lock(&self.shared.world).person() else { return };
        self.arrange(full_name, |repository| {
            let Some(at) = repository.pulls.iter().position(|pull| pull.number == number && pull.open) else { return };
            let (head, base) = (repository.pulls[at].head.clone(), repository.pulls[at].base.clone());
            let Some(tip) = repository.branch(&head).cloned() else { return };
            let files = repository.files_at(Some(&tip));
            let parent = repository.branch(&base).cloned();
            let message = format!("{} (#{number})", repository.pulls[at].title);
            let commit = repository.write_commit(parent.as_ref(), &files, &person, &message, true);
            repository.refs.insert(format!("refs/heads/{base}"), commit.clone());
            repository.refs.remove(&format!("refs/heads/{head}"));
            let pull = &mut repository.pulls[at];
            (pull.open, pull.merged, pull.closed) = (false, Some((commit, now)), Some((tip, now)));
        });
    }
}
