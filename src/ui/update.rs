//! What an update would do, file by file, for people and for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::json::{ChangeJson, FORMAT_VERSION, FailureJson, changes};
use super::report::{Who, paragraph, print_summary_of_plan};
use super::text::harmless;
use super::{Paint, Style};
use crate::model::names::GithubRepositoryName;
use crate::plan::Plan;
use crate::plan::update::{Decision, FileUpdate, Hunk, MergedEdits, Policies, Update, differences};

/// Everything that there is to tell.
#[derive(Clone, Copy)]
pub struct Prospectus<'a> {
    pub repository: &'a GithubRepositoryName,
    /// `None` where neither AWS nor GitHub was asked.
    pub who: Option<&'a Who>,
    pub update: &'a Update,
    /// Path → why its template changed.
    pub reasons: &'a BTreeMap<String, Vec<String>>,
    /// Pins, a line each: old → new, and those that were left with the reason.
    pub pins: &'a [String],
    pub policies: Option<&'a Policies>,
    /// `None` where files are written here.
    pub plan: Option<&'a Plan>,
}

/// Writes it; with `whole`, every conflict line by line.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_update(told: &Prospectus<'_>, whole: bool, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let update = told.update;
    let repository = match told.who {
        Some(who) => format!("{}, as {}", told.repository, who.github),
        None => told.repository.to_string(),
    };
    paragraph(&style.paint(Paint::Bold, "GitHub"), 8, &repository, style, w)?;
    let arrow = if style.unicode { "→" } else { "->" };
    let versions = match update.from == update.to {
        true => harmless(&update.to),
        false => format!("{} {arrow} {}", harmless(&update.from), harmless(&update.to)),
    };
    paragraph(&style.paint(Paint::Bold, "sbi"), 8, &versions, style, w)?;
    let (mut changed, mut left) = (Vec::new(), Vec::new());
    for file in &update.files {
        match file.decision {
            Decision::Unchanged | Decision::Deleted | Decision::Foreign | Decision::Abandoned => left.push(file),
            _ => changed.push(file),
        }
    }
    for (title, files) in [("files:", changed), ("left alone:", left)] {
        for (index, file) in files.into_iter().enumerate() {
            if index == 0 {
                writeln!(w, "\n{}", style.paint(Paint::Bold, title))?;
            }
            print_file(told, file, whole, style, w)?;
        }
    }
    for (index, pin) in told.pins.iter().enumerate() {
        if index == 0 {
            writeln!(w, "\n{}", style.paint(Paint::Bold, "pins:"))?;
        }
        let pin = if style.unicode { harmless(pin) } else { harmless(&pin.replace('→', "->")) };
        paragraph("  ~", 4, &pin, style, w)?;
    }
    if let Some(policies) = told.policies {
        print_policies(policies, whole, style, w)?;
    }
    match told.plan {
        Some(plan) => print_summary_of_plan(plan, style, w),
        None => writeln!(w),
    }
}

fn print_file(
    told: &Prospectus<'_>,
    file: &FileUpdate,
    whole: bool,
    style: Style,
    w: &mut dyn Write,
) -> io::Result<()> {
    let (sign, paint) = match &file.decision {
        Decision::New => ("+", Paint::Green),
        Decision::Removed => ("-", Paint::Red),
        Decision::Conflict { .. } => ("!", Paint::Red),
        Decision::Unchanged | Decision::Deleted | Decision::Foreign | Decision::Abandoned => ("=", Paint::Dim),
        _ => ("~", Paint::Yellow),
    };
    let from = file.from.as_ref().map(|from| format!(", moved from {from}")).unwrap_or_default();
    let head = format!("  {}", style.paint(paint, sign));
    paragraph(&head, 4, &format!("{}: {}{from}", harmless(&file.path), in_words(&file.decision)), style, w)?;
    for reason in reasons_of(file, told.reasons) {
        paragraph("", 6, &harmless(reason), style, w)?;
    }
    match &file.decision {
        Decision::Merged(edits) | Decision::Caught(edits) => print_edits(edits, style, w),
        Decision::Conflict { why, hunks } => {
            paragraph("", 6, &harmless(why), style, w)?;
            if whole { hunks.iter().try_for_each(|hunk| print_hunk(hunk, style, w)) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

/// Why a template changed, where that is what changes the file.
fn reasons_of<'r>(file: &FileUpdate, all: &'r BTreeMap<String, Vec<String>>) -> &'r [String] {
    let told = file.decision.is_change() && file.decision.is_of_a_template();
    all.get(&file.path).filter(|_| told).map(Vec::as_slice).unwrap_or_default()
}

fn in_words(decision: &Decision) -> &'static str {
    match decision {
        Decision::New => "new",
        Decision::Replaced => "replaced, nobody had edited it",
        Decision::Overwritten => "replaced, edits and all, as asked for",
        Decision::Merged(_) => "merged with what was edited",
        Decision::Caught(_) => "holds this version's changes already",
        Decision::Renewed => "newer pins, and nothing else",
        Decision::Kept => "kept as it is, as asked for",
        Decision::Conflict { .. } => "conflict, stays as it is",
        Decision::Unchanged => "was edited; this version renders it as before",
        Decision::Deleted => "was deleted and stays so",
        Decision::Foreign => "is not sbi's",
        Decision::Removed => "removed, this version does not render it any more",
        Decision::Abandoned => "is not rendered any more, but was edited: it stays",
    }
}

fn print_edits(edits: &MergedEdits, style: Style, w: &mut dyn Write) -> io::Result<()> {
    for note in &edits.notes {
        paragraph("", 6, &harmless(&format!("{}: {}", note.place, note.what)), style, w)?;
    }
    for remark in &edits.remarks {
        paragraph("", 6, &harmless(remark), style, w)?;
    }
    for (what, lines) in [("no longer in it", &edits.lost.written), ("back in it", &edits.lost.returned)] {
        for line in lines {
            paragraph("", 6, &harmless(&format!("{what}: {line}")), style, w)?;
        }
    }
    Ok(())
}

fn print_hunk(hunk: &Hunk, style: Style, w: &mut dyn Write) -> io::Result<()> {
    for (what, lines) in differences(hunk) {
        paragraph("", 6, &harmless(&format!("{}, {what}:", hunk.place)), style, w)?;
        print_difference(&lines, style, w)?;
    }
    Ok(())
}

fn print_difference(lines: &[String], style: Style, w: &mut dyn Write) -> io::Result<()> {
    for line in lines {
        let paint = match line.as_bytes().first() {
            Some(b'+') => Paint::Green,
            Some(b'-') => Paint::Red,
            _ => Paint::Dim,
        };
        // Not broken: it is quoted.
        writeln!(w, "        {}", style.paint(paint, &harmless(line)))?;
    }
    Ok(())
}

fn print_policies(policies: &Policies, whole: bool, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let changes = match policies {
        Policies::Seen(changes) if changes.is_empty() => return Ok(()),
        Policies::Seen(changes) => changes,
        Policies::Unseen(why) => {
            writeln!(w, "\n{}", style.paint(Paint::Bold, "roles and policies:"))?;
            return paragraph("  ?", 4, &format!("not looked at: {}", harmless(why)), style, w);
        }
    };
    writeln!(w, "\n{}", style.paint(Paint::Bold, "roles and policies, for `sbi apply` after the merge:"))?;
    for change in changes {
        let line = &change.line;
        let text = harmless(&format!("{} {}: {}", line.kind, line.name, line.detail));
        paragraph(&format!("  {}", line.sign.as_str()), 4, &text, style, w)?;
        if whole {
            print_difference(&change.difference, style, w)?;
        }
    }
    Ok(())
}

/// `sbi update --check --format json`, and `sbi update --local --format json`.
#[derive(Debug, Serialize)]
pub struct UpdateJson {
    pub format_version: u32,
    /// `owner/name`
    pub repository: String,
    /// The version whose templates were rendered last.
    pub from: String,
    pub to: String,
    /// This version has something that the files lack.
    pub pending: bool,
    pub files: Vec<FileJson>,
    /// A line each: old → new, and those that were left with the reason.
    pub pins: Vec<String>,
    pub policies: PoliciesJson,
    /// What happens on GitHub.
    pub changes: Vec<ChangeJson>,
    pub waiting: Vec<String>,
    pub refusals: Vec<FailureJson>,
}

#[derive(Debug, Serialize)]
pub struct FileJson {
    pub path: String,
    /// Where it was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `new`, `replaced`, `overwritten`, `merged`, `already_merged`, `renewed`, `kept`, `conflict`, `unchanged`, `stays_deleted`,
    /// `foreign`, `removed` or `abandoned`.
    pub decision: String,
    pub reasons: Vec<String>,
    pub notes: Vec<NoteJson>,
    pub remarks: Vec<String>,
    /// Lines of an edit that are not in the result.
    pub lost: Vec<String>,
    /// Lines that an edit took out and that are back.
    pub returned: Vec<String>,
    /// Of a conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub hunks: Vec<HunkJson>,
}

#[derive(Debug, Serialize)]
pub struct NoteJson {
    pub place: String,
    pub what: String,
}

#[derive(Debug, Serialize)]
pub struct HunkJson {
    pub place: String,
    pub base: String,
    pub ours: String,
    pub theirs: String,
}

#[derive(Debug, Serialize)]
pub struct PoliciesJson {
    /// Why nobody looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
    pub changes: Vec<PolicyJson>,
}

#[derive(Debug, Serialize)]
pub struct PolicyJson {
    pub kind: &'static str,
    pub name: String,
    pub detail: String,
    /// Lines of a difference.
    pub difference: Vec<String>,
}

impl UpdateJson {
    #[must_use]
    pub fn new(told: &Prospectus<'_>) -> Self {
        let update = told.update;
        let (unseen, seen) = match told.policies {
            None => (None, Vec::new()),
            Some(Policies::Unseen(why)) => (Some(why.clone()), Vec::new()),
            Some(Policies::Seen(changes)) => (None, changes.clone()),
        };
        let policy = |change: crate::plan::update::PolicyChange| PolicyJson {
            kind: change.line.kind,
            name: change.line.name,
            detail: change.line.detail,
            difference: change.difference,
        };
        Self {
            format_version: FORMAT_VERSION,
            repository: told.repository.to_string(),
            from: update.from.clone(),
            to: update.to.clone(),
            pending: update.is_pending(),
            files: update.files.iter().map(|file| FileJson::new(file, told.reasons)).collect(),
            pins: told.pins.to_vec(),
            policies: PoliciesJson { unseen, changes: seen.into_iter().map(policy).collect() },
            changes: told.plan.map(changes).unwrap_or_default(),
            waiting: told.plan.map(|plan| plan.waiting.clone()).unwrap_or_default(),
            refusals: told.plan.iter().flat_map(|plan| &plan.refusals).map(FailureJson::new).collect(),
        }
    }
}

impl FileJson {
    fn new(file: &FileUpdate, reasons: &BTreeMap<String, Vec<String>>) -> Self {
        let edits = match &file.decision {
            Decision::Merged(edits) | Decision::Caught(edits) => edits.clone(),
            _ => MergedEdits::default(),
        };
        let (why, hunks) = match &file.decision {
            Decision::Conflict { why, hunks } => (Some(why.clone()), hunks.clone()),
            _ => (None, Vec::new()),
        };
        let hunk = |hunk: Hunk| {
            let Hunk { place, base, ours, theirs } = hunk;
            HunkJson { place, base, ours, theirs }
        };
        Self {
            path: file.path.clone(),
            from: file.from.clone(),
            decision: file.decision.word().replace(' ', "_"),
            reasons: reasons_of(file, reasons).to_vec(),
            notes: edits.notes.into_iter().map(|note| NoteJson { place: note.place, what: note.what }).collect(),
            remarks: edits.remarks,
            lost: edits.lost.written,
            returned: edits.lost.returned,
            why,
            hunks: hunks.into_iter().map(hunk).collect(),
        }
    }
}
