//! The ECR repository: created, or adopted with its differences as changes.

use std::collections::BTreeSet;

use super::keep;
use crate::model::desired::Desired;
use crate::model::observed::{EcrRepository, Encryption, Observed, TagMutability};
use crate::model::registry::{lifecycle_policy, ownership_tags, tag_mutability};
use crate::plan::Plan;
use crate::plan::step::Step;

/// The most exclusion filters that ECR takes (Amazon ECR API reference, `CreateRepository`).
const MOST_FILTERS: usize = 5;

pub(super) fn plan(plan: &mut Plan, desired: &Desired, observed: &Observed) {
    let config = &desired.config;
    let name = &config.ecr.repository;
    let arn = config.ecr_repository_arn(&config.ecr.repository);
    let Some(found) = &observed.aws.ecr_repository else {
        let created = plan.add(
            Step::CreateEcrRepository {
                arn: arn.clone(),
                name: name.clone(),
                tag_mutability: tag_mutability(),
                tags: ownership_tags(config),
            },
            [],
        );
        plan.add(
            Step::SetEcrLifecycle { arn, name: name.clone(), policy: lifecycle_policy(), replaces: false },
            [created],
        );
        return;
    };
    if let Some(to) = stricter(&found.tag_mutability) {
        let from = found.tag_mutability.clone();
        plan.add(Step::SetEcrTagMutability { arn: arn.clone(), name: name.clone(), from, to }, []);
    }
    if !found.scan_on_push {
        plan.add(Step::SetEcrScanOnPush { arn: arn.clone(), name: name.clone() }, []);
    }
    plan_lifecycle(plan, desired, found);
    let tags = ownership_tags(config);
    if !tags.iter().all(|(key, value)| found.tags.get(key) == Some(value)) {
        plan.add(Step::TagEcrRepository { arn, name: name.clone(), tags }, []);
    }
    if let Encryption::Kms { .. } = found.encryption {
        keep(plan, format!("encryption of {name}"), "uses a KMS key; ECR fixes it at creation");
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

fn plan_lifecycle(plan: &mut Plan, desired: &Desired, found: &EcrRepository) {
    let name = &desired.config.ecr.repository;
    let wanted = lifecycle_policy();
    let step = Step::SetEcrLifecycle {
        arn: desired.config.ecr_repository_arn(&desired.config.ecr.repository),
        name: name.clone(),
        policy: wanted.clone(),
        replaces: false,
    };
    match &found.lifecycle {
        None => {
            plan.add(step, []);
        }
        Some(policy) if *policy == wanted => {}
        Some(_) => keep(
            plan,
            format!("lifecycle policy of {name}"),
            "is not sbi's: see that it expires no tagged image, buyers pull released digests for years",
        ),
    }
}
