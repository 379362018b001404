//! The rendered pipeline with the real scanner, the real copier and a real registry: a vulnerability that was planted
//! stops the release before a byte is public, and what was clean arrives as the bytes that were scanned.

mod expressions;
mod layout;
mod publish;
mod registry;
mod reports;
mod rights;
mod runner;
mod scan;
mod signing;

use std::sync::OnceLock;

use sbi::model::config::Config;
use sbi::model::desired::RenderedFile;
use sbi::model::pins::Pins;
use sbi::templates::{self, WORKFLOW};

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
        let files = templates::render(config, &Pins::default()).unwrap();
        let mut run =
            self.prepare(Run::new(&files, WORKFLOW, (HOST, &self.proxy.address.to_string())).released("v1.0.0"));
        database.write(&run.cache());
        for arch in config.publish.architectures.iter().flatten().map(|arch| arch.as_str()) {
            run.provide("build", &format!("image-{arch}"), |folder| drop(image.write(folder, arch)));
        }
        run
    }

    /// A nightly run on the default branch.
    fn scheduled(&self, files: &[RenderedFile], path: &str) -> Run {
        self.prepare(Run::new(files, path, (HOST, &self.proxy.address.to_string())).scheduled())
    }

    /// Gives a run the repository's secrets and the way to the registries.
    fn prepare(&self, mut run: Run) -> Run {
        let address = self.proxy.address.to_string();
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "a-secret-for-years"),
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
}

/// A registry of public images with base and builder in it, as small as can be: the plan asks for digests only.
fn public() -> Option<&'static Registry> {
    static PUBLIC: OnceLock<Option<Registry>> = OnceLock::new();
    let start = || {
        let registry = Registry::start_public()?;
        for name in ["gcr.io/distroless/static-debian13:nonroot", "docker.io/library/golang:1.26-trixie"] {
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
