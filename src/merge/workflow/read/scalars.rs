//! How a scalar is written, and where it ends.

use std::ops::Range;

use saphyr_parser::ScalarStyle;

use super::Unreadable;
use crate::merge::workflow::tree::Style;

/// The style of the scalar at a place, and its end; `next` is where the parser ends it, which may be far behind.
pub(super) fn extent(text: &str, style: ScalarStyle, at: usize, next: usize) -> Result<(Style, usize), Unreadable> {
    Ok(match style {
        ScalarStyle::SingleQuoted => (Style::Single, behind_quote(text, at, '\'')?),
        ScalarStyle::DoubleQuoted => (Style::Double, behind_quote(text, at, '"')?),
        ScalarStyle::Plain => (Style::Plain, at + text[at..next.max(at)].trim_end().len()),
        ScalarStyle::Literal | ScalarStyle::Folded => block(text, style == ScalarStyle::Folded, at, next),
    })
}

fn behind_quote(text: &str, at: usize, quote: char) -> Result<usize, Unreadable> {
    let mut chars = text[at..].char_indices().skip(1).peekable();
    while let Some((offset, c)) = chars.next() {
        let doubled = quote == '\'' && c == quote && chars.peek().is_some_and(|(_, next)| *next == quote);
        if doubled || (quote == '"' && c == '\\') {
            chars.next();
        } else if c == quote {
            return Ok(at + offset + 1);
        }
    }
    Err("it has a quote that never ends".to_owned())
}

/// To the end of the last line that counts: blank lines below do only behind `+`.
fn block(text: &str, folded: bool, at: usize, next: usize) -> (Style, usize) {
    let signs = |c: char| !"|>+-0123456789".contains(c);
    let header_end = at + text[at..].find(signs).unwrap_or(text.len() - at);
    let body = text[at..].find('\n').map_or(text.len(), |feed| at + feed + 1);
    let keeps = text[at..header_end].contains('+');
    let next = next.max(body);
    let end = text[..next].rfind('\n').filter(|feed| text[*feed..next].trim().is_empty()).unwrap_or(next);
    let content = text.get(body..end).unwrap_or_default();
    let last = if keeps { content.len() } else { content.trim_end().len() };
    let style = Style::Block { folded, header_end, body };
    if last == 0 && !keeps {
        return (style, header_end);
    }
    let line = content[last..].find('\n').map_or(content.len(), |feed| last + feed);
    (style, body + content[..line].trim_end_matches('\r').len())
}

/// The comment behind `|`.
pub(super) fn header_comment(text: &str, style: &Style) -> Option<Range<usize>> {
    let Style::Block { header_end, body, .. } = style else { return None };
    let line = text[*header_end..*body].trim_end();
    line.find('#').map(|comment| header_end + comment..header_end + line.len())
}
