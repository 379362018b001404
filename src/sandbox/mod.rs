//! The rehearsal room: strict loopback stand-ins for AWS, GitHub and container registries inside the binary.

pub mod aws;
pub mod github;
pub mod http;
pub mod oidc;
pub mod registry;
