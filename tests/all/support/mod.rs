//! What several tests share.

pub(crate) mod openapi;
pub(crate) mod tools;
