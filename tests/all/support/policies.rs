//! Questions about a policy document that several tests ask.

use std::collections::BTreeSet;

use sbi::model::iam::{PolicyDocument, Statement, Values};

/// Every action that the policy names.
pub(crate) fn actions(policy: &PolicyDocument) -> BTreeSet<String> {
    policy
        .statements
        .iter()
        .flat_map(|statement| statement.action.iter().flat_map(Values::iter))
        .map(str::to_owned)
        .collect()
}

/// The policy with one right less.
pub(crate) fn without(policy: &PolicyDocument, action: &str) -> PolicyDocument {
    let statements = policy.statements.iter().filter_map(|statement| {
        let left: Vec<&str> = statement.action.iter().flat_map(Values::iter).filter(|other| *other != action).collect();
        (!left.is_empty()).then(|| Statement { action: Some(Values::new(left)), ..statement.clone() })
    });
    PolicyDocument::new(statements.collect())
}
