//! Everything up to the plan: reads, renders, decides. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join;
use jiff::Timestamp;

use super::Wishes;
use super::decide::{Decided, Scene, Source};
use crate::commands::carry_out::too_few_scopes;
use crate::commands::converge::pin;
use crate::commands::desire;
use crate::failure::{Cause, Failure};
use crate::live::Live;
use crate::model::action_pin::ActionPin;
use crate::model::commit::UPDATE_BRANCH;
use crate::model::config::{CONFIG_FILE, Config};
use crate::model::desired::Desired;
use crate::model::git::BlobId;
use crate::model::lock::Lock;
use crate::model::names::GithubRepositoryName;
use crate::model::observed::{AwsObserved, GithubObserved, GithubRepository, Observed, TokenKind};
use crate::model::pins::Pins;
use crate::plan::Plan;
use crate::plan::pins::NewPins;
use crate::plan::update::{
    Found, Policies, Story, Texts, There, Update, deliver, policy_changes, remembered, unknown_paths,
};
use crate::templates;
use crate::ui::report::Who;

/// What one look found, and what would be done about it.
pub(super) struct Looked {
    pub(super) desired: Desired,
    pub(super) who: Who,
    pub(super) update: Update,
    pub(super) reasons: BTreeMap<String, Vec<String>>,
    pub(super) pins: Vec<String>,
    pub(super) policies: Policies,
    pub(super) plan: Plan,
}

/// # Errors
/// When GitHub or a registry can't be read, the repository has no `sbi.toml`, or a template refuses it.
pub(super) async fn look(
    live: Live,
    repository: &GithubRepositoryName,
    wishes: &Wishes,
) -> Result<(Live, Looked), Failure> {
    // What is rendered is decided by the default branch, not by a file here.
    let config = live.config_of(repository).await?.ok_or_else(|| {
        Failure::usage(format!("{repository} has no `{CONFIG_FILE}`, or this token does not see it"))
            .because(Cause::NotFound)
            .hinted(format!("`sbi init --github {repository}` sets it up"))
    })?;
    let live = live.in_region(&config.aws.region);
    let (github, aws) = live.observe_files(&config).await?;
    let found = github.repository.as_ref().ok_or_else(|| {
        Failure::new(format!("{repository} does not exist or is hidden from {}", github.viewer.login))
            .because(Cause::NotFound)
    })?;
    let desired = desired(&live, config, found, wishes).await?;
    let open = found.pull_requests.iter().find(|open| open.branch == UPDATE_BRANCH);
    // Asked to propose anew, what was decided before counts for nothing.
    let earlier = open.filter(|_| !wishes.again).map(|open| remembered(&open.body)).unwrap_or_default();
    let asked_for_pins = (wishes.pins || earlier.pins) && !wishes.offline;
    let turned_down = async {
        // A pull request that is open is newer than any that was closed.
        if open.is_some() { Ok(None) } else { live.turned_down(repository).await }
    };
    let nothing = Lock::default();
    let there = There { files: &found.files, lock: found.lock.as_ref().unwrap_or(&nothing) };
    let scene = Scene { there, repository: Some(found), settled: &wishes.settled, earlier: &earlier.choices };
    // Its name as GitHub has it today.
    let name = desired.config.github.repository.clone();
    let mut remote = Remote { live: &live, repository: &name };
    let decided = scene.decided(desired, Texts::new(), asked_for_pins, &mut remote);
    let (Decided { desired, update, pins }, turned_down) = try_join(decided, turned_down).await?;
    let who = Who {
        aws: aws.as_ref().map_or_else(|failure| format!("nobody: {failure}"), |aws| aws.caller.arn.clone()),
        github: github.viewer.login.clone(),
    };
    let policies = policies(&desired, &github, aws);
    let reasons = templates::reasons(&update.from, desired.files.iter().map(|file| file.path.as_str()));
    let story = Story {
        desired: &desired,
        update: &update,
        reasons: &reasons,
        policies: &policies,
        pins: &pins,
        asked_for_pins,
        checks_start: github.viewer.token != TokenKind::Installation,
    };
    let found = Found { github: &github, turned_down: turned_down.as_ref(), again: wishes.again };
    let mut plan = deliver(&story, found);
    plan.refusals.extend(unknown_paths(&update, &wishes.settled));
    plan.refusals.extend(too_few_scopes(&plan, &github.viewer));
    Ok((live, Looked { desired, who, update, reasons, pins, policies, plan }))
}

/// The texts as GitHub has them.
struct Remote<'a> {
    live: &'a Live,
    repository: &'a GithubRepositoryName,
}

impl Source for Remote<'_> {
    async fn blobs(&mut self, ids: &BTreeSet<BlobId>) -> Result<Texts, Failure> {
        self.live.blobs(self.repository, ids).await
    }

    async fn newest_pins(&mut self, actions: &[ActionPin], images: &Pins) -> Result<NewPins, Failure> {
        self.live.newest_pins(actions, images, Timestamp::now()).await
    }
}

/// This version's render, with the digests that `sbi.lock` holds; what is new is looked up.
async fn desired(live: &Live, config: Config, found: &GithubRepository, wishes: &Wishes) -> Result<Desired, Failure> {
    let references = templates::references(&config)?;
    let settings = desire::Wishes { environment_settled: true, offline: wishes.offline, ..desire::Wishes::default() };
    let pins = pin(live, &references, Some(found), &settings).await?;
    desire::desire(config, pins, &settings)
}

fn policies(desired: &Desired, github: &GithubObserved, aws: Result<AwsObserved, Failure>) -> Policies {
    match aws {
        Ok(aws) => policy_changes(desired, &Observed { aws, github: github.clone() }),
        Err(failure) => Policies::Unseen(match failure.cause() {
            Cause::Unauthenticated | Cause::SsoRequired { .. } => "nobody was signed in to AWS".to_owned(),
            _ => failure.to_string(),
        }),
    }
}
