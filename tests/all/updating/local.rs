//! `sbi update --local`: into the working tree, with git as the way back.

use std::path::{Path, PathBuf};
use std::process::Command;

use sbi::model::lock::Lock;
use serde_json::Value;

use super::aged::{CHECK, DOCKERFILE, OLDER};
use crate::support::room::{Ran, Room, bare, ran};

/// A clone of a repository that an older version rendered.
pub(super) struct Clone {
    pub(super) room: Room,
    folder: PathBuf,
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@acme.example", "-c", "core.autocrlf=false"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Clone {
    fn new() -> Self {
        Self::of(Room::published().aged(OLDER))
    }

    pub(super) fn of(room: Room) -> Self {
        let folder = room.folder().join("clone");
        std::fs::create_dir(&folder).unwrap();
        git(&folder, &["init", "--quiet"]);
        let clone = Self { room, folder };
        for (path, text) in clone.room.texts() {
            clone.write(&path, &text);
        }
        clone.commit();
        clone
    }

    fn write(&self, path: &str, text: &str) {
        let full = self.folder.join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.join(path)).unwrap()
    }

    pub(super) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from:?}:\n{text}");
        self.write(path, &text.replacen(from, to, 1));
    }

    pub(super) fn commit(&self) {
        git(&self.folder, &["add", "--all"]);
        git(&self.folder, &["commit", "--quiet", "--message", "a commit"]);
    }

    /// With neither AWS nor GitHub.
    pub(super) fn sbi(&self, arguments: &[&str]) -> Ran {
        ran(bare(&self.folder, &[&["update", "--local", "--yes"], arguments].concat()))
    }

    pub(super) fn signed_in(&self, arguments: &[&str]) -> Ran {
        let mut command = self.room.command(&[&["update", "--local", "--yes"], arguments].concat());
        command.current_dir(&self.folder);
        ran(command)
    }

    pub(super) fn changed(&self) -> Vec<String> {
        let told = git(&self.folder, &["status", "--porcelain", "--untracked-files=all"]);
        told.lines().map(|line| line[3..].to_owned()).collect()
    }
}

#[test]
fn it_writes_what_a_pull_request_would_have_and_needs_no_network() {
    let clone = Clone::new();
    clone.edit(CHECK, "    runs-on: ubuntu-24.04\n", "    runs-on: [self-hosted, ours]\n");
    clone.commit();
    let check = clone.sbi(&["--check"]).exited(3);
    assert!(check.stdout.contains("0.0.9 → 0.1.0"), "{}", check.stdout);
    assert!(check.stderr.contains("`sbi update --local` writes it here"), "{}", check.stderr);
    assert_eq!(clone.changed(), Vec::<String>::new());
    let run = clone.sbi(&[]).exited(0);
    assert!(run.stderr.contains("written"), "{}", run.stderr);
    assert_eq!(clone.changed(), [CHECK, "README.md", DOCKERFILE, "sbi.lock"]);
    let merged = clone.read(CHECK);
    assert!(merged.contains("[self-hosted, ours]") && merged.contains("cancel-in-progress: true"), "{merged}");
    // A second run has nothing to write, committed or not.
    clone.sbi(&[]).exited(0);
    clone.sbi(&["--check"]).exited(0);
    clone.commit();
    clone.sbi(&["--check"]).exited(0);
}

#[test]
fn the_base_of_what_was_merged_is_kept_for_the_next_time() {
    let clone = Clone::new();
    clone.edit(CHECK, "    runs-on: ubuntu-24.04\n", "    runs-on: [self-hosted, ours]\n");
    clone.commit();
    clone.sbi(&[]).exited(0);
    clone.commit();
    let mut lock = Lock::parse(&clone.read("sbi.lock")).unwrap();
    assert_eq!(lock.texts.keys().collect::<Vec<_>>(), [CHECK]);
    // Were it rendered by an older version again, its base would be found.
    let older = lock.texts[CHECK].replacen("cancel-in-progress: true", "cancel-in-progress: false", 1);
    lock.files.insert(CHECK.into(), sbi::model::git::BlobId::of(older.as_bytes()));
    lock.texts.insert(CHECK.into(), older);
    clone.write("sbi.lock", &lock.to_text());
    clone.edit(CHECK, "cancel-in-progress: true", "cancel-in-progress: false");
    clone.commit();
    clone.sbi(&[]).exited(0);
    let merged = clone.read(CHECK);
    assert!(merged.contains("[self-hosted, ours]") && merged.contains("cancel-in-progress: true"), "{merged}");
}

#[test]
fn uncommitted_changes_are_not_written_over() {
    let clone = Clone::new();
    clone.edit(DOCKERFILE, "WORKDIR /src\n", "WORKDIR /srv\n");
    let run = clone.sbi(&[]).exited(2);
    assert!(run.stderr.contains(DOCKERFILE) && run.stderr.contains("git stash"), "{}", run.stderr);
    assert_eq!(clone.changed(), [DOCKERFILE]);
    // What is not written may be as it likes.
    git(&clone.folder, &["checkout", "--", "."]);
    clone.write("notes.txt", "mine\n");
    clone.sbi(&[]).exited(0);
}

#[test]
fn a_conflict_leaves_the_file_and_is_printed() {
    let clone = Clone::new();
    clone.edit(DOCKERFILE, "USER 65532\n", "USER 1234:1234\n");
    clone.commit();
    let run = clone.sbi(&["--format", "json"]).exited(0);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    let conflict = told["files"].as_array().unwrap().iter().find(|file| file["decision"] == "conflict").unwrap();
    assert_eq!(conflict["path"], DOCKERFILE);
    assert!(clone.read(DOCKERFILE).contains("USER 1234:1234\n") && !clone.read(DOCKERFILE).contains("<<<<"));
    clone.commit();
    let check = clone.sbi(&["--check"]).exited(3);
    assert!(check.stdout.contains("+USER 1234:1234"), "{}", check.stdout);
    clone.sbi(&["--keep", DOCKERFILE]).exited(0);
    clone.commit();
    clone.sbi(&["--check"]).exited(0);
}

#[test]
fn a_shallow_clone_asks_github_for_what_was_rendered() {
    let clone = Clone::new();
    // Only the last commit is here, and the base is in none of its files.
    clone.edit(CHECK, "    runs-on: ubuntu-24.04\n", "    runs-on: [self-hosted, ours]\n");
    std::fs::remove_dir_all(clone.folder.join(".git")).unwrap();
    git(&clone.folder, &["init", "--quiet"]);
    clone.commit();
    let alone = clone.sbi(&["--check"]).exited(3);
    assert!(alone.stdout.contains("the base of this file is gone"), "{}", alone.stdout);
    clone.signed_in(&[]).exited(0);
    assert!(clone.read(CHECK).contains("cancel-in-progress: true"));
}

#[test]
fn outside_of_git_and_through_links_nothing_is_written() {
    let clone = Clone::new();
    std::fs::remove_dir_all(clone.folder.join(".git")).unwrap();
    let run = clone.sbi(&[]).exited(2);
    assert!(run.stderr.contains("is in no git repository"), "{}", run.stderr);
    git(&clone.folder, &["init", "--quiet"]);
    std::fs::rename(clone.folder.join("images"), clone.room.folder().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(clone.room.folder().join("elsewhere"), clone.folder.join("images")).unwrap();
    clone.commit();
    let run = clone.sbi(&[]).exited(2);
    assert!(run.stderr.contains("is a link"), "{}", run.stderr);
    assert_eq!(clone.changed(), Vec::<String>::new());
}

#[test]
fn a_lock_that_names_paths_elsewhere_is_refused() {
    let clone = Clone::new();
    for path in ["../outside", "/etc/passwd", ".git/config", "a//b"] {
        let mut lock = Lock::parse(&clone.read("sbi.lock")).unwrap();
        lock.files.insert(path.into(), sbi::model::git::BlobId::of(b""));
        clone.write("sbi.lock", &lock.to_text());
        let run = clone.sbi(&["--check"]).exited(2);
        assert!(run.stderr.contains("is no path of a file in this repository"), "{}", run.stderr);
        git(&clone.folder, &["checkout", "--", "sbi.lock"]);
    }
}
