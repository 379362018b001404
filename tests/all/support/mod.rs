//! What several tests share.

pub(crate) mod rest;
pub(crate) mod tools;
