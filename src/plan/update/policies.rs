//! What on AWS and in environments has to change with the files: the steps of `setup` that concern identities.

use super::differences::difference;
use crate::model::desired::Desired;
use crate::model::iam::PolicyDocument;
use crate::model::identity::Purpose;
use crate::model::observed::{GithubIdentity, Observed, Role};
use crate::plan::Known;
use crate::plan::setup::plan_setup;
use crate::plan::step::{Line, Step};

/// What is known of the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policies {
    /// Nobody looked at AWS, and why.
    Unseen(String),
    /// What `sbi apply` has to change; often nothing.
    Seen(Vec<PolicyChange>),
}

/// One change that `sbi apply` makes after the merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyChange {
    pub line: Line,
    /// Line by line, where there is a document on both sides.
    pub difference: Vec<String>,
}

/// The changes to identities, their policies and environments between what is there and what this version asks for.
#[must_use]
pub fn policy_changes(desired: &Desired, observed: &Observed) -> Policies {
    let plan = plan_setup(desired, observed);
    if let Some(refusal) = plan.refusals.first() {
        return Policies::Unseen(refusal.message().to_owned());
    }
    let identity = observed.github.repository.as_ref().map(|found| &found.identity);
    let steps = plan.nodes().iter().map(|node| &node.step).filter(|step| step.changes_whom_aws_lets_in());
    let change =
        |step: &Step| PolicyChange { line: step.describe(), difference: document_difference(step, observed, identity) };
    Policies::Seen(steps.map(change).collect())
}

fn document_difference(step: &Step, observed: &Observed, identity: Option<&GithubIdentity>) -> Vec<String> {
    let aws = &observed.aws;
    let role = |purpose: Purpose| -> Option<&Role> {
        match purpose {
            Purpose::Publish => aws.role.as_ref(),
            Purpose::Read => aws.read_role.as_ref(),
        }
    };
    let known = |github: &Known<GithubIdentity>| match github {
        Known::Now(identity) => Some(identity.clone()),
        Known::After(_) => identity.cloned(),
    };
    let (before, after): (Option<&PolicyDocument>, Option<PolicyDocument>) = match step {
        Step::SetRoleTrust { trust, .. } => {
            let after = known(&trust.github).map(|identity| trust.document(&identity));
            (role(trust.purpose()).map(|role| &role.trust), after)
        }
        Step::SetRolePolicy { purpose, document, .. } => {
            (role(*purpose).and_then(|role| role.policy.as_ref()), Some(document.clone()))
        }
        Step::SetUserPolicy { document, .. } => {
            (aws.user.as_ref().and_then(|user| user.policy.as_ref()), Some(document.clone()))
        }
        _ => (None, None),
    };
    match (before, after) {
        (Some(before), Some(after)) => difference(&json(before), &json(&after)),
        _ => Vec::new(),
    }
}

fn json(document: &PolicyDocument) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}
