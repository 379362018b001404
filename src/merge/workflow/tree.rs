//! A YAML text as a tree that knows where each thing stands, so that one thing can be changed and every other byte stays.

use std::ops::Range;

use super::values::Value;

/// What some editors write before everything else.
pub(super) const BYTE_ORDER: char = '\u{feff}';

/// One YAML document with the bytes that it was read from.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) root: Node,
    /// Every comment, from its `#` to the end of its line, in the order of the text.
    pub(super) comments: Vec<Range<usize>>,
    /// What aliases elsewhere repeat: an edit in there would be an edit of all of them.
    pub(super) repeated: Vec<Range<usize>>,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// From the anchor or tag, if there is one, to the last byte; empty, behind the colon or dash, where nothing stands.
    pub(super) range: Range<usize>,
    /// Where the value itself begins, behind anchor and tag.
    pub(super) content: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Nothing at all stands there.
    Null,
    Scalar {
        style: Style,
        value: Value,
    },
    /// What an anchor elsewhere says.
    Alias(Value),
    Mapping {
        flow: bool,
        children: Vec<Child>,
    },
    Sequence {
        flow: bool,
        children: Vec<Child>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    /// `|` or `>`.
    Block {
        folded: bool,
        /// Behind `|` and its signs.
        header_end: usize,
        /// The first byte of the first line below; the end of the text where there is none.
        body: usize,
    },
}

/// An entry of a mapping or an item of a sequence.
#[derive(Debug, Clone)]
pub(super) struct Child {
    /// The key's text; `None` for an item.
    pub(super) key: Option<String>,
    /// The first byte of the key, of the dash, or of a flow sequence's item.
    pub(super) start: usize,
    /// Behind the colon or the dash.
    pub(super) colon: usize,
    pub(super) value: Node,
}

impl Node {
    pub(super) fn children(&self) -> &[Child] {
        match &self.kind {
            Kind::Mapping { children, .. } | Kind::Sequence { children, .. } => children,
            Kind::Null | Kind::Scalar { .. } | Kind::Alias(_) => &[],
        }
    }

    pub(super) fn child(&self, key: &str) -> Option<&Child> {
        self.children().iter().find(|child| child.key.as_deref() == Some(key))
    }

    pub(super) fn is_mapping(&self) -> bool {
        matches!(self.kind, Kind::Mapping { .. })
    }

    pub(super) fn is_sequence(&self) -> bool {
        matches!(self.kind, Kind::Sequence { .. })
    }

    /// A collection by indentation: its children own whole lines.
    pub(super) fn is_block_collection(&self) -> bool {
        matches!(self.kind, Kind::Mapping { flow: false, .. } | Kind::Sequence { flow: false, .. })
    }

    pub(super) fn is_flow_collection(&self) -> bool {
        matches!(self.kind, Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. })
    }

    pub(super) fn is_block_scalar(&self) -> bool {
        matches!(self.kind, Kind::Scalar { style: Style::Block { .. }, .. })
    }
}

impl Document<'_> {
    pub(super) fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |feed| feed + 1)
    }

    /// The end of the line, without its line end.
    pub(super) fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |feed| at + feed);
        if end > at && self.text[..end].ends_with('\r') && end < self.text.len() { end - 1 } else { end }
    }

    /// Behind the line end.
    pub(super) fn next_line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |feed| at + feed + 1)
    }

    /// How far a child of a block collection is indented.
    pub(super) fn column(&self, child: &Child) -> usize {
        self.text[self.line_start(child.start)..child.start].trim_start_matches(BYTE_ORDER).chars().count()
    }

    /// Whether something else, a dash, stands before it in its line.
    pub(super) fn is_inline(&self, child: &Child) -> bool {
        !self.text[self.line_start(child.start)..child.start].trim_start_matches(BYTE_ORDER).trim().is_empty()
    }

    /// The end of the last line of a child of a block collection, comment behind included, without its line end.
    pub(super) fn end(&self, child: &Child) -> usize {
        match child.value.children().last() {
            Some(last) if child.value.is_block_collection() => self.end(last),
            _ if child.value.is_block_scalar() => child.value.range.end,
            _ => self.line_end(child.value.range.end),
        }
    }

    /// `end`, with comments below that are indented more than the child.
    pub(super) fn end_with_foot(&self, child: &Child) -> usize {
        let column = self.column(child);
        let mut end = self.end(child);
        let first = self.comments.partition_point(|comment| comment.start < end);
        for comment in &self.comments[first..] {
            let own = comment.start - self.line_start(comment.start) > column;
            if !own || !self.text[end..comment.start].trim().is_empty() {
                break;
            }
            end = comment.end;
        }
        end
    }

    /// `\r\n` where most lines end so.
    pub(super) fn line_break(&self) -> &'static str {
        let carriage = self.text.matches("\r\n").count();
        if carriage * 2 > self.text.matches('\n').count() { "\r\n" } else { "\n" }
    }

    /// Whether nothing but white space stands between two places.
    pub(super) fn is_blank(&self, range: Range<usize>) -> bool {
        self.text[range].trim().is_empty()
    }
}
