//! The nightly workflow: every script executed with stand-ins for the registry, the scanner and GitHub, on good nights
//! and on bad ones.

pub(super) mod issue;

use std::collections::BTreeSet;
use std::path::Path;

use sbi::model::config::{Auth, Config, Visibility};
use sbi::templates::{RESCAN_WORKFLOW, WORKFLOW};
use serde_json::{Value, json};

use super::runner::{CLEAN, Run, copy, sha256};
use super::{Combination, Options, USUAL, config, matrix, public, rendered, text};

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

/// A run of the nightly workflow.
fn night(config: &Config) -> Run {
    let mut run = Run::of(config, RESCAN_WORKFLOW);
    let images = run.at("images");
    run.set("AWS_IMAGES", &images).set("GITHUB_EVENT_NAME", "schedule");
    run
}

/// What the registry lists of an ECR repository.
fn list(run: &Run, repository: &str, answer: &Value) {
    let path = Path::new(&run.at("images")).join(repository);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, answer.to_string()).unwrap();
}

/// A runner of the job that reads, after its checkout and sign-in, and what the registry lists of each ECR repository.
fn fetching(answers: &[(&str, Value)]) -> Run {
    fetching_by(&public(), answers)
}

fn fetching_by(config: &Config, answers: &[(&str, Value)]) -> Run {
    let mut run = night(config);
    run.check_out(&run.work());
    for (output, value) in [
        ("aws-access-key-id", "AKIAEXAMPLE"),
        ("aws-secret-access-key", "very-secret"),
        ("aws-session-token", "very-secret-too"),
    ] {
        run.know(&format!("steps.aws.outputs.{output}"), value);
    }
    for (repository, answer) in answers {
        list(&run, repository, answer);
    }
    run
}

fn releases(run: &Run) -> Value {
    run.json("work/releases/releases.json")
}

/// The tag that the job takes for the supported one among these.
fn supported(tags: &[&str]) -> Value {
    let mut run = fetching(&[("acme/static-go", listed(&[(&digest_of("a"), tags)]))]);
    run.step(FIND).passes();
    releases(&run)[0]["tag"].clone()
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
    let mut run = fetching(&[("acme/static-go", answer)]);
    let said = run.step(FIND).passes().said().to_owned();
    let found = releases(&run);
    assert_eq!((&found[0]["tag"], &found[0]["digest"]), (&json!("v1.0.0"), &json!(sound)));
    assert_eq!(found[0]["other"], hostile.len());
    assert!(!said.contains("touch") && !said.contains("rm"), "{said}");
    assert!(!run.work().join("owned").exists());
    assert!(!run.read("work/releases/releases.json").contains("touch"));
}

#[test]
fn no_release_yet_is_a_note_and_no_failure() {
    for answer in [listed(&[]), listed(&[(&digest_of("a"), &["sha256-abc"])])] {
        let mut run = fetching(&[("acme/static-go", answer)]);
        let said = run.step(FIND).passes().said().to_owned();
        assert!(said.contains("::notice title=Nothing to scan::"), "{said}");
        assert_eq!(run.read("output"), "", "the later jobs are skipped");
        assert!(run.read("summary").contains("nothing to scan"));
    }
}

#[test]
fn an_answer_that_is_no_list_is_not_an_empty_registry() {
    for answer in [json!({}), json!({"imageDetails": null}), json!("HTML"), json!({"imageDetails": {"a": 1}})] {
        let mut run = fetching(&[("acme/static-go", answer)]);
        assert!(!run.step(FIND).passed());
        assert_eq!(run.read("output"), "");
    }
    let mut run = fetching(&[]);
    assert!(!run.step(FIND).passed(), "a repository that is not there");
    let mut run = fetching(&[("acme/static-go", listed(&[("sha256:../../etc", &["v1.0.0"])]))]);
    run.step(FIND).fails_with("names no digest");
}

#[test]
fn a_long_list_is_asked_for_as_a_whole() {
    let many: Vec<(String, String)> =
        (0..2500).map(|number| (format!("sha256:{number:064x}"), format!("v1.{number}.0"))).collect();
    let details: Vec<Value> =
        many.iter().map(|(digest, tag)| json!({"imageDigest": digest, "imageTags": [tag]})).collect();
    let mut run = fetching(&[("acme/static-go", json!({"imageDetails": details}))]);
    run.step(FIND).passes();
    assert_eq!(releases(&run)[0]["tag"], "v1.2499.0");
    let calls = run.read("calls");
    // The AWS CLI goes through all pages by itself unless it is told not to.
    for option in ["--no-paginate", "--max-items", "--max-results", "--page-size"] {
        assert!(!calls.contains(option), "{calls}");
    }
}

#[test]
fn both_ways_of_signing_in_read_the_same_and_leave_no_secret() {
    for auth in [Auth::Oidc, Auth::AccessKey] {
        let options = Options { auth, visibility: Visibility::Private, environment: None, ..USUAL };
        let mut run = fetching_by(&config(options), &[("acme/static-go", listed(&[(&digest_of("a"), &["v1.0.0"])]))]);
        let said = run.step(FIND).passes().said().to_owned();
        assert_eq!(run.read("output"), "released=true\n");
        let calls = run.read("calls");
        for kept in [said, calls, run.read("work/releases/releases.json")] {
            assert!(!kept.contains("very-secret") && !kept.contains("password-of-twelve-hours"), "{kept}");
        }
    }
}

/// A layout with one image; returns the manifest's digest.
fn write_layout(folder: &Path, arch: &str) -> String {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let blob = |bytes: &[u8]| {
        std::fs::write(blobs.join(sha256(bytes)), bytes).unwrap();
        format!("sha256:{}", sha256(bytes))
    };
    let layer = blob(b"a layer that both architectures share");
    let config = serde_json::json!({"architecture": arch, "os": "linux", "rootfs": {"type": "layers"}}).to_string();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob(config.as_bytes()), "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": 37}],
    })
    .to_string();
    let digest = blob(manifest.as_bytes());
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": manifest.len(),
    }]});
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    digest
}

/// Puts an index with an image for each architecture into the registry; returns the index's digest and theirs.
fn publish(run: &Run, arches: &[&str]) -> (String, Vec<String>) {
    let made = Path::new(&run.at("made")).to_owned();
    let blobs = Path::new(&run.at("registry")).join("blobs/sha256");
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
fn fetched(arches: &[&str]) -> Run {
    let mut run = fetching(&[]);
    let (index, _) = publish(&run, arches);
    list(&run, "acme/static-go", &listed(&[(&index, &["v1.2.3"])]));
    run.step(FIND).passes();
    run.step(COPY).passes();
    run
}

/// Another runner of the same run, with the artifact of one image and architecture.
fn scanning(from: &Run, image: &str, arch: &str) -> Run {
    let mut run = night(&public());
    copy(&from.work().join(format!("fetched/{image}-{arch}")), &run.work());
    run.know("matrix.image", image);
    run.know("matrix.arch", arch);
    run.set("TRIVY_JSON", INVENTORY);
    run
}

const INVENTORY: &str = r#"{"Results":[{"Packages":[{"Name":"tzdata"}],"Vulnerabilities":[
  {"VulnerabilityID":"CVE-2026-1","PkgName":"tzdata","InstalledVersion":"1","FixedVersion":"2","Severity":"HIGH"},
  {"VulnerabilityID":"CVE-2026-2","PkgName":"tzdata","InstalledVersion":"1","Severity":"CRITICAL"},
  {"VulnerabilityID":"CVE-2026-3","PkgName":"tzdata","InstalledVersion":"1","Severity":"LOW"}]}]}"#;

#[test]
fn each_architecture_of_the_release_is_handed_over_as_one_image_with_the_accepted_findings() {
    let run = fetched(&["amd64", "arm64"]);
    let manifests = releases(&run)[0]["manifests"].clone();
    for arch in ["amd64", "arm64"] {
        let folder = run.work().join(format!("fetched/static-go-{arch}"));
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
    assert!(run.read("calls").contains("--preserve-digests"), "{}", run.read("calls"));
    // Copied from the release's digest, not from a tag that somebody could have moved meanwhile.
    assert!(!run.read("calls").contains(":v1.2.3"), "{}", run.read("calls"));
}

#[test]
fn an_index_that_is_not_the_one_listed_is_not_copied() {
    let mut run = fetching(&[]);
    let (index, _) = publish(&run, &["amd64", "arm64"]);
    let path = Path::new(&run.at("registry")).join("blobs").join(index.replace(':', "/"));
    std::fs::write(path, r#"{"manifests":[]}"#).unwrap();
    list(&run, "acme/static-go", &listed(&[(&index, &["v1.2.3"])]));
    run.step(FIND).passes();
    run.step(COPY).fails_with("FAILED");
    assert!(!run.work().join("fetched/static-go-amd64/layout").exists());
}

#[test]
fn an_architecture_that_the_release_lacks_is_said_and_not_scanned() {
    let run = fetched(&["amd64"]);
    assert!(releases(&run)[0]["manifests"].get("arm64").is_none());
    let mut lacking = scanning(&run, "static-go", "arm64");
    lacking.step(NAME).passes();
    assert_eq!(lacking.read("output"), "");
    assert!(lacking.read("summary").contains("No release of static-go has an image for linux/arm64"));
    let mut there = scanning(&run, "static-go", "amd64");
    there.step(NAME).passes();
    assert_eq!(there.read("output"), "present=true\n");
}

#[test]
fn several_images_are_found_each_in_its_own_repository_and_one_may_have_no_release() {
    let mut run = fetching(&[("acme/images/base-go", listed(&[]))]);
    let (index, _) = publish(&run, &["amd64", "arm64"]);
    list(&run, "acme/images/static-go", &listed(&[(&index, &["v3.0.0"])]));
    run.put_in_place("IMAGES", "static-go=acme/images/static-go base-go=acme/images/base-go");
    run.step(FIND).passes();
    run.step(COPY).passes();
    let found = releases(&run);
    assert_eq!((&found[0]["tag"], &found[1]["tag"]), (&json!("v3.0.0"), &Value::Null));
    for folder in ["static-go-amd64", "static-go-arm64", "base-go-amd64", "base-go-arm64"] {
        // Every artifact that the later jobs ask for is there.
        assert!(run.work().join("fetched").join(folder).join("plan/fetched.json").is_file(), "{folder}");
    }
    assert!(!run.work().join("fetched/base-go-amd64/layout").exists());
}

#[test]
fn a_registry_that_fails_half_way_makes_the_run_red() {
    let mut run = fetching(&[]);
    let (index, _) = publish(&run, &["amd64", "arm64"]);
    list(&run, "acme/static-go", &listed(&[(&index, &["v1.2.3"])]));
    run.step(FIND).passes();
    // The second architecture's copy.
    run.forget_calls();
    run.set("FAIL_AT", "4");
    run.step(COPY).fails_with("skopeo fails, as it was told to");
    assert!(run.read("calls").trim_end().lines().last().unwrap().starts_with("skopeo copy"), "{}", run.read("calls"));
}

#[test]
fn a_tampered_or_exchanged_image_is_not_scanned() {
    let from = fetched(&["amd64", "arm64"]);
    let mut run = scanning(&from, "static-go", "amd64");
    let blob = std::fs::read_dir(run.work().join("layout/blobs/sha256")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(blob, "other bytes").unwrap();
    run.step(NAME).fails_with("FAILED");

    let mut run = scanning(&from, "static-go", "amd64");
    std::fs::remove_dir_all(run.work().join("layout")).unwrap();
    write_layout(&run.work().join("layout"), "arm64");
    run.step(NAME).fails_with("::error title=Not what was fetched::");
    assert_eq!(run.read("output"), "");
}

#[test]
fn findings_leave_the_scan_green_and_stand_in_the_summary() {
    let mut run = scanning(&fetched(&["amd64", "arm64"]), "static-go", "amd64");
    for step in [NAME, SCAN, REPORT] {
        run.step(step).passes();
    }
    assert!(
        run.read("summary").contains("static-go v1.2.3, linux/amd64: 2 CRITICAL or HIGH, 1 of them with a fix."),
        "{}",
        run.read("summary")
    );
    let calls = run.read("calls");
    assert!(calls.contains("--ignorefile plan/accepted-findings.yaml") && !calls.contains("--severity"), "{calls}");
    assert!(!calls.contains("ignore-unfixed"), "{calls}");
    for file in ["scanned.json", "trivy.json", "trivy.sarif", "trivy-version.json"] {
        assert!(run.work().join("evidence").join(file).is_file(), "{file}");
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
        let mut run = scanning(&from, "static-go", "amd64");
        run.set(name, value);
        run.step(NAME).passes();
        run.step(SCAN).fails_with(reason);
    }
}

#[test]
fn only_the_fetching_job_signs_in_and_it_runs_no_scanner() {
    for combination in matrix() {
        let Combination { name, config, .. } = combination;
        let workflow = combination.workflow(RESCAN_WORKFLOW);
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
        let file = combination.text(RESCAN_WORKFLOW);
        let excused = file.contains("zizmor: ignore");
        assert_eq!(excused, !oidc && config.publish.environment.is_none(), "{name}");
        let role = "arn:aws:iam::123456789012:role/sbi-read-acme-base-images";
        assert_eq!(file.contains(role), oidc, "{name}");
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
    assert_eq!(of(RESCAN_WORKFLOW), of(WORKFLOW));
    assert_eq!(of(RESCAN_WORKFLOW), ["static-go-amd64", "static-go-arm64"]);
}

/// A whole good night after releases of every image, and every script that ran in it.
pub(super) fn whole(combination: &Combination) -> BTreeSet<String> {
    let mut run = night(&combination.config);
    let arches: Vec<&str> = combination.options.architectures.iter().map(|one| one.as_str()).collect();
    let (index, _) = publish(&run, &arches);
    for outlet in combination.config.outlets() {
        list(&run, outlet.ecr_repository.as_str(), &listed(&[(&index, &["v1.2.3"])]));
    }
    issue::tell(&mut run);
    run.job("fetch", &[]).passes();
    assert_eq!(run.known("needs.fetch.outputs.released"), Some("true"), "{}", combination.name);
    for image in &combination.config.publish.images {
        for arch in &arches {
            run.set("TRIVY_JSON", if *arch == "amd64" { INVENTORY } else { CLEAN });
            run.job("scan", &[("image", image.as_str()), ("arch", arch)]).passes();
        }
    }
    run.job("findings", &[]).passes();
    let calls = run.read("calls");
    for image in &combination.config.publish.images {
        for arch in &arches {
            assert!(calls.contains(&format!("sarif {image}-{arch}")), "{}: {calls}", combination.name);
        }
    }
    run.job("issue", &[]).passes();
    // What the scans found is what is told, in one issue.
    let [(call, request)] = issue::sent(&run).try_into().unwrap();
    assert_eq!(call, "POST repos/acme/base-images/issues", "{}", combination.name);
    let body = request["body"].as_str().unwrap();
    assert!(body.contains("CVE-2026-1") && !body.contains("CVE-2026-2"), "{}: {body}", combination.name);
    run.executed
}
