//! A real builder, with a store below Cargo's target folder, and the registry that it takes base and builder images from.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

use super::bases;
use super::registry::Registry;
use super::tools::{root, root_rights, system_tool};

/// The registry of the publisher in the tests' `sbi.toml`.
pub(crate) const ECR: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";

/// Where Dockerfiles find the base of each product.
pub(crate) const BASES: [(&str, &str); 2] = [
    ("static-go", "gcr.io/distroless/static-debian13:nonroot"),
    ("base-go", "gcr.io/distroless/base-nossl-debian13:nonroot"),
];

pub(crate) const BUILDER: &str = "docker.io/library/golang:1.26-trixie";

pub(crate) struct Workshop {
    registry: Registry,
    /// Sends the real names to the registry.
    names: PathBuf,
    no_sign_ins: PathBuf,
    /// Kept between runs of the tests: unpacking the builder image is what takes time.
    store: Store,
}

/// Where a builder keeps images and containers.
struct Store {
    folder: PathBuf,
    /// For what is mounted. That is forgotten when the machine starts anew, so it is noted where the note is, too.
    mounts: PathBuf,
}

/// A builder that shares nothing with the workshop's but the registry, as another machine would. Ends with the test.
pub(crate) struct Elsewhere<'a> {
    workshop: &'a Workshop,
    store: Store,
    _folder: tempfile::TempDir,
}

/// How this builder works without a network but the loopback registry.
const OPTIONS: [&str; 6] = [
    // Not the isolation `chroot`: that one ends before it has passed on the last lines of a failed step.
    "--isolation=oci",
    "--runtime=runc",
    "--network=host",
    "--identity-label=false",
    // A name that the store knows from an earlier run can mean another image by now.
    "--pull-always",
    // This version looks for stages that are named by an ARG's default only when it skips none.
    "--skip-unused-stages=false",
];

pub(crate) struct Outcome {
    pub(crate) success: bool,
    pub(crate) said: String,
}

/// One for the whole test binary: its registry holds the real names of bases and builder.
#[must_use = "a test without its tool must return early"]
pub(crate) fn workshop() -> Option<&'static Workshop> {
    static WORKSHOP: OnceLock<Option<Workshop>> = OnceLock::new();
    WORKSHOP.get_or_init(start).as_ref()
}

fn start() -> Option<Workshop> {
    root_rights()?;
    for tool in ["buildah", "podman", "runc", "skopeo"] {
        system_tool(tool)?;
    }
    let builder = bases::builder()?;
    let registry = Registry::start()?;
    registry.push(&builder, BUILDER);
    for (product, name) in BASES {
        registry.push(&bases::base(product, "index")?, name);
    }
    let names = registry.stands_in_for(&["gcr.io", "docker.io", ECR]);
    std::fs::create_dir_all(root().join(".tools/gocache")).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Podman notes where its store is: in a checkout that was moved or copied, it refuses the old one.
    let store = Store::at(&folder.join(format!("containers-{}", short_hash(folder))));
    Some(Workshop { no_sign_ins: registry.no_sign_ins(), registry, names, store })
}

impl Workshop {
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Builds one image for one architecture, without a network but the loopback registry, and with Go's cache of
    /// earlier builds. `target` is `oci:FOLDER:NAME` or a name in the store.
    pub(crate) fn build(&self, context: &Path, arch: &str, target: &str, args: &[(&str, &str)]) -> Outcome {
        self.build_in(&self.store, "022", context, arch, target, args)
    }

    /// A builder with an empty store.
    pub(crate) fn elsewhere(&self) -> Elsewhere<'_> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Elsewhere { workshop: self, store: Store::at(&folder.path().join("containers")), _folder: folder }
    }

    fn build_in(
        &self,
        store: &Store,
        umask: &str,
        context: &Path,
        arch: &str,
        target: &str,
        args: &[(&str, &str)],
    ) -> Outcome {
        let mut build = self.tool("buildah", store);
        build
            .arg("build")
            .args(OPTIONS)
            .args(["--timestamp=1700000000", &go_cache()])
            .arg(format!("--platform=linux/{arch}"))
            .args(args.iter().map(|(name, value)| format!("--build-arg={name}={value}")))
            .arg(format!("--tag={target}"))
            .arg(context);
        let mut command = Command::new("sh");
        command.args(["-euc", &format!(r#"umask {umask}; exec "$0" "$@""#)]).arg(build.get_program());
        command.args(build.get_args());
        command.env("CONTAINERS_REGISTRIES_CONF", &self.names).env("REGISTRY_AUTH_FILE", &self.no_sign_ins);
        let _alone = store.alone();
        let outcome = run(&mut command);
        // It keeps a container of each stage, each as large as the builder image.
        run(self.tool("buildah", store).args(["rm", "--all"]));
        outcome
    }

    /// Keeps every other build waiting: a build clears the store of all working containers when it ends.
    pub(crate) fn alone(&self) -> File {
        self.store.alone()
    }

    /// A program `docker` for a pipeline's build step: takes the words of `docker buildx build` that stand there, and
    /// no others, and builds with this builder. Who runs it holds `alone`.
    pub(crate) fn docker(&self) -> String {
        let tool = self.tool("buildah", &self.store);
        let mut words = vec!["/usr/bin/env".to_owned()];
        for (name, value) in tool.get_envs() {
            words.push(format!("'{}={}'", name.display(), value.unwrap_or_default().display()));
        }
        words.push("buildah".into());
        words.extend(tool.get_args().map(|word| format!("'{}'", word.display())));
        let (tool, options) = (words.join(" "), OPTIONS.join(" "));
        DOCKER.replace("BUILDAH", &tool).replace("OPTIONS", &format!("{options} '{}'", go_cache()))
    }

    /// A container of an image in the store, as a careful operator starts one: read-only, without network, without
    /// rights. `podman` sets uid and command by the image.
    pub(crate) fn start_container(&self, name: &str, image: &str) -> Outcome {
        let mut command = self.podman();
        command
            .args(["run", "--detach", "--network=none", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all"])
            .args(["--security-opt=no-new-privileges", "--ulimit=nofile=1024:4096", "--ulimit=nproc=1024:4096"])
            .args(["--pull=never", "--name", name, image]);
        run(&mut command)
    }

    /// Runs a program inside a container.
    pub(crate) fn exec(&self, container: &str, program: &[&str]) -> Outcome {
        run(self.podman().args(["exec", container]).args(program))
    }

    /// What the container's program wrote.
    pub(crate) fn logs(&self, container: &str) -> Outcome {
        run(self.podman().args(["logs", container]))
    }

    /// Ends and forgets a container and its image. Both may be gone.
    pub(crate) fn forget(&self, container: &str, image: &str) {
        run(self.podman().args(["rm", "--force", "--time=5", container]));
        run(self.tool("buildah", &self.store).args(["rmi", image]));
    }

    fn podman(&self) -> Command {
        let mut command = self.tool("podman", &self.store);
        command.args(["--runtime=runc", "--cgroup-manager=cgroupfs"]);
        command
    }

    fn tool(&self, name: &str, store: &Store) -> Command {
        let mut command = Command::new(name);
        command.arg("--root").arg(&store.folder).arg("--runroot").arg(&store.mounts);
        command.env("CONTAINERS_REGISTRIES_CONF", &self.names).env("REGISTRY_AUTH_FILE", &self.no_sign_ins);
        command
    }
}

impl Elsewhere<'_> {
    /// The same build under a umask that hides from others what is made.
    pub(crate) fn build(&self, context: &Path, arch: &str, target: &str, args: &[(&str, &str)]) -> Outcome {
        self.workshop.build_in(&self.store, "077", context, arch, target, args)
    }
}

impl Drop for Elsewhere<'_> {
    fn drop(&mut self) {
        // Takes the mounts down; the files go with the folder.
        run(self.workshop.tool("buildah", &self.store).args(["rmi", "--all", "--force"]));
        let _ = Command::new("umount").arg(self.store.folder.join("overlay")).output();
        let _ = std::fs::remove_dir_all(&self.store.mounts);
    }
}

impl Store {
    fn at(folder: &Path) -> Self {
        let mounts = PathBuf::from(format!("/run/sbi-tests-{}", short_hash(folder)));
        Self { folder: folder.to_owned(), mounts }
    }

    /// One build at a time, in this process and in any other that runs these tests: after each, every container goes.
    /// Others wait until the file that is returned is closed.
    fn alone(&self) -> File {
        std::fs::create_dir_all(&self.folder).unwrap();
        let file = File::create(self.folder.with_extension("lock")).unwrap();
        file.lock().unwrap();
        file
    }
}

/// Go's cache of earlier builds, inside the builder.
fn go_cache() -> String {
    format!("--volume={}:/root/.cache/go-build", root().join(".tools/gocache").display())
}

const DOCKER: &str = r#"#!/bin/bash
set -euo pipefail
case "$1 $2" in
  'buildx create') exit ;;
  'buildx build') shift 2 ;;
  *) echo "docker: unknown command $1 $2" >&2 && exit 2 ;;
esac
words=() labels=() layout=
while [ "$#" -gt 1 ]; do
  case "$1" in
    --builder) shift ;;
    --provenance=false | --sbom=false) ;;
    # Without --layers it keeps none.
    --no-cache) ;;
    --label)
      labels+=("LABEL \"${2%%=*}\"=\"${2#*=}\"")
      shift
      ;;
    --platform | --build-arg)
      [[ "$2" != SOURCE_DATE_EPOCH=* ]] || words+=("--timestamp=${2#*=}")
      words+=("$1" "$2")
      shift
      ;;
    --output)
      [[ "$2" =~ ^type=oci,dest=([a-z]+),tar=false,rewrite-timestamp=true$ ]]
      layout="${BASH_REMATCH[1]}"
      shift
      ;;
    *) echo "docker: unknown option $1" >&2 && exit 2 ;;
  esac
  shift
done
# A label is one more instruction; this builder's own option for it fails where two stages are the same image.
file="$(mktemp)"
{ cat "$1/Dockerfile" && printf '\n' && printf '%s\n' "${labels[@]}"; } > "$file"
# Compressed layers, as BuildKit's.
BUILDAH build OPTIONS "${words[@]}" --disable-compression=false --file "$file" --tag "oci:$layout:release" "$1"
BUILDAH rm --all > /dev/null
"#;

impl Outcome {
    #[track_caller]
    pub(crate) fn passes(self) -> Self {
        assert!(self.success, "{}", self.said);
        self
    }

    #[track_caller]
    pub(crate) fn fails_with(self, reason: &str) {
        assert!(!self.success, "passed: {}", self.said);
        assert!(self.said.contains(reason), "failed without `{reason}`: {}", self.said);
    }
}

fn short_hash(path: &Path) -> String {
    Sha256::digest(path.as_os_str().as_encoded_bytes())[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Outcome { success: output.status.success(), said }
}
