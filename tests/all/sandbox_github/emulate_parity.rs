//! The same calls to npm `emulate`, a GitHub that nobody here wrote: git data, releases and pull requests.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Got, Host, OWNER, REPO};
use crate::support::rest::Rest;
use crate::support::tools::{node_package, system_tool};

const TOKEN: &str = "parity_token";

/// `emulate` on a free port, killed when dropped.
struct Emulate {
    child: Child,
    rest: Rest,
    _folder: tempfile::TempDir,
}

impl Drop for Emulate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Emulate {
    fn start() -> Option<Self> {
        let (package, node) = (node_package("emulate")?, system_tool("node")?);
        let folder = tempfile::tempdir().unwrap();
        let seed = folder.path().join("seed.yaml");
        let users = format!("github:\n  users:\n    - login: {OWNER}\n");
        std::fs::write(
            &seed,
            format!("tokens:\n  {TOKEN}:\n    login: {OWNER}\n    scopes: [repo, workflow]\n{users}"),
        )
        .unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(node)
            .arg(package.join("dist/index.js"))
            .args(["start", "-s", "github", "-p", &port.to_string(), "--seed"])
            .arg(&seed)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut banner = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(banner.any(|line| line.unwrap().contains("http://localhost:")), "emulate did not start");
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("localhost", port)).is_err() {
            assert!(Instant::now() < deadline, "emulate does not listen");
            std::thread::yield_now();
        }
        let rest = Rest::new(&format!("http://localhost:{port}"), TOKEN);
        Some(Self { child, rest, _folder: folder })
    }
}

/// A difference that stays, with its reason.
struct Known {
    call: &'static str,
    reason: &'static str,
}

const KNOWN: [Known; 11] = [
    Known { call: "README", reason: "GitHub ends a README without description without a line break" },
    Known { call: "tree of an empty repository", reason: "GitHub answers 409, emulate takes it" },
    Known { call: "wrong token", reason: "GitHub answers 401, emulate takes the first user" },
    Known { call: "tag of a release", reason: "GitHub makes the tag, emulate makes none" },
    Known { call: "create twice", reason: "GitHub says `Validation Failed` and what failed in `errors`" },
    Known { call: "recursive tree", reason: "real git lists `images.md` before the folder `images`" },
    Known { call: "not a fast forward", reason: "GitHub writes `fast forward`, emulate `fast-forward`" },
    Known { call: "update of a ref that does not exist", reason: "GitHub's description has a 422 here and no 404" },
    Known { call: "release twice", reason: "GitHub says `already_exists` in `errors`" },
    Known { call: "pull request without commits", reason: "GitHub refuses it, emulate opens it" },
    Known { call: "pull request twice", reason: "GitHub has one open pull request for a pair of branches" },
];

/// One call and what of its answer must agree.
struct Asked {
    call: &'static str,
    ours: Got,
    theirs: Got,
    members: &'static [&'static str],
}

impl Asked {
    fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.ours.status != self.theirs.status {
            found.push(format!(
                "{}: {} here, {} there: {}",
                self.call, self.ours.status, self.theirs.status, self.theirs.body
            ));
        } else {
            for member in self.members {
                let (ours, theirs) = (self.ours.body.pointer(member), self.theirs.body.pointer(member));
                if ours != theirs || ours.is_none() {
                    found.push(format!("{}: {member} is {ours:?} here, {theirs:?} there", self.call));
                }
            }
        }
        found
    }
}

#[test]
fn emulate_answers_the_same() {
    let Some(emulate) = Emulate::start() else { return };
    let host = Host::start(sbi::sandbox::github::GithubOptions::default());
    let mut asked: Vec<Asked> = Vec::new();
    // Each side has its own name for a commit; in what is sent and what comes back it is `@name` here.
    let mut commits: Vec<(&str, [String; 2])> = Vec::new();
    let mut both = |call: &'static str, method: &str, path: &str, body: Value, members: &'static [&'static str]| {
        let send = |side: usize, rest: &Rest| {
            let fill = |text: String| commits.iter().fold(text, |text, (name, ids)| text.replace(name, &ids[side]));
            let body = (!body.is_null()).then(|| serde_json::from_str(&fill(body.to_string())).unwrap());
            let mut got = rest.send(method, &fill(path.to_owned()), body.as_ref());
            let masked = commits.iter().fold(got.body.to_string(), |text, (name, ids)| text.replace(&ids[side], name));
            let id = got.body.get("sha").and_then(Value::as_str).unwrap_or_default().to_owned();
            got.body = serde_json::from_str(&masked).unwrap();
            (got, id)
        };
        let ((ours, our_id), (theirs, their_id)) = (send(0, &host), send(1, &emulate.rest));
        if path.ends_with("git/commits") {
            commits.push((call, [our_id, their_id]));
        }
        asked.push(Asked { call, ours: ours.clone(), theirs, members });
        ours
    };
    let at = |tail: &str| format!("{REPO}/{tail}");
    let none = || Value::Null;

    both(
        "create empty",
        "POST",
        "/user/repos",
        json!({"name": "empty"}),
        &["/full_name", "/default_branch", "/private"],
    );
    let entry = json!({"path": "x", "mode": "100644", "type": "blob", "content": "x"});
    let empty = "/repos/octo-publisher/empty/git/trees";
    both("tree of an empty repository", "POST", empty, json!({"tree": [entry]}), &[]);
    let create = json!({"name": "base", "auto_init": true});
    both("create", "POST", "/user/repos", create.clone(), &["/full_name", "/default_branch", "/private"]);
    both("create twice", "POST", "/user/repos", create, &["/message"]);
    both("repository", "GET", REPO, none(), &["/full_name", "/archived", "/permissions/admin", "/visibility"]);
    both("no such repository", "GET", "/repos/octo-publisher/none", none(), &["/message"]);
    both("README", "GET", &at("contents/README.md"), none(), &["/sha", "/size"]);

    let blob = json!({"content": "aGVsbG8K", "encoding": "base64"});
    both("blob", "POST", &at("git/blobs"), blob, &["/sha"]);
    let members = &["/sha", "/size", "/encoding"];
    both("blob by id", "GET", &at("git/blobs/ce013625030ba8dba906f756967f9e9ca394464a"), none(), members);
    both("no such blob", "GET", &at(&format!("git/blobs/{}", "0".repeat(40))), none(), &["/message"]);
    let entries = json!([
        {"path": "sbi.toml", "mode": "100644", "type": "blob", "content": "x = 1\n"},
        {"path": "images/base/run.sh", "mode": "100755", "type": "blob", "content": "#!/bin/sh\n"},
        {"path": "images.md", "mode": "100644", "type": "blob", "sha": "ce013625030ba8dba906f756967f9e9ca394464a"},
    ]);
    let tree = both("tree", "POST", &at("git/trees"), json!({"tree": entries}), &["/sha"]).text("/sha");
    let recursive = &["/tree/0/path", "/tree/0/sha", "/tree/1/mode", "/tree/2/path", "/tree/3/sha", "/truncated"];
    both("recursive tree", "GET", &at(&format!("git/trees/{tree}?recursive=1")), none(), recursive);
    let person = json!({"name": "Ada", "email": "ada@example.com", "date": "2023-11-14T22:13:20Z"});
    let commit = |message: &str, parents: &[&str]| json!({"message": message, "tree": tree, "parents": parents, "author": person, "committer": person});
    let made = &["/tree/sha", "/message", "/author/name", "/committer/email", "/author/date"];
    both("@root", "POST", &at("git/commits"), commit("first", &[]), made);
    both(
        "force",
        "PATCH",
        &at("git/refs/heads/main"),
        json!({"sha": "@root", "force": true}),
        &["/object/sha", "/ref"],
    );
    both("@child", "POST", &at("git/commits"), commit("second", &["@root"]), &["/parents/0/sha"]);
    both("@sibling", "POST", &at("git/commits"), commit("other", &["@root"]), &["/parents/0/sha"]);
    both("push", "PATCH", &at("git/refs/heads/main"), json!({"sha": "@child"}), &["/object/sha"]);
    both("not a fast forward", "PATCH", &at("git/refs/heads/main"), json!({"sha": "@sibling"}), &["/message"]);
    both("head", "GET", &at("git/ref/heads/main"), none(), &["/object/sha", "/object/type", "/ref"]);
    let side = json!({"ref": "refs/heads/side", "sha": "@child"});
    both("branch", "POST", &at("git/refs"), side.clone(), &["/ref", "/object/sha"]);
    both("branch twice", "POST", &at("git/refs"), side, &["/message"]);
    both("update of a ref that does not exist", "PATCH", &at("git/refs/heads/none"), json!({"sha": "@child"}), &[]);
    let sides = &["/status", "/ahead_by", "/behind_by", "/merge_base_commit/sha"];
    both("compared", "GET", &at("compare/@child...@root"), none(), sides);
    both("compared with another", "GET", &at("compare/@child...@sibling"), none(), sides);
    both("branches", "GET", &at("branches"), none(), &["/0/name", "/0/commit/sha", "/1/name"]);
    both("one branch", "GET", &at("branches/main"), none(), &["/name", "/commit/sha"]);
    both("file", "GET", &at("contents/sbi.toml"), none(), &["/sha", "/size", "/encoding", "/path"]);
    both("no such file", "GET", &at("contents/none"), none(), &["/message"]);
    let put = json!({"message": "m", "content": "eCA9IDIK"});
    both("file without its sha", "PUT", &at("contents/sbi.toml"), put, &[]);

    let pull = json!({"title": "Set up", "head": "side", "base": "main", "body": "why"});
    both("pull request without commits", "POST", &at("pulls"), pull.clone(), &["/message"]);
    both("@ahead", "POST", &at("git/commits"), commit("third", &["@child"]), &["/message"]);
    both("move side", "PATCH", &at("git/refs/heads/side"), json!({"sha": "@ahead"}), &["/object/sha"]);
    let members = &["/state", "/title", "/body", "/head/ref", "/head/sha", "/base/ref", "/merged"];
    both("pull request", "POST", &at("pulls"), pull.clone(), members);
    both("pull request twice", "POST", &at("pulls"), pull, &["/message"]);
    both("pull requests", "GET", &at("pulls?head=octo-publisher:side"), none(), &["/0/title", "/0/head/ref"]);
    let texts = json!({"title": "Update", "body": "why else"});
    both("pull request described", "PATCH", &at("pulls/1"), texts, &["/title", "/body", "/state", "/number"]);
    let comment = json!({"body": "because"});
    both("comment", "POST", &at("issues/1/comments"), comment, &["/body", "/user/login"]);
    both("comments", "GET", &at("issues/1/comments"), none(), &["/0/body"]);
    both("comment on nothing", "POST", &at("issues/99/comments"), json!({"body": "b"}), &["/message"]);
    let closed = &["/state", "/merged", "/title"];
    both("pull request closed", "PATCH", &at("pulls/1"), json!({"state": "closed"}), closed);
    let filter = "pulls?state=closed&head=octo-publisher:side&sort=created&direction=desc";
    both("closed pull requests", "GET", &at(filter), none(), &["/0/title", "/0/head/ref", "/0/state", "/0/merged_at"]);
    both("no pull requests", "GET", &at("pulls?head=octo-publisher:none"), none(), &[""]);

    let release = json!({"tag_name": "v1.0.0", "target_commitish": "main", "name": "v1.0.0", "body": "notes"});
    let members = &["/tag_name", "/name", "/body", "/draft", "/prerelease", "/target_commitish"];
    both("release", "POST", &at("releases"), release.clone(), members);
    both("release twice", "POST", &at("releases"), release, &["/errors/0/code"]);
    both("release by tag", "GET", &at("releases/tags/v1.0.0"), none(), &["/tag_name", "/body"]);
    both("latest", "GET", &at("releases/latest"), none(), &["/tag_name"]);
    both("no such release", "GET", &at("releases/tags/v9"), none(), &["/message"]);
    both("tag of a release", "GET", &at("git/ref/tags/v1.0.0"), none(), &["/object/sha"]);

    let stranger = |base: String| Rest::new(&base, "wrong").get("/user");
    let (ours, theirs) = (stranger(host.github.url()), stranger(emulate.rest.base.clone()));
    asked.push(Asked { call: "wrong token", ours, theirs, members: &[] });

    let mut unexplained: Vec<String> = Vec::new();
    let mut explained = Vec::new();
    for asked in &asked {
        let differences = asked.differences();
        if KNOWN.iter().any(|known| known.call == asked.call) {
            explained.push((asked.call, !differences.is_empty()));
        } else {
            unexplained.extend(differences);
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    for known in &KNOWN {
        let stays = explained.iter().any(|(call, differs)| *call == known.call && *differs);
        assert!(stays, "emulate agrees now on `{}` ({}): take it off the list", known.call, known.reason);
    }
}
