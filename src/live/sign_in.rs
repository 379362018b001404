//! Signing in to both sides: whose credentials, which endpoints. Nothing connects before it is needed.

use std::time::Duration;

use url::Url;

use super::Live;
use super::status::reality_without_github;
use crate::aws::{self, Aws, Pace, Timeouts};
use crate::failure::{Cause, Failure};
use crate::github::{self, Github, Timing};
use crate::model::config::Config;
use crate::model::secrets::{AccessKey, Token};
use crate::model::status::Reality;
use crate::registry::{self, Registry};

/// The environment variable with the longest wait for one answer, in seconds.
const TIMEOUT_VARIABLE: &str = "SBI_TIMEOUT";

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
        let limit = environment(TIMEOUT_VARIABLE).map(|text| seconds(&text)).transpose()?;
        let timing = limit.map_or_else(Timing::default, Timing::answering_within);
        let timeouts = limit.map_or_else(Timeouts::default, Timeouts::answering_within);
        let mirror = registry_mirror.or_else(|| environment(registry::MIRROR_VARIABLE));
        let registry = Registry::connect_timed(mirror.as_deref(), timing)?;
        let settings = aws::Settings { profile, region: None, endpoint, credentials };
        let (aws, (github, host)) = futures_util::future::try_join(
            Aws::connect_with(settings, timeouts, Pace::default()),
            to_github(github_api, github_token, timing, ask),
        )
        .await?;
        Ok(Self { aws, github, registry, web: format!("https://{host}") })
    }
}

/// What AWS alone tells, for whoever has no token for GitHub; `no_token` says so.
///
/// # Errors
/// When AWS does not tell who is asking either.
pub async fn look_without_github(
    profile: Option<String>,
    config: &Config,
    no_token: Failure,
) -> Result<Reality, (Failure, Failure)> {
    let settings = aws::Settings { profile, region: Some(config.aws.region.clone()), ..aws::Settings::default() };
    match Aws::connect(settings).await {
        Ok(aws) => reality_without_github(&aws, config, no_token).await,
        Err(failure) => Err((failure, no_token)),
    }
}

/// Finds a token: the environment, then `gh`, then a person. Also tells the web host.
async fn to_github<F: Future<Output = Result<Option<Token>, Failure>>>(
    api_url: Option<String>,
    token: Option<Token>,
    timing: Timing,
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
    Ok((Github::connect_timed(github::Settings { api_url, token }, timing)?, host))
}

/// The longest wait for one answer, as a person sets it.
fn seconds(text: &str) -> Result<Duration, Failure> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=600) => Ok(Duration::from_secs(seconds)),
        _ => {
            Err(Failure::usage(format!("{TIMEOUT_VARIABLE} is `{text}`, which is no number of seconds from 1 to 600"))
                .hinted(format!("`unset {TIMEOUT_VARIABLE}` waits as long as usual")))
        }
    }
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
    fn a_wait_is_a_number_of_seconds() {
        assert_eq!(seconds("1").ok(), Some(Duration::from_secs(1)));
        for text in ["0", "601", "1.5", "-1", "soon"] {
            assert_eq!(seconds(text).unwrap_err().exit_code(), crate::failure::ExitCode::Usage, "{text}");
        }
        let timeouts = Timeouts::answering_within(Duration::from_secs(2));
        assert_eq!((timeouts.connect, timeouts.operation), (Duration::from_secs(2), Duration::from_secs(8)));
        assert_eq!(Timeouts::answering_within(aws::ATTEMPT_TIMEOUT), Timeouts::default());
    }

    #[test]
    fn the_web_host_follows_from_the_api_address() {
        let host = |url| host_of(url).ok();
        assert_eq!(host(None).as_deref(), Some("github.com"));
        assert_eq!(host(Some("https://api.github.com")).as_deref(), Some("github.com"));
        assert_eq!(host(Some("https://ghe.acme.example/api/v3")).as_deref(), Some("ghe.acme.example"));
        assert!(host_of(Some("not a url")).is_err());
    }
}
