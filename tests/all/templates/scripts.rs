//! Every script of the workflow, executed as GitHub runs it, on its good path and on bad days. Registry, scanner and
//! builder are stand-ins on `PATH`; hashing, merging and deciding is the scripts' own work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sbi::model::config::{Auth, Visibility};
use sha2::{Digest as _, Sha256};

use super::{config, linters, public, rendered, workflow, write};
use crate::support::tools::{root, system_tool};

/// One runner: a work folder, the files behind `GITHUB_OUTPUT` and its like, and the stand-ins.
struct Runner {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

struct Outcome {
    success: bool,
    said: String,
}

impl Runner {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        std::fs::create_dir_all(&work).unwrap();
        std::fs::create_dir_all(folder.path().join("temp")).unwrap();
        write(&rendered(&public()), &work);
        let mut runner = Self { folder, environment: BTreeMap::new() };
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", root().join("tests/tools/stand-ins").display());
        for (name, value) in [
            ("PATH", path),
            ("CALLS", runner.at("calls")),
            ("REGISTRY", runner.at("registry")),
            ("RUNNER_TEMP", runner.at("temp")),
            ("GITHUB_OUTPUT", runner.at("output")),
            ("GITHUB_PATH", runner.at("path")),
            ("GITHUB_STEP_SUMMARY", runner.at("summary")),
            ("GITHUB_SHA", "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00".into()),
        ] {
            runner.environment.insert(name.into(), value);
        }
        runner
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Runs the script of `job: step` of the workflow for OIDC in a public repository.
    fn run(&self, step: &str) -> Outcome {
        let scripts = linters::scripts(&workflow(&public()));
        let (_, script) = scripts.iter().find(|(name, _)| name == step).unwrap_or_else(|| panic!("no step {step}"));
        self.execute(script)
    }

    fn execute(&self, script: &str) -> Outcome {
        let file = self.folder.path().join("script");
        std::fs::write(&file, script).unwrap();
        let output = Command::new("/bin/bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(&file)
            .current_dir(self.work())
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Outcome { success: output.status.success(), said }
    }
}

impl Outcome {
    #[track_caller]
    fn passes(self) -> Self {
        assert!(self.success, "{}", self.said);
        self
    }

    #[track_caller]
    fn fails_with(self, reason: &str) {
        assert!(!self.success, "passed: {}", self.said);
        assert!(self.said.contains(reason), "failed without `{reason}`: {}", self.said);
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A layout with one image, as BuildKit writes it; returns the manifest's digest.
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

fn check_tag(event: &str, tag: &str, reference: &str) -> (Outcome, String) {
    let mut runner = Runner::new();
    runner.set("EVENT", event).set("TAG", tag).set("GITHUB_REF", reference);
    let outcome = runner.run("plan: Check the tag");
    (outcome, runner.read("output"))
}

/// Whether the plan job lets a release with this tag go on.
pub(super) fn plan_accepts(tag: &str) -> bool {
    check_tag("release", tag, &format!("refs/tags/{tag}")).0.success
}

#[test]
fn a_good_tag_is_handed_on_and_a_rehearsal_has_one_of_its_own() {
    let (outcome, output) = check_tag("release", "v1.0.0-rc.1", "refs/tags/v1.0.0-rc.1");
    outcome.passes();
    assert_eq!(output, "tag=v1.0.0-rc.1\n");
    let (outcome, output) = check_tag("workflow_dispatch", "", "refs/heads/main");
    outcome.passes();
    assert_eq!(output, "tag=v0.0.0-rehearsal\n");
}

#[test]
fn a_hostile_tag_stops_the_plan_and_is_neither_executed_nor_printed() {
    for tag in [
        "x/v1;rm -rf",
        "../a/v1.0.0",
        "v1.0.0;touch owned",
        "v1.0.0$(touch owned)",
        "`touch owned`",
        "v1.0.0\n::warning::owned",
        "v1.0.0\ntag=v2.0.0",
        "",
        "v1.0.0-",
        "v1.0.0 v2.0.0",
        "static-go/v1.0.0",
    ] {
        let (outcome, output) = check_tag("release", tag, &format!("refs/tags/{tag}"));
        assert!(!outcome.said.contains("owned") && !outcome.said.contains("rm -rf"), "{tag:?}: {}", outcome.said);
        outcome.fails_with("::error title=Unusable tag::");
        assert_eq!(output, "", "{tag:?}");
    }
    let (outcome, _) = check_tag("release", "v1.0.0", "refs/heads/main");
    outcome.fails_with("::error title=Unusable release::");
}

fn plan(runner: &mut Runner) -> serde_json::Value {
    runner.set("TAG", "v1.0.0").set("SOURCE", "https://github.com/acme/base-images").set("IMAGE", "images/static-go");
    runner.run("plan: Decide what is built").passes();
    serde_json::from_str(&runner.read("work/plan/plan.json")).unwrap()
}

#[test]
fn the_plan_resolves_base_and_builder_once_and_respects_digests() {
    let mut runner = Runner::new();
    let before = plan(&mut runner);
    assert_eq!(before["version"], "1.0.0");
    assert_eq!(before["epoch"], "1767225600");
    let manifest = br#"{"manifest of":"docker://gcr.io/distroless/static-debian13:nonroot"}"#;
    let base = format!("gcr.io/distroless/static-debian13:nonroot@sha256:{}", sha256(manifest));
    assert_eq!(before["base"], base.as_str());
    assert!(before["builder"].as_str().unwrap().starts_with("docker.io/library/golang:1.26-trixie@sha256:"));
    assert!(runner.work().join("plan/accepted-findings.yaml").is_file());

    let mut runner = Runner::new();
    let dockerfile = runner.work().join("images/static-go/Dockerfile");
    let pinned = format!("gcr.io/distroless/static-debian13:nonroot@sha256:{}", "7".repeat(64));
    let text = std::fs::read_to_string(&dockerfile).unwrap();
    std::fs::write(&dockerfile, text.replace("gcr.io/distroless/static-debian13:nonroot AS", &format!("{pinned} AS")))
        .unwrap();
    assert_eq!(plan(&mut runner)["base"], pinned.as_str());
    assert!(!runner.read("calls").contains("distroless"), "a digest needs no question");

    let mut runner = Runner::new();
    std::fs::write(runner.work().join("images/static-go/Dockerfile"), "FROM scratch\n").unwrap();
    runner.set("TAG", "v1.0.0").set("SOURCE", "s").set("IMAGE", "images/static-go");
    runner.run("plan: Decide what is built").fails_with("has no stage upstream");
}

#[test]
fn an_accepted_finding_needs_a_reason_and_an_end_date() {
    let entry = "vulnerabilities:\n  - id: CVE-2026-1\n    statement: not reachable\n    expired_at: 2026-12-31\n";
    let decide = |accepted: &str| {
        let mut runner = Runner::new();
        std::fs::write(runner.work().join("images/static-go/accepted-findings.yaml"), accepted).unwrap();
        runner.set("TAG", "v1.0.0").set("SOURCE", "s").set("IMAGE", "images/static-go");
        runner.run("plan: Decide what is built")
    };
    decide(entry).passes();
    for lacking in ["    statement: not reachable\n", "    expired_at: 2026-12-31\n", "not reachable"] {
        decide(&entry.replace(lacking, "")).fails_with("::error title=Unusable exception::");
    }
}

#[test]
fn the_build_takes_everything_from_the_plan_and_leaves_one_image() {
    let mut runner = Runner::new();
    let plan = plan(&mut runner);
    let layout = runner.at("made");
    write_layout(Path::new(&layout), "arm64");
    runner.set("LAYOUT", &layout).set("ARCH", "arm64").set("BUILDKIT", "buildkit@sha256:0");
    runner.run("build: Build one OCI layout").passes();
    let calls = runner.read("calls");
    for argument in [
        "--platform linux/arm64 ",
        "--no-cache ",
        "--provenance=false ",
        "--sbom=false ",
        "--build-arg SOURCE_DATE_EPOCH=1767225600 ",
        "--build-arg BASE_NAME=gcr.io/distroless/static-debian13:nonroot ",
        "--output type=oci,dest=layout,tar=false,rewrite-timestamp=true ",
        &format!("--build-arg BASE_IMAGE={} ", plan["base"].as_str().unwrap()),
        &format!("--build-arg BASE_DIGEST={} ", plan["base"].as_str().unwrap().split_once('@').unwrap().1),
    ] {
        assert!(calls.contains(argument), "{argument} is missing in {calls}");
    }
    assert!(calls.contains("--driver-opt image=buildkit@sha256:0"), "{calls}");

    // An index with a second entry, as attestations would leave it, stops here.
    let index = r#"{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json"},{}]}"#;
    std::fs::write(Path::new(&layout).join("index.json"), index).unwrap();
    std::fs::remove_dir_all(runner.work().join("layout")).unwrap();
    assert!(!runner.run("build: Build one OCI layout").success);
}

const INVENTORY: &str = r#"{"Results":[{"Packages":[{"Name":"tzdata"}]}]}"#;

fn scanning() -> Runner {
    let mut runner = Runner::new();
    plan(&mut runner);
    write_layout(&runner.work().join("layout"), "amd64");
    runner.set("ARCH", "amd64").set("TRIVY_JSON", INVENTORY);
    runner
}

const SCAN: [&str; 4] = [
    "scan: Name what is scanned",
    "scan: Scan once",
    "scan: Write the reports",
    "scan: Stop on CRITICAL, HIGH and end of life",
];

#[test]
fn a_clean_image_passes_the_gate_with_all_its_evidence() {
    let runner = scanning();
    for step in SCAN {
        runner.run(step).passes();
    }
    for file in ["scanned.json", "trivy.json", "trivy.sarif", "sbom.spdx.json", "sbom.cdx.json", "trivy-version.json"] {
        assert!(runner.work().join("evidence").join(file).is_file(), "{file}");
    }
    let calls = runner.read("calls");
    assert_eq!(calls.matches("trivy image").count(), 1, "scanned once: {calls}");
    assert!(calls.contains("--ignorefile plan/accepted-findings.yaml"), "{calls}");
    assert!(!calls.contains("ignore-unfixed"), "{calls}");
}

#[test]
fn a_finding_an_end_of_life_and_a_crash_all_stop_the_release_each_by_its_name() {
    for (code, title) in [("10", "Findings"), ("11", "End of life"), ("1", "Scan failed"), ("137", "Scan failed")] {
        let mut runner = scanning();
        runner.set("TRIVY_GATE_CODE", code);
        for step in &SCAN[..3] {
            runner.run(step).passes();
        }
        runner.run(SCAN[3]).fails_with(&format!("::error title={title}::"));
        assert!(runner.read("summary").contains("the table"), "{code}");
        assert!(runner.work().join("evidence/trivy.sarif").is_file(), "the report is there before the gate");
    }
}

#[test]
fn a_scan_that_crashed_leaves_no_report_and_an_empty_inventory_is_no_clean_image() {
    let mut runner = scanning();
    runner.set("TRIVY_SCAN_CODE", "1");
    runner.run(SCAN[0]).passes();
    assert!(!runner.run(SCAN[1]).success);
    assert!(!runner.work().join("evidence/trivy.sarif").exists());

    for empty in ["{}", r#"{"Results":[]}"#, r#"{"Results":[{"Packages":[]}]}"#, r#"{"Results":null}"#] {
        let mut runner = scanning();
        runner.set("TRIVY_JSON", empty);
        runner.run(SCAN[0]).passes();
        runner.run(SCAN[1]).fails_with("::error title=Empty scan::");
    }
    let mut runner = scanning();
    runner.set("TRIVY_JSON", "not JSON");
    runner.run(SCAN[0]).passes();
    assert!(!runner.run(SCAN[1]).success);
}

#[test]
fn a_tampered_layout_is_neither_scanned_nor_merged() {
    let tamper = |layout: &Path| {
        let blob = std::fs::read_dir(layout.join("blobs/sha256")).unwrap().next().unwrap().unwrap().path();
        std::fs::write(blob, "other bytes").unwrap();
    };
    let runner = scanning();
    tamper(&runner.work().join("layout"));
    runner.run(SCAN[0]).fails_with("FAILED");

    let runner = publishing();
    tamper(&runner.work().join("image-arm64"));
    runner.run("publish: Merge what was scanned").fails_with("FAILED");
}

#[test]
fn trivy_is_installed_only_when_its_checksum_is_the_one_in_the_file() {
    let mut runner = Runner::new();
    let tools = runner.folder.path().join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    // A download that brings a real archive, for both a right and a wrong checksum.
    std::fs::write(runner.folder.path().join("temp/trivy"), "a program").unwrap();
    let packed = runner.execute("tar -czf \"$RUNNER_TEMP/../asset\" -C \"$RUNNER_TEMP\" trivy").passes();
    assert_eq!(packed.said, "");
    let curl = tools.join("curl");
    std::fs::write(
        &curl,
        "#!/bin/bash\necho \"curl $*\" >> \"$CALLS\"\nwhile [ \"$1\" != --output ]; do shift; done\ncp ../asset \"$2\"\n",
    )
    .unwrap();
    runner.execute(&format!("chmod +x {}", curl.display())).passes();
    let path = format!("{}:{}", tools.display(), runner.environment["PATH"]);
    let checksum = sha256(&std::fs::read(runner.folder.path().join("asset")).unwrap());
    runner.set("PATH", &path).set("VERSION", "0.75.0").set("SHA256", &"0".repeat(64));
    runner.run("scan: Install Trivy").fails_with("FAILED");
    assert!(!runner.folder.path().join("temp/bin/trivy").exists());
    runner.set("SHA256", &checksum);
    runner.run("scan: Install Trivy").passes();
    assert!(runner.folder.path().join("temp/bin/trivy").is_file());
    assert_eq!(runner.read("path"), format!("{}/bin\n", runner.at("temp")));
    assert!(runner.read("calls").contains("--proto =https --tlsv1.2"), "{}", runner.read("calls"));
}

const FREE: &str = r#"{"images":[],"failures":[{"failureCode":"ImageNotFound"}]}"#;

/// A runner at the start of the publish job: plan, images and evidence of both architectures.
fn publishing() -> Runner {
    let mut runner = Runner::new();
    plan(&mut runner);
    for arch in ["amd64", "arm64"] {
        let digest = write_layout(&runner.work().join(format!("image-{arch}")), arch);
        let evidence = runner.work().join(format!("evidence-{arch}"));
        std::fs::create_dir_all(&evidence).unwrap();
        let scanned = serde_json::json!({"arch": arch, "digest": digest}).to_string();
        std::fs::write(evidence.join("scanned.json"), scanned).unwrap();
    }
    std::fs::remove_file(runner.folder.path().join("calls")).unwrap();
    for (name, value) in [
        ("ARCHITECTURES", "amd64 arm64"),
        ("TITLE", "A title with \"quotes\""),
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "very-secret"),
        ("AWS_REGION", "eu-central-1"),
        ("ECR_REGISTRY", "123456789012.dkr.ecr.eu-central-1.amazonaws.com"),
        ("ECR_REPOSITORY", "acme/static-go"),
        ("AWS_ANSWER", FREE),
    ] {
        runner.set(name, value);
    }
    runner
}

const PUBLISH: [&str; 5] = [
    "publish: Merge what was scanned",
    "publish: Sign in and look at the tag",
    "publish: Push by digest",
    "publish: Pull back and compare",
    "publish: Tag",
];

#[test]
fn the_scanned_bytes_are_pushed_by_digest_pulled_back_and_tagged_last() {
    let mut runner = publishing();
    runner.run(PUBLISH[0]).passes();
    runner.run(PUBLISH[1]).passes();
    assert_eq!(runner.read("output"), "state=free\n");
    runner.set("STATE", "free");
    runner.run(PUBLISH[2]).passes();
    assert!(!Path::new(&runner.at("registry/tags/v1.0.0")).exists(), "no tag before the comparison");
    runner.run(PUBLISH[3]).passes();
    runner.run(PUBLISH[4]).passes();

    let digest = runner.read("work/digest");
    assert_eq!(runner.read("registry/tags/v1.0.0").trim(), digest);
    let index = runner.read(&format!("registry/blobs/{}", digest.replace(':', "/")));
    assert_eq!(format!("sha256:{}", sha256(index.as_bytes())), digest);
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let platforms: Vec<&str> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["platform"]["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(platforms, ["amd64", "arm64"]);
    assert_eq!(index["annotations"]["org.opencontainers.image.version"], "1.0.0");
    assert!(runner.read("summary").contains(&digest));

    let calls = runner.read("calls");
    let mut kinds: Vec<String> = calls
        .lines()
        .map(|call| call.split(' ').take(if call.starts_with("aws") { 3 } else { 2 }).collect::<Vec<_>>().join(" "))
        .collect();
    // Both ends of one pipe start in any order.
    kinds[..2].sort();
    assert_eq!(
        kinds,
        [
            "aws ecr get-login-password",
            "skopeo login",
            "aws ecr batch-get-image",
            "skopeo copy",
            "skopeo copy",
            "skopeo copy",
            "skopeo inspect"
        ]
    );
    assert!(!calls.contains("very-secret") && !calls.contains("password-of-twelve-hours"), "{calls}");
}

#[test]
fn the_same_images_make_the_same_index() {
    let digest = || {
        let runner = publishing();
        runner.run(PUBLISH[0]).passes();
        runner.read("work/digest")
    };
    assert_eq!(digest(), digest());
}

#[test]
fn an_image_that_was_not_scanned_or_is_for_another_platform_is_not_merged() {
    let runner = publishing();
    std::fs::write(runner.work().join("evidence-arm64/scanned.json"), r#"{"digest":"sha256:0"}"#).unwrap();
    runner.run(PUBLISH[0]).fails_with("::error title=Not what was scanned::");

    let runner = publishing();
    std::fs::remove_dir_all(runner.work().join("evidence-arm64")).unwrap();
    assert!(!runner.run(PUBLISH[0]).success, "no evidence, no release");

    let runner = publishing();
    std::fs::remove_dir_all(runner.work().join("image-arm64")).unwrap();
    let digest = write_layout(&runner.work().join("image-arm64"), "amd64");
    let scanned = serde_json::json!({"digest": digest}).to_string();
    std::fs::write(runner.work().join("evidence-arm64/scanned.json"), scanned).unwrap();
    runner.run(PUBLISH[0]).fails_with("the image is for linux/amd64");

    let runner = publishing();
    let index = r#"{"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}"#;
    std::fs::write(runner.work().join("image-amd64/index.json"), index).unwrap();
    assert!(!runner.run(PUBLISH[0]).success);
}

#[test]
fn a_taken_tag_does_not_move_and_an_unclear_answer_is_not_a_free_tag() {
    let mut runner = publishing();
    runner.run(PUBLISH[0]).passes();
    runner.set("AWS_ANSWER", r#"{"images":[{"imageId":{"imageDigest":"sha256:other"}}],"failures":[]}"#);
    runner.run(PUBLISH[1]).fails_with("::error title=Tag taken::");
    for unclear in [
        r#"{"images":[],"failures":[]}"#,
        r#"{"images":[],"failures":[{"failureCode":"InvalidImageTag"}]}"#,
        r#"{}"#,
        "an HTML page",
        "",
    ] {
        runner.set("AWS_ANSWER", unclear);
        assert!(!runner.run(PUBLISH[1]).success, "{unclear}");
    }
    assert_eq!(runner.read("output"), "");
}

#[test]
fn a_second_attempt_after_the_tag_was_set_changes_nothing_and_succeeds() {
    let mut runner = publishing();
    runner.run(PUBLISH[0]).passes();
    runner.set("STATE", "free");
    for step in &PUBLISH[2..] {
        runner.run(step).passes();
    }
    let digest = runner.read("work/digest");
    runner.set("AWS_ANSWER", &format!(r#"{{"images":[{{"imageId":{{"imageDigest":"{digest}"}}}}],"failures":[]}}"#));
    runner.run(PUBLISH[1]).passes();
    assert_eq!(runner.read("output"), "state=done\n");
    runner.set("STATE", "done");
    std::fs::remove_dir_all(runner.work().join("pulled")).unwrap();
    let before = runner.read("calls").matches("oci:merged").count();
    for step in &PUBLISH[2..] {
        runner.run(step).passes();
    }
    assert_eq!(runner.read("calls").matches("oci:merged").count(), before, "nothing is pushed again");
}

#[test]
fn a_registry_that_fails_or_returns_other_bytes_leaves_no_tag() {
    let mut runner = publishing();
    runner.run(PUBLISH[0]).passes();
    runner.set("STATE", "free").set("FAIL_COPY", "yes");
    assert!(!runner.run(PUBLISH[2]).success);

    let mut runner = publishing();
    runner.run(PUBLISH[0]).passes();
    runner.set("STATE", "free").set("TAMPER", "yes");
    runner.run(PUBLISH[2]).passes();
    runner.run(PUBLISH[3]).fails_with("differ");
    assert!(!Path::new(&runner.at("registry/tags/v1.0.0")).exists());
}

#[test]
fn both_ways_of_signing_in_run_the_same_scripts() {
    let of = |auth| linters::scripts(&workflow(&config(auth, Visibility::Private, None)));
    assert_eq!(of(Auth::Oidc), of(Auth::AccessKey));
}

/// Holds the compiled audit program against a sound root file system and against each way to break one.
pub(super) fn audit_judges(program: &Path) {
    let certificates = Path::new("/etc/ssl/certs/ca-certificates.crt");
    let (true, Some(_)) = (certificates.is_file(), system_tool("ls")) else { return };
    let judge = |spoil: &str, arch: &str| {
        let runner = Runner::new();
        let sound = format!(
            "umask 022; mkdir -p root/etc/ssl/certs root/usr/bin root/tmp && chmod 1777 root/tmp
             cp {} root/etc/ssl/certs/ && cp {} root/usr/bin/static
             echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' > root/etc/passwd
             for zone in UTC America/New_York Asia/Tokyo Europe/Berlin; do
               mkdir -p \"$(dirname root/usr/share/zoneinfo/$zone)\"; printf TZif2 > root/usr/share/zoneinfo/$zone
             done
             {spoil}
             {} -root root -arch {arch} -out report.json && cat report.json",
            certificates.display(),
            program.display(),
            program.display(),
        );
        runner.execute(&sound)
    };
    let native = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let foreign = if native == "arm64" { "amd64" } else { "arm64" };
    let report: serde_json::Value = serde_json::from_str(&judge("", native).passes().said).unwrap();
    assert_eq!(report["elfExecutables"], serde_json::json!(["/usr/bin/static"]));
    assert_eq!(report["user"], "nonroot");
    for (spoil, reason) in [
        ("cp /bin/bash root/usr/bin/renamed", "/usr/bin/renamed needs a loader"),
        ("printf x > root/usr/bin/sh; chmod +x root/usr/bin/sh", "/usr/bin/sh is a shell"),
        ("mkdir root/bin; ln -s ../usr/bin/static root/bin/bash", "/bin/bash is a shell"),
        ("cp root/usr/bin/static root/usr/bin/apt-get", "/usr/bin/apt-get is a package manager"),
        ("chmod u+s root/usr/bin/static", "/usr/bin/static is setuid or setgid"),
        ("chmod 777 root/etc", "/etc is world-writable"),
        ("printf x > root/etc/open; chmod 666 root/etc/open", "/etc/open is world-writable"),
        ("sed -i s,/sbin/nologin,/bin/sh, root/etc/passwd", "user 65532 logs in with /bin/sh"),
        ("sed -i s/65532/1000/ root/etc/passwd", "no user has the number 65532"),
        ("rm root/usr/share/zoneinfo/UTC", "time zone UTC is missing"),
        ("echo > root/etc/ssl/certs/ca-certificates.crt", "the CA bundle holds 0 certificates"),
        ("rm -r root; mkdir root", "root is empty"),
    ] {
        judge(spoil, native).fails_with(reason);
    }
    judge("", foreign).fails_with("is built for");
}
