//! Names of calls. Steps run at once, so calls arrive in any order; a name and how often it was used before tell a
//! call in every run.

use std::collections::BTreeMap;
use std::fmt;

use sbi::sandbox::http::Request;

use crate::support::room::is_write;

/// How a server is spoken to, and therefore how it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    /// IAM and STS.
    AwsQuery,
    /// ECR.
    AwsJson,
    Github,
}

/// What is called, without how often.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) protocol: Protocol,
    /// `iam:GetRole` or `PUT`
    pub(super) verb: String,
    /// `sbi-publish-acme-bases` or `/repos/acme/bases/environments/publish`
    pub(super) of: String,
    pub(super) writes: bool,
}

/// One call of a run: the `turn`th of its name, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) name: Name,
    pub(super) turn: usize,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} #{}", self.name.verb, self.name.of, self.turn)
    }
}

impl Name {
    /// `operator` is the access key id of whoever runs the command: calls with a new key are other calls.
    pub(super) fn of(request: &Request, operator: &str) -> Self {
        let (protocol, verb, of) = match request.header("x-amz-target") {
            Some(target) => {
                let operation = target.rsplit('.').next().unwrap_or_default();
                let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let of = body["repositoryName"].as_str().or(body["repositoryNames"][0].as_str());
                let of = of.or(body["resourceArn"].as_str()).unwrap_or_default().to_owned();
                (Protocol::AwsJson, format!("ecr:{operation}"), of)
            }
            None if request.header("x-amz-date").is_some() => {
                let form: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
                let service = credential(request).split('/').nth(3).unwrap_or_default().to_owned();
                let things =
                    ["RoleName", "UserName", "OpenIDConnectProviderArn", "Url", "ResourceArns.member.1", "PolicyName"];
                let of: Vec<&str> = things.iter().filter_map(|thing| form.get(*thing)).map(String::as_str).collect();
                (Protocol::AwsQuery, format!("{service}:{}", form["Action"]), of.join(" "))
            }
            None => (Protocol::Github, request.method.clone(), steady(&request.path)),
        };
        let by_operator = protocol == Protocol::Github || credential(request).starts_with(&format!("{operator}/"));
        let of = if by_operator { of } else { format!("{of} with the new key") };
        Self { protocol, verb, of, writes: is_write(request) }
    }
}

/// `AKIA…/20260101/region/service/aws4_request`
fn credential(request: &Request) -> String {
    let header = request.header("authorization").unwrap_or_default();
    let scope = header.split("Credential=").nth(1).unwrap_or_default();
    scope.split(',').next().unwrap_or_default().to_owned()
}

/// Without what differs from run to run: ids of objects and of runs.
fn steady(path: &str) -> String {
    let each = path.split('/').map(|part| {
        let object = part.len() == 40 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if object || number { "ID" } else { part }
    });
    each.collect::<Vec<_>>().join("/")
}

/// Counts calls by name.
#[derive(Default)]
pub(super) struct Turns(BTreeMap<Name, usize>);

impl Turns {
    pub(super) fn next(&mut self, name: Name) -> Call {
        let turn = self.0.entry(name.clone()).or_default();
        *turn += 1;
        Call { name, turn: *turn }
    }
}
