//! What starts a workflow: the events that GitHub knows, and the filters of each.

use super::document::{Node, below, entries, get, is_mapping, items, scalar, texts};
use super::shape::Shape;

/// Events with the keys that they take.
const EVENTS: &[(&str, &[&str])] = &[
    ("branch_protection_rule", TYPES),
    ("check_run", TYPES),
    ("check_suite", TYPES),
    ("create", &[]),
    ("delete", &[]),
    ("deployment", &[]),
    ("deployment_status", &[]),
    ("discussion", TYPES),
    ("discussion_comment", TYPES),
    ("fork", &[]),
    ("gollum", &[]),
    ("image_version", &["types", "names", "versions"]),
    ("issue_comment", TYPES),
    ("issues", TYPES),
    ("label", TYPES),
    ("merge_group", &["types", "branches", "branches-ignore"]),
    ("milestone", TYPES),
    ("page_build", &[]),
    ("public", &[]),
    ("pull_request", PULL_REQUEST),
    ("pull_request_review", TYPES),
    ("pull_request_review_comment", TYPES),
    ("pull_request_target", PULL_REQUEST),
    ("push", &["branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore"]),
    ("registry_package", TYPES),
    ("release", TYPES),
    ("repository_dispatch", TYPES),
    ("schedule", &[]),
    ("status", &[]),
    ("watch", TYPES),
    ("workflow_call", &["inputs", "outputs", "secrets"]),
    ("workflow_dispatch", &["inputs"]),
    ("workflow_run", &["types", "workflows", "branches", "branches-ignore"]),
];
const TYPES: &[&str] = &["types"];
const PULL_REQUEST: &[&str] = &["types", "branches", "branches-ignore", "paths", "paths-ignore"];

const DISPATCH_TYPES: &[&str] = &["string", "boolean", "choice", "number", "environment"];
const CALL_TYPES: &[&str] = &["string", "boolean", "number"];

pub(super) fn check(shape: &mut Shape, on: &Node<'_>) {
    if !is_mapping(on) {
        let named = texts(on);
        if named.is_empty() || named.len() < items(on).len() {
            shape.wrong("on", "it is neither an event, a list of events nor a mapping of them");
        }
        for event in named {
            known(shape, &event);
        }
        return;
    }
    for (event, filters) in entries(on) {
        let Some(keys) = known(shape, &event) else { continue };
        let place = below("on", &event);
        if event == "schedule" {
            schedule(shape, &place, filters);
            continue;
        }
        // Nothing behind the colon.
        if scalar(filters).is_some_and(|text| text.is_empty()) {
            continue;
        }
        if !shape.keys(&place, filters, &[keys]) {
            continue;
        }
        for key in ["branches", "tags", "paths"] {
            if get(filters, key).is_some() && get(filters, &format!("{key}-ignore")).is_some() {
                shape.wrong(&place, format!("`{key}` and `{key}-ignore` exclude each other"));
            }
        }
        for (key, list) in entries(filters).filter(|(key, _)| !["inputs", "outputs", "secrets"].contains(&key.as_str()))
        {
            if texts(list).is_empty() || texts(list).len() < items(list).len() {
                shape.wrong(&below(&place, &key), "a list of texts is expected");
            }
        }
        inputs(shape, &place, &event, filters);
    }
}

/// The filters of an event that GitHub knows.
fn known(shape: &mut Shape, event: &str) -> Option<&'static [&'static str]> {
    let found = EVENTS.iter().find(|(name, _)| *name == event).map(|(_, keys)| *keys);
    if found.is_none() {
        shape.wrong("on", format!("`{event}` is no event"));
    }
    found
}

fn schedule(shape: &mut Shape, place: &str, times: &Node<'_>) {
    if items(times).is_empty() {
        shape.wrong(place, "a list of times is expected");
    }
    for (index, time) in items(times).iter().enumerate() {
        let place = format!("{place}[{index}]");
        if !shape.keys(&place, time, &[&["cron", "timezone"]]) {
            continue;
        }
        let cron = get(time, "cron").and_then(scalar).unwrap_or_default();
        let is_field = |field: &str| {
            field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*,-/".contains(&byte)) && !field.is_empty()
        };
        if cron.split_whitespace().count() != 5 || !cron.split_whitespace().all(is_field) {
            shape.wrong(&place, "`cron` is no time: minute, hour, day, month and weekday");
        }
    }
}

fn inputs(shape: &mut Shape, place: &str, event: &str, filters: &Node<'_>) {
    let (types, keys): (_, &[&str]) = match event {
        "workflow_dispatch" => {
            (DISPATCH_TYPES, &["description", "required", "default", "type", "options", "deprecationMessage"])
        }
        _ => (CALL_TYPES, &["description", "required", "default", "type", "deprecationMessage"]),
    };
    let empty = |node: &Node<'_>| scalar(node).is_some_and(|text| text.is_empty());
    for (name, input) in get(filters, "inputs").into_iter().flat_map(entries) {
        let place = below(&below(place, "inputs"), &name);
        if empty(input) && event == "workflow_dispatch" {
            continue;
        }
        if !shape.keys(&place, input, &[keys]) {
            continue;
        }
        shape.truth(&place, input, "required");
        let kind = get(input, "type").and_then(scalar);
        match kind.as_deref() {
            Some(kind) if !types.contains(&kind) => {
                shape.wrong(&place, format!("`type` can be {}", types.join(", ")));
            }
            None if event == "workflow_call" => shape.wrong(&place, "it has no `type`"),
            Some("choice") if get(input, "options").is_none_or(|options| items(options).is_empty()) => {
                shape.wrong(&place, "a choice without `options`");
            }
            _ => {}
        }
    }
    for (name, output) in get(filters, "outputs").into_iter().flat_map(entries) {
        let place = below(&below(place, "outputs"), &name);
        if shape.keys(&place, output, &[&["description", "value"]]) && get(output, "value").is_none() {
            shape.wrong(&place, "it has no `value`");
        }
    }
    for (name, secret) in get(filters, "secrets").into_iter().flat_map(entries).filter(|(_, secret)| !empty(secret)) {
        shape.keys(&below(&below(place, "secrets"), &name), secret, &[&["description", "required"]]);
    }
}
