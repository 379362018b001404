//! How bytes reach GitHub: TLS, proxy, headers and the clock of one attempt.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::Uri;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo};
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use tokio::net::TcpStream;
use tower_service::Service;
use url::Url;

use super::{Call, Reply, Timing};
use crate::failure::Failure;
use crate::model::secrets::Token;

const PUBLIC_API: &str = "https://api.github.com";
const API_VERSION: &str = "2022-11-28";

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The API's address: https, or plain http on this machine alone.
pub(super) fn api_url(told: Option<&str>) -> Result<Url, Failure> {
    let text = told.unwrap_or(PUBLIC_API).trim_end_matches('/');
    let refuse = |reason: &str| {
        Failure::usage(format!("`{text}` can't be GitHub's API: {reason}"))
            .hinted("on Enterprise Server set GITHUB_API_URL=https://HOST/api/v3")
    };
    let url = Url::parse(text).map_err(|_| refuse("it is no URL"))?;
    let loopback = match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(refuse("it names no host")),
    };
    if url.scheme() == "https" || (url.scheme() == "http" && loopback) {
        Ok(url)
    } else {
        Err(refuse("the token would travel unencrypted"))
    }
}

/// GraphQL lies beside the REST API: `https://HOST/api` on Enterprise Server, the same base elsewhere.
pub(super) fn graphql_base(rest: &Url) -> Url {
    let mut base = rest.clone();
    if let Some(path) = rest.path().strip_suffix("/v3") {
        base.set_path(path);
    }
    base
}

pub(super) fn client(url: &Url, token: &Token, timing: Timing) -> Result<Octocrab, Failure> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timing.connect));
    // A proxy is for leaving this machine or network: plain http is loopback, see `api_url`.
    let matcher = (url.scheme() == "https").then(Matcher::from_env);
    let connector = Proxied { tcp, matcher: matcher.map(Arc::new) };
    let base: Uri = url.as_str().parse().map_err(|_| Failure::usage(format!("`{url}` can't be GitHub's API")))?;
    let auth = token.reveal(|text| AuthState::AccessToken { token: text.to_owned().into() });
    let headers = Arc::new(vec![
        (header::USER_AGENT, HeaderValue::from_static(concat!("sbi/", env!("CARGO_PKG_VERSION")))),
        (header::ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
        (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static(API_VERSION)),
    ]);
    let built = if url.scheme() == "https" {
        let tls = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| Failure::new("the system's TLS certificates can't be read").caused_by(error))?
            .https_only()
            .enable_http1()
            .wrap_connector(connector);
        OctocrabBuilder::new_empty()
            .with_service(Client::builder(TokioExecutor::new()).build::<_, OctoBody>(tls))
            .with_layer(&ExtraHeadersLayer::new(headers))
            .with_layer(&BaseUriLayer::new(base))
            .with_auth(auth)
            .build()
    } else {
        OctocrabBuilder::new_empty()
            .with_service(Client::builder(TokioExecutor::new()).build::<_, OctoBody>(connector))
            .with_layer(&ExtraHeadersLayer::new(headers))
            .with_layer(&BaseUriLayer::new(base))
            .with_auth(auth)
            .build()
    };
    built.map_err(|never| match never {})
}

/// One attempt: the request's way there and the whole answer's way back, within the time for one call.
///
/// # Errors
/// The innermost reason when there is no answer.
pub(super) async fn send(client: &Octocrab, call: &Call, path: &str, timing: Timing) -> Result<Reply, String> {
    let mut request = hyper::Request::builder().method(call.method.clone()).uri(path);
    let body = match &call.body {
        Some(value) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            value.to_string()
        }
        None => String::new(),
    };
    let request = request.body(OctoBody::from(body)).map_err(|error| error.to_string())?;
    let exchange = async {
        let response = client.execute(request).await.map_err(|error| innermost(&error))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| innermost(&error))?.to_bytes().to_vec();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    };
    tokio::time::timeout(timing.answer, exchange)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", timing.answer.as_secs_f32())))
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// TCP to GitHub, or a tunnel through the proxy that `HTTPS_PROXY` and `NO_PROXY` name.
#[derive(Clone)]
struct Proxied {
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
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let matcher = Matcher::builder().https(format!("http://me:pass@{address}")).no("inside.example.com").build();
        assert!(matcher.intercept(&Uri::from_static("https://inside.example.com/")).is_none());
        let mut connector = Proxied { tcp, matcher: Some(Arc::new(matcher)) };
        connector.call(Uri::from_static("https://github.example.com/api/v3/user")).await.unwrap();
        let head = proxy.join().unwrap().join("\n").to_lowercase();
        assert!(head.starts_with("connect github.example.com:443 "), "{head}");
        assert!(head.contains("proxy-authorization: basic bwu6cgfzcw=="), "{head}");
    }

    #[test]
    fn enterprise_server_has_graphql_beside_its_rest_api() {
        let base = |text| graphql_base(&api_url(Some(text)).unwrap()).to_string();
        assert_eq!(base("https://github.example.com/api/v3/"), "https://github.example.com/api");
        assert_eq!(base("https://api.github.com"), "https://api.github.com/");
        assert!(api_url(Some("http://github.example.com/api/v3")).is_err());
        assert!(api_url(Some("ftp://github.example.com")).is_err());
        assert!(api_url(Some("http://127.0.0.1:8080")).is_ok());
    }
}
