//! No secret is in any byte that the program writes, prints or hands to another program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use sbi::sandbox::http::{Answer, Weather};

use crate::support::canaries::{self, every_secret};
use crate::support::room::{ANSWERS, REPOSITORY, Ran, Room, ran};

/// Fails when one of the secrets is in what a run wrote or left behind.
#[track_caller]
fn assert_kept(room: &Room, run: &Ran, secrets: &[(&'static str, String)]) {
    let mut places = vec![("stdout".to_owned(), run.stdout.clone()), ("stderr".to_owned(), run.stderr.clone())];
    // `gh` hands the token over itself, and nobody else's copy of it is ours.
    let files = canaries::files(room.folder()).into_iter().filter(|(path, _)| !path.ends_with("bin/gh"));
    let files: Vec<_> = files.collect();
    // Whoever applied a plan kept a journal: it is among what is searched.
    let journals = files.iter().filter(|(path, _)| path.ends_with(".jsonl")).count();
    assert!(journals > 0 || !run.stderr.contains(" done"), "no journal to search:\n{}", run.stderr);
    places.extend(files);
    assert_eq!(canaries::leak(secrets, &places), None);
}

/// Programs beside sbi that write down how they were called.
fn spies(room: &Room) -> PathBuf {
    let bin = room.folder().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let record = room.folder().join("argv.log");
    let token = room.github.token().reveal(str::to_owned);
    for (name, answer) in [("gh", token.as_str()), ("git", "")] {
        let path = bin.join(name);
        let script = format!(
            "#!/bin/sh\necho \"$0 $*\" >> '{}'\nenv >> '{}'\necho '{answer}'\n",
            record.display(),
            bin.join("env.log").display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    bin
}

/// The loudest settings that a person may have.
fn loud(mut command: Command) -> Command {
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").env("AWS_LOG", "trace");
    command
}

#[test]
fn no_command_lets_a_secret_out() {
    for auth in ["oidc", "access-key"] {
        let room = Room::new();
        let policy = [&["policy", "operator", "--yes", "--auth", auth], ANSWERS].concat();
        let render = [&["render", "--out", "rendered", "--auth", auth], ANSWERS].concat();
        let init = [&["init", "--yes", "--no-watch", "--show-policies", "--auth", auth], ANSWERS].concat();
        let commands: [&[&str]; 19] = [
            &init,
            &["plan", "--show-policies"],
            &["plan", "--format", "json"],
            &["status"],
            &["status", "--format", "json"],
            &["apply", "--yes", "--format", "json"],
            &policy,
            &render,
            &["completions", "bash"],
            &["man"],
            &["doctor"],
            &["doctor", "--format", "json"],
            &["update", "--check"],
            &["update", "--check", "--format", "json"],
            &["update", "--yes"],
            &["log", "--last"],
            &["log", "--last", "--format", "json"],
            &["--help"],
            &["init", "--sandbox", "--yes"],
        ];
        for arguments in commands {
            let run = ran(loud(room.command(arguments))).exited(0);
            assert_kept(&room, &run, &every_secret(&room));
        }
        let by_key: [&[&str]; 3] =
            [&["rotate-keys", "--check"], &["rotate-keys", "--yes", "--grace", "1s"], &["policy", "rotator"]];
        room.github.end_runs(REPOSITORY);
        for arguments in by_key {
            let before = every_secret(&room);
            let run = ran(loud(room.command(arguments))).exited(if auth == "oidc" && arguments[0] == "rotate-keys" {
                2
            } else {
                0
            });
            assert_kept(&room, &run, &before);
            assert_kept(&room, &run, &every_secret(&room));
        }
        let secrets = every_secret(&room);
        assert!(auth == "oidc" || secrets.len() > 3, "the issued key was not looked for");
        let last: [&[&str]; 2] =
            [&["destroy", "--plan", "--format", "json"], &["destroy", "--yes", "--confirm", REPOSITORY]];
        for arguments in last {
            let run = ran(loud(room.command(arguments))).exited(0);
            assert_kept(&room, &run, &secrets);
        }
    }
}

#[test]
fn no_failing_run_lets_a_secret_out() {
    for status in [400, 401, 403, 404, 418, 422, 500] {
        for place in
            ["/public-key", "/secrets/AWS_", "/releases", "CreateAccessKey", "GetAuthorizationToken", "GetUser"]
        {
            let room = Room::new();
            let forecast = move |_: usize, request: &sbi::sandbox::http::Request| {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                let target = request.header("x-amz-target").unwrap_or_default();
                let hit = request.path.contains(place) || body.contains(place) || target.contains(place);
                // What a careless server, or a proxy in between, may send back: all of the request.
                let headers: Vec<String> = request.headers.iter().map(|(n, v)| format!("{n}: {v:?}")).collect();
                let echo = serde_json::json!({ "message": format!("you sent {}", headers.join(" ")) }).to_string();
                match hit && !place.is_empty() {
                    true => Weather::AnswerLost(Answer::new(status, "application/json", echo)),
                    false => Weather::Fair,
                }
            };
            room.aws.server().set_forecast(forecast);
            let run =
                ran(loud(room.command(&[&["init", "--yes", "--no-watch", "--auth", "access-key"], ANSWERS].concat())));
            assert_kept(&room, &run, &every_secret(&room));
            room.aws.server().set_forecast(|_, _| Weather::Fair);
            let plain = move |_: usize, request: &sbi::sandbox::http::Request| match request.path.contains(place) {
                true => Weather::Instead(Answer::new(status, "application/json", "{\"message\":\"no\"}")),
                false => Weather::Fair,
            };
            room.github.server().set_forecast(plain);
            let run =
                ran(loud(room.command(&[&["init", "--yes", "--no-watch", "--auth", "access-key"], ANSWERS].concat())));
            assert_kept(&room, &run, &every_secret(&room));
        }
    }
}

#[test]
fn no_secret_is_an_argument_of_another_program() {
    let room = Room::new();
    let bin = spies(&room);
    let mut command = room.command(&[&["init", "--yes", "--no-watch", "--auth", "access-key"], ANSWERS].concat());
    command.env_remove("GH_TOKEN").env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let run = ran(loud(command)).exited(0);
    let argv = fs::read_to_string(room.folder().join("argv.log")).unwrap();
    assert!(argv.contains("gh auth token"), "{argv}");
    fs::remove_file(bin.join("env.log")).unwrap();
    assert_kept(&room, &run, &every_secret(&room));
}

/// Types that hold a secret can't be printed or copied: were they, this would be ambiguous and not compile.
#[test]
fn secrets_have_no_debug_clone_or_display() {
    trait Lacks<Marker> {
        fn lacks() {}
    }
    struct Invalid;
    impl<T: ?Sized> Lacks<()> for T {}
    impl<T: ?Sized + std::fmt::Debug> Lacks<Invalid> for T {}
    struct AlsoInvalid;
    impl<T: Clone> Lacks<AlsoInvalid> for T {}
    let _ = <sbi::model::secrets::AccessKey as Lacks<_>>::lacks;
    let _ = <sbi::model::secrets::Token as Lacks<_>>::lacks;
}
