//! IAM's wildcards and policy variables: `*` any run, `?` any one character, `${key}` a value of the request.

use super::{Context, look_up};

/// A pattern whose variables are filled in: a value's own `*` and `?` are plain characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    One(char),
    AnyOne,
    AnyRun,
}

impl Pattern {
    /// Reads a pattern with wildcards. `context` fills variables in, `None` leaves them as plain text; the result is
    /// `None` when a variable has no value.
    pub(super) fn wildcard(text: &str, context: Option<&Context>) -> Option<Self> {
        read(text, context, true).map(Self)
    }

    /// Reads a text in which `*` and `?` mean themselves.
    pub(super) fn exact(text: &str, context: Option<&Context>) -> Option<Self> {
        read(text, context, false).map(Self)
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        run(&self.0, &text)
    }

    pub(super) fn matches_ignoring_case(&self, text: &str) -> bool {
        let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
        let pieces: Vec<Piece> = self
            .0
            .iter()
            .map(|piece| match piece {
                Piece::One(c) => Piece::One(lower(*c)),
                other => *other,
            })
            .collect();
        let text: Vec<char> = text.chars().map(lower).collect();
        run(&pieces, &text)
    }

    /// Cuts a pattern and a text into the six fields of an ARN and compares them field by field: a wildcard of one
    /// field does not reach into the next.
    pub(super) fn matches_arn(&self, arn: &str) -> bool {
        let pieces: Vec<&[Piece]> = self.0.splitn(6, |piece| *piece == Piece::One(':')).collect();
        let fields: Vec<Vec<char>> = arn.splitn(6, ':').map(|field| field.chars().collect()).collect();
        pieces.len() == 6 && fields.len() == 6 && pieces.iter().zip(&fields).all(|(pattern, field)| run(pattern, field))
    }
}

/// Whether `text` fits a pattern of `*` and `?`, case and all.
#[must_use]
pub fn matches_wildcard(pattern: &str, text: &str) -> bool {
    Pattern::wildcard(pattern, None).is_some_and(|pattern| pattern.matches(text))
}

fn read(text: &str, context: Option<&Context>, wildcards: bool) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let (Some(context), Some(after)) = (context, rest.strip_prefix("${"))
            && let Some((variable, after)) = after.split_once('}')
        {
            pieces.extend(value_of(variable, context)?.chars().map(Piece::One));
            rest = after;
            continue;
        }
        pieces.push(match c {
            '*' if wildcards => Piece::AnyRun,
            '?' if wildcards => Piece::AnyOne,
            c => Piece::One(c),
        });
        rest = &rest[c.len_utf8()..];
    }
    Some(pieces)
}

/// `${*}`, `${?}` and `${$}` are the characters themselves; `${key, 'default'}` brings its own fallback. A key with
/// several values has no value as a variable.
fn value_of(variable: &str, context: &Context) -> Option<String> {
    if matches!(variable, "*" | "?" | "$") {
        return Some(variable.to_owned());
    }
    let (key, fallback) = match variable.split_once(',') {
        Some((key, fallback)) => (key.trim(), Some(fallback.trim().trim_matches('\'').to_owned())),
        None => (variable.trim(), None),
    };
    match look_up(context, key) {
        Some([only]) => Some(only.clone()),
        _ => fallback,
    }
}

/// Linear in practice: on a mismatch only the last `*` is taken up again.
fn run(pattern: &[Piece], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Piece::AnyRun) => {
                star = Some((p, t));
                p += 1;
            }
            Some(Piece::AnyOne) => {
                p += 1;
                t += 1;
            }
            Some(Piece::One(c)) if *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|piece| *piece == Piece::AnyRun)
}
