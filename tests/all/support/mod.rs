//! What several tests share.

pub(crate) mod emulate;
pub(crate) mod openapi;
pub(crate) mod tools;
