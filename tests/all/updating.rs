//! `sbi update`: what is decided about each file, what a person is told, and what reaches the repository.

pub(crate) mod aged;
mod decisions;
mod described;
mod edits;
mod local;
mod pins;
mod reasons;
mod requests;
mod scene;
