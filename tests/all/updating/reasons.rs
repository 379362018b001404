//! Whoever changes a template says what changes, for whom.

use std::collections::BTreeMap;
use std::path::Path;

use sbi::model::evaluation::matches_wildcard;
use sbi::model::git::BlobId;
use sbi::model::version::is_older;
use sbi::templates;

use crate::support::tools;

const RECORD: &str = "tests/data/template-sources.toml";
const CHANGES: &str = "templates/changes.toml";

/// Version → source → blob id.
type Record = BTreeMap<String, BTreeMap<String, String>>;

fn sources(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
            continue;
        }
        let name = path.strip_prefix(tools::root()).unwrap().to_string_lossy().into_owned();
        if name != CHANGES {
            found.insert(name, BlobId::of(&std::fs::read(&path).unwrap()).to_string());
        }
    }
}

/// Run it with UPDATE_TEMPLATE_SOURCES=1 once the change is described.
#[test]
fn whoever_changes_a_template_says_what_changes() {
    let mut now = BTreeMap::new();
    for folder in ["templates", "images"] {
        sources(&tools::root().join(folder), &mut now);
    }
    let path = tools::root().join(RECORD);
    let mut record: Record =
        std::fs::read_to_string(&path).map(|text| toml::from_str(&text).unwrap()).unwrap_or_default();
    let version = templates::VERSION;
    let nothing = BTreeMap::new();
    let newest_before = record
        .keys()
        .filter(|other| is_older(other, version))
        .max_by(|a, b| if is_older(a, b) { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater });
    let before = newest_before.and_then(|version| record.get(version)).unwrap_or(&nothing);
    let changes = templates::changes();
    let changed = now.keys().chain(before.keys()).filter(|source| now.get(*source) != before.get(*source));
    let unsaid: Vec<&String> = changed
        .filter(|source| {
            let said = changes.iter().filter(|change| change.version == version);
            !said.flat_map(|change| &change.sources).any(|pattern| matches_wildcard(pattern, source))
        })
        .collect();
    assert!(unsaid.is_empty(), "{CHANGES} does not say what changes for version {version} in {unsaid:?}");
    if std::env::var_os("UPDATE_TEMPLATE_SOURCES").is_some() {
        record.insert(version.to_owned(), now);
        let text = format!(
            "# What the templates of each version are in git; written by a test.\n\n{}",
            toml::to_string(&record).unwrap()
        );
        std::fs::write(&path, text).unwrap();
        return;
    }
    let recorded = record.get(version).unwrap_or(&nothing);
    let differs: Vec<&String> =
        now.keys().chain(recorded.keys()).filter(|source| now.get(*source) != recorded.get(*source)).collect();
    assert!(
        differs.is_empty(),
        "{differs:?} changed: say in {CHANGES} what changes for a publisher, then run this with UPDATE_TEMPLATE_SOURCES=1"
    );
}

#[test]
fn every_change_is_one_sentence_about_something_that_is_rendered() {
    let changes = templates::changes();
    assert!(!changes.is_empty(), "{CHANGES} can't be read");
    for change in &changes {
        assert!(!is_older(templates::VERSION, &change.version), "{} is not out yet", change.version);
        assert!(!change.what.ends_with('.') && !change.what.contains('\n'), "{}", change.what);
        assert!(change.what.chars().next().is_some_and(|first| !first.is_uppercase()), "{}", change.what);
        assert!(!change.paths.is_empty() && !change.sources.is_empty());
    }
}

#[test]
fn reasons_are_those_since_the_version_that_rendered_last() {
    let paths = ["README.md", "images/static-go/Dockerfile"];
    assert_eq!(templates::reasons("0.0.9", paths).len(), 2);
    assert_eq!(templates::reasons(templates::VERSION, paths), BTreeMap::new());
}
