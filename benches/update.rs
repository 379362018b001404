//! What `sbi update` costs: calls and time of the whole program, with every image of the catalogue and beside files that
//! nobody edited; and the time that deciding takes with up to a hundred images.
//!
//! `cargo bench --profile dev --bench update`
//!
//! The catalogue is what stands below `images/`. For a hundred, give a copy of the checkout ninety-eight more:
//! `for n in $(seq 98); do cp -r images/static-go images/static-go-$n; done`

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Instant;

use sbi::failure::Failure;
use sbi::merge;
use sbi::model::config::{CONFIG_FILE, Config};
use sbi::model::desired::{Desired, RenderedFile};
use sbi::model::git::BlobId;
use sbi::model::lock::{LOCK_FILE, Lock};
use sbi::model::pins::Pins;
use sbi::plan::update::{Policies, Question, Rules, Settled, Story, Texts, There, TrustNeeds, body, decide, needed};
use sbi::sandbox::aws::{AwsOptions, AwsStandIn};
use sbi::sandbox::github::{GithubOptions, GithubStandIn};
use sbi::sandbox::registry::RegistryStandIn;
use sbi::templates;

const REPOSITORY: &str = "acme/bases";
const ANSWERS: &[&str] = &[
    "--github",
    REPOSITORY,
    "--visibility",
    "public",
    "--account",
    "123456789012",
    "--region",
    "eu-central-1",
    "--ecr-repository",
    REPOSITORY,
    "--release",
    "v1.0.0",
    "--publisher",
    "Acme",
    "--security-contact",
    "security@acme.example",
];
/// In the place of what an older version rendered.
const OLDER: (&str, &str) = ("USER 65532:65532", "USER 65532");

fn main() {
    println!("the whole program: one pull request, beside files of somebody else");
    println!("{:>8} {:>8} {:>8} {:>8} {:>8} {:>10}", "images", "others", "changed", "edited", "calls", "wall");
    let all: Vec<String> = templates::images().iter().map(|image| image.name.to_string()).collect();
    let one = vec!["static-go".to_owned()];
    for (images, others, edited) in
        [(&one, 0, 0), (&one, 0, 1), (&one, 100, 0), (&one, 1000, 0), (&all, 0, 0), (&all, 0, 1), (&all, 1000, 0)]
    {
        run(images, others, edited);
    }
    println!("\ndeciding alone, all files of every image rendered anew");
    println!("{:>8} {:>8} {:>8} {:>8} {:>10}", "images", "edited", "files", "reads", "time");
    for images in [1, 10, 100] {
        for edited in [0, 5] {
            decided(images, edited.min(images));
        }
    }
}

/// One run of the binary against the stand-ins, after which every image's Dockerfile is rendered anew in one pull request.
fn run(images: &[String], others: usize, edited: usize) {
    let aws = AwsStandIn::start(AwsOptions::new("123456789012".parse().unwrap())).unwrap();
    let github = GithubStandIn::start(GithubOptions { login: "acme".into(), ..GithubOptions::default() }).unwrap();
    let registry = RegistryStandIn::start(
        [
            "gcr.io/distroless/static-debian13:nonroot",
            "gcr.io/distroless/base-nossl-debian13:nonroot",
            "docker.io/library/golang:1.26-trixie",
        ]
        .map(str::to_owned),
    )
    .unwrap();
    let home = tempfile::tempdir().unwrap();
    let sbi = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sbi"));
        command.args(arguments).env_clear().current_dir(home.path()).env("HOME", home.path()).stdin(Stdio::null());
        command.env("PATH", "/usr/bin:/bin").env("AWS_REGION", "eu-central-1").env("NO_PROXY", "127.0.0.1");
        command.env("AWS_ENDPOINT_URL", aws.url()).env("GITHUB_API_URL", github.url());
        command.env("SBI_REGISTRY_MIRROR", registry.url()).env("AWS_EC2_METADATA_DISABLED", "true");
        let key = aws.operator_credentials();
        command.env("AWS_ACCESS_KEY_ID", key.id());
        key.reveal(|secret| command.env("AWS_SECRET_ACCESS_KEY", secret));
        github.token().reveal(|token| command.env("GH_TOKEN", token));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let named: Vec<&str> = images.iter().flat_map(|image| ["--image", image]).collect();
    sbi(&[&["init", "--yes", "--no-watch"], ANSWERS, &named].concat());
    let files = github.repository(REPOSITORY).unwrap().files;
    let text = |path: &str| String::from_utf8(files[path].clone()).unwrap();
    let mut lock = Lock::parse(&text(LOCK_FILE)).unwrap();
    let mut older: BTreeMap<String, String> = BTreeMap::new();
    for image in images {
        let dockerfile = format!("images/{image}/Dockerfile");
        let former = text(&dockerfile).replace(OLDER.0, OLDER.1);
        lock.files.insert(dockerfile.clone(), BlobId::of(former.as_bytes()));
        older.insert(dockerfile, former);
    }
    let locked = lock.to_text();
    let commit = |files: &BTreeMap<String, String>, message: &str| {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        github.commit_files(REPOSITORY, "main", &files, message);
    };
    commit(&older, "an older version");
    github.commit_files(REPOSITORY, "main", &[(LOCK_FILE, &locked)], "its lock");
    let mine =
        older.iter().take(edited).map(|(path, text)| (path.clone(), text.replace("WORKDIR /src", "WORKDIR /srv")));
    commit(&mine.collect(), "edits");
    let paths: Vec<String> = (0..others).map(|other| format!("images/other-{other}/Dockerfile")).collect();
    let paths: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "FROM scratch\n")).collect();
    github.commit_files(REPOSITORY, "main", &paths, "others");
    let before = github.server().log().len();
    let started = Instant::now();
    sbi(&["update", "--yes"]);
    let calls = github.server().log().len() - before;
    let wall = started.elapsed().as_secs_f64();
    let open: Vec<_> =
        github.repository(REPOSITORY).unwrap().pull_requests.into_iter().filter(|pull| pull.open).collect();
    assert_eq!(open.len(), 1, "one pull request");
    let changed = images.len();
    println!("{changed:>8} {others:>8} {changed:>8} {edited:>8} {calls:>8} {wall:>8.2} s");
}

/// The planner by itself, with the files of one image in the place of those of all.
fn decided(images: usize, edited: usize) {
    let config = Config::parse(
        r#"
        [github]
        repository = "acme/bases"
        visibility = "public"
        [aws]
        account = "123456789012"
        region = "eu-central-1"
        [ecr]
        repository = "acme/bases"
        [publish]
        auth = "oidc"
        images = ["static-go"]
        release = "v1.0.0"
        [publisher]
        name = "Acme"
        security-contact = "security@acme.example"
        "#,
    )
    .unwrap();
    let rendered = templates::render(&config, &Pins::default()).unwrap();
    let needs: TrustNeeds =
        (templates::subject_context(&rendered).unwrap(), templates::reading_refs(&config, &rendered).unwrap());
    let mut files: Vec<RenderedFile> = Vec::new();
    for image in 0..images {
        for file in rendered.iter().filter(|file| file.path != CONFIG_FILE) {
            files.push(RenderedFile { path: format!("{image}/{}", file.path), text: file.text.clone() });
        }
    }
    let mut there: BTreeMap<String, BlobId> = BTreeMap::new();
    let mut lock = Lock { templates: "0.0.9".into(), ..Lock::default() };
    let mut blobs: BTreeMap<BlobId, Vec<u8>> = BTreeMap::new();
    for file in &files {
        let older = format!("{}# older\n", file.text);
        let id = BlobId::of(older.as_bytes());
        blobs.insert(id.clone(), older.clone().into_bytes());
        lock.files.insert(file.path.clone(), id.clone());
        let image: usize = file.path.split('/').next().unwrap().parse().unwrap();
        if image < edited && file.path.ends_with("/Dockerfile") {
            let mine = older.replacen("WORKDIR /src", "WORKDIR /srv", 1);
            let id = BlobId::of(mine.as_bytes());
            blobs.insert(id.clone(), mine.into_bytes());
            there.insert(file.path.clone(), id);
        } else {
            there.insert(file.path.clone(), id);
        }
    }
    let desired = Desired {
        files,
        images: Pins::default(),
        templates: templates::VERSION.into(),
        subject: needs.0.clone(),
        reading: needs.1.clone(),
        release_notes: BTreeMap::new(),
        overwrite: Default::default(),
        adopt: false,
        by_pull_request: false,
        config,
    };
    let (settled, renders) = (Settled::default(), BTreeMap::new());
    let trust = |_: &[RenderedFile]| -> Result<TrustNeeds, Failure> { Ok(needs.clone()) };
    let question = Question {
        desired: &desired,
        moved: templates::MOVED,
        settled: &settled,
        remembered: &[],
        renders: &renders,
        rules: Rules { merge: &merge::merge, check: &merge::checks::check, trust: &trust, repository: None },
    };
    let there = There { files: &there, lock: &lock };
    let started = Instant::now();
    let wanted = needed(&question, there);
    let texts: Texts = wanted.iter().map(|id| (id.clone(), blobs.get(id).cloned())).collect();
    let update = decide(&question, there, &texts);
    let reasons = templates::reasons(&update.from, desired.files.iter().map(|file| file.path.as_str()));
    let text = body(&Story {
        desired: &desired,
        update: &update,
        reasons: &reasons,
        policies: &Policies::Seen(Vec::new()),
        pins: &[],
        asked_for_pins: false,
        checks_start: true,
    });
    let took = started.elapsed();
    assert_eq!(update.changes.len(), desired.files.len(), "every file is rendered anew");
    assert!(text.encode_utf16().count() <= 65_536);
    println!(
        "{images:>8} {edited:>8} {:>8} {:>8} {:>8.1} ms",
        update.changes.len(),
        wanted.len(),
        took.as_secs_f64() * 1e3
    );
}
