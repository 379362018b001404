//! Linters over every combination, and our own checks for what no linter sees.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml_ng::Value;

use super::{Combination, matrix, public, rendered, text, write};
use crate::support::tools::{go, go_tool, node_package, python_tool, root, system_tool};
use sbi::model::config::Auth;
use sbi::templates::{ACCESS_WORKFLOW, CHECK_WORKFLOW, KEY_AGE_WORKFLOW, RESCAN_WORKFLOW, UPDATE_WORKFLOW, WORKFLOW};

/// Runs a program that says nothing when it finds nothing, and shows what it said otherwise.
pub(super) fn assert_clean(command: &mut Command, what: &str) {
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}:\n{said}");
}

/// The judge can say no: what a program says about a spoiled file, which it must refuse for this reason.
#[track_caller]
fn assert_refuses(command: &mut Command, file: &Path, reason: &str) {
    let output = command.arg(file).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && said.contains(reason), "no `{reason}`:\n{said}");
}

/// A rendered file with something changed, in a repository's folder of its own; the path leads to it.
fn spoiled(folder: &Path, path: &str, change: impl FnOnce(&str) -> String) -> PathBuf {
    let has = |combination: &&Combination| combination.files.iter().any(|file| file.path == path);
    let text = matrix().iter().find(has).unwrap_or_else(|| panic!("{path} is not rendered")).text(path);
    let changed = change(text);
    assert_ne!(text, changed, "{path} is not spoiled");
    let place = folder.join("spoiled").join(path);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, changed).unwrap();
    place
}

/// A folder with every combination below its name: one process of a linter reads them all.
fn every_combination() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for combination in matrix() {
        write(&combination.files, &folder.path().join(&combination.name));
    }
    folder
}

/// The paths of one file in every combination.
fn in_every_combination(folder: &Path, path: &str) -> Vec<PathBuf> {
    let has = |combination: &&Combination| combination.files.iter().any(|file| file.path == path);
    matrix().iter().filter(has).map(|combination| folder.join(&combination.name).join(path)).collect()
}

#[test]
fn zizmor_finds_nothing_in_its_strictest_persona() {
    let Some(zizmor) = python_tool("zizmor") else { return };
    let folder = every_combination();
    let options = ["--offline", "--no-progress", "--strict-collection", "--persona=auditor"];
    let mut command = Command::new(&zizmor);
    // One input a repository, so that each is read as one.
    command.args(options).args(matrix().iter().map(|combination| &combination.name)).current_dir(&folder);
    assert_clean(&mut command, "zizmor");

    let path = spoiled(folder.path(), WORKFLOW, |text| text.replace("persist-credentials: false", "fetch-depth: 1"));
    assert_refuses(Command::new(&zizmor).args(options), &path, "artipacked");
}

#[test]
fn only_keys_in_a_plan_without_environments_need_an_exception() {
    for combination in matrix() {
        let Combination { name, config, .. } = combination;
        let excused = combination.text(WORKFLOW).contains("zizmor: ignore");
        let without = config.publish.environment.is_none();
        assert_eq!(excused, without && config.publish.auth == Auth::AccessKey, "{name}");
        let reason = "This repository's plan has no environments";
        assert_eq!(combination.text(WORKFLOW).contains(reason), without, "{name}: the file says why");
        assert!(!combination.text(CHECK_WORKFLOW).contains("zizmor: ignore"), "{name}");
    }
}

#[test]
fn the_published_schemas_accept_workflows_and_dependabot() {
    let Some(check) = python_tool("check-jsonschema") else { return };
    let folder = every_combination();
    let files = [
        ("vendor.github-workflows", WORKFLOW),
        ("vendor.github-workflows", CHECK_WORKFLOW),
        ("vendor.github-workflows", RESCAN_WORKFLOW),
        ("vendor.github-workflows", ACCESS_WORKFLOW),
        ("vendor.github-workflows", KEY_AGE_WORKFLOW),
        ("vendor.github-workflows", UPDATE_WORKFLOW),
        ("vendor.dependabot", ".github/dependabot.yml"),
    ];
    for (schema, path) in files {
        let mut command = Command::new(&check);
        command.args(["--builtin-schema", schema]).args(in_every_combination(folder.path(), path));
        assert_clean(&mut command, path);

        let path = spoiled(folder.path(), path, |text| {
            text.replacen("runs-on:", "runs-at:", 1).replacen("package-ecosystem:", "package-system:", 1)
        });
        let reason = if schema == "vendor.dependabot" { "package-system" } else { "runs-at" };
        assert_refuses(Command::new(&check).args(["--builtin-schema", schema]), &path, reason);
    }
}

#[test]
fn yamllint_finds_nothing() {
    let Some(yamllint) = python_tool("yamllint") else { return };
    let folder = every_combination();
    let rules = root().join("tests/tools/yamllint.yml");
    // It is slow, and much is the same in many combinations.
    let mut seen = std::collections::BTreeSet::new();
    let mut command = Command::new(&yamllint);
    command.arg("--strict").arg("-c").arg(&rules).current_dir(&folder);
    for Combination { name, files, .. } in matrix() {
        let yaml = files.iter().filter(|file| file.path.ends_with(".yml") || file.path.ends_with(".yaml"));
        command.args(yaml.filter(|file| seen.insert(&file.text)).map(|file| Path::new(name).join(&file.path)));
    }
    assert_clean(&mut command, "yamllint");

    let path = spoiled(folder.path(), WORKFLOW, |text| format!("{text}name: Told twice\n"));
    let mut command = Command::new(&yamllint);
    assert_refuses(command.arg("--strict").arg("-c").arg(rules), &path, "(key-duplicates)");
}

#[test]
fn hadolint_finds_nothing() {
    let Some(hadolint) = python_tool("hadolint") else { return };
    let folder = every_combination();
    let mut command = Command::new(&hadolint);
    for Combination { name, config, .. } in matrix() {
        for image in &config.publish.images {
            let image = folder.path().join(name).join("images").join(image.as_str());
            command.arg(image.join("Dockerfile")).arg(image.join("example/Dockerfile"));
        }
    }
    assert_clean(&mut command, "hadolint");

    let dockerfile = "images/static-go/Dockerfile";
    let path = spoiled(folder.path(), dockerfile, |text| format!("{text}\nFROM debian:latest\n"));
    assert_refuses(&mut Command::new(&hadolint), &path, "DL3007");
}

#[test]
fn actionlint_finds_nothing() {
    let (Some(actionlint), Some(_)) = (go_tool("actionlint"), system_tool("shellcheck")) else { return };
    let folder = every_combination();
    for path in [WORKFLOW, CHECK_WORKFLOW, RESCAN_WORKFLOW, ACCESS_WORKFLOW, KEY_AGE_WORKFLOW, UPDATE_WORKFLOW] {
        let mut files = in_every_combination(folder.path(), path);
        // The same text needs no second look, and actionlint takes its time for each script.
        let mut seen = std::collections::BTreeSet::new();
        files.retain(|file| seen.insert(std::fs::read_to_string(file).unwrap()));
        // Shellcheck has a test of its own, below.
        let mut command = Command::new(&actionlint);
        command.args(["-shellcheck=", "-pyflakes=", "-no-color"]).args(files).current_dir(&folder);
        assert_clean(&mut command, path);
    }

    let path = spoiled(folder.path(), WORKFLOW, |text| text.replace("needs: publish", "needs: scam"));
    let mut command = Command::new(&actionlint);
    assert_refuses(command.args(["-shellcheck=", "-pyflakes=", "-no-color"]), &path, "\"scam\"");
}

#[test]
fn shellcheck_finds_nothing_in_any_script() {
    let Some(shellcheck) = system_tool("shellcheck") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut paths = Vec::new();
    for combination in matrix() {
        for path in combination.paths() {
            for (step, script) in scripts(combination.workflow(path)) {
                if seen.insert(script.clone()) {
                    let name = step.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
                    let file = folder.path().join(format!("{}-{name}", paths.len()));
                    // As GitHub runs it: `bash --noprofile --norc -eo pipefail`.
                    std::fs::write(&file, format!("#!/bin/bash\nset -eo pipefail\n{script}")).unwrap();
                    paths.push(file);
                }
            }
        }
    }
    let options = ["--severity=style", "--shell=bash"];
    assert_clean(Command::new(&shellcheck).args(options).args(&paths), "shellcheck");

    let path = folder.path().join("spoiled");
    let script = std::fs::read_to_string(&paths[0]).unwrap();
    std::fs::write(&path, format!("{script}\necho $RUNNER_TEMP\n")).unwrap();
    assert_refuses(Command::new(&shellcheck).args(options), &path, "SC2086");
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
    let mut seen = std::collections::BTreeSet::new();
    for combination in matrix() {
        for path in combination.paths().filter(|path| seen.insert(combination.text(path))) {
            write(&combination.files, &folder.path().join(&combination.name));
            paths.push(folder.path().join(&combination.name).join(path));
        }
    }
    let output = Command::new(&node).arg(&script).arg(&table).args(&paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");

    // The judge can say no: to an input that the action lacks, and to a need that names no job.
    let broken = text(&rendered(&public()), WORKFLOW)
        .replace("persist-credentials: false", "persist-everything: false")
        .replace("needs: publish", "needs: scam");
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
    for (job, step) in steps(workflow) {
        if let Some(script) = step["run"].as_str() {
            scripts.push((format!("{job}: {}", step["name"].as_str().unwrap()), script.to_owned()));
        }
    }
    let small = ["Check access to AWS", "Access key age", "Update"].contains(&workflow["name"].as_str().unwrap());
    let least = if small { 2 } else { 8 };
    assert!(scripts.len() >= least, "only {} scripts", scripts.len());
    scripts
}

fn steps(workflow: &Value) -> Vec<(&str, &Value)> {
    let mut steps = Vec::new();
    for (job, body) in workflow["jobs"].as_mapping().unwrap() {
        steps.extend(body["steps"].as_sequence().unwrap().iter().map(|step| (job.as_str().unwrap(), step)));
    }
    steps
}

/// Every workflow of every combination, with a name to complain by.
fn workflows() -> impl Iterator<Item = (String, &'static Combination, &'static Value)> {
    let of = |combination: &'static Combination| {
        combination
            .paths()
            .map(move |path| (format!("{}: {path}", combination.name), combination, combination.workflow(path)))
    };
    matrix().iter().flat_map(of)
}

#[test]
fn every_job_has_a_limit_a_fixed_runner_and_its_own_permissions() {
    for (name, _, workflow) in workflows() {
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
fn every_permission_says_why() {
    for combination in matrix() {
        for path in combination.paths() {
            let text = combination.text(path);
            let granted = text.lines().filter(|line| line.ends_with("write") || line.contains(": read"));
            for line in granted.chain(text.lines().filter(|line| line.contains(": write"))) {
                assert!(line.contains(" # "), "{}: {path}: {line}", combination.name);
            }
            // Beside the one of the whole file, which gives nothing to whoever forgets to ask.
            let none = text.lines().filter(|line| line.trim_start().starts_with("permissions: {}"));
            assert!(none.skip(1).all(|line| line.contains(" # ")), "{}: {path}", combination.name);
        }
    }
}

#[test]
fn only_jobs_that_are_meant_to_have_credentials_and_none_runs_a_dockerfile_or_a_scanner() {
    for (name, combination, workflow) in workflows() {
        for (job, body) in workflow["jobs"].as_mapping().unwrap() {
            let job = job.as_str().unwrap();
            let text = serde_yaml_ng::to_string(body).unwrap();
            // `fetch` is the nightly job that reads the registry; it checks out, and runs nothing of, the default branch.
            // `publishing` and `reading` sign in by hand and do nothing else; `propose` holds the token of the update.
            let trusted = ["publish", "verify", "fetch", "publishing", "reading", "age", "propose"].contains(&job);
            assert!(trusted || !text.contains("secrets."), "{name}: {job}");
            assert!(trusted || !text.contains("id-token"), "{name}: {job}");
            assert!(trusted || !text.contains("configure-aws-credentials"), "{name}: {job}");
            assert!(trusted || body.get("environment").is_none(), "{name}: {job}");
            if trusted {
                for absent in ["docker buildx", "docker build", "trivy image", "trivy convert", "checkout"] {
                    let taken = text.contains(absent) && !(job == "fetch" && absent == "checkout");
                    assert!(!taken, "{name}: {job} runs {absent}");
                }
            }
        }
        if let Some(scan) = workflow["jobs"].get("scan") {
            assert_eq!(scan["permissions"], Value::Mapping(Default::default()), "{name}");
        }
        let Some(publish) = workflow["jobs"].get("publish") else { continue };
        let oidc = combination.options.auth == Auth::Oidc;
        let proves = publish["permissions"].get("id-token").is_some();
        assert_eq!(proves, oidc || combination.options.signing, "{name}");
        assert_eq!(publish["if"], "github.event_name == 'release' || inputs.publish", "{name}");
        let verify = &workflow["jobs"]["verify"];
        assert_eq!(verify["permissions"].get("id-token").is_some(), oidc, "{name}");
        // Where a role reads, nothing of the environment's is within reach; a key is the environment's own.
        let environment = verify.get("environment");
        assert_eq!(environment, if oidc { None } else { publish.get("environment") }, "{name}");
        let verify = serde_yaml_ng::to_string(verify).unwrap();
        assert_eq!(verify.contains("secrets."), !oidc, "{name}");
        assert!(!oidc || verify.contains("arn:aws:iam::123456789012:role/sbi-read-acme-base-images"), "{name}");
        for write in ["cosign sign", "cosign attest", "oci:merged"] {
            assert!(!verify.contains(write), "{name}: verify runs {write}");
        }
        assert_eq!(combination.text(WORKFLOW).contains("cosign"), combination.options.signing, "{name}");
    }
}

#[test]
fn a_credential_reaches_only_the_steps_that_sign_in() {
    for (name, _, workflow) in workflows() {
        for (job, step) in steps(workflow) {
            let Some(environment) = step.get("env") else { continue };
            let environment = serde_yaml_ng::to_string(environment).unwrap();
            let step = step["name"].as_str().unwrap();
            let signing_in = [
                "Sign in and look at the tag",
                "Pull the tag and compare",
                "Find the supported releases",
                "Sign in to the registry",
                "Ask when the oldest key was made",
            ];
            let signs_in = signing_in.contains(&step);
            assert_eq!(environment.contains("ACCESS_KEY"), signs_in, "{name}: {job}: {step}");
        }
    }
}

#[test]
fn pull_requests_get_no_secret_no_identity_and_no_write() {
    for combination in matrix() {
        let text = combination.text(CHECK_WORKFLOW);
        for absent in
            ["secrets.", "id-token", ": write", "pull_request_target", "workflow_run", "environment:", "docker login"]
        {
            assert!(!text.contains(absent), "{}: {absent}", combination.name);
        }
        let workflow = combination.workflow(CHECK_WORKFLOW);
        assert_eq!(workflow["concurrency"]["cancel-in-progress"], true);
        // Every image for every architecture.
        let pairs = workflow["jobs"]["build"]["strategy"]["matrix"]["include"].as_sequence().unwrap().len();
        let images = combination.config.publish.images.len();
        assert_eq!(pairs, images * combination.options.architectures.len(), "{}", combination.name);
    }
}

#[test]
fn a_pull_request_is_built_and_scanned_by_the_scripts_of_a_release() {
    for combination in matrix() {
        let release = scripts(combination.workflow(WORKFLOW));
        for (step, script) in scripts(combination.workflow(CHECK_WORKFLOW)) {
            assert!(release.contains(&(step.clone(), script)), "{}: {step}", combination.name);
        }
    }
}

#[test]
fn every_reference_is_immutable_and_every_script_free_of_expressions() {
    let table: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(root().join("tests/tools/actions.json")).unwrap()).unwrap();
    for (name, combination, workflow) in workflows() {
        for (_, step) in steps(workflow) {
            let Some(action) = step["uses"].as_str() else { continue };
            let (action, commit) = action.split_once('@').unwrap();
            let action = action.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
            assert_eq!(table["actions"][&action]["commit"], commit, "{name}: {action}");
            assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{name}: {commit}");
            if action == "actions/checkout" {
                assert_eq!(step["with"]["persist-credentials"], false, "{name}");
            }
        }
        for (step, script) in scripts(workflow) {
            assert!(!script.contains("${{"), "{name}: {step} holds an expression");
            for cache in ["cache-from", "cache-to", "actions/cache"] {
                assert!(!script.contains(cache), "{name}: {step} uses a cache");
            }
        }
        for line in combination.paths().flat_map(|path| combination.text(path).lines()).filter(|l| l.contains("uses:"))
        {
            let (action, comment) = line.trim().trim_start_matches("uses: ").split_once(" # ").unwrap();
            let action = action.split(['/', '@']).take(2).collect::<Vec<_>>().join("/");
            assert_eq!(table["actions"][&action]["tag"], comment, "{name}: {action}");
        }
    }
    for Combination { name, files, .. } in matrix() {
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
fn what_is_downloaded_is_checked_against_a_checksum_in_the_file() {
    for (name, _, workflow) in workflows() {
        for (job, step) in steps(workflow) {
            let Some(script) = step["run"].as_str().filter(|script| script.contains("curl ")) else { continue };
            let checksum = step["env"]["SHA256"].as_str().unwrap();
            assert!(checksum.len() == 64 && checksum.bytes().all(|b| b.is_ascii_hexdigit()), "{name}: {job}");
            assert!(
                script.contains("sha256sum --check --strict") && script.contains("--proto '=https'"),
                "{name}: {job}"
            );
        }
    }
}

#[test]
fn the_example_and_the_audit_are_sound_go() {
    let Some(go) = go() else { return };
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
