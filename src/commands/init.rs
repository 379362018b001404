//! `sbi init`: from nothing, or from anything, to a running pipeline.

use super::answers::{Decided, decide};
use super::console::Console;
use super::converge::{Run, converge};
use crate::cli::{GlobalFlags, InitArgs};
use crate::failure::Failure;
use crate::live::sign_in::Places;

/// # Errors
/// See `converge`.
pub(super) async fn run(global: &GlobalFlags, arguments: &InitArgs, console: &Console) -> Result<(), Failure> {
    #[cfg(feature = "sandbox")]
    if arguments.sandbox {
        return super::sandbox::run(global, arguments, console).await;
    }
    let live = console.sign_in(Places::default(), arguments.aws.profile.clone()).await?;
    let path = &global.config;
    let Decided { config, wishes } =
        decide(&arguments.answers, &arguments.plan, path, global.yes, &live, console).await?;
    let live = live.in_region(&config.aws.region);
    let run = Run::real("sbi init", wishes, global, &arguments.plan, arguments.no_watch);
    converge(&live, &config, &run, console).await.map(drop)
}
