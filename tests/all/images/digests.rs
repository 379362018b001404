//! One commit is one image: the pipeline's arguments and its annotations give the same digest on every machine.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_yaml_ng::Value;

use super::{Rendered, facts, files};
use crate::support::bases::base;
use crate::support::buildah::{BASES, BUILDER, workshop};
use crate::support::layout::Layout;
use crate::support::tools::system_tool;

const REVISION: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

#[test]
fn one_commit_is_one_digest_on_every_machine_and_says_where_it_comes_from() {
    let (Some(workshop), Some(_)) = (workshop(), system_tool("jq")) else { return };
    let elsewhere = workshop.elsewhere();
    for (product, reference) in BASES {
        let rendered = Rendered::new(product);
        let copy = another_checkout(&rendered.image());
        let digest = Layout::at(base(product, "index").unwrap()).digest();
        let pinned = format!("{reference}@{digest}");
        let arguments = [
            ("BASE_IMAGE", pinned.as_str()),
            ("BUILDER_IMAGE", BUILDER),
            ("BASE_NAME", reference),
            ("BASE_DIGEST", &digest),
            ("VERSION", "1.0.0"),
            ("REVISION", REVISION),
            ("SOURCE", "https://github.com/Acme/base-images"),
        ];
        for arch in ["amd64", "arm64"] {
            let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let target = |folder: &Path| format!("oci:{}:x", folder.join("layout").display());
            workshop.build(&rendered.image(), arch, &target(here.path()), &arguments).passes();
            elsewhere.build(copy.path(), arch, &target(there.path()), &arguments).passes();
            let [here, there] = [&here, &there].map(|folder| annotated(&rendered, folder.path()));
            assert_eq!(here.config(), there.config(), "{product} {arch}");
            assert_eq!(here.manifest(), there.manifest(), "{product} {arch}");
            assert_eq!(here.digest(), there.digest(), "{product} {arch}: the same JSON in other words");
            assert_says_where_it_comes_from(product, &here, reference, &digest);
        }
    }
}

/// The same files as `git` may leave them on another machine: written at another time, in another order, by a person
/// who shares nothing with others.
fn another_checkout(context: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut files = files(context);
    files.sort_unstable_by(|one, other| other.cmp(one));
    for file in files {
        let target = copy.path().join(file.strip_prefix(context).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::set_permissions(target.parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
        std::fs::copy(&file, &target).unwrap();
        std::fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().write(true).open(&target).unwrap().set_modified(modified).unwrap();
    }
    copy
}

/// The image that is published: the pipeline's own step has been over what was built in `folder`.
fn annotated(rendered: &Rendered, folder: &Path) -> Layout {
    let workflow = std::fs::read_to_string(rendered.folder.path().join(sbi::templates::WORKFLOW)).unwrap();
    let workflow: Value = serde_yaml_ng::from_str(&workflow).unwrap();
    let steps = workflow["jobs"]["build"]["steps"].as_sequence().unwrap();
    let step =
        steps.iter().find(|step| step["name"].as_str().is_some_and(|name| name.starts_with("Annotate"))).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]);
    let output = bash.current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Layout::at(folder.join("layout"))
}

fn assert_says_where_it_comes_from(product: &str, image: &Layout, reference: &str, digest: &str) {
    let (config, manifest) = (image.config(), image.manifest());
    // Engines show the one, registries the other.
    assert_eq!(config["config"]["Labels"], manifest["annotations"], "{product}");
    let label = |name: &str| config["config"]["Labels"][name].as_str().unwrap_or("absent").to_owned();
    let facts = facts(product);
    for (name, value) in [
        ("title", facts["title"].as_str().unwrap()),
        ("description", facts["description"].as_str().unwrap()),
        ("licenses", facts["licenses"].as_str().unwrap()),
        ("vendor", "Acme Ltd"),
        ("version", "1.0.0"),
        ("revision", REVISION),
        ("source", "https://github.com/Acme/base-images"),
        ("base.name", reference),
        ("base.digest", digest),
    ] {
        assert_eq!(label(&format!("org.opencontainers.image.{name}")), value, "{product}");
    }
    let end = facts["support"].get("date").unwrap_or(&facts["support"]["until"]);
    assert_eq!(label("io.github.acme.support.until"), end.as_str().unwrap(), "{product}");
}
