//! The GitHub adapter against GitHub's own description, canned answers, `emulate` and PyNaCl.

use sbi::sandbox::http::{Answer, Exchange, Request};
use serde_json::{Value, json};

use crate::support::openapi;

fn exchange(method: &str, path: &str, query: &str, body: &Value, status: u16, answer: &Value) -> Exchange {
    let bytes = |value: &Value| if value.is_null() { Vec::new() } else { value.to_string().into_bytes() };
    Exchange {
        request: Request {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: hyper::HeaderMap::new(),
            body: bytes(body),
        },
        answer: Answer::new(status, "application/json", bytes(answer)),
    }
}

#[test]
fn the_description_judges_requests_and_answers() {
    let reference = json!({"ref": "refs/heads/sbi/update", "node_id": "x", "url": "https://api.github.com/x",
        "object": {"type": "commit", "sha": "aa218f56b14c9653891f9e74264a383fa43fefbd", "url": "https://api.github.com/x"}});
    let path = "/repos/acme/base/git/refs/heads/sbi/update";
    let sent = json!({"sha": "aa218f56b14c9653891f9e74264a383fa43fefbd", "force": false});
    let good = exchange("PATCH", path, "", &sent, 200, &reference);
    assert_eq!(openapi::check(&good), Ok(()));
    let misspelt = json!({"sha": "aa218f56b14c9653891f9e74264a383fa43fefbd", "forced": false});
    let wrong = [
        exchange("PATCH", path, "", &misspelt, 200, &reference),
        exchange("PATCH", path, "", &json!({"force": true}), 200, &reference),
        exchange("PATCH", path, "", &sent, 200, &json!({"ref": "refs/heads/main"})),
        exchange("PATCH", path, "", &sent, 418, &json!({"error": "no message"})),
        exchange("PATCH", path, "force=true", &sent, 200, &reference),
        exchange("PUT", path, "", &sent, 200, &reference),
        exchange("GET", "/repos/acme/base/releases", "per_page=many", &Value::Null, 200, &json!([])),
        exchange("DELETE", "/repos/acme/base", "", &Value::Null, 204, &json!({"message": "gone"})),
    ];
    for exchange in wrong {
        assert!(openapi::check(&exchange).is_err(), "{} {}", exchange.request.method, exchange.request.path);
    }
    let undocumented = exchange("PATCH", path, "", &sent, 418, &json!({"message": "I'm a teapot"}));
    assert_eq!(openapi::check(&undocumented), Ok(()));
}

/// Examples that break their own schema in GitHub's description are known by number; more would be our mistake.
#[test]
fn githubs_own_examples_pass_but_for_the_known_ones() {
    let mut broken = Vec::new();
    let mut seen = 0;
    for operation in openapi::operations() {
        for (status, example) in &operation.examples {
            seen += 1;
            if let Err(reason) = openapi::check_answer(operation, *status, example) {
                broken.push(format!("{} {status}: {reason}", operation.path));
            }
        }
    }
    assert!(seen >= 50, "only {seen} examples");
    assert!(broken.len() <= 15, "{} of {seen}:\n{}", broken.len(), broken.join("\n"));
}
