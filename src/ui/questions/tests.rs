//! What the draft asks, takes and refuses.

use proptest::prelude::*;

use super::*;
use crate::model::config::{Architecture, Signing};

fn products() -> Vec<Choice> {
    vec![Choice::new("static-go", "a base for static Go binaries")]
}

fn detected() -> Detected {
    Detected {
        github_login: Some("octo".into()),
        git_remote: None,
        git_user_name: Some("Octo Cat".into()),
        git_email: Some("octo@acme.example".into()),
        region: Some("eu-central-1".into()),
        account: Some("123456789012".into()),
    }
}

fn draft(given: &Answers) -> Draft {
    merge(given, None, &products()).expect("a draft")
}

fn flags(draft: &Draft, detected: &Detected) -> Vec<&'static str> {
    draft.open_questions(detected).iter().map(|question| question.flag).collect()
}

fn full() -> Answers {
    Answers {
        github: Some("Acme/Secure_Base.Images".into()),
        visibility: Some("public".into()),
        account: Some("123456789012".into()),
        region: Some("us-east-1".into()),
        ecr_repository: Some("acme/base".into()),
        images: vec!["static-go".into()],
        auth: Some("oidc".into()),
        release: Some("v1.0.0".into()),
        publisher: Some("Acme Ltd".into()),
        security_contact: Some("https://acme.example/security".into()),
        ..Answers::default()
    }
}

#[test]
fn only_what_was_not_found_out_is_asked() {
    let asked = flags(&draft(&Answers::default()), &detected());
    assert_eq!(
        asked,
        [
            "--github",
            "--visibility",
            "--region",
            "--ecr-repository",
            "--auth",
            "--release",
            "--publisher",
            "--security-contact"
        ]
    );
}

#[test]
fn several_products_are_a_question_and_one_is_not() {
    let two = [Choice::new("static-go", ""), Choice::new("static-rust", "")];
    let draft = merge(&Answers::default(), None, &two).expect("a draft");
    let question = draft.open_questions(&detected()).into_iter().find(|question| question.id == Field::Image);
    assert_eq!(question.expect("asked").default.as_deref(), Some("static-go"));
}

#[test]
fn several_products_are_one_answer_each_known_and_each_once() {
    let two = [Choice::new("static-go", ""), Choice::new("base-go", "")];
    let with = |images: &[&str]| {
        let images = images.iter().map(|image| (*image).to_owned()).collect();
        merge(&Answers { images, ..full() }, None, &two)
    };
    let config = with(&["static-go,base-go"]).and_then(|draft| draft.finish(&Detected::default())).expect("two");
    let names: Vec<&str> = config.publish.images.iter().map(ImageName::as_str).collect();
    assert_eq!(names, ["static-go", "base-go"]);
    let same = with(&["static-go", "base-go"]).and_then(|draft| draft.finish(&Detected::default())).expect("two");
    assert_eq!(same, config);
    for (images, reason) in [
        (["static-go", "static-go"], "--image: `static-go` is named twice"),
        (["static-go", "other"], "--image: `other` is no product of this version: static-go, base-go"),
        (["static-go", ""], "--image: `` is not an image name"),
    ] {
        let failure = with(&images).expect_err("refused");
        assert!(failure.message().starts_with(reason), "{failure}");
    }
    let question = merge(&Answers::default(), None, &two).expect("a draft").open_questions(&detected());
    let takes_several: Vec<Field> = question.iter().filter(|question| question.takes_several).map(|q| q.id).collect();
    assert_eq!(takes_several, [Field::Image]);
}

#[test]
fn what_only_the_file_or_a_flag_says_survives_the_questions() {
    let two = [Choice::new("static-go", ""), Choice::new("base-go", "")];
    let given = Answers {
        images: vec!["static-go".into(), "base-go".into()],
        architectures: vec!["arm64".into()],
        signing: Some("none".into()),
        read_role_name: Some("reader".into()),
        ..full()
    };
    let mut config = merge(&given, None, &two).and_then(|draft| draft.finish(&Detected::default())).expect("complete");
    assert_eq!(config.publish.architectures, Some(vec![Architecture::Arm64]));
    assert_eq!(config.publish.signing, Some(Signing::None));
    assert_eq!(config.read_role().as_str(), "reader");
    let first = config.publish.images[0].clone();
    config.ecr.repositories.insert(first, "acme/base".parse().expect("a name"));
    let again = merge(&Answers::default(), Some(&config), &two).expect("a draft");
    assert_eq!(again.finish(&Detected::default()).expect("complete"), config);
    // The flags go over the file, and what then clashes is refused.
    let one = Answers { images: vec!["base-go".into()], ..Answers::default() };
    let failure = merge(&one, Some(&config), &two).and_then(|d| d.finish(&Detected::default())).expect_err("clashes");
    assert_eq!(failure.message(), "`ecr.repositories` has a place for static-go, which `publish.images` lacks");
}

#[test]
fn architectures_and_signing_are_what_this_version_knows() {
    for (given, reason) in [
        (
            Answers { architectures: vec!["amd64,riscv64".into()], ..full() },
            "--arch: `riscv64` is neither `amd64` nor `arm64`",
        ),
        (Answers { architectures: vec!["amd64".into(), "amd64".into()], ..full() }, "--arch: `amd64` is named twice"),
        (Answers { signing: Some("gpg".into()), ..full() }, "--signing: `gpg` is neither `keyless` nor `none`"),
    ] {
        assert_eq!(merge(&given, None, &products()).expect_err("refused").message(), reason);
    }
}

#[test]
fn an_unknown_account_is_asked() {
    assert!(flags(&draft(&Answers::default()), &Detected::default()).contains(&"--account"));
}

#[test]
fn a_file_that_answers_everything_leaves_no_question() {
    let config = draft(&full()).finish(&Detected::default()).expect("complete");
    let again = merge(&Answers::default(), Some(&config), &products()).expect("a draft");
    assert_eq!(again.open_questions(&Detected::default()), []);
    assert_eq!(again.finish(&Detected::default()).expect("complete"), config);
}

#[test]
fn a_flag_wins_over_the_file() {
    let config = draft(&full()).finish(&Detected::default()).expect("complete");
    let given = Answers { region: Some("eu-north-1".into()), ..Answers::default() };
    let changed = merge(&given, Some(&config), &products()).expect("a draft");
    assert_eq!(changed.finish(&Detected::default()).expect("complete").aws.region.as_str(), "eu-north-1");
}

#[test]
fn the_ecr_repository_follows_the_answer_about_github() {
    let mut draft = draft(&Answers::default());
    let default = |draft: &Draft| {
        let questions = draft.open_questions(&detected());
        questions.into_iter().find(|question| question.id == Field::EcrRepository).and_then(|question| question.default)
    };
    assert_eq!(default(&draft), None);
    draft.answer(Field::Github, "Acme/Secure_-Base..Images-").expect("valid");
    assert_eq!(default(&draft).as_deref(), Some("acme/secure-base-images"));
}

#[test]
fn the_working_directorys_remote_is_the_first_guess_for_github() {
    let with_remote = Detected { git_remote: Some("acme/base".into()), ..detected() };
    let default = |detected: &Detected| draft(&Answers::default()).open_questions(detected)[0].default.clone();
    assert_eq!(default(&with_remote).as_deref(), Some("acme/base"));
    assert_eq!(default(&detected()).as_deref(), Some("octo/secure-base-images"));
    let broken = Detected { git_remote: Some("not a name".into()), ..detected() };
    assert_eq!(default(&broken).as_deref(), Some("octo/secure-base-images"));
}

#[test]
fn defaults_never_choose_the_github_repository() {
    let mut draft = draft(&Answers::default());
    draft.accept_defaults(&Detected { git_remote: Some("acme/base".into()), ..detected() });
    let failure = draft.finish(&detected()).expect_err("no repository");
    assert_eq!(failure.message(), "answers are missing: --github, --ecr-repository");
    assert_eq!(failure.exit_code(), crate::failure::ExitCode::Usage);
}

#[test]
fn the_repository_alone_is_enough_where_the_rest_was_found_out() {
    let mut draft = draft(&Answers { github: Some("Acme/Base".into()), ..Answers::default() });
    draft.accept_defaults(&detected());
    let config = draft.finish(&detected()).expect("complete");
    assert_eq!(config.ecr.repository.as_str(), "acme/base");
    assert_eq!(config.github.visibility, Visibility::Private);
    assert_eq!(config.publish.auth, Auth::Oidc);
    assert_eq!(config.publish.environment.expect("an environment").as_str(), DEFAULT_ENVIRONMENT);
    assert_eq!(config.publisher.name, "Octo Cat");
}

#[test]
fn every_missing_flag_is_listed_with_an_example() {
    let failure = draft(&Answers::default()).finish(&Detected::default()).expect_err("nothing answered");
    insta::assert_snapshot!(failure.message(), @"answers are missing: --github, --visibility, --account, --region, --ecr-repository, --auth, --release, --publisher, --security-contact");
    insta::assert_snapshot!(failure.hints().join("\n"), @"
    add --github acme/secure-base-images
    add --visibility private
    add --account 123456789012
    add --region us-east-1
    add --ecr-repository acme/secure-base
    add --auth oidc
    add --release v1.0.0
    add --publisher 'Acme Ltd'
    add --security-contact security@acme.example
    or run it in a terminal and be asked
    ");
}

#[test]
fn every_bad_value_is_listed_at_once() {
    let given = Answers {
        github: Some("acme".into()),
        region: Some("us-est-1".into()),
        release: Some("1.0".into()),
        auth: Some("magic".into()),
        images: vec!["static-go".into(), "other".into()],
        security_contact: Some("call me".into()),
        ..full()
    };
    let failure = merge(&given, None, &products()).expect_err("six mistakes");
    assert_eq!(failure.message(), "6 answers can't be used");
    insta::assert_snapshot!(failure.reasons().join("\n"), @"
    --github: `acme` is not a GitHub repository: it is written OWNER/NAME
    --region: `us-est-1` is not an AWS region that has Amazon ECR
    --image: `other` is no product of this version: static-go
    --auth: `magic` is neither `oidc` nor `access-key`
    --release: `1.0` is not a release tag: it looks like v1.0.0 or v1.0.0-rc.1
    --security-contact: `call me` is no security contact: it has at most 254 characters, without white space, quotes and angle brackets
    ");
    assert_eq!(failure.hints(), ["did you mean `--region us-east-1`?"]);
}

#[test]
fn one_bad_value_is_the_whole_message() {
    let given = Answers { visibility: Some("secret".into()), ..full() };
    let failure = merge(&given, None, &products()).expect_err("a mistake");
    assert_eq!(failure.message(), "--visibility: `secret` is neither `private` nor `public`");
}

#[test]
fn a_product_that_the_file_names_and_this_version_lacks_is_named_by_its_key() {
    let config = draft(&full()).finish(&Detected::default()).expect("complete");
    let failure = merge(&Answers::default(), Some(&config), &[Choice::new("other", "")]).expect_err("unknown product");
    assert_eq!(failure.message(), "publish.images in sbi.toml: `static-go` is no product of this version: other");
}

#[test]
fn a_user_name_means_nothing_without_a_user() {
    let given = Answers { user_name: Some("ci".into()), ..full() };
    let failure = merge(&given, None, &products()).expect_err("no user with OIDC");
    assert_eq!(failure.message(), "--user-name: means nothing with `--auth oidc`");
    let given = Answers { read_role_name: Some("ci".into()), auth: Some("access-key".into()), ..full() };
    let failure = merge(&given, None, &products()).expect_err("no role with a key");
    assert_eq!(failure.message(), "--read-role-name: means nothing with `--auth access-key`");
}

#[test]
fn the_environment_can_be_refused() {
    let given = Answers { environment: Some("none".into()), ..full() };
    let draft = draft(&given);
    assert!(!draft.environment_is_open());
    assert_eq!(draft.finish(&Detected::default()).expect("complete").publish.environment, None);
}

#[test]
fn a_wrong_answer_leaves_the_draft_as_it_was() {
    let mut draft = draft(&full());
    let before = draft.clone();
    draft.answer(Field::Region, "mars").expect_err("no such region");
    draft.answer(Field::Region, "  ").expect_err("empty");
    assert_eq!(draft, before);
}

#[test]
fn contacts_are_mail_addresses_or_https_addresses() {
    let draft = draft(&full());
    for good in ["security@acme.example", "https://acme.example/security.txt", "a.b+c@sub.acme.example"] {
        draft.check(Field::SecurityContact, good).unwrap_or_else(|failure| panic!("{good}: {failure}"));
    }
    for bad in [
        "acme",
        "acme@",
        "@acme.example",
        "a@b@acme.example",
        "a@acme",
        "a@-acme.example",
        "http://acme.example",
        "https://user:word@acme.example",
        "javascript://acme.example",
        "a@acme.example\nX: y",
        "<a@acme.example>",
    ] {
        assert!(draft.check(Field::SecurityContact, bad).is_err(), "{bad} was taken");
    }
}

/// Texts near the truth, and texts that are far from it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "acme/base",
            "Acme/Base_2",
            "private",
            "public",
            "123456789012",
            "us-east-1",
            "static-go",
            "oidc",
            "access-key",
            "v1.0.0",
            "Acme Ltd",
            "security@acme.example",
            "none",
            "publish",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,20}",
        "\\PC{0,8}",
    ]
}

proptest! {
    /// Whatever is typed, in whatever order: a configuration, or one failure that lists exactly the open flags.
    #[test]
    fn any_answers_finish_or_list_every_missing_flag(
        typed in prop::collection::vec((prop::sample::select(Field::ALL.to_vec()), text()), 0..40),
        take_defaults: bool,
        know: bool,
    ) {
        let found = if know { detected() } else { Detected::default() };
        let mut draft = draft(&Answers::default());
        for (field, text) in typed {
            let _ = draft.answer(field, &text);
        }
        if take_defaults {
            draft.accept_defaults(&found);
        }
        let open = flags(&draft, &found);
        match draft.finish(&found) {
            Ok(config) => {
                prop_assert!(open.is_empty());
                prop_assert_eq!(Config::parse(&config.to_text()).expect("its own text"), config);
            }
            // All is answered, and two answers clash: the failure names a key of `sbi.toml`.
            Err(failure) if open.is_empty() => prop_assert!(failure.message().starts_with('`'), "{failure}"),
            Err(failure) => {
                for flag in &open {
                    let wanted = format!("add {flag} ");
                    prop_assert!(failure.hints().iter().any(|hint| hint.starts_with(&wanted)));
                }
                prop_assert_eq!(failure.hints().len(), open.len() + 1);
            }
        }
    }

    /// Taking every default, one after the other, always ends.
    #[test]
    fn a_default_is_always_a_valid_answer(remote in text(), login in text(), name in text(), email in text()) {
        let found = Detected {
            git_remote: Some(remote),
            github_login: Some(login),
            git_user_name: Some(name),
            git_email: Some(email),
            ..detected()
        };
        let mut draft = draft(&Answers::default());
        for _ in 0..20 {
            let Some(question) = draft.open_questions(&found).into_iter().find(|q| q.default.is_some()) else { break };
            let default = question.default.expect("filtered");
            prop_assert!(draft.answer(question.id, &default).is_ok(), "{} refuses its default {default}", question.flag);
        }
        prop_assert!(draft.open_questions(&found).iter().all(|question| question.default.is_none()));
    }

    /// Any repository's name makes a valid ECR name.
    #[test]
    fn any_github_repository_has_an_ecr_name(owner in "[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}[a-zA-Z0-9]", name in "[a-zA-Z0-9._-]{0,30}[a-zA-Z0-9][._-]{0,3}") {
        if let Ok(github) = GithubRepositoryName::new(&format!("{owner}/{name}")) {
            let made = ecr_name(&github);
            prop_assert!(EcrRepositoryName::new(made.clone()).is_ok(), "{made}");
        }
    }
}
