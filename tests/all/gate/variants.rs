//! The other answers to the questions of `init`, each through a whole good release.

use sbi::model::config::{Config, Visibility};
use sbi::model::names::{EcrRepositoryName, ImageName};
use sbi::model::secrets::ACCESS_KEY_SECRET;

use super::layout::sha256;
use super::runner::{Ended, Run};
use super::{REPOSITORY, World, config, debian_13};
use crate::support::trivy_database::Database;

const ONE: [&str; 1] = ["amd64"];

/// Runs the release and asserts that this repository holds it, under no other tag.
fn assert_releases(world: &World, run: &mut Run, repository: &str) {
    run.all();
    run.assert_ended("publish", &Ended::Success);
    run.assert_ended("verify", &Ended::Success);
    let (status, index) = world.registry.manifest(repository, "v1.0.0");
    assert_eq!(status, 200, "{repository}");
    assert_eq!(world.registry.tags(repository), ["v1.0.0"]);
    let digest = format!("sha256:{}", sha256(&index));
    assert!(run.summary.contains(&format!("/{repository}:v1.0.0@{digest}")), "{}", run.summary);
}

fn release_of(world: &World, config: &Config) -> Run {
    world.release_of(config, &debian_13(), &Database::clean())
}

#[test]
fn with_a_role_each_job_assumes_its_own_and_with_an_access_key_none() {
    let Some(world) = World::new() else { return };
    let mut run = release_of(&world, &config("access-key", "none", &ONE));
    assert_releases(&world, &mut run, REPOSITORY);
    assert_eq!(run.roles, []);

    // Without the access key, which a repository with a role has not.
    let Some(world) = World::new() else { return };
    let mut run = release_of(&world, &config("oidc", "none", &ONE));
    run.secret(ACCESS_KEY_SECRET, "");
    assert_releases(&world, &mut run, REPOSITORY);
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    assert_eq!(
        run.roles,
        [
            ("publish".to_owned(), role("sbi-publish-acme-base-images")),
            ("verify".to_owned(), role("sbi-read-acme-base-images"))
        ]
    );
}

#[test]
fn an_access_key_that_is_missing_or_half_there_publishes_nothing() {
    let Some(world) = World::new() else { return };
    for unusable in ["", "AKIAEXAMPLE", "AKIAEXAMPLE\n", "\n"] {
        let mut run = release_of(&world, &config("access-key", "none", &ONE));
        run.secret(ACCESS_KEY_SECRET, unusable);
        run.all();
        run.assert_failed("publish", "::error title=No access key::");
        run.assert_ended("verify", &Ended::Skipped);
    }
    assert_eq!(world.proxy.writes(), 0);
}

#[test]
fn an_access_key_that_was_pasted_with_other_line_ends_publishes() {
    let Some(world) = World::new() else { return };
    let mut run = release_of(&world, &config("access-key", "none", &ONE));
    run.secret(ACCESS_KEY_SECRET, "AKIAEXAMPLE\r\na-secret-for-years\r\n");
    assert_releases(&world, &mut run, REPOSITORY);
}

#[test]
fn of_two_images_the_one_that_the_tag_names_goes_to_its_own_repository_and_the_other_stays_empty() {
    let Some(world) = World::new() else { return };
    let mut config = config("oidc", "none", &ONE);
    config.publish.images = ["static-go", "base-go"].map(|name| ImageName::new(name).unwrap()).into();
    config.ecr.repository = EcrRepositoryName::new("acme/images").unwrap();
    let mut run = world.unbuilt(&config, "base-go/v1.0.0", &Database::clean());
    // With several images the repository is in the workflow, so this secret is not there.
    run.secret("ECR_REPOSITORY", "");
    run.provide("build", "image-amd64", |folder| drop(debian_13().write(folder, "amd64")));
    assert_releases(&world, &mut run, "acme/images/base-go");
    assert_eq!(world.registry.manifest("acme/images/static-go", "v1.0.0").0, 404);
    assert!(world.registry.stored().iter().all(|file| !file.contains("acme/images/static-go")));
    assert_eq!(run.uploads.iter().map(|upload| upload.category.as_str()).collect::<Vec<_>>(), ["base-go-amd64"]);

    // A tag without an image, or of one that nobody publishes here, gets no further than the plan.
    for tag in ["v1.0.1", "static-rust/v1.0.1"] {
        let mut run = world.unbuilt(&config, tag, &Database::clean());
        run.provide("build", "image-amd64", |folder| drop(debian_13().write(folder, "amd64")));
        run.only(&["plan"]);
        run.assert_failed("plan", "::error title=Unusable tag::");
    }
}

#[test]
fn a_private_repository_without_environments_and_signatures_releases_and_uploads_no_report() {
    let Some(world) = World::new() else { return };
    for auth in ["oidc", "access-key"] {
        let mut config = config(auth, "none", &ONE);
        config.github.visibility = Visibility::Private;
        config.publish.environment = None;
        config.ecr.repository = EcrRepositoryName::new(format!("acme/{auth}")).unwrap();
        let mut run = release_of(&world, &config);
        run.secret("ECR_REPOSITORY", &format!("acme/{auth}"));
        assert_releases(&world, &mut run, &format!("acme/{auth}"));
        run.assert_ended("findings", &Ended::Skipped);
        assert_eq!(run.uploads.len(), 0, "code scanning costs money in a private repository");
    }
}
