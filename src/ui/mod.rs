//! What a person sees and types. Results go to stdout; progress, questions and errors to stderr.

pub mod questions;
