//! The products and the pins that are built into the program.

use std::collections::BTreeMap;

use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::{Deserialize, Serialize};

use super::promises;
use crate::model::config::Architecture;
use crate::model::names::{GithubRepositoryName, ImageName};
use crate::model::status::{self, ImagePromises};

/// One folder of `images/`: its files by their path below it (`.j2` is a template), and what `image.toml` says.
pub(super) struct Product {
    pub(super) name: ImageName,
    pub(super) facts: ImageFacts,
    pub(super) files: BTreeMap<&'static str, &'static str>,
}

/// Path → text.
type Files = &'static [(&'static str, &'static str)];

// `SHARED`, what every product gets, and `PRODUCTS`, by name: made by `build.rs` from the folders.
include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// What the catalogue knows of a product; publishers get documents, an audit and a pipeline made from it.
const FACTS: &str = "image.toml";

const PINS: &str = include_str!("../../templates/catalogue.toml");

/// `image.toml`: what an image is and what it promises.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all(deserialize = "kebab-case"))]
pub(super) struct ImageFacts {
    /// Where the question for the image lists it; the first is the default.
    position: u32,
    pub(super) title: String,
    description: String,
    /// What kind of program runs on it and how it is built, for the documents.
    program: String,
    base: String,
    builder: String,
    platforms: Vec<String>,
    licenses: String,
    /// The most bytes that a pull of one architecture transfers: configuration and compressed layers.
    pub(super) size_budget: u64,
    support: Support,
    #[serde(skip_serializing)]
    pub(super) promises: Promises,
    pub(super) exemptions: Vec<Exemption>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Support {
    base: String,
    /// In words, since the end may depend on a release that has no date yet.
    until: String,
    /// The same as a day (`2028-05-31`), once it is known.
    date: Option<String>,
}

/// What the audit in the build judges.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Promises {
    /// `NUMBER:NUMBER`
    pub(super) user: String,
    pub(super) shell: bool,
    pub(super) package_manager: bool,
    /// Architecture → path of the one loader; empty when programs must be static.
    pub(super) loader: BTreeMap<String, String>,
    /// At least so many.
    pub(super) ca_certificates: u32,
    pub(super) time_zones: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exemption {
    what: String,
    pub(super) why: String,
    /// The file that the audit lets pass.
    pub(super) path: Option<String>,
}

impl Product {
    /// What templates know as `image`.
    pub(super) fn context(&self, repository: &GithubRepositoryName) -> Value {
        let audit = Value::from(Serde(&promises::audit(&self.name, &self.facts)));
        context! {
            name => self.name.as_str(),
            user => self.facts.promises.user.as_str(),
            promises => Value::from(Serde(&promises::in_words(&self.facts))),
            audit => audit,
            // No standard label says it. A label's name starts with a domain of its author, backwards.
            support_label => format!("io.github.{}.support.until", repository.owner().to_lowercase()),
            ..Value::from(Serde(&self.facts))
        }
    }
}

impl Product {
    /// What a checklist asks of it. A day of support that is no day is taken for none: the words still stand.
    pub(super) fn promises(&self) -> ImagePromises {
        let ImageFacts { title, base, support, promises, .. } = &self.facts;
        ImagePromises {
            image: self.name.clone(),
            title: title.clone(),
            base: base.clone(),
            user: promises.user.clone(),
            shell: promises.shell,
            package_manager: promises.package_manager,
            support: status::Support {
                base: support.base.clone(),
                until: support.until.clone(),
                last_day: support.date.as_ref().and_then(|day| day.parse().ok()),
            },
        }
    }
}

impl ImageFacts {
    /// The images of others that this one is built from and with.
    pub(super) fn references(&self) -> [&str; 2] {
        [&self.base, &self.builder]
    }

    /// What the image promises to be built for, of what this program knows.
    pub(super) fn architectures(&self) -> Vec<Architecture> {
        let promised = |architecture: &Architecture| {
            self.platforms.iter().any(|platform| *platform == format!("linux/{}", architecture.as_str()))
        };
        Architecture::ALL.into_iter().filter(promised).collect()
    }
}

/// `templates/catalogue.toml`: everything that rendered files download.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pins {
    pub(super) actions: BTreeMap<String, ActionPin>,
    pub(super) trivy: ToolPin,
    pub(super) cosign: ToolPin,
    pub(super) buildkit: BuildkitPin,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ActionPin {
    pub(super) tag: String,
    /// 40 hex digits
    pub(super) commit: String,
    #[serde(rename = "read-on")]
    _read_on: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolPin {
    version: String,
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BuildkitPin {
    image: String,
}

/// Every folder of `images/`, in the order that each asks for. A product's own file replaces the shared one of the same
/// path.
pub(super) fn products() -> Vec<Product> {
    let product = |(name, own): &(&str, Files)| {
        let mut files: BTreeMap<_, _> = SHARED.iter().chain(own.iter()).copied().collect();
        let facts = embedded(files.remove(FACTS).unwrap_or_default());
        let name = ImageName::new(*name).unwrap_or_else(|failure| unreachable!("{failure}"));
        Product { name, facts, files }
    };
    let mut products: Vec<Product> = PRODUCTS.iter().map(product).collect();
    products.sort_by_key(|product| product.facts.position);
    products
}

pub(super) fn pins() -> Pins {
    embedded(PINS)
}

/// The text is part of the program, and every test of this module reads it.
fn embedded<T: serde::de::DeserializeOwned>(text: &str) -> T {
    toml::from_str(text).unwrap_or_else(|error| unreachable!("{error}"))
}
