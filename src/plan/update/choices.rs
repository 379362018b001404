//! What a person decided about single files stays decided while the pull request is open: its text carries it, on a
//! first line that nobody sees and that only the same file at the same state is meant by.

use serde::{Deserialize, Serialize};

use crate::model::git::BlobId;

const BEGINNING: &str = "<!-- sbi:settled ";
const END: &str = " -->";

/// One decision of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub path: String,
    pub wish: Wish,
    /// What was there; nothing, where it had been deleted.
    pub theirs: Option<BlobId>,
    /// What was rendered; nothing, where it was rendered no more.
    pub ours: Option<BlobId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    Keep,
    Overwrite,
}

/// What an open pull request remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    pub choices: Vec<Choice>,
    /// Newer pins were asked for. Which ones is asked again: nothing that anybody can write here becomes a pin.
    pub pins: bool,
}

/// The first line of a pull request's text, where there is something to remember.
pub(super) fn to_line(remembered: &Remembered) -> Option<String> {
    if *remembered == Remembered::default() {
        return None;
    }
    // Nothing in it may end the comment.
    let json = serde_json::to_string(remembered).ok()?.replace('>', "\\u003e").replace("--", "-\\u002d");
    Some(format!("{BEGINNING}{json}{END}"))
}

/// What an open pull request remembers. Only its first line counts: further down stands what is in files.
#[must_use]
pub fn remembered(body: &str) -> Remembered {
    let line = body.lines().next().unwrap_or_default();
    let json = line.strip_prefix(BEGINNING).and_then(|rest| rest.strip_suffix(END));
    json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_back_and_nothing_ends_the_comment() {
        let choice =
            Choice { path: "a --> b".into(), wish: Wish::Keep, theirs: Some(BlobId::of(b"theirs")), ours: None };
        let all = Remembered { choices: vec![choice], pins: true };
        let line = to_line(&all).unwrap();
        assert_eq!(line.matches("--").count(), 2, "{line}");
        assert_eq!(remembered(&format!("{line}\n\ntext")), all);
        assert_eq!(remembered(&format!("text\n{line}")), Remembered::default());
        assert_eq!(to_line(&Remembered::default()), None);
    }
}
