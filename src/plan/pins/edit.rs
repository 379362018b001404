//! The pins of a text, and the text with other pins: every byte but theirs stays.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};

use super::{ActionChange, ImageChange, NewPins};
use crate::model::action_pin::{ActionPin, ActionVersion};

/// A `uses:` of a workflow: what it pins, and where its value stands.
struct Use {
    pin: ActionPin,
    /// Of the value, with its quotes, within the text.
    value: Range<usize>,
    /// Of the comment's first word, when it is a version.
    version: Option<Range<usize>>,
    /// Nothing but blanks follows the value on its line.
    is_last: bool,
}

/// Every action that a workflow pins, once a commit, in the order of the text. None where it is no YAML.
#[must_use]
pub fn action_pins(workflow: &str) -> Vec<ActionPin> {
    let mut pins: Vec<ActionPin> = Vec::new();
    for found in uses_in(workflow) {
        if !pins.contains(&found.pin) {
            pins.push(found.pin);
        }
    }
    pins
}

/// A file of the repository with its pins renewed: a workflow or an action its `uses:` with the versions in the comments
/// behind, a Dockerfile the digests of its `FROM` lines. Every other byte, and every other file, is as it was.
#[must_use]
pub fn with_pins(path: &str, text: &str, pins: &NewPins) -> String {
    let is_yaml = [".yml", ".yaml"].iter().any(|ending| path.ends_with(ending));
    let name = path.rsplit('/').next().unwrap_or_default();
    let edits = if is_yaml && path.starts_with(".github/") {
        edits_of_workflow(text, &pins.actions)
    } else if name == "Dockerfile" || name.starts_with("Dockerfile.") || name.ends_with(".Dockerfile") {
        edits_of_dockerfile(text, &pins.images)
    } else {
        BTreeMap::new()
    };
    let mut edited = text.to_owned();
    // From the end, so that the places before stay where they are.
    for (start, (end, new)) in edits.into_iter().rev() {
        edited.replace_range(start..end, &new);
    }
    edited
}

/// Start → end and what stands there instead. Places never overlap.
type Edits = BTreeMap<usize, (usize, String)>;

fn edits_of_workflow(text: &str, changes: &[ActionChange]) -> Edits {
    let mut edits = Edits::new();
    for found in uses_in(text) {
        let of = |change: &&ActionChange| {
            change.repository.eq_ignore_ascii_case(&found.pin.repository) && change.from == found.pin.commit
        };
        let Some(change) = changes.iter().find(of) else { continue };
        // Nothing in a value comes after the commit but a quote.
        let Some(at) = text[found.value.clone()].rfind('@') else { continue };
        let start = found.value.start + at + 1;
        edits.insert(start, (start + 40, change.to.to_string()));
        match found.version {
            Some(version) => {
                edits.insert(version.start, (version.end, change.to_version.to_string()));
            }
            None if found.is_last => {
                edits.insert(found.value.end, (found.value.end, format!(" # {}", change.to_version)));
            }
            None => {}
        }
    }
    edits
}

fn edits_of_dockerfile(text: &str, changes: &[ImageChange]) -> Edits {
    let mut edits = Edits::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let mut words = words_in(line);
        if words.next().is_some_and(|word| line[word].eq_ignore_ascii_case("FROM")) {
            // The image is the first word that is no flag.
            let image = words.find(|word| !line[word.clone()].starts_with("--"));
            let change = image.clone().and_then(|word| {
                changes.iter().find(|change| line[word.clone()] == format!("{}@{}", change.reference, change.from))
            });
            if let (Some(word), Some(change)) = (image, change) {
                let digest = start + word.start + change.reference.len() + 1;
                edits.insert(digest, (start + word.end, change.to.to_string()));
            }
        }
        start += line.len();
    }
    edits
}

fn words_in(line: &str) -> impl Iterator<Item = Range<usize>> {
    line.split_whitespace().map(|word| {
        let start = word.as_ptr() as usize - line.as_ptr() as usize;
        start..start + word.len()
    })
}

/// By meaning, not by line: what a script or a comment says is no `uses:`.
fn uses_in(text: &str) -> Vec<Use> {
    let Ok(documents) = MarkedYaml::load_from_str(text) else { return Vec::new() };
    let mut places = BTreeMap::new();
    documents.iter().for_each(|document| collect(document, &mut places));
    let offsets = Offsets::of(text);
    places.into_iter().filter_map(|((line, column), value)| read_use(text, offsets.at(line, column)?, &value)).collect()
}

/// Line and column → value of each `uses`; an alias shows what it stands for once more, at the same place.
fn collect(node: &MarkedYaml<'_>, places: &mut BTreeMap<(usize, usize), String>) {
    match &node.data {
        YamlData::Mapping(entries) => {
            for (key, value) in entries {
                match (&key.data, &value.data) {
                    (YamlData::Value(Scalar::String(key)), YamlData::Value(Scalar::String(text))) if key == "uses" => {
                        places.insert((value.span.start.line(), value.span.start.col()), text.to_string());
                    }
                    _ => collect(value, places),
                }
            }
        }
        YamlData::Sequence(items) => items.iter().for_each(|item| collect(item, places)),
        YamlData::Tagged(_, inner) => collect(inner, places),
        YamlData::Value(_) | YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {}
    }
}

fn read_use(text: &str, start: usize, value: &str) -> Option<Use> {
    let rest = &text[start..];
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
    let length = value.len() + quote.map_or(0, |_| 2);
    // A value with escapes or folded lines is none that could be edited in place.
    let written = rest.get(..length)?;
    if written.trim_matches(['"', '\'']) != value {
        return None;
    }
    let end = start + length;
    let line_end = text[end..].find('\n').map_or(text.len(), |at| end + at);
    let behind = &text[end..line_end];
    let version = behind.trim_start().strip_prefix('#').and_then(|comment| {
        let word = comment.split_whitespace().next().filter(|word| ActionVersion::read(word).is_some())?;
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        Some(at..at + word.len())
    });
    let with_comment = match &version {
        Some(version) => format!("{value} # {}", &text[version.clone()]),
        None => value.to_owned(),
    };
    let pin = ActionPin::read(&with_comment)?;
    Some(Use { pin, value: start..end, version, is_last: behind.trim().is_empty() })
}

/// Where lines begin: the parser counts lines and characters, an edit counts bytes.
struct Offsets<'t> {
    text: &'t str,
    lines: Vec<usize>,
}

impl<'t> Offsets<'t> {
    fn of(text: &'t str) -> Self {
        let mut lines = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            // A carriage return alone ends a line too.
            if *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
                lines.push(at + 1);
            }
        }
        Self { text, lines }
    }

    /// `line` counts from 1, `column` from 0.
    fn at(&self, line: usize, column: usize) -> Option<usize> {
        let start = *self.lines.get(line.checked_sub(1)?)?;
        let rest = &self.text[start..];
        rest.char_indices().map(|(at, _)| at).chain([rest.len()]).nth(column).map(|at| start + at)
    }
}
