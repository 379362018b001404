//! A container registry in the place of every other, as a pull-through mirror is: it knows the references that it was
//! started with, wants an anonymous token for each, and refuses the rest as registries do (OCI distribution
//! specification, Docker's token specification). It serves indexes and nothing below them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hyper::header::HeaderMap;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::http::{Answer, Handler, Request, Server, lock};
use crate::model::names::Digest;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const SERVICE: &str = "sandbox-registry";

/// The registry. It stops when dropped.
pub struct RegistryStandIn {
    server: Server,
    tags: Arc<Mutex<Tags>>,
}

/// Reference → how often its tag was moved.
type Tags = BTreeMap<String, u32>;

struct Answering {
    tags: Arc<Mutex<Tags>>,
}

impl RegistryStandIn {
    /// Serves `HOST/REPOSITORY:TAG` references as `/v2/HOST/REPOSITORY/manifests/TAG`.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub fn start(references: impl IntoIterator<Item = String>) -> std::io::Result<Self> {
        let tags = references.into_iter().map(|reference| (reference, 0)).collect();
        let tags = Arc::new(Mutex::new(tags));
        let server = Server::start(Answering { tags: Arc::clone(&tags) })?;
        Ok(Self { server, tags })
    }

    /// What `SBI_REGISTRY_MIRROR` must say.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The digest that the reference's tag stands for now; `None` when it is not known here.
    #[must_use]
    pub fn digest_of(&self, reference: &str) -> Option<Digest> {
        let moved = *lock(&self.tags).get(reference)?;
        Digest::new(digest(&index(reference, moved))).ok()
    }

    /// Gives the tag a newer image, as its publisher does every few days.
    pub fn move_tag(&self, reference: &str) {
        if let Some(moved) = lock(&self.tags).get_mut(reference) {
            *moved += 1;
        }
    }
}

impl Handler for Answering {
    fn answer(&self, request: &Request) -> Answer {
        match request.path.as_str() {
            "/token" => token(request),
            path => match path.strip_prefix("/v2/").and_then(|rest| rest.split_once("/manifests/")) {
                Some((name, tag)) => self.manifest(request, name, tag),
                None => refusal(404, "UNSUPPORTED", "the sandbox's registry serves manifests only"),
            },
        }
    }
}

impl Answering {
    fn manifest(&self, request: &Request, name: &str, tag: &str) -> Answer {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return refusal(405, "UNSUPPORTED", "the sandbox's registry is read only");
        }
        let scope = format!("repository:{name}:pull");
        let presented = request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        if presented != Some(token_for(&scope).as_str()) {
            let host = request.header("host").unwrap_or_default();
            let error = if presented.is_some() { r#",error="invalid_token""# } else { "" };
            let challenge = format!(r#"Bearer realm="http://{host}/token",service="{SERVICE}",scope="{scope}"{error}"#);
            return refusal(401, "UNAUTHORIZED", "authentication required").with("www-authenticate", challenge);
        }
        // Docker Hub's short names are written out on the way to a mirror.
        let short = name.strip_prefix("docker.io/library/").map(|name| format!("docker.io/{name}:{tag}"));
        let full = format!("{name}:{tag}");
        let tags = lock(&self.tags);
        let known = tags.get_key_value(&full).or_else(|| tags.get_key_value(&short?));
        let Some((reference, moved)) = known else {
            return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown");
        };
        // Registries give nothing that the client does not say it can read.
        if !accepts(&request.headers, INDEX) {
            return refusal(404, "MANIFEST_UNKNOWN", "OCI index found, but accept header does not support OCI indexes");
        }
        let body = index(reference, *moved);
        let digest = digest(&body);
        Answer::new(200, INDEX, body).with("docker-content-digest", digest)
    }
}

fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let listed = headers.get_all("accept").iter().filter_map(|value| value.to_str().ok());
    listed.flat_map(|value| value.split(',')).any(|one| one.split(';').next().is_some_and(|one| one.trim() == kind))
}

/// Anyone gets a token, and it opens one repository.
fn token(request: &Request) -> Answer {
    let pairs: BTreeMap<String, String> = request.query_pairs().into_iter().collect();
    let scope = pairs.get("scope").filter(|scope| scope.starts_with("repository:") && scope.ends_with(":pull"));
    match scope {
        Some(scope) if pairs.get("service").is_some_and(|service| service == SERVICE) => {
            let body = json!({"token": token_for(scope), "expires_in": 300});
            Answer::new(200, "application/json", body.to_string())
        }
        _ => refusal(400, "DENIED", "the token's service and scope are those of the challenge"),
    }
}

fn token_for(scope: &str) -> String {
    digest(scope.as_bytes()).replace(':', "-")
}

/// An index of both architectures, as the bytes that its digest is of.
fn index(reference: &str, moved: u32) -> Vec<u8> {
    let manifest = |architecture: &str| {
        json!({
            "mediaType": MANIFEST,
            "digest": digest(format!("{reference} {architecture} {moved}").as_bytes()),
            "size": 1024,
            "platform": {"os": "linux", "architecture": architecture},
        })
    };
    let manifests = [manifest("amd64"), manifest("arm64")];
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string().into_bytes()
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": message, "detail": null}]});
    Answer::new(status, "application/json", body.to_string()).with("docker-distribution-api-version", "registry/2.0")
}
