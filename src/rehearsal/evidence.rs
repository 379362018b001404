//! What the jobs of a run left behind, read into figures: digests, sizes, findings, bills of material.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::runner::{JobRun, JobState};

/// How many findings of each severity the scan listed, accepted ones left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    pub critical: usize,
    pub high: usize,
    pub medium: usize,
    pub low: usize,
    pub unknown: usize,
}

/// One architecture's image and what the scan says about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Built {
    pub arch: String,
    /// Of the manifest.
    pub digest: Option<String>,
    /// Bytes that a pull transfers: the configuration and every compressed layer.
    pub bytes: Option<u64>,
    /// The most bytes it may be.
    pub size_budget: Option<u64>,
    pub packages: Option<usize>,
    pub findings: Option<Findings>,
    /// Paths of the bills of material.
    pub sboms: Vec<PathBuf>,
}

/// What one image's run left.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    pub architectures: Vec<Built>,
    /// Of the index that the publish job merged.
    pub index_digest: Option<String>,
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replacen(':', "/", 1))
}

fn only_manifest(layout: &Path) -> Option<String> {
    let index = json(&layout.join("index.json"))?;
    match index["manifests"].as_array()?.as_slice() {
        [one] => one["digest"].as_str().map(str::to_owned),
        _ => None,
    }
}

fn transferred(layout: &Path, digest: &str) -> Option<u64> {
    let manifest = json(&blob(layout, digest))?;
    let layers = manifest["layers"].as_array()?.iter().map(|layer| layer["size"].as_u64());
    layers.chain([manifest["config"]["size"].as_u64()]).sum()
}

fn findings(report: &Value) -> Findings {
    let mut found = Findings::default();
    let results = report["Results"].as_array().into_iter().flatten();
    let lists = results.flat_map(|result| [&result["Vulnerabilities"], &result["Secrets"]]);
    for finding in lists.filter_map(Value::as_array).flatten() {
        *match finding["Severity"].as_str() {
            Some("CRITICAL") => &mut found.critical,
            Some("HIGH") => &mut found.high,
            Some("MEDIUM") => &mut found.medium,
            Some("LOW") => &mut found.low,
            _ => &mut found.unknown,
        } += 1;
    }
    found
}

impl Built {
    fn read(arch: &str, artifacts: &Path, size_budget: Option<u64>) -> Self {
        let layout = artifacts.join(format!("image-{arch}"));
        let evidence = artifacts.join(format!("evidence-{arch}"));
        let digest = only_manifest(&layout);
        let report = json(&evidence.join("trivy.json"));
        let packages = report.as_ref().map(|report| {
            let results = report["Results"].as_array().into_iter().flatten();
            results.filter_map(|result| result["Packages"].as_array()).map(Vec::len).sum()
        });
        let sboms = ["sbom.spdx.json", "sbom.cdx.json"].map(|name| evidence.join(name));
        Self {
            arch: arch.to_owned(),
            bytes: digest.as_deref().and_then(|digest| transferred(&layout, digest)),
            digest,
            size_budget,
            packages,
            findings: report.as_ref().map(findings),
            sboms: sboms.into_iter().filter(|path| path.is_file()).collect(),
        }
    }
}

impl Evidence {
    /// Reads the artifacts of a run, and the index in the work folder of the job that merges.
    #[must_use]
    pub fn read(artifacts: &Path, jobs: &[JobRun]) -> Self {
        let size_budget = json(&artifacts.join("plan/plan.json")).and_then(|plan| match &plan["size_budget"] {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        });
        let mut arches: Vec<&str> = Vec::new();
        for arch in jobs.iter().filter(|job| !job.work.as_os_str().is_empty()).filter_map(|job| job.arch.as_deref()) {
            if !arches.contains(&arch) {
                arches.push(arch);
            }
        }
        let merged = merged_layout(jobs);
        Self {
            architectures: arches.into_iter().map(|arch| Built::read(arch, artifacts, size_budget)).collect(),
            index_digest: merged.and_then(|layout| only_manifest(&layout)),
        }
    }
}

/// The layout that the publish job made of the single images, when it came so far.
#[must_use]
pub fn merged_layout(jobs: &[JobRun]) -> Option<PathBuf> {
    let ran = jobs.iter().filter(|job| matches!(job.state, JobState::Passed | JobState::Partly(_)));
    let layouts = ran.filter(|job| !job.work.as_os_str().is_empty()).map(|job| job.work.join("merged"));
    layouts.into_iter().find(|layout| layout.join("index.json").is_file())
}
