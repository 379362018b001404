//! Everything that both sides hold, as names and texts: what is foreign is the same before and after.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::ExposeSecret as _;

use crate::support::room::Room;

/// `AWS IAM role NAME` or `GitHub OWNER/NAME file PATH` → all about it.
pub(super) type Facts = BTreeMap<String, String>;

pub(super) fn facts(room: &Room) -> Facts {
    let mut all: Facts =
        room.aws.inventory().into_iter().map(|(name, facts)| (format!("AWS {name}"), facts.to_string())).collect();
    for full_name in room.github.repository_names() {
        let found = room.github.repository(&full_name).unwrap();
        let mut add = |name: String, text: String| {
            let twin = all.insert(format!("GitHub {full_name} {name}"), text);
            assert_eq!(twin, None, "{full_name} has two of {name}");
        };
        add("itself".into(), format!("{} {} {:?}", found.id, found.private, found.description));
        add("Actions settings".into(), format!("{:?}", found.actions));
        for (path, bytes) in &found.files {
            add(format!("file {path}"), String::from_utf8_lossy(bytes).into_owned());
        }
        for (name, written) in &found.secrets {
            let opened = room.github.open_secret(&full_name, name);
            let opened = opened.map(|value| value.expose_secret().to_owned());
            add(format!("secret {name}"), format!("{opened:?} at {written}"));
        }
        for (name, admits) in &found.environments {
            add(format!("environment {name}"), format!("{admits:?}"));
        }
        for (name, commit) in &found.tags {
            add(format!("tag {name}"), commit.clone());
        }
        for (name, commit) in &found.branches {
            add(format!("branch {name}"), commit.clone());
        }
        // Two of one tag, or two open pull requests from one branch, are two resources for one thing.
        for release in &found.releases {
            add(format!("release {}", release.tag), format!("{release:?}"));
        }
        for pull in found.pull_requests.iter().filter(|pull| pull.open) {
            add(format!("pull request from {}", pull.head), format!("{pull:?}"));
        }
    }
    all
}

/// Fails at the first thing that is not among `own` and is not as it was: changed, gone or new.
pub(super) fn unchanged(before: &Facts, after: &Facts, own: &[&str]) -> Result<(), String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        if own.iter().any(|ours| name.starts_with(ours)) || before.get(name) == after.get(name) {
            continue;
        }
        return Err(format!("{name} is foreign and was touched: {:?} became {:?}", before.get(name), after.get(name)));
    }
    Ok(())
}
