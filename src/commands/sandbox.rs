//! `sbi init --sandbox`: the same program against the stand-ins inside it, and the proof that what came out works.

use std::path::Path;
use std::sync::Arc;

use super::answers::{Decided, decide_made_up};
use super::console::Console;
use super::converge::{Run, converge};
use crate::cli::{GlobalFlags, InitArgs};
use crate::failure::Failure;
use crate::live::publisher::Publisher;
use crate::live::sign_in::Places;
use crate::live::watch::Patience;
use crate::model::config::{Auth, Config};
use crate::model::identity::Purpose;
use crate::model::identity::ReadingRef;
use crate::model::names::{EcrRepositoryName, GitTag};
use crate::model::pins::Pins;
use crate::model::secrets::{ACCESS_KEY_SECRET, AccessKey};
use crate::plan::setup::plain_secrets;
use crate::sandbox::aws::{AwsOptions, AwsStandIn};
use crate::sandbox::github::{GithubOptions, GithubStandIn, RunContext, RunOutcome, WorkflowRunContext};
use crate::sandbox::oidc::OidcIssuer;
use crate::sandbox::registry::RegistryStandIn;
use crate::templates;
use crate::ui::Glyph;
use crate::ui::questions::{Detected, Field};

/// The made-up person whose accounts the sandbox holds. The AWS account is the one of AWS's own examples.
const ACCOUNT: &str = "111122223333";
const LOGIN: &str = "octo-publisher";
const NAME: &str = "Octo Publisher";
const MAIL: &str = "security@octo-publisher.example";
const REGION: &str = "us-east-1";

/// The jobs of the rendered workflow that go to AWS, by their names.
const PUBLISH_JOB: &str = "Publish";
const VERIFY_JOB: &str = "Verify";

/// Left in the folder, so that the next rehearsal knows that it may replace it.
const MARKER: &str = "SANDBOX.txt";

struct Room {
    issuer: Arc<OidcIssuer>,
    aws: Arc<AwsStandIn>,
    github: Arc<GithubStandIn>,
    registry: RegistryStandIn,
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
        .line(Glyph::Doing, "sandbox: AWS, GitHub and the container registries are stand-ins inside this program; nothing leaves this machine");
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
        registry_mirror: Some(room.registry.url()),
    };
    let live = console.sign_in(places, None).await?;
    let live = live.in_region(&config.aws.region);
    let run = Run {
        command: "sbi init --sandbox",
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
    }
    Ok(())
}

/// Accounts that belong to whoever the answers name.
fn open(config: &Config) -> Result<Room, Failure> {
    let no_port = |error| Failure::new("the sandbox can't listen on a loopback port").caused_by(error);
    let issuer = Arc::new(OidcIssuer::new()?);
    let aws = AwsStandIn::start(AwsOptions {
        region: Some(config.aws.region.clone()),
        ..AwsOptions::new(config.aws.account.clone())
    })
    .map_err(no_port)?;
    aws.trust_github_issuer(Arc::clone(&issuer));
    let github = GithubStandIn::start(GithubOptions {
        login: config.github.repository.owner().into(),
        ..GithubOptions::default()
    })
    .map_err(no_port)?;
    let registry = RegistryStandIn::start(templates::references(config)?).map_err(no_port)?;
    Ok(Room { issuer, aws: Arc::new(aws), github: Arc::new(github), registry })
}

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
        let job = |name: &str| context.jobs.iter().find(|found| found.name == name);
        // The workflow holds the table of several. The only one and the role are in secrets where the publish job has an
        // environment; else it names them too.
        let in_secrets = job(PUBLISH_JOB).is_some_and(|job| job.environment.is_some());
        let repository = match config.publish.images.as_slice() {
            [_] if in_secrets => secret("ECR_REPOSITORY").unwrap_or_default().parse(),
            _ => Ok(outlet.ecr_repository),
        };
        let role =
            if in_secrets { secret("AWS_ROLE_ARN").unwrap_or_default() } else { role_arn(&config, Purpose::Publish) };
        let claims = |name: &str| job(name).and_then(|job| job.claims.clone()).unwrap_or_default();
        let assume = async |role: &str, claims: &serde_json::Value| {
            let token = issuer.sign(claims)?;
            Publisher::with_token(aws_url.clone(), config.aws.region.clone(), role, &token).await
        };
        let no_repository = |_: &Failure| Failure::new("the secret ECR_REPOSITORY names no ECR repository");
        let publish = async {
            let publisher = match config.publish.auth {
                Auth::Oidc => assume(&role, &claims(PUBLISH_JOB)).await?,
                Auth::AccessKey => {
                    let both = github.open_secret(&context.repository, ACCESS_KEY_SECRET);
                    let key = both.as_ref().and_then(AccessKey::from_both).ok_or_else(no_access_key)?;
                    Publisher::with_key(aws_url.clone(), config.aws.region.clone(), key).await?
                }
            };
            publisher.start_push(repository.as_ref().map_err(no_repository)?).await
        };
        let verify = async {
            let has_token = !claims(VERIFY_JOB).is_null();
            if config.publish.auth == Auth::Oidc && has_token {
                let reader = assume(&role_arn(&config, Purpose::Read), &claims(VERIFY_JOB)).await?;
                reader.start_pull(repository.as_ref().map_err(no_repository)?, tag.version()).await?;
            }
            Ok::<(), Failure>(())
        };
        let failed = |job: &str| RunOutcome::Failure { job: job.into(), step: None };
        match on_a_thread_of_its_own(async { Ok((publish.await.is_ok(), verify.await.is_ok())) }) {
            Ok((true, true)) => RunOutcome::Success,
            Ok((true, false)) => failed(VERIFY_JOB),
            Ok((false, _)) | Err(_) => failed(PUBLISH_JOB),
        }
    });
}

fn role_arn(config: &Config, purpose: Purpose) -> String {
    config.iam_arn(&format!("role/{}", purpose.role(config)))
}

/// The stand-in's server asks from inside its own runtime, where no other one may block.
fn on_a_thread_of_its_own<T: Send>(job: impl Future<Output = Result<T, Failure>> + Send) -> Result<T, Failure> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new("no runtime for the publishing job").caused_by(error))?;
        runtime.block_on(job)
    };
    std::thread::scope(|scope| {
        scope.spawn(run).join().unwrap_or_else(|_| Err(Failure::new("the publishing job panicked")))
    })
}

/// What the run promised, each checked on the far side.
async fn prove(room: &Room, config: &Config) -> Result<Vec<String>, Failure> {
    let repository = config.github.repository.to_string();
    let secrets = prove_secrets(room, config, &repository)?;
    let mut proved = match secrets {
        0 => vec!["the pipeline needs no secret: it names role, region and registry, and AWS decides".into()],
        _ => vec![format!("{secrets} secrets open with the repository's private key and hold what they should")],
    };
    let publisher = match config.publish.auth {
        Auth::Oidc => prove_trust(room, config, &repository, &mut proved).await?,
        Auth::AccessKey => {
            proved.push("the access key in the secrets is the active one of the publishing user".into());
            Publisher::with_key(room.aws.url(), config.aws.region.clone(), uploaded_key(room, &repository)?).await?
        }
    };
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
    let role = role_arn(config, Purpose::Read);
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

fn no_access_key() -> Failure {
    Failure::new(format!("secret {ACCESS_KEY_SECRET} holds no access key"))
}

fn uploaded_key(room: &Room, repository: &str) -> Result<AccessKey, Failure> {
    AccessKey::from_both(&opened(room, repository, ACCESS_KEY_SECRET)?).ok_or_else(no_access_key)
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
            return Err(Failure::new(format!("secret {ACCESS_KEY_SECRET} does not belong to {}", key.id())));
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
    }
}

fn refuse_foreign_folder(out: &Path) -> Result<(), Failure> {
    let is_empty = std::fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    if is_empty || out.join(MARKER).exists() {
        return Ok(());
    }
    Err(Failure::usage(format!("{} holds files that no sandbox wrote", out.display()))
        .hinted("choose another folder: `--sandbox-dir DIR`"))
}

/// Writes what the stand-in's repository holds on its default branch.
fn write_repository(room: &Room, config: &Config, out: &Path, console: &Console) -> Result<(), Failure> {
    let Some(snapshot) = room.github.repository(&config.github.repository.to_string()) else { return Ok(()) };
    let failed = |error: std::io::Error| Failure::new(format!("{} can't be written", out.display())).caused_by(error);
    if out.join(MARKER).exists() {
        std::fs::remove_dir_all(out).map_err(failed)?;
    }
    let marker =
        format!("What {} held on {} at the end of a rehearsal.\n", snapshot.full_name, snapshot.default_branch);
    let files = snapshot.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
    for (path, bytes) in files.chain([(MARKER, marker.as_bytes())]) {
        let path = out.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(out))
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(failed)?;
    }
    console.line(Glyph::Done, &format!("wrote the repository's {} files to {}", snapshot.files.len(), out.display()));
    Ok(())
}
