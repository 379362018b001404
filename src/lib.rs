//! `sbi` bootstraps the registry, the identity and the pipeline behind a hardened container base image.
//!
//! observe → plan → apply, where planning is a pure function between two plain structs. Arrows between modules:
//! `commands → ui, plan, apply, live, journal, merge, templates, rehearsal, model` ·
//! `live → aws, github, registry, plan, apply, model` · `apply → plan → merge → model` ·
//! `aws, github, registry, templates, rehearsal → model` · `github, registry → transport` ·
//! `journal → apply, plan, model` · `ui → plan, apply, journal, model` · all `→ failure`.

pub mod apply;
pub mod aws;
pub mod cli;
pub mod commands;
pub mod failure;
pub mod github;
pub mod journal;
pub mod live;
pub mod merge;
pub mod model;
pub mod plan;
pub mod registry;
pub mod rehearsal;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod templates;
pub mod transport;
pub mod ui;
