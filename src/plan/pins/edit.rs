//! The pins of a workflow, and the workflow with other pins: every byte but theirs stays. Base images need none of this:
//! their digests are rendered.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};

use super::ActionChange;
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

/// A workflow or an action with its `uses:` renewed, and the versions in the comments behind them. Every other byte is as
/// it was.
#[must_use]
pub fn with_pins(workflow: &str, changes: &[ActionChange]) -> String {
    // Start → end and what stands there instead. Places never overlap.
    let mut edits: BTreeMap<usize, (usize, String)> = BTreeMap::new();
    for found in uses_in(workflow) {
        let of = |change: &&ActionChange| {
            change.repository.eq_ignore_ascii_case(&found.pin.repository) && change.from == found.pin.commit
        };
        let Some(change) = changes.iter().find(of) else { continue };
        // Nothing in a value comes after the commit but a quote.
        let Some(at) = workflow[found.value.clone()].rfind('@') else { continue };
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
    let mut edited = workflow.to_owned();
    // From the end, so that the places before stay where they are.
    for (start, (end, new)) in edits.into_iter().rev() {
        edited.replace_range(start..end, &new);
    }
    edited
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
