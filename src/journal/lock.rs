//! One run at a time on one machine: an advisory lock that the kernel frees when its process ends, however it ends.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Place, private};

/// How often, and how far apart, a lock that is held is looked at before it counts as held.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Who holds the lock, as it wrote down itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    /// `sbi apply`
    pub command: String,
    pub since: Timestamp,
}

/// How asking for the lock ended.
#[derive(Debug)]
pub enum Locked {
    Ours(Lock),
    /// Another run has it; who, where that can be read.
    Theirs(Option<Holder>),
}

impl Lock {
    /// Takes the lock of a repository, unless another process has it.
    ///
    /// # Errors
    /// When the file can't be made, or the file system knows no locks.
    pub fn take(place: &Place, command: &str) -> io::Result<Locked> {
        place.create()?;
        let mut file =
            private().read(true).write(true).create(true).truncate(false).open(place.folder().join("lock"))?;
        let mut looks = 1;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // `sbi log` may be looking for the holder this very moment.
                Err(TryLockError::WouldBlock) if looks < LOOKS => std::thread::sleep(BETWEEN_LOOKS),
                Err(TryLockError::WouldBlock) => return Ok(Locked::Theirs(holder(&mut file))),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            looks += 1;
        }
        let holder = Holder { pid: std::process::id(), command: command.to_owned(), since: Timestamp::now() };
        let text = serde_json::to_vec(&holder).map_err(io::Error::other)?;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&text)?;
        Ok(Locked::Ours(Self { _file: file }))
    }

    /// Who holds the lock now; `None` when nobody does or it can't be told.
    #[must_use]
    pub fn holder(place: &Place) -> Option<Holder> {
        let mut file = File::open(place.folder().join("lock")).ok()?;
        // A shared lock disturbs nobody for longer than this look.
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => holder(&mut file),
            _ => None,
        }
    }
}

fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
