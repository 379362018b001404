//! Who calls: the operator, and what a signature must be like.

use std::time::{Duration, SystemTime};

use sbi::sandbox::http::{Answer, Handler, Request, Server};

use super::{ACCOUNT, REGION, clients, code, operator, start};

#[tokio::test]
async fn the_operator_is_an_administrator_with_a_name() {
    let aws = start();
    let me = operator(&aws);
    let identity = me.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(identity.arn(), Some("arn:aws:iam::123456789012:user/operator"));
    assert_eq!(identity.account(), Some(ACCOUNT));
    assert!(identity.user_id().unwrap().starts_with("AIDA"));
    let user = me.iam.get_user().send().await.unwrap().user.unwrap();
    assert_eq!(user.user_name, "operator");
    assert!(aws.user_names().is_empty());
}

#[tokio::test]
async fn signatures_are_verified_and_their_refusals_are_the_services_own() {
    let aws = start();
    let key = aws.operator_credentials();
    let wrong = clients(&aws.url(), key.id(), "wrong", None);
    let unknown = clients(&aws.url(), "AKIAAAAAAAAAAAAAAAAA", "x", None);
    let as_session = key.reveal(|secret| clients(&aws.url(), key.id(), secret, Some("token".into())));
    assert_eq!(code(wrong.iam.get_user().send().await), "SignatureDoesNotMatch");
    assert_eq!(code(wrong.sts.get_caller_identity().send().await), "SignatureDoesNotMatch");
    assert_eq!(code(wrong.ecr.describe_repositories().send().await), "InvalidSignatureException");
    assert_eq!(code(unknown.iam.get_user().send().await), "InvalidClientTokenId");
    assert_eq!(code(unknown.ecr.describe_repositories().send().await), "UnrecognizedClientException");
    assert_eq!(code(as_session.sts.get_caller_identity().send().await), "InvalidClientTokenId");
    assert!(aws.performed().is_empty(), "nobody was let in, so nothing was asked");
}

/// Hands requests on to the stand-in with something changed on the way.
struct Meddler {
    to: String,
    change: fn(&mut Request),
}

impl Handler for Meddler {
    fn answer(&self, request: &Request) -> Answer {
        let mut request = request.clone();
        (self.change)(&mut request);
        send(&self.to, &request)
    }
}

/// One HTTP/1.1 exchange without any client's help.
pub(super) fn send(to: &str, request: &Request) -> Answer {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(to.trim_start_matches("http://")).unwrap();
    let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        if !matches!(name.as_str(), "content-length" | "connection") {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", request.body.len()));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&request.body).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or("text/plain");
    Answer::new(status, kind, body)
}

#[tokio::test]
async fn a_request_that_was_changed_on_its_way_is_refused() {
    let aws = start();
    let key = aws.operator_credentials();
    let untouched: fn(&mut Request) = |_| {};
    let body: fn(&mut Request) = |request| {
        request.body = String::from_utf8_lossy(&request.body).replace("mallory", "malory").into_bytes();
    };
    let date: fn(&mut Request) = |request| {
        request.headers.insert("x-amz-date", "20200101T000000Z".parse().unwrap());
    };
    let extra: fn(&mut Request) = |request| {
        request.headers.insert("x-amz-extra", "1".parse().unwrap());
    };
    let unsigned: fn(&mut Request) = |request| {
        request.headers.remove("authorization");
    };
    let region: fn(&mut Request) = |request| {
        let changed = request.header("authorization").unwrap().replace("eu-central-1", "us-east-1");
        request.headers.insert("authorization", changed.parse().unwrap());
    };
    for (name, change, expected) in [
        ("untouched", untouched, "ok"),
        ("body", body, "SignatureDoesNotMatch"),
        ("date", date, "SignatureDoesNotMatch"),
        ("extra", extra, "SignatureDoesNotMatch"),
        ("region", region, "SignatureDoesNotMatch"),
        ("unsigned", unsigned, "MissingAuthenticationToken"),
    ] {
        let meddler = Server::start(Meddler { to: aws.url(), change }).unwrap();
        // The host is signed: it has to be what the stand-in sees.
        let me = key.reveal(|secret| clients(&meddler.url(), key.id(), secret, None));
        let made = me.iam.create_user().user_name("mallory").send().await;
        assert_eq!(code(made), expected, "{name}");
    }
    assert_eq!(aws.user_names().len(), 1);
}

#[tokio::test]
async fn a_signature_is_good_for_fifteen_minutes() {
    let aws = start();
    let key = aws.operator_credentials();
    for (minutes, expected) in [(0, 200), (14, 200), (16, 403), (600, 403)] {
        for early in [true, false] {
            let shift = Duration::from_secs(minutes * 60);
            let at = if early { SystemTime::now() - shift } else { SystemTime::now() + shift };
            let request = key.reveal(|secret| signed_at(at, &aws.url(), key.id(), secret));
            assert_eq!(send(&aws.url(), &request).status, expected, "{minutes} min, early: {early}");
        }
    }
}

/// `GetUser`, signed by AWS's own signer at a time of our choice.
fn signed_at(at: SystemTime, url: &str, id: &str, secret: &str) -> Request {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    let body = b"Action=GetUser&Version=2010-05-08";
    let host = url.trim_start_matches("http://");
    let identity = aws_sdk_iam::config::Credentials::new(id, secret, None, None, "test").into();
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("iam")
        .time(at)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers = [("host", host), ("content-type", "application/x-www-form-urlencoded")];
    let to_sign =
        SignableRequest::new("POST", format!("{url}/"), headers.into_iter(), SignableBody::Bytes(body)).unwrap();
    let (instructions, _) = sign(to_sign, &params).unwrap().into_parts();
    let mut request = Request {
        method: "POST".into(),
        path: "/".into(),
        query: String::new(),
        headers: Default::default(),
        body: body.to_vec(),
    };
    for (name, value) in headers.into_iter().chain(instructions.headers()) {
        let name: hyper::header::HeaderName = name.parse().unwrap();
        request.headers.insert(name, value.parse().unwrap());
    }
    request
}
