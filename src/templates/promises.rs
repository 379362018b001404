//! What a product promises, in words for the publisher's customers, and as data for the audit in its build. Both are
//! made from `image.toml`, so that neither can say what the other does not.

use std::collections::BTreeMap;

use serde::Serialize;

use super::catalogue::ImageFacts;
use crate::model::names::ImageName;

/// A line of the documents.
#[derive(Debug, Serialize)]
pub(super) struct Promise {
    what: String,
    how: String,
}

/// `audit/promises.json`, which the audit reads strictly.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Audit<'a> {
    image: &'a str,
    user: &'a str,
    shell: bool,
    package_manager: bool,
    loader: &'a BTreeMap<String, String>,
    ca_certificates: u32,
    time_zones: &'a [String],
    /// Path → reason.
    exemptions: BTreeMap<&'a str, &'a str>,
}

pub(super) fn audit<'a>(name: &'a ImageName, facts: &'a ImageFacts) -> Audit<'a> {
    let promises = &facts.promises;
    let exempt =
        |exemption: &'a super::catalogue::Exemption| Some((exemption.path.as_deref()?, exemption.why.as_str()));
    Audit {
        image: name.as_str(),
        user: &promises.user,
        shell: promises.shell,
        package_manager: promises.package_manager,
        loader: &promises.loader,
        ca_certificates: promises.ca_certificates,
        time_zones: &promises.time_zones,
        exemptions: facts.exemptions.iter().filter_map(exempt).collect(),
    }
}

/// First what the image is, then how it is released.
pub(super) fn in_words(facts: &ImageFacts) -> Vec<Promise> {
    let promises = &facts.promises;
    let mut lines = Vec::new();
    let mut promise = |what: String, how: &str| lines.push(Promise { what, how: how.to_owned() });

    let absent: Vec<&str> = [("shell", promises.shell), ("package manager", promises.package_manager)]
        .into_iter()
        .filter_map(|(what, there)| (!there).then_some(what))
        .collect();
    if !absent.is_empty() {
        promise(
            format!("No {}", absent.join(" and no ")),
            "the audit in the build looks for them by name in every folder, and refuses executable scripts",
        );
    }
    if promises.loader.is_empty() {
        promise(
            "Nothing but static programs: no loader, no shared library".into(),
            "the audit reads every ELF file, and refuses one that asks for a loader or a library or is built for another \
             architecture",
        );
    } else {
        let loaders: Vec<String> = promises.loader.iter().map(|(arch, path)| format!("`{path}` ({arch})")).collect();
        promise(
            format!("One loader, {}, and every library that is asked for", loaders.join(" or ")),
            "the audit reads every ELF file, and refuses one that asks for another loader or an absent library or is built \
             for another architecture",
        );
    }
    let user = promises.user.split(':').next().unwrap_or_default();
    promise(
        format!("Runs as user {user}, and no account has a login shell"),
        &format!(
            "`USER {}` is the Dockerfile's last word, and the audit reads `/etc/passwd` and `/etc/group`",
            promises.user
        ),
    );
    promise(
        "No setuid or setgid file, no file capability, nothing world-writable but folders with the sticky bit".into(),
        "the audit reads the mode and the capabilities of every file",
    );
    promise(
        "CA certificates and time zones are there".into(),
        &format!(
            "the audit parses the CA bundle ({} certificates or more) and opens zone files",
            promises.ca_certificates
        ),
    );
    promise(
        format!("A pull of one architecture transfers at most {} MB", megabytes(facts.size_budget)),
        "the pipeline adds up what was built, and refuses a larger image",
    );
    promise(
        "No known vulnerability of severity CRITICAL or HIGH at the time of release, fixed or not".into(),
        "Trivy stops the release; every exception is in `accepted-findings.yaml` with a reason and an end date",
    );
    promise(
        "No end-of-life distribution".into(),
        "Trivy stops the release when the base distribution has reached its end of life",
    );
    promise(
        "What was scanned is what you pull".into(),
        "each architecture is built once; the scanned bytes are re-hashed, pushed by digest, pulled back and compared before \
         the tag is set",
    );
    promise("A released tag never moves".into(), "the pipeline refuses a tag that exists, and so does the registry");
    lines
}

/// Of 1,000,000 bytes, with one digit where it is not whole.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    if tenths.is_multiple_of(10) { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}
