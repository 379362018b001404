//! What another machine, with rights that only read, finds in the registry.

use sbi::model::config::Auth;

use super::{Options, USUAL, published};
use crate::templates::runner::Run;

const COMPARE: &str = "Pull the tag and compare";
const UNSIGNED: Options = Options { signing: false, ..USUAL };

fn digest_of(run: &Run, path: &str) -> String {
    run.json(path)["digest"].as_str().unwrap().to_owned()
}

#[test]
fn verify_reads_with_its_own_role_and_writes_nothing() {
    for (options, role) in [(USUAL, "sbi-read-acme-base-images"), (Options { auth: Auth::AccessKey, ..USUAL }, "")] {
        let mut run = published(options);
        run.forget_calls();
        run.set("ASSUMED", "");
        run.job("verify", &[]).passes();
        let calls = run.read("calls");
        for write in ["oci:pulled:release docker", "cosign sign", "cosign attest", "put-", "delete"] {
            assert!(!calls.contains(write), "{write}: {calls}");
        }
        assert!(role.is_empty() || calls.contains("cosign verify"), "{calls}");
    }
}

#[test]
fn the_summary_lets_a_buyer_copy_what_to_pull_and_how_to_verify() {
    let mut run = published(USUAL);
    run.job("verify", &[]).passes();
    let digest = digest_of(&run, "artifacts/published/published.json");
    let summary = run.read("summary");
    let place = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme/static-go";
    for part in [
        "## static-go v1.0.0 is published".to_owned(),
        format!("docker pull {place}:v1.0.0@{digest}\n"),
        "cosign verify \\\n".into(),
        "cosign verify-attestation --type slsaprovenance1 \\\n".into(),
        "--certificate-identity https://github.com/acme/base-images/.github/workflows/publish-to-ecr.yml@refs/tags/v1.0.0 \\\n"
            .into(),
        format!("  {place}@{digest}\n"),
        format!("| linux/amd64 | `{}` |", digest_of(&run, "artifacts/evidence-amd64/scanned.json")),
        "| scanner, linux/arm64 | Trivy 0.75.0, database of 2026-01-01T00:00:00Z |".into(),
        "| base | `gcr.io/distroless/static-debian13:nonroot@sha256:".into(),
        "`evidence-arm64` (SPDX, CycloneDX)".into(),
        "| supported until |".into(),
    ] {
        assert!(summary.contains(&part), "{part} is missing in {summary}");
    }
    let mut run = published(UNSIGNED);
    run.job("verify", &[]).passes();
    assert!(!run.read("summary").contains("cosign"));
}

#[test]
fn text_in_the_summary_stays_text() {
    let mut run = published(USUAL);
    let plan = run.artifact("plan/plan.json");
    let mut edited = run.json("artifacts/plan/plan.json");
    edited["support_until"] = "a | b `c` <img> \\".into();
    std::fs::write(plan, edited.to_string()).unwrap();
    run.job("verify", &[]).passes();
    let summary = run.read("summary");
    assert!(summary.contains(r"| supported until | a \| b \`c\` \<img\> \\ |"), "{summary}");
}

#[test]
fn a_tag_that_names_other_bytes_or_other_platforms_fails_the_run() {
    let mut run = published(USUAL);
    let arm64 = digest_of(&run, "artifacts/evidence-arm64/scanned.json");
    std::fs::write(run.at("registry/tags/v1.0.0"), arm64).unwrap();
    run.job("verify", &[]).fails_at(COMPARE, "::error title=Other bytes::");

    // An index that was published as it is but for fewer platforms.
    let mut run = published(UNSIGNED);
    let index = r#"{"manifests":[{"platform":{"os":"linux","architecture":"amd64"},"digest":"sha256:0"}]}"#;
    let digest = format!("sha256:{}", crate::templates::runner::sha256(index.as_bytes()));
    std::fs::write(run.at(&format!("registry/blobs/{}", digest.replace(':', "/"))), index).unwrap();
    std::fs::write(run.at("registry/tags/v1.0.0"), &digest).unwrap();
    let said = serde_json::json!({"digest": digest, "tag": "v1.0.0"});
    std::fs::write(run.artifact("published/published.json"), said.to_string()).unwrap();
    run.job("verify", &[]).fails_at(COMPARE, "::error title=Other platforms::v1.0.0 is for linux/amd64");
}

#[test]
fn another_image_than_the_scanned_one_and_bytes_that_changed_fail_the_run() {
    let mut run = published(USUAL);
    let scanned = run.artifact("evidence-arm64/scanned.json");
    std::fs::write(scanned, r#"{"digest":"sha256:0"}"#).unwrap();
    run.job("verify", &[]).fails_at(COMPARE, "::error title=Not what was scanned::");

    let mut run = published(USUAL);
    run.set("TAMPER", "yes");
    run.job("verify", &[]).fails_at(COMPARE, "FAILED");
}

#[test]
fn a_missing_attestation_and_somebody_elses_signature_fail_the_run() {
    for missing in ["slsaprovenance1", "signature"] {
        let mut run = published(USUAL);
        let digest = digest_of(&run, "artifacts/published/published.json");
        std::fs::remove_file(run.at(&format!("registry/attached/{digest}/{missing}"))).unwrap();
        run.job("verify", &[]).fails_at("Verify signatures and attestations", "");
    }
    for missing in ["spdxjson", "vuln", "signature"] {
        let mut run = published(USUAL);
        let digest = digest_of(&run, "artifacts/evidence-arm64/scanned.json");
        std::fs::remove_file(run.at(&format!("registry/attached/{digest}/{missing}"))).unwrap();
        run.job("verify", &[]).fails_at("Verify signatures and attestations", "");
    }
    let mut run = published(USUAL);
    run.set("IDENTITY", "https://github.com/mallory/base-images/.github/workflows/publish-to-ecr.yml@refs/tags/v1.0.0");
    run.job("verify", &[]).fails_at("Verify signatures and attestations", "");
}

#[test]
fn each_call_of_verify_may_fail_and_then_nothing_is_called_verified() {
    let mut run = published(USUAL);
    run.forget_calls();
    run.job("verify", &[]).passes();
    let calls = run.read("calls").lines().filter(|call| !call.starts_with("curl")).count();
    for call in 1..=calls {
        std::fs::remove_file(run.at("summary")).unwrap();
        run.forget_calls();
        run.set("FAIL_AT", &call.to_string());
        assert!(!run.job("verify", &[]).passed(), "call {call} of {calls}");
        assert!(!run.read("summary").contains("is published"), "call {call} of {calls}");
        std::fs::write(run.at("summary"), "").unwrap();
    }
}
