//! The rehearsal room: strict loopback stand-ins for AWS and GitHub inside the binary.

pub mod aws;
pub mod github;
pub mod http;
pub mod oidc;
