//! What goes wrong at a call, spoken as each server would speak it.

use sbi::sandbox::http::{Answer, Weather};
use serde_json::json;

use super::call::{Call, Protocol};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// kill -9 before the server sees the request.
    KilledBefore,
    /// kill -9 when the server has done its work and not answered.
    KilledAfter,
    /// 500 for this one call; the work is not done.
    ServerError,
    /// 500 from this call on.
    Down,
    /// The work is done, and something in between answers 502.
    AnswerLost,
    /// Too many requests for a moment.
    Throttled,
    /// Too many requests for an hour.
    LimitReached,
    Denied,
    ResetBefore,
    ResetAfter,
    /// No answer at all, before or after the work was done, until the client gives up.
    HangsBefore,
    HangsAfter,
}

impl Fault {
    pub(super) const ALL: [Self; 12] = [
        Self::KilledBefore,
        Self::KilledAfter,
        Self::ServerError,
        Self::Down,
        Self::AnswerLost,
        Self::Throttled,
        Self::LimitReached,
        Self::Denied,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::HangsBefore,
        Self::HangsAfter,
    ];

    pub(super) fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }

    /// To the program it is a reset, only later: the client has to give up first.
    pub(super) fn is_slow(self) -> bool {
        matches!(self, Self::HangsBefore | Self::HangsAfter)
    }

    /// Whether every later call of the name is hit as well.
    pub(super) fn lasts(self) -> bool {
        matches!(self, Self::Down | Self::LimitReached | Self::Denied)
    }

    pub(super) fn weather(self, call: &Call) -> Weather {
        match self {
            Self::KilledBefore | Self::HangsBefore => Weather::Hang,
            Self::KilledAfter | Self::HangsAfter => Weather::HangAfter,
            Self::ServerError | Self::Down => Weather::Instead(broken(call)),
            Self::AnswerLost => {
                Weather::AnswerLost(Answer::new(502, "text/html", "<html><body>bad gateway</body></html>"))
            }
            Self::Throttled => Weather::Instead(too_many(call, 1)),
            Self::LimitReached => Weather::Instead(too_many(call, 3600)),
            Self::Denied => Weather::Instead(denied(call)),
            Self::ResetBefore => Weather::ResetBefore,
            Self::ResetAfter => Weather::ResetAfter,
        }
    }

    /// Whether the run that meets it goes on as if nothing had been; `None` when that is for the call to decide.
    pub(super) fn is_outlived(self, call: &Call) -> Option<bool> {
        if call.name.verb == "iam:SimulatePrincipalPolicy" {
            // Its answer is a hint. A network that is down is one as well, for all that follows.
            return None;
        }
        match self {
            Self::KilledBefore | Self::KilledAfter => Some(false),
            Self::Down | Self::LimitReached => Some(false),
            // What a token may not read is left out of the picture, where it can be.
            Self::Denied if call.name.protocol == Protocol::Github && !call.name.writes => None,
            Self::Denied => Some(false),
            // Refused, not half-done: any call may be sent again.
            Self::Throttled => Some(true),
            Self::AnswerLost | Self::ResetAfter | Self::HangsAfter if is_looked_for(call) => Some(true),
            Self::ServerError
            | Self::AnswerLost
            | Self::ResetBefore
            | Self::ResetAfter
            | Self::HangsBefore
            | Self::HangsAfter => Some(is_repeatable(call)),
        }
    }
}

/// Whether sending it twice does the same as sending it once.
fn is_repeatable(call: &Call) -> bool {
    let name = &call.name;
    match name.protocol {
        Protocol::AwsQuery | Protocol::AwsJson => name.verb != "iam:CreateAccessKey",
        Protocol::Github => match name.verb.as_str() {
            "POST" => name.of.ends_with("/deployment-branch-policies"),
            // The first commit of an empty repository.
            "PUT" => !name.of.contains("/contents/"),
            _ => true,
        },
    }
}

/// Creations whose lost answer is found out by reading.
fn is_looked_for(call: &Call) -> bool {
    call.name.verb == "POST" && (call.name.of.ends_with("/releases") || call.name.of.ends_with("/git/refs"))
}

fn aws(call: &Call, status: u16, code: &str, message: &str) -> Answer {
    if call.name.protocol == Protocol::AwsJson {
        let body = json!({ "__type": code, "message": message }).to_string();
        return Answer::new(status, "application/x-amz-json-1.1", body).with("x-amzn-errortype", code);
    }
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>00000000-0000-4000-8000-000000000001</RequestId></ErrorResponse>"
    );
    Answer::new(status, "text/xml", body)
}

fn github(status: u16, message: &str) -> Answer {
    let body = json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }).to_string();
    Answer::new(status, "application/json; charset=utf-8", body).with("x-github-request-id", "0123:4567:89AB")
}

fn broken(call: &Call) -> Answer {
    match call.name.protocol {
        Protocol::Github => github(500, "Server Error"),
        Protocol::AwsJson => aws(call, 500, "ServerException", "an internal error"),
        Protocol::AwsQuery => aws(call, 500, "ServiceFailure", "an internal error"),
    }
}

fn too_many(call: &Call, seconds: u32) -> Answer {
    match call.name.protocol {
        Protocol::Github => {
            github(429, "You have exceeded a secondary rate limit.").with("retry-after", seconds.to_string())
        }
        Protocol::AwsJson => aws(call, 400, "ThrottlingException", "Rate exceeded"),
        Protocol::AwsQuery => aws(call, 400, "Throttling", "Rate exceeded"),
    }
}

fn denied(call: &Call) -> Answer {
    let verb = &call.name.verb;
    let message = format!("User: arn:aws:iam::123456789012:user/operator is not authorized to perform: {verb}");
    match call.name.protocol {
        Protocol::Github => github(403, "Resource not accessible by personal access token"),
        Protocol::AwsJson => aws(call, 400, "AccessDeniedException", &message),
        Protocol::AwsQuery => aws(call, 403, "AccessDenied", &message),
    }
}
