//! AWS, GitHub and container registries as they are: observing them, and carrying out one step on the right side.

mod access;
mod access_key;
pub mod pins;
#[cfg(feature = "sandbox")]
pub mod publisher;
pub mod runs;
pub mod sign_in;
pub mod status;
mod update;
pub mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use futures_util::future::{try_join_all, try_join3, try_join4};

use crate::apply::{Outputs, System};
use crate::aws::Aws;
use crate::failure::{Cause, Failure};
use crate::github::{CreatedRepository, Delivered, Github, missing_scopes};
use crate::model::commit::{Commit, UPDATE_BRANCH};
use crate::model::config::{Auth, CONFIG_FILE, Config};
use crate::model::git::{BlobId, CommitId};
use crate::model::holdings::{Holdings, IamHoldings};
use crate::model::identity::{POLICY_NAME, Purpose, provider_arn};
use crate::model::lock::Lock;
use crate::model::names::{GithubRepositoryName, RoleName};
use crate::model::observed::{
    AwsObserved, CallerIdentity, DeploymentPolicies, GithubIdentity, GithubObserved, GithubRepository, Observed,
    TurnedDown, Viewer,
};
use crate::model::pins::Pins;
use crate::model::region::Region;
use crate::plan::Known;
use crate::plan::Plan;
use crate::plan::step::{AdmittedRefs, Ownership, Permission, Produced, Step};
use crate::registry::Registry;

/// Two jobs of five minutes at most, and a queue.
const ACCESS_CHECK: Duration = Duration::from_secs(15 * 60);

/// Both sides, signed in.
pub struct Live {
    aws: Aws,
    github: Github,
    registry: Registry,
    /// Where people look at repositories: `https://github.com`.
    web: String,
}

impl Live {
    /// Who is signed in on either side, both asked at once.
    pub async fn who(&self) -> (Result<CallerIdentity, Failure>, Result<Viewer, Failure>) {
        futures_util::join!(self.aws.caller_identity(), self.github.viewer())
    }

    /// The region that the AWS settings name, unchecked.
    #[must_use]
    pub fn detected_region(&self) -> Option<String> {
        self.aws.detected_region()
    }

    /// The same identities with AWS in the region that was decided.
    #[must_use]
    pub fn in_region(self, region: &Region) -> Self {
        if self.aws.detected_region().as_deref() == Some(region.as_str()) {
            return self;
        }
        Self { aws: self.aws.in_region(region), ..self }
    }

    /// The digest behind each reference now, as the registries tell it, all asked at once.
    ///
    /// # Errors
    /// The first registry that can't be reached or refuses.
    pub async fn pin(&self, references: &[String]) -> Result<Pins, Failure> {
        self.registry.pin(references).await
    }

    /// Path → text of these files of the default branch, as far as they are texts, all asked at once.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn texts(
        &self,
        repository: &GithubRepositoryName,
        paths: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let read = paths.iter().map(|path| async move {
            Ok::<_, Failure>(self.github.file(repository, path).await?.map(|text| (path.clone(), text)))
        });
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }

    /// A repository's address for people.
    #[must_use]
    pub fn web_url(&self, full_name: &str) -> String {
        format!("{}/{full_name}", self.web)
    }

    /// The host of a GitHub that is not github.com; loopback stands in for github.com.
    #[must_use]
    pub fn other_github(&self) -> Option<&str> {
        let host = self.web.trim_start_matches("https://");
        (!matches!(host, "github.com" | "127.0.0.1" | "localhost" | "[::1]")).then_some(host)
    }

    /// The `sbi.toml` that the repository holds, when there is such a repository and it has one.
    ///
    /// # Errors
    /// When GitHub refuses, or the file can't be used.
    pub async fn config_of(&self, repository: &GithubRepositoryName) -> Result<Option<Config>, Failure> {
        let text = match self.github.file(repository, CONFIG_FILE).await {
            Err(failure) if *failure.cause() == Cause::NotFound => None,
            other => other?,
        };
        text.map(|text| Config::parse(&text).map_err(|failure| failure.during(format!("read {repository}"))))
            .transpose()
    }

    /// The bytes of these blobs of the repository's history; `None` where it has none of that id.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn blobs(
        &self,
        repository: &GithubRepositoryName,
        ids: &BTreeSet<BlobId>,
    ) -> Result<BTreeMap<BlobId, Option<Vec<u8>>>, Failure> {
        self.github.blobs(repository, ids).await
    }

    /// The newest update that a person closed without merging it.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn turned_down(&self, repository: &GithubRepositoryName) -> Result<Option<TurnedDown>, Failure> {
        self.github.turned_down(repository, UPDATE_BRANCH).await
    }

    /// Whether GitHub finds the same repository under both names.
    ///
    /// # Errors
    /// When GitHub can't be reached.
    pub async fn is_one_repository(
        &self,
        one: &GithubRepositoryName,
        other: &GithubRepositoryName,
    ) -> Result<bool, Failure> {
        let found = futures_util::future::try_join(
            self.github.repository_in_sight(one),
            self.github.repository_in_sight(other),
        )
        .await?;
        Ok(matches!(found, (Some(one), Some(other)) if one.id == other.id))
    }

    /// Which of these rights on AWS the caller lacks, as IAM simulates them; `None` when it can't tell.
    ///
    /// # Errors
    /// When AWS can't be reached or accepts no credentials.
    pub async fn denied_actions(
        &self,
        caller: &CallerIdentity,
        rights: &[(&'static str, String)],
    ) -> Result<Option<Vec<(String, String)>>, Failure> {
        self.aws.denied_actions(&caller.arn, rights).await
    }

    /// The scopes that `plan` takes and the GitHub token lacks; none when GitHub doesn't tell a token's rights.
    #[must_use]
    pub fn missing_scopes(viewer: &Viewer, plan: &Plan) -> Vec<&'static str> {
        let (mut wanted, mut scopes) = (BTreeSet::new(), BTreeSet::new());
        for permission in plan.nodes().iter().flat_map(|node| node.step.permissions()) {
            match permission {
                Permission::Github(name) => {
                    wanted.insert(name);
                }
                Permission::GithubScope(scope) => {
                    scopes.insert(scope);
                }
                Permission::Aws { .. } => {}
            }
        }
        missing_scopes(&viewer.token, &wanted, &scopes)
    }

    /// Looks at everything that planning compares, all reads at once.
    ///
    /// # Errors
    /// The first refusal of either side; nothing has been changed.
    pub async fn observe(&self, config: &Config) -> Result<Observed, Failure> {
        let oidc = config.publish.auth == Auth::Oidc;
        let aws = self.observe_aws(config, oidc, !oidc);
        let (aws, github) = futures_util::future::try_join(aws, self.observe_github(config)).await?;
        Ok(Observed { aws, github })
    }

    /// The same with the identities of either authentication, and what hangs on all that exists: what taking it back
    /// must know.
    ///
    /// # Errors
    /// As `observe`.
    pub async fn observe_whole(&self, config: &Config) -> Result<(Observed, Holdings), Failure> {
        let aws = self.observe_aws(config, true, true);
        let (aws, github) = futures_util::future::try_join(aws, self.observe_github(config)).await?;
        let holdings = self.holdings(config, &aws, &github).await?;
        Ok((Observed { aws, github }, holdings))
    }

    async fn holdings(&self, config: &Config, aws: &AwsObserved, github: &GithubObserved) -> Result<Holdings, Failure> {
        let images = aws.ecr_repositories.keys().map(|name| async { Ok((name.clone(), self.aws.images(name).await?)) });
        let role = |found: bool, name: RoleName| async move {
            if found { self.aws.role_holdings(&name).await } else { Ok(IamHoldings::default()) }
        };
        let user = async {
            match &aws.user {
                Some(_) => self.aws.user_holdings(&config.user()).await,
                None => Ok(IamHoldings::default()),
            }
        };
        let found = github.repository.as_ref();
        // By its name of today: not everything answers to a former one.
        let today = found.and_then(|found| GithubRepositoryName::new(&found.full_name).ok());
        let repository = today.as_ref().unwrap_or(&config.github.repository);
        // Asked by name, whatever the list said: to a token that may not see them the list is empty.
        let ours = [config.publish.environment.clone(), config.rescan_environment(), config.update_environment()];
        let ours = ours.into_iter().flatten();
        let environments = ours.filter(|_| found.is_some()).map(|name| async move {
            Ok((name.to_string(), self.github.environment_holdings(repository, &name).await?))
        });
        let branches =
            async { if found.is_some() { self.github.our_branches(repository).await } else { Ok(BTreeSet::new()) } };
        let ((images, role, read_role, user), environments, branches) = try_join3(
            try_join4(
                try_join_all(images),
                role(aws.role.is_some(), config.role()),
                role(aws.read_role.is_some(), config.read_role()),
                user,
            ),
            try_join_all(environments),
            branches,
        )
        .await?;
        let (images, environments) = (images.into_iter().collect(), environments.into_iter().collect());
        Ok(Holdings { images, role, read_role, user, environments, branches })
    }

    async fn observe_aws(&self, config: &Config, roles: bool, users: bool) -> Result<AwsObserved, Failure> {
        let (role, read_role, user) = (config.role(), config.read_role(), config.user());
        let provider = provider_arn(config);
        // One missing name would fail a question about several, so each is asked about by itself, all at once.
        let repositories = config.ecr_repositories().into_iter().map(|name| async {
            let found = self.aws.ecr_repository(&name).await?;
            Ok(found.map(|found| (name, found)))
        });
        let (caller, ecr_repositories, (oidc_provider, role, read_role), user) = try_join4(
            self.aws.caller_identity(),
            try_join_all(repositories),
            try_join3(
                only_if(roles, self.aws.oidc_provider(&provider)),
                only_if(roles, self.aws.role(&role, Purpose::Publish.policy_name())),
                only_if(roles, self.aws.role(&read_role, Purpose::Read.policy_name())),
            ),
            only_if(users, self.aws.user(&user, POLICY_NAME)),
        )
        .await?;
        let ecr_repositories = ecr_repositories.into_iter().flatten().collect();
        Ok(AwsObserved { caller, ecr_repositories, oidc_provider, role, read_role, user })
    }

    async fn observe_github(&self, config: &Config) -> Result<GithubObserved, Failure> {
        let name = &config.github.repository;
        let people = async {
            let viewer = self.github.viewer().await?;
            let owner = self.github.owner(name.owner(), &viewer).await;
            Ok((viewer, owner))
        };
        let ((viewer, owner), mut repository) =
            futures_util::future::try_join(people, self.github.repository(name)).await?;
        let mut owner = owner;
        if let Some(found) = &mut repository {
            found.former_names = self.former_names(name, found).await?;
            // The account may be renamed too, and then the old login is nobody's.
            if let Ok(today) = GithubRepositoryName::new(&found.full_name)
                && !today.owner().eq_ignore_ascii_case(name.owner())
            {
                owner = self.github.owner(today.owner(), &viewer).await;
            }
        }
        Ok(GithubObserved { viewer, owner: owner?, repository })
    }

    /// The names that GitHub leads to `found` from: the one that was asked for, and the one that `sbi.lock` was written
    /// under, as far as they are not today's.
    async fn former_names(
        &self,
        asked: &GithubRepositoryName,
        found: &GithubRepository,
    ) -> Result<BTreeSet<GithubRepositoryName>, Failure> {
        let mut names = BTreeSet::new();
        let Ok(today) = GithubRepositoryName::new(&found.full_name) else { return Ok(names) };
        if !asked.is(&found.full_name) {
            names.insert(asked.clone());
        }
        let written_under = match &found.lock {
            None => None,
            Some(Lock { repository: Some(name), .. }) => Some(name.clone()),
            // An older version's: `sbi.toml` beside it says it, unless somebody has mended it by hand.
            Some(_) => match self.config_of(&today).await {
                Err(failure) if *failure.cause() == Cause::Usage => None,
                config => config?.map(|config| config.github.repository),
            },
        };
        // Anybody who may write the file may write any name: GitHub has to vouch for it.
        if let Some(name) = written_under
            && !name.is(&found.full_name)
            && !names.contains(&name)
            && self.github.repository_in_sight(&name).await?.map(|now| now.id) == Some(found.identity.repository_id)
        {
            names.insert(name);
        }
        Ok(names)
    }
}

/// What one authentication mode doesn't use is not asked for: it would be one more right to need.
async fn only_if<T>(
    wanted: bool,
    read: impl Future<Output = Result<Option<T>, Failure>>,
) -> Result<Option<T>, Failure> {
    if wanted { read.await } else { Ok(None) }
}

impl System for Live {
    async fn apply(&self, step: &Step, outputs: &Outputs, say: &dyn Fn(String)) -> Result<Produced, Failure> {
        let (aws, github) = (&self.aws, &self.github);
        let done = |()| Produced::Nothing;
        match step {
            Step::CreateEcrRepository { name, tag_mutability, owner, arn: _ } => {
                aws.create_ecr_repository(name, tag_mutability, &tags(owner, outputs)?).await.map(done)
            }
            Step::SetEcrTagMutability { name, to, .. } => aws.set_ecr_tag_mutability(name, to).await.map(done),
            Step::SetEcrScanOnPush { name, arn: _ } => aws.set_ecr_scan_on_push(name).await.map(done),
            Step::SetEcrLifecycle { name, policy, .. } => aws.set_ecr_lifecycle(name, policy).await.map(done),
            Step::TagEcrRepository { arn, owner, name: _ } => {
                aws.tag_ecr_repository(arn, &tags(owner, outputs)?).await.map(done)
            }
            Step::CreateOidcProvider { url, audience, arn: _ } => {
                aws.create_oidc_provider(url, audience).await.map(done)
            }
            Step::AddOidcAudience { arn, audience } => aws.add_oidc_audience(arn, audience).await.map(done),
            Step::CreateRole { name, trust, owner, arn: _ } => {
                let document = trust.document(&identity(&trust.github, outputs)?);
                let tags = tags(owner, outputs)?;
                aws.create_role(name, trust.purpose().description(), &document, &tags).await.map(done)
            }
            Step::TagRole { name, owner, arn: _ } => aws.tag_role(name, &tags(owner, outputs)?).await.map(done),
            Step::SetRoleTrust { name, trust, arn: _ } => {
                let document = trust.document(&identity(&trust.github, outputs)?);
                aws.set_role_trust(name, &document).await.map(done)
            }
            Step::SetRolePolicy { name, purpose, document, .. } => {
                aws.set_role_policy(name, purpose.policy_name(), document).await.map(done)
            }
            Step::CreateUser { name, owner, arn: _ } => aws.create_user(name, &tags(owner, outputs)?).await.map(done),
            Step::TagUser { name, owner, arn: _ } => aws.tag_user(name, &tags(owner, outputs)?).await.map(done),
            Step::SetUserPolicy { name, document, .. } => {
                aws.set_user_policy(name, POLICY_NAME, document).await.map(done)
            }
            Step::DeleteAccessKey { user, key_id, .. } => aws.delete_access_key(user, key_id).await.map(done),
            Step::DeactivateAccessKey { user, key_id, arn: _ } => {
                aws.deactivate_access_key(user, key_id).await.map(done)
            }
            Step::WatchAccessKey { user, key_id, quiet, arn: _ } => {
                self.watch_access_key(user, key_id, *quiet, say).await.map(done)
            }
            Step::DrainRuns { repository, patience, queued_before } => {
                self.drain_runs(repository, *patience, *queued_before, say).await.map(done)
            }
            Step::CheckAccess { repository, workflow, tag, commit } => {
                let patience = watch::Patience { to_end: ACCESS_CHECK, ..watch::Patience::default() };
                self.check_access(repository, workflow, (tag, commit), patience, say).await.map(done)
            }
            Step::IssueAccessKey { user, repository, written, arn: _ } => {
                self.issue_access_key(user, repository, *written, say).await
            }
            Step::CreateGithubRepository { repository, in_organization, visibility, description } => {
                let CreatedRepository { identity, head, url } =
                    github.create_repository(repository, *in_organization, *visibility, description).await?;
                Ok(Produced::GithubRepository { identity, head, url })
            }
            Step::StartGithubHistory { repository, branch, text } => {
                let id = github.start_history(repository, branch, text).await?;
                let url = String::new();
                Ok(Produced::Commit { id, url })
            }
            Step::RestrictWorkflowToken { repository } => github.restrict_workflow_token(repository).await.map(done),
            Step::RequirePinnedActions { repository, allowed_actions } => {
                github.require_pinned_actions(repository, allowed_actions.as_deref()).await.map(done)
            }
            Step::SetEnvironment { repository, name, exists, admits } => {
                let policies = policies(admits, outputs)?;
                github.set_environment(repository, name, *exists, &policies).await.map(done)
            }
            Step::PutSecret { repository, name, value, replaces: _ } => {
                github.put_secret(repository, name, value).await.map(done)
            }
            Step::CommitFiles { commit, parent } => {
                let (branch, parent) = base(commit, parent, outputs)?;
                Ok(match github.commit(commit, &branch, &parent).await? {
                    Delivered::Commit { id, url } => Produced::Commit { id, url },
                    Delivered::PullRequest { number, url } => Produced::PullRequest { number, url },
                })
            }
            Step::UpdatePullRequest { repository, open, title, body, draft } => {
                github.change_pull_request(repository, open, (title, body), *draft).await?;
                Ok(Produced::PullRequest { number: open.number, url: open.url.clone() })
            }
            Step::ClosePullRequest { repository, branch, open, why } => {
                github.close_pull_request(repository, branch, open, why).await.map(done)
            }
            Step::CreateRelease { repository, tag, notes, commit } => {
                let commit = commit_id(commit, outputs)?;
                let url = github.create_release(repository, tag, notes, &commit).await?;
                Ok(Produced::Release { url })
            }
            Step::DeleteRolePolicy { name, purpose, arn: _ } => {
                aws.delete_role_policy(name, purpose.policy_name()).await.map(done)
            }
            Step::DeleteRole { name, arn: _ } => aws.delete_role(name).await.map(done),
            Step::DeleteUserPolicy { name, arn: _ } => aws.delete_user_policy(name, POLICY_NAME).await.map(done),
            Step::DeleteUser { name, arn: _ } => aws.delete_user(name).await.map(done),
            Step::DeleteSecret { repository, name } => github.delete_secret(repository, name).await.map(done),
            Step::DeleteImages { name, images, arn: _ } => {
                let digests = images.iter().map(|image| image.digest.clone()).collect();
                aws.delete_images(name, digests).await.map(done)
            }
            Step::DeleteEcrRepository { name, arn: _ } => aws.delete_ecr_repository(name).await.map(done),
            Step::UntagEcrRepository { arn, keys, name: _ } => aws.untag_ecr_repository(arn, keys).await.map(done),
            Step::DeleteEnvironment { repository, name } => github.delete_environment(repository, name).await.map(done),
            Step::DeleteBranch { repository, branch } => github.delete_branch(repository, branch).await.map(done),
            Step::DeleteGithubRepository { repository, holds: _ } => {
                github.delete_repository(repository).await.map(done)
            }
        }
    }
}

/// The executor hands over the outputs of every step that this one needs; planning wrote those needs.
fn missing(what: &str) -> Failure {
    Failure::new(format!("the plan is inconsistent: {what} was needed before it was known"))
}

fn tags(owner: &Ownership, outputs: &Outputs) -> Result<BTreeMap<String, String>, Failure> {
    Ok(owner.tags(&identity(&owner.github, outputs)?))
}

fn identity(github: &Known<GithubIdentity>, outputs: &Outputs) -> Result<GithubIdentity, Failure> {
    match github {
        Known::Now(identity) => Ok(identity.clone()),
        Known::After(step) => match outputs.get(*step) {
            Some(Produced::GithubRepository { identity, .. }) => Ok(identity.clone()),
            _ => Err(missing("the GitHub repository's id")),
        },
    }
}

fn policies(admits: &AdmittedRefs, outputs: &Outputs) -> Result<DeploymentPolicies, Failure> {
    let mut policies = DeploymentPolicies::default();
    match admits {
        AdmittedRefs::Tags(patterns) => policies.tags.clone_from(patterns),
        AdmittedRefs::DefaultBranch(Known::Now(branch)) => drop(policies.branches.insert(branch.clone())),
        AdmittedRefs::DefaultBranch(Known::After(step)) => match outputs.get(*step) {
            Some(Produced::GithubRepository { identity, .. }) => {
                policies.branches.insert(identity.default_branch.clone());
            }
            _ => return Err(missing("the default branch")),
        },
    }
    Ok(policies)
}

fn commit_id(commit: &Known<CommitId>, outputs: &Outputs) -> Result<CommitId, Failure> {
    match commit {
        Known::Now(id) => Ok(id.clone()),
        Known::After(step) => match outputs.get(*step) {
            Some(Produced::GithubRepository { head, .. }) => Ok(head.clone()),
            Some(Produced::Commit { id, .. }) => Ok(id.clone()),
            _ => Err(missing("a commit")),
        },
    }
}

/// The branch that a commit moves and the commit it stands on.
fn base(commit: &Commit, parent: &Known<CommitId>, outputs: &Outputs) -> Result<(String, CommitId), Failure> {
    let created = match parent {
        Known::After(step) => outputs.get(*step),
        Known::Now(_) => None,
    };
    let parent = commit_id(parent, outputs)?;
    match (&commit.branch, created) {
        (Some(branch), _) => Ok((branch.clone(), parent)),
        (None, Some(Produced::GithubRepository { identity, .. })) => Ok((identity.default_branch.clone(), parent)),
        (None, _) => Err(missing("the default branch")),
    }
}
