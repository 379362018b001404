//! The GitHub adapter: one client, its timeouts, retries and proxy. octocrab stays in here; nothing is decided here.

mod action_repositories;
mod activity;
mod answers;
mod blobs;
mod commits;
mod deletions;
mod dispatch;
mod error;
mod graphql;
mod hidden;
mod holdings;
mod pull_requests;
mod releases;
mod repository;
mod secrets;
mod token;
mod transport;
mod unfinished;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::{HeaderMap, Method};
use octocrab::Octocrab;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::failure::{Cause, Failure};
use crate::model::git::CommitId;
use crate::model::names::GithubRepositoryName;
use crate::model::secrets::Token;

pub use crate::transport::Timing;
pub use commits::Delivered;
pub use hidden::{Looked, is_hidden};
pub use releases::{Job, JobStep, Run};
pub use repository::CreatedRepository;
pub use token::{find_token, missing_scopes, token_from_gh};
pub use unfinished::UnfinishedRun;

/// Where GitHub is and who asks.
pub struct Settings {
    /// `https://api.github.com` unless told; `https://HOST/api/v3` on Enterprise Server.
    pub api_url: Option<String>,
    pub token: Token,
}

/// A repeatable call is sent this often at most.
const MOST_ATTEMPTS: u32 = 3;
/// A rate limit that ends within this time is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// What GitHub gives on one page at most.
const PAGE: u32 = 100;

/// GitHub's REST and GraphQL APIs, as one identity sees them.
pub struct Github {
    rest: Octocrab,
    graphql: Octocrab,
    host: String,
    timing: Timing,
    installation: bool,
    /// The plan of the token's own account, as `GET /user` told it.
    own_plan: Mutex<Option<String>>,
    /// One fetch of the public key for all secrets of a repository.
    keys: Mutex<BTreeMap<GithubRepositoryName, Arc<OnceCell<secrets::SealingKey>>>>,
    /// Commit → tree, as met on the way: a commit's tree never changes.
    trees: Mutex<BTreeMap<CommitId, String>>,
    /// Commit → the paths of its executables, where there are any: a change of text leaves them so.
    executables: Mutex<BTreeMap<CommitId, BTreeSet<String>>>,
}

/// One request, and what its errors should say.
struct Call {
    method: Method,
    path: String,
    body: Option<Value>,
    repeatable: bool,
    /// What is being done: `read the releases of acme/base`.
    what: String,
    /// `owner/name`
    resource: Option<String>,
    /// The permission of a fine-grained token that it takes.
    permission: &'static str,
    /// The scope of a classic token that it takes.
    scope: &'static str,
}

impl Call {
    fn new(method: Method, path: impl Into<String>, what: impl Into<String>) -> Self {
        let repeatable = matches!(method, Method::GET | Method::PUT | Method::DELETE);
        let permission = if method == Method::GET { "metadata: read" } else { "contents: write" };
        Self {
            method,
            path: path.into(),
            body: None,
            repeatable,
            what: what.into(),
            resource: None,
            permission,
            scope: "repo",
        }
    }

    fn get(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Method::GET, path, what)
    }

    fn of(mut self, repository: &GithubRepositoryName) -> Self {
        self.what = format!("{} of {repository}", self.what);
        self.resource = Some(repository.to_string());
        self
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn needing(mut self, permission: &'static str) -> Self {
        self.permission = permission;
        self
    }

    fn scoped(mut self, scope: &'static str) -> Self {
        self.scope = scope;
        self
    }

    fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }

    /// Sending it twice does the same as sending it once, whatever its method.
    fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    fn writes(&self) -> bool {
        self.method != Method::GET
    }
}

/// An answer of any status.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        // The text of a JSON error can quote the answer: its place is enough.
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::new(format!(
                "could not {}: GitHub's answer can't be read at line {}, column {}",
                call.what,
                error.line(),
                error.column()
            ))
        })
    }
}

impl Github {
    /// Prepares the client; must be called within a Tokio runtime. Sends nothing.
    ///
    /// # Errors
    /// When the API's address can't be used or the system has no certificates to trust.
    pub fn connect(settings: Settings) -> Result<Self, Failure> {
        Self::connect_timed(settings, Timing::default())
    }

    /// The same with other timeouts.
    ///
    /// # Errors
    /// As `connect`.
    pub fn connect_timed(settings: Settings, timing: Timing) -> Result<Self, Failure> {
        let Settings { api_url, token } = settings;
        let rest_url = transport::api_url(api_url.as_deref())?;
        let graphql_url = transport::graphql_base(&rest_url);
        let installation = token.reveal(|text| text.starts_with("ghs_"));
        let host = rest_url.host_str().unwrap_or("api.github.com").to_owned();
        let rest = transport::client(&rest_url, &token, timing)?;
        let graphql = transport::client(&graphql_url, &token, timing)?;
        Ok(Self {
            rest,
            graphql,
            host,
            timing,
            installation,
            own_plan: Mutex::default(),
            keys: Mutex::default(),
            trees: Mutex::default(),
            executables: Mutex::default(),
        })
    }

    /// Sends a call and returns its successful answer; every other one is classified.
    async fn send(&self, call: &Call) -> Result<Reply, Failure> {
        let reply = self.exchange(&self.rest, call).await?;
        if (200..300).contains(&reply.status) { Ok(reply) } else { Err(error::classify(call, &reply, &self.host)) }
    }

    async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        self.send(call).await?.json(call)
    }

    /// Sends a deletion. GitHub answers 404, of a branch 422, to what is gone and to what it hides or refuses: `look`
    /// tells them apart.
    async fn delete(&self, call: &Call, look: &Call) -> Result<(), Failure> {
        let reply = self.exchange(&self.rest, call).await?;
        if (200..300).contains(&reply.status) {
            return Ok(());
        }
        let failure = error::classify(call, &reply, &self.host);
        if matches!(reply.status, 404 | 422) && self.exchange(&self.rest, look).await?.status == 404 {
            return Ok(());
        }
        Err(failure)
    }

    /// `None` when GitHub answers 404.
    async fn ask_maybe<T: DeserializeOwned>(&self, call: &Call) -> Result<Option<T>, Failure> {
        match self.ask(call).await {
            Ok(value) => Ok(Some(value)),
            Err(failure) if *failure.cause() == Cause::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Every page of a list; `items` finds the list in one answer.
    async fn ask_pages<P: DeserializeOwned, T>(
        &self,
        mut call: Call,
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, Failure> {
        let separator = if call.path.contains('?') { '&' } else { '?' };
        call.path = format!("{}{separator}per_page={PAGE}", call.path);
        let mut all = Vec::new();
        loop {
            let reply = self.send(&call).await?;
            all.extend(items(reply.json(&call)?));
            match reply.header("link").and_then(next_page) {
                Some(next) if next != call.path => call.path = next,
                _ => return Ok(all),
            }
        }
    }

    /// One call with its repetitions and redirections, whatever the status.
    async fn exchange(&self, client: &Octocrab, call: &Call) -> Result<Reply, Failure> {
        let mut pause = self.timing.pause;
        let mut path = call.path.clone();
        let mut attempts = 1;
        let mut redirections = 0;
        loop {
            let outcome = transport::send(client, call, &path, self.timing).await;
            let last = attempts >= MOST_ATTEMPTS;
            match outcome {
                Ok(reply) if matches!(reply.status, 301 | 302 | 307 | 308) && !call.writes() && redirections < 3 => {
                    let Some(target) = reply.header("location").and_then(|text| self.own_path(text)) else {
                        return Ok(reply);
                    };
                    path = target;
                    redirections += 1;
                    continue;
                }
                Ok(reply) if last => return Ok(reply),
                Ok(reply) => match error::wait_before_repeating(&reply, call.repeatable) {
                    Some(wait) if wait <= LONGEST_WAIT => tokio::time::sleep(wait.max(pause)).await,
                    _ => return Ok(reply),
                },
                Err(reason) if last || !call.repeatable => {
                    return Err(error::unreachable(call, &self.host, reason));
                }
                Err(_) => tokio::time::sleep(pause).await,
            }
            attempts += 1;
            pause *= 4;
        }
    }

    /// The path of an address on GitHub's own host: the token goes nowhere else.
    fn own_path(&self, location: &str) -> Option<String> {
        path_on(location, &self.host)
    }
}

fn path_on(location: &str, host: &str) -> Option<String> {
    let url = url::Url::parse(location).ok()?;
    if url.host_str() != Some(host) {
        return None;
    }
    Some(url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())))
}

/// The path of `rel="next"` in a `Link` header. The host is dropped: a page is never fetched elsewhere.
fn next_page(link: &str) -> Option<String> {
    let entry = link.split(',').find(|entry| entry.contains(r#"rel="next""#))?;
    let address = entry.split(';').next()?.trim().strip_prefix('<')?.strip_suffix('>')?;
    let url = url::Url::parse(address).ok()?;
    Some(format!("{}?{}", url.path(), url.query().unwrap_or_default()))
}

/// `/repos/OWNER/NAME` and what follows.
fn repo_path(name: &GithubRepositoryName, rest: &str) -> String {
    format!("/repos/{}/{}{rest}", name.owner(), name.name())
}

/// A branch, tag or file path inside a URL's path: slashes stay.
fn escape(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}

/// A state here stays usable after a panic elsewhere: each is a cache.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
