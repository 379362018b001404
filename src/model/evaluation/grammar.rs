//! What IAM refuses to store: documents that are malformed, too long, or trust too many.

use std::collections::BTreeSet;

use super::conditions::is_known_operator;
use crate::model::iam::{Effect, PolicyDocument, Principal, Statement, Values};
use crate::model::identity::OIDC_ISSUER;

/// Characters of a role's trust policy (IAM user guide, "IAM and AWS STS quotas", the default quota).
pub const TRUST_LIMIT: usize = 2_048;
/// Characters of all inline policies of a user together (same page).
pub const USER_INLINE_LIMIT: usize = 2_048;
/// Characters of all inline policies of a role together (same page).
pub const ROLE_INLINE_LIMIT: usize = 10_240;
/// Characters of a managed policy (same page).
pub const MANAGED_POLICY_LIMIT: usize = 6_144;

/// The size that IAM's quotas are about: white space does not count.
#[must_use]
pub fn counted_size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

/// What IAM would refuse in an identity policy, most basic first; empty when nothing. The size is checked where the
/// document is attached: its quota depends on that.
#[must_use]
pub fn problems_in_identity_policy(document: &PolicyDocument) -> Vec<String> {
    let mut problems = problems_in_both(document);
    for (name, statement) in named(document) {
        if statement.principal.is_some() || statement.not_principal.is_some() {
            problems.push(format!("statement {name}: policy document should not specify a principal"));
        }
        match (&statement.resource, &statement.not_resource) {
            (Some(_), Some(_)) => problems.push(format!("statement {name}: both Resource and NotResource")),
            (None, None) => problems.push(format!("statement {name}: policy statement must contain resources")),
            (Some(values), None) | (None, Some(values)) => {
                if values.iter().next().is_none() {
                    problems.push(format!("statement {name}: policy statement must contain resources"));
                }
                problems.extend(values.iter().filter_map(|resource| problem_in_resource(&name, resource)));
            }
        }
    }
    problems
}

/// What IAM would refuse in a role's trust policy; empty when nothing.
#[must_use]
pub fn problems_in_trust_policy(document: &PolicyDocument) -> Vec<String> {
    let mut problems = problems_in_both(document);
    let size = counted_size(&document.to_json());
    if size > TRUST_LIMIT {
        problems.push(format!("the trust policy has {size} characters, the quota is {TRUST_LIMIT}"));
    }
    for (name, statement) in named(document) {
        if statement.resource.is_some() || statement.not_resource.is_some() {
            problems.push(format!("statement {name}: has prohibited field Resource"));
        }
        match (&statement.principal, &statement.not_principal) {
            (None, None) => problems.push(format!("statement {name}: missing required field Principal")),
            (Some(_), Some(_)) => problems.push(format!("statement {name}: both Principal and NotPrincipal")),
            (None, Some(_)) if statement.effect == Effect::Allow => {
                problems.push(format!("statement {name}: Allow with NotPrincipal is not allowed"));
            }
            (Some(principal), None) => problems.extend(problems_in_principal(&name, principal)),
            (None, Some(_)) => {}
        }
        for action in actions(statement) {
            let lower = action.to_ascii_lowercase();
            if action != "*" && !lower.starts_with("sts:") {
                problems.push(format!(
                    "statement {name}: AssumeRole policy may only specify STS AssumeRole actions, not {action}"
                ));
            }
        }
        if statement.effect == Effect::Allow && trusts_github(statement) && !names_subject(statement) {
            problems.push(format!(
                "statement {name}: missing or unspecific condition key {OIDC_ISSUER}:sub in the trust policy"
            ));
        }
    }
    problems
}

fn named(document: &PolicyDocument) -> impl Iterator<Item = (String, &Statement)> {
    document
        .statements
        .iter()
        .enumerate()
        .map(|(index, statement)| (super::statement_name(statement, index), statement))
}

fn actions(statement: &Statement) -> impl Iterator<Item = &str> {
    [&statement.action, &statement.not_action].into_iter().flatten().flat_map(Values::iter)
}

fn problems_in_both(document: &PolicyDocument) -> Vec<String> {
    let mut problems = Vec::new();
    if !matches!(document.version.as_str(), "2012-10-17" | "2008-10-17") {
        problems.push(format!("the policy must contain a valid version string, not `{}`", document.version));
    }
    if document.statements.is_empty() {
        problems.push("the policy has no statement".into());
    }
    let mut seen = BTreeSet::new();
    for (name, statement) in named(document) {
        if let Some(sid) = &statement.sid {
            if !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
                problems.push(format!("statement id `{sid}` has characters other than letters and digits"));
            }
            if !seen.insert(sid) {
                problems.push(format!("statement ids must be unique, `{sid}` is there twice"));
            }
        }
        if statement.action.is_some() && statement.not_action.is_some() {
            problems.push(format!("statement {name}: both Action and NotAction"));
        }
        if actions(statement).next().is_none() {
            problems.push(format!("statement {name}: policy statement must contain actions"));
        }
        problems.extend(actions(statement).filter_map(|action| problem_in_action(&name, action)));
        for (operator, keys) in &statement.condition {
            if !is_known_operator(operator) {
                problems.push(format!("statement {name}: invalid condition operator `{operator}`"));
            }
            for (key, values) in keys {
                if !key.contains(':') {
                    problems.push(format!("statement {name}: conditions must be prefaced by a vendor, `{key}` is not"));
                }
                if values.iter().next().is_none() {
                    problems.push(format!("statement {name}: condition on `{key}` has no value"));
                }
            }
        }
    }
    problems
}

fn problem_in_action(statement: &str, action: &str) -> Option<String> {
    if action == "*" {
        return None;
    }
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-*?".contains(&b));
    match action.split_once(':') {
        None => Some(format!("statement {statement}: actions must be prefaced by a vendor, `{action}` is not")),
        Some((vendor, name)) if plain(name) && plain(vendor) && !vendor.contains(['*', '?']) => None,
        Some(_) => Some(format!("statement {statement}: vendor or action of `{action}` is not valid")),
    }
}

fn problem_in_resource(statement: &str, resource: &str) -> Option<String> {
    if resource == "*" {
        return None;
    }
    let fields: Vec<&str> = resource.splitn(6, ':').collect();
    // A wildcard may stand for the fields that are left: `arn:aws:ecr:*` is stored.
    let open_ended = fields.last().is_some_and(|last| last.ends_with('*'));
    let partition = fields.get(1).copied().unwrap_or_default();
    let service = fields.get(2).copied().unwrap_or_default();
    if fields[0] != "arn" || (fields.len() < 6 && !open_ended) {
        return Some(format!("statement {statement}: resource {resource} must be in ARN format or \"*\""));
    }
    if !(matches!(partition, "aws" | "aws-cn" | "aws-us-gov") || partition.contains('*')) {
        return Some(format!("statement {statement}: partition \"{partition}\" is not valid for resource {resource}"));
    }
    if service.is_empty() {
        return Some(format!("statement {statement}: vendor of resource {resource} is not valid"));
    }
    if service == "iam" && fields.get(3).is_some_and(|region| !matches!(*region, "" | "*")) {
        return Some(format!("statement {statement}: IAM resource {resource} cannot contain region information"));
    }
    if fields.get(4).is_some_and(|account| {
        fields.len() == 6
            && !account.is_empty()
            && !account.contains(['*', '?', '$'])
            && *account != "aws"
            && !(account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
    }) {
        return Some(format!("statement {statement}: account of resource {resource} is not valid"));
    }
    if fields.len() == 6 && fields[5].is_empty() {
        return Some(format!("statement {statement}: resource {resource} names nothing"));
    }
    None
}

fn problems_in_principal(statement: &str, principal: &Principal) -> Vec<String> {
    let Principal::Kinds(kinds) = principal else {
        return match principal {
            Principal::Everyone(text) if text != "*" => {
                vec![format!("statement {statement}: invalid principal `{text}`")]
            }
            _ => Vec::new(),
        };
    };
    let mut problems = Vec::new();
    for (kind, values) in kinds {
        if !matches!(kind.as_str(), "AWS" | "Federated" | "Service" | "CanonicalUser") {
            problems.push(format!("statement {statement}: unknown kind of principal `{kind}`"));
        }
        for value in values.iter() {
            // Wildcards stand for everyone or nothing: IAM does not match them inside a principal.
            if value != "*" && value.contains(['*', '?']) {
                problems.push(format!("statement {statement}: invalid principal in policy: \"{kind}\":\"{value}\""));
            }
            if kind == "Federated" && value == "*" {
                problems.push(format!("statement {statement}: federated principals must be named"));
            }
        }
    }
    problems
}

fn trusts_github(statement: &Statement) -> bool {
    match &statement.principal {
        Some(Principal::Kinds(kinds)) => kinds
            .get("Federated")
            .is_some_and(|values| values.iter().any(|arn| arn.ends_with(&format!(":oidc-provider/{OIDC_ISSUER}")))),
        _ => false,
    }
}

/// IAM wants the subject evaluated and specific (IAM user guide, "Identity-provider controls for shared OIDC
/// providers"): with a positive string operator, on a key that must be there, and not by wildcards alone.
fn names_subject(statement: &Statement) -> bool {
    let operators =
        ["StringEquals", "StringEqualsIgnoreCase", "StringLike", "ForAnyValue:StringEquals", "ForAnyValue:StringLike"];
    let subject = format!("{OIDC_ISSUER}:sub");
    statement
        .condition
        .iter()
        .filter(|(operator, _)| operators.contains(&operator.as_str()))
        .flat_map(|(_, keys)| keys)
        .filter(|(key, _)| key.eq_ignore_ascii_case(&subject))
        .any(|(_, values)| values.iter().all(is_specific) && values.iter().next().is_some())
}

/// `repo:*` is every repository of the world, so the prefix alone does not count.
fn is_specific(subject: &str) -> bool {
    let rest = subject.strip_prefix("repo:").unwrap_or(subject);
    !rest.trim_matches(['*', '?', ':', '/', ' ']).is_empty()
}
