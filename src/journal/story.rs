//! A run's file, read for people. A line that a killed run left half-written, or one of a later version, is passed over.

use std::io;

use jiff::Timestamp;

use super::record::{Event, Record, Step, Words};
use super::{Lock, Place};

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// What `sbi log RUN` takes.
    pub run: String,
    pub started: Timestamp,
    /// The version of sbi.
    pub sbi: String,
    pub command: String,
    pub pid: u32,
    /// `owner/name` as it was called then.
    pub repository: String,
    pub aws: String,
    pub github: String,
    pub steps: Vec<StepStory>,
    pub tale: Tale,
}

/// How a run went as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tale {
    /// `done`, `failed` or `cancelled`, and what the command said at its end.
    Ended { at: Timestamp, outcome: String, failure: Option<Words> },
    /// No end is written, and the process is still there.
    Running,
    /// No end is written: it was killed, or the machine went down.
    BrokenOff,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepStory {
    pub step: Step,
    pub started: Option<Timestamp>,
    pub state: StepState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Nothing is written of it.
    NotReached,
    /// Begun, and no end is written: it may have happened or not.
    Started,
    Done {
        at: Timestamp,
        produced: Option<String>,
    },
    Failed {
        at: Timestamp,
        failure: Words,
    },
    /// Not begun, because of a failure or a cancellation before it.
    NotStarted,
}

impl Story {
    /// Reads one run; `None` when its file tells of no beginning.
    ///
    /// # Errors
    /// When there is no such run, or its file can't be read.
    pub fn read(place: &Place, run: &str) -> io::Result<Option<Self>> {
        if run.contains(['/', '\\']) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let text = String::from_utf8_lossy(&std::fs::read(place.file_of(run))?).into_owned();
        let mut story = Self::told(run, &text);
        if let Some(story) = &mut story
            && story.tale == Tale::BrokenOff
            && Lock::holder(place).is_some_and(|holder| holder.pid == story.pid)
        {
            story.tale = Tale::Running;
        }
        Ok(story)
    }

    fn told(run: &str, text: &str) -> Option<Self> {
        let mut records = text.lines().filter_map(|line| serde_json::from_str::<Record>(line).ok());
        let first = records.next()?;
        let Event::RunStarted { sbi, command, pid, repository, aws, github, steps, format_version: _ } = first.event
        else {
            return None;
        };
        let planned = |step| StepStory { step, started: None, state: StepState::NotReached };
        let mut story = Self {
            run: run.to_owned(),
            started: first.at,
            sbi,
            command,
            pid,
            repository,
            aws,
            github,
            steps: steps.into_iter().map(planned).collect(),
            tale: Tale::BrokenOff,
        };
        for Record { at, event } in records {
            let (step, state) = match event {
                Event::StepStarted { step } => (step, StepState::Started),
                Event::StepDone { step, produced } => (step, StepState::Done { at, produced }),
                Event::StepFailed { step, failure } => (step, StepState::Failed { at, failure }),
                Event::StepNotStarted { step } => (step, StepState::NotStarted),
                Event::RunEnded { outcome, failure } => {
                    story.tale = Tale::Ended { at, outcome, failure };
                    continue;
                }
                Event::RunStarted { .. } | Event::Unknown => continue,
            };
            if let Some(told) = story.steps.get_mut(step) {
                if state == StepState::Started {
                    told.started = Some(at);
                }
                told.state = state;
            }
        }
        Some(story)
    }
}
