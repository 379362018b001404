//! What several tests share.

pub(crate) mod bases;
pub(crate) mod emulate;
pub(crate) mod iam_judge;
pub(crate) mod moto;
pub(crate) mod openapi;
pub(crate) mod registry;
pub(crate) mod rest;
pub(crate) mod room;
pub(crate) mod terminal;
pub(crate) mod tools;
pub(crate) mod world;
