//! A YAML document with the places of its parts, as problems name them.

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};

/// A part of a document.
pub(super) type Node<'a> = MarkedYaml<'a>;

/// The one document of a text.
///
/// # Errors
/// Says what the text is instead.
pub(super) fn read(text: &str) -> Result<Node<'_>, String> {
    let documents = MarkedYaml::load_from_str(text).map_err(|error| format!("it is not YAML: {error}"))?;
    let mut documents = documents.into_iter();
    match (documents.next(), documents.next()) {
        (Some(document), None) => Ok(document),
        _ => Err("it is not one YAML document".into()),
    }
}

/// The value of a key, where the node is a mapping that has it.
pub(super) fn get<'n, 'a>(node: &'n Node<'a>, key: &str) -> Option<&'n Node<'a>> {
    entries(node).find(|(name, _)| name == key).map(|(_, value)| value)
}

/// Keys and values of a mapping, in its order; nothing of anything else. A key that is no text is named as YAML has it.
pub(super) fn entries<'n, 'a>(node: &'n Node<'a>) -> impl Iterator<Item = (String, &'n Node<'a>)> {
    let mapping = node.data.as_mapping();
    mapping.into_iter().flatten().map(|(key, value)| (scalar(key).unwrap_or_else(|| "?".into()), value))
}

pub(super) fn is_mapping(node: &Node<'_>) -> bool {
    node.data.as_mapping().is_some()
}

/// The items of a sequence; nothing of anything else.
pub(super) fn items<'n, 'a>(node: &'n Node<'a>) -> &'n [Node<'a>] {
    node.data.as_sequence().map_or(&[], Vec::as_slice)
}

/// A scalar that is a text.
pub(super) fn text<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    node.data.as_str()
}

/// Any scalar as text.
pub(super) fn scalar(node: &Node<'_>) -> Option<String> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::Boolean(truth)) => Some(truth.to_string()),
        YamlData::Value(Scalar::Null) => Some(String::new()),
        _ => None,
    }
}

/// A text, or each of a list of texts.
pub(super) fn texts(node: &Node<'_>) -> Vec<String> {
    scalar(node).map_or_else(|| items(node).iter().filter_map(scalar).collect(), |one| vec![one])
}

/// Every scalar below a node with the path to it.
pub(super) fn walk(node: &Node<'_>, place: &str, visit: &mut impl FnMut(&str, &str)) {
    if let Some(text) = text(node) {
        visit(place, text);
    }
    for (key, value) in entries(node) {
        visit(place, &key);
        walk(value, &below(place, &key), visit);
    }
    for (index, item) in items(node).iter().enumerate() {
        walk(item, &format!("{place}[{index}]"), visit);
    }
}

/// What a tag stands for only its reader knows, and an alias of nothing stands for nothing.
pub(super) fn has_foreign_parts(node: &Node<'_>) -> bool {
    matches!(node.data, YamlData::Tagged(..) | YamlData::BadValue | YamlData::Alias(_))
        || entries(node).any(|(_, value)| has_foreign_parts(value))
        || items(node).iter().any(has_foreign_parts)
}

/// The place of a key in a place.
pub(super) fn below(place: &str, key: &str) -> String {
    let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let key = if is_plain { key.to_owned() } else { format!("\"{key}\"") };
    if place.is_empty() { key } else { format!("{place}.{key}") }
}

/// One job of a workflow.
pub(super) struct Job<'n, 'a> {
    pub(super) id: String,
    pub(super) place: String,
    pub(super) node: &'n Node<'a>,
    /// In the order of the file, those that run side by side included.
    pub(super) steps: Vec<Step<'n, 'a>>,
}

/// One step of a job.
pub(super) struct Step<'n, 'a> {
    pub(super) place: String,
    pub(super) node: &'n Node<'a>,
}

/// The jobs of a workflow, in the order of the file.
pub(super) fn jobs<'n, 'a>(workflow: &'n Node<'a>) -> Vec<Job<'n, 'a>> {
    let job = |(id, node): (String, &'n Node<'a>)| {
        let place = below("jobs", &id);
        let mut found = Vec::new();
        if let Some(list) = get(node, "steps") {
            steps(list, &below(&place, "steps"), &mut found);
        }
        Job { id, place, node, steps: found }
    };
    get(workflow, "jobs").into_iter().flat_map(entries).map(job).collect()
}

fn steps<'n, 'a>(list: &'n Node<'a>, place: &str, found: &mut Vec<Step<'n, 'a>>) {
    for (index, node) in items(list).iter().enumerate() {
        let part = |key: &str| get(node, key).and_then(text);
        let action = part("uses").map(|action| action.split('@').next().unwrap_or(action));
        let name = part("name").or_else(|| part("id")).or(action);
        let place = name.map_or_else(|| format!("{place}[{index}]"), |name| format!("{place}.\"{name}\""));
        if let Some(side_by_side) = get(node, "parallel") {
            steps(side_by_side, &place, found);
        }
        found.push(Step { place, node });
    }
}

/// The events that start a workflow.
pub(super) fn events(workflow: &Node<'_>) -> Vec<String> {
    let Some(on) = get(workflow, "on") else { return Vec::new() };
    if is_mapping(on) { entries(on).map(|(event, _)| event).collect() } else { texts(on) }
}
