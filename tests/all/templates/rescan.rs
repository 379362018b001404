//! The nightly workflow: every script executed with stand-ins for the registry, the scanner and GitHub, on good nights
//! and on bad ones.

mod issue;
mod runner;

use std::path::Path;

use sbi::model::config::{Auth, Visibility};
use sbi::templates::RESCAN_WORKFLOW;
use serde_json::{Value, json};

use super::documents::{config, matrix};
use super::{public, rendered, text};
use runner::{Runner, rescan, sha256, write_layout};

const FIND: &str = "fetch: Find the supported releases";
const COPY: &str = "fetch: Copy the supported releases";
const NAME: &str = "scan: Name what is scanned";
const SCAN: &str = "scan: Scan once";
const REPORT: &str = "scan: Write the report";

fn digest_of(character: &str) -> String {
    format!("sha256:{}", character.repeat(64))
}

/// What `aws ecr describe-images` answers: each digest with its tags.
fn listed(images: &[(&str, &[&str])]) -> Value {
    let details: Vec<Value> =
        images.iter().map(|(digest, tags)| json!({"imageDigest": digest, "imageTags": tags})).collect();
    json!({"imageDetails": details})
}

/// A runner of the job that reads, and what the registry lists of each ECR repository.
fn fetching(answers: &[(&str, Value)]) -> Runner {
    let mut runner = Runner::new();
    for (repository, answer) in answers {
        let path = Path::new(&runner.at("images")).join(repository);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, answer.to_string()).unwrap();
    }
    let images = runner.at("images");
    for (name, value) in [
        ("AWS_IMAGES", images.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "very-secret"),
        ("AWS_SESSION_TOKEN", "very-secret-too"),
    ] {
        runner.set(name, value);
    }
    runner
}

fn releases(runner: &Runner) -> Value {
    serde_json::from_str(&runner.read("work/releases/releases.json")).unwrap()
}

/// The tag that the job takes for the supported one among these.
fn supported(tags: &[&str]) -> Value {
    let mut runner = fetching(&[("acme/static-go", listed(&[(&digest_of("a"), tags)]))]);
    runner.run(&public(), FIND).passes();
    releases(&runner)[0]["tag"].clone()
}

#[test]
fn the_newest_version_by_semantic_versioning_is_supported() {
    assert_eq!(supported(&["v1.9.0", "v1.10.0", "v1.2.30"]), "v1.10.0");
    assert_eq!(supported(&["v1.0.0", "v2.0.0-rc.1"]), "v1.0.0", "no pre-release where there is a release");
    assert_eq!(supported(&["v1.0.0-rc.2", "v1.0.0-rc.10", "v1.0.0-rc", "v1.0.0-alpha"]), "v1.0.0-rc.10");
    assert_eq!(supported(&["v1.0.0-1", "v1.0.0-a"]), "v1.0.0-a", "numbers come before words");
    assert_eq!(supported(&["v999999999.0.0", "v1000000000.0.0"]), "v999999999.0.0", "a number too long is no version");
}

#[test]
fn hostile_tags_are_left_out_and_neither_executed_nor_printed() {
    let hostile =
        ["$(touch owned)", "v1;rm", "`touch owned`", "v9.9.9+x", "v9.9.9-", "v09.0.0", "latest", "v9.0.0\nv9"];
    let sound = digest_of("a");
    let answer = listed(&[(&sound, &["v1.0.0"]), (&digest_of("b"), &hostile)]);
    let mut runner = fetching(&[("acme/static-go", answer)]);
    let said = runner.run(&public(), FIND).passes().said;
    let found = releases(&runner);
    assert_eq!((&found[0]["tag"], &found[0]["digest"]), (&json!("v1.0.0"), &json!(sound)));
    assert_eq!(found[0]["other"], hostile.len());
    assert!(!said.contains("touch") && !said.contains("rm"), "{said}");
    assert!(!runner.work().join("owned").exists());
    assert!(!runner.read("work/releases/releases.json").contains("touch"));
}

#[test]
fn no_release_yet_is_a_note_and_no_failure() {
    for answer in [listed(&[]), listed(&[(&digest_of("a"), &["sha256-abc"])])] {
        let mut runner = fetching(&[("acme/static-go", answer)]);
        let said = runner.run(&public(), FIND).passes().said;
        assert!(said.contains("::notice title=Nothing to scan::"), "{said}");
        assert_eq!(runner.read("output"), "", "the later jobs are skipped");
        assert!(runner.read("summary").contains("nothing to scan"));
    }
}

#[test]
fn an_answer_that_is_no_list_is_not_an_empty_registry() {
    for answer in [json!({}), json!({"imageDetails": null}), json!("HTML"), json!({"imageDetails": {"a": 1}})] {
        let mut runner = fetching(&[("acme/static-go", answer)]);
        assert!(!runner.run(&public(), FIND).success);
        assert_eq!(runner.read("output"), "");
    }
    let mut runner = fetching(&[]);
    assert!(!runner.run(&public(), FIND).success, "a repository that is not there");
    let mut runner = fetching(&[("acme/static-go", listed(&[("sha256:../../etc", &["v1.0.0"])]))]);
    runner.run(&public(), FIND).fails_with("names no digest");
}

#[test]
fn a_long_list_is_asked_for_as_a_whole() {
    let many: Vec<(String, String)> =
        (0..2500).map(|number| (format!("sha256:{number:064x}"), format!("v1.{number}.0"))).collect();
    let details: Vec<Value> =
        many.iter().map(|(digest, tag)| json!({"imageDigest": digest, "imageTags": [tag]})).collect();
    let mut runner = fetching(&[("acme/static-go", json!({"imageDetails": details}))]);
    runner.run(&public(), FIND).passes();
    assert_eq!(releases(&runner)[0]["tag"], "v1.2499.0");
    let calls = runner.read("calls");
    // The AWS CLI goes through all pages by itself unless it is told not to.
    for option in ["--no-paginate", "--max-items", "--max-results", "--page-size"] {
        assert!(!calls.contains(option), "{calls}");
    }
}

#[test]
fn both_ways_of_signing_in_read_the_same_and_leave_no_secret() {
    for auth in [Auth::Oidc, Auth::AccessKey] {
        let config = config(auth, Visibility::Private, None, None);
        let mut runner = fetching(&[("acme/static-go", listed(&[(&digest_of("a"), &["v1.0.0"])]))]);
        let said = runner.run(&config, FIND).passes().said;
        assert_eq!(runner.read("output"), "released=true\n");
        let calls = runner.read("calls");
        for kept in [said, calls, runner.read("work/releases/releases.json")] {
            assert!(!kept.contains("very-secret") && !kept.contains("password-of-twelve-hours"), "{kept}");
        }
    }
}

/// Puts an index with an image for each architecture into the registry; returns the index's digest and theirs.
fn publish(runner: &Runner, arches: &[&str]) -> (String, Vec<String>) {
    let made = Path::new(&runner.at("made")).to_owned();
    let blobs = Path::new(&runner.at("registry")).join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let mut digests = Vec::new();
    for arch in arches {
        let layout = made.join(arch);
        digests.push(write_layout(&layout, arch));
        for blob in std::fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let blob = blob.unwrap();
            std::fs::copy(blob.path(), blobs.join(blob.file_name())).unwrap();
        }
    }
    let manifests: Vec<Value> = arches
        .iter()
        .zip(&digests)
        .map(|(arch, digest)| json!({"digest": digest, "platform": {"os": "linux", "architecture": arch}}))
        .collect();
    let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
    let digest = sha256(index.as_bytes());
    std::fs::write(blobs.join(&digest), index).unwrap();
    (format!("sha256:{digest}"), digests)
}

/// A runner after both steps of `fetch`, with one release of `static-go`.
fn fetched(arches: &[&str]) -> Runner {
    let mut runner = fetching(&[]);
    let (index, _) = publish(&runner, arches);
    std::fs::create_dir_all(runner.at("images/acme")).unwrap();
    std::fs::write(runner.at("images/acme/static-go"), listed(&[(&index, &["v1.2.3"])]).to_string()).unwrap();
    runner.run(&public(), FIND).passes();
    runner.run(&public(), COPY).passes();
    runner
}

/// Another runner of the same run, with the artifact of one image and architecture.
fn scanning(from: &Runner, image: &str, arch: &str) -> Runner {
    let mut runner = Runner::new();
    let artifact = from.work().join(format!("fetched/{image}-{arch}"));
    copy_folder(&artifact, &runner.work());
    runner.set("IMAGE", image).set("ARCH", arch).set("TRIVY_JSON", INVENTORY);
    runner
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

const INVENTORY: &str = r#"{"Results":[{"Packages":[{"Name":"tzdata"}],"Vulnerabilities":[
  {"VulnerabilityID":"CVE-2026-1","PkgName":"tzdata","InstalledVersion":"1","FixedVersion":"2","Severity":"HIGH"},
  {"VulnerabilityID":"CVE-2026-2","PkgName":"tzdata","InstalledVersion":"1","Severity":"CRITICAL"},
  {"VulnerabilityID":"CVE-2026-3","PkgName":"tzdata","InstalledVersion":"1","Severity":"LOW"}]}]}"#;

#[test]
fn each_architecture_of_the_release_is_handed_over_as_one_image_with_the_accepted_findings() {
    let runner = fetched(&["amd64", "arm64"]);
    let manifests = releases(&runner)[0]["manifests"].clone();
    for arch in ["amd64", "arm64"] {
        let folder = runner.work().join(format!("fetched/static-go-{arch}"));
        let fetched: Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("plan/fetched.json")).unwrap()).unwrap();
        assert_eq!(fetched["digest"], manifests[arch]);
        assert_eq!(fetched["tag"], "v1.2.3");
        let accepted = std::fs::read_to_string(folder.join("plan/accepted-findings.yaml")).unwrap();
        assert_eq!(accepted, text(&rendered(&public()), "images/static-go/accepted-findings.yaml"));
        let layout: Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("layout/index.json")).unwrap()).unwrap();
        assert_eq!(layout["manifests"].as_array().unwrap().len(), 1);
    }
    assert!(runner.read("calls").contains("--preserve-digests"), "{}", runner.read("calls"));
    // Copied from the release's digest, not from a tag that somebody could have moved meanwhile.
    assert!(!runner.read("calls").contains(":v1.2.3"), "{}", runner.read("calls"));
}

#[test]
fn an_index_that_is_not_the_one_listed_is_not_copied() {
    let mut runner = fetching(&[]);
    let (index, _) = publish(&runner, &["amd64", "arm64"]);
    let path = Path::new(&runner.at("registry")).join("blobs").join(index.replace(':', "/"));
    std::fs::write(path, r#"{"manifests":[]}"#).unwrap();
    std::fs::create_dir_all(runner.at("images/acme")).unwrap();
    std::fs::write(runner.at("images/acme/static-go"), listed(&[(&index, &["v1.2.3"])]).to_string()).unwrap();
    runner.run(&public(), FIND).passes();
    runner.run(&public(), COPY).fails_with("FAILED");
    assert!(!runner.work().join("fetched/static-go-amd64/layout").exists());
}

#[test]
fn an_architecture_that_the_release_lacks_is_said_and_not_scanned() {
    let runner = fetched(&["amd64"]);
    assert!(releases(&runner)[0]["manifests"].get("arm64").is_none());
    let mut lacking = scanning(&runner, "static-go", "arm64");
    lacking.run(&public(), NAME).passes();
    assert_eq!(lacking.read("output"), "");
    assert!(lacking.read("summary").contains("No release of static-go has an image for linux/arm64"));
    let mut there = scanning(&runner, "static-go", "amd64");
    there.run(&public(), NAME).passes();
    assert_eq!(there.read("output"), "present=true\n");
}

#[test]
fn several_images_are_found_each_in_its_own_repository_and_one_may_have_no_release() {
    let mut runner = fetching(&[("acme/images/base-go", listed(&[]))]);
    let (index, _) = publish(&runner, &["amd64", "arm64"]);
    let answer = listed(&[(&index, &["v3.0.0"])]).to_string();
    std::fs::write(runner.at("images/acme/images/static-go"), answer).unwrap();
    runner.set("IMAGES", "static-go=acme/images/static-go base-go=acme/images/base-go");
    runner.run(&public(), FIND).passes();
    runner.run(&public(), COPY).passes();
    let found = releases(&runner);
    assert_eq!((&found[0]["tag"], &found[1]["tag"]), (&json!("v3.0.0"), &Value::Null));
    for folder in ["static-go-amd64", "static-go-arm64", "base-go-amd64", "base-go-arm64"] {
        // Every artifact that the later jobs ask for is there.
        assert!(runner.work().join("fetched").join(folder).join("plan/fetched.json").is_file(), "{folder}");
    }
    assert!(!runner.work().join("fetched/base-go-amd64/layout").exists());
}

#[test]
fn a_registry_that_fails_half_way_makes_the_run_red() {
    let mut runner = fetching(&[]);
    let (index, _) = publish(&runner, &["amd64", "arm64"]);
    std::fs::create_dir_all(runner.at("images/acme")).unwrap();
    std::fs::write(runner.at("images/acme/static-go"), listed(&[(&index, &["v1.2.3"])]).to_string()).unwrap();
    runner.run(&public(), FIND).passes();
    runner.set("FAIL_COPY", "yes");
    assert!(!runner.run(&public(), COPY).success);
}

#[test]
fn a_tampered_or_exchanged_image_is_not_scanned() {
    let from = fetched(&["amd64", "arm64"]);
    let mut runner = scanning(&from, "static-go", "amd64");
    let blob = std::fs::read_dir(runner.work().join("layout/blobs/sha256")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(blob, "other bytes").unwrap();
    runner.run(&public(), NAME).fails_with("FAILED");

    let mut runner = scanning(&from, "static-go", "amd64");
    std::fs::remove_dir_all(runner.work().join("layout")).unwrap();
    write_layout(&runner.work().join("layout"), "arm64");
    runner.run(&public(), NAME).fails_with("::error title=Not what was fetched::");
    assert_eq!(runner.read("output"), "");
}

#[test]
fn findings_leave_the_scan_green_and_stand_in_the_summary() {
    let mut runner = scanning(&fetched(&["amd64", "arm64"]), "static-go", "amd64");
    for step in [NAME, SCAN, REPORT] {
        runner.run(&public(), step).passes();
    }
    assert!(
        runner.read("summary").contains("static-go v1.2.3, linux/amd64: 2 CRITICAL or HIGH, 1 of them with a fix."),
        "{}",
        runner.read("summary")
    );
    let calls = runner.read("calls");
    assert!(calls.contains("--ignorefile plan/accepted-findings.yaml") && !calls.contains("--severity"), "{calls}");
    assert!(!calls.contains("ignore-unfixed"), "{calls}");
    for file in ["scanned.json", "trivy.json", "trivy.sarif", "trivy-version.json"] {
        assert!(runner.work().join("evidence").join(file).is_file(), "{file}");
    }
}

#[test]
fn a_scan_that_crashed_or_saw_nothing_is_no_clean_image() {
    let from = fetched(&["amd64", "arm64"]);
    for (name, value, reason) in [
        ("TRIVY_SCAN_CODE", "1", ""),
        ("TRIVY_JSON", "{}", "::error title=Empty scan::"),
        ("TRIVY_JSON", r#"{"Results":[{"Packages":[]}]}"#, "::error title=Empty scan::"),
        ("TRIVY_JSON", "not JSON", ""),
    ] {
        let mut runner = scanning(&from, "static-go", "amd64");
        runner.set(name, value);
        runner.run(&public(), NAME).passes();
        runner.run(&public(), SCAN).fails_with(reason);
    }
}

#[test]
fn only_the_fetching_job_signs_in_and_it_runs_no_scanner() {
    for (name, config) in matrix() {
        let workflow = rescan(&config);
        let oidc = config.publish.auth == Auth::Oidc;
        for (job, body) in workflow["jobs"].as_mapping().unwrap() {
            let job = job.as_str().unwrap();
            let text = serde_yaml_ng::to_string(body).unwrap();
            assert_eq!(text.contains("secrets."), job == "fetch" && !oidc, "{name}: {job}");
            assert_eq!(text.contains("id-token"), job == "fetch" && oidc, "{name}: {job}");
            assert_eq!(text.contains("trivy image"), job == "scan", "{name}: {job}");
            assert_eq!(text.contains("github.token"), job == "issue", "{name}: {job}");
            let environment = (job == "fetch" && !oidc && config.publish.environment.is_some()).then_some("rescan");
            assert_eq!(body.get("environment").and_then(serde_yaml_ng::Value::as_str), environment, "{name}: {job}");
        }
        let permissions = |job: &str| {
            let map = workflow["jobs"][job]["permissions"].as_mapping().unwrap();
            map.keys().map(|key| key.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(permissions("scan"), [""; 0], "{name}");
        assert_eq!(permissions("issue"), ["issues"], "{name}");
        let file = rendered(&config);
        let excused = text(&file, RESCAN_WORKFLOW).contains("zizmor: ignore");
        assert_eq!(excused, !oidc && config.publish.environment.is_none(), "{name}");
        let role = "arn:aws:iam::123456789012:role/sbi-read-acme-base-images";
        assert_eq!(text(&file, RESCAN_WORKFLOW).contains(role), oidc, "{name}");
    }
}

#[test]
fn the_categories_are_those_of_the_release() {
    let files = rendered(&public());
    let of = |path: &str| {
        let mut found: Vec<&str> =
            text(&files, path).lines().filter_map(|line| line.trim().strip_prefix("category: ")).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(of(RESCAN_WORKFLOW), of(sbi::templates::WORKFLOW));
    assert_eq!(of(RESCAN_WORKFLOW), ["static-go-amd64", "static-go-arm64"]);
}
