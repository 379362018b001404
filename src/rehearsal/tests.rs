//! Expressions, matrices, workflow files and what scripts say, each as GitHub documents it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::expression::{Expression, Template};
use super::matrix::combinations;
use super::scope::{Gap, Scope, Status};
use super::speech::{complaint, pairs};
use super::workflow::Workflow;

fn scope() -> Scope {
    let mut scope = Scope::default();
    scope.contexts.insert("github".into(), json!({"event_name": "workflow_dispatch", "sha": "c0ffee", "event": {}}));
    scope.contexts.insert("inputs".into(), json!({"publish": false, "image": "static-go"}));
    scope.contexts.insert("matrix".into(), json!({"arch": "arm64", "list": ["a", "b"]}));
    scope.contexts.insert("needs".into(), json!({"scan": {"result": "success", "outputs": {"n": "7"}}}));
    scope.contexts.insert("steps".into(), json!({"tag": {"outputs": {"tag": "v1.0.0"}}}));
    scope.absent = vec!["secrets".into(), "github.token".into(), "steps.aws.outputs".into()];
    scope
}

fn value(text: &str) -> Result<Value, Gap> {
    scope().evaluate(&Expression::parse(text).unwrap_or_else(|reason| panic!("{text}: {reason}")))
}

#[test]
fn expressions_have_the_values_that_github_gives_them() {
    for (text, expected) in [
        ("github.event_name == 'release'", json!(false)),
        ("github.event_name != 'release' && !cancelled()", json!(true)),
        ("github.event_name == 'RELEASE' || inputs.publish", json!(false)),
        ("needs.scan.result == 'SUCCESS'", json!(true)),
        ("matrix.arch", json!("arm64")),
        ("matrix['arch']", json!("arm64")),
        ("matrix.list[1]", json!("b")),
        ("matrix.absent", Value::Null),
        ("github.event.release.tag_name", Value::Null),
        ("steps.tag.outputs.tag", json!("v1.0.0")),
        ("vars.CODE_SCANNING == 'on'", json!(false)),
        ("inputs.publish || 'no'", json!("no")),
        ("inputs.image && 'yes'", json!("yes")),
        ("1 == '1'", json!(true)),
        ("null == 0", json!(true)),
        ("true == 1", json!(true)),
        ("'a' < 'B'", json!(true)),
        ("2 >= 10", json!(false)),
        ("'it''s'", json!("it's")),
        ("0x10 == 16", json!(true)),
        ("!(1 == 2) && (true || false)", json!(true)),
        ("contains('release/v1', 'V1')", json!(true)),
        ("contains(fromJSON('[\"a\",\"b\"]'), 'b')", json!(true)),
        ("startsWith('refs/tags/v1', 'refs/tags/')", json!(true)),
        ("endsWith('a.json', '.JSON')", json!(true)),
        ("format('{0}-{1}{{}}', 'a', 2)", json!("a-2{}")),
        ("join(matrix.list, '+')", json!("a+b")),
        ("fromJSON('{\"a\": [1, 2]}').a[1]", json!(2)),
        ("toJSON(1)", json!("1")),
        ("success() || failure()", json!(true)),
    ] {
        assert_eq!(value(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_only_a_runner_has_is_told_from_what_is_unknown() {
    for text in ["secrets.AWS_REGION", "github.token", "steps.aws.outputs.key", "format('{0}', secrets.X)"] {
        assert!(matches!(value(text), Err(Gap::Absent(_))), "{text}: {:?}", value(text));
    }
    // The right side of a decided `||` or `&&` is not asked for.
    assert_eq!(value("true || secrets.X"), Ok(json!(true)));
    assert_eq!(value("false && secrets.X"), Ok(json!(false)));
    for text in ["github.evnt_name", "steps.nothing.outputs.x", "needs.build.result", "inputs.other", "fromJSON('{')"] {
        assert!(matches!(value(text), Err(Gap::Unknown(_))), "{text}: {:?}", value(text));
    }
}

#[test]
fn an_expression_that_is_not_known_is_refused_when_it_is_read() {
    for (text, reason) in [
        ("github.event.*.name", "a name is missing"),
        ("environ.X", "no context"),
        ("shout('x')", "no function"),
        ("always(1)", "does not take 1"),
        ("a ==", "no context"),
        ("1 ==", "missing at the end"),
        ("(true", "`)` is missing"),
        ("'open", "a quote is not closed"),
        ("true true", "`true` is not expected"),
        ("1 ? 2", "`?` is not expected"),
        ("1x", "not a number"),
        ("", "an expression is missing"),
    ] {
        let refused = Expression::parse(text).expect_err(text);
        assert!(refused.contains(reason), "{text}: {refused}");
    }
    let deep = format!("{}true{}", "(".repeat(200), ")".repeat(200));
    assert!(Expression::parse(&deep).expect_err("deep").contains("nested deeper"));
    assert!(Template::parse("${{ true").is_err());
    assert!(Template::condition("${{ true }} && false").expect_err("always true").contains("always true"));
}

#[test]
fn a_condition_without_a_status_function_asks_for_success() {
    let holds = |text: &str, failed: bool| {
        let scope = Scope { status: Status { failed }, ..scope() };
        scope.holds(Some(&Template::condition(text).expect(text))).expect(text)
    };
    assert!(holds("true", false) && !holds("true", true));
    assert!(holds("${{ always() }}", true) && holds("failure()", true) && !holds("failure()", false));
    assert!(holds("!cancelled() && true", true));
}

#[test]
fn texts_are_filled_and_a_lone_expression_keeps_its_kind() {
    let fill = |text: &str| scope().fill(&Template::parse(text).expect(text)).expect(text);
    assert_eq!(fill("image-${{ matrix.arch }}!"), json!("image-arm64!"));
    assert_eq!(fill("${{ inputs.publish }}"), json!(false));
    assert_eq!(fill("a ${{ 'b }} c' }} d"), json!("a b }} c d"));
    assert_eq!(fill("no $expression {here}"), json!("no $expression {here}"));
}

proptest! {
    /// Whatever stands in a file, reading it ends with a tree or a reason.
    #[test]
    fn no_text_breaks_the_reader(text in "[ a-z.()'!&|=<>,0-9{}$\\[\\]*-]{0,60}") {
        let _ = Expression::parse(&text);
        let _ = Template::parse(&text);
    }

    #[test]
    fn a_quoted_text_is_itself(text in "\\PC{0,40}") {
        let quoted = format!("'{}'", text.replace('\'', "''"));
        prop_assert_eq!(value(&quoted), Ok(Value::String(text)));
    }

    #[test]
    fn truth_tables_hold(a: bool, b: bool, c: bool) {
        prop_assert_eq!(value(&format!("{a} || {b} && {c}")), Ok(json!(a || b && c)));
        prop_assert_eq!(value(&format!("!{a} == {b}")), Ok(json!(a != b)));
    }
}

const HEAD: &str = "on: workflow_dispatch\njobs:\n";

fn refusal(jobs: &str) -> String {
    match Workflow::parse("w.yml", &format!("{HEAD}{jobs}")) {
        Ok(_) => panic!("accepted: {jobs}"),
        Err(failure) => failure.message().to_owned(),
    }
}

#[test]
fn what_a_file_has_that_is_not_known_is_named_with_job_and_step() {
    let step = |step: &str| refusal(&format!("  build:\n    steps:\n      - name: Compile\n        {step}\n"));
    for (found, expected) in [
        (step("runs: x"), "`w.yml`: job `build`, step `Compile`: the rehearsal does not know the key `runs`"),
        (step("uses: a/b@c\n        run: x"), "step `Compile`: it has to have either `run` or `uses`"),
        (step("run: x\n        shell: pwsh"), "shells bash and sh, not `pwsh`"),
        (step("run: x\n        if: shout()"), "`shout()` is no function that the rehearsal knows"),
        (step("run: x\n        env:\n          A: ${{ stuff.x }}"), "`env`, `A`: `stuff` is no context"),
        (refusal("  a:\n    needs: b\n    steps: []\n"), "job `a` needs `b`, which is no job"),
        (refusal("  a:\n    needs: b\n    steps: []\n  b:\n    needs: a\n    steps: []\n"), "job `a` waits for itself"),
        (refusal("  a:\n    speed: 9\n    steps: []\n"), "job `a`, the rehearsal does not know the key `speed`"),
    ] {
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn jobs_come_after_those_that_they_need() {
    let text = format!(
        "{HEAD}  last:\n    needs: [first, second]\n    steps: []\n  second:\n    needs: first\n    steps: []\n  \
         first:\n    steps: []\n"
    );
    let workflow = Workflow::parse("w.yml", &text).expect("a workflow");
    let ids: Vec<&str> = workflow.jobs.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(ids, ["first", "second", "last"]);
}

/// The example of GitHub's documentation, "Expanding or adding matrix configurations".
#[test]
fn a_matrix_multiplies_excludes_and_includes_as_documented() {
    let text = format!(
        "{HEAD}  a:\n    strategy:\n      matrix:\n        fruit: [apple, pear]\n        animal: [cat, dog]\n        \
         include:\n          - color: green\n          - color: pink\n            animal: cat\n          - fruit: apple\n            \
         shape: circle\n          - fruit: banana\n          - fruit: banana\n            animal: cat\n    steps: []\n"
    );
    let workflow = Workflow::parse("w.yml", &text).expect("a workflow");
    let all = combinations(&workflow.jobs[0].matrix, &scope()).expect("combinations");
    let expected = json!([
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]);
    assert_eq!(Value::from_iter(all), expected);
    let whole =
        "  a:\n    strategy:\n      matrix: ${{ fromJSON('{\"x\":[1,2],\"exclude\":[{\"x\":1}]}') }}\n    steps: []\n";
    let workflow = Workflow::parse("w.yml", &format!("{HEAD}{whole}")).expect("a workflow");
    assert_eq!(Value::from_iter(combinations(&workflow.jobs[0].matrix, &scope()).expect("one")), json!([{"x": 2}]));
}

#[test]
fn complaints_are_read_with_their_title() {
    let said = complaint("::error title=Over budget%3A 2%2C5::linux/amd64 has 50%25%0Amore").expect("a complaint");
    assert_eq!(said.title.as_deref(), Some("Over budget: 2,5"));
    assert_eq!(said.message, "linux/amd64 has 50%\nmore");
    assert_eq!(complaint("::error::plain").expect("one").to_string(), "plain");
    assert_eq!(complaint("  ::error file=a,line=1,title=T::m").expect("one").to_string(), "T: m");
    for other in ["::errors::x", "error::x", "::warning::x", "::error"] {
        assert_eq!(complaint(other), None, "{other}");
    }
}

#[test]
fn outputs_are_read_in_both_of_their_forms() {
    let expected = [("a", "1=2"), ("b", "x\ny=z"), ("c", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(pairs("a=1=2\nb<<END\nx\ny=z\nEND\n\nc=\n").expect("pairs"), expected);
    assert!(pairs("nothing\n").is_err() && pairs("a<<END\nx\n").is_err());
}
