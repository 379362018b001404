//! What is told below the checklist: ages, the last runs, open findings, ends of support.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::ledger::Ledger;
use super::time::{ago, length};
use super::{Fact, Tone};
use crate::model::config::Auth;
use crate::model::status::{ImagePromises, RunFacts, Seen, Unread};

/// A nightly scan that is this old has missed some nights.
const STALE: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Support that ends this soon is worth a look.
const SOON: SignedDuration = SignedDuration::from_hours(90 * 24);

impl Fact {
    fn new(key: &'static str, label: impl Into<String>, tone: Tone, text: impl Into<String>) -> Self {
        Self {
            key,
            label: label.into(),
            tone,
            text: text.into(),
            at: None,
            url: None,
            command: None,
            counts: BTreeMap::new(),
            pending: false,
        }
    }

    fn untold(key: &'static str, label: &str, unread: &Unread) -> Self {
        Self { command: unread.help.clone(), ..Self::new(key, label, Tone::Untold, unread.why.clone()) }
    }

    fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }

    fn on(self, url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..self }
    }
}

/// Every fact, in the order that they are told.
pub(super) fn facts(ledger: &Ledger<'_>) -> Vec<Fact> {
    let mut facts = vec![access_key(ledger), last_release(ledger)];
    facts.push(activity(ledger, "last_publish_run", "last publish run", |activity| {
        let runs = activity.publish_runs.as_ref().map_err(Clone::clone)?;
        Ok(last_run(ledger, "last_publish_run", "last publish run", runs.first()))
    }));
    facts.push(activity(ledger, "last_rescan", "last nightly scan", |activity| {
        let run = activity.rescan.as_ref().map_err(Clone::clone)?;
        let fact = last_run(ledger, "last_rescan", "last nightly scan", run.as_ref());
        let is_stale = fact.at.is_some_and(|at| ledger.question.now.duration_since(at) > STALE);
        Ok(if is_stale { Fact { tone: Tone::Warning, ..fact } } else { fact })
    }));
    facts.push(open_findings(ledger));
    facts.push(rescan_issue(ledger));
    facts.extend(ledger.question.promises.iter().map(|promises| support(ledger, promises)));
    facts.push(pull_requests(ledger));
    facts
}

fn access_key(ledger: &Ledger<'_>) -> Fact {
    let (key, label) = ("access_key", "access key");
    if ledger.config().publish.auth == Auth::Oidc {
        return Fact::new(key, label, Tone::Fine, "none: jobs sign in with OIDC");
    }
    let user = match ledger.aws().and_then(|aws| aws.user.as_ref().map_err(Clone::clone)) {
        Ok(user) => user,
        Err(unread) => return Fact::untold(key, label, &unread),
    };
    let active = user.iter().flat_map(|user| &user.keys).filter(|key| key.active);
    // The oldest: whoever has two rotates one of them.
    let Some(oldest) = active.min_by_key(|key| key.created) else {
        return Fact::new(key, label, Tone::Fine, "none yet");
    };
    let (now, limit) = (ledger.question.now, ledger.question.max_age);
    let age = now.duration_since(oldest.created);
    let text = format!("{} is {} old, {} are allowed", oldest.id, length(age), length(limit));
    let too_old = age > limit;
    Fact {
        pending: too_old,
        ..Fact::new(key, label, if too_old { Tone::Warning } else { Tone::Fine }, text).at(oldest.created)
    }
}

fn last_release(ledger: &Ledger<'_>) -> Fact {
    let (key, label) = ("last_release", "last release");
    let repository = match ledger.repository() {
        Ok(repository) => repository,
        Err(unread) => return Fact::untold(key, label, &unread),
    };
    let newest = repository.and_then(|repository| repository.published.iter().max_by_key(|(_, at)| **at));
    match newest {
        None => Fact::new(key, label, Tone::Fine, "none yet"),
        Some((tag, at)) => Fact::new(key, label, Tone::Fine, format!("{tag}, {}", ago(ledger.question.now, *at)))
            .at(*at)
            .on(ledger.page(&format!("releases/tag/{tag}"))),
    }
}

fn activity(
    ledger: &Ledger<'_>,
    key: &'static str,
    label: &str,
    tell: impl FnOnce(&crate::model::status::Activity) -> Seen<Fact>,
) -> Fact {
    let told = match ledger.repository() {
        Ok(Some(repository)) => tell(&repository.activity),
        Ok(None) => Ok(Fact::new(key, label, Tone::Fine, "none yet")),
        Err(unread) => Err(unread),
    };
    told.unwrap_or_else(|unread| Fact::untold(key, label, &unread))
}

fn last_run(ledger: &Ledger<'_>, key: &'static str, label: &str, run: Option<&RunFacts>) -> Fact {
    let Some(run) = run else { return Fact::new(key, label, Tone::Fine, "none yet") };
    let (tone, ended) = match run.conclusion.as_deref() {
        Some("success") => (Tone::Fine, "succeeded".to_owned()),
        Some(other) => (Tone::Warning, format!("ended with {}", other.replace('_', " "))),
        None => (Tone::Fine, "goes on".to_owned()),
    };
    let of = match (run.event.as_str(), &run.branch) {
        ("release", Some(tag)) => format!("{tag} "),
        ("workflow_dispatch", _) => "by hand ".to_owned(),
        _ => String::new(),
    };
    let text = format!("{of}{ended}, started {}", ago(ledger.question.now, run.started));
    Fact::new(key, label, tone, text).at(run.started).on(run.url.clone())
}

fn open_findings(ledger: &Ledger<'_>) -> Fact {
    let (key, label) = ("open_findings", "open findings");
    activity(ledger, key, label, |activity| {
        let alerts = activity.alerts.as_ref().map_err(Clone::clone)?;
        let order = ["critical", "high", "medium", "low", "unrated"];
        let parts: Vec<String> = order
            .iter()
            .filter_map(|severity| Some(format!("{} {severity}", alerts.by_severity.get(*severity)?)))
            .collect();
        let at_least = if alerts.cut { "at least " } else { "" };
        let text = if parts.is_empty() { "none".into() } else { format!("{at_least}{}", parts.join(", ")) };
        let severe = ["critical", "high"].iter().any(|severity| alerts.by_severity.contains_key(*severity));
        let tone = if severe { Tone::Warning } else { Tone::Fine };
        let fact = Fact::new(key, label, tone, text).on(ledger.page("security/code-scanning"));
        Ok(Fact { counts: alerts.by_severity.clone(), ..fact })
    })
}

fn rescan_issue(ledger: &Ledger<'_>) -> Fact {
    let (key, label) = ("rescan_issue", "issue of the nightly scan");
    activity(ledger, key, label, |activity| {
        let issue = activity.issue.as_ref().map_err(Clone::clone)?;
        Ok(match issue {
            None => Fact::new(key, label, Tone::Fine, "none is open"),
            Some(issue) => {
                let text = format!(
                    "#{} is open: supported releases need a new version; last change {}",
                    issue.number,
                    ago(ledger.question.now, issue.updated)
                );
                Fact::new(key, label, Tone::Warning, text).at(issue.updated).on(issue.url.clone())
            }
        })
    })
}

fn support(ledger: &Ledger<'_>, promises: &ImagePromises) -> Fact {
    let support = &promises.support;
    let label = format!("support of {}", promises.image);
    let Some(day) = support.last_day else {
        return Fact::new("support", label, Tone::Fine, format!("{}: until {}", support.base, support.until));
    };
    // The last day counts to its end, in UTC.
    let midnight = jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0));
    let end =
        midnight.unwrap_or(Timestamp::MAX).saturating_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX);
    let now = ledger.question.now;
    let (tone, text, pending) = if now >= end {
        (Tone::Warning, format!("{} ended on {day}: publish on a newer base", support.base), true)
    } else {
        let left = end.duration_since(now);
        let tone = if left < SOON { Tone::Warning } else { Tone::Fine };
        (tone, format!("{} until {day}, {} left", support.base, length(left)), false)
    };
    Fact { pending, ..Fact::new("support", label, tone, text).at(end) }
}

fn pull_requests(ledger: &Ledger<'_>) -> Fact {
    let (key, label) = ("pull_requests", "pull requests of sbi");
    let told = ledger.repository().and_then(|repository| match repository {
        Some(repository) => repository.pull_requests.clone().map(|()| Some(repository)),
        None => Ok(None),
    });
    let repository = match told {
        Ok(repository) => repository,
        Err(unread) => return Fact::untold(key, label, &unread),
    };
    let open = repository.map_or(&[][..], |repository| repository.found.pull_requests.as_slice());
    let named: Vec<String> = open.iter().map(|pull| format!("#{} ({})", pull.number, pull.branch)).collect();
    match open {
        [] => Fact::new(key, label, Tone::Fine, "none waits"),
        [first, ..] => {
            let verb = if open.len() == 1 { "waits" } else { "wait" };
            Fact::new(key, label, Tone::Warning, format!("{} {verb} for a merge", named.join(", ")))
                .on(first.url.clone())
        }
    }
}
