//! Parses the command line, runs it, and turns the end into an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use sbi::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_) => return ExitCode::FAILURE,
    };
    let code = runtime.block_on(sbi::commands::run(cli));
    // A blocked prompt on another thread must not keep the process alive.
    runtime.shutdown_background();
    code
}
