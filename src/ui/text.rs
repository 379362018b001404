//! Breaking lines and keeping foreign text harmless.

use dialoguer::console::measure_text_width;

/// Columns that `text` takes.
pub(super) fn width(text: &str) -> usize {
    measure_text_width(text)
}

/// Names and messages come from servers and files: no control character of theirs reaches the terminal.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Breaks at spaces so that no line is wider than `columns`; a word that is wider stays whole, so that an ARN or a
/// URL can be copied. At least one line.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in harmless(text).split_whitespace() {
        let line = lines.last_mut().map_or(0, |line| width(line));
        if line > 0 && line + 1 + width(word) > columns {
            lines.push(word.to_owned());
        } else if let Some(last) = lines.last_mut() {
            if line > 0 {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// `text` and enough spaces to fill `columns`.
pub(super) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `text` cut to `columns`, with `...` where something is missing.
pub(super) fn cut(text: &str, columns: usize) -> String {
    dialoguer::console::truncate_str(text, columns, "...").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_long_words_stay_whole() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a arn:aws:iam::1:role/x b", 5), ["a", "arn:aws:iam::1:role/x", "b"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("never broken here", usize::MAX), ["never broken here"]);
    }

    #[test]
    fn escape_sequences_of_others_do_not_reach_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\nc"), "a [31mb c");
    }
}
