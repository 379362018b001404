//! What the programs of a job ask AWS for, taken from what they really send, against what its policy allows: everything
//! they ask for is allowed, and everything that is allowed they ask for.

use std::collections::BTreeSet;

use sbi::model::config::Config;
use sbi::model::iam::PolicyDocument;
use sbi::model::identity::{publishing_policy, reading_policy};

use super::registry::Request;
use super::runner::{Ended, Run};
use super::signing::{Sigstore, WORKFLOW_OF_TAG};
use super::{REPOSITORY, World, config, debian_13};
use crate::support::iam_judge::{Call, Judge};
use crate::support::policies::actions;
use crate::support::trivy_database::Database;

/// Calls of the OCI distribution API, and the IAM action that Amazon ECR asks for: method, what the path holds, action.
/// From the Amazon ECR API reference, where each action says which part of a push or pull calls it; that looking up
/// referrers takes `ecr:BatchGetImage` stands at `ListImageReferrers`.
const REGISTRY_CALLS: &[(&str, &str, &str)] = &[
    ("HEAD", "/blobs/sha256:", "ecr:BatchCheckLayerAvailability"),
    ("GET", "/blobs/sha256:", "ecr:GetDownloadUrlForLayer"),
    ("POST", "/blobs/uploads/", "ecr:InitiateLayerUpload"),
    ("PATCH", "/blobs/uploads/", "ecr:UploadLayerPart"),
    ("PUT", "/blobs/uploads/", "ecr:CompleteLayerUpload"),
    ("HEAD", "/manifests/", "ecr:BatchGetImage"),
    ("GET", "/manifests/", "ecr:BatchGetImage"),
    ("GET", "/referrers/sha256:", "ecr:BatchGetImage"),
    ("PUT", "/manifests/", "ecr:PutImage"),
];

/// Calls of the AWS command line, which are named like their actions (Service Authorization Reference, Amazon ECR);
/// `get-login-password` calls `GetAuthorizationToken` (AWS CLI reference).
const COMMANDS: &[(&str, &str)] = &[
    ("get-login-password", "ecr:GetAuthorizationToken"),
    ("batch-get-image", "ecr:BatchGetImage"),
    ("describe-images", "ecr:DescribeImages"),
];

/// Records the AWS command line's calls beside the registry's.
struct Record {
    folder: tempfile::TempDir,
}

impl Record {
    fn of(run: &mut Run) -> Self {
        let folder = tempfile::tempdir().unwrap();
        run.give("AWS_CALLS", &folder.path().join("calls").display().to_string());
        Self { folder }
    }

    /// The actions since the last time, each once. Panics at a call that nobody has written down here.
    fn actions(&self, world: &World) -> BTreeSet<String> {
        let commands = std::fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        let _ = std::fs::remove_file(self.folder.path().join("calls"));
        let by_command = commands.lines().map(|call| {
            let known = COMMANDS.iter().find(|(name, _)| *name == call);
            known.unwrap_or_else(|| panic!("which action is `aws ecr {call}`?")).1.to_owned()
        });
        // The stand-in for the AWS command line asks the registry by curl: no program of the job does.
        let requests = world.proxy.requests();
        let by_request = requests.iter().filter(|request| !request.client.starts_with("curl/")).filter_map(action_of);
        by_command.chain(by_request).collect()
    }
}

/// `None` for the question whether this is a registry, which takes no right beyond being signed in.
fn action_of(request: &Request) -> Option<String> {
    if request.path == "/v2/" {
        return None;
    }
    assert!(request.path.contains(REPOSITORY), "{request:?} is about another repository");
    let known = REGISTRY_CALLS
        .iter()
        .find(|(method, part, _)| request.method == *method && request.path.contains(part))
        .unwrap_or_else(|| panic!("which action is {request:?}?"));
    Some(known.2.to_owned())
}

/// Judged once more by an engine that is not ours, on the resources that the calls are about.
#[track_caller]
fn assert_exact(what: &str, config: &Config, policy: &PolicyDocument, asked: &BTreeSet<String>) {
    assert_eq!(*asked, actions(policy), "{what}: what is asked for, and what is allowed");
    let Some(judge) = Judge::of(config) else { return };
    let resource = |action: &str| match action {
        "ecr:GetAuthorizationToken" => "*".to_owned(),
        _ => config.ecr_repository_arn(&config.ecr.repository),
    };
    let calls: Vec<Call> = asked.iter().map(|action| (action.clone(), resource(action))).collect();
    let policy = serde_json::from_str(&policy.to_json()).unwrap();
    assert_eq!(judge.refused(&policy, &calls), Vec::<Call>::new(), "{what}: refused");
    assert_eq!(judge.needless(&policy, &calls), Vec::<String>::new(), "{what}: not needed");
}

/// What publishing asks for, and what verifying it and the night after ask for.
fn asked(world: &World, sigstore: &Sigstore, config: &Config) -> [BTreeSet<String>; 2] {
    let mut run = world.release_of(config, &debian_13(), &Database::clean());
    sigstore.serve(&mut run, WORKFLOW_OF_TAG);
    let record = Record::of(&mut run);
    run.only(&["plan", "build", "scan", "findings"]);
    run.assert_ended("scan", &Ended::Success);
    assert_eq!(record.actions(world), BTreeSet::new(), "jobs without credentials ask AWS for nothing");
    run.only(&["publish"]);
    run.assert_ended("publish", &Ended::Success);
    let publishing = record.actions(world);
    run.only(&["verify"]);
    run.assert_ended("verify", &Ended::Success);
    let mut reading = record.actions(world);

    let mut night = world.night(config, &Database::clean());
    let record = Record::of(&mut night);
    night.only(&["fetch"]);
    night.assert_ended("fetch", &Ended::Success);
    reading.extend(record.actions(world));
    [publishing, reading]
}

#[test]
fn the_jobs_programs_ask_for_exactly_what_the_two_roles_may() {
    let (Some(world), Some(sigstore)) = (World::new(), Sigstore::start()) else { return };
    let config = config("oidc", "keyless", &["amd64"]);
    let [publishing, reading] = asked(&world, &sigstore, &config);
    assert_exact("publish", &config, &publishing_policy(&config), &publishing);
    assert_exact("verify and fetch", &config, &reading_policy(&config), &reading);
}

#[test]
fn the_jobs_programs_ask_for_exactly_what_the_access_key_may() {
    let (Some(world), Some(sigstore)) = (World::new(), Sigstore::start()) else { return };
    let config = config("access-key", "keyless", &["amd64"]);
    let asked: BTreeSet<String> = asked(&world, &sigstore, &config).into_iter().flatten().collect();
    assert_exact("all jobs", &config, &publishing_policy(&config), &asked);
}
