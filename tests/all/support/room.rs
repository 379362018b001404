//! Both stand-ins and the binary between them, in an environment that holds nothing of the person's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use sbi::model::config::Auth;
use sbi::sandbox::aws::{AwsOptions, AwsStandIn};
use sbi::sandbox::github::{GithubOptions, GithubStandIn};
use sbi::sandbox::http::Request;
use sbi::sandbox::oidc::OidcIssuer;
use sbi::sandbox::registry::RegistryStandIn;

use super::terminal::Session;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REPOSITORY: &str = "acme/bases";

/// Flags that answer every question.
pub(crate) const ANSWERS: &[&str] = &[
    "--github",
    REPOSITORY,
    "--visibility",
    "public",
    "--account",
    ACCOUNT,
    "--region",
    "eu-central-1",
    "--ecr-repository",
    REPOSITORY,
    "--image",
    "static-go",
    "--release",
    "v1.0.0",
    "--publisher",
    "Acme",
    "--security-contact",
    "security@acme.example",
];

pub(crate) struct Room {
    pub(crate) aws: AwsStandIn,
    pub(crate) github: GithubStandIn,
    pub(crate) registry: RegistryStandIn,
    folder: tempfile::TempDir,
    /// Flags of every `init` beside the answers.
    more: &'static [&'static str],
    /// Names of what the AWS account held before.
    strangers: BTreeSet<String>,
}

/// What one run of the binary left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The calls that may have changed something, on both sides.
pub(crate) fn is_write(request: &Request) -> bool {
    match request.method.as_str() {
        "GET" => false,
        // AWS reads by POST as well.
        "POST" if request.header("x-amz-target").is_some() => {
            let target = request.header("x-amz-target").unwrap_or_default();
            !["Describe", "Get", "List"].iter().any(|verb| target.contains(&format!(".{verb}")))
        }
        "POST" if request.header("x-amz-date").is_some() => {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            !["Get", "List", "Simulate"].iter().any(|verb| body.contains(&format!("Action={verb}")))
        }
        _ => true,
    }
}

impl Room {
    pub(crate) fn new() -> Self {
        Self::with(GithubOptions { login: "acme".into(), ..GithubOptions::default() })
    }

    pub(crate) fn with(github: GithubOptions) -> Self {
        let issuer = Arc::new(OidcIssuer::new().unwrap());
        let aws = AwsStandIn::start(AwsOptions::new(ACCOUNT.parse().unwrap())).unwrap();
        aws.trust_github_issuer(issuer);
        Self {
            aws,
            github: GithubStandIn::start(github).unwrap(),
            registry: RegistryStandIn::start(base_images()).unwrap(),
            folder: tempfile::tempdir().unwrap(),
            more: &[],
            strangers: BTreeSet::new(),
        }
    }

    /// The same, where all that the account holds now is somebody else's.
    pub(crate) fn with_strangers(self) -> Self {
        let names = [self.aws.user_names(), self.aws.role_names(), self.aws.repository_names()];
        Self { strangers: names.into_iter().flatten().collect(), ..self }
    }

    /// Without the names of what was there before.
    pub(crate) fn made(&self, names: BTreeSet<String>) -> BTreeSet<String> {
        names.difference(&self.strangers).cloned().collect()
    }

    /// The same with a second product beside `static-go`; `None` where the catalogue has no other.
    pub(crate) fn with_two_images() -> Option<Self> {
        Self::with_two_images_and(GithubOptions { login: "acme".into(), ..GithubOptions::default() })
    }

    /// The same beside a GitHub of one's own.
    pub(crate) fn with_two_images_and(github: GithubOptions) -> Option<Self> {
        let second = sbi::templates::images().iter().any(|image| image.name.as_str() == "base-go");
        second.then(|| Self { more: &["--image", "base-go"], ..Self::with(github) })
    }

    /// How many calls changed something so far, refused ones included.
    pub(crate) fn writes(&self) -> usize {
        let logs = [self.aws.server().log(), self.github.server().log()];
        logs.iter().flatten().filter(|exchange| is_write(&exchange.request)).count()
    }

    /// Every exchange with GitHub was one that GitHub's own description allows.
    #[track_caller]
    pub(crate) fn check_contract(&self) {
        let wrong: Vec<String> =
            self.github.server().log().iter().filter_map(|exchange| super::openapi::check(exchange).err()).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with this room's two sides and nothing else.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(self.folder(), arguments);
        command.env("AWS_ENDPOINT_URL", self.aws.url());
        command.env("GITHUB_API_URL", self.github.url());
        command.env("SBI_REGISTRY_MIRROR", self.registry.url());
        let key = self.aws.operator_credentials();
        command.env("AWS_ACCESS_KEY_ID", key.id());
        command.env("AWS_REGION", "eu-central-1");
        key.reveal(|secret| {
            command.env("AWS_SECRET_ACCESS_KEY", secret);
        });
        self.github.token().reveal(|token| {
            command.env("GH_TOKEN", token);
        });
        command
    }

    /// The same before a terminal.
    pub(crate) fn terminal(&self, arguments: &[&str]) -> Session {
        let key = self.aws.operator_credentials();
        let (aws, github, registry) = (self.aws.url(), self.github.url(), self.registry.url());
        let secret = key.reveal(str::to_owned);
        let token = self.github.token().reveal(str::to_owned);
        let env = [
            ("AWS_ENDPOINT_URL", aws.as_str()),
            ("GITHUB_API_URL", github.as_str()),
            ("SBI_REGISTRY_MIRROR", registry.as_str()),
            ("AWS_ACCESS_KEY_ID", key.id()),
            ("AWS_SECRET_ACCESS_KEY", secret.as_str()),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("NO_PROXY", "127.0.0.1"),
            ("GH_TOKEN", token.as_str()),
        ];
        Session::start(env!("CARGO_BIN_EXE_sbi"), arguments, self.folder(), &env, 120)
    }

    pub(crate) fn sbi(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments))
    }

    pub(crate) fn init_arguments<'a>(&self, flags: &[&'a str]) -> Vec<&'a str> {
        [&["init", "--yes"], ANSWERS, self.more, flags].concat()
    }

    /// `sbi init` with every answer, and these flags beside.
    pub(crate) fn init(&self, flags: &[&str]) -> Ran {
        self.sbi(&self.init_arguments(flags))
    }
}

/// Every image of somebody else that the catalogue names.
pub(crate) fn base_images() -> Vec<String> {
    let mut config = super::world::config(Auth::Oidc);
    config.publish.images = sbi::templates::images().into_iter().map(|image| image.name).collect();
    sbi::templates::references(&config).unwrap()
}

/// The binary in `folder` with an empty environment.
pub(crate) fn bare(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null());
    command
}

pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_sbi"))
}

pub(crate) fn ran(mut command: Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Ran {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

impl Ran {
    /// Fails with everything the run wrote unless it exited with `code`.
    #[track_caller]
    pub(crate) fn exited(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}
