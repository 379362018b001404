//! The expressions of a workflow, as far as it takes to say what they read.

/// One word of an expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// `github.event.number`, in lower case: the names of properties know no case. What stands in brackets is `*`,
    /// unless it is a literal text.
    Path(Vec<String>),
    /// A name with a parenthesis behind.
    Call(&'a str),
    Literal,
    Sign,
}

/// The insides of every `${{ … }}` of a text.
///
/// # Errors
/// Says what is not closed.
pub(super) fn inside(text: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${{") {
        let from = &rest[start + 3..];
        let end = closing(from).ok_or_else(|| format!("`{}` has no `}}}}`", shortened(&rest[start..])))?;
        found.push(from[..end].trim());
        rest = &from[end + 2..];
    }
    Ok(found)
}

/// Where the `}}` stands that is in no text.
fn closing(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '}' if !quoted && text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

/// As much of a text as a message holds.
pub(super) fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The words of an expression.
///
/// # Errors
/// Says what is no expression of GitHub's.
pub(super) fn words(expression: &str) -> Result<Vec<Word<'_>>, String> {
    let wrong = || format!("`{}` is no expression", shortened(expression));
    let mut words = Vec::new();
    let mut open = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' => {
                words.push(Word::Literal);
                text_end(rest).ok_or_else(wrong)?
            }
            '0'..='9' | '-' | '+' => {
                let is_number = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
                words.push(Word::Literal);
                rest.find(|c| !is_number(c)).unwrap_or(rest.len())
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let (word, end) = name(rest).ok_or_else(wrong)?;
                words.push(word);
                end
            }
            '(' | '[' => {
                open.push(first);
                words.push(Word::Sign);
                1
            }
            ')' | ']' => {
                let opened = if first == ')' { '(' } else { '[' };
                if open.pop() != Some(opened) {
                    return Err(wrong());
                }
                words.push(Word::Sign);
                1
            }
            _ => {
                let signs = ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", ","];
                words.push(Word::Sign);
                // What follows a parenthesis: `fromJSON(x).y`.
                let sign = signs.iter().find(|sign| rest.starts_with(**sign)).map(|sign| sign.len());
                sign.or_else(|| property(rest)).ok_or_else(wrong)?
            }
        };
        rest = rest[end..].trim_start();
    }
    if words.is_empty() || !open.is_empty() { Err(wrong()) } else { Ok(words) }
}

/// Where a text in single quotes ends; two of them are one inside.
fn text_end(text: &str) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text.get(at..)?.find('\'')? + 1;
        if !text[at..].starts_with('\'') {
            return Some(at);
        }
        at += 1;
    }
}

fn identifier(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    &text[..text.find(|c| !is_part(c)).unwrap_or(text.len())]
}

/// `.name` or `.*` behind something.
fn property(text: &str) -> Option<usize> {
    let name = text.strip_prefix('.')?;
    if name.starts_with('*') {
        return Some(2);
    }
    let length = identifier(name).len();
    (length > 0).then_some(1 + length)
}

/// A call, a literal name or a path, and where it ends.
fn name(text: &str) -> Option<(Word<'_>, usize)> {
    let first = identifier(text);
    let mut end = first.len();
    if text[end..].trim_start().starts_with('(') {
        return Some((Word::Call(first), end));
    }
    if matches!(first, "true" | "false" | "null" | "NaN" | "Infinity") {
        return Some((Word::Literal, end));
    }
    let mut path = vec![first.to_ascii_lowercase()];
    loop {
        let rest = &text[end..];
        if rest.starts_with('.') {
            let length = property(rest)?;
            path.push(rest[1..length].to_ascii_lowercase());
            end += length;
        } else if rest.starts_with("['") {
            let length = text_end(&rest[1..])?;
            path.push(rest[2..length].to_ascii_lowercase());
            end += 1 + length;
            if !text[end..].starts_with(']') {
                return None;
            }
            end += 1;
        } else if rest.starts_with('[') {
            // What stands inside is read as words of its own.
            path.push("*".into());
            return Some((Word::Path(path), end));
        } else {
            return Some((Word::Path(path), end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(expression: &str) -> Vec<String> {
        let path = |word: Word<'_>| match word {
            Word::Path(path) => Some(path.join("/")),
            _ => None,
        };
        words(expression).unwrap().into_iter().filter_map(path).collect()
    }

    #[test]
    fn what_an_expression_reads_is_told() {
        assert_eq!(inside("a ${{ github.sha }} b ${{'}}'}}").unwrap(), ["github.sha", "'}}'"]);
        assert_eq!(paths("github.Event['head.ref'] == 'it''s' && !cancelled()"), ["github/event/head.ref"]);
        assert_eq!(paths("fromJSON(needs.plan.outputs.x).y[matrix.n] || -1.5e3"), ["needs/plan/outputs/x", "matrix/n"]);
        assert_eq!(paths("github.event.commits.*.id"), ["github/event/commits/*/id"]);
        assert_eq!(paths("secrets[inputs.which]"), ["secrets/*", "inputs/which"]);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        assert!(inside("${{ github.sha }").is_err());
        for wrong in ["", "github.", "(a", "a)", "a = b", "\"a\"", "'a", "a['b", "a & b", "[a)"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }
}
