//! Where something stands, for GitHub's rules and for people.

use super::align;
use super::values::{Shape, Value};

#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    keys: Vec<String>,
    shown: String,
}

impl Place {
    pub(super) fn key(&self, key: &str) -> Self {
        let is_word = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_<*".contains(c));
        let shown = if is_word { key.to_owned() } else { format!("{key:?}") };
        self.with(key, &shown)
    }

    /// An item by its name, or by its number, counted from one.
    pub(super) fn item(&self, value: &Value, index: usize) -> Self {
        let number = || format!("{}", index + 1);
        let shown = match value {
            Value::Text(text) | Value::Typed(text) => format!("{text:?}"),
            _ => align::name_of(value).unwrap_or_else(number),
        };
        self.with("-", &shown)
    }

    fn with(&self, key: &str, shown: &str) -> Self {
        let dot = if self.shown.is_empty() { "" } else { "." };
        let keys = self.keys.iter().cloned().chain([key.to_owned()]).collect();
        Self { keys, shown: format!("{}{dot}{shown}", self.shown) }
    }

    pub(super) fn shape(&self) -> Shape {
        Shape::at(&self.keys())
    }

    pub(super) fn keys(&self) -> Vec<&str> {
        self.keys.iter().map(String::as_str).collect()
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}
