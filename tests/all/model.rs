//! Names, regions, files and documents: what the services' own rules say, by example and by property.

use proptest::prelude::*;
use sbi::model::config::{Architecture, Auth, Config};
use sbi::model::git::BlobId;
use sbi::model::iam::{PolicyDocument, literal};
use sbi::model::lock::Lock;
use sbi::model::names::{
    AccountId, Digest, EcrRepositoryName, EnvironmentName, GithubRepositoryName, ImageName, ReleaseTag, RoleName,
    UserName,
};
use sbi::model::pins::Pins;
use sbi::model::region::{Partition, Region};

use crate::support::world::{config, config_of};

#[track_caller]
fn reason<T>(result: Result<T, sbi::failure::Failure>) -> String {
    match result {
        Ok(_) => panic!("accepted"),
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn repository_names_keep_to_ecrs_rules() {
    for good in ["ab", "acme/base", "a/b/c", "acme/secure-base.images_v2", "0/1"] {
        assert!(EcrRepositoryName::new(good).is_ok(), "{good}");
    }
    insta::assert_snapshot!(
        ["a", "Acme/base", "acme//base", "/acme", "acme/", "acme/-base", "a--b", "a__b", "a._b", "acme base"]
            .map(|bad| reason(EcrRepositoryName::new(bad)))
            .join("\n"),
        @r"
    `a` is not an ECR repository name: it has 2 to 256 characters
    `Acme/base` is not an ECR repository name: `A` is not allowed, only lower-case letters, digits and `. _ - /`
    `acme//base` is not an ECR repository name: each part between slashes starts and ends with a letter or a digit
    `/acme` is not an ECR repository name: each part between slashes starts and ends with a letter or a digit
    `acme/` is not an ECR repository name: each part between slashes starts and ends with a letter or a digit
    `acme/-base` is not an ECR repository name: each part between slashes starts and ends with a letter or a digit
    `a--b` is not an ECR repository name: `--` can't join two words, only a single `.`, `_` or `-`
    `a__b` is not an ECR repository name: `__` can't join two words, only a single `.`, `_` or `-`
    `a._b` is not an ECR repository name: `._` can't join two words, only a single `.`, `_` or `-`
    `acme base` is not an ECR repository name: ` ` is not allowed, only lower-case letters, digits and `. _ - /`
    "
    );
}

#[test]
fn release_tags_are_versions_and_the_next_one_is_a_patch_later() {
    for good in ["v0.0.0", "v1.0.0", "v10.20.30", "v1.0.0-rc.1", "v1.0.0-a-b"] {
        assert!(ReleaseTag::new(good).is_ok(), "{good}");
    }
    for bad in ["1.0.0", "v1", "v1.0", "v01.0.0", "v1.0.0-", "v1.0.0-a..b", "v1.0.0\n", "x/v1;rm -rf", "v1.0.0 "] {
        assert!(ReleaseTag::new(bad).is_err(), "{bad}");
    }
    assert_eq!(ReleaseTag::new("v1.2.9-rc.1").unwrap().next_patch().as_str(), "v1.2.10");
}

#[test]
fn other_names_keep_to_their_services_rules() {
    assert!(AccountId::new("123456789012").is_ok());
    assert!(AccountId::new("1234-5678-9012").is_err());
    assert!(RoleName::new("a".repeat(64)).is_ok());
    assert!(RoleName::new("a".repeat(65)).is_err());
    assert!(reason(RoleName::new("GitHubActions")).contains("refuses"));
    assert!(UserName::new("a b").is_err());
    assert!(ImageName::new("static-go").is_ok());
    assert!(ImageName::new("Static--go").is_err());
    assert!(EnvironmentName::new("publish").is_ok());
    assert!(EnvironmentName::new("a/b").is_err());
    assert!(GithubRepositoryName::new("acme/secure-base-images").is_ok());
    for bad in ["acme", "acme/", "/base", "acme/base/x", "-acme/base", "acme/..", "acme/base.git", "ac me/base"] {
        assert!(GithubRepositoryName::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_unknown_region_is_refused_with_the_nearest_one() {
    assert_eq!(Region::new("cn-north-1").unwrap().partition(), Partition::AwsCn);
    assert_eq!(Region::new("us-gov-west-1").unwrap().partition().id(), "aws-us-gov");
    let failure = Region::new("eu-cental-1").unwrap_err();
    assert_eq!(failure.hints(), ["did you mean `--region eu-central-1`?"]);
    let failure = Region::new("the moon").unwrap_err();
    assert_eq!(failure.hints(), ["regions look like us-east-1 or eu-central-1"]);
}

#[test]
fn a_configuration_is_read_back_as_it_was_written() {
    for auth in [Auth::Oidc, Auth::AccessKey] {
        let config = config(auth);
        assert_eq!(Config::parse(&config.to_text()).unwrap(), config);
    }
    let text = config(Auth::Oidc).to_text().replace("region =", "regoin =");
    let failure = Config::parse(&text).unwrap_err();
    assert!(failure.reasons().join("\n").contains("regoin"), "{:?}", failure.reasons());
}

#[test]
fn names_that_follow_from_the_configuration() {
    let mut config = config(Auth::Oidc);
    assert_eq!(config.ecr_registry(), "123456789012.dkr.ecr.eu-central-1.amazonaws.com");
    assert_eq!(
        config.ecr_repository_arn(&config.ecr.repository),
        "arn:aws:ecr:eu-central-1:123456789012:repository/acme/bases"
    );
    assert_eq!(config.role().as_str(), "sbi-publish-acme-bases");
    config.aws.region = "cn-north-1".parse().unwrap();
    assert_eq!(config.ecr_registry(), "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn");
    assert_eq!(config.iam_arn("role/x"), "arn:aws-cn:iam::123456789012:role/x");
}

#[test]
fn a_configuration_whose_values_clash_is_refused_with_the_key() {
    let refused = |auth: Auth, edit: &dyn Fn(&mut Config)| {
        let mut config = config_of(auth, &["static-go", "base-go"]);
        edit(&mut config);
        let failure = Config::parse(&config.to_text()).unwrap_err();
        assert_eq!(config.check().unwrap_err().message(), failure.message().trim_start_matches("read sbi.toml: "));
        assert_eq!(failure.hints(), ["mend the file, or move it away and run `sbi init` again"]);
        failure.message().trim_start_matches("read sbi.toml: ").to_owned()
    };
    let image = |name: &str| name.parse::<sbi::model::names::ImageName>().unwrap();
    let oidc = |edit: &dyn Fn(&mut Config)| refused(Auth::Oidc, edit);
    assert_eq!(oidc(&|config| config.publish.images.clear()), "`publish.images` names no image");
    assert_eq!(
        oidc(&|config| config.publish.images.push(image("static-go"))),
        "`publish.images` names static-go twice"
    );
    assert_eq!(
        oidc(&|config| drop(config.ecr.repositories.insert(image("other"), "a/b".parse().unwrap()))),
        "`ecr.repositories` has a place for other, which `publish.images` lacks"
    );
    assert_eq!(
        oidc(&|config| {
            config.ecr.repositories.insert(image("static-go"), "acme/bases/base-go".parse().unwrap());
        }),
        "`ecr.repositories` sends two images to acme/bases/base-go: their tags would meet there"
    );
    assert_eq!(
        oidc(&|config| config.ecr.repository = "a".repeat(250).parse().unwrap()),
        "`ecr.repository` makes a name of 260 characters for static-go, ECR takes 256"
    );
    assert_eq!(
        oidc(&|config| config.publish.architectures = Some(Vec::new())),
        "`publish.architectures` names no architecture"
    );
    let twice = vec![Architecture::Arm64, Architecture::Amd64, Architecture::Arm64];
    assert_eq!(
        oidc(&|config| config.publish.architectures = Some(twice.clone())),
        "`publish.architectures` names arm64 twice"
    );
    assert_eq!(
        oidc(&|config| config.aws.read_role = Some(config.role())),
        "`aws.read-role` is the publishing role too: sbi-publish-acme-bases would read and push"
    );
    assert_eq!(
        refused(Auth::AccessKey, &|config| config.publish.environment = Some("rescan".parse().unwrap())),
        "`publish.environment` can't be `rescan`: the nightly scan runs there"
    );
    // Alone, an image may keep the whole length, and the name of the nightly scan's environment is free with OIDC.
    let mut fine = config(Auth::Oidc);
    fine.ecr.repository = "a".repeat(256).parse().unwrap();
    fine.publish.environment = Some("rescan".parse().unwrap());
    fine.check().unwrap();
}

#[test]
fn a_branch_that_looks_like_a_pattern_is_taken_for_itself() {
    assert_eq!(literal("release/1.0"), "release/1.0");
    assert_eq!(literal("a${aws:username}*?"), "a${$}{aws:username}${*}${?}");
}

/// A long name is cut, and two that differ only behind the cut stay apart.
#[test]
fn long_repository_names_still_get_identities_of_their_own() {
    let named = |end: &str| {
        let mut config = config(Auth::Oidc);
        config.github.repository = format!("{}/{}{end}", "o".repeat(39), "r".repeat(90)).parse().unwrap();
        config.role().as_str().to_owned()
    };
    let (one, other) = (named("a"), named("b"));
    assert!(one.len() <= 64 && other.len() <= 64);
    assert_ne!(one, other);
}

#[test]
fn blob_ids_are_gits() {
    // `printf 'hello\n' | git hash-object --stdin`
    assert_eq!(BlobId::of(b"hello\n").as_str(), "ce013625030ba8dba906f756967f9e9ca394464a");
    assert_eq!(BlobId::of(b"").as_str(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

#[test]
fn a_lock_is_read_back_as_it_was_written() {
    let mut images = Pins::default();
    images.insert("gcr.io/distroless/static:nonroot", Digest::new(format!("sha256:{}", "a".repeat(64))).unwrap());
    let lock = Lock {
        repository: Some("acme/base".parse().unwrap()),
        templates: "1.2.3".into(),
        files: [("a/b.yml".to_owned(), BlobId::of(b"x"))].into(),
        uploaded: [("AWS_REGION".to_owned(), "sha256:0".to_owned())].into(),
        images,
        told: [("a/b.yml".to_owned(), BlobId::of(b"y"))].into(),
        texts: [("a/b.yml".to_owned(), "x # \"quoted\"\r\n\nlast".to_owned())].into(),
    };
    assert_eq!(Lock::parse(&lock.to_text()).unwrap(), lock);
    let mut kept = lock.clone();
    kept.retain_texts();
    assert!(kept.texts.is_empty(), "a text that is no base any more");
}

#[test]
fn documents_are_compared_by_meaning() {
    let document = |text: &str| PolicyDocument::parse(text).unwrap();
    let one = document(
        r#"{"Version":"2012-10-17","Statement":[
            {"Sid":"A","Effect":"Allow","Action":["b:Two","a:One"],"Resource":"*"},
            {"Effect":"Allow","Action":"c:Three","Resource":["x"],
             "Condition":{"Bool":{"aws:SecureTransport":true}}}]}"#,
    );
    let same = document(
        r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":["c:Three"],"Resource":"x",
             "Condition":{"Bool":{"aws:SecureTransport":["true"]}}},
            {"Sid":"B","Effect":"Allow","Action":["a:One","b:Two"],"Resource":["*"]}]}"#,
    );
    assert_eq!(one, same);
    let wider = document(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["a:One","b:Two"],"Resource":"*"}}"#,
    );
    assert_ne!(one, wider);
    assert!(PolicyDocument::parse(r#"{"Version":"2012-10-17","Statement":[],"Extra":1}"#).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_repository_name_is_what_ecrs_pattern_matches(text in "[a-z0-9._/-]{0,12}") {
        let accepted = EcrRepositoryName::new(text.clone()).is_ok();
        prop_assert_eq!(accepted, text.len() >= 2 && matches_ecr_pattern(&text), "{}", text);
    }

    #[test]
    fn no_text_makes_a_name_panic(text in any::<String>()) {
        let _ = EcrRepositoryName::new(text.clone());
        let _ = GithubRepositoryName::new(&text);
        let _ = ReleaseTag::new(text.clone());
        let _ = Region::new(&text);
        let _ = Config::parse(&text);
        let _ = PolicyDocument::parse(&text);
    }
}

/// `(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*`, the pattern that the Amazon ECR API reference
/// gives for `repositoryName`: words joined by single separators, in parts joined by slashes.
fn matches_ecr_pattern(text: &str) -> bool {
    text.split('/').all(|part| {
        part.split(['.', '_', '-']).all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()))
    })
}

/// The reminder's one right more: the dates of the user's own keys.
#[test]
fn a_reminder_of_old_keys_lets_the_user_see_its_own_keys_and_nothing_else() {
    let mut config = crate::support::world::config(sbi::model::config::Auth::AccessKey);
    let before = sbi::model::identity::publishing_policy(&config);
    config.publish.key_max_age_days = Some(90);
    config.check().unwrap();
    let mut after = sbi::model::identity::publishing_policy(&config);
    let more = after.statements.pop().unwrap();
    assert_eq!(after, before);
    let text = sbi::model::iam::PolicyDocument::new(vec![more]).to_json();
    assert!(text.contains("iam:ListAccessKeys"), "{text}");
    assert!(text.contains("arn:aws:iam::123456789012:user/sbi-publish-acme-bases"), "{text}");
    config.publish.auth = sbi::model::config::Auth::Oidc;
    assert!(config.check().unwrap_err().message().contains("needs an access key"));
}

/// A token that writes workflows is no secret that every workflow may read.
#[test]
fn a_weekly_update_needs_an_environment_of_its_own() {
    let mut config = crate::support::world::config(sbi::model::config::Auth::Oidc);
    config.publish.update_program =
        Some(format!("https://downloads.acme.example/sbi#sha256={}", "0a".repeat(32)).parse().unwrap());
    config.check().unwrap();
    assert_eq!(config.update_environment().unwrap().as_str(), "update");
    assert_eq!(Config::parse(&config.to_text()).unwrap(), config);
    config.publish.environment = Some("update".parse().unwrap());
    assert!(config.check().unwrap_err().message().contains("publish.environment"));
    config.publish.environment = None;
    assert!(config.check().unwrap_err().message().contains("publish.update-program"));
}
