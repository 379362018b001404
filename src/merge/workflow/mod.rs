//! Three-way merging of workflows by what they mean. Our changes are written into the publisher's text by byte range, so
//! every other byte of it stays; then the result is read again and held against a merge of the plain values, which knows
//! no text. What doesn't agree is a conflict, never a guess.

mod align;
mod comments;
mod edits;
mod expect;
mod pins;
mod place;
mod read;
mod references;
mod renames;
mod text;
mod tree;
mod values;
mod weave;

use super::{Clean, Hunk, Merged, Note};
use crate::model::action_pin::ActionPin;
use tree::Document;
use values::Value;
use weave::Weave;

/// Merges what this version renders and what the publisher made of the last render, for a workflow or Dependabot's
/// configuration.
#[must_use]
pub fn merge(base: &str, ours: &str, theirs: &str) -> Merged {
    if base == theirs || ours == theirs {
        return Merged::Clean(Clean { text: ours.to_owned(), notes: Vec::new() });
    }
    match merged(base, ours, theirs) {
        Ok(clean) => Merged::Clean(clean),
        // Nothing of ours is lost when there is nothing new.
        Err(_) if base == ours => {
            let notes = read::read(theirs).map(|document| known_bad(&meaning(&document))).unwrap_or_default();
            Merged::Clean(Clean { text: theirs.to_owned(), notes })
        }
        Err(hunks) => Merged::Conflict(hunks),
    }
}

fn merged(base: &str, ours: &str, theirs: &str) -> Result<Clean, Vec<Hunk>> {
    let whole = |why: String| {
        let [base, ours, theirs] = differing([base, ours, theirs]);
        vec![Hunk { place: format!("the whole file: {why}"), base, ours, theirs }]
    };
    let read = |text, whose: &str| read::read(text).map_err(|why| whole(format!("{why}, in the {whose} text")));
    let unsafe_to_merge = || whole("it could not be merged safely".to_owned());

    let their_document = read::read(theirs).map_err(whole)?;
    let (mut base_document, mut our_document) = (read(base, "last rendered")?, read(ours, "newly rendered")?);
    let renames = renames::renamed_jobs(&meaning(&base_document), &meaning(&our_document), &meaning(&their_document));
    let renamed = |document: &Document<'_>| renames::with_new_names(document, &renames).ok_or_else(unsafe_to_merge);
    let (new_base, new_ours) = (renamed(&base_document)?, renamed(&our_document)?);
    if !renames.is_empty() {
        (base_document, our_document) = (read(&new_base, "last rendered")?, read(&new_ours, "newly rendered")?);
    }

    let weave = Weave::of(&base_document, &our_document, &their_document);
    if !weave.hunks.is_empty() {
        return Err(weave.hunks);
    }
    let mut notes = weave.notes;
    let text = weave.edits.apply(theirs).map_err(|_| unsafe_to_merge())?;

    let result = read::read(&text).map_err(|_| unsafe_to_merge())?;
    let (there, found) = (meaning(&their_document), meaning(&result));
    let wanted = expect::expect(&[], Some(&meaning(&base_document)), &meaning(&our_document), &there);
    if !wanted.is_some_and(|wanted| wanted.means(&found)) || !keeps_comments(&base_document, &their_document, &result) {
        return Err(unsafe_to_merge());
    }
    let new = references::dangling(&found).difference(&references::dangling(&there)).cloned().collect::<Vec<_>>();
    if !new.is_empty() {
        return Err(new.iter().map(|dangling| missing(dangling, &our_document, &their_document)).collect());
    }

    for (old, new) in &renames {
        let place = their_document.root.child("jobs").and_then(|jobs| jobs.value.child(new)).map_or(0, |job| job.start);
        let what = format!("is {old} under another name, and gets its changes");
        notes.push((place, Note { place: format!("jobs.{new}"), what }));
    }
    let new_loose = comments::beyond(&comments::loose(&our_document), &comments::loose(&base_document));
    let left_out = comments::beyond(&new_loose, &result.comments_in(&(0..text.len())));
    if !left_out.is_empty() {
        let what = format!("leaves out what a comment of this version says: {}", left_out.join(" "));
        notes.push((text.len(), Note { place: "comments".into(), what }));
    }
    notes.sort_by_key(|(at, _)| *at);
    let notes = notes.into_iter().map(|(_, note)| note).chain(known_bad(&found)).collect();
    Ok(Clean { text, notes })
}

fn meaning(document: &Document<'_>) -> Value {
    Value::of(&document.root, Some(document)).shaped(&[])
}

/// The texts without the lines at both ends that all have.
fn differing(texts: [&str; 3]) -> [String; 3] {
    let lines = texts.map(|text| text.lines().collect::<Vec<_>>());
    let shortest = lines.iter().map(Vec::len).min().unwrap_or(0);
    let same = |of: &dyn Fn(&Vec<&str>) -> usize| lines.iter().all(|all| all[of(all)] == lines[0][of(&lines[0])]);
    let first = (0..shortest).take_while(|&at| same(&|_| at)).count();
    let last = (1..=shortest - first).take_while(|&at| same(&|all| all.len() - at)).count();
    lines.each_ref().map(|all| all[first..all.len() - last].join("\n"))
}

/// Every comment that the publisher wrote is still there.
fn keeps_comments(base: &Document<'_>, theirs: &Document<'_>, result: &Document<'_>) -> bool {
    let everything = |document: &Document<'_>| 0..document.text.len();
    let own = comments::beyond(&theirs.comments_in(&everything(theirs)), &base.comments_in(&everything(base)));
    comments::beyond(&own, &result.comments_in(&everything(result))).is_empty()
}

/// Something of the result refers to what the publisher does not have any more, or we not.
fn missing(dangling: &references::Dangling, ours: &Document<'_>, theirs: &Document<'_>) -> Hunk {
    let excerpt = |document: &Document<'_>| {
        let job = document.root.child("jobs").and_then(|jobs| jobs.value.child(&dangling.job).cloned());
        job.and_then(|job| {
            job.value.child("needs").map(|needs| document.text[needs.start..needs.value.range.end].to_owned())
        })
        .unwrap_or_default()
    };
    let place = format!("jobs.{}: there would be no {}, which it needs", dangling.job, dangling.what);
    Hunk { place, base: String::new(), ours: excerpt(ours), theirs: excerpt(theirs) }
}

/// Commits known to be malicious, wherever they stand.
fn known_bad(workflow: &Value) -> Vec<Note> {
    let mut found = Vec::new();
    let mut todo = vec![(String::new(), workflow)];
    while let Some((place, value)) = todo.pop() {
        for (key, value) in value.entries().iter().rev() {
            let below = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            if key == "uses" && ActionPin::read(value.text()).is_some_and(|pin| pin.is_known_bad()) {
                let what = format!("uses {}, a commit known to be malicious", value.text());
                found.push(Note { place: below.clone(), what });
            }
            todo.push((below, value));
        }
        for (index, item) in value.items().iter().enumerate().rev() {
            let name = align::name_of(item).unwrap_or_else(|| (index + 1).to_string());
            todo.push((format!("{place}.{name}"), item));
        }
    }
    found
}
