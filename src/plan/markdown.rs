//! Text of a publisher's files inside GitHub's Markdown: it is shown and does nothing. No mention, no reference that
//! closes an issue, no markup, no end of a block before its time.

/// GitHub takes no longer text of a pull request, counted in characters.
pub(super) const LONGEST: usize = 65_536;

/// Text of one line. GitHub looks for mentions and references in what is rendered, so escaping alone keeps nobody from
/// being called: an invisible space does, where no word of GitHub's is left.
pub(super) fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        // `GH-1` and `https://github.com/…/issues/1` are references too.
        let refers = match c {
            '-' => ends_with(&safe, "gh"),
            '/' => safe.ends_with(':'),
            _ => matches!(c, '@' | '#'),
        };
        match c {
            '\n' | '\r' | '\t' => safe.push(' '),
            c if is_hidden(c) => safe.push('\u{fffd}'),
            c if refers && c == '/' => safe.extend(['\u{200b}', c]),
            c if refers => safe.extend([c, '\u{200b}']),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '|' | '&' | '!' | '$' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe.trim().to_owned()
}

fn ends_with(text: &str, word: &str) -> bool {
    text.len().checked_sub(word.len()).and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
}

/// A code span: in one nothing is a mention.
pub(super) fn code(text: &str) -> String {
    let text: String = text.chars().map(visible).collect();
    let ticks = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// A fenced block whose fence is longer than any inside it.
pub(super) fn block<S: AsRef<str>>(kind: &str, lines: &[S]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| line.as_ref().chars().map(visible).collect()).collect();
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{kind}\n{}\n{fence}", lines.join("\n"))
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn visible(c: char) -> char {
    match c {
        '\t' => c,
        c if is_hidden(c) => '\u{fffd}',
        c => c,
    }
}

/// Characters that make a text look like another one: controls, and what turns the direction of writing.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// As GitHub counts the length of a pull request's text: no fewer than it, whatever it counts.
pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_mentioned_and_nothing_is_closed() {
        let text = "fixes #1, GH-2 and https://github.com/a/b/issues/3 by @octocat <!-- x --> **b** [l](u) `c`";
        let safe = plain(text);
        for bad in ["#1", "GH-2", "://", "@octocat", "<!--", "**", " [l", " `c`"] {
            assert!(!safe.contains(bad), "{bad} in {safe}");
        }
        assert_eq!(plain("v7.0.1 (3d3c42e), released 2026-11-02: a/b"), "v7.0.1 (3d3c42e), released 2026-11-02: a/b");
        assert_eq!(plain("two\nlines\u{202e}"), "two lines\u{fffd}");
    }

    #[test]
    fn a_fence_is_longer_than_any_inside() {
        let text = block("diff", &["+````", " ```"]);
        assert!(text.starts_with("`````diff\n") && text.ends_with("\n`````"), "{text}");
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code("plain"), "`plain`");
        assert_eq!(code("a\nb"), "`a\u{fffd}b`");
    }
}
