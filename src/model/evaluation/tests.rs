//! The evaluator by examples of AWS's documentation, and by properties.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::identity::{OIDC_AUDIENCE, OIDC_ISSUER};

const REPOSITORY: &str = "arn:aws:ecr:eu-central-1:123456789012:repository/acme/base";

fn document(statements: serde_json::Value) -> PolicyDocument {
    PolicyDocument::parse(&json!({ "Version": "2012-10-17", "Statement": statements }).to_string()).unwrap()
}

fn context(pairs: &[(&str, &[&str])]) -> Context {
    pairs.iter().map(|(key, values)| ((*key).into(), values.iter().map(|v| (*v).into()).collect())).collect()
}

fn decide(statements: serde_json::Value, action: &str, resource: &str, pairs: &[(&str, &[&str])]) -> Decision {
    evaluate_identity(&[&document(statements)], &Call { action, resource, context: &context(pairs) })
}

fn allowed_when(operator: &str, key: &str, values: serde_json::Value, pairs: &[(&str, &[&str])]) -> bool {
    let statements =
        json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": { operator: { key: values } } }]);
    decide(statements, "a:B", "*", pairs).is_allowed()
}

fn denied_when(operator: &str, key: &str, values: serde_json::Value, pairs: &[(&str, &[&str])]) -> bool {
    let statements = json!([
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": "a:B", "Resource": "*", "Condition": { operator: { key: values } } }
    ]);
    !decide(statements, "a:B", "*", pairs).is_allowed()
}

#[test]
fn nothing_is_allowed_by_default_and_a_deny_wins_in_any_order() {
    let allow = json!({ "Sid": "Yes", "Effect": "Allow", "Action": "ecr:*", "Resource": "*" });
    let deny = json!({ "Sid": "No", "Effect": "Deny", "Action": "ecr:PutImage", "Resource": REPOSITORY });
    assert_eq!(decide(json!([]), "ecr:PutImage", REPOSITORY, &[]), Decision::ImplicitlyDenied);
    assert_eq!(decide(json!([allow]), "ecr:PutImage", REPOSITORY, &[]), Decision::Allowed { by: "Yes".into() });
    for statements in [json!([allow, deny]), json!([deny, allow])] {
        let decision = decide(statements, "ecr:PutImage", REPOSITORY, &[]);
        assert_eq!(decision, Decision::ExplicitlyDenied { by: "No".into() });
    }
    let (allow, deny) = (document(allow), document(deny));
    let call = Call { action: "ecr:PutImage", resource: REPOSITORY, context: &Context::new() };
    assert!(matches!(evaluate_identity(&[&allow, &deny], &call), Decision::ExplicitlyDenied { .. }));
}

#[test]
fn actions_know_no_case_and_arns_do() {
    let statements = json!([{ "Effect": "Allow", "Action": "ECR:put*", "Resource": REPOSITORY }]);
    assert!(decide(statements.clone(), "ecr:PutImage", REPOSITORY, &[]).is_allowed());
    assert!(!decide(statements.clone(), "ecr:GetImage", REPOSITORY, &[]).is_allowed());
    assert!(!decide(statements, "ecr:PutImage", &REPOSITORY.replace("acme", "Acme"), &[]).is_allowed());
}

#[test]
fn a_statement_without_sid_is_named_by_its_place() {
    let statements = json!([
        { "Effect": "Allow", "Action": "x:Y", "Resource": "*" },
        { "Effect": "Allow", "Action": "a:B", "Resource": "*" }
    ]);
    assert_eq!(decide(statements, "a:B", "*", &[]), Decision::Allowed { by: "#2".into() });
}

#[test]
fn an_action_without_resources_needs_a_star() {
    let statements = json!([{ "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "arn:aws:ecr:*" }]);
    assert!(!decide(statements, "ecr:GetAuthorizationToken", "*", &[]).is_allowed());
}

#[test]
fn a_star_in_an_arn_spans_slashes_and_colons() {
    for pattern in ["arn:*", "arn:aws:ecr:*:repository/*", "arn:aws:ecr:eu-central-?:*/base", "*"] {
        let statements = json!([{ "Effect": "Allow", "Action": "*", "Resource": pattern }]);
        assert!(decide(statements, "ecr:PutImage", REPOSITORY, &[]).is_allowed(), "{pattern}");
    }
}

#[test]
fn not_action_and_not_resource_are_the_rest_of_the_world() {
    let statements = json!([{ "Effect": "Allow", "NotAction": ["iam:*", "ecr:Delete*"], "Resource": "*" }]);
    assert!(decide(statements.clone(), "ecr:PutImage", REPOSITORY, &[]).is_allowed());
    assert!(!decide(statements.clone(), "IAM:CreateUser", "*", &[]).is_allowed());
    assert!(!decide(statements, "ecr:DeleteRepository", REPOSITORY, &[]).is_allowed());
    let statements = json!([{ "Effect": "Allow", "Action": "ecr:*", "NotResource": "*:repository/other/*" }]);
    assert!(decide(statements.clone(), "ecr:PutImage", REPOSITORY, &[]).is_allowed());
    assert!(!decide(statements, "ecr:PutImage", &REPOSITORY.replace("acme", "other"), &[]).is_allowed());
}

#[test]
fn each_operator_compares_as_documented() {
    let cases: &[(&str, serde_json::Value, &str, bool)] = &[
        ("StringEquals", json!(["a", "b"]), "b", true),
        ("StringEquals", json!("a*"), "ab", false),
        ("StringEquals", json!("a"), "A", false),
        ("StringNotEquals", json!(["a", "b"]), "b", false),
        ("StringNotEquals", json!(["a", "b"]), "c", true),
        ("StringEqualsIgnoreCase", json!("A"), "a", true),
        ("StringNotEqualsIgnoreCase", json!("A"), "a", false),
        ("StringLike", json!("refs/tags/v*"), "refs/tags/v1.0.0", true),
        ("StringLike", json!("refs/tags/v?"), "refs/tags/v10", false),
        ("StringNotLike", json!("refs/*"), "refs/tags/v1", false),
        ("ArnLike", json!("arn:aws:iam::*:role/x"), "arn:aws:iam::123456789012:role/x", true),
        ("ArnLike", json!("arn:*:role/x"), "arn:aws:iam::123456789012:role/x", false),
        ("ArnEquals", json!("arn:aws:iam::123456789012:role/*"), "arn:aws:iam::123456789012:role/a:b", true),
        ("ArnNotEquals", json!("arn:aws:iam::123456789012:role/*"), "arn:aws:iam::123456789012:role/a", false),
        ("ArnNotLike", json!("arn:aws:iam::123456789012:role/*"), "arn:aws:iam::123456789012:user/a", true),
        ("Bool", json!(true), "true", true),
        ("Bool", json!("false"), "true", false),
        ("NumericEquals", json!("3600"), "3600.0", true),
        ("NumericNotEquals", json!(1), "2", true),
        ("NumericLessThan", json!("10"), "9", true),
        ("NumericLessThanEquals", json!("10"), "10", true),
        ("NumericGreaterThan", json!("10"), "10", false),
        ("NumericGreaterThanEquals", json!("10"), "x", false),
        ("DateLessThan", json!("2026-11-24T00:00:00Z"), "2026-11-23T23:59:59Z", true),
        ("DateGreaterThan", json!("2026-11-24"), "2026-11-23T23:59:59Z", false),
        ("DateEquals", json!("0"), "1970-01-01T00:00:00Z", true),
        ("IpAddress", json!("203.0.113.0/24"), "203.0.113.9", true),
        ("IpAddress", json!("203.0.113.0/24"), "203.0.114.9", false),
        ("IpAddress", json!("0.0.0.0/0"), "8.8.8.8", true),
        ("IpAddress", json!("2001:db8::/32"), "2001:db8:1::5", true),
        ("IpAddress", json!("203.0.113.9"), "203.0.113.9", true),
        ("NotIpAddress", json!("203.0.113.0/24"), "203.0.113.9", false),
        ("BinaryEquals", json!("QUI="), "QUI=", true),
    ];
    for (operator, wanted, actual, expected) in cases {
        let got = allowed_when(operator, "x:k", wanted.clone(), &[("X:K", &[actual])]);
        assert_eq!(got, *expected, "{operator} {wanted} against {actual}");
        let got = allowed_when(&format!("{operator}IfExists"), "x:k", wanted.clone(), &[("X:K", &[actual])]);
        assert_eq!(got, *expected, "{operator}IfExists {wanted} against {actual}");
    }
}

#[test]
fn a_missing_key_fails_what_is_positive_and_fits_what_is_negated() {
    for (operator, expected) in [
        ("StringEquals", false),
        ("StringNotEquals", true),
        ("StringLike", false),
        ("StringNotLike", true),
        ("ArnLike", false),
        ("ArnNotLike", true),
        ("Bool", false),
        ("IpAddress", false),
        ("NotIpAddress", true),
        ("StringEqualsIfExists", true),
        ("BoolIfExists", true),
        ("ForAllValues:StringEquals", true),
        ("ForAnyValue:StringEquals", false),
        ("ForAnyValue:StringNotEquals", false),
        ("ForAnyValue:StringEqualsIfExists", true),
    ] {
        assert_eq!(allowed_when(operator, "x:k", json!("1"), &[]), expected, "{operator}");
        assert_eq!(allowed_when(operator, "x:k", json!("1"), &[("x:k", &[])]), expected, "{operator} on an empty key");
    }
}

#[test]
fn null_asks_whether_the_key_is_there() {
    assert!(allowed_when("Null", "x:k", json!("true"), &[]));
    assert!(!allowed_when("Null", "x:k", json!("true"), &[("x:k", &["1"])]));
    assert!(allowed_when("Null", "x:k", json!(false), &[("x:k", &["1"])]));
    assert!(!allowed_when("Null", "x:k", json!("maybe"), &[]));
}

#[test]
fn quantifiers_look_at_every_value_of_the_request() {
    let tags: &[(&str, &[&str])] = &[("aws:TagKeys", &["team", "cost"])];
    assert!(allowed_when("ForAllValues:StringEquals", "aws:TagKeys", json!(["team", "cost", "x"]), tags));
    assert!(!allowed_when("ForAllValues:StringEquals", "aws:TagKeys", json!(["team"]), tags));
    assert!(allowed_when("ForAnyValue:StringEquals", "aws:TagKeys", json!(["team"]), tags));
    assert!(!allowed_when("ForAnyValue:StringEquals", "aws:TagKeys", json!(["other"]), tags));
    assert!(allowed_when("ForAnyValue:StringNotEquals", "aws:TagKeys", json!(["team"]), tags));
    assert!(!allowed_when("ForAllValues:StringNotEquals", "aws:TagKeys", json!(["team"]), tags));
    assert!(!allowed_when("StringNotEquals", "aws:TagKeys", json!(["team"]), tags));
}

#[test]
fn what_is_unknown_never_grants_and_always_refuses() {
    for (operator, value) in
        [("StringSounds", "1"), ("NumericEquals", "one"), ("DateLessThan", "soon"), ("IpAddress", "1.2.3.4/99")]
    {
        assert!(!allowed_when(operator, "x:k", json!(value), &[("x:k", &["1"])]), "{operator}");
        assert!(denied_when(operator, "x:k", json!(value), &[("x:k", &["1"])]), "{operator}");
    }
    // Unsure is no excuse where another condition settles it.
    let statements = json!([
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": "*", "Resource": "*",
          "Condition": { "StringSounds": { "x:k": "1" }, "StringEquals": { "x:k": "2" } } }
    ]);
    assert!(decide(statements, "a:B", "*", &[("x:k", &["1"])]).is_allowed());
}

#[test]
fn variables_are_filled_in_as_plain_text() {
    let home = json!([{ "Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::1:user/${aws:username}" }]);
    assert!(decide(home.clone(), "iam:GetUser", "arn:aws:iam::1:user/ann", &[("aws:username", &["ann"])]).is_allowed());
    assert!(
        !decide(home.clone(), "iam:GetUser", "arn:aws:iam::1:user/bob", &[("aws:username", &["ann"])]).is_allowed()
    );
    // A name that is a wildcard names only itself.
    assert!(!decide(home.clone(), "iam:GetUser", "arn:aws:iam::1:user/bob", &[("aws:username", &["*"])]).is_allowed());
    assert!(!decide(home, "iam:GetUser", "arn:aws:iam::1:user/", &[]).is_allowed());
    assert!(allowed_when(
        "StringLike",
        "x:k",
        json!("${aws:username}-*"),
        &[("x:k", &["ann-1"]), ("aws:username", &["ann"])]
    ));
    assert!(allowed_when("StringEquals", "x:k", json!("${y:none, 'all'}"), &[("x:k", &["all"])]));
    assert!(allowed_when("StringLike", "x:k", json!("a${*}c"), &[("x:k", &["a*c"])]));
    assert!(!allowed_when("StringLike", "x:k", json!("a${*}c"), &[("x:k", &["abc"])]));
    let mut old = document(json!([{ "Effect": "Allow", "Action": "*", "Resource": "${aws:username}" }]));
    old.version = "2008-10-17".into();
    let context = context(&[("aws:username", &["ann"])]);
    assert!(!evaluate_identity(&[&old], &Call { action: "a:B", resource: "ann", context: &context }).is_allowed());
    assert!(
        evaluate_identity(&[&old], &Call { action: "a:B", resource: "${aws:username}", context: &context })
            .is_allowed()
    );
}

#[test]
fn an_unresolvable_variable_in_not_resource_grants_nothing() {
    let statements =
        json!([{ "Effect": "Allow", "Action": "*", "NotResource": "arn:aws:iam::1:user/${aws:username}" }]);
    assert!(!decide(statements, "iam:GetUser", "arn:aws:iam::1:user/ann", &[]).is_allowed());
}

const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
const ASSUME: &str = "sts:AssumeRoleWithWebIdentity";

fn trust(condition: serde_json::Value) -> PolicyDocument {
    document(json!([{
        "Sid": "Publish", "Effect": "Allow", "Action": ASSUME,
        "Principal": { "Federated": PROVIDER }, "Condition": condition
    }]))
}

#[test]
fn a_refused_token_is_told_what_was_wanted_and_what_it_is() {
    let key = |claim: &str| format!("{OIDC_ISSUER}:{claim}");
    let document = trust(
        json!({ "StringEquals": { key("aud"): OIDC_AUDIENCE, key("sub"): "repo:acme/base:environment:release" } }),
    );
    let aud = key("aud");
    let sub = key("sub");
    let good = context(&[(&aud, &[OIDC_AUDIENCE]), (&sub, &["repo:acme/base:environment:release"])]);
    assert_eq!(
        evaluate_trust(&document, ASSUME, Federated(PROVIDER), &good),
        TrustDecision::Allowed { by: "Publish".into() }
    );
    let branch = context(&[(&aud, &[OIDC_AUDIENCE]), (&sub, &["repo:acme/base:ref:refs/heads/main"])]);
    let TrustDecision::Refused(refusals) = evaluate_trust(&document, ASSUME, Federated(PROVIDER), &branch) else {
        panic!("a branch was let in")
    };
    assert_eq!(
        refusals[0].to_string(),
        "statement Publish: StringEquals wants token.actions.githubusercontent.com:sub = \
         `repo:acme/base:environment:release`, and it is `repo:acme/base:ref:refs/heads/main`"
    );
    let TrustDecision::Refused(refusals) = evaluate_trust(&document, ASSUME, Federated("arn:other"), &Context::new())
    else {
        panic!("a stranger was let in")
    };
    assert_eq!(refusals[0].mismatches.len(), 3, "{:?}", refusals[0]);
    let TrustDecision::Refused(refusals) = evaluate_trust(&document, "sts:AssumeRole", Federated(PROVIDER), &good)
    else {
        panic!("another action was let in")
    };
    assert_eq!(refusals[0].mismatches, [Mismatch::Action]);
}

#[test]
fn a_deny_in_a_trust_policy_wins() {
    let document = document(json!([
        { "Effect": "Allow", "Action": ASSUME, "Principal": { "Federated": PROVIDER } },
        { "Effect": "Deny", "Action": "sts:*", "Principal": "*", "Condition": { "StringEquals": { "x:actor": "mallory" } } }
    ]));
    let decide = |actor| evaluate_trust(&document, ASSUME, Federated(PROVIDER), &context(&[("x:actor", &[actor])]));
    assert!(decide("ann").is_allowed());
    assert_eq!(
        decide("mallory"),
        TrustDecision::Refused(vec![TrustRefusal { statement: "#2".into(), mismatches: vec![Mismatch::Denied] }])
    );
}

#[test]
fn identity_policies_that_iam_refuses_are_named() {
    let cases = [
        (json!([]), "no statement"),
        (json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "*", "Principal": "*" }]), "principal"),
        (json!([{ "Effect": "Allow", "Action": "a:B" }]), "must contain resources"),
        (json!([{ "Effect": "Allow", "Action": "a:B", "Resource": [] }]), "must contain resources"),
        (json!([{ "Effect": "Allow", "Resource": "*" }]), "must contain actions"),
        (json!([{ "Effect": "Allow", "Action": "PutImage", "Resource": "*" }]), "prefaced by a vendor"),
        (json!([{ "Effect": "Allow", "Action": "e*r:Put", "Resource": "*" }]), "is not valid"),
        (json!([{ "Effect": "Allow", "Action": "a:B", "NotAction": "a:C", "Resource": "*" }]), "NotAction"),
        (json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "*", "NotResource": "*" }]), "NotResource"),
        (json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "acme/base" }]), "ARN format"),
        (json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "arn:aws:ecr:eu-central-1" }]), "ARN format"),
        (json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "arn:asw:ecr:x:123456789012:y" }]), "partition"),
        (json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "arn:aws:ecr:x:1234:y" }]), "account"),
        (
            json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "arn:aws:iam:eu-central-1:123456789012:user/x" }]),
            "region",
        ),
        (
            json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": { "StringSounds": { "a:b": "c" } } }]),
            "operator",
        ),
        (
            json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": { "StringLike": { "b": "c" } } }]),
            "vendor",
        ),
        (json!([{ "Sid": "a b", "Effect": "Allow", "Action": "a:B", "Resource": "*" }]), "letters and digits"),
        (
            json!([
                { "Sid": "A", "Effect": "Allow", "Action": "a:B", "Resource": "*" },
                { "Sid": "A", "Effect": "Deny", "Action": "a:B", "Resource": "*" }
            ]),
            "unique",
        ),
    ];
    for (statements, expected) in cases {
        let problems = problems_in_identity_policy(&document(statements.clone()));
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{statements}: {problems:?}");
    }
    let mut future = document(json!([{ "Effect": "Allow", "Action": "a:B", "Resource": "*" }]));
    assert_eq!(problems_in_identity_policy(&future), [""; 0]);
    future.version = "2026-01-01".into();
    assert_eq!(problems_in_identity_policy(&future).len(), 1);
    for resource in
        [REPOSITORY, "arn:aws:ecr:*", "arn:aws:s3:::bucket/*", "arn:aws:iam::aws:policy/x", "arn:aws-cn:ecr:*:*:*"]
    {
        let fine = document(json!([{ "Effect": "Allow", "Action": "a:B", "Resource": resource }]));
        assert_eq!(problems_in_identity_policy(&fine), [""; 0], "{resource}");
    }
}

#[test]
fn trust_policies_that_iam_refuses_are_named() {
    let sub = format!("{OIDC_ISSUER}:sub");
    let with = |condition| problems_in_trust_policy(&trust(condition));
    for good in [
        json!({ "StringEquals": { &sub: "repo:acme@7/base@9:environment:release" } }),
        json!({ "StringLike": { &sub: ["repo:acme/base:*", "repo:acme/other:*"] } }),
    ] {
        assert_eq!(with(good), [""; 0]);
    }
    for bad in [
        json!({}),
        json!({ "StringEquals": { format!("{OIDC_ISSUER}:aud"): OIDC_AUDIENCE } }),
        json!({ "StringLike": { &sub: "*" } }),
        json!({ "StringLike": { &sub: "repo:*" } }),
        json!({ "StringLike": { &sub: ["repo:acme/base:*", "**"] } }),
        json!({ "StringNotEquals": { &sub: "repo:acme/base:x" } }),
        json!({ "StringEqualsIfExists": { &sub: "repo:acme/base:x" } }),
        json!({ "ForAllValues:StringEquals": { &sub: "repo:acme/base:x" } }),
    ] {
        let problems = with(bad.clone());
        assert!(problems.iter().any(|problem| problem.contains(":sub")), "{bad}: {problems:?}");
    }
    let cases = [
        (json!([{ "Effect": "Allow", "Action": ASSUME, "Principal": { "AWS": "*" }, "Resource": "*" }]), "Resource"),
        (json!([{ "Effect": "Allow", "Action": ASSUME }]), "Principal"),
        (json!([{ "Effect": "Allow", "Action": ASSUME, "NotPrincipal": { "AWS": "x" } }]), "NotPrincipal"),
        (json!([{ "Effect": "Allow", "Action": "ecr:PutImage", "Principal": { "AWS": "*" } }]), "STS"),
        (json!([{ "Effect": "Allow", "Action": ASSUME, "Principal": { "Federated": "*" } }]), "must be named"),
        (
            json!([{ "Effect": "Allow", "Action": ASSUME, "Principal": { "AWS": "arn:aws:iam::*:root" } }]),
            "invalid principal",
        ),
        (json!([{ "Effect": "Allow", "Action": ASSUME, "Principal": { "Aws": "x" } }]), "kind of principal"),
    ];
    for (statements, expected) in cases {
        let problems = problems_in_trust_policy(&document(statements.clone()));
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{statements}: {problems:?}");
    }
    let long: Vec<String> = (0..60).map(|n| format!("repo:acme/base:environment:release-number-{n:04}")).collect();
    assert!(with(json!({ "StringEquals": { &sub: long } })).iter().any(|problem| problem.contains("2048")));
}

#[test]
fn white_space_is_not_counted() {
    assert_eq!(counted_size("{ \"a\":\n\t1 }"), 7);
}

/// The definition of the wildcards, word for word and exponential.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some(('*', rest)), None) => naive(rest, text),
        (Some(('*', rest)), Some((_, tail))) => naive(rest, text) || naive(pattern, tail),
        (Some(('?', rest)), Some((_, tail))) => naive(rest, tail),
        (Some((c, rest)), Some((d, tail))) => c == d && naive(rest, tail),
        (Some(_), None) => false,
    }
}

fn small_word() -> impl Strategy<Value = String> {
    "[ab:/]{0,8}"
}

fn a_statement() -> impl Strategy<Value = serde_json::Value> {
    (
        prop::bool::ANY,
        "[xy*]{1}:[AB*?]{1,2}",
        prop_oneof![Just("*".to_owned()), "[ab*?]{1,4}"],
        prop::option::of(prop_oneof![
            Just(("StringEquals", "k:1", "a")),
            Just(("StringNotEquals", "k:1", "a")),
            Just(("ForAllValues:StringLike", "k:2", "a*")),
            Just(("Nonsense", "k:1", "a")),
            Just(("StringLike", "k:1", "${k:2}*")),
        ]),
        prop::bool::ANY,
    )
        .prop_map(|(allow, action, resource, condition, negated)| {
            let mut statement = json!({
                "Effect": if allow { "Allow" } else { "Deny" },
                if negated { "NotAction" } else { "Action" }: action,
                "Resource": resource,
            });
            if let Some((operator, key, value)) = condition {
                statement["Condition"] = json!({ operator: { key: value } });
            }
            statement
        })
}

fn a_call() -> impl Strategy<Value = (String, String, Context)> {
    let values = prop::collection::btree_map(
        prop_oneof![Just("k:1".to_owned()), Just("k:2".to_owned())],
        prop::collection::vec("[ab]{1,2}", 0..3),
        0..3,
    );
    ("[xy]:[AB]{1,2}", "[ab]{0,4}", values)
}

proptest! {
    #[test]
    fn wildcards_match_as_their_definition_says(pattern in "[ab:/*?]{0,8}", text in small_word()) {
        let slow = naive(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
        prop_assert_eq!(matches_wildcard(&pattern, &text), slow);
    }

    #[test]
    fn a_text_matches_itself_and_every_widening_of_itself(text in small_word(), at in 0usize..8) {
        prop_assert!(matches_wildcard(&text, &text));
        let at = at.min(text.len());
        let (head, tail) = text.split_at(at);
        let star = format!("{head}*{tail}");
        let widened = format!("{head}*");
        prop_assert!(matches_wildcard(&star, &text));
        prop_assert!(matches_wildcard(&widened, &text));
    }

    #[test]
    fn one_more_deny_never_allows_more(
        statements in prop::collection::vec(a_statement(), 0..5),
        more in a_statement(),
        (action, resource, context) in a_call(),
    ) {
        let mut more = more;
        more["Effect"] = json!("Deny");
        let before = document(json!(statements));
        let mut extended = statements;
        extended.push(more);
        let after = document(json!(extended));
        let call = Call { action: &action, resource: &resource, context: &context };
        let before = evaluate_identity(&[&before], &call);
        let after = evaluate_identity(&[&after], &call);
        prop_assert!(before.is_allowed() || !after.is_allowed());
    }

    #[test]
    fn one_more_allow_never_denies_more(
        statements in prop::collection::vec(a_statement(), 0..5),
        more in a_statement(),
        (action, resource, context) in a_call(),
    ) {
        let mut more = more;
        more["Effect"] = json!("Allow");
        let before = document(json!(statements));
        let mut extended = statements;
        extended.push(more);
        let after = document(json!(extended));
        let call = Call { action: &action, resource: &resource, context: &context };
        let before = evaluate_identity(&[&before], &call);
        let after = evaluate_identity(&[&after], &call);
        prop_assert!(!before.is_allowed() || after.is_allowed());
    }

    #[test]
    fn neither_order_nor_grouping_counts(
        statements in prop::collection::vec(a_statement(), 0..5),
        cut in 0usize..5,
        (action, resource, context) in a_call(),
    ) {
        let call = Call { action: &action, resource: &resource, context: &context };
        let kind = |decision: Decision| std::mem::discriminant(&decision);
        let together = kind(evaluate_identity(&[&document(json!(statements))], &call));
        let reversed: Vec<_> = statements.iter().rev().cloned().collect();
        prop_assert_eq!(kind(evaluate_identity(&[&document(json!(reversed))], &call)), together);
        let (head, tail) = statements.split_at(cut.min(statements.len()));
        let apart = evaluate_identity(&[&document(json!(tail)), &document(json!(head))], &call);
        prop_assert_eq!(kind(apart), together);
    }

    #[test]
    fn no_document_makes_the_grammar_check_panic(statements in prop::collection::vec(a_statement(), 0..5)) {
        let document = document(json!(statements));
        let _ = problems_in_identity_policy(&document);
        let _ = problems_in_trust_policy(&document);
    }
}
