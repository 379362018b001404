//! Decides once, from error types and codes, what a refusal of AWS means. Texts of AWS are passed on, never read.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecr::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_ecr::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ecr::error::{BoxError, BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::RequestId;

use super::Aws;
use crate::failure::{Cause, Failure};
use crate::model::iam::{Statement, Values};

/// Remembers where a client's requests really go: endpoints come from many places, and a message must name the one.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin(Arc<OnceLock<String>>);

impl Intercept for Origin {
    fn name(&self) -> &'static str {
        "Origin"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.get_or_init(|| {
            let uri = context.request().uri();
            url::Url::parse(uri).map_or_else(|_| uri.to_owned(), |url| url.origin().ascii_serialization())
        });
        Ok(())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get().map_or("its endpoint", String::as_str))
    }
}

#[derive(Clone, Copy)]
pub(super) enum Service {
    Ecr,
    Iam,
    Sts,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ecr => "Amazon ECR",
            Self::Iam => "AWS IAM",
            Self::Sts => "AWS STS",
        })
    }
}

/// One call, as its errors name it.
pub(super) struct Call<'a> {
    aws: &'a Aws,
    service: Service,
    /// The IAM action that it takes.
    action: &'static str,
    /// A second action that the same request takes: AWS judges tags on creation by themselves.
    also: Option<&'static str>,
    /// `the ECR repository acme/base`
    thing: String,
    resource: Option<String>,
}

/// What an error code means, whatever the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Denied,
    Throttled,
    Expired,
    UnknownKey,
    WrongSignature,
    WrongClock,
    NotSignedUp,
    NotFound,
    Exists,
    Quota,
    Invalid,
    Conflict,
    Broken,
    Other,
}

/// Codes of IAM, STS and ECR (API references, "Common Errors" and each action's own), without their optional
/// `Exception` at the end.
fn refusal(code: Option<&str>, status: Option<u16>) -> Refusal {
    match code.map(|code| code.strip_suffix("Exception").unwrap_or(code)) {
        Some("AccessDenied" | "UnauthorizedOperation" | "NotAuthorized" | "AuthorizationError") => Refusal::Denied,
        Some(
            "Throttling"
            | "ThrottledException"
            | "Throttled"
            | "TooManyRequests"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "SlowDown",
        ) => Refusal::Throttled,
        Some("ExpiredToken" | "TokenRefreshRequired") => Refusal::Expired,
        Some(
            "InvalidClientTokenId"
            | "UnrecognizedClient"
            | "InvalidAccessKeyId"
            | "AuthFailure"
            | "InvalidToken"
            | "MissingAuthenticationToken"
            | "MissingSecurityHeader",
        ) => Refusal::UnknownKey,
        Some("SignatureDoesNotMatch" | "InvalidSignature" | "IncompleteSignature") => Refusal::WrongSignature,
        Some("RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture") => Refusal::WrongClock,
        Some("OptInRequired" | "SubscriptionRequired") => Refusal::NotSignedUp,
        Some(
            "NoSuchEntity"
            | "RepositoryNotFound"
            | "LifecyclePolicyNotFound"
            | "RepositoryPolicyNotFound"
            | "ImageNotFound",
        ) => Refusal::NotFound,
        Some("EntityAlreadyExists" | "RepositoryAlreadyExists") => Refusal::Exists,
        Some("LimitExceeded" | "TooManyTags") => Refusal::Quota,
        Some("ValidationError" | "Validation" | "InvalidInput" | "InvalidParameter" | "InvalidTagParameter") => {
            Refusal::Invalid
        }
        Some("ConcurrentModification" | "EntityTemporarilyUnmodifiable" | "DeleteConflict") => Refusal::Conflict,
        _ => match status {
            Some(429) => Refusal::Throttled,
            Some(status) if is_fault(status) => Refusal::Broken,
            _ => Refusal::Other,
        },
    }
}

impl<'a> Call<'a> {
    pub(super) fn new(aws: &'a Aws, service: Service, action: &'static str, thing: impl Into<String>) -> Self {
        Self { aws, service, action, also: None, thing: thing.into(), resource: None }
    }

    pub(super) fn on(mut self, resource: Option<String>) -> Self {
        self.resource = resource;
        self
    }

    pub(super) fn tagging(mut self, action: &'static str) -> Self {
        self.also = Some(action);
        self
    }

    fn origin(&self) -> &Origin {
        match self.service {
            Service::Ecr => &self.aws.ecr_origin,
            Service::Iam => &self.aws.iam_origin,
            Service::Sts => &self.aws.sts_origin,
        }
    }

    /// `ecr:CreateRepository on the ECR repository acme/base`
    fn title(&self) -> String {
        if self.thing.is_empty() { self.action.to_owned() } else { format!("{} on {}", self.action, self.thing) }
    }

    /// An answer that lacks what AWS documents.
    pub(super) fn incomplete(&self, what: &str) -> Failure {
        Failure::new(format!("{} answered {} without {what}", self.service, self.title()))
            .hinted(format!("it came from {}: is that AWS?", self.origin()))
    }

    /// An argument that the SDK refuses before it sends anything.
    pub(super) fn unbuildable(&self, error: &BuildError) -> Failure {
        Failure::new(format!("{} can't be sent", self.title())).caused_by(error.to_string())
    }

    pub(super) fn exists_differently(&self) -> Failure {
        Failure::new(format!("{} exists already, with other settings", self.thing))
            .because(Cause::Exists)
            .hinted("something else created it meanwhile; run `sbi init` again: it shows the difference as changes")
    }

    /// Classifies an error of any operation.
    pub(super) fn failed<E>(&self, error: SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + RequestId + Error + Send + Sync + 'static,
    {
        if let Some(credentials) = find::<CredentialsError>(&error) {
            return self.without_credentials(credentials);
        }
        match &error {
            SdkError::TimeoutError(_) => {
                self.unreachable(format!("{} does not answer {} at {}", self.service, self.title(), self.origin()))
            }
            SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => {
                self.unreachable(format!("{} does not answer {} at {}", self.service, self.title(), self.origin()))
            }
            SdkError::DispatchFailure(_) => self
                .unreachable(format!("can't reach {} at {} for {}", self.service, self.origin(), self.title()))
                .caused_by(innermost(&error)),
            SdkError::ResponseError(_) => self.not_of_aws(&error),
            SdkError::ServiceError(_) if error.code().is_none() && !status_of(&error).is_some_and(is_fault) => {
                self.not_of_aws(&error)
            }
            SdkError::ServiceError(_) => self.refused(&error),
            _ => Failure::new(format!("{} can't be sent", self.title())).caused_by(innermost(&error)),
        }
    }

    fn not_of_aws<E: Error + 'static>(&self, error: &SdkError<E>) -> Failure {
        let status = status_of(error).map(|status| format!(" (status {status})")).unwrap_or_default();
        let (service, origin, title) = (self.service, self.origin(), self.title());
        Failure::new(format!("{service} at {origin} answered {title} with something that is no answer of AWS{status}"))
            .caused_by(innermost(error))
            .hinted("a proxy or a wrong AWS_ENDPOINT_URL may stand between; run the same command again without it")
    }

    fn unreachable(&self, message: String) -> Failure {
        Failure::new(message)
            .because(Cause::Unreachable)
            .hinted("check the network, HTTPS_PROXY and AWS_ENDPOINT_URL, then run the same command again")
    }

    fn refused<E>(&self, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + RequestId + Error + Send + Sync + 'static,
    {
        let status = status_of(error);
        let code = error.code();
        let refusal = refusal(code, status);
        let title = self.title();
        let words = words(error, status);
        match refusal {
            Refusal::Denied => self.denied().caused_by(words),
            Refusal::Throttled => Failure::new(format!("{} gets too many requests: {title}", self.service))
                .because(Cause::Throttled { retry_after_seconds: retry_after(error) })
                .caused_by(words)
                .hinted("wait a minute and run the same command again: it goes on where it stopped"),
            Refusal::Expired | Refusal::UnknownKey | Refusal::WrongSignature | Refusal::WrongClock => {
                self.unauthenticated(refusal, code)
            }
            Refusal::NotSignedUp => Failure::new(format!("this AWS account may not use {} yet", self.service))
                .caused_by(words)
                .hinted("finish the account's sign-up at https://console.aws.amazon.com/billing"),
            Refusal::NotFound => {
                Failure::new(format!("{} does not exist", self.thing)).because(Cause::NotFound).caused_by(words)
            }
            Refusal::Exists => {
                Failure::new(format!("{} exists already", self.thing)).because(Cause::Exists).caused_by(words)
            }
            Refusal::Quota => Failure::new(format!("a quota of AWS forbids {title}"))
                .caused_by(words)
                .hinted("remove what is not needed, or ask for more at https://console.aws.amazon.com/servicequotas"),
            Refusal::Invalid => Failure::usage(format!("{} refuses {title}", self.service)).caused_by(words),
            Refusal::Conflict => Failure::new(format!("something else is changing {}", self.thing))
                .caused_by(words)
                .hinted("run the same command again: it goes on where it stopped"),
            Refusal::Broken => Failure::new(format!("{} failed at {title}: {words}", self.service)).hinted(format!(
                "the fault is at {}, not here (https://health.aws.amazon.com/health/status); run the same command again",
                self.origin()
            )),
            Refusal::Other => Failure::new(format!("{} refuses {title}: {words}", self.service)),
        }
    }

    fn denied(&self) -> Failure {
        let resource = self.resource.as_deref();
        let title = match resource {
            Some(resource) => format!("{} on {resource}", self.action),
            None => self.title(),
        };
        let actions = Values::new([self.action].into_iter().chain(self.also));
        let statement = Statement { sid: None, ..Statement::allow("", actions, Values::one(resource.unwrap_or("*"))) };
        let statement = serde_json::to_string(&statement).unwrap_or_default();
        let failure = Failure::new(format!("these AWS credentials may not {title}"))
            .because(Cause::Denied { action: self.action.to_owned(), resource: self.resource.clone() });
        failure.hinted(format!("allow it with the statement {statement}")).hinted(
            "`sbi policy operator` prints every right that setting up needs, as one policy, `sbi policy destroyer` \
                 every right that `sbi destroy` needs",
        )
    }

    /// AWS's own text is left out: on a wrong signature it repeats the signed headers, session token and all.
    fn unauthenticated(&self, refusal: Refusal, code: Option<&str>) -> Failure {
        let code = code.unwrap_or("no code");
        let failure = |message: &str| Failure::new(format!("{message} ({code})")).because(Cause::Unauthenticated);
        match refusal {
            Refusal::Expired => self.hint_sign_in(failure("the AWS credentials have expired")),
            Refusal::WrongSignature => self.hint_sign_in(
                failure("AWS refuses the signature: the secret access key is wrong or this machine's clock is")
                    .hinted("compare `date -u` with the real time"),
            ),
            Refusal::WrongClock => {
                failure("AWS refuses the request's time").hinted("set this machine's clock: `date -u` shows it")
            }
            _ => self.hint_sign_in(failure("AWS does not accept these credentials")).hinted(format!(
                "the same answer comes from a region that is not enabled in the account, here {}",
                self.aws.region.as_deref().unwrap_or("none")
            )),
        }
    }

    fn without_credentials(&self, error: &CredentialsError) -> Failure {
        let message = match (error, &self.aws.profile) {
            (CredentialsError::CredentialsNotLoaded(_), None) => "no AWS credentials were found".to_owned(),
            (CredentialsError::CredentialsNotLoaded(_), Some(profile)) => {
                format!("the AWS profile `{profile}` gives no credentials")
            }
            (_, None) => "the AWS credentials could not be loaded".to_owned(),
            (_, Some(profile)) => format!("the credentials of the AWS profile `{profile}` could not be loaded"),
        };
        let mut failure = Failure::new(message).because(Cause::Unauthenticated);
        let reason = error.source().map(innermost);
        if let Some(reason) = reason.clone() {
            failure = failure.caused_by(reason);
        }
        match (error, &self.aws.profile) {
            (CredentialsError::InvalidConfiguration(_), _) => {
                failure.hinted("correct ~/.aws/config; `aws configure list` shows what counts")
            }
            // A profile that is defined but holds no credentials gives no reason.
            (CredentialsError::CredentialsNotLoaded(_), Some(_)) if reason.is_some() => {
                failure.hinted("`aws configure list-profiles` lists the profiles there are; ~/.aws/config defines them")
            }
            (CredentialsError::ProviderTimedOut(limit), _) => self.hint_sign_in(
                failure.caused_by(format!("no credentials came within {} s", limit.timeout_duration().as_secs())),
            ),
            _ => self.hint_sign_in(failure),
        }
    }

    fn hint_sign_in(&self, failure: Failure) -> Failure {
        match &self.aws.profile {
            Some(profile) => failure.hinted(format!(
                "sign in with `aws sso login --profile {profile}`, or set its keys with `aws configure --profile {profile}`"
            )),
            None => failure.hinted(
                "sign in with `aws sso login`, run `aws configure`, choose a profile with `--profile`, or set \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ),
        }
    }
}

/// AWS's own words with their code and request id, which its support asks for.
fn words<E: ProvideErrorMetadata + RequestId>(error: &SdkError<E>, status: Option<u16>) -> String {
    let text = error.message().unwrap_or("no explanation");
    let mut marks = Vec::new();
    match (error.code(), status) {
        (Some(code), _) => marks.push(code.to_owned()),
        (None, Some(status)) => marks.push(format!("status {status}, no code")),
        (None, None) => {}
    }
    if let Some(id) = error.request_id() {
        marks.push(format!("request {id}"));
    }
    if marks.is_empty() { text.to_owned() } else { format!("{text} ({})", marks.join(", ")) }
}

fn status_of<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// The server's own fault, not the request's.
fn is_fault(status: u16) -> bool {
    (500..=599).contains(&status)
}

/// In seconds; the header may also hold a date, which is passed over.
fn retry_after<E>(error: &SdkError<E>) -> Option<u64> {
    error.raw_response()?.headers().get("retry-after")?.trim().parse().ok()
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    chain(error).find_map(|error| error.downcast_ref::<T>())
}

/// The text of the first error of all: those above it only say in which layer it passed by. Some have none.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let texts = chain(error).map(|error| error.to_string().trim().to_owned());
    texts.filter(|text| !text.is_empty()).last().unwrap_or_default()
}
