//! The text of the pull request.

use std::collections::BTreeMap;

use sbi::plan::step::{Line, Sign};
use sbi::plan::update::{Policies, PolicyChange, Story, body, title};

use super::scene::Scene;

fn told(scene: &Scene, policies: &Policies, pins: &[String]) -> String {
    let reasons: BTreeMap<String, Vec<String>> = [(
        ".github/workflows/publish-to-ecr.yml".to_owned(),
        vec!["the build takes its cache from nowhere, so nobody can poison it".to_owned()],
    )]
    .into();
    let update = scene.update();
    body(&Story {
        desired: &scene.desired,
        update: &update,
        reasons: &reasons,
        policies,
        pins,
        asked_for_pins: false,
        checks_start: true,
    })
}

fn longer(lines: usize, text: &str) -> String {
    (0..lines).map(|line| format!("{text} {line} {}\n", "-".repeat(80))).collect()
}

#[test]
fn a_person_reads_it_in_two_minutes() {
    let workflow = ".github/workflows/publish-to-ecr.yml";
    let dockerfile = "images/static-go/Dockerfile";
    let base = [(workflow, "a\nb\nc\nd\n"), (dockerfile, "FROM one\nUSER 1\n"), ("README.md", "# Old\n"), ("x", "x\n")];
    let ours = [
        (workflow, "a\nb\nc\nD\n"),
        (dockerfile, "FROM two\nUSER 1\n"),
        ("README.md", "# New\n"),
        ("SECURITY.md", "S\n"),
    ];
    let scene = Scene::new(&base, &ours)
        .edited(workflow, "A # @octocat fixes #1\nb\nc\nd\n")
        .edited(dockerfile, "FROM three\nUSER 1\n")
        .edited("x", "```\nmine\n");
    let changes = Policies::Seen(vec![PolicyChange {
        line: Line {
            sign: Sign::Change,
            kind: "IAM role",
            name: "sbi-publish-acme-bases".into(),
            detail: "trust: tags v*".into(),
        },
        difference: vec!["@@ line 1 @@".into(), "-  \"a\"".into(), "+  \"b\"".into()],
    }]);
    let pins = ["actions/checkout v7.0.1 3d3c42e → v7.0.2 abcdef0, released 2026-11-02".to_owned()];
    insta::assert_snapshot!(told(&scene, &changes, &pins));
    assert_eq!(title(&scene.update(), false), "Update what sbi renders to 1.2.3");
}

#[test]
fn nobody_is_called_and_no_block_ends_before_its_time() {
    let theirs = format!("~~~\n{}\n````\n@octocat fixes #1\n", "`".repeat(9));
    let scene = Scene::new(&[("a", "one\n")], &[("a", "two\n")]).edited("a", theirs);
    let text = told(&scene, &Policies::Unseen("no @one <b> looked; closes #7".into()), &[]);
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            None if ticks.len() >= 3 => fence = Some(ticks),
            Some(open) if line == open => fence = None,
            None => {
                for bad in ["@o", "#1", "#7", "<b>"] {
                    assert!(!line.contains(bad), "{bad} in {line}");
                }
            }
            Some(_) => {}
        }
    }
    assert_eq!(fence, None, "a block is left open");
    assert!(text.contains("@octocat"), "in its block it is shown as it is");
}

#[test]
fn what_does_not_fit_is_cut_with_a_sentence() {
    for (files, lines) in [(1, 600), (12, 60), (200, 8)] {
        let paths: Vec<String> = (0..files).map(|file| format!("images/{file}/Dockerfile")).collect();
        let (base, ours) = (longer(lines, "base"), longer(lines, "ours"));
        let base: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), base.as_str())).collect();
        let ours: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), ours.as_str())).collect();
        let mut scene = Scene::new(&base, &ours);
        for path in &paths {
            scene = scene.edited(path, longer(lines, "𝒹"));
        }
        let text = told(&scene, &Policies::Seen(Vec::new()), &[]);
        assert!(text.encode_utf16().count() <= 65_536, "{files} files of {lines} lines");
        assert!(text.contains("`sbi update --check` prints"), "{files} files of {lines} lines");
        assert!(text.matches("\n```").count().is_multiple_of(2), "a block is left open");
        if files == 1 {
            assert!(text.contains("### What to test"), "what matters comes whole");
        }
    }
}

#[test]
fn the_same_update_has_the_same_text() {
    let scene = || Scene::new(&[("a", "one\n"), ("b", "1\n")], &[("a", "two\n"), ("b", "2\n")]).edited("a", "three\n");
    let policies = Policies::Unseen("not signed in to AWS".into());
    assert_eq!(told(&scene(), &policies, &[]), told(&scene(), &policies, &[]));
}
