//! A strict, stateful GitHub on a loopback port: it keeps real git objects, keeps secrets sealed, checks the token on
//! every call and refuses what GitHub refuses. What it can't do it refuses by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::http::{Answer, Handler, Request, Server, lock};
use crate::model::secrets::Token;

mod access;
mod accounts;
mod branches;
mod claims;
mod comments;
mod compare;
mod contents;
mod environments;
mod findings;
mod git;
mod graphql;
mod objects;
mod people;
mod pulls;
mod releases;
mod reply;
mod repository;
mod routes;
mod runs;
mod settings;
mod setup;
mod workflow;
mod world;

pub use claims::WorkflowRunContext;
pub use setup::Seed;
pub use world::{Clock, Rules};

/// What the one token may do.
#[derive(Clone)]
pub enum TokenScopes {
    /// A classic or OAuth token with these scopes, such as `repo`.
    Classic(BTreeSet<String>),
    /// A fine-grained token with these permissions, such as `pull requests: write`; write includes read.
    FineGrained(BTreeSet<String>),
    /// The token of a workflow run or an app, with permissions as above. What it does starts no workflow.
    Installation(BTreeSet<String>),
}

impl TokenScopes {
    /// A classic token with these scopes.
    pub fn classic<'s>(scopes: impl IntoIterator<Item = &'s str>) -> Self {
        Self::Classic(scopes.into_iter().map(str::to_owned).collect())
    }

    /// A fine-grained token with these permissions.
    pub fn fine_grained<'s>(permissions: impl IntoIterator<Item = &'s str>) -> Self {
        Self::FineGrained(permissions.into_iter().map(str::to_owned).collect())
    }
}

/// An organization that the viewer owns.
#[derive(Clone)]
pub struct Organization {
    pub login: String,
    pub id: u64,
    /// `free`, `team` or `enterprise`.
    pub plan: String,
}

/// How the stand-in's world starts.
#[derive(Clone)]
pub struct GithubOptions {
    pub login: String,
    pub user_id: u64,
    /// `free` or `pro`.
    pub plan: String,
    pub token_scopes: TokenScopes,
    pub organizations: Vec<Organization>,
    /// New repositories have `repo:OWNER@OWNER_ID/REPO@REPO_ID` in their OIDC subjects, as since 2026-07-15.
    pub immutable_subjects: bool,
    pub clock: Clock,
}

impl Default for GithubOptions {
    fn default() -> Self {
        Self {
            login: "octo-publisher".into(),
            user_id: 583_231,
            plan: "free".into(),
            token_scopes: TokenScopes::classic(["gist", "read:org", "repo", "workflow"]),
            organizations: Vec::new(),
            immutable_subjects: true,
            clock: Arc::new(Timestamp::now),
        }
    }
}

/// How a workflow run ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    Success,
    /// `job` is the job's name as shown; `step` is a step's, the job's last one when `None` or unknown.
    Failure {
        job: String,
        step: Option<String>,
    },
    Cancelled,
}

/// A run whose end is to be decided.
#[derive(Clone)]
pub struct RunContext {
    /// `owner/name`
    pub repository: String,
    pub run_id: u64,
    /// Path of the workflow file.
    pub workflow: String,
    pub event: String,
    pub tag: String,
    pub commit: String,
    /// Empty when the workflow file can't be read.
    pub jobs: Vec<JobContext>,
}

#[derive(Clone)]
pub struct JobContext {
    pub name: String,
    pub environment: Option<String>,
    pub steps: Vec<String>,
    /// The claims of the job's OIDC token, when its `permissions` let it ask for one.
    pub claims: Option<Value>,
}

/// A repository as it is now.
#[derive(Clone)]
pub struct RepositorySnapshot {
    pub id: u64,
    pub owner_id: u64,
    /// `owner/name` as spelt today.
    pub full_name: String,
    pub private: bool,
    pub description: Option<String>,
    pub default_branch: String,
    /// The tip of the default branch.
    pub head: Option<String>,
    /// Path → bytes on the default branch.
    pub files: BTreeMap<String, Vec<u8>>,
    /// How many commits the default branch has.
    pub commits: usize,
    /// Name → when it was last written.
    pub secrets: BTreeMap<String, Timestamp>,
    /// Tag → commit.
    pub tags: BTreeMap<String, String>,
    /// Branch → commit.
    pub branches: BTreeMap<String, String>,
    pub releases: Vec<ReleaseSnapshot>,
    /// Name → `tag PATTERN` and `branch PATTERN` of what may deploy; `None` when the environment has no list of its own.
    pub environments: BTreeMap<String, Option<BTreeSet<String>>>,
    pub actions: ActionsSnapshot,
    pub pull_requests: Vec<PullRequestSnapshot>,
    pub runs: Vec<RunSnapshot>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseSnapshot {
    pub tag: String,
    pub body: String,
    pub draft: bool,
    pub immutable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionsSnapshot {
    pub enabled: bool,
    pub allowed_actions: String,
    pub sha_pinning_required: bool,
    pub default_write: bool,
    pub can_approve_pull_requests: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestSnapshot {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub draft: bool,
    pub head: String,
    pub base: String,
    pub open: bool,
    pub merged: bool,
    /// Who wrote, and what.
    pub comments: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSnapshot {
    pub id: u64,
    pub workflow: String,
    pub tag: String,
    pub commit: String,
    pub status: &'static str,
    pub conclusion: Option<&'static str>,
}

type Decide = Arc<dyn Fn(&RunContext) -> RunOutcome + Send + Sync>;

struct Shared {
    world: Mutex<world::World>,
    decide: Mutex<Decide>,
}

/// The running stand-in. It stops when dropped.
pub struct GithubStandIn {
    shared: Arc<Shared>,
    server: Server,
}

struct Front(Arc<Shared>);

impl Handler for Front {
    fn answer(&self, request: &Request) -> Answer {
        if request.path.contains("/actions/") && request.path.contains("/runs") {
            // The hook may ask this stand-in for something, so the world is not locked meanwhile.
            let undecided = runs::undecided(&mut lock(&self.0.world));
            let decide = Arc::clone(&lock(&self.0.decide));
            for run in undecided {
                let outcome = decide(&run);
                runs::decide(&mut lock(&self.0.world), run.run_id, outcome);
            }
        }
        let base = format!("http://{}", request.header("host").unwrap_or("127.0.0.1"));
        let mut world = lock(&self.0.world);
        let (answer, need) = routes::answer(&mut world, &base, request);
        access::sign(&mut world, need, answer)
    }
}

impl GithubStandIn {
    /// Starts serving on a free loopback port.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub fn start(options: GithubOptions) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            world: Mutex::new(setup::world(options)),
            decide: Mutex::new(Arc::new(|_: &RunContext| RunOutcome::Success)),
        });
        let server = Server::start(Front(Arc::clone(&shared)))?;
        Ok(Self { shared, server })
    }

    /// The value for `GITHUB_API_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The one token that is accepted.
    #[must_use]
    pub fn token(&self) -> Token {
        lock(&self.shared.world).token.reveal(|text| Token::new(text.to_owned()))
    }

    /// The repository with this `owner/name` as it is now.
    #[must_use]
    pub fn repository(&self, full_name: &str) -> Option<RepositorySnapshot> {
        setup::snapshot(&lock(&self.shared.world), full_name)
    }

    /// `owner/name` of every repository.
    #[must_use]
    pub fn repository_names(&self) -> BTreeSet<String> {
        let world = lock(&self.shared.world);
        world.repositories.values().map(|repository| world.full_name(repository)).collect()
    }

    /// Opens a secret with the repository's private key, as a job would see it.
    #[must_use]
    pub fn open_secret(&self, full_name: &str, name: &str) -> Option<SecretString> {
        let world = lock(&self.shared.world);
        let repository = world.repository(world.full_named(full_name)?).ok()?;
        let opened = repository.secret_key.unseal(&repository.secrets.get(name)?.sealed).ok()?;
        String::from_utf8(opened).ok().map(SecretString::from)
    }

    /// The claims of the OIDC token that a job of this run would get; `None` without such a repository.
    #[must_use]
    pub fn claims_for(&self, full_name: &str, run: &WorkflowRunContext) -> Option<Value> {
        let mut world = lock(&self.shared.world);
        let repository = world.full_named(full_name)?;
        claims::of(&mut world, repository, run)
    }

    /// From now on, `decide` says how runs end. It is asked once a run, when its first job would start; it may ask
    /// this stand-in through its methods, but not over HTTP.
    pub fn set_run_outcome(&self, decide: impl Fn(&RunContext) -> RunOutcome + Send + Sync + 'static) {
        *lock(&self.shared.decide) = Arc::new(decide);
    }
}
