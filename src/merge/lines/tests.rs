//! Merging by lines: cases, and properties over generated texts.

use proptest::prelude::*;

use super::*;

const OLD: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
const OURS: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const THEIRS: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn clean(base: &str, ours: &str, theirs: &str) -> Clean {
    match merge(base, ours, theirs) {
        Merged::Clean(clean) => clean,
        Merged::Conflict(hunks) => panic!("{hunks:#?}"),
    }
}

fn hunks(base: &str, ours: &str, theirs: &str) -> Vec<Hunk> {
    match merge(base, ours, theirs) {
        Merged::Conflict(hunks) => hunks,
        Merged::Clean(clean) => panic!("{clean:#?}"),
    }
}

#[test]
fn changes_of_different_lines_go_together() {
    let merged = clean("a\nb\nc\nd\ne\n", "a\nB\nc\nd\ne\nours\n", "theirs\na\nb\nc\nD\nD\ne\n");
    assert_eq!((merged.text.as_str(), merged.notes.len()), ("theirs\na\nB\nc\nD\nD\ne\nours\n", 0));
}

#[test]
fn the_same_change_on_both_sides_is_made_once() {
    assert_eq!(clean("a\nb\nc\nd\n", "a\nX\nc\nd\nnew\n", "a\nX\nc\nd\n").text, "a\nX\nc\nd\nnew\n");
}

#[test]
fn what_both_sides_changed_is_a_conflict_with_each_text() {
    let found = hunks("a\nb\nc\nd\ne\nf\n", "a\nours\nc\nd\nE\nf\n", "new\na\ntheirs\nc\nd\ne2\nf\n");
    let hunk = |place: &str, base: &str, ours: &str, theirs: &str| Hunk {
        place: place.into(),
        base: base.into(),
        ours: ours.into(),
        theirs: theirs.into(),
    };
    let first = hunk("line 3", "b\n", "ours\n", "theirs\n");
    assert_eq!(found, [first, hunk("line 6", "e\n", "E\n", "e2\n")]);
    // The line below one that we change may belong to it.
    assert_eq!(hunks("a\nb\nc\n", "a\nB\nc\n", "a\nb\nC\n")[0].theirs, "b\nC\n");
    // A line that we remove and they edit, and the other way round.
    assert_eq!(hunks("a\nb\nc\n", "a\nc\n", "a\nmine\nc\n"), [hunk("line 2", "b\n", "", "mine\n")]);
    assert_eq!(hunks("a\nb\nc\n", "a\nB\nc\n", "a\nc\n"), [hunk("line 2", "b\n", "B\n", "")]);
    assert_eq!(hunks("a\n", "b\n", ""), [hunk("line 1", "a\n", "b\n", "")]);
}

#[test]
fn line_ends_and_the_end_of_the_file_stay_as_the_publisher_has_them() {
    let (base, ours) = ("a\nb\nc\nd\n", "a\nb\nc\nnew\nd\n");
    assert_eq!(clean(base, ours, "A\r\nb\r\nc\r\nd\r\n").text, "A\r\nb\r\nc\r\nnew\r\nd\r\n");
    assert_eq!(clean(base, ours, "a\r\nb\r\nc\r\nd\r\n").text, "a\r\nb\r\nc\r\nnew\r\nd\r\n", "nothing but line ends");
    assert_eq!(clean(base, ours, "A\nb\nc\nd").text, "A\nb\nc\nnew\nd");
    assert_eq!(clean(base, "a\nb\nc\nd\nnew\n", "A\nb\nc\nd").text, "A\nb\nc\nd\nnew");
    assert_eq!(clean(base, "a\nb\nc\nd\nnew\n", "A\r\nb\r\nc\r\nd").text, "A\r\nb\r\nc\r\nd\r\nnew");
    assert_eq!(clean(base, ours, "\u{feff}a\nb\nc\nd\nmine\n").text, "\u{feff}a\nb\nc\nnew\nd\nmine\n");
    // A line without an end says nothing about the others.
    assert_eq!(clean("b", "new\n\nb", "b\r\nmine").text, "new\r\n\r\nb\r\nmine");
    // A few lines of a file have other ends than most.
    assert_eq!(clean(base, ours, "A\r\nb\nc\nd\n").text, "A\r\nb\nc\nnew\nd\n");
}

#[test]
fn blanks_at_the_end_of_a_line_are_the_publishers() {
    assert_eq!(clean("a\nb\nc\nd\n", "a\nb\nc\nD\n", "a  \nb\t\nc\nd\n").text, "a  \nb\t\nc\nD\n");
}

fn dockerfile(tag: &str, digest: &str, user: &str) -> String {
    format!(
        "FROM gcr.io/distroless/static:nonroot AS a\nFROM --platform=$BUILDPLATFORM golang:{tag}@{digest} AS b\nRUN x\nUSER {user}\n"
    )
}

#[test]
fn of_two_newer_digests_of_one_tag_the_publishers_stays() {
    let base = dockerfile("1.26", OLD, "1");
    let merged = clean(&base, &dockerfile("1.26", OURS, "2"), &dockerfile("1.26", THEIRS, "1"));
    assert_eq!(merged.text, dockerfile("1.26", THEIRS, "2"));
    let [Note { place, what }] = merged.notes.as_slice() else { panic!("{:?}", merged.notes) };
    assert_eq!(place, "line 2");
    assert!(
        what.starts_with("keeps golang:1.26 with sha256:222222222222…, where this version has sha256:1111"),
        "{what}"
    );
    // The digest that one side alone renewed is that side's.
    let edited = dockerfile("1.26", OLD, "1").replace("RUN x", "RUN y");
    assert_eq!(clean(&base, &dockerfile("1.26", OURS, "1"), &edited).text, edited.replace(OLD, OURS));
    let bumped = dockerfile("1.26", THEIRS, "1");
    let merged = clean(&base, &dockerfile("1.26", OLD, "2"), &bumped);
    assert_eq!((merged.text, merged.notes), (dockerfile("1.26", THEIRS, "2"), vec![]));
}

#[test]
fn another_tag_of_ours_replaces_a_newer_digest_of_the_old_one() {
    let base = dockerfile("1.26", OLD, "1");
    let merged = clean(&base, &dockerfile("1.27", OURS, "1"), &dockerfile("1.26", THEIRS, "2"));
    assert_eq!(merged.text, dockerfile("1.27", OURS, "2"));
    let [Note { place, what }] = merged.notes.as_slice() else { panic!("{:?}", merged.notes) };
    assert_eq!(
        (place.as_str(), what.as_str()),
        ("line 2", "leaves golang:1.26 with sha256:222222222222… behind: this version builds on another")
    );
    // The publisher's tag is an edit of theirs like any other, and a digest of the old one does not undo it.
    let theirs = dockerfile("1.25", THEIRS, "1");
    assert_eq!(clean(&base, &dockerfile("1.26", OURS, "2"), &theirs).text, dockerfile("1.25", THEIRS, "2"));
    let both = hunks(&base, &dockerfile("1.27", OURS, "1"), &theirs);
    assert!(both[0].ours.contains(OURS) && both[0].theirs.contains(THEIRS), "{both:?}");
}

#[test]
fn a_digest_that_the_publisher_took_off_or_put_on_is_left_so() {
    let bare = |text: String| text.replace(&format!("@{OLD}"), "");
    let base = dockerfile("1.26", OLD, "1");
    let merged = clean(&base, &dockerfile("1.26", OURS, "2"), &bare(base.clone()));
    assert_eq!(merged.text, bare(dockerfile("1.26", OLD, "2")));
    assert!(merged.notes[0].what.contains("with no digest"), "{:?}", merged.notes);
    let merged = clean(&bare(base.clone()), &dockerfile("1.26", OURS, "2"), &dockerfile("1.26", THEIRS, "1"));
    assert_eq!(merged.text, dockerfile("1.26", THEIRS, "2"));
    let edited = bare(base.replace("RUN x", "RUN y"));
    assert_eq!(
        clean(&bare(base), &dockerfile("1.26", OURS, "1"), &edited).text,
        edited.replace("1.26", &format!("1.26@{OURS}"))
    );
}

#[test]
fn equal_from_lines_are_told_apart_by_their_order() {
    let text =
        |first: &str, second: &str, end: &str| format!("FROM a:1@{first}\nRUN x\nFROM a:1@{second}\nRUN {end}\n");
    let merged = clean(&text(OLD, OLD, "x"), &text(OLD, OURS, "y"), &text(THEIRS, OLD, "x"));
    assert_eq!((merged.text, merged.notes), (text(THEIRS, OURS, "y"), vec![]));
}

/// A text with few different lines, so that many are equal.
fn texts() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => "[a-d]?",
        1 => Just(format!("FROM a:1@{OLD}")),
        1 => Just(format!("FROM a:1@{OURS} AS x")),
        1 => Just(format!("from --platform=x a:2@{THEIRS}")),
    ];
    let end = prop_oneof![9 => Just("\n"), 1 => Just("\r\n")];
    (proptest::collection::vec((line, end), 0..9), any::<bool>()).prop_map(|(lines, ends)| {
        let text: String = lines.iter().map(|(line, end)| format!("{line}{end}")).collect();
        if ends { text } else { text.trim_end_matches(['\r', '\n']).to_owned() }
    })
}

/// The texts of the lines, with what is decided apart taken out.
fn bag(text: &str) -> Vec<String> {
    let mut lines = digests::without(&Text::read(text));
    lines.sort();
    lines
}

/// What `more` has and `less` lacks.
fn added(more: &str, less: &str) -> Vec<String> {
    let mut less = bag(less);
    let is_new = |line: &String| less.iter().position(|other| other == line).map(|at| less.swap_remove(at)).is_none();
    bag(more).into_iter().filter(is_new).collect()
}

/// A text that was made from `base` by up to three edits of lines.
fn edits(base: &str, edits: &[(usize, usize, String)]) -> String {
    let mut lines: Vec<String> = base.split_inclusive('\n').map(str::to_owned).collect();
    for (at, removed, new) in edits {
        let at = at % (lines.len() + 1);
        let end = (at + removed).min(lines.len());
        lines.splice(at..end, new.split_inclusive('\n').map(str::to_owned));
    }
    lines.concat()
}

fn edit() -> impl Strategy<Value = (usize, usize, String)> {
    (0..30_usize, 0..3_usize, "([e-h]\n){0,2}")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_side_that_changed_nothing_gives_the_other_byte_for_byte(base in texts(), side in texts()) {
        prop_assert_eq!(clean(&base, &side, &base).text, side.clone());
        prop_assert_eq!(clean(&base, &base, &side).text, side.clone());
        prop_assert_eq!(clean(&base, &side, &side).text, side);
    }

    #[test]
    fn no_line_of_either_side_is_lost_and_none_comes_from_nowhere(base in texts(), ours in texts(), theirs in texts()) {
        match merge(&base, &ours, &theirs) {
            Merged::Clean(Clean { text, .. }) => {
                for line in added(&theirs, &base).iter().chain(&added(&ours, &base)) {
                    prop_assert!(bag(&text).contains(line), "{:?} is lost in {:?}", line, text);
                }
                for line in bag(&text) {
                    prop_assert!(bag(&ours).contains(&line) || bag(&theirs).contains(&line), "{:?} is new", line);
                }
            }
            Merged::Conflict(hunks) => {
                prop_assert!(!hunks.is_empty());
                for hunk in hunks {
                    prop_assert!(hunk.ours != hunk.theirs);
                    prop_assert!(hunk.base != hunk.theirs && hunk.base != hunk.ours);
                }
            }
        }
    }

    #[test]
    fn what_both_sides_did_is_done_once_and_counted_right(
        our in proptest::collection::vec(edit(), 0..3),
        their in proptest::collection::vec(edit(), 0..3),
    ) {
        let base: String = (0..24).map(|number| format!("line {number}\n")).collect();
        let (ours, theirs) = (edits(&base, &our), edits(&base, &their));
        if let Merged::Clean(Clean { text, .. }) = merge(&base, &ours, &theirs) {
            // Merged once more, there is nothing left to do.
            prop_assert_eq!(clean(&base, &ours, &text).text, text.clone());
            prop_assert_eq!(clean(&ours, &ours, &text).text, text.clone());
            for line in base.split_inclusive('\n') {
                let stays = ours.contains(line) && theirs.contains(line);
                prop_assert_eq!(text.contains(line), stays, "{:?}", line);
            }
        }
    }

    #[test]
    fn line_ends_change_nothing_of_what_is_decided(base in texts(), ours in texts(), theirs in texts()) {
        let unix = |text: &str| text.replace("\r\n", "\n");
        let (base, ours, theirs) = (unix(&base), unix(&ours), unix(&theirs));
        let dressed = merge(&base, &ours, &theirs.replace('\n', "\r\n"));
        match (merge(&base, &ours, &theirs), dressed) {
            (Merged::Clean(plain), Merged::Clean(dressed)) => {
                // Where they changed nothing else, all that they did is to change the line ends.
                if theirs != base && theirs.contains('\n') {
                    prop_assert_eq!(plain.text.replace('\n', "\r\n"), dressed.text.clone());
                }
                prop_assert_eq!(plain.notes, dressed.notes);
            }
            (plain, dressed) => prop_assert_eq!(plain, dressed),
        }
    }
}
