//! Changes of a text by byte range.

use std::ops::Range;

/// What is to be done to a text, in the order in which things that meet at one place are wanted.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<Edit>);

#[derive(Debug)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
    /// Where, as people name it.
    pub(super) place: String,
    is_ahead: bool,
}

impl Edits {
    pub(super) fn replace(&mut self, place: &str, range: Range<usize>, text: impl Into<String>) {
        self.0.push(Edit { range, text: text.into(), place: place.into(), is_ahead: false });
    }

    /// Before everything else that is written at this place.
    pub(super) fn insert_ahead(&mut self, place: &str, at: usize, text: impl Into<String>) {
        self.0.push(Edit { range: at..at, text: text.into(), place: place.into(), is_ahead: true });
    }

    pub(super) fn insert(&mut self, place: &str, at: usize, text: impl Into<String>) {
        self.replace(place, at..at, text);
    }

    pub(super) fn remove(&mut self, place: &str, range: Range<usize>) {
        self.replace(place, range, "");
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
    }

    /// # Errors
    /// Names the place where two changes want the same bytes. Two removals may.
    pub(super) fn apply(mut self, text: &str) -> Result<String, String> {
        // What is written at a place comes before what is taken away behind it.
        self.0.sort_by_key(|edit| (edit.range.start, !edit.is_ahead, !edit.range.is_empty()));
        let mut result = String::with_capacity(text.len() + 1024);
        let (mut at, mut removed) = (0, false);
        for edit in self.0 {
            let removes = edit.text.is_empty();
            if edit.range.start < at && !(removes && removed) {
                return Err(edit.place);
            }
            result.push_str(text.get(at..edit.range.start).unwrap_or_default());
            result.push_str(&edit.text);
            at = at.max(edit.range.end);
            removed = removes;
        }
        result.push_str(&text[at..]);
        Ok(result)
    }
}
