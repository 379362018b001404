//! A strict stand-in for AWS on a loopback port: IAM, STS and ECR. It verifies every signature, asks the policy
//! evaluator about every call, and refuses what AWS refuses; an operation it does not know is an error that says so.

mod authority;
mod ecr;
mod iam;
mod inventory;
mod json;
mod query;
mod refusal;
mod signature;
mod state;
mod sts;
mod tags;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};

use super::http::{Answer, Handler, Request, Server, lock};
use super::oidc::OidcIssuer;
use crate::model::iam::PolicyDocument;
use crate::model::names::AccountId;
use crate::model::observed::{KeyFacts, KeyUse};
use crate::model::region::Region;
use crate::model::secrets::AccessKey;
use query::Params;
use refusal::Protocol;
use state::World;

/// What the stand-in takes for now.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The IAM user that runs sbi.
pub const OPERATOR: &str = "operator";

/// How the account starts out.
pub struct AwsOptions {
    pub account: AccountId,
    /// Decides the partition; repositories live in the region that a request is signed for. `None`: `us-east-1`.
    pub region: Option<Region>,
    /// What the operator may do; `None` is `AdministratorAccess`.
    pub operator_policy: Option<PolicyDocument>,
    /// Dates what the account holds and judges tokens and sessions. Signatures are judged by the machine's clock.
    pub clock: Clock,
}

impl AwsOptions {
    /// An empty account, an administrator and the machine's clock.
    #[must_use]
    pub fn new(account: AccountId) -> Self {
        Self { account, region: None, operator_policy: None, clock: Arc::new(Timestamp::now) }
    }
}

/// One question to IAM: may this caller do this to that? A request can ask several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerformedCall {
    /// `ecr:CreateRepository`
    pub action: String,
    /// An ARN, or `*` for an action that knows no resource.
    pub resource: String,
    pub allowed: bool,
    pub caller_arn: String,
}

/// Something that somebody else put on a user or a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// By ARN.
    ManagedPolicy(String),
    /// By name; a role's.
    InstanceProfile(String),
    /// By name; a user's.
    Group(String),
    /// By serial number; a user's.
    MfaDevice(String),
    /// A user's, for the console.
    Password,
}

impl Foreign {
    fn what(&self) -> &'static str {
        match self {
            Self::ManagedPolicy(_) => "attached policies",
            Self::InstanceProfile(_) => "instance profiles",
            Self::Group(_) => "group memberships",
            Self::MfaDevice(_) => "MFA devices",
            Self::Password => "login profile",
        }
    }
}

/// The running stand-in; it stops when dropped.
pub struct AwsStandIn {
    server: Server,
    world: Arc<Mutex<World>>,
}

impl AwsStandIn {
    /// # Errors
    /// When no loopback port can be had.
    pub fn start(options: AwsOptions) -> std::io::Result<Self> {
        let world = Arc::new(Mutex::new(World::new(options)));
        let server = Server::start(Account { world: Arc::clone(&world) })?;
        Ok(Self { server, world })
    }

    /// For `AWS_ENDPOINT_URL`: one port for every service.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The access key of the person who runs sbi.
    #[must_use]
    pub fn operator_credentials(&self) -> AccessKey {
        self.world().operator_key()
    }

    /// Every right that was asked for so far, in order, granted or not.
    #[must_use]
    pub fn performed(&self) -> Vec<PerformedCall> {
        self.world().performed.clone()
    }

    /// From now on the operator may do this and nothing else.
    pub fn set_operator_policy(&self, policy: PolicyDocument) {
        self.world().operator_policy = policy;
    }

    /// Believes what this issuer signs in the name of GitHub.
    pub fn trust_github_issuer(&self, issuer: Arc<OidcIssuer>) {
        self.world().issuer = Some(issuer);
    }

    /// New access keys are refused this many times before they work, as on AWS in their first seconds.
    pub fn set_new_key_refusals(&self, refusals: usize) {
        self.world().new_key_refusals = refusals;
    }

    /// Names of the ECR repositories of every region.
    #[must_use]
    pub fn repository_names(&self) -> BTreeSet<String> {
        self.world().repositories.keys().map(|(_, name)| name.clone()).collect()
    }

    /// Tag → manifest digest of a repository's tagged images; `None` when there is no such repository.
    #[must_use]
    pub fn image_tags(&self, repository: &str) -> Option<BTreeMap<String, String>> {
        let world = self.world();
        world.repositories.iter().find(|((_, name), _)| name == repository).map(|(_, found)| found.tags_of_images())
    }

    #[must_use]
    pub fn role_names(&self) -> BTreeSet<String> {
        self.world().roles.keys().cloned().collect()
    }

    #[must_use]
    pub fn role_trust(&self, role: &str) -> Option<PolicyDocument> {
        self.world().roles.get(role).map(|role| role.trust.document.clone())
    }

    /// Somebody else changes whom a role trusts.
    pub fn set_role_trust(&self, role: &str, document: PolicyDocument) {
        if let Some(role) = self.world().roles.get_mut(role) {
            role.trust = state::Document { text: document.to_json(), document };
        }
    }

    /// Somebody else puts something on a user.
    pub fn hang_on_user(&self, user: &str, foreign: Foreign) {
        if let Some(user) = self.world().users.get_mut(user) {
            user.foreign.insert(foreign);
        }
    }

    /// Somebody else puts something on a role.
    pub fn hang_on_role(&self, role: &str, foreign: Foreign) {
        if let Some(role) = self.world().roles.get_mut(role) {
            role.foreign.insert(foreign);
        }
    }

    /// Where and when a key was last used.
    pub fn set_key_use(&self, key_id: &str, last: KeyUse) {
        if let Some(key) = self.world().keys.get_mut(key_id) {
            key.last_used = Some(last);
        }
    }

    /// Pushes an image without layers past all rights; the digest, or `None` when there is no such repository.
    pub fn add_image(&self, repository: &str, tag: Option<&str>) -> Option<String> {
        ecr::add_image(&mut self.world(), repository, tag)
    }

    /// Somebody else tags an ECR repository.
    pub fn tag_repository(&self, repository: &str, key: &str, value: &str) {
        for ((_, name), found) in &mut self.world().repositories {
            if name == repository {
                found.tags.insert(key.to_owned(), value.to_owned());
            }
        }
    }

    /// The tags of an ECR repository.
    #[must_use]
    pub fn repository_tags(&self, repository: &str) -> Option<BTreeMap<String, String>> {
        let world = self.world();
        world.repositories.iter().find(|((_, name), _)| name == repository).map(|(_, found)| found.tags.clone())
    }

    /// Somebody else switches scanning off.
    pub fn switch_scan_on_push_off(&self, repository: &str) {
        for ((_, name), found) in &mut self.world().repositories {
            if name == repository {
                found.scan_on_push = false;
            }
        }
    }

    /// Name → document of a role's inline policies.
    #[must_use]
    pub fn role_policies(&self, role: &str) -> Option<BTreeMap<String, PolicyDocument>> {
        self.world().roles.get(role).map(|role| role.policies.documents())
    }

    /// Every IAM user but the operator.
    #[must_use]
    pub fn user_names(&self) -> BTreeSet<String> {
        self.world().users.keys().filter(|name| *name != OPERATOR).cloned().collect()
    }

    /// Name → document of a user's inline policies.
    #[must_use]
    pub fn user_policies(&self, user: &str) -> Option<BTreeMap<String, PolicyDocument>> {
        self.world().users.get(user).map(|user| user.policies.documents())
    }

    /// A user's access keys, oldest first.
    #[must_use]
    pub fn access_keys(&self, user: &str) -> Vec<KeyFacts> {
        self.world().keys_of(user)
    }

    /// Makes a key, and its last use, look that much older.
    pub fn age_access_key(&self, id: &str, by: SignedDuration) {
        if let Some(key) = self.world().keys.get_mut(id) {
            key.created -= by;
            key.last_used = key.last_used.take().map(|used| KeyUse { at: used.at - by, ..used });
        }
    }

    /// As if somebody had used a key just now.
    pub fn use_access_key(&self, id: &str, service: &str, region: &str) {
        let mut world = self.world();
        let at = (world.clock)();
        if let Some(key) = world.keys.get_mut(id) {
            key.last_used = Some(KeyUse { at, service: service.into(), region: region.into() });
        }
    }

    /// Whether this is the secret access key of that key id.
    #[must_use]
    pub fn is_secret_of(&self, key_id: &str, secret: &str) -> bool {
        self.world().is_secret_of(key_id, secret)
    }

    /// URL without `https://` → audiences of the account's OIDC providers.
    #[must_use]
    pub fn oidc_providers(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.world().providers.iter().map(|(url, provider)| (url.clone(), provider.audiences.clone())).collect()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }
}

struct Account {
    world: Arc<Mutex<World>>,
}

impl Handler for Account {
    fn answer(&self, request: &Request) -> Answer {
        let mut world = lock(&self.world);
        if request.method == "GET" && request.path.starts_with(ecr::DOWNLOADS) {
            return ecr::download(&world, request);
        }
        match request.header("x-amz-target") {
            Some(target) => json::answer(&mut world, request, target),
            None => query::answer(&mut world, request, &Params::parse(&request.body)),
        }
    }
}

/// Which service a signed request is for, by the scope of its credential.
fn scope_refusal(protocol: Protocol, wanted: &str, found: &str) -> Option<refusal::Refusal> {
    (wanted != found).then(|| {
        refusal::Refusal::signature(
            protocol,
            format!("Credential should be scoped to correct service: '{wanted}', not '{found}'."),
        )
    })
}
