//! The registry adapter against a registry that nobody here wrote, against the sandbox's, and against servers that
//! misbehave in one way each.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sbi::failure::{Cause, Failure};
use sbi::registry::{Registry, Timing};
use sbi::sandbox::http::{Answer, Handler, Request, Server, Weather};
use sbi::sandbox::registry::RegistryStandIn;
use serde_json::json;

use crate::support::registry_content::{RegistryContent, sha256};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI: (&str, &str) = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.config.v1+json");
const DOCKER: (&str, &str) =
    ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.container.image.v1+json");

const REFERENCE: &str = "gcr.io/distroless/static-debian13:nonroot";

/// Short pauses; a silent server is given up after `answer`.
fn timing(answer: Duration) -> Timing {
    Timing { connect: Duration::from_secs(2), answer, pause: Duration::from_millis(1) }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn ask(url: &str, reference: &str) -> Result<String, Failure> {
    run(async {
        let registry = Registry::connect_timed(Some(url), timing(Duration::from_secs(10)))?;
        registry.digest(reference).await.map(|digest| digest.to_string())
    })
}

struct Canned<F>(F);

impl<F: Fn(&Request) -> Answer + Send + Sync + 'static> Handler for Canned<F> {
    fn answer(&self, request: &Request) -> Answer {
        (self.0)(request)
    }
}

fn serve(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
    Server::start(Canned(answer)).unwrap()
}

fn refused(server: &Server) -> Failure {
    ask(&server.url(), REFERENCE).expect_err("a digest came of it")
}

fn all(failure: &Failure) -> String {
    format!("{failure}\n{}\n{}", failure.reasons().join("\n"), failure.hints().join("\n"))
}

const BODY: &str = r#"{"schemaVersion":2}"#;

fn manifest() -> Answer {
    Answer::new(200, OCI_INDEX, BODY)
}

fn requests(server: &Server) -> Vec<String> {
    server.log().iter().map(|exchange| format!("{} {}", exchange.request.method, exchange.request.path)).collect()
}

#[test]
fn a_real_registry_tells_the_digest_of_whatever_a_tag_stands_for() {
    let Some(mut real) = RegistryContent::start("") else { return };
    let name = "gcr.io/distroless/static-debian13";
    for (tag, kind, image) in [("oci", OCI_INDEX, OCI), ("docker", DOCKER_LIST, DOCKER)] {
        let index = real.index(name, tag, kind, image, "first");
        assert_eq!(ask(&real.url, &format!("{name}:{tag}")).unwrap(), index, "the index of {tag}, not its image");
        let single = real.image(name, &format!("{tag}-single"), image, "alone");
        assert_eq!(ask(&real.url, &format!("{name}:{tag}-single")).unwrap(), single);
        let moved = real.index(name, tag, kind, image, "second");
        assert_ne!(moved, index);
        assert_eq!(ask(&real.url, &format!("{name}:{tag}")).unwrap(), moved, "the tag moved");
    }
    let official = real.index("docker.io/library/golang", "1.26", OCI_INDEX, OCI, "go");
    assert_eq!(ask(&real.url, "docker.io/golang:1.26").unwrap(), official);
    let failure = ask(&real.url, &format!("{name}:absent")).unwrap_err();
    assert_eq!(*failure.cause(), Cause::NotFound, "{failure}");
    assert!(all(&failure).contains("MANIFEST_UNKNOWN"), "{}", all(&failure));
}

#[test]
fn a_real_registry_that_wants_a_password_is_not_given_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("htpasswd");
    std::fs::write(&file, "me:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n").unwrap();
    let Some(real) = RegistryContent::start(&format!("auth: {{htpasswd: {{realm: x, path: '{}'}}}}\n", file.display()))
    else {
        return;
    };
    let failure = ask(&real.url, REFERENCE).unwrap_err();
    assert_eq!(*failure.cause(), Cause::Denied { action: "pull".into(), resource: Some(REFERENCE.into()) });
    assert!(all(&failure).contains("SBI_REGISTRY_MIRROR"), "{}", all(&failure));
}

#[test]
fn the_sandboxs_registry_is_asked_by_head_with_a_token_for_that_repository_alone() {
    let known = ["docker.io/library/golang:1.26-trixie", REFERENCE].map(str::to_owned);
    let stand_in = RegistryStandIn::start(known.clone()).unwrap();
    let pins = run(async { Registry::connect(Some(&stand_in.url())).unwrap().pin(&known).await }).unwrap();
    for reference in &known {
        assert_eq!(pins.get(reference), stand_in.digest_of(reference).as_ref());
    }
    let log = requests(stand_in.server());
    assert_eq!(log.len(), 6, "{log:?}");
    assert!(log.iter().all(|line| line.starts_with("HEAD ") || line == "GET /token"), "{log:?}");
    for exchange in stand_in.server().log() {
        let authorized = exchange.request.header("authorization").is_some();
        assert!(!authorized || exchange.answer.status == 200, "a token for one repository was shown at another");
    }
    let before = stand_in.digest_of(REFERENCE);
    stand_in.move_tag(REFERENCE);
    assert_ne!(stand_in.digest_of(REFERENCE), before);
    let unknown = ask(&stand_in.url(), "gcr.io/distroless/other:x").unwrap_err();
    assert_eq!(*unknown.cause(), Cause::NotFound, "{unknown}");
    assert!(all(&unknown).contains("MANIFEST_UNKNOWN: manifest unknown"), "{}", all(&unknown));
}

/// Both registries refuse in the same words, and answer the same request in the same form.
#[test]
fn the_sandboxs_registry_answers_as_the_real_one_does() {
    let Some(mut real) = RegistryContent::start("") else { return };
    let stand_in = RegistryStandIn::start([REFERENCE.to_owned()]).unwrap();
    real.index("gcr.io/distroless/static-debian13", "nonroot", OCI_INDEX, OCI, "x");
    let open = |base: &str| {
        let mut rest = crate::support::rest::Rest::new(base, "");
        let scope = "repository:gcr.io/distroless/static-debian13:pull";
        let token = rest.send("GET", &format!("/token?service=sandbox-registry&scope={scope}"), None);
        rest.headers.insert("authorization".into(), format!("Bearer {}", token.body["token"].as_str().unwrap_or("x")));
        rest
    };
    let (mut real, mut ours) = (open(&real.url), open(&stand_in.url()));
    let there = "/v2/gcr.io/distroless/static-debian13/manifests/nonroot";
    let absent = "/v2/gcr.io/distroless/static-debian13/manifests/absent";
    for (accept, method, path) in [
        (OCI_INDEX, "GET", there),
        (OCI_INDEX, "HEAD", there),
        (OCI_INDEX, "GET", absent),
        (OCI_INDEX, "HEAD", absent),
        ("application/vnd.oci.image.manifest.v1+json", "GET", there),
    ] {
        let answers = [&mut real, &mut ours].map(|rest| {
            rest.headers.insert("accept".into(), accept.into());
            let got = rest.send(method, path, None);
            let digest = got.header("docker-content-digest").starts_with("sha256:");
            let code = got.body.pointer("/errors/0/code").cloned();
            (got.status, got.header("content-type").split(';').next().unwrap_or_default().to_owned(), digest, code)
        });
        assert_eq!(answers[0], answers[1], "{method} {path} with {accept}");
    }
}

#[test]
fn a_registry_that_answers_head_badly_is_asked_for_the_manifest_and_its_bytes_are_hashed() {
    let computed = format!("sha256:{}", sha256(BODY));
    for head in [manifest(), Answer::new(405, "text/plain", ""), Answer::new(200, "text/html", "")] {
        let server = serve(move |request| if request.method == "HEAD" { head.clone() } else { manifest() });
        assert_eq!(ask(&server.url(), REFERENCE).unwrap(), computed);
        assert_eq!(requests(&server).len(), 2, "{:?}", requests(&server));
    }
}

#[test]
fn a_digest_that_is_none_or_not_that_of_the_bytes_is_refused() {
    for told in ["sha256:abc", "sha512:00", "latest", &format!("sha256:{}", sha256(BODY).to_uppercase())] {
        let told = told.to_owned();
        let server = serve(move |_| manifest().with("docker-content-digest", told.clone()));
        assert!(all(&refused(&server)).contains("is no SHA-256 digest"));
    }
    let other = format!("sha256:{}", sha256("something else"));
    let server = serve(move |request| match request.method.as_str() {
        "HEAD" => Answer::new(405, "text/plain", ""),
        _ => manifest().with("docker-content-digest", other.clone()),
    });
    let failure = refused(&server);
    assert!(failure.message().contains(&sha256(BODY)) && failure.message().contains(&sha256("something else")));
}

#[test]
fn a_sign_in_page_of_the_network_is_no_manifest() {
    let server = serve(|_| Answer::new(200, "text/html; charset=utf-8", "<html>Welcome to the hotel</html>"));
    assert!(all(&refused(&server)).contains("answered with text/html"), "{}", all(&refused(&server)));
}

#[test]
fn a_token_is_fetched_from_nowhere_unencrypted_and_never_with_credentials() {
    for realm in ["http://registry.example/token", "ftp://127.0.0.1/token", "not a url at all:", "//registry.example/t"]
    {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"x\"");
        let server = serve(move |request| match request.path.as_str() {
            path if path.starts_with("/v2/") => {
                Answer::new(401, "application/json", "{}").with("www-authenticate", challenge.clone())
            }
            _ => panic!("{} was asked", request.path),
        });
        assert!(all(&refused(&server)).contains("for a token it leads to"), "{realm}: {}", all(&refused(&server)));
    }
    let challenge = "Bearer realm=\"http://me:hunter2@127.0.0.1:1/token\"";
    let server = serve(move |_| Answer::new(401, "application/json", "{}").with("www-authenticate", challenge));
    let failure = refused(&server);
    assert!(all(&failure).contains("credentials") && !all(&failure).contains("hunter2"), "{}", all(&failure));
}

#[test]
fn a_token_that_does_not_help_or_can_not_be_read_ends_the_look_up_and_is_never_shown() {
    for (token, expected) in [
        (Answer::new(200, "application/json", r#"{"token":"canary"}"#), "without signing in"),
        (Answer::new(200, "application/json", r#"{"token":"canary\n"}"#), "without a token"),
        (Answer::new(200, "text/html", "canary"), "without a token"),
        (Answer::new(403, "application/json", "{}"), "without signing in"),
        (Answer::new(404, "application/json", "{}"), "no anonymous token (404)"),
    ] {
        let server = serve(move |request| match request.path.as_str() {
            "/token" => token.clone(),
            _ => {
                let host = request.header("host").unwrap();
                let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"s\"");
                Answer::new(401, "application/json", "{}").with("www-authenticate", challenge)
            }
        });
        let failure = refused(&server);
        assert!(failure.message().contains(expected), "{}", all(&failure));
        assert!(!format!("{} {failure:?}", all(&failure)).contains("canary"));
    }
}

#[test]
fn a_token_stays_behind_when_the_registry_redirects_to_another_host() {
    let digest = format!("sha256:{}", sha256(BODY));
    let other = Arc::new(serve(move |_| manifest().with("docker-content-digest", digest.clone())));
    let target = format!("{}/elsewhere", other.url());
    let server = serve(move |request| {
        let host = request.header("host").unwrap();
        match (request.path.as_str(), request.header("authorization")) {
            ("/token", None) => Answer::new(200, "application/json", r#"{"access_token":"t"}"#),
            (_, Some("Bearer t")) => Answer::new(307, "text/plain", "").with("location", target.clone()),
            _ => Answer::new(401, "application/json", "{}")
                .with("www-authenticate", format!("Bearer realm=\"http://{host}/token\"")),
        }
    });
    assert_eq!(ask(&server.url(), REFERENCE).unwrap(), format!("sha256:{}", sha256(BODY)));
    let [exchange] = other.log().try_into().ok().expect("one request");
    assert_eq!(exchange.request.header("authorization"), None);
}

#[test]
fn a_redirection_leads_neither_astray_nor_round_for_ever() {
    let server = serve(|_| Answer::new(307, "text/plain", "").with("location", "http://registry.example/v2/x"));
    assert!(all(&refused(&server)).contains("not encrypted"), "{}", all(&refused(&server)));
    let server = serve(|_| Answer::new(302, "text/plain", "").with("location", "/v2/again"));
    assert!(all(&refused(&server)).contains("without an end"));
}

#[test]
fn refusals_are_told_apart_and_say_what_to_do() {
    let error = |code: &str| json!({"errors": [{"code": code, "message": "no"}]}).to_string();
    for (status, code, cause, hint) in [
        (404, "NAME_UNKNOWN", Cause::NotFound, "still exists"),
        (403, "DENIED", Cause::Denied { action: "pull".into(), resource: Some(REFERENCE.into()) }, "sign-in"),
        (401, "UNAUTHORIZED", Cause::Denied { action: "pull".into(), resource: Some(REFERENCE.into()) }, "sign-in"),
        (429, "TOOMANYREQUESTS", Cause::Throttled { retry_after_seconds: Some(3600) }, "in 3600 s"),
    ] {
        let body = error(code);
        let server = serve(move |_| Answer::new(status, "application/json", body.clone()).with("retry-after", "3600"));
        let failure = refused(&server);
        assert_eq!(*failure.cause(), cause);
        assert!(failure.message().contains(REFERENCE) && all(&failure).contains(hint), "{}", all(&failure));
        assert!(all(&failure).contains(code) == (status != 429), "{}", all(&failure));
    }
}

#[test]
fn a_limit_that_ends_soon_is_waited_for_and_a_broken_gateway_asked_again() {
    let digest = format!("sha256:{}", sha256(BODY));
    for bad in [Answer::new(429, "text/plain", "").with("retry-after", "0"), Answer::new(503, "text/plain", "")] {
        let digest = digest.clone();
        let server = serve(move |_| manifest().with("docker-content-digest", digest.clone()));
        let first = bad.clone();
        server.set_forecast(move |number, _| if number == 0 { Weather::Instead(first.clone()) } else { Weather::Fair });
        assert!(ask(&server.url(), REFERENCE).is_ok());
    }
    let server = serve(|_| Answer::new(429, "text/plain", ""));
    refused(&server);
    assert_eq!(requests(&server).len(), 1, "a limit that names no end is not tried again");
}

#[test]
fn a_silent_registry_is_given_up_and_named() {
    let server = serve(|_| manifest());
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    server.set_forecast(move |_, _| {
        *count.lock().unwrap() += 1;
        Weather::Hang
    });
    let failure = run(async {
        let registry = Registry::connect_timed(Some(&server.url()), timing(Duration::from_millis(50))).unwrap();
        registry.digest(REFERENCE).await
    })
    .unwrap_err();
    assert_eq!(*failure.cause(), Cause::Unreachable);
    assert!(all(&failure).contains("127.0.0.1") && all(&failure).contains("no answer within"), "{}", all(&failure));
    assert_eq!(*asked.lock().unwrap(), 3);
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    assert_eq!(*ask(&format!("http://{nobody}"), REFERENCE).unwrap_err().cause(), Cause::Unreachable);
}

#[test]
fn a_body_without_an_end_is_not_read_to_it() {
    let server = serve(|_| Answer::new(200, OCI_INDEX, vec![b' '; 5 * 1024 * 1024]));
    assert!(all(&refused(&server)).contains("length limit exceeded"), "{}", all(&refused(&server)));
}
