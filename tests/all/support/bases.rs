//! The images that others publish and ours are built on, assembled by `tests/run` from Debian's packages.

use std::path::PathBuf;

use super::tools::{installed, root};

/// An OCI layout with one manifest: what the base image of `product` holds for `arch` (`amd64` or `arm64`).
#[must_use = "a test without its tool must return early"]
pub(crate) fn base(product: &str, arch: &str) -> Option<PathBuf> {
    installed(root().join(".tools/bases").join(product).join(arch))
}

/// An OCI layout with one manifest for this machine's architecture: Go, gcc and a shell, as in `golang:…-trixie`.
#[must_use = "a test without its tool must return early"]
pub(crate) fn builder() -> Option<PathBuf> {
    installed(root().join(".tools/bases/builder").join(native()))
}

/// This machine's architecture, as images name it.
pub(crate) fn native() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}
