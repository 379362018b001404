//! The git working tree around `sbi.toml`: what its files are in git, what they were, and writing them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::failure::Failure;
use crate::model::git::BlobId;
use crate::plan::update::Texts;

/// Longest wait for one answer of `git`.
const GIT_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct WorkingTree {
    folder: PathBuf,
}

/// Files as they are on disk.
#[derive(Debug, Default)]
pub(super) struct OnDisk {
    /// Path → blob id.
    pub(super) files: BTreeMap<String, BlobId>,
    pub(super) texts: Texts,
}

impl WorkingTree {
    /// The folder of `sbi.toml`, which has to lie in a git repository: that is the way back.
    ///
    /// # Errors
    /// When it does not, or there is no git.
    pub(super) async fn around(config: &Path) -> Result<Self, Failure> {
        let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let tree = Self { folder: folder.to_owned() };
        let inside = tree.git(&["rev-parse", "--is-inside-work-tree"]).await?;
        if inside.as_deref().map(<[u8]>::trim_ascii) == Some(b"true") {
            return Ok(tree);
        }
        Err(Failure::usage(format!(
            "{} is in no git repository, so nothing there could be taken back",
            folder.display()
        ))
        .hinted("run it in a checkout of the GitHub repository, or without `--local`"))
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Reads these paths, as far as they are files.
    ///
    /// # Errors
    /// When one can't be read, or leads out of the folder by a link.
    pub(super) fn read<'p>(&self, paths: impl IntoIterator<Item = &'p str>) -> Result<OnDisk, Failure> {
        let mut found = OnDisk::default();
        for path in paths {
            self.refuse_links(path)?;
            let full = self.path(path);
            let Ok(metadata) = full.symlink_metadata() else { continue };
            if metadata.is_dir() {
                continue;
            }
            let bytes = match metadata.is_symlink() {
                // As git has it: a link's content is where it leads.
                true => std::fs::read_link(&full).map(|target| target.into_os_string().into_encoded_bytes()),
                false => std::fs::read(&full),
            };
            let bytes = bytes
                .map_err(|error| Failure::usage(format!("`{}` can't be read", full.display())).caused_by(error))?;
            let id = BlobId::of(&bytes);
            found.files.insert(path.to_owned(), id.clone());
            found.texts.insert(id, Some(bytes));
        }
        Ok(found)
    }

    /// `sbi.lock` may name any path, and a folder on the way may be a link: nothing outside is read or written.
    fn refuse_links(&self, path: &str) -> Result<(), Failure> {
        let plain = !path.is_empty()
            && !path.contains('\\')
            && path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part != ".git");
        if !plain {
            return Err(Failure::usage(format!("`{path}` is no path of a file in this repository")));
        }
        let mut folder = self.folder.clone();
        let parts: Vec<&str> = path.split('/').collect();
        for part in &parts[..parts.len() - 1] {
            folder.push(part);
            if folder.is_symlink() {
                return Err(Failure::usage(format!("`{}` is a link, and `{path}` is behind it", folder.display()))
                    .hinted("nothing was changed; put the folder itself in its place"));
            }
        }
        Ok(())
    }

    /// The blobs as this repository has them; `None` where it has none of that id.
    ///
    /// # Errors
    /// When there is no git, or it does not answer.
    pub(super) async fn blobs(&self, ids: &BTreeSet<BlobId>) -> Result<Texts, Failure> {
        let mut texts = Texts::new();
        for id in ids {
            // Ids come from `sbi.lock`, which anybody may have edited: nothing else becomes an argument.
            let is_id = id.as_str().len() == 40 && id.as_str().bytes().all(|byte| byte.is_ascii_hexdigit());
            let bytes = if is_id { self.git(&["cat-file", "blob", id.as_str()]).await? } else { None };
            texts.insert(id.clone(), bytes);
        }
        Ok(texts)
    }

    /// Which of these paths have changes that no commit holds.
    ///
    /// # Errors
    /// When git can't tell.
    pub(super) async fn uncommitted(&self, paths: &[&str]) -> Result<Vec<String>, Failure> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let flags =
            ["--literal-pathspecs", "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--"];
        let told = self.git(&[&flags, paths].concat()).await?.ok_or_else(|| {
            Failure::new("git can't tell which files have uncommitted changes").hinted("`git status` shows why")
        })?;
        let told = String::from_utf8_lossy(&told).into_owned();
        Ok(told.split('\0').filter_map(|entry| entry.get(3..)).map(str::to_owned).collect())
    }

    /// Writes and deletes, `last` after everything else: it says that the rest is done.
    ///
    /// # Errors
    /// Names the file that can't be written.
    pub(super) fn write(
        &self,
        changes: &BTreeMap<String, String>,
        deletions: &BTreeSet<String>,
        last: (&str, &str),
    ) -> Result<(), Failure> {
        let changes = changes.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        for path in deletions {
            let full = self.path(path);
            match std::fs::remove_file(&full) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unwritten(&full, error)),
                _ => {}
            }
        }
        for (path, text) in changes.chain([last]) {
            let full = self.path(path);
            let folder = full.parent().unwrap_or(&self.folder);
            // Written in place: who may read and run it stays.
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&full, text))
                .map_err(|error| unwritten(&full, error))?;
        }
        Ok(())
    }

    /// What `git` writes; `None` when it ends with an error.
    async fn git(&self, arguments: &[&str]) -> Result<Option<Vec<u8>>, Failure> {
        let run = Command::new("git")
            .current_dir(&self.folder)
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(GIT_TIMEOUT, run).await.map_err(|_| Failure::new("git does not answer"))?;
        let output = output.map_err(|error| {
            Failure::usage("git can't be run").hinted("install git, or run it without `--local`").caused_by(error)
        })?;
        Ok(output.status.success().then_some(output.stdout))
    }
}

fn unwritten(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(format!("`{}` can't be written", path.display()))
        .hinted("`git status` shows what was written before; `git checkout -- .` takes it back")
        .caused_by(error)
}
