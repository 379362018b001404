//! Every integration test, in one binary: linking the SDKs once is what takes time.

// All of this is test code; clippy's `allow-…-in-tests` sees only the functions marked `#[test]`.
#![allow(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used, clippy::use_debug)]

mod support;

mod architecture;
mod bad_days;
mod checklist;
mod cli;
mod contract_aws;
mod contract_github;
mod contract_registry;
mod convergence;
mod destroying;
mod doctor;
mod faults;
mod gate;
mod images;
mod journal;
mod least_privilege;
mod merging;
mod model;
mod operator;
mod pins;
mod planning;
mod rehearse;
mod rotate_keys;
mod rotation;
mod sandbox_aws;
mod sandbox_github;
mod secrecy;
mod status;
mod taking_back;
mod templates;
mod terminal;
mod to_oidc;
mod updating;
mod workflow_claims;
