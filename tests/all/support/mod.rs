//! What several tests share.

pub(crate) mod openapi;
pub(crate) mod rest;
pub(crate) mod tools;
