//! Decides about every file, wherever its texts come from: once, or twice where newer pins change what is rendered.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::{asking, other_renders};
use crate::commands::desire;
use crate::failure::Failure;
use crate::model::action_pin::ActionPin;
use crate::model::desired::Desired;
use crate::model::git::BlobId;
use crate::model::observed::GithubRepository;
use crate::model::pins::Pins;
use crate::plan::pins::NewPins;
use crate::plan::update::{
    Choice, Question, Settled, Texts, There, Update, decide, needed, pins_in_use, renew, renewable,
};

/// Where texts and newer pins are told.
pub(super) trait Source {
    /// The blobs as they are; `None` where there is none of that id.
    ///
    /// # Errors
    /// When nobody answers.
    async fn blobs(&mut self, ids: &BTreeSet<BlobId>) -> Result<Texts, Failure>;

    /// Newer versions of these actions and newer digests of these images.
    ///
    /// # Errors
    /// When GitHub can't be reached, knows no such token, or its rate limit is used up.
    async fn newest_pins(&mut self, actions: &[ActionPin], images: &Pins) -> Result<NewPins, Failure>;
}

/// What decisions about files stand on.
pub(super) struct Scene<'a> {
    pub(super) there: There<'a>,
    /// Tells whose tokens the jobs get.
    pub(super) repository: Option<&'a GithubRepository>,
    pub(super) settled: &'a Settled,
    pub(super) earlier: &'a [Choice],
}

/// What was decided, and from what.
pub(super) struct Decided {
    pub(super) desired: Desired,
    pub(super) update: Update,
    /// Pins, a line each: old → new, and those that were left with the reason.
    pub(super) pins: Vec<String>,
}

/// What is wanted, and other renders of it.
type Rendered<'a> = (&'a Desired, &'a BTreeMap<BlobId, String>);

impl Scene<'_> {
    /// `texts` are those at hand; with `pins`, newer ones are asked for.
    ///
    /// # Errors
    /// When the source does not answer, or a template refuses the configuration.
    pub(super) async fn decided(
        &self,
        desired: Desired,
        mut texts: Texts,
        pins: bool,
        source: &mut impl Source,
    ) -> Result<Decided, Failure> {
        let renders = other_renders(&desired);
        self.read((&desired, &renders), pins, &mut texts, source).await?;
        let update = self.ask((&desired, &renders), |question| decide(question, self.there, &texts));
        if !pins {
            return Ok(Decided { desired, update, pins: Vec::new() });
        }
        let actions = self.ask((&desired, &renders), |question| pins_in_use(question, self.there, &texts, &update));
        let newer = source.newest_pins(&actions, &desired.images).await?;
        // Base images are rendered with their digests, so they are rendered and decided about once more.
        let mut images = desired.images.clone();
        newer.images.iter().for_each(|change| images.insert(change.reference.clone(), change.to.clone()));
        let settings = desire::Wishes { environment_settled: true, ..desire::Wishes::default() };
        let desired = desire::desire(desired.config, images, &settings)?;
        let renders = other_renders(&desired);
        self.read((&desired, &renders), pins, &mut texts, source).await?;
        let update = self.ask((&desired, &renders), |question| {
            let mut update = decide(question, self.there, &texts);
            renew(question, self.there, &texts, &newer, &mut update);
            update
        });
        Ok(Decided { desired, update, pins: told(&newer) })
    }

    fn ask<T>(&self, (desired, renders): Rendered<'_>, then: impl FnOnce(&Question<'_>) -> T) -> T {
        asking(desired, renders, self.settled, self.earlier, self.repository, then)
    }

    /// Reads what is needed and not read yet.
    async fn read(
        &self,
        rendered: Rendered<'_>,
        pins: bool,
        texts: &mut Texts,
        source: &mut impl Source,
    ) -> Result<(), Failure> {
        let mut wanted = self.ask(rendered, |question| needed(question, self.there));
        if pins {
            wanted.extend(self.ask(rendered, |question| renewable(question, self.there)));
        }
        wanted.retain(|id| !texts.contains_key(id));
        if !wanted.is_empty() {
            texts.extend(source.blobs(&wanted).await?);
        }
        Ok(())
    }
}

fn told(newer: &NewPins) -> Vec<String> {
    let changes = newer.actions.iter().map(ToString::to_string).chain(newer.images.iter().map(ToString::to_string));
    let left = newer.left.iter().map(|left| match left.suspicious {
        true => format!("look at this one, which is left as it is: {left}"),
        false => format!("left as it is: {left}"),
    });
    changes.chain(left).collect()
}
