//! Whole runs of every variant, until no script is left that did not run.

use std::collections::BTreeSet;

use sbi::templates::{ACCESS_WORKFLOW, CHECK_WORKFLOW, KEY_AGE_WORKFLOW, RESCAN_WORKFLOW, UPDATE_WORKFLOW, WORKFLOW};

use super::{build_and_scan, tag_of};
use crate::templates::runner::Run;
use crate::templates::{Combination, key_age, linters, matrix, rescan, update};

fn release(combination: &Combination) -> BTreeSet<String> {
    let mut run = Run::release(&combination.config, &tag_of(combination.options, "v1.0.0"));
    run.job("plan", &[]).passes();
    build_and_scan(&mut run, combination.options.architectures);
    run.job("findings", &[]).passes();
    let image = &combination.config.publish.images[0];
    for architecture in combination.options.architectures {
        let report = format!("sarif {image}-{} refs/heads/main\n", architecture.as_str());
        assert!(run.read("calls").contains(&report), "{}: {}", combination.name, run.read("calls"));
    }
    run.job("publish", &[]).passes();
    run.job("verify", &[]).passes();
    run.executed
}

fn check(combination: &Combination) -> BTreeSet<String> {
    let mut run = Run::of(&combination.config, CHECK_WORKFLOW);
    for image in &combination.config.publish.images {
        run.job("plan", &[("image", image.as_str())]).passes();
        for architecture in combination.options.architectures {
            let matrix = [("image", image.as_str()), ("arch", architecture.as_str())];
            run.job("build", &matrix).passes();
            run.job("scan", &matrix).passes();
            assert!(run.artifact(&format!("evidence-{image}-{}", architecture.as_str())).is_dir());
        }
    }
    assert!(!run.read("calls").contains("aws ") && !run.read("calls").contains("docker://123456789012"));
    run.executed
}

/// By hand, on a release tag: each job signs in with its role and leaves nothing.
fn access(combination: &Combination) -> BTreeSet<String> {
    let mut run = Run::of(&combination.config, ACCESS_WORKFLOW);
    for (job, role) in [("publishing", "sbi-publish-acme-base-images"), ("reading", "sbi-read-acme-base-images")] {
        run.job(job, &[]).passes();
        assert!(run.read("calls").contains("aws ecr get-login-password"), "{}", combination.name);
        assert!(run.assumed().ends_with(role), "{}: {}", combination.name, run.assumed());
    }
    run.executed
}

#[test]
fn every_script_of_every_variant_runs_in_a_whole_release_check_or_night() {
    let mut executed = BTreeSet::new();
    let mut runs = 0;
    for combination in matrix() {
        for path in combination.paths() {
            let whole = match path {
                WORKFLOW => release,
                CHECK_WORKFLOW => check,
                RESCAN_WORKFLOW => rescan::whole,
                ACCESS_WORKFLOW => access,
                KEY_AGE_WORKFLOW => key_age::whole,
                UPDATE_WORKFLOW => update::whole,
                other => panic!("nobody runs {other}"),
            };
            let scripts = || linters::scripts(combination.workflow(path)).into_iter();
            if scripts().any(|(_, script)| !executed.contains(&script)) {
                executed.extend(whole(combination));
                runs += 1;
            }
            let left: Vec<String> =
                scripts().filter(|(_, script)| !executed.contains(script)).map(|(step, _)| step).collect();
            assert!(left.is_empty(), "{}: {path}: {left:?} did not run", combination.name);
        }
    }
    assert!((2..16).contains(&runs), "{runs} whole runs");
}

#[test]
fn both_ways_of_signing_in_run_the_same_scripts() {
    for pair in matrix().chunks(2) {
        let [oidc, key] = pair else { panic!("the matrix is even") };
        // With an access key, a script first takes its two lines apart.
        let alike = |script: String| match (script.find("# Pasted by hand"), script.find("export AWS_ACCESS_KEY_ID")) {
            (Some(from), Some(to)) => {
                let rest = script[to..].split_once('\n').map_or("", |(_, rest)| rest);
                format!("{}{rest}", &script[..from])
            }
            _ => script,
        };
        let of = |combination: &Combination| -> Vec<(String, String)> {
            let scripts = linters::scripts(combination.workflow(WORKFLOW)).into_iter();
            scripts.map(|(step, script)| (step, alike(script))).collect()
        };
        assert_eq!(of(oidc), of(key), "{}", oidc.name);
    }
}
