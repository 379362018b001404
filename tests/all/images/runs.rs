//! The examples as customers build and run them, on what was published.

use super::Rendered;
use crate::support::bases::native;
use crate::support::buildah::{ECR, workshop};
use crate::support::layout::Layout;

/// The example of `consumer`, built unmodified, on the published image of `product`. Ends with the test.
struct Service {
    container: String,
    image: String,
    started: bool,
}

impl Service {
    fn start(product: &str, consumer: &str) -> Option<Self> {
        let workshop = workshop()?;
        let out = tempfile::tempdir().unwrap();
        let target = format!("oci:{}:x", out.path().display());
        workshop.build(&Rendered::new(product).image(), native(), &target, &[]).passes();
        // What the example's Dockerfile names when it is rendered for this product.
        let published = format!("{ECR}/acme/{product}:v1.0.0");
        workshop.registry().push(Layout::at(out.path()).folder(), &published);

        let container = format!("sbi-test-{}-{consumer}-on-{product}", std::process::id());
        let image = format!("localhost/{container}");
        let context = Rendered::new(consumer).example();
        workshop.build(&context, native(), &image, &[("BASE_IMAGE", &published)]).passes();
        let started = workshop.start_container(&container, &image).success;
        Some(Self { container, image, started })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(workshop) = workshop() {
            workshop.forget(&self.container, &self.image);
        }
    }
}

#[test]
fn each_example_answers_read_only_without_network_rights_or_shell() {
    let Some(workshop) = workshop() else { return };
    for product in super::products() {
        let Some(service) = Service::start(&product, &product) else { return };
        assert!(service.started, "{product}");
        // The service may need a moment until it listens.
        let mut answers = workshop.exec(&service.container, &["/hello", "-check"]);
        for _ in 0..20 {
            if answers.success {
                break;
            }
            answers = workshop.exec(&service.container, &["/hello", "-check"]);
        }
        answers.passes();
        assert!(workshop.logs(&service.container).said.contains("as user 65532"), "{product}");
        for shell in ["sh", "/bin/sh", "/bin/bash", "/busybox/sh"] {
            let refused = workshop.exec(&service.container, &[shell, "-c", "true"]);
            assert!(!refused.success && refused.said.contains("no such file") || refused.said.contains("not found"));
        }
    }
}

#[test]
fn a_program_that_uses_c_starts_on_base_go_and_not_on_static_go() {
    let Some(on_base) = Service::start("base-go", "base-go") else { return };
    assert!(on_base.started);
    let Some(on_static) = Service::start("static-go", "base-go") else { return };
    assert!(!on_static.started, "there is no loader that could have started it");
}
