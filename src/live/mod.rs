//! AWS, GitHub and container registries as they are: observing them, and carrying out one step on the right side.

#[cfg(feature = "sandbox")]
pub mod publisher;
pub mod runs;
pub mod sign_in;
pub mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures_util::future::{try_join_all, try_join3, try_join4};

use crate::apply::{Outputs, System};
use crate::aws::Aws;
use crate::failure::{Cause, Failure};
use crate::github::{CreatedRepository, Delivered, Github, missing_scopes};
use crate::model::commit::Commit;
use crate::model::config::{Auth, CONFIG_FILE, Config};
use crate::model::git::CommitId;
use crate::model::identity::{POLICY_NAME, Purpose, provider_arn};
use crate::model::lock::Lock;
use crate::model::names::GithubRepositoryName;
use crate::model::observed::{
    AwsObserved, CallerIdentity, DeploymentPolicies, GithubIdentity, GithubObserved, GithubRepository, Observed, Viewer,
};
use crate::model::pins::Pins;
use crate::model::region::Region;
use crate::plan::Known;
use crate::plan::Plan;
use crate::plan::operator::rights;
use crate::plan::step::{AdmittedRefs, Ownership, Permission, Produced, Step};
use crate::registry::Registry;

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

    /// The rights on AWS that `plan`, and looking again after it, take and the caller lacks, as IAM simulates them;
    /// `None` when it can't tell.
    ///
    /// # Errors
    /// When AWS can't be reached or accepts no credentials.
    pub async fn denied_actions(
        &self,
        config: &Config,
        observed: &Observed,
        plan: &Plan,
    ) -> Result<Option<Vec<(String, String)>>, Failure> {
        self.aws.denied_actions(&observed.aws.caller.arn, &rights(config, plan)).await
    }

    /// The scopes that `plan` takes and the GitHub token lacks; none when GitHub doesn't tell a token's rights.
    #[must_use]
    pub fn missing_scopes(observed: &Observed, plan: &Plan) -> Vec<&'static str> {
        let permissions = plan.nodes().iter().flat_map(|node| node.step.permissions());
        let wanted: BTreeSet<&'static str> = permissions
            .filter_map(|permission| match permission {
                Permission::Github(name) => Some(name),
                Permission::Aws { .. } => None,
            })
            .collect();
        missing_scopes(&observed.github.viewer.token, &wanted)
    }

    /// Looks at everything that planning compares, all reads at once.
    ///
    /// # Errors
    /// The first refusal of either side; nothing has been changed.
    pub async fn observe(&self, config: &Config) -> Result<Observed, Failure> {
        let (aws, github) =
            futures_util::future::try_join(self.observe_aws(config), self.observe_github(config)).await?;
        Ok(Observed { aws, github })
    }

    async fn observe_aws(&self, config: &Config) -> Result<AwsObserved, Failure> {
        let (role, read_role, user) = (config.role(), config.read_role(), config.user());
        let provider = provider_arn(config);
        let oidc = config.publish.auth == Auth::Oidc;
        // One missing name would fail a question about several, so each is asked about by itself, all at once.
        let repositories = config.ecr_repositories().into_iter().map(|name| async {
            let found = self.aws.ecr_repository(&name).await?;
            Ok(found.map(|found| (name, found)))
        });
        let (caller, ecr_repositories, (oidc_provider, role, read_role), user) = try_join4(
            self.aws.caller_identity(),
            try_join_all(repositories),
            try_join3(
                only_if(oidc, self.aws.oidc_provider(&provider)),
                only_if(oidc, self.aws.role(&role, Purpose::Publish.policy_name())),
                only_if(oidc, self.aws.role(&read_role, Purpose::Read.policy_name())),
            ),
            only_if(!oidc, self.aws.user(&user, POLICY_NAME)),
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
            && self.github.repository_id(&name).await? == Some(found.identity.repository_id)
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
            Step::DeleteAccessKey { user, key_id, arn: _ } => aws.delete_access_key(user, key_id).await.map(done),
            Step::IssueAccessKey { user, repository, .. } => {
                let key = aws.create_access_key(user).await?;
                let delivered = async {
                    aws.wait_until_key_works(&key, say).await?;
                    github.put_access_key(repository, &key).await
                };
                match delivered.await {
                    Ok(()) => Ok(Produced::AccessKey { id: key.id().to_owned() }),
                    Err(failure) => Err(take_back(aws.delete_access_key(user, key.id()).await, key.id(), failure)),
                }
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
            Step::CreateRelease { repository, tag, notes, commit } => {
                let commit = commit_id(commit, outputs)?;
                let url = github.create_release(repository, tag, notes, &commit).await?;
                Ok(Produced::Release { url })
            }
        }
    }
}

/// A key that never reached the secrets must not live on; where even that fails, the person is told its id.
fn take_back(deleted: Result<(), Failure>, key_id: &str, failure: Failure) -> Failure {
    match deleted {
        Ok(()) => failure.hinted(format!("the new access key {key_id} was deleted again; run `sbi init` once more")),
        Err(_) => failure
            .hinted(format!("the new access key {key_id} could not be deleted either; the next `sbi init` does it")),
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
