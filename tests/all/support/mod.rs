//! What several tests share.

pub(crate) mod moto;
pub(crate) mod tools;
