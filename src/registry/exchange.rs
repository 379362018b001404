//! One request to a registry and its answer: headers, size limit and clock. Decides nothing.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use tokio::sync::OnceCell;
use url::Url;

use super::{MANIFESTS, Timing};
use crate::transport::{self, Proxied, Secure, innermost};

/// The most bytes of a manifest (OCI distribution specification, "Pushing manifests": registries take 4 MiB), and more
/// than any token takes.
const MOST_BYTES: usize = 4 * 1024 * 1024;

pub(super) struct Client {
    plain: legacy::Client<Proxied, Empty<Bytes>>,
    /// Made at the first https call: it reads the system's certificates.
    secure: OnceCell<legacy::Client<Secure, Empty<Bytes>>>,
    timing: Timing,
}

/// An answer of any status.
pub(super) struct Reply {
    /// What was asked.
    pub(super) url: Url,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) fn new(timing: Timing) -> Self {
        let plain = legacy::Client::builder(TokioExecutor::new()).build(transport::plain(timing));
        Self { plain, secure: OnceCell::new(), timing }
    }

    /// # Errors
    /// The innermost reason when there is no answer.
    pub(super) async fn send(&self, method: &Method, url: &Url, token: Option<&HeaderValue>) -> Result<Reply, String> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(url.as_str())
            .header(USER_AGENT, transport::USER_AGENT)
            .header(ACCEPT, MANIFESTS.join(", "));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
        let exchange = async {
            let response = if url.scheme() == "https" {
                let secure = self.secure.get_or_try_init(|| async { self.make_secure() }).await?;
                secure.request(request).await
            } else {
                self.plain.request(request).await
            };
            let (head, body) = response.map_err(|error| innermost(&error))?.into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| innermost(error.as_ref()))?;
            Ok(Reply {
                url: url.clone(),
                status: head.status.as_u16(),
                headers: head.headers,
                body: body.to_bytes().to_vec(),
            })
        };
        tokio::time::timeout(self.timing.answer, exchange)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", self.timing.answer.as_secs_f32())))
    }

    fn make_secure(&self) -> Result<legacy::Client<Secure, Empty<Bytes>>, String> {
        let connector = transport::secure(self.timing).map_err(|failure| failure.to_string())?;
        Ok(legacy::Client::builder(TokioExecutor::new()).build(connector))
    }
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long to wait before the call is sent again; `None` when repeating would not help.
    pub(super) fn wait_before_repeating(&self) -> Option<Duration> {
        let told = self.retry_after().map(Duration::from_secs);
        match self.status {
            // A limit that names no time is an hour's or six hours' one.
            429 => told,
            500 | 502..=504 => Some(told.unwrap_or_default()),
            _ => None,
        }
    }

    /// Seconds, as `Retry-After` says them.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.header("retry-after")?.trim().parse().ok()
    }
}

/// Scheme, host and port: whom a token is for.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
