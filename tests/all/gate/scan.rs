//! What the scanner finds is what was planted, and only that stops a release.

use super::layout::{self, Image};
use super::runner::{Ended, Run};
use super::{ARCHITECTURES, REPOSITORY, World, debian_13};
use crate::support::trivy_database::{CRITICAL, Database, HIGH, MEDIUM};

/// Nothing of a release that was stopped is in the registry: neither its tag, nor its manifests by digest.
fn assert_nothing_is_public(world: &World, run: &Run) {
    assert_eq!(run.ended["publish"], Ended::Skipped, "{}", run.log);
    assert_eq!(world.registry.manifest(REPOSITORY, "v1.0.0").0, 404);
    for arch in ARCHITECTURES {
        let Ok(index) = std::fs::read(run.artifact(&format!("image-{arch}")).join("index.json")) else { continue };
        let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
        let digest = index["manifests"][0]["digest"].as_str().unwrap();
        assert_eq!(world.registry.manifest(REPOSITORY, digest).0, 404);
    }
    assert!(world.registry.stored().iter().all(|file| !file.contains(REPOSITORY)), "not one blob was sent");
}

/// The findings of one architecture's scan: CVE, package, severity, fixed version.
fn findings(run: &Run, arch: &str) -> Vec<(String, String, String, String)> {
    let report = std::fs::read(run.artifact(&format!("evidence-{arch}")).join("trivy.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    report["Results"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|result| result["Vulnerabilities"].as_array().into_iter().flatten())
        .map(|found| {
            let of = |key: &str| text(&found[key]);
            (of("VulnerabilityID"), of("PkgName"), of("Severity"), of("FixedVersion"))
        })
        .collect()
}

fn found(id: &str, package: &str, severity: &str, fixed: &str) -> (String, String, String, String) {
    (id.into(), package.into(), severity.into(), fixed.into())
}

#[test]
fn a_planted_critical_vulnerability_stops_the_release_and_nothing_reaches_the_registry() {
    let Some(world) = World::new() else { return };
    let database = Database::clean().debian("netbase", "CVE-2026-20001", CRITICAL, Some("6.6"));
    let mut run = world.release(&debian_13(), &database);
    run.all();
    run.assert_failed("scan", "::error title=Findings::");
    assert_nothing_is_public(&world, &run);
    for arch in ARCHITECTURES {
        assert_eq!(findings(&run, arch), [found("CVE-2026-20001", "netbase", "CRITICAL", "6.6")]);
    }
    // What stopped it is there to read, in the Security tab and in the run's summary.
    assert_eq!(run.ended["findings"], Ended::Success, "{}", run.log);
    let mut categories: Vec<&str> = run.uploads.iter().map(|upload| upload.category.as_str()).collect();
    categories.sort_unstable();
    assert_eq!(categories, ["static-go-amd64", "static-go-arm64"]);
    assert!(run.uploads.iter().all(|upload| upload.text.contains("CVE-2026-20001")));
    assert!(run.summary.contains("CVE-2026-20001"), "{}", run.summary);
}

#[test]
fn a_high_vulnerability_without_a_fix_stops_it_as_well_and_a_medium_one_does_not() {
    let Some(world) = World::new() else { return };
    let unfixed = Database::clean().debian("tzdata", "CVE-2026-20002", HIGH, None);
    let mut run = world.small_release(&debian_13(), &unfixed);
    run.all();
    run.assert_failed("scan", "::error title=Findings::");
    assert_eq!(findings(&run, "amd64"), [found("CVE-2026-20002", "tzdata", "HIGH", "")]);
    assert_nothing_is_public(&world, &run);

    let medium = Database::clean().debian("tzdata", "CVE-2026-20003", MEDIUM, Some("2027a-0"));
    let mut run = world.small_release(&debian_13(), &medium);
    run.all();
    run.assert_ended("scan", &Ended::Success);
    assert_eq!(findings(&run, "amd64"), [found("CVE-2026-20003", "tzdata", "MEDIUM", "2027a-0")]);
    run.assert_ended("publish", &Ended::Success);
}

#[test]
fn a_vulnerability_of_go_itself_is_found_in_a_static_program_of_either_architecture() {
    let Some(world) = World::new() else { return };
    let database = Database::clean().go_standard_library("CVE-2026-20004", CRITICAL, "9.9.9");
    let mut run = world.release(&debian_13(), &database);
    for arch in ARCHITECTURES {
        let Some(program) = layout::go_program(arch) else { return };
        let image = debian_13().file("usr/bin/hello", &program);
        run.provide("build", &format!("image-{arch}"), |folder| drop(image.write(folder, arch)));
    }
    run.all();
    run.assert_failed("scan", "::error title=Findings::");
    for arch in ARCHITECTURES {
        assert_eq!(findings(&run, arch), [found("CVE-2026-20004", "stdlib", "CRITICAL", "9.9.9")]);
    }
    assert_nothing_is_public(&world, &run);
}

#[test]
fn a_finding_of_one_architecture_stops_both() {
    let Some(world) = World::new() else { return };
    let database = Database::clean().debian("only-here", "CVE-2026-20005", CRITICAL, Some("2"));
    let mut run = world.release(&debian_13(), &database);
    run.provide("build", "image-arm64", |folder| {
        debian_13().package("only-here", "1").write(folder, "arm64");
    });
    run.all();
    run.assert_failed("scan", "::error title=Findings::");
    assert_eq!(findings(&run, "amd64"), []);
    assert_nothing_is_public(&world, &run);
}

#[test]
fn a_scanner_that_crashes_is_neither_a_finding_nor_a_pass() {
    let Some(world) = World::new() else { return };
    let crashes = |spoil: &dyn Fn(&mut Run)| {
        let mut run = world.small_release(&debian_13(), &Database::clean());
        spoil(&mut run);
        run.all();
        assert!(matches!(run.ended["scan"], Ended::Failure(_)), "{}", run.log);
        assert!(!run.log.contains("title=Findings"), "{}", run.log);
        assert_nothing_is_public(&world, &run);
        run
    };
    // A database that was cut off, and none at all.
    let spoils: [&dyn Fn(&mut Run); 3] = [
        &|run| std::fs::write(run.cache().join("db/trivy.db"), [0xED; 100]).unwrap(),
        &|run| std::fs::remove_dir_all(run.cache().join("db")).unwrap(),
        // A scanner that is killed.
        &|run| {
            run.program("trivy", "#!/bin/bash\nkill -KILL $$\n");
        },
    ];
    for spoil in spoils {
        assert!(crashes(spoil).uploads.is_empty(), "a scan that crashed has no report");
    }
    // The real one, killed while it writes the table that the gate is made of.
    let run = crashes(&|run| {
        let real = crate::support::tools::root().join("tests/tools/real/trivy");
        let program = format!(
            "#!/bin/bash\ncase \"$*\" in *--exit-code*) kill -KILL $$ ;; esac\nexec {} \"$@\"\n",
            real.display()
        );
        run.program("trivy", &program);
    });
    assert!(run.log.contains("title=Scan failed"), "{}", run.log);
}

#[test]
fn an_end_of_life_distribution_stops_the_release_though_it_has_no_finding() {
    let Some(world) = World::new() else { return };
    for (version, codename) in [("10", "buster"), ("11", "bullseye")] {
        let mut run = world.small_release(&Image::distroless(version, codename), &Database::clean());
        run.all();
        run.assert_failed("scan", "::error title=End of life::");
        assert_eq!(findings(&run, "amd64"), []);
        assert_nothing_is_public(&world, &run);
    }
}

#[test]
fn an_image_without_packages_is_a_failed_scan_and_not_a_clean_one() {
    let Some(world) = World::new() else { return };
    let mut run = world.small_release(&Image::empty(), &Database::clean());
    run.all();
    run.assert_failed("scan", "::error title=Empty scan::");
    assert_nothing_is_public(&world, &run);
}

#[test]
fn an_accepted_finding_passes_until_its_date_and_needs_a_reason() {
    let Some(world) = World::new() else { return };
    let database = Database::clean().debian("netbase", "CVE-2026-20006", CRITICAL, Some("6.6"));
    let release = |accepted: &str| {
        let mut run = world.small_release(&debian_13(), &database);
        let file = run.repository().join("images/static-go/accepted-findings.yaml");
        std::fs::write(file, accepted).unwrap();
        run.all();
        run
    };
    let entry = |rest: &str| format!("vulnerabilities:\n  - id: CVE-2026-20006\n{rest}");

    let run = release(&entry("    expired_at: 2020-01-01\n    statement: not reachable\n"));
    run.assert_failed("scan", "::error title=Findings::");
    assert_nothing_is_public(&world, &run);

    let run = release(&entry("    expired_at: 2120-01-01\n"));
    run.assert_failed("plan", "::error title=Unusable exception::");
    assert_nothing_is_public(&world, &run);

    let run = release(&entry("    expired_at: 2120-01-01\n    statement: not reachable\n"));
    run.assert_ended("scan", &Ended::Success);
    run.assert_ended("publish", &Ended::Success);
}

#[test]
fn the_packages_of_the_real_base_are_found_and_a_vulnerability_of_one_of_them_stops_the_release() {
    let Some(world) = World::new() else { return };
    let Some(base) = crate::support::bases::base("static-go", "amd64") else { return };
    let database = Database::clean().debian("base-files", "CVE-2026-20008", CRITICAL, Some("99"));
    let mut run = world.small_release(&debian_13(), &database);
    run.provide("build", "image-amd64", |folder| super::layout::copy(&base, folder));
    run.all();
    run.assert_failed("scan", "::error title=Findings::");
    assert_eq!(findings(&run, "amd64"), [found("CVE-2026-20008", "base-files", "CRITICAL", "99")]);
    assert_nothing_is_public(&world, &run);

    // The same bytes are published when the database knows nothing against them.
    Database::clean().write(&run.cache());
    run.all();
    run.assert_ended("publish", &Ended::Success);
    run.assert_ended("verify", &Ended::Success);
}
