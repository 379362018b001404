//! Condition operators (IAM user guide, "IAM JSON policy elements: Condition operators").

use std::net::IpAddr;

use jiff::Timestamp;

use super::patterns::Pattern;
use super::{Context, Match, look_up};
use crate::model::iam::Values;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    Single,
    ForAll,
    ForAny,
}

/// A comparison without its `Not`, `IfExists` and quantifier.
#[derive(Clone, Copy)]
enum Comparison {
    Equals,
    EqualsIgnoringCase,
    Like,
    Arn,
    Bool,
    Binary,
    Number(Order),
    Date(Order),
    IpAddress,
}

#[derive(Clone, Copy)]
enum Order {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Order {
    fn holds<T: PartialOrd>(self, actual: &T, wanted: &T) -> bool {
        match self {
            Self::Equals => actual == wanted,
            Self::LessThan => actual < wanted,
            Self::LessThanEquals => actual <= wanted,
            Self::GreaterThan => actual > wanted,
            Self::GreaterThanEquals => actual >= wanted,
        }
    }
}

fn comparison(name: &str) -> Option<(Comparison, bool)> {
    use Comparison::{Arn, Binary, Bool, Date, Equals, EqualsIgnoringCase, IpAddress, Like, Number};
    Some(match name {
        "StringEquals" => (Equals, false),
        "StringNotEquals" => (Equals, true),
        "StringEqualsIgnoreCase" => (EqualsIgnoringCase, false),
        "StringNotEqualsIgnoreCase" => (EqualsIgnoringCase, true),
        "StringLike" => (Like, false),
        "StringNotLike" => (Like, true),
        // Both take wildcards (same page: "ArnEquals and ArnLike … behave identically").
        "ArnEquals" | "ArnLike" => (Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Arn, true),
        "Bool" => (Bool, false),
        "BinaryEquals" => (Binary, false),
        "NumericEquals" => (Number(Order::Equals), false),
        "NumericNotEquals" => (Number(Order::Equals), true),
        "NumericLessThan" => (Number(Order::LessThan), false),
        "NumericLessThanEquals" => (Number(Order::LessThanEquals), false),
        "NumericGreaterThan" => (Number(Order::GreaterThan), false),
        "NumericGreaterThanEquals" => (Number(Order::GreaterThanEquals), false),
        "DateEquals" => (Date(Order::Equals), false),
        "DateNotEquals" => (Date(Order::Equals), true),
        "DateLessThan" => (Date(Order::LessThan), false),
        "DateLessThanEquals" => (Date(Order::LessThanEquals), false),
        "DateGreaterThan" => (Date(Order::GreaterThan), false),
        "DateGreaterThanEquals" => (Date(Order::GreaterThanEquals), false),
        "IpAddress" => (IpAddress, false),
        "NotIpAddress" => (IpAddress, true),
        _ => return None,
    })
}

/// Whether IAM knows the operator, quantifier and `IfExists` included.
pub(super) fn is_known_operator(operator: &str) -> bool {
    let (_, name, _) = take_apart(operator);
    operator == "Null" || comparison(name).is_some()
}

fn take_apart(operator: &str) -> (Quantifier, &str, bool) {
    let (quantifier, rest) = match operator.split_once(':') {
        Some(("ForAllValues", rest)) => (Quantifier::ForAll, rest),
        Some(("ForAnyValue", rest)) => (Quantifier::ForAny, rest),
        _ => (Quantifier::Single, operator),
    };
    match rest.strip_suffix("IfExists") {
        Some(name) => (quantifier, name, true),
        None => (quantifier, rest, false),
    }
}

/// One operator on one key: any of the wanted values, none of them for a negated operator.
pub(super) fn condition_matches(
    operator: &str,
    key: &str,
    wanted: &Values,
    context: &Context,
    variables: bool,
) -> Match {
    let actual = look_up(context, key).filter(|values| !values.is_empty());
    if operator == "Null" {
        return match wanted.iter().map(str::to_ascii_lowercase).collect::<Vec<_>>().as_slice() {
            [only] if only == "true" => actual.is_none().into(),
            [only] if only == "false" => actual.is_some().into(),
            _ => Match::Unsure,
        };
    }
    let (quantifier, name, if_exists) = take_apart(operator);
    let Some((comparison, negated)) = comparison(name) else { return Match::Unsure };
    let Some(actual) = actual else {
        return match quantifier {
            _ if if_exists => Match::Yes,
            Quantifier::ForAll => Match::Yes,
            Quantifier::ForAny => Match::No,
            // "Not equal" is true of a key that isn't there.
            Quantifier::Single => negated.into(),
        };
    };
    let one = |actual: &String| {
        let fits = wanted
            .iter()
            .map(|wanted| compare(comparison, negated, wanted, actual, variables.then_some(context)))
            .fold(Match::No, Match::or);
        if negated { fits.not() } else { fits }
    };
    let each = actual.iter().map(one);
    match quantifier {
        Quantifier::ForAll => each.fold(Match::Yes, Match::and),
        Quantifier::ForAny => each.fold(Match::No, Match::or),
        // A key of several values wants a quantifier; without one, negation means that none of them may fit.
        Quantifier::Single if negated => each.fold(Match::Yes, Match::and),
        Quantifier::Single => each.fold(Match::No, Match::or),
    }
}

fn compare(comparison: Comparison, negated: bool, wanted: &str, actual: &str, context: Option<&Context>) -> Match {
    let text = |read: fn(&str, Option<&Context>) -> Option<Pattern>, fits: fn(&Pattern, &str) -> bool| {
        // A variable without a value equals nothing; that it differs from something is not for sure.
        let unresolved = if negated { Match::Unsure } else { Match::No };
        read(wanted, context).map_or(unresolved, |pattern| fits(&pattern, actual).into())
    };
    match comparison {
        Comparison::Equals => text(Pattern::exact, Pattern::matches),
        Comparison::EqualsIgnoringCase => text(Pattern::exact, Pattern::matches_ignoring_case),
        Comparison::Like => text(Pattern::wildcard, Pattern::matches),
        Comparison::Arn => text(Pattern::wildcard, Pattern::matches_arn),
        Comparison::Bool => wanted.eq_ignore_ascii_case(actual).into(),
        Comparison::Binary => (wanted == actual).into(),
        Comparison::Number(order) => match wanted.parse::<f64>() {
            Ok(wanted) => actual.parse::<f64>().is_ok_and(|actual| order.holds(&actual, &wanted)).into(),
            Err(_) => Match::Unsure,
        },
        Comparison::Date(order) => match moment(wanted) {
            Some(wanted) => moment(actual).is_some_and(|actual| order.holds(&actual, &wanted)).into(),
            None => Match::Unsure,
        },
        Comparison::IpAddress => match network(wanted) {
            Some(network) => actual.parse().is_ok_and(|address| contains(network, address)).into(),
            None => Match::Unsure,
        },
    }
}

/// ISO 8601, a plain date, or seconds since 1970.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    format!("{text}T00:00:00Z").parse().ok()
}

/// An address with the length of its prefix; a lone address is a network of one.
fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= longest)?,
        None => longest,
    };
    Some((address, prefix))
}

fn contains((network, prefix): (IpAddr, u32), address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(32 - prefix).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(128 - prefix).unwrap_or(0) == 0
        }
        _ => false,
    }
}
