//! Finding the text that was rendered last: in the repository's history, and where it is gone from there, elsewhere.

use super::{Question, Texts, There};
use crate::model::git::BlobId;

/// The text of `base`, which `sbi.lock` has for the path `recorded`; the error says why there is none.
///
/// A history loses a blob when a squashed branch is collected or somebody rewrites it. Then a text that `sbi.lock`
/// itself keeps, or another render that comes out as just this blob, is as good.
pub(super) fn base_text<'a>(
    question: &Question<'a>,
    there: There<'a>,
    recorded: &str,
    base: &BlobId,
    texts: &'a Texts,
) -> Result<&'a str, String> {
    if let Some(Some(bytes)) = texts.get(base) {
        return std::str::from_utf8(bytes).map_err(|_| "what was rendered last is no text".to_owned());
    }
    let kept = there.lock.texts.get(recorded).filter(|text| BlobId::of(text.as_bytes()) == *base);
    if let Some(text) = kept.or_else(|| question.renders.get(base)) {
        return Ok(text);
    }
    Err(format!(
        "the base of this file is gone: its blob {base} is no longer in the repository's history, so nobody can tell \
         what of it was edited"
    ))
}
