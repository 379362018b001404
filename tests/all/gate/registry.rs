//! A real registry on loopback that asks for a password, and a proxy before it that has a bad day on demand.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::support::registry;

pub(super) const USER: &str = "AWS";
pub(super) const PASSWORD: &str = "a-password-of-twelve-hours";
/// Of the password above, with the lowest cost: the registry checks it at every request.
const HTPASSWD: &str = "AWS:$2b$04$yP3ZAyxlQUJoLLi4JTBVZuvIwD8Q6f3Wbr7vAK8l6EXZrUM0LOApi\n";

/// User and password as a login file has them.
pub(super) fn basic_auth() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"))
}

pub(super) struct Registry {
    pub(super) address: SocketAddr,
    /// Ends with this value.
    process: registry::Registry,
    /// Where the password file is.
    _settings: tempfile::TempDir,
}

impl Registry {
    /// An empty registry on a free port that asks for the password, `None` when it is not installed.
    pub(super) fn start() -> Option<Self> {
        let settings = tempfile::tempdir().unwrap();
        let file = settings.path().join("htpasswd");
        std::fs::write(&file, HTPASSWD).unwrap();
        let auth = format!("auth: {{htpasswd: {{realm: tests, path: '{}'}}}}\n", file.display());
        Some(Self::of(registry::Registry::configured(&auth)?, settings))
    }

    /// One that lets everybody in, as the registries of public images do.
    pub(super) fn start_public() -> Option<Self> {
        Some(Self::of(registry::Registry::start()?, tempfile::tempdir().unwrap()))
    }

    fn of(process: registry::Registry, settings: tempfile::TempDir) -> Self {
        Self { address: process.address().parse().unwrap(), process, _settings: settings }
    }

    /// The status, digest and body of a manifest, as anybody with read rights gets it.
    pub(super) fn manifest(&self, repository: &str, reference: &str) -> (u16, Vec<u8>) {
        self.get(&format!("{repository}/manifests/{reference}"))
    }

    pub(super) fn blob(&self, repository: &str, digest: &str) -> (u16, Vec<u8>) {
        self.get(&format!("{repository}/blobs/{digest}"))
    }

    pub(super) fn tags(&self, repository: &str) -> Vec<String> {
        let (status, body) = self.get(&format!("{repository}/tags/list"));
        if status == 404 {
            return Vec::new();
        }
        let list: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let mut tags: Vec<String> =
            list["tags"].as_array().into_iter().flatten().map(|tag| tag.as_str().unwrap().to_owned()).collect();
        tags.sort();
        tags
    }

    /// Every file of the registry's store, to tell that a refused attempt changed nothing.
    pub(super) fn stored(&self) -> Vec<String> {
        let output = Command::new("find").arg(self.process.storage()).args(["-type", "f"]).output().unwrap();
        let mut files: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        files.sort();
        files
    }

    /// Puts the bytes of one stored blob in the place of another's, as a registry that lies about a digest.
    pub(super) fn serve_instead(&self, digest: &str, other: &str) {
        let file = |digest: &str| {
            let hex = digest.trim_start_matches("sha256:");
            self.process.storage().join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
        };
        assert!(file(digest).is_file(), "{digest} is stored");
        std::fs::copy(file(other), file(digest)).unwrap();
    }

    /// Copies a layout into the registry under a tag, as somebody else published it.
    pub(super) fn publish(&self, layout: &Path, name: &str) {
        let status = Command::new("skopeo")
            .args(["copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false"])
            .arg(format!("--dest-creds={USER}:{PASSWORD}"))
            .arg(format!("oci:{}", layout.display()))
            .arg(format!("docker://{}/{name}", self.address))
            .status()
            .unwrap();
        assert!(status.success(), "{name}");
    }

    fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let accept = [
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v2+json",
        ]
        .join(", ");
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--noproxy", "*", "--write-out", "\n%{http_code}"])
            .args(["--header", &format!("Accept: {accept}"), "--user", &format!("{USER}:{PASSWORD}")])
            .arg(format!("http://{}/v2/{path}", self.address))
            .output()
            .unwrap();
        let split = output.stdout.iter().rposition(|byte| *byte == b'\n').unwrap_or_else(|| {
            panic!("{path}: {}", String::from_utf8_lossy(&output.stderr));
        });
        let status = String::from_utf8_lossy(&output.stdout[split + 1..]).parse().unwrap();
        (status, output.stdout[..split].to_vec())
    }
}

/// A call of the registry's HTTP API, as a client made it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The client's `User-Agent`.
    pub(super) client: String,
    pub(super) method: String,
    /// Without its query.
    pub(super) path: String,
}

/// What a proxy lets through, and what it saw.
#[derive(Debug, Default)]
struct Mood {
    requests: Vec<Request>,
    writes: usize,
    /// Refuses this write, counted from 1, and every one after it.
    refuse_from: Option<usize>,
}

/// Stands between a client and the registry, one request a connection.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
}

impl Proxy {
    pub(super) fn before(registry: &Registry) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mood = Arc::new(Mutex::new(Mood::default()));
        let (shared, target) = (Arc::clone(&mood), registry.address);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || drop(relay(client, target, address, &shared)));
            }
        });
        Self { address, mood }
    }

    /// From the n-th write on, nothing can be written; `None` heals it. Counting starts again.
    pub(super) fn refuse_writes_from(&self, number: Option<usize>) {
        let mut mood = self.mood.lock().unwrap();
        (mood.writes, mood.refuse_from) = (0, number);
    }

    /// Every call since this was asked last, in order.
    pub(super) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.mood.lock().unwrap().requests)
    }

    /// How many writes arrived since counting started.
    pub(super) fn writes(&self) -> usize {
        self.mood.lock().unwrap().writes
    }
}

fn request(head: &str) -> Request {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let client =
        lines.filter_map(|line| line.split_once(": ")).find(|(name, _)| name.eq_ignore_ascii_case("user-agent"));
    Request {
        client: client.map(|(_, value)| value.to_owned()).unwrap_or_default(),
        method,
        path: target.split('?').next().unwrap_or_default().to_owned(),
    }
}

fn relay(mut client: TcpStream, target: SocketAddr, own: SocketAddr, mood: &Mutex<Mood>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
        // A client tries TLS first, and waits for an answer that no plain server gives.
        if head[0] == 0x16 {
            return client.shutdown(Shutdown::Both);
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    mood.lock().unwrap().requests.push(request(&head));
    if ["POST ", "PUT ", "PATCH "].iter().any(|method| head.starts_with(method)) {
        let mut mood = mood.lock().unwrap();
        mood.writes += 1;
        if mood.refuse_from.is_some_and(|first| mood.writes >= first) {
            drop(mood);
            let body = r#"{"errors":[{"code":"DENIED","message":"the registry has a bad day"}]}"#;
            let answer = format!(
                "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            client.write_all(answer.as_bytes())?;
            client.shutdown(Shutdown::Write)?;
            // What the client still sends is read, or it would see a reset before the answer.
            std::io::copy(&mut client, &mut std::io::sink())?;
            return Ok(());
        }
    }
    // The Host header stays this proxy's, so the registry's upload addresses lead back here.
    debug_assert!(head.contains(&own.to_string()));
    let mut server = TcpStream::connect(target)?;
    let once: String = head
        .trim_end()
        .lines()
        .filter(|line| !line.to_lowercase().starts_with("connection:"))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    server.write_all(format!("{once}Connection: close\r\n\r\n").as_bytes())?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
    });
    std::io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}

#[test]
fn the_registry_refuses_a_stranger_and_ends_with_its_test() {
    let Some(registry) = Registry::start() else { return };
    assert_eq!(registry.manifest("acme/none", "v1.0.0").0, 404);
    let stranger = Command::new("curl")
        .args(["--silent", "--noproxy", "*", "--output", "/dev/null", "--write-out", "%{http_code}"])
        .arg(format!("http://{}/v2/", registry.address))
        .output()
        .unwrap();
    assert_eq!(stranger.stdout, b"401");
    let address = registry.address;
    drop(registry);
    assert!(TcpStream::connect(address).is_err());
}
