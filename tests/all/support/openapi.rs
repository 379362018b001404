//! Judges exchanges by GitHub's own description of its REST API (npm `@octokit/openapi` 23.0.2, MIT), trimmed by
//! `tests/tools/trim-openapi.mjs`. Knows nothing of the client or of the stand-in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::{Draft, Registry, Validator};
use sbi::sandbox::http::{Exchange, Request};
use serde_json::{Map, Value, json};

const ROOT: &str = "https://api.github.com/description";

/// One documented operation.
pub(crate) struct Operation {
    method: String,
    /// The path's template, as in the description.
    pub(crate) path: String,
    segments: Vec<Segment>,
    query: BTreeMap<String, Parameter>,
    /// The validator of the body, and whether a body must be sent.
    body: Option<(Validator, bool, Value)>,
    /// Status → validator of the answer's body; `None` where no body is documented.
    answers: BTreeMap<String, Option<Validator>>,
    /// Status → GitHub's own examples of the answer.
    pub(crate) examples: Vec<(u16, Value)>,
}

struct Parameter {
    required: bool,
    schema: Value,
}

enum Segment {
    Literal(String),
    One,
    /// `x-multi-segment`: one segment or more.
    Many,
}

static DESCRIPTION: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let text = include_str!("../../data/github-openapi.json");
    let mut description: Value = serde_json::from_str(text).expect("the description is JSON");
    translate_nullable(&mut description);
    let operations = description["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in operations.filter_map(Value::as_object_mut).flat_map(|methods| methods.values_mut()) {
        operation["responses"].as_object_mut().into_iter().flatten().for_each(|(status, response)| {
            loosen_refusal(status, response);
        });
    }
    let registry = Registry::new()
        .draft(Draft::Draft4)
        .add(ROOT, description.clone())
        .expect("the description has an address")
        .prepare()
        .expect("the description's references lead somewhere");
    let compile = |pointer: &str| -> Validator {
        jsonschema::options()
            .with_draft(Draft::Draft4)
            .with_registry(&registry)
            .should_validate_formats(false)
            .build(&json!({ "$ref": format!("{ROOT}#{pointer}") }))
            .unwrap_or_else(|error| panic!("{pointer}: {error}"))
    };
    let mut operations = Vec::new();
    for (path, methods) in description["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            operations.push(read_operation(&description, path, method, operation, &compile));
        }
    }
    operations
});

fn read_operation(
    description: &Value,
    path: &str,
    method: &str,
    operation: &Value,
    compile: &dyn Fn(&str) -> Validator,
) -> Operation {
    let base = format!("/paths/{}/{method}", escape(path));
    let mut many = Vec::new();
    let mut query = BTreeMap::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (parameter, _) = follow(description, parameter, "");
        let name = parameter["name"].as_str().expect("a parameter's name").to_owned();
        if parameter["in"] == "path" && parameter["x-multi-segment"] == true {
            many.push(name);
        } else if parameter["in"] == "query" {
            let (schema, _) = follow(description, &parameter["schema"], "");
            query.insert(name, Parameter { required: parameter["required"] == true, schema: schema.clone() });
        }
    }
    let segments = path
        .trim_matches('/')
        .split('/')
        .map(|segment| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if many.iter().any(|many| many == name) => Segment::Many,
            Some(_) => Segment::One,
            None => Segment::Literal(segment.to_owned()),
        })
        .collect();
    let body = operation["requestBody"]["content"]["application/json"].get("schema").map(|schema| {
        let pointer = format!("{base}/requestBody/content/application~1json/schema");
        let (schema, _) = follow(description, schema, "");
        (compile(&pointer), operation["requestBody"]["required"] == true, schema.clone())
    });
    let mut answers = BTreeMap::new();
    let mut examples = Vec::new();
    for (status, response) in operation["responses"].as_object().expect("responses") {
        let (response, pointer) = follow(description, response, &format!("{base}/responses/{status}"));
        let content = &response["content"]["application/json"];
        let validator = content.get("schema").map(|_| compile(&format!("{pointer}/content/application~1json/schema")));
        for example in content["examples"].as_object().into_iter().flat_map(Map::values) {
            let (example, _) = follow(description, example, "");
            examples.push((status.parse().expect("a status"), example["value"].clone()));
        }
        answers.insert(status.clone(), validator);
    }
    Operation { method: method.to_uppercase(), path: path.to_owned(), segments, query, body, answers, examples }
}

fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D")
}

/// The value itself or what its `$ref` names, with its place.
fn follow<'a>(description: &'a Value, value: &'a Value, pointer: &str) -> (&'a Value, String) {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let pointer = reference.trim_start_matches('#');
            let target = description.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
            follow(description, target, pointer)
        }
        None => (value, pointer.to_owned()),
    }
}

/// Where a refusal is one of several schemas, a plain message fits more than one: GitHub means any of them.
fn loosen_refusal(status: &str, response: &mut Value) {
    if !status.starts_with(['4', '5']) {
        return;
    }
    if let Some(schema) = response.pointer_mut("/content/application~1json/schema").and_then(Value::as_object_mut)
        && let Some(alternatives) = schema.remove("oneOf")
    {
        schema.insert("anyOf".into(), alternatives);
    }
}

/// Draft 4 has no `nullable`: it becomes an alternative of `null`.
fn translate_nullable(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(translate_nullable),
        Value::Object(object) => {
            object.values_mut().for_each(translate_nullable);
            if object.get("nullable") == Some(&Value::Bool(true)) {
                object.remove("nullable");
                let inner = Value::Object(std::mem::take(object));
                object.insert("anyOf".into(), json!([{ "type": "null" }, inner]));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every documented operation that this project or its stand-in speaks.
pub(crate) fn operations() -> &'static [Operation] {
    &DESCRIPTION
}

/// The documented operation that a request is, literal segments before parameters.
pub(crate) fn operation(method: &str, path: &str) -> Option<&'static Operation> {
    let mut segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    // Where GitHub sends those who use a former name; the same operation, by the repository's number.
    if let ["repositories", id, ..] = segments.as_slice()
        && id.bytes().all(|byte| byte.is_ascii_digit())
    {
        segments.splice(..2, ["repos", "owner", "name"]);
    }
    DESCRIPTION
        .iter()
        .filter(|operation| operation.method == method && fits(&operation.segments, &segments))
        .max_by_key(|operation| operation.segments.iter().filter(|s| matches!(s, Segment::Literal(_))).count())
}

fn fits(template: &[Segment], path: &[&str]) -> bool {
    match (template.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((Segment::Literal(literal), template)), Some((segment, path))) => {
            literal == segment && fits(template, path)
        }
        (Some((Segment::One, template)), Some((segment, path))) => !segment.is_empty() && fits(template, path),
        (Some((Segment::Many, template)), Some((segment, _))) => {
            !segment.is_empty() && (1..=path.len()).any(|taken| fits(template, &path[taken..]))
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Whether GitHub documents this request and this answer to it. An undocumented refusal passes when its body is
/// `{"message": …}`: the description lists few error statuses.
///
/// # Errors
/// Says what of the exchange is not as documented.
pub(crate) fn check(exchange: &Exchange) -> Result<(), String> {
    let request = &exchange.request;
    let place = format!("{} {} → {}", request.method, request.path, exchange.answer.status);
    let wrong = |reason: String| Err(format!("{place}: {reason}"));
    if request.path == "/graphql" || request.path == "/api/graphql" {
        return check_graphql(exchange).or_else(wrong);
    }
    let Some(operation) = operation(&request.method, &request.path) else {
        return wrong("no such operation in GitHub's description (tests/tools/trim-openapi.mjs lists them)".into());
    };
    let refused = (400..600).contains(&exchange.answer.status);
    // A bad request may be sent on purpose, to see it refused.
    if !refused && let Err(reason) = check_request(operation, request) {
        return wrong(reason);
    }
    let raw = request.header("accept").is_some_and(|accept| accept.contains("raw") || accept.contains("html"));
    match operation.answers.get(&exchange.answer.status.to_string()) {
        Some(Some(_)) if raw && !refused => Ok(()),
        Some(Some(validator)) => match serde_json::from_slice(&exchange.answer.body) {
            Ok(body) => judge(validator, &body).or_else(|reason| wrong(format!("the answer {reason}"))),
            Err(error) => wrong(format!("the answer is not JSON: {error}")),
        },
        Some(None) if exchange.answer.body.is_empty() => Ok(()),
        // `Not modified`, `bad request` and their like are documented without a schema, and come with a message.
        Some(None) | None if refused => check_message(&exchange.answer.body).or_else(wrong),
        Some(None) => wrong("a body where none is documented".into()),
        None => wrong("an undocumented status".into()),
    }
}

/// The request alone: parameters and body.
///
/// # Errors
/// Says what is not as documented.
pub(crate) fn check_request(operation: &Operation, request: &Request) -> Result<(), String> {
    let pairs = request.query_pairs();
    for (name, value) in &pairs {
        let Some(parameter) = operation.query.get(name) else {
            return Err(format!("query parameter `{name}` is not documented"));
        };
        let number = parameter.schema["type"] == "integer";
        if number && value.parse::<u64>().is_err() {
            return Err(format!("query parameter `{name}` is no number: `{value}`"));
        }
        if let Some(values) = parameter.schema["enum"].as_array()
            && !values.iter().any(|allowed| allowed == value)
        {
            return Err(format!("query parameter `{name}` can't be `{value}`"));
        }
    }
    for (name, parameter) in &operation.query {
        if parameter.required && !pairs.iter().any(|(sent, _)| sent == name) {
            return Err(format!("query parameter `{name}` is missing"));
        }
    }
    match &operation.body {
        None if request.body.is_empty() => Ok(()),
        None => Err("a request body where none is documented".into()),
        Some((_, required, _)) if request.body.is_empty() => {
            if *required {
                Err("the request body is missing".into())
            } else {
                Ok(())
            }
        }
        Some((validator, _, schema)) => {
            let body: Value = serde_json::from_slice(&request.body).map_err(|error| format!("no JSON: {error}"))?;
            judge(validator, &body).map_err(|reason| format!("the request {reason}"))?;
            // JSON Schema lets unknown keys pass; a misspelt one would be ignored by GitHub without a word.
            if let (Some(known), Some(sent)) = (schema["properties"].as_object(), body.as_object())
                && let Some(unknown) = sent.keys().find(|key| !known.contains_key(*key))
            {
                return Err(format!("the request's `{unknown}` is not documented"));
            }
            Ok(())
        }
    }
}

/// An answer of this status and body alone, for examples.
///
/// # Errors
/// Says what is not as documented.
pub(crate) fn check_answer(operation: &Operation, status: u16, body: &Value) -> Result<(), String> {
    match operation.answers.get(&status.to_string()) {
        Some(Some(validator)) => judge(validator, body),
        Some(None) => Err("documents no body".into()),
        None => Err("is not documented".into()),
    }
}

fn judge(validator: &Validator, body: &Value) -> Result<(), String> {
    let errors: Vec<String> =
        validator.iter_errors(body).take(3).map(|error| format!("{} at `{}`", error, error.instance_path())).collect();
    if errors.is_empty() {
        return Ok(());
    }
    let mut text = errors.join("; ");
    if let Some((cut, _)) = text.char_indices().nth(800) {
        text.truncate(cut);
    }
    Err(format!("is not as documented: {text}"))
}

fn check_message(body: &[u8]) -> Result<(), String> {
    match serde_json::from_slice::<Value>(body) {
        Ok(body) if body["message"].is_string() => Ok(()),
        Ok(_) => Err("a refusal without `message`".into()),
        Err(error) => Err(format!("a refusal that is not JSON: {error}")),
    }
}

/// GraphQL is no part of the REST description: the envelope alone is judged.
fn check_graphql(exchange: &Exchange) -> Result<(), String> {
    let request: Value = serde_json::from_slice(&exchange.request.body).map_err(|error| format!("no JSON: {error}"))?;
    if exchange.request.method != "POST" || !request["query"].is_string() {
        return Err("GraphQL is a POST with `query`".into());
    }
    if exchange.answer.status != 200 {
        return check_message(&exchange.answer.body);
    }
    let answer: Value = serde_json::from_slice(&exchange.answer.body).map_err(|error| format!("no JSON: {error}"))?;
    let errors_told = answer["errors"].as_array().is_some_and(|errors| errors.iter().all(|e| e["message"].is_string()));
    if answer["data"].is_object() || errors_told { Ok(()) } else { Err("neither `data` nor `errors`".into()) }
}
