//! Writes a run's file while it goes: every line is on the disk before what it tells goes on, so that a run that is
//! killed leaves a true story.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Write as _};

use jiff::Timestamp;

use super::record::{Event as Entry, FORMAT_VERSION, Record, Step, Words, produced};
use super::{MOST_RUNS, Place, private};
use crate::apply::Event;
use crate::failure::{Cause, Failure};
use crate::model::names::GithubRepositoryName;
use crate::plan::{Plan, StepId};

/// The file of the run that is going on.
pub struct Journal {
    run: String,
    file: RefCell<File>,
    /// The first line that could not be written: the run goes on without its journal.
    broken: RefCell<Option<io::Error>>,
    ended: Cell<bool>,
}

impl Journal {
    /// Starts the file with the plan that was agreed to, and lets the oldest ones of the repository go.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn begin(
        place: &Place,
        command: &str,
        repository: &GithubRepositoryName,
        (aws, github): (&str, &str),
        plan: &Plan,
    ) -> io::Result<Self> {
        place.create()?;
        let (now, pid) = (Timestamp::now(), std::process::id());
        let run = format!("{}-{pid}", now.strftime("%Y-%m-%dT%H-%M-%S%.6fZ"));
        let file = private().append(true).create_new(true).open(place.file_of(&run))?;
        let journal = Self { run, file: RefCell::new(file), broken: RefCell::default(), ended: Cell::new(false) };
        journal.write(Entry::RunStarted {
            format_version: FORMAT_VERSION,
            sbi: env!("CARGO_PKG_VERSION").to_owned(),
            command: command.to_owned(),
            pid,
            repository: repository.to_string(),
            aws: aws.to_owned(),
            github: github.to_owned(),
            steps: plan.nodes().iter().map(|node| Step::new(node.step.describe())).collect(),
        });
        for old in place.runs()?.iter().skip(MOST_RUNS) {
            // One that stays is one too many, and no reason to stop.
            let _ = std::fs::remove_file(place.file_of(old));
        }
        match journal.broken.take() {
            Some(error) => Err(error),
            None => Ok(journal),
        }
    }

    /// What `sbi log` calls this run.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Writes down what `apply` tells of a step.
    pub fn note(&self, id: StepId, event: &Event<'_>) {
        let step = id.index();
        match event {
            Event::Started => self.write(Entry::StepStarted { step }),
            Event::Waiting(_) => {}
            Event::Done(made) => self.write(Entry::StepDone { step, produced: produced(made) }),
            Event::Failed(failure) => self.write(Entry::StepFailed { step, failure: Words::new(failure) }),
            Event::Skipped => self.write(Entry::StepNotStarted { step }),
        }
    }

    /// Writes down how the run ended.
    pub fn end(&self, failure: Option<&Failure>) {
        let outcome = match failure.map(Failure::cause) {
            None => "done",
            Some(Cause::Cancelled) => "cancelled",
            Some(_) => "failed",
        };
        self.ended.set(true);
        self.write(Entry::RunEnded { outcome: outcome.into(), failure: failure.map(Words::new) });
    }

    /// Why the journal is not whole, told once.
    #[must_use]
    pub fn take_trouble(&self) -> Option<io::Error> {
        self.broken.take()
    }

    fn write(&self, event: Entry) {
        let record = Record { at: Timestamp::now(), event };
        let written = serde_json::to_vec(&record).map_err(io::Error::other).and_then(|mut line| {
            line.push(b'\n');
            let mut file = self.file.borrow_mut();
            file.write_all(&line)?;
            file.sync_data()
        });
        if let Err(error) = written {
            self.broken.borrow_mut().get_or_insert(error);
        }
    }
}

impl Drop for Journal {
    /// The person left while the run was only looked at or followed.
    fn drop(&mut self) {
        if !self.ended.get() {
            self.write(Entry::RunEnded { outcome: "cancelled".into(), failure: None });
        }
    }
}
