//! The rights of the person who runs sbi: what `sbi policy operator` prints is enough, and all of it is used.

use std::collections::BTreeSet;

use sbi::model::config::{Auth, Config};
use sbi::model::iam::{PolicyDocument, Values};
use sbi::model::identity::OIDC_ISSUER;
use sbi::plan::operator::{observer_policy, operator_policy};
use sbi::sandbox::http::{Answer, Weather};

use crate::support::iam_judge::Judge;
use crate::support::policies::{actions, without};
use crate::support::room::{ANSWERS, REPOSITORY, Room, is_write};

const SIMULATE: &str = "iam:SimulatePrincipalPolicy";
const AUTHS: [(&str, Auth); 2] = [("oidc", Auth::Oidc), ("access-key", Auth::AccessKey)];

/// The configuration that `ANSWERS` come to.
fn config(auth: Auth) -> Config {
    crate::support::world::config(auth)
}

/// The policy as the command prints it.
fn printed(room: &Room, auth: &str) -> PolicyDocument {
    let run = room.sbi(&[&["policy", "operator", "--yes", "--auth", auth], ANSWERS].concat()).exited(0);
    PolicyDocument::parse(&run.stdout).unwrap()
}

/// Somebody else's ECR repository and provider, or an orphaned key of ours and a repository that drifted: together with a
/// run from nothing, every change that sbi knows is needed.
fn other_starts(room: &Room, auth: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = sbi::aws::Settings {
        endpoint: Some(room.aws.url()),
        region: Some("eu-central-1".parse().unwrap()),
        credentials: Some(room.aws.operator_credentials()),
        profile: None,
    };
    let name = REPOSITORY.parse().unwrap();
    let mutable = sbi::model::observed::TagMutability::Mutable;
    if auth == "access-key" {
        orphan_a_key(room);
    }
    runtime.block_on(async {
        let aws = sbi::aws::Aws::connect(settings).await.unwrap();
        if auth == "access-key" {
            aws.set_ecr_tag_mutability(&name, &mutable).await.unwrap();
        } else {
            aws.create_ecr_repository(&name, &mutable, &Default::default()).await.unwrap();
            let url = format!("https://{OIDC_ISSUER}");
            aws.create_oidc_provider(&url, "https://github.com/somebody").await.unwrap();
        }
    });
    room.aws.switch_scan_on_push_off(REPOSITORY);
}

/// As a kill between the key and its secrets leaves it: the upload is refused, and so is taking the key back.
fn orphan_a_key(room: &Room) {
    let first_run = |_: usize, request: &sbi::sandbox::http::Request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let lost = request.path.contains("/secrets/") || body.contains("Action=DeleteAccessKey");
        match is_write(request) && lost {
            true => Weather::Instead(Answer::new(418, "application/json", "{\"message\":\"broken\"}")),
            false => Weather::Fair,
        }
    };
    room.aws.server().set_forecast(first_run);
    room.github.server().set_forecast(first_run);
    room.init(&["--auth", "access-key", "--no-watch"]).exited(1);
    assert_eq!(room.aws.access_keys("sbi-publish-acme-bases").len(), 1, "no key was orphaned");
    room.aws.server().set_forecast(|_, _| Weather::Fair);
    room.github.server().set_forecast(|_, _| Weather::Fair);
}

/// What the operator did since `from`, each once.
fn done(room: &Room, from: usize) -> BTreeSet<(String, String)> {
    let operator = |call: &&sbi::sandbox::aws::PerformedCall| call.caller_arn.ends_with(":user/operator");
    let calls = room.aws.performed();
    let calls = calls[from..].iter().filter(operator);
    calls
        .inspect(|call| assert!(call.allowed, "{} on {} was refused", call.action, call.resource))
        .map(|call| (call.action.clone(), call.resource.clone()))
        .collect()
}

#[test]
fn the_printed_policy_is_the_planners() {
    let room = Room::new();
    for (name, auth) in AUTHS {
        assert_eq!(printed(&room, name), operator_policy(&config(auth)));
    }
}

/// Judged twice: by the stand-in on every call, and by an engine that is not ours on all that was recorded.
#[test]
fn with_just_the_printed_policy_init_runs_to_the_end_and_uses_every_right() {
    for (name, auth) in AUTHS {
        let mut used = BTreeSet::new();
        for prepare in [None, Some(other_starts as fn(&Room, &str))] {
            let room = Room::new();
            if let Some(prepare) = prepare {
                prepare(&room, name);
            }
            let from = room.aws.performed().len();
            room.aws.set_operator_policy(printed(&room, name));
            room.init(&["--auth", name, "--no-watch"]).exited(0);
            // The second run reads what the first one could not: last use, lifecycle, tags.
            room.init(&["--auth", name, "--no-watch"]).exited(0);
            if auth == Auth::Oidc {
                mend_a_drifted_trust(&room, name);
            }
            used.extend(done(&room, from));
        }
        // `sts:GetCallerIdentity` needs no right, so no policy names it.
        used.retain(|(action, _)| action != "sts:GetCallerIdentity");
        let used: Vec<(String, String)> = used.into_iter().collect();
        let Some(judge) = Judge::of(&config(auth)) else { continue };
        let policy = serde_json::to_value(operator_policy(&config(auth))).unwrap();
        assert_eq!(judge.refused(&policy, &used), [], "{name}");
        assert_eq!(judge.needless(&policy, &used), Vec::<String>::new(), "{name}");
    }
}

/// Somebody changes the role's trust; the next run mends it with the same rights.
fn mend_a_drifted_trust(room: &Room, auth: &str) {
    let trust = room.aws.role_trust("sbi-publish-acme-bases").unwrap();
    let mut drifted = trust.clone();
    for statement in &mut drifted.statements {
        statement
            .condition
            .entry("StringEquals".into())
            .or_default()
            .insert(format!("{OIDC_ISSUER}:repository_id"), Values::one("1"));
    }
    room.aws.set_role_trust("sbi-publish-acme-bases", drifted);
    let run = room.init(&["--auth", auth, "--no-watch"]).exited(0);
    assert!(run.stderr.contains("IAM role"), "{}", run.stderr);
    assert_eq!(room.aws.role_trust("sbi-publish-acme-bases").unwrap(), trust);
}

/// From nothing: each right that is missing is named, and nothing was written before.
#[test]
fn a_missing_right_is_named_before_the_first_write() {
    for (name, auth) in AUTHS {
        let policy = operator_policy(&config(auth));
        let mut named = 0;
        for action in actions(&policy) {
            let room = Room::new();
            room.aws.set_operator_policy(without(&policy, &action));
            let run = room.init(&["--auth", name, "--no-watch"]);
            if action == SIMULATE {
                // Only the check is missing, nothing that the set-up itself needs.
                assert_eq!(run.code, 0, "{}", run.stderr);
                continue;
            }
            if run.code == 0 {
                // Not needed from nothing: adopting needs it.
                continue;
            }
            assert_eq!(run.code, 1, "{action}:\n{}", run.stderr);
            assert!(run.stderr.contains(&action), "{action} is not named:\n{}", run.stderr);
            assert!(run.stderr.contains("sbi policy operator"), "{action}:\n{}", run.stderr);
            assert_eq!(room.writes(), 0, "{action} was missing, and something was written");
            named += 1;
        }
        assert!(named >= 7, "{name}: only {named} rights were missed");
    }
}

/// Where IAM may not be asked, the first refused call names the right, and the next run finishes.
#[test]
fn without_the_check_the_refused_call_names_the_right_and_the_next_run_finishes() {
    for (name, auth) in AUTHS {
        let policy = operator_policy(&config(auth));
        for action in actions(&policy) {
            let room = Room::new();
            room.aws.set_operator_policy(without(&without(&policy, &action), SIMULATE));
            let run = room.init(&["--auth", name, "--no-watch"]);
            if run.code == 0 {
                continue;
            }
            assert!(run.stderr.contains(&action), "{action} is not named:\n{}", run.stderr);
            room.aws.set_operator_policy(policy.clone());
            let second = room.init(&["--auth", name, "--no-watch"]);
            assert_eq!(second.code, 0, "{action}:\n{}", second.stderr);
        }
    }
}

/// Looking takes its own, smaller document: all of it is used, nothing else is asked for, and all of it only reads.
#[test]
fn with_just_the_observers_policy_status_tells_everything_and_uses_every_right() {
    for (name, auth) in AUTHS {
        let room = crate::status::published(name);
        let run = room.sbi(&["policy", "observer"]).exited(0);
        let policy = PolicyDocument::parse(&run.stdout).unwrap();
        assert_eq!(policy, observer_policy(&config(auth)));
        for action in actions(&policy) {
            let (_, verb) = action.split_once(':').unwrap();
            assert!(
                ["Describe", "Get", "List"].iter().any(|reading| verb.starts_with(reading)),
                "{action} does not read"
            );
        }
        let from = room.aws.performed().len();
        room.aws.set_operator_policy(policy.clone());
        assert_eq!(crate::status::status(&room, &[]).in_state("unknown"), Vec::<String>::new());
        let mut used = done(&room, from);
        used.retain(|(action, _)| action != "sts:GetCallerIdentity");
        let used: Vec<(String, String)> = used.into_iter().collect();
        let Some(judge) = Judge::of(&config(auth)) else { continue };
        let policy = serde_json::to_value(&policy).unwrap();
        assert_eq!(judge.refused(&policy, &used), [], "{name}");
        assert_eq!(judge.needless(&policy, &used), Vec::<String>::new(), "{name}");
    }
}
