//! Which digest a tag of somebody else's image stood for when it was looked up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::names::Digest;

/// Reference with a tag, such as `gcr.io/distroless/static-debian13:nonroot` → the digest of its index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pins(BTreeMap<String, Digest>);

impl Pins {
    pub fn insert(&mut self, reference: impl Into<String>, digest: Digest) {
        self.0.insert(reference.into(), digest);
    }

    #[must_use]
    pub fn get(&self, reference: &str) -> Option<&Digest> {
        self.0.get(reference)
    }

    /// Leaves only the pins of these references.
    pub fn retain(&mut self, references: &[String]) {
        self.0.retain(|reference, _| references.contains(reference));
    }

    /// Takes over every pin of `others`.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Digest)> {
        self.0.iter().map(|(reference, digest)| (reference.as_str(), digest))
    }

    /// `REFERENCE@DIGEST`, or the reference alone when it has no pin.
    #[must_use]
    pub fn pinned(&self, reference: &str) -> String {
        self.get(reference).map_or_else(|| reference.to_owned(), |digest| format!("{reference}@{digest}"))
    }
}
