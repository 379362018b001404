//! What a YAML text means, without a word of how it is written.

use std::borrow::Cow;

use saphyr::Scalar;
use saphyr_parser::{ScalarStyle, Tag};

use super::tree::{Child, Document, Kind, Node};
use crate::model::action_pin::ActionPin;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Text(String),
    /// A number, `true`, …: not the text of the same letters.
    Typed(String),
    List(Vec<Value>),
    /// In the order of the text, which is no part of what it means.
    Map(Vec<(String, Value)>),
}

impl Value {
    pub(super) fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Cow<'_, Tag>>) -> Self {
        let written = text.to_string();
        match Scalar::parse_from_cow_and_metadata(text, style, tag) {
            Some(Scalar::Null) => Self::Null,
            Some(Scalar::String(text)) => Self::Text(text.to_string()),
            Some(_) => Self::Typed(written),
            None => Self::Typed(format!("{written} of another type")),
        }
    }

    /// The version of a pinned action stands in the comment behind, which is why the document is asked.
    pub(super) fn of(node: &Node, document: Option<&Document<'_>>) -> Self {
        match &node.kind {
            Kind::Null => Self::Null,
            Kind::Scalar { value, .. } => value.clone(),
            Kind::Alias(value) => value.clone(),
            Kind::Sequence { children, .. } => {
                Self::List(children.iter().map(|child| Self::of(&child.value, document)).collect())
            }
            Kind::Mapping { children, .. } => Self::Map(
                children
                    .iter()
                    .map(|child| (child.key.clone().unwrap_or_default(), Self::of_child(child, document)))
                    .collect(),
            ),
        }
    }

    pub(super) fn of_child(child: &Child, document: Option<&Document<'_>>) -> Self {
        let value = Self::of(&child.value, document);
        match (&value, document, child.key.as_deref()) {
            (Self::Text(action), Some(document), Some("uses")) => {
                let comment = document.tail(child).map_or("", |comment| &document.text[comment]);
                let pin = ActionPin::read(&format!("{action} {comment}"));
                pin.map_or(value, |pin| Self::Text(pin.to_string()))
            }
            _ => value,
        }
    }

    /// The value as GitHub understands it at this place: one event or a list of them is a mapping of events, one job that
    /// is needed is a list of one.
    pub(super) fn shaped(self, path: &[&str]) -> Self {
        let value = match (Shape::at(path), self) {
            (Shape::List | Shape::Choice, one @ (Self::Text(_) | Self::Typed(_))) => Self::List(vec![one]),
            (Shape::Events, Self::Text(event)) => Self::Map(vec![(event, Self::Null)]),
            (Shape::Events, Self::List(events)) if events.iter().all(|event| matches!(event, Self::Text(_))) => {
                Self::Map(events.iter().map(|event| (event.text().to_owned(), Self::Null)).collect())
            }
            (_, value) => value,
        };
        let below = |key: &str, value: Self| {
            let path: Vec<&str> = path.iter().copied().chain([key]).collect();
            value.shaped(&path)
        };
        match value {
            Self::Map(entries) => Self::Map(entries.into_iter().map(|(k, v)| (k.clone(), below(&k, v))).collect()),
            Self::List(items) => Self::List(items.into_iter().map(|item| below("-", item)).collect()),
            value => value,
        }
    }

    /// The letters of a scalar.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Typed(text) => text,
            Self::Null | Self::List(_) | Self::Map(_) => "",
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn entries(&self) -> &[(String, Self)] {
        if let Self::Map(entries) = self { entries } else { &[] }
    }

    pub(super) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    pub(super) fn is_scalar(&self) -> bool {
        matches!(self, Self::Null | Self::Text(_) | Self::Typed(_))
    }

    /// The value with every pinned action's commit left out: renewing one is no edit that a person made.
    pub(super) fn unpinned(&self) -> Self {
        let entry = |(key, value): &(String, Self)| match value {
            Self::Text(uses) if key == "uses" && ActionPin::read(uses).is_some() => {
                (key.clone(), Self::Text(super::pins::without_pin(uses).to_ascii_lowercase()))
            }
            value => (key.clone(), value.unpinned()),
        };
        match self {
            Self::Map(entries) => Self::Map(entries.iter().map(entry).collect()),
            Self::List(items) => Self::List(items.iter().map(Self::unpinned).collect()),
            value => value.clone(),
        }
    }

    /// How many values it is made of.
    pub(super) fn size(&self) -> usize {
        1 + self.entries().iter().map(|(_, value)| value.size()).sum::<usize>()
            + self.items().iter().map(Self::size).sum::<usize>()
    }

    /// Equal whatever the order of keys.
    pub(super) fn means(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Map(one), Self::Map(two)) => {
                one.len() == two.len() && one.iter().all(|(key, value)| other.get(key).is_some_and(|v| value.means(v)))
            }
            (Self::List(one), Self::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.means(two))
            }
            _ => self == other,
        }
    }
}

/// In which shapes GitHub takes the same thing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    AsWritten,
    /// `x` is `[x]`, a set of names.
    List,
    /// `x` is `[x]`, and all of it is one choice.
    Choice,
    /// `x` and `[x]` are `{x: }`.
    Events,
}

impl Shape {
    pub(super) fn at(path: &[&str]) -> Self {
        const FILTERS: &[&str] =
            &["types", "branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore", "workflows"];
        match path {
            ["on"] => Self::Events,
            ["jobs", _, "needs"] => Self::List,
            ["jobs", _, "runs-on"] => Self::Choice,
            ["on", _, filter] if FILTERS.contains(filter) => Self::List,
            _ => Self::AsWritten,
        }
    }
}
