//! The ECR repositories, one an image: created, or adopted with their differences as changes.

use std::collections::BTreeSet;

use super::github::Ground;
use super::{keep, owned_by};
use crate::failure::Failure;
use crate::model::desired::Desired;
use crate::model::names::EcrRepositoryName;
use crate::model::observed::{EcrRepository, Encryption, Observed, TagMutability};
use crate::model::ownership::{Claimant, OWNER_ID_TAG, Owner};
use crate::model::registry::{lifecycle_policy, tag_mutability};
use crate::plan::step::{Ownership, Step};
use crate::plan::{Plan, StepId};

/// The most exclusion filters that ECR takes (Amazon ECR API reference, `CreateRepository`).
const MOST_FILTERS: usize = 5;

pub(super) fn plan(plan: &mut Plan, desired: &Desired, observed: &Observed, ground: &Ground) {
    let claimant = Claimant::new(&desired.config.github.repository, observed.github.repository.as_ref());
    for outlet in desired.config.outlets() {
        let place = Place {
            arn: desired.config.ecr_repository_arn(&outlet.ecr_repository),
            name: outlet.ecr_repository,
            owner: ground.ownership(&desired.config),
            after: ground.created,
        };
        match observed.aws.ecr_repositories.get(&place.name) {
            None => create(plan, place),
            Some(found) => match claimant.owner_of(&found.tags, None) {
                Owner::Ours => adopt(plan, place, found),
                // A name alone may be an old one: an ECR repository is adopted, with the new one as a change.
                Owner::Unmarked | Owner::Other { id: None, .. } => {
                    // One that sbi made carries its mark since its creation: whatever lacks it was there before.
                    let owner = Ownership { adopted: true, ..place.owner };
                    adopt(plan, Place { owner, ..place }, found);
                }
                Owner::Other { name, id: Some(id) } => {
                    let whose = owned_by(name.as_deref(), Some(&id), &claimant);
                    plan.refusals.push(of_another(&place, &whose, desired));
                }
            },
        }
    }
}

/// One ECR repository as it is wanted.
struct Place {
    arn: String,
    name: EcrRepositoryName,
    owner: Ownership,
    /// The step that its owner's number is known after.
    after: Option<StepId>,
}

/// Another GitHub repository publishes there.
fn of_another(place: &Place, whose: &str, desired: &Desired) -> Failure {
    Failure::usage(format!("ECR repository {} {whose}", place.name))
        .hinted("publish to another one: `--ecr-repository NAME`")
        .hinted(format!(
            "or hand it over: `aws ecr untag-resource --region {} --resource-arn {} --tag-keys {OWNER_ID_TAG}`",
            desired.config.aws.region, place.arn
        ))
}

fn create(plan: &mut Plan, Place { arn, name, owner, after }: Place) {
    let created = plan.add(
        Step::CreateEcrRepository { arn: arn.clone(), name: name.clone(), tag_mutability: tag_mutability(), owner },
        after,
    );
    plan.add(Step::SetEcrLifecycle { arn, name, policy: lifecycle_policy(), replaces: false }, [created]);
}

fn adopt(plan: &mut Plan, Place { arn, name, owner, after }: Place, found: &EcrRepository) {
    if let Some(to) = stricter(&found.tag_mutability) {
        let from = found.tag_mutability.clone();
        plan.add(Step::SetEcrTagMutability { arn: arn.clone(), name: name.clone(), from, to }, []);
    }
    if !found.scan_on_push {
        plan.add(Step::SetEcrScanOnPush { arn: arn.clone(), name: name.clone() }, []);
    }
    match &found.lifecycle {
        None => {
            let (arn, name) = (arn.clone(), name.clone());
            plan.add(Step::SetEcrLifecycle { arn, name, policy: lifecycle_policy(), replaces: false }, []);
        }
        Some(policy) if *policy == lifecycle_policy() => {}
        Some(_) => keep(
            plan,
            format!("lifecycle policy of {name}"),
            "is not sbi's: see that it expires no tagged image, buyers pull released digests for years",
        ),
    }
    if let Encryption::Kms { .. } = found.encryption {
        keep(plan, format!("encryption of {name}"), "uses a KMS key; ECR fixes it at creation");
    }
    if !owner.is_told_by(&found.tags) {
        plan.add(Step::TagEcrRepository { arn, name, owner }, after);
    }
}

/// What the tags' mutability must become, `None` when it already protects releases and lets signatures through.
fn stricter(found: &TagMutability) -> Option<TagMutability> {
    let TagMutability::ImmutableExcept(ours) = tag_mutability() else { return None };
    match found {
        TagMutability::ImmutableExcept(filters) if filters.is_superset(&ours) => None,
        TagMutability::ImmutableExcept(filters) => {
            let both: BTreeSet<String> = filters.union(&ours).cloned().collect();
            Some(TagMutability::ImmutableExcept(if both.len() <= MOST_FILTERS { both } else { ours }))
        }
        TagMutability::Mutable | TagMutability::Immutable | TagMutability::MutableExcept(_) => {
            Some(TagMutability::ImmutableExcept(ours))
        }
    }
}
