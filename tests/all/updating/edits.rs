//! Whatever a publisher edited: it is in the result, or a person is told.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sbi::plan::update::{Decision, Policies, Story, body};

use super::scene::{Scene, by_lines, carelessly};

/// Lines of a text that every side edits.
const LINES: usize = 12;

#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, String),
    Change(usize, String),
    Delete(usize),
    /// Every line ends as on another system.
    LineEnds,
    NoLastLineFeed,
}

fn edits(by: &'static str) -> impl Strategy<Value = Vec<Edit>> {
    let text = "[a-z@#`*<]{1,8}".prop_map(move |text| format!("{by} {text}"));
    let one = prop_oneof![
        4 => (0..=LINES, text.clone()).prop_map(|(at, text)| Edit::Insert(at, text)),
        4 => (0..LINES, text).prop_map(|(at, text)| Edit::Change(at, text)),
        2 => (0..LINES).prop_map(Edit::Delete),
        1 => Just(Edit::NoLastLineFeed),
        1 => Just(Edit::LineEnds),
    ];
    prop::collection::vec(one, 0..5)
}

fn base() -> Vec<String> {
    (0..LINES).map(|line| format!("line {line}")).collect()
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn edited(edits: &[Edit]) -> String {
    let mut lines = base();
    let (mut end, mut last) = ("\n", true);
    for edit in edits {
        match edit {
            Edit::Insert(at, text) => lines.insert((*at).min(lines.len()), text.clone()),
            Edit::Change(at, text) if *at < lines.len() => lines[*at].clone_from(text),
            Edit::Delete(at) if *at < lines.len() => drop(lines.remove(*at)),
            Edit::LineEnds => end = "\r\n",
            Edit::NoLastLineFeed => last = false,
            Edit::Change(..) | Edit::Delete(_) => {}
        }
    }
    let mut text = lines.join(end);
    if last {
        text.push_str(end);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_line_of_an_edit_goes_unsaid(theirs in edits("their"), ours in edits("our"), careless: bool) {
        let (theirs, ours) = (edited(&theirs), text(&edited(&ours).lines().map(str::to_owned).collect::<Vec<_>>()));
        let base = text(&base());
        let mut scene = Scene::new(&[("a", &base)], &[("a", &ours)]).edited("a", &theirs);
        // However bad a merge is: what it loses is told.
        scene.merge = if careless { carelessly } else { by_lines };
        let update = scene.update();
        let after = update.changes.get("a").cloned().unwrap_or_else(|| theirs.clone());
        let reasons = BTreeMap::new();
        let told = body(&Story {
            desired: &scene.desired,
            update: &update,
            reasons: &reasons,
            policies: &Policies::Seen(Vec::new()),
            pins: &[],
            asked_for_pins: false, checks_start: true,
        });
        for line in theirs.lines().filter(|line| line.starts_with("their ")) {
            let kept = after.lines().any(|one| one == line);
            prop_assert!(kept || told.contains(line), "{line:?} is gone, and nobody says so:\n{told}");
        }
        let conflicts = update.files.iter().any(|file| matches!(file.decision, Decision::Conflict { .. }));
        if conflicts {
            prop_assert!(update.changes.is_empty(), "a file in conflict was written");
            for line in ours.lines().filter(|line| line.starts_with("our ")) {
                prop_assert!(told.contains(line), "{line:?} of this version is not told");
            }
        }
        // And it settles: after the merge there is nothing more to do.
        let scene = scene.after(&update);
        prop_assert!(!scene.update().is_worthwhile());
    }
}
