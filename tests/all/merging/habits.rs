//! What editors, formatters and hands that slip do to a whole file.

use proptest::prelude::*;
use proptest::sample::select;

/// How a publisher's editor or formatter leaves the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    None,
    CarriageReturns,
    NoLastLineFeed,
    FourColumns,
    NoComments,
}

impl Habit {
    pub(super) fn of(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::CarriageReturns => text.replace('\n', "\r\n"),
            Self::NoLastLineFeed => text.trim_end().to_owned(),
            Self::FourColumns => {
                let (mut lines, mut script) = (Vec::new(), None);
                for line in text.lines() {
                    let indent = line.len() - line.trim_start().len();
                    script = script.filter(|column| indent > *column || line.is_empty());
                    // A script moves as a whole; the keys of an item stand where its first one does.
                    let more = script.unwrap_or(indent);
                    let line = format!("{}{line}", " ".repeat(if line.is_empty() { 0 } else { more }));
                    lines.push(line.replacen("- ", "-   ", usize::from(script.is_none() && starts_item(&line))));
                    if script.is_none() && line.trim_end().ends_with(": |") {
                        script = Some(indent);
                    }
                }
                lines.join("\n") + "\n"
            }
            Self::NoComments => {
                let (mut lines, mut script) = (Vec::new(), None);
                for line in text.lines() {
                    let indent = line.len() - line.trim_start().len();
                    script = script.filter(|column| indent > *column || line.is_empty());
                    if script.is_none() && line.trim_end().ends_with(": |") {
                        script = Some(indent);
                    }
                    match line.find(" # ") {
                        _ if script.is_some() => lines.push(line.to_owned()),
                        _ if line.trim_start().starts_with('#') => {}
                        Some(comment) if !line.contains("uses:") => lines.push(line[..comment].trim_end().to_owned()),
                        _ => lines.push(line.to_owned()),
                    }
                }
                lines.join("\n") + "\n"
            }
        }
    }
}

/// `- name: …`, and no item of a list of words.
fn starts_item(line: &str) -> bool {
    line.trim_start().strip_prefix("- ").is_some_and(|item| item.contains(": "))
}

pub(super) fn habits() -> impl Strategy<Value = Habit> {
    select(vec![
        Habit::None,
        Habit::None,
        Habit::CarriageReturns,
        Habit::NoLastLineFeed,
        Habit::FourColumns,
        Habit::NoComments,
    ])
}

/// Slips of the hand: so many characters behind a place are replaced by others that mean something to YAML.
pub(super) fn slips() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, String)>> {
    let text = "([-#:&*!|>'\"%@,{}\\[\\] \t\n\r]|- |  |: | #|\r\n|é|x){0,4}";
    proptest::collection::vec((any::<prop::sample::Index>(), 0..4_usize, text), 1..4)
}

pub(super) fn slipped(text: &str, slips: &[(prop::sample::Index, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, length, new) in slips {
        let at = at.index(chars.len());
        let end = (at + length).min(chars.len());
        chars.splice(at..end, new.chars());
    }
    chars.into_iter().collect()
}
