//! The story of each run that changes something, kept on this machine for people, and the lock that keeps two such runs
//! apart. Written as things happen, never read to decide anything: what is true lives in AWS and in GitHub.

mod lock;
mod record;
mod story;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

use crate::model::names::GithubRepositoryName;

pub use lock::{Holder, Lock, Locked};
pub use record::{Step, Words};
pub use story::{StepState, StepStory, Story, Tale};
pub use writer::Journal;

/// Runs that are kept of one repository.
const MOST_RUNS: usize = 100;
/// What the name of a run's file ends with.
const ENDING: &str = ".jsonl";

/// The folder with the runs of one GitHub repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// The folder for a repository on the GitHub at `host`, below the state directory; `None` where the environment,
    /// asked through `variable`, has none. Nothing is created yet.
    #[must_use]
    pub fn of(
        host: &str,
        repository: &GithubRepositoryName,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let state = state_directory(variable)?;
        // GitHub's names know no case, and hold nothing that a path could not.
        let name = repository.to_string().to_lowercase();
        Some(Self { folder: state.join("sbi").join(host.to_lowercase()).join(name) })
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The ids of the runs that are kept, newest first.
    ///
    /// # Errors
    /// When the folder can't be read; that there is none is no error.
    pub fn runs(&self) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut runs: Vec<String> = names.filter_map(|name| name.strip_suffix(ENDING).map(str::to_owned)).collect();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(runs)
    }

    fn file_of(&self, run: &str) -> PathBuf {
        self.folder.join(format!("{run}{ENDING}"))
    }

    /// Nobody but its owner looks in.
    fn create(&self) -> io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder)
    }
}

/// A file that only its owner reads.
fn private() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Where programs keep what outlives a run and is no configuration (XDG Base Directory Specification, and its likes on
/// other systems). A relative path is no answer: it would be another place in every folder.
fn state_directory(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let path = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    path("XDG_STATE_HOME").or_else(|| {
        if cfg!(windows) {
            path("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            path("HOME").map(|home| home.join("Library/Application Support"))
        } else {
            path("HOME").map(|home| home.join(".local/state"))
        }
    })
}

#[cfg(test)]
mod tests;
