//! `tests/data/merging`: a folder a shape, with the publisher's text and what becomes of it. What was rendered last and
//! what a newer version renders stand beside the folders, unless a shape has its own. `UPDATE_MERGING=1` writes what a
//! merge gives now; read it as the person would who gets the pull request.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sbi::merge::{Merged, workflow::merge};

use crate::support::tools::root;

/// File → text of what a merge gives.
fn outcome(merged: &Merged) -> BTreeMap<&'static str, String> {
    let mut files = BTreeMap::new();
    match merged {
        Merged::Clean(clean) => {
            files.insert("merged.yml", clean.text.clone());
            if !clean.notes.is_empty() {
                let line = |note: &sbi::merge::Note| format!("{}: {}\n", note.place, note.what);
                files.insert("notes.txt", clean.notes.iter().map(line).collect());
            }
        }
        Merged::Conflict(hunks) => {
            let text = |hunk: &sbi::merge::Hunk| {
                let sides = [("base", &hunk.base), ("ours", &hunk.ours), ("theirs", &hunk.theirs)];
                let sides = sides.map(|(side, text)| format!("--- {side}\n{text}\n"));
                format!("=== {}\n{}", hunk.place, sides.concat())
            };
            files.insert("conflict.txt", hunks.iter().map(text).collect());
        }
    }
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_shape_of_the_corpus_becomes_what_is_written_beside_it() {
    let update = std::env::var_os("UPDATE_MERGING").is_some();
    let folder = root().join("tests/data/merging");
    let mut different = Vec::new();
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    for shape in entries.filter(|path| path.is_dir()) {
        let [base, ours, theirs] = ["base.yml", "ours.yml", "theirs.yml"].map(|side| {
            let own = shape.join(side);
            read(&if own.exists() { own } else { folder.join(side) })
        });
        let merged = merge(&base, &ours, &theirs);
        if let Merged::Clean(clean) = &merged {
            let Merged::Clean(again) = merge(&base, &ours, &clean.text) else { panic!("{}", shape.display()) };
            assert_eq!(again.text, clean.text, "{}", shape.display());
        }
        let outcome = outcome(&merged);
        for file in ["merged.yml", "notes.txt", "conflict.txt"] {
            let (path, wanted) = (shape.join(file), outcome.get(file));
            if fs::read_to_string(&path).ok().as_ref() == wanted {
                continue;
            }
            different.push(format!("{}\n{}", path.display(), wanted.map_or("should not be there", String::as_str)));
            match wanted {
                _ if !update => {}
                Some(text) => fs::write(&path, text).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
        }
    }
    assert!(different.is_empty() || update, "UPDATE_MERGING=1 would write:\n{}", different.join("\n\n"));
}
