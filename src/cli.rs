//! The command line as data. The doc comments are the help; nothing is decided or looked up here.

mod document;
mod update;

use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::SignedDuration;

use crate::ui::questions::Answers;

pub use document::markdown;
pub use update::UpdateArgs;

/// Bootstraps the registry, the identity and the pipeline behind a hardened container base image.
///
/// `sbi init` asks what it can't find out, shows every change, asks once, and applies: the ECR repository, an OIDC
/// role (or an IAM user), the GitHub repository, its secrets, the files in one commit, and release v1.0.0.
#[derive(Debug, Parser)]
#[command(
    name = "sbi",
    version,
    propagate_version = false,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_long_help = AFTER_HELP
)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalFlags,
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Environment:
  AWS_PROFILE, AWS_REGION, AWS_ACCESS_KEY_ID, …  credentials and region, as for the AWS command line
  AWS_ENDPOINT_URL                               another endpoint for every AWS service
  GH_TOKEN, GITHUB_TOKEN                         the GitHub token; without one, `gh auth token` is asked
  GITHUB_API_URL                                 another address of GitHub's API
  SBI_REGISTRY_MIRROR                            a registry to ask in place of every base image's own
  SBI_TIMEOUT                                    seconds to wait for one answer, where 15 (AWS) and 30 don't suit
  NO_COLOR                                       no colour, whatever its value

Exit codes:
  0    done
  1    something failed
  2    the command line, sbi.toml or an answer can't be used; nothing was changed
  3    --check found changes
  4    not signed in to AWS or GitHub
  130  cancelled";

/// Flags that every command takes.
#[derive(Args, Clone, Debug)]
pub struct GlobalFlags {
    /// The file that keeps the answers.
    #[arg(long, global = true, value_name = "FILE", default_value = "sbi.toml")]
    pub config: PathBuf,
    /// When to colour the output; `auto` is: on a terminal, and not with NO_COLOR.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Ask nothing: take the defaults and apply the plan.
    ///
    /// The GitHub repository is never a default: without sbi.toml, `--github` must name it.
    #[arg(long, short = 'y', global = true)]
    pub yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Whether colour is forced on or off; `None` leaves it to the terminal.
    #[must_use]
    pub fn forced(self) -> Option<bool> {
        match self {
            Self::Auto => None,
            Self::Always => Some(true),
            Self::Never => Some(false),
        }
    }
}

/// How the result on stdout is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take this publisher from nothing to a running pipeline: ask, plan, apply, release, watch.
    ///
    /// Everything that exists is adopted, and a run that was interrupted is finished by the next one. Answers are
    /// kept in sbi.toml, so a second run asks nothing that is already answered.
    Init(InitArgs),
    /// Show what `sbi init` would change, and change nothing.
    Plan(PlanArgs),
    /// Bring AWS and GitHub to what sbi.toml says, without questions about it.
    Apply(ApplyArgs),
    /// Bring this version's templates into the repository: merged with what was edited, by one pull request.
    ///
    /// Files that nobody edited are replaced, edited ones merged; what was deleted stays deleted, and what is not sbi's
    /// is left alone. Where no text satisfies both sides the file stays as it is, and the pull request is a draft that
    /// shows both. The next run brings the same pull request up to date. sbi.toml is never written. AWS credentials are
    /// optional: with them it says which policies have to follow.
    Update(UpdateArgs),
    /// Take back what sbi made, and only that; asks for the repository's name typed out.
    ///
    /// The roles or the user go first, then secrets, environments and ECR repositories, then the files that were not
    /// edited, in one commit, sbi.toml and sbi.lock among them. What was there before, what others added and the
    /// account's OIDC provider stay, and are named. A run that was interrupted is finished by the next one.
    Destroy(DestroyArgs),
    /// Show the go-to-market plan as a checklist, held against AWS and GitHub as they are now.
    ///
    /// Every step of the plan is done, drifted (with the command that mends it), to do by sbi, yours, or can't be told
    /// (with the reason). Ages, last runs and open findings follow. It writes nothing and needs only rights to read:
    /// `sbi policy observer` prints those on AWS.
    Status(StatusArgs),
    /// Write the files of the GitHub repository to a folder; needs no network.
    ///
    /// Base images are pinned to the digests that the sbi.lock beside sbi.toml holds, where there is one.
    Render(RenderArgs),
    /// Run the pipeline's own scripts on this machine: plan, build, scan and merge, as a runner would.
    ///
    /// Reads .github/workflows/publish-to-ecr.yml as it stands in the checkout, edited or not, and needs neither AWS
    /// nor GitHub: no credential reaches a script. At the end it says what only a runner can do. Exit code 1: the
    /// pipeline would stop, with the reason.
    Rehearse(RehearseArgs),
    /// Replace the access key that the pipeline publishes with, without a failed job.
    ///
    /// Issues a key, waits until it works, hands it over, waits until every run that may hold the old one has ended,
    /// deactivates the old one, watches it for the grace period, deletes it. A run that was interrupted is finished by
    /// the next one.
    RotateKeys(RotateKeysArgs),
    /// Tell which jobs AWS would let in, and for each that it would not, why and what mends it. Changes nothing.
    ///
    /// Reads the workflow files of the GitHub repository, edited or not, derives the OIDC token that each job will have,
    /// and evaluates the roles' own trust policies with it, here: AWS says no more than "not authorized". Also tells
    /// where the last publishing run failed. Exit code 1: a job would be refused, or what jobs sign in with differs from
    /// sbi.toml.
    Doctor(DoctorArgs),
    /// Tell what earlier runs on this machine changed, newest first; needs no network.
    ///
    /// Each run that changes something keeps a journal of its steps: below $XDG_STATE_HOME/sbi, otherwise
    /// ~/.local/state/sbi (~/Library/Application Support/sbi on macOS), the last 100 of each repository. It is there to
    /// be read by people; sbi decides nothing by it.
    Log(LogArgs),
    /// Print an IAM document as JSON; needs no network.
    Policy(PolicyArgs),
    /// Print the completion script of a shell.
    Completions {
        /// The shell to complete in.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page.
    Man,
}

/// Flags that answer the questions of `sbi init`, kept as text: every bad value is reported at once, later.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Answers")]
pub struct AnswerFlags {
    /// The GitHub repository that builds and publishes.
    #[arg(long, value_name = "OWNER/NAME")]
    pub github: Option<String>,
    /// Who sees the GitHub repository once it is created: `private` or `public`.
    #[arg(long, value_name = "WHO")]
    pub visibility: Option<String>,
    /// The AWS account, twelve digits; credentials of any other are refused.
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// The AWS region of the ECR repository.
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The ECR repository that the image is pushed to; of several, each goes to NAME/IMAGE.
    #[arg(long, value_name = "NAME")]
    pub ecr_repository: Option<String>,
    /// The products to publish, one or more of the catalogue, by comma or by repeating the flag: `static-go`.
    ///
    /// One is released by tags like v1.0.0; of several, each by its own like static-go/v1.0.0 and into an ECR repository
    /// of its own below `--ecr-repository`.
    #[arg(long, value_name = "NAME", value_delimiter = ',', action = ArgAction::Append)]
    pub image: Vec<String>,
    /// How the pipeline signs in to AWS: `oidc` (nothing to steal, nothing to rotate) or `access-key`.
    #[arg(long, value_name = "HOW")]
    pub auth: Option<String>,
    /// The first release of every image, like v1.0.0.
    #[arg(long, value_name = "TAG")]
    pub release: Option<String>,
    /// The publisher's name, as it stands in the documents and the image labels.
    #[arg(long, value_name = "NAME")]
    pub publisher: Option<String>,
    /// Where vulnerabilities are reported: an e-mail address or an https URL.
    #[arg(long, value_name = "MAIL_OR_URL")]
    pub security_contact: Option<String>,
    /// The IAM role's name, where `sbi-publish-OWNER-NAME` does not suit; with `--auth oidc`.
    #[arg(long, value_name = "NAME")]
    pub role_name: Option<String>,
    /// The name of the IAM role that only reads, where `sbi-read-OWNER-NAME` does not suit; with `--auth oidc`.
    #[arg(long, value_name = "NAME")]
    pub read_role_name: Option<String>,
    /// The IAM user's name, where `sbi-publish-OWNER-NAME` does not suit; with `--auth access-key`.
    #[arg(long, value_name = "NAME")]
    pub user_name: Option<String>,
    /// The GitHub environment that the publish job runs in, or `none`.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// What the images are built for, by comma or by repeating the flag: `amd64`, `arm64`; all that they promise unless
    /// given.
    #[arg(long, value_name = "ARCH", value_delimiter = ',', action = ArgAction::Append)]
    pub arch: Vec<String>,
    /// Whether the pipeline signs: `keyless`, which writes the repository's name into a public log, or `none`.
    ///
    /// Unless given, public repositories sign and private ones do not.
    #[arg(long, value_name = "HOW")]
    pub signing: Option<String>,
    /// Render a workflow that opens an issue when the access key is older than this; with `--auth access-key`.
    ///
    /// It lets the publishing user see the dates of its own keys, and nothing else.
    #[arg(long, value_name = "DAYS")]
    pub key_max_age: Option<String>,
    /// Render a workflow that runs `sbi update` every week, with the program at this address: `URL#sha256=HEX`.
    ///
    /// It keeps one pull request and needs a token in the secret SBI_UPDATE_TOKEN, which a person puts there.
    #[arg(long, value_name = "PROGRAM")]
    pub update_program: Option<String>,
}

impl AnswerFlags {
    /// What the flags say, as the questions take it.
    #[must_use]
    pub fn answers(&self) -> Answers {
        let Self {
            github,
            visibility,
            account,
            region,
            ecr_repository,
            image,
            auth,
            release,
            publisher,
            security_contact,
            role_name,
            read_role_name,
            user_name,
            environment,
            arch,
            signing,
            key_max_age,
            update_program,
        } = self.clone();
        Answers {
            github,
            visibility,
            account,
            region,
            ecr_repository,
            images: image,
            auth,
            release,
            publisher,
            security_contact,
            role_name,
            read_role_name,
            user_name,
            environment,
            architectures: arch,
            signing,
            key_max_age,
            update_program,
        }
    }
}

/// How AWS is reached.
#[derive(Args, Clone, Debug, Default)]
pub struct AwsFlags {
    /// The profile of ~/.aws/config to sign in with.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

/// What shapes a plan.
#[derive(Args, Clone, Debug, Default)]
pub struct PlanFlags {
    /// Bring the files in by a pull request although a push would be allowed.
    #[arg(long)]
    pub pull_request: bool,
    /// Propose to replace what was made by hand, in a pull request: workflows that publish images, and files at our paths.
    ///
    /// On a terminal `sbi init` asks. Without it such files are left alone and listed. The pull request names every line
    /// of them that goes, and why sbi's version is safer.
    #[arg(long)]
    pub adopt: bool,
    /// Overwrite this file although it was edited or is not ours; can be given several times.
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    pub overwrite: Vec<String>,
    /// Print the IAM documents with the plan.
    #[arg(long)]
    pub show_policies: bool,
    /// Ask no container registry: base images are named by tag.
    ///
    /// Without it each base and builder image is pinned to the digest that its tag has now. Digests that sbi.lock
    /// holds already stand either way.
    #[arg(long)]
    pub offline: bool,
}

#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    #[command(flatten)]
    pub aws: AwsFlags,
    #[command(flatten)]
    pub plan: PlanFlags,
    /// Don't follow the pipeline's first run.
    #[arg(long)]
    pub no_watch: bool,
    /// How the result on stdout is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
    /// Rehearse against stand-ins for AWS and GitHub inside this program: no account, no network, no cost.
    #[cfg(feature = "sandbox")]
    #[arg(long)]
    pub sandbox: bool,
    /// Where the sandbox writes what the GitHub repository then holds.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "DIR", default_value = "sbi-sandbox")]
    pub sandbox_dir: PathBuf,
    #[command(flatten)]
    pub answers: AnswerFlags,
}

#[derive(Args, Clone, Debug)]
pub struct PlanArgs {
    #[command(flatten)]
    pub aws: AwsFlags,
    #[command(flatten)]
    pub plan: PlanFlags,
    /// Exit with code 3 when something would change.
    #[arg(long)]
    pub check: bool,
    /// How the result on stdout is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub answers: AnswerFlags,
}

#[derive(Args, Clone, Debug)]
pub struct ApplyArgs {
    #[command(flatten)]
    pub aws: AwsFlags,
    #[command(flatten)]
    pub plan: PlanFlags,
    /// Don't follow the pipeline's run when a release was published.
    #[arg(long)]
    pub no_watch: bool,
    /// How the result on stdout is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Args, Clone, Debug)]
pub struct DestroyArgs {
    #[command(flatten)]
    pub aws: AwsFlags,
    /// The GitHub repository to take sbi out of; without sbi.toml here, the one that it holds is read.
    #[arg(long, value_name = "OWNER/NAME")]
    pub github: Option<String>,
    /// Delete the images of ECR repositories that sbi made; each is listed first. Buyers may be pulling them.
    #[arg(long)]
    pub delete_images: bool,
    /// Delete the GitHub repository with everything in it; a classic token needs the scope `delete_repo`.
    #[arg(long)]
    pub delete_repository: bool,
    /// Take the files away by a pull request although a push would be allowed.
    #[arg(long)]
    pub pull_request: bool,
    /// The name that would be typed; with `--yes` it is needed.
    #[arg(long, value_name = "OWNER/NAME")]
    pub confirm: Option<String>,
    /// Show what would go, and change nothing.
    #[arg(long)]
    pub plan: bool,
    /// With `--plan`: exit with code 3 when something is left to take back.
    #[arg(long, requires = "plan")]
    pub check: bool,
    /// How the result on stdout is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    #[command(flatten)]
    pub aws: AwsFlags,
    /// Exit with code 3 when something is drifted or left for sbi to do, the access key is older than `--max-age`, or
    /// the support of a base has ended.
    ///
    /// What is yours to do is not counted. Where nothing of that is found but an entry can't be told, the code is 1.
    #[arg(long)]
    pub check: bool,
    /// How old an access key may be, in days or weeks: `90d`, `12w`.
    #[arg(long, value_name = "AGE", default_value = "90d")]
    pub max_age: String,
    /// How the result on stdout is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub answers: AnswerFlags,
}

#[derive(Args, Clone, Debug)]
pub struct RenderArgs {
    /// The folder to write to; created when absent.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Overwrite files in the folder that differ from what is rendered.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub answers: AnswerFlags,
}

#[derive(Args, Clone, Debug)]
pub struct RehearseArgs {
    /// Rehearse what sbi.toml renders to, instead of the checkout.
    #[arg(long, conflicts_with = "committed")]
    pub render: bool,
    /// Leave out what the working tree has changed since the last commit.
    #[arg(long)]
    pub committed: bool,
    /// The image to rehearse; without it every image that the workflow can build, one after the other.
    #[arg(long, value_name = "NAME", conflicts_with = "tag")]
    pub image: Option<String>,
    /// Rehearse the release of this git tag instead of a run by hand: its name is checked and its version built in.
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// An architecture to build and scan; without it all. With one left out nothing can be merged.
    #[arg(long, value_name = "ARCH", value_delimiter = ',', action = ArgAction::Append)]
    pub arch: Vec<String>,
    /// What builds; without it the first of docker (with buildx and a daemon), buildah and podman that works.
    #[arg(long, value_name = "NAME", value_enum)]
    pub engine: Option<EngineName>,
    /// Which Trivy scans: the path of one, or `download` for the one that the workflow pins.
    ///
    /// Without it the one on PATH, and where there is none the workflow's. Variables that say where Trivy's database is
    /// (TRIVY_CACHE_DIR, TRIVY_SKIP_DB_UPDATE, TRIVY_DB_REPOSITORY, …) are handed on.
    #[arg(long, value_name = "PATH")]
    pub trivy: Option<String>,
    /// Keep images, scans, bills of material and logs in this folder, which has to be empty or absent.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Hand this environment variable to the scripts as well; can be given several times.
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    pub pass: Vec<String>,
    /// Show what the scripts write while they run.
    #[arg(long, short)]
    pub verbose: bool,
    /// How the result on stdout is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Args, Clone, Debug)]
pub struct RotateKeysArgs {
    #[command(flatten)]
    pub aws: AwsFlags,
    /// The GitHub repository whose key it is, where there is no sbi.toml here: its own sbi.toml is read.
    #[arg(long, value_name = "OWNER/NAME")]
    pub github: Option<String>,
    /// How long the old key stays, inactive, before it is deleted: 0s, 2m, 24h, 7d.
    ///
    /// Up to 15 minutes are waited for; with more, the next run deletes it, or `--finish` does.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = period)]
    pub grace: SignedDuration,
    /// How long to wait for workflow runs that may hold the old key.
    ///
    /// Afterwards the old key stays active, both work, and the next run goes on from there.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = period)]
    pub drain: SignedDuration,
    /// Only end what an earlier run began: issue no key, delete what is inactive.
    #[arg(long)]
    pub finish: bool,
    /// End the access key for good: sign in by OIDC instead, where nothing can be stolen and nothing gets old.
    ///
    /// The first run makes the roles and opens a pull request with the new workflows; the key goes on working. After the
    /// merge, the second run lets a job sign in with each role, then takes back key, secret and user.
    #[arg(long, conflicts_with = "check")]
    pub to_oidc: bool,
    /// Change nothing; exit with code 3 when a key that works is older than `--max-age`.
    #[arg(long, conflicts_with = "finish")]
    pub check: bool,
    /// With `--check`: the age that no key should pass.
    ///
    /// Unless given, `publish.key-max-age-days` of sbi.toml, or 90d.
    #[arg(long, value_name = "TIME", value_parser = period, requires = "check")]
    pub max_age: Option<SignedDuration>,
    /// How the result on stdout is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

/// A length of time such as `90d`, `24h` or `2m`; days have 24 hours.
fn period(text: &str) -> Result<SignedDuration, String> {
    let unusable = || format!("`{text}` is no length of time such as 90d, 24h, 2m or 0s");
    let span: jiff::Span = text.parse().map_err(|_| unusable())?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| unusable())?;
    if length.is_negative() { Err(unusable()) } else { Ok(length) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    Docker,
    Buildah,
    Podman,
}

#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub aws: AwsFlags,
    /// Judge runs on this tag or branch, with the workflow files as they stand there: `v1.2.3`.
    ///
    /// Without it, the releases and scheduled runs to come, with the files of the default branch.
    #[arg(long = "ref", value_name = "REF", conflicts_with = "run")]
    pub reference: Option<String>,
    /// Explain this workflow run: its number, or the address at which GitHub shows it.
    ///
    /// Without it, the last run of the publishing workflow is named when it failed.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// How the result on stdout is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// The run to tell in full, as the list names it; without it, the list.
    #[arg(value_name = "RUN", conflicts_with = "last")]
    pub run: Option<String>,
    /// Tell the last run in full.
    #[arg(long)]
    pub last: bool,
    /// The runs of this GitHub repository, not of the one in sbi.toml; after a rename, those under the old name.
    #[arg(long, value_name = "OWNER/NAME")]
    pub github: Option<String>,
    /// How the result on stdout is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Args, Clone, Debug)]
pub struct PolicyArgs {
    /// Whose document.
    #[arg(value_enum, value_name = "WHOSE")]
    pub whose: PolicyKind,
    /// For `trust` and `reader-trust`: the numeric id of the GitHub repository's owner.
    #[arg(long, value_name = "NUMBER")]
    pub owner_id: Option<u64>,
    /// For `trust` and `reader-trust`: the numeric id of the GitHub repository.
    #[arg(long, value_name = "NUMBER")]
    pub repository_id: Option<u64>,
    /// For both trusts: what the repository's OIDC subjects start with, where it is not `repo:OWNER@ID/NAME@ID`.
    #[arg(long, value_name = "TEXT")]
    pub subject_prefix: Option<String>,
    /// For `reader-trust`: the branch that scheduled workflows run on.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub default_branch: String,
    #[command(flatten)]
    pub answers: AnswerFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyKind {
    /// What the pipeline may do: push to the images' ECR repositories.
    Publisher,
    /// Who may assume the pipeline's role.
    Trust,
    /// What the jobs that verify and scan again may do: pull from the same.
    Reader,
    /// Who may assume their role.
    ReaderTrust,
    /// What the person who runs `sbi init` needs.
    Operator,
    /// What the person or the job that runs `sbi rotate-keys` needs.
    Rotator,
    /// What the person who runs `sbi destroy` needs.
    Destroyer,
    /// What `sbi status` reads, and nothing else.
    Observer,
}

/// The whole command line, for completions, the manual page and the documents.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn a_bad_answer_is_left_for_the_questions_to_report() {
        let cli = Cli::try_parse_from(["sbi", "plan", "--region", "moon", "--github", "x"]).expect("parsed");
        let Command::Plan(plan) = cli.command else { panic!("not plan") };
        assert_eq!(plan.answers.answers().region.as_deref(), Some("moon"));
    }

    #[test]
    fn images_come_by_comma_and_by_repetition() {
        let cli = Cli::try_parse_from(["sbi", "plan", "--image", "a,b", "--image", "c"]).expect("parsed");
        let Command::Plan(plan) = cli.command else { panic!("not plan") };
        assert_eq!(plan.answers.answers().images, ["a", "b", "c"]);
    }

    #[test]
    fn the_document_has_a_section_for_every_command() {
        let text = markdown();
        let names = [
            "init",
            "plan",
            "apply",
            "update",
            "status",
            "destroy",
            "render",
            "rehearse",
            "rotate-keys",
            "policy",
            "completions",
            "man",
        ];
        for name in names {
            assert!(text.contains(&format!("\n### `sbi {name}`\n")), "no section for {name}");
        }
        assert!(!text.contains('\u{1b}'), "escape sequences in a document");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "a line wider than 100 columns");
    }
}
