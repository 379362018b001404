//! `sbi update --local`: the same decisions, written into the working tree around `sbi.toml`.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::decide::{Decided, Scene, Source};
use super::working_tree::WorkingTree;
use super::{conclusion, settled};
use crate::cli::{GlobalFlags, UpdateArgs};
use crate::commands::answers::read_config;
use crate::commands::carry_out::confirm;
use crate::commands::console::Console;
use crate::commands::converge::{looked_up, unpinned};
use crate::commands::desire::{Wishes, desire};
use crate::failure::Failure;
use crate::live::Live;
use crate::live::sign_in::Places;
use crate::model::action_pin::ActionPin;
use crate::model::config::Config;
use crate::model::desired::Desired;
use crate::model::git::BlobId;
use crate::model::lock::{LOCK_FILE, Lock};
use crate::model::names::GithubRepositoryName;
use crate::model::pins::Pins;
use crate::model::version::is_older;
use crate::plan::pins::NewPins;
use crate::plan::update::{Settled, Texts, There, unknown_paths};
use crate::templates;
use crate::ui::Glyph;
use crate::ui::update::Prospectus;

/// # Errors
/// A refusal before anything is written; with `--check`, something that is newer.
pub(super) async fn run(global: &GlobalFlags, arguments: &UpdateArgs, console: &Console) -> Result<(), Failure> {
    let config = read_config(&global.config)?.ok_or_else(|| {
        Failure::usage(format!("there is no `{}` here", global.config.display()))
            .hinted("run it in a checkout of the GitHub repository, or without `--local`")
    })?;
    let tree = WorkingTree::around(&global.config).await?;
    let lock = read_lock(&tree)?;
    let desired = desired(config, &lock, arguments, console).await?;
    if is_older(&desired.templates, &lock.templates) {
        return Err(Failure::usage(format!(
            "these files were rendered by sbi {}, and this is {}",
            lock.templates, desired.templates
        ))
        .hinted(format!("install sbi {} or newer", lock.templates)));
    }
    let settled = settled(arguments);
    let paths: BTreeSet<&str> =
        desired.files.iter().map(|file| file.path.as_str()).chain(lock.files.keys().map(String::as_str)).collect();
    let disk = tree.read(paths)?;
    let there = There { files: &disk.files, lock: &lock };
    let scene = Scene { there, repository: None, settled: &settled, earlier: &[] };
    let repository = desired.config.github.repository.clone();
    let mut source = Checkout { tree: &tree, repository, arguments, console };
    let Decided { desired, mut update, pins } = scene.decided(desired, disk.texts, arguments.pins, &mut source).await?;
    // No commit holds them yet: the next merge finds its bases here.
    let rendered = update.rendered.clone();
    update.lock.texts.extend(rendered);
    let reasons = templates::reasons(&update.from, desired.files.iter().map(|file| file.path.as_str()));
    let prospectus = Prospectus {
        repository: &desired.config.github.repository,
        who: None,
        update: &update,
        reasons: &reasons,
        pins: &pins,
        policies: None,
        plan: None,
    };
    console.show_update(&prospectus, arguments.check)?;
    console.refuse(unknown_paths(&update, &settled))?;
    if arguments.check {
        return conclusion(
            &update,
            false,
            "`sbi update --local` writes it here; `sbi update` opens a pull request with it",
        );
    }
    // Programs are told once it is done.
    let tell = || if console.is_human() { Ok(()) } else { console.show_update(&prospectus, true) };
    if !update.is_worthwhile() {
        tell()?;
        console.line(Glyph::Done, "the files hold all that this version renders and that can be merged");
        return Ok(());
    }
    let written: Vec<&str> =
        update.changes.keys().chain(&update.deletions).map(String::as_str).chain([LOCK_FILE]).collect();
    refuse_uncommitted(&tree, &written, &settled).await?;
    confirm(console, global.yes)?;
    tree.write(&update.changes, &update.deletions, (LOCK_FILE, &update.lock.to_text()))?;
    tell()?;
    let conflicts = update.conflicts().count();
    console
        .line(Glyph::Done, "written; `git diff` shows it, `sbi rehearse` runs it, `git checkout -- .` takes it back");
    if conflicts > 0 {
        console.line(
            Glyph::Waiting,
            &format!(
                "{conflicts} in conflict and as before: mend them, then `sbi update --local --keep PATH`, or take this \
                 version's with `--overwrite PATH`"
            ),
        );
    }
    Ok(())
}

fn read_lock(tree: &WorkingTree) -> Result<Lock, Failure> {
    let path = tree.path(LOCK_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Lock::parse(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::usage(format!("there is no `{}`: nobody knows what was rendered", path.display()))
                .hinted("`sbi apply` sets the repository up; pull what it made"))
        }
        Err(error) => Err(Failure::usage(format!("`{}` can't be read", path.display())).caused_by(error)),
    }
}

/// This version's render, with the digests of `sbi.lock`; only what is new needs a registry.
async fn desired(config: Config, lock: &Lock, arguments: &UpdateArgs, console: &Console) -> Result<Desired, Failure> {
    let references = templates::references(&config)?;
    let mut pins: Pins = lock.images.clone();
    pins.retain(&references);
    let open = unpinned(&pins, &references);
    if !open.is_empty() && !arguments.offline {
        let live = console.sign_in(Places::default(), arguments.aws.profile.clone()).await?;
        pins.extend(looked_up(&live, &open).await?);
    }
    desire(config, pins, &Wishes { environment_settled: true, ..Wishes::default() })
}

/// The texts as git here has them, and what a shallow clone lacks as GitHub does.
struct Checkout<'a> {
    tree: &'a WorkingTree,
    repository: GithubRepositoryName,
    arguments: &'a UpdateArgs,
    console: &'a Console,
}

impl Checkout<'_> {
    async fn sign_in(&self) -> Result<Live, Failure> {
        self.console.sign_in(Places::default(), self.arguments.aws.profile.clone()).await
    }
}

impl Source for Checkout<'_> {
    async fn blobs(&mut self, ids: &BTreeSet<BlobId>) -> Result<Texts, Failure> {
        let mut texts = self.tree.blobs(ids).await?;
        let gone: BTreeSet<BlobId> =
            ids.iter().filter(|id| matches!(texts.get(*id), None | Some(None))).cloned().collect();
        if gone.is_empty() || self.arguments.offline {
            return Ok(texts);
        }
        let fetched = async { self.sign_in().await?.blobs(&self.repository, &gone).await };
        match fetched.await {
            Ok(fetched) => texts.extend(fetched),
            // Without it the file is a conflict that says what is missing.
            Err(failure) => {
                let what = format!("what was rendered last is not in this clone, and {failure}");
                self.console.line(Glyph::Waiting, &what);
            }
        }
        Ok(texts)
    }

    async fn newest_pins(&mut self, actions: &[ActionPin], images: &Pins) -> Result<NewPins, Failure> {
        self.sign_in().await?.newest_pins(actions, images, Timestamp::now()).await
    }
}

async fn refuse_uncommitted(tree: &WorkingTree, written: &[&str], settled: &Settled) -> Result<(), Failure> {
    let uncommitted = tree.uncommitted(written).await?;
    if uncommitted.is_empty() {
        return Ok(());
    }
    let again: String = settled
        .keep
        .iter()
        .map(|path| format!(" --keep {path}"))
        .chain(settled.overwrite.iter().map(|path| format!(" --overwrite {path}")))
        .collect();
    Err(Failure::usage(format!("there are uncommitted changes in what would be written: {}", uncommitted.join(", ")))
        .hinted(format!("commit them or `git stash`, then `sbi update --local{again}`; nothing was written")))
}
