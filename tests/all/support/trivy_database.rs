//! Vulnerability databases for the real Trivy, made for a test: what they hold is what Trivy finds.

use std::path::Path;

use serde_json::json;

use super::bbolt::Bucket;

/// Severities as Trivy's database spells them.
pub(crate) const CRITICAL: &str = "CRITICAL";
pub(crate) const HIGH: &str = "HIGH";
pub(crate) const MEDIUM: &str = "MEDIUM";

/// The source of Go's own findings, as Trivy's database names it.
const GO: &str = "go::The Go Vulnerability Database";

#[derive(Clone, Debug)]
pub(crate) struct Database(Bucket);

impl Database {
    /// A database that knows of Debian and Go, and of a vulnerability in a package that no image has.
    pub(crate) fn clean() -> Self {
        let mut root = Bucket::default();
        for release in ["debian 11", "debian 12", "debian 13"] {
            let source = json!({"ID": "debian", "Name": "Debian Security Tracker", "URL": "https://security-tracker.debian.org"});
            root.put(&["data-source", release], &source.to_string());
        }
        let source =
            json!({"ID": "govulndb", "Name": "The Go Vulnerability Database", "URL": "https://pkg.go.dev/vuln/"});
        root.put(&["data-source", GO], &source.to_string());
        Self(root).debian("absent-package", "CVE-2026-10000", CRITICAL, Some("2.0-1"))
    }

    /// A vulnerability of a Debian 13 *source* package, with the version that fixes it, or none yet.
    pub(crate) fn debian(mut self, package: &str, id: &str, severity: &str, fixed: Option<&str>) -> Self {
        // Status 2 is "affected".
        let advisory = fixed.map_or(json!({"Status": 2}), |version| json!({"FixedVersion": version}));
        self.0.put(&["debian 13", package, id], &advisory.to_string());
        self.describe(id, severity, &format!("{package}: a planted vulnerability"))
    }

    /// A vulnerability of Go's standard library in every version before `fixed`.
    pub(crate) fn go_standard_library(mut self, id: &str, severity: &str, fixed: &str) -> Self {
        let advisory = json!({"PatchedVersions": [fixed], "VulnerableVersions": [format!("<{fixed}")]});
        self.0.put(&[GO, "stdlib", id], &advisory.to_string());
        self.describe(id, severity, "stdlib: a planted vulnerability")
    }

    fn describe(mut self, id: &str, severity: &str, title: &str) -> Self {
        let level = match severity {
            CRITICAL => 4,
            HIGH => 3,
            MEDIUM => 2,
            other => panic!("{other} is no severity of these tests"),
        };
        let detail = json!({
            "Title": title,
            "Description": "Planted by a test.",
            "Severity": severity,
            "VendorSeverity": {"nvd": level},
            "References": [format!("https://www.cve.org/CVERecord?id={id}")],
        });
        self.0.put(&["vulnerability", id], &detail.to_string());
        self
    }

    /// Writes the database into a cache folder of Trivy, as one that needs no update for a century.
    pub(crate) fn write(&self, cache: &Path) {
        let folder = cache.join("db");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("trivy.db"), self.0.to_file()).unwrap();
        let metadata = json!({
            "Version": 2,
            "NextUpdate": "2126-01-01T00:00:00Z",
            "UpdatedAt": "2026-11-01T06:00:00Z",
            "DownloadedAt": "2026-11-01T07:00:00Z",
        });
        std::fs::write(folder.join("metadata.json"), metadata.to_string()).unwrap();
    }
}
