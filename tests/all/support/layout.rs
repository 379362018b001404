//! OCI layouts with one manifest: read, unpacked, and made anew with one more layer.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) struct Layout {
    folder: PathBuf,
}

impl Layout {
    pub(crate) fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// `sha256:…` of the one manifest.
    pub(crate) fn digest(&self) -> String {
        let index = json_of(&self.folder.join("index.json"));
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1, "{index}");
        index["manifests"][0]["digest"].as_str().unwrap().to_owned()
    }

    pub(crate) fn manifest(&self) -> Value {
        json_of(&self.blob(&self.digest()))
    }

    pub(crate) fn config(&self) -> Value {
        json_of(&self.blob(self.manifest()["config"]["digest"].as_str().unwrap()))
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs/sha256").join(digest.strip_prefix("sha256:").unwrap())
    }

    /// The bytes that a pull transfers: configuration and layers, compressed as registries get them.
    pub(crate) fn pull_size(&self) -> u64 {
        let folder = tempfile::tempdir().unwrap();
        let source = format!("oci:{}", self.folder.display());
        let target = format!("dir:{}", folder.path().display());
        let copied = Command::new("skopeo").args(["copy", "--quiet", "--dest-compress", &source, &target]).output();
        assert!(copied.as_ref().unwrap().status.success(), "{copied:?}");
        let manifest = json_of(&folder.path().join("manifest.json"));
        let layers = manifest["layers"].as_array().unwrap();
        layers.iter().chain([&manifest["config"]]).map(|blob| blob["size"].as_u64().unwrap()).sum()
    }

    /// The root file system, with owners and modes. No layer of ours takes a file away, so none is looked for.
    pub(crate) fn unpack(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for layer in self.manifest()["layers"].as_array().unwrap() {
            let blob = self.blob(layer["digest"].as_str().unwrap());
            let mut command = Command::new("tar");
            command.args(["--extract", "--same-permissions", "--same-owner", "--keep-directory-symlink", "--file"]);
            let output = command.arg(blob).arg("--directory").arg(folder.path()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        folder
    }

    /// A copy with one layer on top: what `script` leaves in the folder that it runs in.
    pub(crate) fn with_layer(&self, script: &str) -> tempfile::TempDir {
        let made = tempfile::tempdir().unwrap();
        let (content, layout) = (made.path().join("content"), made.path().join("layout"));
        let blobs = layout.join("blobs/sha256");
        std::fs::create_dir_all(&content).unwrap();
        std::fs::create_dir_all(&blobs).unwrap();
        for blob in std::fs::read_dir(self.folder.join("blobs/sha256")).unwrap() {
            let blob = blob.unwrap();
            std::fs::copy(blob.path(), blobs.join(blob.file_name())).unwrap();
        }
        let output = Command::new("sh").args(["-euc", script]).current_dir(&content).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let mut tar = Command::new("tar");
        tar.args([
            "--create",
            "--sort=name",
            "--owner=0",
            "--group=0",
            "--xattrs",
            "--xattrs-include=security.capability",
        ]);
        let tar = tar.arg("--directory").arg(&content).arg(".").output().unwrap();
        assert!(tar.status.success(), "{tar:?}");

        let blob = |bytes: &[u8], kind: &str| {
            let digest: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
            std::fs::write(blobs.join(&digest), bytes).unwrap();
            let kind = format!("application/vnd.oci.image.{kind}");
            json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len()})
        };
        let (mut config, mut manifest) = (self.config(), self.manifest());
        let layer = blob(&tar.stdout, "layer.v1.tar");
        config["rootfs"]["diff_ids"].as_array_mut().unwrap().push(layer["digest"].clone());
        config["history"].as_array_mut().unwrap().push(json!({"created_by": "a test"}));
        manifest["layers"].as_array_mut().unwrap().push(layer);
        manifest["config"] = blob(config.to_string().as_bytes(), "config.v1+json");
        let manifest = blob(manifest.to_string().as_bytes(), "manifest.v1+json");
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        std::fs::write(layout.join("index.json"), index.to_string()).unwrap();
        std::fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        made
    }
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}
