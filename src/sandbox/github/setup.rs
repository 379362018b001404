//! What a test or a rehearsal arranges before a run, and how it looks at what came out.

use std::collections::{BTreeMap, BTreeSet};

use super::objects::{Files, Mode, Tag};
use super::world::{
    Account, Alert, DeploymentPolicy, Environment, Issue, Limit, Pattern, Release, Repository, Rules, Ruleset, Run,
    Secret, World, unguessable,
};
use super::{
    ActionsSnapshot, GithubOptions, GithubStandIn, PullRequestSnapshot, ReleaseSnapshot, RepositorySnapshot,
    RunOutcome, RunSnapshot, TokenScopes,
};
use crate::model::secrets::Token;
use crate::sandbox::http::lock;

/// Requests an hour with a personal token.
const HOURLY_LIMIT: u32 = 5000;

/// A repository that exists before the run. It is empty when it has no files.
#[derive(Clone, Copy, Default)]
pub struct Seed<'s> {
    pub private: bool,
    /// Path and text.
    pub files: &'s [(&'s str, &'s str)],
}

pub(super) fn world(options: GithubOptions) -> World {
    let GithubOptions { login, user_id, plan, token_scopes, organizations, immutable_subjects, clock } = options;
    let viewer = Account { id: user_id, login, organization: false, plan, administered: true };
    let owned = organizations.into_iter().map(|organization| Account {
        id: organization.id,
        login: organization.login,
        organization: true,
        plan: organization.plan,
        administered: true,
    });
    let accounts: BTreeMap<u64, Account> =
        std::iter::once(viewer).chain(owned).map(|account| (account.id, account)).collect();
    World {
        token: new_token(&token_scopes),
        // Numbers of repositories are far from those of accounts, so that a test sees when they are mixed up.
        next_id: accounts.keys().max().copied().unwrap_or(0).max(700_000_000),
        clock,
        viewer: user_id,
        accounts,
        scopes: token_scopes,
        expired: false,
        sso: BTreeSet::new(),
        walled: BTreeSet::new(),
        limit: Limit::Remaining(HOURLY_LIMIT),
        used: 0,
        repositories: BTreeMap::new(),
        renamed: BTreeMap::new(),
        burned: BTreeSet::new(),
        immutable_subjects,
        tells_subject_prefix: true,
        run_delay: 0,
    }
}

fn new_token(scopes: &TokenScopes) -> Token {
    Token::new(match scopes {
        TokenScopes::Classic(_) => format!("ghp_{}", unguessable(36)),
        TokenScopes::FineGrained(_) => format!("github_pat_{}_{}", unguessable(22), unguessable(59)),
        TokenScopes::Installation(_) => format!("ghs_{}", unguessable(36)),
    })
}

pub(super) fn snapshot(world: &World, full_name: &str) -> Option<RepositorySnapshot> {
    let repository = world.repository(world.full_named(full_name)?).ok()?;
    let head = repository.head().cloned();
    let files = repository.files_at(head.as_ref());
    let bytes = |id: &str| repository.objects.blob(id).unwrap_or_default().to_vec();
    let actions = &repository.actions;
    Some(RepositorySnapshot {
        id: repository.id,
        owner_id: repository.owner,
        full_name: world.full_name(repository),
        private: repository.private,
        description: repository.description.clone(),
        default_branch: repository.default_branch.clone(),
        commits: head.as_ref().map_or(0, |head| repository.objects.history(head).len()),
        head,
        files: files
            .iter()
            .filter(|(_, entry)| entry.mode != Mode::Submodule)
            .map(|(path, entry)| (path.clone(), bytes(&entry.id)))
            .collect(),
        secrets: repository.secrets.iter().map(|(name, secret)| (name.clone(), secret.updated)).collect(),
        tags: repository.tags().map(|(tag, commit)| (tag.to_owned(), commit.to_owned())).collect(),
        branches: repository.branches().map(|(branch, commit)| (branch.to_owned(), commit.to_owned())).collect(),
        releases: repository
            .releases
            .iter()
            .map(|release| ReleaseSnapshot {
                tag: release.tag.clone(),
                body: release.body.clone().unwrap_or_default(),
                draft: release.draft,
                immutable: release.immutable,
            })
            .collect(),
        environments: repository
            .environments
            .iter()
            .map(|(name, environment)| {
                let patterns = environment.patterns.iter().map(|pattern| format!("{} {}", pattern.kind, pattern.name));
                let listed = environment.policy == DeploymentPolicy::Custom;
                (name.clone(), listed.then(|| patterns.collect()))
            })
            .collect(),
        actions: ActionsSnapshot {
            enabled: actions.enabled,
            allowed_actions: actions.allowed_actions.clone(),
            sha_pinning_required: actions.sha_pinning_required,
            default_write: actions.default_write,
            can_approve_pull_requests: actions.can_approve,
        },
        pull_requests: repository
            .pulls
            .iter()
            .map(|pull| PullRequestSnapshot {
                number: pull.number,
                title: pull.title.clone(),
                body: pull.body.clone().unwrap_or_default(),
                draft: pull.draft,
                head: pull.head.clone(),
                base: pull.base.clone(),
                open: pull.open,
                merged: pull.merged.is_some(),
                comments: repository
                    .comments
                    .iter()
                    .filter(|comment| comment.number == pull.number)
                    .map(|comment| (comment.login.clone(), comment.body.clone()))
                    .collect(),
            })
            .collect(),
        runs: repository
            .runs
            .iter()
            .map(|run| {
                let (status, conclusion) = run.status();
                RunSnapshot {
                    id: run.id,
                    workflow: run.path.clone(),
                    tag: run.branch().to_owned(),
                    commit: run.head.clone(),
                    status,
                    conclusion,
                }
            })
            .collect(),
    })
}

/// What a foreign secret holds.
const FOREIGN: &[u8] = b"not ours";

/// What happened before the run. Methods that name a repository do nothing when there is none of that name.
impl GithubStandIn {
    pub(super) fn arrange(&self, full_name: &str, change: impl FnOnce(&mut Repository)) {
        let mut world = lock(&self.shared.world);
        let id = world.full_named(full_name);
        if let Some(repository) = id.and_then(|id| world.repository_mut(id).ok()) {
            change(repository);
        }
    }

    /// An account of somebody else, who shares nothing with the viewer.
    pub fn add_stranger(&self, login: &str, id: u64) {
        let login = login.to_owned();
        let account = Account { id, login, organization: false, plan: "free".into(), administered: false };
        lock(&self.shared.world).accounts.insert(id, account);
    }

    /// Makes a repository; its owner must be known.
    pub fn create_repository(&self, full_name: &str, seed: Seed<'_>) {
        let mut world = lock(&self.shared.world);
        let Some((owner, name)) = full_name.split_once('/') else { return };
        let Some(owner) = world.account(owner).map(|account| account.id) else { return };
        world.create_repository(owner, name, seed.private, None);
        drop(world);
        if !seed.files.is_empty() {
            self.commit_files(full_name, "main", seed.files, "first commit");
        }
    }

    /// Commits files to a branch past all rules, as a person with a clone would have done. The branch starts at the
    /// default branch when it is new.
    pub fn commit_files(&self, full_name: &str, branch: &str, files: &[(&str, &str)], message: &str) {
        let Ok(person) = lock(&self.shared.world).person() else { return };
        self.arrange(full_name, |repository| {
            let parent = repository.branch(branch).or_else(|| repository.head()).cloned();
            let mut all: Files = repository.files_at(parent.as_ref());
            for (path, text) in files {
                repository.put_file(&mut all, path, text.as_bytes().to_vec());
            }
            let commit = repository.write_commit(parent.as_ref(), &all, &person, message, false);
            repository.refs.insert(format!("refs/heads/{branch}"), commit);
        });
    }

    /// A repository ruleset on a branch.
    pub fn add_ruleset(&self, full_name: &str, branch: &str, rules: Rules) {
        let id = lock(&self.shared.world).id();
        self.arrange(full_name, |repository| {
            let name = format!("guard {branch}");
            repository.rulesets.push(Ruleset { id, name, branch: branch.to_owned(), rules });
        });
    }

    /// Classic branch protection that binds administrators too.
    pub fn protect(&self, full_name: &str, branch: &str, rules: Rules) {
        self.arrange(full_name, |repository| {
            repository.protection.insert(branch.to_owned(), rules);
        });
    }

    /// A tag on the default branch's tip.
    pub fn add_tag(&self, full_name: &str, tag: &str) {
        self.arrange(full_name, |repository| {
            if let Some(head) = repository.head().cloned() {
                repository.refs.insert(format!("refs/tags/{tag}"), head);
            }
        });
    }

    /// A lightweight tag on any commit; one of that name moves.
    pub fn tag_commit(&self, full_name: &str, tag: &str, commit: &str) {
        self.arrange(full_name, |repository| {
            repository.refs.insert(format!("refs/tags/{tag}"), commit.to_owned());
        });
    }

    /// An annotated tag on a commit, or on another annotated tag by its id. Returns its own id.
    pub fn annotate_tag(&self, full_name: &str, tag: &str, object: &str) -> Option<String> {
        let tagger = lock(&self.shared.world).person().ok()?;
        let mut made = None;
        self.arrange(full_name, |repository| {
            let (object, name, message) = (object.to_owned(), tag.to_owned(), format!("{tag}\n"));
            let id = repository.objects.put_tag(Tag { object, name, tagger, message });
            repository.refs.insert(format!("refs/tags/{tag}"), id.clone());
            made = Some(id);
        });
        made
    }

    /// A release of a tag that is there, published now; it starts nothing.
    pub fn publish_release(&self, full_name: &str, tag: &str, prerelease: bool) {
        let (id, now) = {
            let mut world = lock(&self.shared.world);
            (world.id(), world.now())
        };
        self.arrange(full_name, |repository| {
            repository.releases.push(Release {
                id,
                tag: tag.to_owned(),
                target: repository.default_branch.clone(),
                name: Some(tag.to_owned()),
                body: None,
                draft: false,
                prerelease,
                immutable: false,
                created: now,
                published: Some(now),
            });
        });
    }

    /// A commit on top of the default branch that somebody pushed to a fork: GitHub shows it under this repository's
    /// name, and no branch of it has it.
    pub fn commit_to_fork(&self, full_name: &str, files: &[(&str, &str)]) -> Option<String> {
        let person = lock(&self.shared.world).person().ok()?;
        let mut made = None;
        self.arrange(full_name, |repository| {
            let parent = repository.head().cloned();
            let mut all: Files = repository.files_at(parent.as_ref());
            for (path, text) in files {
                repository.put_file(&mut all, path, text.as_bytes().to_vec());
            }
            made = Some(repository.write_commit(parent.as_ref(), &all, &person, "innocent", false));
        });
        made
    }

    /// A published release, made by somebody else, that started nothing.
    pub fn add_release(&self, full_name: &str, tag: &str, body: &str) {
        let (id, now) = {
            let mut world = lock(&self.shared.world);
            (world.id(), world.now())
        };
        self.add_tag(full_name, tag);
        self.arrange(full_name, |repository| {
            repository.releases.push(Release {
                id,
                tag: tag.to_owned(),
                target: repository.default_branch.clone(),
                name: Some(tag.to_owned()),
                body: Some(body.to_owned()),
                draft: false,
                prerelease: false,
                immutable: false,
                created: now,
                published: Some(now),
            });
        });
    }

    /// A secret that is not ours.
    pub fn add_secret(&self, full_name: &str, name: &str) {
        let now = lock(&self.shared.world).now();
        self.arrange(full_name, |repository| {
            let public = repository.secret_key.public_key();
            if let Ok(sealed) = public.seal(&mut crypto_box::aead::OsRng, FOREIGN) {
                repository.secrets.insert(name.to_owned(), Secret { sealed, created: now, updated: now });
            }
        });
    }

    /// Makes a secret look as if it had been written that much earlier.
    pub fn age_secret(&self, full_name: &str, name: &str, by: std::time::Duration) {
        self.arrange(full_name, |repository| {
            if let Some(secret) = repository.secrets.get_mut(name) {
                secret.created -= by;
                secret.updated -= by;
            }
        });
    }

    /// Every workflow run of now has ended well, whoever looks or not.
    pub fn end_runs(&self, full_name: &str) {
        self.arrange(full_name, |repository| {
            for run in &mut repository.runs {
                run.outcome.get_or_insert(RunOutcome::Success);
                run.polls = u32::MAX / 2;
            }
        });
    }

    /// An environment; `None` lets every ref deploy.
    pub fn add_environment(&self, full_name: &str, name: &str, tag_patterns: Option<&[&str]>) {
        let (id, now) = {
            let mut world = lock(&self.shared.world);
            (world.id(), world.now())
        };
        self.arrange(full_name, |repository| {
            let policy = if tag_patterns.is_some() { DeploymentPolicy::Custom } else { DeploymentPolicy::Any };
            let patterns = tag_patterns.into_iter().flatten().enumerate().map(|(at, pattern)| Pattern {
                id: id + at as u64,
                name: (*pattern).to_owned(),
                kind: "tag".into(),
            });
            let environment = Environment {
                id,
                created: now,
                updated: now,
                policy,
                patterns: patterns.collect(),
                secrets: BTreeSet::new(),
                variables: BTreeMap::new(),
                reviewers: BTreeSet::new(),
                wait_timer: 0,
            };
            repository.environments.insert(name.to_owned(), environment);
        });
    }

    fn arrange_environment(&self, full_name: &str, name: &str, change: impl FnOnce(&mut Environment)) {
        self.arrange(full_name, |repository| {
            if let Some(environment) = repository.environments.get_mut(name) {
                change(environment);
            }
        });
    }

    /// A secret that somebody else put into an environment.
    pub fn add_environment_secret(&self, full_name: &str, environment: &str, name: &str) {
        self.arrange_environment(full_name, environment, |found| {
            found.secrets.insert(name.to_owned());
        });
    }

    /// A variable that somebody else put into an environment.
    pub fn add_environment_variable(&self, full_name: &str, environment: &str, name: &str) {
        self.arrange_environment(full_name, environment, |found| {
            found.variables.insert(name.to_owned(), "theirs".into());
        });
    }

    /// The viewer must agree to each deployment, which waits that many minutes.
    pub fn require_reviewer(&self, full_name: &str, environment: &str, wait_minutes: u64) {
        let viewer = lock(&self.shared.world).viewer;
        self.arrange_environment(full_name, environment, |found| {
            found.reviewers.insert(viewer);
            found.wait_timer = wait_minutes;
        });
    }

    /// `GITHUB_TOKEN` may write by default and approve pull requests, as in old repositories.
    pub fn loosen_workflow_token(&self, full_name: &str) {
        self.arrange(full_name, |repository| {
            repository.actions.default_write = true;
            repository.actions.can_approve = true;
        });
    }

    /// A custom template of the OIDC subject.
    pub fn set_subject_template(&self, full_name: &str, claim_keys: &[&str]) {
        self.arrange(full_name, |repository| {
            repository.subject.use_default = false;
            repository.subject.claim_keys = claim_keys.iter().map(|key| (*key).to_owned()).collect();
        });
    }

    /// The other format of the OIDC subject, for this repository alone.
    pub fn set_immutable_subject(&self, full_name: &str, immutable: bool) {
        self.arrange(full_name, |repository| repository.subject.immutable = immutable);
    }

    /// Leaves `sub_claim_prefix` out of answers, as GitHub may right after a repository was made.
    pub fn hide_subject_prefix(&self) {
        lock(&self.shared.world).tells_subject_prefix = false;
    }

    pub fn archive(&self, full_name: &str) {
        self.arrange(full_name, |repository| repository.archived = true);
    }

    /// Releases from now on are immutable.
    pub fn make_releases_immutable(&self, full_name: &str) {
        self.arrange(full_name, |repository| repository.immutable_releases = true);
    }

    /// The old name answers with a redirect.
    pub fn rename(&self, full_name: &str, name: &str) {
        let mut world = lock(&self.shared.world);
        let Some(id) = world.full_named(full_name) else { return };
        world.renamed.insert(full_name.to_lowercase(), id);
        let new_subjects = world.immutable_subjects;
        if let Ok(repository) = world.repository_mut(id) {
            name.clone_into(&mut repository.name);
            repository.subject.immutable |= new_subjects;
        }
    }

    /// Moves a repository to another account under the same name; the old name answers with a redirect.
    pub fn transfer(&self, full_name: &str, owner: &str) {
        let mut world = lock(&self.shared.world);
        let Some(id) = world.full_named(full_name) else { return };
        let Some(owner) = world.account(owner).map(|account| account.id) else { return };
        world.renamed.insert(full_name.to_lowercase(), id);
        let new_subjects = world.immutable_subjects;
        if let Ok(repository) = world.repository_mut(id) {
            repository.owner = owner;
            repository.subject.immutable |= new_subjects;
        }
    }

    /// Gives an account another name; the old one is nobody's, and its repositories' old names answer with redirects.
    pub fn rename_account(&self, login: &str, new: &str) {
        let mut world = lock(&self.shared.world);
        let Some(id) = world.account(login).map(|account| account.id) else { return };
        let owned: Vec<(String, u64)> = world
            .repositories
            .values()
            .filter(|repository| repository.owner == id)
            .map(|repository| (world.full_name(repository).to_lowercase(), repository.id))
            .collect();
        world.renamed.extend(owned.iter().cloned());
        if let Some(account) = world.accounts.get_mut(&id) {
            new.clone_into(&mut account.login);
        }
        let new_subjects = world.immutable_subjects;
        for (_, id) in owned {
            if let Ok(repository) = world.repository_mut(id) {
                repository.subject.immutable |= new_subjects;
            }
        }
    }

    /// Deletes a repository in the browser: what its immutable releases used up stays used up.
    pub fn delete_repository(&self, full_name: &str) {
        let mut world = lock(&self.shared.world);
        if let Some(id) = world.full_named(full_name) {
            world.repositories.remove(&id);
        }
    }

    /// Merges a pull request as an administrator would in the browser; the merge's commit, or `None` when it can't be.
    pub fn merge_pull_request(&self, full_name: &str, number: u64) -> Option<String> {
        let mut world = lock(&self.shared.world);
        let id = world.full_named(full_name)?;
        super::pulls::merge_pull(&mut world, id, number).ok()
    }

    /// A person closes a pull request in the browser and leaves its branch.
    pub fn close_pull_request(&self, full_name: &str, number: u64) {
        let now = lock(&self.shared.world).now();
        self.arrange(full_name, |repository| {
            let branches = repository.refs.clone();
            if let Some(pull) = repository.pulls.iter_mut().find(|pull| pull.number == number && pull.open) {
                let tip = branches.get(&format!("refs/heads/{}", pull.head)).cloned().unwrap_or_default();
                pull.open = false;
                pull.closed = Some((tip, now));
            }
        });
    }

    /// Makes files on the default branch executable, as a person with a clone would have done.
    pub fn make_executable(&self, full_name: &str, paths: &[&str]) {
        let Ok(person) = lock(&self.shared.world).person() else { return };
        self.arrange(full_name, |repository| {
            let Some(parent) = repository.head().cloned() else { return };
            let mut files = repository.files_at(Some(&parent));
            for path in paths {
                if let Some(entry) = files.get_mut(*path) {
                    entry.mode = Mode::Executable;
                }
            }
            let commit = repository.write_commit(Some(&parent), &files, &person, "chmod", false);
            repository.refs.insert(format!("refs/heads/{}", repository.default_branch), commit);
        });
    }

    /// Message and tree of a commit and of all that it stands on, the newest first.
    #[must_use]
    pub fn history(&self, full_name: &str, commit: &str) -> Vec<(String, String)> {
        let world = lock(&self.shared.world);
        let found = world.full_named(full_name).and_then(|id| world.repository(id).ok());
        let commits = found.into_iter().flat_map(|repository| {
            let ids = repository.objects.history(commit).into_iter();
            ids.filter_map(|id| repository.objects.commit(&id))
                .map(|commit| (commit.message.clone(), commit.tree.clone()))
        });
        commits.collect()
    }

    /// The paths at a commit that may be executed.
    #[must_use]
    pub fn executables(&self, full_name: &str, commit: &str) -> BTreeSet<String> {
        let world = lock(&self.shared.world);
        let found = world.full_named(full_name).and_then(|id| world.repository(id).ok());
        let files = found.and_then(|repository| repository.objects.files(commit)).unwrap_or_default();
        files.into_iter().filter(|(_, entry)| entry.mode == Mode::Executable).map(|(path, _)| path).collect()
    }

    /// The token is no longer accepted.
    pub fn expire_token(&self) {
        lock(&self.shared.world).expired = true;
    }

    /// The same token with other rights.
    pub fn set_token_scopes(&self, scopes: TokenScopes) {
        lock(&self.shared.world).scopes = scopes;
    }

    /// A workflow's own token, with these rights, takes the person's place.
    pub fn hand_over_to_a_workflow(&self, rights: &[&str]) {
        let mut world = lock(&self.shared.world);
        world.scopes = TokenScopes::Installation(rights.iter().map(|right| (*right).to_owned()).collect());
        world.token = new_token(&world.scopes);
    }

    /// The organization wants the token authorised for single sign-on.
    pub fn require_sso(&self, login: &str) {
        let mut world = lock(&self.shared.world);
        if let Some(id) = world.account(login).map(|account| account.id) {
            world.sso.insert(id);
        }
    }

    /// The organization answers to the addresses of its list alone, and this is none of them.
    pub fn require_address(&self, login: &str) {
        let mut world = lock(&self.shared.world);
        if let Some(id) = world.account(login).map(|account| account.id) {
            world.walled.insert(id);
        }
    }

    /// Only this many more requests are answered.
    pub fn limit_requests(&self, remaining: u32) {
        lock(&self.shared.world).limit = Limit::Remaining(remaining);
    }

    /// The secondary limit: every request is refused with this `retry-after`, in seconds.
    pub fn slow_down(&self, retry_after_seconds: u64) {
        lock(&self.shared.world).limit = Limit::Secondary(retry_after_seconds);
    }

    /// A run of a workflow that no release started, such as a nightly one, at its end; it started `ago`.
    pub fn add_run(&self, full_name: &str, workflow: &str, event: &str, outcome: RunOutcome, ago: std::time::Duration) {
        let mut world = lock(&self.shared.world);
        let Some(id) = world.full_named(full_name) else { return };
        let Ok(workflow_id) = super::runs::known_workflow(&mut world, id, workflow, workflow) else { return };
        let (run, job, created) = (world.id(), world.id(), world.now() - ago);
        let Ok(repository) = world.repository_mut(id) else { return };
        let Some(head) = repository.head().cloned() else { return };
        let number = repository.runs.iter().filter(|run| run.workflow == workflow_id).count() as u64 + 1;
        repository.runs.push(Run {
            id: run,
            number,
            workflow: workflow_id,
            path: workflow.to_owned(),
            name: workflow.to_owned(),
            event: event.to_owned(),
            head,
            reference: format!("refs/heads/{}", repository.default_branch),
            title: workflow.to_owned(),
            created,
            jobs: Some(Vec::new()),
            first_job: job,
            hidden: 0,
            polls: 2,
            outcome: Some(outcome),
        });
    }

    /// GitHub, or a person, switches a workflow off: `disabled_inactivity`, `disabled_manually`.
    pub fn disable_workflow(&self, full_name: &str, path: &str, state: &'static str) {
        let mut world = lock(&self.shared.world);
        let Some(id) = world.full_named(full_name) else { return };
        let Ok(workflow) = super::runs::known_workflow(&mut world, id, path, path) else { return };
        if let Ok(repository) = world.repository_mut(id) {
            repository.workflows.iter_mut().filter(|known| known.id == workflow).for_each(|known| known.state = state);
        }
    }

    /// An analysis of code scanning was uploaded that found nothing.
    pub fn start_code_scanning(&self, full_name: &str) {
        self.arrange(full_name, |repository| {
            repository.alerts.get_or_insert_default();
        });
    }

    /// An open alert of code scanning; `severity` is its security severity.
    pub fn add_alert(&self, full_name: &str, tool: &str, severity: Option<&str>) {
        let created = lock(&self.shared.world).now();
        self.arrange(full_name, |repository| {
            let alerts = repository.alerts.get_or_insert_default();
            let number = alerts.len() as u64 + 1;
            let (tool, severity) = (tool.to_owned(), severity.map(str::to_owned));
            alerts.push(Alert { number, tool, severity, open: true, created });
        });
    }

    /// An issue that this account opened.
    pub fn add_issue(&self, full_name: &str, login: &str, body: &str, open: bool) {
        let created = lock(&self.shared.world).now();
        self.arrange(full_name, |repository| {
            let number = repository.next_number();
            let issues = repository.issues.get_or_insert_default();
            let (login, title, body) = (login.to_owned(), "An issue".to_owned(), body.to_owned());
            issues.push(Issue { number, login, title, body, open, created });
        });
    }

    pub fn switch_issues_off(&self, full_name: &str) {
        self.arrange(full_name, |repository| repository.issues = None);
    }

    /// A repository variable of Actions.
    pub fn set_variable(&self, full_name: &str, name: &str, value: &str) {
        self.arrange(full_name, |repository| drop(repository.variables.insert(name.to_uppercase(), value.to_owned())));
    }

    /// A new run is left out of this many lists before it shows.
    pub fn delay_runs(&self, lists: u32) {
        lock(&self.shared.world).run_delay = lists;
    }
}
