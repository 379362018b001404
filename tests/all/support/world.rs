//! A model of AWS and GitHub that planning and applying are tested against: plain data and the order that both
//! services insist on. The stand-ins and emulators judge the adapters; this judges the plan.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use sbi::apply::{Outputs, System};
use sbi::failure::{Cause, Failure};
use sbi::model::commit::Delivery;
use sbi::model::config::{Auth, Config};
use sbi::model::desired::{Desired, RenderedFile};
use sbi::model::git::{BlobId, CommitId};
use sbi::model::holdings::Holdings;
use sbi::model::identity::{Purpose, ReadingRef, SubjectContext, provider_arn};
use sbi::model::lock::{LOCK_FILE, Lock};
use sbi::model::observed::*;
use sbi::model::pins::Pins;
use sbi::model::secrets::ACCESS_KEY_SECRET;
use sbi::plan::step::{AdmittedRefs, Ownership, Produced, Step};
use sbi::plan::{Known, StepId};

/// Where a step is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    /// Nothing has happened yet.
    Before,
    /// Part of it has: a key is made but in no secret.
    Midway,
    /// All of it has, but the answer is lost.
    After,
}

pub(crate) struct World {
    pub(crate) observed: RefCell<Observed>,
    /// What only taking things back looks at.
    pub(crate) holdings: RefCell<Holdings>,
    /// Seconds since the model's beginning; every step takes a minute, so that births and uploads are told apart.
    clock: Cell<i64>,
    next: Cell<u64>,
    /// The step, by its place in the order of starts, that is hit.
    pub(crate) hit: Cell<Option<(usize, Hit)>>,
    started: Cell<usize>,
    /// How often a step gives way before it takes effect, by what it is.
    pub(crate) patience: Box<dyn Fn(&Step) -> usize>,
}

pub(crate) fn config(auth: Auth) -> Config {
    config_of(auth, &["static-go"])
}

/// Planning knows no catalogue: any names will do.
pub(crate) fn config_of(auth: Auth, images: &[&str]) -> Config {
    let auth = auth.as_str();
    Config::parse(&format!(
        r#"
        [github]
        repository = "acme/bases"
        visibility = "public"
        [aws]
        account = "123456789012"
        region = "eu-central-1"
        [ecr]
        repository = "acme/bases"
        [publish]
        auth = "{auth}"
        images = {images:?}
        release = "v1.0.0"
        environment = "publish"
        [publisher]
        name = "Acme"
        security-contact = "security@acme.example"
        "#
    ))
    .unwrap()
}

pub(crate) fn desired(auth: Auth) -> Desired {
    desired_of(auth, &["static-go"])
}

pub(crate) fn desired_of(auth: Auth, images: &[&str]) -> Desired {
    let config = config_of(auth, images);
    let file = |path: &str, text: &str| RenderedFile { path: path.into(), text: text.into() };
    Desired {
        files: vec![
            file(".github/workflows/publish-to-ecr.yml", "name: Publish\n"),
            file("README.md", "# Acme\n"),
            file("images/static-go/Dockerfile", "FROM scratch\n"),
            file("sbi.toml", &config.to_text()),
        ],
        images: pins(),
        templates: "1.2.3".into(),
        subject: SubjectContext::Environment("publish".parse().unwrap()),
        reading: match auth {
            Auth::Oidc => BTreeSet::from([ReadingRef::ReleaseTag, ReadingRef::DefaultBranch]),
            Auth::AccessKey => BTreeSet::new(),
        },
        release_notes: config
            .publish
            .images
            .iter()
            .map(|image| (image.clone(), format!("The first release of {image}\n<!-- sbi -->\n")))
            .collect(),
        overwrite: BTreeSet::new(),
        adopt: false,
        by_pull_request: false,
        config,
    }
}

/// What the rendered files build on.
fn pins() -> Pins {
    let mut pins = Pins::default();
    let digest = format!("sha256:{}", "0a".repeat(32));
    pins.insert("gcr.io/distroless/static-debian13:nonroot", digest.parse().unwrap());
    pins
}

/// An account and a person with nothing in them.
pub(crate) fn nothing() -> Observed {
    Observed {
        aws: AwsObserved {
            caller: CallerIdentity {
                account: "123456789012".parse().unwrap(),
                arn: "arn:aws:iam::123456789012:user/operator".into(),
            },
            ecr_repositories: BTreeMap::new(),
            oidc_provider: None,
            role: None,
            read_role: None,
            user: None,
        },
        github: GithubObserved {
            viewer: Viewer {
                login: "acme".into(),
                id: 7,
                token: TokenKind::Scoped(["repo".to_owned(), "workflow".to_owned()].into()),
            },
            owner: Owner { login: "acme".into(), id: 7, is_organization: false, plan: Some("free".into()) },
            repository: None,
        },
    }
}

pub(crate) fn identity() -> GithubIdentity {
    GithubIdentity {
        repository_id: 9,
        owner_id: 7,
        subject_prefix: "repo:acme@7/bases@9".into(),
        default_branch: "main".into(),
    }
}

/// A repository as GitHub makes it, with its own first commit or empty.
pub(crate) fn fresh_repository(empty: bool) -> GithubRepository {
    let readme = "# bases\nHardened container base images, built, scanned and published by release\n";
    GithubRepository {
        identity: identity(),
        full_name: "acme/bases".into(),
        former_names: BTreeSet::new(),
        texts: BTreeMap::new(),
        subject: SubjectTemplate::Default,
        private: false,
        archived: false,
        can_admin: true,
        can_push: true,
        head: (!empty).then(|| CommitId::told("0".repeat(40))),
        files: if empty {
            BTreeMap::new()
        } else {
            BTreeMap::from([("README.md".to_owned(), BlobId::of(readme.as_bytes()))])
        },
        lock: None,
        secrets: BTreeMap::new(),
        environments: BTreeMap::new(),
        environments_hidden: false,
        actions: Some(ActionsPermissions {
            enabled: true,
            allowed_actions: Some("all".into()),
            sha_pinning_required: false,
            default_write: true,
            can_approve_pull_requests: false,
        }),
        branch_rules: BranchRules::default(),
        releases: Vec::new(),
        tags: BTreeSet::new(),
        pull_requests: Vec::new(),
    }
}

impl World {
    pub(crate) fn new(observed: Observed) -> Self {
        Self {
            observed: RefCell::new(observed),
            holdings: RefCell::default(),
            clock: Cell::new(1_000_000),
            next: Cell::new(1),
            hit: Cell::new(None),
            started: Cell::new(0),
            patience: Box::new(|_| 0),
        }
    }

    /// Forgets how many steps were started, for the next run.
    pub(crate) fn next_run(&self) {
        self.started.set(0);
        self.hit.set(None);
    }

    fn now(&self) -> Timestamp {
        self.clock.set(self.clock.get() + 60);
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(self.clock.get())
    }

    fn number(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    fn effect(&self, step: &Step, outputs: &Outputs, midway: bool) -> Result<Produced, Failure> {
        let mut observed = self.observed.borrow_mut();
        let Observed { aws, github } = &mut *observed;
        let mut holdings = self.holdings.borrow_mut();
        let absent = |what: &str| Failure::new(format!("{what} does not exist yet")).because(Cause::NotFound);
        let exists = |what: &str| Failure::new(format!("{what} exists")).because(Cause::Exists);
        match step {
            Step::CreateEcrRepository { arn, name, tag_mutability, owner } => {
                if aws.ecr_repositories.contains_key(name) {
                    return Err(exists("the ECR repository"));
                }
                let made = EcrRepository {
                    arn: arn.clone(),
                    uri: String::new(),
                    tag_mutability: tag_mutability.clone(),
                    scan_on_push: true,
                    encryption: Encryption::Aes256,
                    lifecycle: None,
                    tags: known_tags(owner, outputs)?,
                };
                aws.ecr_repositories.insert(name.clone(), made);
            }
            Step::SetEcrTagMutability { name, to, .. } => {
                aws.ecr_repositories.get_mut(name).ok_or_else(|| absent("ECR"))?.tag_mutability = to.clone();
            }
            Step::SetEcrScanOnPush { name, .. } => {
                aws.ecr_repositories.get_mut(name).ok_or_else(|| absent("ECR"))?.scan_on_push = true;
            }
            Step::SetEcrLifecycle { name, policy, .. } => {
                aws.ecr_repositories.get_mut(name).ok_or_else(|| absent("ECR"))?.lifecycle = Some(policy.clone());
            }
            Step::TagEcrRepository { name, owner, .. } => {
                let tags = known_tags(owner, outputs)?;
                aws.ecr_repositories.get_mut(name).ok_or_else(|| absent("ECR"))?.tags.extend(tags);
            }
            Step::CreateOidcProvider { arn, audience, .. } => {
                if aws.oidc_provider.is_some() {
                    return Err(exists("the provider"));
                }
                aws.oidc_provider =
                    Some(OidcProvider { arn: arn.clone(), audiences: BTreeSet::from([audience.clone()]) });
            }
            Step::AddOidcAudience { audience, .. } => {
                aws.oidc_provider.as_mut().ok_or_else(|| absent("provider"))?.audiences.insert(audience.clone());
            }
            Step::CreateRole { arn, trust, owner, .. } => {
                if role_mut(aws, trust.purpose()).is_some() {
                    return Err(exists("the role"));
                }
                if aws.oidc_provider.as_ref().is_none_or(|p| !p.audiences.contains("sts.amazonaws.com")) {
                    return Err(absent("the provider's audience"));
                }
                let identity = known_identity(&trust.github, outputs)?;
                let (purpose, trust) = (trust.purpose(), trust.document(&identity));
                let tags = known_tags(owner, outputs)?;
                *role_mut(aws, purpose) = Some(Role { arn: arn.clone(), trust, policy: None, tags });
            }
            Step::TagRole { name, owner, .. } => {
                let tags = known_tags(owner, outputs)?;
                let mut roles = aws.role.iter_mut().chain(&mut aws.read_role);
                let role = roles.find(|role| role.arn.ends_with(&format!(":role/{name}")));
                role.ok_or_else(|| absent("role"))?.tags.extend(tags);
            }
            Step::TagUser { owner, .. } => {
                let tags = known_tags(owner, outputs)?;
                aws.user.as_mut().ok_or_else(|| absent("user"))?.tags.extend(tags);
            }
            Step::SetRoleTrust { trust, .. } => {
                if aws.oidc_provider.as_ref().is_none_or(|p| !p.audiences.contains("sts.amazonaws.com")) {
                    return Err(absent("the provider's audience"));
                }
                let identity = known_identity(&trust.github, outputs)?;
                let role = role_mut(aws, trust.purpose());
                role.as_mut().ok_or_else(|| absent("role"))?.trust = trust.document(&identity);
            }
            Step::SetRolePolicy { purpose, document, .. } => {
                role_mut(aws, *purpose).as_mut().ok_or_else(|| absent("role"))?.policy = Some(document.clone());
            }
            Step::CreateUser { arn, owner, .. } => {
                if aws.user.is_some() {
                    return Err(exists("the user"));
                }
                let tags = known_tags(owner, outputs)?;
                aws.user = Some(User { arn: arn.clone(), policy: None, tags, keys: Vec::new() });
            }
            Step::SetUserPolicy { document, .. } => {
                aws.user.as_mut().ok_or_else(|| absent("user"))?.policy = Some(document.clone());
            }
            Step::DeleteAccessKey { key_id, .. } => {
                aws.user.as_mut().ok_or_else(|| absent("user"))?.keys.retain(|key| key.id != *key_id);
            }
            Step::DeactivateAccessKey { key_id, .. } => {
                let keys = &mut aws.user.as_mut().ok_or_else(|| absent("user"))?.keys;
                keys.iter_mut().filter(|key| key.id == *key_id).for_each(|key| key.active = false);
            }
            // Nobody uses anything in this model, and no run is under way.
            Step::WatchAccessKey { .. } | Step::DrainRuns { .. } | Step::CheckAccess { .. } => {}
            Step::IssueAccessKey { .. } => {
                let user = aws.user.as_mut().ok_or_else(|| absent("user"))?;
                if user.keys.len() >= 2 {
                    return Err(Failure::new("a third key"));
                }
                if user.policy.is_none() {
                    return Err(absent("the right to try the key on ECR"));
                }
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                let id = format!("AKIA{}", self.number());
                user.keys.push(KeyFacts { id: id.clone(), active: true, created: self.now(), last_used: None });
                if midway {
                    return Err(Failure::new("killed"));
                }
                repository.secrets.insert(ACCESS_KEY_SECRET.into(), self.now());
                return Ok(Produced::AccessKey { id });
            }
            Step::CreateGithubRepository { .. } => {
                if github.repository.is_some() {
                    return Err(exists("the GitHub repository"));
                }
                let made = fresh_repository(false);
                let produced = Produced::GithubRepository {
                    identity: made.identity.clone(),
                    head: made.head.clone().unwrap(),
                    url: String::new(),
                };
                github.repository = Some(made);
                return Ok(produced);
            }
            Step::StartGithubHistory { text, .. } => {
                let id = CommitId::told(format!("{:040}", self.number()));
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                repository.head = Some(id.clone());
                repository.files.insert("sbi.toml".into(), BlobId::of(text.as_bytes()));
                return Ok(Produced::Commit { id, url: String::new() });
            }
            Step::RestrictWorkflowToken { .. } => {
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                let actions = repository.actions.as_mut().unwrap();
                actions.default_write = false;
                actions.can_approve_pull_requests = false;
            }
            Step::RequirePinnedActions { .. } => {
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                repository.actions.as_mut().unwrap().sha_pinning_required = true;
            }
            Step::SetEnvironment { name, admits, .. } => {
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                let environment =
                    repository.environments.entry(name.to_string()).or_insert(Environment { admits: None });
                let policies = environment.admits.get_or_insert_default();
                match admits {
                    AdmittedRefs::Tags(patterns) => policies.tags.extend(patterns.clone()),
                    AdmittedRefs::DefaultBranch(branch) => {
                        let branch = match branch {
                            Known::Now(branch) => branch.clone(),
                            Known::After(step) => produced_identity(*step, outputs)?.default_branch,
                        };
                        policies.branches.insert(branch);
                    }
                }
            }
            Step::PutSecret { name, .. } => {
                let at = self.now();
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                repository.secrets.insert(name.clone(), at);
            }
            Step::CommitFiles { commit, parent } => {
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                let parent = match parent {
                    Known::Now(id) => id.clone(),
                    Known::After(step) => match outputs.get(*step) {
                        Some(Produced::GithubRepository { head, .. }) => head.clone(),
                        Some(Produced::Commit { id, .. }) => id.clone(),
                        _ => return Err(absent("the parent commit")),
                    },
                };
                let blobs = commit.files.iter().map(|(path, text)| (path.clone(), BlobId::of(text.as_bytes())));
                if commit.deletions.iter().any(|path| !repository.files.contains_key(path)) {
                    return Err(absent("a file that is to be deleted"));
                }
                let left = |files: &BTreeMap<String, BlobId>| -> BTreeMap<String, BlobId> {
                    let stays = |(path, _): &(&String, &BlobId)| !commit.deletions.contains(*path);
                    let stay = files.iter().filter(stays).map(|(path, blob)| (path.clone(), blob.clone()));
                    stay.chain(blobs).collect()
                };
                if let Delivery::PullRequest { branch, title, body, draft, open } = &commit.delivery {
                    let number = open.as_ref().map_or_else(|| self.number(), |open| open.number);
                    let url = format!("https://github.com/acme/bases/pull/{number}");
                    repository.pull_requests.retain(|open| open.number != number);
                    holdings.branches.insert(branch.clone());
                    let files = left(&repository.files);
                    repository.pull_requests.push(PullRequest {
                        number,
                        branch: branch.clone(),
                        url: url.clone(),
                        node_id: format!("PR_{number}"),
                        title: title.clone(),
                        body: body.clone(),
                        draft: *draft,
                        head: CommitId::told(format!("{:040}", self.number())),
                        head_is_ours: true,
                        files,
                        lock: commit.files.get(LOCK_FILE).and_then(|text| Lock::parse(text).ok()),
                    });
                    return Ok(Produced::PullRequest { number, url });
                }
                if repository.head.as_ref() != Some(&parent) {
                    return Err(Failure::new("not a fast forward"));
                }
                let id = CommitId::told(format!("{:040}", self.number()));
                if commit.whole_tree {
                    repository.files.clear();
                }
                repository.files = left(&repository.files);
                // GitHub's trees hold something.
                if repository.files.is_empty() {
                    return Err(Failure::new("an empty tree"));
                }
                if let Some(lock) = commit.files.get(LOCK_FILE) {
                    repository.lock = Some(Lock::parse(lock).unwrap());
                }
                if commit.deletions.contains(LOCK_FILE) {
                    repository.lock = None;
                }
                repository.head = Some(id.clone());
                return Ok(Produced::Commit { id, url: String::new() });
            }
            Step::UpdatePullRequest { open, title, body, draft, .. } => {
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                let found = repository.pull_requests.iter_mut().find(|found| found.number == open.number);
                let found = found.ok_or_else(|| absent("pull request"))?;
                (found.title, found.body, found.draft) = (title.clone(), body.clone(), *draft);
                return Ok(Produced::PullRequest { number: found.number, url: found.url.clone() });
            }
            Step::ClosePullRequest { branch, open, .. } => {
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                repository.pull_requests.retain(|found| found.number != open.number);
                holdings.branches.remove(branch);
            }
            Step::CreateRelease { tag, .. } => {
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                if !repository.tags.insert(tag.to_string()) {
                    return Err(exists("the tag"));
                }
                repository.releases.push(Release { tag: tag.clone(), draft: false, ours: true, url: String::new() });
                return Ok(Produced::Release { url: String::new() });
            }
            Step::DeleteRolePolicy { purpose, .. } => {
                if let Some(role) = role_mut(aws, *purpose) {
                    role.policy = None;
                }
            }
            Step::DeleteRole { name, .. } => {
                let named = |role: &&mut Option<Role>| {
                    role.as_ref().is_some_and(|role| role.arn.ends_with(&format!("/{name}")))
                };
                if let Some(role) = [&mut aws.role, &mut aws.read_role].into_iter().find(named) {
                    if role.as_ref().is_some_and(|role| role.policy.is_some()) {
                        return Err(Failure::new("must delete policies first"));
                    }
                    *role = None;
                }
            }
            Step::DeleteUserPolicy { .. } => {
                if let Some(user) = &mut aws.user {
                    user.policy = None;
                }
            }
            Step::DeleteUser { .. } => {
                if aws.user.as_ref().is_some_and(|user| user.policy.is_some() || !user.keys.is_empty()) {
                    return Err(Failure::new("must delete policies and keys first"));
                }
                aws.user = None;
            }
            Step::DeleteSecret { name, .. } => {
                github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?.secrets.remove(name);
            }
            Step::DeleteImages { name, images, .. } => {
                let found = holdings.images.get_mut(name).ok_or_else(|| absent("ECR"))?;
                // Midway one image is gone, and the rest is not.
                let going = if midway { &images[..1] } else { &images[..] };
                found.retain(|image| going.iter().all(|gone| gone.digest != image.digest));
            }
            Step::DeleteEcrRepository { name, .. } => {
                if holdings.images.get(name).is_some_and(|images| !images.is_empty()) {
                    return Err(Failure::new("it still contains images"));
                }
                aws.ecr_repositories.remove(name);
                holdings.images.remove(name);
            }
            Step::UntagEcrRepository { name, keys, .. } => {
                let found = aws.ecr_repositories.get_mut(name).ok_or_else(|| absent("ECR"))?;
                found.tags.retain(|key, _| !keys.contains(key));
            }
            Step::DeleteEnvironment { name, .. } => {
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                repository.environments.remove(name.as_str());
                holdings.environments.remove(name.as_str());
            }
            Step::DeleteBranch { branch, .. } => {
                let repository = github.repository.as_mut().ok_or_else(|| absent("GitHub repository"))?;
                repository.pull_requests.retain(|open| open.branch != *branch);
                holdings.branches.remove(branch);
            }
            Step::DeleteGithubRepository { .. } => github.repository = None,
        }
        Ok(Produced::Nothing)
    }
}

fn role_mut(aws: &mut AwsObserved, purpose: Purpose) -> &mut Option<Role> {
    match purpose {
        Purpose::Publish => &mut aws.role,
        Purpose::Read => &mut aws.read_role,
    }
}

fn known_identity(github: &Known<GithubIdentity>, outputs: &Outputs) -> Result<GithubIdentity, Failure> {
    match github {
        Known::Now(identity) => Ok(identity.clone()),
        Known::After(id) => produced_identity(*id, outputs),
    }
}

fn known_tags(owner: &Ownership, outputs: &Outputs) -> Result<BTreeMap<String, String>, Failure> {
    Ok(owner.tags(&known_identity(&owner.github, outputs)?))
}

fn produced_identity(id: StepId, outputs: &Outputs) -> Result<GithubIdentity, Failure> {
    match outputs.get(id) {
        Some(Produced::GithubRepository { identity, .. }) => Ok(identity.clone()),
        _ => Err(Failure::new("the repository's identity was used before it was known")),
    }
}

impl System for World {
    async fn apply(&self, step: &Step, outputs: &Outputs, _say: &dyn Fn(String)) -> Result<Produced, Failure> {
        let number = self.started.get();
        self.started.set(number + 1);
        let hit = self.hit.get().filter(|(at, _)| *at == number).map(|(_, hit)| hit);
        if hit == Some(Hit::Before) {
            return Err(Failure::new("killed"));
        }
        for _ in 0..(self.patience)(step) {
            tokio::task::yield_now().await;
        }
        let produced = self.effect(step, outputs, hit == Some(Hit::Midway))?;
        if hit.is_some() {
            return Err(Failure::new("killed"));
        }
        Ok(produced)
    }
}

/// The provider as an account has it that used GitHub's tokens before.
pub(crate) fn provider(audience: &str) -> OidcProvider {
    OidcProvider { arn: provider_arn(&config(Auth::Oidc)), audiences: BTreeSet::from([audience.to_owned()]) }
}
