//! The command line as a document, written from its own help.

use std::fmt::Write as _;

use super::command;

/// `docs/cli.md`: the long help of every command, as a terminal of 100 columns shows it.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# The command line\n\nWritten from the program's own help by the tests; edit `src/cli.rs` instead.\n",
    );
    let mut root = command().term_width(100);
    root.build();
    describe(&root, "sbi", 2, &mut text);
    text
}

fn describe(command: &clap::Command, path: &str, level: usize, text: &mut String) {
    let help = command.clone().term_width(100).color(clap::ColorChoice::Never).render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Writing to a String can't fail.
    let _ = write!(text, "\n{} `{path}`\n\n```text\n{}\n```\n", "#".repeat(level), help.join("\n").trim_end());
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        describe(subcommand, &format!("{path} {}", subcommand.get_name()), level + 1, text);
    }
}
