//! The rendered pipeline with the real scanner, the real copier and a real registry: a vulnerability that was planted
//! stops the release before a byte is public, and what was clean arrives as the bytes that were scanned.

mod built;
mod expressions;
mod layout;
mod publish;
mod registry;
mod reports;
mod rescan;
mod rights;
mod runner;
mod scan;
mod signing;
mod variants;

use std::sync::OnceLock;

use sbi::model::config::{Auth, Config};
use sbi::model::pins::Pins;
use sbi::model::secrets::ACCESS_KEY_SECRET;
use sbi::templates::{self, RESCAN_WORKFLOW, WORKFLOW};

use crate::support::buildah::{BASES, BUILDER};
use crate::support::trivy_database::Database;
use layout::Image;
use registry::{Proxy, Registry};
use runner::Run;

const HOST: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
const REPOSITORY: &str = "acme/static-go";
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

fn config(auth: &str, signing: &str, architectures: &[&str]) -> Config {
    Config::parse(&format!(
        r#"
        [github]
        repository = "acme/base-images"
        visibility = "public"
        [aws]
        account = "123456789012"
        region = "eu-central-1"
        [ecr]
        repository = "{REPOSITORY}"
        [publish]
        auth = "{auth}"
        images = ["static-go"]
        release = "v1.0.0"
        environment = "release"
        signing = "{signing}"
        architectures = {architectures:?}
        [publisher]
        name = "Acme Ltd"
        security-contact = "security@acme.example"
        "#,
    ))
    .unwrap()
}

/// The publisher's registry, and a proxy before it.
struct World {
    registry: Registry,
    proxy: Proxy,
}

impl World {
    /// `None` when a tool is absent.
    fn new() -> Option<Self> {
        if !runner::tools_are_here() {
            return None;
        }
        let registry = Registry::start()?;
        let proxy = Proxy::before(&registry);
        Some(Self { registry, proxy })
    }

    /// A release of v1.0.0 for both architectures, whose build job left this image for each.
    fn release(&self, image: &Image, database: &Database) -> Run {
        self.release_of(&config("oidc", "none", &ARCHITECTURES), image, database)
    }

    /// The same for one architecture, which takes half the time.
    fn small_release(&self, image: &Image, database: &Database) -> Run {
        self.release_of(&config("oidc", "none", &["amd64"]), image, database)
    }

    fn release_of(&self, config: &Config, image: &Image, database: &Database) -> Run {
        let mut run = self.unbuilt(config, "v1.0.0", database);
        for arch in config.publish.architectures.iter().flatten().map(|arch| arch.as_str()) {
            run.provide("build", &format!("image-{arch}"), |folder| drop(image.write(folder, arch)));
        }
        run
    }

    /// A release whose images nobody has built yet, with a builder that can't.
    fn unbuilt(&self, config: &Config, tag: &str, database: &Database) -> Run {
        let address = self.proxy.address.to_string();
        let mut run = self.run_of(config, WORKFLOW, database).released(tag);
        for (name, value) in [
            (ACCESS_KEY_SECRET, "AKIAEXAMPLE\na-secret-for-years"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/sbi-publish-acme-base-images"),
            ("ECR_REGISTRY", &address),
            ("ECR_REPOSITORY", REPOSITORY),
        ] {
            run.secret(name, value);
        }
        run.program("docker", "#!/bin/bash\necho 'nothing is built here' >&2\nexit 1\n");
        let public = public().expect("the registry of this test is installed").address.to_string();
        run.remap(&["gcr.io", "docker.io"], &public, &address);
        run
    }

    /// The nightly scan. Its only secret is an access key, and only where there is no role.
    fn night(&self, config: &Config, database: &Database) -> Run {
        let mut run = self.run_of(config, RESCAN_WORKFLOW, database).at_night();
        if config.publish.auth == Auth::AccessKey {
            run.secret(ACCESS_KEY_SECRET, "AKIAEXAMPLE\na-secret-for-years");
        }
        let address = self.proxy.address.to_string();
        run.remap(&[], &address, &address);
        run
    }

    fn run_of(&self, config: &Config, workflow: &str, database: &Database) -> Run {
        let files = templates::render(config, &Pins::default()).unwrap();
        let run = Run::new(&files, workflow, (HOST, &self.proxy.address.to_string()));
        database.write(&run.cache());
        run
    }
}

/// A registry of public images with base and builder in it, as small as can be: the plan asks for digests only.
fn public() -> Option<&'static Registry> {
    static PUBLIC: OnceLock<Option<Registry>> = OnceLock::new();
    let start = || {
        let registry = Registry::start_public()?;
        for name in BASES.iter().map(|(_, name)| *name).chain([BUILDER]) {
            let folder = tempfile::tempdir().unwrap();
            Image::empty().write(folder.path(), "amd64");
            registry.publish(folder.path(), name);
        }
        Some(registry)
    };
    PUBLIC.get_or_init(start).as_ref()
}

/// The base of the catalogue's image.
fn debian_13() -> Image {
    Image::distroless("13", "trixie")
}
