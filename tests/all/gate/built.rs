//! A product as its Dockerfile builds it, from the build step to the registry.

use serde_json::Value;

use super::runner::Ended;
use super::{REPOSITORY, World, config, layout};
use crate::support::bases::native;
use crate::support::buildah::workshop;
use crate::support::layout::Layout;
use crate::support::trivy_database::{CRITICAL, Database};

#[test]
fn what_the_dockerfile_builds_is_stopped_by_a_vulnerability_of_its_base_and_else_published_as_it_was_built() {
    let (Some(world), Some(workshop)) = (World::new(), workshop()) else { return };
    let planted = Database::clean().debian("base-files", "CVE-2026-20201", CRITICAL, Some("99"));
    let arch = native();
    let mut run = world.unbuilt(&config("oidc", "none", &[arch]), "v1.0.0", &planted);
    run.remap(&["gcr.io", "docker.io"], workshop.registry().address(), &world.proxy.address.to_string());
    run.program("docker", &workshop.docker());
    {
        let _alone = workshop.alone();
        run.only(&["plan", "build"]);
    }
    run.assert_ended("plan", &Ended::Success);
    run.assert_ended("build", &Ended::Success);

    // The image says what the plan decided: in the labels by the builder, in the annotations by the step after it.
    let plan: Value = serde_json::from_slice(&std::fs::read(run.artifact("plan/plan.json")).unwrap()).unwrap();
    let folder = run.artifact(&format!("image-{arch}"));
    let image = Layout::at(&folder);
    let (digest, manifest) = (image.digest(), image.manifest());
    let labels = image.config()["config"]["Labels"].clone();
    let base = plan["base"].as_str().unwrap().split_once('@').unwrap();
    for (name, value) in [
        ("title", &plan["title"]),
        ("version", &Value::from("1.0.0")),
        ("revision", &plan["revision"]),
        ("source", &Value::from("https://github.com/acme/base-images")),
        ("created", &Value::from("2026-11-01T00:00:00Z")),
        ("base.name", &Value::from(base.0)),
        ("base.digest", &Value::from(base.1)),
    ] {
        let name = format!("org.opencontainers.image.{name}");
        assert_eq!(&labels[&name], value, "{name}");
        assert_eq!(&manifest["annotations"][&name], value, "{name}");
    }
    let parts = || manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]);
    let size: u64 = parts().map(|part| part["size"].as_u64().unwrap()).sum();
    let budget = plan["size_budget"].as_u64().unwrap();
    assert!(size <= budget, "{size} of {budget}");
    let said = format!("linux/{arch}: {digest}, {size} of {budget} bytes");
    assert!(run.summary.contains(&said), "{}", run.summary);

    run.only(&["scan", "findings", "publish", "verify"]);
    run.assert_failed("scan", "::error title=Findings::");
    assert!(run.uploads[0].text.contains("CVE-2026-20201"));
    run.assert_ended("publish", &Ended::Skipped);
    run.assert_ended("verify", &Ended::Skipped);
    for reference in ["v1.0.0", &digest] {
        assert_eq!(world.registry.manifest(REPOSITORY, reference).0, 404, "{reference}");
    }

    // The very same bytes, when nothing is known against them.
    Database::clean().write(&run.cache());
    run.only(&["scan", "findings", "publish", "verify"]);
    run.assert_ended("publish", &Ended::Success);
    run.assert_ended("verify", &Ended::Success);
    let (status, index) = world.registry.manifest(REPOSITORY, "v1.0.0");
    assert_eq!(status, 200);
    let index: Value = serde_json::from_slice(&index).unwrap();
    let digests: Vec<&Value> = index["manifests"].as_array().unwrap().iter().map(|entry| &entry["digest"]).collect();
    assert_eq!(digests, [digest.as_str()]);
    let (status, published) = world.registry.manifest(REPOSITORY, &digest);
    assert_eq!(status, 200);
    assert_eq!(format!("sha256:{}", layout::sha256(&published)), digest);
    for part in parts() {
        let digest = part["digest"].as_str().unwrap();
        let (status, bytes) = world.registry.blob(REPOSITORY, digest);
        assert_eq!((status, format!("sha256:{}", layout::sha256(&bytes)).as_str()), (200, digest));
    }
}
