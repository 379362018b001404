//! Workflow runs that a release starts.

use std::sync::{Arc, Mutex};

use sbi::sandbox::github::{RunContext, RunOutcome, Seed, TokenScopes};
use serde_json::{Value, json};

use super::{FULL_NAME, Host, REPO};

const PINNED: &str = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8";
const PATH: &str = ".github/workflows/publish-to-ecr.yml";

fn pipeline(action: &str) -> String {
    format!(
        "name: Publish to ECR
on:
  release:
    types: [published]
permissions: {{}}
jobs:
  build:
    name: Build and scan
    runs-on: ubuntu-24.04
    steps:
      - uses: {action} # v5
      - name: Gate
        run: |
          trivy image
  publish:
    name: Publish
    needs: build
    runs-on: ubuntu-24.04
    environment: production
    permissions:
      id-token: write # to sign in to AWS
    steps:
      - name: Push
        run: docker push
  report:
    name: Report
    needs: [build, publish]
    if: ${{{{ always() }}}}
    steps:
      - run: echo done
"
    )
}

fn with_pipeline(text: &str) -> Host {
    let host = Host::with_scopes(TokenScopes::classic(["repo", "workflow"]));
    host.github.create_repository(FULL_NAME, Seed { private: false, files: &[(PATH, text)] });
    host
}

/// Follows the one run of a commit to its end, by asking for it, and returns its conclusion and its jobs.
fn follow(host: &Host) -> (String, Vec<Value>) {
    let path = format!("{REPO}/actions/runs?event=release&head_sha={}", host.head());
    let found = host.get(&path).is(200);
    assert_eq!(found.text("/total_count"), "1");
    assert_eq!(found.text("/workflow_runs/0/status"), "queued");
    let run = format!("{REPO}/actions/runs/{}", found.text("/workflow_runs/0/id"));
    let mut seen = Vec::new();
    for _ in 0..10 {
        let now = host.get(&run).is(200);
        seen.push(now.text("/status"));
        if now.text("/status") == "completed" {
            seen.dedup();
            assert!(seen == ["in_progress", "completed"] || seen == ["completed"], "{seen:?}");
            let jobs = host.get(&format!("{run}/jobs")).is(200);
            return (now.text("/conclusion"), jobs.body["jobs"].as_array().unwrap().clone());
        }
        host.get(&format!("{run}/jobs?per_page=100")).is(200);
    }
    panic!("the run never ends: {seen:?}");
}

fn ends(jobs: &[Value]) -> Vec<(&str, &str)> {
    let text = |job: &'_ Value, key: &str| job[key].as_str().unwrap_or_default().to_owned().leak() as &str;
    jobs.iter().map(|job| (text(job, "name"), text(job, "conclusion"))).collect()
}

#[test]
fn a_release_starts_a_run_that_goes_from_queued_to_its_end() {
    let host = with_pipeline(&pipeline(PINNED));
    let asked: Arc<Mutex<Vec<RunContext>>> = Arc::default();
    let log = Arc::clone(&asked);
    host.github.set_run_outcome(move |run| {
        log.lock().unwrap().push(run.clone());
        RunOutcome::Success
    });
    assert_eq!(host.get(&format!("{REPO}/actions/runs")).is(200).text("/total_count"), "0");
    host.release("v1.0.0").is(201);
    let (conclusion, jobs) = follow(&host);
    assert_eq!(conclusion, "success");
    assert_eq!(ends(&jobs), [("Build and scan", "success"), ("Publish", "success"), ("Report", "success")]);
    let asked = asked.lock().unwrap();
    let [run] = asked.as_slice() else { panic!("asked once") };
    assert_eq!((run.repository.as_str(), run.workflow.as_str(), run.tag.as_str()), (FULL_NAME, PATH, "v1.0.0"));
    assert_eq!(run.jobs[0].steps, [&format!("Run {PINNED}"), "Gate"]);
    // Only a job that may ask for a token gets one, with its own environment in it.
    assert!(run.jobs[0].claims.is_none());
    let claims = run.jobs[1].claims.as_ref().unwrap();
    assert!(claims["sub"].as_str().unwrap().ends_with(":environment:production"), "{claims}");
    assert_eq!(claims["workflow"], json!("Publish to ECR"));
    let workflows = host.get(&format!("{REPO}/actions/workflows")).is(200);
    assert_eq!(workflows.text("/workflows/0/path"), PATH);
    for filter in ["event=push", "head_sha=0000", "branch=main", "status=queued"] {
        let none = host.get(&format!("{REPO}/actions/runs?{filter}")).is(200);
        assert_eq!(none.text("/total_count"), "0", "{filter}");
    }
    host.get(&format!("{REPO}/actions/runs/1")).is(404);
    let seen = &host.github.repository(FULL_NAME).unwrap().runs[0];
    assert_eq!((seen.status, seen.conclusion), ("completed", Some("success")));
}

#[test]
fn a_failing_step_fails_its_job_and_skips_what_needs_it() {
    let host = with_pipeline(&pipeline(PINNED));
    host.github.set_run_outcome(|_| RunOutcome::Failure { job: "Build and scan".into(), step: Some("Gate".into()) });
    host.release("v1.0.0").is(201);
    let (conclusion, jobs) = follow(&host);
    assert_eq!(conclusion, "failure");
    assert_eq!(ends(&jobs), [("Build and scan", "failure"), ("Publish", "skipped"), ("Report", "success")]);
    let steps = jobs[0]["steps"].as_array().unwrap().clone();
    let checkout = format!("Run {PINNED}");
    let expected =
        [("Set up job", "success"), (&checkout, "success"), ("Gate", "failure"), ("Complete job", "success")];
    assert_eq!(ends(&steps), expected);
}

#[test]
fn settings_of_the_repository_stop_a_job_before_its_first_step() {
    let first_step = |jobs: &[Value], at: usize| jobs[at]["steps"][0]["conclusion"].as_str().unwrap().to_owned();
    // An action by tag, where actions must be pinned.
    let host = with_pipeline(&pipeline("actions/checkout@v5"));
    host.put(&format!("{REPO}/actions/permissions"), &json!({"enabled": true, "sha_pinning_required": true})).is(204);
    host.release("v1.0.0").is(201);
    let (conclusion, jobs) = follow(&host);
    assert_eq!((conclusion.as_str(), first_step(&jobs, 0).as_str()), ("failure", "failure"));
    // A tag that the environment doesn't let in.
    let host = with_pipeline(&pipeline(PINNED));
    host.github.add_environment(FULL_NAME, "production", Some(&["v1.*"]));
    host.release("v2.0.0").is(201);
    let (conclusion, jobs) = follow(&host);
    assert_eq!((conclusion.as_str(), first_step(&jobs, 1).as_str()), ("failure", "failure"));
    assert_eq!(ends(&jobs)[0], ("Build and scan", "success"));
    // A pattern for branches lets no tag in, whatever its name.
    let host = with_pipeline(&pipeline(PINNED));
    host.github.add_environment(FULL_NAME, "production", Some(&[]));
    let policies = format!("{REPO}/environments/production/deployment-branch-policies");
    host.post(&policies, &json!({"name": "v*", "type": "branch"})).is(200);
    host.release("v1.0.0").is(201);
    assert_eq!(follow(&host).0, "failure");
    let host = with_pipeline(&pipeline(PINNED));
    host.github.add_environment(FULL_NAME, "production", Some(&["v1.*"]));
    host.release("v1.0.0").is(201);
    assert_eq!(follow(&host).0, "success");
}

#[test]
fn a_cancelled_run_ends_cancelled() {
    let host = with_pipeline(&pipeline(PINNED));
    host.github.set_run_outcome(|_| RunOutcome::Cancelled);
    host.release("v1.0.0").is(201);
    let (conclusion, jobs) = follow(&host);
    assert_eq!((conclusion.as_str(), ends(&jobs)[1]), ("cancelled", ("Publish", "cancelled")));
}

#[test]
fn a_workflow_that_cannot_be_read_fails_before_its_first_job() {
    let host = with_pipeline("on: release\njobs:\n  - what\n");
    host.release("v1.0.0").is(201);
    assert_eq!(follow(&host), ("startup_failure".to_owned(), Vec::new()));
}

#[test]
fn what_starts_no_run() {
    let count = |host: &Host| host.github.repository(FULL_NAME).unwrap().runs.len();
    // A release made with the token of a workflow run.
    let host = with_pipeline(&pipeline(PINNED));
    let permissions = ["contents: write", "actions: write", "workflows: write"];
    host.github.set_token_scopes(TokenScopes::Installation(permissions.map(str::to_owned).into()));
    assert_eq!(host.get("/user").is(403).message(), "Resource not accessible by integration");
    host.release("v1.0.0").is(201);
    assert_eq!(count(&host), 0);
    // Actions switched off; a draft, until it is published; a workflow that waits for something else.
    let host = with_pipeline(&pipeline(PINNED));
    host.put(&format!("{REPO}/actions/permissions"), &json!({"enabled": false})).is(204);
    host.release("v1.0.0").is(201);
    assert_eq!(count(&host), 0);
    let host = with_pipeline(&pipeline(PINNED));
    let draft = host.post(&format!("{REPO}/releases"), &json!({"tag_name": "v1.0.0", "draft": true})).is(201);
    assert_eq!(count(&host), 0);
    host.patch(&format!("{REPO}/releases/{}", draft.text("/id")), &json!({"draft": false})).is(200);
    assert_eq!(count(&host), 1);
    let host = with_pipeline(&pipeline(PINNED).replace("published", "created"));
    host.release("v1.0.0").is(201);
    assert_eq!(count(&host), 0);
}

#[test]
fn a_run_may_show_later_than_its_release() {
    let host = with_pipeline(&pipeline(PINNED));
    host.github.delay_runs(2);
    host.release("v1.0.0").is(201);
    let path = format!("{REPO}/actions/runs?event=release&head_sha={}", host.head());
    let counts = [(); 3].map(|()| host.get(&path).is(200).text("/total_count"));
    assert_eq!(counts, ["0", "0", "1"]);
}
