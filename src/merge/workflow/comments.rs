//! Which comment belongs to what: the lines directly above a thing, and the end of its line.

use std::ops::Range;

use super::tree::{Child, Document};

impl Document<'_> {
    /// The comment lines directly above a child of a block collection, whole lines; empty, at its line, when it has none.
    pub(super) fn lead(&self, child: &Child) -> Range<usize> {
        let line = self.line_start(child.start);
        let column = self.column(child);
        let mut start = line;
        while start > 0 && !self.is_inline(child) {
            let above = self.line_start(start - 1);
            let text = &self.text[above..start];
            let indent = text.len() - text.trim_start().len();
            let is_comment = self.comments.binary_search_by_key(&(above + indent), |comment| comment.start).is_ok();
            if !is_comment || indent > column {
                break;
            }
            start = above;
        }
        start..line
    }

    /// The comment behind a child of a block collection: on the line of its key when its value stands below.
    pub(super) fn tail(&self, child: &Child) -> Option<Range<usize>> {
        let anchor = self.tail_anchor(child);
        let next = self.comments.partition_point(|comment| comment.start < anchor);
        let comment = self.comments.get(next)?;
        let limit = if child.value.is_block_collection() { child.value.content } else { self.text.len() };
        let own = self.line_end(anchor) >= comment.start && comment.start < limit;
        (own && self.is_blank(anchor..comment.start)).then(|| comment.clone())
    }

    /// Behind what a comment at the end of the line would stand.
    pub(super) fn tail_anchor(&self, child: &Child) -> usize {
        use super::tree::{Kind, Style};
        match &child.value.kind {
            Kind::Scalar { style: Style::Block { header_end, .. }, .. } => *header_end,
            _ if child.value.is_block_collection() => child.colon,
            _ => child.value.range.end,
        }
    }

    /// The lines of the comment above, without indentation.
    pub(super) fn lead_text(&self, child: &Child) -> Vec<&str> {
        self.text[self.lead(child)].lines().map(str::trim).collect()
    }

    pub(super) fn tail_text(&self, child: &Child) -> Option<&str> {
        self.tail(child).map(|comment| self.text[comment].trim())
    }

    /// Every comment inside of these bytes, sorted.
    pub(super) fn comments_in(&self, range: &Range<usize>) -> Vec<&str> {
        let inside = self.comments.iter().filter(|comment| range.start <= comment.start && comment.end <= range.end);
        let mut comments: Vec<&str> = inside.map(|comment| words(&self.text[comment.clone()])).collect();
        comments.sort_unstable();
        comments.retain(|comment| !comment.is_empty());
        comments
    }
}

/// Comments that belong to nothing that is merged: apart by a blank line, below the last thing, between braces.
pub(super) fn loose<'a>(document: &Document<'a>) -> Vec<&'a str> {
    let mut owned = Vec::new();
    let mut todo: Vec<&Child> = document.root.children().iter().collect();
    while let Some(child) = todo.pop() {
        owned.push(document.lead(child));
        owned.extend(document.tail(child));
        todo.extend(child.value.children());
    }
    let is_loose = |comment: &&Range<usize>| !owned.iter().any(|own| own.contains(&comment.start));
    let mut loose: Vec<&str> =
        document.comments.iter().filter(is_loose).map(|at| words(&document.text[at.clone()])).collect();
    loose.sort_unstable();
    loose
}

/// What a comment says beyond the version of the action before it.
pub(super) fn words(comment: &str) -> &str {
    use crate::model::action_pin::ActionVersion;
    let words = comment.trim_start_matches('#').trim();
    let (first, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    if ActionVersion::read(first).is_some() { rest.trim() } else { words }
}

/// What is in `all` and not in `known`, each as often as it is there too often. Both are sorted.
pub(super) fn beyond<'a>(all: &[&'a str], known: &[&str]) -> Vec<&'a str> {
    let mut known = known.to_vec();
    let mut left = Vec::new();
    for one in all {
        match known.iter().position(|other| other == one) {
            Some(at) => drop(known.swap_remove(at)),
            None => left.push(*one),
        }
    }
    left
}
