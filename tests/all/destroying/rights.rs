//! The rights of the person who runs `sbi destroy`: what `sbi policy destroyer` prints is enough, and all of it is used.

use std::collections::BTreeSet;

use sbi::model::config::Auth;
use sbi::model::iam::PolicyDocument;
use sbi::plan::destroy::rights::destroyer_policy;

use super::{SURE, set_up};
use crate::support::iam_judge::Judge;
use crate::support::policies::{actions, without};
use crate::support::room::{ANSWERS, REPOSITORY, Room};
use crate::support::world::config;

const SIMULATE: &str = "iam:SimulatePrincipalPolicy";

fn printed(room: &Room) -> PolicyDocument {
    let run = room.sbi(&[&["policy", "destroyer", "--yes"], ANSWERS].concat()).exited(0);
    PolicyDocument::parse(&run.stdout).unwrap()
}

/// What the operator did since `from`, each once.
fn done(room: &Room, from: usize) -> BTreeSet<(String, String)> {
    let calls = room.aws.performed();
    let calls = calls[from..].iter().filter(|call| call.caller_arn.ends_with(":user/operator"));
    calls
        .inspect(|call| assert!(call.allowed, "{} on {} was refused", call.action, call.resource))
        .map(|call| (call.action.clone(), call.resource.clone()))
        .collect()
}

/// Judged twice: by the stand-in on every call, and by an engine that is not ours on all that was recorded.
#[test]
fn with_just_the_printed_policy_destroy_runs_to_the_end_and_uses_every_right() {
    let config = config(Auth::Oidc);
    let mut used = BTreeSet::new();
    for (auth, adopted) in [("oidc", false), ("access-key", false), ("oidc", true)] {
        let room = set_up(auth);
        room.aws.add_image(REPOSITORY, Some("v1.0.0")).unwrap();
        if adopted {
            room.aws.tag_repository(REPOSITORY, "sbi:adopted", "true");
        }
        let from = room.aws.performed().len();
        assert_eq!(printed(&room), destroyer_policy(&config));
        room.aws.set_operator_policy(printed(&room));
        room.sbi(&[SURE, &["--delete-images"]].concat()).exited(0);
        used.extend(done(&room, from));
    }
    // `sts:GetCallerIdentity` needs no right, so no policy names it.
    used.retain(|(action, _)| action != "sts:GetCallerIdentity");
    let used: Vec<(String, String)> = used.into_iter().collect();
    let Some(judge) = Judge::of(&config) else { return };
    let policy = serde_json::to_value(destroyer_policy(&config)).unwrap();
    assert_eq!(judge.refused(&policy, &used), []);
    assert_eq!(judge.needless(&policy, &used), Vec::<String>::new());
}

/// Each right that is missing is named, and nothing was written before.
#[test]
fn a_missing_right_is_named_before_the_first_write() {
    for auth in ["oidc", "access-key"] {
        let policy = destroyer_policy(&config(Auth::Oidc));
        let full = || {
            let room = set_up(auth);
            room.aws.add_image(REPOSITORY, Some("v1.0.0")).unwrap();
            room
        };
        let (mut named, mut room) = (0, full());
        for action in actions(&policy) {
            room.aws.set_operator_policy(without(&policy, &action));
            let before = room.writes();
            let run = room.sbi(&[SURE, &["--delete-images"]].concat());
            if run.code == 0 {
                // Only the check is missing, or the other kind of identity needs it.
                room = full();
                continue;
            }
            assert_eq!(run.code, 1, "{action}:\n{}", run.stderr);
            assert!(run.stderr.contains(&action), "{action} is not named:\n{}", run.stderr);
            assert!(run.stderr.contains("sbi policy destroyer"), "{action}:\n{}", run.stderr);
            assert_eq!(room.writes(), before, "{action} was missing, and something was written");
            assert_ne!(action, SIMULATE);
            named += 1;
        }
        assert!(named >= 12, "{auth}: only {named} rights were missed");
    }
}

/// The publishing identity can do none of it, and the operator of a set-up no deletion but that of an orphaned key.
#[test]
fn nobody_else_gets_the_right_to_delete() {
    for auth in [Auth::Oidc, Auth::AccessKey] {
        let config = config(auth);
        let deletes = |policy: &PolicyDocument| -> Vec<String> {
            actions(policy).into_iter().filter(|action| action.contains("Delete") || action.contains("Untag")).collect()
        };
        assert_eq!(deletes(&sbi::model::identity::publishing_policy(&config)), Vec::<String>::new());
        let expected: &[&str] = if auth == Auth::Oidc { &[] } else { &["iam:DeleteAccessKey"] };
        assert_eq!(deletes(&sbi::plan::operator::operator_policy(&config)), expected);
        assert!(
            !actions(&destroyer_policy(&config))
                .iter()
                .any(|action| action.contains("OpenIDConnectProvider") && action.contains("Delete"))
        );
    }
}
