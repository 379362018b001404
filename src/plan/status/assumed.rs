//! What the planner is given: the facts as they were found, and in the place of what could not be read just what is
//! wanted, so that nothing is planned for it. The one who looks is no matter: planning is asked as the one who may do it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::config::Auth;
use crate::model::desired::Desired;
use crate::model::git::{BlobId, CommitId};
use crate::model::identity::{OIDC_AUDIENCE, Purpose, provider_arn, reading_trust_policy, trust_policy};
use crate::model::lock::{LOCK_FILE, Lock};
use crate::model::names::EcrRepositoryName;
use crate::model::observed::{
    ActionsPermissions, AwsObserved, BranchRules, CallerIdentity, DeploymentPolicies, EcrRepository, Encryption,
    Environment, GithubIdentity, GithubObserved, GithubRepository, KeyFacts, Observed, OidcProvider, Owner, Release,
    Role, SubjectTemplate, TokenKind, User, Viewer,
};
use crate::model::ownership::ownership_tags;
use crate::model::registry::{lifecycle_policy, tag_mutability};
use crate::model::secrets::ACCESS_KEY_SECRET;
use crate::model::status::{AwsReality, Reality, RepositoryReality, Seen};
use crate::plan::Known;
use crate::plan::setup::{environments, fingerprint, plain_secrets};
use crate::plan::step::AdmittedRefs;

/// A world in which nothing is left to plan.
#[must_use]
pub fn as_wanted(desired: &Desired) -> Observed {
    let repository = wanted_repository(desired);
    Observed { aws: wanted_aws(desired, &repository.identity), github: administered(desired, Some(repository)) }
}

/// The facts, completed.
pub(super) fn completed(desired: &Desired, reality: &Reality) -> Observed {
    let told = reality.github.as_ref().ok().and_then(|github| github.repository.as_ref().ok());
    let keys = match reality.aws.as_ref().map(|aws| &aws.user) {
        Ok(Ok(Some(user))) => user.keys.as_slice(),
        _ => &[],
    };
    let repository = match told {
        None => Some(wanted_repository(desired)),
        Some(None) => None,
        Some(Some(found)) => Some(completed_repository(desired, found, keys)),
    };
    let identity = repository.as_ref().map_or_else(|| wanted_identity(desired), |found| found.identity.clone());
    let mut aws = wanted_aws(desired, &identity);
    if let Ok(found) = &reality.aws {
        complete_aws(&mut aws, found, told.is_some());
    }
    let mut github = administered(desired, repository);
    if let Ok(Ok(owner)) = reality.github.as_ref().map(|github| &github.owner) {
        github.owner.is_organization = owner.is_organization;
    }
    Observed { aws, github }
}

/// Replaces what is wanted by what was found. A trust and a mark of ownership name numbers of the GitHub repository: while
/// those are not known, none differs from what is wanted.
fn complete_aws(aws: &mut AwsObserved, found: &AwsReality, identity_told: bool) {
    for (name, repository) in &found.ecr_repositories {
        match repository {
            Ok(Some(repository)) => {
                let wanted = aws.ecr_repositories.insert(name.clone(), repository.clone());
                if let (Some(wanted), Some(place), false) = (wanted, aws.ecr_repositories.get_mut(name), identity_told)
                {
                    place.tags = wanted.tags;
                }
            }
            Ok(None) => drop(aws.ecr_repositories.remove(name)),
            Err(_) => {}
        }
    }
    replace(&mut aws.oidc_provider, &found.oidc_provider);
    for (role, found) in [(&mut aws.role, &found.role), (&mut aws.read_role, &found.read_role)] {
        let wanted = role.clone();
        replace(role, found);
        if let (Some(role), Some(wanted), false) = (role, wanted, identity_told) {
            (role.trust, role.tags) = (wanted.trust, wanted.tags);
        }
    }
    let wanted = aws.user.as_ref().map(|user| user.tags.clone());
    replace(&mut aws.user, &found.user);
    if let (Some(user), Some(wanted), false) = (&mut aws.user, wanted, identity_told) {
        user.tags = wanted;
    }
}

fn replace<T: Clone>(wanted: &mut Option<T>, found: &Seen<Option<T>>) {
    if let Ok(found) = found {
        wanted.clone_from(found);
    }
}

/// As it was found, but for what was hidden, and for what keeps somebody from planning on it: entries of their own say
/// that it was renamed, is archived, or has Actions switched off.
fn completed_repository(desired: &Desired, told: &RepositoryReality, keys: &[KeyFacts]) -> GithubRepository {
    let mut found = told.found.clone();
    found.full_name = desired.config.github.repository.to_string();
    (found.archived, found.can_admin, found.can_push) = (false, true, true);
    if let Some(actions) = &mut found.actions {
        actions.enabled = true;
    }
    if told.environments.is_err() {
        found.environments = wanted_environments(desired, &found.identity.default_branch);
    }
    if told.secrets.is_err() {
        let newest = keys.iter().map(|key| key.created).max().unwrap_or(Timestamp::UNIX_EPOCH);
        found.secrets = wanted_secrets(desired, newest);
    }
    found
}

/// The GitHub side as an administrator of it would see it.
fn administered(desired: &Desired, repository: Option<GithubRepository>) -> GithubObserved {
    let login = desired.config.github.repository.owner().to_owned();
    GithubObserved {
        viewer: Viewer {
            login: login.clone(),
            id: 0,
            token: TokenKind::Scoped(BTreeSet::from(["repo".to_owned(), "workflow".to_owned()])),
        },
        owner: Owner { login, id: 0, is_organization: false, plan: None },
        repository,
    }
}

fn wanted_identity(desired: &Desired) -> GithubIdentity {
    GithubIdentity {
        repository_id: 0,
        owner_id: 0,
        subject_prefix: format!("repo:{}", desired.config.github.repository),
        default_branch: "main".into(),
    }
}

fn wanted_aws(desired: &Desired, identity: &GithubIdentity) -> AwsObserved {
    let config = &desired.config;
    let oidc = config.publish.auth == Auth::Oidc;
    let tags = ownership_tags(&config.github.repository, identity.repository_id);
    let role = |purpose: Purpose| Role {
        arn: config.iam_arn(&format!("role/{}", purpose.role(config))),
        trust: match purpose {
            Purpose::Publish => trust_policy(config, &desired.subject, identity),
            Purpose::Read => reading_trust_policy(config, &desired.reading, identity),
        },
        policy: Some(purpose.policy(config)),
        tags: tags.clone(),
    };
    let provider = || OidcProvider { arn: provider_arn(config), audiences: BTreeSet::from([OIDC_AUDIENCE.to_owned()]) };
    AwsObserved {
        caller: CallerIdentity { account: config.aws.account.clone(), arn: config.iam_arn("root") },
        ecr_repositories: config
            .ecr_repositories()
            .into_iter()
            .map(|name| (name.clone(), wanted_ecr(desired, &name, tags.clone())))
            .collect(),
        oidc_provider: oidc.then(provider),
        role: oidc.then(|| role(Purpose::Publish)),
        read_role: (oidc && !desired.reading.is_empty()).then(|| role(Purpose::Read)),
        user: (!oidc).then(|| User {
            arn: config.iam_arn(&format!("user/{}", config.user())),
            policy: Some(Purpose::Publish.policy(config)),
            tags: tags.clone(),
            keys: vec![KeyFacts { id: String::new(), active: true, created: Timestamp::UNIX_EPOCH, last_used: None }],
        }),
    }
}

fn wanted_ecr(desired: &Desired, name: &EcrRepositoryName, tags: BTreeMap<String, String>) -> EcrRepository {
    let config = &desired.config;
    EcrRepository {
        arn: config.ecr_repository_arn(name),
        uri: format!("{}/{name}", config.ecr_registry()),
        tag_mutability: tag_mutability(),
        scan_on_push: true,
        encryption: Encryption::Aes256,
        lifecycle: Some(lifecycle_policy()),
        tags,
    }
}

fn wanted_secrets(desired: &Desired, at: Timestamp) -> BTreeMap<String, Timestamp> {
    let plain = plain_secrets(&desired.config).into_iter().map(|(name, _)| name);
    let key = (desired.config.publish.auth == Auth::AccessKey).then_some(ACCESS_KEY_SECRET);
    plain.chain(key).map(|name| (name.to_owned(), at)).collect()
}

fn wanted_environments(desired: &Desired, default_branch: &str) -> BTreeMap<String, Environment> {
    let each = environments(&desired.config, || Known::Now(default_branch.to_owned()));
    each.map(|(name, admits)| {
        let mut policies = DeploymentPolicies::default();
        match admits {
            AdmittedRefs::Tags(tags) => policies.tags = tags,
            AdmittedRefs::DefaultBranch(_) => drop(policies.branches.insert(default_branch.to_owned())),
        }
        (name.to_string(), Environment { admits: Some(policies) })
    })
    .collect()
}

fn wanted_repository(desired: &Desired) -> GithubRepository {
    let config = &desired.config;
    let identity = wanted_identity(desired);
    let mut files: BTreeMap<String, BlobId> =
        desired.files.iter().map(|file| (file.path.clone(), file.blob_id())).collect();
    let lock = Lock {
        templates: desired.templates.clone(),
        files: files.clone(),
        uploaded: plain_secrets(config).into_iter().map(|(name, value)| (name.into(), fingerprint(&value))).collect(),
        repository: Some(config.github.repository.clone()),
        images: desired.images.clone(),
        ..Lock::default()
    };
    files.insert(LOCK_FILE.into(), BlobId::of(lock.to_text().as_bytes()));
    GithubRepository {
        full_name: config.github.repository.to_string(),
        former_names: BTreeSet::new(),
        texts: BTreeMap::new(),
        subject: SubjectTemplate::Default,
        private: config.github.visibility.as_str() == "private",
        archived: false,
        can_admin: true,
        can_push: true,
        head: Some(CommitId::told("0".repeat(40))),
        files,
        lock: Some(lock),
        secrets: wanted_secrets(desired, Timestamp::UNIX_EPOCH),
        environments: wanted_environments(desired, &identity.default_branch),
        environments_hidden: false,
        actions: Some(ActionsPermissions {
            enabled: true,
            allowed_actions: None,
            sha_pinning_required: true,
            default_write: false,
            can_approve_pull_requests: false,
        }),
        branch_rules: BranchRules::default(),
        releases: config
            .outlets()
            .into_iter()
            .map(|outlet| Release { tag: outlet.tag, draft: false, ours: true, url: String::new() })
            .collect(),
        tags: config.outlets().into_iter().map(|outlet| outlet.tag.to_string()).collect(),
        pull_requests: Vec::new(),
        identity,
    }
}
