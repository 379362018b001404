//! A publisher's formatter goes over every line of a workflow: prettier and yamlfmt, each with the settings that people
//! choose. What a newer version changes comes in all the same, and the formatter's work stays.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sbi::merge::{Merged, workflow::merge};

use super::edits::{Edit, Inventory};
use super::properties::value;
use super::{rendered, workflows};
use crate::support::tools::{go_tool, node_package};

/// Name → how a file is formatted in place.
type Formatters = Vec<(String, Box<dyn Fn(&Path) -> Command>)>;

fn formatters() -> Option<Formatters> {
    let (prettier, yamlfmt) = (node_package("prettier")?.join("bin/prettier.cjs"), go_tool("yamlfmt")?);
    let mut all = Formatters::new();
    for flags in [&["--tab-width=4"][..], &["--single-quote", "--print-width=40", "--prose-wrap=always"]] {
        let prettier = prettier.clone();
        all.push((
            format!("prettier {}", flags.join(" ")),
            Box::new(move |file| {
                let mut command = Command::new("node");
                command.arg(&prettier).args(["--no-config", "--write", "--log-level=warn"]).args(flags).arg(file);
                command
            }),
        ));
    }
    for settings in [
        "indent=2",
        "indent=4,retain_line_breaks=true",
        "indentless_arrays=true,retain_line_breaks_single=true,pad_line_comments=3",
        "include_document_start=true,line_ending=crlf,drop_merge_tag=true",
    ] {
        let yamlfmt = yamlfmt.clone();
        all.push((
            format!("yamlfmt {settings}"),
            Box::new(move |file| {
                let mut command = Command::new(&yamlfmt);
                command.args(["-no_global_conf", "-formatter", settings]).arg(file);
                command
            }),
        ));
    }
    Some(all)
}

/// The text as the formatter leaves it.
fn formatted(text: &str, file: &PathBuf, format: &dyn Fn(&Path) -> Command) -> String {
    fs::write(file, text).unwrap();
    let output = format(file).current_dir(file.parent().unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(file).unwrap()
}

/// A newer version with a change of every kind, each at a place that has such a thing.
fn newer(base: &str) -> String {
    let Inventory { jobs, steps, environment, pins, scripts } = Inventory::of(base);
    let mark = |what: &str| format!("newer-{what}");
    let job = jobs[0].clone();
    let (pin, script) = (pins[0].clone(), scripts.first().cloned());
    let (second, last) = (steps[1].clone(), steps.last().unwrap().clone());
    let mut edits = vec![
        Edit::Runner { job: job.clone(), mark: mark("runner") },
        Edit::AddTrigger { mark: mark("trigger") },
        Edit::Pin { job: pin.0, step: pin.1, commit: 'a', version: 98 },
        Edit::Permission { job: job.clone(), mark: mark("permission") },
        Edit::AddJob { after: job.clone(), needs: true, mark: mark("job") },
        Edit::AddStep { job, after: None, mark: mark("first-step") },
        Edit::AddStep { job: second.0.clone(), after: Some(second.1.clone()), mark: mark("step") },
        Edit::CommentAbove { job: second.0.clone(), step: second.1.clone(), mark: mark("comment") },
        Edit::RenameStep { job: second.0, step: second.1, mark: mark("name") },
        Edit::AddStep { job: last.0, after: Some(last.1), mark: mark("last-step") },
    ];
    let environment = environment.first().cloned();
    edits.extend(environment.map(|(job, step, key)| Edit::Environment { job, step, key, mark: mark("value") }));
    edits.extend(script.map(|(job, step)| Edit::Script { job, step, line: 1, mark: mark("line") }));
    // Not every workflow has a place for each.
    let all = edits.into_iter().fold((base.to_owned(), 0), |(text, done), edit| match edit.apply(&text) {
        Some(next) => (next, done + 1),
        None => (text, done),
    });
    assert!(all.1 >= 10, "only {} changes", all.1);
    all.0
}

#[test]
fn what_a_formatter_did_stays_and_what_is_newer_comes_in() {
    let Some(formatters) = formatters() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("workflow.yml");
    let mut changed: BTreeMap<&str, usize> = formatters.iter().map(|(name, _)| (name.as_str(), 0)).collect();
    // Theirs beside it, so that no text is just a formatted render.
    let own = Edit::AddTrigger { mark: "of_their_own".into() };
    for path in workflows() {
        let base = rendered(path);
        let (ours, edited) = (newer(base), own.apply(base).unwrap());
        let wanted = value(&own.apply(&ours).unwrap());
        let replaced = base.lines().filter(|line| !ours.lines().any(|kept| kept == *line)).count();
        for (name, format) in &formatters {
            let theirs = formatted(&edited, &file, format);
            *changed.get_mut(name.as_str()).unwrap() += usize::from(theirs != edited);
            let clean = match merge(base, &ours, &theirs) {
                Merged::Clean(clean) => clean,
                Merged::Conflict(hunks) => panic!("{path}, {name}: {hunks:#?}"),
            };
            assert!(value(&clean.text) == wanted, "{path}, {name}: it means something else:\n{}", clean.text);
            assert!(clean.text.contains("newer-comment"), "{path}, {name}:\n{}", clean.text);
            // A line of theirs goes only where ours takes its place; prettier makes two of a long one.
            let gone: Vec<&str> = theirs.lines().filter(|line| !clean.text.lines().any(|kept| kept == *line)).collect();
            assert!(gone.len() <= 2 * replaced, "{path}, {name}: {gone:#?} is gone, of {replaced} that ours replaces");
            let Merged::Clean(again) = merge(base, &ours, &clean.text) else { panic!("{path}, {name}: a second run") };
            assert_eq!(again.text, clean.text, "{path}, {name}: a second run does something else");
        }
    }
    assert!(changed.values().all(|files| *files > 0), "a formatter that changes nothing shows nothing: {changed:?}");
}
