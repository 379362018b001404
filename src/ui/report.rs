//! Plans, outcomes, failures and the closing summary, as a person reads them.

use std::io::{self, Write};

use super::text::{harmless, pad, width, wrap};
use super::{Glyph, Paint, Style};
use crate::apply::{Outcome, Report};
use crate::failure::Failure;
use crate::model::config::Config;
use crate::model::holdings::ImageFacts;
use crate::model::iam::PolicyDocument;
use crate::plan::step::{Line, Sign, Step, size};
use crate::plan::{Fate, HandMade, Plan, Renamed};

/// The narrowest column in which a detail is still pleasant to read.
const DETAIL_MIN: usize = 30;
/// The widest column of names: longer ones push their own detail to the right.
const NAME_MAX: usize = 44;

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The ARN of the AWS credentials.
    pub aws: String,
    /// The login of the GitHub token.
    pub github: String,
}

/// What a run ends with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Label → URL of what exists now.
    pub links: Vec<(String, String)>,
    /// What the go-to-market plan still asks of a person.
    pub next: Vec<String>,
    /// What the second look found wrong or the sandbox proved, one line each.
    pub notes: Vec<(Glyph, String)>,
}

/// Writes the plan: where, who, one line a change, what stays, what waits, and the count.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_plan(plan: &Plan, config: &Config, who: &Who, style: Style, w: &mut dyn Write) -> io::Result<()> {
    print_who(config, who, style, w)?;
    if let Some(Renamed { from, to }) = &plan.renamed {
        writeln!(w)?;
        let text = format!("GitHub repository {from} is now {to}: sbi.toml and what depends on the name follow");
        paragraph(&style.glyph(Glyph::Waiting), 2, &text, style, w)?;
    }
    writeln!(w)?;
    let lines: Vec<Line> = plan.nodes().iter().map(|node| node.step.describe()).collect();
    print_changes(&lines, style, w)?;
    print_files(plan, style, w)?;
    print_images(plan, style, w)?;
    print_pinned(plan, style, w)?;
    print_hand_made(plan, style, w)?;
    section("will not be touched:", plan.kept.iter().map(|kept| format!("{}: {}", kept.what, kept.why)), style, w)?;
    print_conclusion(plan, &lines, style, w)
}

/// Writes the lines of a plan whose files were told already, what waits, and the count.
///
/// # Errors
/// When the stream can't be written to.
pub(super) fn print_summary_of_plan(plan: &Plan, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let lines: Vec<Line> = plan.nodes().iter().map(|node| node.step.describe()).collect();
    writeln!(w)?;
    print_changes(&lines, style, w)?;
    print_conclusion(plan, &lines, style, w)
}

fn print_conclusion(plan: &Plan, lines: &[Line], style: Style, w: &mut dyn Write) -> io::Result<()> {
    section("waits for you:", plan.waiting.iter().cloned(), style, w)?;
    if !lines.is_empty() || !plan.kept.is_empty() || !plan.waiting.is_empty() {
        writeln!(w)?;
    }
    for refusal in &plan.refusals {
        print_failure(refusal, style, w)?;
        writeln!(w)?;
    }
    let count = if plan.refusals.is_empty() { counted(lines) } else { "this plan can't be applied".into() };
    writeln!(w, "{}", style.paint(Paint::Bold, &count))?;
    Ok(())
}

/// Writes where and who.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_who(config: &Config, who: &Who, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let account = format!("{} in {}, as {}", config.aws.account, config.aws.region, who.aws);
    let github = format!("{}, as {}", config.github.repository, who.github);
    for (label, text) in [("AWS", account), ("GitHub", github)] {
        paragraph(&style.paint(Paint::Bold, &pad(label, 6)), 8, &text, style, w)?;
    }
    Ok(())
}

/// Writes IAM documents, each below its title.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_policies(policies: &[(String, PolicyDocument)], style: Style, w: &mut dyn Write) -> io::Result<()> {
    for (title, document) in policies {
        writeln!(w, "\n{}\n{}", style.paint(Paint::Bold, &format!("{title}:")), document.to_pretty_json())?;
    }
    Ok(())
}

/// The paths behind the line `files`: a person sees exactly which files are written.
fn print_files(plan: &Plan, style: Style, w: &mut dyn Write) -> io::Result<()> {
    for node in plan.nodes() {
        let Step::CommitFiles { commit, .. } = &node.step else { continue };
        writeln!(w, "\n  {}", style.paint(Paint::Bold, "files:"))?;
        for path in commit.files.keys() {
            let sign = if commit.new_paths.contains(path) { Sign::Add } else { Sign::Change };
            writeln!(w, "  {} {}", sign.as_str(), harmless(path))?;
        }
        for path in &commit.deletions {
            writeln!(w, "  {} {}", Sign::Remove.as_str(), harmless(path))?;
        }
    }
    Ok(())
}

/// Every image behind the lines `images`: none goes that was not shown.
fn print_images(plan: &Plan, style: Style, w: &mut dyn Write) -> io::Result<()> {
    for node in plan.nodes() {
        let Step::DeleteImages { name, images, .. } = &node.step else { continue };
        writeln!(w, "\n  {}", style.paint(Paint::Bold, &format!("images of {name}:")))?;
        let tags = |image: &ImageFacts| match image.tags.is_empty() {
            true => "untagged".to_owned(),
            false => image.tags.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        let column = images.iter().map(|image| width(&harmless(&tags(image))).min(NAME_MAX)).max().unwrap_or(0);
        for image in images {
            let pushed = image.pushed_at().unwrap_or_default();
            let what = format!(
                "{}  {}  {pushed}  {}",
                pad(&harmless(&tags(image)), column),
                image.short_digest(),
                size(image.bytes)
            );
            if 4 + width(&what) <= style.width {
                writeln!(w, "  - {what}")?;
            } else {
                paragraph("  -", 4, &what, style, w)?;
            }
        }
    }
    Ok(())
}

/// The digests that are new in the files: a person can compare them with what the images' publishers tell.
fn print_pinned(plan: &Plan, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let arrow = if style.unicode { "→" } else { "->" };
    let pins = plan.pinned.iter().map(|(reference, digest)| format!("{reference} {arrow} {digest}"));
    for (index, pin) in pins.enumerate() {
        if index == 0 {
            writeln!(w, "\n  {}", style.paint(Paint::Bold, "base images, pinned:"))?;
        }
        paragraph("  +", 4, &pin, style, w)?;
    }
    Ok(())
}

/// What the publisher made by hand, what becomes of it, and why ours is safer.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_hand_made(plan: &Plan, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let title = match plan.adopts {
        true => "made by hand, which the pull request replaces:",
        false => "made by hand; a pull request could replace it (--adopt):",
    };
    for (index, HandMade { path, fate, why }) in plan.hand_made.iter().enumerate() {
        if index == 0 {
            writeln!(w, "\n{}", style.paint(Paint::Bold, title))?;
        }
        let (sign, what) = match fate {
            Fate::Replaced => (Sign::Change.as_str(), "replaced"),
            Fate::Removed => (Sign::Remove.as_str(), "removed"),
            Fate::Stays => (" ", "stays"),
        };
        paragraph(&format!("  {sign}"), 4, &format!("{}: {what}", harmless(path)), style, w)?;
        for reason in why {
            paragraph("      -", 8, &harmless(reason), style, w)?;
        }
    }
    Ok(())
}

fn print_changes(lines: &[Line], style: Style, w: &mut dyn Write) -> io::Result<()> {
    let kinds = lines.iter().map(|line| width(line.kind)).max().unwrap_or(0);
    let names = lines.iter().map(|line| width(&harmless(&line.name)).min(NAME_MAX)).max().unwrap_or(0);
    // "  + " before the kind, two spaces after kind and name.
    let indent = 4 + kinds + 2 + names + 2;
    let wide = style.width.saturating_sub(indent) >= DETAIL_MIN;
    for Line { sign, kind, name, detail } in lines {
        let paint = match sign {
            Sign::Add => Paint::Green,
            Sign::Change => Paint::Yellow,
            Sign::Remove => Paint::Red,
            Sign::Wait => Paint::Dim,
        };
        let sign = style.paint(paint, sign.as_str());
        let name = harmless(name);
        if wide {
            let head = format!("  {sign} {}  {}  ", pad(kind, kinds), pad(&name, names));
            let mut details = wrap(detail, style.width.saturating_sub(indent)).into_iter();
            writeln!(w, "{}", format!("{head}{}", details.next().unwrap_or_default()).trim_end())?;
            for more in details {
                writeln!(w, "{}{more}", " ".repeat(indent))?;
            }
        } else {
            for (index, part) in wrap(&format!("{kind} {name}"), style.width.saturating_sub(4)).iter().enumerate() {
                writeln!(w, "  {} {part}", if index == 0 { sign.as_str() } else { " " })?;
            }
            for part in wrap(detail, style.width.saturating_sub(6)).iter().filter(|part| !part.is_empty()) {
                writeln!(w, "      {part}")?;
            }
        }
    }
    Ok(())
}

/// `12 to add, 2 to change, 1 to remove`, without what is zero.
fn counted(lines: &[Line]) -> String {
    let parts: Vec<String> = [(Sign::Add, "add"), (Sign::Change, "change"), (Sign::Remove, "remove")]
        .into_iter()
        .map(|(sign, verb)| (lines.iter().filter(|line| line.sign == sign).count(), verb))
        .filter(|(count, _)| *count > 0)
        .map(|(count, verb)| format!("{count} to {verb}"))
        .collect();
    if parts.is_empty() { "nothing to change".into() } else { parts.join(", ") }
}

fn section(title: &str, items: impl Iterator<Item = String>, style: Style, w: &mut dyn Write) -> io::Result<()> {
    for (index, item) in items.enumerate() {
        if index == 0 {
            writeln!(w, "\n{}", style.paint(Paint::Bold, title))?;
        }
        paragraph("  -", 4, &item, style, w)?;
    }
    Ok(())
}

/// `head`, then `text` broken so that every line starts in column `indent`.
pub(super) fn paragraph(head: &str, indent: usize, text: &str, style: Style, w: &mut dyn Write) -> io::Result<()> {
    for (index, line) in wrap(text, style.width.saturating_sub(indent)).iter().enumerate() {
        let head = if index == 0 { pad(head, indent) } else { " ".repeat(indent) };
        writeln!(w, "{}", format!("{head}{line}").trim_end())?;
    }
    Ok(())
}

/// Writes how an apply ended: the count, and every failure with its step.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_outcome(report: &Report, plan: &Plan, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let count = |is: fn(&Outcome) -> bool| report.outcomes.iter().filter(|outcome| is(outcome)).count();
    let done = count(|outcome| matches!(outcome, Outcome::Done(_)));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped));
    let mut parts = vec![format!("{done} done")];
    parts.extend((failed > 0).then(|| format!("{failed} failed")));
    parts.extend((skipped > 0).then(|| format!("{skipped} not started")));
    let glyph = match (failed, skipped) {
        (0, 0) => Glyph::Done,
        (0, _) => Glyph::Waiting,
        _ => Glyph::Failed,
    };
    writeln!(w, "{} {}", style.glyph(glyph), style.paint(Paint::Bold, &parts.join(", ")))?;
    let failures = report.failures().filter_map(|(index, failure)| Some((plan.nodes().get(index)?, failure)));
    for (node, failure) in failures {
        let Line { kind, name, .. } = node.step.describe();
        writeln!(w)?;
        paragraph(&style.glyph(Glyph::Failed), 2, &format!("{kind} {name}"), style, w)?;
        print_failure(failure, style, w)?;
    }
    let not_started = plan.nodes().iter().zip(&report.outcomes);
    let not_started = not_started.filter(|(_, outcome)| matches!(outcome, Outcome::Skipped));
    section(
        "not started:",
        not_started.map(|(node, _)| {
            let Line { kind, name, .. } = node.step.describe();
            format!("{kind} {name}")
        }),
        style,
        w,
    )
}

/// Writes `error: …`, then what is underneath and what to do, one a line.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_failure(failure: &Failure, style: Style, w: &mut dyn Write) -> io::Result<()> {
    paragraph(&style.paint(Paint::Red, "error:"), 7, failure.message(), style, w)?;
    for reason in failure.reasons() {
        for (index, line) in reason.lines().filter(|line| !line.trim().is_empty()).enumerate() {
            let head = if index == 0 { style.paint(Paint::Dim, "because:") } else { " ".repeat(8) };
            // Not broken and not squeezed: TOML points at a column of the line above.
            writeln!(w, "{head} {}", harmless(line).trim_end())?;
        }
    }
    for hint in failure.hints() {
        paragraph(&style.paint(Paint::Cyan, "help:"), 6, hint, style, w)?;
    }
    Ok(())
}

/// Writes what exists now, where, and what a person has still to do.
///
/// # Errors
/// When the stream can't be written to.
pub fn print_summary(summary: &Summary, style: Style, w: &mut dyn Write) -> io::Result<()> {
    let labels = summary.links.iter().map(|(label, _)| width(label)).max().unwrap_or(0);
    let url = summary.links.iter().map(|(_, url)| width(url)).max().unwrap_or(0);
    for (label, link) in &summary.links {
        if labels + 2 + url <= style.width {
            writeln!(w, "{}  {}", pad(label, labels), harmless(link))?;
        } else {
            writeln!(w, "{label}\n  {}", harmless(link))?;
        }
    }
    for (glyph, note) in &summary.notes {
        paragraph(&style.glyph(*glyph), 2, note, style, w)?;
    }
    section("what remains for you:", summary.next.iter().cloned(), style, w)
}

#[cfg(test)]
mod tests;
