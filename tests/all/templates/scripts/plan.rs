//! Which tags are released, and what is written down about what is built.

use sbi::model::config::Config;

use super::{Options, USUAL, config, tag_of};
use crate::templates::runner::{COMMIT, Outcome, Run, sha256};

const CHECK: &str = "Check the tag";
const DECIDE: &str = "Decide what is built";
const DOCKERFILE: &str = "images/static-go/Dockerfile";
const ACCEPTED: &str = "images/static-go/accepted-findings.yaml";
const SEVERAL: Options = Options { several: true, ..USUAL };

fn release(config: &Config, tag: &str) -> (Outcome, Run) {
    let mut run = Run::release(config, tag);
    (run.job("plan", &[]), run)
}

/// Whether the plan job lets a release with this tag go on, where there is one image.
pub(in super::super) fn plan_accepts(tag: &str) -> bool {
    release(&config(USUAL), tag).0.passed()
}

#[test]
fn the_plan_says_what_every_later_job_needs() {
    let (outcome, run) = release(&config(USUAL), "v1.0.0-rc.1");
    outcome.passes();
    let plan = run.json("artifacts/plan/plan.json");
    for (key, value) in [
        ("tag", "v1.0.0-rc.1"),
        ("git_tag", "v1.0.0-rc.1"),
        ("version", "1.0.0-rc.1"),
        ("image", "static-go"),
        ("revision", COMMIT),
        ("source", "https://github.com/acme/base-images"),
        ("epoch", "1767225600"),
    ] {
        assert_eq!(plan[key], value);
    }
    for key in ["title", "licenses", "support_until"] {
        assert!(plan[key].as_str().is_some_and(|text| !text.is_empty()), "{key}");
    }
    assert!(plan["size_budget"].as_u64().is_some_and(|bytes| bytes > 100_000));
    assert!(run.artifact("plan/accepted-findings.yaml").is_file());
}

#[test]
fn of_several_images_the_tag_names_one_and_the_registry_sees_its_version() {
    let config = config(SEVERAL);
    for image in &config.publish.images {
        let (outcome, run) = release(&config, &tag_of(SEVERAL, "v1.2.3").replace("static-go", image.as_str()));
        outcome.passes();
        let plan = run.json("artifacts/plan/plan.json");
        assert_eq!(plan["image"], image.as_str());
        assert_eq!(plan["tag"], "v1.2.3");
        if config.publish.images.len() > 1 {
            assert_eq!(plan["git_tag"], format!("{image}/v1.2.3"));
            assert_eq!(run.known("needs.plan.outputs.image"), Some(image.as_str()));
        }
    }
}

#[test]
fn a_hostile_tag_stops_the_plan_and_is_neither_executed_nor_printed() {
    for options in [USUAL, SEVERAL] {
        let config = config(options);
        let prefix = tag_of(options, "");
        for tag in [
            "x/v1;rm -rf owned",
            "../a/v1.0.0",
            "../static-go/v1.0.0",
            "static-go/../v1.0.0",
            "static-go//v1.0.0",
            "static-go/v1.0.0/owned",
            "static-go",
            "unknown/v1.0.0",
            "*/v1.0.0",
            "/v1.0.0",
            &format!("{prefix}v1.0.0;touch owned"),
            &format!("{prefix}v1.0.0$(touch owned)"),
            &format!("{prefix}`touch owned`"),
            &format!("{prefix}v1.0.0\n::warning::owned"),
            &format!("{prefix}v1.0.0\ntag=v2.0.0"),
            &format!("owned\n{prefix}v1.0.0"),
            "",
            &format!("{prefix}v1.0.0-"),
            &format!("{prefix}v1.0.0 v2.0.0"),
            &format!("{prefix}v1.0.0-\u{e9}"),
            &format!("{prefix}v\u{661}.0.0"),
            &format!("{prefix}v1.0.0-{}", "a".repeat(64)),
        ] {
            let (outcome, run) = release(&config, tag);
            assert!(!outcome.said().contains("owned"), "{tag:?}: {}", outcome.said());
            assert!(!outcome.workspace.join("owned").exists(), "{tag:?}");
            outcome.fails_at(CHECK, "::error title=Unusable tag::");
            assert_eq!(run.known("steps.tag.outputs.tag"), None, "{tag:?}");
        }
    }
}

#[test]
fn one_image_has_no_prefix_in_its_tags_and_several_have_one() {
    release(&config(USUAL), "static-go/v1.0.0").0.fails_at(CHECK, "looks like v1.0.0");
    if config(SEVERAL).publish.images.len() > 1 {
        release(&config(SEVERAL), "v1.0.0").0.fails_at(CHECK, "begins with the name of an image");
    }
}

#[test]
fn a_release_whose_run_is_of_another_ref_is_refused() {
    let mut run = Run::release(&config(USUAL), "v1.0.0");
    run.set("GITHUB_REF", "refs/heads/main");
    run.job("plan", &[]).fails_at(CHECK, "::error title=Unusable release::");
}

#[test]
fn by_hand_it_rehearses_and_publishes_only_a_release_tag() {
    let run = |reference: &str, publish: bool, options: Options| {
        let mut run = Run::dispatch(&config(options), reference, publish, "static-go");
        (run.job("plan", &[]), run)
    };
    let (outcome, plan) = run("refs/heads/main", false, USUAL);
    outcome.passes();
    assert_eq!(plan.json("artifacts/plan/plan.json")["tag"], "v0.0.0-rehearsal");
    let (outcome, plan) = run("refs/tags/v1.0.1", false, USUAL);
    outcome.passes();
    assert_eq!(plan.json("artifacts/plan/plan.json")["tag"], "v0.0.0-rehearsal", "a tag alone publishes nothing");
    let (outcome, plan) = run("refs/heads/main", false, SEVERAL);
    outcome.passes();
    assert_eq!(plan.json("artifacts/plan/plan.json")["image"], "static-go");

    let (outcome, plan) = run("refs/tags/v1.0.1", true, USUAL);
    outcome.passes();
    assert_eq!(plan.json("artifacts/plan/plan.json")["git_tag"], "v1.0.1");
    let (outcome, plan) = run(&format!("refs/tags/{}", tag_of(SEVERAL, "v1.0.1")), true, SEVERAL);
    outcome.passes();
    assert_eq!(plan.json("artifacts/plan/plan.json")["git_tag"], tag_of(SEVERAL, "v1.0.1").as_str());

    run("refs/heads/main", true, USUAL).0.fails_at(CHECK, "::error title=Not a tag::");
    run("refs/tags/nightly", true, USUAL).0.fails_at(CHECK, "::error title=Unusable tag::");
    run("refs/heads/v1.0.0", true, USUAL).0.fails_at(CHECK, "::error title=Not a tag::");
}

#[test]
fn base_and_builder_are_resolved_once_and_digests_are_respected() {
    let (outcome, run) = release(&config(USUAL), "v1.0.0");
    outcome.passes();
    let plan = run.json("artifacts/plan/plan.json");
    let manifest = br#"{"manifest of":"docker://gcr.io/distroless/static-debian13:nonroot"}"#;
    let base = format!("gcr.io/distroless/static-debian13:nonroot@sha256:{}", sha256(manifest));
    assert_eq!(plan["base"], base.as_str());
    assert!(plan["builder"].as_str().unwrap().starts_with("docker.io/library/golang:1.26-trixie@sha256:"));

    let mut run = Run::release(&config(USUAL), "v1.0.0");
    let pinned = format!("gcr.io/distroless/static-debian13:nonroot@sha256:{}", "7".repeat(64));
    run.edit(DOCKERFILE, |text| text.replace("gcr.io/distroless/static-debian13:nonroot AS", &format!("{pinned} AS")));
    run.job("plan", &[]).passes();
    assert_eq!(run.json("artifacts/plan/plan.json")["base"], pinned.as_str());
    assert!(!run.read("calls").contains("distroless"), "a digest needs no question");

    let mut run = Run::release(&config(USUAL), "v1.0.0");
    run.edit(DOCKERFILE, |_| "FROM scratch\n".into());
    run.job("plan", &[]).fails_at(DECIDE, "has no stage upstream");
}

#[test]
fn an_accepted_finding_needs_a_reason_and_an_end_date() {
    let entry = "vulnerabilities:\n  - id: CVE-2026-1\n    statement: not reachable\n    expired_at: 2026-12-31\n";
    let decide = |accepted: &str| {
        let mut run = Run::release(&config(USUAL), "v1.0.0");
        run.edit(ACCEPTED, |_| accepted.into());
        run.job("plan", &[])
    };
    decide(entry).passes();
    for lacking in ["    statement: not reachable\n", "    expired_at: 2026-12-31\n", "not reachable"] {
        decide(&entry.replace(lacking, "")).fails_at(DECIDE, "::error title=Unusable exception::");
    }
}

#[test]
fn an_image_without_a_size_budget_or_a_title_is_not_planned() {
    for (key, other) in [("size_budget", "size"), ("title", "name")] {
        let mut run = Run::release(&config(USUAL), "v1.0.0");
        run.edit("images/static-go/image.json", |text| text.replace(&format!("\"{key}\""), &format!("\"{other}\"")));
        run.job("plan", &[]).fails_at(DECIDE, key);
    }
}

#[test]
fn each_call_of_the_plan_may_fail_and_then_nothing_is_planned() {
    for call in 1..=3 {
        let mut run = Run::release(&config(USUAL), "v1.0.0");
        run.set("FAIL_AT", &call.to_string());
        run.job("plan", &[]).fails_at(DECIDE, "fails, as it was told to");
        assert!(!run.artifact("plan").exists(), "call {call}");
    }
}
