//! The ECR repositories, one an image: created, or adopted with their differences as changes.

use std::collections::{BTreeMap, BTreeSet};

use super::keep;
use crate::model::config::Config;
use crate::model::desired::Desired;
use crate::model::names::EcrRepositoryName;
use crate::model::observed::{EcrRepository, Encryption, Observed, TagMutability};
use crate::model::registry::{adoption_tags, is_ours, lifecycle_policy, ownership_tags, tag_mutability};
use crate::plan::Plan;
use crate::plan::step::Step;

/// The most exclusion filters that ECR takes (Amazon ECR API reference, `CreateRepository`).
const MOST_FILTERS: usize = 5;

pub(super) fn plan(plan: &mut Plan, desired: &Desired, observed: &Observed) {
    for outlet in desired.config.outlets() {
        let arn = desired.config.ecr_repository_arn(&outlet.ecr_repository);
        let place = Place { arn, name: outlet.ecr_repository };
        match observed.aws.ecr_repositories.get(&place.name) {
            None => create(plan, place, ownership_tags(&desired.config)),
            Some(found) => adopt(plan, place, found, &desired.config),
        }
    }
}

/// One ECR repository as it is wanted.
struct Place {
    arn: String,
    name: EcrRepositoryName,
}

fn create(plan: &mut Plan, Place { arn, name }: Place, tags: BTreeMap<String, String>) {
    let created = plan.add(
        Step::CreateEcrRepository { arn: arn.clone(), name: name.clone(), tag_mutability: tag_mutability(), tags },
        [],
    );
    plan.add(Step::SetEcrLifecycle { arn, name, policy: lifecycle_policy(), replaces: false }, [created]);
}

fn adopt(plan: &mut Plan, Place { arn, name }: Place, found: &EcrRepository, config: &Config) {
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
    // One that sbi made carries its mark since its creation: whatever lacks it was there before.
    if !is_ours(&found.tags, config) {
        plan.add(Step::TagEcrRepository { arn, name, tags: adoption_tags(config) }, []);
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
