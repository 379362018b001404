//! `sbi apply`: converges on `sbi.toml` without questions about it.

use super::answers::read_config;
use super::console::Console;
use super::converge::{Run, converge};
use super::desire::{Adopt, Wishes};
use crate::cli::{ApplyArgs, GlobalFlags};
use crate::failure::Failure;
use crate::live::sign_in::Places;
use crate::model::pins::Pins;

/// # Errors
/// When there is no `sbi.toml`; otherwise see `converge`.
pub(super) async fn run(global: &GlobalFlags, arguments: &ApplyArgs, console: &Console) -> Result<(), Failure> {
    let path = &global.config;
    let config = read_config(path)?.ok_or_else(|| {
        Failure::usage(format!("there is no `{}` here", path.display()))
            .hinted("`sbi init` asks and writes it; or fetch it from the GitHub repository")
    })?;
    let live = console.sign_in(Places::default(), arguments.aws.profile.clone()).await?;
    let live = live.in_region(&config.aws.region);
    let wishes = Wishes {
        overwrite: arguments.plan.overwrite.iter().cloned().collect(),
        by_pull_request: arguments.plan.pull_request,
        adopt: if arguments.plan.adopt { Adopt::Agreed } else { Adopt::Leave },
        environment_settled: true,
        offline: arguments.plan.offline,
        pins: Pins::default(),
    };
    let run = Run::real("sbi apply", wishes, global, &arguments.plan, arguments.no_watch);
    converge(&live, &config, &run, console).await.map(drop)
}
