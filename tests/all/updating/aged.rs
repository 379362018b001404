//! A publisher's repository as an older version of the templates rendered it, on the stand-ins.

use std::collections::BTreeMap;

use sbi::model::git::BlobId;
use sbi::model::lock::{LOCK_FILE, Lock};
use sbi::sandbox::github::PullRequestSnapshot;

use crate::support::room::{REPOSITORY, Room};

pub(crate) const CHECK: &str = ".github/workflows/check-images.yml";
pub(crate) const RESCAN: &str = ".github/workflows/rescan.yml";
pub(crate) const DOCKERFILE: &str = "images/static-go/Dockerfile";
pub(crate) const README: &str = "README.md";

/// What this version renders → what the older one did in its place.
pub(crate) type Older = (&'static str, &'static str, &'static str);

/// An older setting, an older line of a Dockerfile, and one more empty line.
pub(crate) const OLDER: &[Older] = &[
    (CHECK, "cancel-in-progress: true\n", "cancel-in-progress: false\n"),
    (DOCKERFILE, "USER 65532:65532\n", "USER 65532\n"),
    (README, "\n## ", "\n\n## "),
];

impl Room {
    /// A repository of this version, published.
    pub(crate) fn published() -> Self {
        let room = Self::new();
        room.init(&["--no-watch"]).exited(0);
        room
    }

    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        let found = self.github.repository(REPOSITORY).unwrap();
        found.files.into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect()
    }

    pub(crate) fn text(&self, path: &str) -> String {
        self.texts().remove(path).unwrap_or_else(|| panic!("there is no {path}"))
    }

    pub(crate) fn lock(&self) -> Lock {
        Lock::parse(&self.text(LOCK_FILE)).unwrap()
    }

    /// Rewrites the history as if an older version had rendered these files.
    pub(crate) fn aged(self, older: &[Older]) -> Self {
        let mut texts = self.texts();
        let mut lock = self.lock();
        lock.templates = "0.0.9".into();
        let mut written: BTreeMap<&str, String> = BTreeMap::new();
        for (path, present, former) in older {
            let text = texts.get_mut(*path).unwrap_or_else(|| panic!("there is no {path}"));
            assert!(text.contains(present), "{path} has no {present:?}:\n{text}");
            *text = text.replacen(present, former, 1);
            lock.files.insert((*path).into(), BlobId::of(text.as_bytes()));
            written.insert(path, text.clone());
        }
        written.insert(LOCK_FILE, lock.to_text());
        self.commit("main", &written, "Rendered by an older version");
        self
    }

    fn commit(&self, branch: &str, files: &BTreeMap<&str, String>, message: &str) {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        self.github.commit_files(REPOSITORY, branch, &files, message);
    }

    /// A person edits a file of the default branch.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.text(path);
        assert!(text.contains(from), "{path} has no {from:?}:\n{text}");
        self.commit("main", &[(path, text.replacen(from, to, 1))].into(), "an edit");
    }

    /// A person adds something at the end of a file of the default branch.
    pub(crate) fn append(&self, path: &str, text: &str) {
        let before = self.text(path);
        self.write("main", path, &format!("{before}{text}"));
    }

    pub(crate) fn write(&self, branch: &str, path: &str, text: &str) {
        self.commit(branch, &[(path, text.to_owned())].into(), "an edit");
    }

    pub(crate) fn update_requests(&self) -> Vec<PullRequestSnapshot> {
        let found = self.github.repository(REPOSITORY).unwrap();
        found.pull_requests.into_iter().filter(|pull| pull.head == "sbi/update").collect()
    }

    /// The one pull request that is open.
    #[track_caller]
    pub(crate) fn open_request(&self) -> PullRequestSnapshot {
        let mut open: Vec<_> = self.update_requests().into_iter().filter(|pull| pull.open).collect();
        assert_eq!(open.len(), 1, "{open:?}");
        open.remove(0)
    }

    /// Merges it.
    #[track_caller]
    pub(crate) fn merge_update(&self) {
        let open = self.open_request();
        self.github.merge_pull_request(REPOSITORY, open.number).expect("it can be merged");
    }

    /// Nothing more is to be done, and nothing is.
    #[track_caller]
    pub(crate) fn assert_settled(&self) {
        let before = self.writes();
        self.sbi(&["update", "--check"]).exited(0);
        self.sbi(&["update", "--yes"]).exited(0);
        assert_eq!(self.writes(), before, "a second run wrote");
    }
}

/// What an update does; nobody is asked.
pub(crate) const UPDATE: &[&str] = &["update", "--yes"];
