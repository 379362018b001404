//! What the pins of the rendered files stand for today: actions as their repositories have them, base images as their
//! registries do. What can't be asked about is left as it is, one by one.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::Live;
use crate::failure::{Cause, Failure};
use crate::github::Github;
use crate::model::action_pin::{ActionPin, ActionVersion};
use crate::model::action_repository::ActionRepository;
use crate::model::git::CommitId;
use crate::model::names::GithubRepositoryName;
use crate::model::pins::Pins;
use crate::plan::pins::{
    ActionChange, ImageChange, Left, NewPins, judge, newer_versions, release_branches, short, tag_of, version_in_use,
};
use crate::registry::Registry;

/// So many repositories are looked at at once.
const AT_ONCE: usize = 4;
const KNOWN_BAD: &str =
    "its commit is known to have been malicious: whatever secret its runs could read counts as stolen";

impl Live {
    /// Newer versions of these actions and newer digests of these images; see `plan::pins` for what counts as one.
    ///
    /// # Errors
    /// When GitHub can't be reached, knows no such token, or its rate limit is used up: then nothing is known.
    pub async fn newest_pins(&self, actions: &[ActionPin], images: &Pins, now: Timestamp) -> Result<NewPins, Failure> {
        let images = async { Ok::<_, Failure>(newest_images(&self.registry, images).await) };
        let (mut found, (images, left)) =
            futures_util::future::try_join(newest_actions(&self.github, actions, now), images).await?;
        found.images = images;
        found.left.extend(left);
        Ok(found)
    }
}

/// The digests behind these references now, where they differ; a registry that can't be asked leaves its own as they are.
pub async fn newest_images(registry: &Registry, images: &Pins) -> (Vec<ImageChange>, Vec<Left>) {
    let asked = images
        .iter()
        .map(|(reference, from)| async move { (reference.to_owned(), from.clone(), registry.digest(reference).await) });
    let (mut changes, mut left) = (Vec::new(), Vec::new());
    for (reference, from, answer) in join_all(asked).await {
        match answer {
            Ok(to) if to == from => {}
            Ok(to) => changes.push(ImageChange { reference, from, to }),
            Err(failure) => left.push(Left { what: reference, why: reason(&failure), suspicious: false }),
        }
    }
    (changes, left)
}

/// Newer versions of these actions, a repository after the other, a few at once.
///
/// # Errors
/// When GitHub can't be reached, knows no such token, or its rate limit is used up.
pub async fn newest_actions(github: &Github, actions: &[ActionPin], now: Timestamp) -> Result<NewPins, Failure> {
    // One repository may hold several actions, and different files may pin it differently.
    let mut by_repository: BTreeMap<String, Vec<&ActionPin>> = BTreeMap::new();
    for pin in actions {
        let pins = by_repository.entry(pin.repository.to_lowercase()).or_default();
        if !pins.iter().any(|known| known.commit == pin.commit && known.version == pin.version) {
            pins.push(pin);
        }
    }
    let each = by_repository.into_values().map(|pins| newest_of(github, pins, now));
    let found: Vec<NewPins> = stream::iter(each).buffered(AT_ONCE).try_collect().await?;
    let mut all = NewPins::default();
    for found in found {
        all.actions.extend(found.actions);
        all.left.extend(found.left);
    }
    Ok(all)
}

/// One repository's: what fails about it alone leaves it as it is.
async fn newest_of(github: &Github, pins: Vec<&ActionPin>, now: Timestamp) -> Result<NewPins, Failure> {
    match try_newest_of(github, &pins, now).await {
        Err(failure) if concerns_all(&failure) => Err(failure),
        Err(failure) => {
            let left = |pin: &&ActionPin| Left { what: named(pin, None), why: reason(&failure), suspicious: false };
            Ok(NewPins { left: pins.iter().map(left).collect(), ..NewPins::default() })
        }
        found => found,
    }
}

/// The next repository would be refused the same.
fn concerns_all(failure: &Failure) -> bool {
    matches!(failure.cause(), Cause::Unreachable | Cause::Unauthenticated | Cause::Throttled { .. })
}

async fn try_newest_of(github: &Github, pins: &[&ActionPin], now: Timestamp) -> Result<NewPins, Failure> {
    let mut found = NewPins::default();
    let Some(first) = pins.first() else { return Ok(found) };
    let name = GithubRepositoryName::new(&first.repository)?;
    let repository = github.action_repository(&name).await?;
    if !name.is(&repository.full_name) {
        let why = format!("is called {} now, and the old name may be somebody else's one day", repository.full_name);
        let left = |pin: &&ActionPin| Left { what: named(pin, None), why: why.clone(), suspicious: true };
        found.left.extend(pins.iter().map(left));
        return Ok(found);
    }
    let mut asking = Vec::new();
    for pin in pins {
        let standing = standing_of(github, &name, &repository, pin).await?;
        found.left.extend(standing.left);
        asking.extend(standing.version.map(|version| (*pin, version)));
    }
    // The oldest one in use has the most that is newer.
    let Some(oldest) =
        asking.iter().map(|(_, version)| version).reduce(|a, b| if b.compare(a).is_lt() { b } else { a })
    else {
        return Ok(found);
    };
    let (newest, left) = settled_version(github, &name, &repository, oldest, now).await?;
    found.left.extend(left);
    let Some(newest) = newest else { return Ok(found) };
    for (pin, version) in asking {
        if newest.version.compare(&version).is_gt() && pin.commit != newest.commit {
            found.actions.push(ActionChange {
                repository: pin.repository.clone(),
                from: pin.commit.clone(),
                from_version: Some(version),
                to: newest.commit.clone(),
                to_version: newest.version.clone(),
                released: newest.released,
            });
        }
    }
    Ok(found)
}

/// How a pin stands before anything newer is looked for.
#[derive(Default)]
struct Standing {
    /// The version that it is of; `None` where something newer is not to be looked for.
    version: Option<ActionVersion>,
    left: Option<Left>,
}

/// A pin that is not what its version's tag says is for a person to look at, and stays.
async fn standing_of(
    github: &Github,
    name: &GithubRepositoryName,
    repository: &ActionRepository,
    pin: &ActionPin,
) -> Result<Standing, Failure> {
    let left = |version: Option<&ActionVersion>, why: String, suspicious: bool| {
        Some(Left { what: named(pin, version), why, suspicious })
    };
    if pin.is_known_bad() {
        // Whatever its tag is on by now, it has to go.
        let version = pin.version.clone().filter(ActionVersion::is_full);
        return Ok(Standing { version, left: left(None, KNOWN_BAD.to_owned(), true) });
    }
    let Some(version) = version_in_use(pin, repository) else {
        let why = "no comment behind it names its version as `# vX.Y.Z`, and no tag is on its commit".to_owned();
        return Ok(Standing { left: left(None, why, false), ..Standing::default() });
    };
    let Some(target) = tag_of(&version, repository) else {
        let why = format!("its repository has no tag {version} any more");
        return Ok(Standing { left: left(Some(&version), why, true), ..Standing::default() });
    };
    let (commit, _) = github.peel(name, &version.to_string(), target).await?;
    if commit != pin.commit {
        let why = format!(
            "the tag {version} is on commit {} and not on the one that is pinned: it moved, or the comment is wrong",
            short(&commit)
        );
        return Ok(Standing { left: left(Some(&version), why, true), ..Standing::default() });
    }
    Ok(Standing { version: Some(version), left: None })
}

/// A version that may be used.
struct Settled {
    version: ActionVersion,
    commit: CommitId,
    released: Timestamp,
}

/// The newest version above `than` that may be used, and why newer ones may not. One whose commit is on no branch ends
/// the search: where that happens, nothing of the repository is to be trusted unseen.
async fn settled_version(
    github: &Github,
    name: &GithubRepositoryName,
    repository: &ActionRepository,
    than: &ActionVersion,
    now: Timestamp,
) -> Result<(Option<Settled>, Vec<Left>), Failure> {
    let mut left = Vec::new();
    for (version, tag, target) in newer_versions(than, repository) {
        let what = format!("{name} {version}");
        let tagged = github.tagged_commit(name, &tag, &target).await?;
        let released = match judge(&tagged, now) {
            Ok(released) => released,
            Err(why) => {
                left.push(Left { what, why, suspicious: false });
                continue;
            }
        };
        let others = release_branches(&version);
        let branch = github.branch_with(name, &tagged.commit, &repository.default_branch, &others).await?;
        if branch.is_none() {
            let why = format!("its commit {} is on no branch of {name} that releases come from", short(&tagged.commit));
            left.push(Left { what, why, suspicious: true });
            return Ok((None, left));
        }
        return Ok((Some(Settled { version, commit: tagged.commit, released }), left));
    }
    Ok((None, left))
}

fn named(pin: &ActionPin, version: Option<&ActionVersion>) -> String {
    match version.or(pin.version.as_ref()) {
        Some(version) => format!("{} {version}", pin.repository),
        None => format!("{} {}", pin.repository, short(&pin.commit)),
    }
}

/// A failure in one line.
fn reason(failure: &Failure) -> String {
    let mut parts = vec![failure.message().to_owned()];
    parts.extend(failure.reasons());
    // Where to authorise the token is the one hint that helps: rights in somebody else's repository can't be had.
    if matches!(failure.cause(), Cause::SsoRequired { .. }) {
        parts.extend(failure.hints().iter().cloned());
    }
    parts.join("; ")
}
