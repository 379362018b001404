//! What `sbi doctor` found, for people and as JSON, from one value.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{FORMAT_VERSION, FailureJson};
use super::report::{Who, paragraph, print_who};
use super::{Glyph, Paint, Style};
use crate::failure::Failure;
use crate::model::config::Config;
use crate::model::diagnosis::{Case, Obstacle, Start, Verdict};
use crate::model::observed::{FailedJob, RunStory};
use crate::plan::step::Line;

/// Everything that was found out.
pub struct Findings<'a> {
    pub config: &'a Config,
    pub who: Who,
    /// The ref or commit whose workflow files were read.
    pub at: String,
    pub cases: Vec<Case>,
    pub unreadable: Vec<Failure>,
    /// The run that was asked about, or the last one when it failed.
    pub run: Option<RunStory>,
    /// What `sbi apply` would change of the identities of CI.
    pub drift: Vec<Line>,
    /// What stands in place of cases where there can be none.
    pub note: Option<String>,
}

/// Writes them for people.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_findings(found: &Findings<'_>, style: Style, w: &mut dyn Write) -> io::Result<()> {
    print_who(found.config, &found.who, style, w)?;
    writeln!(w)?;
    if let Some(run) = &found.run {
        print_run(run, style, w)?;
        writeln!(w)?;
    }
    let title = format!("jobs that sign in to AWS, from the workflows at {}:", found.at);
    writeln!(w, "{}", style.paint(Paint::Bold, &title))?;
    for case in &found.cases {
        print_case(case, style, w)?;
    }
    if let Some(note) = &found.note {
        paragraph(&style.glyph(Glyph::Waiting), 2, note, style, w)?;
    }
    for failure in &found.unreadable {
        paragraph(&style.glyph(Glyph::Waiting), 2, failure.message(), style, w)?;
    }
    for (index, line) in found.drift.iter().enumerate() {
        if index == 0 {
            writeln!(w, "\n{}", style.paint(Paint::Bold, "differs from what sbi.toml asks for:"))?;
        }
        let text = format!("{} {}: {}", line.kind, line.name, line.detail);
        paragraph(&format!("  {}", line.sign.as_str()), 4, &text, style, w)?;
    }
    Ok(())
}

fn print_run(run: &RunStory, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let what = format!("run {} of {} on {}", run.id, run.workflow, run.branch);
    let (glyph, text) = match (run.conclusion.as_deref(), run.failed.is_empty()) {
        (None, _) => (Glyph::Waiting, format!("{what} is still going")),
        (Some("success"), _) => (Glyph::Done, format!("{what} succeeded")),
        (Some(other), true) => (Glyph::Failed, format!("{what} ended with {}", other.replace('_', " "))),
        (Some(_), false) => (Glyph::Failed, format!("{what} failed")),
    };
    paragraph(&style.glyph(glyph), 2, &format!("{text}: {}", run.url), style, w)?;
    for FailedJob { name, step, url } in &run.failed {
        let place =
            step.as_ref().map_or_else(|| format!("job `{name}`"), |step| format!("job `{name}`, step `{step}`"));
        let link = url.as_ref().map(|url| format!(": {url}")).unwrap_or_default();
        paragraph("  -", 4, &format!("{place}{link}"), style, w)?;
    }
    Ok(())
}

/// `on release of v1.0.0`
fn describe(start: &Start) -> String {
    let short = start.reference.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
    match start.event.as_str() {
        "release" => format!("on release of {short}"),
        "schedule" => format!("on schedule on {short}"),
        "pull_request" => "on a pull request".into(),
        other => format!("on {other} of {short}"),
    }
}

fn print_case(case: &Case, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let what = format!("{} {}", case.job, describe(&case.start));
    let obstacles = match &case.verdict {
        Verdict::LetIn => {
            return paragraph(&style.glyph(Glyph::Done), 2, &format!("{what}: let in by {}", case.role), style, w);
        }
        Verdict::Untold(why) => {
            let text = format!("{what}, {}: can't be told, {why}", case.role);
            return paragraph(&style.glyph(Glyph::Waiting), 2, &text, style, w);
        }
        Verdict::Refused(obstacles) => obstacles,
    };
    paragraph(&style.glyph(Glyph::Failed), 2, &format!("{what}: refused by {}", case.role), style, w)?;
    let mut said: Vec<&str> = Vec::new();
    for Obstacle { about, wanted, carried, why, .. } in obstacles {
        let listed = |values: &[String]| values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(" or ");
        let text = match (wanted.is_empty(), carried.is_empty()) {
            (true, _) => about.clone(),
            (false, true) => format!("{about}: asked for is {}, the token has none", listed(wanted)),
            (false, false) => format!("{about}: asked for is {}, it is {}", listed(wanted), listed(carried)),
        };
        paragraph("    -", 6, &text, style, w)?;
        if !said.contains(&why.as_str()) {
            paragraph(&format!("      {}", style.paint(Paint::Dim, "because:")), 15, why, style, w)?;
            said.push(why);
        }
    }
    let mut helped: Vec<&str> = Vec::new();
    for Obstacle { mend, .. } in obstacles {
        if !helped.contains(&mend.as_str()) {
            paragraph(&format!("    {}", style.paint(Paint::Cyan, "help:")), 10, mend, style, w)?;
            helped.push(mend);
        }
    }
    Ok(())
}

/// `sbi doctor --format json`.
#[derive(Debug, Serialize)]
pub struct FindingsJson {
    pub format_version: u32,
    /// The ref or commit whose workflow files were read.
    pub at: String,
    pub jobs: Vec<CaseJson>,
    pub unreadable: Vec<FailureJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunJson>,
    /// What `sbi apply` would change of the identities of CI.
    pub drift: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct CaseJson {
    pub workflow: String,
    pub job: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    pub event: String,
    #[serde(rename = "ref")]
    pub reference: String,
    pub role: String,
    /// `let_in`, `refused` or `untold`.
    pub verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub obstacles: Vec<ObstacleJson>,
}

#[derive(Debug, Serialize)]
pub struct ObstacleJson {
    /// The claim, or `permissions`, `environment`, `role`, `provider`.
    pub about: String,
    pub wanted: Vec<String>,
    pub carried: Vec<String>,
    pub because: String,
    pub help: String,
}

#[derive(Debug, Serialize)]
pub struct RunJson {
    pub id: u64,
    pub url: String,
    pub workflow: String,
    pub event: String,
    pub branch: String,
    pub commit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<String>,
    pub failed: Vec<FailedJobJson>,
}

#[derive(Debug, Serialize)]
pub struct FailedJobJson {
    pub job: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl FindingsJson {
    #[must_use]
    pub fn new(found: &Findings<'_>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            at: found.at.clone(),
            jobs: found.cases.iter().map(CaseJson::new).collect(),
            unreadable: found.unreadable.iter().map(FailureJson::new).collect(),
            run: found.run.as_ref().map(RunJson::new),
            drift: found.drift.iter().map(|line| format!("{} {}: {}", line.kind, line.name, line.detail)).collect(),
            note: found.note.clone(),
        }
    }
}

impl CaseJson {
    fn new(case: &Case) -> Self {
        let (verdict, why, obstacles) = match &case.verdict {
            Verdict::LetIn => ("let_in", None, &[][..]),
            Verdict::Untold(why) => ("untold", Some(why.clone()), &[][..]),
            Verdict::Refused(obstacles) => ("refused", None, obstacles.as_slice()),
        };
        let obstacle = |obstacle: &Obstacle| ObstacleJson {
            about: obstacle.about.clone(),
            wanted: obstacle.wanted.clone(),
            carried: obstacle.carried.clone(),
            because: obstacle.why.clone(),
            help: obstacle.mend.clone(),
        };
        Self {
            workflow: case.workflow.clone(),
            job: case.job.clone(),
            step: case.step.clone(),
            event: case.start.event.clone(),
            reference: case.start.reference.clone(),
            role: case.role.clone(),
            verdict,
            why,
            obstacles: obstacles.iter().map(obstacle).collect(),
        }
    }
}

impl RunJson {
    fn new(run: &RunStory) -> Self {
        let failed =
            |job: &FailedJob| FailedJobJson { job: job.name.clone(), step: job.step.clone(), url: job.url.clone() };
        Self {
            id: run.id,
            url: run.url.clone(),
            workflow: run.workflow.clone(),
            event: run.event.clone(),
            branch: run.branch.clone(),
            commit: run.commit.to_string(),
            conclusion: run.conclusion.clone(),
            failed: run.failed.iter().map(failed).collect(),
        }
    }
}
