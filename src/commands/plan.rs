//! `sbi plan`: the same as `init`, stopped before the first write.

use super::answers::{Decided, decide, in_region};
use super::console::Console;
use super::converge::look;
use super::sign_in::{self, Places};
use crate::cli::{GlobalFlags, PlanArgs};
use crate::failure::{Cause, Failure};
use crate::live::Live;

/// # Errors
/// See `look`; with `--check`, a plan that is not empty.
pub async fn run(global: &GlobalFlags, arguments: &PlanArgs, console: &Console) -> Result<(), Failure> {
    let mut places = Places::default();
    let (aws, github) = sign_in::to_both(&mut places, arguments.aws.profile.clone(), console).await?;
    let Decided { config, wishes } =
        decide(&arguments.answers, &arguments.plan, &global.config, global.yes, (&aws, &github), console).await?;
    let aws = in_region(&aws, &config.aws.region);
    let stage = console.stage("looking at AWS and GitHub");
    let mut prospect = look(&Live { aws, github }, &config, &wishes).await?;
    drop(stage);
    console.show_plan(&prospect, arguments.plan.show_policies, true)?;
    console.refuse(std::mem::take(&mut prospect.plan.refusals))?;
    if arguments.check && !prospect.plan.is_empty() {
        return Err(Failure::new("something would change")
            .because(Cause::ChangesPending)
            .hinted("`sbi apply` does it"));
    }
    Ok(())
}
