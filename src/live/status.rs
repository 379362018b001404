//! Looks at both sides for `sbi status`: every read by itself, so that one that is refused costs nothing but its own fact.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use futures_util::join;

use super::{Live, only_if};
use crate::aws::Aws;
use crate::failure::{Cause, Failure};
use crate::github::{Github, Looked};
use crate::model::config::{Auth, Config, Outlet, Visibility};
use crate::model::identity::{POLICY_NAME, Purpose, provider_arn};
use crate::model::names::{EcrRepositoryName, GitTag, GithubRepositoryName};
use crate::model::observed::{CallerIdentity, GithubRepository};
use crate::model::status::{
    Activity, AwsReality, GithubReality, PublishedImage, Reality, RepositoryReality, Seen, Unread,
};
use crate::plan::status::newest;

/// The paths of the two workflows whose runs are told.
#[derive(Clone, Copy)]
pub struct Workflows<'a> {
    pub publish: &'a str,
    pub rescan: &'a str,
}

/// Runs of the publishing workflow that are looked through.
const RUNS: u32 = 100;
/// Switches the upload of findings on, where the repository is private.
const CODE_SCANNING: &str = "CODE_SCANNING";

/// Why a fact can't be told, in one line with the first thing to do about it.
#[must_use]
pub fn unread(failure: &Failure) -> Unread {
    let why = match (failure.cause(), failure.reasons().as_slice()) {
        // Where no cause is known, the service's own words are all there is.
        (Cause::Other, [first, ..]) => format!("{failure} ({first})"),
        _ => failure.to_string(),
    };
    Unread { why, help: failure.hints().first().cloned() }
}

fn seen<T>(result: Result<T, Failure>) -> Seen<T> {
    result.map_err(|failure| unread(&failure))
}

/// The same for AWS, whose rights to look are one document.
fn seen_on_aws<T>(result: Result<T, Failure>) -> Seen<T> {
    result.map_err(|failure| match failure.cause() {
        Cause::Denied { .. } => Unread {
            why: failure.to_string(),
            help: Some("`sbi policy observer` prints every right on AWS that this takes".into()),
        },
        _ => unread(&failure),
    })
}

impl Live {
    /// Both sides as far as they can be read.
    ///
    /// # Errors
    /// When neither side tells who is asking.
    pub async fn reality(&self, config: &Config, workflows: Workflows<'_>) -> Result<Reality, (Failure, Failure)> {
        let (aws, github) = join(look_at_aws(&self.aws, config), look_at_github(&self.github, config, workflows)).await;
        both(aws, github, &self.aws, config).await
    }

    /// The text of a file on the default branch.
    ///
    /// # Errors
    /// When GitHub refuses or can't be reached.
    pub async fn text_of(&self, repository: &GithubRepositoryName, path: &str) -> Result<Option<String>, Failure> {
        self.github.file(repository, path).await
    }
}

/// AWS alone, where there is no token for GitHub.
///
/// # Errors
/// When AWS does not tell who is asking either.
pub(super) async fn reality_without_github(
    aws: &Aws,
    config: &Config,
    no_token: Failure,
) -> Result<Reality, (Failure, Failure)> {
    both(look_at_aws(aws, config).await, Err(no_token), aws, config).await
}

/// What was published last is known once GitHub has answered, so its images are looked for last.
async fn both(
    aws_side: Result<Seen<AwsReality>, Failure>,
    github: Result<GithubReality, Failure>,
    aws: &Aws,
    config: &Config,
) -> Result<Reality, (Failure, Failure)> {
    let mut reality = match (aws_side, github) {
        (Err(a), Err(b)) => return Err((a, b)),
        (a, b) => Reality { aws: seen(a).and_then(|told| told), github: seen(b) },
    };
    let releases = match reality.github.as_ref().map(|github| &github.repository) {
        Ok(Ok(Some(repository))) => Some(&repository.found),
        _ => None,
    };
    if let Ok(found) = &mut reality.aws {
        found.images = images(aws, config, releases).await;
    }
    Ok(reality)
}

async fn images(
    aws: &Aws,
    config: &Config,
    found: Option<&GithubRepository>,
) -> BTreeMap<EcrRepositoryName, Seen<Option<PublishedImage>>> {
    let each = config.outlets().into_iter().map(|Outlet { ecr_repository: name, tag: first, .. }| async move {
        let published = |found: &GithubRepository| -> Option<GitTag> {
            newest(found.releases.iter().filter(|release| !release.draft).map(|release| &release.tag), &first)
        };
        let tag = found.and_then(published).unwrap_or_else(|| first.clone());
        let image = aws.published_image(&name, tag.version()).await;
        (name, seen_on_aws(image))
    });
    join_all(each).await.into_iter().collect()
}

/// # Errors
/// When AWS does not tell who is asking. Credentials of another account are told inside: nothing of it is read.
async fn look_at_aws(aws: &Aws, config: &Config) -> Result<Seen<AwsReality>, Failure> {
    let caller = aws.caller_identity().await?;
    if let Some(unread) = other_account(&caller, config) {
        return Ok(Err(unread));
    }
    let (role, read_role, user) = (config.role(), config.read_role(), config.user());
    let provider = provider_arn(config);
    let oidc = config.publish.auth == Auth::Oidc;
    let repositories = join_all(config.ecr_repositories().into_iter().map(|name| async {
        let found = aws.ecr_repository(&name).await;
        (name, seen_on_aws(found))
    }));
    let (repositories, provider, role, read_role, user) = join!(
        repositories,
        only_if(oidc, aws.oidc_provider(&provider)),
        only_if(oidc, aws.role(&role, Purpose::Publish.policy_name())),
        only_if(oidc, aws.role(&read_role, Purpose::Read.policy_name())),
        only_if(!oidc, aws.user(&user, POLICY_NAME)),
    );
    Ok(Ok(AwsReality {
        caller,
        ecr_repositories: repositories.into_iter().collect(),
        oidc_provider: seen_on_aws(provider),
        role: seen_on_aws(role),
        read_role: seen_on_aws(read_role),
        user: seen_on_aws(user),
        images: BTreeMap::new(),
    }))
}

fn other_account(caller: &CallerIdentity, config: &Config) -> Option<Unread> {
    let wanted = &config.aws.account;
    (caller.account != *wanted).then(|| Unread {
        why: format!("these AWS credentials belong to account {}, sbi.toml pins {wanted}", caller.account),
        help: Some(format!("you are {}: choose another profile with `--profile NAME` or AWS_PROFILE", caller.arn)),
    })
}

/// # Errors
/// When GitHub does not tell whose token it is.
async fn look_at_github(github: &Github, config: &Config, workflows: Workflows<'_>) -> Result<GithubReality, Failure> {
    let viewer = github.viewer().await?;
    let name = &config.github.repository;
    let (owner, repository) = join(github.owner(name.owner(), &viewer), github.look_at(name)).await;
    let owner = seen(owner);
    let repository = match repository {
        Ok(Some(looked)) => Ok(Some(with_activity(github, config, workflows, looked).await)),
        Ok(None) => Ok(None),
        Err(failure) => Err(unread(&failure)),
    };
    Ok(GithubReality { viewer, owner, repository })
}

async fn with_activity(
    github: &Github,
    config: &Config,
    workflows: Workflows<'_>,
    looked: Looked,
) -> RepositoryReality {
    let Looked { found, secrets, environments, subject, pull_requests, published } = looked;
    // After a rename GitHub would redirect every call: ask by the name of today.
    let name = GithubRepositoryName::new(&found.full_name).unwrap_or_else(|_| config.github.repository.clone());
    let private = config.github.visibility == Visibility::Private;
    let (states, publish_runs, rescan, alerts, issue, code_scanning) = join!(
        github.workflow_states(&name),
        github.runs_of_workflow(&name, workflows.publish, RUNS),
        github.runs_of_workflow(&name, workflows.rescan, 1),
        github.open_alerts(&name),
        github.rescan_issue(&name),
        only_if(private, github.variable(&name, CODE_SCANNING)),
    );
    RepositoryReality {
        found,
        secrets: seen(secrets),
        environments: seen(environments),
        subject: seen(subject),
        pull_requests: seen(pull_requests),
        published,
        activity: Activity {
            workflows: seen(states),
            publish_runs: seen(publish_runs),
            rescan: seen(rescan).map(|runs| runs.into_iter().next()),
            alerts: seen(alerts),
            issue: seen(issue),
            code_scanning: seen(code_scanning),
        },
    }
}
