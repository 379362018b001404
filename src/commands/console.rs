//! One run's way to the person: which stream gets what, human or JSON, and who can be asked.

use std::cell::Cell;
use std::io::{self, Write as _};

use jiff::Timestamp;

use super::converge::Prospect;
use super::next_steps;
use crate::apply::{Event, Report};
use crate::cli::{Color, Format};
use crate::failure::Failure;
use crate::journal::Story;
use crate::live::Live;
use crate::live::sign_in::Places;
use crate::model::config::{Auth, Config};
use crate::model::iam::PolicyDocument;
use crate::model::identity::{publishing_policy, reading_policy, reading_trust_policy, trust_policy};
use crate::model::names::GithubRepositoryName;
use crate::model::observed::GithubIdentity;
use crate::plan::status::Status;
use crate::plan::{Plan, StepId};
use crate::ui::diagnosis::{Findings, FindingsJson, print_findings};
use crate::ui::progress::{Progress, Stage};
use crate::ui::prompt::{Prompt, nobody_to_confirm};
use crate::ui::questions::{Detected, Draft};
use crate::ui::report::{self, Summary, Who};
use crate::ui::status::{StatusJson, print_status};
use crate::ui::story::{StoriesJson, StoryJson, print_stories, print_story};
use crate::ui::update::{Prospectus, UpdateJson, print_update};
use crate::ui::{Glyph, Stream, Style, json, unless_closed};

/// Results go to stdout, everything else to stderr.
pub(super) struct Console {
    out: Style,
    err: Style,
    progress: Progress,
    prompt: Option<Prompt>,
    format: Format,
    /// stdout holds the one JSON document already.
    answered: Cell<bool>,
    applying: Cell<bool>,
}

impl Console {
    /// Call it inside the runtime: asking takes over Ctrl-C.
    #[must_use]
    pub(super) fn new(color: Color, format: Format) -> Self {
        let color = match color {
            Color::Auto => None,
            Color::Always => Some(true),
            Color::Never => Some(false),
        };
        let err = Style::of(Stream::Stderr, color);
        Self {
            out: Style::of(Stream::Stdout, color),
            err,
            progress: Progress::on_stderr(err),
            prompt: Prompt::new(err),
            format,
            answered: Cell::new(false),
            applying: Cell::new(false),
        }
    }

    /// Says what is being done until the answer is dropped or told how it ended.
    pub(super) fn stage(&self, text: &str) -> Stage<'_> {
        self.progress.stage(text)
    }

    pub(super) fn line(&self, glyph: Glyph, text: &str) {
        self.progress.line(glyph, text);
    }

    /// A line of another program's output, on stderr.
    pub(super) fn quote(&self, line: &str) {
        let line: String = line.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
        // There is nobody left to tell when stderr is gone.
        let _ = self.progress.suspend(|| written(Stream::Stderr, |w| writeln!(w, "    {line}")));
    }

    /// Whether Ctrl-C must wait for what is under way.
    #[must_use]
    pub(super) fn is_applying(&self) -> bool {
        self.applying.get()
    }

    pub(super) fn set_applying(&self, applying: bool) {
        self.applying.set(applying);
    }

    /// The callback of `apply`.
    pub(super) fn watch<'a>(&'a self, plan: &'a Plan) -> impl Fn(StepId, Event<'_>) + 'a {
        self.progress.watch(plan)
    }

    /// Asks what is open, where somebody can be asked.
    ///
    /// # Errors
    /// `Cancelled` after Ctrl-C.
    pub(super) fn ask(&self, draft: &mut Draft, detected: &Detected) -> Result<(), Failure> {
        self.prompt.as_ref().map_or(Ok(()), |prompt| prompt.ask_all(draft, detected))
    }

    /// Signs in to both sides; asks for a GitHub token where there is none and somebody can be asked.
    ///
    /// # Errors
    /// When there is no token, or an address is unusable.
    pub(super) async fn sign_in(&self, places: Places, profile: Option<String>) -> Result<Live, Failure> {
        let ask = |host: String| async move {
            let why = format!("no token for {host} in GH_TOKEN, GITHUB_TOKEN or gh");
            match &self.prompt {
                Some(prompt) => prompt.token(&why).await.map(Some),
                None => Ok(None),
            }
        };
        Live::sign_in(places, profile, ask).await
    }

    /// # Errors
    /// `Cancelled` after Ctrl-C; when nobody can be asked.
    pub(super) fn confirm(&self, question: &str) -> Result<bool, Failure> {
        self.prompt.as_ref().ok_or_else(nobody_to_confirm)?.confirm(question)
    }

    /// Shows what was made by hand and asks whether a pull request shall replace it, where somebody can be asked.
    ///
    /// # Errors
    /// `Cancelled` after Ctrl-C; when stderr can't be written to.
    pub(super) fn agrees_to_adopt(&self, plan: &Plan) -> Result<bool, Failure> {
        let Some(prompt) = self.prompt.as_ref().filter(|_| plan.refusals.is_empty() && !plan.adopts) else {
            return Ok(false);
        };
        if plan.hand_made.is_empty() {
            return Ok(false);
        }
        written(Stream::Stderr, |w| report::print_hand_made(plan, self.err, w))?;
        prompt.confirm("Propose that in a pull request? Without it, all of it stays (--adopt)")
    }

    /// Asks for a text that must be typed out.
    ///
    /// # Errors
    /// `Cancelled` after Ctrl-C; when nobody can be asked.
    pub(super) fn typed(&self, question: &str) -> Result<String, Failure> {
        self.prompt.as_ref().ok_or_else(nobody_to_confirm)?.typed(question)
    }

    /// Whether there is somebody to ask.
    #[must_use]
    pub(super) fn can_ask(&self) -> bool {
        self.prompt.is_some()
    }

    /// Writes to stdout.
    ///
    /// # Errors
    /// When stdout can't be written to; a closed pipe is none.
    pub(super) fn result(&self, text: &str) -> Result<(), Failure> {
        self.answered.set(true);
        written(Stream::Stdout, |w| w.write_all(text.as_bytes()))
    }

    /// Shows a plan: as the command's result on stdout, or on the way to applying it on stderr.
    ///
    /// # Errors
    /// When the stream can't be written to.
    pub(super) fn show_plan(&self, prospect: &Prospect, policies: bool, is_result: bool) -> Result<(), Failure> {
        let Prospect { desired, observed, plan } = prospect;
        let who = Who { aws: observed.aws.caller.arn.clone(), github: observed.github.viewer.login.clone() };
        let documents = if policies { documents(prospect) } else { Vec::new() };
        self.show_steps(plan, &desired.config, &who, &documents, is_result)
    }

    /// The same of any plan, with IAM documents below it.
    ///
    /// # Errors
    /// When the stream can't be written to.
    pub(super) fn show_steps(
        &self,
        plan: &Plan,
        config: &Config,
        who: &Who,
        documents: &[(String, PolicyDocument)],
        is_result: bool,
    ) -> Result<(), Failure> {
        if self.format == Format::Json {
            return if is_result { self.result(&json::text(&json::PlanJson::new(plan))) } else { Ok(()) };
        }
        if !plan.refusals.is_empty() {
            return Ok(());
        }
        let (stream, style) = if is_result { (Stream::Stdout, self.out) } else { (Stream::Stderr, self.err) };
        self.progress.suspend(|| {
            written(stream, |w| {
                report::print_plan(plan, config, who, style, w)?;
                report::print_policies(documents, style, w)
            })
        })
    }

    /// Shows what an update would do: as the command's result on stdout, whole, or on the way to it on stderr.
    ///
    /// # Errors
    /// When the stream can't be written to.
    pub(super) fn show_update(&self, told: &Prospectus<'_>, is_result: bool) -> Result<(), Failure> {
        if self.format == Format::Json {
            return if is_result { self.result(&json::text(&UpdateJson::new(told))) } else { Ok(()) };
        }
        if told.plan.is_some_and(|plan| !plan.refusals.is_empty()) {
            return Ok(());
        }
        let (stream, style) = if is_result { (Stream::Stdout, self.out) } else { (Stream::Stderr, self.err) };
        self.progress.suspend(|| written(stream, |w| print_update(told, is_result, style, w)))
    }

    /// The result of `sbi status`, on stdout.
    ///
    /// # Errors
    /// When stdout can't be written to.
    pub(super) fn show_status(
        &self,
        status: &Status,
        config: &Config,
        who: &Who,
        now: Timestamp,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.result(&json::text(&StatusJson::new(status, config, now))),
            Format::Human => written(Stream::Stdout, |w| print_status(status, config, who, self.out, w)),
        }
    }

    /// Writes how applying ended, for people.
    ///
    /// # Errors
    /// When stderr can't be written to.
    pub(super) fn show_outcome(&self, plan: &Plan, report: &Report) -> Result<(), Failure> {
        if self.format == Format::Json {
            return Ok(());
        }
        written(Stream::Stderr, |w| report::print_outcome(report, plan, self.err, w))
    }

    /// The result of a run that changes things, on stdout.
    ///
    /// # Errors
    /// When stdout can't be written to.
    pub(super) fn show_end(&self, plan: &Plan, report: &Report, summary: &Summary) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.result(&json::text(&json::OutcomeJson::new(plan, report, summary))),
            Format::Human => written(Stream::Stdout, |w| report::print_summary(summary, self.out, w)),
        }
    }

    /// The result of looking for what keeps jobs out, on stdout.
    ///
    /// # Errors
    /// When stdout can't be written to.
    pub(super) fn show_findings(&self, found: &Findings<'_>) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.result(&json::text(&FindingsJson::new(found))),
            Format::Human => written(Stream::Stdout, |w| print_findings(found, self.out, w)),
        }
    }

    /// The runs that have a journal, on stdout.
    ///
    /// # Errors
    /// When stdout can't be written to.
    pub(super) fn show_stories(&self, repository: &GithubRepositoryName, stories: &[Story]) -> Result<(), Failure> {
        let repository = repository.to_string();
        match self.format {
            Format::Json => self.result(&json::text(&StoriesJson::new(&repository, stories))),
            Format::Human => written(Stream::Stdout, |w| print_stories(&repository, stories, self.out, w)),
        }
    }

    /// One run's journal, on stdout.
    ///
    /// # Errors
    /// When stdout can't be written to.
    pub(super) fn show_story(&self, story: &Story) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.result(&json::text(&StoryJson::new(story))),
            Format::Human => written(Stream::Stdout, |w| print_story(story, self.out, w)),
        }
    }

    #[must_use]
    pub(super) fn is_human(&self) -> bool {
        self.format == Format::Human
    }

    /// Writes what went wrong, and in JSON makes it the result when there is no other.
    pub(super) fn show_failure(&self, failure: &Failure) {
        // There is nobody left to tell when stderr is gone.
        let _ = written(Stream::Stderr, |w| report::print_failure(failure, self.err, w));
        if self.format == Format::Json && !self.answered.get() {
            let _ = self.result(&json::failure_text(failure));
        }
    }

    /// Every refusal but the last on stderr, the last for the caller to fail with.
    pub(super) fn refuse(&self, refusals: Vec<Failure>) -> Result<(), Failure> {
        let mut refusals = refusals;
        let Some(last) = refusals.pop() else { return Ok(()) };
        for failure in &refusals {
            let _ = written(Stream::Stderr, |w| report::print_failure(failure, self.err, w));
        }
        Err(last)
    }
}

/// The IAM documents of a plan, as far as their numbers are known.
fn documents(prospect: &Prospect) -> Vec<(String, PolicyDocument)> {
    let Prospect { desired, observed, .. } = prospect;
    let config = &desired.config;
    let mut documents = vec![("what the pipeline may do".to_owned(), publishing_policy(config))];
    if config.publish.auth != Auth::Oidc {
        return documents;
    }
    let (identity, note) = match &observed.github.repository {
        Some(found) => (found.identity.clone(), ""),
        None => {
            let repository = &config.github.repository;
            let unknown = GithubIdentity {
                repository_id: 0,
                owner_id: observed.github.owner.id,
                subject_prefix: format!("repo:{repository} (GitHub tells it when the repository exists)"),
                default_branch: "main".into(),
            };
            (unknown, "; repository_id 0 stands for the number that GitHub will give, main for its default branch")
        }
    };
    let trust = trust_policy(config, &desired.subject, &identity);
    documents.push((format!("whom the role trusts{note}"), trust));
    if !desired.reading.is_empty() {
        documents.push(("what verifying and scanning again may do".to_owned(), reading_policy(config)));
        let trust = reading_trust_policy(config, &desired.reading, &identity);
        documents.push((format!("whom the reading role trusts{note}"), trust));
    }
    documents
}

/// What a run ends with, from its links and what is left to do.
#[must_use]
pub(super) fn summary(links: Vec<next_steps::Link>, next: Vec<String>) -> Summary {
    Summary { links: links.into_iter().map(|link| (link.label, link.url)).collect(), next, notes: Vec::new() }
}

fn written(stream: Stream, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), Failure> {
    let result = match stream {
        Stream::Stdout => {
            let mut w = io::stdout().lock();
            write(&mut w).and_then(|()| w.flush())
        }
        Stream::Stderr => write(&mut io::stderr().lock()),
    };
    unless_closed(result).map_err(|error| Failure::new("the terminal can't be written to").caused_by(error))
}
