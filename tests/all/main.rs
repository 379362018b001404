//! Every integration test, in one binary: linking the SDKs once is what takes time.

// All of this is test code; clippy's `allow-…-in-tests` sees only the functions marked `#[test]`.
#![allow(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used, clippy::use_debug)]

mod support;

mod architecture;
mod bad_days;
mod cli;
mod contract_aws;
mod contract_github;
mod contract_registry;
mod convergence;
mod doctor;
mod gate;
mod images;
mod journal;
mod least_privilege;
mod model;
mod operator;
mod planning;
mod rehearse;
mod sandbox_aws;
mod sandbox_github;
mod secrecy;
mod templates;
mod terminal;
mod workflow_claims;
