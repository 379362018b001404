//! `sbi init`: from nothing, or from anything, to a running pipeline.

use super::answers::{Decided, decide};
use super::console::Console;
use super::converge::{Run, converge};
use crate::cli::{GlobalFlags, InitArgs};
use crate::failure::Failure;
use crate::live::sign_in::Places;
use crate::live::watch::Patience;

/// # Errors
/// See `converge`.
pub(super) async fn run(global: &GlobalFlags, arguments: &InitArgs, console: &Console) -> Result<(), Failure> {
    #[cfg(feature = "sandbox")]
    if arguments.sandbox {
        return super::rehearse::run(global, arguments, console).await;
    }
    let live = console.sign_in(Places::default(), arguments.aws.profile.clone()).await?;
    let path = &global.config;
    let Decided { config, wishes } =
        decide(&arguments.answers, &arguments.plan, path, global.yes, &live, console).await?;
    let live = live.in_region(&config.aws.region);
    let run = Run {
        wishes,
        yes: global.yes,
        show_policies: arguments.plan.show_policies,
        watch: (!arguments.no_watch).then(Patience::default),
        config_file: Some(path),
        rehearsal: false,
    };
    converge(&live, &config, &run, console).await.map(drop)
}
