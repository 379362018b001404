//! A real registry on a free loopback port. It ends when the test process does, however that happens.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

use super::tools::system_tool;

/// Ends the registry when standard input is closed: the pipe's other end is held by the test process.
const KEEPER: &str = r#"docker-registry serve "$0" <&- & read -r _; kill "$!"; wait"#;

pub(crate) struct Registry {
    address: String,
    folder: tempfile::TempDir,
    process: Child,
    pipe: Option<ChildStdin>,
    /// Two pushes of one blob at the same time: one finds half of it there, and fails.
    one_push_at_a_time: Mutex<()>,
}

impl Registry {
    /// `None` when docker-registry is not installed. Without TLS and without credentials.
    #[must_use = "a test without its tool must return early"]
    pub(crate) fn start() -> Option<Self> {
        Self::configured("")
    }

    /// The same, with `more` added to its settings.
    #[must_use = "a test without its tool must return early"]
    pub(crate) fn configured(more: &str) -> Option<Self> {
        system_tool("docker-registry")?;
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("registry.yml");
        let storage = folder.path().join("storage");
        std::fs::write(
            &settings,
            format!(
                "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n\
                 storage: {{filesystem: {{rootdirectory: '{}'}}, delete: {{enabled: true}}}}\n{more}",
                storage.display()
            ),
        )
        .unwrap();
        std::fs::write(folder.path().join("auth.json"), "{}").unwrap();
        let mut process = Command::new("sh")
            .args(["-c", KEEPER])
            .arg(&settings)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let pipe = process.stdin.take();
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("listening on ")?;
                Some(rest.split(['"', ' ']).next()?.to_owned())
            })
            .expect("docker-registry tells its port");
        // A full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { address, folder, process, pipe, one_push_at_a_time: Mutex::new(()) })
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where the registry keeps repositories and blobs, below `docker/registry/v2`.
    pub(crate) fn storage(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    /// A settings file for buildah's `CONTAINERS_REGISTRIES_CONF` and skopeo's `--registries-conf`: what is asked of
    /// one of these hosts is asked of this registry, as `HOST/REPOSITORY`. The names in Dockerfiles stay as they are.
    pub(crate) fn stands_in_for(&self, hosts: &[&str]) -> PathBuf {
        let mut text = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", self.address);
        for host in hosts {
            let location = format!("{}/{host}", self.address);
            text += &format!("[[registry]]\nprefix = \"{host}\"\nlocation = \"{location}\"\ninsecure = true\n");
        }
        let path = self.folder.path().join("registries.conf");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A file for `REGISTRY_AUTH_FILE` without a sign-in: those of the person who runs the tests are none of theirs.
    pub(crate) fn no_sign_ins(&self) -> PathBuf {
        self.folder.path().join("auth.json")
    }

    /// Copies an OCI layout to `repository:tag` (or an index, when the layout holds one), digests unchanged.
    pub(crate) fn push(&self, layout: &Path, reference: &str) {
        let mut command = Command::new("skopeo");
        command.args(["copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false"]);
        command.arg(format!("oci:{}", layout.display())).arg(format!("docker://{}/{reference}", self.address()));
        command.env("REGISTRY_AUTH_FILE", self.no_sign_ins());
        let alone = self.one_push_at_a_time.lock().unwrap_or_else(|broken| broken.into_inner());
        let output = command.output().expect("skopeo starts");
        drop(alone);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.process.wait();
    }
}
