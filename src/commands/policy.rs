//! `sbi policy`: the IAM documents, offline.

use super::console::Console;
use crate::cli::{GlobalFlags, PolicyArgs, PolicyKind};
use crate::failure::Failure;
use crate::model::config::{Auth, Config};
use crate::model::desired::Desired;
use crate::model::iam::PolicyDocument;
use crate::model::identity::{publishing_policy, reading_policy, reading_trust_policy, trust_policy};
use crate::model::observed::GithubIdentity;
use crate::model::pins::Pins;
use crate::plan::destroy::rights::destroyer_policy;
use crate::plan::operator::{operator_policy, rotator_policy};
use crate::plan::retirement::retirement_policy;

use super::answers;
use super::desire::{Wishes, desire};

/// # Errors
/// Lists every bad and every missing answer.
pub(super) fn run(global: &GlobalFlags, arguments: &PolicyArgs, console: &Console) -> Result<(), Failure> {
    let config = answers::offline(&arguments.answers, &global.config)?;
    let document = match arguments.whose {
        PolicyKind::Publisher => publishing_policy(&config),
        PolicyKind::Trust => {
            let desired = desire(config, Pins::default(), &Wishes::default())?;
            trust_policy(&desired.config, &desired.subject, &identity(&desired.config, arguments)?)
        }
        PolicyKind::Reader => reading_policy(&config),
        PolicyKind::ReaderTrust => reader_trust(config, arguments)?,
        PolicyKind::Operator => operator_policy(&config),
        PolicyKind::Rotator => rotator(&config),
        PolicyKind::Destroyer => destroyer_policy(&config),
    };
    console.result(&format!("{}\n", document.to_pretty_json()))
}

/// # Errors
/// When nobody reads: jobs with an access key have its rights and assume nothing.
fn reader_trust(config: Config, arguments: &PolicyArgs) -> Result<PolicyDocument, Failure> {
    let Desired { config, reading, .. } = desire(config, Pins::default(), &Wishes::default())?;
    if reading.is_empty() {
        return Err(Failure::usage("no job of the rendered workflows assumes a reading role")
            .hinted("with `--auth access-key` the publishing user reads too: `sbi policy publisher`"));
    }
    Ok(reading_trust_policy(&config, &reading, &identity(&config, arguments)?))
}

/// Of a repository with OIDC: what ending the key of before takes.
fn rotator(config: &Config) -> PolicyDocument {
    match config.publish.auth {
        Auth::AccessKey => rotator_policy(config),
        Auth::Oidc => retirement_policy(config),
    }
}

/// The numeric ids are GitHub's to give: offline they are flags.
fn identity(config: &Config, arguments: &PolicyArgs) -> Result<GithubIdentity, Failure> {
    let repository = &config.github.repository;
    let (Some(owner_id), Some(repository_id)) = (arguments.owner_id, arguments.repository_id) else {
        return Err(Failure::usage(
            "the trust policy names the repository by its numeric ids: --owner-id, --repository-id",
        )
        .hinted(format!("`gh api repos/{repository} --jq '.owner.id, .id'` prints both"))
        .hinted("`sbi plan --show-policies` finds them out by itself"));
    };
    let subject_prefix = format!("repo:{}@{owner_id}/{}@{repository_id}", repository.owner(), repository.name());
    let subject_prefix = arguments.subject_prefix.clone().unwrap_or(subject_prefix);
    Ok(GithubIdentity { repository_id, owner_id, subject_prefix, default_branch: arguments.default_branch.clone() })
}
