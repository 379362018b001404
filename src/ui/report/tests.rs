//! Snapshots of what a person reads.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::apply::{Outcome, Report};
use crate::failure::Cause;
use crate::model::commit::{Commit, Delivery};
use crate::model::git::CommitId;
use crate::model::identity::{SubjectContext, publishing_policy};
use crate::model::names::{Digest, EcrRepositoryName, RoleName};
use crate::model::observed::{GithubIdentity, TagMutability};
use crate::plan::step::{KeyEnd, Ownership, Produced, RoleTrust, Step, Trusted};
use crate::plan::{Kept, Known};
use crate::ui::json;

fn config() -> Config {
    Config::parse(
        r#"
        [github]
        repository = "acme/secure-base-images"
        visibility = "private"
        [aws]
        account = "123456789012"
        region = "eu-central-1"
        [ecr]
        repository = "acme/secure-base-images"
        [publish]
        auth = "oidc"
        images = ["static-go"]
        release = "v1.0.0"
        environment = "publish"
        [publisher]
        name = "Acme Ltd"
        security-contact = "security@acme.example"
        "#,
    )
    .expect("a configuration")
}

fn who() -> Who {
    Who { aws: "arn:aws:iam::123456789012:user/ada".into(), github: "ada".into() }
}

fn plan() -> Plan {
    let config = config();
    let mut plan = Plan::default();
    let identity = GithubIdentity {
        repository_id: 9,
        owner_id: 7,
        subject_prefix: "repo:acme@7/base@9".into(),
        default_branch: "main".into(),
    };
    let owner =
        Ownership { repository: config.github.repository.clone(), github: Known::Now(identity), adopted: false };
    let name = EcrRepositoryName::new("acme/secure-base-images").expect("a name");
    let arn = config.ecr_repository_arn(&config.ecr.repository);
    plan.add(
        Step::CreateEcrRepository {
            arn: arn.clone(),
            name: name.clone(),
            tag_mutability: TagMutability::ImmutableExcept(BTreeSet::from(["sha256-*".to_owned()])),
            owner: owner.clone(),
        },
        [],
    );
    let repository = plan.add(
        Step::CreateGithubRepository {
            repository: config.github.repository.clone(),
            in_organization: true,
            visibility: config.github.visibility,
            description: String::new(),
        },
        [],
    );
    let role = plan.add(
        Step::CreateRole {
            arn: config.iam_arn("role/sbi-publish"),
            name: RoleName::new("sbi-publish").expect("a name"),
            trust: Box::new(RoleTrust {
                config: config.clone(),
                trusted: Trusted::Publisher(SubjectContext::Environment("publish".parse().expect("a name"))),
                github: Known::After(repository),
            }),
            owner,
        },
        [repository],
    );
    plan.add(Step::RestrictWorkflowToken { repository: config.github.repository.clone() }, [repository]);
    plan.add(
        Step::DeleteAccessKey {
            arn: config.iam_arn("user/ci"),
            user: "ci".parse().expect("a name"),
            key_id: "AKIAEXAMPLE".into(),
            end: KeyEnd::Leftover,
        },
        [],
    );
    plan.add(
        Step::CreateRelease {
            repository: config.github.repository.clone(),
            tag: "v1.0.0".parse().expect("a tag"),
            notes: String::new(),
            commit: Known::After(role),
        },
        [role],
    );
    plan.kept
        .push(Kept { what: "file README.md".into(), why: "is not ours; `--overwrite README.md` replaces it".into() });
    plan.waiting.push("merge https://github.com/acme/base/pull/7, then run `sbi apply`".into());
    plan
}

fn at(width: usize) -> Style {
    Style { color: false, width, unicode: true }
}

fn shown(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut text = Vec::new();
    write(&mut text).expect("a Vec takes everything");
    String::from_utf8(text).expect("UTF-8")
}

fn failure() -> Failure {
    Failure::new("create the IAM role sbi-publish: access denied")
        .because(Cause::Denied { action: "iam:CreateRole".into(), resource: None })
        .caused_by(Failure::new("AccessDenied (request 4711)"))
        .hinted("`sbi policy operator` prints what is needed")
}

#[test]
fn a_plan_on_a_wide_terminal_has_one_line_a_change() {
    insta::assert_snapshot!(shown(|w| print_plan(&plan(), &config(), &who(), at(200), w)), @"
    AWS     123456789012 in eu-central-1, as arn:aws:iam::123456789012:user/ada
    GitHub  acme/secure-base-images, as ada

      + ECR repository     acme/secure-base-images  immutable tags except sha256-*, scan on push, AES-256
      + GitHub repository  acme/secure-base-images  private
      + IAM role           sbi-publish              assumable by acme/secure-base-images, environment publish, only (its ids are known after it is created)
      ~ workflow token     acme/secure-base-images  GITHUB_TOKEN reads only and approves nothing
      - access key         AKIAEXAMPLE              of ci: left by an interrupted run, never used, in no secret
      + release            v1.0.0                   starts the publishing pipeline

    will not be touched:
      - file README.md: is not ours; `--overwrite README.md` replaces it

    waits for you:
      - merge https://github.com/acme/base/pull/7, then run `sbi apply`

    4 to add, 1 to change, 1 to remove
    ");
}

#[test]
fn a_plan_at_100_columns_breaks_the_details_below_themselves() {
    insta::assert_snapshot!(shown(|w| print_plan(&plan(), &config(), &who(), at(100), w)), @"
    AWS     123456789012 in eu-central-1, as arn:aws:iam::123456789012:user/ada
    GitHub  acme/secure-base-images, as ada

      + ECR repository     acme/secure-base-images  immutable tags except sha256-*, scan on push,
                                                    AES-256
      + GitHub repository  acme/secure-base-images  private
      + IAM role           sbi-publish              assumable by acme/secure-base-images, environment
                                                    publish, only (its ids are known after it is
                                                    created)
      ~ workflow token     acme/secure-base-images  GITHUB_TOKEN reads only and approves nothing
      - access key         AKIAEXAMPLE              of ci: left by an interrupted run, never used, in no
                                                    secret
      + release            v1.0.0                   starts the publishing pipeline

    will not be touched:
      - file README.md: is not ours; `--overwrite README.md` replaces it

    waits for you:
      - merge https://github.com/acme/base/pull/7, then run `sbi apply`

    4 to add, 1 to change, 1 to remove
    ");
}

#[test]
fn a_plan_at_40_columns_stacks() {
    let text = shown(|w| print_plan(&plan(), &config(), &who(), at(40), w));
    insta::assert_snapshot!(text, @"
    AWS     123456789012 in eu-central-1, as
            arn:aws:iam::123456789012:user/ada
    GitHub  acme/secure-base-images, as ada

      + ECR repository
        acme/secure-base-images
          immutable tags except sha256-*,
          scan on push, AES-256
      + GitHub repository
        acme/secure-base-images
          private
      + IAM role sbi-publish
          assumable by
          acme/secure-base-images,
          environment publish, only (its ids
          are known after it is created)
      ~ workflow token
        acme/secure-base-images
          GITHUB_TOKEN reads only and
          approves nothing
      - access key AKIAEXAMPLE
          of ci: left by an interrupted run,
          never used, in no secret
      + release v1.0.0
          starts the publishing pipeline

    will not be touched:
      - file README.md: is not ours;
        `--overwrite README.md` replaces it

    waits for you:
      - merge
        https://github.com/acme/base/pull/7,
        then run `sbi apply`

    4 to add, 1 to change, 1 to remove
    ");
}

#[test]
fn nothing_is_wider_than_the_terminal_but_words_that_are() {
    for width in [40, 60, 80, 100, 120] {
        for line in shown(|w| print_plan(&plan(), &config(), &who(), at(width), w)).lines() {
            let fits = line.chars().count() <= width;
            assert!(fits || line.split_whitespace().any(|word| word.chars().count() > width - 8), "{width}: {line}");
        }
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let coloured = shown(|w| print_plan(&plan(), &config(), &who(), Style { color: true, ..at(100) }, w));
    assert!(coloured.contains("\u{1b}[32m+\u{1b}[0m"));
    let plain = shown(|w| print_plan(&plan(), &config(), &who(), at(100), w));
    assert_eq!(dialoguer::console::strip_ansi_codes(&coloured), plain);
}

#[test]
fn an_empty_plan_says_so() {
    insta::assert_snapshot!(shown(|w| print_plan(&Plan::default(), &config(), &who(), at(100), w)), @"
    AWS     123456789012 in eu-central-1, as arn:aws:iam::123456789012:user/ada
    GitHub  acme/secure-base-images, as ada

    nothing to change
    ");
}

#[test]
fn refusals_are_shown_all_at_once() {
    let mut plan = Plan::default();
    plan.refusals.push(Failure::new("the repository is archived").hinted("unarchive it"));
    plan.refusals.push(Failure::new("the tag v1.0.0 is taken").hinted("take `--release v1.0.1`"));
    insta::assert_snapshot!(shown(|w| print_plan(&plan, &config(), &who(), at(100), w)), @"
    AWS     123456789012 in eu-central-1, as arn:aws:iam::123456789012:user/ada
    GitHub  acme/secure-base-images, as ada

    error: the repository is archived
    help: unarchive it

    error: the tag v1.0.0 is taken
    help: take `--release v1.0.1`

    this plan can't be applied
    ");
}

#[test]
fn documents_are_indented_json() {
    let text = shown(|w| print_policies(&[("publisher".into(), publishing_policy(&config()))], at(80), w));
    let json = text.trim_start_matches("\npublisher:\n");
    assert_eq!(crate::model::iam::PolicyDocument::parse(json).expect("a document"), publishing_policy(&config()));
}

#[test]
fn an_outcome_names_what_failed_and_what_did_not_start() {
    let report = Report {
        outcomes: vec![
            Outcome::Done(Produced::Nothing),
            Outcome::Done(Produced::Nothing),
            Outcome::Failed(failure()),
            Outcome::Done(Produced::Nothing),
            Outcome::Done(Produced::Nothing),
            Outcome::Skipped,
        ],
        cancelled: false,
    };
    insta::assert_snapshot!(shown(|w| print_outcome(&report, &plan(), at(80), w)), @"
    ✗ 4 done, 1 failed, 1 not started

    ✗ IAM role sbi-publish
    error: create the IAM role sbi-publish: access denied
    because: AccessDenied (request 4711)
    help: `sbi policy operator` prints what is needed

    not started:
      - release v1.0.0
    ");
    insta::assert_snapshot!(json::text(&json::OutcomeJson::new(&plan(), &report, &Summary::default()).steps[2]), @r#"
    {
      "sign": "add",
      "kind": "IAM role",
      "name": "sbi-publish",
      "detail": "assumable by acme/secure-base-images, environment publish, only (its ids are known after it is created)",
      "needs": [
        1
      ],
      "outcome": "failed",
      "failure": {
        "error": "create the IAM role sbi-publish: access denied",
        "cause": "denied",
        "action": "iam:CreateRole",
        "because": [
          "AccessDenied (request 4711)"
        ],
        "help": [
          "`sbi policy operator` prints what is needed"
        ],
        "exit_code": 1
      }
    }
    "#);
}

#[test]
fn a_failure_says_what_why_and_what_next() {
    insta::assert_snapshot!(shown(|w| print_failure(&failure(), at(80), w)), @"
    error: create the IAM role sbi-publish: access denied
    because: AccessDenied (request 4711)
    help: `sbi policy operator` prints what is needed
    ");
    insta::assert_snapshot!(json::failure_text(&failure()), @r#"
    {
      "format_version": 1,
      "error": "create the IAM role sbi-publish: access denied",
      "cause": "denied",
      "action": "iam:CreateRole",
      "because": [
        "AccessDenied (request 4711)"
      ],
      "help": [
        "`sbi policy operator` prints what is needed"
      ],
      "exit_code": 1
    }
    "#);
}

#[test]
fn a_mistake_in_the_file_keeps_its_pointer() {
    let failure = Config::parse("[github]\nrepository = 7\n").expect_err("not a name");
    insta::assert_snapshot!(shown(|w| print_failure(&failure, at(80), w)), @"
    error: `sbi.toml` can't be used
    because: TOML parse error at line 2, column 14
               |
             2 | repository = 7
               |              ^
             invalid type: integer `7`, expected a string
    help: mend the file, or move it away and run `sbi init` again
    ");
}

#[test]
fn the_summary_lists_links_and_what_remains() {
    let summary = Summary {
        links: vec![
            ("release".into(), "https://github.com/acme/base/releases/tag/v1.0.0".into()),
            ("ECR repository".into(), "https://console.example/ecr".into()),
        ],
        next: vec!["register as an AWS Marketplace seller".into(), "apply to Docker Verified Publisher".into()],
        notes: vec![(Glyph::Done, "a second look found nothing to change".into())],
    };
    insta::assert_snapshot!(shown(|w| print_summary(&summary, at(80), w)), @"
    release         https://github.com/acme/base/releases/tag/v1.0.0
    ECR repository  https://console.example/ecr
    ✔ a second look found nothing to change

    what remains for you:
      - register as an AWS Marketplace seller
      - apply to Docker Verified Publisher
    ");
    insta::assert_snapshot!(shown(|w| print_summary(&summary, at(40), w)), @"
    release
      https://github.com/acme/base/releases/tag/v1.0.0
    ECR repository
      https://console.example/ecr
    ✔ a second look found nothing to change

    what remains for you:
      - register as an AWS Marketplace
        seller
      - apply to Docker Verified Publisher
    ");
}

#[test]
fn programs_read_the_same_plan() {
    insta::assert_snapshot!(json::text(&json::PlanJson::new(&plan())), @r#"
    {
      "format_version": 1,
      "changes": [
        {
          "sign": "add",
          "kind": "ECR repository",
          "name": "acme/secure-base-images",
          "detail": "immutable tags except sha256-*, scan on push, AES-256",
          "needs": []
        },
        {
          "sign": "add",
          "kind": "GitHub repository",
          "name": "acme/secure-base-images",
          "detail": "private",
          "needs": []
        },
        {
          "sign": "add",
          "kind": "IAM role",
          "name": "sbi-publish",
          "detail": "assumable by acme/secure-base-images, environment publish, only (its ids are known after it is created)",
          "needs": [
            1
          ]
        },
        {
          "sign": "change",
          "kind": "workflow token",
          "name": "acme/secure-base-images",
          "detail": "GITHUB_TOKEN reads only and approves nothing",
          "needs": [
            1
          ]
        },
        {
          "sign": "remove",
          "kind": "access key",
          "name": "AKIAEXAMPLE",
          "detail": "of ci: left by an interrupted run, never used, in no secret",
          "needs": []
        },
        {
          "sign": "add",
          "kind": "release",
          "name": "v1.0.0",
          "detail": "starts the publishing pipeline",
          "needs": [
            2
          ]
        }
      ],
      "kept": [
        {
          "what": "file README.md",
          "why": "is not ours; `--overwrite README.md` replaces it"
        }
      ],
      "pinned": [],
      "waiting": [
        "merge https://github.com/acme/base/pull/7, then run `sbi apply`"
      ],
      "refusals": []
    }
    "#);
}

#[test]
fn digests_that_are_new_are_listed_for_people_and_for_programs() {
    let mut plan = Plan::default();
    let digest = format!("sha256:{}", "a1".repeat(32));
    plan.pinned.insert("gcr.io/distroless/static-debian13:nonroot", Digest::new(digest.as_str()).expect("a digest"));
    let text = shown(|w| print_plan(&plan, &config(), &who(), at(200), w));
    let line = format!("\n  + gcr.io/distroless/static-debian13:nonroot → {digest}\n");
    assert!(text.contains("\n  base images, pinned:\n") && text.contains(&line), "{text}");
    let narrow = shown(|w| print_plan(&plan, &config(), &who(), Style { unicode: false, ..at(80) }, w));
    assert!(
        narrow.contains(&format!("\n  + gcr.io/distroless/static-debian13:nonroot ->\n    {digest}\n")),
        "{narrow}"
    );
    let [pin] = json::PlanJson::new(&plan).pinned.try_into().expect("one pin");
    assert_eq!((pin.image.as_str(), pin.digest), ("gcr.io/distroless/static-debian13:nonroot", digest));
}

#[test]
fn a_name_from_outside_can_not_steer_the_terminal() {
    let mut plan = Plan::default();
    plan.kept.push(Kept { what: "file \u{1b}]0;owned\u{7}x".into(), why: "\u{1b}[2J".into() });
    assert!(!shown(|w| print_plan(&plan, &config(), &who(), at(80), w)).contains('\u{1b}'));
}

#[test]
fn a_reader_that_left_is_no_failure() {
    assert!(crate::ui::unless_closed(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
    assert!(crate::ui::unless_closed(Err(io::ErrorKind::StorageFull.into())).is_err());
}

fn deletions() -> Plan {
    let config = config();
    let mut plan = Plan::default();
    let name = config.ecr.repository.clone();
    let arn = config.ecr_repository_arn(&name);
    let image = |tags: &[&str], digit: &str, bytes| ImageFacts {
        digest: format!("sha256:{}", digit.repeat(64)).parse().expect("a digest"),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        pushed: "2026-11-25T12:34:56Z".parse().ok(),
        bytes,
    };
    let images = vec![image(&["v1.0.1", "v1"], "a", 12_345_678), image(&[], "b", 900)];
    let images = plan.add(Step::DeleteImages { arn: arn.clone(), name: name.clone(), images }, []);
    let repository = plan.add(Step::DeleteEcrRepository { arn, name }, [images]);
    let commit = Commit {
        repository: config.github.repository,
        branch: Some("main".into()),
        whole_tree: false,
        rendered: BTreeMap::new(),
        files: BTreeMap::from([("README.md".to_owned(), "# base\n".to_owned())]),
        new_paths: BTreeSet::new(),
        deletions: BTreeSet::from(["sbi.lock".to_owned(), "sbi.toml".to_owned()]),
        message: String::new(),
        delivery: Delivery::Push,
    };
    let parent = Known::Now(CommitId::told("a"));
    plan.add(Step::CommitFiles { commit: Box::new(commit), parent }, [repository]);
    plan
}

#[test]
fn what_goes_is_listed_down_to_the_image_and_the_file() {
    insta::assert_snapshot!(shown(|w| print_plan(&deletions(), &config(), &who(), at(100), w)), @"
    AWS     123456789012 in eu-central-1, as arn:aws:iam::123456789012:user/ada
    GitHub  acme/secure-base-images, as ada

      - images          acme/secure-base-images  2 images, 12.3 MB, listed below
      - ECR repository  acme/secure-base-images  made by sbi, empty by then
      - files           main                     1 changed, 2 deleted, one commit

      files:
      ~ README.md
      - sbi.lock
      - sbi.toml

      images of acme/secure-base-images:
      - v1, v1.0.1  sha256:aaaaaaaaaaaa  2026-11-25 12:34 UTC  12.3 MB
      - untagged    sha256:bbbbbbbbbbbb  2026-11-25 12:34 UTC  900 B

    3 to remove
    ");
}

#[test]
fn programs_get_every_image_that_goes() {
    let text = json::text(&json::PlanJson::new(&deletions()));
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let images = &json["changes"][0]["images"];
    let first = serde_json::json!({
        "digest": format!("sha256:{}", "a".repeat(64)), "tags": ["v1", "v1.0.1"], "pushed": "2026-11-25T12:34:56Z",
        "bytes": 12_345_678,
    });
    assert_eq!(images[0], first);
    assert_eq!(images[1]["tags"], serde_json::json!([]));
    assert!(json["changes"][1].get("images").is_none(), "{text}");
}
