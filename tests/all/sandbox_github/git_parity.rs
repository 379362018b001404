//! Object names against the git that is installed.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use sbi::sandbox::github::GithubOptions;
use serde_json::json;

use super::{FULL_NAME, Host, REPO};
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

#[test]
fn annotated_tags_have_the_names_that_git_gives_them() {
    if system_tool("git").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    git(here, &["init", "-q", "-b", "main"], "");
    let clock = || jiff::Timestamp::from_second(1_700_000_100).unwrap();
    let host = Host::start(GithubOptions { clock: Arc::new(clock), ..GithubOptions::default() });
    host.create("base", true);
    let commit = host.head();
    let note = host.github.annotate_tag(FULL_NAME, "v1", &commit).unwrap();
    let about = host.github.annotate_tag(FULL_NAME, "v1.0.0", &note).unwrap();
    let tagger = "octo-publisher <583231+octo-publisher@users.noreply.github.com> 1700000100 +0000";
    let text = |object: &str, kind: &str, name: &str| {
        format!("object {object}\ntype {kind}\ntag {name}\ntagger {tagger}\n\n{name}\n")
    };
    let hash = |text: &str| git(here, &["hash-object", "-t", "tag", "--literally", "--stdin"], text);
    assert_eq!(hash(&text(&commit, "commit", "v1")), note);
    assert_eq!(hash(&text(&note, "tag", "v1.0.0")), about);
    let tags = format!("{REPO}/git/tags");
    let got = host.get(&format!("{tags}/{about}")).is(200);
    assert_eq!((got.text("/object/type"), got.text("/object/sha")), ("tag".into(), note.clone()));
    assert_eq!(host.get(&format!("{tags}/{note}")).is(200).text("/object/sha"), commit);
    host.get(&format!("{tags}/{commit}")).is(404);
    let reference = host.get(&format!("{REPO}/git/ref/tags/v1.0.0")).is(200);
    assert_eq!((reference.text("/object/type"), reference.text("/object/sha")), ("tag".into(), about));
    // Everywhere else a tag is its commit.
    assert_eq!(host.get(&format!("{REPO}/tags")).is(200).text("/0/commit/sha"), commit);
    assert_eq!(host.get(&format!("{REPO}/git/trees/v1.0.0")).is(200).text("/truncated"), "false");
}

#[test]
fn two_commits_are_compared() {
    let host = Host::with_repository();
    let start = host.head();
    let (left, right) = (host.commit(&start, &[("l", "l")]), host.commit(&start, &[("r", "r")]));
    let further = host.commit(&left, &[("m", "m")]);
    host.push(&further).is(200);
    host.post(&format!("{REPO}/git/refs"), &json!({"ref": "refs/heads/releases/v1", "sha": right})).is(201);
    let compare = |sides: &str| host.get(&format!("{REPO}/compare/{sides}"));
    for (sides, status, ahead, behind, base) in [
        (format!("main...{left}"), "behind", 0, 1, &left),
        (format!("{start}...main"), "ahead", 2, 0, &start),
        (format!("{further}...{further}"), "identical", 0, 0, &further),
        (format!("releases/v1...{left}?per_page=1"), "diverged", 1, 1, &start),
        (format!("octo-publisher:main...{right}"), "diverged", 1, 2, &start),
    ] {
        let got = compare(&sides).is(200);
        assert_eq!(got.text("/status"), status, "{sides}");
        assert_eq!((got.text("/ahead_by"), got.text("/behind_by")), (ahead.to_string(), behind.to_string()), "{sides}");
        assert_eq!(got.text("/merge_base_commit/sha"), *base, "{sides}");
    }
    assert_eq!(
        compare(&format!("{start}...{further}?per_page=1")).is(200).body["commits"].as_array().unwrap().len(),
        1
    );
    for sides in ["main", "main...nowhere", "somebody:main...main"] {
        compare(sides).is(404);
    }
    let alone = json!({"message": "alone", "tree": host.get(&format!("{REPO}/git/trees/main")).text("/sha")});
    let alone = host.post(&format!("{REPO}/git/commits"), &alone).is(201).text("/sha");
    assert!(compare(&format!("main...{alone}")).is(404).message().starts_with("No common ancestor"));
    let ending = |id: &str| host.get(&format!("{REPO}/commits/{id}/branches-where-head"));
    assert_eq!(ending(&right).is(200).text("/0/name"), "releases/v1");
    assert_eq!(ending(&left).is(200).body, json!([]));
    ending(&"0".repeat(40)).is(422);
}
