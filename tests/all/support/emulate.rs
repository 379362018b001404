//! A GitHub that nobody here wrote: npm `emulate` 0.11.2 on a free loopback port, killed when dropped.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::tools::{node_package, system_tool};

/// The token that the seed knows.
pub(crate) const TOKEN: &str = "emulate_token";

const SEED: &str = "tokens:\n  emulate_token:\n    login: acme\n    scopes: [repo, workflow, user]\n\
                    github:\n  users:\n    - login: acme\n      name: Acme\n      email: acme@example.com\n";

/// A running emulator with one account, `acme`.
pub(crate) struct Emulate {
    process: Child,
    pub(crate) url: String,
    _folder: tempfile::TempDir,
}

impl Emulate {
    /// `None` where the tools are not installed.
    #[must_use = "it stops when dropped"]
    pub(crate) fn start() -> Option<Self> {
        let package = node_package("emulate")?;
        let node = system_tool("node")?;
        let folder = tempfile::tempdir().expect("a folder for the seed");
        let seed = folder.path().join("seed.yaml");
        std::fs::write(&seed, SEED).expect("the seed is written");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let mut process = Command::new(node)
            .arg(package.join("dist/index.js"))
            .args(["start", "-s", "github", "-p", &port.to_string(), "--seed"])
            .arg(seed)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("emulate starts");
        // It prints its summary once it listens; `Config:` is the last line.
        let output = process.stdout.take().expect("a pipe");
        let ready = BufReader::new(output).lines().map_while(Result::ok).any(|line| line.contains("Config:"));
        assert!(ready, "emulate ended before it listened");
        Some(Self { process, url: format!("http://127.0.0.1:{port}"), _folder: folder })
    }
}

impl Drop for Emulate {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
