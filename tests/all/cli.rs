//! The binary's offline commands, and the documents that show the program at work.

use std::path::Path;

use crate::support::room::{bare, ran};
use crate::support::tools::root;

const ANSWERS: [&str; 14] = [
    "--github",
    "acme/bases",
    "--account",
    "123456789012",
    "--region",
    "eu-central-1",
    "--ecr-repository",
    "acme/bases",
    "--image",
    "static-go",
    "--publisher",
    "Acme",
    "--security-contact",
    "security@acme.example",
];

fn sbi(folder: &Path, arguments: &[&str]) -> crate::support::room::Ran {
    ran(bare(folder, arguments))
}

fn with_answers<'a>(arguments: &[&'a str], auth: &'a str) -> Vec<&'a str> {
    [arguments, &ANSWERS, &["--auth", auth, "--yes"]].concat()
}

/// Compares a document with what the program says; with `UPDATE_DOCS` set, writes it instead.
#[track_caller]
fn assert_document(path: &str, expected: &str) {
    let path = root().join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} is not up to date: `UPDATE_DOCS=1 cargo test cli` writes it", path.display());
}

#[test]
fn the_document_of_the_command_line_is_what_the_program_says() {
    assert_document("docs/cli.md", &sbi::cli::markdown());
}

/// The README's recorded session is what the program prints, but for the order of steps that run at once.
#[test]
fn the_readme_shows_the_session_that_its_first_command_prints() {
    let folder = tempfile::tempdir().unwrap();
    let run = sbi(folder.path(), &["init", "--sandbox", "--yes"]).exited(0);
    let session = format!("{}{}", run.stderr, run.stdout);
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (begin, end) = ("<!-- session -->\n```text\n", "```\n<!-- end of session -->");
    let (before, rest) = readme.split_once(begin).expect("a session in the README");
    let (shown, after) = rest.split_once(end).expect("the end of the session");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    if sorted(shown) != sorted(&session) {
        assert_document("README.md", &format!("{before}{begin}{session}{end}{after}"));
    }
}

#[test]
fn render_writes_the_repository_and_a_second_time_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = with_answers(&["render", "--out", "out"], "oidc");
    let first = sbi(folder.path(), &arguments).exited(0);
    assert!(first.stdout.contains("out/.github/workflows/publish-to-ecr.yml\n"), "{}", first.stdout);
    assert_eq!(sbi(folder.path(), &arguments).exited(0).stdout, "");
}

#[test]
fn render_overwrites_nothing_that_differs_unless_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let readme = folder.path().join("out/README.md");
    std::fs::create_dir(folder.path().join("out")).unwrap();
    std::fs::write(&readme, "mine").unwrap();
    let arguments = with_answers(&["render", "--out", "out"], "oidc");
    let refused = sbi(folder.path(), &arguments).exited(2);
    assert!(refused.stderr.contains("README.md"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&readme).unwrap(), "mine");
    assert!(!folder.path().join("out/SECURITY.md").exists(), "something was written although a file was in the way");
    sbi(folder.path(), &[arguments.as_slice(), &["--force"]].concat()).exited(0);
    assert_ne!(std::fs::read_to_string(&readme).unwrap(), "mine");
}

#[test]
fn each_policy_is_a_document_on_stdout() {
    let folder = tempfile::tempdir().unwrap();
    for auth in ["oidc", "access-key"] {
        for whose in ["publisher", "operator"] {
            let run = sbi(folder.path(), &with_answers(&["policy", whose], auth)).exited(0);
            let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
            assert_eq!(document["Version"], "2012-10-17", "{whose}");
        }
    }
    let trust = with_answers(&["policy", "trust"], "oidc");
    let refused = sbi(folder.path(), &trust).exited(2);
    assert!(refused.stderr.contains("gh api repos/acme/bases"), "{}", refused.stderr);
    let run = sbi(folder.path(), &[trust.as_slice(), &["--owner-id", "7", "--repository-id", "9"]].concat()).exited(0);
    assert!(run.stdout.contains("repo:acme@7/bases@9:environment:publish"), "{}", run.stdout);
}

#[test]
fn the_configuration_answers_for_the_flags() {
    let folder = tempfile::tempdir().unwrap();
    sbi(folder.path(), &with_answers(&["render", "--out", "."], "access-key")).exited(0);
    let run = sbi(folder.path(), &["policy", "operator"]).exited(0);
    assert!(run.stdout.contains("iam:CreateAccessKey"), "{}", run.stdout);
}

#[test]
fn shells_get_completions_and_man_a_page() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let run = sbi(folder.path(), &["completions", shell]).exited(0);
        assert!(run.stdout.contains("ecr-repository"), "{shell}");
    }
    assert!(sbi(folder.path(), &["man"]).exited(0).stdout.starts_with(".ie"));
}
