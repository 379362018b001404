//! The publishing identity, judged by an IAM engine that is not ours: the policy allows the push and nothing else out
//! of all that AWS knows, and the trust policy lets in the publish job and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use sbi::model::config::{Auth, Visibility};
use sbi::model::config::{AwsSection, Config, EcrSection, GithubSection, PublishSection, PublisherSection};
use sbi::model::evaluation::problems_in_trust_policy;
use sbi::model::iam::PolicyDocument;
use sbi::model::identity::{
    Purpose, ReadingRef, SubjectContext, provider_arn, publishing_policy, reading_trust_policy, trust_policy,
};
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
            key_max_age_days: None,
            update_program: None,
        },
        publisher: PublisherSection { name: "Acme".into(), security_contact: "security@acme.example".into() },
    }
}

/// Two images, so two ECR repositories below one name.
fn with_two_images() -> Config {
    let mut config = config("us-east-1");
    config.publish.images = ["static-go", "base-go"].map(|name| ImageName::new(name).unwrap()).to_vec();
    config
}

fn value(document: &PolicyDocument) -> Value {
    serde_json::from_str(&document.to_json()).unwrap()
}

/// ARNs that a careless pattern would take for one of ours in us-east-1 of account 123456789012.
fn near_misses(config: &Config) -> Vec<String> {
    let arn = |partition, region, account, name| format!("arn:{partition}:ecr:{region}:{account}:repository/{name}");
    let ours = config.ecr_repositories();
    let mut near: Vec<String> = [
        "acme",
        "acme/base",
        "acme/other",
        "acme/base2",
        "acme/base/debug",
        "acme/base/static-go",
        "acme/base/static-go/debug",
        "acme/base/static-go2",
        "acme/base/xbase-go",
        "acme/base2/static-go",
        "acme/case/static-go",
        "acme/other/base-go",
        "other/base/base-go",
        "acme/bas",
        "acme/base-dev",
        "acme/xbase",
        "base",
        "static-go",
        "other/base",
        "xacme/base",
        "acme-base",
        "acme/case",
    ]
    .into_iter()
    .filter(|name| ours.iter().all(|ours| ours.as_str() != *name))
    .map(|name| arn("aws", "us-east-1", "123456789012", name))
    .collect();
    for ours in &ours {
        near.push(arn("aws", "us-east-2", "123456789012", ours.as_str()));
        near.push(arn("aws", "eu-central-1", "123456789012", ours.as_str()));
        near.push(arn("aws", "us-east-1", "123456789013", ours.as_str()));
        near.push(arn("aws-us-gov", "us-gov-west-1", "123456789012", ours.as_str()));
        // Not a place that exists; only a partition of `*` takes it for ours.
        near.push(arn("aws-cn", "us-east-1", "123456789012", ours.as_str()));
    }
    near
}

/// Written out rather than taken from the program: a right that is added there must be added here, by a person.
fn what_it_takes(purpose: Purpose, names: &[&str]) -> BTreeSet<Call> {
    let actions: &[&str] = match purpose {
        Purpose::Publish => &[
            "ecr:BatchCheckLayerAvailability",
            "ecr:InitiateLayerUpload",
            "ecr:UploadLayerPart",
            "ecr:CompleteLayerUpload",
            "ecr:PutImage",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        ],
        Purpose::Read => &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:DescribeImages"],
    };
    let repository = |name: &str| format!("arn:aws:ecr:us-east-1:123456789012:repository/{name}");
    let on_each =
        actions.iter().flat_map(|action| names.iter().map(move |name| ((*action).to_owned(), repository(name))));
    // AWS grants the second to whoever can sign a request, whatever the policies say.
    let anywhere = ["ecr:GetAuthorizationToken", "sts:GetCallerIdentity"].map(|action| (action.into(), "*".into()));
    on_each.chain(anywhere).collect()
}

/// Policies that look like ours: wider resources, more actions, one action or one repository less.
fn wrong_policies(ours: &Value, repositories: &[String]) -> BTreeMap<String, Value> {
    let place = ours["Statement"].as_array().unwrap().iter().position(|s| s["Sid"] != "SignIn").unwrap();
    let mut wrong: BTreeMap<String, Value> = BTreeMap::new();
    let mut with_resources = |resources: Vec<String>| {
        let mut policy = ours.clone();
        policy["Statement"][place]["Resource"] = json!(resources);
        wrong.insert(format!("resources {resources:?}"), policy);
    };
    with_resources(vec!["*".into()]);
    for (from, to) in [
        ("acme/base", "*"),
        ("acme/base", "acme/*"),
        ("acme/base", "acme/base*"),
        ("acme/base", "acme/?ase"),
        ("us-east-1", "*"),
        ("123456789012", "*"),
        ("arn:aws:", "arn:*:"),
    ] {
        with_resources(repositories.iter().map(|repository| repository.replace(from, to)).collect());
    }
    if repositories.len() > 1 {
        with_resources(vec!["arn:aws:ecr:us-east-1:123456789012:repository/acme/base/*".into()]);
        for missing in 0..repositories.len() {
            with_resources(
                repositories.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, r)| r.clone()).collect(),
            );
        }
    }
    for action in ["*", "ecr:*", "ecr:Describe*", "ecr:Batch*", "ecr:Put*", "ecr:BatchDeleteImage", "iam:PassRole"] {
        let mut policy = ours.clone();
        policy["Statement"][place]["Action"].as_array_mut().unwrap().push(json!(action));
        wrong.insert(format!("also {action}"), policy);
    }
    for (at, action) in ours["Statement"][place]["Action"].as_array().unwrap().iter().enumerate() {
        let mut policy = ours.clone();
        policy["Statement"][place]["Action"].as_array_mut().unwrap().remove(at);
        wrong.insert(format!("without {action}"), policy);
    }
    wrong
}

/// Out of every action of AWS, the policy allows exactly `expected`, and its neighbours don't.
#[track_caller]
fn assert_allows_exactly(purpose: Purpose, config: &Config, names: &[&str]) {
    let Some(judge) = Judge::of(config) else { return };
    let expected = what_it_takes(purpose, names);
    let ours = value(&purpose.policy(config));
    let repositories: Vec<String> =
        config.ecr_repositories().iter().map(|name| config.ecr_repository_arn(name)).collect();
    let wrong = wrong_policies(&ours, &repositories);
    let policies: Vec<Value> = std::iter::once(&ours).chain(wrong.values()).cloned().collect();
    let sweep = judge.sweep(&policies, &near_misses(config));

    assert!(sweep.actions > 20_000, "the service reference holds {} actions only", sweep.actions);
    assert!(sweep.simulations > 28_000, "{} simulations only", sweep.simulations);
    assert!(sweep.unchecked < 1_500, "the checked call refused {} combinations", sweep.unchecked);
    assert_eq!(sweep.checked, expected, "by the checked call");
    assert_eq!(sweep.allowed, expected, "by the engine alone");
    assert_eq!(sweep.alike.len(), wrong.len());
    let missed: Vec<&String> = wrong.keys().zip(&sweep.alike).filter(|(_, alike)| **alike).map(|(n, _)| n).collect();
    assert!(missed.is_empty(), "wrong policies that this test would not notice: {missed:?}");
}

#[test]
fn out_of_every_action_of_aws_the_publishing_policy_allows_a_push_to_one_repository_and_nothing_else() {
    assert_allows_exactly(Purpose::Publish, &config("us-east-1"), &["acme/base"]);
}

#[test]
fn with_two_images_the_publishing_policy_allows_a_push_to_their_repositories_and_to_none_beside() {
    assert_allows_exactly(Purpose::Publish, &with_two_images(), &["acme/base/static-go", "acme/base/base-go"]);
}

#[test]
fn out_of_every_action_of_aws_the_reading_policy_allows_a_pull_from_the_images_repositories_and_nothing_else() {
    assert_allows_exactly(Purpose::Read, &with_two_images(), &["acme/base/static-go", "acme/base/base-go"]);
}

#[test]
fn an_access_key_may_what_the_two_roles_may_and_nothing_else() {
    let mut config = config("us-east-1");
    let [publish, read] = [publishing_policy(&config), Purpose::Read.policy(&config)].map(|policy| value(&policy));
    config.publish.auth = Auth::AccessKey;
    let key = value(&publishing_policy(&config));
    let actions = |policy: &Value| -> BTreeSet<String> {
        serde_json::from_value(policy["Statement"][1]["Action"].clone()).unwrap()
    };
    assert_eq!(actions(&key), actions(&publish).union(&actions(&read)).cloned().collect());
    let mut same = key.clone();
    same["Statement"][1]["Action"] = publish["Statement"][1]["Action"].clone();
    assert_eq!(same, publish, "it differs by actions only");
}

#[test]
fn in_the_other_partitions_a_push_is_allowed_too() {
    for region in ["cn-north-1", "us-gov-west-1"] {
        let config = config(region);
        let Some(judge) = Judge::of(&config) else { return };
        let policy = value(&publishing_policy(&config));
        let calls: Vec<Call> = what_it_takes(Purpose::Publish, &["acme/base"])
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
    let all: Vec<Call> = what_it_takes(Purpose::Publish, &["acme/base"]).into_iter().collect();
    assert_eq!(judge.refused(&policy, &all), Vec::new());
    assert_eq!(judge.needless(&policy, &all), Vec::<String>::new());

    let without_put: Vec<Call> = all.iter().filter(|(action, _)| action != "ecr:PutImage").cloned().collect();
    assert_eq!(judge.needless(&policy, &without_put), ["Push: ecr:PutImage"]);
    let delete = ("ecr:BatchDeleteImage".to_owned(), config.ecr_repository_arn(&config.ecr.repository));
    assert_eq!(judge.refused(&policy, std::slice::from_ref(&delete)), [delete]);
}

fn identity() -> GithubIdentity {
    GithubIdentity {
        repository_id: 9,
        owner_id: 7,
        subject_prefix: "repo:acme@7/base@9".into(),
        default_branch: "main".into(),
    }
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

/// The document judges every token of the table as its row says, and the table notices each unsafe document.
#[track_caller]
fn assert_lets_in_as_told(judge: &Judge, what: &str, trust: &Value, rows: Vec<(String, WebIdentity, bool)>) {
    let wrong = unsafe_trusts(trust);
    let documents: Vec<Value> = std::iter::once(trust).chain(wrong.values()).cloned().collect();
    let expected: Vec<bool> = rows.iter().map(|(_, _, allowed)| *allowed).collect();
    let (names, tokens): (Vec<String>, Vec<WebIdentity>) =
        rows.into_iter().map(|(name, token, _)| (name, token)).unzip();

    let verdicts = judge.trust(&documents, &tokens);

    let misjudged: Vec<&String> =
        (0..names.len()).filter(|i| verdicts[0][*i] != expected[*i]).map(|i| &names[i]).collect();
    assert!(misjudged.is_empty(), "{what}: {misjudged:?}\n{trust:#}");
    let missed: Vec<&String> =
        wrong.keys().zip(&verdicts[1..]).filter(|(_, row)| **row == expected).map(|(name, _)| name).collect();
    assert!(missed.is_empty(), "{what}: unsafe documents that this table would not notice: {missed:?}");
}

#[test]
fn the_trust_policy_lets_in_the_publish_job_and_nobody_else() {
    for context in [SubjectContext::Environment(EnvironmentName::new("publish").unwrap()), SubjectContext::ReleaseTag] {
        let Some(judge) = Judge::of(&config("us-east-1")) else { return };
        let Table { trust, rows } = table(&context);
        assert_eq!(rows.iter().filter(|(_, _, allowed)| *allowed).count(), 1);
        assert_lets_in_as_told(&judge, &format!("{context:?}"), &trust, rows);
    }
}

/// The reading role's trust: both refs that jobs read on, and every way to look like them.
#[test]
fn the_reading_roles_trust_lets_in_release_tags_and_the_default_branch_and_nobody_else() {
    let config = with_two_images();
    let Some(judge) = Judge::of(&config) else { return };
    let both = BTreeSet::from([ReadingRef::ReleaseTag, ReadingRef::DefaultBranch]);
    let trust = value(&reading_trust_policy(&config, &both, &identity()));
    let on = |subject: &str, reference: &str| token(subject, &[("ref", reference)]);
    let job = |reference: &str| on(&format!("repo:acme@7/base@9:ref:{reference}"), reference);
    let mut rows = vec![
        ("the first image's release".to_owned(), job("refs/tags/static-go/v1.0.0"), true),
        ("the other image's release".into(), job("refs/tags/base-go/v2.3.4-rc.1"), true),
        ("the default branch".into(), job("refs/heads/main"), true),
        ("a tag of one image's form".into(), job("refs/tags/v1.0.0"), false),
        ("a tag of an image that is not published".into(), job("refs/tags/other/v1.0.0"), false),
        ("a tag that is no version".into(), job("refs/tags/static-go/nightly"), false),
        ("another branch".into(), job("refs/heads/feature"), false),
        ("a branch whose name begins alike".into(), job("refs/heads/main2"), false),
        ("a branch below the default one's name".into(), job("refs/heads/main/v1"), false),
        ("a branch named like a release".into(), job("refs/heads/static-go/v1.0.0"), false),
        ("a pull request".into(), on("repo:acme@7/base@9:pull_request", "refs/pull/1/merge"), false),
        (
            "a pull request that names the branch".into(),
            on("repo:acme@7/base@9:pull_request", "refs/heads/main"),
            false,
        ),
        (
            "the publish job's environment".into(),
            on("repo:acme@7/base@9:environment:publish", "refs/tags/static-go/v1.0.0"),
            false,
        ),
        ("any other environment".into(), on("repo:acme@7/base@9:environment:main", "refs/heads/main"), false),
        (
            "the subject of the branch on another ref".into(),
            on("repo:acme@7/base@9:ref:refs/heads/main", "refs/heads/feature"),
            false,
        ),
        (
            "the subject of a release on another ref".into(),
            on("repo:acme@7/base@9:ref:refs/tags/static-go/v1.0.0", "refs/heads/feature"),
            false,
        ),
    ];
    let right = "repo:acme@7/base@9:ref:refs/heads/main";
    for (what, subject) in wrong_subjects("ref:refs/heads/main", "environment:publish") {
        rows.push((what.to_owned(), on(&subject, "refs/heads/main"), false));
    }
    for (what, changes) in [
        ("another audience", ("aud", "https://github.com/acme")),
        ("no audience", ("aud", "")),
        ("no subject", ("sub", "")),
        ("another repository's id", ("repository_id", "99")),
        ("another owner's id", ("repository_owner_id", "77")),
        ("no repository id", ("repository_id", "")),
        ("no ref", ("ref", "")),
        ("another issuer", ("provider", "arn:aws:iam::123456789012:oidc-provider/gitlab.example")),
        (
            "the provider of another account",
            ("provider", "arn:aws:iam::123456789013:oidc-provider/token.actions.githubusercontent.com"),
        ),
    ] {
        rows.push((what.into(), token(right, &[("ref", "refs/heads/main"), changes]), false));
    }
    assert_lets_in_as_told(&judge, "the reading role", &trust, rows);
}

/// The publishing role opens on either image's tags and on no other's, with and without an environment.
#[test]
fn with_two_images_the_publishing_roles_trust_opens_on_their_tags_only() {
    let config = with_two_images();
    let Some(judge) = Judge::of(&config) else { return };
    for context in [SubjectContext::Environment(EnvironmentName::new("publish").unwrap()), SubjectContext::ReleaseTag] {
        let trust = value(&trust_policy(&config, &context, &identity()));
        let job = |reference: &str| {
            let context = match &context {
                SubjectContext::Environment(name) => format!("environment:{name}"),
                SubjectContext::ReleaseTag => format!("ref:{reference}"),
            };
            token(&format!("repo:acme@7/base@9:{context}"), &[("ref", reference)])
        };
        let refs = [
            ("refs/tags/static-go/v1.0.0", true),
            ("refs/tags/base-go/v1.0.0", true),
            ("refs/tags/v1.0.0", false),
            ("refs/tags/other/v1.0.0", false),
            ("refs/tags/xstatic-go/v1.0.0", false),
            ("refs/heads/static-go/v1.0.0", false),
            ("refs/heads/main", false),
        ];
        let tokens: Vec<WebIdentity> = refs.iter().map(|(reference, _)| job(reference)).collect();
        let verdicts = judge.trust(&[trust], &tokens).remove(0);
        for ((reference, expected), verdict) in refs.iter().zip(verdicts) {
            assert_eq!(verdict, *expected, "{context:?} {reference}");
        }
    }
}

/// IAM stores no more than 2,048 characters of a trust policy: the tags of many images are one pattern.
#[test]
fn with_a_hundred_images_trust_opens_on_tags_of_images_only_and_iam_stores_it() {
    let names: Vec<String> = (0..100).map(|number| format!("static-go-{number}")).collect();
    let mut config = config("us-east-1");
    config.publish.images = names.iter().map(|name| ImageName::new(name).unwrap()).collect();
    let Some(judge) = Judge::of(&config) else { return };
    let reading = [ReadingRef::ReleaseTag, ReadingRef::DefaultBranch].into();
    let published = |context: &SubjectContext| trust_policy(&config, context, &identity());
    let in_environment = SubjectContext::Environment(EnvironmentName::new("publish").unwrap());
    for (what, trust, context) in [
        ("by tag", published(&SubjectContext::ReleaseTag), None),
        ("in an environment", published(&in_environment), Some("environment:publish")),
        ("reading", reading_trust_policy(&config, &reading, &identity()), None),
    ] {
        assert_eq!(problems_in_trust_policy(&trust), Vec::<String>::new(), "{what}");
        let refs = [
            ("refs/tags/static-go-7/v1.0.0", true),
            ("refs/tags/static-go-99/v1.0.0", true),
            ("refs/tags/v1.0.0", false),
            ("refs/heads/static-go-7/v1.0.0", false),
            ("refs/heads/main", what == "reading"),
            ("refs/heads/other", false),
            ("refs/pull/1/merge", false),
        ];
        let job = |reference: &str| {
            let context = context.map_or_else(|| format!("ref:{reference}"), str::to_owned);
            token(&format!("repo:acme@7/base@9:{context}"), &[("ref", reference)])
        };
        let tokens: Vec<WebIdentity> = refs.iter().map(|(reference, _)| job(reference)).collect();
        let verdicts = judge.trust(&[value(&trust)], &tokens).remove(0);
        for ((reference, expected), verdict) in refs.iter().zip(verdicts) {
            assert_eq!(verdict, *expected, "{what} {reference}");
        }
    }
}
