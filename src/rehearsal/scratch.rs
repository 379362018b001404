//! A folder that nobody else can look into, and that goes with its owner.

use std::fs::DirBuilder;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A name that is taken is no accident after so many.
const ATTEMPTS: usize = 16;

/// Below the folder for temporary files (`TMPDIR`), for its owner alone; removed with all that is in it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// # Errors
    /// When the folder for temporary files can't be written. A name that somebody has taken, be it by a link, is never
    /// used: `mkdir` fails on it.
    pub fn new(prefix: &str) -> Result<Self> {
        for _ in 0..ATTEMPTS {
            // Keys of a new hasher are random; a guessed name could keep the folder from being made, and no more.
            let name = format!("{prefix}{:016x}", RandomState::new().hash_one(std::process::id()));
            let path = std::env::temp_dir().join(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                created => return created.map(|()| Self(path)),
            }
        }
        Err(Error::from(ErrorKind::AlreadyExists))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed is left to whoever cleans the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_is_its_owners_alone_and_goes_with_all_that_is_in_it() {
        let (one, other) = (Scratch::new("sbi-test-").unwrap(), Scratch::new("sbi-test-").unwrap());
        assert_ne!(one.path(), other.path());
        assert_eq!(one.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::create_dir(one.path().join("below")).unwrap();
        std::fs::write(one.path().join("below/file"), "").unwrap();
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && other.path().exists());
    }
}
