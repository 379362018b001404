//! The ECR repositories: one that sbi made goes, with its images only when that was asked for; an adopted one stays.

use super::{Wish, of_others};
use crate::failure::Failure;
use crate::model::config::Config;
use crate::model::holdings::{Holdings, ImageFacts};
use crate::model::names::EcrRepositoryName;
use crate::model::observed::{EcrRepository, Observed};
use crate::model::ownership::{ADOPTED_TAG, Claimant, OWNER_ID_TAG, OWNER_TAG};
use crate::model::registry::lifecycle_policy;
use crate::plan::setup::keep;
use crate::plan::step::{Step, size};
use crate::plan::{Plan, StepId};

pub(super) fn plan(
    plan: &mut Plan,
    config: &Config,
    wish: Wish,
    (observed, holdings): (&Observed, &Holdings),
    signed_out: &[StepId],
) {
    let claimant = Claimant::new(&config.github.repository, observed.github.repository.as_ref());
    for name in config.ecr_repositories() {
        let Some(found) = observed.aws.ecr_repositories.get(&name) else { continue };
        let arn = found.arn.clone();
        let region = &config.aws.region;
        let untag = format!("aws ecr untag-resource --region {region} --resource-arn {arn} --tag-keys {OWNER_ID_TAG}");
        if let Some(why) = of_others(claimant.owner_of(&found.tags, None), &claimant, &untag) {
            keep(plan, format!("ECR repository {name}"), why);
        } else if found.tags.contains_key(ADOPTED_TAG) {
            keep_adopted(plan, &name, found);
            let ours = [OWNER_TAG, OWNER_ID_TAG, ADOPTED_TAG].into_iter();
            let keys = ours.filter(|key| found.tags.contains_key(*key)).map(str::to_owned).collect();
            plan.add(Step::UntagEcrRepository { arn, name, keys }, signed_out.iter().copied());
        } else {
            let images = holdings.images.get(&name).map_or(&[][..], Vec::as_slice);
            if !images.is_empty() && !wish.delete_images {
                plan.refusals.push(holds_images(&name, &arn, images));
                continue;
            }
            let mut before = signed_out.to_vec();
            if !images.is_empty() {
                let step = Step::DeleteImages { arn: arn.clone(), name: name.clone(), images: images.to_vec() };
                before.push(plan.add(step, signed_out.iter().copied()));
            }
            plan.add(Step::DeleteEcrRepository { arn, name }, before);
        }
    }
}

fn keep_adopted(plan: &mut Plan, name: &EcrRepositoryName, found: &EcrRepository) {
    keep(plan, format!("ECR repository {name}"), "was there before sbi, or is marked to be kept; so are its images");
    keep(
        plan,
        format!("settings of {name}"),
        "tags stay as immutable and scanning stays as it is: what was before is not known",
    );
    if found.lifecycle.as_ref() == Some(&lifecycle_policy()) {
        keep(
            plan,
            format!("lifecycle policy of {name}"),
            format!(
                "goes on expiring untagged leftovers; `aws ecr delete-lifecycle-policy --repository-name {name}` ends that"
            ),
        );
    }
}

fn holds_images(name: &EcrRepositoryName, arn: &str, images: &[ImageFacts]) -> Failure {
    let bytes = images.iter().map(|image| image.bytes).sum();
    let count = if images.len() == 1 { "1 image".to_owned() } else { format!("{} images", images.len()) };
    let released = images.iter().find(|image| image.tags.iter().any(|tag| tag.starts_with('v')));
    let newest = released.or(images.first()).map(ImageFacts::label).unwrap_or_default();
    Failure::usage(format!("ECR repository {name} holds {count}, {}, among them {newest}", size(bytes)))
        .hinted("buyers may be pulling them by tag or by digest; `--delete-images` lists every one and deletes them")
        .hinted(format!(
            "or keep the repository with its images: `aws ecr tag-resource --resource-arn {arn} --tags \
             Key={ADOPTED_TAG},Value=true`"
        ))
}
