//! What GitHub answers: bodies, refusals and pages in its own shapes.

use serde_json::{Value, json};

use crate::sandbox::http::Answer;

/// Either way an answer; the error side ends a handler early.
pub(super) type Reply<T = Answer> = Result<T, Answer>;

const DOCUMENTATION: &str = "https://docs.github.com/rest";

pub(super) fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::new(status, "application/json; charset=utf-8", body.to_string())
}

pub(super) fn ok(body: &Value) -> Reply {
    Ok(json_answer(200, body))
}

pub(super) fn created(body: &Value) -> Reply {
    Ok(json_answer(201, body))
}

pub(super) fn no_content() -> Reply {
    Ok(Answer { status: 204, headers: Vec::new(), body: Vec::new() })
}

pub(super) fn refusal(status: u16, message: &str) -> Answer {
    json_answer(status, &json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.to_string()}))
}

pub(super) fn not_found() -> Answer {
    refusal(404, "Not Found")
}

pub(super) fn unprocessable(message: &str) -> Answer {
    refusal(422, message)
}

/// `Validation Failed` with one entry in `errors`.
pub(super) fn invalid(resource: &str, field: &str, code: &str) -> Answer {
    validation(&json!({"resource": resource, "code": code, "field": field}))
}

/// `Validation Failed` with a message of its own.
pub(super) fn invalid_because(resource: &str, field: &str, message: &str) -> Answer {
    validation(&json!({"resource": resource, "code": "custom", "field": field, "message": message}))
}

fn validation(error: &Value) -> Answer {
    json_answer(
        422,
        &json!({
            "message": "Validation Failed", "errors": [error], "documentation_url": DOCUMENTATION, "status": "422",
        }),
    )
}

/// Cuts the page that `per_page` and `page` ask for, and the `Link` header that leads to the others.
pub(super) struct Page {
    per_page: usize,
    page: usize,
    url: String,
    others: Vec<(String, String)>,
}

impl Page {
    /// `url` is the address without its query.
    pub(super) fn asked(url: String, query: Vec<(String, String)>) -> Self {
        let number = |name: &str| query.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok());
        let per_page: usize = number("per_page").unwrap_or(30);
        let page: usize = number("page").unwrap_or(1);
        let others = query.iter().filter(|(key, _)| key != "page").cloned().collect();
        Self { per_page: per_page.clamp(1, 100), page: page.max(1), url, others }
    }

    pub(super) fn cut<T>(&self, items: Vec<T>) -> Vec<T> {
        items.into_iter().skip((self.page - 1) * self.per_page).take(self.per_page).collect()
    }

    pub(super) fn link(&self, total: usize, answer: Answer) -> Answer {
        let last = total.div_ceil(self.per_page).max(1);
        let mut links = Vec::new();
        let mut add = |page: usize, relation: &str| {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&self.others)
                .append_pair("page", &page.to_string())
                .finish();
            links.push(format!("<{}?{query}>; rel=\"{relation}\"", self.url));
        };
        if self.page > 1 {
            add((self.page - 1).min(last), "prev");
        }
        if self.page < last {
            add(self.page + 1, "next");
            add(last, "last");
        }
        if self.page > 1 {
            add(1, "first");
        }
        if links.is_empty() { answer } else { answer.with("link", links.join(", ")) }
    }

    /// A page of a plain array.
    pub(super) fn array(&self, items: Vec<Value>) -> Reply {
        let total = items.len();
        Ok(self.link(total, json_answer(200, &Value::Array(self.cut(items)))))
    }

    /// A page of `{"total_count": …, NAME: […]}`.
    pub(super) fn counted(&self, name: &str, items: Vec<Value>) -> Reply {
        let total = items.len();
        let body = json!({"total_count": total, name: self.cut(items)});
        Ok(self.link(total, json_answer(200, &body)))
    }
}
