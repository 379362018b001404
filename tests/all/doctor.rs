//! `sbi doctor` against both stand-ins: it says of each job whether AWS would let it in, and names the condition that
//! fails, why, and what mends it.

use std::collections::BTreeSet;

use sbi::model::diagnosis::{Start, claims};
use sbi::model::iam::{PolicyDocument, Values};
use sbi::model::identity::OIDC_ISSUER;
use sbi::model::jobs::WorkflowFile;
use sbi::model::observed::{GithubIdentity, SubjectTemplate};
use sbi::sandbox::github::{Organization, RunOutcome, WorkflowRunContext};
use serde_json::Value;

use crate::support::room::{ANSWERS, REPOSITORY, Ran, Room};
use crate::support::world::fresh_repository;

const ROLE: &str = "sbi-publish-acme-bases";
const READER: &str = "sbi-read-acme-bases";
const PUBLISH: &str = ".github/workflows/publish-to-ecr.yml";

fn set_up(room: &Room) -> &Room {
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    room
}

fn file(room: &Room, path: &str) -> String {
    String::from_utf8(room.github.repository(REPOSITORY).unwrap().files[path].clone()).unwrap()
}

/// Commits the publishing workflow with one text replaced by another.
#[track_caller]
fn edit(room: &Room, from: &str, to: &str) {
    let before = file(room, PUBLISH);
    assert!(before.contains(from), "no `{from}` in the workflow");
    room.github.commit_files(REPOSITORY, "main", &[(PUBLISH, &before.replace(from, to))], "edit");
}

/// Changes what a condition of a role's trust policy asks for.
fn retrust(room: &Room, role: &str, operator: &str, claim: &str, values: &[&str]) {
    let mut trust: PolicyDocument = room.aws.role_trust(role).unwrap();
    let condition = &mut trust.statements[0].condition;
    condition.get_mut(operator).unwrap().insert(format!("{OIDC_ISSUER}:{claim}"), Values::new(values.iter().copied()));
    room.aws.set_role_trust(role, trust);
}

/// The doctor's verdicts on this job, as `verdict about: because | help`.
fn verdicts(ran: &Ran, job: &str) -> Vec<String> {
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let jobs = found["jobs"].as_array().unwrap().iter().filter(|case| case["job"] == job);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    jobs.flat_map(|case| {
        let obstacles = case["obstacles"].as_array().unwrap();
        let lines: Vec<String> = obstacles
            .iter()
            .map(|found| format!("{}: {} | {}", text(&found["about"]), text(&found["because"]), text(&found["help"])))
            .collect();
        if lines.is_empty() { vec![text(&case["verdict"])] } else { lines }
    })
    .collect()
}

#[test]
fn after_a_set_up_every_job_would_be_let_in() {
    let organization = Organization { login: "acme".into(), id: 77, plan: "free".into() };
    let without_environments = sbi::sandbox::github::GithubOptions {
        organizations: vec![organization],
        ..sbi::sandbox::github::GithubOptions::default()
    };
    let private: Vec<&str> = ANSWERS.iter().map(|word| if *word == "public" { "private" } else { *word }).collect();
    let one = Room::new();
    set_up(&one);
    let bare = Room::with(without_environments);
    bare.sbi(&[&["init", "--yes", "--no-watch", "--auth", "oidc"], private.as_slice()].concat()).exited(0);
    let two = Room::with_two_images();
    if let Some(room) = &two {
        set_up(room);
    }
    for (room, releases) in [(&one, 1), (&bare, 1)].into_iter().chain(two.iter().map(|room| (room, 2))) {
        let before = room.writes();
        let ran = room.sbi(&["doctor", "--format", "json"]).exited(0);
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        let jobs: BTreeSet<(&str, &str)> = found["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|case| (case["job"].as_str().unwrap(), case["event"].as_str().unwrap()))
            .collect();
        assert!(jobs.contains(&("Publish", "release")) && jobs.contains(&("Verify", "release")), "{jobs:?}");
        assert!(jobs.iter().any(|(_, event)| *event == "schedule"), "{jobs:?}");
        assert_eq!(verdicts(&ran, "Publish"), vec!["let_in"; releases]);
        assert!(found["jobs"].as_array().unwrap().iter().all(|case| case["verdict"] == "let_in"), "{}", ran.stdout);
        let human = room.sbi(&["doctor"]).exited(0);
        assert!(human.stdout.contains("Publish on release of"), "{}", human.stdout);
        assert_eq!(room.writes(), before, "looking changed something");
        room.check_contract();
    }
}

/// One change each, in the trust policy or in the workflow, and what the person then reads.
#[test]
fn each_way_to_be_kept_out_is_named_with_its_reason_and_its_remedy() {
    type Change = fn(&Room);
    let cases: [(&str, &str, Change, &[&str]); 11] = [
        (
            "a subject of the old form",
            "Publish",
            |room| retrust(room, ROLE, "StringEquals", "sub", &["repo:acme/bases:environment:publish"]),
            &["sub: ", "by its name alone", "sbi apply"],
        ),
        (
            "another repository's subject",
            "Publish",
            |room| retrust(room, ROLE, "StringEquals", "sub", &["repo:acme@1/old@2:environment:publish"]),
            &["sub: ", "`acme@1/old@2`: it was renamed or moved", "sbi apply"],
        ),
        (
            "another repository's number",
            "Publish",
            |room| retrust(room, ROLE, "StringEquals", "repository_id", &["1"]),
            &["repository_id: ", "for another GitHub repository than acme/bases", "sbi apply"],
        ),
        (
            "another owner's number",
            "Publish",
            |room| retrust(room, ROLE, "StringEquals", "repository_owner_id", &["1"]),
            &["repository_owner_id: ", "belonged to another owner", "sbi apply"],
        ),
        (
            "a trust for branches",
            "Publish",
            |room| retrust(room, ROLE, "StringLike", "ref", &["refs/heads/main"]),
            &["ref: ", "the tag v1.0.0 is none that the role opens for", "sbi apply"],
        ),
        (
            "another environment",
            "Publish",
            |room| edit(room, "environment: \"publish\"", "environment: staging"),
            &["sub: ", "runs in the environment staging, the role opens for publish", "--overwrite"],
        ),
        (
            "no environment",
            "Publish",
            |room| edit(room, "    environment: \"publish\"\n", ""),
            &["sub: ", "runs in no environment, the role opens for the environment publish", "--overwrite"],
        ),
        (
            "another audience",
            "Publish",
            |room| edit(room, "role-to-assume: ${{ secrets", "audience: mine\n          role-to-assume: ${{ secrets"),
            &["aud: ", "another audience", "--overwrite"],
        ),
        (
            "no right to ask for a token",
            "Publish",
            |room| edit(room, "id-token: write # proves to AWS and to Sigstore", "contents: read # proves"),
            &["permissions: ", "may not ask GitHub for a token", "id-token: write"],
        ),
        (
            "a customised subject",
            "Publish",
            |room| room.github.set_subject_template(REPOSITORY, &["repo", "context", "workflow"]),
            &["sub: ", "customises the subject", "use_default=true"],
        ),
        (
            "the reader's trust",
            "Verify",
            |room| retrust(room, READER, "StringLike", "ref", &["refs/heads/main"]),
            &["ref: ", "the tag v1.0.0 is none that the role opens for", "sbi apply"],
        ),
    ];
    for (what, job, change, expected) in cases {
        let room = Room::new();
        set_up(&room);
        change(&room);
        let ran = room.sbi(&["doctor", "--format", "json"]).exited(1);
        let said = verdicts(&ran, job).join("\n");
        for part in expected {
            assert!(said.contains(part), "{what}: no `{part}` in\n{said}\n{}", ran.stdout);
        }
        let human = room.sbi(&["doctor"]).exited(1);
        assert!(human.stdout.contains("because: ") && human.stdout.contains("help: "), "{}", human.stdout);
        assert!(human.stderr.contains("would be refused"), "{}", human.stderr);
    }
}

#[test]
fn a_renamed_repository_is_explained_and_mended_by_what_it_says() {
    let room = Room::new();
    set_up(&room);
    room.github.rename(REPOSITORY, "images");
    let ran = room.sbi(&["doctor"]).exited(1);
    assert!(ran.stdout.contains("renamed or moved") && ran.stdout.contains("`sbi apply` mends it"), "{}", ran.stdout);
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    room.sbi(&["doctor"]).exited(0);
}

#[test]
fn a_ref_is_judged_with_the_files_that_it_has() {
    let room = Room::new();
    set_up(&room);
    assert_eq!(
        verdicts(&room.sbi(&["doctor", "--ref", "v1.0.0", "--format", "json"]).exited(0), "Publish"),
        ["let_in"]
    );
    // On main the workflow differs by now; at the tag it is as it was.
    edit(&room, "environment: \"publish\"", "environment: staging");
    room.sbi(&["doctor"]).exited(1);
    room.sbi(&["doctor", "--ref", "v1.0.0"]).exited(0);
    room.github.commit_files(REPOSITORY, "feature", &[("a", "b\n")], "branch");
    let branch = room.sbi(&["doctor", "--ref", "feature", "--format", "json"]).exited(1);
    let said = verdicts(&branch, "Verify").join("\n");
    assert!(said.contains("the run is on a branch") && said.contains("a release starts the one"), "{said}");
    room.github.add_tag(REPOSITORY, "nightly");
    let tag = room.sbi(&["doctor", "--ref", "nightly", "--format", "json"]).exited(1);
    let said = verdicts(&tag, "Publish").join("\n");
    assert!(said.contains("environment: the environment") || said.contains("the tag nightly is none"), "{said}");
    let missing = room.sbi(&["doctor", "--ref", "v9.9.9"]).exited(1);
    assert!(missing.stderr.contains("has no workflow at v9.9.9"), "{}", missing.stderr);
}

#[test]
fn a_failed_run_is_found_and_explained() {
    let room = Room::new();
    room.github
        .set_run_outcome(|_| RunOutcome::Failure { job: "Publish".into(), step: Some("Assume the role".into()) });
    room.init(&["--auth", "oidc"]).exited(1);
    let id = room.github.repository(REPOSITORY).unwrap().runs[0].id.to_string();
    let ran = room.sbi(&["doctor"]).exited(0);
    assert!(ran.stdout.contains("job `Publish`, step `Assume the role`"), "{}", ran.stdout);
    retrust(&room, ROLE, "StringEquals", "repository_id", &["1"]);
    for run in [id.clone(), format!("https://github.com/{REPOSITORY}/actions/runs/{id}/job/7?pr=1")] {
        let ran = room.sbi(&["doctor", "--run", &run, "--format", "json"]).exited(1);
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(found["run"]["failed"][0]["step"], "Assume the role");
        assert_eq!(found["at"], found["run"]["commit"]);
        assert!(verdicts(&ran, "Publish")[0].starts_with("repository_id: "), "{}", ran.stdout);
    }
    let other = room.sbi(&["doctor", "--run", "https://github.com/eve/bases/actions/runs/1"]).exited(2);
    assert!(other.stderr.contains("belongs to another repository"), "{}", other.stderr);
    room.sbi(&["doctor", "--run", "latest"]).exited(2);
    room.sbi(&["doctor", "--run", "999999999999"]).exited(1);
    room.check_contract();
}

#[test]
fn with_an_access_key_the_key_and_its_secrets_are_what_counts() {
    let room = Room::new();
    room.init(&["--auth", "access-key", "--no-watch"]).exited(0);
    let ran = room.sbi(&["doctor"]).exited(0);
    assert!(ran.stdout.contains("sign in with an access key of sbi-publish-acme-bases"), "{}", ran.stdout);
    room.github.age_secret(REPOSITORY, sbi::model::secrets::ACCESS_KEY_SECRET, std::time::Duration::from_secs(86_400));
    let ran = room.sbi(&["doctor"]).exited(1);
    assert!(ran.stdout.contains("access key of sbi-publish-acme-bases"), "{}", ran.stdout);
    assert!(ran.stderr.contains("`sbi apply` mends it"), "{}", ran.stderr);
}

#[test]
fn without_a_set_up_it_says_what_to_do() {
    let room = Room::new();
    let ran = room.sbi(&["doctor"]).exited(2);
    assert!(ran.stderr.contains("there is no `sbi.toml` here"), "{}", ran.stderr);
    set_up(&room);
    room.github.delete_repository(REPOSITORY);
    let ran = room.sbi(&["doctor"]).exited(1);
    assert!(ran.stderr.contains("does not exist or is hidden"), "{}", ran.stderr);
}

/// The claims are those of the tokens that the stand-in hands out, for every way to start and every form of subject.
#[test]
fn derived_claims_are_those_of_the_tokens() {
    for (immutable, template) in [(true, None), (false, None), (true, Some(["repo", "context", "workflow"]))] {
        let room = Room::new();
        set_up(&room);
        room.github.set_immutable_subject(REPOSITORY, immutable);
        if let Some(keys) = template {
            room.github.set_subject_template(REPOSITORY, &keys);
        }
        let found = room.github.repository(REPOSITORY).unwrap();
        let prefix = match immutable {
            true => format!("repo:acme@{}/bases@{}", found.owner_id, found.id),
            false => "repo:acme/bases".to_owned(),
        };
        let mut repository = fresh_repository(false);
        repository.identity = GithubIdentity {
            repository_id: found.id,
            owner_id: found.owner_id,
            subject_prefix: prefix,
            default_branch: "main".into(),
        };
        repository.subject = template.map_or(SubjectTemplate::Default, |keys| {
            SubjectTemplate::Claims(keys.iter().map(|key| (*key).to_owned()).collect())
        });
        let workflow = WorkflowFile::read(PUBLISH, &file(&room, PUBLISH)).unwrap();
        for (event, reference) in [
            ("release", "refs/tags/v1.0.0"),
            ("schedule", "refs/heads/main"),
            ("workflow_dispatch", "refs/heads/feature/x"),
            ("pull_request", "refs/pull/1/merge"),
        ] {
            for environment in [None, Some("publish"), Some("a:b")] {
                let start = Start { event: event.into(), reference: reference.into() };
                let ours = claims(&repository, &workflow, environment, &start, "sts.amazonaws.com");
                let context = WorkflowRunContext {
                    event: event.into(),
                    reference: reference.into(),
                    workflow_name: workflow.name.clone(),
                    ..WorkflowRunContext::release(PUBLISH, "", environment)
                };
                let theirs = room.github.claims_for(REPOSITORY, &context).unwrap();
                for (claim, value) in &ours {
                    assert_eq!(theirs[claim], *value, "{claim} on {event}, {environment:?}");
                }
                assert!(ours.contains_key("sub") && ours.len() >= 11);
            }
        }
    }
}
