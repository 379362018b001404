//! One image an architecture, with what the plan says about it.

use super::{BOTH, USUAL, config};
use crate::templates::runner::{Run, sha256};

const BUILD: &str = "Build one OCI layout";
const ANNOTATE: &str = "Annotate the manifest with the image's labels";
const CHECK: &str = "Check architecture and size";

fn planned() -> Run {
    let mut run = Run::release(&config(USUAL), "v1.0.0");
    run.job("plan", &[]).passes();
    run.forget_calls();
    run
}

#[test]
fn the_build_takes_everything_from_the_plan_and_no_cache() {
    let mut run = planned();
    run.job("build", &[("arch", "arm64")]).passes();
    let plan = run.json("artifacts/plan/plan.json");
    let calls = run.read("calls");
    let base = plan["base"].as_str().unwrap();
    for argument in [
        "--platform linux/arm64 ",
        "--no-cache ",
        "--provenance=false ",
        "--sbom=false ",
        "--build-arg SOURCE_DATE_EPOCH=1767225600 ",
        "--build-arg BASE_NAME=gcr.io/distroless/static-debian13:nonroot ",
        "--label org.opencontainers.image.created=2026-01-01T00:00:00Z ",
        "--output type=oci,dest=layout,tar=false,rewrite-timestamp=true images/static-go",
        "--driver-opt image=docker.io/moby/buildkit:",
        &format!("--build-arg BASE_IMAGE={base} "),
        &format!("--build-arg BASE_DIGEST={} ", base.split_once('@').unwrap().1),
        &format!("--build-arg BUILDER_IMAGE={} ", plan["builder"].as_str().unwrap()),
    ] {
        assert!(calls.contains(argument), "{argument} is missing in {calls}");
    }
}

#[test]
fn the_manifest_carries_the_labels_as_annotations_under_a_digest_of_its_own() {
    let manifest = || {
        let mut run = planned();
        run.job("build", &[("arch", "amd64")]).passes();
        let index = run.json("artifacts/image-amd64/index.json");
        let [only] = index["manifests"].as_array().unwrap().as_slice() else { panic!("{index}") };
        let digest = only["digest"].as_str().unwrap().to_owned();
        let text = run.read(&format!("artifacts/image-amd64/blobs/{}", digest.replace(':', "/")));
        assert_eq!(format!("sha256:{}", sha256(text.as_bytes())), digest);
        assert_eq!(only["size"], text.len());
        let blobs = std::fs::read_dir(run.artifact("image-amd64/blobs/sha256")).unwrap().count();
        assert_eq!(blobs, 3, "the manifest as it was is gone");
        (digest, serde_json::from_str::<serde_json::Value>(&text).unwrap())
    };
    let (digest, made) = manifest();
    assert_eq!(made["annotations"]["org.opencontainers.image.created"], "2026-01-01T00:00:00Z");
    assert_eq!(digest, manifest().0, "the same build gives the same digest");
}

#[test]
fn an_image_for_another_architecture_is_not_handed_on() {
    for (asked, made) in [("amd64", "arm64"), ("arm64", "amd64")] {
        let mut run = planned();
        run.set("MADE_FOR", made);
        run.job("build", &[("arch", asked)]).fails_at(CHECK, "::error title=Wrong architecture::");
        assert!(!run.artifact(&format!("image-{asked}")).exists());
    }
}

#[test]
fn an_image_over_its_budget_is_not_handed_on_and_one_that_fits_exactly_is() {
    let mut run = Run::release(&config(USUAL), "v1.0.0");
    run.job("plan", &[]).passes();
    run.job("build", &[("arch", "amd64")]).passes();
    let said = run.read("summary");
    let size: u64 = said.split(", ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    for (budget, fits) in [(size, true), (size - 1, false)] {
        let mut run = Run::release(&config(USUAL), "v1.0.0");
        run.edit("images/static-go/image.json", |text| {
            let line = text.lines().find(|line| line.contains("size_budget")).unwrap();
            text.replace(line, &format!("  \"size_budget\": {budget},"))
        });
        run.job("plan", &[]).passes();
        let outcome = run.job("build", &[("arch", "amd64")]);
        if fits {
            outcome.passes();
        } else {
            outcome.fails_at(CHECK, "::error title=Over budget::");
        }
    }
}

#[test]
fn a_second_manifest_as_attestations_would_leave_it_stops_the_build() {
    let mut run = planned();
    run.set("SECOND_MANIFEST", "yes");
    run.job("build", &[("arch", "amd64")]).fails_at(ANNOTATE, "::error title=Not one image::");
}

#[test]
fn each_call_of_the_build_may_fail_and_then_nothing_is_handed_on() {
    for call in 1..=2 {
        for arch in BOTH {
            let mut run = planned();
            run.set("FAIL_AT", &call.to_string());
            run.job("build", &[("arch", arch)]).fails_at(BUILD, "fails, as it was told to");
            assert!(!run.artifact(&format!("image-{arch}")).exists());
        }
    }
}
