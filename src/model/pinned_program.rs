//! A program that a workflow downloads: where it is, and the checksum that it must have.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// `https://…#sha256=HEX`: the address of one file and its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PinnedProgram {
    url: String,
    /// 64 hex digits in lower case.
    sha256: String,
}

impl PinnedProgram {
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

impl FromStr for PinnedProgram {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let refuse = |reason: &str| {
            Failure::usage(format!("`{}` is no program to download: {reason}", text.escape_debug()))
                .hinted("for example `https://downloads.acme.example/sbi-0.2.0#sha256=` and 64 hex digits")
        };
        let (url, sha256) =
            text.split_once("#sha256=").ok_or_else(|| refuse("it ends with `#sha256=` and the file's checksum"))?;
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse("a SHA-256 has 64 hex digits"));
        }
        // It goes into a workflow: nothing of it may mean something to YAML, to a shell or to GitHub.
        if !url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?&=%+@,".contains(&byte)) || url.len() > 500
        {
            return Err(refuse("the address has characters that it must not have, or more than 500"));
        }
        match url::Url::parse(url) {
            Ok(parsed) if parsed.scheme() == "https" && parsed.username().is_empty() && parsed.password().is_none() => {
            }
            _ => return Err(refuse("the address starts with https:// and names no user")),
        }
        Ok(Self { url: url.to_owned(), sha256: sha256.to_ascii_lowercase() })
    }
}

impl TryFrom<String> for PinnedProgram {
    type Error = Failure;

    fn try_from(text: String) -> Result<Self, Failure> {
        text.parse()
    }
}

impl From<PinnedProgram> for String {
    fn from(program: PinnedProgram) -> Self {
        program.to_string()
    }
}

impl fmt::Display for PinnedProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#sha256={}", self.url, self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_checksum_are_written_as_they_were_read() {
        let text = format!("https://downloads.acme.example/v0.2.0/sbi?arch=x86_64#sha256={}", "0a".repeat(32));
        let program: PinnedProgram = text.parse().unwrap();
        assert_eq!(program.to_string(), text);
        assert_eq!(program.url(), "https://downloads.acme.example/v0.2.0/sbi?arch=x86_64");
        let shouted: PinnedProgram = text.replace("0a", "0A").parse().unwrap();
        assert_eq!(shouted, program);
    }

    #[test]
    fn what_is_not_pinned_or_means_something_to_a_shell_is_refused() {
        let sum = "0a".repeat(32);
        for text in [
            "https://a.example/sbi".to_owned(),
            format!("http://a.example/sbi#sha256={sum}"),
            format!("https://me:secret@a.example/sbi#sha256={sum}"),
            format!("https://a.example/sbi#sha256={}", &sum[1..]),
            format!("https://a.example/sbi#sha256={}g", &sum[1..]),
            format!("https://a.example/$(id)#sha256={sum}"),
            format!("https://a.example/${{{{ github.token }}}}#sha256={sum}"),
            format!("https://a.example/a b#sha256={sum}"),
            format!("https://a.example/a\nb#sha256={sum}"),
            format!("https://a.example/#x#sha256={sum}"),
            format!("file:///bin/sh#sha256={sum}"),
            String::new(),
        ] {
            assert!(text.parse::<PinnedProgram>().is_err(), "{text}");
        }
    }
}
