//! A repository's git objects. Their names are the SHA-1 of git's own encodings, so that a real git agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

/// The tree without entries, which git knows without being told.
pub(super) const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// What a tree's entry is, as git writes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    File,
    Executable,
    Link,
    Folder,
    Submodule,
}

impl Mode {
    /// From the six digits of GitHub's API.
    pub(super) fn parse(digits: &str) -> Option<Self> {
        Some(match digits {
            "100644" => Self::File,
            "100755" => Self::Executable,
            "120000" => Self::Link,
            "040000" => Self::Folder,
            "160000" => Self::Submodule,
            _ => return None,
        })
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
            Self::Folder => "040000",
            Self::Submodule => "160000",
        }
    }

    /// The type that the API shows beside the mode.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::File | Self::Executable | Self::Link => "blob",
            Self::Folder => "tree",
            Self::Submodule => "commit",
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mode: Mode,
    pub(super) id: String,
}

#[derive(Clone)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) email: String,
    /// Seconds since 1970; the time zone is always UTC.
    pub(super) seconds: i64,
}

#[derive(Clone)]
pub(super) struct Commit {
    pub(super) tree: String,
    pub(super) parents: Vec<String>,
    pub(super) author: Person,
    pub(super) committer: Person,
    pub(super) message: String,
    /// The armoured signature, `None` when unsigned.
    pub(super) signature: Option<String>,
    /// GitHub made the signature itself, so it is verified.
    pub(super) verified: bool,
}

/// A note about another object that a ref below `refs/tags/` points to.
#[derive(Clone)]
pub(super) struct Tag {
    /// The commit, or another tag.
    pub(super) object: String,
    pub(super) name: String,
    pub(super) tagger: Person,
    pub(super) message: String,
}

enum Object {
    Blob(Vec<u8>),
    Tree(BTreeMap<String, Entry>),
    Commit(Box<Commit>),
    Tag(Box<Tag>),
}

/// Path → what is there; folders are implied.
pub(super) type Files = BTreeMap<String, Entry>;

/// Every object of one repository. Nothing is collected by itself, as on GitHub within the life of a test.
pub(super) struct Objects(BTreeMap<String, Object>);

impl Objects {
    pub(super) fn new() -> Self {
        Self(BTreeMap::from([(EMPTY_TREE.to_owned(), Object::Tree(BTreeMap::new()))]))
    }

    pub(super) fn put_blob(&mut self, bytes: Vec<u8>) -> String {
        let id = name("blob", &bytes);
        self.0.insert(id.clone(), Object::Blob(bytes));
        id
    }

    pub(super) fn put_commit(&mut self, commit: Commit) -> String {
        let id = name("commit", encode_commit(&commit).as_bytes());
        self.0.insert(id.clone(), Object::Commit(Box::new(commit)));
        id
    }

    pub(super) fn put_tag(&mut self, tag: Tag) -> String {
        let kind = if self.tag(&tag.object).is_some() { "tag" } else { "commit" };
        let id = name("tag", encode_tag(&tag, kind).as_bytes());
        self.0.insert(id.clone(), Object::Tag(Box::new(tag)));
        id
    }

    pub(super) fn tag(&self, id: &str) -> Option<&Tag> {
        match self.0.get(id)? {
            Object::Tag(tag) => Some(tag),
            Object::Blob(_) | Object::Tree(_) | Object::Commit(_) => None,
        }
    }

    /// The commit that an object is, or is about in the end.
    pub(super) fn peel<'o>(&'o self, id: &'o String) -> &'o String {
        self.tag(id).map_or(id, |tag| self.peel(&tag.object))
    }

    /// As after a collection of what nothing reaches.
    pub(super) fn forget(&mut self, id: &str) {
        self.0.remove(id);
    }

    pub(super) fn blob(&self, id: &str) -> Option<&[u8]> {
        match self.0.get(id)? {
            Object::Blob(bytes) => Some(bytes),
            Object::Tree(_) | Object::Commit(_) | Object::Tag(_) => None,
        }
    }

    pub(super) fn tree(&self, id: &str) -> Option<&BTreeMap<String, Entry>> {
        match self.0.get(id)? {
            Object::Tree(entries) => Some(entries),
            Object::Blob(_) | Object::Commit(_) | Object::Tag(_) => None,
        }
    }

    pub(super) fn commit(&self, id: &str) -> Option<&Commit> {
        match self.0.get(id)? {
            Object::Commit(commit) => Some(commit),
            Object::Blob(_) | Object::Tree(_) | Object::Tag(_) => None,
        }
    }

    /// Every file under a tree, or under a commit's tree; `None` when there is no such tree.
    pub(super) fn files(&self, id: &str) -> Option<Files> {
        let tree = self.commit(id).map_or(id, |commit| &commit.tree);
        self.tree(tree)?;
        let mut files = Files::new();
        self.walk(tree, "", &mut |path, entry| {
            if entry.mode != Mode::Folder {
                files.insert(path.to_owned(), entry.clone());
            }
        });
        Some(files)
    }

    /// Calls `visit` with every entry under a tree, folders before what is in them.
    pub(super) fn walk(&self, tree: &str, under: &str, visit: &mut dyn FnMut(&str, &Entry)) {
        for (name, entry) in self.tree(tree).map(in_order).unwrap_or_default() {
            let path = format!("{under}{name}");
            visit(&path, entry);
            if entry.mode == Mode::Folder {
                self.walk(&entry.id, &format!("{path}/"), visit);
            }
        }
    }

    /// Writes the trees that hold these files and names the outermost.
    pub(super) fn put_files(&mut self, files: &Files) -> String {
        let mut entries = BTreeMap::new();
        let mut folders: BTreeMap<&str, Files> = BTreeMap::new();
        for (path, entry) in files {
            match path.split_once('/') {
                None => {
                    entries.insert(path.clone(), entry.clone());
                }
                Some((folder, rest)) => {
                    folders.entry(folder).or_default().insert(rest.to_owned(), entry.clone());
                }
            }
        }
        for (folder, files) in folders {
            let id = self.put_files(&files);
            entries.insert(folder.to_owned(), Entry { mode: Mode::Folder, id });
        }
        let id = name("tree", &encode_tree(&entries));
        self.0.insert(id.clone(), Object::Tree(entries));
        id
    }

    /// `commit` and everything that it descends from, newest first.
    pub(super) fn history(&self, commit: &str) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut order = Vec::new();
        let mut next = std::collections::VecDeque::from([commit.to_owned()]);
        while let Some(id) = next.pop_front() {
            if let Some(commit) = self.commit(&id)
                && seen.insert(id.clone())
            {
                next.extend(commit.parents.iter().cloned());
                order.push(id);
            }
        }
        order
    }

    pub(super) fn descends(&self, commit: &str, ancestor: &str) -> bool {
        self.history(commit).iter().any(|id| id == ancestor)
    }
}

/// The path of a file that another file's path runs through, if any: git can't hold both.
pub(super) fn clash(files: &Files) -> Option<&str> {
    files.keys().find(|path| path.match_indices('/').any(|(at, _)| files.contains_key(&path[..at]))).map(String::as_str)
}

/// Whether git accepts the path: no empty part, no `.`, `..` or `.git`.
pub(super) fn is_path(path: &str) -> bool {
    let wrong =
        |part: &str| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git") || part.contains('\0');
    !path.split('/').any(wrong)
}

fn name(kind: &str, body: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("{kind} {}\0", body.len()));
    hash.update(body);
    hash.finalize().iter().fold(String::with_capacity(40), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Git sorts a folder as if its name ended with a slash.
fn in_order(entries: &BTreeMap<String, Entry>) -> Vec<(&String, &Entry)> {
    let mut ordered: Vec<(&String, &Entry)> = entries.iter().collect();
    ordered.sort_by_key(|(name, entry)| if entry.mode == Mode::Folder { format!("{name}/") } else { (*name).clone() });
    ordered
}

fn encode_tree(entries: &BTreeMap<String, Entry>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, entry) in in_order(entries) {
        bytes.extend(format!("{} {name}\0", entry.mode.as_str().trim_start_matches('0')).into_bytes());
        bytes.extend((0..entry.id.len() / 2).filter_map(|i| u8::from_str_radix(&entry.id[2 * i..2 * i + 2], 16).ok()));
    }
    bytes
}

fn encode_tag(tag: &Tag, kind: &str) -> String {
    let Tag { object, name, tagger, message } = tag;
    let Person { name: who, email, seconds } = tagger;
    format!("object {object}\ntype {kind}\ntag {name}\ntagger {who} <{email}> {seconds} +0000\n\n{message}")
}

fn encode_commit(commit: &Commit) -> String {
    let mut text = format!("tree {}\n", commit.tree);
    for parent in &commit.parents {
        text += &format!("parent {parent}\n");
    }
    for (role, person) in [("author", &commit.author), ("committer", &commit.committer)] {
        text += &format!("{role} {} <{}> {} +0000\n", person.name, person.email, person.seconds);
    }
    if let Some(signature) = &commit.signature {
        text += &format!("gpgsig {}\n", signature.trim_end().replace('\n', "\n "));
    }
    format!("{text}\n{}", commit.message)
}
