//! From answers to `Desired`: what the GitHub plan allows, what the templates render.

use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::model::config::{Config, Visibility};
use crate::model::desired::Desired;
use crate::model::names::ImageName;
use crate::model::observed::Owner;
use crate::model::pins::Pins;
use crate::templates;

/// Plans whose private repositories have environments (GitHub documentation, "Managing environments").
const PLANS_WITH_PRIVATE_ENVIRONMENTS: [&str; 4] = ["pro", "team", "business", "enterprise"];

/// What the person asked for beside `sbi.toml`.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    pub overwrite: BTreeSet<String>,
    pub by_pull_request: bool,
    pub adopt: Adopt,
    /// Ask no container registry.
    pub offline: bool,
    /// Digests that this run has looked up already.
    pub pins: Pins,
    /// `--environment NAME` or `none` was given, or `sbi.toml` was there before: the answer stands.
    pub environment_settled: bool,
}

/// What is to become of a publisher's own files that do what the pipeline does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Adopt {
    /// They are left alone, and only looked at while the pull request that adopts them is open.
    #[default]
    Leave,
    /// Look for them, and ask where somebody can be asked.
    Ask,
    /// Propose to replace and remove them.
    Agreed,
}

impl Adopt {
    /// From `--adopt`, for a command that looks for them.
    #[must_use]
    pub(super) fn or_ask(flag: bool) -> Self {
        if flag { Self::Agreed } else { Self::Ask }
    }
}

/// Takes the publishing environment away where nobody asked for one and the owner's plan has none.
#[must_use]
pub(super) fn settle_environment(mut config: Config, owner: &Owner, wishes: &Wishes) -> Config {
    let plan = owner.plan.as_deref().unwrap_or_default();
    let available = match config.github.visibility {
        Visibility::Public => true,
        Visibility::Private => PLANS_WITH_PRIVATE_ENVIRONMENTS.contains(&plan),
    };
    if !wishes.environment_settled && !available {
        config.publish.environment = None;
    }
    config
}

/// Renders the files and derives what the role must trust from them.
///
/// # Errors
/// An unknown image, or a value that a template refuses.
pub(super) fn desire(config: Config, images: Pins, wishes: &Wishes) -> Result<Desired, Failure> {
    let files = templates::render(&config, &images)?;
    let subject = templates::subject_context(&files)?;
    let reading = templates::reading_refs(&config, &files)?;
    let notes = |image: &ImageName| (image.clone(), templates::release_notes(&config, image));
    let release_notes = config.publish.images.iter().map(notes).collect();
    Ok(Desired {
        files,
        images,
        templates: templates::VERSION.to_owned(),
        subject,
        reading,
        release_notes,
        overwrite: wishes.overwrite.clone(),
        adopt: wishes.adopt == Adopt::Agreed,
        by_pull_request: wishes.by_pull_request,
        config,
    })
}
