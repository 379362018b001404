//! The nightly workflow: every script executed with stand-ins for the registry, the scanner and GitHub, on good nights
//! and on bad ones.

use std::path::Path;

use sbi::model::config::{Auth, Config, Visibility};
use sbi::templates::RESCAN_WORKFLOW;
use serde_json::{Value, json};

use super::scripts::{Outcome, Runner, sha256, write_layout};
use super::{config, matrix, public, rendered, text};

const FIND: &str = "fetch: Find the supported releases";
const COPY: &str = "fetch: Copy the supported releases";
const NAME: &str = "scan: Name what is scanned";
const SCAN: &str = "scan: Scan once";
const REPORT: &str = "scan: Write the report";
const GATHER: &str = "issue: Gather what was found";
const WRITE: &str = "issue: Write the issue";
const KEEP: &str = "issue: Open, update or close the issue";

fn rescan(config: &Config) -> serde_yaml_ng::Value {
    serde_yaml_ng::from_str(text(&rendered(config), RESCAN_WORKFLOW)).unwrap()
}

/// Runs `job: step` with the step's own environment; what an expression fills in comes from the test.
fn run(runner: &mut Runner, config: &Config, name: &str) -> Outcome {
    let workflow = rescan(config);
    let (job, step) = name.split_once(": ").unwrap();
    let steps = workflow["jobs"][job]["steps"].as_sequence().unwrap();
    let step = steps.iter().find(|found| found["name"] == step).unwrap_or_else(|| panic!("no step {name}"));
    for (key, value) in step["env"].as_mapping().into_iter().flatten() {
        let (key, value) = (key.as_str().unwrap(), value.as_str().unwrap());
        if value.contains("${{") {
            assert!(runner.has(key), "{name} needs {key}");
        } else if !runner.has(key) {
            runner.set(key, value);
        }
    }
    runner.execute(step["run"].as_str().unwrap())
}

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
    run(&mut runner, &public(), FIND).passes();
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
    let said = run(&mut runner, &public(), FIND).passes().said;
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
        let said = run(&mut runner, &public(), FIND).passes().said;
        assert!(said.contains("::notice title=Nothing to scan::"), "{said}");
        assert_eq!(runner.read("output"), "", "the later jobs are skipped");
        assert!(runner.read("summary").contains("nothing to scan"));
    }
}

#[test]
fn an_answer_that_is_no_list_is_not_an_empty_registry() {
    for answer in [json!({}), json!({"imageDetails": null}), json!("HTML"), json!({"imageDetails": {"a": 1}})] {
        let mut runner = fetching(&[("acme/static-go", answer)]);
        assert!(!run(&mut runner, &public(), FIND).success);
        assert_eq!(runner.read("output"), "");
    }
    let mut runner = fetching(&[]);
    assert!(!run(&mut runner, &public(), FIND).success, "a repository that is not there");
    let mut runner = fetching(&[("acme/static-go", listed(&[("sha256:../../etc", &["v1.0.0"])]))]);
    run(&mut runner, &public(), FIND).fails_with("names no digest");
}

#[test]
fn a_long_list_is_asked_for_as_a_whole() {
    let many: Vec<(String, String)> =
        (0..2500).map(|number| (format!("sha256:{number:064x}"), format!("v1.{number}.0"))).collect();
    let details: Vec<Value> =
        many.iter().map(|(digest, tag)| json!({"imageDigest": digest, "imageTags": [tag]})).collect();
    let mut runner = fetching(&[("acme/static-go", json!({"imageDetails": details}))]);
    run(&mut runner, &public(), FIND).passes();
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
        let config = config(auth, Visibility::Private, None);
        let mut runner = fetching(&[("acme/static-go", listed(&[(&digest_of("a"), &["v1.0.0"])]))]);
        let said = run(&mut runner, &config, FIND).passes().said;
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
    run(&mut runner, &public(), FIND).passes();
    run(&mut runner, &public(), COPY).passes();
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
    run(&mut runner, &public(), FIND).passes();
    run(&mut runner, &public(), COPY).fails_with("FAILED");
    assert!(!runner.work().join("fetched/static-go-amd64/layout").exists());
}

#[test]
fn an_architecture_that_the_release_lacks_is_said_and_not_scanned() {
    let runner = fetched(&["amd64"]);
    assert!(releases(&runner)[0]["manifests"].get("arm64").is_none());
    let mut lacking = scanning(&runner, "static-go", "arm64");
    run(&mut lacking, &public(), NAME).passes();
    assert_eq!(lacking.read("output"), "");
    assert!(lacking.read("summary").contains("No release of static-go has an image for linux/arm64"));
    let mut there = scanning(&runner, "static-go", "amd64");
    run(&mut there, &public(), NAME).passes();
    assert_eq!(there.read("output"), "present=true\n");
}

#[test]
fn several_images_are_found_each_in_its_own_repository_and_one_may_have_no_release() {
    let mut runner = fetching(&[("acme/images/base-go", listed(&[]))]);
    let (index, _) = publish(&runner, &["amd64", "arm64"]);
    let answer = listed(&[(&index, &["v3.0.0"])]).to_string();
    std::fs::write(runner.at("images/acme/images/static-go"), answer).unwrap();
    runner.set("IMAGES", "static-go=acme/images/static-go base-go=acme/images/base-go");
    run(&mut runner, &public(), FIND).passes();
    run(&mut runner, &public(), COPY).passes();
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
    run(&mut runner, &public(), FIND).passes();
    runner.set("FAIL_COPY", "yes");
    assert!(!run(&mut runner, &public(), COPY).success);
}

#[test]
fn a_tampered_or_exchanged_image_is_not_scanned() {
    let from = fetched(&["amd64", "arm64"]);
    let mut runner = scanning(&from, "static-go", "amd64");
    let blob = std::fs::read_dir(runner.work().join("layout/blobs/sha256")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(blob, "other bytes").unwrap();
    run(&mut runner, &public(), NAME).fails_with("FAILED");

    let mut runner = scanning(&from, "static-go", "amd64");
    std::fs::remove_dir_all(runner.work().join("layout")).unwrap();
    write_layout(&runner.work().join("layout"), "arm64");
    run(&mut runner, &public(), NAME).fails_with("::error title=Not what was fetched::");
    assert_eq!(runner.read("output"), "");
}

#[test]
fn findings_leave_the_scan_green_and_stand_in_the_summary() {
    let mut runner = scanning(&fetched(&["amd64", "arm64"]), "static-go", "amd64");
    for step in [NAME, SCAN, REPORT] {
        run(&mut runner, &public(), step).passes();
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
        run(&mut runner, &public(), NAME).passes();
        run(&mut runner, &public(), SCAN).fails_with(reason);
    }
}

/// A release as `releases.json` has it, with one image for linux/amd64.
fn release(image: &str, tag: &str) -> Value {
    json!({"image": image, "tag": tag, "digest": digest_of("a"), "manifests": {"amd64": digest_of("b")}})
}

fn finding(id: &str, severity: &str, fixed: &str) -> Value {
    json!({
        "VulnerabilityID": id, "PkgName": "tzdata", "InstalledVersion": "2026a-0", "FixedVersion": fixed,
        "Severity": severity, "Title": "Something is wrong",
    })
}

/// A runner of the job `issue`: releases, what each scan found, and the issues that there are.
fn telling(releases: &[Value], found: &[(&str, Value)]) -> Runner {
    let mut runner = Runner::new();
    let write = |path: &str, value: &Value| {
        let path = runner.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, value.to_string()).unwrap();
    };
    write("releases.json", &json!(releases));
    for (image, scan) in found {
        write(&format!("found/evidence-{image}-amd64/scanned.json"), &json!({"digest": digest_of("b")}));
        write(&format!("found/evidence-{image}-amd64/trivy.json"), scan);
    }
    let (issues, posted) = (runner.at("issues"), runner.at("posted"));
    std::fs::create_dir_all(&posted).unwrap();
    std::fs::write(&issues, "[]").unwrap();
    for (name, value) in
        [("GH_ISSUES", issues.as_str()), ("GH_POSTED", &posted), ("GITHUB_REPOSITORY", "acme/base-images")]
    {
        runner.set(name, value);
    }
    runner.set("GH_TOKEN", "ghs_very_secret");
    runner
}

fn scan_of(findings: &[Value]) -> Value {
    json!({"Results": [{"Packages": [{}], "Vulnerabilities": findings}]})
}

fn wanted(runner: &mut Runner) -> Value {
    run(runner, &public(), GATHER).passes();
    run(runner, &public(), WRITE).passes();
    serde_json::from_str(&runner.read("work/wanted.json")).unwrap()
}

/// What was sent to GitHub: method and path, and the body.
fn sent(runner: &Runner) -> Vec<(String, Value)> {
    let mut files: Vec<_> =
        std::fs::read_dir(runner.at("posted")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let (call, body) = text.split_once('\n').unwrap();
        (call.to_owned(), serde_json::from_str(body).unwrap())
    };
    files.iter().map(|path| read(path)).collect()
}

fn issue(number: u32, state: &str, author: &str, body: &str) -> Value {
    json!({"number": number, "state": state, "user": {"login": author}, "body": body, "title": "t"})
}

const BOT: &str = "github-actions[bot]";

fn night(runner: &mut Runner, issues: &[Value]) -> Vec<(String, Value)> {
    std::fs::write(runner.at("issues"), json!(issues).to_string()).unwrap();
    wanted(runner);
    run(runner, &public(), KEEP).passes();
    let calls = sent(runner);
    for path in std::fs::read_dir(runner.at("posted")).unwrap() {
        std::fs::remove_file(path.unwrap().path()).unwrap();
    }
    calls
}

fn one_finding() -> Runner {
    let scan = scan_of(&[finding("CVE-2026-1", "HIGH", "2026b-0"), finding("CVE-2026-2", "CRITICAL", "")]);
    telling(&[release("static-go", "v1.2.3")], &[("static-go", scan)])
}

#[test]
fn a_finding_with_a_fix_opens_one_issue_that_says_what_to_do() {
    let calls = night(&mut one_finding(), &[]);
    let [(call, request)] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(call, "POST repos/acme/base-images/issues");
    insta::assert_snapshot!("rescan_issue", request["body"].as_str().unwrap());
}

#[test]
fn what_has_no_fix_or_is_of_low_severity_opens_no_issue() {
    let scan = scan_of(&[finding("CVE-2026-2", "CRITICAL", ""), finding("CVE-2026-3", "MEDIUM", "2")]);
    let mut runner = telling(&[release("static-go", "v1.2.3")], &[("static-go", scan)]);
    assert_eq!(night(&mut runner, &[]), []);
    assert!(runner.read("summary").contains("Reasons for a new release: 0."));
}

#[test]
fn the_second_night_changes_nothing_and_a_new_finding_is_told_once() {
    let mut runner = one_finding();
    let body = night(&mut runner, &[])[0].1["body"].as_str().unwrap().to_owned();
    assert_eq!(night(&mut runner, &[issue(7, "open", BOT, &body)]), [], "the same");
    // GitHub's editor ends lines its own way.
    let edited = body.replace('\n', "\r\n");
    assert_eq!(night(&mut runner, &[issue(7, "open", BOT, &edited)]), [], "the same but for line ends");

    let scan = scan_of(&[finding("CVE-2026-1", "HIGH", "2026b-0"), finding("CVE-2026-9", "HIGH", "3")]);
    let mut later = telling(&[release("static-go", "v1.2.3")], &[("static-go", scan)]);
    let calls = night(&mut later, &[issue(7, "open", BOT, &body)]);
    let [(comment, text), (update, change)] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(comment, "POST repos/acme/base-images/issues/7/comments");
    assert_eq!(text["body"], "New since the last scan: `static-go/CVE-2026-9`.");
    assert_eq!(update, "PATCH repos/acme/base-images/issues/7");
    let body = change["body"].as_str().unwrap();
    assert!(body.contains("CVE-2026-9") && change["state"] == "open", "{change}");
    assert_eq!(night(&mut later, &[issue(7, "open", BOT, body)]), []);

    // The next release mended one: the text follows, nobody is told.
    let mut newer = one_finding();
    let calls = night(&mut newer, &[issue(7, "open", BOT, body)]);
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(!calls[0].1["body"].as_str().unwrap().contains("CVE-2026-9"));
}

#[test]
fn the_issue_is_closed_when_nothing_is_left_and_opens_again() {
    let mut runner = one_finding();
    let body = night(&mut runner, &[])[0].1["body"].as_str().unwrap().to_owned();
    let mut clean = telling(&[release("static-go", "v1.2.4")], &[("static-go", scan_of(&[]))]);
    let calls = night(&mut clean, &[issue(7, "open", BOT, &body)]);
    assert_eq!(calls[1].0, "PATCH repos/acme/base-images/issues/7");
    assert_eq!(calls[1].1["state"], "closed");
    let closed = calls[1].1["body"].as_str().unwrap().to_owned();
    assert_eq!(night(&mut clean, &[issue(7, "closed", BOT, &closed)]), []);

    let calls = night(&mut runner, &[issue(7, "closed", BOT, &closed)]);
    assert_eq!(calls[1].1["state"], "open", "{calls:?}");
    // A person who closed it with the findings in it knows them.
    assert_eq!(night(&mut runner, &[issue(7, "closed", BOT, &body)]), []);
}

#[test]
fn an_issue_that_somebody_else_opened_is_not_taken_for_ours() {
    let mut runner = one_finding();
    let body = night(&mut runner, &[])[0].1["body"].as_str().unwrap().to_owned();
    let mut pull = issue(3, "open", BOT, &body);
    pull["pull_request"] = json!({});
    let others = [issue(1, "open", "mallory", &body), pull, issue(4, "open", BOT, "another workflow's")];
    let calls = night(&mut runner, &others);
    assert_eq!(calls[0].0, "POST repos/acme/base-images/issues", "{calls:?}");
}

#[test]
fn a_scan_that_is_missing_keeps_the_issue_open_and_what_is_known() {
    let mut runner = one_finding();
    let body = night(&mut runner, &[])[0].1["body"].as_str().unwrap().to_owned();
    // No evidence at all: nothing is known, so nothing is told and nothing is closed.
    let mut blind = telling(&[release("static-go", "v1.2.3")], &[]);
    assert_eq!(night(&mut blind, &[issue(7, "open", BOT, &body)]), []);
    // Evidence of other bytes is none.
    let mut other = one_finding();
    let path = other.work().join("found/evidence-static-go-amd64/scanned.json");
    std::fs::write(path, json!({"digest": digest_of("c")}).to_string()).unwrap();
    assert_eq!(wanted(&mut other)["complete"], false);

    let scan = scan_of(&[finding("CVE-2026-7", "HIGH", "3")]);
    let both = [release("static-go", "v1.2.3"), release("base-go", "v2.0.0")];
    let mut half = telling(&both, &[("base-go", scan)]);
    let calls = night(&mut half, &[issue(7, "open", BOT, &body)]);
    let text = calls[1].1["body"].as_str().unwrap();
    assert!(text.contains("**Not scanned in the last run:** static-go for linux/amd64."), "{text}");
    assert!(text.contains("static-go/CVE-2026-1"), "what was told stays told: {text}");
}

#[test]
fn end_of_life_and_the_end_of_support_are_reasons_of_their_own() {
    let mut scan = scan_of(&[]);
    scan["Metadata"] = json!({"OS": {"Family": "debian", "EOSL": true}});
    let mut runner = telling(&[release("static-go", "v1.2.3")], &[("static-go", scan)]);
    let wanted_now = wanted(&mut runner);
    assert_eq!(wanted_now["keys"], json!(["static-go/end-of-life"]));
    assert!(wanted_now["body"].as_str().unwrap().contains("gets no more fixes"));

    let days = |days: i64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let day = chrono_date(i64::try_from(now / 86_400).unwrap() + days);
        let mut runner = telling(&[release("static-go", "v1.2.3")], &[("static-go", scan_of(&[]))]);
        runner.set("SUPPORT_ENDS", &format!("static-go={day}"));
        (wanted(&mut runner), day)
    };
    assert_eq!(days(92).0["keys"], json!([]));
    let (soon, day) = days(89);
    assert_eq!(soon["keys"], json!(["static-go/end-of-support"]));
    assert!(soon["body"].as_str().unwrap().contains(&format!("Support ends on {day}.")), "{soon}");
    let (over, day) = days(-1);
    assert!(over["body"].as_str().unwrap().contains(&format!("Support ended on {day}.")), "{over}");
}

/// The date of a day since 1970, as `date` knows it.
fn chrono_date(day: i64) -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%d", "-d", &format!("@{}", day * 86_400)])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_secret_in_an_image_is_told_without_saying_which() {
    let mut scan = scan_of(&[]);
    scan["Results"][0]["Secrets"] =
        json!([{"RuleID": "github-pat", "Severity": "CRITICAL", "Match": "ghp_abcdef", "Title": "GitHub PAT"}]);
    let wanted = wanted(&mut telling(&[release("static-go", "v1.2.3")], &[("static-go", scan)]));
    assert_eq!(wanted["keys"], json!(["static-go/secret"]));
    let body = wanted["body"].as_str().unwrap();
    assert!(!body.contains("ghp_abcdef") && !body.contains("github-pat"), "{body}");
}

#[test]
fn what_the_scanner_brought_stays_text() {
    let hostile = "@octocat | <script>alert(1)</script> [x](https://evil.example) `code` www.evil.example \
                   #1 a@b.example \u{202e}\n\n## heading\n<!-- sbi-known: x -->";
    let mut bad = finding("CVE-2026-1", "HIGH", hostile);
    for field in ["PkgName", "InstalledVersion", "Title"] {
        bad[field] = json!(hostile);
    }
    let mut worse = bad.clone();
    worse["VulnerabilityID"] = json!("--> @octocat |`$(touch owned)`");
    let mut runner = telling(&[release("static-go", "v1.2.3")], &[("static-go", scan_of(&[bad, worse]))]);
    let calls = night(&mut runner, &[]);
    let body = calls[0].1["body"].as_str().unwrap();
    for absent in
        ["@", "<script", "](https://evil", "www.evil", "## heading", "\u{202e}", "`code`", " #1", "touch owned)"]
    {
        assert!(!body.contains(absent), "{absent}: {body}");
    }
    assert_eq!(body.matches("<!-- sbi-known:").count(), 1, "{body}");
    let rows: Vec<&str> = body.lines().filter(|line| line.starts_with("| HIGH")).collect();
    assert_eq!(rows.len(), 2, "{body}");
    for row in rows {
        assert_eq!(row.matches('|').count(), 8, "{row}");
    }
    assert!(body.chars().all(|c| c == '\n' || (!c.is_control())), "{body}");
    assert!(!runner.work().join("owned").exists());
}

#[test]
fn a_huge_result_fits_into_an_issue_and_says_what_was_left_out() {
    let many: Vec<Value> = (0..600)
        .map(|number| {
            let mut one = finding(&format!("CVE-2026-{number:05}"), "HIGH", &"é".repeat(300));
            one["Title"] = json!("x".repeat(2000));
            one
        })
        .collect();
    let releases: Vec<Value> = (0..5).map(|number| release(&format!("image-{number}"), "v1.0.0")).collect();
    let names: Vec<String> = (0..5).map(|number| format!("image-{number}")).collect();
    let found: Vec<(&str, Value)> = names.iter().map(|name| (name.as_str(), scan_of(&many))).collect();
    let mut runner = telling(&releases, &found);
    let calls = night(&mut runner, &[]);
    let body = calls[0].1["body"].as_str().unwrap().to_owned();
    assert!(body.len() < 65_536, "{}", body.len());
    assert!(body.contains(" more are in the reports of the last run."), "{}", &body[..2000]);
    assert_eq!(night(&mut runner, &[issue(7, "open", BOT, &body)]), [], "the same night again changes nothing");
}

#[test]
fn a_call_that_github_refuses_makes_the_run_red_and_the_next_night_catches_up() {
    for nth in 1..=3 {
        let mut runner = one_finding();
        wanted(&mut runner);
        runner.set("GH_FAIL", &nth.to_string());
        run(&mut runner, &public(), KEEP).fails_with("::error title=Issue not written::");
        runner.set("GH_FAIL", "");
        assert_eq!(night(&mut runner, &[]).len(), 1, "call {nth}");
    }
}

#[test]
fn a_repository_without_issues_gets_a_note() {
    let mut runner = one_finding();
    wanted(&mut runner);
    runner.set("GH_NO_ISSUES", "yes");
    let said = run(&mut runner, &public(), KEEP).passes().said;
    assert!(said.contains("::notice title=No issues::"), "{said}");
    assert_eq!(sent(&runner), []);
}

#[test]
fn several_pages_of_issues_are_searched_and_the_token_is_never_an_argument() {
    let mut runner = one_finding();
    let body = night(&mut runner, &[])[0].1["body"].as_str().unwrap().to_owned();
    wanted(&mut runner);
    let pages = format!("{}{}", json!([issue(1, "open", "mallory", "x")]), json!([issue(7, "open", BOT, &body)]));
    std::fs::write(runner.at("issues"), pages).unwrap();
    let said = run(&mut runner, &public(), KEEP).passes().said;
    assert_eq!(sent(&runner), []);
    let calls = runner.read("calls");
    assert!(calls.contains("--paginate") && calls.contains("state=all"), "{calls}");
    assert!(!calls.contains("ghs_very_secret") && !said.contains("ghs_very_secret"));
}

#[test]
fn the_command_in_the_issue_names_the_next_version() {
    for (prefixed, tag, next) in
        [("false", "v1.2.3", "v1.2.4"), ("false", "v1.0.0-rc.1", "v1.0.0"), ("true", "v1.9.9", "static-go/v1.9.10")]
    {
        let scan = scan_of(&[finding("CVE-2026-1", "HIGH", "2")]);
        let mut runner = telling(&[release("static-go", tag)], &[("static-go", scan)]);
        runner.set("PREFIXED", prefixed);
        let wanted = wanted(&mut runner);
        let command = format!("\ngh release create {next} --repo acme/base-images --generate-notes\n");
        assert!(wanted["body"].as_str().unwrap().contains(&command), "{wanted}");
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
