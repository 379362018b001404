//! AWS JSON 1.1, the protocol of ECR.

use serde_json::{Map, Value};

use super::refusal::{Outcome, Protocol, Refusal};
use super::state::World;
use super::{authority, ecr, scope_refusal};
use crate::sandbox::http::{Answer, Request};

/// What an operation's name is prefixed with in `X-Amz-Target`.
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.";

/// The body of a request.
pub(super) struct Input {
    pub(super) fields: Map<String, Value>,
    operation: String,
}

impl Input {
    pub(super) fn invalid(at: &str, constraint: &str) -> Refusal {
        let message = format!("Invalid parameter at '{at}' failed to satisfy constraint: '{constraint}'");
        Refusal::new(400, "InvalidParameterException", message)
    }

    pub(super) fn text(&self, name: &str) -> Outcome<Option<&str>> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Self::invalid(name, "must be a string")),
        }
    }

    pub(super) fn need(&self, name: &str) -> Outcome<&str> {
        self.text(name)?.ok_or_else(|| Self::invalid(name, "must not be null"))
    }

    pub(super) fn number(&self, name: &str) -> Outcome<Option<usize>> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
                number.map(Some).ok_or_else(|| Self::invalid(name, "must be a whole number that is not negative"))
            }
        }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.fields.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// `None` when absent.
    pub(super) fn list(&self, name: &str) -> Outcome<Option<&[Value]>> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(_) => Err(Self::invalid(name, "must be a list")),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Outcome<Option<Vec<&str>>> {
        let Some(values) = self.list(name)? else { return Ok(None) };
        let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
        texts.map(Some).ok_or_else(|| Self::invalid(name, "must be a list of strings"))
    }

    /// Refuses what this operation does not take here: a parameter without effect would be a success that lies.
    pub(super) fn only(&self, names: &[&str]) -> Outcome<()> {
        match self.fields.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some(stray) => Err(Refusal::new(
                400,
                "InvalidParameterException",
                format!("the sandbox does not know the parameter {stray} of {}", self.operation),
            )),
        }
    }

    /// One page of `items`, and the token of the next. The token is the number of the first item.
    pub(super) fn page<T>(&self, items: Vec<T>) -> Outcome<(Vec<T>, Option<String>)> {
        let start = match self.text("nextToken")? {
            None => 0,
            Some(token) => token.parse().map_err(|_| Self::invalid("nextToken", "Invalid NextToken"))?,
        };
        let size = self.number("maxResults")?.unwrap_or(100);
        if !(1..=1_000).contains(&size) {
            return Err(Self::invalid("maxResults", "must be between 1 and 1000"));
        }
        let next = (start + size < items.len()).then(|| (start + size).to_string());
        Ok((items.into_iter().skip(start).take(size).collect(), next))
    }
}

pub(super) fn answer(world: &mut World, request: &Request, target: &str) -> Answer {
    let request_id = world.new_request_id();
    match perform(world, request, target) {
        Ok(body) => {
            Answer::new(200, "application/x-amz-json-1.1", body.to_string()).with("x-amzn-requestid", &request_id)
        }
        Err(refusal) => refusal.into_answer(Protocol::Json, "", &request_id),
    }
}

fn perform(world: &mut World, request: &Request, target: &str) -> Outcome<Value> {
    let operation = target.strip_prefix(TARGET).ok_or_else(|| {
        Refusal::new(400, "UnknownOperationException", format!("the sandbox does not know the service of {target}"))
    })?;
    let (caller, scope) = authority::authenticate(world, request, Protocol::Json)?;
    if let Some(refusal) = scope_refusal(Protocol::Json, "ecr", &scope.service) {
        return Err(refusal);
    }
    let Ok(Value::Object(fields)) = serde_json::from_slice(&request.body) else {
        return Err(Refusal::new(400, "SerializationException", "the body is not a JSON object"));
    };
    let host = request.header("host").unwrap_or_default();
    ecr::perform(world, &caller, host, &Input { fields, operation: operation.into() }, operation)
}
