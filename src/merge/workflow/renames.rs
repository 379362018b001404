//! Jobs that the publisher gave another name: what we know by the old name is written with the new one.

use super::align;
use super::edits::Edits;
use super::tree::{Document, Kind, Node};
use super::values::Value;

/// A job's old and new key.
pub(super) type Rename = (String, String);

/// Jobs of the base that theirs has under another key, with the same content or most of the same steps.
pub(super) fn renamed_jobs(base: &Value, ours: &Value, theirs: &Value) -> Vec<Rename> {
    let jobs = |workflow: &Value| workflow.get("jobs").map(Value::entries).unwrap_or_default().to_vec();
    let (base, ours, theirs) = (jobs(base), jobs(ours), jobs(theirs));
    let has = |jobs: &[(String, Value)], key: &str| jobs.iter().any(|(name, _)| name == key);
    let mut renames: Vec<Rename> = Vec::new();
    for (old, job) in base.iter().filter(|(key, _)| !has(&theirs, key)) {
        let is_new = |key: &String| !has(&base, key) && !has(&ours, key) && !renames.iter().any(|(_, new)| new == key);
        let mut likely: Vec<(usize, &String)> = theirs
            .iter()
            .filter(|(key, _)| is_new(key))
            .filter_map(|(key, other)| likeness(job, other).map(|likeness| (likeness, key)))
            .collect();
        likely.sort_unstable();
        if let Some((best, new)) = likely.pop()
            && likely.last().is_none_or(|(second, _)| *second < best)
        {
            renames.push((old.clone(), new.clone()));
        }
    }
    renames
}

/// How many steps in a hundred are the same, or `None` when it is another job.
fn likeness(job: &Value, other: &Value) -> Option<usize> {
    let steps = |job: &Value| job.get("steps").map(Value::items).unwrap_or_default().to_vec();
    let (one, two) = (steps(job), steps(other));
    if one.is_empty() {
        let calls = |job: &Value| job.get("uses").map(Value::unpinned);
        return (job.unpinned().means(&other.unpinned()) || (calls(job).is_some() && calls(job) == calls(other)))
            .then_some(100);
    }
    let unpinned = |steps: &[Value]| -> Vec<Value> { steps.iter().map(Value::unpinned).collect() };
    let same = align::equal(&unpinned(&one), &unpinned(&two));
    let likeness = same * 100 / one.len().max(two.len());
    (likeness >= 50).then_some(likeness)
}

/// The text with the new names: keys, `needs`, and `needs.NAME` in expressions.
pub(super) fn with_new_names(document: &Document<'_>, renames: &[Rename]) -> Option<String> {
    let mut edits = Edits::default();
    let new_name = |old: &str| renames.iter().find(|(from, _)| from == old).map(|(_, to)| to.as_str());
    let jobs = document.root.child("jobs").map(|jobs| jobs.value.children()).unwrap_or_default();
    for job in jobs {
        if let Some(new) = job.key.as_deref().and_then(new_name) {
            edits.replace(
                new,
                job.start..job.start + document.text[job.start..job.colon].trim_end_matches([':', ' ']).len(),
                new,
            );
        }
        if let Some(needs) = job.value.child("needs") {
            let listed = needs.value.children().iter().map(|item| &item.value);
            for node in listed.chain([&needs.value]) {
                if let (Kind::Scalar { value, .. }, Node { content, range, .. }) = (&node.kind, node)
                    && let Some(new) = new_name(value.text())
                {
                    edits.replace(new, *content..range.end, new);
                }
            }
        }
        let whole = job.value.range.clone();
        for (old, new) in renames {
            let context = format!("needs.{old}.");
            for (at, _) in document.text[whole.clone()].match_indices(&context) {
                let name = whole.start + at + "needs.".len();
                edits.replace(new, name..name + old.len(), new);
            }
        }
    }
    edits.apply(document.text).ok()
}
