//! The GitHub stand-in against GitHub's own description, real git, and npm `emulate`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod emulate_parity;
mod findings;
mod git_parity;
mod pull_requests;
mod refusals;
mod rules;
mod runs;
mod scenario;

use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sbi::sandbox::github::{GithubOptions, GithubStandIn, TokenScopes};
use serde_json::{Value, json};

use crate::support::rest::{Got, Rest};

const OWNER: &str = "octo-publisher";
const REPO: &str = "/repos/octo-publisher/base";
const FULL_NAME: &str = "octo-publisher/base";

/// A stand-in whose every exchange is held against GitHub's description when the test ends.
struct Host {
    github: GithubStandIn,
    rest: Rest,
    checked: bool,
}

impl Deref for Host {
    type Target = Rest;
    fn deref(&self) -> &Rest {
        &self.rest
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() || !self.checked {
            return;
        }
        let exchanges = self.github.server().log();
        // The description has redirects for some operations only, and nothing that they lead to.
        let described = exchanges.iter().filter(|exchange| {
            !exchange.request.path.starts_with("/repositories/") && !matches!(exchange.answer.status, 301 | 307)
        });
        for exchange in described {
            if let Err(problem) = crate::support::openapi::check(exchange) {
                panic!("{} {}: {problem}", exchange.request.method, exchange.request.path);
            }
        }
    }
}

impl Host {
    fn start(options: GithubOptions) -> Self {
        let github = GithubStandIn::start(options).unwrap();
        let rest = github.token().reveal(|token| Rest::new(&github.url(), token));
        Self { github, rest, checked: true }
    }

    fn with_scopes(token_scopes: TokenScopes) -> Self {
        Self::start(GithubOptions { token_scopes, ..GithubOptions::default() })
    }

    /// With a public repository that has a first commit.
    fn with_repository() -> Self {
        let host = Self::start(GithubOptions::default());
        host.create("base", true);
        host
    }

    fn create(&self, name: &str, auto_init: bool) -> Got {
        self.post("/user/repos", &json!({"name": name, "auto_init": auto_init})).is(201)
    }

    fn head(&self) -> String {
        self.get(&format!("{REPO}/git/ref/heads/main")).is(200).text("/object/sha")
    }

    /// Commits files on top of `parent` with git data calls; the branch stays where it is.
    fn commit(&self, parent: &str, files: &[(&str, &str)]) -> String {
        let base = self.get(&format!("{REPO}/git/commits/{parent}")).is(200).text("/tree/sha");
        let entries: Vec<Value> = files
            .iter()
            .map(|(path, text)| json!({"path": path, "mode": "100644", "type": "blob", "content": text}))
            .collect();
        let tree = self.post(&format!("{REPO}/git/trees"), &json!({"base_tree": base, "tree": entries})).is(201);
        let body = json!({"message": "change", "tree": tree.text("/sha"), "parents": [parent]});
        self.post(&format!("{REPO}/git/commits"), &body).is(201).text("/sha")
    }

    fn push(&self, commit: &str) -> Got {
        self.patch(&format!("{REPO}/git/refs/heads/main"), &json!({"sha": commit, "force": false}))
    }

    fn release(&self, tag: &str) -> Got {
        self.post(&format!("{REPO}/releases"), &json!({"tag_name": tag, "target_commitish": "main", "name": tag}))
    }

    fn seal(&self, value: &str) -> Value {
        let key = self.get(&format!("{REPO}/actions/secrets/public-key")).is(200);
        let bytes: [u8; 32] = STANDARD.decode(key.text("/key")).unwrap().try_into().unwrap();
        let public = crypto_box::PublicKey::from_bytes(bytes);
        let sealed = public.seal(&mut crypto_box::aead::OsRng, value.as_bytes()).unwrap();
        json!({"encrypted_value": STANDARD.encode(sealed), "key_id": key.text("/key_id")})
    }
}
