//! The nights after a release: what became known since then is told once, and is taken back when it is mended.

use std::path::Path;

use serde_json::{Value, json};

use super::layout::{self, Image};
use super::runner::{Ended, Run};
use super::{ARCHITECTURES, REPOSITORY, World, config, debian_13};
use crate::support::tools::root;
use crate::support::trivy_database::{CRITICAL, Database, HIGH};

const JOBS: [&str; 4] = ["fetch", "scan", "findings", "issue"];

/// The issues of a repository, from night to night.
struct Issues {
    folder: tempfile::TempDir,
    list: Vec<Value>,
}

impl Issues {
    fn none() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("posted")).unwrap();
        Self { folder, list: Vec::new() }
    }

    /// Runs the night before these issues, and returns what it changed: the call and what was sent.
    fn after(&mut self, run: &mut Run) -> Vec<(String, Value)> {
        let at = |name: &str| self.folder.path().join(name);
        std::fs::write(at("issues"), json!(self.list).to_string()).unwrap();
        std::fs::write(at("calls"), "").unwrap();
        run.program("gh", &std::fs::read_to_string(root().join("tests/tools/stand-ins/gh")).unwrap());
        for (name, file) in [("CALLS", "calls"), ("GH_ISSUES", "issues"), ("GH_POSTED", "posted")] {
            run.give(name, &at(file).display().to_string());
        }
        run.all();
        let mut posted: Vec<_> = std::fs::read_dir(at("posted")).unwrap().map(|file| file.unwrap().path()).collect();
        posted.sort();
        let calls: Vec<(String, Value)> = posted.iter().map(|file| taken(file)).collect();
        for (call, sent) in &calls {
            match call.as_str() {
                "POST repos/acme/base-images/issues" => {
                    let mut issue = sent.clone();
                    issue["number"] = json!(7);
                    issue["state"] = json!("open");
                    issue["user"] = json!({"login": "github-actions[bot]"});
                    self.list.push(issue);
                }
                "PATCH repos/acme/base-images/issues/7" => {
                    let issue = self.list[0].as_object_mut().unwrap();
                    issue.extend(sent.as_object().unwrap().clone());
                }
                "POST repos/acme/base-images/issues/7/comments" => {}
                other => panic!("nobody expects {other}"),
            }
        }
        calls
    }
}

/// Reads and removes a call that the stand-in kept.
fn taken(file: &Path) -> (String, Value) {
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::remove_file(file).unwrap();
    let (call, sent) = text.split_once('\n').unwrap();
    (call.to_owned(), serde_json::from_str(sent).unwrap())
}

fn categories(run: &Run) -> Vec<&str> {
    let mut categories: Vec<&str> = run.uploads.iter().map(|upload| upload.category.as_str()).collect();
    categories.sort_unstable();
    categories
}

/// A vulnerability with a fix and one without, which nobody knew on the day of the release.
fn known_since() -> Database {
    Database::clean().debian("netbase", "CVE-2026-20101", CRITICAL, Some("6.6")).debian(
        "tzdata",
        "CVE-2026-20102",
        HIGH,
        None,
    )
}

/// Puts a release into the registry whose pipeline nobody needs to see, and returns its digest.
fn released(world: &World, image: &Image, tag: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let digest = image.write_release(folder.path(), &["amd64"]);
    world.registry.publish(folder.path(), &format!("{REPOSITORY}:{tag}"));
    digest
}

/// A night of a repository that publishes for one architecture.
fn night(world: &World, database: &Database) -> Run {
    world.night(&config("oidc", "none", &["amd64"]), database)
}

#[test]
fn what_became_known_since_the_release_is_told_once_and_closed_when_it_is_mended() {
    let Some(world) = World::new() else { return };
    let mut release = world.release(&debian_13(), &Database::clean());
    release.all();
    release.assert_ended("verify", &Ended::Success);
    let (_, index) = world.registry.manifest(REPOSITORY, "v1.0.0");
    let mut digests = vec![format!("sha256:{}", layout::sha256(&index))];
    let index: Value = serde_json::from_slice(&index).unwrap();
    digests.extend(ARCHITECTURES.iter().enumerate().map(|(number, arch)| {
        assert_eq!(index["manifests"][number]["platform"]["architecture"], *arch);
        index["manifests"][number]["digest"].as_str().unwrap().to_owned()
    }));
    let stored = world.registry.stored();
    world.proxy.refuse_writes_from(Some(1));

    let mut issues = Issues::none();
    let mut run = world.night(&config("oidc", "none", &ARCHITECTURES), &known_since());
    let calls = issues.after(&mut run);
    // Findings are an issue and no failure.
    for job in JOBS {
        run.assert_ended(job, &Ended::Success);
    }
    assert_eq!(run.roles, [("fetch".into(), "arn:aws:iam::123456789012:role/sbi-read-acme-base-images".into())]);
    // Code scanning closes an alert when a later report of the same category has it no more.
    assert_eq!(categories(&run), categories(&release));
    assert!(run.uploads.iter().all(|upload| upload.text.contains("CVE-2026-20101")));
    let [(call, sent)] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(call, "POST repos/acme/base-images/issues");
    let body = sent["body"].as_str().unwrap();
    for words in [
        "https://www.cve.org/CVERecord?id=CVE-2026-20101",
        // The version that has the fix, with the entities that keep foreign text from being markup.
        "<code>6&#46;6</code> | amd64, arm64 |",
        "without a fix so far: 1.",
        "gh release create v1.0.1 --repo acme/base-images",
    ] {
        assert!(body.contains(words), "`{words}` is missing in {body}");
    }
    assert!(!body.contains("CVE-2026-20102"), "nobody can mend it by a release: {body}");
    for digest in &digests {
        assert!(body.contains(digest.as_str()), "{digest} is missing in {body}");
    }

    // The next night, with an access key this time, has nothing to add.
    let mut run = world.night(&config("access-key", "none", &ARCHITECTURES), &known_since());
    assert_eq!(issues.after(&mut run), []);
    for job in JOBS {
        run.assert_ended(job, &Ended::Success);
    }
    assert_eq!(run.roles, []);
    assert_eq!(categories(&run), categories(&release));

    // Mended, or taken back by those who reported it.
    let mut run = world.night(&config("oidc", "none", &ARCHITECTURES), &Database::clean());
    let calls = issues.after(&mut run);
    run.assert_ended("issue", &Ended::Success);
    assert_eq!(calls.last().unwrap().1["state"], "closed", "{calls:?}");
    assert_eq!(issues.list.len(), 1);
    assert_eq!(issues.list[0]["state"], "closed");
    assert_eq!(categories(&run), categories(&release), "the reports that close the alerts");

    assert_eq!(world.proxy.writes(), 0);
    assert_eq!(world.registry.stored(), stored, "a night only reads");
}

#[test]
fn a_scanner_that_crashes_makes_the_night_red_and_closes_no_issue() {
    let Some(world) = World::new() else { return };
    released(&world, &debian_13(), "v1.0.0");
    let mut issues = Issues::none();
    issues.after(&mut night(&world, &known_since()));
    assert_eq!(issues.list.len(), 1);

    let spoils: [&dyn Fn(&mut Run); 2] =
        [&|run| std::fs::write(run.cache().join("db/trivy.db"), [0xED; 100]).unwrap(), &|run| {
            run.program("trivy", "#!/bin/bash\nkill -KILL $$\n");
        }];
    for spoil in spoils {
        // A scan that told nothing looks like a clean one to those who don't ask how it ended.
        let mut run = night(&world, &Database::clean());
        spoil(&mut run);
        // Nothing is known, so the issue stays as it is: open, with what was found last.
        assert_eq!(issues.after(&mut run), []);
        run.assert_ended("fetch", &Ended::Success);
        run.assert_ended("scan", &Ended::Failure("Scan once".into()));
        assert_eq!(run.uploads.len(), 0);
        run.assert_ended("issue", &Ended::Success);
        assert!(run.log.contains("The issue is as it should be."), "{}", run.log);
    }
}

#[test]
fn an_end_of_life_distribution_is_a_reason_of_its_own() {
    let Some(world) = World::new() else { return };
    let digest = released(&world, &Image::distroless("11", "bullseye"), "v1.0.0");
    let mut issues = Issues::none();
    let mut run = night(&world, &Database::clean());
    issues.after(&mut run);
    for job in JOBS {
        run.assert_ended(job, &Ended::Success);
    }
    let body = issues.list[0]["body"].as_str().unwrap();
    assert!(body.contains("The distribution in this release gets no more fixes."), "{body}");
    assert!(body.contains("move `images/static-go` to a newer base") && body.contains(&digest), "{body}");
    assert!(!body.contains("| severity |"), "there is no finding: {body}");
}

#[test]
fn of_two_versions_only_the_newest_is_scanned() {
    let Some(world) = World::new() else { return };
    let database = Database::clean().debian("only-in-old", "CVE-2026-20103", CRITICAL, Some("2")).debian(
        "only-in-new",
        "CVE-2026-20104",
        CRITICAL,
        Some("2"),
    );
    // In this order and by these names the newest is neither the last that was pushed nor the last by its letters.
    let newest = released(&world, &debian_13().package("only-in-new", "1"), "v1.0.10");
    let old = released(&world, &debian_13().package("only-in-old", "1"), "v1.0.9");
    let mut issues = Issues::none();
    let mut run = night(&world, &database);
    issues.after(&mut run);
    run.assert_ended("issue", &Ended::Success);
    let body = issues.list[0]["body"].as_str().unwrap();
    assert!(body.contains("## static-go v1.0.10") && body.contains(&newest), "{body}");
    assert!(body.contains("CVE-2026-20104") && body.contains("gh release create v1.0.11 "), "{body}");
    assert!(!body.contains("CVE-2026-20103") && !body.contains(&old), "{body}");
    assert!(run.uploads.iter().all(|upload| !upload.text.contains("CVE-2026-20103")));
}

#[test]
fn where_nothing_is_released_the_night_ends_well_and_asks_nobody() {
    let Some(world) = World::new() else { return };
    for auth in ["oidc", "access-key"] {
        let mut run = world.night(&config(auth, "none", &["amd64"]), &known_since());
        assert_eq!(Issues::none().after(&mut run), []);
        run.assert_ended("fetch", &Ended::Success);
        for job in ["scan", "findings", "issue"] {
            run.assert_ended(job, &Ended::Skipped);
        }
        assert!(run.summary.contains("there is nothing to scan"), "{}", run.summary);
    }
}

#[test]
fn a_registry_whose_bytes_are_not_what_the_digest_says_is_refused() {
    // What lies: the index, the manifest, a layer. The other's are sound and would pass for themselves.
    for lie in ["index", "manifest", "layer"] {
        let Some(world) = World::new() else { return };
        let [honest, other] =
            [(debian_13().package("gone", "1"), "v1.0.0"), (debian_13(), "v0.9.0")].map(|(image, tag)| {
                let folder = tempfile::tempdir().unwrap();
                let index = image.write_release(folder.path(), &["amd64"]);
                let manifest =
                    layout::blob(folder.path(), &index)["manifests"][0]["digest"].as_str().unwrap().to_owned();
                let layer = layout::blob(folder.path(), &manifest)["layers"][0]["digest"].as_str().unwrap().to_owned();
                world.registry.publish(folder.path(), &format!("{REPOSITORY}:{tag}"));
                match lie {
                    "index" => index,
                    "manifest" => manifest,
                    _ => layer,
                }
            });
        world.registry.serve_instead(&honest, &other);
        let mut run = night(&world, &Database::clean().debian("gone", "CVE-2026-20105", CRITICAL, Some("2")));
        assert_eq!(Issues::none().after(&mut run), [], "{lie}");
        run.assert_ended("fetch", &Ended::Failure("Copy the supported releases".into()));
        run.assert_ended("scan", &Ended::Skipped);
        assert_eq!(run.uploads.len(), 0, "{lie}");
    }
}
