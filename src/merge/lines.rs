//! Merging by lines: for everything that is no workflow. Two changes of different places go together; two of the same
//! place, or of lines without an untouched one between them, are a conflict.
//!
//! Line ends are no part of a line's meaning: the result has those of the publisher. Neither are the digests behind the
//! images of a Dockerfile, which tools on both sides renew on their own.

mod changes;
mod digests;
mod text;

use super::{Clean, Hunk, Merged, Note};
use changes::Chunk;
use digests::Digests;
use text::Text;

/// The text that holds what `ours` and `theirs` each made of `base`.
#[must_use]
pub fn merge(base: &str, ours: &str, theirs: &str) -> Merged {
    if theirs == base {
        return whole(ours);
    }
    if ours == base || ours == theirs {
        return whole(theirs);
    }
    let [base, ours, theirs] = [base, ours, theirs].map(Text::read);
    let [base_keys, ours_keys, theirs_keys] = [&base, &ours, &theirs].map(digests::without);
    let chunks = changes::between(&base_keys, &ours_keys, &theirs_keys);
    let hunks: Vec<Hunk> = chunks
        .iter()
        .filter_map(|chunk| match chunk {
            Chunk::Both { base: was, ours: new, theirs: there } => Some(Hunk {
                place: place(there.start.min(theirs.lines.len().saturating_sub(1))),
                base: base.slice(was.clone()),
                ours: ours.slice(new.clone()),
                theirs: theirs.slice(there.clone()),
            }),
            Chunk::Theirs(_) | Chunk::Ours(_) => None,
        })
        .collect();
    if !hunks.is_empty() {
        return Merged::Conflict(hunks);
    }
    let mut digests = Digests::of(&base, &ours, &theirs);
    let mut merged = Vec::new();
    for chunk in chunks {
        match chunk {
            Chunk::Theirs(lines) => {
                merged.extend(theirs.lines[lines].iter().map(|line| (digests.decide(line.text), line.end)));
            }
            // Its line end is ours, which says nothing about this file.
            Chunk::Ours(lines) => merged.extend(ours.lines[lines].iter().map(|line| (digests.decide(line.text), ""))),
            Chunk::Both { .. } => {}
        }
    }
    Merged::Clean(Clean { text: theirs.in_its_dress(&merged), notes: digests.notes() })
}

fn whole(text: &str) -> Merged {
    Merged::Clean(Clean { text: text.to_owned(), notes: Vec::new() })
}

/// How a line is named; `index` counts from 0.
fn place(index: usize) -> String {
    super::line_place(index + 1)
}

#[cfg(test)]
mod tests;
