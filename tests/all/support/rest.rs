//! A small JSON client for tests that look at GitHub's REST API from outside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// What came back.
#[derive(Clone)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    /// `Null` when the body is empty or no JSON.
    pub(crate) body: Value,
}

impl Got {
    /// Fails the test unless the status is this one.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    pub(crate) fn text(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", self.body));
        found.as_str().map_or_else(|| found.to_string(), str::to_owned)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn message(&self) -> String {
        self.text("/message")
    }
}

/// Sends one request after the other. Headers can be taken away to see what the server says.
pub(crate) struct Rest {
    pub(crate) base: String,
    pub(crate) headers: BTreeMap<String, String>,
    client: Client<HttpConnector, Full<Bytes>>,
    runtime: tokio::runtime::Runtime,
}

impl Rest {
    pub(crate) fn new(base: &str, token: &str) -> Self {
        let headers = [
            ("authorization", format!("Bearer {token}")),
            ("user-agent", "sbi-tests".to_owned()),
            ("x-github-api-version", "2022-11-28".to_owned()),
        ];
        Self {
            base: base.to_owned(),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Got {
        let mut request = hyper::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        if !self.headers.contains_key("content-type") {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(bytes)).unwrap();
        self.runtime.block_on(async {
            let response = self.client.request(request).await.unwrap();
            let (head, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let headers = head.headers.iter();
            Got {
                status: head.status.as_u16(),
                headers: headers.map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned())).collect(),
                body: serde_json::from_slice(&bytes).unwrap_or_default(),
            }
        })
    }

    pub(crate) fn get(&self, path: &str) -> Got {
        self.send("GET", path, None)
    }

    pub(crate) fn delete(&self, path: &str) -> Got {
        self.send("DELETE", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Got {
        self.send("POST", path, Some(body))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Got {
        self.send("PUT", path, Some(body))
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Got {
        self.send("PATCH", path, Some(body))
    }
}
