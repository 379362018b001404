//! What is wanted and what was found, as plain data: no effects, no clock, no environment.

pub mod action_pin;
pub mod action_repository;
pub mod commit;
pub mod config;
pub mod desired;
pub mod diagnosis;
pub mod evaluation;
pub mod git;
pub mod go_to_market;
pub mod holdings;
pub mod iam;
pub mod identity;
pub mod jobs;
pub mod lock;
pub mod names;
pub mod observed;
pub mod ownership;
pub mod pinned_program;
pub mod pins;
pub mod region;
pub mod registry;
pub mod secrets;
pub mod status;
pub mod version;
