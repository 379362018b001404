//! The same values for programs: structs of their own with a version, so that inner types may change.

use serde::Serialize;

use super::report::Summary;
use crate::apply::{Outcome, Report};
use crate::failure::{Cause, Failure};
use crate::model::holdings::ImageFacts;
use crate::model::names::Digest;
use crate::plan::step::{Line, Sign, Step};
use crate::plan::{Fate, HandMade, Plan, Renamed};

/// Raised when a field changes its meaning or goes; new fields don't raise it.
pub const FORMAT_VERSION: u32 = 1;

/// `sbi plan --format json` and `sbi destroy --plan --format json`.
#[derive(Debug, Serialize)]
pub struct PlanJson {
    pub format_version: u32,
    /// The GitHub repository goes by another name than it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed: Option<RenamedJson>,
    pub changes: Vec<ChangeJson>,
    /// What the publisher made by hand where sbi would put something safer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hand_made: Vec<HandMadeJson>,
    /// The plan replaces and removes what was made by hand, by a pull request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adopts: bool,
    pub kept: Vec<KeptJson>,
    /// Images of others whose digest is new in the files.
    pub pinned: Vec<PinJson>,
    pub waiting: Vec<String>,
    pub refusals: Vec<FailureJson>,
}

#[derive(Debug, Serialize)]
pub struct ChangeJson {
    /// `add`, `change` or `remove`.
    pub sign: &'static str,
    pub kind: &'static str,
    pub name: String,
    pub detail: String,
    /// Positions in `changes`, from 0, of what must have succeeded before.
    pub needs: Vec<usize>,
    /// The images that a change is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageJson>,
}

#[derive(Debug, Serialize)]
pub struct ImageJson {
    pub digest: String,
    pub tags: Vec<String>,
    /// RFC 3339
    pub pushed: Option<String>,
    pub bytes: u64,
}

#[derive(Debug, Serialize)]
pub struct RenamedJson {
    /// `owner/name`
    pub from: String,
    pub to: String,
}

#[derive(Debug, Serialize)]
pub struct KeptJson {
    pub what: String,
    pub why: String,
}

#[derive(Debug, Serialize)]
pub struct HandMadeJson {
    pub path: String,
    /// `replaced`, `removed` or `stays`: what adopting does to it.
    pub fate: &'static str,
    pub why: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct PinJson {
    /// With its tag, such as `gcr.io/distroless/static-debian13:nonroot`.
    pub image: String,
    /// What the tag stood for when the registry was asked.
    pub digest: String,
}

#[derive(Debug, Serialize)]
pub struct FailureJson {
    pub error: String,
    /// One word for the kind of refusal, such as `denied`.
    pub cause: &'static str,
    /// The right that is missing, with `denied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    pub because: Vec<String>,
    pub help: Vec<String>,
    pub exit_code: u8,
}

/// `--format json` of `sbi init`, `sbi apply` and `sbi destroy`.
#[derive(Debug, Serialize)]
pub struct OutcomeJson {
    pub format_version: u32,
    pub succeeded: bool,
    pub cancelled: bool,
    pub steps: Vec<StepJson>,
    pub pinned: Vec<PinJson>,
    pub links: Vec<LinkJson>,
    pub next: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct StepJson {
    #[serde(flatten)]
    pub change: ChangeJson,
    /// `done`, `failed` or `not_started`.
    pub outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureJson>,
}

#[derive(Debug, Serialize)]
pub struct LinkJson {
    pub label: String,
    pub url: String,
}

#[derive(Debug, Serialize)]
struct ErrorJson {
    format_version: u32,
    #[serde(flatten)]
    failure: FailureJson,
}

impl RenamedJson {
    #[must_use]
    pub fn new(renamed: &Renamed) -> Self {
        Self { from: renamed.from.to_string(), to: renamed.to.to_string() }
    }
}

impl HandMadeJson {
    fn new(found: &HandMade) -> Self {
        let fate = match found.fate {
            Fate::Replaced => "replaced",
            Fate::Removed => "removed",
            Fate::Stays => "stays",
        };
        Self { path: found.path.clone(), fate, why: found.why.clone() }
    }
}

impl PlanJson {
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            renamed: plan.renamed.as_ref().map(RenamedJson::new),
            changes: changes(plan),
            hand_made: plan.hand_made.iter().map(HandMadeJson::new).collect(),
            adopts: plan.adopts,
            kept: plan.kept.iter().map(|kept| KeptJson { what: kept.what.clone(), why: kept.why.clone() }).collect(),
            pinned: pins(plan),
            waiting: plan.waiting.clone(),
            refusals: plan.refusals.iter().map(FailureJson::new).collect(),
        }
    }
}

fn pins(plan: &Plan) -> Vec<PinJson> {
    let pin = |(image, digest): (&str, &Digest)| PinJson { image: image.to_owned(), digest: digest.to_string() };
    plan.pinned.iter().map(pin).collect()
}

pub(super) fn changes(plan: &Plan) -> Vec<ChangeJson> {
    let change = |node: &crate::plan::Node| {
        let Line { sign, kind, name, detail } = node.step.describe();
        let sign = match sign {
            Sign::Add => "add",
            Sign::Change => "change",
            Sign::Remove => "remove",
            Sign::Wait => "wait",
        };
        let images = match &node.step {
            Step::DeleteImages { images, .. } => images.iter().map(ImageJson::new).collect(),
            _ => Vec::new(),
        };
        ChangeJson { sign, kind, name, detail, needs: node.needs.iter().map(|id| id.index()).collect(), images }
    };
    plan.nodes().iter().map(change).collect()
}

impl ImageJson {
    fn new(image: &ImageFacts) -> Self {
        Self {
            digest: image.digest.to_string(),
            tags: image.tags.iter().cloned().collect(),
            pushed: image.pushed.map(|at| at.to_string()),
            bytes: image.bytes,
        }
    }
}

impl FailureJson {
    #[must_use]
    pub fn new(failure: &Failure) -> Self {
        let (cause, action) = match failure.cause() {
            Cause::NotFound => ("not_found", None),
            Cause::Exists => ("exists", None),
            Cause::Denied { action, .. } => ("denied", Some(action.clone())),
            Cause::Throttled { .. } => ("throttled", None),
            Cause::Unauthenticated => ("unauthenticated", None),
            Cause::SsoRequired { .. } => ("sso_required", None),
            Cause::Unreachable => ("unreachable", None),
            Cause::Usage => ("usage", None),
            Cause::ChangesPending => ("changes_pending", None),
            Cause::Cancelled => ("cancelled", None),
            Cause::Other => ("other", None),
        };
        Self {
            error: failure.message().to_owned(),
            cause,
            action,
            because: failure.reasons(),
            help: failure.hints().to_vec(),
            exit_code: failure.exit_code() as u8,
        }
    }
}

impl OutcomeJson {
    #[must_use]
    pub fn new(plan: &Plan, report: &Report, summary: &Summary) -> Self {
        let step = |(change, outcome): (ChangeJson, &Outcome)| {
            let (outcome, failure) = match outcome {
                Outcome::Done(_) => ("done", None),
                Outcome::Failed(failure) => ("failed", Some(FailureJson::new(failure))),
                Outcome::Skipped => ("not_started", None),
            };
            StepJson { change, outcome, failure }
        };
        Self {
            format_version: FORMAT_VERSION,
            succeeded: report.succeeded(),
            cancelled: report.cancelled,
            steps: changes(plan).into_iter().zip(&report.outcomes).map(step).collect(),
            pinned: pins(plan),
            links: summary.links.iter().cloned().map(|(label, url)| LinkJson { label, url }).collect(),
            next: summary.next.clone(),
        }
    }
}

/// A failure as the one JSON document of a command that had no other result.
#[must_use]
pub fn failure_text(failure: &Failure) -> String {
    text(&ErrorJson { format_version: FORMAT_VERSION, failure: FailureJson::new(failure) })
}

/// Indented, with a newline at its end.
#[must_use]
pub fn text(value: &impl Serialize) -> String {
    // Structs of strings, numbers and lists always have a JSON form.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
