//! The digests behind the images of `FROM` lines. Which of two digests of a tag is the newer one can't be told from
//! them, and Dependabot renews them on the publisher's side: they are decided apart from the lines that they stand in.

use std::collections::BTreeMap;

use super::text::Text;
use super::{Note, place};

/// What a `FROM` line says, and where its digest stands or would stand.
struct FromLine<'a> {
    before: &'a str,
    /// `sha256:…`
    digest: Option<&'a str>,
    behind: &'a str,
}

impl<'a> FromLine<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let start = line.len() - line.trim_start().len();
        let keyword = line.get(start..start + 4)?;
        if !keyword.eq_ignore_ascii_case("from") || !line[start + 4..].starts_with([' ', '\t']) {
            return None;
        }
        let mut at = start + 4;
        loop {
            let rest = &line[at..];
            at += rest.len() - rest.trim_start().len();
            let word = line[at..].split_whitespace().next()?;
            if word.starts_with("--") {
                at += word.len();
                continue;
            }
            let behind = &line[at + word.len()..];
            return Some(match word.split_once('@') {
                Some((name, digest)) if is_digest(digest) => {
                    Self { before: &line[..at + name.len()], digest: Some(digest), behind }
                }
                _ => Self { before: &line[..at + word.len()], digest: None, behind },
            });
        }
    }

    /// The line that it is whatever the digest.
    fn key(&self) -> String {
        format!("{}{}", self.before, self.behind)
    }

    /// `golang:1.26`
    fn image(&self) -> &'a str {
        self.before.split_whitespace().next_back().unwrap_or_default()
    }

    fn with(&self, digest: Option<&str>) -> String {
        match digest {
            Some(digest) => format!("{}@{digest}{}", self.before, self.behind),
            None => self.key(),
        }
    }
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:");
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The lines without the digests of their images.
pub(super) fn without(text: &Text<'_>) -> Vec<String> {
    let key = |line: &str| FromLine::read(line).map_or_else(|| line.to_owned(), |from| from.key());
    text.lines.iter().map(|line| key(line.text)).collect()
}

/// A `FROM` line without its digest, and which of several equal ones it is.
type Which = (String, usize);

/// The digest of each `FROM` line, and the number of the line.
fn digests(text: &Text<'_>) -> BTreeMap<Which, (Option<String>, usize)> {
    let mut found = BTreeMap::new();
    for (index, line) in text.lines.iter().enumerate() {
        let Some(from) = FromLine::read(line.text) else { continue };
        let nth = (0..).find(|nth| !found.contains_key(&(from.key(), *nth))).unwrap_or_default();
        found.insert((from.key(), nth), (from.digest.map(str::to_owned), index));
    }
    found
}

/// What the three texts say about the digests, and what was decided.
pub(super) struct Digests {
    base: BTreeMap<Which, (Option<String>, usize)>,
    ours: BTreeMap<Which, (Option<String>, usize)>,
    theirs: BTreeMap<Which, (Option<String>, usize)>,
    decided: BTreeMap<String, usize>,
    /// With the number of the line in their text.
    notes: Vec<(usize, String)>,
}

impl Digests {
    pub(super) fn of(base: &Text<'_>, ours: &Text<'_>, theirs: &Text<'_>) -> Self {
        Self {
            base: digests(base),
            ours: digests(ours),
            theirs: digests(theirs),
            decided: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// A line of the result with the digest that it is to have; lines come in their order.
    pub(super) fn decide(&mut self, line: &str) -> String {
        let Some(from) = FromLine::read(line) else { return line.to_owned() };
        let nth = self.decided.entry(from.key()).or_default();
        let which = (from.key(), *nth);
        *nth += 1;
        let (ours, theirs) = (self.ours.get(&which), self.theirs.get(&which));
        match (ours, theirs) {
            (Some((ours, _)), Some((theirs, index))) => {
                let base = self.base.get(&which).map(|(digest, _)| digest);
                if ours == theirs || base == Some(ours) {
                    return from.with(theirs.as_deref());
                }
                if base == Some(theirs) {
                    return from.with(ours.as_deref());
                }
                let image = from.image();
                let (kept, offered) = (short(theirs.as_deref()), short(ours.as_deref()));
                self.notes.push((
                    *index,
                    format!(
                        "keeps {image} with {kept}, where this version has {offered}: neither tells which is newer"
                    ),
                ));
                from.with(theirs.as_deref())
            }
            (Some((digest, _)), None) | (None, Some((digest, _))) => from.with(digest.as_deref()),
            (None, None) => line.to_owned(),
        }
    }

    /// What a reviewer should know, in the order of their text.
    pub(super) fn notes(mut self) -> Vec<Note> {
        for (which, (digest, index)) in &self.theirs {
            let renewed = self.base.get(which).is_some_and(|(before, _)| before != digest);
            if renewed && self.decided.get(&which.0).is_none_or(|count| *count <= which.1) {
                let image = FromLine::read(&which.0).map(|from| from.image().to_owned()).unwrap_or_default();
                let text =
                    format!("leaves {image} with {} behind: this version builds on another", short(digest.as_deref()));
                self.notes.push((*index, text));
            }
        }
        self.notes.sort();
        self.notes.into_iter().map(|(index, what)| Note { place: place(index), what }).collect()
    }
}

/// As much of a digest as people compare.
fn short(digest: Option<&str>) -> String {
    digest.map_or_else(|| "no digest".to_owned(), |digest| format!("{}…", digest.get(..19).unwrap_or(digest)))
}
