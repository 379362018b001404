//! What surrounds a run that changes something: one at a time on this machine, and a journal of what it did. Without a
//! place for either the run goes on and says so.

use std::cell::RefCell;

use super::console::Console;
use crate::apply::Event;
use crate::failure::Failure;
use crate::journal::{Holder, Journal, Lock, Locked, Place};
use crate::live::sign_in::{environment, web_host};
use crate::model::names::GithubRepositoryName;
use crate::plan::{Plan, StepId};
use crate::ui::Glyph;

/// Held while a run of one repository goes on.
pub(super) struct Guard<'a> {
    console: &'a Console,
    /// `sbi apply`
    command: &'static str,
    /// Somebody else could meet this run.
    real: bool,
    /// Where the journal goes.
    place: RefCell<Option<Place>>,
    /// One for every name that the repository has in this run.
    locks: RefCell<Vec<Lock>>,
    journal: RefCell<Option<Journal>>,
}

impl<'a> Guard<'a> {
    /// Takes the lock of a repository.
    ///
    /// # Errors
    /// When another run has it.
    pub(super) fn take(
        console: &'a Console,
        command: &'static str,
        repository: &GithubRepositoryName,
    ) -> Result<Self, Failure> {
        let guard = Self { real: true, ..Self::none(console, command) };
        guard.move_to(repository)?;
        Ok(guard)
    }

    /// Takes the lock of the repository's name of today as well, and keeps the journal under it.
    ///
    /// # Errors
    /// When another run has it.
    pub(super) fn move_to(&self, repository: &GithubRepositoryName) -> Result<(), Failure> {
        let console = self.console;
        if !self.real {
            return Ok(());
        }
        let Some(place) = Place::of(&web_host()?, repository, &environment) else {
            console.line(
                Glyph::Waiting,
                "no journal is kept and no other run is kept out: set HOME or XDG_STATE_HOME to an absolute path",
            );
            return Ok(());
        };
        match Lock::take(&place, self.command) {
            Ok(Locked::Ours(lock)) => self.locks.borrow_mut().push(lock),
            Ok(Locked::Theirs(holder)) => return Err(held(repository, holder.as_ref())),
            Err(error) => {
                let folder = place.folder().display();
                console.line(Glyph::Waiting, &format!("no other run is kept out: {folder} can't be locked ({error})"));
            }
        }
        self.place.replace(Some(place));
        Ok(())
    }

    /// A run in the sandbox: nobody else can meet it, and nothing of it is real.
    pub(super) fn none(console: &'a Console, command: &'static str) -> Self {
        let (place, locks, journal) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { console, command, real: false, place, locks, journal }
    }

    /// Where the person is told about the run.
    pub(super) fn console(&self) -> &'a Console {
        self.console
    }

    /// The command that goes on after a failure: `sbi apply`.
    pub(super) fn command(&self) -> &'static str {
        self.command
    }

    /// Starts the journal of a plan that was agreed to; `who` is the identity on AWS and the login on GitHub.
    pub(super) fn begin(&self, repository: &GithubRepositoryName, who: (&str, &str), plan: &Plan) {
        let place = self.place.borrow();
        let Some(place) = &*place else { return };
        match Journal::begin(place, self.command, repository, who, plan) {
            Ok(journal) => drop(self.journal.replace(Some(journal))),
            Err(error) => self.warn(&error),
        }
    }

    /// Puts the journal before `shown`, which tells the person.
    pub(super) fn watch<'w>(&'w self, shown: impl Fn(StepId, Event<'_>) + 'w) -> impl Fn(StepId, Event<'_>) + 'w {
        move |id, event| {
            if let Some(journal) = &*self.journal.borrow() {
                journal.note(id, &event);
                if let Some(error) = journal.take_trouble() {
                    self.warn(&error);
                }
            }
            shown(id, event);
        }
    }

    /// Ends the journal with how the command ended.
    pub(super) fn end(&self, failure: Option<&Failure>) {
        if let Some(journal) = &*self.journal.borrow() {
            journal.end(failure);
            if failure.is_some() {
                self.console.line(Glyph::Waiting, &format!("`sbi log {}` tells this run again", journal.run()));
            }
        }
    }

    fn warn(&self, error: &std::io::Error) {
        let place = self.place.borrow();
        let folder = place.as_ref().map(|place| place.folder().display().to_string()).unwrap_or_default();
        self.console
            .line(Glyph::Waiting, &format!("the journal in {folder} can't be written ({error}); the run goes on"));
    }
}

fn held(repository: &GithubRepositoryName, holder: Option<&Holder>) -> Failure {
    let Some(Holder { pid, command, since }) = holder else {
        return Failure::new(format!("another run of sbi is changing {repository}")).hinted("wait until it has ended");
    };
    let since = since.strftime("%Y-%m-%d %H:%M:%S UTC");
    Failure::new(format!("another run is changing {repository}: `{command}`, process {pid}, since {since}"))
        .hinted("wait until it has ended, then run the command again: it plans what is left")
        .hinted(format!("`sbi log --last` tells how far it is; if it hangs, end it with `kill {pid}`"))
}
