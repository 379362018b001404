//! The releases of section 6, and whether the newest of each image arrived.

use super::super::ledger::Ledger;
use super::super::time::ago;
use super::super::{State, Topic};
use super::files::ADOPT;
use super::{List, pipeline};
use crate::model::config::Outlet;
use crate::model::names::GitTag;
use crate::model::status::{RepositoryReality, RunFacts, Seen, Unread};
use crate::plan::setup::{FileState, Phase};

/// Runs that one page holds: with as many, an older one may be on the next.
const PAGE: usize = 100;

pub(super) fn entries(ledger: &Ledger<'_>, list: &mut List) {
    for outlet in ledger.config().outlets() {
        let tag = &outlet.tag;
        let release = release(ledger, tag);
        let arrived = match (&release, ledger.newest_release(tag)) {
            (Ok(_), Some(newest)) => arrived(ledger, &outlet, &newest),
            (other, _) => other.clone(),
        };
        list.add_seen(format!("release:{tag}"), format!("Create release {tag}"), release);
        let title = format!("The newest release of {} is in ECR", outlet.image);
        list.add_seen(format!("published:{}", outlet.image), title, arrived);
    }
}

fn release(ledger: &Ledger<'_>, tag: &GitTag) -> Seen<State> {
    let repository = ledger.repository()?;
    let found = repository.map(|repository| &repository.found);
    let ours = found
        .and_then(|found| found.releases.iter().find(|release| release.tag == *tag && release.ours && !release.draft));
    if ours.is_some() {
        let at = repository.and_then(|repository| repository.published.get(tag));
        return Ok(State::done(at.map_or_else(String::new, |at| ago(ledger.question.now, *at))));
    }
    if let Some(refused) = ledger.refused(Phase::Release) {
        return Ok(refused);
    }
    let converge = &ledger.question.converge;
    if let planned @ (State::Undone { .. } | State::Drifted { .. }) =
        ledger.by_steps(&Topic::Release(tag.clone()), String::new)
    {
        return Ok(planned);
    }
    if let Some(waits) = ledger.waits_for_merge() {
        return Ok(waits);
    }
    let missing = match ledger.file(pipeline::PUBLISH) {
        Some(FileState::Foreign) => Some(("is not sbi's, so no release relies on it", ADOPT.to_owned())),
        Some(FileState::Deleted) => {
            Some(("was deleted, so no release starts it", format!(" --overwrite {}", pipeline::PUBLISH)))
        }
        _ => None,
    };
    if let Some((why, flag)) = missing {
        return Ok(State::Drifted {
            differs: vec![format!("{} {why}", pipeline::PUBLISH)],
            mend: format!("{converge}{flag}"),
        });
    }
    // The planner waits for files that this run would bring by pull request.
    Ok(State::Undone { lacks: vec![format!("there is no release {tag}")], command: converge.to_string() })
}

/// Its run succeeded, and its tag names an image.
fn arrived(ledger: &Ledger<'_>, outlet: &Outlet, newest: &GitTag) -> Seen<State> {
    let Some(repository) = ledger.repository()? else {
        return Err(Unread { why: "there is no repository".into(), help: None });
    };
    let sought = run_of(repository, newest)?;
    let name = &ledger.config().github.repository;
    let image = ledger.aws().and_then(|aws| match aws.images.get(&outlet.ecr_repository) {
        Some(image) => image.as_ref().map(Option::as_ref).map_err(Clone::clone),
        None => Err(Unread { why: "nobody asked about the image".into(), help: None }),
    });
    let run = match sought {
        Sought::Found(run) => Some(run),
        Sought::BeforeThePage => None,
        Sought::Missing => {
            let page = ledger.page("settings/actions");
            return Ok(State::Drifted {
                differs: vec![format!("the release {newest} started no run of the pipeline")],
                mend: format!("see that Actions is on ({page}), then publish the next version"),
            });
        }
    };
    match run.map(|run| (run, run.conclusion.as_deref())) {
        None | Some((_, Some("success"))) => {}
        Some((run, Some(conclusion))) => {
            return Ok(State::Drifted {
                differs: vec![format!("the run of {newest} ended with {}", conclusion.replace('_', " "))],
                mend: format!("read {}, then publish the next version", run.url),
            });
        }
        Some((run, None)) => {
            let help = Some(format!("follow it: {}", run.url));
            return Err(Unread { why: format!("the run of {newest} goes on"), help });
        }
    }
    let tag = newest.version();
    Ok(match (image?, run) {
        (Some(image), _) if image.tag == *tag => {
            let pushed =
                image.pushed.map_or_else(String::new, |at| format!(", pushed {}", ago(ledger.question.now, at)));
            State::done(format!("{newest} is {}{pushed}", image.digest))
        }
        (_, Some(run)) => State::Drifted {
            differs: vec![format!("the run of {newest} succeeded, and {} has no such tag", outlet.ecr_repository)],
            mend: format!("gh run rerun {} --repo {name}", run.id),
        },
        (_, None) => State::Drifted {
            differs: vec![format!("{} has no tag {tag}", outlet.ecr_repository)],
            mend: format!("publish the next version; the run of {newest} is older than the {PAGE} newest"),
        },
    })
}

/// The run that a release started.
enum Sought<'l> {
    Found(&'l RunFacts),
    /// It is not among the newest, and there may be older ones.
    BeforeThePage,
    Missing,
}

/// # Errors
/// Where runs can't be read.
fn run_of<'l>(repository: &'l RepositoryReality, tag: &GitTag) -> Seen<Sought<'l>> {
    let runs = repository.activity.publish_runs.as_ref().map_err(Clone::clone)?;
    let tag = tag.to_string();
    let found = runs.iter().find(|run| run.event == "release" && run.branch.as_ref() == Some(&tag));
    Ok(match found {
        Some(run) => Sought::Found(run),
        None if runs.len() >= PAGE => Sought::BeforeThePage,
        None => Sought::Missing,
    })
}
