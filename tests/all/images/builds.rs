//! A good base: what is built of it is what its promises say.

use std::os::unix::fs::PermissionsExt as _;

use super::{Rendered, facts, files, products};
use crate::support::buildah::workshop;
use crate::support::layout::Layout;

/// With the number of the machine in the header of its programs.
const ARCHITECTURES: [(&str, u8); 2] = [("amd64", 62), ("arm64", 183)];

#[test]
fn the_dockerfile_builds_as_it_is_for_every_architecture() {
    let Some(workshop) = workshop() else { return };
    for product in products() {
        let rendered = Rendered::new(&product);
        for (arch, machine) in ARCHITECTURES {
            let out = tempfile::tempdir().unwrap();
            workshop.build(&rendered.image(), arch, &format!("oci:{}:x", out.path().display()), &[]).passes();
            let image = Layout::at(out.path());
            assert_eq!(image.config()["architecture"], arch);
            assert_eq!(image.config()["config"]["User"], "65532:65532", "{product}");
            assert_holds_what_it_promises(&product, &image, arch, machine);
        }
    }
}

fn assert_holds_what_it_promises(product: &str, image: &Layout, arch: &str, machine: u8) {
    let facts = facts(product);
    let (size, budget) = (image.pull_size(), facts["size-budget"].as_integer().unwrap());
    assert!(size <= u64::try_from(budget).unwrap(), "{product} {arch}: {size} bytes of {budget}");
    // Headroom for years, not for a second image.
    assert!(size * 2 > u64::try_from(budget).unwrap(), "{product} {arch}: {size} bytes of {budget}");

    let root = image.unpack();
    let mut programs = Vec::new();
    for file in files(root.path()) {
        let name = format!("/{}", file.strip_prefix(root.path()).unwrap().display());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o6002, 0, "{product} {arch}: {name} is {mode:o}");
        let content = std::fs::read(&file).unwrap();
        if content.starts_with(b"\x7fELF") {
            // e_machine, little-endian.
            assert_eq!(content[18..20], [machine, 0], "{product} {arch}: {name}");
            programs.push(name);
        }
    }
    programs.sort_unstable();
    let is_static = facts["promises"]["loader"].as_table().unwrap().is_empty();
    assert_eq!(programs.is_empty(), is_static, "{product} {arch}: {programs:?}");

    // The audit saw what is there, and its report came along.
    let report = std::fs::read(root.path().join(format!("usr/share/{product}/audit.json"))).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let mut reported: Vec<&str> =
        report["elfExecutables"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    reported.sort_unstable();
    assert_eq!(reported, programs, "{product} {arch}");
    assert_eq!(report["architecture"], arch);
    assert_eq!(report["user"], "nonroot");
    assert!(report["caCertificates"].as_u64().unwrap() >= 100, "{report}");
    assert_eq!(report["unusedExemptions"], serde_json::json!([]), "{product} {arch}");
}
