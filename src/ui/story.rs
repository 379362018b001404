//! The story of a run, for people and as JSON, from one value.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::json::FORMAT_VERSION;
use super::report::paragraph;
use super::text::{harmless, pad, width};
use super::{Glyph, Paint, Style};
use crate::journal::{StepState, StepStory, Story, Tale, Words};

/// With its date: a journal is read days later.
fn full(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn of_day(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

fn outcome(story: &Story) -> &str {
    match &story.tale {
        Tale::Ended { outcome, .. } => outcome,
        Tale::Running => "running",
        Tale::BrokenOff => "broken off",
    }
}

fn glyph(story: &Story) -> Glyph {
    match outcome(story) {
        "done" => Glyph::Done,
        "running" => Glyph::Doing,
        "cancelled" => Glyph::Waiting,
        _ => Glyph::Failed,
    }
}

/// `3 done, 1 failed, 2 not started`
fn counted(story: &Story) -> String {
    let count = |word: &str| story.steps.iter().filter(|step| word_of(&step.state) == word).count();
    let words = ["done", "failed", "begun", "not started"];
    let parts: Vec<String> = words
        .iter()
        .map(|word| (count(word), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    parts.join(", ")
}

fn word_of(state: &StepState) -> &'static str {
    match state {
        StepState::Done { .. } => "done",
        StepState::Failed { .. } => "failed",
        StepState::Started => "begun",
        StepState::NotStarted | StepState::NotReached => "not started",
    }
}

/// One line a run, newest first.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_stories(repository: &str, stories: &[Story], style: Style, w: &mut dyn Write) -> io::Result<()> {
    if stories.is_empty() {
        return writeln!(w, "no run on this machine has changed {repository}");
    }
    let widest = |of: &dyn Fn(&Story) -> usize| stories.iter().map(of).max().unwrap_or(0);
    let (commands, outcomes) =
        (widest(&|story| width(&harmless(&story.command))), widest(&|story| width(outcome(story))));
    for story in stories {
        let line = format!(
            "{}  {}  {}  {}  {}",
            full(story.started),
            pad(&harmless(&story.command), commands),
            pad(outcome(story), outcomes),
            story.run,
            counted(story)
        );
        writeln!(w, "{} {line}", style.glyph(glyph(story)))?;
    }
    Ok(())
}

/// One run with all its steps.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_story(story: &Story, style: Style, w: &mut dyn Write) -> io::Result<()> {
    for (label, text) in [
        ("run", story.run.clone()),
        ("command", format!("{}, version {}, process {}", story.command, story.sbi, story.pid)),
        ("started", full(story.started)),
        ("AWS", story.aws.clone()),
        ("GitHub", format!("{}, as {}", story.repository, story.github)),
    ] {
        paragraph(&style.paint(Paint::Bold, &pad(label, 7)), 9, &harmless(&text), style, w)?;
    }
    writeln!(w)?;
    for StepStory { step, started, state } in &story.steps {
        let what = format!("{} {} {}: {}", step.sign, step.kind, step.name, step.detail);
        let what = harmless(&what);
        let began = started.map(of_day).unwrap_or_default();
        match state {
            StepState::Done { at, produced } => {
                let made = produced.as_ref().map(|made| format!(" ({})", harmless(made))).unwrap_or_default();
                let line = format!("{began} to {} {what}{made}", of_day(*at));
                paragraph(&style.glyph(Glyph::Done), 2, &line, style, w)?;
            }
            StepState::Failed { at, failure } => {
                let line = format!("{began} to {} {what}", of_day(*at));
                paragraph(&style.glyph(Glyph::Failed), 2, &line, style, w)?;
                print_words(failure, "  ", style, w)?;
            }
            StepState::Started => {
                let line = format!("{began} {what}: no end is written, it may have happened or not");
                paragraph(&style.glyph(Glyph::Waiting), 2, &line, style, w)?;
            }
            StepState::NotStarted | StepState::NotReached => {
                paragraph("  -", 4, &format!("not started {what}"), style, w)?;
            }
        }
    }
    writeln!(w)?;
    let (text, failure) = match &story.tale {
        Tale::Ended { at, outcome, failure } => (format!("{outcome} at {}", full(*at)), failure.as_ref()),
        Tale::Running => (format!("still running, as process {}", story.pid), None),
        Tale::BrokenOff => {
            ("broken off: no end is written. `sbi plan` shows what is left, `sbi apply` does it".to_owned(), None)
        }
    };
    paragraph(&style.glyph(glyph(story)), 2, &text, style, w)?;
    failure.map_or(Ok(()), |failure| print_words(failure, "", style, w))
}

fn print_words(words: &Words, indent: &str, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let line = |head: String, text: &str, w: &mut dyn Write| {
        paragraph(&format!("{indent}{head}"), indent.len() + 9, text, style, w)
    };
    line(style.paint(Paint::Red, "error:"), &words.error, w)?;
    for reason in &words.because {
        line(style.paint(Paint::Dim, "because:"), reason, w)?;
    }
    for hint in &words.help {
        line(style.paint(Paint::Cyan, "help:"), hint, w)?;
    }
    Ok(())
}

/// `sbi log --format json`.
#[derive(Debug, Serialize)]
pub struct StoriesJson {
    pub format_version: u32,
    pub repository: String,
    pub runs: Vec<StorySummaryJson>,
}

#[derive(Debug, Serialize)]
pub struct StorySummaryJson {
    pub run: String,
    pub started: Timestamp,
    pub command: String,
    /// `done`, `failed`, `cancelled`, `running` or `broken off`.
    pub outcome: String,
}

/// `sbi log RUN --format json`.
#[derive(Debug, Serialize)]
pub struct StoryJson {
    pub format_version: u32,
    #[serde(flatten)]
    pub summary: StorySummaryJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    pub sbi: String,
    pub pid: u32,
    pub repository: String,
    pub aws: String,
    pub github: String,
    pub steps: Vec<StepStoryJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Words>,
}

#[derive(Debug, Serialize)]
pub struct StepStoryJson {
    pub sign: String,
    pub kind: String,
    pub name: String,
    pub detail: String,
    /// `done`, `failed`, `begun` or `not started`.
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub produced: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Words>,
}

impl StorySummaryJson {
    fn new(story: &Story) -> Self {
        Self {
            run: story.run.clone(),
            started: story.started,
            command: story.command.clone(),
            outcome: outcome(story).to_owned(),
        }
    }
}

impl StoriesJson {
    #[must_use]
    pub fn new(repository: &str, stories: &[Story]) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            repository: repository.to_owned(),
            runs: stories.iter().map(StorySummaryJson::new).collect(),
        }
    }
}

impl StoryJson {
    #[must_use]
    pub fn new(story: &Story) -> Self {
        let (ended, failure) = match &story.tale {
            Tale::Ended { at, failure, .. } => (Some(*at), failure.clone()),
            Tale::Running | Tale::BrokenOff => (None, None),
        };
        Self {
            format_version: FORMAT_VERSION,
            summary: StorySummaryJson::new(story),
            ended,
            sbi: story.sbi.clone(),
            pid: story.pid,
            repository: story.repository.clone(),
            aws: story.aws.clone(),
            github: story.github.clone(),
            steps: story.steps.iter().map(StepStoryJson::new).collect(),
            failure,
        }
    }
}

impl StepStoryJson {
    fn new(story: &StepStory) -> Self {
        let (ended, produced, failure) = match &story.state {
            StepState::Done { at, produced } => (Some(*at), produced.clone(), None),
            StepState::Failed { at, failure } => (Some(*at), None, Some(failure.clone())),
            StepState::Started | StepState::NotStarted | StepState::NotReached => (None, None, None),
        };
        let step = story.step.clone();
        Self {
            sign: step.sign,
            kind: step.kind,
            name: step.name,
            detail: step.detail,
            state: word_of(&story.state),
            started: story.started,
            ended,
            produced,
            failure,
        }
    }
}
