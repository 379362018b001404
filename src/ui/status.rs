//! The checklist of `sbi status`, as a person reads it and as a program does.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::json::FORMAT_VERSION;
use super::report::{Who, paragraph};
use super::text::{pad, width};
use super::{Glyph, Paint, Style};
use crate::model::config::Config;
use crate::plan::status::{Entry, Fact, Section, State, Status, Tone};

/// Labels of facts are this wide at most before their text starts on a line of its own.
const LABEL_MAX: usize = 26;

/// Writes the list section by section, the facts below it, and the count.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_status(status: &Status, config: &Config, who: &Who, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let account = format!("{} in {}, {}", config.aws.account, config.aws.region, who.aws);
    let github = format!("{}, {}", config.github.repository, who.github);
    for (label, text) in [("AWS", account), ("GitHub", github)] {
        paragraph(&style.paint(Paint::Bold, &pad(label, 6)), 8, &text, style, w)?;
    }
    for section in Section::ALL {
        let mut entries = status.entries.iter().filter(|entry| entry.section == section).peekable();
        if entries.peek().is_some() {
            let title = format!("{}. {}", section.number(), section.title());
            writeln!(w, "\n{}", style.paint(Paint::Bold, &title))?;
        }
        for entry in entries {
            print_entry(entry, style, w)?;
        }
    }
    writeln!(w)?;
    let labels = status.facts.iter().map(|fact| width(&fact.label)).max().unwrap_or(0).min(LABEL_MAX);
    for fact in &status.facts {
        print_fact(fact, labels, style, w)?;
    }
    writeln!(w, "\n{}", style.paint(Paint::Bold, &counted(status)))
}

fn print_entry(Entry { title, state, .. }: &Entry, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let (glyph, _) = kind(state);
    let (stands, below): (String, Vec<(&str, &str)>) = match state {
        State::Done { detail } => (detail.clone(), Vec::new()),
        State::Drifted { differs, mend } => {
            let differences = differs.iter().map(|difference| ("-", difference.as_str()));
            ("drifted".into(), differences.chain([("mend:", mend.as_str())]).collect())
        }
        State::Undone { lacks, command } => {
            (format!("to do by `{command}`"), lacks.iter().map(|lack| ("-", lack.as_str())).collect())
        }
        State::Person { what, url, optional } => {
            let yours = if *optional { "yours to decide" } else { "yours" };
            (format!("{yours}: {what}"), url.iter().map(|url| ("at", url.as_str())).collect())
        }
        State::Untold(unread) => {
            let help = unread.help.iter().map(|help| ("help:", help.as_str()));
            (format!("can't be told: {}", unread.why), help.collect())
        }
    };
    let colon = if stands.is_empty() { "" } else { ": " };
    paragraph(&format!("  {}", style.glyph(glyph)), 4, &format!("{title}{colon}{stands}"), style, w)?;
    for (label, text) in below {
        let paint = if matches!(label, "mend:" | "help:") { Paint::Cyan } else { Paint::Dim };
        paragraph(&format!("      {}", style.paint(paint, label)), 7 + width(label), text, style, w)?;
    }
    Ok(())
}

fn print_fact(fact: &Fact, labels: usize, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let glyph = match fact.tone {
        Tone::Fine => " ".to_owned(),
        Tone::Warning => style.paint(Paint::Yellow, "!"),
        Tone::Untold => style.glyph(Glyph::Unknown),
    };
    let text = match fact.tone {
        Tone::Untold => format!("can't be told: {}", fact.text),
        Tone::Fine | Tone::Warning => fact.text.clone(),
    };
    let indent = 4 + labels + 2;
    let head = format!("  {glyph} {}", pad(&fact.label, labels));
    if width(&fact.label) > labels {
        paragraph("", 4, &fact.label, style, w)?;
        paragraph(&format!("  {glyph}"), indent, &text, style, w)?;
    } else {
        paragraph(&head, indent, &text, style, w)?;
    }
    let help = fact.command.as_ref().map(|command| format!("help: {command}"));
    for more in fact.url.iter().chain(&help) {
        paragraph("", indent, more, style, w)?;
    }
    Ok(())
}

/// The sign of a state and its name for programs.
fn kind(state: &State) -> (Glyph, &'static str) {
    match state {
        State::Done { .. } => (Glyph::Done, "done"),
        State::Drifted { .. } => (Glyph::Failed, "drifted"),
        State::Undone { .. } => (Glyph::Doing, "to_do"),
        State::Person { .. } => (Glyph::Waiting, "person"),
        State::Untold(_) => (Glyph::Unknown, "unknown"),
    }
}

/// `21 done, 2 drifted, 3 to do, 6 yours, 1 can't be told`, without what is zero.
fn counted(status: &Status) -> String {
    let count = |name: &str| status.entries.iter().filter(|entry| kind(&entry.state).1 == name).count();
    let parts: Vec<String> = [
        ("done", "done"),
        ("drifted", "drifted"),
        ("to_do", "to do"),
        ("person", "yours"),
        ("unknown", "can't be told"),
    ]
    .into_iter()
    .map(|(name, words)| (count(name), words))
    .filter(|(count, _)| *count > 0)
    .map(|(count, words)| format!("{count} {words}"))
    .collect();
    parts.join(", ")
}

/// `sbi status --format json`.
#[derive(Debug, Serialize)]
pub struct StatusJson {
    pub format_version: u32,
    /// RFC 3339
    pub checked_at: String,
    pub account: String,
    pub region: String,
    pub repository: String,
    pub entries: Vec<EntryJson>,
    pub facts: Vec<FactJson>,
    /// What `--check` waits for, by title.
    pub pending: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct EntryJson {
    /// The plan's number of the section.
    pub section: u8,
    /// The same from version to version, such as `ecr-repository:acme/base`.
    pub id: String,
    pub title: String,
    /// `done`, `drifted`, `to_do`, `person` or `unknown`.
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// With `drifted` and `to_do`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// What to run or to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// With `person`: the plan works without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

#[derive(Debug, Serialize)]
pub struct FactJson {
    pub key: &'static str,
    pub label: String,
    /// `fine`, `warning` or `unknown`.
    pub state: &'static str,
    pub text: String,
    /// RFC 3339
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// With open findings: severity → how many.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, u64>,
}

impl StatusJson {
    #[must_use]
    pub fn new(status: &Status, config: &Config, now: jiff::Timestamp) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            checked_at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            account: config.aws.account.to_string(),
            region: config.aws.region.to_string(),
            repository: config.github.repository.to_string(),
            entries: status.entries.iter().map(EntryJson::new).collect(),
            facts: status.facts.iter().map(FactJson::new).collect(),
            pending: status.pending().map(str::to_owned).collect(),
        }
    }
}

impl EntryJson {
    fn new(Entry { section, id, title, state }: &Entry) -> Self {
        let (_, name) = kind(state);
        let mut entry = Self {
            section: section.number(),
            id: id.clone(),
            title: title.clone(),
            state: name,
            detail: None,
            differs: Vec::new(),
            mend: None,
            url: None,
            optional: None,
        };
        match state {
            State::Done { detail } => entry.detail = Some(detail.clone()).filter(|detail| !detail.is_empty()),
            State::Drifted { differs, mend: command } | State::Undone { lacks: differs, command } => {
                entry.differs.clone_from(differs);
                entry.mend = Some(command.clone());
            }
            State::Person { what, url, optional } => {
                entry.detail = Some(what.clone());
                entry.url.clone_from(url);
                entry.optional = Some(*optional);
            }
            State::Untold(unread) => {
                entry.detail = Some(unread.why.clone());
                entry.mend.clone_from(&unread.help);
            }
        }
        entry
    }
}

impl FactJson {
    fn new(Fact { key, label, tone, text, at, url, command, counts, pending: _ }: &Fact) -> Self {
        Self {
            key,
            label: label.clone(),
            state: match tone {
                Tone::Fine => "fine",
                Tone::Warning => "warning",
                Tone::Untold => "unknown",
            },
            text: text.clone(),
            at: at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            url: url.clone(),
            mend: command.clone(),
            counts: counts.clone(),
        }
    }
}
