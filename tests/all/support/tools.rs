//! Finds the programs that nobody here wrote and that the tests are judged by. `tests/run` installs them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
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

/// Go itself: the one that the tools bring, or else the machine's.
#[must_use = "a test without its tool must return early"]
pub(crate) fn go() -> Option<PathBuf> {
    let own = root().join(".tools/venv/bin/go");
    installed(if own.is_file() { own } else { on_path("go").unwrap_or(own) })
}

/// The formatter that comes with [`go`].
#[must_use = "a test without its tool must return early"]
pub(crate) fn gofmt() -> Option<PathBuf> {
    let output = Command::new(go()?).args(["env", "GOROOT"]).env("GOTOOLCHAIN", "local").output().unwrap();
    installed(Path::new(String::from_utf8(output.stdout).unwrap().trim()).join("bin/gofmt"))
}

/// A program with a folder of its own below `.tools`: `cosign` or `trivy`.
#[must_use = "a test without its tool must return early"]
pub(crate) fn own_tool(name: &str) -> Option<PathBuf> {
    installed(root().join(".tools").join(name).join(name))
}

/// A folder below `.tools`, such as `reports`.
#[must_use = "a test without its tool must return early"]
pub(crate) fn own_folder(name: &str) -> Option<PathBuf> {
    installed(root().join(".tools").join(name))
}

/// A program that Debian brings, such as `shellcheck`.
#[must_use = "a test without its tool must return early"]
pub(crate) fn system_tool(name: &str) -> Option<PathBuf> {
    installed(on_path(name).unwrap_or_else(|| PathBuf::from(name)))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Building and running images mounts file systems.
#[must_use = "a test without its tool must return early"]
pub(crate) fn root_rights() -> Option<()> {
    use std::os::unix::fs::MetadataExt as _;
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    if is_root { Some(()) } else { absent("root's rights", "run the tests as root") }
}

/// An absent tool leaves a test out where a person runs plain `cargo test`, and fails it where all must run.
pub(super) fn installed(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    absent(&path.strip_prefix(root()).unwrap_or(&path).display().to_string(), "run tests/run to install it")
}

fn absent<T>(what: &str, remedy: &str) -> Option<T> {
    let required = ["CI", "SBI_REQUIRE_TOOLS"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!required, "this test needs {what}: {remedy}");
    say_once(what, remedy);
    None
}

/// Once a tool, and past the harness, which hides what a passing test prints.
fn say_once(what: &str, remedy: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap().insert(what.to_owned()) {
        let _ = writeln!(std::io::stderr(), "left out what needs {what}: {remedy}");
    }
}
