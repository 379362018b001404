//! The result of a rehearsal, for people and as JSON, from one value.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Run;
use crate::rehearsal::evidence::{Built, Evidence};
use crate::rehearsal::runner::{JobState, StepState};
use crate::rehearsal::source::Source;
use crate::rehearsal::tools::{EngineKind, Tools, Trivy};
use crate::rehearsal::workflow::{Work, Workflow};
use crate::ui::json::FORMAT_VERSION;

/// `sbi rehearse --format json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    format_version: u32,
    /// Nothing that was rehearsed would stop the pipeline.
    passed: bool,
    commit: String,
    with_uncommitted_changes: bool,
    engine: EngineJson,
    /// The version of Trivy on this machine; absent when the workflow's own was downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    trivy: Option<String>,
    runs: Vec<RunJson>,
    /// What only a runner can do.
    not_rehearsed: Vec<String>,
    /// What was done otherwise than a runner does it.
    otherwise: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_in: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct EngineJson {
    name: &'static str,
    version: String,
}

#[derive(Debug, Serialize)]
struct RunJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    passed: bool,
    #[serde(flatten)]
    evidence: Evidence,
    jobs: Vec<JobJson>,
}

#[derive(Debug, Serialize)]
struct JobJson {
    id: String,
    name: String,
    /// `passed`, `partly`, `failed` or `skipped`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    seconds: f64,
    steps: Vec<StepJson>,
}

#[derive(Debug, Serialize)]
struct StepJson {
    name: String,
    /// `passed`, `failed`, `skipped` or `left_out`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
    seconds: f64,
}

impl Report {
    pub(super) fn new(runs: &[Run], workflow: &Workflow, source: &Source, tools: &Tools, out: Option<&Path>) -> Self {
        let trivy = match &tools.trivy {
            Trivy::Installed { version, .. } => Some(version.clone()),
            Trivy::Download => None,
        };
        let runs: Vec<RunJson> = runs.iter().map(run).collect();
        Self {
            format_version: FORMAT_VERSION,
            passed: runs.iter().all(|run| run.passed),
            commit: source.commit.clone(),
            with_uncommitted_changes: source.has_changes,
            engine: EngineJson { name: tools.engine.kind.as_str(), version: tools.engine.version.clone() },
            not_rehearsed: not_rehearsed(&runs, workflow, tools),
            otherwise: otherwise(source, tools),
            trivy,
            runs,
            kept_in: out.map(Path::to_owned),
        }
    }

    /// For people.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for run in &self.runs {
            let verdict =
                if run.passed { "nothing that was rehearsed would stop it" } else { "the pipeline would stop" };
            // Writing to a String can't fail.
            let _ = writeln!(text, "{}: {verdict}", run.image.as_deref().unwrap_or("the image"));
            for built in &run.evidence.architectures {
                let _ = writeln!(text, "  linux/{}  {}", built.arch, figures(built));
                for sbom in &built.sboms {
                    let _ = writeln!(text, "    {}", sbom.display());
                }
            }
            if let Some(digest) = &run.evidence.index_digest {
                let _ = writeln!(text, "  index        {digest}");
            }
        }
        list(&mut text, "Not rehearsed", &self.not_rehearsed);
        list(&mut text, "Done otherwise than on a runner", &self.otherwise);
        let _ = match &self.kept_in {
            Some(out) => writeln!(text, "\nImages, scans, bills of material and logs are in {}", out.display()),
            None => writeln!(text, "\nNothing was kept: `--out DIR` keeps images, scans, bills of material and logs"),
        };
        text
    }
}

fn list(text: &mut String, title: &str, items: &[String]) {
    if !items.is_empty() {
        let _ = writeln!(text, "\n{title}:");
    }
    for item in items {
        let _ = writeln!(text, "  - {item}");
    }
}

/// Digest, size and findings, each in a line: a digest alone fills most of one.
fn figures(built: &Built) -> String {
    let mut parts = vec![built.digest.clone().unwrap_or_else(|| "not built".into())];
    if let Some(bytes) = built.bytes {
        let budget = built.size_budget.map(|budget| format!(" of {} allowed", megabytes(budget))).unwrap_or_default();
        parts.push(format!("{}{budget}", megabytes(bytes)));
    }
    match (&built.findings, built.packages) {
        (Some(found), packages) => {
            let packages = packages.map(|packages| format!(" in {packages} packages")).unwrap_or_default();
            parts.push(format!(
                "{} critical, {} high, {} medium, {} low, {} unknown{packages}",
                found.critical, found.high, found.medium, found.low, found.unknown
            ));
        }
        (None, _) if built.digest.is_some() => parts.push("not scanned".into()),
        (None, _) => {}
    }
    parts.join("\n               ")
}

/// Of a million bytes, as budgets are written.
fn megabytes(bytes: u64) -> String {
    format!("{}.{:02} MB", bytes / 1_000_000, bytes % 1_000_000 / 10_000)
}

fn run(run: &Run) -> RunJson {
    let jobs: Vec<JobJson> = run
        .jobs
        .iter()
        .map(|job| {
            let (outcome, reason) = match &job.state {
                JobState::Passed => ("passed", None),
                JobState::Partly(reason) => ("partly", Some(reason.clone())),
                JobState::Failed => ("failed", None),
                JobState::Skipped(reason) => ("skipped", Some(reason.clone())),
            };
            let steps = job.steps.iter().map(|step| {
                let (outcome, reason, errors) = match &step.state {
                    StepState::Passed => ("passed", None, Vec::new()),
                    StepState::Skipped => ("skipped", None, Vec::new()),
                    StepState::LeftOut(reason) => ("left_out", Some(reason.clone()), Vec::new()),
                    StepState::Failed { reason, complaints, .. } => {
                        ("failed", Some(reason.clone()), complaints.iter().map(ToString::to_string).collect())
                    }
                };
                StepJson { name: step.name.clone(), outcome, reason, errors, seconds: step.seconds }
            });
            JobJson {
                id: job.id.clone(),
                name: job.name.clone(),
                outcome,
                reason,
                seconds: job.seconds,
                steps: steps.collect(),
            }
        })
        .collect();
    RunJson {
        image: run.image.clone(),
        passed: jobs.iter().all(|job| job.outcome != "failed"),
        evidence: run.evidence.clone(),
        jobs,
    }
}

/// What the workflow does beyond what was run, from the file and from what was left out.
fn not_rehearsed(runs: &[RunJson], workflow: &Workflow, tools: &Tools) -> Vec<String> {
    let mut items = Vec::new();
    let mut add = |item: String| {
        if !items.contains(&item) {
            items.push(item);
        }
    };
    for run in runs {
        for job in &run.jobs {
            if let ("skipped", Some(reason)) = (job.outcome, &job.reason) {
                add(format!("the job `{}`: {reason}", job.name));
            }
            let left_out = job.steps.iter().filter(|step| step.outcome == "left_out");
            let mut names_by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
            for step in left_out {
                let reason = step.reason.as_deref().unwrap_or_default();
                match names_by_reason.iter_mut().find(|(found, _)| *found == reason) {
                    Some((_, names)) => names.push(&step.name),
                    None => names_by_reason.push((reason, vec![&step.name])),
                }
            }
            for (reason, names) in names_by_reason {
                add(format!("in `{}`: {}: {reason}", job.name, names.join(", ")));
            }
        }
    }
    let mentions = |what: &str| {
        let mut steps = workflow.jobs.iter().flat_map(|job| &job.steps);
        steps.any(|step| match &step.work {
            Work::Run { script, .. } => format!("{script:?}").contains(what),
            Work::Action { name, .. } => name.contains(what),
        })
    };
    add("that AWS lets the pipeline in, and that ECR takes the images: `sbi init` and `sbi plan` check what they can"
        .into());
    if mentions("cosign sign") {
        add("signatures and attestations, which need the identity of a runner".into());
    }
    if mentions("codeql-action") {
        add("that the findings show in the repository's Security tab".into());
    }
    let foreign = if cfg!(target_arch = "aarch64") { "amd64" } else { "arm64" };
    if runs.iter().flat_map(|run| &run.evidence.architectures).any(|built| built.arch == foreign) {
        add(format!(
            "a runner of the architecture {foreign}: its image was built and scanned here, and nothing of it was run"
        ));
    }
    if tools.engine.kind != EngineKind::Docker {
        add("BuildKit, which the workflow pins by digest: it packs layers otherwise, so digests and sizes differ a little".into());
    }
    items
}

fn otherwise(source: &Source, tools: &Tools) -> Vec<String> {
    let mut items = Vec::new();
    if tools.engine.kind != EngineKind::Docker {
        items.push(format!("{} built, through a stand-in for docker", tools.engine.version));
    }
    if let Trivy::Installed { version, path } = &tools.trivy {
        items.push(format!("Trivy {version} at {} scanned, not the one that the workflow pins", path.display()));
    }
    let mut handed_on: Vec<&str> = tools.passed.variables.keys().map(String::as_str).collect();
    handed_on.retain(|name| name.starts_with("TRIVY_"));
    if !handed_on.is_empty() {
        items.push(format!("Trivy used settings of this machine: {}", handed_on.join(", ")));
    }
    if !tools.passed.withheld.is_empty() {
        let names = tools.passed.withheld.join(", ");
        items.push(format!("not handed to Trivy, because a runner doesn't have it: {names}"));
    }
    if source.has_changes {
        items.push("changes that are not committed are included; `--committed` leaves them out".into());
    }
    items.push("every job ran on this machine, one after the other, with its programs and its network".into());
    items
}
