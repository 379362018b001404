//! Accounts and repositories: what is there, and the settings that sbi changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::try_join_all;
use futures_util::{FutureExt as _, try_join};
use hyper::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers::{
    ActionsAnswer, BranchAnswer, EntryAnswer, EnvironmentsAnswer, FileAnswer, OrganizationAnswer, PoliciesAnswer,
    ProtectionAnswer, RefAnswer, ReleaseAnswer, RepositoryAnswer, RuleAnswer, SecretsAnswer, SubjectAnswer, Switch,
    TreeAnswer, UserAnswer, WorkflowAnswer,
};
use super::hidden::{Looked, hidden_apart, is_hidden, or_hidden, parted};
use super::{Call, Github, escape, lock, repo_path};
use crate::failure::{Cause, Failure};
use crate::model::config::Visibility;
use crate::model::desired::RELEASE_MARKER;
use crate::model::git::{BlobId, CommitId};
use crate::model::lock::{LOCK_FILE, Lock};
use crate::model::names::{EnvironmentName, GitTag, GithubRepositoryName};
use crate::model::observed::{
    ActionsPermissions, BranchRules, DeploymentPolicies, Environment, GithubIdentity, GithubRepository, Owner, Release,
    RepositoryNow, SubjectTemplate, TokenKind, Viewer,
};

/// Repositories made since then carry ids in their OIDC subjects (GitHub changelog, immutable subject claims).
const IMMUTABLE_SUBJECTS_SINCE: &str = "2026-07-15T00:00:00Z";
/// Branches of ours start with it.
pub(super) const OUR_BRANCHES: &str = "sbi/";
/// Rules of a ruleset that let nobody push a fresh commit straight to the branch.
const RULES_AGAINST_PUSHES: [&str; 7] = [
    "pull_request",
    "merge_queue",
    "required_status_checks",
    "required_deployments",
    "workflows",
    "code_scanning",
    "update",
];
/// A repository's first commit can be a moment late: so many looks, each twice as long after the one before.
const LOOKS_FOR_FIRST_COMMIT: u32 = 5;

/// What a new repository turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedRepository {
    pub identity: GithubIdentity,
    pub head: CommitId,
    pub url: String,
}

pub(super) fn files_of(tree: TreeAnswer, name: &GithubRepositoryName) -> Result<BTreeMap<String, BlobId>, Failure> {
    if tree.truncated {
        return Err(Failure::new(format!("{name} has more files than GitHub lists at once (100,000 entries or 7 MB)"))
            .hinted("give the image a repository of its own: `--github OWNER/NAME`"));
    }
    let blobs = tree.tree.into_iter().filter(|entry| entry.kind == "blob");
    Ok(blobs.map(|entry| (entry.path, BlobId::told(entry.sha))).collect())
}

/// GitHub's own words where it tells the prefix; built from names or ids where it doesn't.
fn subject_prefix(repository: &RepositoryAnswer, told: Option<&SubjectAnswer>) -> String {
    let (prefix, immutable) =
        told.map_or((None, None), |told| (told.sub_claim_prefix.as_deref(), told.use_immutable_subject));
    if let Some(prefix) = prefix {
        return prefix.trim_end_matches(':').to_owned();
    }
    let immutable = immutable.unwrap_or_else(|| {
        let since: Option<Timestamp> = IMMUTABLE_SUBJECTS_SINCE.parse().ok();
        let created = repository.created_at.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
        created.zip(since).is_none_or(|(created, since)| created >= since)
    });
    match repository.full_name.split_once('/') {
        Some((owner, name)) if immutable => format!("repo:{owner}@{}/{name}@{}", repository.owner.id, repository.id),
        _ => format!("repo:{}", repository.full_name),
    }
}

fn subject_template(told: Option<&SubjectAnswer>) -> SubjectTemplate {
    match told.map(|told| (told.use_default, &told.include_claim_keys)) {
        Some((Some(false), Some(keys))) if !keys.is_empty() => SubjectTemplate::Claims(keys.clone()),
        Some((Some(false), _)) => SubjectTemplate::Organization,
        _ => SubjectTemplate::Default,
    }
}

impl Github {
    /// Whose token this is.
    ///
    /// # Errors
    /// When GitHub does not accept the token or can't be reached.
    pub async fn viewer(&self) -> Result<Viewer, Failure> {
        if self.installation {
            // `GET /user` refuses installation tokens: nobody is behind them.
            return Ok(Viewer { login: "an app installation".into(), id: 0, token: TokenKind::Installation });
        }
        let call = Call::get("/user", "find out whose token this is");
        let reply = self.send(&call).await?;
        let user: UserAnswer = reply.json(&call)?;
        let token = reply.header("x-oauth-scopes").map_or(TokenKind::FineGrained, |scopes| {
            TokenKind::Scoped(scopes.split(',').map(str::trim).filter(|s| !s.is_empty()).map(Into::into).collect())
        });
        *lock(&self.own_plan) = user.plan.map(|plan| plan.name);
        Ok(Viewer { login: user.login, id: user.id, token })
    }

    /// The account that owns, or is to own, the repository.
    ///
    /// # Errors
    /// `Cause::NotFound`, naming the account, when there is none.
    pub async fn owner(&self, login: &str, viewer: &Viewer) -> Result<Owner, Failure> {
        if login.eq_ignore_ascii_case(&viewer.login) {
            let plan = lock(&self.own_plan).clone();
            return Ok(Owner { login: viewer.login.clone(), id: viewer.id, is_organization: false, plan });
        }
        let account = Call::get(format!("/users/{login}"), format!("find the account {login}"));
        let organization = Call::get(format!("/orgs/{login}"), format!("read the plan of {login}"));
        let (account, organization) = try_join!(
            self.ask_maybe::<UserAnswer>(&account),
            self.ask::<OrganizationAnswer>(&organization).map(or_hidden),
        )?;
        let account = account.ok_or_else(|| {
            Failure::new(format!("GitHub knows no account {login}"))
                .because(Cause::NotFound)
                .hinted("check the owner's spelling in `--github OWNER/NAME`")
        })?;
        let plan = organization.and_then(|organization| organization.plan).map(|plan| plan.name);
        Ok(Owner { login: account.login, id: account.id, is_organization: account.kind == "Organization", plan })
    }

    /// Everything that planning needs to know of a repository; `None` when there is none that this token sees. One
    /// call tells that; the rest go out together, and a third round only where the second asks for it.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn repository(&self, name: &GithubRepositoryName) -> Result<Option<GithubRepository>, Failure> {
        let Some(looked) = self.look_at(name).await? else { return Ok(None) };
        match looked.secrets {
            Err(failure) if looked.found.can_push || !is_hidden(&failure) => Err(failure),
            Ok(()) | Err(_) => Ok(Some(looked.found)),
        }
    }

    /// The same for somebody who only looks: what is hidden from the token is told apart from what is not there.
    ///
    /// # Errors
    /// When GitHub refuses to tell of the repository or its content, or can't be reached.
    pub async fn look_at(&self, name: &GithubRepositoryName) -> Result<Option<Looked>, Failure> {
        let call = Call::get(repo_path(name, ""), "read the settings").of(name);
        let Some(facts) = self.ask_maybe::<RepositoryAnswer>(&call).await? else { return Ok(None) };
        // After a rename GitHub would redirect every call: ask by the name of today.
        let name = &GithubRepositoryName::new(&facts.full_name).unwrap_or_else(|_| name.clone());
        let branch = facts.default_branch.as_str();
        let (subject, content, secrets, environments, actions, rules, releases, tags, pull_requests) = try_join!(
            self.subject(name),
            self.content(name, branch),
            self.secrets(name).map(Ok),
            self.environments(name),
            self.actions(name),
            self.rules(name, branch),
            self.releases(name),
            self.tags(name),
            self.pull_requests(name, facts.id),
        )?;
        let protection = match &content {
            Some(content) if content.protected => self.protection(name, branch).await?,
            _ => BranchRules::default(),
        };
        let (head, files, lock) = content.map_or((None, BTreeMap::new(), None), |c| (Some(c.head), c.files, c.lock));
        let (secrets, secrets_told) = parted(secrets);
        let (environments, environments_told) = environments;
        let (subject, subject_told) = parted(subject.map(Some));
        let (releases, published) = releases;
        let (pull_requests, pull_requests_told) = parted(pull_requests);
        let found = GithubRepository {
            identity: GithubIdentity {
                repository_id: facts.id,
                owner_id: facts.owner.id,
                subject_prefix: subject_prefix(&facts, subject.as_ref()),
                default_branch: facts.default_branch,
            },
            full_name: facts.full_name,
            former_names: BTreeSet::new(),
            texts: BTreeMap::new(),
            subject: subject_template(subject.as_ref()),
            private: facts.private,
            archived: facts.archived,
            can_admin: facts.permissions.admin,
            can_push: facts.permissions.push,
            head,
            files,
            lock,
            secrets,
            environments,
            environments_hidden: environments_told.is_err(),
            actions,
            branch_rules: BranchRules {
                pull_request_required: rules.pull_request_required || protection.pull_request_required,
                signatures_required: rules.signatures_required || protection.signatures_required,
            },
            releases,
            tags,
            pull_requests,
        };
        Ok(Some(Looked {
            found,
            secrets: secrets_told,
            environments: environments_told,
            subject: subject_told,
            pull_requests: pull_requests_told,
            published,
        }))
    }

    /// The repository that GitHub finds under this name, which may be a former one; `None` when there is none that this
    /// token sees.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn repository_now(&self, name: &GithubRepositoryName) -> Result<Option<RepositoryNow>, Failure> {
        let call = Call::get(repo_path(name, ""), "find the repository of the name").of(name);
        let facts = self.ask_maybe::<RepositoryAnswer>(&call).await?;
        Ok(facts.map(|facts| RepositoryNow { id: facts.id, full_name: facts.full_name }))
    }

    /// The same for a name that may be somebody else's by now: what is hidden from the token is none of ours.
    ///
    /// # Errors
    /// When GitHub can't be reached.
    pub async fn repository_in_sight(&self, name: &GithubRepositoryName) -> Result<Option<RepositoryNow>, Failure> {
        match self.repository_now(name).await {
            Err(failure) if is_hidden(&failure) || matches!(failure.cause(), Cause::SsoRequired { .. }) => Ok(None),
            found => found,
        }
    }

    /// The text of one file on the default branch; `None` when there is none or it is no text.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn file(&self, name: &GithubRepositoryName, path: &str) -> Result<Option<String>, Failure> {
        Ok(self.file_at(name, path, None).await?.and_then(|file| text_of(&file)))
    }

    /// Path → text of the files right in a folder, as they stand at a ref; empty when there is no such folder.
    ///
    /// # Errors
    /// When GitHub knows no such ref, refuses, or can't be reached.
    pub async fn folder(
        &self,
        name: &GithubRepositoryName,
        folder: &str,
        at: &str,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let path = repo_path(name, &format!("/contents/{}?ref={}", escape(folder), escape(at)));
        let call = Call::get(path, format!("list {folder} at {at}")).of(name).needing("contents: read");
        let listed: Vec<EntryAnswer> = self.ask_maybe(&call).await?.unwrap_or_default();
        let files = listed.into_iter().filter(|entry| entry.kind == "file").map(|entry| async move {
            let file = self.file_at(name, &entry.path, Some(&escape(at))).await?;
            Ok::<_, Failure>(file.as_ref().and_then(text_of).map(|text| (entry.path, text)))
        });
        Ok(try_join_all(files).await?.into_iter().flatten().collect())
    }

    pub(super) async fn file_at(
        &self,
        name: &GithubRepositoryName,
        path: &str,
        commit: Option<&str>,
    ) -> Result<Option<FileAnswer>, Failure> {
        let at = commit.map_or_else(String::new, |commit| format!("?ref={commit}"));
        let call =
            Call::get(repo_path(name, &format!("/contents/{}{at}", escape(path))), format!("read {path}")).of(name);
        self.ask_maybe(&call).await
    }

    /// The inner error is that of a token without the right to look.
    async fn subject(&self, name: &GithubRepositoryName) -> Result<Result<SubjectAnswer, Failure>, Failure> {
        let call = Call::get(repo_path(name, "/actions/oidc/customization/sub"), "read the OIDC subject")
            .of(name)
            .needing("actions: read");
        hidden_apart(self.ask(&call).await)
    }

    async fn branch(&self, name: &GithubRepositoryName, branch: &str) -> Result<Option<BranchAnswer>, Failure> {
        let path = repo_path(name, &format!("/branches/{}", escape(branch)));
        self.ask_maybe(&Call::get(path, format!("read the branch {branch}")).of(name)).await
    }

    /// The tree of a branch or commit; `None` when the repository is empty.
    pub(super) async fn tree(&self, name: &GithubRepositoryName, at: &str) -> Result<Option<TreeAnswer>, Failure> {
        let call =
            Call::get(repo_path(name, &format!("/git/trees/{}?recursive=1", escape(at))), "list the files").of(name);
        let reply = self.exchange(&self.rest, &call).await?;
        match reply.status {
            200..300 => reply.json(&call).map(Some),
            404 | 409 => Ok(None),
            _ => Err(super::error::classify(&call, &reply, &self.host)),
        }
    }

    /// The default branch's tip with its files and `sbi.lock`, all of one commit.
    async fn content(&self, name: &GithubRepositoryName, branch: &str) -> Result<Option<Content>, Failure> {
        let (tip, tree, lock) =
            try_join!(self.branch(name, branch), self.tree(name, branch), self.file_at(name, LOCK_FILE, None))?;
        let Some(tip) = tip else { return Ok(None) };
        let head = CommitId::told(tip.commit.sha);
        let tree_id = tip.commit.commit.map(|details| details.tree.sha);
        if let Some(tree) = &tree_id {
            self.remember_tree(&head, tree.clone());
        }
        // Three calls can see two commits: what is not of this tip is read again.
        let tree = match tree {
            Some(tree) if tree_id.as_ref() == Some(&tree.sha) || tree.sha == head.as_str() => tree,
            _ => self.tree(name, head.as_str()).await?.ok_or_else(|| {
                Failure::new(format!("the branch {branch} of {name} moved while it was read"))
                    .hinted("run the command again")
            })?,
        };
        self.remember_executables(&head, &tree);
        let files = files_of(tree, name)?;
        let lock = match (files.get(LOCK_FILE), lock) {
            (None, _) => None,
            (Some(id), Some(file)) if file.sha == id.as_str() => Some(file),
            (Some(_), _) => self.file_at(name, LOCK_FILE, Some(head.as_str())).await?,
        };
        let lock = lock.as_ref().and_then(text_of).and_then(|text| Lock::parse(&text).ok());
        Ok(Some(Content { head, files, lock, protected: tip.protected }))
    }

    async fn secrets(&self, name: &GithubRepositoryName) -> Result<BTreeMap<String, Timestamp>, Failure> {
        let call = Call::get(repo_path(name, "/actions/secrets"), "list the secrets").of(name).needing("secrets: read");
        let secrets = self.ask_pages(call, |page: SecretsAnswer| page.secrets).await?;
        let dated = secrets.into_iter().map(|secret| {
            let updated = secret.updated_at.parse().map_err(|error| {
                Failure::new(format!("GitHub's date of the secret {} can't be read", secret.name)).caused_by(error)
            });
            Ok((secret.name, updated?))
        });
        dated.collect()
    }

    /// Beside them, what a token without the right to look at all of it was told.
    async fn environments(
        &self,
        name: &GithubRepositoryName,
    ) -> Result<(BTreeMap<String, Environment>, Result<(), Failure>), Failure> {
        let call = Call::get(repo_path(name, "/environments"), "list the environments").of(name);
        let listed = hidden_apart(self.ask_pages(call, |page: EnvironmentsAnswer| page.environments).await)?;
        let (listed, mut told) = parted(listed);
        let each = listed.into_iter().map(|environment| async move {
            let custom = environment.deployment_branch_policy.map(|policy| policy.custom_branch_policies);
            let (admits, told) = match custom {
                None => (None, Ok(())),
                // Only protected branches deploy, none by its name.
                Some(false) => (Some(DeploymentPolicies::default()), Ok(())),
                Some(true) => {
                    let (policies, told) = parted(self.deployment_policies(name, &environment.name).await?);
                    (Some(policies), told)
                }
            };
            Ok::<_, Failure>((environment.name, Environment { admits }, told))
        });
        let mut environments = BTreeMap::new();
        for (name, environment, policies_told) in try_join_all(each).await? {
            environments.insert(name, environment);
            told = told.and(policies_told);
        }
        Ok((environments, told))
    }

    /// The inner error is that of a token without the right to look.
    async fn deployment_policies(
        &self,
        name: &GithubRepositoryName,
        environment: &str,
    ) -> Result<Result<DeploymentPolicies, Failure>, Failure> {
        let path = format!("/environments/{}/deployment-branch-policies", escape(environment).replace('/', "%2F"));
        let call = Call::get(repo_path(name, &path), format!("read what deploys to {environment}")).of(name);
        let policies = hidden_apart(self.ask_pages(call, |page: PoliciesAnswer| page.branch_policies).await)?;
        Ok(policies.map(|policies| {
            let mut admits = DeploymentPolicies::default();
            for policy in policies {
                // A policy without a type is older than types: it is about branches.
                let patterns = if policy.kind == "tag" { &mut admits.tags } else { &mut admits.branches };
                patterns.insert(policy.name);
            }
            admits
        }))
    }

    async fn actions(&self, name: &GithubRepositoryName) -> Result<Option<ActionsPermissions>, Failure> {
        let right = "administration: read";
        let actions =
            Call::get(repo_path(name, "/actions/permissions"), "read the Actions settings").of(name).needing(right);
        let token = Call::get(repo_path(name, "/actions/permissions/workflow"), "read the workflow token's rights")
            .of(name)
            .needing(right);
        let (actions, token) = try_join!(
            self.ask::<ActionsAnswer>(&actions).map(or_hidden),
            self.ask::<WorkflowAnswer>(&token).map(or_hidden),
        )?;
        Ok(actions.zip(token).map(|(actions, token)| ActionsPermissions {
            enabled: actions.enabled,
            allowed_actions: actions.allowed_actions,
            sha_pinning_required: actions.sha_pinning_required,
            default_write: token.default_workflow_permissions == "write",
            can_approve_pull_requests: token.can_approve_pull_request_reviews,
        }))
    }

    /// Rulesets; those that the token could bypass count too: sbi goes round no rule.
    async fn rules(&self, name: &GithubRepositoryName, branch: &str) -> Result<BranchRules, Failure> {
        let path = repo_path(name, &format!("/rules/branches/{}", escape(branch)));
        let call = Call::get(path, format!("read the rules of {branch}")).of(name);
        let rules = or_hidden(self.ask_pages(call, |page: Vec<RuleAnswer>| page).await)?.unwrap_or_default();
        Ok(BranchRules {
            pull_request_required: rules.iter().any(|rule| RULES_AGAINST_PUSHES.contains(&rule.kind.as_str())),
            signatures_required: rules.iter().any(|rule| rule.kind == "required_signatures"),
        })
    }

    /// Classic protection, which only administrators may read.
    async fn protection(&self, name: &GithubRepositoryName, branch: &str) -> Result<BranchRules, Failure> {
        let path = repo_path(name, &format!("/branches/{}/protection", escape(branch)));
        let call = Call::get(path, format!("read the protection of {branch}")).of(name).needing("administration: read");
        let Some(protection) = or_hidden(self.ask::<ProtectionAnswer>(&call).await)? else {
            return Ok(BranchRules::default());
        };
        let on = |switch: Option<Switch>| switch.is_some_and(|switch| switch.enabled);
        Ok(BranchRules {
            pull_request_required: protection.required_pull_request_reviews.is_some()
                || protection.required_status_checks.is_some()
                || on(protection.lock_branch),
            signatures_required: on(protection.required_signatures),
        })
    }

    /// Those whose tag could be one of ours, and when each was published.
    async fn releases(
        &self,
        name: &GithubRepositoryName,
    ) -> Result<(Vec<Release>, BTreeMap<GitTag, Timestamp>), Failure> {
        let call = Call::get(repo_path(name, "/releases"), "list the releases").of(name).needing("contents: read");
        let releases = self.ask_pages(call, |page: Vec<ReleaseAnswer>| page).await?;
        let mut published = BTreeMap::new();
        let mut named = Vec::new();
        for release in releases {
            let Ok(tag) = release.tag_name.parse::<GitTag>() else { continue };
            if let Some(at) = release.published_at.filter(|_| !release.draft).and_then(|text| text.parse().ok()) {
                published.insert(tag.clone(), at);
            }
            named.push(Release {
                tag,
                draft: release.draft,
                ours: release.body.is_some_and(|body| body.contains(RELEASE_MARKER)),
                url: release.html_url,
            });
        }
        Ok((named, published))
    }

    /// Every tag in one call: this list has no pages.
    async fn tags(&self, name: &GithubRepositoryName) -> Result<BTreeSet<String>, Failure> {
        let call =
            Call::get(repo_path(name, "/git/matching-refs/tags"), "list the tags").of(name).needing("contents: read");
        let reply = self.exchange(&self.rest, &call).await?;
        let refs: Vec<RefAnswer> = match reply.status {
            200..300 => reply.json(&call)?,
            // An empty repository.
            404 | 409 => Vec::new(),
            _ => return Err(super::error::classify(&call, &reply, &self.host)),
        };
        Ok(refs.iter().filter_map(|tag| tag.name.strip_prefix("refs/tags/")).map(str::to_owned).collect())
    }

    /// Creates a repository with a first commit and finds out its identity.
    ///
    /// # Errors
    /// `Cause::Exists` when the name is taken.
    pub async fn create_repository(
        &self,
        name: &GithubRepositoryName,
        in_organization: bool,
        visibility: Visibility,
        description: &str,
    ) -> Result<CreatedRepository, Failure> {
        let path = if in_organization { format!("/orgs/{}/repos", name.owner()) } else { "/user/repos".to_owned() };
        let mut call = Call::new(Method::POST, path, format!("create the repository {name}"))
            .needing("administration: write")
            .body(json!({
                "name": name.name(),
                "description": description,
                "private": visibility == Visibility::Private,
                "auto_init": true,
            }));
        call.resource = Some(name.to_string());
        let reply = self.exchange(&self.rest, &call).await?;
        if !(200..300).contains(&reply.status) {
            let failure = super::error::classify(&call, &reply, &self.host);
            // A taken name has a field error without the code `already_exists`: whether it is taken shows by looking.
            let look = Call::get(repo_path(name, ""), "read the settings").of(name);
            if reply.status == 422 && matches!(self.ask_maybe::<RepositoryAnswer>(&look).await, Ok(Some(_))) {
                return Err(Failure::new(format!("could not create the repository {name}: it exists already"))
                    .because(Cause::Exists)
                    .hinted("run the command again: it looks at what exists and goes on from there"));
            }
            return Err(failure);
        }
        let facts: RepositoryAnswer = reply.json(&call)?;
        let (subject, head) = try_join!(self.subject(name), self.first_commit(name, &facts.default_branch))?;
        let subject = subject.ok();
        Ok(CreatedRepository {
            identity: GithubIdentity {
                repository_id: facts.id,
                owner_id: facts.owner.id,
                subject_prefix: subject_prefix(&facts, subject.as_ref()),
                default_branch: facts.default_branch,
            },
            head,
            url: facts.html_url,
        })
    }

    async fn first_commit(&self, name: &GithubRepositoryName, branch: &str) -> Result<CommitId, Failure> {
        let mut pause: Duration = self.timing.pause;
        for look in 1..=LOOKS_FOR_FIRST_COMMIT {
            if let Some(tip) = self.branch(name, branch).await? {
                let head = CommitId::told(tip.commit.sha);
                if let Some(details) = tip.commit.commit {
                    self.remember_tree(&head, details.tree.sha);
                }
                return Ok(head);
            }
            if look < LOOKS_FOR_FIRST_COMMIT {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        Err(Failure::new(format!("{name} was created, but its first commit does not appear"))
            .hinted("run the command again: it goes on from the empty repository"))
    }

    /// `GITHUB_TOKEN` reads by default and approves no pull request.
    ///
    /// # Errors
    /// When GitHub refuses, for instance because the organisation decides this setting.
    pub async fn restrict_workflow_token(&self, name: &GithubRepositoryName) -> Result<(), Failure> {
        let call =
            Call::new(Method::PUT, repo_path(name, "/actions/permissions/workflow"), "restrict the workflow token")
                .of(name)
                .needing("administration: write")
                .body(json!({ "default_workflow_permissions": "read", "can_approve_pull_request_reviews": false }));
        self.send(&call).await.map(drop)
    }

    /// Actions may only be used by full commit SHA; the rest of the setting is sent back as it was found.
    ///
    /// # Errors
    /// When GitHub refuses.
    pub async fn require_pinned_actions(
        &self,
        name: &GithubRepositoryName,
        allowed_actions: Option<&str>,
    ) -> Result<(), Failure> {
        let mut body = json!({ "enabled": true, "sha_pinning_required": true });
        if let Some(allowed) = allowed_actions {
            body["allowed_actions"] = allowed.into();
        }
        let call = Call::new(Method::PUT, repo_path(name, "/actions/permissions"), "require pinned actions")
            .of(name)
            .needing("administration: write")
            .body(body);
        self.send(&call).await.map(drop)
    }

    /// Creates or narrows an environment so that refs of these patterns deploy to it; others that do already stay.
    ///
    /// # Errors
    /// When GitHub refuses, for instance because the plan has no environments for private repositories.
    pub async fn set_environment(
        &self,
        name: &GithubRepositoryName,
        environment: &EnvironmentName,
        exists: bool,
        admits: &DeploymentPolicies,
    ) -> Result<(), Failure> {
        let path = repo_path(name, &format!("/environments/{environment}"));
        let mut body = json!({
            "deployment_branch_policy": { "protected_branches": false, "custom_branch_policies": true },
        });
        if exists {
            // A `PUT` replaces everything: who reviews and how long a deployment waits is sent back as it was found.
            let call = Call::get(path.clone(), format!("read the environment {environment}")).of(name);
            let found: Value = self.ask(&call).await?;
            for rule in found["protection_rules"].as_array().into_iter().flatten() {
                if let Some(minutes) = rule["wait_timer"].as_u64() {
                    body["wait_timer"] = minutes.into();
                }
                if let Some(reviewers) = rule["reviewers"].as_array() {
                    let id = |each: &Value| json!({ "type": each["type"], "id": each["reviewer"]["id"] });
                    body["reviewers"] = reviewers.iter().map(id).collect();
                    body["prevent_self_review"] = (rule["prevent_self_review"] == true).into();
                }
            }
        }
        let call = Call::new(Method::PUT, path, format!("set the environment {environment}"))
            .of(name)
            .needing("administration: write")
            .body(body);
        self.send(&call).await?;
        // A pattern that is there already would be refused as a duplicate.
        let there = match exists {
            true => self.deployment_policies(name, environment.as_str()).await?.unwrap_or_default(),
            false => DeploymentPolicies::default(),
        };
        let tags = admits.tags.difference(&there.tags).map(|pattern| ("tag", pattern));
        let branches = admits.branches.difference(&there.branches).map(|pattern| ("branch", pattern));
        let missing = tags.chain(branches).map(|(kind, pattern)| async move {
            let call = Call::new(
                Method::POST,
                repo_path(name, &format!("/environments/{environment}/deployment-branch-policies")),
                format!("let the {kind} {pattern} deploy to the environment {environment}"),
            )
            .of(name)
            .needing("administration: write")
            .body(json!({ "name": pattern, "type": kind }))
            .repeatable();
            let reply = self.exchange(&self.rest, &call).await?;
            match reply.status {
                // See other: the same pattern is there already, by a first request whose answer was lost.
                200..300 | 303 => Ok(()),
                _ => Err(super::error::classify(&call, &reply, &self.host)),
            }
        });
        try_join_all(missing).await.map(drop)
    }
}

/// The default branch, all of one commit.
struct Content {
    head: CommitId,
    files: BTreeMap<String, BlobId>,
    lock: Option<Lock>,
    protected: bool,
}

/// The text inside a contents answer: base64 with line ends.
pub(super) fn text_of(file: &FileAnswer) -> Option<String> {
    let packed: String = file.content.split_ascii_whitespace().collect();
    String::from_utf8(BASE64_STANDARD.decode(packed).ok()?).ok()
}
