//! A person before a terminal: questions, wrong answers, Ctrl-C, narrow windows, no colour, no terminal.

use std::process::{Command, Stdio};

use sbi::apply::Event;
use sbi::failure::{ExitCode, Failure};
use sbi::plan::step::{Produced, Step};
use sbi::plan::{Plan, StepId};
use sbi::ui::progress::Progress;
use sbi::ui::prompt::Prompt;
use sbi::ui::questions::{Answers, Choice, Detected, merge};
use sbi::ui::{Stream, Style};

use crate::support::terminal::{Session, is_coloured};

const CTRL_C: &str = "\u{3}";
const DOWN: &str = "\u{1b}[B";

/// Not a test by itself: the other side of the terminal for the tests of the questions, run by them in a process of
/// its own. It asks everything, asks for a yes, and writes the configuration to the working directory.
#[test]
fn ask_here() {
    if !inside_a_session() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let style = Style::of(Stream::Stderr, None);
    let result = runtime.block_on(async {
        let prompt = Prompt::new(style).expect("a terminal");
        if std::env::var_os("ASK_FOR_A_TOKEN").is_some() {
            let token = prompt.token("no GitHub token was found").await?;
            let length = token.reveal(str::len);
            Progress::on_stderr(style).line(sbi::ui::Glyph::Done, &format!("a token of {length} characters"));
            return Ok(());
        }
        let detected = Detected {
            github_login: Some("octo".into()),
            git_user_name: Some("Octo Cat".into()),
            git_email: Some("octo@acme.example".into()),
            region: Some("eu-central-1".into()),
            account: Some("123456789012".into()),
            git_remote: None,
        };
        let mut draft = merge(&Answers::default(), None, &[Choice::new("static-go", "")])?;
        prompt.ask_all(&mut draft, &detected)?;
        let config = draft.finish(&detected)?;
        if prompt.confirm("Write it?")? {
            std::fs::write("sbi.toml", config.to_text()).expect("the folder can be written to");
        }
        Ok::<(), Failure>(())
    });
    if let Err(failure) = result {
        let _ = sbi::ui::report::print_failure(&failure, style, &mut std::io::stderr());
        #[expect(clippy::exit, reason = "the exit code is what the test asks for")]
        std::process::exit(failure.exit_code() as i32);
    }
}

/// Not a test by itself: the other side of the terminal for the test of the live lines.
#[test]
fn work_here() {
    if !inside_a_session() {
        return;
    }
    // The test harness has begun a line of its own.
    eprintln!();
    let progress = Progress::on_stderr(Style::of(Stream::Stderr, None));
    let mut plan = Plan::default();
    for name in ["acme/first", "acme/second"] {
        plan.add(Step::RestrictWorkflowToken { repository: name.parse().expect("a name") }, []);
    }
    let ids: Vec<StepId> = plan.ids().collect();
    let wait = || drop(dialoguer::console::Term::stderr().read_key().expect("a key"));
    let stage = progress.stage("looking at AWS and GitHub");
    wait();
    stage.done("looked at AWS and GitHub");
    let watch = progress.watch(&plan);
    watch(ids[0], Event::Started);
    watch(ids[1], Event::Started);
    watch(ids[1], Event::Waiting("GitHub asks for a pause of 3 s".into()));
    wait();
    watch(ids[1], Event::Done(&Produced::Nothing));
    watch(ids[0], Event::Failed(&Failure::new("no answer")));
}

/// Runs `ask_here` in a terminal.
fn asked(folder: &std::path::Path, env: &[(&str, &str)], columns: u16) -> Session {
    itself("terminal::ask_here", folder, env, columns)
}

fn itself(test: &str, folder: &std::path::Path, env: &[(&str, &str)], columns: u16) -> Session {
    let tests = std::env::current_exe().expect("the test binary");
    let args = ["--exact", test, "--nocapture", "--test-threads=1"];
    let env: Vec<(&str, &str)> = env.iter().copied().chain([(INSIDE, "1")]).collect();
    Session::start(tests.to_str().expect("UTF-8"), &args, folder, &env, columns)
}

/// Set where this binary runs as the program in a terminal.
const INSIDE: &str = "INSIDE_A_SESSION";

/// Entries that others start inside a terminal do nothing when the harness runs them by themselves.
fn inside_a_session() -> bool {
    std::env::var_os(INSIDE).is_some()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The file that `ask_here` wrote, without its comment.
fn written(folder: &std::path::Path) -> String {
    let text = std::fs::read_to_string(folder.join("sbi.toml")).expect("sbi.toml");
    let start = text.find('[').expect("a section");
    text[start..].to_owned()
}

#[test]
fn wrong_answers_are_explained_and_asked_again() {
    let folder = folder();
    let mut session = asked(folder.path(), &[], 100);
    session.expect("GitHub repository (--github)");
    session.expect("[octo/secure-base-images] >");
    session.type_line("acme");
    session.expect("`acme` is not a GitHub repository: it is written OWNER/NAME");
    session.type_line("Acme/Base");
    session.expect("✔ GitHub repository: Acme/Base");
    session.expect("Who sees it (--visibility)");
    session.expect("> private");
    session.press(DOWN);
    session.expect("> public");
    session.press("\r");
    session.expect("✔ Who sees it: public");
    session.expect("[eu-central-1] >");
    session.type_line("us-est-1");
    session.expect("did you mean `--region us-east-1`?");
    session.type_line("us-east-1");
    session.expect("[acme/base] >");
    session.press("\r");
    session.expect("recommended: nothing to steal, nothing to rotate");
    session.press("\r");
    session.expect("[v1.0.0] >");
    session.press("\r");
    session.expect("[Octo Cat] >");
    session.press("\r");
    session.expect("[octo@acme.example] >");
    session.type_line("nobody");
    session.expect("`nobody` is no security contact");
    session.press("\r");
    session.expect("Write it? [y/N]");
    session.type_line("y");
    assert_eq!(session.exit_code(), 0, "{}", session.screen());
    assert!(!session.cursor_is_hidden());
    insta::assert_snapshot!(written(folder.path()), @r#"
    [github]
    repository = "Acme/Base"
    visibility = "public"

    [aws]
    account = "123456789012"
    region = "us-east-1"

    [ecr]
    repository = "acme/base"

    [publish]
    auth = "oidc"
    images = ["static-go"]
    release = "v1.0.0"
    environment = "publish"

    [publisher]
    name = "Octo Cat"
    security-contact = "octo@acme.example"
    "#);
}

#[test]
fn enter_alone_is_never_a_yes() {
    let folder = folder();
    let mut session = asked(folder.path(), &[], 100);
    for text in [
        "[octo/",
        "> private",
        "[eu-central-1]",
        "[octo/secure-base-images] >",
        "> oidc",
        "[v1.0.0]",
        "[Octo Cat]",
        "[octo@",
    ] {
        session.expect(text);
        session.press("\r");
    }
    session.expect("Write it? [y/N]");
    session.press("\r");
    assert_eq!(session.exit_code(), 0, "{}", session.screen());
    assert!(!folder.path().join("sbi.toml").exists());
}

#[test]
fn ctrl_c_at_a_question_cancels_and_brings_the_cursor_back() {
    for answers in 0..3 {
        let folder = folder();
        let mut session = asked(folder.path(), &[], 80);
        // A text, a list (which hides the cursor), a text.
        for (question, prompt) in
            [("(--github)", "] >"), ("(--visibility)", "> private"), ("(--region)", "[eu-central-1] >")]
                .into_iter()
                .take(answers + 1)
        {
            if question != "(--github)" {
                session.press("\r");
            }
            session.expect(question);
            session.expect(prompt);
        }
        session.press(CTRL_C);
        assert_eq!(session.exit_code(), ExitCode::Cancelled as u32, "{}", session.screen());
        assert!(session.screen().contains("error: cancelled: nothing was changed"), "{}", session.screen());
        assert!(!session.cursor_is_hidden(), "after {answers} answers");
        assert!(!folder.path().join("sbi.toml").exists());
    }
}

#[test]
fn forty_columns_are_enough() {
    let folder = folder();
    let mut session = asked(folder.path(), &[], 40);
    session.expect("(--github)");
    session.expect("] >");
    session.type_line("an-owner-of-some-length/and-a-repository-with-a-long-name");
    session.expect("(--visibility)");
    session.expect("> private");
    // What does not fit beside the value stands above it.
    session.expect("can be opened any");
    session.press(DOWN);
    session.expect("    private\n  > public");
    session.press(DOWN);
    session.expect("  > private\n    public");
    let shown = session.screen();
    assert_eq!(shown.matches("> private").count() + shown.matches("> public").count(), 1, "redrawn wrongly:\n{shown}");
    assert_eq!(shown.lines().filter(|line| line.trim() == "public").count(), 1, "redrawn wrongly:\n{shown}");
    session.press(CTRL_C);
    assert_eq!(session.exit_code(), ExitCode::Cancelled as u32);
}

#[test]
fn no_color_means_none() {
    for (env, coloured) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let folder = folder();
        let mut session = asked(folder.path(), env, 80);
        session.expect("(--github)");
        session.press("\r");
        session.expect("> private");
        session.press(CTRL_C);
        session.exit_code();
        assert_eq!(is_coloured(&session.raw()), coloured, "{}", session.raw());
    }
}

#[test]
fn a_token_is_taken_without_being_shown() {
    let folder = folder();
    let mut session = asked(folder.path(), &[("ASK_FOR_A_TOKEN", "1")], 80);
    session.expect("token (not shown):");
    session.type_line("ghp_canary0123456789");
    session.expect("a token of 20 characters");
    assert_eq!(session.exit_code(), 0);
    assert!(!session.raw().contains("canary"), "{}", session.raw());
}

#[test]
fn ctrl_c_at_the_token_cancels() {
    let folder = folder();
    let mut session = asked(folder.path(), &[("ASK_FOR_A_TOKEN", "1")], 80);
    session.expect("token (not shown):");
    session.press(CTRL_C);
    assert_eq!(session.exit_code(), ExitCode::Cancelled as u32, "{}", session.screen());
}

#[test]
fn live_lines_turn_into_the_past_tense() {
    for columns in [40, 100] {
        let folder = folder();
        let mut session = itself("terminal::work_here", folder.path(), &[], columns);
        session.expect("► looking at AWS and GitHub");
        session.press("\r");
        session.expect("✔ looked at AWS and GitHub");
        session.expect("► changing workflow token acme/");
        session.expect("◎ workflow token acme/second");
        session.press("\r");
        assert_eq!(session.exit_code(), 0, "{}", session.screen());
        let shown = session.screen();
        assert!(shown.contains("✔ changed workflow token acme/second"), "{shown}");
        assert!(shown.contains("✗ workflow token acme/first: no"), "{shown}");
        assert!(!shown.contains('►') && !shown.contains('◎'), "a live line stayed:\n{shown}");
        assert!(!session.cursor_is_hidden());
    }
}

/// `sbi` in a terminal, with no variable that could reach a real account.
fn sbi(args: &[&str], folder: &std::path::Path, env: &[(&str, &str)], columns: u16) -> Session {
    Session::start(env!("CARGO_BIN_EXE_sbi"), args, folder, env, columns)
}

#[test]
fn a_person_rehearses_the_whole_onboarding() {
    let folder = folder();
    let mut session = sbi(&["init", "--sandbox"], folder.path(), &[], 120);
    session.expect("(--github)");
    session.type_line("not a repository");
    session.expect("is not a GitHub repository");
    session.type_line("acme/secure-base-images");
    session.expect("(--visibility)");
    session.press("\r");
    session.expect("(--region)");
    session.type_line("us-east-1");
    session.expect("(--ecr-repository)");
    session.expect("[acme/secure-base-images] >");
    session.press("\r");
    session.expect("(--image)");
    session.press("\r");
    session.expect("(--auth)");
    session.press("\r");
    session.expect("(--release)");
    session.press("\r");
    session.expect("(--publisher)");
    session.type_line("Acme Ltd");
    session.expect("(--security-contact)");
    session.type_line("security@acme.example");
    session.expect("to add");
    session.expect("[y/N]");
    session.type_line("y");
    assert_eq!(session.exit_code(), 0, "{}", session.screen());
    assert!(session.raw().contains("published release v1.0.0"), "{}", session.raw());
    assert!(!session.cursor_is_hidden());
}

#[test]
fn a_no_to_the_plan_changes_nothing() {
    let folder = folder();
    let args = ["init", "--sandbox", "--github", "acme/base", "--visibility", "private", "--region", "us-east-1"];
    let more = ["--ecr-repository", "acme/base", "--image", "static-go", "--auth", "access-key"];
    let last = ["--release", "v1.0.0", "--publisher", "Acme Ltd", "--security-contact", "security@acme.example"];
    let args: Vec<&str> = args.into_iter().chain(more).chain(last).collect();
    let mut session = sbi(&args, folder.path(), &[("NO_COLOR", "1")], 40);
    session.expect("[y/N]");
    session.press("\r");
    assert_eq!(session.exit_code(), ExitCode::Cancelled as u32, "{}", session.screen());
    assert!(!is_coloured(&session.raw()));
    assert!(!folder.path().join("sbi-sandbox").exists(), "something was written after a no");
}

/// `sbi` without a terminal: its exit code, stdout and stderr.
fn piped(args: &[&str], folder: &std::path::Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sbi"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn without_a_terminal_every_missing_flag_comes_back_at_once() {
    let folder = folder();
    let (code, stdout, stderr) = piped(&["render", "--out", "out"], folder.path());
    assert_eq!(code, Some(ExitCode::Usage as i32), "{stderr}");
    assert_eq!(stdout, "");
    for flag in ["--github", "--account", "--region", "--ecr-repository"] {
        assert!(stderr.contains(&format!("help: add {flag} ")), "{flag} is not asked for:\n{stderr}");
    }
}

#[test]
fn without_a_terminal_a_plan_needs_yes() {
    let folder = folder();
    let args = ["init", "--sandbox", "--github", "acme/base", "--region", "us-east-1"];
    let more = ["--publisher", "Acme Ltd", "--security-contact", "security@acme.example"];
    let args: Vec<&str> = args.into_iter().chain(more).collect();
    let (code, _, stderr) = piped(&args, folder.path());
    assert_eq!(code, Some(ExitCode::Usage as i32), "{stderr}");
    assert!(stderr.contains("help: add --yes"), "{stderr}");
    assert!(!folder.path().join("sbi-sandbox").exists(), "something was written without a yes");
}

#[test]
fn without_a_terminal_progress_is_plain_lines() {
    let folder = folder();
    let args = ["init", "--sandbox", "--yes", "--github", "acme/base", "--region", "us-east-1"];
    let more = ["--publisher", "Acme Ltd", "--security-contact", "security@acme.example"];
    let args: Vec<&str> = args.into_iter().chain(more).collect();
    let (code, _, stderr) = piped(&args, folder.path());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
    assert!(stderr.lines().any(|line| line == "✔ created ECR repository acme/base"), "{stderr}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = folder();
    let script =
        format!("'{}' init --help | head -1; '{}' man | head -1", env!("CARGO_BIN_EXE_sbi"), env!("CARGO_BIN_EXE_sbi"));
    let output = Command::new("bash").args(["-o", "pipefail", "-c", &script]).current_dir(folder.path()).output();
    let output = output.expect("bash");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
    assert_eq!(output.status.code(), Some(0));
}
