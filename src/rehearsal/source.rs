//! What is checked out: a commit, with or without what the working tree has changed since.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::artifacts::copy_folder;
use crate::failure::Failure;

/// The repository that is rehearsed, at rest in a folder of the rehearsal's own.
pub struct Source {
    /// A repository with exactly one commit checked out.
    folder: PathBuf,
    /// What is checked out, 40 hex digits.
    pub commit: String,
    /// The branch, or `HEAD` when none is checked out.
    pub branch: String,
    /// `OWNER/NAME` of `origin`, where it looks like one.
    pub repository: Option<String>,
    /// The working tree differs from the commit, and the differences are included.
    pub has_changes: bool,
}

impl Source {
    /// Takes the commit that is checked out in `repository`; `with_changes` adds what the working tree has changed, new
    /// files included, ignored ones left out.
    ///
    /// # Errors
    /// When git is missing or `repository` is no repository with a commit.
    pub fn of_repository(repository: &Path, with_changes: bool, folder: &Path) -> Result<Self, Failure> {
        let say = |arguments: &[&str]| git(repository, arguments);
        let top = PathBuf::from(say(&["rev-parse", "--show-toplevel"])?);
        let commit = say(&["rev-parse", "--verify", "HEAD^{commit}"]).map_err(|failure| {
            failure.hinted("commit first, or rehearse what sbi.toml says: `sbi rehearse --render`")
        })?;
        std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
        git(folder, &["init", "--quiet"])?;
        // As actions/checkout does it: this one commit, and no branch.
        git(folder, &["fetch", "--quiet", "--no-tags", "--depth=1", &top.to_string_lossy(), &commit])?;
        git(folder, &["checkout", "--quiet", "--detach", "FETCH_HEAD"])?;
        let has_changes = with_changes && !say(&["status", "--porcelain", "--no-renames"])?.is_empty();
        if has_changes {
            overlay(&top, folder)?;
        }
        let branch = say(&["rev-parse", "--abbrev-ref", "HEAD"])?;
        let repository = say(&["remote", "get-url", "origin"]).ok().as_deref().and_then(repository_of);
        Ok(Self { folder: folder.to_owned(), commit, branch, repository, has_changes })
    }

    /// Takes the files of a folder that is no repository, as one commit of now.
    ///
    /// # Errors
    /// When git is missing.
    pub fn of_folder(files: &Path, folder: &Path) -> Result<Self, Failure> {
        copy_folder(files, folder).map_err(|error| unwritable(folder, error))?;
        git(folder, &["init", "--quiet", "--initial-branch=main"])?;
        git(folder, &["add", "--all", "--force"])?;
        let who =
            ["-c", "user.name=sbi rehearse", "-c", "user.email=rehearsal@localhost", "-c", "commit.gpgsign=false"];
        git(folder, &[&who[..], &["commit", "--quiet", "--no-verify", "--message=What is rehearsed"]].concat())?;
        let commit = git(folder, &["rev-parse", "HEAD"])?;
        Ok(Self { folder: folder.to_owned(), commit, branch: "main".into(), repository: None, has_changes: false })
    }

    /// A file of it, `None` when it isn't there.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.join(path)).ok()
    }

    #[must_use]
    pub fn has_folder(&self, path: &str) -> bool {
        self.folder.join(path).is_dir()
    }

    /// Puts a copy of it, with git's own folder, into a job's work folder.
    ///
    /// # Errors
    /// When a file can't be copied.
    pub fn check_out(&self, to: &Path) -> std::io::Result<()> {
        copy_tree(&self.folder, to)
    }
}

/// `git` as the person has it set up, in `folder` and in no other repository.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new("git");
    // A hook or an alias that started this program may point elsewhere.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_NAMESPACE"] {
        command.env_remove(name);
    }
    let ran = command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null()).output();
    let output = ran.map_err(|error| {
        Failure::usage("`git` can't be started")
            .hinted("install git, which the pipeline calls as well")
            .caused_by(error)
    })?;
    if !output.status.success() {
        let verb = arguments.iter().find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or(&"");
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = said.lines().last().unwrap_or("it gave no reason").trim().to_owned();
        return Err(Failure::usage(format!("`git {verb}` failed in {}", folder.display())).caused_by(reason));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn unwritable(folder: &Path, error: std::io::Error) -> Failure {
    Failure::new(format!("{} can't be written", folder.display())).caused_by(error)
}

/// Makes `folder` hold what git would take from the working tree at `top`.
fn overlay(top: &Path, folder: &Path) -> Result<(), Failure> {
    let listed = |place: &Path, arguments: &[&str]| -> Result<Vec<String>, Failure> {
        Ok(git(place, arguments)?.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
    };
    for path in listed(folder, &["ls-files", "-z"])? {
        if top.join(&path).symlink_metadata().is_err() {
            let _ = std::fs::remove_file(folder.join(&path));
        }
    }
    for path in listed(top, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])? {
        let (from, to) = (top.join(&path), folder.join(&path));
        // Deleted files are in the index still, and a submodule is a folder.
        if from.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
            copy_entry(&from, &to).map_err(|error| unwritable(&to, error))?;
        }
    }
    Ok(())
}

/// With permissions, and links as links.
fn copy_entry(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if to.symlink_metadata().is_ok() {
        std::fs::remove_file(to)?;
    }
    if from.symlink_metadata()?.is_symlink() {
        return std::os::unix::fs::symlink(std::fs::read_link(from)?, to);
    }
    std::fs::copy(from, to).map(|_| ())
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?
        } else {
            copy_entry(&entry.path(), &target)?
        }
    }
    Ok(())
}

/// `OWNER/NAME` at the end of a remote's address.
fn repository_of(remote: &str) -> Option<String> {
    let path = remote.trim_end_matches('/').trim_end_matches(".git").replace(':', "/");
    let mut parts = path.rsplit('/');
    let (name, owner) = (parts.next()?, parts.next()?);
    (!name.is_empty() && !owner.is_empty()).then(|| format!("{owner}/{name}"))
}
