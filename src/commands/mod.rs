//! A file a command; `converge` is what those that change things share.

mod answers;
mod apply;
mod carry_out;
mod console;
mod converge;
mod desire;
mod destroy;
mod detect;
mod doctor;
mod guard;
mod init;
mod log;
mod next_steps;
mod plan;
mod policy;
mod rehearse;
mod render;
mod rotate_keys;
#[cfg(feature = "sandbox")]
mod sandbox;
mod status;
mod to_oidc;
mod update;

use std::process::ExitCode;

use crate::cli::{Cli, Command, Format, command};
use crate::failure::{Cause, Failure};
use console::Console;

/// Runs one command to its end and says how it ended.
pub async fn run(cli: Cli) -> ExitCode {
    let format = match &cli.command {
        Command::Init(arguments) => arguments.format,
        Command::Plan(arguments) => arguments.format,
        Command::Apply(arguments) => arguments.format,
        Command::Update(arguments) => arguments.format,
        Command::Destroy(arguments) => arguments.format,
        Command::Status(arguments) => arguments.format,
        Command::Rehearse(arguments) => arguments.format,
        Command::RotateKeys(arguments) => arguments.format,
        Command::Doctor(arguments) => arguments.format,
        Command::Log(arguments) => arguments.format,
        Command::Render(_) | Command::Policy(_) | Command::Completions { .. } | Command::Man => Format::Human,
    };
    let console = Console::new(cli.global.color, format);
    match or_cancelled(dispatch(&cli, &console), &console).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console.show_failure(&failure);
            ExitCode::from(failure.exit_code() as u8)
        }
    }
}

/// Ends a command at Ctrl-C, unless it applies a plan: then what is under way is finished first.
async fn or_cancelled(command: impl Future<Output = Result<(), Failure>>, console: &Console) -> Result<(), Failure> {
    let mut command = std::pin::pin!(command);
    loop {
        tokio::select! {
            ended = &mut command => return ended,
            Ok(()) = tokio::signal::ctrl_c() => {
                if !console.is_applying() {
                    return Err(Failure::new("cancelled").because(Cause::Cancelled));
                }
            }
        }
    }
}

async fn dispatch(cli: &Cli, console: &Console) -> Result<(), Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(arguments) => init::run(global, arguments, console).await,
        Command::Plan(arguments) => plan::run(global, arguments, console).await,
        Command::Apply(arguments) => apply::run(global, arguments, console).await,
        Command::Update(arguments) => update::run(global, arguments, console).await,
        Command::Destroy(arguments) => destroy::run(global, arguments, console).await,
        Command::Status(arguments) => status::run(global, arguments, console).await,
        Command::Render(arguments) => render::run(global, arguments, console),
        Command::Rehearse(arguments) => rehearse::run(global, arguments, console).await,
        Command::RotateKeys(arguments) => rotate_keys::run(global, arguments, console).await,
        Command::Doctor(arguments) => doctor::run(global, arguments, console).await,
        Command::Log(arguments) => log::run(global, arguments, console),
        Command::Policy(arguments) => policy::run(global, arguments, console),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command(), "sbi", &mut script);
            console.result(&String::from_utf8_lossy(&script))
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command())
                .render(&mut page)
                .map_err(|error| Failure::new("the manual page can't be rendered").caused_by(error))?;
            console.result(&String::from_utf8_lossy(&page))
        }
    }
}
