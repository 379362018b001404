//! One decision a path, by name.

use sbi::failure::Failure;
use sbi::model::config::CONFIG_FILE;
use sbi::model::desired::RenderedFile;
use sbi::model::git::BlobId;
use sbi::model::identity::{ReadingRef, SubjectContext};
use sbi::plan::update::{Decision, TrustNeeds};

use super::scene::{Scene, decision, words};

const BASE: &str = "one\ntwo\nthree\nfour\nfive\n";
const OURS: &str = "one\ntwo\nthree\nfour\nFIVE\n";
const THEIRS: &str = "ONE\ntwo\nthree\nfour\nfive\n";
const BOTH: &str = "ONE\ntwo\nthree\nfour\nFIVE\n";

fn id(text: &str) -> BlobId {
    BlobId::of(text.as_bytes())
}

#[test]
fn every_state_of_a_file_has_its_decision() {
    let base = [
        ("deleted", BASE),
        ("edited", BASE),
        ("edited-in-vain", OURS),
        ("gone-edited", BASE),
        ("gone-untouched", BASE),
        ("same", BASE),
        ("untouched", BASE),
    ];
    let ours = ["deleted", "edited", "edited-in-vain", "foreign", "new", "same", "untouched"].map(|path| (path, OURS));
    let scene = Scene::new(&base, &ours)
        .deleted("deleted")
        .edited("edited", THEIRS)
        .edited("edited-in-vain", THEIRS)
        .edited("gone-edited", THEIRS)
        .edited("same", OURS)
        .edited("foreign", "mine\n")
        .edited("somewhere/else", "mine too\n");
    let update = scene.update();
    assert_eq!(
        words(&update).into_iter().collect::<Vec<_>>(),
        [
            ("deleted", "stays deleted"),
            ("edited", "merged"),
            ("edited-in-vain", "unchanged"),
            ("foreign", "foreign"),
            ("gone-edited", "abandoned"),
            ("gone-untouched", "removed"),
            ("new", "new"),
            ("untouched", "replaced"),
        ]
    );
    let written: Vec<(&str, &str)> = update.changes.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(written, [("edited", BOTH), ("new", OURS), ("untouched", OURS)]);
    assert_eq!(update.rendered.keys().collect::<Vec<_>>(), ["edited"], "its render is the next base");
    assert_eq!(update.deletions.iter().collect::<Vec<_>>(), ["gone-untouched"]);
    assert_eq!(update.new_paths.iter().collect::<Vec<_>>(), ["new"]);
    let lock = |path: &str| update.lock.files.get(path).cloned();
    assert_eq!(lock("edited"), Some(id(OURS)), "the next base is what was rendered, not what was merged");
    assert_eq!((lock("same"), lock("new"), lock("untouched")), (Some(id(OURS)), Some(id(OURS)), Some(id(OURS))));
    assert_eq!((lock("deleted"), lock("gone-edited")), (Some(id(BASE)), Some(id(BASE))));
    assert_eq!((lock("foreign"), lock("gone-untouched")), (None, None));
    assert_eq!(update.lock.templates, scene.desired.templates);
}

#[test]
fn only_what_is_edited_and_renders_anew_is_read() {
    let paths: Vec<String> = (0..100).map(|image| format!("images/image-{image}/Dockerfile")).collect();
    let base: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), BASE)).collect();
    let ours: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), OURS)).collect();
    assert_eq!(Scene::new(&base, &ours).needed().len(), 0, "a hundred untouched files cost no call");
    assert_eq!(Scene::new(&base, &base).edited(&paths[3], THEIRS).needed().len(), 0, "nothing to merge it with");
    let scene = Scene::new(&base, &ours).edited(&paths[3], THEIRS).edited("mine", "mine\n").deleted(&paths[4]);
    assert_eq!(scene.needed(), [id(BASE), id(THEIRS)].into(), "what was rendered and what is there");
    let update = scene.update();
    assert_eq!(update.changes.len(), 99);
    assert_eq!(update.changes[&paths[3]], BOTH);
}

#[test]
fn the_configuration_is_the_persons_and_stays() {
    let scene = Scene::new(&[(CONFIG_FILE, "# older\n"), ("a", BASE)], &[("a", OURS)]);
    let update = scene.update();
    assert!(!update.changes.contains_key(CONFIG_FILE) && !update.deletions.contains(CONFIG_FILE));
    assert!(!words(&update).contains_key(CONFIG_FILE));
    let edited = scene.edited(CONFIG_FILE, "# mine\n").update();
    assert!(!edited.changes.contains_key(CONFIG_FILE));
}

#[test]
fn a_second_update_after_the_merge_has_nothing_to_do() {
    let base = [("a", BASE), ("b", BASE), ("c", BASE), ("d", BASE), ("gone", BASE)];
    let ours = [("a", OURS), ("b", OURS), ("c", OURS), ("d", OURS), ("new", OURS)];
    let scene = Scene::new(&base, &ours)
        .edited("a", THEIRS)
        .edited("b", "another\ntwo\nthree\nfour\nfifth\n")
        .deleted("c")
        .edited("gone", THEIRS);
    let first = scene.update();
    assert!(first.is_worthwhile() && first.conflicts().count() == 1);
    let scene = scene.after(&first);
    let second = scene.update();
    assert!(!second.is_worthwhile(), "{:?}", words(&second));
    assert!(second.is_pending(), "the conflict is still there");
    assert!(second.changes.is_empty() && second.deletions.is_empty());
    assert_eq!(second.lock, scene.lock);
}

#[test]
fn a_conflict_leaves_file_and_base_as_they_are_and_is_told_once() {
    let theirs = "one\ntwo\nthree\nfour\nfifth\n";
    let scene = Scene::new(&[("a", BASE)], &[("a", OURS)]).edited("a", theirs);
    let update = scene.update();
    let Decision::Conflict { hunks, .. } = decision(&update, "a") else { panic!("{:?}", update.files) };
    assert_eq!((hunks[0].ours.as_str(), hunks[0].theirs.as_str()), (OURS, theirs));
    assert!(update.changes.is_empty() && update.rendered.is_empty());
    assert_eq!(update.lock.files["a"], id(BASE));
    assert!(update.is_worthwhile(), "a person has to be told");
    let scene = scene.after(&update);
    assert!(!scene.update().is_worthwhile(), "and was");
    // What renders differently again is told again.
    let mut scene = scene;
    for file in &mut scene.desired.files {
        file.text = file.text.replace("FIVE", "V");
    }
    assert!(scene.update().is_worthwhile());
}

#[test]
fn a_conflict_is_settled_by_the_person() {
    let theirs = "one\ntwo\nthree\nfour\nfifth\n";
    let scene = || Scene::new(&[("a", BASE)], &[("a", OURS)]).edited("a", theirs);
    let mut keep = scene();
    keep.settled.keep.insert("a".into());
    let update = keep.update();
    assert_eq!(*decision(&update, "a"), Decision::Kept);
    assert_eq!((&update.changes["a"], &update.rendered["a"]), (&theirs.to_owned(), &OURS.to_owned()));
    let kept = keep.after(&update);
    assert!(!kept.update().is_pending());
    let mut overwrite = scene();
    overwrite.settled.overwrite.insert("a".into());
    assert_eq!(overwrite.needed().len(), 0);
    let update = overwrite.update();
    assert_eq!((decision(&update, "a"), &update.changes["a"]), (&Decision::Overwritten, &OURS.to_owned()));
    assert!(!overwrite.after(&update).update().is_pending());
    // A run without flags, while the pull request is open, leaves it settled.
    for (wish, expected) in [("keep", "kept"), ("overwrite", "overwritten")] {
        let mut asked = scene();
        let wishes = if wish == "keep" { &mut asked.settled.keep } else { &mut asked.settled.overwrite };
        wishes.insert("a".into());
        let first = asked.update();
        let again = scene().update_beside(&first.choices);
        assert_eq!((words(&again)["a"], &again.changes), (expected, &first.changes));
        // It was about what was there then, and about nothing else.
        let edited = scene().edited("a", "one\ntwo\nthree\nfour\nsixth\n").update_beside(&first.choices);
        assert_eq!(words(&edited)["a"], "conflict");
        let deleted = scene().deleted("a").update_beside(&first.choices);
        assert_eq!(words(&deleted)["a"], "stays deleted");
    }
}

#[test]
fn what_was_deleted_comes_back_only_when_somebody_asks() {
    let mut scene = Scene::new(&[("a", BASE)], &[("a", OURS)]).deleted("a");
    assert!(scene.update().changes.is_empty());
    scene.settled.overwrite.insert("a".into());
    let update = scene.update();
    assert!(update.new_paths.contains("a") && update.changes["a"] == OURS);
}

#[test]
fn what_this_version_renders_elsewhere_moves_with_its_edits() {
    let moved = |text: &str| {
        let mut scene = Scene::new(&[("old", BASE)], &[("new", OURS)]);
        scene.moved = vec![("old", "new")];
        scene.edited("old", text)
    };
    let update = moved(BASE).update();
    assert_eq!((words(&update)["new"], update.files[0].from.as_deref()), ("replaced", Some("old")));
    assert_eq!((&update.changes["new"], update.deletions.contains("old")), (&OURS.to_owned(), true));
    let scene = moved(THEIRS);
    let update = scene.update();
    assert_eq!((words(&update)["new"], update.changes["new"].as_str()), ("merged", BOTH));
    assert_eq!(update.deletions.iter().collect::<Vec<_>>(), ["old"]);
    assert!(update.lock.files.contains_key("new") && !update.lock.files.contains_key("old"));
    assert!(!scene.after(&update).update().is_pending());
    // The same text, edited, under another name alone.
    let mut scene = Scene::new(&[("old", BASE)], &[("new", BASE)]).edited("old", THEIRS);
    scene.moved = vec![("old", "new")];
    assert_eq!(scene.update().changes["new"], THEIRS);
    // In conflict it stays where it is, with its base.
    let update = moved("one\ntwo\nthree\nfour\nfifth\n").update();
    assert!(update.changes.is_empty() && update.deletions.is_empty() && update.lock.files.contains_key("old"));
    // Deleted stays deleted, by its new name too; and somebody else's file at the new place stays.
    let scene = moved(BASE).deleted("old");
    let update = scene.update();
    assert_eq!(words(&update)["new"], "stays deleted");
    assert!(!scene.after(&update).update().is_worthwhile());
    let update = moved(BASE).edited("new", "mine\n").update();
    assert_eq!((words(&update)["new"], update.changes.len()), ("foreign", 0));
}

#[test]
fn a_base_that_left_the_history_is_found_elsewhere_or_the_conflict_says_so() {
    let scene = || {
        let mut scene = Scene::new(&[("a", BASE)], &[("a", OURS)]).edited("a", THEIRS);
        scene.blobs.remove(&id(BASE));
        scene
    };
    let update = scene().update();
    let Decision::Conflict { why, hunks } = decision(&update, "a") else { panic!("{:?}", update.files) };
    assert!(why.starts_with("the base of this file is gone: its blob "), "{why}");
    assert_eq!((hunks[0].base.as_str(), hunks[0].ours.as_str(), hunks[0].theirs.as_str()), ("", OURS, THEIRS));
    let mut kept = scene();
    kept.lock.texts.insert("a".into(), BASE.into());
    let update = kept.update();
    assert_eq!(update.changes["a"], BOTH);
    assert!(update.lock.texts.is_empty(), "the history holds it from now on");
    let mut rendered = scene();
    rendered.renders.insert(id(BASE), BASE.into());
    assert_eq!(rendered.update().changes["a"], BOTH);
    let mut wrong = scene();
    wrong.lock.texts.insert("a".into(), "something else\n".into());
    assert_eq!(words(&wrong.update())["a"], "conflict", "a text that somebody put there is no base");
}

#[test]
fn what_is_no_text_is_never_merged() {
    let scene = Scene::new(&[("a", BASE)], &[("a", OURS)]).edited("a", b"\xff\xfe\x00");
    let Decision::Conflict { why, .. } = decision(&scene.update(), "a").clone() else { panic!("merged") };
    assert!(why.contains("no UTF-8 text"), "{why}");
}

#[test]
fn an_edit_that_has_it_already_is_noted_and_changes_nothing() {
    let scene = Scene::new(&[("a", BASE)], &[("a", OURS)]).edited("a", BOTH);
    let update = scene.update();
    assert_eq!(words(&update)["a"], "already merged");
    assert_eq!((update.changes["a"].as_str(), update.rendered["a"].as_str()), (BOTH, OURS));
    assert!(!scene.after(&update).update().is_pending());
}

#[test]
fn another_version_alone_is_no_reason_for_a_pull_request() {
    let update = Scene::new(&[("a", BASE)], &[("a", BASE)]).edited("a", THEIRS).update();
    assert!(!update.is_worthwhile() && !update.is_pending());
}

/// The environment that the one workflow names.
fn environment(files: &[RenderedFile]) -> Result<TrustNeeds, Failure> {
    let text = &files.iter().find(|file| file.path.ends_with(".yml")).unwrap().text;
    let name = text.lines().find_map(|line| line.strip_prefix("environment: "));
    let name = name.ok_or_else(|| Failure::usage("there is no job `publish`"))?;
    let reading = [ReadingRef::ReleaseTag, ReadingRef::DefaultBranch].into();
    Ok((SubjectContext::Environment(name.trim().parse()?), reading))
}

#[test]
fn a_merge_that_would_lock_a_job_out_is_a_conflict_that_names_the_condition() {
    let path = ".github/workflows/publish-to-ecr.yml";
    let base = "environment: publish\none\ntwo\nthree\nfour\n";
    let scene = |ours: &str, theirs: &str| {
        let mut scene = Scene::new(&[(path, base)], &[(path, ours)]).edited(path, theirs);
        scene.trust = Some(environment);
        scene
    };
    let ours = base.replace("four", "FOUR");
    // Another environment, today already: what it asks for does not change.
    let update = scene(&ours, &base.replace("publish", "production")).update();
    let Decision::Merged(edits) = decision(&update, path) else { panic!("{:?}", update.files) };
    assert!(
        edits.remarks[0].contains("the environment production, the role trusts the environment publish"),
        "{edits:?}"
    );
    // Nobody can tell either way, as today.
    let update = scene(&ours, &base.replace("environment: publish\n", "")).update();
    let Decision::Merged(edits) = decision(&update, path) else { panic!("{:?}", update.files) };
    assert_eq!(edits.remarks, ["there is no job `publish`"]);
    // A merge that comes out with a third one.
    let update =
        scene(&base.replace("environment: publish\none", "environment: release\none"), &format!("{base}mine\n"))
            .update();
    let Decision::Conflict { why, .. } = decision(&update, path) else { panic!("{:?}", update.files) };
    assert!(why.contains("AWS would turn its jobs away") && why.contains("the environment release"), "{why}");
}
