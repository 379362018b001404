//! Everything the stand-in knows: accounts, the one token, and repositories with all that belongs to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crypto_box::SecretKey;
use crypto_box::aead::OsRng;
use crypto_box::aead::rand_core::RngCore as _;
use jiff::Timestamp;

use super::objects::{Commit, Entry, Files, Mode, Objects, Person};
use super::reply::{Reply, not_found};
use super::{RunOutcome, TokenScopes};
use crate::model::secrets::Token;

/// Tells the time, so that a test can.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) viewer: u64,
    pub(super) accounts: BTreeMap<u64, Account>,
    pub(super) token: Token,
    pub(super) scopes: TokenScopes,
    pub(super) expired: bool,
    /// Organizations that want the token authorised for single sign-on.
    pub(super) sso: BTreeSet<u64>,
    /// Organizations that answer to the addresses of their list alone.
    pub(super) walled: BTreeSet<u64>,
    pub(super) limit: Limit,
    pub(super) used: u32,
    pub(super) repositories: BTreeMap<u64, Repository>,
    /// A former `owner/name`, in lower case → the repository.
    pub(super) renamed: BTreeMap<String, u64>,
    /// `owner/name`, in lower case, and a tag that an immutable release has used up.
    pub(super) burned: BTreeSet<(String, String)>,
    /// What new repositories' OIDC subjects look like.
    pub(super) immutable_subjects: bool,
    pub(super) tells_subject_prefix: bool,
    /// How often a new run is left out of the list before it shows.
    pub(super) run_delay: u32,
    pub(super) next_id: u64,
}

/// Why requests are refused for their number.
pub(super) enum Limit {
    /// This many more are answered before the hour is used up.
    Remaining(u32),
    /// The secondary limit: wait this many seconds.
    Secondary(u64),
}

pub(super) struct Account {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) organization: bool,
    pub(super) plan: String,
    /// The viewer, or an organization that the viewer owns.
    pub(super) administered: bool,
}

pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) owner: u64,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) private: bool,
    pub(super) archived: bool,
    pub(super) default_branch: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) objects: Objects,
    /// Full name → object id; no entry at all while the repository is empty.
    pub(super) refs: BTreeMap<String, String>,
    pub(super) secret_key: SecretKey,
    pub(super) key_id: String,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) environments: BTreeMap<String, Environment>,
    pub(super) actions: Actions,
    pub(super) subject: Subject,
    pub(super) immutable_releases: bool,
    pub(super) releases: Vec<Release>,
    pub(super) pulls: Vec<Pull>,
    pub(super) workflows: Vec<WorkflowFile>,
    pub(super) runs: Vec<Run>,
    /// Of code scanning; `None` while there was no analysis.
    pub(super) alerts: Option<Vec<Alert>>,
    /// `None` when issues are switched off.
    pub(super) issues: Option<Vec<Issue>>,
    /// On issues and pull requests, in the order of their writing.
    pub(super) comments: Vec<Comment>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) rulesets: Vec<Ruleset>,
    /// Branch → classic protection.
    pub(super) protection: BTreeMap<String, Rules>,
}

pub(super) struct Secret {
    pub(super) sealed: Vec<u8>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

pub(super) struct Environment {
    pub(super) id: u64,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) policy: DeploymentPolicy,
    pub(super) patterns: Vec<Pattern>,
    /// Names only: nothing here reads them.
    pub(super) secrets: BTreeSet<String>,
    /// Name → value.
    pub(super) variables: BTreeMap<String, String>,
    /// Numbers of the accounts that must agree to a deployment.
    pub(super) reviewers: BTreeSet<u64>,
    /// Minutes that a deployment waits.
    pub(super) wait_timer: u64,
}

/// Which refs may deploy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DeploymentPolicy {
    Any,
    ProtectedBranches,
    Custom,
}

pub(super) struct Pattern {
    pub(super) id: u64,
    pub(super) name: String,
    /// `branch` or `tag`.
    pub(super) kind: String,
}

/// Settings → Actions → General. The defaults are those of a new personal repository since February 2023.
pub(super) struct Actions {
    pub(super) enabled: bool,
    pub(super) allowed_actions: String,
    pub(super) sha_pinning_required: bool,
    pub(super) default_write: bool,
    pub(super) can_approve: bool,
}

pub(super) struct Subject {
    pub(super) use_default: bool,
    pub(super) claim_keys: Vec<String>,
    pub(super) immutable: bool,
}

pub(super) struct Release {
    pub(super) id: u64,
    pub(super) tag: String,
    pub(super) target: String,
    pub(super) name: Option<String>,
    pub(super) body: Option<String>,
    pub(super) draft: bool,
    pub(super) prerelease: bool,
    pub(super) immutable: bool,
    pub(super) created: Timestamp,
    pub(super) published: Option<Timestamp>,
}

pub(super) struct Pull {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) head: String,
    pub(super) base: String,
    pub(super) draft: bool,
    pub(super) open: bool,
    /// The merge's commit and when it happened.
    pub(super) merged: Option<(String, Timestamp)>,
    /// The head's last commit once the pull request is closed: its branch may be gone.
    pub(super) closed: Option<(String, Timestamp)>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

/// An alert of code scanning.
pub(super) struct Alert {
    pub(super) number: u64,
    pub(super) tool: String,
    /// `critical`, `high`, `medium`, `low`; `None` where the tool told none.
    pub(super) severity: Option<String>,
    pub(super) open: bool,
    pub(super) created: Timestamp,
}

pub(super) struct Issue {
    pub(super) number: u64,
    pub(super) login: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) open: bool,
    pub(super) created: Timestamp,
}

pub(super) struct Comment {
    pub(super) id: u64,
    /// Of the issue or pull request.
    pub(super) number: u64,
    pub(super) login: String,
    pub(super) body: String,
    pub(super) created: Timestamp,
}

pub(super) struct WorkflowFile {
    pub(super) id: u64,
    pub(super) path: String,
    pub(super) name: String,
    /// `active`, or why it is not: `disabled_inactivity`, `disabled_manually`.
    pub(super) state: &'static str,
    pub(super) created: Timestamp,
}

pub(super) struct Run {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) workflow: u64,
    pub(super) path: String,
    pub(super) name: String,
    pub(super) event: String,
    pub(super) head: String,
    /// `refs/tags/v1.0.0`, `refs/heads/main`
    pub(super) reference: String,
    pub(super) title: String,
    pub(super) created: Timestamp,
    /// `None` when the workflow file can't be read: the run fails before any job.
    pub(super) jobs: Option<Vec<super::workflow::Job>>,
    pub(super) first_job: u64,
    /// How often the list will still leave it out.
    pub(super) hidden: u32,
    /// How often it was asked for.
    pub(super) polls: u32,
    pub(super) outcome: Option<RunOutcome>,
}

pub(super) struct Ruleset {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) branch: String,
    pub(super) rules: Rules,
}

/// What a branch asks of a commit.
#[derive(Clone, Copy, Default)]
pub struct Rules {
    pub pull_request: bool,
    pub signatures: bool,
}

impl World {
    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn account(&self, login: &str) -> Option<&Account> {
        self.accounts.values().find(|account| account.login.eq_ignore_ascii_case(login))
    }

    pub(super) fn viewer(&self) -> Reply<&Account> {
        self.accounts.get(&self.viewer).ok_or_else(not_found)
    }

    pub(super) fn owner(&self, repository: &Repository) -> Reply<&Account> {
        self.accounts.get(&repository.owner).ok_or_else(not_found)
    }

    pub(super) fn repository(&self, id: u64) -> Reply<&Repository> {
        self.repositories.get(&id).ok_or_else(not_found)
    }

    pub(super) fn repository_mut(&mut self, id: u64) -> Reply<&mut Repository> {
        self.repositories.get_mut(&id).ok_or_else(not_found)
    }

    /// The repository that has this name today.
    pub(super) fn named(&self, owner: &str, name: &str) -> Option<&Repository> {
        let owner = self.account(owner)?.id;
        self.repositories.values().find(|r| r.owner == owner && r.name.eq_ignore_ascii_case(name))
    }

    /// The repository of `owner/name`.
    pub(super) fn full_named(&self, full_name: &str) -> Option<u64> {
        let (owner, name) = full_name.split_once('/')?;
        self.named(owner, name).map(|repository| repository.id)
    }

    pub(super) fn full_name(&self, repository: &Repository) -> String {
        let owner = self.accounts.get(&repository.owner).map_or("", |account| account.login.as_str());
        format!("{owner}/{}", repository.name)
    }

    /// What a commit made through the API has as author and committer.
    pub(super) fn person(&self) -> Reply<Person> {
        let viewer = self.viewer()?;
        Ok(Person {
            name: viewer.login.clone(),
            email: format!("{}+{}@users.noreply.github.com", viewer.id, viewer.login),
            seconds: self.now().as_second(),
        })
    }

    pub(super) fn create_repository(
        &mut self,
        owner: u64,
        name: &str,
        private: bool,
        description: Option<String>,
    ) -> u64 {
        let now = self.now();
        let id = self.id();
        let key_id = format!("56802805{id:010}");
        let repository = Repository {
            id,
            owner,
            name: name.to_owned(),
            description,
            private,
            archived: false,
            default_branch: "main".into(),
            created: now,
            updated: now,
            objects: Objects::new(),
            refs: BTreeMap::new(),
            secret_key: SecretKey::generate(&mut OsRng),
            key_id,
            secrets: BTreeMap::new(),
            environments: BTreeMap::new(),
            actions: Actions {
                enabled: true,
                allowed_actions: "all".into(),
                sha_pinning_required: false,
                default_write: false,
                can_approve: false,
            },
            subject: Subject { use_default: true, claim_keys: Vec::new(), immutable: self.immutable_subjects },
            immutable_releases: false,
            releases: Vec::new(),
            pulls: Vec::new(),
            workflows: Vec::new(),
            runs: Vec::new(),
            alerts: None,
            issues: Some(Vec::new()),
            comments: Vec::new(),
            variables: BTreeMap::new(),
            rulesets: Vec::new(),
            protection: BTreeMap::new(),
        };
        self.renamed.remove(&self.full_name(&repository).to_lowercase());
        self.repositories.insert(id, repository);
        id
    }
}

impl Repository {
    /// Whether pull requests can be drafts here: in every public repository, in private ones with a plan for teams.
    pub(super) fn has_drafts(&self, owner: &Account) -> bool {
        !self.private || !matches!(owner.plan.as_str(), "free" | "pro")
    }

    /// Of the next issue or pull request: they are numbered together.
    pub(super) fn next_number(&self) -> u64 {
        let issues = self.issues.iter().flatten().map(|issue| issue.number);
        issues.chain(self.pulls.iter().map(|pull| pull.number)).max().unwrap_or(0) + 1
    }

    pub(super) fn branch(&self, name: &str) -> Option<&String> {
        self.refs.get(&format!("refs/heads/{name}"))
    }

    /// The commit of a tag, annotated or not.
    pub(super) fn tag(&self, name: &str) -> Option<&String> {
        self.refs.get(&format!("refs/tags/{name}")).map(|id| self.objects.peel(id))
    }

    pub(super) fn head(&self) -> Option<&String> {
        self.branch(&self.default_branch)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.refs.is_empty()
    }

    pub(super) fn branches(&self) -> impl Iterator<Item = (&str, &str)> {
        self.refs.iter().filter_map(|(name, id)| Some((name.strip_prefix("refs/heads/")?, id.as_str())))
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let tags = self.refs.iter().filter_map(|(name, id)| Some((name.strip_prefix("refs/tags/")?, id)));
        tags.map(|(name, id)| (name, self.objects.peel(id).as_str()))
    }

    /// A commit named by a branch, a tag, a full ref or its id.
    pub(super) fn resolve(&self, name: &str) -> Option<String> {
        [format!("refs/heads/{name}"), format!("refs/tags/{name}"), name.to_owned()]
            .iter()
            .find_map(|full| self.refs.get(full))
            .map(|id| self.objects.peel(id).clone())
            .or_else(|| self.objects.commit(name).map(|_| name.to_owned()))
    }

    /// The files on a branch, none when it doesn't exist.
    pub(super) fn files_at(&self, commit: Option<&String>) -> Files {
        commit.and_then(|id| self.objects.files(id)).unwrap_or_default()
    }

    /// What the rulesets and the classic protection of a branch ask for together.
    pub(super) fn rules(&self, branch: &str) -> Rules {
        let mut rules = self.protection.get(branch).copied().unwrap_or_default();
        for ruleset in self.rulesets.iter().filter(|ruleset| ruleset.branch == branch) {
            rules.pull_request |= ruleset.rules.pull_request;
            rules.signatures |= ruleset.rules.signatures;
        }
        rules
    }

    /// Commits these files on top of `parent` and returns the commit's id; no ref moves.
    pub(super) fn write_commit(
        &mut self,
        parent: Option<&String>,
        files: &Files,
        person: &Person,
        message: &str,
        signed: bool,
    ) -> String {
        let tree = self.objects.put_files(files);
        let committer = if signed {
            Person { name: "GitHub".into(), email: "noreply@github.com".into(), seconds: person.seconds }
        } else {
            person.clone()
        };
        self.objects.put_commit(Commit {
            tree,
            parents: parent.into_iter().cloned().collect(),
            author: person.clone(),
            committer,
            message: message.to_owned(),
            signature: signed.then(|| SIGNATURE.to_owned()),
            verified: signed,
        })
    }

    /// Puts a plain file into a list of files.
    pub(super) fn put_file(&mut self, files: &mut Files, path: &str, bytes: Vec<u8>) {
        let mode = files.get(path).map_or(Mode::File, |entry| entry.mode);
        let id = self.objects.put_blob(bytes);
        files.insert(path.to_owned(), Entry { mode, id });
    }
}

/// Stands for the signature that GitHub's own key makes.
pub(super) const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----\n\nc3RhbmQtaW4=\n-----END PGP SIGNATURE-----\n";

/// `length` letters and digits that nobody can guess.
pub(super) fn unguessable(length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut bytes = vec![0; length];
    OsRng.fill_bytes(&mut bytes);
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

/// A time as GitHub writes it: UTC, whole seconds.
pub(super) fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
