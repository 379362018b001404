//! Decides what a policy document allows, by the rules of AWS's policy language: identity policies for a call, trust
//! policies for a web identity. Pure, so the stand-in for AWS, the trust check and the tests ask the same code.

mod conditions;
mod grammar;
mod patterns;

use std::collections::BTreeMap;
use std::fmt;

pub use grammar::{
    MANAGED_POLICY_LIMIT, ROLE_INLINE_LIMIT, TRUST_LIMIT, USER_INLINE_LIMIT, counted_size, problems_in_identity_policy,
    problems_in_trust_policy,
};
pub use patterns::matches_wildcard;

use super::iam::{Effect, PolicyDocument, Principal, Statement, Values};
use conditions::condition_matches;
use patterns::Pattern;

/// Condition keys of a request → their values. Keys compare without regard to case.
pub type Context = BTreeMap<String, Vec<String>>;

/// One action on one resource, as a service asks IAM about it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// `ecr:PutImage`
    pub action: &'a str,
    /// An ARN, or `*` for an action that knows no resource.
    pub resource: &'a str,
    pub context: &'a Context,
}

/// What the identity policies say. `by` is the statement's `Sid`, or `#2` for the second one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed { by: String },
    ImplicitlyDenied,
    ExplicitlyDenied { by: String },
}

impl Decision {
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

/// Who asks to assume a role with a web identity: the ARN of the provider that vouches.
#[derive(Clone, Copy, Debug)]
pub struct Federated<'a>(pub &'a str);

/// What a trust policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustDecision {
    Allowed {
        by: String,
    },
    /// No statement allows it; why not, statement by statement.
    Refused(Vec<TrustRefusal>),
}

impl TrustDecision {
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

/// Why one statement of a trust policy does not let the caller in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRefusal {
    /// `Sid`, or `#2` for the second statement.
    pub statement: String,
    pub mismatches: Vec<Mismatch>,
}

/// One part of a statement that does not fit the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    Action,
    /// The statement trusts these instead.
    Principal {
        trusted: Vec<String>,
    },
    Condition {
        operator: String,
        key: String,
        wanted: Vec<String>,
        /// Empty when the request carries no such key.
        actual: Vec<String>,
    },
    /// The statement is a `Deny` and matches.
    Denied,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &[String]| values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(" or ");
        match self {
            Self::Action => f.write_str("it is about other actions"),
            Self::Principal { trusted } if trusted.is_empty() => f.write_str("it names no such principal"),
            Self::Principal { trusted } => write!(f, "it trusts {}", list(trusted)),
            Self::Condition { operator, key, wanted, actual } if actual.is_empty() => {
                write!(f, "{operator} wants {key} = {}, and the request has no such key", list(wanted))
            }
            Self::Condition { operator, key, wanted, actual } => {
                write!(f, "{operator} wants {key} = {}, and it is {}", list(wanted), list(actual))
            }
            Self::Denied => f.write_str("it denies the call"),
        }
    }
}

impl fmt::Display for TrustRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mismatches: Vec<String> = self.mismatches.iter().map(ToString::to_string).collect();
        write!(f, "statement {}: {}", self.statement, mismatches.join("; "))
    }
}

/// How sure a match is. What this evaluator does not know (an operator, a number that is none, a negation of a variable
/// without a value) never grants and always refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    No,
    Unsure,
    Yes,
}

impl Match {
    fn and(self, other: Self) -> Self {
        self.min(other)
    }

    fn or(self, other: Self) -> Self {
        self.max(other)
    }

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unsure => Self::Unsure,
            Self::Yes => Self::No,
        }
    }

    fn applies_to(self, effect: Effect) -> bool {
        match effect {
            Effect::Allow => self == Self::Yes,
            Effect::Deny => self != Self::No,
        }
    }
}

impl From<bool> for Match {
    fn from(matched: bool) -> Self {
        if matched { Self::Yes } else { Self::No }
    }
}

/// The identity's policies together: one matching `Deny` wins, else one matching `Allow`, else nothing is allowed.
/// The order of policies and statements does not count.
#[must_use]
pub fn evaluate_identity(policies: &[&PolicyDocument], call: &Call<'_>) -> Decision {
    let mut allowed = None;
    for document in policies {
        for (index, statement) in document.statements.iter().enumerate() {
            let variables = has_variables(document);
            let matched = action_matches(statement, call.action)
                .and(resource_matches(statement, call, variables))
                .and(conditions_match(statement, call.context, variables))
                // IAM refuses a principal here; should one slip in, the statement is about somebody else.
                .and((statement.principal.is_none() && statement.not_principal.is_none()).into());
            if !matched.applies_to(statement.effect) {
                continue;
            }
            match statement.effect {
                Effect::Deny => return Decision::ExplicitlyDenied { by: statement_name(statement, index) },
                Effect::Allow => allowed = allowed.or_else(|| Some(statement_name(statement, index))),
            }
        }
    }
    allowed.map_or(Decision::ImplicitlyDenied, |by| Decision::Allowed { by })
}

/// A role's trust policy, asked about `sts:AssumeRoleWithWebIdentity` by a provider with these claims as context.
#[must_use]
pub fn evaluate_trust(
    document: &PolicyDocument,
    action: &str,
    principal: Federated<'_>,
    context: &Context,
) -> TrustDecision {
    let mut allowed = None;
    let mut refusals = Vec::new();
    let variables = has_variables(document);
    for (index, statement) in document.statements.iter().enumerate() {
        let name = statement_name(statement, index);
        let matched = action_matches(statement, action)
            .and(federated_matches(statement, principal))
            .and(conditions_match(statement, context, variables));
        match (statement.effect, matched.applies_to(statement.effect)) {
            (Effect::Allow, true) => allowed = allowed.or(Some(name)),
            (Effect::Deny, true) => {
                let denied = TrustRefusal { statement: name, mismatches: vec![Mismatch::Denied] };
                return TrustDecision::Refused(vec![denied]);
            }
            (Effect::Deny, false) => {}
            (Effect::Allow, false) => refusals.push(TrustRefusal {
                statement: name,
                mismatches: mismatches(statement, action, principal, context, variables),
            }),
        }
    }
    allowed.map_or(TrustDecision::Refused(refusals), |by| TrustDecision::Allowed { by })
}

fn mismatches(
    statement: &Statement,
    action: &str,
    principal: Federated<'_>,
    context: &Context,
    variables: bool,
) -> Vec<Mismatch> {
    let mut found = Vec::new();
    if action_matches(statement, action) != Match::Yes {
        found.push(Mismatch::Action);
    }
    if federated_matches(statement, principal) != Match::Yes {
        let trusted = match &statement.principal {
            Some(Principal::Kinds(kinds)) => kinds.values().flat_map(Values::iter).map(str::to_owned).collect(),
            Some(Principal::Everyone(text)) => vec![text.clone()],
            None => Vec::new(),
        };
        found.push(Mismatch::Principal { trusted });
    }
    for (operator, keys) in &statement.condition {
        for (key, wanted) in keys {
            if condition_matches(operator, key, wanted, context, variables) != Match::Yes {
                found.push(Mismatch::Condition {
                    operator: operator.clone(),
                    key: key.clone(),
                    wanted: wanted.iter().map(str::to_owned).collect(),
                    actual: look_up(context, key).unwrap_or_default().to_vec(),
                });
            }
        }
    }
    found
}

/// The values of a condition key; keys compare without regard to case.
fn look_up<'a>(context: &'a Context, key: &str) -> Option<&'a [String]> {
    context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, values)| values.as_slice())
}

/// Variables came with this version of the language; before it, `${…}` is plain text.
fn has_variables(document: &PolicyDocument) -> bool {
    document.version == "2012-10-17"
}

fn statement_name(statement: &Statement, index: usize) -> String {
    statement.sid.clone().unwrap_or_else(|| format!("#{}", index + 1))
}

fn any(values: &Values, matches: impl Fn(&str) -> Match) -> Match {
    values.iter().map(matches).fold(Match::No, Match::or)
}

/// IAM's action names know no case.
fn action_matches(statement: &Statement, action: &str) -> Match {
    let action = action.to_ascii_lowercase();
    let one = |pattern: &str| Match::from(matches_wildcard(&pattern.to_ascii_lowercase(), &action));
    match (&statement.action, &statement.not_action) {
        (Some(patterns), None) => any(patterns, one),
        (None, Some(patterns)) => any(patterns, one).not(),
        _ => Match::No,
    }
}

fn resource_matches(statement: &Statement, call: &Call<'_>, variables: bool) -> Match {
    let one = |pattern: &str, unresolved: Match| match Pattern::wildcard(pattern, variables.then_some(call.context)) {
        Some(pattern) => pattern.matches(call.resource).into(),
        None => unresolved,
    };
    match (&statement.resource, &statement.not_resource) {
        // A variable without a value names no resource …
        (Some(patterns), None) => any(patterns, |pattern| one(pattern, Match::No)),
        // … which must not become a grant on everything.
        (None, Some(patterns)) => any(patterns, |pattern| one(pattern, Match::Unsure)).not(),
        _ => Match::No,
    }
}

fn federated_matches(statement: &Statement, Federated(arn): Federated<'_>) -> Match {
    let names = |principal: &Principal| match principal {
        Principal::Everyone(text) => Match::from(text == "*"),
        Principal::Kinds(kinds) => Match::from(kinds.iter().any(|(kind, values)| {
            (kind == "Federated" && values.iter().any(|value| value == arn || value == "*"))
                || (kind == "AWS" && values.iter().any(|value| value == "*"))
        })),
    };
    match (&statement.principal, &statement.not_principal) {
        (Some(principal), None) => names(principal),
        (None, Some(principal)) => names(principal).not(),
        _ => Match::No,
    }
}

fn conditions_match(statement: &Statement, context: &Context, variables: bool) -> Match {
    statement
        .condition
        .iter()
        .flat_map(|(operator, keys)| keys.iter().map(move |(key, wanted)| (operator, key, wanted)))
        .map(|(operator, key, wanted)| condition_matches(operator, key, wanted, context, variables))
        .fold(Match::Yes, Match::and)
}

#[cfg(test)]
mod tests;
