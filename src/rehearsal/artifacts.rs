//! The artifacts of a run, as folders: what upload-artifact and download-artifact do, without a server between.

use std::path::{Component, Path, PathBuf};

use super::scope::{Gap, Scope};
use super::value;
use super::workflow::Variables;

/// Why an action failed or can't be rehearsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// As the action itself would fail.
    Failed(String),
    Gap(Gap),
}

impl From<Gap> for Refusal {
    fn from(gap: Gap) -> Self {
        Self::Gap(gap)
    }
}

fn failed(what: impl std::fmt::Display) -> Refusal {
    Refusal::Failed(what.to_string())
}

/// The inputs of an action with their values. An input that is not in `known` is a `Gap`.
pub(super) struct Inputs(Vec<(String, String)>);

impl Inputs {
    pub(super) fn read(with: &Variables, known: &[&str], scope: &Scope) -> Result<Self, Gap> {
        let mut inputs = Vec::new();
        for (name, template) in with {
            if !known.contains(&name.as_str()) {
                return Err(Gap::Unknown(format!("the rehearsal of this action does not know its input `{name}`")));
            }
            inputs.push((name.clone(), value::text(&scope.fill(template)?)));
        }
        Ok(Self(inputs))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

/// All artifacts of one run.
pub(super) struct Artifacts {
    pub(super) folder: PathBuf,
}

impl Artifacts {
    /// `actions/upload-artifact`; says what was kept.
    pub(super) fn upload(&self, with: &Variables, scope: &Scope, workspace: &Path) -> Result<String, Refusal> {
        let known = [
            "name",
            "path",
            "if-no-files-found",
            "retention-days",
            "include-hidden-files",
            "overwrite",
            "compression-level",
        ];
        let inputs = Inputs::read(with, &known, scope)?;
        let name = inputs.get("name").unwrap_or("artifact");
        if name.starts_with('.') || name.contains(['"', ':', '<', '>', '|', '*', '?', '\r', '\n', '\\', '/']) {
            return Err(failed(format!("`{name}` can't be the name of an artifact")));
        }
        let hidden = inputs.is_on("include-hidden-files");
        let (root, files) = self.found(inputs.get("path").unwrap_or_default(), workspace, hidden)?;
        let target = self.folder.join(name);
        if files.is_empty() {
            let message = format!("no files were found for artifact {name}");
            return if inputs.get("if-no-files-found") == Some("error") { Err(failed(message)) } else { Ok(message) };
        }
        if target.exists() {
            if !inputs.is_on("overwrite") {
                return Err(failed(format!("an artifact {name} exists already in this run")));
            }
            std::fs::remove_dir_all(&target).map_err(failed)?;
        }
        for file in &files {
            copy(file, &target.join(file.strip_prefix(&root).map_err(failed)?)).map_err(failed)?;
        }
        Ok(format!("artifact {name}: {} files", files.len()))
    }

    /// The files that `path` names and the folder that they are relative to: the one folder, or what all have in common.
    fn found(&self, path: &str, workspace: &Path, hidden: bool) -> Result<(PathBuf, Vec<PathBuf>), Refusal> {
        let names: Vec<&str> = path.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
        if let Some(pattern) = names.iter().find(|name| name.contains(['*', '?', '[']) || name.starts_with('!')) {
            return Err(
                Gap::Unknown(format!("the path `{pattern}` has a pattern; the rehearsal knows names only")).into()
            );
        }
        let mut files = Vec::new();
        for name in &names {
            let place = workspace.join(name.trim_end_matches('/'));
            if place.is_dir() {
                collect(&place, hidden, &mut files).map_err(failed)?;
            } else if place.is_file() {
                files.push(place);
            }
        }
        let root = match names.as_slice() {
            [one] if workspace.join(one).is_dir() => workspace.join(one.trim_end_matches('/')),
            _ => common_folder(&files).unwrap_or_else(|| workspace.to_owned()),
        };
        Ok((root, files))
    }

    /// `actions/download-artifact`; says what was brought.
    pub(super) fn download(&self, with: &Variables, scope: &Scope, workspace: &Path) -> Result<String, Refusal> {
        let inputs = Inputs::read(with, &["name", "path", "pattern", "merge-multiple"], scope)?;
        let target = workspace.join(inputs.get("path").unwrap_or("."));
        if let Some(name) = inputs.get("name") {
            let artifact = self.folder.join(name);
            if !artifact.is_dir() {
                return Err(failed(format!("there is no artifact {name} in this run")));
            }
            copy_folder(&artifact, &target).map_err(failed)?;
            return Ok(format!("artifact {name}"));
        }
        let mut names: Vec<String> = std::fs::read_dir(&self.folder)
            .map_err(failed)?
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| inputs.get("pattern").is_none_or(|pattern| matches(pattern, name)))
            .collect();
        names.sort();
        for name in &names {
            let place = if inputs.is_on("merge-multiple") { target.clone() } else { target.join(name) };
            copy_folder(&self.folder.join(name), &place).map_err(failed)?;
        }
        Ok(format!("artifacts {}", names.join(", ")))
    }
}

/// Whether the name fits the pattern, or one of its alternatives in `{a,b}`.
fn matches(pattern: &str, name: &str) -> bool {
    if let Some((before, rest)) = pattern.split_once('{')
        && let Some((alternatives, after)) = rest.split_once('}')
    {
        return alternatives.split(',').any(|one| matches(&format!("{before}{one}{after}"), name));
    }
    fits(pattern, name)
}

/// Whether `*` in a pattern can stand for what the name has there.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn collect(folder: &Path, hidden: bool, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_hidden && !hidden {
            continue;
        }
        if path.is_dir() { collect(&path, hidden, into)? } else { into.push(path) }
    }
    Ok(())
}

fn common_folder(files: &[PathBuf]) -> Option<PathBuf> {
    let mut common: Vec<Component<'_>> = files.first()?.parent()?.components().collect();
    for file in files {
        let shared = common.iter().zip(file.components()).take_while(|(left, right)| **left == *right).count();
        common.truncate(shared);
    }
    Some(common.iter().collect())
}

/// Without the permissions of a file, which an artifact doesn't keep.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::io::copy(&mut std::fs::File::open(from)?, &mut std::fs::File::create(to)?).map(|_| ())
}

/// Every file below `from`, also below `to`.
pub(super) fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut files = Vec::new();
    collect(from, true, &mut files)?;
    std::fs::create_dir_all(to)?;
    for file in files {
        copy(&file, &to.join(file.strip_prefix(from).unwrap_or(&file)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_part_of_a_name_and_braces_hold_alternatives() {
        for (pattern, name) in [
            ("evidence-*", "evidence-amd64"),
            ("*", "plan"),
            ("i*-*64", "image-arm64"),
            ("plan", "plan"),
            ("{plan,image-*}", "image-arm64"),
            ("{plan,image-*}", "plan"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("evidence-*", "image-amd64"),
            ("plan", "plans"),
            ("*64", "amd64-x"),
            ("a*b*c", "acb"),
            ("{plan,image-*}", "planx"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn several_paths_are_relative_to_what_they_have_in_common() {
        let files = [PathBuf::from("/w/a/b/c.json"), PathBuf::from("/w/a/d.json")];
        assert_eq!(common_folder(&files), Some(PathBuf::from("/w/a")));
        assert_eq!(common_folder(&[]), None);
    }
}
