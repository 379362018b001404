//! What several tests share.

pub(crate) mod terminal;
pub(crate) mod tools;
