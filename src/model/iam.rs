//! IAM policy documents as typed values: written by us, read back from AWS, compared by meaning.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A policy document. Equality is by meaning: order of statements, actions, values and lists of one don't count.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    #[serde(rename = "Version", default = "old_version")]
    pub version: String,
    #[serde(rename = "Id", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(rename = "Statement", with = "one_or_many")]
    pub statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "Sid", default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    #[serde(rename = "Effect")]
    pub effect: Effect,
    #[serde(rename = "Principal", default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    #[serde(rename = "NotPrincipal", default, skip_serializing_if = "Option::is_none")]
    pub not_principal: Option<Principal>,
    #[serde(rename = "Action", default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Values>,
    #[serde(rename = "NotAction", default, skip_serializing_if = "Option::is_none")]
    pub not_action: Option<Values>,
    #[serde(rename = "Resource", default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Values>,
    #[serde(rename = "NotResource", default, skip_serializing_if = "Option::is_none")]
    pub not_resource: Option<Values>,
    /// Operator → key → values.
    #[serde(rename = "Condition", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub condition: BTreeMap<String, BTreeMap<String, Values>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Effect {
    Allow,
    Deny,
}

/// Who a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Principal {
    /// `"*"`
    Everyone(String),
    /// Kind (`AWS`, `Federated`, `Service`) → values.
    Kinds(BTreeMap<String, Values>),
}

/// A string or a list of strings; a set, since IAM reads it as one. Written as a string when there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Values(BTreeSet<String>);

impl Values {
    pub fn new<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Self {
        Self(values.into_iter().map(Into::into).collect())
    }

    #[must_use]
    pub fn one(value: impl Into<String>) -> Self {
        Self::new([value.into()])
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Serialize for Values {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.first() {
            Some(only) if self.0.len() == 1 => serializer.serialize_str(only),
            _ => serializer.collect_seq(&self.0),
        }
    }
}

/// IAM also takes booleans and numbers where it means their text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Bool(bool),
    Number(serde_json::Number),
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |scalar| match scalar {
            Scalar::Text(text) => text,
            Scalar::Bool(value) => value.to_string(),
            Scalar::Number(value) => value.to_string(),
        };
        let scalars: Vec<Scalar> = one_or_many::deserialize(deserializer)?;
        Ok(Self(scalars.into_iter().map(text).collect()))
    }
}

/// A text that `StringLike` takes for itself: wildcards and the sign of a policy variable are written as variables
/// (IAM user guide, "Policy variables", special characters).
#[must_use]
pub fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '$' => escaped.extend(['$', '{', c, '}']),
            _ => escaped.push(c),
        }
    }
    escaped
}

mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        Many(Vec<T>),
        One(T),
    }

    pub(super) fn serialize<S: Serializer, T: Serialize>(values: &Vec<T>, serializer: S) -> Result<S::Ok, S::Error> {
        values.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        Ok(match OneOrMany::deserialize(deserializer)? {
            OneOrMany::Many(values) => values,
            OneOrMany::One(value) => vec![value],
        })
    }
}

fn old_version() -> String {
    "2008-10-17".into()
}

impl PolicyDocument {
    /// A document in the current policy language.
    #[must_use]
    pub fn new(statements: Vec<Statement>) -> Self {
        Self { version: "2012-10-17".into(), id: None, statements }
    }

    /// # Errors
    /// When the text is not a policy document of the IAM grammar.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|error| Failure::new("the policy document can't be read").caused_by(error))
    }

    /// One line, as it is sent: IAM's limits do not count white space, requests do.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Indented, as a person reads it.
    #[must_use]
    pub fn to_pretty_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl PartialEq for PolicyDocument {
    fn eq(&self, other: &Self) -> bool {
        let Self { version, id: _, statements } = self;
        let sorted = |statements: &[Statement]| {
            let mut sorted: Vec<Statement> =
                statements.iter().cloned().map(|statement| Statement { sid: None, ..statement }).collect();
            sorted.sort();
            sorted
        };
        *version == other.version && sorted(statements) == sorted(&other.statements)
    }
}

impl Eq for PolicyDocument {}

impl Statement {
    /// `Allow` these actions on these resources.
    #[must_use]
    pub fn allow(sid: &str, actions: Values, resources: Values) -> Self {
        Self {
            sid: Some(sid.into()),
            effect: Effect::Allow,
            principal: None,
            not_principal: None,
            action: Some(actions),
            not_action: None,
            resource: Some(resources),
            not_resource: None,
            condition: BTreeMap::new(),
        }
    }

    /// Adds `operator: { key: values }` to the condition block.
    #[must_use]
    pub fn when(mut self, operator: &str, key: &str, values: Values) -> Self {
        self.condition.entry(operator.into()).or_default().insert(key.into(), values);
        self
    }
}
