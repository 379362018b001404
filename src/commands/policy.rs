//! `sbi policy`: the IAM documents, offline.

use super::console::Console;
use crate::cli::{GlobalFlags, PolicyArgs, PolicyKind};
use crate::failure::Failure;
use crate::model::config::Config;
use crate::model::iam::PolicyDocument;
use crate::model::identity::{publishing_policy, trust_policy};
use crate::model::observed::GithubIdentity;
use crate::model::pins::Pins;
use crate::plan::operator::operator_policy;

use super::answers;
use super::desire::{Wishes, desire};

/// # Errors
/// Lists every bad and every missing answer.
pub(super) fn run(global: &GlobalFlags, arguments: &PolicyArgs, console: &Console) -> Result<(), Failure> {
    let config = answers::offline(&arguments.answers, &global.config)?;
    let document = match arguments.whose {
        PolicyKind::Publisher => publishing_policy(&config),
        PolicyKind::Operator => operator_policy(&config),
        PolicyKind::Trust => trust(config, arguments)?,
    };
    console.result(&format!("{}\n", document.to_pretty_json()))
}

/// The numeric ids are GitHub's to give: offline they are flags.
fn trust(config: Config, arguments: &PolicyArgs) -> Result<PolicyDocument, Failure> {
    let (Some(owner_id), Some(repository_id)) = (arguments.owner_id, arguments.repository_id) else {
        let repository = &config.github.repository;
        return Err(Failure::usage(
            "the trust policy names the repository by its numeric ids: --owner-id, --repository-id",
        )
        .hinted(format!("`gh api repos/{repository} --jq '.owner.id, .id'` prints both"))
        .hinted("`sbi plan --show-policies` finds them out by itself"));
    };
    let repository = &config.github.repository;
    let subject_prefix = format!("repo:{}@{owner_id}/{}@{repository_id}", repository.owner(), repository.name());
    let subject_prefix = arguments.subject_prefix.clone().unwrap_or(subject_prefix);
    let desired = desire(config, Pins::default(), &Wishes::default())?;
    Ok(trust_policy(&desired.config, &desired.subject, &GithubIdentity { repository_id, owner_id, subject_prefix }))
}
