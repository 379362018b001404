//! The anonymous token that most registries want although the image is public (Docker's token specification): reads the
//! challenge, builds the request, reads the answer.

use hyper::header::HeaderValue;
use serde::Deserialize;
use url::Url;

use super::address::{Address, follows};
use super::error;
use crate::failure::Failure;

/// `Bearer realm="…",service="…",scope="…"`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    /// The older name of the same thing; where both stand they are equal.
    token: Option<String>,
    access_token: Option<String>,
}

impl Challenge {
    /// `None` when the header asks for something else than a bearer token.
    pub(super) fn bearer(header: &HeaderValue) -> Option<Self> {
        let text = header.to_str().ok()?.trim();
        let (scheme, parameters) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut challenge = Self { realm: String::new(), service: None, scope: None };
        for (name, value) in parameters_of(parameters) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => challenge.realm = value,
                "service" => challenge.service = Some(value),
                "scope" => challenge.scope = Some(value),
                _ => {}
            }
        }
        Some(challenge).filter(|challenge| !challenge.realm.is_empty())
    }

    /// Where the token is asked for. `asked` is the URL whose answer was the challenge.
    ///
    /// # Errors
    /// When the realm is no URL or would be asked unencrypted: the server chose it.
    pub(super) fn token_url(&self, address: &Address, asked: &Url) -> Result<Url, Failure> {
        let refuse = |why: String| error::astray(address, &format!("for a token {why}"));
        // Unlike a redirection a realm is a whole URL.
        Url::parse(&self.realm).map_err(|_| refuse("it leads to something that is no URL".into()))?;
        let mut url = follows(asked, &self.realm).map_err(refuse)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it names a URL with credentials".into()));
        }
        let mut query = url.query_pairs_mut();
        if let Some(service) = &self.service {
            query.append_pair("service", service);
        }
        query.append_pair("scope", self.scope.as_deref().unwrap_or(&address.scope()));
        drop(query);
        Ok(url)
    }
}

/// The token of an answer, ready to send; `None` when there is none that a header can hold.
pub(super) fn bearer_of(body: &[u8]) -> Option<HeaderValue> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty())?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `name=value` and `name="value"`, separated by commas; inside quotes a backslash escapes (RFC 9110, 5.6.4).
fn parameters_of(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']);
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                after.split_once(',').map_or((after.trim().to_owned(), ""), |(v, left)| (v.trim().to_owned(), left))
            }
        };
        found.push((name.to_owned(), value));
        rest = left;
    }
    found
}

fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(text: &'static str) -> Option<Challenge> {
        Challenge::bearer(&HeaderValue::from_static(text))
    }

    #[test]
    fn a_challenge_is_read_however_it_is_spaced_and_quoted() {
        let hub = challenge(
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/golang:pull,push""#,
        )
        .unwrap();
        assert_eq!(hub.realm, "https://auth.docker.io/token");
        assert_eq!(hub.service.as_deref(), Some("registry.docker.io"));
        assert_eq!(hub.scope.as_deref(), Some("repository:library/golang:pull,push"));
        let odd = challenge(r#"bearer  Realm = "https://a/\"b" , error=invalid_token, service=x"#).unwrap();
        assert_eq!((odd.realm.as_str(), odd.service.as_deref(), odd.scope), (r#"https://a/"b"#, Some("x"), None));
    }

    #[test]
    fn what_is_no_bearer_challenge_is_none() {
        for text in [r#"Basic realm="x""#, "Bearer", "Bearer realm", r#"Bearer service="x""#, r#"Bearer realm="""#] {
            assert_eq!(challenge(text), None, "{text}");
        }
        assert!(challenge(r#"Bearer realm="never closed"#).is_some());
    }

    #[test]
    fn the_token_is_asked_for_this_repository_where_the_server_names_none() {
        let address = Address::parse("docker.io/golang:1", None).unwrap();
        let url = challenge(r#"Bearer realm="https://auth.example/token?x=1",service="a b""#)
            .unwrap()
            .token_url(&address, address.manifest())
            .unwrap();
        assert_eq!(
            url.as_str(),
            "https://auth.example/token?x=1&service=a+b&scope=repository%3Alibrary%2Fgolang%3Apull"
        );
    }

    #[test]
    fn a_token_that_would_break_a_header_is_none() {
        assert!(bearer_of(br#"{"token":"abc"}"#).is_some_and(|value| value.is_sensitive() && value == "Bearer abc"));
        assert!(bearer_of(br#"{"access_token":"abc"}"#).is_some());
        for body in [r#"{"token":"a\nb"}"#, r#"{"token":""}"#, "{}", "[]", "<html>"] {
            assert_eq!(bearer_of(body.as_bytes()), None, "{body}");
        }
    }
}
