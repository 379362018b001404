//! What judges a merged file, held against what is rendered and against actionlint.

use std::collections::BTreeSet;
use std::process::Command;

use sbi::merge::checks::{broken_rules, check, is_dockerfile};
use sbi::model::names::Digest;
use sbi::model::pins::Pins;
use sbi::templates::{self, RESCAN_WORKFLOW, WORKFLOW};

use super::{matrix, public, rendered, text};
use crate::support::tools::go_tool;

/// Every different text of the files that have rules, images pinned as `init` pins them.
fn judged() -> Vec<(String, String)> {
    let digest = Digest::new(format!("sha256:{}", "0a".repeat(32))).unwrap();
    let mut all = BTreeSet::new();
    for combination in matrix() {
        let mut pins = Pins::default();
        for reference in templates::references(&combination.config).unwrap() {
            pins.insert(reference, digest.clone());
        }
        let files = templates::render(&combination.config, &pins).unwrap();
        let has_rules = |path: &str| path.starts_with(".github/") || is_dockerfile(path);
        all.extend(files.into_iter().filter(|file| has_rules(&file.path)).map(|file| (file.path, file.text)));
    }
    all.into_iter().collect()
}

#[test]
fn what_is_rendered_breaks_no_rule_and_is_a_workflow() {
    let all = judged();
    assert!(all.len() > 60, "{} files", all.len());
    for (path, text) in &all {
        assert_eq!(broken_rules(path, text), [], "{path}");
        // Nothing is excused by what was there before.
        let checked = check(path, text, "", text);
        assert_eq!((checked.problems, checked.remarks), (vec![], vec![]), "{path}");
    }
}

/// An edit of a rendered workflow: what is replaced, by what, and a part of the problem; without one it is sound.
type Edit = (&'static str, &'static str, Option<&'static str>);

const RELEASE: &[Edit] = &[
    // What publishers do.
    ("timeout-minutes: 10", "timeout-minutes: 25", None),
    ("    runs-on: ubuntu-24.04\n", "    runs-on: [self-hosted, linux, x64]\n", None),
    ("    runs-on: ubuntu-24.04\n", "    runs-on: {group: large, labels: [linux]}\n", None),
    (
        "name: Publish to ECR\n",
        "name: Publish to ECR\nrun-name: Release by ${{ github.actor }}\nenv:\n  COLOUR: never\n",
        None,
    ),
    ("  workflow_dispatch:\n", "  schedule:\n    - cron: 7 3 * * 1\n  workflow_dispatch:\n", None),
    ("  workflow_dispatch:\n", "  push:\n    tags: ['v*']\n    paths-ignore: [docs/**]\n  workflow_dispatch:\n", None),
    (
        "jobs:\n",
        "jobs:\n  notify:\n    needs: [publish, verify]\n    if: always() && needs.verify.result != 'skipped'\n    runs-on: ubuntu-24.04\n    permissions: {}\n    steps:\n      - run: echo \"$RESULT\"\n        env:\n          RESULT: ${{ needs.publish.result }}\n",
        None,
    ),
    (
        "jobs:\n",
        "jobs:\n  test:\n    runs-on: ubuntu-24.04\n    permissions: {}\n    container:\n      image: alpine:3\n      env: {A: b}\n    services:\n      store:\n        image: redis:8\n        ports: ['6379:6379']\n    strategy:\n      max-parallel: 2\n      matrix:\n        a: [1, 2]\n        include:\n          - {a: 3, b: x}\n    outputs:\n      c: ${{ steps.d.outputs.c }}\n    steps:\n      - id: d\n        shell: bash\n        working-directory: x\n        continue-on-error: true\n        run: echo \"c=$A\" >> \"$GITHUB_OUTPUT\"\n        env:\n          A: ${{ matrix.a }}\n",
        None,
    ),
    (
        "jobs:\n",
        "jobs:\n  a:\n    runs-on: ubuntu-24.04\n    permissions: {}\n    env: &all {A: b}\n    steps:\n      - run: echo\n        env: *all\n",
        None,
    ),
    (
        "  plan:\n    name: Plan\n",
        "  \"plan\":\n    'name': \"Plan\"\n    environment: planning\n    concurrency: {group: plan, cancel-in-progress: true}\n",
        None,
    ),
    // What no workflow can have.
    ("jobs:\n", "jobs: [\n", Some("it is not YAML")),
    ("jobs:\n", "---\njobs:\n", Some("it is not one YAML document")),
    ("permissions: {}\n\nconcurrency", "permissions: {}\npermissions: {}\n\nconcurrency", Some("duplicated key")),
    ("jobs:\n", "job:\n", Some("`job` is no key")),
    ("on:\n  release:", "on:\n  released:", Some("`released` is no event")),
    ("    types: [published]", "    kinds: [published]", Some("`kinds` is no key")),
    ("        type: boolean", "        type: bool", Some("`type` can be")),
    (
        "  workflow_dispatch:\n",
        "  push:\n    branches: [a]\n    branches-ignore: [b]\n  workflow_dispatch:\n",
        Some("exclude each other"),
    ),
    (
        "  workflow_dispatch:\n",
        "  schedule:\n    - cron: every monday\n  workflow_dispatch:\n",
        Some("`cron` is no time"),
    ),
    (
        "permissions: {}\n\nconcurrency",
        "permissions: {content: read}\n\nconcurrency",
        Some("`content` is no permission"),
    ),
    ("permissions: {}\n\nconcurrency", "permissions: {contents: admin}\n\nconcurrency", Some("`contents` can be")),
    ("permissions: {}\n\nconcurrency", "permissions: {id-token: read}\n\nconcurrency", Some("`id-token` can be")),
    ("permissions: {}\n\nconcurrency", "permissions: all\n\nconcurrency", Some("neither `read-all`")),
    ("  group: publish-to-ecr-${{ github.ref }}\n", "", Some("no `group`")),
    ("  run:\n    # With", "  script:\n    # With", Some("`script` is no key")),
    ("  plan:\n    name: Plan\n", "  1plan:\n    name: Plan\n", Some("`1plan` is no id")),
    ("    runs-on: ubuntu-24.04\n", "", Some("neither `runs-on` nor `uses`")),
    ("    runs-on: ubuntu-24.04\n", "    runs_on: ubuntu-24.04\n", Some("`runs_on` is no key")),
    ("    needs: plan\n", "    needs: plans\n", Some("`plans` is no job")),
    ("    needs: plan\n", "    needs: [plan, plan]\n", Some("named twice")),
    ("    name: Plan\n", "    name: Plan\n    needs: verify\n", Some("waits for itself")),
    ("        id: tag\n", "        id: the tag\n", Some("is no id")),
    ("        id: tag\n", "", Some("`steps.tag`")),
    ("        id: tag\n", "        id: tag\n        uses: ./x\n", Some("either `run` or `uses`")),
    ("        id: tag\n", "        id: tag\n        with: {a: b}\n", Some("`with` is no key")),
    (
        "      - name: Check out the commit\n",
        "      - name: Twice\n        id: tag\n        run: echo\n      - name: Check out the commit\n",
        Some("has the id `tag` already"),
    ),
    (
        "      - name: Check out the commit\n",
        "      - name: Nothing\n      - name: Check out the commit\n",
        Some("either `run` or `uses`"),
    ),
    (
        "      - name: Check out the commit\n",
        "      - nam: Odd\n        run: echo\n      - name: Check out the commit\n",
        Some("`nam` is no key"),
    ),
    (
        "      - name: Check out the commit\n",
        "      - uses: checkout\n      - name: Check out the commit\n",
        Some("names no action"),
    ),
    (
        "      - name: Check out the commit\n",
        "      - run: ''\n      - name: Check out the commit\n",
        Some("no script"),
    ),
    ("timeout-minutes: 10", "timeout-minutes: ten", Some("a number or an expression")),
    (
        "        include:\n          - arch: amd64",
        "        include:\n          - amd64\n          - arch: amd64",
        Some("a list of mappings"),
    ),
    (
        "          - arch: amd64\n            runner: ubuntu-24.04\n",
        "          - machine: amd64\n            runner: ubuntu-24.04\n",
        None,
    ),
    ("    runs-on: ${{ matrix.runner }}", "    runs-on: ${{ matrix.runs }}", Some("`matrix.runs`")),
    ("          PUBLISH: ${{ inputs.publish }}", "          PUBLISH: ${{ inputs.release }}", Some("`inputs.release`")),
    ("          PUBLISH: ${{ inputs.publish }}", "          PUBLISH: ${{ inputs.publish }", Some("has no `}}`")),
    (
        "          PUBLISH: ${{ inputs.publish }}",
        "          PUBLISH: ${{ inputs.publish = true }}",
        Some("is no expression"),
    ),
    (
        "          PUBLISH: ${{ inputs.publish }}",
        "          PUBLISH: ${{ input.publish }}",
        Some("nothing that an expression can read"),
    ),
    (
        "          PUBLISH: ${{ inputs.publish }}",
        "          PUBLISH: ${{ lower(inputs.publish) }}",
        Some("`lower` is no function"),
    ),
    (
        "          PUBLISH: ${{ inputs.publish }}",
        "          PUBLISH: ${{ needs.build.result }}",
        Some("not among its needs"),
    ),
    (
        "    if: github.event_name == 'release' || inputs.publish\n",
        "    if: github.event_name == \"release\"\n",
        Some("is no expression"),
    ),
    (
        "jobs:\n",
        "jobs:\n  a:\n    needs: plan\n    runs-on: ubuntu-24.04\n    permissions: {}\n    steps: [{run: echo, env: {A: '${{ needs.plan.outputs.x }}'}}]\n",
        Some("has no output `x`"),
    ),
    (
        "jobs:\n",
        "jobs:\n  a:\n    runs-on: ubuntu-24.04\n    permissions: {}\n    steps: []\n",
        Some("there is no step"),
    ),
    (
        "jobs:\n",
        "jobs:\n  a:\n    uses: ./.github/workflows/a.yml\n    runs-on: ubuntu-24.04\n    permissions: {}\n",
        Some("`runs-on` is no key"),
    ),
    (
        "jobs:\n",
        "jobs:\n  a:\n    runs-on: ubuntu-24.04\n    permissions: {}\n    container: {env: {A: b}}\n    steps: [{run: echo}]\n",
        Some("no `image`"),
    ),
    (
        "jobs:\n",
        "jobs:\n  a:\n    runs-on: ubuntu-24.04\n    permissions: {}\n    strategy: {fail-fast: maybe, matrix: {a: [b]}}\n    steps: [{run: echo}]\n",
        Some("true, false or an expression"),
    ),
    (
        "jobs:\n",
        "jobs:\n  a:\n    runs-on: ubuntu-24.04\n    permissions: {}\n    env: [A]\n    steps: [{run: echo}]\n",
        Some("a mapping is expected"),
    ),
    // Sound for GitHub, and less safe than it was.
    ("permissions: {}\n\nconcurrency", "permissions: write-all\n\nconcurrency", Some("its token gets")),
    (
        "    permissions: {} # a scanner",
        "    permissions: {id-token: write} # a scanner",
        Some("scans an image has id-token: write"),
    ),
    (" # v7.0.1\n", "\n", Some("no version in a comment")),
    (
        "          SOURCE: ${{ github.server_url }}/${{ github.repository }}\n        run: |\n",
        "          SOURCE: x\n        run: |\n          echo '${{ github.ref_name }}'\n",
        Some("in a script"),
    ),
];

/// Kinds of findings that say that GitHub would refuse the file.
const REFUSALS: &[&str] = &["syntax-check", "events", "id", "job-needs", "permissions", "expression", "matrix"];

#[test]
fn what_passes_passes_actionlint_and_what_actionlint_refuses_is_refused() {
    let Some(actionlint) = go_tool("actionlint") else { return };
    let files = rendered(&public());
    let ours = text(&files, WORKFLOW);
    let folder = tempfile::tempdir().unwrap();
    let path = |number: usize| folder.path().join(format!("{number}.yml"));
    for (number, (from, to, _)) in RELEASE.iter().enumerate() {
        assert!(ours.contains(from), "{from}");
        std::fs::write(path(number), ours.replacen(from, to, 1)).unwrap();
    }
    let mut command = Command::new(actionlint);
    command.args(["-shellcheck=", "-pyflakes=", "-format", "{{json .}}"]).args((0..RELEASE.len()).map(path));
    let said = command.current_dir(&folder).output().unwrap().stdout;
    let findings: Vec<serde_json::Value> = serde_json::from_slice(&said).unwrap();
    for (number, (from, to, expected)) in RELEASE.iter().enumerate() {
        let merged = ours.replacen(from, to, 1);
        let checked = check(WORKFLOW, &merged, ours, ours);
        let what = format!("{from:?} -> {to:?}\n{checked:#?}");
        let found = |reason: &str| checked.problems.iter().any(|problem| problem.what.contains(reason));
        match expected {
            Some(reason) => assert!(found(reason), "no `{reason}`: {what}"),
            None => assert_eq!(checked.problems, [], "{what}"),
        }
        let file = path(number).file_name().unwrap().to_string_lossy().into_owned();
        let theirs: Vec<_> = findings
            .iter()
            .filter(|one| {
                one["filepath"].as_str().unwrap().ends_with(&format!("/{file}")) || one["filepath"] == file.as_str()
            })
            .collect();
        if checked.problems.is_empty() {
            assert!(theirs.is_empty(), "actionlint refuses what passes: {theirs:#?}\n{what}");
        }
        if theirs.iter().any(|finding| REFUSALS.contains(&finding["kind"].as_str().unwrap())) {
            assert!(!checked.problems.is_empty(), "actionlint alone refuses: {theirs:#?}\n{what}");
        }
    }
    assert!(findings.len() > 30, "actionlint found {} things", findings.len());
}

#[test]
fn a_merge_that_loses_a_job_or_a_step_is_noticed() {
    let files = rendered(&public());
    let rescan = text(&files, RESCAN_WORKFLOW);
    let lost = rescan.replacen("  fetch:\n", "  fetched:\n", 1);
    let checked = check(RESCAN_WORKFLOW, &lost, rescan, rescan);
    assert!(checked.problems.iter().any(|problem| problem.what == "`fetch` is no job"), "{checked:#?}");
    // In a file that is no workflow, only what it says as YAML counts.
    let dependabot = ".github/dependabot.yml";
    assert_eq!(check(dependabot, "a: b\n", "", "").problems, []);
    assert_eq!(check(dependabot, "a: [\n", "", "").problems.len(), 1);
}
