//! What `permissions` let a job's token do, and whether a merge gave one more than either side did.

use std::collections::BTreeMap;

use super::document::{Node, below, entries, get, is_mapping, jobs, scalar};
use crate::merge::Note;

/// What GitHub knows, and what the token gets of it at most.
pub(super) const SCOPES: &[(&str, &[&str])] = &[
    ("actions", &["read", "write", "none"]),
    ("artifact-metadata", &["read", "write", "none"]),
    ("attestations", &["read", "write", "none"]),
    ("checks", &["read", "write", "none"]),
    ("code-quality", &["read", "write", "none"]),
    ("contents", &["read", "write", "none"]),
    ("copilot-requests", &["read", "write", "none"]),
    ("deployments", &["read", "write", "none"]),
    ("discussions", &["read", "write", "none"]),
    ("id-token", &["write", "none"]),
    ("issues", &["read", "write", "none"]),
    ("models", &["read", "none"]),
    ("packages", &["read", "write", "none"]),
    ("pages", &["read", "write", "none"]),
    ("pull-requests", &["read", "write", "none"]),
    ("repository-projects", &["read", "write", "none"]),
    ("security-events", &["read", "write", "none"]),
    ("statuses", &["read", "write", "none"]),
    ("vulnerability-alerts", &["read", "write", "none"]),
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    #[default]
    None,
    Read,
    Write,
}

/// What one `permissions` grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// None is written: what the repository's settings give, which may be everything but tokens for others.
    Default,
    /// `write-all`
    Everything,
    /// `read-all`
    Reads,
    Listed(BTreeMap<String, Level>),
}

impl Grant {
    fn of(node: &Node<'_>) -> Self {
        match scalar(node).as_deref() {
            Some("write-all") => Self::Everything,
            Some("read-all") => Self::Reads,
            _ => Self::Listed(
                entries(node)
                    .map(|(scope, level)| match scalar(level).as_deref() {
                        Some("write") => (scope, Level::Write),
                        Some("read") => (scope, Level::Read),
                        _ => (scope, Level::None),
                    })
                    .collect(),
            ),
        }
    }

    /// What the workflow gives to jobs that say nothing.
    pub(super) fn of_workflow(workflow: &Node<'_>) -> Self {
        get(workflow, "permissions").map_or(Self::Default, Self::of)
    }

    /// What a job has.
    pub(super) fn of_job(workflow: &Node<'_>, job: &Node<'_>) -> Self {
        get(job, "permissions").map_or_else(|| Self::of_workflow(workflow), Self::of)
    }

    pub(super) fn level(&self, scope: &str) -> Level {
        match self {
            Self::Everything => Level::Write,
            Self::Default | Self::Reads if scope == "id-token" => Level::None,
            Self::Default => Level::Write,
            Self::Reads => Level::Read,
            Self::Listed(levels) => levels.get(scope).copied().unwrap_or_default(),
        }
    }

    /// What it has beyond all of `others` together.
    fn beyond(&self, others: &[Self]) -> Vec<String> {
        let listed = |grant: &Self| match grant {
            Self::Listed(levels) => levels.keys().cloned().collect(),
            _ => Vec::new(),
        };
        let mut scopes: Vec<String> = SCOPES.iter().map(|(scope, _)| (*scope).to_owned()).collect();
        scopes.extend(listed(self));
        scopes.sort();
        scopes.dedup();
        let more = scopes.into_iter().filter_map(|scope| {
            let level = self.level(&scope);
            let allowed = others.iter().map(|other| other.level(&scope)).max().unwrap_or_default();
            (level > allowed).then(|| format!("{scope}: {}", if level == Level::Write { "write" } else { "read" }))
        });
        more.collect()
    }
}

/// Names and values that GitHub does not know.
pub(super) fn flaws(place: &str, node: &Node<'_>) -> Vec<Note> {
    if !is_mapping(node) {
        let known = scalar(node).is_some_and(|text| matches!(text.as_str(), "read-all" | "write-all"));
        let what = "it is neither `read-all`, `write-all` nor a mapping of permissions".to_owned();
        return if known { Vec::new() } else { vec![Note { place: place.to_owned(), what }] };
    }
    let flaw = |(scope, level): (String, &Node<'_>)| {
        let what = match SCOPES.iter().find(|(known, _)| *known == scope) {
            None => format!("`{scope}` is no permission"),
            Some((_, levels)) if !scalar(level).is_some_and(|level| levels.contains(&level.as_str())) => {
                format!("`{scope}` can be {}", levels.join(", "))
            }
            Some(_) => return None,
        };
        Some(Note { place: below(place, &scope), what })
    };
    entries(node).filter_map(flaw).collect()
}

/// Whose token can do more than in either side's file.
pub(super) fn excess(merged: &Node<'_>, theirs: &Node<'_>, ours: &Node<'_>) -> Vec<Note> {
    let mut found = Vec::new();
    let mut report = |place: String, more: Vec<String>| {
        if !more.is_empty() {
            let what = format!("its token gets {}, which neither side's gives it", more.join(", "));
            found.push(Note { place, what });
        }
    };
    let both = [Grant::of_workflow(theirs), Grant::of_workflow(ours)];
    report("permissions".into(), Grant::of_workflow(merged).beyond(&both));
    let jobs_of = |workflow| jobs(workflow).into_iter().map(|job| (job.id, Grant::of_job(workflow, job.node)));
    let (theirs, ours): (BTreeMap<_, _>, BTreeMap<_, _>) = (jobs_of(theirs).collect(), jobs_of(ours).collect());
    let merged: Vec<(String, Grant)> = jobs_of(merged).collect();
    for (id, grant) in &merged {
        let mut allowed: Vec<Grant> = [theirs.get(id), ours.get(id)].into_iter().flatten().cloned().collect();
        if !ours.contains_key(id) {
            // A job that they renamed has what ours has under its old name.
            let gone = ours.iter().filter(|(id, _)| !merged.iter().any(|(merged, _)| merged == *id));
            allowed.extend(gone.map(|(_, grant)| grant.clone()));
        }
        report(below("jobs", id), grant.beyond(&allowed));
    }
    found
}
