//! A real builder, with a store of its own below `.tools`, and the registry that it takes base and builder images from.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

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
}

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
    Some(Workshop { registry, names })
}

impl Workshop {
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Builds one image for one architecture, without a network but the loopback registry, and with Go's cache of
    /// earlier builds. `target` is `oci:FOLDER:NAME` or a name in the store.
    pub(crate) fn build(&self, context: &Path, arch: &str, target: &str, args: &[(&str, &str)]) -> Outcome {
        let mut command = self.tool("buildah");
        command
            .args(["build", "--isolation=chroot", "--network=host", "--pull=false", "--identity-label=false"])
            // This version looks for stages that are named by an ARG's default only when it skips none.
            .args(["--skip-unused-stages=false", "--timestamp=1700000000"])
            .arg(format!("--volume={}:/root/.cache/go-build", root().join(".tools/gocache").display()))
            .arg(format!("--platform=linux/{arch}"))
            .args(args.iter().map(|(name, value)| format!("--build-arg={name}={value}")))
            .arg(format!("--tag={target}"))
            .arg(context);
        run(&mut command)
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
        run(self.tool("buildah").args(["rmi", image]));
    }

    fn podman(&self) -> Command {
        let mut command = self.tool("podman");
        command.args(["--runtime=runc", "--cgroup-manager=cgroupfs"]);
        command
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command
            .arg("--root")
            .arg(root().join(".tools/containers"))
            // What is mounted is forgotten when the machine starts anew.
            .args(["--runroot", "/run/sbi-tests"])
            .env("CONTAINERS_REGISTRIES_CONF", &self.names);
        command
    }
}

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

fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Outcome { success: output.status.success(), said }
}
