//! The actions that the rendered workflows use, as far as their jobs can tell the difference.

use std::collections::BTreeMap;
use std::path::Path;

use serde_yaml_ng::Value;

use super::super::expressions::Scope;
use super::super::layout::copy;
use super::{Run, Upload, scalar};

impl Run {
    /// What a step's action does, for exactly those that the workflows use.
    pub(super) fn action(
        &mut self,
        job: &str,
        step: &Value,
        scope: &Scope,
        work: &Path,
    ) -> Option<BTreeMap<String, String>> {
        let with = |name: &str| match &step["with"][name] {
            Value::Null => String::new(),
            value => scope.fill(&scalar(value)),
        };
        let none = Some(BTreeMap::new());
        match step["uses"].as_str().unwrap().split('@').next().unwrap() {
            "actions/checkout" => {
                copy(&self.repository(), work);
                none
            }
            "actions/upload-artifact" => {
                let target = self.artifact(&with("name"));
                let _ = std::fs::remove_dir_all(&target);
                let mut found = false;
                for path in with("path").lines().filter(|line| !line.is_empty()) {
                    let path = work.join(path);
                    if path.is_dir() {
                        copy(&path, &target);
                    } else if path.is_file() {
                        std::fs::create_dir_all(&target).unwrap();
                        std::fs::copy(&path, target.join(path.file_name().unwrap())).unwrap();
                    }
                    found |= path.exists();
                }
                if found || with("if-no-files-found") != "error" { none } else { None }
            }
            "actions/download-artifact" => {
                let target = work.join(with("path"));
                if !with("name").is_empty() {
                    let artifact = self.artifact(&with("name"));
                    return artifact.is_dir().then(|| {
                        copy(&artifact, &target);
                        BTreeMap::new()
                    });
                }
                let pattern = with("pattern");
                for entry in std::fs::read_dir(self.at("artifacts")).unwrap() {
                    let name = entry.unwrap().file_name().into_string().unwrap();
                    if fits(&pattern, &name) {
                        let merged = with("merge-multiple") == "true";
                        copy(&self.artifact(&name), &if merged { target.clone() } else { target.join(&name) });
                    }
                }
                none
            }
            "aws-actions/configure-aws-credentials" => {
                self.roles.push((job.to_owned(), with("role-to-assume")));
                let outputs = [
                    ("aws-access-key-id", "ASIAEXAMPLE"),
                    ("aws-secret-access-key", "a-secret-of-one-hour"),
                    ("aws-session-token", "a-session"),
                    ("aws-account-id", "123456789012"),
                ];
                Some(outputs.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
            }
            "github/codeql-action/upload-sarif" => {
                let text = std::fs::read_to_string(work.join(with("sarif_file"))).ok()?;
                self.uploads.push(Upload { category: with("category"), text });
                none
            }
            unknown => panic!("nobody knows what {unknown} does"),
        }
    }
}

/// Whether a name fits a pattern: nothing, `start*`, or `{one,two*}`.
fn fits(pattern: &str, name: &str) -> bool {
    let inner = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(pattern);
    pattern.is_empty()
        || inner.split(',').any(|one| one.strip_suffix('*').map_or(name == one, |start| name.starts_with(start)))
}
