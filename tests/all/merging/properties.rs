//! Whatever a publisher and a newer version do to the workflows that we render: nothing is lost, and what they did
//! independently of each other comes together.

use proptest::prelude::*;
use proptest::sample::select;
use sbi::merge::{Clean, Merged, workflow::merge};
use sbi::templates::{CHECK_WORKFLOW, WORKFLOW};
use serde_yaml_ng::{Mapping, Value};

use super::edits::{Edit, Inventory};
use super::habits::{Habit, habits, slipped, slips};
use super::{configurations, rendered, workflows};

/// A merge of a whole workflow takes its time without optimization; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases / 4, failure_persistence: None, max_shrink_iters: 200, ..usual }
}

fn edit(inventory: &Inventory, side: &'static str) -> BoxedStrategy<Edit> {
    let mark = || (0..1000_u32).prop_map(move |number| format!("{side}-{number}"));
    let (jobs, steps) = (select(inventory.jobs.clone()), select(inventory.steps.clone()));
    // A newer version renders no older action.
    let versions = if side == "ours" { 60..99_u8 } else { 1..99_u8 };
    let scripts = select(inventory.scripts.clone());
    prop_oneof![
        (jobs.clone(), mark()).prop_map(|(job, mark)| Edit::Runner { job, mark }),
        (select(inventory.environment.clone()), mark()).prop_map(|((job, step, key), mark)| Edit::Environment {
            job,
            step,
            key,
            mark
        }),
        (jobs.clone(), any::<bool>(), mark()).prop_map(|(after, needs, mark)| Edit::AddJob { after, needs, mark }),
        (steps.clone(), any::<bool>(), mark()).prop_map(|((job, step), first, mark)| Edit::AddStep {
            job,
            after: (!first).then_some(step),
            mark
        }),
        (steps.clone(), mark()).prop_map(|((job, step), mark)| Edit::RenameStep { job, step, mark }),
        steps.clone().prop_map(|(job, step)| Edit::DeleteStep { job, step }),
        jobs.clone().prop_map(|job| Edit::DeleteJob { job }),
        mark().prop_map(|mark| Edit::AddTrigger { mark }),
        (select(inventory.pins.clone()), "[a-f]", versions).prop_map(|((job, step), commit, version)| Edit::Pin {
            job,
            step,
            commit: commit.chars().next().unwrap(),
            version
        }),
        (steps.clone(), mark()).prop_map(|((job, step), mark)| Edit::CommentAbove { job, step, mark }),
        (jobs.clone(), mark()).prop_map(|(job, mark)| Edit::CommentBehind { job, mark }),
        (scripts, 0..40_usize, mark()).prop_map(|((job, step), line, mark)| Edit::Script { job, step, line, mark }),
        (jobs, mark()).prop_map(|(job, mark)| Edit::Permission { job, mark }),
        steps.prop_map(|(job, step)| Edit::QuoteName { job, step }),
    ]
    .boxed()
}

/// A rendered workflow with what each side does to it.
fn scenes() -> impl Strategy<Value = (&'static str, Vec<Edit>, Vec<Edit>)> {
    select(workflows().collect::<Vec<_>>()).prop_flat_map(|path| {
        let inventory = Inventory::of(rendered(path));
        let ours = proptest::collection::vec(edit(&inventory, "ours"), 1..4);
        let theirs = proptest::collection::vec(edit(&inventory, "theirs"), 1..4);
        (Just(path), ours, theirs)
    })
}

fn all(edits: &[Edit], text: &str) -> Option<String> {
    edits.iter().try_fold(text.to_owned(), |text, edit| edit.apply(&text))
}

/// What a workflow means: one needed job is a list of one, and nothing where jobs or steps stood is a list of none.
pub(super) fn value(text: &str) -> Option<Value> {
    let mut workflow: Value = serde_yaml_ng::from_str(text).ok()?;
    if let Some(jobs) = workflow.get_mut("jobs").filter(|jobs| jobs.is_null()) {
        *jobs = Value::Mapping(Mapping::new());
    }
    for (_, job) in workflow.get_mut("jobs").and_then(Value::as_mapping_mut).into_iter().flatten() {
        if let Some(needs) = job.get_mut("needs").filter(|needs| needs.is_string()) {
            *needs = Value::Sequence(vec![needs.clone()]);
        }
        if let Some(steps) = job.get_mut("steps").filter(|steps| steps.is_null()) {
            *steps = Value::Sequence(Vec::new());
        }
    }
    Some(workflow)
}

/// The places of which one side has left nothing but the key: what the other adds there is for a person to look at.
fn emptied(text: &str) -> Vec<String> {
    let workflow: Value = serde_yaml_ng::from_str(text).unwrap_or_default();
    let jobs = &workflow["jobs"];
    let without_steps = jobs.as_mapping().into_iter().flatten().filter(|(_, job)| job["steps"].is_null());
    let steps = without_steps.filter_map(|(name, _)| Some(format!("jobs.{}.steps", name.as_str()?)));
    jobs.is_null().then(|| "jobs".to_owned()).into_iter().chain(steps).collect()
}

/// Whether a note says what of ours is left out.
fn tells(clean: &Clean) -> bool {
    clean.notes.iter().any(|note| note.what.contains("stays deleted") || note.what.contains("keeps its comment"))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_both_sides_did_is_in_the_result_or_told((path, our_edits, their_edits) in scenes(), habit in habits()) {
        let base = rendered(path);
        let (Some(ours), Some(theirs)) = (all(&our_edits, base), all(&their_edits, base)) else { return Ok(()) };
        let theirs = habit.of(&theirs);
        match merge(base, &ours, &theirs) {
            Merged::Conflict(hunks) => {
                prop_assert!(!hunks.is_empty() && hunks.iter().all(|hunk| !hunk.place.is_empty()), "{hunks:?}");
            }
            Merged::Clean(clean) => {
                prop_assert!(value(&clean.text).is_some(), "no YAML");
                for mark in their_edits.iter().filter_map(Edit::mark).filter(|mark| theirs.contains(*mark)) {
                    prop_assert!(clean.text.contains(mark), "{mark} is lost");
                }
                for mark in our_edits.iter().filter_map(Edit::mark).filter(|mark| ours.contains(*mark)) {
                    let unwanted = habit == Habit::NoComments && !ours.replace(&format!("# {mark}"), "").contains(mark);
                    prop_assert!(clean.text.contains(mark) || tells(&clean) || unwanted, "{mark} is lost");
                }
                if habit == Habit::CarriageReturns {
                    prop_assert!(!clean.text.replace("\r\n", "").contains('\n'));
                }
                // Their own lines are there as they are.
                let was: Vec<&str> = base.lines().collect();
                let is: Vec<&str> = clean.text.lines().collect();
                let as_written = ![Habit::FourColumns, Habit::NoComments].contains(&habit);
                for line in theirs.lines().filter(|line| as_written && !was.contains(line)) {
                    prop_assert!(is.contains(&line) || line.contains("uses: ") || line.contains("name: \""), "{line:?} is lost");
                }
                // The next run finds nothing to do, with the old base and with the new one.
                let merged = &clean.text;
                for again in [merge(base, &ours, merged), merge(&ours, &ours, merged)] {
                    let again = if let Merged::Clean(again) = again { again.text } else { String::new() };
                    prop_assert!(&again == merged, "a second run does something else");
                }
            }
        }
    }

    #[test]
    fn changes_that_have_nothing_to_do_with_each_other_come_together(
        (path, our_edits, their_edits) in scenes(), habit in habits(),
    ) {
        let base = rendered(path);
        let (Some(ours), Some(theirs)) = (all(&our_edits, base), all(&their_edits, base)) else { return Ok(()) };
        let (Some(one), Some(other)) = (all(&our_edits, &theirs), all(&their_edits, &ours)) else { return Ok(()) };
        if value(&one).is_none() || value(&one) != value(&other) {
            return Ok(());
        }
        let wanted = value(&habit.of(&one));
        match merge(base, &ours, &habit.of(&theirs)) {
            Merged::Clean(clean) => {
                prop_assert!(value(&clean.text) == wanted, "it means something else");
            }
            Merged::Conflict(hunks) => {
                let place = |hunk: &sbi::merge::Hunk| hunk.place.clone();
                let told: Vec<String> = hunks.iter().map(place).collect();
                let emptied = [emptied(&ours), emptied(&theirs)].concat();
                let may = told.iter().all(|place| emptied.contains(place)) || may_conflict(&told, &our_edits, &their_edits);
                prop_assert!(may, "{told:#?}\n{our_edits:?}\n{their_edits:?}");
            }
        }
    }

    #[test]
    fn one_side_alone_is_taken_as_it_is((path, our_edits, their_edits) in scenes(), habit in habits()) {
        let base = rendered(path);
        let (Some(ours), Some(theirs)) = (all(&our_edits, base), all(&their_edits, base)) else { return Ok(()) };
        let theirs = habit.of(&theirs);
        let text = |merged| if let Merged::Clean(clean) = merged { Some(clean.text) } else { None };
        prop_assert_eq!(text(merge(base, base, &theirs)), Some(theirs));
        prop_assert_eq!(text(merge(base, &ours, base)), Some(ours.clone()));
        prop_assert_eq!(text(merge(base, &ours, &ours)), Some(ours));
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_in_the_file_nothing_panics_and_nothing_is_lost((path, our_edits, _) in scenes(), slips in slips()) {
        let base = rendered(path);
        let Some(ours) = all(&our_edits, base) else { return Ok(()) };
        let theirs = slipped(base, &slips);
        if let Merged::Clean(clean) = merge(base, &ours, &theirs) {
            let was: Vec<&str> = base.lines().map(str::trim).collect();
            let is: Vec<&str> = clean.text.lines().map(str::trim).collect();
            for line in theirs.lines().map(str::trim).filter(|line| !was.contains(line) && !line.contains("uses")) {
                let part = |text: &&str| text.contains(line) || line.contains(*text) && text.len() > 3;
                prop_assert!(is.iter().any(part), "{line:?} is lost");
            }
            let Merged::Clean(again) = merge(base, &ours, &clean.text) else { panic!("a second run is a conflict") };
            prop_assert!(again.text == clean.text, "a second run does something else");
        }
    }
}

/// Two configurations, which render far more differently than two versions do.
fn two_configurations() -> impl Strategy<Value = (usize, usize, &'static str, Vec<Edit>)> {
    let all = || 0..configurations().len();
    (all(), all(), select(vec![WORKFLOW, CHECK_WORKFLOW])).prop_flat_map(|(old, new, path)| {
        let theirs = proptest::collection::vec(edit(&Inventory::of(configured(old, path)), "theirs"), 1..4);
        (Just(old), Just(new), Just(path), theirs)
    })
}

fn configured(configuration: usize, path: &str) -> &'static str {
    &configurations()[configuration].iter().find(|file| file.path == path).unwrap().text
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn another_configuration_comes_together_with_what_a_publisher_did(
        (old, new, path, edits) in two_configurations(),
    ) {
        let (base, ours) = (configured(old, path), configured(new, path));
        let Some(theirs) = all(&edits, base) else { return Ok(()) };
        let Merged::Clean(clean) = merge(base, ours, &theirs) else { return Ok(()) };
        for mark in edits.iter().filter_map(Edit::mark).filter(|mark| theirs.contains(*mark)) {
            prop_assert!(clean.text.contains(mark), "{mark} is lost");
        }
        if let Some(wanted) = all(&edits, ours).filter(|_| edits.iter().all(Edit::is_of_one_value)) {
            prop_assert!(value(&clean.text) == value(&wanted), "it means something else");
        }
        let Merged::Clean(again) = merge(base, ours, &clean.text) else { panic!("a second run is a conflict") };
        prop_assert!(again.text == clean.text, "a second run does something else");
    }

    #[test]
    fn another_configuration_alone_is_no_conflict((old, new, path, _) in two_configurations(), habit in habits()) {
        let (base, ours) = (configured(old, path), configured(new, path));
        let theirs = habit.of(base);
        let Merged::Clean(clean) = merge(base, ours, &theirs) else { panic!("a conflict with nobody") };
        prop_assert!(value(&clean.text) == value(&habit.of(ours)), "it means something else");
    }
}

/// Changes that commute as text and are none the less for a person to look at.
fn may_conflict(places: &[String], ours: &[Edit], theirs: &[Edit]) -> bool {
    let deletes =
        |edits: &[Edit]| edits.iter().any(|edit| matches!(edit, Edit::DeleteStep { .. } | Edit::DeleteJob { .. }));
    let needs_a_deleted_one = places.iter().all(|place| place.contains("which it needs"));
    let removes_a_commented_one = places.iter().all(|place| place.contains("this version removes it"));
    let moved = places.iter().all(|place| place.contains("moved to another job"));
    (deletes(ours) || deletes(theirs)) && (needs_a_deleted_one || removes_a_commented_one || moved)
}
