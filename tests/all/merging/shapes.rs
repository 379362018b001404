//! What is hard about YAML, one small text each.

use sbi::merge::{Merged, workflow::merge};

#[track_caller]
fn clean(base: &str, ours: &str, theirs: &str) -> String {
    match merge(base, ours, theirs) {
        Merged::Clean(clean) => clean.text,
        Merged::Conflict(hunks) => panic!("{hunks:#?}"),
    }
}

/// The places of the conflict.
#[track_caller]
fn conflict(base: &str, ours: &str, theirs: &str) -> Vec<String> {
    match merge(base, ours, theirs) {
        Merged::Clean(clean) => panic!("{}", clean.text),
        Merged::Conflict(hunks) => hunks.into_iter().map(|hunk| hunk.place).collect(),
    }
}

fn notes(base: &str, ours: &str, theirs: &str) -> Vec<String> {
    match merge(base, ours, theirs) {
        Merged::Clean(clean) => clean.notes.into_iter().map(|note| format!("{}: {}", note.place, note.what)).collect(),
        Merged::Conflict(hunks) => panic!("{hunks:#?}"),
    }
}

#[test]
fn a_value_gets_the_quotes_that_stood_there() {
    let (base, ours) = ("a: x\nb: 1\n", "a: y's\nb: 1\n");
    assert_eq!(clean(base, ours, "a: 'x' # c\nb: 2\n"), "a: 'y''s' # c\nb: 2\n");
    assert_eq!(clean(base, ours, "a: \"x\" # c\nb: 2\n"), "a: \"y's\" # c\nb: 2\n");
    assert_eq!(clean(base, ours, "a:   x   # c\nb: 2\n"), "a:   y's   # c\nb: 2\n");
    assert_eq!(clean(base, ours, "a:\n  x\nb: 2\n"), "a:\n  y's\nb: 2\n");
    assert_eq!(clean(base, ours, "a: >-\n  x\nb: 2\n"), "a: y's\nb: 2\n");
    assert_eq!(clean(base, ours, "{ a: x, b: 2 }\n"), "{ a: y's, b: 2 }\n");
    assert_eq!(clean(base, "a: y, z\nb: 1\n", "{ a: x, b: 2 }\n"), "{ a: 'y, z', b: 2 }\n");
}

#[test]
fn the_letters_of_a_number_are_another_value() {
    assert_eq!(clean("a: 1\nb: 1\n", "a: '1'\nb: 1\n", "a: 1\nb: 2\n"), "a: '1'\nb: 2\n");
    assert_eq!(clean("a: x\nb: 1\n", "a: true\nb: 1\n", "a: \"x\"\nb: 2\n"), "a: true\nb: 2\n");
    assert_eq!(conflict("a: 1\n", "a: 2\n", "a: '1'\n"), ["a"]);
}

#[test]
fn blocks_of_every_kind_keep_what_is_around_them() {
    let base = "a: |\n  x\n  y\nb: 1\n";
    let ours = "a: |\n  x\n  z\nb: 1\n";
    assert_eq!(clean(base, ours, "a: |  # c\n    x\n    y\n\n\nb: 2\n"), "a: |  # c\n    x\n    z\n\n\nb: 2\n");
    assert_eq!(clean(base, ours, "a: |\n  w\n  x\n  y\n# c\nb: 1\n"), "a: |\n  w\n  x\n  z\n# c\nb: 1\n");
    assert_eq!(clean(base, "a: |-\n  x\n  z\nb: 1\n", "b: 2\na: |\n  x\n  y"), "b: 2\na: |-\n  x\n  z");
    assert_eq!(
        clean("a: |+\n  x\n\nb: 1\n", "a: |+\n  x\n\nc: 1\nb: 1\n", "a: |+\n  x\n\nb: 2\n"),
        "a: |+\n  x\n\nc: 1\nb: 2\n"
    );
    assert_eq!(clean(base, "a: >\n  x\n  z\nb: 1\n", "a: |\n  x\n  y\nb: 2\n"), "a: >\n  x\n  z\nb: 2\n");
    assert_eq!(clean(base, "a: x\nb: 1\n", "a: |\n  x\n  y\n\nb: 2\n"), "a: x\n\nb: 2\n");
    assert_eq!(
        conflict("a: x\nb: 1\n", base, "a: \"x\" # c\nb: 2\n"),
        ["the whole file: it could not be merged safely"]
    );
}

#[test]
fn a_text_that_ends_in_blanks_is_left_to_a_person() {
    let (base, ours) = ("a: |\n  x\n   \nb: 1\n", "a: |\n  y\n   \nb: 1\n");
    let unsafe_to_merge = "the whole file: it could not be merged safely";
    assert_eq!(conflict(base, ours, &base.replace("b: 1", "b: 2")), [unsafe_to_merge]);
}

#[test]
fn lists_between_brackets_gain_and_lose_items() {
    let base = "a: [x, y, z]\nb: 1\n";
    assert_eq!(clean(base, "a: [x, z, v]\nb: 1\n", "a: [ x, y, z, w ]\nb: 2\n"), "a: [ x, z, v, w ]\nb: 2\n");
    assert_eq!(clean(base, "a: [z]\nb: 1\n", "a: [x, y, z]\nb: 2\n"), "a: [z]\nb: 2\n");
    assert_eq!(clean(base, "a: [x]\nb: 1\n", "a: [x, y, z,]\nb: 2\n"), "a: [x,]\nb: 2\n");
    assert_eq!(clean(base, "a: [v, x, y, z]\nb: 1\n", "a:\n- x\n- y\n- z\nb: 2\n"), "a:\n- v\n- x\n- y\n- z\nb: 2\n");
    assert_eq!(clean(base, "a: []\nb: 1\n", "a:\n  - x\n  - y\n  - z\nb: 2\n"), "a: []\nb: 2\n");
    assert_eq!(clean(base, "a: []\nb: 1\n", "a:\n  - x\n  - y\n  - z\n  - w\nb: 2\n"), "a:\n  - w\nb: 2\n");
    assert_eq!(clean("a: []\nb: 1\n", base, "a: []\nb: 2\n"), "a: [x, y, z]\nb: 2\n");
}

#[test]
fn one_word_becomes_a_list_in_our_order() {
    let text = |needs: &str, more: &str| {
        let jobs = "  b:\n    runs-on: x\n  c:\n    runs-on: x\n  d:\n    runs-on: x\n";
        format!("{more}jobs:\n  a:\n    needs: {needs}\n    runs-on: x\n{jobs}")
    };
    let merged = |base, ours, theirs| clean(&text(base, ""), &text(ours, ""), &text(theirs, "name: y\n"));
    assert_eq!(merged("c", "[b, c, d]", "c"), text("[b, c, d]", "name: y\n"));
    assert_eq!(merged("[b, c]", "c", "[b, c]"), text("[c]", "name: y\n"));
    assert_eq!(merged("c", "[c]", "c"), text("c", "name: y\n"));
    assert_eq!(merged("c", "[b, d]", "c"), text("[b, d]", "name: y\n"));
    assert_eq!(merged("c", "[b, c]", "[c, d]"), text("[b, c, d]", "name: y\n"));
}

#[test]
fn two_lists_that_share_nothing_with_the_old_one_are_a_choice() {
    assert_eq!(conflict("a: [x]\n", "a: [y]\n", "a: [z]\n"), ["a"]);
    assert_eq!(clean("a: [x]\nb: 1\n", "a: [y]\nb: 1\n", "a: [y]\nb: 2\n"), "a: [y]\nb: 2\n");
    assert_eq!(
        conflict("a: [x, y]\n", "a: [y, x]\n", "a: [x, y, z]\n"),
        ["a: this version puts it into another order"]
    );
}

#[test]
fn the_first_key_of_an_item_shares_its_line() {
    let base = "jobs:\n  a:\n    steps:\n      - name: x\n        run: y\n";
    let other = "jobs:\n  a:\n    runs-on: z\n    steps:\n      - name: x\n        run: y\n";
    let unnamed = "jobs:\n  a:\n    steps:\n      - run: y\n";
    assert_eq!(clean(base, unnamed, other), "jobs:\n  a:\n    runs-on: z\n    steps:\n      - run: y\n");
    let named = "jobs:\n  a:\n    steps:\n      - id: i\n        name: x\n        run: y\n";
    assert_eq!(
        clean(base, named, other),
        "jobs:\n  a:\n    runs-on: z\n    steps:\n      - name: x\n        id: i\n        run: y\n"
    );
}

#[test]
fn a_comment_that_belongs_to_nothing_is_told_when_it_is_left_out() {
    let base = "a: 1\nb: 1\n";
    let ours = "a: 1\n\n# Apart.\n\nb: 1\n# Below.\n";
    assert_eq!(clean(base, ours, "a: 2\nb: 1\n"), "a: 2\nb: 1\n");
    assert_eq!(
        notes(base, ours, "a: 2\nb: 1\n"),
        ["comments: leaves out what a comment of this version says: Apart. Below."]
    );
}

#[test]
fn comments_come_and_go_with_ours_and_stay_with_theirs() {
    let base = "a: 1 # one\n# Two.\nb: 1\nc: 1\n";
    let ours = "a: 1\nb: 1\n# Three,\n# four.\nc: 1 # five\n";
    assert_eq!(
        clean(base, ours, "d: 1\n\na: 1  # one\n\n# Two.\nb: 1\nc: 1\n"),
        "d: 1\n\na: 1\n\nb: 1\n# Three,\n# four.\nc: 1 # five\n"
    );
    assert_eq!(
        clean(base, ours, "a: 1 # mine\n# Mine.\nb: 1\nc: 1 # mine\n"),
        "a: 1 # mine\n# Mine.\nb: 1\n# Three,\n# four.\nc: 1 # mine\n"
    );
    assert_eq!(clean(base, "b: 1\nc: 1\n", "a: 1 # one\n# Two.\nb: 1\nc: 2\n"), "b: 1\nc: 2\n");
}

#[test]
fn what_a_publisher_said_about_a_thing_keeps_it() {
    let base = "a: 1\nb: 1\n";
    assert_eq!(conflict(base, "b: 1\n", "# Mine.\na: 1\nb: 1\n"), ["a: this version removes it"]);
    assert_eq!(clean(base, "b: 1\n", "a: 1\n\n# Mine.\nb: 1\n"), "# Mine.\nb: 1\n");
}

#[test]
fn what_goes_leaves_no_gap() {
    let all = "a:\n  b: 1\n\n  c: 1\n\n  d: 1\n\ne: 1\n";
    for without in ["  b: 1\n\n", "  c: 1\n\n", "\n  d: 1\n"] {
        let ours = all.replacen(without, "", 1);
        let (theirs, wanted) = (all.replace("e: 1", "e: 2"), ours.replace("e: 1", "e: 2"));
        assert_eq!(clean(all, &ours, &theirs), wanted);
        assert_eq!(clean(all, &ours, &theirs.replace('\n', "\r\n")), wanted.replace('\n', "\r\n"));
    }
    assert_eq!(
        clean(all, "a:\n  b: 1\n\n  c: 1\n\n  d: 1\n", "f: 1\n\na:\n  b: 1\n\n  c: 1\n\n  d: 1\n\ne: 1"),
        "f: 1\n\na:\n  b: 1\n\n  c: 1\n\n  d: 1"
    );
    assert_eq!(clean(all, "e: 1\n", &all.replace("e: 1", "e: 2")), "e: 2\n");
}

#[test]
fn a_list_of_which_each_side_deletes_the_rest_of_the_other_is_an_empty_list() {
    let both = "steps:\n  - name: sign in\n  - name: push\nb: 1\n";
    let ours = "steps:\n  - name: push\nb: 1\n";
    let theirs = "steps:\n  - name: sign in\nb: 2\n";
    assert_eq!(clean(both, ours, theirs), "steps: []\nb: 2\n");
    let commented = |text: &str| text.replacen("steps:", "steps: # why", 1);
    assert_eq!(clean(both, &commented(ours), theirs), "steps: [] # why\nb: 2\n");
    assert_eq!(clean(&commented(both), &commented(ours), &commented(theirs)), "steps: [] # why\nb: 2\n");
    assert_eq!(clean(&commented(both), &commented(ours), theirs), "steps: []\nb: 2\n");
}

#[test]
fn a_list_of_which_only_the_key_is_left_stays_so_and_that_is_told() {
    let workflow = |steps: &str| format!("jobs:\n  a:\n    steps:\n{steps}    env: {{}}\n");
    let both = "      - name: sign in\n        run: a\n      - name: push\n        run: b\n";
    let commented = both.replacen("      - name: push", "      # Why.\n      - name: push", 1);
    let told = notes(&workflow(both), &workflow(&commented), &workflow(""));
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.iter().all(|note| note.contains("stays deleted")), "{told:#?}");
    assert_eq!(clean(&workflow(both), &workflow(&commented), &workflow("")), workflow(""));
    let changed = both.replacen("run: b", "run: c", 1);
    assert_eq!(conflict(&workflow(both), &workflow(&changed), &workflow("")), ["jobs.a.steps"]);
    let added = format!("{both}      - name: verify\n        run: c\n");
    assert_eq!(conflict(&workflow(both), &workflow(&added), &workflow("")), ["jobs.a.steps"]);
}

#[test]
fn a_comment_below_a_thing_stays_with_it() {
    let ours = "a:\n  x: 1\nb: 1\nc: 1\n";
    assert_eq!(
        clean("a:\n  x: 1\nc: 1\n", ours, "a:\n  x: 1\n\n  # y: 2\nc: 2\n"),
        "a:\n  x: 1\n\n  # y: 2\nb: 1\nc: 2\n"
    );
}

#[test]
fn no_comment_of_theirs_goes_with_what_is_replaced() {
    let why = "a: this version replaces it, with the comment in it";
    assert_eq!(conflict("a:\n  x: 1\nb: 1\n", "a: z\nb: 1\n", "a:\n  # mine\n  x: 1\nb: 1\n"), [why]);
    let unsafe_to_merge = "the whole file: it could not be merged safely";
    let theirs = "a: [x, # mine\n  y]\nb: 1\n";
    assert_eq!(conflict("a: [x, y]\nb: 1\n", "a: [x]\nb: 1\n", theirs), [unsafe_to_merge]);
    assert_eq!(conflict("a: [x, y]\nb: 1\n", "a: z\nb: 1\n", theirs), [why]);
}

#[test]
fn marks_of_the_byte_order_and_of_a_document_stay() {
    let (base, ours) = ("a: 1\nb: 1\n", "a: 2\nb: 1\nc: 1\n");
    assert_eq!(clean(base, ours, "\u{feff}a: 1\nb: 3\n"), "\u{feff}a: 2\nb: 3\nc: 1\n");
    assert_eq!(clean(base, ours, "%YAML 1.2\n---\na: 1\nb: 3\n...\n"), "%YAML 1.2\n---\na: 2\nb: 3\nc: 1\n...\n");
    assert_eq!(clean(base, ours, "--- # mine\na: 1\nb: 3\n"), "--- # mine\na: 2\nb: 3\nc: 1\n");
}

#[test]
fn braces_over_several_lines_keep_their_comments() {
    let base = "a: {x: 1, y: 1}\nb: 1\n";
    let theirs = "a: {\n  x: 1, # mine\n  y: 1,\n}\nb: 1\n";
    assert_eq!(clean(base, "a: {x: 1, y: 2}\nb: 1\n", theirs), theirs.replace("y: 1", "y: 2"));
    assert_eq!(clean(base, "a: {x: 1, y: 1, z: 1}\nb: 1\n", theirs), theirs.replace("y: 1", "y: 1, z: 1"));
    assert_eq!(conflict(base, "a: {y: 1}\nb: 1\n", theirs), ["a.x: this version removes it"]);
}

#[test]
fn texts_that_are_made_to_exhaust_are_refused() {
    let deep = format!("a:\n  {}x\n", "- ".repeat(5000));
    assert_eq!(conflict("a: 1\n", "a: 2\n", &deep), ["the whole file: it is nested too deeply"]);
    let deep = format!("a: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(conflict("a: 1\n", "a: 2\n", &deep).len(), 1);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
    }
    assert_eq!(conflict("a: 1\n", "a: 2\n", &bomb), ["the whole file: its aliases repeat too much"]);
}

#[test]
fn what_is_odd_about_yaml_is_a_conflict_and_no_panic() {
    let (base, ours) = ("a: x\nb: 1\n", "a: y\nb: 1\nc: 1\n");
    let odd = [
        "? a\n: x\nb: 1\n",
        "a: !!str x\nb: !mine {x: 1}\n",
        "[a, b]\n",
        "a: [x: 1, y]\nb: 2\n",
        "a: *x\n",
        "a: &x [*x]\n",
        "a: \"x\nb: 1\n",
        "a: 'x\nb: 1\n",
        "a:\tx\nb: 1\n",
        "a: x\n b: 1\n",
        "a: @x\nb: 1\n",
        "\u{0}a: x\n",
        "# only\n",
        "---\n---\n",
        "a: x\n<<: {b: 1}\n",
        "{a: x, b}\n",
        "a: x\nb:\n",
        "\"a\": x\n'b' : 1\n",
        "a: |\n\n\nb: 1\n",
        "a: |2\n   x\nb: 2\n",
        "a: x #\nb: 1#\n",
        "a: x\r\nb: 1\r\n",
        "a: x\rb: 1\r",
        "a: ü\u{2028}x\nb: 1\n",
        "a : x\nb : 2\n",
        "a: - x\n",
        "- a: x\n",
        "a: x\nb: 1\n...\nc",
        "\u{feff}",
    ];
    for theirs in odd {
        match merge(base, ours, theirs) {
            Merged::Clean(clean) => assert!(clean.text.contains("c: 1"), "{theirs:?} became {:?}", clean.text),
            Merged::Conflict(hunks) => assert!(!hunks.is_empty() && !hunks[0].place.is_empty(), "{theirs:?}"),
        }
        assert_eq!(clean(base, base, theirs), theirs);
    }
}
