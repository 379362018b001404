//! One error type for the whole program: what happened, to what, what to type next, and the exit code.
//! Adapters classify an error once, here nothing is ever read out of a message again.

use std::error::Error;
use std::fmt;

/// Exit codes of the binary, the same for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// 1: something failed.
    Failed = 1,
    /// 2: the command line, `sbi.toml` or an answer is unusable; nothing was changed.
    Usage = 2,
    /// 3: `--check` found changes.
    ChangesPending = 3,
    /// 4: credentials are missing, expired or refused.
    NotSignedIn = 4,
    /// 130: cancelled by the person.
    Cancelled = 130,
}

/// What kind of refusal an error is, decided once where the answer arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The thing does not exist (or is hidden from this identity).
    NotFound,
    /// The thing exists already.
    Exists,
    /// The identity lacks a right. `action` is an IAM action (`ecr:CreateRepository`) or a GitHub permission
    /// (`administration: write`, `scope workflow`); `resource` is an ARN or `owner/name` where known.
    Denied { action: String, resource: Option<String> },
    /// Too many requests; `retry_after_seconds` as the server said it.
    Throttled { retry_after_seconds: Option<u64> },
    /// No credentials, or credentials that the service no longer accepts.
    Unauthenticated,
    /// A GitHub organisation wants the token authorised for single sign-on at `url`.
    SsoRequired { url: String },
    /// No answer: refused connection, unknown host, TLS failure, timeout.
    Unreachable,
    /// The input is unusable: the command line, a file, or a name that the service refuses.
    Usage,
    /// `--check` found changes.
    ChangesPending,
    /// The person said no or pressed Ctrl-C.
    Cancelled,
    /// Everything else.
    Other,
}

/// An error as a person reads it. The message is lower case, has no full stop and names the thing.
///
/// Never put a secret in: messages and hints are printed, journaled and tested with canaries.
#[derive(Debug)]
pub struct Failure {
    message: String,
    cause: Cause,
    hints: Vec<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: Cause::Other, hints: Vec::new(), source: None }
    }

    /// A mistake in what the person typed or wrote: exit code 2, and nothing has been changed.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(message).because(Cause::Usage)
    }

    #[must_use]
    pub fn because(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// Adds a `help:` line: the next command to type, or the fact that explains the refusal.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Keeps the error underneath. It is printed as `because …`, so it must hold no secret.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts what was being done in front of the message: `create the ECR repository acme/base: …`.
    #[must_use]
    pub fn during(mut self, action: impl fmt::Display) -> Self {
        self.message = format!("{action}: {}", self.message);
        self
    }

    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The texts of the errors underneath, outermost first.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let mut next: Option<&(dyn Error + 'static)> = self.source.as_deref().map(|e| e as &(dyn Error + 'static));
        while let Some(error) = next {
            reasons.push(error.to_string());
            next = error.source();
        }
        reasons.dedup();
        reasons
    }

    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.cause {
            Cause::Usage => ExitCode::Usage,
            Cause::ChangesPending => ExitCode::ChangesPending,
            Cause::Unauthenticated | Cause::SsoRequired { .. } => ExitCode::NotSignedIn,
            Cause::Cancelled => ExitCode::Cancelled,
            Cause::NotFound
            | Cause::Exists
            | Cause::Denied { .. }
            | Cause::Throttled { .. }
            | Cause::Unreachable
            | Cause::Other => ExitCode::Failed,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn Error + 'static))
    }
}
