//! How pieces of one text are written into another one: at its indentation, with its quotes and line ends.

use super::tree::{Document, Kind, Node, Style};
use super::values::Value;

/// Lines that stood `from` columns in, now `to` columns in. The first line is as it is: what stands before it is another's.
pub(super) fn shifted(text: &str, from: usize, to: usize, line_break: &str) -> String {
    let mut result = String::new();
    for (number, line) in text.split('\n').map(|line| line.trim_end_matches('\r')).enumerate() {
        if number == 0 {
            result.push_str(line);
            continue;
        }
        result.push_str(line_break);
        let rest = line.trim_start_matches(' ');
        let indent = line.len() - rest.len();
        if !line.is_empty() {
            result.extend(std::iter::repeat_n(' ', (indent + to).saturating_sub(from)));
            result.push_str(rest);
        }
    }
    result
}

/// A scalar of one line of ours, with the quotes that theirs has there; `None` when that can't be written safely.
pub(super) fn scalar(ours: &Document<'_>, node: &Node, theirs: &Node, flow: bool) -> Option<String> {
    let written = &ours.text[node.content..node.range.end];
    let Kind::Scalar { style, value } = &node.kind else {
        return matches!(node.kind, Kind::Null).then(|| if flow { "null".into() } else { String::new() });
    };
    if written.contains('\n') || matches!(style, Style::Block { .. }) {
        return None;
    }
    let is_text = matches!(value, Value::Text(_));
    let plain_is_safe = !flow || !written.contains([',', '[', ']', '{', '}']);
    Some(match &theirs.kind {
        Kind::Scalar { style: Style::Single, value: Value::Text(_) } if is_text => single(value.text()),
        Kind::Scalar { style: Style::Double, value: Value::Text(_) } if is_text => double(value.text())?,
        _ if *style == Style::Plain && !plain_is_safe => single(value.text()),
        _ => written.to_owned(),
    })
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double(text: &str) -> Option<String> {
    let plain = !text.chars().any(|c| c.is_control());
    plain.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// `|` with what says how it ends, and the lines below; `None` when a block can't hold the text.
pub(super) fn block(text: &str, indent: usize, line_break: &str) -> Option<(String, String)> {
    let content = text.trim_end_matches('\n');
    let ends = text.len() - content.len();
    // Blanks at the beginning would be taken for indentation.
    if content.is_empty() || content.starts_with([' ', '\t', '\n']) || content.contains('\r') {
        return None;
    }
    let header = match ends {
        0 => "|-",
        1 => "|",
        _ => "|+",
    };
    let mut lines: Vec<String> = content.split('\n').map(|line| at(indent, line)).collect();
    lines.extend((1..ends).map(|_| String::new()));
    Some((header.to_owned(), lines.join(line_break)))
}

/// The lines of a block that now says `new`: those that stay are as they were written, blanks at their end included.
pub(super) fn relined(written: &str, old: &str, new: &str, indent: usize, line_break: &str) -> Option<String> {
    let written: Vec<&str> = written.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let was: Vec<&str> = old.strip_suffix('\n').unwrap_or(old).split('\n').collect();
    let agree = |(written, was): (&&str, &&str)| {
        written.strip_prefix(&*" ".repeat(indent)).unwrap_or_else(|| written.trim_start_matches(' ')) == *was
    };
    if written.len() != was.len() || !written.iter().zip(&was).all(agree) {
        return None;
    }
    let patch = diffy::DiffOptions::new().set_context_len(written.len()).create_patch(old, new);
    let mut left = written.into_iter();
    let mut lines = Vec::new();
    for line in patch.hunks().iter().flat_map(diffy::Hunk::lines) {
        match line {
            diffy::Line::Context(_) => lines.extend(left.next().map(str::to_owned)),
            diffy::Line::Delete(_) => _ = left.next(),
            diffy::Line::Insert(line) => lines.push(at(indent, line.trim_end_matches('\n'))),
        }
    }
    Some(lines.join(line_break))
}

fn at(indent: usize, line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(indent)) }
}
