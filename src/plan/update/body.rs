//! The text of the pull request: what changes and why, per file; what could not be merged; what AWS has to follow; what
//! to test. As long as GitHub takes, no longer.

use std::collections::BTreeMap;

use super::choices::{Remembered, to_line};
use super::differences::differences;
use super::{Decision, FileUpdate, MergedEdits, Policies, Update};
use crate::model::desired::Desired;
use crate::plan::markdown::{LONGEST, block, code, length, plain};

/// What is kept free for the sentence that says what was cut.
const RESERVE: usize = 600;
/// Lines of a list that a person still reads.
const MOST_LISTED: usize = 200;

/// The heading of the part about roles and policies.
pub(super) const POLICIES: &str = "\n### Roles and policies\n";

/// Everything that the text is made from.
#[derive(Clone, Copy)]
pub struct Story<'a> {
    pub desired: &'a Desired,
    pub update: &'a Update,
    /// Path → why its template changed, a sentence each.
    pub reasons: &'a BTreeMap<String, Vec<String>>,
    pub policies: &'a Policies,
    /// Pins that are newer now, old → new, a line each, and those that were left, with the reason.
    pub pins: &'a [String],
    /// Somebody asked for newer pins.
    pub asked_for_pins: bool,
    /// Whether the checks of a pull request start by themselves: one that a workflow opens starts none.
    pub checks_start: bool,
}

/// The title of the pull request.
#[must_use]
pub fn title(update: &Update, pins: bool) -> String {
    match (update.from == update.to, pins) {
        (true, true) => "Update pinned actions and base images".into(),
        (true, false) => "Update what sbi renders".into(),
        (false, _) => format!("Update what sbi renders to {}", update.to),
    }
}

/// The text of the pull request, in Markdown. The same input gives the same text.
#[must_use]
pub fn body(story: &Story<'_>) -> String {
    let remembered = to_line(&Remembered { choices: story.update.choices.clone(), pins: story.asked_for_pins })
        .map(|line| line + "\n\n")
        .unwrap_or_default();
    let before = remembered + &opening(story);
    let after = [changes(story), left_alone(story), policies(story), what_to_test(story)];
    let after: Vec<String> = after.into_iter().filter(|section| !section.is_empty()).collect();
    let mut parts = vec![before];
    let mut used: usize = parts.iter().chain(&after).map(|part| length(part) + 2).sum();
    let mut cut = Vec::new();
    for file in story.update.conflicts() {
        if used + RESERVE >= LONGEST {
            cut.push(file.path.clone());
            continue;
        }
        for part in conflict(file) {
            let room = LONGEST.saturating_sub(used + RESERVE);
            let size = length(&part) + 2;
            if size <= room {
                used += size;
                parts.push(part);
                continue;
            }
            // What follows would not be understood without it.
            used = LONGEST;
            if cut.last() != Some(&file.path) {
                cut.push(file.path.clone());
            }
        }
    }
    if !cut.is_empty() {
        let named: Vec<String> = cut.iter().take(5).map(|path| code(path)).collect();
        let more =
            if cut.len() > named.len() { format!(" and {} more", cut.len() - named.len()) } else { String::new() };
        parts.push(format!(
            "The differences of {}{more} are left out in part: there are more of them than fit into a pull request's text. \
             `sbi update --check` prints them all.",
            named.join(", ")
        ));
    }
    parts.extend(after);
    fitted(parts.join("\n\n"))
}

/// Whatever the parts were, the whole fits.
fn fitted(text: String) -> String {
    if length(&text) <= LONGEST {
        return text;
    }
    let end =
        "\n\nThe rest is left out: it is longer than a pull request's text may be. `sbi update --check` prints it all.";
    let mut room = LONGEST - length(end);
    let mut kept = String::new();
    let mut fence: Option<String> = None;
    for line in text.split_inclusive('\n') {
        let closing = fence.as_ref().map_or(0, |fence| fence.len() + 1);
        let size = length(line);
        if size + closing > room {
            break;
        }
        room -= size;
        kept.push_str(line);
        let ticks = line.len() - line.trim_start_matches('`').len();
        if ticks >= 3 {
            fence = match fence {
                Some(open) if line.trim_end() == open => None,
                None => Some("`".repeat(ticks)),
                open => open,
            };
        }
    }
    if let Some(fence) = fence {
        kept.push_str(&fence);
    }
    kept.trim_end().to_owned() + end
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".into() } else { format!("{count} files") }
}

fn opening(story: &Story<'_>) -> String {
    let update = story.update;
    let changed = update.files.iter().filter(|file| file.decision.is_change()).count();
    let conflicts = update.conflicts().count();
    let version = match update.from == update.to {
        true => format!("This brings what sbi {} renders from `sbi.toml` into the repository", code_free(&update.to)),
        false => format!(
            "This brings the templates of sbi {} into the repository; {} rendered it last",
            code_free(&update.to),
            code_free(&update.from)
        ),
    };
    let mut text = format!("{version}. {} change", files(changed));
    text.push_str(if changed == 1 { "s" } else { "" });
    text.push_str(". `sbi.toml` is yours and is not touched.");
    if conflicts > 0 {
        let stay = if conflicts == 1 { "stays as it is" } else { "stay as they are" };
        text.push_str(&format!(
            "\n\n**{} could not be merged and {stay}.** The reasons and both sides are below. To settle one, change the \
             file on the default branch so that both go together and run `sbi update` again; or `sbi update --keep PATH` \
             keeps what is there, `sbi update --overwrite PATH` takes this version's.",
            files(conflicts)
        ));
    }
    text
}

/// A version, which nobody but sbi writes; anybody may have edited `sbi.lock`.
fn code_free(version: &str) -> String {
    plain(version).replace('\\', "")
}

/// One file that could not be merged, in parts that can be left out from the end.
fn conflict(file: &FileUpdate) -> Vec<String> {
    let Decision::Conflict { why, hunks } = &file.decision else { return Vec::new() };
    let mut parts = vec![format!("### Conflict in {}\n\n{}", code(&file.path), sentence(why))];
    for hunk in hunks {
        let mut part = format!("At {}:", code(&hunk.place));
        for (what, lines) in differences(hunk) {
            let lines = if lines.is_empty() { vec!["(nothing)".to_owned()] } else { lines };
            part.push_str(&format!("\n\n{}:\n{}", capital(what), block("diff", &lines)));
        }
        parts.push(part);
    }
    parts
}

fn changes(story: &Story<'_>) -> String {
    let changed: Vec<&FileUpdate> = story.update.files.iter().filter(|file| file.decision.is_change()).collect();
    let mut lines: Vec<String> = changed.iter().take(MOST_LISTED).map(|file| change(story, file)).collect();
    if changed.len() > MOST_LISTED {
        lines.push(format!("- and {} more", files(changed.len() - MOST_LISTED)));
    }
    lines.extend(story.pins.iter().map(|pin| format!("- pin: {}", plain(pin))));
    if lines.is_empty() {
        return String::new();
    }
    format!("### What changes\n\n{}", lines.join("\n"))
}

fn change(story: &Story<'_>, file: &FileUpdate) -> String {
    let what = match &file.decision {
        Decision::New => "new".to_owned(),
        Decision::Replaced => "replaced; nobody had edited it".to_owned(),
        Decision::Overwritten => "replaced, edits and all, because somebody asked for it".to_owned(),
        Decision::Merged(_) => "merged with what was edited here".to_owned(),
        Decision::Caught(_) => "holds this version's changes already; only `sbi.lock` notes it".to_owned(),
        Decision::Renewed => "newer pins, and nothing else".to_owned(),
        Decision::Kept => "kept as it is, because somebody asked for it; only `sbi.lock` notes it".to_owned(),
        Decision::Removed => "removed; this version does not render it any more".to_owned(),
        Decision::Conflict { .. }
        | Decision::Unchanged
        | Decision::Deleted
        | Decision::Foreign
        | Decision::Abandoned => String::new(),
    };
    let from = file.from.as_ref().map(|from| format!(", moved from {}", code(from))).unwrap_or_default();
    let reasons = story.reasons.get(&file.path).filter(|_| file.decision.is_of_a_template()).into_iter().flatten();
    let why: String = reasons.map(|reason| format!(" {}", sentence(reason))).collect();
    let mut text = format!("- {}: {what}{from}.{why}", code(&file.path));
    if let Decision::Merged(edits) | Decision::Caught(edits) = &file.decision {
        text.push_str(&details(edits));
    }
    text
}

fn sentence(text: &str) -> String {
    format!("{}.", capital(&plain(text)))
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// What the merge decided, and every line of an edit that is not in the result.
fn details(edits: &MergedEdits) -> String {
    let notes = edits.notes.iter().map(|note| format!("\n  - {}: {}", code(&note.place), plain(&note.what)));
    let remarks = edits.remarks.iter().map(|remark| format!("\n  - {}", plain(remark)));
    let mut text: String = notes.chain(remarks).collect();
    for (what, lines) in [
        ("Lines of yours that are not in it any more", &edits.lost.written),
        ("Lines that you had taken out and that are back", &edits.lost.returned),
    ] {
        if !lines.is_empty() {
            let block = block("text", lines).replace('\n', "\n    ");
            text.push_str(&format!("\n  - {what}:\n\n    {block}"));
        }
    }
    text
}

fn left_alone(story: &Story<'_>) -> String {
    let why = |decision: &Decision| match decision {
        Decision::Unchanged => Some("was edited; this version renders it as before"),
        Decision::Deleted => Some("was deleted here and stays so"),
        Decision::Foreign => Some("is not sbi's"),
        Decision::Abandoned => Some("is not rendered any more, but was edited: yours to keep or to delete"),
        _ => None,
    };
    let mut lines: Vec<String> = story
        .update
        .files
        .iter()
        .filter_map(|file| why(&file.decision).map(|why| format!("- {}: {why}", code(&file.path))))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let count = lines.len();
    lines.truncate(MOST_LISTED);
    if count > MOST_LISTED {
        lines.push(format!("- and {} more", files(count - MOST_LISTED)));
    }
    format!("### Left alone\n\n{}", lines.join("\n"))
}

fn policies(story: &Story<'_>) -> String {
    let changes = match story.policies {
        Policies::Unseen(why) => {
            return format!(
                "### Roles and policies\n\nThey were not looked at: {}. After the merge, `sbi plan` shows whether they must \
                 follow, and `sbi apply` does it.",
                plain(why)
            );
        }
        Policies::Seen(changes) if changes.is_empty() => {
            return "### Roles and policies\n\nNone has to change with this.".into();
        }
        Policies::Seen(changes) => changes,
    };
    let mut text = "### Roles and policies\n\nThese have to follow; `sbi apply` after the merge does it:\n".to_owned();
    for change in changes {
        let line = &change.line;
        text.push_str(&format!("\n- {} {}: {}", plain(line.kind), code(&line.name), plain(&line.detail)));
    }
    for change in changes.iter().filter(|change| !change.difference.is_empty()) {
        text.push_str(&format!("\n\n{}:\n{}", code(&change.line.name), block("diff", &change.difference)));
    }
    text
}

fn what_to_test(story: &Story<'_>) -> String {
    let checks = match story.checks_start {
        true => "The check of this pull request builds and scans every image: wait for it.",
        false => {
            "The check of this pull request builds and scans every image. It does not start by itself, because a workflow \
             opened this: close and reopen the pull request."
        }
    };
    let mut lines = vec![
        format!("1. {checks}"),
        "2. `sbi rehearse` in a checkout of this branch runs the publishing workflow on your machine.".to_owned(),
    ];
    let applies = !matches!(story.policies, Policies::Seen(changes) if changes.is_empty());
    let after = if applies { "`sbi apply`, then `sbi doctor`" } else { "`sbi doctor`" };
    lines.push(format!("3. After the merge: {after}, which tells whether AWS lets every job in."));
    format!("### What to test\n\n{}", lines.join("\n"))
}
