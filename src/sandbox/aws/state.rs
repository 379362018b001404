//! What the account holds. Secrets stay wrapped: nothing here is `Debug`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::ecr::{Download, Repository};
use super::{AwsOptions, Clock, Foreign, OPERATOR, PerformedCall};
use crate::model::iam::{PolicyDocument, Statement, Values};
use crate::model::names::AccountId;
use crate::model::observed::{KeyFacts, KeyUse};
use crate::model::region::{Partition, Region};
use crate::model::secrets::AccessKey;
use crate::sandbox::oidc::OidcIssuer;

pub(super) struct World {
    pub(super) account: AccountId,
    pub(super) partition: Partition,
    pub(super) clock: Clock,
    pub(super) operator_policy: PolicyDocument,
    pub(super) issuer: Option<Arc<OidcIssuer>>,
    pub(super) new_key_refusals: usize,
    pub(super) performed: Vec<PerformedCall>,
    pub(super) users: BTreeMap<String, User>,
    pub(super) roles: BTreeMap<String, Role>,
    /// By URL, without `https://`.
    pub(super) providers: BTreeMap<String, Provider>,
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) sessions: BTreeMap<String, Session>,
    /// By region and name.
    pub(super) repositories: BTreeMap<(String, String), Repository>,
    pub(super) downloads: BTreeMap<String, Download>,
    operator_key: String,
    counter: u64,
}

pub(super) struct User {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) path: String,
    pub(super) created: Timestamp,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) policies: InlinePolicies,
    pub(super) foreign: BTreeSet<Foreign>,
}

pub(super) struct Role {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) path: String,
    pub(super) created: Timestamp,
    pub(super) description: Option<String>,
    /// Seconds.
    pub(super) longest_session: u32,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) trust: Document,
    pub(super) policies: InlinePolicies,
    pub(super) foreign: BTreeSet<Foreign>,
}

pub(super) struct Provider {
    pub(super) arn: String,
    pub(super) created: Timestamp,
    pub(super) audiences: BTreeSet<String>,
    pub(super) thumbprints: Vec<String>,
    pub(super) tags: BTreeMap<String, String>,
}

pub(super) struct Key {
    pub(super) user: String,
    pub(super) secret: SecretString,
    pub(super) active: bool,
    pub(super) created: Timestamp,
    /// Order of creation, where two were made in the same second.
    pub(super) number: u64,
    pub(super) last_used: Option<KeyUse>,
    pub(super) refusals_left: usize,
}

pub(super) struct Session {
    pub(super) role: String,
    pub(super) role_id: String,
    pub(super) name: String,
    pub(super) secret: SecretString,
    pub(super) token: SecretString,
    pub(super) expires: Timestamp,
}

/// A policy as it was sent and as it is understood.
pub(super) struct Document {
    pub(super) text: String,
    pub(super) document: PolicyDocument,
}

/// Inline policies by name.
#[derive(Default)]
pub(super) struct InlinePolicies(pub(super) BTreeMap<String, Document>);

impl InlinePolicies {
    pub(super) fn documents(&self) -> BTreeMap<String, PolicyDocument> {
        self.0.iter().map(|(name, policy)| (name.clone(), policy.document.clone())).collect()
    }
}

impl World {
    pub(super) fn new(options: AwsOptions) -> Self {
        let AwsOptions { account, region, operator_policy, clock } = options;
        let everything = || PolicyDocument::new(vec![Statement::allow("All", Values::one("*"), Values::one("*"))]);
        let mut world = Self {
            partition: region.as_ref().map_or(Partition::Aws, Region::partition),
            account,
            clock,
            operator_policy: operator_policy.unwrap_or_else(everything),
            issuer: None,
            new_key_refusals: 0,
            performed: Vec::new(),
            users: BTreeMap::new(),
            roles: BTreeMap::new(),
            providers: BTreeMap::new(),
            keys: BTreeMap::new(),
            sessions: BTreeMap::new(),
            repositories: BTreeMap::new(),
            downloads: BTreeMap::new(),
            operator_key: String::new(),
            counter: 0,
        };
        let operator = User {
            id: new_id("AIDA", 17),
            arn: world.iam_arn(&format!("user/{OPERATOR}")),
            path: "/".into(),
            created: (world.clock)(),
            tags: BTreeMap::new(),
            policies: InlinePolicies::default(),
            foreign: BTreeSet::new(),
        };
        world.users.insert(OPERATOR.into(), operator);
        world.operator_key = world.add_key(OPERATOR).id().to_owned();
        world
    }

    pub(super) fn new_request_id(&mut self) -> String {
        self.counter += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.counter)
    }

    /// Makes a key and hands its secret out this once.
    pub(super) fn add_key(&mut self, user: &str) -> AccessKey {
        self.counter += 1;
        let id = new_id("AKIA", 16);
        let secret = new_secret(40);
        let key = Key {
            user: user.into(),
            secret: SecretString::from(secret.clone()),
            active: true,
            created: (self.clock)(),
            number: self.counter,
            last_used: None,
            refusals_left: if user == OPERATOR { 0 } else { self.new_key_refusals },
        };
        self.keys.insert(id.clone(), key);
        AccessKey::new(id, secret)
    }

    pub(super) fn operator_key(&self) -> AccessKey {
        let secret = self.keys.get(&self.operator_key).map(|key| key.secret.expose_secret().to_owned());
        AccessKey::new(self.operator_key.clone(), secret.unwrap_or_default())
    }

    pub(super) fn keys_of(&self, user: &str) -> Vec<KeyFacts> {
        let mut keys: Vec<(&String, &Key)> = self.keys.iter().filter(|(_, key)| key.user == user).collect();
        keys.sort_by_key(|(_, key)| key.number);
        keys.into_iter()
            .map(|(id, key)| KeyFacts {
                id: id.clone(),
                active: key.active,
                created: key.created,
                last_used: key.last_used.clone(),
            })
            .collect()
    }

    pub(super) fn is_secret_of(&self, key_id: &str, secret: &str) -> bool {
        self.keys.get(key_id).is_some_and(|key| key.secret.expose_secret() == secret)
    }

    pub(super) fn iam_arn(&self, rest: &str) -> String {
        format!("arn:{}:iam::{}:{rest}", self.partition.id(), self.account)
    }

    /// The ARN of a user, or of one that would be made without a path.
    pub(super) fn user_arn(&self, name: &str) -> String {
        self.users.get(name).map_or_else(|| self.iam_arn(&format!("user/{name}")), |user| user.arn.clone())
    }

    /// The ARN of a role, or of one that would be made without a path.
    pub(super) fn role_arn(&self, name: &str) -> String {
        self.roles.get(name).map_or_else(|| self.iam_arn(&format!("role/{name}")), |role| role.arn.clone())
    }

    pub(super) fn session_arn(&self, role: &str, session: &str) -> String {
        format!("arn:{}:sts::{}:assumed-role/{role}/{session}", self.partition.id(), self.account)
    }
}

fn random<const N: usize>(alphabet: &[u8; N], length: usize) -> String {
    let mut bytes = vec![0; length];
    // Without randomness there is no process to speak of; the ids would merely be equal and be refused as such.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes.iter().map(|byte| char::from(alphabet[usize::from(*byte) % N])).collect()
}

/// A unique id as IAM writes them.
pub(super) fn new_id(prefix: &str, length: usize) -> String {
    format!("{prefix}{}", random(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", length))
}

pub(super) fn new_secret(length: usize) -> String {
    random(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", length)
}
