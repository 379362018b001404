//! The evaluator of policies against an engine that is not ours.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use sbi::model::evaluation::{Call, Context, Decision, evaluate_identity};
use sbi::model::iam::PolicyDocument;
use serde_json::{Value, json};

use crate::support::tools;

/// A policy, a call and its context, drawn so that about half of the parts fit one another.
fn questions(count: usize) -> Vec<Value> {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let name = || prop_oneof![Just("acme/base"), Just("acme/other"), Just("acme/bases"), Just("base")];
    let arn = |name: &str| format!("arn:aws:ecr:eu-central-1:123456789012:repository/{name}");
    let pattern = prop_oneof![
        Just("*".to_owned()),
        name().prop_map(arn),
        Just(arn("acme/*")),
        Just(arn("acme/base?")),
        Just(arn("*base")),
        Just(arn("${aws:PrincipalTag/team}/*")),
        Just("arn:aws:ecr:*:123456789012:repository/*".to_owned()),
    ];
    let action = || prop_oneof![Just("ecr:PutImage"), Just("ecr:DescribeImages"), Just("ecr:DeleteRepository")];
    let action_pattern = prop_oneof![action(), Just("ecr:*"), Just("ECR:Put*"), Just("ecr:D?scribe*"), Just("*")];
    let value = || prop_oneof![Just("acme"), Just("Acme"), Just("ac*"), Just("other"), Just("5"), Just("true")];
    let operator = prop_oneof![
        prop::sample::select(vec![
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringEqualsIfExists",
            "StringLikeIfExists",
            "StringNotEqualsIfExists",
        ]),
        prop::sample::select(vec![
            "ForAllValues:StringEquals",
            "ForAnyValue:StringEquals",
            "ForAllValues:StringLike",
            "ForAnyValue:StringLike",
        ]),
    ];
    let condition = (operator, prop::collection::vec(value(), 1..3)).prop_map(|(operator, values)| {
        let key = if operator.starts_with("For") { "aws:TagKeys" } else { "aws:PrincipalTag/team" };
        json!({ operator: { key: values } })
    });
    let statement =
        (prop::bool::weighted(0.7), action_pattern, pattern, prop::option::of(condition), prop::bool::weighted(0.2));
    let statement = statement.prop_map(|(allow, action, resource, condition, negated)| {
        let mut statement = json!({
            "Effect": if allow { "Allow" } else { "Deny" },
            "Action": action,
            if negated { "NotResource" } else { "Resource" }: resource,
        });
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    });
    let context = (prop::option::of(value()), prop::option::of(prop::collection::vec(value(), 1..3)));
    let question = (prop::collection::vec(statement, 1..4), action(), name().prop_map(arn), context);
    let question = question.prop_map(|(statements, action, resource, (team, keys))| {
        let mut context = json!({});
        if let Some(team) = team {
            context["aws:PrincipalTag/team"] = json!(team);
        }
        if let Some(keys) = keys {
            context["aws:TagKeys"] = json!(keys);
        }
        let policy = json!({ "Version": "2012-10-17", "Statement": statements });
        json!({ "policy": policy, "action": action, "resource": resource, "context": context })
    });
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| question.new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn the_evaluator_decides_as_an_engine_that_is_not_ours() {
    if tools::node_package("@cloud-copilot/iam-simulate").is_none() {
        return;
    }
    let Some(node) = tools::system_tool("node") else { return };
    let questions = questions(3_000);
    let mut child = Command::new(node)
        .arg(tools::root().join("tests/tools/iam-evaluate.mjs"))
        .arg(tools::root().join(".tools/node/node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(json!(questions).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let theirs: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differences = Vec::new();
    for (question, theirs) in questions.iter().zip(&theirs) {
        let policy = PolicyDocument::parse(&question["policy"].to_string()).unwrap();
        let context: Context = question["context"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (key.clone(), value.as_array().map_or_else(|| vec![text(value)], |all| all.iter().map(text).collect()))
            })
            .collect();
        let (action, resource) = (question["action"].as_str().unwrap(), question["resource"].as_str().unwrap());
        let ours = match evaluate_identity(&[&policy], &Call { action, resource, context: &context }) {
            Decision::Allowed { .. } => "Allowed",
            Decision::ImplicitlyDenied => "ImplicitlyDenied",
            Decision::ExplicitlyDenied { .. } => "ExplicitlyDenied",
        };
        *counts.entry(ours).or_default() += 1;
        // A `Deny` on everything but a variable without a value: that engine drops the statement, ours refuses, since
        // AWS does not say which.
        let is_open = |statement: &Value| {
            statement["Effect"] == "Deny" && statement["NotResource"].as_str().is_some_and(|text| text.contains("${"))
        };
        let open = !context.contains_key("aws:PrincipalTag/team")
            && question["policy"]["Statement"].as_array().unwrap().iter().any(is_open);
        if ours != theirs && !(open && ours == "ExplicitlyDenied") {
            differences.push(format!("ours {ours}, theirs {theirs}: {question}"));
        }
    }
    assert_eq!(theirs.len(), questions.len());
    assert!(counts.len() == 3 && counts.values().all(|count| *count > 300), "a lopsided draw: {counts:?}");
    assert!(
        differences.is_empty(),
        "{} differences, first: {:#?}",
        differences.len(),
        &differences[..3.min(differences.len())]
    );
}
