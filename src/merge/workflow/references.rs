//! What a workflow refers to by name and does not have: jobs that are needed, steps whose outputs are read.

use std::collections::BTreeSet;

use super::values::Value;

/// A job and what it refers to in vain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dangling {
    pub(super) job: String,
    /// `job build`, `step tag`.
    pub(super) what: String,
}

/// Every reference of a workflow that leads nowhere.
pub(super) fn dangling(workflow: &Value) -> BTreeSet<Dangling> {
    let jobs = workflow.get("jobs").map(Value::entries).unwrap_or_default();
    let mut found = BTreeSet::new();
    for (name, job) in jobs {
        let mut report = |what: String| {
            found.insert(Dangling { job: name.clone(), what });
        };
        let mut texts = Vec::new();
        collect(job, &mut texts);
        let needs = job.get("needs").map(Value::items).unwrap_or_default().iter().map(|need| need.text().to_owned());
        let read = texts.iter().flat_map(|text| named(text, "needs."));
        for other in needs.chain(read).filter(|other| !jobs.iter().any(|(name, _)| name == other)) {
            report(format!("job {other}"));
        }
        let steps = job.get("steps").map(Value::items).unwrap_or_default();
        let ids: BTreeSet<&str> = steps.iter().filter_map(|step| step.get("id")).map(Value::text).collect();
        for step in texts.iter().flat_map(|text| named(text, "steps.")).filter(|step| !ids.contains(step.as_str())) {
            report(format!("step {step}"));
        }
    }
    found
}

fn collect<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    value.entries().iter().for_each(|(_, value)| collect(value, texts));
    value.items().iter().for_each(|item| collect(item, texts));
    // An expression, or an `if` that is one as a whole.
    if value.text().contains("steps.") || value.text().contains("needs.") {
        texts.push(value.text());
    }
}

/// The names behind `needs.` or `steps.` in a text's expressions, followed by what is read of them.
fn named(text: &str, context: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut names = Vec::new();
    for (at, _) in text.match_indices(context) {
        let is_word = text[..at].chars().next_back().is_some_and(|c| is_name(c) || c == '.' || c == '/');
        let rest = &text[at + context.len()..];
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let reads = ["outputs", "outcome", "conclusion", "result"];
        let is_read = rest[length..].strip_prefix('.').is_some_and(|of| reads.iter().any(|read| of.starts_with(read)));
        if !is_word && is_read && length > 0 {
            names.push(rest[..length].to_owned());
        }
    }
    names
}
