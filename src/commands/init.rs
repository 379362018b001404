//! `sbi init`: from nothing, or from anything, to a running pipeline.

use super::answers::{Decided, decide, in_region};
use super::console::Console;
use super::converge::{Run, converge};
use super::sign_in::{self, Places};
use super::watch::Patience;
use crate::cli::{GlobalFlags, InitArgs};
use crate::failure::Failure;
use crate::live::Live;

/// # Errors
/// See `converge`.
pub async fn run(global: &GlobalFlags, arguments: &InitArgs, console: &Console) -> Result<(), Failure> {
    #[cfg(feature = "sandbox")]
    if arguments.sandbox {
        return super::rehearse::run(global, arguments, console).await;
    }
    let mut places = Places::default();
    let (aws, github) = sign_in::to_both(&mut places, arguments.aws.profile.clone(), console).await?;
    let path = &global.config;
    let Decided { config, wishes } =
        decide(&arguments.answers, &arguments.plan, path, global.yes, (&aws, &github), console).await?;
    let aws = in_region(&aws, &config.aws.region);
    let run = Run {
        wishes,
        yes: global.yes,
        show_policies: arguments.plan.show_policies,
        watch: (!arguments.no_watch).then(Patience::default),
        config_file: Some(path),
    };
    converge(&Live { aws, github }, &config, &run, console).await.map(drop)
}
