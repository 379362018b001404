//! Signature Version 4, from the side that checks (AWS general reference, "Create a signed AWS API request").

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::refusal::{Outcome, Protocol, Refusal};
use crate::sandbox::http::Request;

/// How far a request's clock may be off.
const MOST_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// What an `Authorization` header says.
pub(super) struct Authorization {
    pub(super) key_id: String,
    pub(super) scope: Scope,
    date: String,
    signed_headers: Vec<String>,
    signature: String,
}

/// What a signature is good for.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) region: String,
    pub(super) service: String,
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn system_time(at: Timestamp) -> SystemTime {
    // A moment before 1970 was refused as too old.
    UNIX_EPOCH + Duration::from_secs(u64::try_from(at.as_second()).unwrap_or_default())
}

impl Authorization {
    /// `None` when the request is not signed at all.
    pub(super) fn read(request: &Request, protocol: Protocol) -> Option<Outcome<Self>> {
        let header = request.header("authorization")?;
        let malformed = || Refusal::signature(protocol, "the Authorization header is not one of AWS4-HMAC-SHA256");
        Some(Self::parse(header).ok_or_else(malformed))
    }

    fn parse(header: &str) -> Option<Self> {
        let fields = header.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| {
            fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let credential = field("Credential")?;
        let parts: Vec<&str> = credential.split('/').collect();
        let [key_id, date, region, service, "aws4_request"] = parts[..] else { return None };
        Some(Self {
            key_id: key_id.into(),
            scope: Scope { region: region.into(), service: service.into() },
            date: date.into(),
            signed_headers: field("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: field("Signature")?,
        })
    }

    /// Recomputes the signature with the key's secret.
    pub(super) fn verify(&self, request: &Request, secret: &str, protocol: Protocol, now: Timestamp) -> Outcome<()> {
        let refuse = |message: String| Err(Refusal::signature(protocol, message));
        let stamp = request.header("x-amz-date").unwrap_or_default();
        let Some(at) =
            DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok().and_then(|at| TimeZone::UTC.to_timestamp(at).ok())
        else {
            return refuse("Date must be in ISO-8601 'basic format'.".into());
        };
        if !stamp.starts_with(&self.date) {
            return refuse("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.".into());
        }
        if now.duration_since(at).abs() > MOST_SKEW {
            return refuse(format!("Signature expired or not yet current: {stamp} is more than 15 min from {now}."));
        }
        let must_be_signed = |name: &str| name == "host" || name.starts_with("x-amz-");
        for name in request.headers.keys().map(hyper::header::HeaderName::as_str).filter(|name| must_be_signed(name)) {
            if !self.signed_headers.iter().any(|signed| signed == name) {
                return refuse(format!("there was a header present in the request which was not signed: {name}"));
            }
        }
        let mut sorted = self.signed_headers.clone();
        sorted.sort();
        if sorted != self.signed_headers || !request.query.is_empty() {
            return refuse("signed headers must be sorted, and the query empty".into());
        }
        let mut headers = String::new();
        for name in &self.signed_headers {
            let values: Vec<String> = request
                .headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            headers.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        let canonical = format!(
            "{}\n{}\n\n{headers}\n{}\n{}",
            request.method,
            request.path,
            self.signed_headers.join(";"),
            sha256(&request.body)
        );
        let Scope { region, service } = &self.scope;
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{stamp}\n{}/{region}/{service}/aws4_request\n{}",
            self.date,
            sha256(canonical.as_bytes())
        );
        let key = generate_signing_key(secret, system_time(at), region, service);
        if calculate_signature(key, to_sign.as_bytes()) != self.signature {
            return refuse(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method."
                    .into(),
            );
        }
        Ok(())
    }
}
