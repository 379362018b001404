//! The body of the pull request that adopts: per file what changes and why, and every line of the publisher's that
//! disappears.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Adoption, Fate, Found};
use crate::merge::checks::{Rule, is_dockerfile};
use crate::model::desired::Desired;
use crate::model::git::CommitId;
use crate::plan::markdown::{LONGEST, block, code, length};

/// What one file may need when its lines do not fit, and the end.
const RESERVE: usize = 2_000;

/// Instructions of a Dockerfile that say what an image is or holds.
const CARRIED_OVER: &[&str] =
    &["LABEL", "ENV", "COPY", "ADD", "EXPOSE", "VOLUME", "WORKDIR", "ENTRYPOINT", "CMD", "HEALTHCHECK", "STOPSIGNAL"];

/// `files` and `new_paths` are those of the commit, `head` the commit on which everything of theirs still is.
pub(in crate::plan::setup) fn body(
    desired: &Desired,
    adoption: &Adoption<'_>,
    (files, new_paths): (&BTreeMap<String, String>, &BTreeSet<String>),
    head: Option<&CommitId>,
) -> String {
    let outlets = desired.config.outlets();
    let places: Vec<String> = outlets.iter().map(|outlet| code(outlet.ecr_repository.as_str())).collect();
    let tags: Vec<String> = outlets.iter().map(|outlet| outlet.tag.to_string()).collect();
    let mut body = format!(
        "This puts the publishing pipeline of {} in the place of what was made by hand. Until it is merged everything \
         stays as it is; to keep it so, close this pull request.\n\n",
        places.join(", ")
    );
    for path in files.keys() {
        let change = match (new_paths.contains(path), adoption.replaces(path)) {
            (true, _) => "new",
            (false, true) => "replaced, see below",
            (false, false) => "changed",
        };
        let _ = writeln!(body, "- {}: {change}", code(path));
    }
    for path in adoption.removals() {
        let _ = writeln!(body, "- {}: removed, see below", code(&path));
    }
    let end = format!(
        "\n## After the merge\n\n`sbi apply` publishes {} and so starts the first run of the pipeline.\n",
        tags.join(", ")
    );
    for found in &adoption.found {
        let _ = write!(body, "\n{}", heading(found));
        let whole = lines(found);
        let left = LONGEST.saturating_sub(length(&body) + length(&end) + RESERVE);
        if length(&whole) <= left {
            body.push_str(&whole);
        } else {
            let commit = head.map_or_else(String::new, |head| format!(": they stay in that blob, in commit `{head}`"));
            let _ = write!(body, "\nIts lines do not fit here{commit}.\n");
        }
    }
    // More files than any repository has: their names are in the commit.
    let most = LONGEST - length(&end);
    if let Some((cut, _)) = body.char_indices().nth(most) {
        body.truncate(cut);
    }
    body + &end
}

fn heading(found: &Found<'_>) -> String {
    let fate = match found.fate {
        Fate::Replaced => "replaced",
        Fate::Removed => "removed",
        Fate::Stays => "stays",
    };
    let mut text = format!("## {}: {fate}\n\n", code(found.path));
    if found.fate != Fate::Stays {
        let _ = writeln!(text, "What is there today is blob `{}`.\n", found.blob);
    }
    for (what, why) in found.reasons() {
        let what = if what.is_empty() { String::new() } else { format!("{}: ", code(&what)) };
        let _ = writeln!(text, "- {what}{why}");
    }
    text
}

/// What disappears of a file, and what is worth carrying over.
fn lines(found: &Found<'_>) -> String {
    let mut text = String::new();
    if is_dockerfile(found.path) {
        let carried = instructions(found);
        if !carried.is_empty() {
            let _ = write!(
                text,
                "\nWhat buyers may rely on, to be carried over where it is needed:\n\n{}\n",
                block("", &carried)
            );
        }
    }
    if found.fate == Fate::Stays {
        return text;
    }
    let lost = lost(found);
    if !lost.is_empty() {
        let count =
            if lost.len() == 1 { "1 line disappears".into() } else { format!("{} lines disappear", lost.len()) };
        let _ = write!(text, "\n<details><summary>{count}</summary>\n\n{}\n\n</details>\n", block("", &lost));
    }
    text
}

/// Every line of theirs that our file lacks; of equal ones as many as ours has fewer.
fn lost(found: &Found<'_>) -> Vec<String> {
    let mut ours: Vec<&str> = found.ours.unwrap_or_default().lines().map(str::trim_end).collect();
    let is_lost = |line: &&str| match ours.iter().position(|other| other == line) {
        Some(at) => {
            ours.swap_remove(at);
            false
        }
        None => !line.is_empty(),
    };
    found.text.lines().map(str::trim_end).filter(is_lost).map(str::to_owned).collect()
}

/// Instructions with their continued lines, as far as ours lacks them and they are not what must not be carried over.
fn instructions(found: &Found<'_>) -> Vec<String> {
    let ours: BTreeSet<&str> = found.ours.unwrap_or_default().lines().map(str::trim).collect();
    let bad = |rule| matches!(rule, Rule::NoSecretsInImage | Rule::NoAddedDownloads);
    let bad: Vec<&str> =
        found.broken.iter().filter(|broken| bad(broken.rule)).map(|broken| broken.place.as_str()).collect();
    let (mut carried, mut goes_on) = (Vec::new(), false);
    for (number, line) in (1..).zip(found.text.lines().map(str::trim_end)) {
        let keyword = line.split_whitespace().next().unwrap_or_default();
        let begins = CARRIED_OVER.iter().any(|known| keyword.eq_ignore_ascii_case(known));
        // What one stage takes from another is no file of theirs.
        let is_inner = line.contains("--from=");
        let is_bad = bad.contains(&format!("line {number}").as_str());
        if goes_on || (begins && !is_inner && !is_bad && !ours.contains(line.trim())) {
            carried.push(line.to_owned());
            goes_on = line.ends_with('\\');
        }
    }
    carried
}
