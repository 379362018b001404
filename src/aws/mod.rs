//! AWS as sbi needs it: who is calling, the ECR repository, the publishing identity. SDK types do not leave this
//! module; every refusal leaves it as a `Failure` with its cause.

mod ecr;
mod ecr_deletion;
mod error;
mod holdings;
mod iam;
mod iam_deletion;
mod preflight;
#[cfg(feature = "sandbox")]
mod publisher;
mod settling;
mod sts;

use std::iter;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ecr::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, ConnectorBuilder, tls};

use crate::failure::Failure;
use crate::model::names::EcrRepositoryName;
use crate::model::region::Region;
use crate::model::secrets::AccessKey;
use error::Origin;

/// Longest wait for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the answer to one request.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest wait for a call, its retries included.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest wait for credentials: a `credential_process` may ask for a second factor.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(30);
/// Where IAM and STS are asked when no region is configured: the partition's global region. ECR needs a decided one.
const REGION_WITHOUT_CONFIGURATION: &str = "us-east-1";

/// How to reach AWS. `endpoint` and `credentials` are for the sandbox; otherwise the SDK's own chain decides, and
/// `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_ECR`, `…_IAM`, `…_STS` are obeyed.
#[derive(Default)]
pub struct Settings {
    pub profile: Option<String>,
    pub region: Option<Region>,
    /// One URL for every service.
    pub endpoint: Option<String>,
    /// Used as they are: no environment variable and no file is read then.
    pub credentials: Option<AccessKey>,
}

/// How long to wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    pub attempt: Duration,
    pub operation: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: CONNECT_TIMEOUT, attempt: ATTEMPT_TIMEOUT, operation: OPERATION_TIMEOUT }
    }
}

impl Timeouts {
    /// With this longest wait for one answer, and as many answers' time for a call as usual.
    #[must_use]
    pub fn answering_within(limit: Duration) -> Self {
        let attempts = OPERATION_TIMEOUT.div_duration_f64(ATTEMPT_TIMEOUT);
        Self { connect: CONNECT_TIMEOUT.min(limit), attempt: limit, operation: limit.mul_f64(attempts) }
    }
}

/// How to wait for IAM, whose changes reach all of AWS only after a while: 2 to 20 s as a rule, sometimes a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Pauses between attempts; the last one repeats.
    pub pauses: Vec<Duration>,
    /// After this long, an access key that still does not work is given up.
    pub key_deadline: Duration,
    /// How often in a row a new key must work: one machine of AWS may know it before the next does.
    pub successes: u32,
    /// Pause between two successes.
    pub between_successes: Duration,
    /// After this long, a role or user that was just created and is still not found is given up, and one that is still
    /// not free of what was just taken off it.
    pub settling_deadline: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pauses: [1, 2, 4, 5].map(Duration::from_secs).to_vec(),
            key_deadline: Duration::from_secs(60),
            successes: 3,
            between_successes: Duration::from_millis(20),
            settling_deadline: Duration::from_secs(15),
        }
    }
}

impl Pace {
    fn pauses(&self) -> impl Iterator<Item = Duration> {
        let last = self.pauses.last().copied().unwrap_or(Duration::from_secs(5));
        self.pauses.iter().copied().chain(iter::repeat(last))
    }
}

/// An AWS account, seen through one set of credentials in one region.
#[derive(Clone)]
pub struct Aws {
    config: SdkConfig,
    ecr: aws_sdk_ecr::Client,
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    ecr_origin: Origin,
    iam_origin: Origin,
    sts_origin: Origin,
    /// As given or detected; `None` when neither.
    region: Option<String>,
    profile: Option<String>,
    /// Known once `caller_identity` has answered; makes ARNs for messages.
    account: Arc<OnceLock<Account>>,
    pace: Pace,
}

/// What every ARN of an account starts with.
struct Account {
    partition: String,
    id: String,
}

impl Aws {
    /// Loads the configuration and calls no service.
    ///
    /// # Errors
    /// None yet: what is wrong with credentials is only known when they are used.
    pub async fn connect(settings: Settings) -> Result<Aws, Failure> {
        Self::connect_with(settings, Timeouts::default(), Pace::default()).await
    }

    /// The same with other patience.
    ///
    /// # Errors
    /// As `connect`.
    pub async fn connect_with(settings: Settings, timeouts: Timeouts, pace: Pace) -> Result<Aws, Failure> {
        let Settings { profile, region, endpoint, credentials } = settings;
        let timeout_config = TimeoutConfig::builder()
            .connect_timeout(timeouts.connect)
            .operation_attempt_timeout(timeouts.attempt)
            .operation_timeout(timeouts.operation)
            .build();
        let region = region.map(|region| aws_config::Region::new(region.to_string()));
        let config = match credentials {
            Some(key) => {
                let plain = endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
                let mut config = SdkConfig::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .http_client(if plain { plain_client() } else { https_client() })
                    .credentials_provider(provider(&key))
                    .retry_config(RetryConfig::standard())
                    .timeout_config(timeout_config)
                    .region(region);
                config.set_endpoint_url(endpoint);
                config.build()
            }
            None => {
                let client = https_client();
                let mut loader = aws_config::defaults(BehaviorVersion::latest())
                    .http_client(client.clone())
                    .identity_cache(IdentityCache::lazy().load_timeout(CREDENTIALS_TIMEOUT).build())
                    .timeout_config(timeout_config);
                if let Ok(name) = AppName::new(concat!("sbi-", env!("CARGO_PKG_VERSION"))) {
                    loader = loader.app_name(name);
                }
                let mut of_profile = ProfileFileRegionProvider::builder();
                if let Some(profile) = &profile {
                    of_profile = of_profile.profile_name(profile);
                }
                // The SDK's chain would also ask EC2's metadata service: seconds of silence everywhere but on EC2.
                let regions = RegionProviderChain::first_try(region)
                    .or_else(EnvironmentVariableRegionProvider::new())
                    .or_else(of_profile.build());
                let region = regions.region().await;
                loader = loader.region(region.clone());
                if let Some(endpoint) = endpoint {
                    loader = loader.endpoint_url(endpoint);
                }
                if let Some(profile) = &profile {
                    // The SDK's chain tries the environment's keys first, even when a profile is asked for: changes
                    // would be made in an account that nobody named.
                    let provider_config = ProviderConfig::default().with_http_client(client).with_region(region);
                    let credentials =
                        ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&provider_config);
                    loader = loader.profile_name(profile).credentials_provider(credentials.build());
                }
                loader.load().await
            }
        };
        let region = config.region().map(ToString::to_string);
        let profile = profile.or_else(|| std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty()));
        Ok(Self::assemble(config, region, profile, Arc::default(), pace))
    }

    fn assemble(
        config: SdkConfig,
        region: Option<String>,
        profile: Option<String>,
        account: Arc<OnceLock<Account>>,
        pace: Pace,
    ) -> Self {
        let config = match config.region() {
            Some(_) => config,
            None => config.into_builder().region(aws_config::Region::from_static(REGION_WITHOUT_CONFIGURATION)).build(),
        };
        let (ecr_origin, iam_origin, sts_origin) = (Origin::default(), Origin::default(), Origin::default());
        let ecr = aws_sdk_ecr::config::Builder::from(&config).interceptor(ecr_origin.clone()).build();
        let iam = aws_sdk_iam::config::Builder::from(&config).interceptor(iam_origin.clone()).build();
        let sts = aws_sdk_sts::config::Builder::from(&config).interceptor(sts_origin.clone()).build();
        Self {
            ecr: aws_sdk_ecr::Client::from_conf(ecr),
            iam: aws_sdk_iam::Client::from_conf(iam),
            sts: aws_sdk_sts::Client::from_conf(sts),
            config,
            ecr_origin,
            iam_origin,
            sts_origin,
            region,
            profile,
            account,
            pace,
        }
    }

    /// The region that the settings, the environment or the profile name, unchecked.
    #[must_use]
    pub fn detected_region(&self) -> Option<String> {
        self.region.clone()
    }

    /// The same account and credentials in another region.
    #[must_use]
    pub fn in_region(&self, region: &Region) -> Aws {
        let config = self.config.clone().into_builder().region(aws_config::Region::new(region.to_string())).build();
        let account = Arc::clone(&self.account);
        Self::assemble(config, Some(region.to_string()), self.profile.clone(), account, self.pace.clone())
    }

    /// The same region and endpoint with another access key.
    fn with_key(&self, key: &AccessKey) -> Aws {
        self.with_credentials(provider(key))
    }

    fn with_credentials(&self, credentials: SharedCredentialsProvider) -> Aws {
        let config = self.config.clone().into_builder().credentials_provider(credentials).build();
        Self::assemble(config, self.region.clone(), None, Arc::clone(&self.account), self.pace.clone())
    }

    /// `arn:aws:iam::123456789012:role/name`, once the account is known.
    fn iam_arn(&self, path: &str) -> Option<String> {
        self.account.get().map(|Account { partition, id }| format!("arn:{partition}:iam::{id}:{path}"))
    }

    fn ecr_arn(&self, name: &EcrRepositoryName) -> Option<String> {
        let Account { partition, id } = self.account.get()?;
        Some(format!("arn:{partition}:ecr:{}:{id}:repository/{name}", self.region.as_deref()?))
    }
}

fn provider(key: &AccessKey) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(key.reveal(|secret| Credentials::new(key.id(), secret, None, None, "sbi")))
}

/// The SDK's own choice of TLS and proxies (`HTTPS_PROXY`, `NO_PROXY`), made here so that all clients share it.
fn https_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build()
    })
}

/// For the loopback: no certificates to load and no proxy in between, whatever the environment says.
fn plain_client() -> SharedHttpClient {
    Builder::new().build_http()
}
