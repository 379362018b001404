//! How calls reach GitHub: its address, headers, and the clock of one attempt.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::Uri;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use url::Url;

use super::{Call, Reply, Timing};
use crate::failure::Failure;
use crate::model::secrets::Token;
use crate::transport::{self, innermost};

const PUBLIC_API: &str = "https://api.github.com";
const API_VERSION: &str = "2022-11-28";

/// The API's address: https, or plain http on this machine alone.
pub(super) fn api_url(told: Option<&str>) -> Result<Url, Failure> {
    let text = told.unwrap_or(PUBLIC_API).trim_end_matches('/');
    let refuse = |reason: &str| {
        Failure::usage(format!("`{text}` can't be GitHub's API: {reason}"))
            .hinted("on Enterprise Server set GITHUB_API_URL=https://HOST/api/v3")
    };
    let url = Url::parse(text).map_err(|_| refuse("it is no URL"))?;
    if transport::is_loopback(&url).is_none() {
        return Err(refuse("it names no host"));
    }
    if transport::is_confidential(&url) { Ok(url) } else { Err(refuse("the token would travel unencrypted")) }
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
    let base: Uri = url.as_str().parse().map_err(|_| Failure::usage(format!("`{url}` can't be GitHub's API")))?;
    let auth = token.reveal(|text| AuthState::AccessToken { token: text.to_owned().into() });
    let headers = Arc::new(vec![
        (header::USER_AGENT, HeaderValue::from_static(transport::USER_AGENT)),
        (header::ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
        (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static(API_VERSION)),
    ]);
    let built = if url.scheme() == "https" {
        let tls = transport::secure(timing)?;
        OctocrabBuilder::new_empty()
            .with_service(Client::builder(TokioExecutor::new()).build::<_, OctoBody>(tls))
            .with_layer(&ExtraHeadersLayer::new(headers))
            .with_layer(&BaseUriLayer::new(base))
            .with_auth(auth)
            .build()
    } else {
        OctocrabBuilder::new_empty()
            .with_service(Client::builder(TokioExecutor::new()).build::<_, OctoBody>(transport::plain(timing)))
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

#[cfg(test)]
mod tests {
    use super::*;

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
