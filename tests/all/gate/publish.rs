//! What is in the registry after a release, and after one that failed half-way.

use super::runner::Ended;
use super::{ARCHITECTURES, REPOSITORY, World, debian_13, layout};
use crate::support::trivy_database::Database;

#[test]
fn a_clean_image_is_published_as_the_very_bytes_that_were_scanned() {
    let Some(world) = World::new() else { return };
    let mut run = world.release(&debian_13(), &Database::clean());
    run.all();
    run.assert_ended("scan", &Ended::Success);
    run.assert_ended("publish", &Ended::Success);
    run.assert_ended("verify", &Ended::Success);
    // For `--nocapture`: where a release spends its time.
    for (step, took) in &run.took {
        println!("{:8.3} s  {step}", took.as_secs_f64());
    }

    let (status, index) = world.registry.manifest(REPOSITORY, "v1.0.0");
    assert_eq!(status, 200);
    let digest = format!("sha256:{}", layout::sha256(&index));
    assert_eq!(world.registry.manifest(REPOSITORY, &digest).1, index);
    assert!(run.summary.contains(&digest), "{}", run.summary);
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), ARCHITECTURES.len());
    for (number, arch) in ARCHITECTURES.iter().enumerate() {
        let entry = &index["manifests"][number];
        assert_eq!(entry["platform"]["architecture"], *arch);
        let scanned = std::fs::read(run.artifact(&format!("evidence-{arch}")).join("scanned.json")).unwrap();
        let scanned: serde_json::Value = serde_json::from_slice(&scanned).unwrap();
        assert_eq!(entry["digest"], scanned["digest"]);
        let digest = scanned["digest"].as_str().unwrap();
        let layout = run.artifact(&format!("image-{arch}"));
        let of_layout = |digest: &str| std::fs::read(layout.join("blobs").join(digest.replace(':', "/"))).unwrap();
        assert_eq!(world.registry.manifest(REPOSITORY, digest).1, of_layout(digest), "the manifest, byte for byte");
        let manifest = layout::blob(&layout, digest);
        for part in manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]) {
            let digest = part["digest"].as_str().unwrap();
            assert_eq!(world.registry.blob(REPOSITORY, digest).1, of_layout(digest), "{digest}");
        }
    }
    assert_eq!(world.registry.tags(REPOSITORY), ["v1.0.0"], "no other tag was ever set");
}

#[test]
fn a_registry_that_fails_at_any_write_leaves_no_tag_and_the_next_attempt_finishes() {
    let Some(world) = World::new() else { return };
    let mut run = world.small_release(&debian_13(), &Database::clean());
    run.all();
    run.assert_ended("publish", &Ended::Success);
    let digest = digest_of(&world, REPOSITORY);
    run.program("skopeo", AT_ONCE);
    let mut number = 0;
    loop {
        number += 1;
        let repository = format!("acme/attempt-{number}");
        run.secret("ECR_REPOSITORY", &repository);
        world.proxy.refuse_writes_from(Some(number));
        run.only(&["publish"]);
        if run.ended["publish"] == Ended::Success {
            // There is no such write: each one before it was refused once.
            assert_eq!(world.proxy.writes(), number - 1);
            break;
        }
        assert_eq!(world.registry.manifest(&repository, "v1.0.0").0, 404, "write {number}\n{}", run.log);

        world.proxy.refuse_writes_from(None);
        run.only(&["publish"]);
        run.assert_ended("publish", &Ended::Success);
        assert_eq!(digest_of(&world, &repository), digest, "write {number}");
        assert_eq!(world.registry.tags(&repository), ["v1.0.0"]);
    }
    assert!(number > 5, "blobs, manifest, index and tag are writes: {number}");
}

#[test]
fn a_tag_that_names_another_image_is_refused_and_stays_as_it_is() {
    let Some(world) = World::new() else { return };
    let other = tempfile::tempdir().unwrap();
    let taken = debian_13().package("older", "1").write(other.path(), "amd64");
    world.registry.publish(other.path(), &format!("{REPOSITORY}:v1.0.0"));
    let before = world.registry.stored();

    let mut run = world.small_release(&debian_13(), &Database::clean());
    run.all();
    run.assert_failed("publish", "::error title=Tag taken::");
    assert_eq!(world.registry.stored(), before, "not one byte was written");
    assert_eq!(digest_of(&world, REPOSITORY), taken);
}

#[test]
fn publishing_a_second_time_writes_nothing_and_succeeds() {
    let Some(world) = World::new() else { return };
    let mut run = world.small_release(&debian_13(), &Database::clean());
    run.all();
    run.assert_ended("publish", &Ended::Success);
    let before = world.registry.stored();
    world.proxy.refuse_writes_from(Some(1));
    run.only(&["publish"]);
    run.assert_ended("publish", &Ended::Success);
    assert_eq!(world.proxy.writes(), 0);
    assert_eq!(world.registry.stored(), before);
}

#[test]
fn bytes_that_changed_after_the_scan_are_not_published() {
    let Some(world) = World::new() else { return };
    let mut run = world.release(&debian_13(), &Database::clean());
    run.only(&["plan", "build", "scan"]);
    run.assert_ended("scan", &Ended::Success);
    // Another sound image in the place of the scanned one: every blob hashes to its name.
    run.provide("build", "image-arm64", |folder| {
        debian_13().package("slipped-in", "1").write(folder, "arm64");
    });
    run.only(&["publish"]);
    run.assert_failed("publish", "::error title=Not what was scanned::");
    assert_eq!(world.registry.tags(REPOSITORY), [""; 0]);
    assert_eq!(world.proxy.writes(), 0);
}

/// The copier without its pauses between attempts: seconds for each of the writes that are refused.
const AT_ONCE: &str = "#!/bin/bash
words=()
for word in \"$@\"; do
  [ \"${words[-1]:-}\" != --retry-times ] || word=0
  words+=(\"$word\")
done
exec /usr/bin/skopeo \"${words[@]}\"
";

/// The digest that the registry has for the released tag.
fn digest_of(world: &World, repository: &str) -> String {
    let (status, manifest) = world.registry.manifest(repository, "v1.0.0");
    assert_eq!(status, 200, "{repository}");
    format!("sha256:{}", layout::sha256(&manifest))
}
