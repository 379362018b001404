//! The images that the others are built on.

use std::process::Command;

use crate::support::bases::{base, builder, native};
use crate::support::registry::Registry;
use crate::support::tools::system_tool;

#[test]
fn a_pushed_base_keeps_its_digest_in_the_registry() {
    let (Some(registry), Some(_)) = (Registry::start(), system_tool("skopeo")) else { return };
    let (Some(layout), Some(_)) = (base("static-go", native()), builder()) else { return };
    registry.push(&layout, "gcr.io/distroless/static-debian13:nonroot");
    let index = std::fs::read_to_string(layout.join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let blob = format!("docker/registry/v2/blobs/sha256/{}/{digest}/data", &digest[..2]);
    assert!(registry.storage().join(blob).is_file());

    // Under the name that Dockerfiles have for it.
    let output = Command::new("skopeo")
        .env("REGISTRY_AUTH_FILE", registry.no_sign_ins())
        .arg("--registries-conf")
        .arg(registry.stands_in_for(&["gcr.io"]))
        .args(["inspect", "--no-tags", "--format", "{{.Digest}}", "docker://gcr.io/distroless/static-debian13:nonroot"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), format!("sha256:{digest}"), "{output:?}");
}
