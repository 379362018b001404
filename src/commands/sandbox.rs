//! `sbi rehearse`: the pipeline's own scripts on this machine, and what they say.

mod present;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use super::answers;
use super::console::Console;
<<<<<<<< HEAD:src/commands/rehearse.rs
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
use crate::rehearsal::source::Source;
use crate::rehearsal::tools::{EngineKind, Tools, Wishes};
use crate::rehearsal::workflow::{Axis, Workflow};
========
use super::converge::{Run, converge};
use crate::cli::{GlobalFlags, InitArgs};
use crate::failure::Failure;
use crate::live::publisher::Publisher;
use crate::live::sign_in::Places;
use crate::live::watch::Patience;
use crate::model::config::{Auth, Config};
use crate::model::identity::ReadingRef;
use crate::model::names::{EcrRepositoryName, GitTag};
use crate::model::pins::Pins;
use crate::model::secrets::AccessKey;
use crate::plan::setup::{KEY_ID_SECRET, SECRET_KEY_SECRET, plain_secrets};
use crate::sandbox::aws::{AwsOptions, AwsStandIn};
use crate::sandbox::github::{GithubOptions, GithubStandIn, RunContext, RunOutcome, WorkflowRunContext};
use crate::sandbox::oidc::OidcIssuer;
>>>>>>>> multi:src/commands/sandbox.rs
use crate::templates;
use crate::ui::Glyph;
use crate::ui::json;
use crate::ui::progress::Stage;

/// The code with which a shell says that a program is missing.
const NOT_FOUND: i32 = 127;

<<<<<<<< HEAD:src/commands/rehearse.rs
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
========
/// The jobs of the rendered workflow that go to AWS, by their names.
const PUBLISH_JOB: &str = "Publish";
const VERIFY_JOB: &str = "Verify";

/// Left in the folder, so that the next rehearsal knows that it may replace it.
const MARKER: &str = "SANDBOX.txt";

struct Room {
    issuer: Arc<OidcIssuer>,
    aws: Arc<AwsStandIn>,
    github: Arc<GithubStandIn>,
}

/// # Errors
/// See `converge`; a folder in the way; a proof that fails.
pub(super) async fn run(global: &GlobalFlags, arguments: &InitArgs, console: &Console) -> Result<(), Failure> {
    let out = &arguments.sandbox_dir;
    refuse_foreign_folder(out)?;
    let detected = Detected {
        github_login: Some(LOGIN.into()),
        region: Some(REGION.into()),
        account: Some(ACCOUNT.into()),
        git_user_name: Some(NAME.into()),
        git_email: Some(MAIL.into()),
        git_remote: None,
    };
    console
        .line(Glyph::Doing, "sandbox: AWS and GitHub are stand-ins inside this program; nothing leaves this machine");
    // A made-up repository may be guessed, a real one never is.
    let guess = format!("{LOGIN}/secure-base-images");
    let Decided { config, wishes } =
        decide_made_up(&arguments.answers, &arguments.plan, global.yes, &detected, (Field::Github, &guess), console)?;
    let room = open(&config)?;
    let places = Places {
        aws_endpoint: Some(room.aws.url()),
        aws_credentials: Some(room.aws.operator_credentials()),
        github_api: Some(room.github.url()),
        github_token: Some(room.github.token()),
    };
    let live = console.sign_in(places, None).await?;
    let live = live.in_region(&config.aws.region);
    let run = Run {
        wishes,
        yes: global.yes,
        show_policies: arguments.plan.show_policies,
        watch: (!arguments.no_watch).then_some(Patience::in_memory()),
        config_file: None,
        rehearsal: true,
    };
    walk_into_aws_for_real(&room, &config);
    let outcome = converge(&live, &config, &run, console).await;
    // Even after a failure, what the repository holds is worth a look; after a no there is nothing to look at.
    write_repository(&room, &config, out, console)?;
    let config = outcome?;
    for line in prove(&room, &config).await? {
        console.line(Glyph::Done, &format!("proved: {line}"));
>>>>>>>> multi:src/commands/sandbox.rs
    }
    let folder = tempfile::Builder::new()
        .prefix("sbi-rehearsal-")
        .tempdir()
        .map_err(|error| Failure::new("a temporary folder can't be made").caused_by(error))?;
    let source = source(global, arguments, folder.path())?;
    let text = source.read(templates::WORKFLOW).ok_or_else(|| {
        Failure::usage(format!("there is no {} here", templates::WORKFLOW))
            .hinted("go to the checkout of the publisher's repository, or rehearse what sbi.toml says: `sbi rehearse --render`")
            .hinted("`sbi init` makes both")
    })?;
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

<<<<<<<< HEAD:src/commands/rehearse.rs
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
========
/// The sandbox builds no image, but the ways of its jobs into AWS are walked with what the repository really holds: its
/// secrets and the claims of their tokens. A job that AWS turns away fails its run.
fn walk_into_aws_for_real(room: &Room, config: &Config) {
    let (issuer, aws_url) = (Arc::clone(&room.issuer), room.aws.url());
    let github = Arc::downgrade(&room.github);
    let config = config.clone();
    room.github.set_run_outcome(move |context: &RunContext| {
        let Some(github) = github.upgrade() else { return RunOutcome::Cancelled };
        let secret = |name: &str| -> Option<String> {
            use secrecy::ExposeSecret as _;
            Some(github.open_secret(&context.repository, name)?.expose_secret().to_owned())
        };
        // What the workflow's own plan decides: which image the tag releases, and where it goes.
        let tag: Option<GitTag> = context.tag.parse().ok();
        let outlet = config
            .outlets()
            .into_iter()
            .find(|outlet| tag.as_ref().is_some_and(|tag| tag.image() == outlet.tag.image()));
        let Some((tag, outlet)) = tag.zip(outlet) else {
            return RunOutcome::Failure { job: "Plan".into(), step: None };
        };
        // The workflow holds the table of several, and a secret tells it the only one.
        let repository = match config.publish.images.as_slice() {
            [_] => secret("ECR_REPOSITORY").unwrap_or_default().parse(),
            _ => Ok(outlet.ecr_repository),
        };
        let claims = |job: &str| {
            context
                .jobs
                .iter()
                .find(|found| found.name == job)
                .and_then(|found| found.claims.clone())
                .unwrap_or_default()
        };
        let assume = async |role: &str, claims: &serde_json::Value| {
            let token = issuer.sign(claims)?;
            Publisher::with_token(aws_url.clone(), config.aws.region.clone(), role, &token).await
        };
        let no_repository = |_: &Failure| Failure::new("the secret ECR_REPOSITORY names no ECR repository");
        let publish = async {
            let publisher = match config.publish.auth {
                Auth::Oidc => assume(&secret("AWS_ROLE_ARN").unwrap_or_default(), &claims(PUBLISH_JOB)).await?,
                Auth::AccessKey => {
                    let id = secret(KEY_ID_SECRET).unwrap_or_default();
                    let key = AccessKey::new(id, secret(SECRET_KEY_SECRET).unwrap_or_default());
                    Publisher::with_key(aws_url.clone(), config.aws.region.clone(), key).await?
                }
            };
            publisher.start_push(repository.as_ref().map_err(no_repository)?).await
        };
        let verify = async {
            let has_token = !claims(VERIFY_JOB).is_null();
            if config.publish.auth == Auth::Oidc && has_token {
                let reader = assume(&reading_role(&config), &claims(VERIFY_JOB)).await?;
                reader.start_pull(repository.as_ref().map_err(no_repository)?, tag.version()).await?;
            }
            Ok::<(), Failure>(())
        };
        let failed = |job: &str| RunOutcome::Failure { job: job.into(), step: None };
        match on_a_thread_of_its_own(async { Ok((publish.await.is_ok(), verify.await.is_ok())) }) {
            Ok((true, true)) => RunOutcome::Success,
            Ok((true, false)) => failed(VERIFY_JOB),
            Ok((false, _)) | Err(_) => failed(PUBLISH_JOB),
>>>>>>>> multi:src/commands/sandbox.rs
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
    verdict(&runs, arguments)
}

<<<<<<<< HEAD:src/commands/rehearse.rs
/// Runs it with lines about every job.
async fn watched(
    rehearsal: &Rehearsal<'_>,
    interruption: &mut Interruption,
    verbose: bool,
    console: &Console,
) -> Result<Vec<JobRun>, Failure> {
    let stage: RefCell<Option<Stage<'_>>> = RefCell::new(None);
    let progress = |progress: Progress<'_>| match progress {
        Progress::Begins { job } => {
            let slow = "building and scanning take minutes where images and databases are fetched first";
            *stage.borrow_mut() = Some(console.stage(&format!("{job} ({slow})")));
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
========
fn reading_role(config: &Config) -> String {
    config.iam_arn(&format!("role/{}", config.read_role()))
}

/// The stand-in's server asks from inside its own runtime, where no other one may block.
fn on_a_thread_of_its_own<T: Send>(job: impl Future<Output = Result<T, Failure>> + Send) -> Result<T, Failure> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new("no runtime for the publishing job").caused_by(error))?;
        runtime.block_on(job)
>>>>>>>> multi:src/commands/sandbox.rs
    };
    rehearsal.run(interruption, &progress).await
}

fn show_failed(job: &JobRun, verbose: bool, console: &Console) {
    let Some(step) = job.failed_step() else { return };
    if let StepState::Failed { reason, complaints, tail, .. } = &step.state {
        if !verbose {
            tail.iter().for_each(|line| console.quote(line));
        }
        console.line(Glyph::Failed, &format!("{}, step `{}`: {reason}", job.name, step.name));
        for complaint in complaints {
            console.line(Glyph::Failed, &complaint.to_string());
        }
    }
}

/// Success, or the first thing that would stop the pipeline.
fn verdict(runs: &[Run], arguments: &RehearseArgs) -> Result<(), Failure> {
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
        }
    }
    Err(match &arguments.out {
        Some(out) => failure.hinted(format!("the logs of every job are in {}", out.display())),
        None => failure.hinted("`sbi rehearse --out DIR` keeps the logs and the scan, `--verbose` shows every line"),
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
    if is_repository || !root.join(templates::WORKFLOW).exists() {
        return Source::of_repository(root, !arguments.committed, &place);
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
<<<<<<<< HEAD:src/commands/rehearse.rs
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
========
    for repository in config.ecr_repositories() {
        publisher.start_push(&repository).await.map_err(|failure| failure.during("prove the push"))?;
        proved.push(format!("the publishing identity can push to {repository}"));
    }
    let other: EcrRepositoryName = format!("{}-other", config.ecr.repository).parse()?;
    expect_refusal(publisher.start_push(&other).await, &format!("a push to {other}"))?;
    proved.push(format!("it is refused a push to {other}"));
    prove_reader(room, config, &repository, &mut proved).await?;
    Ok(proved)
}

/// The role that only reads, on each ref that it is for.
async fn prove_reader(room: &Room, config: &Config, repository: &str, proved: &mut Vec<String>) -> Result<(), Failure> {
    let files = templates::render(config, &Pins::default())?;
    let on = templates::reading_refs(config, &files)?;
    let role = reading_role(config);
    let claims = |run: &WorkflowRunContext| {
        room.github.claims_for(repository, run).ok_or_else(|| Failure::new("the sandbox's repository issues no token"))
    };
    let assume = async |claims: &serde_json::Value| {
        let token = room.issuer.sign(claims)?;
        Publisher::with_token(room.aws.url(), config.aws.region.clone(), &role, &token).await
    };
    let mut runs = Vec::new();
    for on in &on {
        match on {
            ReadingRef::ReleaseTag => runs.extend(
                config
                    .outlets()
                    .into_iter()
                    .map(|outlet| WorkflowRunContext::release(templates::WORKFLOW, &outlet.tag.to_string(), None)),
            ),
            ReadingRef::DefaultBranch => {
                let branch = room.github.repository(repository).map(|found| found.default_branch).unwrap_or_default();
                runs.push(WorkflowRunContext::scheduled(templates::WORKFLOW, &branch));
            }
        }
    }
    for run in &runs {
        let claims = claims(run)?;
        let reader = assume(&claims).await.map_err(|failure| failure.during("prove the reading role's trust"))?;
        proved.push(format!("the reading role opens for {}", claims["sub"].as_str().unwrap_or_default()));
        for outlet in config.outlets() {
            let place = &outlet.ecr_repository;
            reader.start_pull(place, outlet.tag.version()).await.map_err(|failure| failure.during("prove the pull"))?;
            expect_refusal(reader.start_push(place).await, &format!("the reader's push to {place}"))?;
        }
    }
    if !runs.is_empty() {
        proved.push("it pulls and can't push".into());
        let pull_request = claims(&WorkflowRunContext::pull_request(templates::WORKFLOW, 1))?;
        expect_refusal(assume(&pull_request).await, "a pull request's token for the reading role")?;
        proved.push("it stays shut for a pull request's token".into());
    }
    Ok(())
}

fn opened(room: &Room, repository: &str, name: &str) -> Result<secrecy::SecretString, Failure> {
    room.github
        .open_secret(repository, name)
        .ok_or_else(|| Failure::new(format!("secret {name} does not open with the repository's private key")))
}

fn uploaded_key(room: &Room, repository: &str) -> Result<AccessKey, Failure> {
    use secrecy::ExposeSecret as _;
    let id = opened(room, repository, KEY_ID_SECRET)?.expose_secret().to_owned();
    let secret = opened(room, repository, SECRET_KEY_SECRET)?.expose_secret().to_owned();
    Ok(AccessKey::new(id, secret))
}

fn prove_secrets(room: &Room, config: &Config, repository: &str) -> Result<usize, Failure> {
    use secrecy::ExposeSecret as _;
    for (name, value) in plain_secrets(config) {
        if opened(room, repository, name)?.expose_secret() != value {
            return Err(Failure::new(format!("secret {name} holds something else than {value}")));
        }
    }
    if config.publish.auth == Auth::AccessKey {
        let key = uploaded_key(room, repository)?;
        if !key.reveal(|secret| room.aws.is_secret_of(key.id(), secret)) {
            return Err(Failure::new(format!("secret {SECRET_KEY_SECRET} does not belong to {}", key.id())));
        }
    }
    Ok(templates::secret_names(config).len())
}

async fn prove_trust(
    room: &Room,
    config: &Config,
    repository: &str,
    proved: &mut Vec<String>,
) -> Result<Publisher, Failure> {
    let role = config.iam_arn(&format!("role/{}", config.role()));
    let environment = config.publish.environment.as_ref().map(|name| name.as_str());
    let claims = |tag: &GitTag| {
        let release = WorkflowRunContext::release(templates::WORKFLOW, &tag.to_string(), environment);
        room.github
            .claims_for(repository, &release)
            .ok_or_else(|| Failure::new("the sandbox's repository issues no token"))
    };
    let assume = async |claims: &serde_json::Value| {
        let token = room.issuer.sign(claims)?;
        Publisher::with_token(room.aws.url(), config.aws.region.clone(), &role, &token).await
    };
    let outlets = config.outlets();
    let (first, others) = outlets.split_first().ok_or_else(|| Failure::new("there is no image"))?;
    let claims_of_first = claims(&first.tag)?;
    let publisher = assume(&claims_of_first).await.map_err(|failure| failure.during("prove the trust"))?;
    for other in others {
        assume(&claims(&other.tag)?).await.map_err(|failure| failure.during("prove the trust"))?;
    }
    let subject = claims_of_first["sub"].as_str().unwrap_or_default();
    proved.push(format!("the role opens for {subject}"));
    proved.extend(others.iter().map(|other| format!("and for the release {}", other.tag)));
    let wrong: [(&str, &str, serde_json::Value); 3] = [
        ("a pull request's token", "sub", format!("repo:{repository}:pull_request").into()),
        ("the same names with another repository id", "repository_id", "1".into()),
        ("a branch's token", "ref", "refs/heads/main".into()),
    ];
    for (what, claim, value) in wrong {
        let mut forged = claims_of_first.clone();
        forged[claim] = value;
        expect_refusal(assume(&forged).await, what)?;
        proved.push(format!("it stays shut for {what} (claim `{claim}`)"));
    }
    Ok(publisher)
}

fn expect_refusal<T>(outcome: Result<T, Failure>, what: &str) -> Result<(), Failure> {
    use crate::failure::Cause;
    match outcome {
        Ok(_) => Err(Failure::new(format!("{what} was not refused"))),
        Err(failure) if matches!(failure.cause(), Cause::Denied { .. }) => Ok(()),
        Err(failure) => Err(failure.during(format!("{what} was to be refused"))),
>>>>>>>> multi:src/commands/sandbox.rs
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
