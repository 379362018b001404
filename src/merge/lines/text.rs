//! A text as lines, each with the line end that it has.

use std::ops::Range;

/// What some editors put before the first line.
const BYTE_ORDER_MARK: &str = "\u{feff}";

pub(super) struct Text<'a> {
    has_mark: bool,
    pub(super) lines: Vec<Line<'a>>,
}

#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// Without its end; blanks before it are kept.
    pub(super) text: &'a str,
    /// `\n`, `\r\n`, or nothing behind the last line.
    pub(super) end: &'a str,
}

impl<'a> Text<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let (has_mark, text) = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let line = |whole: &'a str| {
            let text = whole.strip_suffix('\n').map_or(whole, |line| line.strip_suffix('\r').unwrap_or(line));
            Line { text, end: &whole[text.len()..] }
        };
        Self { has_mark, lines: text.split_inclusive('\n').map(line).collect() }
    }

    /// Some of its lines as one text with line feeds.
    pub(super) fn slice(&self, lines: Range<usize>) -> String {
        self.lines[lines].iter().map(|line| format!("{}\n", line.text)).collect()
    }

    /// These lines as one text with the beginning, the line ends and the end that this text has. A line without an end
    /// gets the one that most lines have here.
    pub(super) fn in_its_dress(&self, lines: &[(String, &str)]) -> String {
        let count = |end: &str| self.lines.iter().filter(|line| line.end == end).count();
        let usual = if count("\r\n") > count("\n") { "\r\n" } else { "\n" };
        let mut text = if self.has_mark { BYTE_ORDER_MARK.to_owned() } else { String::new() };
        for (line, end) in lines {
            text.push_str(line);
            text.push_str(if end.is_empty() { usual } else { end });
        }
        // An empty line is nothing but its end.
        let ends_with_text = lines.last().is_some_and(|(line, _)| !line.is_empty());
        if ends_with_text && self.lines.last().is_some_and(|line| line.end.is_empty()) {
            let bare = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
            text.truncate(bare.len());
        }
        text
    }
}
