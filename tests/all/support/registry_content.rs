//! Images without layers, written into a real registry by hand: only their manifests matter.

use serde_json::{Value, json};

use super::registry::Registry;
use super::rest::Rest;

/// A real registry and what is pushed to it.
pub(crate) struct RegistryContent {
    pub(crate) url: String,
    rest: Rest,
    _registry: Registry,
}

impl RegistryContent {
    /// `None` when no registry is installed. `more` is added to its settings.
    #[must_use = "a test without its tool must return early"]
    pub(crate) fn start(more: &str) -> Option<Self> {
        let registry = Registry::configured(more)?;
        let url = format!("http://{}", registry.address());
        Some(Self { rest: Rest::new(&url, ""), url, _registry: registry })
    }

    fn blob(&self, name: &str, content: &Value) -> Value {
        let text = content.to_string();
        let digest = format!("sha256:{}", sha256(&text));
        let upload = self.rest.send("POST", &format!("/v2/{name}/blobs/uploads/"), None).is(202);
        let place = upload.header("location").strip_prefix(&self.url).unwrap().to_owned();
        self.rest.send("PUT", &format!("{place}&digest={}", digest.replace(':', "%3A")), Some(content)).is(201);
        json!({"digest": digest, "size": text.len()})
    }

    /// Pushes a manifest or an index and returns the digest that the registry gives it.
    fn manifest(&mut self, name: &str, tag: &str, manifest: &Value) -> String {
        let kind = manifest["mediaType"].as_str().unwrap().to_owned();
        self.rest.headers.insert("content-type".into(), kind);
        let pushed = self.rest.send("PUT", &format!("/v2/{name}/manifests/{tag}"), Some(manifest)).is(201);
        self.rest.headers.remove("content-type");
        pushed.header("docker-content-digest").to_owned()
    }

    /// An image of one architecture without layers, told apart by `note`.
    pub(crate) fn image(&mut self, name: &str, tag: &str, (kind, config_kind): (&str, &str), note: &str) -> String {
        let mut config = self.blob(name, &json!({"architecture": "amd64", "os": "linux", "author": note}));
        config["mediaType"] = config_kind.into();
        let manifest = json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []});
        self.manifest(name, tag, &manifest)
    }

    /// An index or manifest list over one image.
    pub(crate) fn index(&mut self, name: &str, tag: &str, kind: &str, image_kinds: (&str, &str), note: &str) -> String {
        let image = self.image(name, &format!("{tag}-amd64"), image_kinds, note);
        let mut found = json!({"digest": image, "mediaType": image_kinds.0});
        found["size"] = self.size_of(name, &image, image_kinds.0).into();
        found["platform"] = json!({"architecture": "amd64", "os": "linux"});
        self.manifest(name, tag, &json!({"schemaVersion": 2, "mediaType": kind, "manifests": [found]}))
    }

    fn size_of(&mut self, name: &str, digest: &str, kind: &str) -> u64 {
        self.rest.headers.insert("accept".into(), kind.into());
        let got = self.rest.send("GET", &format!("/v2/{name}/manifests/{digest}"), None).is(200);
        self.rest.headers.remove("accept");
        got.header("content-length").parse().unwrap()
    }
}

pub(crate) fn sha256(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
