//! The query protocol of IAM and STS: a form in, XML out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::refusal::{Outcome, Protocol, Refusal};
use super::state::World;
use super::tags::Tags;
use super::{authority, iam, scope_refusal, sts};
use crate::sandbox::http::{Answer, Request};

const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The characters of RFC 3986 that need no escape: IAM answers documents this way.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A document as `GetRole` and its like answer it.
pub(super) fn encode_document(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// The form of a request.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn parse(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn need(&self, name: &str) -> Outcome<&str> {
        self.get(name).ok_or_else(|| {
            let mut member = name.to_owned();
            member[..1].make_ascii_lowercase();
            Refusal::validation(format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    /// Refuses what this operation does not take here: a parameter without effect would be a success that lies.
    pub(super) fn only(&self, names: &[&str]) -> Outcome<()> {
        let stray = self
            .0
            .iter()
            .map(|(key, _)| key.split('.').next().unwrap_or_default())
            .find(|head| !matches!(*head, "Action" | "Version") && !names.contains(head));
        match stray {
            None => Ok(()),
            Some(stray) => Err(Refusal::validation(format!(
                "the sandbox does not know the parameter {stray} of {}",
                self.get("Action").unwrap_or("this operation")
            ))),
        }
    }

    /// `Name.member.1`, `Name.member.2`, … in order.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        (1..).map_while(|number| self.get(&format!("{name}.member.{number}"))).collect()
    }

    /// `Name.member.1.Field`, `Name.member.2.Field`, … as one form each.
    pub(super) fn forms(&self, name: &str) -> Vec<Params> {
        let mut forms = Vec::new();
        for number in 1.. {
            let prefix = format!("{name}.member.{number}.");
            let form: Vec<(String, String)> = self
                .0
                .iter()
                .filter_map(|(key, value)| Some((key.strip_prefix(&prefix)?.to_owned(), value.clone())))
                .collect();
            if form.is_empty() {
                break;
            }
            forms.push(Params(form));
        }
        forms
    }

    /// The `Tags` of a request.
    pub(super) fn tags(&self) -> Outcome<Tags> {
        let mut pairs = Vec::new();
        for form in self.forms("Tags") {
            pairs.push((form.need("Key")?.to_owned(), form.need("Value")?.to_owned()));
        }
        Tags::read(pairs).map_err(|problem| Refusal::new(400, "InvalidInput", problem.message()))
    }
}

/// An XML element of an answer.
pub(super) enum Node {
    Text(&'static str, String),
    Group(&'static str, Vec<Node>),
}

impl Node {
    pub(super) fn text(name: &'static str, value: impl Into<String>) -> Self {
        Self::Text(name, value.into())
    }

    pub(super) fn group(name: &'static str, children: Vec<Node>) -> Self {
        Self::Group(name, children)
    }

    /// A list of plain values.
    pub(super) fn texts<S: Into<String>>(name: &'static str, values: impl IntoIterator<Item = S>) -> Self {
        Self::Group(name, values.into_iter().map(|value| Self::text("member", value)).collect())
    }

    /// A list of structures.
    pub(super) fn groups(name: &'static str, values: impl IntoIterator<Item = Vec<Node>>) -> Self {
        Self::Group(name, values.into_iter().map(|value| Self::group("member", value)).collect())
    }

    pub(super) fn time(name: &'static str, at: Timestamp) -> Self {
        Self::Text(name, at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    pub(super) fn tags(tags: &BTreeMap<String, String>) -> Self {
        Self::groups("Tags", tags.iter().map(|(key, value)| vec![Self::text("Key", key), Self::text("Value", value)]))
    }

    pub(super) fn write(&self, out: &mut String) {
        let (Self::Text(name, _) | Self::Group(name, _)) = self;
        out.push_str(&format!("<{name}>"));
        match self {
            Self::Text(_, value) => out.push_str(&escape(value)),
            Self::Group(_, children) => children.iter().for_each(|child| child.write(out)),
        }
        out.push_str(&format!("</{name}>"));
    }
}

/// Text as XML 1.0 can carry it; a control character that it can't carry becomes U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#xD;"),
            '\n' | '\t' => out.push(c),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

pub(super) fn answer(world: &mut World, request: &Request, params: &Params) -> Answer {
    let request_id = world.new_request_id();
    let action = params.get("Action").unwrap_or_default().to_owned();
    let is_sts = match params.get("Version") {
        Some("2011-06-15") => true,
        Some("2010-05-08") => false,
        _ => {
            return Refusal::new(400, "NoSuchVersion", "the sandbox speaks IAM 2010-05-08 and STS 2011-06-15")
                .into_answer(Protocol::Query, IAM_NAMESPACE, &request_id);
        }
    };
    let namespace = if is_sts { STS_NAMESPACE } else { IAM_NAMESPACE };
    match perform(world, request, &action, params, is_sts) {
        Ok(result) => {
            let mut body = format!("<{action}Response xmlns=\"{namespace}\"><{action}Result>");
            result.iter().for_each(|node| node.write(&mut body));
            body.push_str(&format!("</{action}Result>"));
            Node::group("ResponseMetadata", vec![Node::text("RequestId", &request_id)]).write(&mut body);
            body.push_str(&format!("</{action}Response>"));
            Answer::new(200, "text/xml", body).with("x-amzn-requestid", &request_id)
        }
        Err(refusal) => refusal.into_answer(Protocol::Query, namespace, &request_id),
    }
}

fn perform(world: &mut World, request: &Request, action: &str, params: &Params, is_sts: bool) -> Outcome<Vec<Node>> {
    if request.method != "POST" || request.path != "/" {
        return Err(Refusal::new(400, "InvalidAction", "the sandbox takes POST / and nothing else"));
    }
    if is_sts && action == "AssumeRoleWithWebIdentity" {
        return sts::assume_role_with_web_identity(world, params);
    }
    let (caller, scope) = authority::authenticate(world, request, Protocol::Query)?;
    let service = if is_sts { "sts" } else { "iam" };
    if let Some(refusal) = scope_refusal(Protocol::Query, service, &scope.service) {
        return Err(refusal);
    }
    if is_sts { sts::perform(world, &caller, action, params) } else { iam::perform(world, &caller, action, params) }
}
