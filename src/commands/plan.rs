//! `sbi plan`: the same as `init`, stopped before the first write.

use super::answers::{Decided, decide};
use super::console::Console;
use super::converge::look;
use crate::cli::{GlobalFlags, PlanArgs};
use crate::failure::{Cause, Failure};
use crate::live::sign_in::Places;

/// # Errors
/// See `look`; with `--check`, a plan that is not empty.
pub(super) async fn run(global: &GlobalFlags, arguments: &PlanArgs, console: &Console) -> Result<(), Failure> {
    let live = console.sign_in(Places::default(), arguments.aws.profile.clone()).await?;
    let Decided { config, wishes } =
        decide(&arguments.answers, &arguments.plan, &global.config, global.yes, &live, console).await?;
    let live = live.in_region(&config.aws.region);
    let stage = console.stage("looking at AWS and GitHub");
    let mut prospect = look(&live, &config, &wishes).await?;
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
