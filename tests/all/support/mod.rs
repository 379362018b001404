//! What several tests share.

pub(crate) mod tools;
pub(crate) mod world;
