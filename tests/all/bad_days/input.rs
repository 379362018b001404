//! What a person types or writes.

use std::fs;
use std::process::Stdio;

use super::{changes, finishes, init, init_with, settled};
use crate::support::room::{ANSWERS, Room, ran};

/// A refusal of input comes before the first request, not only before the first change.
#[track_caller]
fn nothing_was_asked(room: &Room) {
    assert_eq!(room.github.server().log().len() + room.aws.server().log().len(), 0);
}

/// `sbi.toml` as `init` writes it, with one text replaced.
fn config(from: &str, to: &str) -> String {
    let text = r#"[github]
repository = "acme/bases"
visibility = "public"

[aws]
account = "123456789012"
region = "eu-central-1"

[ecr]
repository = "acme/bases"

[publish]
auth = "oidc"
images = ["static-go"]
release = "v1.0.0"
environment = "publish"

[publisher]
name = "Acme"
security-contact = "security@acme.example"
"#;
    assert!(text.contains(from), "nothing to replace");
    text.replacen(from, to, 1)
}

#[test]
fn all_unusable_answers_come_back_as_one_error() {
    let room = Room::new();
    let bad = [
        ("--github", "acme/ba ses"),
        ("--visibility", "secret"),
        ("--account", "12"),
        ("--region", "eu-centrl-1"),
        ("--ecr-repository", "Acme/Bases"),
        ("--image", "cobol"),
        ("--release", "1.0"),
        ("--security-contact", "nobody"),
    ];
    let ran = init_with(&room, &bad, &["--environment", "a/b"]);
    let flags: Vec<&str> = bad.iter().map(|(flag, _)| *flag).chain(["--environment"]).collect();
    let ran = ran.refused(&room, 2, &flags);
    ran.failed(2, &["`acme/ba ses`", "`eu-centrl-1`", "`Acme/Bases`", "`12`", "`cobol`", "--region eu-central-1"]);
    nothing_was_asked(&room);
    assert!(!room.folder().join("sbi.toml").exists());
}

#[test]
fn all_missing_answers_come_back_as_one_error() {
    let room = Room::new();
    let mut command = room.command(&["init"]);
    command.env_remove("AWS_REGION");
    let ran = ran(command).refused(&room, 2, &["--github", "--region", "run it in a terminal"]);
    assert!(ran.stdout.is_empty());
}

#[test]
fn an_unknown_region_suggests_the_nearest() {
    let room = Room::new();
    init_with(&room, &[("--region", "us-esat-1")], &[]).refused(
        &room,
        2,
        &["`us-esat-1` is not an AWS region", "did you mean `--region us-east-1`?"],
    );
    nothing_was_asked(&room);
    // One that the environment names is named too.
    let replaced: Vec<&str> = ANSWERS.chunks(2).filter(|pair| pair[0] != "--region").flatten().copied().collect();
    let mut command = room.command(&[&["init", "--yes"], replaced.as_slice()].concat());
    command.env("AWS_REGION", "us-esat-1");
    ran(command).refused(&room, 2, &["--region"]);
}

#[test]
fn credentials_of_another_account_than_the_pinned_one_are_refused() {
    let room = Room::new();
    fs::write(room.folder().join("sbi.toml"), config("123456789012", "210987654321")).unwrap();
    for arguments in [&["init", "--yes"][..], &["plan"], &["apply", "--yes"]] {
        room.sbi(arguments).refused(
            &room,
            2,
            &["account 123456789012", "pins 210987654321", "user/operator", "--profile"],
        );
    }
}

#[test]
fn a_broken_sbi_toml_is_shown_with_its_line() {
    let room = Room::new();
    let cases = [
        ("region = ", "region ", "region"),
        ("region = ", "regoin = ", "regoin"),
        ("eu-central-1", "eu-centrl-1", "eu-centrl-1"),
        ("\"123456789012\"", "123456789012", "account = 123456789012"),
        ("auth = \"oidc\"", "auth = \"magic\"", "auth = \"magic\""),
        ("acme/bases", "acme", "repository = \"acme\""),
    ];
    for (from, to, shown) in cases {
        fs::write(room.folder().join("sbi.toml"), config(from, to)).unwrap();
        for arguments in [&["init", "--yes"][..], &["plan"], &["apply", "--yes"], &["render", "--out", "out"]] {
            room.sbi(arguments).refused(&room, 2, &["`sbi.toml` can't be used", "line ", shown, "mend the file"]);
        }
    }
    nothing_was_asked(&room);
    assert!(!room.folder().join("out").exists());
}

#[test]
fn apply_without_sbi_toml_says_where_it_comes_from() {
    let room = Room::new();
    room.sbi(&["apply", "--yes"]).refused(&room, 2, &["there is no `sbi.toml` here", "`sbi init`"]);
    nothing_was_asked(&room);
}

#[test]
fn answers_that_cannot_be_kept_stop_the_run_before_its_first_change() {
    let room = Room::new();
    init(&room, &["--config", "absent/sbi.toml"]).refused(&room, 2, &["`absent/sbi.toml`", "--config"]);
    fs::create_dir(room.folder().join("sbi.toml")).unwrap();
    init(&room, &[]).refused(&room, 2, &["`sbi.toml` can't be read"]);
}

#[test]
fn nobody_there_to_say_yes_is_no_yes() {
    let room = Room::new();
    let ran = room.sbi(&[&["init"], ANSWERS].concat());
    ran.refused(&room, 2, &["--yes"]);
    assert!(!room.folder().join("sbi.toml").exists());
}

#[test]
fn readers_that_have_gone_stop_nothing() {
    let room = Room::new();
    let mut command = room.command(&[&["init", "--yes", "--no-watch"], ANSWERS].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    settled(&room, false);

    let mut plan = room.command(&["plan"]);
    let mut child = plan.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_told() {
    let room = Room::new();
    let mut command = room.command(&[&["plan", "--yes", "--format", "json"], ANSWERS].concat());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: ") && stderr.contains("No space left"), "{stderr}");
    assert_eq!(changes(&room), Vec::<String>::new());
}

#[test]
fn an_image_folder_in_the_way_of_render_is_left_alone() {
    let room = Room::new();
    fs::create_dir(room.folder().join("out")).unwrap();
    fs::write(room.folder().join("out/README.md"), "mine\n").unwrap();
    let ran = room.sbi(&[&["render", "--out", "out"], ANSWERS].concat());
    ran.refused(&room, 2, &["README.md", "--force"]);
    assert_eq!(fs::read_to_string(room.folder().join("out/README.md")).unwrap(), "mine\n");
    assert_eq!(fs::read_dir(room.folder().join("out")).unwrap().count(), 1);
}

#[test]
fn a_name_for_the_identity_of_the_other_mode_is_no_answer() {
    let room = Room::new();
    init(&room, &["--user-name", "publisher"]).exited(0);
    let room = Room::new();
    init(&room, &["--auth", "oidc", "--user-name", "publisher"]).refused(&room, 2, &["--user-name", "--auth"]);
    finishes(&room, &[]);
}
