//! What `sbi init` costs on a network where every answer takes 100 ms: calls, depth and wall time of a first run and of
//! a second that changes nothing, beside a straight script (`straight.py`) that does the same one call after another.
//!
//! `cargo bench --bench network`, after `tests/run --tools` for the script's Python.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sbi::model::names::AccountId;
use sbi::sandbox::aws::{AwsOptions, AwsStandIn};
use sbi::sandbox::github::{GithubOptions, GithubStandIn};
use sbi::sandbox::http::Weather;
use sbi::sandbox::registry::RegistryStandIn;
use serde_json::Value;

const LATENCY: Duration = Duration::from_millis(100);
/// `init` from nothing may take this much longer than its critical path.
const MOST_OVER_CRITICAL_PATH: f64 = 1.25;
/// A second run may be this many round trips deep.
const MOST_NO_OP_DEPTH: usize = 4;

/// Calls that follow one another inside one change, where it is not one. The kinds are those of `sbi plan`.
const CALLS_IN_A_ROW: &[(&str, usize)] = &[
    ("GitHub repository", 2), // create, then the subject and the first commit, which only exist afterwards
    ("files", 3),             // tree, commit, ref
    ("environment", 2),       // the environment, then its tag patterns
    ("access key", 5),        // create, three successful checks in a row, upload
];

/// Both stand-ins, slow, with a note of when each request arrived.
struct World {
    aws: AwsStandIn,
    github: GithubStandIn,
    registry: RegistryStandIn,
    arrivals: Arc<Mutex<Vec<(Instant, String)>>>,
    home: tempfile::TempDir,
}

/// One program's run against a world.
struct Run {
    name: &'static str,
    wall: Duration,
    arrivals: Vec<(Instant, String)>,
    stdout: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let aws = AwsStandIn::start(AwsOptions::new(AccountId::new("123456789012").unwrap())).unwrap();
        let github = GithubStandIn::start(GithubOptions::default()).unwrap();
        // The base and the builder of the image that is answered.
        let images = ["gcr.io/distroless/static-debian13:nonroot", "docker.io/library/golang:1.26-trixie"];
        let registry = RegistryStandIn::start(images.map(str::to_owned)).unwrap();
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        for server in [aws.server(), github.server(), registry.server()] {
            let arrivals = Arc::clone(&arrivals);
            server.set_forecast(move |_, request| {
                let label =
                    format!("{} {} {}", request.method, request.path, operation(&request.headers, &request.body));
                arrivals.lock().unwrap().push((Instant::now(), label));
                Weather::Slow(LATENCY)
            });
        }
        Self { aws, github, registry, arrivals, home: tempfile::tempdir().unwrap() }
    }

    /// Runs `command` in this world and nothing of the caller's.
    fn run(&self, name: &'static str, command: &mut Command) -> Run {
        self.arrivals.lock().unwrap().clear();
        let key = self.aws.operator_credentials();
        command.env_clear().current_dir(self.home.path()).env("HOME", self.home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("AWS_ENDPOINT_URL", self.aws.url()).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_REGION", "us-east-1").env("AWS_DEFAULT_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", key.id());
        key.reveal(|secret| command.env("AWS_SECRET_ACCESS_KEY", secret));
        command.env("GITHUB_API_URL", self.github.url());
        command.env("SBI_REGISTRY_MIRROR", self.registry.url());
        self.github.token().reveal(|token| command.env("GH_TOKEN", token));
        let started = Instant::now();
        let output = command.stdin(Stdio::null()).output().unwrap();
        let wall = started.elapsed();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        Run { name, wall, arrivals: self.arrivals.lock().unwrap().clone(), stdout: output.stdout }
    }

    fn sbi(&self, name: &'static str, arguments: &[&str]) -> Run {
        self.run(name, Command::new(env!("CARGO_BIN_EXE_sbi")).args(arguments))
    }
}

/// The AWS operation of a request, which its path does not tell.
fn operation(headers: &hyper::HeaderMap, body: &[u8]) -> String {
    if let Some(target) = headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        return target.to_owned();
    }
    let body = String::from_utf8_lossy(body);
    let action = body.strip_prefix("Action=").map(|rest| rest.split('&').next().unwrap_or_default());
    action.unwrap_or_default().to_owned()
}

impl Run {
    /// The longest chain of calls of which each arrived after the one before was answered.
    fn depth(&self) -> usize {
        let mut depths: Vec<usize> = Vec::new();
        for (at, _) in &self.arrivals {
            let answered = self.arrivals.iter().zip(&depths).filter(|((before, _), _)| *before + LATENCY <= *at);
            depths.push(1 + answered.map(|(_, depth)| *depth).max().unwrap_or(0));
        }
        depths.into_iter().max().unwrap_or(0)
    }

    fn print(&self) {
        println!("{:34} {:>6} {:>6} {:>9.2} s", self.name, self.arrivals.len(), self.depth(), self.wall.as_secs_f64());
    }

    /// Calls in the order of their arrival, by the tenth of a second.
    fn print_calls(&self) {
        let Some((start, _)) = self.arrivals.first() else { return };
        println!("\n{}:", self.name);
        for (at, label) in &self.arrivals {
            println!("  {:5.1} s  {label}", (*at - *start).as_secs_f64());
        }
    }
}

/// Round trips that the plan's edges force: the longest chain of changes, each as long as its calls in a row.
fn chain_of_changes(plan: &Value) -> usize {
    let changes = plan["changes"].as_array().unwrap();
    let mut depths: Vec<usize> = Vec::new();
    for change in changes {
        let kind = change["kind"].as_str().unwrap();
        let own = CALLS_IN_A_ROW.iter().find(|(name, _)| *name == kind).map_or(1, |(_, calls)| *calls);
        let needs = change["needs"].as_array().into_iter().flatten().filter_map(Value::as_u64);
        let before = needs.map(|need| depths[usize::try_from(need).unwrap()]).max().unwrap_or(0);
        depths.push(before + own);
    }
    depths.into_iter().max().unwrap_or(0)
}

fn main() -> ExitCode {
    println!("every answer takes {} ms", LATENCY.as_millis());
    let met = [measure("oidc"), measure("access-key")];
    if met == [true; 2] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the figures of one way to sign in; whether they meet the goals.
fn measure(auth: &'static str) -> bool {
    let answers = [
        "--github",
        "octo-publisher/base",
        "--visibility",
        "public",
        "--region",
        "us-east-1",
        "--ecr-repository",
        "acme/base",
        "--image",
        "static-go",
        "--auth",
        auth,
        "--release",
        "v1.0.0",
        "--publisher",
        "Acme",
        "--security-contact",
        "security@acme.example",
    ];
    let with = |words: &[&'static str]| -> Vec<&str> { words.iter().chain(&answers).copied().collect() };
    let world = World::new();
    let plan = world.sbi("sbi plan", &with(&["plan", "--yes", "--format", "json"]));
    let first = world.sbi("sbi init, from nothing", &with(&["init", "--yes", "--no-watch"]));
    let second = world.sbi("sbi init, nothing to do", &with(&["init", "--yes", "--no-watch"]));
    drop(world);

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".tools/venv/bin/python");
    let straight = (auth == "oidc" && python.exists()).then(|| {
        World::new()
            .run("straight script (boto3 and curl)", Command::new(&python).arg(root.join("benches/straight.py")))
    });

    println!("\n{:34} {:>6} {:>6} {:>11}", format!("--auth {auth}"), "calls", "depth", "wall");
    for run in [&plan, &first, &second].into_iter().chain(&straight) {
        run.print();
    }
    if auth == "oidc" && straight.is_none() {
        println!("straight script: left out, `tests/run --tools` installs what it needs");
    }
    // Looking before the change is as deep as `sbi plan` is; looking after it no longer asks a registry.
    let changes = chain_of_changes(&serde_json::from_slice(&plan.stdout).unwrap());
    let looking = plan.depth() + second.depth();
    let critical = looking + changes;
    let ratio = first.wall.as_secs_f64() / (LATENCY.as_secs_f64() * f64::from(u32::try_from(critical).unwrap()));
    println!("\ncritical path of init: {critical} round trips ({looking} looking twice, {changes} changing)");
    println!("init took {ratio:.2} × its critical path (at most {MOST_OVER_CRITICAL_PATH})");
    println!("the second run is {} deep (at most {MOST_NO_OP_DEPTH})", second.depth());
    if std::env::args().any(|argument| argument == "--calls") {
        first.print_calls();
        second.print_calls();
    }
    ratio <= MOST_OVER_CRITICAL_PATH && second.depth() <= MOST_NO_OP_DEPTH
}
