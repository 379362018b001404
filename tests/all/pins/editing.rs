//! Workflows with newer pins: what is no pin stays byte by byte.

use proptest::prelude::*;
use sbi::model::action_pin::{ActionPin, ActionVersion};
use sbi::model::config::Auth;
use sbi::model::desired::RenderedFile;
use sbi::model::git::CommitId;
use sbi::model::pins::Pins;
use sbi::plan::pins::{ActionChange, action_pins, with_pins};

use crate::support::world::config;

fn old() -> String {
    "0a".repeat(20)
}

fn new() -> String {
    "1b".repeat(20)
}

fn workflow(text: &str) -> String {
    let change = ActionChange {
        repository: "actions/checkout".into(),
        from: CommitId::told(old()),
        from_version: ActionVersion::read("v1.0.0"),
        to: CommitId::told(new()),
        to_version: ActionVersion::read("v10.2.0").unwrap(),
        released: jiff::Timestamp::UNIX_EPOCH,
    };
    with_pins(text, &[change])
}

#[test]
fn every_way_to_write_a_pin_is_renewed_with_its_comment() {
    let (old, new) = (old(), new());
    let around = |step: &str| format!("jobs:\n  a:\n    steps:\n{step}");
    for (before, after) in [
        (
            format!("      - uses: actions/checkout@{old} # v1.0.0\n"),
            format!("      - uses: actions/checkout@{new} # v10.2.0\n"),
        ),
        (
            format!("      - name: x\n        uses:   \"actions/checkout@{old}\"\t#v1.0.0 (kept)\r\n"),
            format!("      - name: x\n        uses:   \"actions/checkout@{new}\"\t#v10.2.0 (kept)\r\n"),
        ),
        (
            format!("      - 'uses': 'actions/checkout/sub@{old}'\n"),
            format!("      - 'uses': 'actions/checkout/sub@{new}' # v10.2.0\n"),
        ),
        (
            format!("      - uses: Actions/Checkout@{old}   \r\n"),
            format!("      - uses: Actions/Checkout@{new} # v10.2.0   \r\n"),
        ),
        (
            format!("      - uses: actions/checkout@{old} # mine"),
            format!("      - uses: actions/checkout@{new} # mine"),
        ),
        (
            format!("      - {{uses: actions/checkout@{old}, with: {{a: b}}}} # v1.0.0\n"),
            format!("      - {{uses: actions/checkout@{new}, with: {{a: b}}}} # v1.0.0\n"),
        ),
        (
            format!("      # ü 漢\n      - name: ü\n        uses: actions/checkout@{old}"),
            format!("      # ü 漢\n      - name: ü\n        uses: actions/checkout@{new} # v10.2.0"),
        ),
        (
            format!("      - &step\n        uses: actions/checkout@{old} # v1.0.0\n      - *step\n"),
            format!("      - &step\n        uses: actions/checkout@{new} # v10.2.0\n      - *step\n"),
        ),
    ] {
        assert_eq!(workflow(&around(&before)), around(&after));
    }
    let call = |commit: &str, version: &str| {
        format!("jobs:\n  b:\n    uses: actions/checkout/.github/workflows/r.yml@{commit} # {version}\n")
    };
    assert_eq!(workflow(&call(&old, "v1.0.0")), call(&new, "v10.2.0"), "a workflow that is called");
}

#[test]
fn what_only_looks_like_the_pin_stays() {
    let (old, other) = (old(), "2c".repeat(20));
    let texts = [
        format!("jobs:\n  a:\n    steps:\n      # - uses: actions/checkout@{old} # v1.0.0\n      - run: x\n"),
        format!("jobs:\n  a:\n    steps:\n      - run: |\n          - uses: actions/checkout@{old} # v1.0.0\n"),
        format!("jobs:\n  a:\n    steps:\n      - uses: actions/checkout@{other} # v1.0.0\n"),
        format!("jobs:\n  a:\n    steps:\n      - uses: actions/cache@{old} # v1.0.0\n"),
        "jobs:\n  a:\n    steps:\n      - uses: actions/checkout@v1 # v1.0.0\n      - uses: ./actions/checkout\n"
            .to_owned(),
        format!("a: [\n  - uses: actions/checkout@{old}\n"),
    ];
    for text in texts {
        assert_eq!(workflow(&text), text);
    }
}

#[test]
fn the_pins_of_a_workflow_are_listed_once_each() {
    let (old, new) = (old(), new());
    let text = format!(
        "jobs:\n  a:\n    steps:\n      - uses: a/b@{old} # v1.0.0\n      - uses: a/b@{old} # v1.0.0\n      - uses: \"a/b/c@{new}\"\n      - uses: a/b@v1\n"
    );
    let expected = [format!("a/b@{old} # v1.0.0"), format!("a/b/c@{new}")];
    assert_eq!(action_pins(&text).iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    assert_eq!(action_pins("a: ["), []);
}

#[test]
fn every_pin_that_is_rendered_is_found() {
    let rendered = sbi::templates::render(&config(Auth::Oidc), &Pins::default()).unwrap();
    let workflows: Vec<_> = rendered.iter().filter(|file| file.path.starts_with(".github/workflows/")).collect();
    assert!(workflows.len() >= 3);
    for RenderedFile { path, text } in workflows {
        let by_line: std::collections::BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses:"))
            .filter_map(ActionPin::read)
            .map(|pin| pin.to_string())
            .collect();
        let found: std::collections::BTreeSet<String> = action_pins(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, by_line, "{path}");
    }
}

/// A line of a step, the same with the newer pin, and whether it is one.
fn any_step() -> impl Strategy<Value = (String, String)> {
    let comment = prop_oneof![
        Just((String::new(), " # v10.2.0".to_owned())),
        Just((" # v1.0.0".to_owned(), " # v10.2.0".to_owned())),
        Just(("  #  1.0 ".to_owned(), "  #  v10.2.0 ".to_owned())),
        Just((" # words v1.0.0".to_owned(), " # words v1.0.0".to_owned())),
    ];
    let quote = prop_oneof![Just(""), Just("'"), Just("\"")];
    let path = prop_oneof![Just(""), Just("/sub"), Just("/.github/workflows/x.yml")];
    let ours = (quote, path, comment, any::<bool>()).prop_map(|(quote, path, (before, after), ours)| {
        let action = if ours { "actions/checkout" } else { "actions/setup" };
        let line = |commit: &str, comment: &str| format!("- uses: {quote}{action}{path}@{commit}{quote}{comment}");
        (line(&old(), &before), if ours { line(&new(), &after) } else { line(&old(), &before) })
    });
    let other = "[ -~äß漢]{0,30}".prop_map(|text| {
        let line = format!("- run: {}", serde_json::to_string(&text).unwrap());
        (line.clone(), line)
    });
    let comment = "[ -~äß漢]{0,30}".prop_map(|text| (format!("# {text}"), format!("# {text}")));
    prop_oneof![ours, other, comment]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_pins_of_the_action_change(steps in prop::collection::vec(any_step(), 0..12), crlf: bool, indent in 2..8_usize, last: bool) {
        let end = if crlf { "\r\n" } else { "\n" };
        let whole = |lines: Vec<&String>| {
            let mut text = format!("on: push{end}jobs:{end} a:{end}  steps:{end}");
            for line in lines {
                text += &format!("{}{line}{end}", " ".repeat(indent));
            }
            if last { text } else { text.trim_end_matches(['\r', '\n']).to_owned() }
        };
        let before = whole(steps.iter().map(|(before, _)| before).collect());
        let after = whole(steps.iter().map(|(_, after)| after).collect());
        let edited = workflow(&before);
        prop_assert_eq!(&edited, &after);
        prop_assert_eq!(workflow(&edited), after, "a second time changes nothing");
        if let (Ok(one), Ok(other)) = (serde_yaml_ng::from_str::<serde_json::Value>(&before), serde_yaml_ng::from_str::<serde_json::Value>(&edited)) {
            let swapped: serde_json::Value = serde_json::from_str(&one.to_string().replace(&format!("checkout@{}", old()), &format!("checkout@{}", new())).replace(&format!("checkout/sub@{}", old()), &format!("checkout/sub@{}", new())).replace(&format!("checkout/.github/workflows/x.yml@{}", old()), &format!("checkout/.github/workflows/x.yml@{}", new()))).unwrap();
            prop_assert_eq!(swapped, other);
        }
    }

    #[test]
    fn no_text_at_all_is_broken(text in "[ -~\r\n\tä漢]{0,200}") {
        prop_assert_eq!(workflow(&text), text);
    }
}
