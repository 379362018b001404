//! What reaches the registry, in which order, and what a failure anywhere leaves behind.

use sbi::model::config::{Architecture, Auth};

use super::{BOTH, Options, USUAL, published, scanned, usual};
use crate::templates::runner::{Run, sha256};

const MERGE: &str = "Merge what was scanned";
const LOOK: &str = "Sign in and look at the tag";
const UNSIGNED: Options = Options { signing: false, ..USUAL };

fn digest(run: &Run) -> String {
    run.json("artifacts/published/published.json")["digest"].as_str().unwrap().to_owned()
}

/// The kinds of calls, such as `skopeo copy`.
fn kinds(run: &Run) -> Vec<String> {
    let words = |call: &str| if call.starts_with("aws") { 3 } else { 2 };
    let calls = run.read("calls");
    let kind = |call: &str| call.split(' ').take(words(call)).collect::<Vec<_>>().join(" ");
    let mut kinds: Vec<String> = calls.lines().filter(|call| !call.starts_with("curl")).map(kind).collect();
    // Both ends of one pipe start in any order.
    kinds[..2].sort();
    kinds
}

#[test]
fn the_scanned_bytes_are_pushed_by_digest_pulled_back_signed_verified_and_tagged_last() {
    for (options, signing) in [(USUAL, true), (UNSIGNED, false), (Options { auth: Auth::AccessKey, ..USUAL }, true)] {
        let run = published(options);
        let mut expected = vec!["aws ecr get-login-password", "skopeo login", "aws ecr batch-get-image"];
        expected.extend(["skopeo copy", "skopeo copy"]);
        if signing {
            expected.extend(["cosign sign"]);
            expected.extend(["cosign attest"; 5]);
            expected.extend(["cosign verify", "cosign verify-attestation"]);
            expected.extend(["cosign verify", "cosign verify-attestation", "cosign verify-attestation"].repeat(2));
        }
        expected.extend(["skopeo copy", "skopeo inspect"]);
        assert_eq!(kinds(&run), expected);
        let calls = run.read("calls");
        assert!(!calls.contains("very-secret") && !calls.contains("password-of-twelve-hours"), "{calls}");
        assert_eq!(run.read("registry/tags/v1.0.0").trim(), digest(&run));
    }
}

#[test]
fn the_index_holds_each_platform_once_and_says_what_its_images_say() {
    let run = published(USUAL);
    let text = run.read(&format!("registry/blobs/{}", digest(&run).replace(':', "/")));
    assert_eq!(format!("sha256:{}", sha256(text.as_bytes())), digest(&run));
    let index: serde_json::Value = serde_json::from_str(&text).unwrap();
    let platforms: Vec<&str> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|manifest| manifest["platform"]["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(platforms, BOTH);
    for (arch, manifest) in BOTH.iter().zip(index["manifests"].as_array().unwrap()) {
        assert_eq!(manifest["digest"], run.json(&format!("artifacts/evidence-{arch}/scanned.json"))["digest"]);
    }
    assert_eq!(index["annotations"]["org.opencontainers.image.version"], "1.0.0");
    assert_eq!(index["annotations"]["org.opencontainers.image.created"], "2026-01-01T00:00:00Z");
    assert_eq!(digest(&run), digest(&published(USUAL)), "the same images make the same index");
    let one = published(Options { architectures: &[Architecture::Amd64], ..USUAL });
    assert_ne!(digest(&run), digest(&one));
}

#[test]
fn what_is_attested_is_what_happened() {
    let run = published(USUAL);
    let provenance = run.json(&format!("registry/attached/{}/slsaprovenance1", digest(&run)));
    let build = &provenance["buildDefinition"];
    assert_eq!(build["externalParameters"]["workflow"]["ref"], "refs/tags/v1.0.0");
    assert_eq!(build["externalParameters"]["workflow"]["repository"], "https://github.com/acme/base-images");
    let plan = run.json("artifacts/plan/plan.json");
    let dependencies = build["resolvedDependencies"].as_array().unwrap();
    assert_eq!(dependencies[0]["digest"]["gitCommit"], plan["revision"]);
    for (dependency, key) in dependencies[1..].iter().zip(["base", "builder"]) {
        let (name, digest) = plan[key].as_str().unwrap().split_once("@sha256:").unwrap();
        assert_eq!(dependency["uri"], format!("oci://{name}"));
        assert_eq!(dependency["digest"]["sha256"], digest);
    }
    assert!(dependencies[3]["uri"].as_str().unwrap().starts_with("oci://docker.io/moby/buildkit:"));
    let builder = "https://github.com/acme/base-images/.github/workflows/publish-to-ecr.yml@refs/tags/v1.0.0";
    assert_eq!(provenance["runDetails"]["builder"]["id"], builder);
    let run_of = "https://github.com/acme/base-images/actions/runs/42/attempts/1";
    assert_eq!(provenance["runDetails"]["metadata"]["invocationId"], run_of);

    for arch in BOTH {
        let scanned = run.json(&format!("artifacts/evidence-{arch}/scanned.json"));
        let attached = format!("registry/attached/{}", scanned["digest"].as_str().unwrap());
        let scan = run.json(&format!("{attached}/vuln"));
        assert_eq!(scan["scanner"]["db"]["version"], "2026-01-01T00:00:00Z");
        assert_eq!(scan["scanner"]["result"], run.json(&format!("artifacts/evidence-{arch}/trivy.json")));
        assert_eq!(scan["metadata"]["scanStartedOn"], scanned["started"]);
        assert_eq!(scan["metadata"]["scanFinishedOn"], scanned["finished"]);
        let inventory = run.json(&format!("artifacts/evidence-{arch}/sbom.spdx.json"));
        assert_eq!(run.json(&format!("{attached}/spdxjson")), inventory);
        assert_eq!(run.read(&format!("{attached}/signature")), "signed\n");
    }
}

#[test]
fn incomplete_evidence_is_not_attested() {
    for (file, text) in [("trivy-version.json", r#"{"Version":"1"}"#), ("scanned.json", r#"{"digest":"DIGEST"}"#)] {
        let mut run = usual();
        let path = run.artifact("evidence-arm64").join(file);
        let scanned = run.json("artifacts/evidence-arm64/scanned.json");
        std::fs::write(path, text.replace("DIGEST", scanned["digest"].as_str().unwrap())).unwrap();
        run.job("publish", &[]).fails_at("Write what is attested", "the evidence is incomplete");
        assert_eq!(run.read("calls").matches("skopeo").count(), 0);
    }
}

#[test]
fn several_images_go_each_to_its_own_repository() {
    let several = Options { several: true, ..USUAL };
    let run = published(several);
    let config = super::config(several);
    let repository = config.ecr_repository_of(&config.publish.images[0]);
    let place = format!("docker://123456789012.dkr.ecr.eu-central-1.amazonaws.com/{repository}:v1.0.0");
    assert!(run.read("calls").contains(&place), "{}", run.read("calls"));
    if config.publish.images.len() > 1 {
        let mut run = scanned(several);
        let plan = run.artifact("plan/plan.json");
        let text = std::fs::read_to_string(&plan).unwrap().replace("\"static-go\"", "\"other\"");
        std::fs::write(&plan, text).unwrap();
        run.job("publish", &[]).fails_at("Find the ECR repository", "::error title=Unknown image::");
    }
}

#[test]
fn an_image_that_was_not_scanned_or_is_for_another_platform_is_not_merged() {
    let mut run = usual();
    std::fs::write(run.artifact("evidence-arm64/scanned.json"), r#"{"digest":"sha256:0"}"#).unwrap();
    run.job("publish", &[]).fails_at(MERGE, "::error title=Not what was scanned::");

    let mut run = usual();
    std::fs::remove_dir_all(run.artifact("evidence-arm64")).unwrap();
    run.job("publish", &[]).fails_at(MERGE, "");

    let mut run = usual();
    for what in ["image", "evidence"] {
        std::fs::remove_dir_all(run.artifact(&format!("{what}-arm64"))).unwrap();
        crate::templates::runner::copy(
            &run.artifact(&format!("{what}-amd64")),
            &run.artifact(&format!("{what}-arm64")),
        );
    }
    run.job("publish", &[]).fails_at(MERGE, "the image is for linux/amd64");

    let mut run = usual();
    let index = r#"{"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}"#;
    std::fs::write(run.artifact("image-amd64/index.json"), index).unwrap();
    run.job("publish", &[]).fails_at(MERGE, "");

    let mut run = usual();
    let blob = std::fs::read_dir(run.artifact("image-arm64/blobs/sha256")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(blob, "other bytes").unwrap();
    run.job("publish", &[]).fails_at(MERGE, "FAILED");
}

#[test]
fn a_taken_tag_does_not_move_and_an_unclear_answer_is_not_a_free_tag() {
    let mut run = usual();
    run.set("AWS_ANSWER", r#"{"images":[{"imageId":{"imageDigest":"sha256:other"}}],"failures":[]}"#);
    run.job("publish", &[]).fails_at(LOOK, "::error title=Tag taken::");
    for unclear in [
        r#"{"images":[],"failures":[]}"#,
        r#"{"images":[],"failures":[{"failureCode":"InvalidImageTag"}]}"#,
        r#"{}"#,
        "an HTML page",
        "",
    ] {
        run.set("AWS_ANSWER", unclear);
        run.job("publish", &[]).fails_at(LOOK, "");
    }
    assert!(!run.read("calls").contains("skopeo copy"), "nothing is pushed");
}

#[test]
fn a_failure_at_any_call_leaves_no_tag_before_its_turn_and_the_next_attempt_finishes() {
    // One architecture has every kind of call.
    let options = Options { architectures: &[Architecture::Amd64], ..USUAL };
    let calls = kinds(&published(options)).len();
    for call in 1..=calls {
        let mut run = scanned(options);
        run.set("FAIL_AT", &call.to_string());
        assert!(!run.job("publish", &[]).passed(), "call {call} of {calls}");
        // Only looking at the tag comes after it was set.
        let tagged = !run.read("registry/tags/v1.0.0").is_empty();
        assert_eq!(tagged, call == calls, "call {call} of {calls}");
        assert!(!run.artifact("published").exists(), "nothing is said to be published");
        run.unset("FAIL_AT");
        run.job("publish", &[]).passes();
        assert_eq!(run.read("registry/tags/v1.0.0").trim(), digest(&run), "call {call} of {calls}");
    }
}

#[test]
fn an_attempt_after_the_tag_was_set_pushes_and_signs_nothing() {
    let mut run = published(USUAL);
    run.forget_calls();
    run.job("publish", &[]).passes();
    let calls = run.read("calls");
    for absent in ["oci:merged", "cosign sign", "cosign attest"] {
        assert!(!calls.contains(absent), "{absent}: {calls}");
    }
    assert!(calls.contains("cosign verify "), "what is there is looked at: {calls}");
}

#[test]
fn a_registry_that_returns_other_bytes_and_a_signature_of_somebody_else_leave_no_tag() {
    let mut run = usual();
    run.set("TAMPER", "yes");
    run.job("publish", &[]).fails_at("Pull back and compare", "differ");
    assert_eq!(run.read("registry/tags/v1.0.0"), "");

    for other in [
        "https://github.com/acme/base-images/.github/workflows/publish-to-ecr.yml@refs/tags/v1.0.1",
        "https://github.com/acme/base-images/.github/workflows/other.yml@refs/tags/v1.0.0",
        "https://github.com/mallory/base-images/.github/workflows/publish-to-ecr.yml@refs/tags/v1.0.0",
    ] {
        let mut run = usual();
        run.set("IDENTITY", other);
        run.job("publish", &[]).fails_at("Verify signatures and attestations", "");
        assert_eq!(run.read("registry/tags/v1.0.0"), "", "{other}");
    }
}
