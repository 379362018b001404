//! `sbi rehearse`: the pipeline's own scripts on this machine, and what they say.

mod present;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use super::answers;
use super::console::Console;
use super::render;
use crate::cli::{AnswerFlags, EngineName, Format, GlobalFlags, RehearseArgs};
use crate::failure::{Cause, Failure};
use crate::model::config::{CONFIG_FILE, Config, Visibility};
use crate::model::lock::{LOCK_FILE, Lock};
use crate::model::pins::Pins;
use crate::rehearsal::environment::Passed;
use crate::rehearsal::event::{Event, Occasion};
use crate::rehearsal::evidence::{Evidence, merged_layout};
use crate::rehearsal::process::Interruption;
use crate::rehearsal::runner::{JobRun, JobState, Progress, Rehearsal, StepState};
use crate::rehearsal::scratch::Scratch;
use crate::rehearsal::source::Source;
use crate::rehearsal::speech::complaint;
use crate::rehearsal::tools::{EngineKind, Tools, Wishes};
use crate::rehearsal::workflow::{Axis, Work, Workflow};
use crate::templates;
use crate::ui::Glyph;
use crate::ui::json;
use crate::ui::progress::Stage;

/// The code with which a shell says that a program is missing.
const NOT_FOUND: i32 = 127;
/// How the pipeline starts a scan.
const SCAN: &str = "trivy image";

/// One image's run and what it left.
struct Run {
    image: Option<String>,
    jobs: Vec<JobRun>,
    evidence: Evidence,
}

/// # Errors
/// Usage, before anything runs: no workflow, no engine, an unknown image. `Cancelled`. Otherwise: the pipeline would
/// stop, with the reason.
pub(super) async fn run(global: &GlobalFlags, arguments: &RehearseArgs, console: &Console) -> Result<(), Failure> {
    let mut interruption = Interruption::watch()?;
    if let Some(out) = &arguments.out {
        refuse_full_folder(out)?;
    }
    let folder = Scratch::new("sbi-rehearsal-")
        .map_err(|error| Failure::new("a temporary folder can't be made").caused_by(error))?;
    let source = source(global, arguments, folder.path())?;
    let text = source.read(templates::WORKFLOW).ok_or_else(no_workflow)?;
    let workflow = Workflow::parse(templates::WORKFLOW, &text)?;
    let config = source.read(CONFIG_FILE).map(|text| Config::parse(&text)).transpose()?;
    refuse_unknown_architectures(&workflow, &arguments.arch)?;
    let occasions = occasions(&workflow, config.as_ref(), &source, arguments)?;
    let events: Vec<(Option<String>, Event)> = occasions
        .into_iter()
        .map(|occasion| Event::new(&workflow, &source, &occasion).map(|event| (occasion.image, event)))
        .collect::<Result<_, _>>()?;

    let person: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let wishes = Wishes { engine: arguments.engine.map(engine_kind), trivy: arguments.trivy.clone() };
    let passed = Passed::of(&person, &arguments.pass);
    let tools = Tools::find(&wishes, &person, passed, folder.path()).await?;
    refuse_builder_in_the_way(&tools, &text, &person)?;

    // From here on Ctrl-C is the rehearsal's own: it ends the scripts first.
    console.set_applying(true);
    let mut runs = Vec::new();
    for (index, (image, event)) in events.iter().enumerate() {
        let place = folder.path().join("runs").join(index.to_string());
        let rehearsal = Rehearsal {
            workflow: &workflow,
            source: &source,
            tools: &tools,
            event,
            folder: &place,
            architectures: &arguments.arch,
        };
        if let Some(image) = image {
            console.line(Glyph::Doing, &format!("rehearsing {image} with {}", tools.engine.kind.as_str()));
        }
        let jobs = watched(&rehearsal, &mut interruption, arguments.verbose, console).await?;
        let mut evidence = Evidence::read(&rehearsal.artifacts(), &jobs);
        if let Some(out) = &arguments.out {
            let kept = image.as_ref().filter(|_| events.len() > 1).map_or_else(|| out.clone(), |image| out.join(image));
            keep(&rehearsal, &jobs, &kept)?;
            evidence = relocated(evidence, &rehearsal.artifacts(), &kept);
        } else {
            evidence.architectures.iter_mut().for_each(|built| built.sboms.clear());
        }
        runs.push(Run { image: image.clone(), jobs, evidence });
    }
    let report = present::Report::new(&runs, &workflow, &source, &tools, arguments.out.as_deref());
    match arguments.format {
        Format::Json => console.result(&json::text(&report))?,
        Format::Human => console.result(&report.to_text())?,
    }
    verdict(&runs, &workflow, arguments)
}

fn no_workflow() -> Failure {
    Failure::usage(format!("there is no {} here", templates::WORKFLOW))
        .hinted(
            "go to the checkout of the publisher's repository, or rehearse what sbi.toml says: `sbi rehearse --render`",
        )
        .hinted("`sbi init` makes both")
}

/// Runs it with lines about every job.
async fn watched(
    rehearsal: &Rehearsal<'_>,
    interruption: &mut Interruption,
    verbose: bool,
    console: &Console,
) -> Result<Vec<JobRun>, Failure> {
    let stage: RefCell<Option<Stage<'_>>> = RefCell::new(None);
    let progress = |progress: Progress<'_>| match progress {
        Progress::Begins { job, is_slow } => {
            let slow = if is_slow { ", which can take minutes the first time" } else { "" };
            *stage.borrow_mut() = Some(console.stage(&format!("{job}{slow}")));
        }
        Progress::Line(line) if verbose => console.quote(line),
        Progress::Line(_) => {}
        Progress::Ended(job) => {
            drop(stage.borrow_mut().take());
            let seconds = format!("{:.1} s", job.seconds);
            match &job.state {
                JobState::Passed => console.line(Glyph::Done, &format!("{}, {seconds}", job.name)),
                JobState::Partly(reason) => {
                    console.line(Glyph::Done, &format!("{}, {seconds}; {reason}", job.name));
                }
                JobState::Skipped(reason) => console.line(Glyph::Waiting, &format!("{}: {reason}", job.name)),
                JobState::Failed => show_failed(job, verbose, console),
            }
        }
    };
    rehearsal.run(interruption, &progress).await
}

fn show_failed(job: &JobRun, verbose: bool, console: &Console) {
    let Some(step) = job.failed_step() else { return };
    if let StepState::Failed { reason, complaints, tail, .. } = &step.state {
        if !verbose {
            // What the script complains of follows, without the runner's syntax.
            tail.iter().filter(|line| complaint(line).is_none()).for_each(|line| console.quote(line));
        }
        console.line(Glyph::Failed, &format!("{}, step `{}`: {reason}", job.name, step.name));
        for complaint in complaints {
            console.line(Glyph::Failed, &complaint.to_string());
        }
    }
}

/// Success, or the first thing that would stop the pipeline.
fn verdict(runs: &[Run], workflow: &Workflow, arguments: &RehearseArgs) -> Result<(), Failure> {
    let failed = runs.iter().flat_map(|run| &run.jobs).find(|job| job.state == JobState::Failed);
    let Some(job) = failed else { return Ok(()) };
    let mut failure = Failure::new(format!("the pipeline would stop in the job `{}`", job.name));
    if let Some(step) = job.failed_step()
        && let StepState::Failed { reason, code, complaints, .. } = &step.state
    {
        let said = complaints.last().map_or_else(|| reason.clone(), ToString::to_string);
        failure =
            Failure::new(format!("the pipeline would stop in the job `{}`, step `{}`: {said}", job.name, step.name));
        if *code == Some(NOT_FOUND) {
            failure = failure.hinted("a program is missing that the runner has; its name is in the output above");
        } else if complaints.is_empty() && calls(workflow, &job.id, &step.name, SCAN) {
            failure = failure.hinted(
                "Trivy itself stopped, as the output above says. Most often it lacks its database: let it download one, \
                 or name the folder of one with `TRIVY_CACHE_DIR`",
            );
        }
    }
    Err(match &arguments.out {
        Some(out) => failure.hinted(format!("the logs of every job are in {}", out.display())),
        None => failure.hinted("`sbi rehearse --out DIR` keeps the logs and the scan, `--verbose` shows every line"),
    })
}

/// Whether the script of that step has these words.
fn calls(workflow: &Workflow, job: &str, step: &str, words: &str) -> bool {
    let steps = workflow.job(job).map_or(&[][..], |job| &job.steps);
    steps.iter().any(|found| match &found.work {
        Work::Run { script, .. } => found.title == step && script.mentions(words),
        Work::Action { .. } => false,
    })
}

/// The checkout around the configuration, or what the configuration renders to.
fn source(global: &GlobalFlags, arguments: &RehearseArgs, folder: &Path) -> Result<Source, Failure> {
    let root = global.config.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = folder.join("source");
    if arguments.render {
        let config = answers::offline(&AnswerFlags::default(), &global.config)?;
        let lock = std::fs::read_to_string(root.join(LOCK_FILE)).ok();
        let pins = lock.map(|text| Lock::parse(&text)).transpose()?.map_or_else(Pins::default, |lock| lock.images);
        let rendered = folder.join("rendered");
        render::write(&templates::render(&config, &pins)?, &rendered, true)?;
        return Source::of_folder(&rendered, &place);
    }
    let is_repository = root.ancestors().any(|folder| folder.join(".git").exists())
        || std::path::absolute(root).is_ok_and(|root| root.ancestors().any(|folder| folder.join(".git").exists()));
    if is_repository {
        return Source::of_repository(root, !arguments.committed, &place);
    }
    if !root.join(templates::WORKFLOW).exists() {
        return Err(no_workflow());
    }
    Source::of_folder(root, &place)
}

/// What to run: one image, each in turn, or the release of a tag.
fn occasions(
    workflow: &Workflow,
    config: Option<&Config>,
    source: &Source,
    arguments: &RehearseArgs,
) -> Result<Vec<Occasion>, Failure> {
    let choices = workflow.inputs.iter().find(|input| input.name == "image").map(|input| input.options.clone());
    let of_config = || config.map(|config| config.publish.images.iter().map(ToString::to_string).collect());
    let images: Vec<String> = choices.filter(|choices| !choices.is_empty()).or_else(of_config).unwrap_or_default();
    let configured = config.map(|config| config.github.repository.to_string());
    let repository = configured.or_else(|| source.repository.clone()).unwrap_or_else(|| "owner/repository".into());
    let is_private = config.is_some_and(|config| config.github.visibility == Visibility::Private);
    let occasion = |image: Option<String>| Occasion {
        repository: repository.clone(),
        is_private,
        image,
        tag: arguments.tag.clone(),
    };
    if let Some(wanted) = &arguments.image {
        if !images.contains(wanted) {
            return Err(Failure::usage(format!("the workflow builds no image `{wanted}`"))
                .hinted(format!("it builds: {}", images.join(", "))));
        }
        return Ok(vec![occasion(Some(wanted.clone()))]);
    }
    if let Some(tag) = &arguments.tag {
        let prefix = tag.rsplit_once('/').map(|(prefix, _)| prefix.to_owned());
        let only = (images.len() == 1).then(|| images[0].clone());
        return Ok(vec![occasion(prefix.or(only))]);
    }
    Ok(if images.is_empty() { vec![occasion(None)] } else { images.into_iter().map(Some).map(occasion).collect() })
}

fn refuse_unknown_architectures(workflow: &Workflow, wanted: &[String]) -> Result<(), Failure> {
    let mut known: Vec<&str> = Vec::new();
    for job in &workflow.jobs {
        let axes = job.matrix.axes.iter().filter(|(name, _)| name == "arch").map(|(_, axis)| axis);
        for axis in axes.chain(&job.matrix.include) {
            let Axis::Listed(values) = axis else { return Ok(()) };
            known.extend(values.iter().filter_map(|value| value.as_str().or_else(|| value["arch"].as_str())));
        }
    }
    known.sort_unstable();
    known.dedup();
    match wanted.iter().find(|arch| !known.contains(&arch.as_str())) {
        Some(arch) if !known.is_empty() => Err(Failure::usage(format!("the workflow builds nothing for `{arch}`"))
            .hinted(format!("it builds for: {}", known.join(", ")))),
        _ => Ok(()),
    }
}

/// A builder in docker that the workflow's own call would take over.
fn refuse_builder_in_the_way(tools: &Tools, workflow: &str, person: &BTreeMap<String, String>) -> Result<(), Failure> {
    if tools.engine.kind != EngineKind::Docker {
        return Ok(());
    }
    let own = person
        .get("BUILDX_CONFIG")
        .map_or_else(|| tools.passed.docker_config(person).join("buildx"), std::path::PathBuf::from)
        .join("instances");
    let names = std::fs::read_dir(own).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.into_iter().find(|name| workflow.contains(&format!("--name {name} "))) {
        Some(name) => {
            Err(Failure::usage(format!("docker has a builder `{name}`, and the pipeline makes one of that name"))
                .hinted(format!(
                    "remove it with `docker buildx rm {name}`, or take another engine: `--engine buildah`"
                )))
        }
        None => Ok(()),
    }
}

fn engine_kind(name: EngineName) -> EngineKind {
    match name {
        EngineName::Docker => EngineKind::Docker,
        EngineName::Buildah => EngineKind::Buildah,
        EngineName::Podman => EngineKind::Podman,
    }
}

fn refuse_full_folder(out: &Path) -> Result<(), Failure> {
    match std::fs::read_dir(out).map(|mut entries| entries.next().is_some()) {
        Ok(false) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Ok(true) => {
            Err(Failure::usage(format!("{} is not empty", out.display())).hinted("choose another folder: `--out DIR`"))
        }
        Err(error) => Err(Failure::usage(format!("{} is no folder", out.display())).caused_by(error)),
    }
}

/// Copies what is worth keeping out of the temporary folder.
fn keep(rehearsal: &Rehearsal<'_>, jobs: &[JobRun], out: &Path) -> Result<(), Failure> {
    let copied = (|| {
        for part in ["artifacts", "logs"] {
            copy_files(&rehearsal.folder.join(part), &out.join(part))?;
        }
        merged_layout(jobs).map_or(Ok(()), |layout| copy_files(&layout, &out.join("merged")))
    })();
    copied.map_err(|error: std::io::Error| {
        Failure::new(format!("{} can't be written", out.display())).because(Cause::Other).caused_by(error)
    })
}

fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_files(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The same, with the paths at which it was kept.
fn relocated(mut evidence: Evidence, artifacts: &Path, out: &Path) -> Evidence {
    for sbom in evidence.architectures.iter_mut().flat_map(|built| &mut built.sboms) {
        if let Ok(rest) = sbom.strip_prefix(artifacts) {
            *sbom = out.join("artifacts").join(rest);
        }
    }
    evidence
}
