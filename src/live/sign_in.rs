//! Signing in to both sides: whose credentials, which endpoints. Nothing connects before it is needed.

use url::Url;

use super::Live;
use crate::aws::{self, Aws};
use crate::failure::{Cause, Failure};
use crate::github::{self, Github};
use crate::model::secrets::{AccessKey, Token};
use crate::registry::{self, Registry};

/// Where AWS and GitHub are, when it is not where they usually are.
#[derive(Default)]
pub struct Places {
    /// One endpoint for all of AWS; otherwise the SDK's own settings decide.
    pub aws_endpoint: Option<String>,
    /// Credentials beside the SDK's own chain.
    pub aws_credentials: Option<AccessKey>,
    /// The API's base URL; otherwise `GITHUB_API_URL`, otherwise github.com's.
    pub github_api: Option<String>,
    /// A token beside the environment and `gh`.
    pub github_token: Option<Token>,
    /// A registry in the place of every other; otherwise `SBI_REGISTRY_MIRROR`, otherwise each image's own.
    pub registry_mirror: Option<String>,
}

impl Live {
    /// Connects to both; no service is called yet but `gh`, when nothing else has a token. `ask` is for a person who
    /// types one.
    ///
    /// # Errors
    /// When there is no GitHub token, or an address is unusable.
    pub async fn sign_in<F: Future<Output = Result<Option<Token>, Failure>>>(
        places: Places,
        profile: Option<String>,
        ask: impl FnOnce(String) -> F,
    ) -> Result<Self, Failure> {
        let Places { aws_endpoint: endpoint, aws_credentials: credentials, github_api, github_token, registry_mirror } =
            places;
        let mirror = registry_mirror.or_else(|| environment(registry::MIRROR_VARIABLE));
        let registry = Registry::connect(mirror.as_deref())?;
        let settings = aws::Settings { profile, region: None, endpoint, credentials };
        let (aws, (github, host)) =
            futures_util::future::try_join(Aws::connect(settings), to_github(github_api, github_token, ask)).await?;
        Ok(Self { aws, github, registry, web: format!("https://{host}") })
    }
}

/// Finds a token: the environment, then `gh`, then a person. Also tells the web host.
async fn to_github<F: Future<Output = Result<Option<Token>, Failure>>>(
    api_url: Option<String>,
    token: Option<Token>,
    ask: impl FnOnce(String) -> F,
) -> Result<(Github, String), Failure> {
    let api_url = api_url.or_else(|| environment("GITHUB_API_URL"));
    let host = host_of(api_url.as_deref())?;
    let token = match token.or_else(|| github::find_token(&environment, &host, &|_| None)) {
        Some(token) => token,
        None => match github::token_from_gh(&host).await {
            Some(token) => token,
            None => ask(host.clone()).await?.ok_or_else(|| no_token(&host))?,
        },
    };
    Ok((Github::connect(github::Settings { api_url, token })?, host))
}

/// A variable of the environment; an empty one counts as none.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The host where people look at repositories, by `GITHUB_API_URL`.
///
/// # Errors
/// When that variable is no URL.
pub fn web_host() -> Result<String, Failure> {
    host_of(environment("GITHUB_API_URL").as_deref())
}

fn no_token(host: &str) -> Failure {
    Failure::new(format!("no token for {host}"))
        .because(Cause::Unauthenticated)
        .hinted(format!("sign in: `gh auth login --hostname {host} --scopes workflow`"))
        .hinted("or set GH_TOKEN to a classic token with `repo` and `workflow`")
}

/// The web host whose API this is: `api.github.com` belongs to github.com, `HOST/api/v3` to HOST.
fn host_of(api_url: Option<&str>) -> Result<String, Failure> {
    let Some(text) = api_url else { return Ok("github.com".into()) };
    let url = Url::parse(text).map_err(|error| {
        Failure::usage(format!("GITHUB_API_URL is `{text}`, which is no URL"))
            .hinted("it looks like https://HOST/api/v3")
            .caused_by(error)
    })?;
    let host = url.host_str().unwrap_or_default();
    Ok(if host == "api.github.com" { "github.com".into() } else { host.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_host_follows_from_the_api_address() {
        let host = |url| host_of(url).ok();
        assert_eq!(host(None).as_deref(), Some("github.com"));
        assert_eq!(host(Some("https://api.github.com")).as_deref(), Some("github.com"));
        assert_eq!(host(Some("https://ghe.acme.example/api/v3")).as_deref(), Some("ghe.acme.example"));
        assert!(host_of(Some("not a url")).is_err());
    }
}
