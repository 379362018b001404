//! The journal of a run, which tells the truth however the run ends, and the lock that keeps a second one out.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sbi::sandbox::http::{Answer, Request, Weather};
use serde_json::Value;

use crate::convergence::cancelled_at_the_first_write;
use crate::rotate_keys::yesterday;
use crate::support::room::{REPOSITORY, Room, ran};

/// Where the journals of the room's repository are.
fn folder(room: &Room) -> PathBuf {
    room.folder().join(".local/state/sbi/127.0.0.1").join(REPOSITORY)
}

fn journals(room: &Room) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(room)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    found.sort();
    found
}

fn last(room: &Room) -> Value {
    let ran = room.sbi(&["log", "--last", "--format", "json"]).exited(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The state of the step about this kind of thing.
fn state(story: &Value, kind: &str) -> String {
    let steps = story["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["kind"] == kind).unwrap_or_else(|| panic!("no step about {kind}"));
    step["state"].as_str().unwrap().to_owned()
}

/// Starts `init` and waits until it has asked AWS for the role; the answer never comes.
fn stuck(room: &Room) -> (Child, Receiver<()>) {
    stuck_at(room, &room.init_arguments(&["--auth", "oidc", "--no-watch"]), "CreateRole")
}

/// Starts a command and waits until it has sent this action to IAM; the answer never comes.
fn stuck_at(room: &Room, arguments: &[&str], action: &str) -> (Child, Receiver<()>) {
    let (hung, stopped) = channel();
    let marker = format!("Action={action}&");
    room.aws.server().set_forecast(move |_, request: &Request| {
        if !String::from_utf8_lossy(&request.body).contains(&marker) {
            return Weather::Fair;
        }
        // Nobody listens any more when the test has ended.
        let _ = hung.send(());
        Weather::Hang
    });
    let child = room.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    stopped.recv_timeout(Duration::from_secs(60)).unwrap();
    (child, stopped)
}

#[test]
fn a_run_that_changes_something_is_told_step_by_step_to_its_owner_alone() {
    let room = Room::new();
    let nothing = room.sbi(&["log", "--github", REPOSITORY]).exited(0);
    assert_eq!(nothing.stdout, "no run on this machine has changed acme/bases\n");
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    // Nothing to change is no run worth a journal, and looking never is.
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    room.sbi(&["plan"]).exited(0);
    room.sbi(&["doctor"]).exited(0);
    let files = journals(&room);
    assert_eq!(files.len(), 1);
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&files[0]), mode(&folder(&room))), (0o600, 0o700));

    let story = last(&room);
    assert_eq!(story["outcome"], "done");
    assert_eq!(story["command"], "sbi init");
    assert_eq!(story["repository"], REPOSITORY);
    assert_eq!(story["github"], "acme");
    assert!(story["aws"].as_str().unwrap().ends_with(":user/operator"));
    for step in story["steps"].as_array().unwrap() {
        assert_eq!(step["state"], "done", "{step}");
        let at = |key: &str| step[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(at("started") <= at("ended"));
    }
    let run = story["run"].as_str().unwrap();
    let list = room.sbi(&["log"]).exited(0).stdout;
    assert!(list.contains(run) && list.contains("sbi init") && list.contains("done"), "{list}");
    let human = room.sbi(&["log", run]).exited(0).stdout;
    assert!(human.contains("+ IAM role sbi-publish-acme-bases") && human.contains("commit "), "{human}");
    assert!(room.sbi(&["log", "no-such-run"]).exited(1).stderr.contains("`sbi log` lists"));
    room.sbi(&["log", "../../../../../../etc/passwd"]).exited(1);
}

#[test]
fn a_failed_step_is_told_with_its_reason_and_request() {
    let room = Room::new();
    room.aws.server().set_forecast(|_, request: &Request| {
        match String::from_utf8_lossy(&request.body).contains("Action=CreateRole&") {
            true => Weather::Instead(
                Answer::new(
                    403,
                    "text/xml",
                    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error>\
                     </ErrorResponse>",
                )
                .with("x-amzn-requestid", "11112222-3333-4444-5555-666677778888"),
            ),
            false => Weather::Fair,
        }
    });
    room.init(&["--auth", "oidc", "--no-watch"]).exited(1);
    let story = last(&room);
    assert_eq!(story["outcome"], "failed");
    assert_eq!(state(&story, "IAM role"), "failed");
    assert_eq!(state(&story, "release"), "not started");
    assert_eq!(state(&story, "ECR repository"), "done");
    let failed = story["steps"].as_array().unwrap().iter().find(|step| step["state"] == "failed").unwrap();
    let because = failed["failure"]["because"].to_string();
    assert!(because.contains("request 11112222-3333-4444-5555-666677778888"), "{because}");
    assert!(failed["failure"]["help"].to_string().contains("allow it with the statement"), "{failed}");
    let human = room.sbi(&["log", "--last"]).exited(0).stdout;
    assert!(human.contains("because: ") && human.contains("not started + release v1.0.0"), "{human}");
}

/// Killed with a call under way: the step is told as begun, and nothing is made up about its end.
#[test]
fn a_killed_run_leaves_a_true_story_and_a_free_lock() {
    let room = Room::new();
    let (mut child, _stopped) = stuck(&room);
    let pid = child.id().to_string();

    let second = room.sbi(&["apply", "--yes", "--no-watch"]).exited(1);
    let says = format!("another run is changing acme/bases: `sbi init`, process {pid}, since ");
    assert!(second.stderr.contains(&says) && second.stderr.contains(&format!("`kill {pid}`")), "{}", second.stderr);
    assert!(second.stderr.contains(" UTC"), "{}", second.stderr);
    // Whoever only looks is not kept out.
    room.sbi(&["plan"]).exited(0);
    assert_eq!(last(&room)["outcome"], "running");

    child.kill().unwrap();
    child.wait().unwrap();
    room.aws.server().set_forecast(|_, _| Weather::Fair);
    let story = last(&room);
    assert_eq!(story["outcome"], "broken off");
    assert_eq!(state(&story, "IAM role"), "begun");
    assert_eq!(state(&story, "release"), "not started");
    let human = room.sbi(&["log", "--last"]).exited(0).stdout;
    assert!(human.contains("it may have happened or not") && human.contains("`sbi apply` does it"), "{human}");
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert_eq!(last(&room)["outcome"], "done");
}

#[test]
fn whatever_changes_a_repository_holds_its_lock_and_is_kept_out_by_it() {
    const APPLY: &[&str] = &["apply", "--yes", "--no-watch"];
    const ROTATE: &[&str] = &["rotate-keys", "--yes", "--grace", "0s"];
    const DESTROY: &[&str] = &["destroy", "--yes", "--confirm", REPOSITORY];
    let room = yesterday();
    for (holder, named, action) in
        [(ROTATE, "sbi rotate-keys", "CreateAccessKey"), (DESTROY, "sbi destroy", "DeleteAccessKey")]
    {
        let before = room.aws.performed().len();
        let (mut child, _stopped) = stuck_at(&room, holder, action);
        for kept_out in [APPLY, ROTATE, DESTROY] {
            let run = room.sbi(kept_out).exited(1);
            let says = format!("another run is changing acme/bases: `{named}`, process {}", child.id());
            assert!(run.stderr.contains(&says), "{kept_out:?}: {}", run.stderr);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        room.aws.server().set_forecast(|_, _| Weather::Fair);
        let wrote = room.aws.performed().split_off(before);
        assert!(wrote.iter().all(|call| !call.action.contains("CreateAccessKey")), "{wrote:?}");
    }
    let room = Room::new();
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let (mut child, _stopped) = stuck_at(&room, DESTROY, "DeleteRolePolicy");
    let run = room.sbi(&["rotate-keys", "--to-oidc", "--yes"]).exited(1);
    assert!(run.stderr.contains("another run is changing acme/bases: `sbi destroy`"), "{}", run.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Two runs of one repository in other folders are the same two runs.
#[test]
fn the_lock_is_the_repositorys_and_not_the_folders() {
    let room = Room::new();
    let (mut child, _stopped) = stuck(&room);
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = room.command(&room.init_arguments(&["--auth", "oidc", "--no-watch"]));
    command.current_dir(elsewhere.path());
    assert!(ran(command).exited(1).stderr.contains("another run is changing acme/bases"));
    let others: Vec<&str> = room.init_arguments(&["--auth", "oidc", "--no-watch"]);
    let others: Vec<&str> =
        others.into_iter().map(|word| if word == REPOSITORY { "acme/other" } else { word }).collect();
    room.aws.server().set_forecast(|_, _| Weather::Fair);
    let mut command = room.command(&others);
    command.current_dir(elsewhere.path());
    ran(command).exited(0);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn without_a_place_for_it_the_run_goes_on_and_says_so() {
    for (variable, value) in [("HOME", None), ("XDG_STATE_HOME", Some("/dev/null"))] {
        let room = Room::new();
        let mut command = room.command(&room.init_arguments(&["--auth", "oidc", "--no-watch"]));
        match value {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
        let run = ran(command).exited(0);
        assert!(run.stderr.contains("no journal is kept") || run.stderr.contains("can't be written"), "{}", run.stderr);
        assert!(run.stderr.contains("no other run is kept out"), "{}", run.stderr);
        assert!(journals(&room).is_empty());
    }
}

#[test]
fn the_newest_hundred_are_kept_and_half_a_line_spoils_nothing() {
    let room = Room::new();
    fs::create_dir_all(folder(&room)).unwrap();
    for day in 0..120 {
        fs::write(folder(&room).join(format!("2020-01-01T00-00-00.{day:06}Z-1.jsonl")), "").unwrap();
    }
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let files = journals(&room);
    assert_eq!(files.len(), 100);
    let text = fs::read_to_string(&files[99]).unwrap();
    let (whole, _) = text.trim_end().rsplit_once('\n').unwrap();
    let mut cut = fs::File::create(&files[99]).unwrap();
    cut.write_all(format!("{whole}\n{{\"at\":\"2026-01").as_bytes()).unwrap();
    let story = last(&room);
    assert_eq!(story["outcome"], "broken off");
    assert_eq!(state(&story, "release"), "done");
    let list = room.sbi(&["log"]).exited(0).stdout;
    assert_eq!(list.lines().count(), 1, "files that tell of no beginning are passed over: {list}");
}

#[test]
fn a_run_in_the_sandbox_leaves_none() {
    let room = Room::new();
    room.sbi(&["init", "--sandbox", "--yes"]).exited(0);
    assert!(!room.folder().join(".local").exists());
}

/// A run that follows a rename keeps its journal under the name of today, and whoever has that name waits.
#[test]
fn after_a_rename_the_journal_is_under_the_new_name() {
    let room = Room::new();
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    room.github.rename(REPOSITORY, "images");
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    assert_eq!(last(&room)["repository"], "acme/images");
    assert_eq!(journals(&room).len(), 1);
    let old = room.sbi(&["log", "--github", REPOSITORY]).exited(0).stdout;
    assert_eq!(old.lines().count(), 1, "{old}");
}

/// What a person cancels while it is applied is told as that.
#[test]
fn a_cancelled_run_is_told_as_cancelled() {
    let room = Room::new();
    assert_eq!(cancelled_at_the_first_write(&room).status.code(), Some(130));
    let story = last(&room);
    assert_eq!(story["outcome"], "cancelled");
    assert_eq!(state(&story, "release"), "not started");
}
