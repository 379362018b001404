//! One moto server for the whole test binary. It ends when this process does, however that happens.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::tools::python_tool;

/// Serves on a free port, tells which, and exits when its standard input is closed: the pipe's other end is held by
/// the test process, so a killed test run leaves no server behind.
const PROGRAM: &str = "
import os, sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
os._exit(0)
";

struct Moto {
    url: String,
    /// Holds the pipe open.
    _process: Child,
}

/// The server's URL, `None` when moto is not installed. All tests share account 123456789012, so each uses names of
/// its own.
#[must_use = "a test without its tool must return early"]
pub(crate) fn url() -> Option<&'static str> {
    static MOTO: OnceLock<Option<Moto>> = OnceLock::new();
    MOTO.get_or_init(start).as_ref().map(|moto| moto.url.as_str())
}

fn start() -> Option<Moto> {
    python_tool("moto_server")?;
    let mut process = Command::new(python_tool("python")?)
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python starts");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("moto tells its port");
    let port: u16 = line.trim().parse().expect("moto tells its port");
    Some(Moto { url: format!("http://127.0.0.1:{port}"), _process: process })
}
