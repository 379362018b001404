//! What several tests share.

pub(crate) mod bases;
pub(crate) mod bbolt;
pub(crate) mod buildah;
pub(crate) mod canaries;
pub(crate) mod delivered_key;
pub(crate) mod emulate;
pub(crate) mod iam_judge;
pub(crate) mod layout;
pub(crate) mod moto;
pub(crate) mod openapi;
pub(crate) mod policies;
pub(crate) mod registry;
pub(crate) mod registry_content;
pub(crate) mod rest;
pub(crate) mod room;
pub(crate) mod terminal;
pub(crate) mod tools;
pub(crate) mod trivy_database;
pub(crate) mod world;
