//! `sbi update`: what is decided about each file, what a person is told, and what reaches the repository.

mod decisions;
mod described;
mod edits;
mod scene;
