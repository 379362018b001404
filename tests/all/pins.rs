//! Newer pins: which version is chosen, on facts and against the strict stand-in, and the texts that get it.
#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic")]

mod choosing;
mod editing;
