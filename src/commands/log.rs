//! `sbi log`: what earlier runs on this machine did, from their journals. Reads nothing else and decides nothing.

use super::answers::read_config;
use super::console::Console;
use crate::cli::{GlobalFlags, LogArgs};
use crate::failure::{Cause, Failure};
use crate::journal::{Place, Story};
use crate::live::sign_in::{environment, web_host};
use crate::model::names::GithubRepositoryName;

/// # Errors
/// When it is not known which repository is meant, there is no such run, or a journal can't be read.
pub(super) fn run(global: &GlobalFlags, arguments: &LogArgs, console: &Console) -> Result<(), Failure> {
    let repository = match &arguments.github {
        Some(text) => GithubRepositoryName::new(text)?,
        None => match read_config(&global.config)? {
            Some(config) => config.github.repository,
            None => {
                return Err(Failure::usage(format!("there is no `{}` here", global.config.display()))
                    .hinted("name the repository: `sbi log --github OWNER/NAME`"));
            }
        },
    };
    let place = Place::of(&web_host()?, &repository, &environment).ok_or_else(|| {
        Failure::usage("no journal is kept here").hinted("set HOME or XDG_STATE_HOME to an absolute path")
    })?;
    let unreadable = |error: std::io::Error| {
        Failure::new(format!("the journals in {} can't be read", place.folder().display())).caused_by(error)
    };
    let runs = place.runs().map_err(unreadable)?;
    let asked = if arguments.last { runs.first() } else { arguments.run.as_ref() };
    let Some(run) = asked else {
        if arguments.last {
            return Err(no_runs(&repository));
        }
        let mut stories = Vec::new();
        for run in &runs {
            stories.extend(Story::read(&place, run).map_err(unreadable)?);
        }
        return console.show_stories(&repository, &stories);
    };
    match Story::read(&place, run) {
        Ok(Some(story)) => console.show_story(&story),
        Ok(None) => Err(Failure::new(format!("the journal of run {run} has no beginning"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("there is no run {run} of {repository} on this machine"))
                .because(Cause::NotFound)
                .hinted("`sbi log` lists those that there are"))
        }
        Err(error) => Err(unreadable(error)),
    }
}

fn no_runs(repository: &GithubRepositoryName) -> Failure {
    Failure::new(format!("no run on this machine has changed {repository}"))
        .because(Cause::NotFound)
        .hinted("after a rename, runs of before are under the old name: `sbi log --github OWNER/NAME`")
}
