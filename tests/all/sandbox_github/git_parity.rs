//! Object names against the git that is installed.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::{Host, REPO};
use crate::support::tools::system_tool;

fn git(folder: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder)
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
        .envs([("GIT_COMMITTER_NAME", "Bob"), ("GIT_COMMITTER_EMAIL", "bob@example.com")])
        .envs([("GIT_AUTHOR_DATE", "1700000000 +0000"), ("GIT_COMMITTER_DATE", "1700000100 +0000")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn blobs_trees_and_commits_have_the_names_that_git_gives_them() {
    if system_tool("git").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    git(here, &["init", "-q", "-b", "main"], "");
    // `a.b` sorts before the folder `a` and after the file `a-b`, because git compares `a/`.
    let files = [("a/deep/er.txt", "deep\n"), ("a.b", "dot\n"), ("a-b", "dash\n"), ("a0", "zero\n"), ("ü", "umlaut")];
    let host = Host::with_repository();
    let mut entries = Vec::new();
    for (path, text) in files {
        let blob = git(here, &["hash-object", "-w", "--stdin"], text);
        let mode = if path == "a-b" { "100755" } else { "100644" };
        git(here, &["update-index", "--add", "--cacheinfo", &format!("{mode},{blob},{path}")], "");
        let made = host.post(&format!("{REPO}/git/blobs"), &json!({"content": text, "encoding": "utf-8"})).is(201);
        assert_eq!(made.text("/sha"), blob, "{path}");
        entries.push(json!({"path": path, "mode": mode, "type": "blob", "content": text}));
    }
    let tree = git(here, &["write-tree"], "");
    let made = host.post(&format!("{REPO}/git/trees"), &json!({"tree": entries})).is(201);
    assert_eq!(made.text("/sha"), tree);
    let listed = host.get(&format!("{REPO}/git/trees/{tree}?recursive=1")).is(200);
    let ours: Vec<String> = listed.body["tree"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| ["mode", "type", "sha", "path"].map(|member| entry[member].as_str().unwrap()).join(" "))
        .collect();
    let theirs = git(here, &["ls-tree", "-r", "-t", "-z", &tree], "").replace('\t', " ");
    assert_eq!(ours, theirs.trim_end_matches('\0').split('\0').collect::<Vec<_>>());

    let parent = git(here, &["commit-tree", &tree, "-m", "first"], "");
    let child = git(here, &["commit-tree", &tree, "-p", &parent, "-m", "second"], "");
    let commit = |message: &str, parents: &[&str]| {
        let body = json!({
            "message": message, "tree": tree, "parents": parents,
            "author": {"name": "Ada", "email": "ada@example.com", "date": "2023-11-14T22:13:20Z"},
            "committer": {"name": "Bob", "email": "bob@example.com", "date": "2023-11-14T23:15:00+01:00"},
        });
        host.post(&format!("{REPO}/git/commits"), &body).is(201).text("/sha")
    };
    // The command ends a message with a line break, the API takes it as it is.
    assert_eq!(commit("first\n", &[]), parent);
    assert_eq!(commit("second\n", &[&parent]), child);
}

#[test]
fn a_tree_can_be_changed_on_a_base_and_read_back() {
    let host = Host::with_repository();
    let first = host.commit(&host.head(), &[("a/b.txt", "b"), ("a/c.txt", "c")]);
    let base = host.get(&format!("{REPO}/git/commits/{first}")).is(200).text("/tree/sha");
    let trees = format!("{REPO}/git/trees");
    let gone = json!({"path": "a/b.txt", "mode": "100644", "type": "blob", "sha": null});
    let tree = host.post(&trees, &json!({"base_tree": base, "tree": [gone]})).is(201).text("/sha");
    let paths = |sha: &str, query: &str| -> Vec<String> {
        let got = host.get(&format!("{trees}/{sha}{query}")).is(200);
        let entries = got.body["tree"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths(&tree, "?recursive=1"), ["README.md", "a", "a/c.txt"]);
    assert_eq!(paths(&tree, ""), ["README.md", "a"]);
    // What is not there can't be taken away, and a commit is not a tree.
    host.post(&trees, &json!({"base_tree": tree, "tree": [gone]})).is(422);
    host.post(&trees, &json!({"base_tree": first, "tree": [gone]})).is(422);
    let file = |path: &str| json!({"path": path, "mode": "100644", "type": "blob", "content": "x"});
    for path in ["", "/a", "a//b", "../a", "a/.git/config", "README.md/x"] {
        host.post(&trees, &json!({"base_tree": tree, "tree": [file(path)]})).is(422);
    }
    host.post(&trees, &json!({"tree": [{"path": "x", "mode": "644", "type": "blob", "content": "x"}]})).is(422);
    host.post(&trees, &json!({"tree": [{"path": "x", "mode": "100644", "type": "blob", "sha": "0".repeat(40)}]}))
        .is(422);
}

#[test]
fn a_ref_moves_forward_only() {
    let host = Host::with_repository();
    let start = host.head();
    let (left, right) = (host.commit(&start, &[("l", "l")]), host.commit(&start, &[("r", "r")]));
    host.push(&left).is(200);
    let refused = host.push(&right).is(422);
    assert_eq!(refused.message(), "Update is not a fast forward");
    host.patch(&format!("{REPO}/git/refs/heads/main"), &json!({"sha": right, "force": true})).is(200);
    assert_eq!(host.head(), right);
    let refs = format!("{REPO}/git/refs");
    host.post(&refs, &json!({"ref": "refs/heads/main", "sha": right})).is(422);
    host.post(&refs, &json!({"ref": "heads/new", "sha": right})).is(422);
    host.post(&refs, &json!({"ref": "refs/heads/a..b", "sha": right})).is(422);
    host.post(&refs, &json!({"ref": "refs/heads/new", "sha": "0".repeat(40)})).is(422);
    host.post(&refs, &json!({"ref": "refs/heads/sbi/new", "sha": left})).is(201);
    host.patch(&format!("{refs}/heads/none"), &json!({"sha": right})).is(422);
    let matching = host.get(&format!("{REPO}/git/matching-refs/heads/sbi")).is(200);
    assert_eq!(matching.text("/0/ref"), "refs/heads/sbi/new");
    host.get(&format!("{REPO}/git/ref/heads/sbi")).is(404);
    host.delete(&format!("{refs}/heads/sbi/new")).is(204);
    host.get(&format!("{REPO}/git/ref/heads/sbi/new")).is(404);
}
