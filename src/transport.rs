//! How bytes leave this machine, the same for every adapter that speaks HTTP itself: TLS with the system's roots,
//! proxies, and the clock of one call. Knows no service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;
use url::Url;

use crate::failure::Failure;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The connector of `secure`.
pub type Secure = HttpsConnector<Proxied>;

/// What the program calls itself.
pub const USER_AGENT: &str = concat!("sbi/", env!("CARGO_PKG_VERSION"));

/// How long one call may take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub connect: Duration,
    /// From the request's start to the answer's last byte.
    pub answer: Duration,
    /// Before the first repetition; each later one waits four times as long.
    pub pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), answer: Duration::from_secs(30), pause: Duration::from_millis(250) }
    }
}

impl Timing {
    /// With this longest wait for one answer.
    #[must_use]
    pub fn answering_within(limit: Duration) -> Self {
        let usual = Self::default();
        Self { connect: usual.connect.min(limit), answer: limit, ..usual }
    }
}

/// Whether the URL's host is this machine; `None` when it names no host.
#[must_use]
pub fn is_loopback(url: &Url) -> Option<bool> {
    Some(match url.host()? {
        url::Host::Domain(domain) => domain == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    })
}

/// Whether what is sent there can't be read on the way: https, or plain http on this machine alone.
#[must_use]
pub fn is_confidential(url: &Url) -> bool {
    match is_loopback(url) {
        Some(loopback) => url.scheme() == "https" || (url.scheme() == "http" && loopback),
        None => false,
    }
}

/// For plain http, which is for loopback: no TLS and no proxy, which is for leaving this machine.
#[must_use]
pub fn plain(timing: Timing) -> Proxied {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timing.connect));
    Proxied { tcp, matcher: None }
}

/// For https: TLS with the system's certificates, through the proxy that `HTTPS_PROXY` and `NO_PROXY` name.
///
/// # Errors
/// When the system has no certificates to trust.
pub fn secure(timing: Timing) -> Result<Secure, Failure> {
    let connector = Proxied { matcher: Some(Arc::new(Matcher::from_env())), ..plain(timing) };
    let builder = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| Failure::new("the system's TLS certificates can't be read").caused_by(error))?;
    Ok(builder.https_only().enable_http1().wrap_connector(connector))
}

/// The text of the error underneath all others: what really happened.
#[must_use]
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// TCP to the host, or a tunnel through the proxy.
#[derive(Clone)]
pub struct Proxied {
    tcp: HttpConnector,
    matcher: Option<Arc<Matcher>>,
}

impl Service<Uri> for Proxied {
    type Response = TokioIo<TcpStream>;
    type Error = AnyError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, AnyError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let mut tcp = self.tcp.clone();
        match self.matcher.as_ref().and_then(|matcher| matcher.intercept(&target)) {
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
                if let Some(credentials) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(credentials.clone());
                }
                Box::pin(async move { tunnel.call(target).await.map_err(Into::into) })
            }
            None => Box::pin(async move { tcp.call(target).await.map_err(Into::into) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};

    use super::*;

    #[tokio::test]
    async fn https_goes_through_the_proxy_with_its_credentials() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            head
        });
        let matcher = Matcher::builder().https(format!("http://me:pass@{address}")).no("inside.example.com").build();
        assert!(matcher.intercept(&Uri::from_static("https://inside.example.com/")).is_none());
        let mut connector = Proxied { matcher: Some(Arc::new(matcher)), ..plain(Timing::default()) };
        connector.call(Uri::from_static("https://github.example.com/api/v3/user")).await.unwrap();
        let head = proxy.join().unwrap().join("\n").to_lowercase();
        assert!(head.starts_with("connect github.example.com:443 "), "{head}");
        assert!(head.contains("proxy-authorization: basic bwu6cgfzcw=="), "{head}");
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        let private = |text: &str| is_confidential(&Url::parse(text).unwrap());
        for text in ["https://gcr.io", "http://127.0.0.1:5000", "http://localhost", "http://[::1]:80/x"] {
            assert!(private(text), "{text}");
        }
        for text in ["http://gcr.io", "ftp://127.0.0.1", "http://127.0.0.1.example.com", "data:text/plain,x"] {
            assert!(!private(text), "{text}");
        }
    }
}
