//! Tags, as IAM and ECR take them.

use std::collections::BTreeMap;

use super::authority::Extra;

/// Tags of a request, checked.
pub(super) struct Tags(pub(super) BTreeMap<String, String>);

pub(super) enum TagProblem {
    TooMany,
    Invalid(String),
}

impl TagProblem {
    pub(super) fn message(&self) -> String {
        match self {
            Self::TooMany => "The number of tags has reached the maximum limit of 50.".into(),
            Self::Invalid(reason) => reason.clone(),
        }
    }
}

impl Tags {
    /// Keys have 1 to 128 characters, values up to 256, both of letters, digits, spaces and `_ . : / = + - @`; no key
    /// twice, none that starts with `aws:`, 50 at most.
    pub(super) fn read(pairs: Vec<(String, String)>) -> Result<Self, TagProblem> {
        let mut tags: BTreeMap<String, String> = BTreeMap::new();
        let fits = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c));
        for (key, value) in pairs {
            let invalid = |reason: &str| Err(TagProblem::Invalid(format!("tag `{key}`: {reason}")));
            if key.is_empty() || key.chars().count() > 128 || !fits(&key) {
                return invalid("the key has 1 to 128 letters, digits, spaces and _.:/=+-@");
            }
            if value.chars().count() > 256 || !fits(&value) {
                return invalid("the value has at most 256 letters, digits, spaces and _.:/=+-@");
            }
            if key.to_ascii_lowercase().starts_with("aws:") {
                return invalid("the prefix aws: is reserved");
            }
            if tags.keys().any(|other| other.eq_ignore_ascii_case(&key)) {
                return invalid("duplicate tag keys found, keys know no case");
            }
            tags.insert(key, value);
        }
        if tags.len() > 50 {
            return Err(TagProblem::TooMany);
        }
        Ok(Self(tags))
    }

    /// The condition keys that these tags are in a request.
    pub(super) fn requested(&self) -> Extra {
        if self.0.is_empty() {
            return Extra::new();
        }
        let mut extra: Extra =
            self.0.iter().map(|(key, value)| (format!("aws:RequestTag/{key}"), vec![value.clone()])).collect();
        extra.insert("aws:TagKeys".into(), self.0.keys().cloned().collect());
        extra
    }
}

/// The condition keys that a resource's own tags are.
pub(super) fn resource_tags(service: &str, tags: &BTreeMap<String, String>) -> Extra {
    tags.iter()
        .flat_map(|(key, value)| {
            ["aws", service].map(|prefix| (format!("{prefix}:ResourceTag/{key}"), vec![value.clone()]))
        })
        .collect()
}
