//! Finds the programs that nobody here wrote and that the tests are judged by. `tests/run` installs them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The checkout's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program of the tools' Python environment, such as `moto_server`.
#[must_use = "a test without its tool must return early"]
pub(crate) fn python_tool(name: &str) -> Option<PathBuf> {
    installed(root().join(".tools/venv/bin").join(name))
}

/// A package of the tools' Node modules, such as `emulate`.
#[must_use = "a test without its tool must return early"]
pub(crate) fn node_package(name: &str) -> Option<PathBuf> {
    installed(root().join(".tools/node/node_modules").join(name))
}

/// A program that is built from its Go module, such as `actionlint`.
#[must_use = "a test without its tool must return early"]
pub(crate) fn go_tool(name: &str) -> Option<PathBuf> {
    installed(root().join(".tools/go/bin").join(name))
}

/// A program that Debian brings, such as `shellcheck`.
#[must_use = "a test without its tool must return early"]
pub(crate) fn system_tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    installed(found.unwrap_or_else(|| PathBuf::from(name)))
}

/// An absent tool leaves a test out where a person runs plain `cargo test`, and fails it where all must run.
pub(super) fn installed(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    let required = ["CI", "SBI_REQUIRE_TOOLS"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!required, "{} is not installed: run tests/run", path.display());
    say_once(&path);
    None
}

/// Once a tool, and past the harness, which hides what a passing test prints.
fn say_once(path: &Path) {
    static SAID: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap().insert(path.to_owned()) {
        let shown = path.strip_prefix(root()).unwrap_or(path).display();
        let _ = writeln!(std::io::stderr(), "left out what needs {shown}: `tests/run` installs it");
    }
}
