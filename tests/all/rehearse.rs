//! `sbi rehearse`: the workflow's own scripts run through the binary, with stand-ins for the programs that build and
//! scan, and once with real ones.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use sha2::{Digest as _, Sha256};

use crate::support::bases::{base, builder};
use crate::support::buildah::{BASES, BUILDER};
use crate::support::registry::Registry;
use crate::support::room::{ANSWERS, Ran, bare, ran};
use crate::support::tools::{own_tool, root_rights, system_tool};
use crate::support::trivy_database::{CRITICAL, Database};

const WORKFLOW: &str = ".github/workflows/publish-to-ecr.yml";

/// Says its version, writes an inventory and reports; `GATE` and `SCAN` are filled in.
const TRIVY: &str = r#"
output=/dev/stdout
previous=
for word in "$@"; do
  [ "$previous" != --output ] || output="$word"
  previous="$word"
done
case "$1" in
  image)
    SCAN
    echo '{"Results":[{"Packages":[{"Name":"a"},{"Name":"b"}],"Vulnerabilities":[{"Severity":"LOW"}]}]}' > "$output"
    ;;
  version) echo '{"Version":"9.9.9","VulnerabilityDB":{"UpdatedAt":"2026-01-01T00:00:00Z"}}' ;;
  convert)
    case "$*" in
      *--exit-code*) exit GATE ;;
      *sarif*) echo '{"runs":[{}]}' > "$output" ;;
      *spdx*) echo '{"packages":[{}]}' > "$output" ;;
      *cyclonedx*) echo '{"components":[{}]}' > "$output" ;;
    esac
    ;;
esac
"#;

/// Answers as docker does, and puts the layout for the platform where an export would be.
const DOCKER: &str = r#"
case "$1 $2" in
  "version --format") echo 28.0.0 ;;
  "buildx version") echo "buildx v0.99" ;;
  "buildx create") mkdir -p "$BUILDX_CONFIG/instances" && touch "$BUILDX_CONFIG/instances/release" ;;
  "buildx build")
    while [ "$1" != --platform ]; do shift; done
    cp -r "LAYOUTS/${2#linux/}" layout
    ;;
  "buildx rm") rm "$BUILDX_CONFIG/instances/$4" && echo "$4" >> "LAYOUTS/removed" ;;
  *) exit 1 ;;
esac
"#;

/// A checkout of a publisher's repository, and the programs that are found there.
struct Place {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl Place {
    /// With stand-ins for docker, skopeo and Trivy.
    fn new() -> Self {
        let mut place = Self::without_programs();
        for (arch, byte) in [("amd64", 1), ("arm64", 2)] {
            write_layout(&place.at("layouts").join(arch), arch, byte);
        }
        place.program("docker", &DOCKER.replace("LAYOUTS", &place.at("layouts").display().to_string()));
        place.program("skopeo", "printf '{\"manifest of\":\"%s\"}' \"$3\"\n");
        place.trivy("0", ":");
        let path = format!("{}:/usr/bin:/bin", place.at("bin").display());
        place.environment.insert("PATH".into(), path);
        place
    }

    fn without_programs() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", "temp", "home", "repository"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let place = Self { folder, environment: BTreeMap::new() };
        ran(bare(&place.repository(), &[&["render", "--out", ".", "--yes"], ANSWERS].concat())).exited(0);
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn repository(&self) -> PathBuf {
        self.at("repository")
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.at("bin").join(name);
        fs::write(&path, format!("#!/bin/bash\nset -euo pipefail\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The gate's exit code, and what it does before it scans.
    fn trivy(&self, gate: &str, scan: &str) {
        self.program("trivy", &TRIVY.replace("GATE", gate).replace("SCAN", scan));
    }

    /// Replaces `old`, which has to be there, in the workflow.
    #[track_caller]
    fn edit(&self, old: &str, new: &str) {
        let path = self.repository().join(WORKFLOW);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "`{old}` is not in the workflow");
        fs::write(path, text.replacen(old, new, 1)).unwrap();
    }

    fn command(&self, flags: &[&str]) -> Command {
        let mut command = bare(&self.repository(), &[&["rehearse"], flags].concat());
        command.env("HOME", self.at("home")).env("TMPDIR", self.at("temp")).envs(&self.environment);
        command
    }

    fn rehearse(&self, flags: &[&str]) -> Ran {
        let run = ran(self.command(flags));
        self.assert_nothing_left();
        run
    }

    #[track_caller]
    fn assert_nothing_left(&self) {
        let left: Vec<_> = fs::read_dir(self.at("temp")).unwrap().flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A layout with one image, as BuildKit writes it.
fn write_layout(folder: &Path, arch: &str, byte: u8) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let blob = |bytes: &[u8]| {
        let name: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(blobs.join(&name), bytes).unwrap();
        format!("sha256:{name}")
    };
    let config = serde_json::json!({"architecture": arch, "os": "linux", "config": {"Labels": {"a": "b"}}}).to_string();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"digest": blob(config.as_bytes()), "size": config.len()},
        "layers": [{"digest": blob(&[byte; 50]), "size": 50}],
    })
    .to_string();
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": blob(manifest.as_bytes()), "size": manifest.len(),
    }]});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

fn json(run: &Ran) -> serde_json::Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stdout))
}

#[test]
fn a_rehearsal_builds_scans_and_merges_and_says_what_it_could_not_do() {
    let place = Place::new();
    let run = place.rehearse(&["--format", "json", "--out", "../kept"]).exited(0);
    let report = json(&run);
    assert_eq!(report["passed"], true);
    assert_eq!(report["trivy"], "9.9.9");
    let image = &report["runs"][0];
    assert_eq!(image["image"], "static-go");
    for (built, arch) in image["architectures"].as_array().unwrap().iter().zip(["amd64", "arm64"]) {
        assert_eq!(built["arch"], arch);
        assert_eq!(built["findings"]["low"], 1);
        assert_eq!(built["packages"], 2);
        assert!(built["bytes"].as_u64().unwrap() > 50 && built["size_budget"].as_u64().unwrap() > 1_000_000, "{built}");
        for sbom in built["sboms"].as_array().unwrap() {
            assert!(place.repository().join(sbom.as_str().unwrap()).is_file(), "{sbom}");
        }
    }
    let digest = image["index_digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    assert!(place.at("kept/merged/blobs/sha256").join(digest).is_file());
    assert!(place.at("kept/logs").read_dir().unwrap().count() >= 5);
    let outcome = |id: &str| {
        let jobs = image["jobs"].as_array().unwrap();
        jobs.iter()
            .filter(|job| job["id"] == id)
            .map(|job| job["outcome"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(outcome("build"), ["passed", "passed"]);
    assert_eq!(outcome("scan"), ["passed", "passed"]);
    assert_eq!(outcome("publish"), ["partly"]);
    assert_eq!(outcome("findings"), ["skipped"]);
    assert_eq!(outcome("verify"), ["skipped"]);
    let said = report["not_rehearsed"].to_string();
    for part in ["Assume the role", "cosign", "Security tab", "arm64", "ECR"] {
        assert!(said.contains(part), "`{part}` is missing in {said}");
    }
    // A builder of the run's own is made for each job and is gone after it.
    assert_eq!(fs::read_to_string(place.at("layouts/removed")).unwrap(), "release\nrelease\n");
}

#[test]
fn people_read_figures_gaps_and_how_to_keep_them() {
    let place = Place::new();
    let run = place.rehearse(&[]).exited(0);
    for part in
        ["static-go: nothing", "linux/amd64  sha256:", "1 low", "index        sha256:", "Not rehearsed:", "--out DIR"]
    {
        assert!(run.stdout.contains(part), "`{part}` is missing in {}", run.stdout);
    }
    assert!(run.stderr.contains("Build (amd64)"), "{}", run.stderr);
}

#[test]
fn what_stops_the_pipeline_ends_with_code_1_and_the_reason() {
    let place = Place::new();
    place.trivy("10", ":");
    let run = place.rehearse(&["--format", "json"]).exited(1);
    assert!(run.stderr.contains("error") && run.stderr.contains("Findings: CRITICAL or HIGH"), "{}", run.stderr);
    let report = json(&run);
    assert_eq!(report["passed"], false);
    // One architecture's findings don't hide the other's, and nothing is merged.
    let jobs = report["runs"][0]["jobs"].as_array().unwrap();
    assert_eq!(jobs.iter().filter(|job| job["id"] == "scan" && job["outcome"] == "failed").count(), 2);
    assert_eq!(jobs.iter().find(|job| job["id"] == "publish").unwrap()["outcome"], "skipped");
    assert!(report["runs"][0]["index_digest"].is_null());
}

#[test]
fn the_file_is_run_as_it_stands() {
    let place = Place::new();
    place.edit("          LC_ALL=C\n", "          echo '::error title=Mine::edited'\n          exit 7\n");
    let run = place.rehearse(&[]).exited(1);
    assert!(run.stderr.contains("job `Plan`, step `Check the tag`: Mine: edited"), "{}", run.stderr);
}

#[test]
fn what_the_rehearsal_does_not_know_is_refused_before_anything_runs() {
    for (new, reason) in [
        ("    if: ${{ shout('x') }}\n    timeout-minutes: 30", "job `build`"),
        ("    colour: red\n    timeout-minutes: 30", "the key `colour`"),
    ] {
        let place = Place::new();
        place.edit("    timeout-minutes: 30", new);
        let run = place.rehearse(&[]).exited(2);
        assert!(run.stderr.contains(reason) && run.stderr.contains("publish-to-ecr.yml"), "{}", run.stderr);
        assert!(!run.stderr.contains("Check the tag"), "{}", run.stderr);
    }
}

#[test]
fn the_release_of_a_tag_is_checked_and_built_as_that_version() {
    let place = Place::new();
    let run = place.rehearse(&["--tag", "v2.3.4", "--out", "../kept"]).exited(0);
    let plan = fs::read_to_string(place.at("kept/artifacts/plan/plan.json")).unwrap();
    assert!(plan.contains("\"2.3.4\""), "{plan}{}", run.stderr);
    let run = place.rehearse(&["--tag", "v1;touch owned"]).exited(1);
    assert!(run.stderr.contains("Unusable tag"), "{}", run.stderr);
}

#[test]
fn one_architecture_is_built_alone_and_then_nothing_is_merged() {
    let place = Place::new();
    let report = json(&place.rehearse(&["--arch", "arm64", "--format", "json"]).exited(0));
    let built = report["runs"][0]["architectures"].as_array().unwrap();
    assert_eq!(built.len(), 1);
    assert_eq!(built[0]["arch"], "arm64");
    assert!(report["runs"][0]["index_digest"].is_null());
    assert!(place.rehearse(&["--arch", "s390x"]).exited(2).stderr.contains("amd64, arm64"));
}

#[test]
fn no_credential_of_the_person_reaches_a_script() {
    let mut place = Place::new();
    let seen = place.at("seen");
    place.trivy("0", &format!("env >> '{}'", seen.display()));
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "GH_TOKEN",
        "GITHUB_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "DOCKER_AUTH_CONFIG",
        "TRIVY_PASSWORD",
        "TRIVY_TOKEN",
        "NPM_TOKEN",
        "BASH_ENV",
        "SSH_AUTH_SOCK",
    ] {
        place.environment.insert(name.into(), "canary-of-a-secret".into());
    }
    place.environment.insert("TRIVY_SEVERITY".into(), "LOW".into());
    place.environment.insert("TRIVY_SKIP_DB_UPDATE".into(), "true".into());
    place.environment.insert("WANTED".into(), "by name".into());
    let run = place.rehearse(&["--verbose", "--pass", "WANTED", "--out", "../kept"]).exited(0);
    let seen = fs::read_to_string(seen).unwrap();
    assert!(!format!("{seen}{}{}", run.stdout, run.stderr).contains("canary"), "{seen}");
    assert!(
        !seen.contains("TRIVY_SEVERITY") && !seen.contains(&format!("HOME={}", place.at("home").display())),
        "{seen}"
    );
    assert!(seen.contains("TRIVY_SKIP_DB_UPDATE=true\n") && seen.contains("WANTED=by name\n"), "{seen}");
    assert!(run.stdout.contains("not handed to Trivy"), "{}", run.stdout);
}

#[test]
fn a_job_that_takes_longer_than_its_timeout_is_ended() {
    let place = Place::new();
    place.trivy("0", "sleep 1000");
    place.edit("    timeout-minutes: 20", "    timeout-minutes: 0.02");
    let run = place.rehearse(&["--arch", "amd64"]).exited(1);
    assert!(run.stderr.contains("longer than its timeout-minutes"), "{}", run.stderr);
}

/// Neither running nor waiting to be buried.
#[cfg(target_os = "linux")]
fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_and_a_request_to_end_leave_nothing_behind() {
    for signal in ["-INT", "-TERM"] {
        let place = Place::new();
        let pipe = place.at("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // A child of the script's child, so that a signal to one process alone would leave it.
        place.trivy("0", &format!("sleep 1000 &\n    echo $! > '{}'\n    wait", pipe.display()));
        let child = place.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sbi starts");
        let sleeping = fs::read_to_string(&pipe).unwrap();
        assert!(is_alive(&sleeping));
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!is_alive(&sleeping), "{sleeping} still runs after {signal}");
        place.assert_nothing_left();
    }
}

#[test]
fn a_missing_workflow_engine_image_or_folder_is_a_matter_of_usage() {
    let empty = tempfile::tempdir().unwrap();
    let nothing = ran(bare(empty.path(), &["rehearse"])).exited(2);
    assert!(nothing.stderr.contains("sbi rehearse --render"), "{}", nothing.stderr);

    let mut place = Place::new();
    assert!(place.rehearse(&["--image", "other"]).exited(2).stderr.contains("it builds: static-go"));
    fs::create_dir(place.at("full")).unwrap();
    fs::write(place.at("full/file"), "mine").unwrap();
    assert!(place.rehearse(&["--out", "../full"]).exited(2).stderr.contains("is not empty"));
    assert!(place.rehearse(&["--trivy", "/nowhere/trivy"]).exited(2).stderr.contains("no Trivy that runs"));

    // What the rehearsal itself calls, and no engine.
    fs::remove_file(place.at("bin/docker")).unwrap();
    let git = system_tool("git").expect("git");
    std::os::unix::fs::symlink(git, place.at("bin/git")).unwrap();
    place.environment.insert("PATH".into(), place.at("bin").display().to_string());
    let run = place.rehearse(&[]).exited(2);
    assert!(
        run.stderr.contains("apt-get install buildah") && run.stderr.contains("docker: it is not installed"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_checkout_is_rehearsed_with_its_changes_or_without() {
    let place = Place::new();
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"];
        let run = Command::new("git").current_dir(place.repository()).args(who).args(arguments).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message=first"]);
    place.edit("          LC_ALL=C\n", "          echo '::error title=Mine::edited'\n          exit 7\n");
    place.rehearse(&[]).exited(1);
    let report = json(&place.rehearse(&["--committed", "--format", "json"]).exited(0));
    assert_eq!(report["with_uncommitted_changes"], false);
}

/// The catalogue's bases and builder in a registry of loopback, and the real Trivy with a database of the test's own.
struct Workbench {
    place: Place,
    _registry: Registry,
}

impl Workbench {
    /// `None` when a tool is absent.
    fn new(flags: &[&str], database: Option<Database>) -> Option<Self> {
        let mut place = Place::without_programs();
        for tool in ["jq", "git"] {
            system_tool(tool)?;
        }
        ran(bare(&place.repository(), &[&["render", "--out", ".", "--yes", "--force"], ANSWERS, flags].concat()))
            .exited(0);
        let trivy = own_tool("trivy")?.canonicalize().unwrap();
        std::os::unix::fs::symlink(trivy, place.at("bin/trivy")).unwrap();
        let cache = place.at("cache");
        if let Some(database) = database {
            database.write(&cache);
        }
        system_tool("skopeo")?;
        let registry = Registry::start()?;
        for (product, name) in BASES {
            registry.push(&base(product, "index")?, name);
        }
        registry.push(&builder()?, BUILDER);
        let names = registry.stands_in_for(&["gcr.io", "docker.io"]);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", place.at("bin").display());
        for (name, value) in [
            ("PATH", path),
            ("CONTAINERS_REGISTRIES_CONF", names.display().to_string()),
            ("TRIVY_CACHE_DIR", cache.display().to_string()),
        ] {
            place.environment.insert(name.into(), value);
        }
        for name in ["DISABLE_TELEMETRY", "OFFLINE_SCAN", "SKIP_DB_UPDATE", "SKIP_JAVA_DB_UPDATE", "SKIP_VERSION_CHECK"]
        {
            place.environment.insert(format!("TRIVY_{name}"), "true".into());
        }
        Some(Self { place, _registry: registry })
    }

    /// With a builder that needs no time: it hands out the base itself.
    fn without_building(database: Option<Database>) -> Option<Self> {
        let bench = Self::new(&[], database)?;
        for arch in ["amd64", "arm64"] {
            let layouts = bench.place.at("layouts");
            fs::create_dir_all(&layouts).unwrap();
            std::os::unix::fs::symlink(base("static-go", arch)?, layouts.join(arch)).unwrap();
        }
        let docker = DOCKER.replace("LAYOUTS", &bench.place.at("layouts").display().to_string());
        bench.place.program("docker", &docker.replace("cp -r \"", "cp -rL \""));
        Some(bench)
    }

    /// With a real engine, whose storage is the tests' own.
    fn with_engine(engine: &str, flags: &[&str], database: Database) -> Option<Self> {
        root_rights()?;
        system_tool(engine)?;
        let mut bench = Self::new(flags, Some(database))?;
        let settings = bench.place.at("storage.conf");
        let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rehearsals");
        // What is mounted is forgotten when the machine starts anew, so it is noted where that is forgotten too.
        let id: String =
            Sha256::digest(store.as_os_str().as_encoded_bytes())[..4].iter().map(|b| format!("{b:02x}")).collect();
        let text =
            format!("[storage]\ndriver = \"overlay\"\ngraphroot = {store:?}\nrunroot = \"/run/sbi-rehearsals-{id}\"\n");
        fs::write(&settings, text).unwrap();
        bench.place.environment.insert("CONTAINERS_STORAGE_CONF".into(), settings.display().to_string());
        bench.place.environment.insert("BUILDAH_ISOLATION".into(), "chroot".into());
        Some(bench)
    }

    /// What the engine keeps, beside base images.
    fn containers(&self) -> String {
        let storage = &self.place.environment["CONTAINERS_STORAGE_CONF"];
        let output = Command::new("buildah")
            .args(["containers", "--all", "--quiet"])
            .env("CONTAINERS_STORAGE_CONF", storage)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

fn findings_of(built: &serde_json::Value) -> [u64; 5] {
    ["critical", "high", "medium", "low", "unknown"].map(|severity| built["findings"][severity].as_u64().unwrap())
}

/// The engines share one store here, so one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Nothing stands in for anything but the registries: buildah, skopeo and Trivy are real.
#[test]
fn buildah_and_trivy_rehearse_two_images_in_one_run() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner());
    let flags = ["--image", "base-go", "--arch", "amd64"];
    let Some(bench) = Workbench::with_engine("buildah", &flags, Database::clean()) else { return };
    let run = bench.place.rehearse(&["--engine", "buildah", "--format", "json", "--out", "../kept"]).exited(0);
    let report = json(&run);
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.iter().map(|run| run["image"].as_str().unwrap()).collect::<Vec<_>>(), ["static-go", "base-go"]);
    for run in runs {
        let [built] = run["architectures"].as_array().unwrap().as_slice() else { panic!("{run}") };
        assert_eq!(findings_of(built), [0; 5]);
        assert!(built["packages"].as_u64().unwrap() > 2, "{built}");
        assert!(built["bytes"].as_u64().unwrap() < built["size_budget"].as_u64().unwrap(), "{built}");
        let layout = bench.place.at("kept").join(run["image"].as_str().unwrap()).join("artifacts/image-amd64");
        let digest = built["digest"].as_str().unwrap().replacen(':', "/", 1);
        let manifest = fs::read_to_string(layout.join("blobs").join(digest)).unwrap();
        assert!(manifest.contains("org.opencontainers.image.base.digest"), "{manifest}");
        assert!(!manifest.contains("io.buildah"), "{manifest}");
        assert!(run["index_digest"].is_string());
    }
    assert_eq!(bench.containers(), "");
}

#[test]
fn podman_builds_the_same_through_the_stand_in_for_docker() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner());
    let Some(bench) = Workbench::with_engine("podman", &["--arch", "amd64"], Database::clean()) else { return };
    let run = bench.place.rehearse(&["--engine", "podman", "--format", "json"]).exited(0);
    let report = json(&run);
    assert_eq!(report["engine"]["name"], "podman");
    let built = &report["runs"][0]["architectures"][0];
    assert!(built["digest"].is_string() && built["bytes"].as_u64().unwrap() > 100_000, "{built}");
    assert_eq!(bench.containers(), "");
}

/// A signal can come while the engine works outside of any `RUN`, which is when it can't end its container itself.
#[test]
fn buildah_that_is_ended_in_a_build_leaves_no_container() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner());
    let Some(bench) = Workbench::with_engine("buildah", &["--arch", "amd64"], Database::clean()) else { return };
    let mut command = bench.place.command(&["--engine", "buildah", "--verbose"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sbi starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("STEP 2/")), "it builds");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(bench.containers(), "");
    bench.place.assert_nothing_left();
}

#[test]
fn the_real_scanner_stops_the_rehearsal_by_what_it_finds_and_shows_it() {
    let database = Database::clean().debian("netbase", "CVE-2026-30001", CRITICAL, Some("99"));
    let Some(bench) = Workbench::without_building(Some(database)) else { return };
    let run = bench.place.rehearse(&["--format", "json"]).exited(1);
    for part in ["CVE-2026-30001", "netbase", "Findings: CRITICAL or HIGH", "help: `sbi rehearse --out DIR`"] {
        assert!(run.stderr.contains(part), "`{part}` is missing in {}", run.stderr);
    }
    let report = json(&run);
    assert_eq!(report["passed"], false);
    for built in report["runs"][0]["architectures"].as_array().unwrap() {
        assert_eq!(findings_of(built), [1, 0, 0, 0, 0]);
    }
    assert!(report["runs"][0]["index_digest"].is_null());
}

#[test]
fn the_real_scanner_without_a_database_is_told_from_one_with_findings() {
    let Some(bench) = Workbench::without_building(None) else { return };
    let run = bench.place.rehearse(&["--arch", "amd64"]).exited(1);
    for part in ["skip downloading DB", "step `Scan once`", "help: Trivy itself stopped", "TRIVY_CACHE_DIR"] {
        assert!(run.stderr.contains(part), "`{part}` is missing in {}", run.stderr);
    }
    assert!(!run.stderr.contains("Findings") && run.stdout.contains("not scanned"), "{}{}", run.stdout, run.stderr);
}

/// What the stand-in for docker is not made for, it refuses aloud.
#[test]
fn a_call_of_docker_that_is_not_known_stops_the_rehearsal() {
    let place = Place::new();
    place.edit("--no-cache --provenance=false", "--no-cache --squash --provenance=false");
    fs::remove_file(place.at("bin/docker")).unwrap();
    place.program("buildah", "[ \"$1\" = --version ] && echo 'buildah version 9.9'\n");
    let run = place.rehearse(&["--engine", "buildah"]).exited(1);
    assert!(run.stderr.contains("Not rehearsed: ") && run.stderr.contains("--squash"), "{}", run.stderr);
}
