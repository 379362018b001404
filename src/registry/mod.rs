//! Container registries of others, read only and anonymous: which digest a tag stands for now (OCI distribution
//! specification 1.1, "Pulling manifests"). No credential is read, none is sent.
//!
//! The crate `oci-client` would bring 22 crates for one request of ours, and none of what takes the lines here: retries
//! that heed `Retry-After`, one proxy and certificate setting with the other adapters, a mirror, and tokens that are
//! fetched from https alone. hyper is linked anyway.

mod address;
mod challenge;
mod error;
mod exchange;

use std::time::Duration;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use sha2::Digest as _;
use url::Url;

use crate::failure::Failure;
use crate::model::names::Digest;
use crate::model::pins::Pins;
use address::{Address, Mirror};
use challenge::Challenge;
use exchange::{Client, Reply};

pub use crate::transport::Timing;

/// The environment variable that sends every look-up to one registry instead.
pub const MIRROR_VARIABLE: &str = "SBI_REGISTRY_MIRROR";

/// What a tag may stand for: an index or a manifest, in OCI's words and in Docker's (media types of the OCI image
/// specification and of Docker's manifest v2, schema 2). Docker's schema 1 has no stable digest and is not asked for.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// A look-up is sent this often at most, and follows this many redirections.
const MOST_ATTEMPTS: u32 = 3;
const MOST_REDIRECTIONS: u32 = 5;
/// A rate limit that ends within this time is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Asks registries for digests.
pub struct Registry {
    client: Client,
    mirror: Option<Mirror>,
    timing: Timing,
}

impl Registry {
    /// Prepares the client; must be called within a Tokio runtime. Sends nothing. `mirror` is a registry that is asked
    /// in place of every other.
    ///
    /// # Errors
    /// When the mirror's address can't be used.
    pub fn connect(mirror: Option<&str>) -> Result<Self, Failure> {
        Self::connect_timed(mirror, Timing::default())
    }

    /// The same with other timeouts.
    ///
    /// # Errors
    /// As `connect`.
    pub fn connect_timed(mirror: Option<&str>, timing: Timing) -> Result<Self, Failure> {
        let mirror = mirror.map(Mirror::parse).transpose()?;
        Ok(Self { client: Client::new(timing), mirror, timing })
    }

    /// The digest behind each reference, all asked at once.
    ///
    /// # Errors
    /// The first reference that has none, with the registry's reason.
    pub async fn pin(&self, references: &[String]) -> Result<Pins, Failure> {
        let asked = references.iter().map(|reference| self.digest(reference));
        let digests = futures_util::future::try_join_all(asked).await?;
        let mut pins = Pins::default();
        for (reference, digest) in references.iter().zip(digests) {
            pins.insert(reference, digest);
        }
        Ok(pins)
    }

    /// The digest that `HOST/REPOSITORY:TAG` stands for now: of its index where there is one.
    ///
    /// # Errors
    /// When the reference is malformed, the registry can't be reached, refuses, knows no such tag, or contradicts
    /// itself.
    pub async fn digest(&self, reference: &str) -> Result<Digest, Failure> {
        let address = Address::parse(reference, self.mirror.as_ref())?;
        let mut lookup = Lookup { registry: self, address: &address, authorization: None };
        // HEAD is no pull: Docker Hub does not count it against the limit of anonymous callers.
        let reply = lookup.ask(Method::HEAD).await?;
        if reply.status == 200
            && is_manifest(&reply)
            && let Some(told) = told_digest(&reply, &address)?
        {
            return Ok(told);
        }
        if reply.status == 429 {
            return Err(error::classify(&address, &reply));
        }
        // A registry that answers HEAD badly, or not at all, is asked for the manifest itself; a refusal has its reason
        // in the body.
        let reply = lookup.ask(Method::GET).await?;
        if reply.status != 200 {
            return Err(error::classify(&address, &reply));
        }
        if !is_manifest(&reply) {
            return Err(error::no_manifest(&address, reply.header(CONTENT_TYPE.as_str())));
        }
        let computed = digest_of(&reply.body)?;
        match told_digest(&reply, &address)? {
            Some(told) if told != computed => Err(error::contradiction(&address, &told, &computed)),
            _ => Ok(computed),
        }
    }
}

/// One reference's way through the token dance.
struct Lookup<'a> {
    registry: &'a Registry,
    address: &'a Address,
    /// `Bearer …`, marked sensitive. Only ever sent to the host that asked for it.
    authorization: Option<(String, HeaderValue)>,
}

impl Lookup<'_> {
    /// Asks for the manifest, with a token when the registry wants one.
    async fn ask(&mut self, method: Method) -> Result<Reply, Failure> {
        let reply = self.follow(&method).await?;
        if reply.status != 401 || self.authorization.is_some() {
            return Ok(reply);
        }
        let Some(challenge) = reply.headers.get_all("www-authenticate").iter().find_map(Challenge::bearer) else {
            return Ok(reply);
        };
        let realm = challenge.token_url(self.address, &reply.url)?;
        let answer = self.exchange(&Method::GET, &realm, None).await?;
        if answer.status != 200 {
            return Err(error::no_token(self.address, &answer));
        }
        let bearer = challenge::bearer_of(&answer.body).ok_or_else(|| error::unreadable_token(self.address, &realm))?;
        self.authorization = Some((exchange::origin(&reply.url), bearer));
        self.follow(&method).await
    }

    /// One request and its redirections: a token stays behind when they leave the host.
    async fn follow(&self, method: &Method) -> Result<Reply, Failure> {
        let mut url = self.address.manifest().clone();
        for _ in 0..=MOST_REDIRECTIONS {
            let token = self.authorization.as_ref().filter(|(origin, _)| *origin == exchange::origin(&url));
            let reply = self.exchange(method, &url, token.map(|(_, value)| value)).await?;
            match redirection(&reply) {
                Some(next) => url = address::follows(&url, next).map_err(|why| error::astray(self.address, &why))?,
                None => return Ok(reply),
            }
        }
        Err(error::astray(self.address, "it redirects without an end"))
    }

    /// One call with its repetitions, whatever the status.
    async fn exchange(&self, method: &Method, url: &Url, token: Option<&HeaderValue>) -> Result<Reply, Failure> {
        let Registry { client, timing, .. } = self.registry;
        let mut pause = timing.pause;
        let mut attempts = 1;
        loop {
            let last = attempts >= MOST_ATTEMPTS;
            match client.send(method, url, token).await {
                Ok(reply) if last => return Ok(reply),
                Ok(reply) => match reply.wait_before_repeating() {
                    Some(wait) if wait <= LONGEST_WAIT => tokio::time::sleep(wait.max(pause)).await,
                    _ => return Ok(reply),
                },
                Err(failed) if last => return Err(error::unreachable(self.address, url, failed)),
                Err(_) => tokio::time::sleep(pause).await,
            }
            attempts += 1;
            pause *= 4;
        }
    }
}

fn redirection(reply: &Reply) -> Option<&str> {
    matches!(reply.status, 301 | 302 | 303 | 307 | 308).then(|| reply.header("location")).flatten()
}

/// A sign-in page of a network answers everything with 200 and HTML; so a body's kind is looked at before its digest.
fn is_manifest(reply: &Reply) -> bool {
    let kind = reply.header(CONTENT_TYPE.as_str()).and_then(|text| text.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| MANIFESTS.iter().any(|known| known.eq_ignore_ascii_case(kind)))
}

fn told_digest(reply: &Reply, address: &Address) -> Result<Option<Digest>, Failure> {
    let Some(value) = reply.headers.get("docker-content-digest") else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    Digest::new(text.trim()).map(Some).map_err(|_| error::malformed_digest(address, &text))
}

fn digest_of(body: &[u8]) -> Result<Digest, Failure> {
    let hex: String = sha2::Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    Digest::new(format!("sha256:{hex}"))
}
