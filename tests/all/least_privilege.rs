//! The publishing identity, judged by an IAM engine that is not ours: the policy allows the push and nothing else out
//! of all that AWS knows, and the trust policy lets in the publish job and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use sbi::model::config::{Auth, Visibility};
use sbi::model::config::{AwsSection, Config, EcrSection, GithubSection, PublishSection, PublisherSection};
use sbi::model::iam::PolicyDocument;
use sbi::model::identity::{SubjectContext, provider_arn, publishing_policy, trust_policy};
use sbi::model::names::{
    AccountId, EcrRepositoryName, EnvironmentName, GithubRepositoryName, ImageName, ReleaseTag, RoleName,
};
use sbi::model::observed::GithubIdentity;
use sbi::model::region::Region;
use serde_json::{Value, json};

use crate::support::iam_judge::{Call, Judge, WebIdentity};

fn config(region: &str) -> Config {
    Config {
        github: GithubSection {
            repository: GithubRepositoryName::new("acme/base").unwrap(),
            visibility: Visibility::Public,
        },
        aws: AwsSection {
            account: AccountId::new("123456789012").unwrap(),
            region: Region::new(region).unwrap(),
            role: Some(RoleName::new("publisher").unwrap()),
            read_role: None,
            user: None,
        },
        ecr: EcrSection { repository: EcrRepositoryName::new("acme/base").unwrap(), repositories: BTreeMap::new() },
        publish: PublishSection {
            auth: Auth::Oidc,
            images: vec![ImageName::new("static-go").unwrap()],
            release: ReleaseTag::new("v1.0.0").unwrap(),
            environment: None,
            architectures: None,
            signing: None,
        },
        publisher: PublisherSection { name: "Acme".into(), security_contact: "security@acme.example".into() },
    }
}

fn value(document: &PolicyDocument) -> Value {
    serde_json::from_str(&document.to_json()).unwrap()
}

/// ARNs that a careless pattern would take for `acme/base` in us-east-1 of account 123456789012.
fn near_misses() -> Vec<String> {
    let arn = |partition, region, account, name| format!("arn:{partition}:ecr:{region}:{account}:repository/{name}");
    let mut near: Vec<String> = [
        "acme",
        "acme/other",
        "acme/base2",
        "acme/base/debug",
        "acme/bas",
        "acme/base-dev",
        "acme/xbase",
        "base",
        "other/base",
        "xacme/base",
        "acme-base",
        "acme/case",
    ]
    .map(|name| arn("aws", "us-east-1", "123456789012", name))
    .to_vec();
    near.push(arn("aws", "us-east-2", "123456789012", "acme/base"));
    near.push(arn("aws", "eu-central-1", "123456789012", "acme/base"));
    near.push(arn("aws", "us-east-1", "123456789013", "acme/base"));
    near.push(arn("aws-us-gov", "us-gov-west-1", "123456789012", "acme/base"));
    // Not a place that exists; only a partition of `*` takes it for ours.
    near.push(arn("aws-cn", "us-east-1", "123456789012", "acme/base"));
    near
}

/// Written out rather than taken from the program: a right that is added there must be added here, by a person.
fn what_a_push_takes() -> BTreeSet<Call> {
    let repository = "arn:aws:ecr:us-east-1:123456789012:repository/acme/base";
    [
        ("ecr:GetAuthorizationToken", "*"),
        ("ecr:BatchCheckLayerAvailability", repository),
        ("ecr:InitiateLayerUpload", repository),
        ("ecr:UploadLayerPart", repository),
        ("ecr:CompleteLayerUpload", repository),
        ("ecr:PutImage", repository),
        ("ecr:BatchGetImage", repository),
        ("ecr:GetDownloadUrlForLayer", repository),
        ("ecr:DescribeImages", repository),
        // AWS grants this to whoever can sign a request, whatever the policies say.
        ("sts:GetCallerIdentity", "*"),
    ]
    .map(|(action, resource)| (action.to_owned(), resource.to_owned()))
    .into()
}

#[test]
fn out_of_every_action_of_aws_the_publishing_policy_allows_a_push_to_one_repository_and_nothing_else() {
    let config = config("us-east-1");
    let Some(judge) = Judge::of(&config) else { return };
    let ours = value(&publishing_policy(&config));
    let push = ours["Statement"].as_array().unwrap().iter().position(|s| s["Sid"] == "Push").unwrap();
    let repository = config.ecr_repository_arn(&config.ecr.repository);
    let mut wrong: BTreeMap<String, Value> = BTreeMap::new();
    for resource in [
        "*".to_owned(),
        repository.replace("acme/base", "*"),
        repository.replace("acme/base", "acme/*"),
        repository.replace("acme/base", "acme/base*"),
        repository.replace("acme/base", "acme/?ase"),
        repository.replace("us-east-1", "*"),
        repository.replace("123456789012", "*"),
        repository.replace("arn:aws:", "arn:*:"),
    ] {
        let mut policy = ours.clone();
        policy["Statement"][push]["Resource"] = json!(resource);
        wrong.insert(format!("resource {resource}"), policy);
    }
    for action in ["*", "ecr:*", "ecr:Describe*", "ecr:Batch*", "ecr:Put*", "ecr:BatchDeleteImage", "iam:PassRole"] {
        let mut policy = ours.clone();
        policy["Statement"][push]["Action"].as_array_mut().unwrap().push(json!(action));
        wrong.insert(format!("also {action}"), policy);
    }
    for (place, action) in ours["Statement"][push]["Action"].as_array().unwrap().iter().enumerate() {
        let mut policy = ours.clone();
        policy["Statement"][push]["Action"].as_array_mut().unwrap().remove(place);
        wrong.insert(format!("without {action}"), policy);
    }

    let policies: Vec<Value> = std::iter::once(&ours).chain(wrong.values()).cloned().collect();
    let sweep = judge.sweep(&policies, &near_misses());

    assert!(sweep.actions > 20_000, "the service reference holds {} actions only", sweep.actions);
    assert!(sweep.simulations > 28_000, "{} simulations only", sweep.simulations);
    assert!(sweep.unchecked < 1_000, "the checked call refused {} combinations", sweep.unchecked);
    assert_eq!(sweep.checked, what_a_push_takes(), "by the checked call");
    assert_eq!(sweep.allowed[0], what_a_push_takes(), "by the engine alone");
    let missed: Vec<&String> =
        wrong.keys().zip(&sweep.allowed[1..]).filter(|(_, set)| **set == what_a_push_takes()).map(|(n, _)| n).collect();
    assert!(missed.is_empty(), "wrong policies that this test would not notice: {missed:?}");
}

#[test]
fn in_the_other_partitions_a_push_is_allowed_too() {
    for region in ["cn-north-1", "us-gov-west-1"] {
        let config = config(region);
        let Some(judge) = Judge::of(&config) else { return };
        let policy = value(&publishing_policy(&config));
        let calls: Vec<Call> = what_a_push_takes()
            .into_iter()
            .map(|(action, resource)| {
                (action, if resource == "*" { resource } else { config.ecr_repository_arn(&config.ecr.repository) })
            })
            .collect();
        assert_eq!(judge.refused(&policy, &calls), Vec::new(), "{region}");
    }
}

#[test]
fn a_needless_right_and_a_missing_one_are_both_named() {
    let config = config("us-east-1");
    let Some(judge) = Judge::of(&config) else { return };
    let policy = value(&publishing_policy(&config));
    let all: Vec<Call> = what_a_push_takes().into_iter().collect();
    assert_eq!(judge.refused(&policy, &all), Vec::new());
    assert_eq!(judge.needless(&policy, &all), Vec::<String>::new());

    let without_put: Vec<Call> = all.iter().filter(|(action, _)| action != "ecr:PutImage").cloned().collect();
    assert_eq!(judge.needless(&policy, &without_put), ["Push: ecr:PutImage"]);
    let delete = ("ecr:BatchDeleteImage".to_owned(), config.ecr_repository_arn(&config.ecr.repository));
    assert_eq!(judge.refused(&policy, std::slice::from_ref(&delete)), [delete]);
}

fn identity() -> GithubIdentity {
    GithubIdentity { repository_id: 9, owner_id: 7, subject_prefix: "repo:acme@7/base@9".into() }
}

/// The claims of the publish job's own token, then one thing changed a row.
struct Token {
    what: &'static str,
    changes: &'static [(&'static str, &'static str)],
}

const OUR_PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";

fn token(subject: &str, changes: &[(&str, &str)]) -> WebIdentity {
    let mut claims: BTreeMap<&str, &str> = BTreeMap::from([
        ("provider", OUR_PROVIDER),
        ("aud", "sts.amazonaws.com"),
        ("sub", subject),
        ("repository", "acme/base"),
        ("repository_id", "9"),
        ("repository_owner_id", "7"),
        ("ref", "refs/tags/v1.0.0"),
        ("actor", "octocat"),
        ("workflow", "Publish to ECR"),
    ]);
    for (claim, value) in changes {
        if value.is_empty() {
            claims.remove(claim);
        } else {
            claims.insert(claim, value);
        }
    }
    let provider = claims.remove("provider").unwrap().to_owned();
    let (_, issuer) = provider.split_once("oidc-provider/").unwrap();
    let claims = claims.iter().map(|(claim, value)| (format!("{issuer}:{claim}"), (*value).to_owned())).collect();
    WebIdentity { provider, claims }
}

/// Tokens that either kind of trust must refuse, whatever its subject is. An empty value takes the claim away.
const STRANGERS: &[Token] = &[
    Token { what: "another audience", changes: &[("aud", "https://github.com/acme")] },
    Token { what: "no audience", changes: &[("aud", "")] },
    Token { what: "no subject", changes: &[("sub", "")] },
    Token { what: "the name taken over by another repository", changes: &[("repository_id", "99")] },
    Token { what: "the name taken over by another owner", changes: &[("repository_owner_id", "77")] },
    Token { what: "no repository id", changes: &[("repository_id", "")] },
    Token {
        what: "a pull request",
        changes: &[("sub", "repo:acme@7/base@9:pull_request"), ("ref", "refs/pull/1/merge")],
    },
    Token {
        what: "a branch",
        changes: &[("sub", "repo:acme@7/base@9:ref:refs/heads/main"), ("ref", "refs/heads/main")],
    },
    Token { what: "the subject of a release on a branch", changes: &[("ref", "refs/heads/v1")] },
    Token { what: "a tag that is no version", changes: &[("ref", "refs/tags/nightly")] },
    Token { what: "no ref", changes: &[("ref", "")] },
    Token {
        what: "another issuer",
        changes: &[("provider", "arn:aws:iam::123456789012:oidc-provider/gitlab.example")],
    },
    Token {
        what: "the provider of another account",
        changes: &[("provider", "arn:aws:iam::123456789013:oidc-provider/token.actions.githubusercontent.com")],
    },
];

/// The right subject's neighbours: everything else in the token is right.
fn wrong_subjects(ending: &str, other_context: &str) -> Vec<(&'static str, String)> {
    let sub = |prefix: &str| format!("{prefix}:{ending}");
    vec![
        ("another repository of the owner", sub("repo:acme@7/other@10")),
        ("a repository whose name begins alike", sub("repo:acme@7/base-evil@12")),
        ("an owner whose name begins alike", sub("repo:acme-evil@8/base@9")),
        ("the old form, by names", sub("repo:acme/base")),
        ("the same names with other ids", sub("repo:acme@8/base@11")),
        ("another context", format!("repo:acme@7/base@9:{other_context}")),
        ("a subject that only ends like ours", sub("xrepo:acme@7/base@9")),
    ]
}

/// What a trust document must say about one kind of publish job.
struct Table {
    trust: Value,
    /// Description, token, and whether it is let in.
    rows: Vec<(String, WebIdentity, bool)>,
}

fn table(context: &SubjectContext) -> Table {
    let (ending, other_context) = match context {
        SubjectContext::Environment(_) => ("environment:publish", "environment:staging"),
        SubjectContext::ReleaseTag => ("ref:refs/tags/v1.0.0", "environment:publish"),
    };
    let right = format!("repo:acme@7/base@9:{ending}");
    let mut rows = vec![("the publish job".to_owned(), token(&right, &[]), true)];
    for (what, subject) in wrong_subjects(ending, other_context) {
        rows.push((what.to_owned(), token(&subject, &[]), false));
    }
    if matches!(context, SubjectContext::Environment(_)) {
        rows.push((
            "a job without the environment".into(),
            token("repo:acme@7/base@9:ref:refs/tags/v1.0.0", &[]),
            false,
        ));
    }
    for Token { what, changes } in STRANGERS {
        rows.push(((*what).to_owned(), token(&right, changes), false));
    }
    let config = config("us-east-1");
    assert_eq!(provider_arn(&config), OUR_PROVIDER);
    Table { trust: value(&trust_policy(&config, context, &identity())), rows }
}

/// Documents that others write and that look right.
fn unsafe_trusts(trust: &Value) -> BTreeMap<String, Value> {
    let key = |claim: &str| format!("token.actions.githubusercontent.com:{claim}");
    let with = |condition: Value| {
        let mut document = trust.clone();
        document["Statement"][0]["Condition"] = condition;
        document
    };
    let ours = &trust["Statement"][0]["Condition"];
    let mut documents = BTreeMap::new();
    // Each condition that is there is needed.
    for (operator, keys) in ours.as_object().unwrap() {
        for name in keys.as_object().unwrap().keys() {
            let mut condition = ours.clone();
            condition[operator].as_object_mut().unwrap().remove(name);
            if condition[operator].as_object().unwrap().is_empty() {
                condition.as_object_mut().unwrap().remove(operator);
            }
            documents.insert(format!("without {operator} {name}"), with(condition));
        }
    }
    // Operators that pass when the claim is absent.
    for (from, to) in [
        ("StringEquals", "ForAllValues:StringEquals"),
        ("StringEquals", "StringEqualsIfExists"),
        ("StringLike", "ForAllValues:StringLike"),
        ("StringLike", "StringLikeIfExists"),
    ] {
        let mut condition = ours.clone();
        let keys = condition.as_object_mut().unwrap().remove(from).unwrap();
        condition[to] = keys;
        documents.insert(format!("{to} for {from}"), with(condition));
    }
    let aud = json!({ (key("aud")): "sts.amazonaws.com" });
    for (what, subject) in [
        ("legacy names", "repo:acme/base:environment:publish"),
        ("legacy names, any context", "repo:acme/base:*"),
        ("names that begin alike", "repo:acme*/base*"),
        ("any repository of the owner", "repo:acme@7/*"),
        ("any context of the repository", "repo:acme@7/base@9:*"),
        ("any id", "repo:acme@*/base@*:*"),
        ("anything", "*"),
    ] {
        documents.insert(what.into(), with(json!({ "StringEquals": aud, "StringLike": { (key("sub")): subject } })));
    }
    let mut anyone = trust.clone();
    anyone["Statement"][0]["Principal"] = json!("*");
    documents.insert("any principal".into(), anyone);
    let mut account = trust.clone();
    account["Statement"].as_array_mut().unwrap().push(json!({
        "Effect": "Allow",
        "Principal": { "Federated": OUR_PROVIDER },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": { "StringLike": { (key("sub")): "repo:acme@7/*" } },
    }));
    documents.insert("a second, wider statement".into(), account);
    documents
}

#[test]
fn the_trust_policy_lets_in_the_publish_job_and_nobody_else() {
    for context in [SubjectContext::Environment(EnvironmentName::new("publish").unwrap()), SubjectContext::ReleaseTag] {
        let Some(judge) = Judge::of(&config("us-east-1")) else { return };
        let Table { trust, rows } = table(&context);
        assert_eq!(rows.iter().filter(|(_, _, allowed)| *allowed).count(), 1);
        let wrong = unsafe_trusts(&trust);
        let documents: Vec<Value> = std::iter::once(&trust).chain(wrong.values()).cloned().collect();
        let expected: Vec<bool> = rows.iter().map(|(_, _, allowed)| *allowed).collect();
        let (names, tokens): (Vec<String>, Vec<WebIdentity>) =
            rows.into_iter().map(|(name, token, _)| (name, token)).unzip();

        let verdicts = judge.trust(&documents, &tokens);

        let misjudged: Vec<&String> =
            (0..names.len()).filter(|i| verdicts[0][*i] != expected[*i]).map(|i| &names[i]).collect();
        assert!(misjudged.is_empty(), "{context:?}: {misjudged:?}\n{trust:#}");
        let missed: Vec<&String> =
            wrong.keys().zip(&verdicts[1..]).filter(|(_, row)| **row == expected).map(|(name, _)| name).collect();
        assert!(missed.is_empty(), "{context:?}: unsafe documents that this table would not notice: {missed:?}");
    }
}
