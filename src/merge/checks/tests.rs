//! What forbids a merge and what is only told, rule by rule.

use super::*;

const WORKFLOW: &str = ".github/workflows/publish.yml";
const COMMIT: &str = "3d3c42e5aac5ba805825da76410c181273ba90b1";

/// Rule and place of everything that is broken.
fn broken(path: &str, text: &str) -> Vec<String> {
    broken_rules(path, text).iter().map(|broken| format!("{} {}: {}", broken.rule, broken.place, broken.what)).collect()
}

/// A workflow with one job, which breaks nothing.
fn sound() -> String {
    format!(
        "name: Mine\non:\n  release:\n    types: [published]\npermissions: {{}}\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n      - name: Check out\n        uses: actions/checkout@{COMMIT} # v7.0.1\n      - run: echo \"$GITHUB_SHA\"\n"
    )
}

fn with(from: &str, to: &str) -> String {
    let text = sound();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn each_rule_of_a_workflow_is_noticed() {
    assert_eq!(broken(WORKFLOW, &sound()), [""; 0]);
    let step = |text: &str| format!("{}{text}\n", sound());
    let bad = format!("ddb9da4475c1{}", "0".repeat(28));
    let bare = format!("@{COMMIT} # v7.0.1");
    let cases = [
        (with(&bare, "@v7"), "pinned-actions jobs.one.steps.\"Check out\": actions/checkout@v7 names no full commit"),
        (
            step("      - uses: docker://alpine:3"),
            "pinned-actions jobs.one.steps.\"docker://alpine:3\": docker://alpine:3 names no digest",
        ),
        (
            with(" # v7.0.1", ""),
            "version-comments jobs.one.steps.\"Check out\": actions/checkout has no version in a comment",
        ),
        (
            with(" # v7.0.1", " # the newest"),
            "version-comments jobs.one.steps.\"Check out\": actions/checkout has no version in a comment",
        ),
        (with(COMMIT, &bad), "known-bad-actions jobs.one.steps.\"Check out\": actions/checkout@"),
        (
            with("  release:\n    types: [published]", "  pull_request_target:"),
            "foreign-code jobs.one.steps.\"Check out\": a checkout in a run that pull_request_target starts",
        ),
        (
            with("echo \"$GITHUB_SHA\"", "echo ${{ github.head_ref }}"),
            "expressions-in-scripts jobs.one.steps[1]: ${{ github.head_ref }} in a script",
        ),
        (
            step(
                "      - uses: actions/github-script@v9\n        with: {script: 'x(`${{ github.event.issue.title }}`)'}",
            ),
            "expressions-in-scripts jobs.one.steps.\"actions/github-script\"",
        ),
        (with("permissions: {}", "permissions: write-all"), "narrow-token permissions: write-all"),
        (with("permissions: {}\n", ""), "narrow-token jobs.one: no permissions are named"),
        (
            with("permissions: {}", "permissions: {id-token: write}") + "      - run: docker build .\n",
            "credentials-apart jobs.one: a job that builds an image has id-token: write",
        ),
        (
            step("      - uses: aquasecurity/trivy-action@v1\n        env: {A: '${{ secrets.TOKEN }}'}"),
            "credentials-apart jobs.one: a job that scans an image has the secret TOKEN",
        ),
        (
            with("    steps:", "    environment: {name: production}\n    steps:") + "      - run: trivy image a\n",
            "credentials-apart jobs.one: a job that scans an image has the environment production",
        ),
        (
            step("        env: {A: '${{ secrets.AWS_SECRET_ACCESS_KEY }}'}"),
            "no-long-lived-keys : the secret AWS_SECRET_ACCESS_KEY holds an access key",
        ),
        (
            step("      - uses: actions/cache@v5"),
            "no-cache-in-releases jobs.one.steps.\"actions/cache\": actions/cache in a workflow that releases",
        ),
        (
            step("      - run: docker buildx build --cache-from type=gha ."),
            "no-cache-in-releases jobs.one.steps[2]: `--cache-from` in a workflow that releases",
        ),
        (with("ubuntu-24.04", "ubuntu-latest"), "fixed-runners jobs.one.runs-on: ubuntu-latest is no fixed runner"),
        (
            with("ubuntu-24.04", "${{ matrix.on }}\n    strategy: {matrix: {on: [macos-latest-xlarge]}}"),
            "fixed-runners jobs.one.runs-on: macos-latest-xlarge is no fixed runner",
        ),
        (
            step("      - run: |\n          curl -s https://x \\\n            | sh"),
            "no-piped-downloads jobs.one.steps[2]: `curl -s https://x | sh`",
        ),
    ];
    for (text, expected) in cases {
        let found = broken(WORKFLOW, &text);
        assert!(found.iter().any(|found| found.starts_with(expected)), "{expected}\n{found:#?}\n{text}");
    }
}

#[test]
fn what_looks_like_a_broken_rule_and_is_none_is_let_be() {
    let step = |text: &str| format!("{}{text}\n", sound());
    let digest = "0".repeat(64);
    for text in [
        step("      - uses: ./actions/mine"),
        step(&format!("      - uses: docker://alpine@sha256:{digest}")),
        step("      - run: echo ${{ github.run_id }} ${{ runner.os == 'Linux' && 'a' || 'b' }}"),
        with("echo \"$GITHUB_SHA\"", "echo ${{ matrix.a }}\n    strategy: {matrix: {a: [b, c]}}"),
        with("  release:\n    types: [published]", "  push: {branches: [main]}")
            + "      - run: docker buildx build --cache-from type=gha .\n",
        step("        env: {A: '${{ secrets.GITHUB_TOKEN }}'}\n      - run: docker build ."),
        with("uses: actions/checkout@", "uses: \"actions/checkout@").replace(" # v7.0.1", "\" # v7.0.1"),
        sound().replace('\n', "\r\n"),
        step("        # docker build, trivy image"),
    ] {
        assert_eq!(broken(WORKFLOW, &text), [""; 0], "{text}");
    }
    assert_eq!(broken("README.md", "FROM debian:latest"), [""; 0]);
}

#[test]
fn values_from_outside_are_told_from_those_that_the_file_holds() {
    let script =
        |expression: &str, more: &str| with("echo \"$GITHUB_SHA\"", &format!("echo '${{{{ {expression} }}}}'{more}"));
    let matrix = "\n    strategy: {matrix: {a: '${{ fromJSON(vars.LIST) }}'}}";
    for (expression, more) in [
        ("github.event.issue.title", ""),
        ("inputs.text", ""),
        ("steps.x.outputs.y", ""),
        ("env.NAME", ""),
        ("github.ref_name", ""),
        ("github['head_ref']", ""),
        ("format('{0}', github.actor)", ""),
        ("toJSON(github)", ""),
        ("secrets.X", ""),
        ("matrix.a", matrix),
        ("github.event.*.title", ""),
    ] {
        let found = broken(WORKFLOW, &script(expression, more));
        assert!(found.iter().any(|found| found.starts_with("expressions-in-scripts")), "{expression}: {found:?}");
    }
    let inputs = |kind: &str| {
        script("inputs.x", "").replacen(
            "on:\n",
            &format!("on:\n  workflow_dispatch: {{inputs: {{x: {{type: {kind}}}}}}}\n"),
            1,
        )
    };
    assert_eq!(broken(WORKFLOW, &inputs("boolean")), [""; 0]);
    assert_eq!(broken(WORKFLOW, &inputs("string")).len(), 1);
}

#[test]
fn each_rule_of_a_dockerfile_is_noticed() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let base = format!("FROM gcr.io/distroless/static:nonroot@{digest}\n");
    let sound = format!(
        "# syntax=docker/dockerfile:1\nARG A=first\nFROM golang:1.26@{digest} AS first\nRUN go build\nFROM gcr.io/distroless/static:nonroot@{digest}\nCOPY --from=first /a /a\nENV TOKEN_FILE=/run/x\nUSER 65532\n"
    );
    assert_eq!(broken("Dockerfile", &sound), [""; 0]);
    for (text, expected) in [
        ("FROM debian:13\nUSER 1\n".to_owned(), "pinned-base line 1: debian:13 has no digest"),
        ("ARG B=debian:13\nARG B2=x\nFROM ${B}\nUSER 1\n".into(), "pinned-base line 3: debian:13 has no digest"),
        ("FROM registry:5000/a\n".into(), "no-latest-tag line 1: registry:5000/a is taken as it is today"),
        ("FROM --platform=linux/amd64 a:latest as x\n".into(), "no-latest-tag line 1"),
        (format!("{base}USER root\n"), "unprivileged-user line 2: USER root"),
        (format!("{base}USER 1\nUSER 0:0\n"), "unprivileged-user line 3: USER 0:0"),
        (format!("FROM a@{digest}\nRUN x\n"), "unprivileged-user line 1: there is no USER"),
        (format!("FROM a@{digest} AS one\nUSER 1\nFROM a@{digest}\n"), "unprivileged-user line 3: there is no USER"),
        ("FROM scratch\nCOPY a /a\n".into(), "unprivileged-user line 1: there is no USER"),
        (
            format!("FROM docker.io/library/alpine:3@{digest} AS a\nFROM a\nUSER 1\n"),
            "small-base line 1: docker.io/library/alpine:3@sha256",
        ),
        (format!("{base}ADD https://x/y.tar.gz /\n"), "no-added-downloads line 2: ADD of https://x/y.tar.gz"),
        (
            format!("{base}RUN apt-get update && \\\n    # why\n    curl -s https://x | sh\n"),
            "no-piped-downloads line 2",
        ),
        (
            format!("{base}RUN <<EOF\nset -e\ncurl -s https://x | sh\nEOF\nUSER 1\n"),
            "no-piped-downloads line 2: `curl -s https://x | sh`",
        ),
        (format!("{base}ARG NPM_TOKEN\n"), "no-secrets-in-image line 2: ARG NPM_TOKEN"),
        (format!("{base}ENV A=\"b c\" DB_PASSWORD=x\n"), "no-secrets-in-image line 2: ENV DB_PASSWORD"),
        (format!("{base}ENV API_KEY some words\n"), "no-secrets-in-image line 2: ENV API_KEY"),
    ] {
        let found = broken("images/a/Dockerfile", &text);
        assert!(found.iter().any(|found| found.starts_with(expected)), "{expected}\n{found:#?}\n{text}");
    }
    for text in [
        format!("FROM a@{digest} AS one\nUSER 1\nFROM one\nCOPY x y\n"),
        format!("{base}ADD --checksum=sha256:00 https://x/y /\nADD y.tar /\n"),
        "ARG BASE\nFROM $BASE\n".into(),
        "ARG BASE=1.dkr.ecr.eu-central-1.amazonaws.com/a:v1.0.0\nFROM ${BASE}\nUSER 1\n".into(),
        format!("{base}RUN <<EOF\n# curl -s https://x | sh\nFROM debian:latest\nEOF\nENV TOKEN_TTL=1\n"),
        format!("FROM a@{digest}\r\nUSER 1\r\n"),
    ] {
        assert_eq!(broken("Dockerfile", &text), [""; 0], "{text}");
    }
}

#[test]
fn a_dockerfile_is_known_by_its_name() {
    for path in ["Dockerfile", "a/b/dockerfile", "Dockerfile.release", "release.Dockerfile", "Containerfile"] {
        assert!(is_dockerfile(path), "{path}");
    }
    for path in ["Dockerfiles/x", "mydockerfile", "dockerfile-notes.md", "Dockerfile_old"] {
        assert!(!is_dockerfile(path), "{path}");
    }
}

#[test]
fn a_rule_that_the_publisher_broke_before_is_a_remark_and_a_new_one_a_problem() {
    let theirs = with("ubuntu-24.04", "ubuntu-latest");
    let checked = check(WORKFLOW, &theirs, &theirs, &sound());
    assert_eq!((checked.problems.len(), checked.remarks.len()), (0, 1));
    assert!(checked.remarks[0].what.contains("the label moves"), "{checked:?}");
    // The same step under another name is the same mistake.
    let old = with(&format!("@{COMMIT} # v7.0.1"), "@v7");
    let checked = check(WORKFLOW, &old.replace("Check out", "Fetch"), &old, &sound());
    assert_eq!((checked.problems.len(), checked.remarks.len()), (0, 1));
    let twice = old.clone() + "      - uses: actions/checkout@v7\n";
    assert_eq!(check(WORKFLOW, &twice, &old, &sound()).problems.len(), 1, "once more is new");
    assert_eq!(check(WORKFLOW, &theirs, &sound(), &sound()).problems.len(), 1);
    let checked = check("Dockerfile", "FROM a:latest\nUSER 1\n", "FROM a:1\nUSER 1\n", "FROM a:1\nUSER 1\n");
    assert_eq!((checked.problems.len(), checked.remarks.len()), (2, 0), "{checked:?}");
    // The key that goes with `auth = "access-key"` is none that stays once roles are rendered.
    let key = sound() + "        env: {A: '${{ secrets.AWS_ACCESS_KEY }}'}\n";
    assert_eq!(broken(WORKFLOW, &key), [""; 0]);
    let ours = sound() + "        with: {x: 'y'}\n      - uses: ./x\n        with:\n          role-to-assume: a\n";
    assert_eq!(check(WORKFLOW, &key, &sound(), &ours).problems.len(), 1);
}

#[test]
fn a_token_gets_no_more_than_either_side_gives_it() {
    let with_job = |top: &str, job: &str| {
        sound().replace("permissions: {}\n", top).replace("    runs-on", &format!("{job}    runs-on"))
    };
    let all = |top: &str, job: &str| (with_job(top, job), top.to_owned() + job);
    let problems = |merged: &(String, String), theirs: &(String, String), ours: &(String, String)| {
        let found = check(WORKFLOW, &merged.0, &theirs.0, &ours.0).problems;
        found.into_iter().filter(|note| note.what.contains("its token gets")).collect::<Vec<_>>()
    };
    let none = all("permissions: {}\n", "");
    let read = all("permissions: {}\n", "    permissions: {contents: read}\n");
    let write = all("permissions: {}\n", "    permissions: {contents: write, id-token: write}\n");
    let inherits = all("permissions: {contents: write}\n", "");
    let default = all("", "");
    let everything = all("permissions: write-all\n", "");
    let reads = all("permissions: read-all\n", "");
    for (merged, theirs, ours, count) in [
        (&read, &none, &read, 0),
        (&read, &read, &none, 0),
        (&write, &read, &none, 1),
        (&write, &write, &none, 0),
        // A job that says nothing has what stands at the top, or the repository's default.
        (&inherits, &read, &none, 2),
        (&default, &read, &none, 2),
        (&write, &default, &none, 1),
        (&read, &default, &none, 0),
        (&default, &default, &none, 0),
        (&everything, &default, &none, 2),
        (&write, &everything, &none, 0),
        (&reads, &read, &none, 2),
        (&read, &reads, &none, 0),
    ] {
        let found = problems(merged, theirs, ours);
        assert_eq!(found.len(), count, "{:?} of {:?} and {:?}: {found:?}", merged.1, theirs.1, ours.1);
    }
    // What can't be read gives nothing.
    let broken = ("jobs: [".to_owned(), String::new());
    assert_eq!(problems(&write, &broken, &none).len(), 1);
    assert_eq!(problems(&none, &broken, &none), []);
    let found = problems(&write, &read, &none);
    assert_eq!(found[0].place, "jobs.one");
    assert!(found[0].what.contains("contents: write, id-token: write"), "{found:?}");
    // A job that they renamed may have what ours has under its old name.
    let renamed = (read.0.replace("  one:", "  first:"), String::new());
    let theirs = (none.0.replace("  one:", "  first:"), String::new());
    assert_eq!(problems(&renamed, &theirs, &read), []);
    assert_eq!(problems(&renamed, &theirs, &none).len(), 1);
}
