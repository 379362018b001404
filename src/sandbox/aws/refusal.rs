//! How AWS says no: a code, a sentence and a status, in the shape of the protocol that was spoken.

use serde_json::json;

use super::query::{Node, escape};
use crate::sandbox::http::Answer;

/// The two protocols spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// IAM and STS: a form in, XML out.
    Query,
    /// ECR: AWS JSON 1.1.
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

pub(super) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    pub(super) fn signature(protocol: Protocol, message: impl Into<String>) -> Self {
        match protocol {
            Protocol::Query => Self::new(403, "SignatureDoesNotMatch", message),
            Protocol::Json => Self::new(400, "InvalidSignatureException", message),
        }
    }

    pub(super) fn unknown_key(protocol: Protocol) -> Self {
        let message = "The security token included in the request is invalid.";
        match protocol {
            Protocol::Query => Self::new(403, "InvalidClientTokenId", message),
            Protocol::Json => Self::new(400, "UnrecognizedClientException", message),
        }
    }

    pub(super) fn expired_session(protocol: Protocol) -> Self {
        let message = "The security token included in the request is expired";
        match protocol {
            Protocol::Query => Self::new(403, "ExpiredToken", message),
            Protocol::Json => Self::new(400, "ExpiredTokenException", message),
        }
    }

    pub(super) fn unsigned(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Query => Self::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
            Protocol::Json => Self::new(400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        }
    }

    pub(super) fn denied(protocol: Protocol, message: impl Into<String>) -> Self {
        match protocol {
            Protocol::Query => Self::new(403, "AccessDenied", message),
            Protocol::Json => Self::new(400, "AccessDeniedException", message),
        }
    }

    pub(super) fn into_answer(self, protocol: Protocol, namespace: &str, request_id: &str) -> Answer {
        let Self { status, code, message } = self;
        match protocol {
            Protocol::Query => {
                let error = Node::group(
                    "Error",
                    vec![
                        Node::text("Type", if status < 500 { "Sender" } else { "Receiver" }),
                        Node::text("Code", code),
                        Node::text("Message", message),
                    ],
                );
                let mut body = format!("<ErrorResponse xmlns=\"{}\">", escape(namespace));
                error.write(&mut body);
                Node::text("RequestId", request_id).write(&mut body);
                body.push_str("</ErrorResponse>");
                Answer::new(status, "text/xml", body).with("x-amzn-requestid", request_id)
            }
            Protocol::Json => Answer::new(
                status,
                "application/x-amz-json-1.1",
                json!({ "__type": code, "message": message }).to_string(),
            )
            .with("x-amzn-errortype", code)
            .with("x-amzn-requestid", request_id),
        }
    }
}
