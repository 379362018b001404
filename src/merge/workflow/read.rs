//! Reads YAML into a tree of places. `saphyr-parser` says what there is; where each thing begins and ends is found by
//! walking along the text, because the parser's spans reach into the comments behind.

mod scalars;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::tree::{BYTE_ORDER, Child, Document, Kind, Node, Style};
use super::values::Value;

/// No workflow comes near these; a text that was made to exhaust a machine does.
const DEEPEST: usize = 100;
const MOST_REPEATED: usize = 20_000;

/// Why a text is nothing that can be merged by meaning.
pub(super) type Unreadable = String;

/// # Errors
/// Says what stands in the way, as a sentence about the file.
pub(super) fn read(text: &str) -> Result<Document<'_>, Unreadable> {
    let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut events = Vec::new();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| format!("it is not readable as YAML: {error}"))?;
        let at = |index: usize| offsets.get(index).copied().unwrap_or(text.len());
        events.push((event, at(span.start.index())..at(span.end.index())));
    }
    let mut reader = Reader {
        text,
        events: events.into_iter().peekable(),
        comments: BTreeMap::new(),
        anchors: BTreeMap::new(),
        repeated: BTreeSet::new(),
        depth: 0,
        expanded: 0,
    };
    let root = reader.document()?;
    let repeated = reader.repeated.iter().filter_map(|id| reader.anchors.get(id)).map(|(range, _)| range.clone());
    let repeated = repeated.collect();
    let comments = reader.comments.into_iter().map(|(start, end)| start..end).collect();
    Ok(Document { text, root, comments, repeated })
}

struct Reader<'a, I: Iterator<Item = (Event<'a>, Range<usize>)>> {
    text: &'a str,
    events: std::iter::Peekable<I>,
    /// Start → end.
    comments: BTreeMap<usize, usize>,
    anchors: BTreeMap<usize, (Range<usize>, Value)>,
    /// Anchors that an alias names.
    repeated: BTreeSet<usize>,
    depth: usize,
    /// How many values aliases stand for.
    expanded: usize,
}

impl<'a, I: Iterator<Item = (Event<'a>, Range<usize>)>> Reader<'a, I> {
    fn document(&mut self) -> Result<Node, Unreadable> {
        let mut from = 0;
        loop {
            match self.events.peek() {
                Some((Event::StreamStart, _)) => {}
                Some((Event::DocumentStart(explicit), span)) => from = if *explicit { span.end } else { from },
                Some((Event::StreamEnd, _)) | None => {
                    return Ok(Node { range: 0..0, content: 0, kind: Kind::Null });
                }
                Some(_) => break,
            }
            self.events.next();
        }
        let before = self.text[..from].to_owned();
        for (at, line) in before.match_indices('#').filter(|(at, _)| *at == 0 || before[..*at].ends_with('\n')) {
            let end = at + line.len() + self.text[at + line.len()..].find(['\r', '\n']).unwrap_or(0);
            self.comments.insert(at, end);
        }
        if self.text[from..].starts_with(BYTE_ORDER) {
            from += BYTE_ORDER.len_utf8();
        }
        let root = self.node(from, false)?;
        self.skip(root.range.end);
        if self.events.any(|(event, _)| matches!(event, Event::DocumentStart(_))) {
            return Err("it holds several documents".into());
        }
        Ok(root)
    }

    fn node(&mut self, from: usize, flow: bool) -> Result<Node, Unreadable> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deeply".into());
        }
        let node = self.node_within(from, flow);
        self.depth -= 1;
        node
    }

    fn node_within(&mut self, from: usize, flow: bool) -> Result<Node, Unreadable> {
        let Some((event, span)) = self.events.next() else { return Err("it is not readable as YAML".into()) };
        if let Event::Scalar(value, ScalarStyle::Plain, 0, None) = &event
            && value.is_empty()
        {
            return Ok(Node { range: from..from, content: from, kind: Kind::Null });
        }
        let begin = self.skip(from);
        let content = self.behind_properties(begin);
        let first = self.text[content..].chars().next().unwrap_or(' ');
        let (kind, end, anchor) = match event {
            Event::Alias(id) => {
                self.repeated.insert(id);
                let (_, value) = self.anchors.get(&id).ok_or("it has an alias inside of its own anchor")?;
                self.expanded += value.size();
                if self.expanded > MOST_REPEATED {
                    return Err("its aliases repeat too much".into());
                }
                let stops = |c: char| c.is_whitespace() || ",[]{}".contains(c);
                let end = self.text[begin..].find(stops).map_or(self.text.len(), |length| begin + length);
                (Kind::Alias(value.clone()), end, 0)
            }
            Event::Scalar(value, style, anchor, tag) => {
                let value = Value::scalar(value, style, tag.as_ref());
                let (style, end) = scalars::extent(self.text, style, content, span.end)?;
                self.comments
                    .extend(scalars::header_comment(self.text, &style).map(|comment| (comment.start, comment.end)));
                (Kind::Scalar { style, value }, end, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                refuse(tag.as_ref())?;
                let flow = match (first, flow) {
                    ('{', _) => true,
                    (_, true) => return Err("it has a mapping without braces inside of a list".into()),
                    (_, false) => false,
                };
                let (children, end) = if flow { self.flow(content, '}')? } else { self.block(content, true)? };
                (Kind::Mapping { flow, children }, end, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse(tag.as_ref())?;
                let flow = first == '[';
                let (children, end) = if flow { self.flow(content, ']')? } else { self.block(content, false)? };
                (Kind::Sequence { flow, children }, end, anchor)
            }
            _ => return Err("it is not readable as YAML".into()),
        };
        let node = Node { range: begin..end, content, kind };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.range.clone(), Value::of(&node, None)));
        }
        Ok(node)
    }

    /// The children of a collection by indentation, and the end of the last one.
    fn block(&mut self, from: usize, keyed: bool) -> Result<(Vec<Child>, usize), Unreadable> {
        let (mut children, mut at): (Vec<Child>, usize) = (Vec::new(), from);
        while !self.ends() {
            let start = self.skip(at);
            let (key, colon) = if keyed { self.key(start, false)? } else { (None, self.expect(start, '-')?) };
            if key.is_some() && children.iter().any(|other| other.key == key) {
                return Err(format!("it has the key {} twice in one mapping", key.unwrap_or_default()));
            }
            let value = self.node(colon, false)?;
            at = value.range.end;
            children.push(Child { key, start, colon, value });
        }
        self.events.next();
        Ok((children, at))
    }

    /// The children between braces or brackets, and the place behind the closing one.
    fn flow(&mut self, from: usize, close: char) -> Result<(Vec<Child>, usize), Unreadable> {
        let (mut children, mut at): (Vec<Child>, usize) = (Vec::new(), from + 1);
        loop {
            at = self.skip(at);
            if self.text[at..].starts_with(',') {
                at = self.skip(at + 1);
            }
            if self.ends() {
                break;
            }
            let start = at;
            let (key, colon) = if close == '}' { self.key(start, true)? } else { (None, start) };
            if key.is_some() && children.iter().any(|other| other.key == key) {
                return Err(format!("it has the key {} twice in one mapping", key.unwrap_or_default()));
            }
            let value = self.node(colon, true)?;
            at = value.range.end;
            children.push(Child { key, start, colon, value });
        }
        self.events.next();
        Ok((children, self.expect(at, close)?))
    }

    fn ends(&mut self) -> bool {
        matches!(self.events.peek(), Some((Event::MappingEnd | Event::SequenceEnd, _)) | None)
    }

    /// A key's text and the place behind its colon, or behind itself where braces hold a key alone.
    fn key(&mut self, start: usize, flow: bool) -> Result<(Option<String>, usize), Unreadable> {
        let odd = || Err("it has a key that is not one line of text".to_owned());
        if self.text[start..].starts_with("? ") {
            return odd();
        }
        let node = self.node(start, flow)?;
        let Kind::Scalar { value, style, .. } = &node.kind else { return odd() };
        let end = node.range.end;
        if matches!(style, Style::Block { .. }) || node.content != start || self.text[start..end].contains('\n') {
            return odd();
        }
        let key = value.text().to_owned();
        let colon = end + (self.text[end..].len() - self.text[end..].trim_start_matches([' ', '\t']).len());
        match self.text[colon..].starts_with(':') {
            true => Ok((Some(key), colon + 1)),
            false if flow => Ok((Some(key), end)),
            false => odd(),
        }
    }

    fn expect(&self, at: usize, sign: char) -> Result<usize, Unreadable> {
        if self.text[at..].starts_with(sign) {
            Ok(at + 1)
        } else {
            Err(format!("it has no {sign} where one should be"))
        }
    }

    /// Walks over white space and comments, and remembers these.
    fn skip(&mut self, from: usize) -> usize {
        let mut at = from;
        loop {
            let rest = &self.text[at..];
            at += rest.len() - rest.trim_start().len();
            if !self.text[at..].starts_with('#') {
                return at;
            }
            let end = self.text[at..].find('\n').map_or(self.text.len(), |feed| at + feed);
            self.comments.insert(at, at + self.text[at..end].trim_end().len());
            at = end;
        }
    }

    /// Walks over an anchor and a tag.
    fn behind_properties(&mut self, from: usize) -> usize {
        let mut at = from;
        while self.text[at..].starts_with(['&', '!']) {
            let length = self.text[at..].find(char::is_whitespace).unwrap_or(self.text.len() - at);
            at = self.skip(at + length);
        }
        at
    }
}

/// GitHub knows no tags; on a collection nobody can say what one means.
fn refuse(tag: Option<&Cow<'_, Tag>>) -> Result<(), Unreadable> {
    tag.map_or(Ok(()), |tag| Err(format!("it has the tag {tag}")))
}
