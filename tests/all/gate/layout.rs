//! Images made file by file, as OCI layouts with one manifest, the way the build job hands them over.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::tools::{go, root};

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// What an image is made of: paths below its root, and what is in them.
#[derive(Clone, Debug)]
pub(super) struct Image {
    files: Vec<(String, Vec<u8>)>,
}

impl Image {
    /// Like distroless: Debian's identity and one description per package, no package manager.
    pub(super) fn distroless(version: &str, codename: &str) -> Self {
        let os = format!(
            "PRETTY_NAME=\"Distroless\"\nNAME=\"Debian GNU/Linux\"\nID=\"debian\"\nVERSION_ID=\"{version}\"\n\
             VERSION=\"Debian GNU/Linux {version} ({codename})\"\n"
        );
        Self { files: Vec::new() }
            .file("etc/os-release", os.as_bytes())
            .file("usr/lib/os-release", os.as_bytes())
            .file("etc/debian_version", format!("{version}.0\n").as_bytes())
            .package("base-files", "13.8")
            .package("netbase", "6.5")
            .package("tzdata", "2026b-0+deb13u1")
            .package("media-types", "13.0.0")
    }

    /// An image without anything that a scanner could take for a package.
    pub(super) fn empty() -> Self {
        Self { files: Vec::new() }.file("hello", b"nothing here")
    }

    pub(super) fn package(self, name: &str, version: &str) -> Self {
        let status = format!(
            "Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: all\n\
             Maintainer: Nobody <nobody@debian.example>\nDescription: a package\n"
        );
        self.file(&format!("var/lib/dpkg/status.d/{name}"), status.as_bytes())
    }

    pub(super) fn file(mut self, path: &str, content: &[u8]) -> Self {
        self.files.push((path.into(), content.to_vec()));
        self
    }

    /// Writes the layout and returns the manifest's digest. The same image gives the same digest.
    pub(super) fn write(&self, folder: &Path, arch: &str) -> String {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().join("root");
        for (path, content) in &self.files {
            let path = tree.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            if path.parent().is_some_and(|folder| folder.ends_with("bin")) {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let tar = scratch.path().join("layer.tar");
        let packed = Command::new("tar")
            .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX", "--mtime=@0"])
            .arg("--file")
            .arg(&tar)
            .arg("--directory")
            .arg(&tree)
            .args(["--create", "."])
            .status()
            .unwrap();
        assert!(packed.success());
        let diff = sha256(&std::fs::read(&tar).unwrap());
        assert!(Command::new("gzip").arg("--no-name").arg(&tar).status().unwrap().success());
        let layer = std::fs::read(scratch.path().join("layer.tar.gz")).unwrap();

        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        let blob = |kind: &str, bytes: &[u8]| {
            std::fs::write(blobs.join(sha256(bytes)), bytes).unwrap();
            json!({
                "mediaType": format!("application/vnd.oci.image.{kind}"),
                "digest": format!("sha256:{}", sha256(bytes)),
                "size": bytes.len(),
            })
        };
        let config = json!({
            "architecture": arch,
            "os": "linux",
            "config": {"User": "65532:65532"},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{diff}")]},
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": blob("config.v1+json", config.to_string().as_bytes()),
            "layers": [blob("layer.v1.tar+gzip", &layer)],
        });
        let manifest = blob("manifest.v1+json", manifest.to_string().as_bytes());
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
        std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        manifest["digest"].as_str().unwrap().to_owned()
    }

    /// Writes a layout whose one entry is an index over this image for each architecture, as a release has it, and
    /// returns the index's digest.
    pub(super) fn write_release(&self, folder: &Path, architectures: &[&str]) -> String {
        let entry = |arch: &&str| {
            let digest = self.write(folder, arch);
            let size = blob(folder, &digest).to_string().len();
            let platform = json!({"architecture": arch, "os": "linux"});
            let kind = "application/vnd.oci.image.manifest.v1+json";
            json!({"mediaType": kind, "digest": digest, "size": size, "platform": platform})
        };
        let manifests: Vec<Value> = architectures.iter().map(entry).collect();
        let kind = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": manifests}).to_string();
        let digest = sha256(index.as_bytes());
        std::fs::write(folder.join("blobs/sha256").join(&digest), &index).unwrap();
        let digest = format!("sha256:{digest}");
        let entry = json!({"mediaType": kind, "digest": digest, "size": index.len()});
        std::fs::write(folder.join("index.json"), json!({"schemaVersion": 2, "manifests": [entry]}).to_string())
            .unwrap();
        digest
    }
}

/// Copies what is in a folder, into one that everybody may write: the scanner runs as nobody.
pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o777)).unwrap();
    let status = Command::new("cp").arg("-R").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success(), "{} to {}", from.display(), to.display());
}

/// The parsed JSON of a blob of a layout.
pub(super) fn blob(layout: &Path, digest: &str) -> Value {
    let path = layout.join("blobs").join(digest.replace(':', "/"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A static Go program for the architecture asked for. `None` without Go.
pub(super) fn go_program(arch: &str) -> Option<Vec<u8>> {
    let go = go()?;
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("main.go"), "package main\n\nfunc main() { println(\"hello\") }\n").unwrap();
    std::fs::write(scratch.path().join("go.mod"), "module hello\n\ngo 1.24\n").unwrap();
    let output = Command::new(go)
        .args(["build", "-trimpath", "-o", "hello", "."])
        .current_dir(scratch.path())
        .env("CGO_ENABLED", "0")
        .env("GOARCH", arch)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-buildvcs=false")
        // Warm after the first run: the runtime is compiled once an architecture.
        .env("GOCACHE", root().join("target/go-cache"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(std::fs::read(scratch.path().join("hello")).unwrap())
}
