//! Section 4, and the ECR repositories and identities of section 6.

use super::super::ledger::Ledger;
use super::super::{State, Topic};
use super::List;
use crate::model::config::{Auth, Outlet};
use crate::model::names::EcrRepositoryName;
use crate::model::observed::User;
use crate::model::ownership::OWNER_TAG;
use crate::model::status::{Seen, Unread};
use crate::plan::setup::Phase;

pub(super) fn entries(ledger: &Ledger<'_>, list: &mut List) {
    for Outlet { ecr_repository: name, .. } in ledger.config().outlets() {
        let title = format!("ECR repository {name} keeps what it publishes");
        list.add_seen(format!("ecr-settings:{name}"), title, ecr_settings(ledger, &name));
    }
    list.add_seen("access", "Access is controlled by AWS IAM", access(ledger));
    list.add(
        "marketplace-entitlement",
        "Billing and entitlement by AWS Marketplace",
        State::Person {
            what:
                "decide price, EULA and refunds; a subscription opens Marketplace's own ECR, so each release is copied \
                   there"
                    .into(),
            url: Some("https://docs.aws.amazon.com/marketplace/latest/userguide/container-based-products.html".into()),
            optional: false,
        },
    );
}

/// `None` when there is no such repository.
fn ecr<'l>(ledger: &Ledger<'l>, name: &EcrRepositoryName) -> Seen<Option<&'l crate::model::observed::EcrRepository>> {
    match ledger.aws()?.ecr_repositories.get(name) {
        Some(found) => found.as_ref().map(Option::as_ref).map_err(Clone::clone),
        None => Err(Unread { why: format!("nobody asked about {name}"), help: None }),
    }
}

fn ecr_settings(ledger: &Ledger<'_>, name: &EcrRepositoryName) -> Seen<State> {
    let done = || "released tags are immutable, pushes are scanned, untagged leftovers expire".to_owned();
    let state = ledger.by_steps(&Topic::EcrSettings(name.clone()), done);
    Ok(match (ecr(ledger, name)?, state) {
        (None, State::Done { .. }) => ledger.by_steps(&Topic::Ecr(name.clone()), String::new),
        (_, state) => state,
    })
}

pub(super) fn ecr_repositories(ledger: &Ledger<'_>, list: &mut List) {
    for name in ledger.config().ecr_repositories() {
        let state = ecr(ledger, &name).map(|found| {
            ledger.by_steps(&Topic::Ecr(name.clone()), || found.map_or_else(String::new, |found| found.uri.clone()))
        });
        list.add_seen(format!("ecr-repository:{name}"), format!("Create ECR repository {name}"), state);
    }
}

/// Whether each of the identities could be looked at.
fn identities_told(ledger: &Ledger<'_>) -> Seen<()> {
    let aws = ledger.aws()?;
    let told = |result: Result<(), &Unread>| result.map_err(Clone::clone);
    match ledger.config().publish.auth {
        Auth::Oidc => {
            told(aws.oidc_provider.as_ref().map(drop))?;
            told(aws.role.as_ref().map(drop))?;
            told(aws.read_role.as_ref().map(drop))
        }
        Auth::AccessKey => told(aws.user.as_ref().map(drop)),
    }
}

fn names(ledger: &Ledger<'_>) -> String {
    let config = ledger.config();
    match config.publish.auth {
        Auth::Oidc if ledger.question.desired.reading.is_empty() => config.role().to_string(),
        Auth::Oidc => format!("{} pushes, {} reads", config.role(), config.read_role()),
        Auth::AccessKey => config.user().to_string(),
    }
}

pub(super) fn identity(ledger: &Ledger<'_>) -> Seen<State> {
    identities_told(ledger)?;
    let refused = ledger.refused(Phase::Identity).filter(|_| !is_about_keys(ledger));
    Ok(refused.unwrap_or_else(|| ledger.by_steps(&Topic::Identity, || names(ledger))))
}

/// Of a user that is sbi's, all that planning can refuse is another key.
fn is_about_keys(ledger: &Ledger<'_>) -> bool {
    let repository = ledger.config().github.repository.to_string();
    let ours = |user: &User| user.tags.get(OWNER_TAG).is_some_and(|owner| owner.eq_ignore_ascii_case(&repository));
    ledger.aws().is_ok_and(|aws| matches!(&aws.user, Ok(Some(user)) if ours(user)))
}

/// Trust and policy, exactly as planned.
fn access(ledger: &Ledger<'_>) -> Seen<State> {
    identities_told(ledger)?;
    let oidc = ledger.config().publish.auth == Auth::Oidc;
    let done = || {
        match oidc {
            true => "trust and policy of each role are exactly as planned",
            false => "the user's policy is exactly as planned",
        }
        .to_owned()
    };
    let state = match ledger.by_steps(&Topic::Access, done) {
        State::Done { detail } => match ledger.by_steps(&Topic::Identity, || detail) {
            State::Undone { command, .. } => {
                State::Undone { lacks: vec!["there is nothing to control yet".into()], command }
            }
            state => state,
        },
        state => state,
    };
    let refusal = ledger.refusal(Phase::Identity).filter(|_| !is_about_keys(ledger));
    if let (State::Done { .. }, Some(refusal)) = (&state, refusal) {
        return Err(Unread { why: format!("it is not sbi's to judge: {}", refusal.why), help: refusal.help.clone() });
    }
    if !oidc {
        return Ok(state);
    }
    // A role's trust names the repository by its numbers and by what GitHub says its subjects start with.
    let differs = matches!(state, State::Drifted { .. });
    match ledger.repository()? {
        Some(repository) if differs => {
            repository.subject.as_ref().map_err(Clone::clone)?;
            Ok(state)
        }
        _ => Ok(state),
    }
}
