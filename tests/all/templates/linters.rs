//! Linters over every combination, and our own checks for what no linter sees.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml_ng::Value;

use super::{matrix, public, rendered, text, workflow, write};
use crate::support::tools::{node_package, python_tool, root, system_tool};
use sbi::templates::WORKFLOW;

/// Runs a program that says nothing when it finds nothing, and shows what it said otherwise.
pub(super) fn assert_clean(command: &mut Command, what: &str) {
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}:\n{said}");
}

fn every_combination(check: impl Fn(&Path, &str)) {
    for (name, config) in matrix() {
        let folder = tempfile::tempdir().unwrap();
        write(&rendered(&config), folder.path());
        check(folder.path(), &name);
    }
}

#[test]
fn zizmor_finds_nothing_in_its_strictest_persona() {
    let Some(zizmor) = python_tool("zizmor") else { return };
    every_combination(|folder, name| {
        let options = ["--offline", "--no-progress", "--strict-collection", "--persona=auditor", "."];
        assert_clean(Command::new(&zizmor).args(options).current_dir(folder), name);
    });
}

#[test]
fn only_a_plan_without_environments_needs_an_exception() {
    for (name, config) in matrix() {
        let files = rendered(&config);
        let excused = text(&files, WORKFLOW).contains("zizmor: ignore");
        assert_eq!(excused, config.publish.environment.is_none(), "{name}");
        let reason = "This repository's plan has no environments";
        assert_eq!(text(&files, WORKFLOW).contains(reason), excused, "{name}: the file says why");
    }
}

#[test]
fn the_published_schemas_accept_workflow_and_dependabot() {
    let Some(check) = python_tool("check-jsonschema") else { return };
    every_combination(|folder, name| {
        for (schema, path) in [("github-workflows", WORKFLOW), ("dependabot", ".github/dependabot.yml")] {
            let schema = format!("vendor.{schema}");
            let options = ["--builtin-schema", schema.as_str(), path];
            assert_clean(Command::new(&check).args(options).current_dir(folder), name);
        }
    });
}

#[test]
fn yamllint_finds_nothing() {
    let Some(yamllint) = python_tool("yamllint") else { return };
    every_combination(|folder, name| {
        let rules = root().join("tests/tools/yamllint.yml");
        let mut command = Command::new(&yamllint);
        command.arg("--strict").arg("-c").arg(rules).args([".github", "images"]).current_dir(folder);
        assert_clean(&mut command, name);
    });
}

#[test]
fn hadolint_finds_nothing() {
    let Some(hadolint) = python_tool("hadolint") else { return };
    every_combination(|folder, name| {
        for dockerfile in ["images/static-go/Dockerfile", "images/static-go/example/Dockerfile"] {
            assert_clean(Command::new(&hadolint).arg(dockerfile).current_dir(folder), name);
        }
    });
}

#[test]
fn shellcheck_finds_nothing_in_any_script() {
    let Some(shellcheck) = system_tool("shellcheck") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for (name, config) in matrix() {
        for (step, script) in scripts(&workflow(&config)) {
            if !seen.insert(script.clone()) {
                continue;
            }
            let path = folder.path().join("script");
            // As GitHub runs it: `bash --noprofile --norc -eo pipefail`.
            std::fs::write(&path, format!("#!/bin/bash\nset -eo pipefail\n{script}")).unwrap();
            let mut command = Command::new(&shellcheck);
            assert_clean(command.args(["--severity=style", "--shell=bash"]).arg(&path), &format!("{name}: {step}"));
        }
    }
}

#[test]
fn githubs_own_parser_accepts_the_workflow_and_every_input() {
    let (Some(node), Some(esbuild), Some(_)) =
        (system_tool("node"), node_package("esbuild"), node_package("@actions/languageservice"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = bundled(&esbuild, folder.path());
    let table = root().join("tests/tools/actions.json");
    let mut paths = Vec::new();
    for (name, config) in matrix() {
        write(&rendered(&config), &folder.path().join(&name));
        paths.push(folder.path().join(&name).join(WORKFLOW));
    }
    let output = Command::new(&node).arg(&script).arg(&table).args(&paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");

    // The judge can say no: to an input that the action lacks, and to a need that names no job.
    let broken = text(&rendered(&public()), WORKFLOW)
        .replace("persist-credentials: false", "persist-everything: false")
        .replace("needs: scan", "needs: scam");
    let path = folder.path().join("broken.yml");
    std::fs::write(&path, broken).unwrap();
    let output = Command::new(&node).arg(&script).arg(&table).arg(&path).output().unwrap();
    let findings = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(findings.contains("persist-everything") && findings.contains("scam"), "{findings}");
}

/// The language service is published for bundlers: plain Node refuses its JSON imports.
fn bundled(esbuild: &Path, folder: &Path) -> PathBuf {
    let bundle = folder.join("check-workflow.cjs");
    let source = std::fs::read_to_string(root().join("tests/tools/check-workflow.mjs")).unwrap();
    // Beside the modules, so that they resolve without being installed at the root.
    let mut command = Command::new(esbuild.join("bin/esbuild"));
    command
        .args(["--bundle", "--platform=node", "--format=cjs", "--log-level=error", "--loader=js"])
        .arg(format!("--outfile={}", bundle.display()))
        .current_dir(esbuild.parent().unwrap())
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), source.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    bundle
}

/// Every `run:` block by the name of its job and step.
pub(super) fn scripts(workflow: &Value) -> Vec<(String, String)> {
    let mut scripts = Vec::new();
    for (job, body) in workflow["jobs"].as_mapping().unwrap() {
        for step in body["steps"].as_sequence().unwrap() {
            if let Some(script) = step["run"].as_str() {
                let step = format!("{}: {}", job.as_str().unwrap(), step["name"].as_str().unwrap());
                scripts.push((step, script.to_owned()));
            }
        }
    }
    assert!(scripts.len() >= 12, "only {} scripts", scripts.len());
    scripts
}

#[test]
fn every_job_has_a_limit_a_fixed_runner_and_its_own_permissions() {
    for (name, config) in matrix() {
        let workflow = workflow(&config);
        assert_eq!(workflow["permissions"], Value::Mapping(Default::default()), "{name}");
        for (job, body) in workflow["jobs"].as_mapping().unwrap() {
            let job = format!("{name}: {}", job.as_str().unwrap());
            assert!(body["timeout-minutes"].as_u64().is_some_and(|minutes| minutes <= 30), "{job}");
            assert!(body["permissions"].is_mapping(), "{job}");
            let labels: Vec<&str> = match body["runs-on"].as_str().unwrap() {
                "${{ matrix.runner }}" => {
                    let include = body["strategy"]["matrix"]["include"].as_sequence().unwrap();
                    include.iter().map(|entry| entry["runner"].as_str().unwrap()).collect()
                }
                label => vec![label],
            };
            for label in labels {
                assert!(["ubuntu-24.04", "ubuntu-24.04-arm"].contains(&label), "{job}: {label}");
            }
            for step in body["steps"].as_sequence().unwrap() {
                assert!(step.get("continue-on-error").is_none() && step["name"].is_string(), "{job}");
            }
        }
    }
}

#[test]
fn only_the_publish_job_touches_secrets_and_only_it_can_prove_who_it_is() {
    for (name, config) in matrix() {
        let workflow = workflow(&config);
        for (job, body) in workflow["jobs"].as_mapping().unwrap() {
            let text = serde_yaml_ng::to_string(body).unwrap();
            let publish = job.as_str() == Some("publish");
            assert_eq!(text.contains("secrets."), publish, "{name}: {job:?}");
            assert!(publish || !text.contains("id-token"), "{name}: {job:?}");
            assert!(publish || body.get("environment").is_none(), "{name}: {job:?}");
        }
        assert_eq!(workflow["jobs"]["scan"]["permissions"], Value::Mapping(Default::default()), "{name}");
        let oidc = config.publish.auth == sbi::model::config::Auth::Oidc;
        assert_eq!(workflow["jobs"]["publish"]["permissions"].get("id-token").is_some(), oidc, "{name}");
        assert_eq!(workflow["jobs"]["publish"]["if"], "github.event_name == 'release'", "{name}");
        let publish = serde_yaml_ng::to_string(&workflow["jobs"]["publish"]).unwrap();
        for absent in ["docker buildx", "docker build", "trivy ", "checkout"] {
            assert!(!publish.contains(absent), "{name}: publish runs {absent}");
        }
    }
}

#[test]
fn every_reference_is_immutable_and_every_script_free_of_expressions() {
    let table: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(root().join("tests/tools/actions.json")).unwrap()).unwrap();
    for (name, config) in matrix() {
        let files = rendered(&config);
        for line in text(&files, WORKFLOW).lines().filter(|line| line.contains("uses:")) {
            let (action, comment) = line.trim().trim_start_matches("uses: ").split_once(" # ").unwrap();
            let (action, commit) = action.split_once('@').unwrap();
            let action = action.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
            assert_eq!(table["actions"][&action]["commit"], commit, "{name}: {action}");
            assert_eq!(table["actions"][&action]["tag"], comment, "{name}: {action}");
            assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{name}: {commit}");
        }
        for (step, script) in scripts(&workflow(&config)) {
            assert!(!script.contains("${{"), "{name}: {step} holds an expression");
            for cache in ["cache-from", "cache-to", "actions/cache"] {
                assert!(!script.contains(cache), "{name}: {step} uses a cache");
            }
        }
        let whole: String = files.iter().map(|file| file.text.as_str()).collect();
        for absent in
            ["pull_request_target", "ubuntu-latest", ":latest", "actions/cache", "trivy-action", "setup-trivy"]
        {
            assert!(!whole.contains(absent), "{name}: {absent}");
        }
        for bad in table["known_bad"].as_array().unwrap() {
            assert!(!whole.contains(bad.as_str().unwrap()), "{name}: {bad}");
        }
    }
}

#[test]
fn the_example_and_the_audit_are_sound_go() {
    let Some(go) = system_tool("go") else { return };
    let folder = tempfile::tempdir().unwrap();
    write(&rendered(&public()), folder.path());
    for program in ["audit", "example"] {
        let source = folder.path().join("images/static-go").join(program);
        for arguments in [&["vet", "."][..], &["build", "-trimpath", "-o", "program", "."]] {
            let mut command = Command::new(&go);
            command.args(arguments).current_dir(&source).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
            assert_clean(&mut command, program);
        }
    }
    super::scripts::audit_judges(&folder.path().join("images/static-go/audit/program"));
}
