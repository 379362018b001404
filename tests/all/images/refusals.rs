//! A bad base: the build stops, and names the file.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Rendered;
use crate::support::bases::{base, native};
use crate::support::buildah::{BUILDER, Outcome, workshop};
use crate::support::layout::Layout;

/// The build of `product` on its base with what `script` adds to it; `None` without the tools.
fn build_on(product: &str, script: &str) -> Option<Outcome> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let workshop = workshop()?;
    let made = Layout::at(base(product, native())?).with_layer(script);
    let planted = Layout::at(made.path().join("layout"));
    // A repository each: two pushes of one blob to the same one can meet half a file.
    let repository = format!("gcr.io/planted-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    workshop.registry().push(planted.folder(), &format!("{repository}:x"));
    let target = format!("oci:{}:x", made.path().join("out").display());
    // By digest, as the pipeline names it.
    let reference = format!("{repository}@{}", planted.digest());
    let arguments = [("BASE_IMAGE", reference.as_str()), ("BUILDER_IMAGE", BUILDER)];
    let outcome = workshop.build(&Rendered::new(product).image(), native(), &target, &arguments);
    workshop.forget("", &reference);
    Some(outcome)
}

/// The builder's own programs: linked dynamically, for this machine.
const DYNAMIC: &str = "/bin/true";

/// An ELF header of the other architecture.
fn foreign() -> &'static str {
    if native() == "amd64" { r"\267\000" } else { r"\076\000" }
}

#[test]
fn a_base_with_harmless_files_more_is_accepted() {
    // Otherwise every refusal below could be one of something else.
    let script = "mkdir -p etc; echo hello > etc/motd; mkdir -m 1777 -p var/tmp";
    for product in ["static-go", "base-go"] {
        let Some(outcome) = build_on(product, script) else { return };
        outcome.passes();
    }
}

#[test]
fn what_no_product_may_hold_stops_the_build() {
    let elf = format!(
        r"head -c 64 {DYNAMIC} > bad; printf '{}' | dd of=bad bs=1 seek=18 conv=notrunc status=none; \
          mkdir -p usr/bin; mv bad usr/bin/bad; chmod 755 usr/bin/bad",
        foreign()
    );
    let capability = "mkdir -p usr/bin; echo x > usr/bin/raw; python3 -c \"
import os, struct
os.setxattr('usr/bin/raw', 'security.capability', struct.pack('<5I', 0x02000001, 1 << 13, 0, 0, 0))\"";
    for (script, reason) in [
        ("mkdir -p usr/bin; echo x > usr/bin/sh; chmod 755 usr/bin/sh", "audit: /usr/bin/sh is a shell"),
        ("mkdir -p usr/bin; ln -s /elsewhere usr/bin/apt", "audit: /usr/bin/apt is a package manager"),
        ("mkdir -p opt; echo x > opt/rise; chmod 4755 opt/rise", "audit: /opt/rise is setuid or setgid"),
        (capability, "audit: /usr/bin/raw has a file capability"),
        ("mkdir -m 777 -p opt/open", "audit: /opt/open is world-writable"),
        (elf.as_str(), "audit: /usr/bin/bad is"),
    ] {
        for product in ["static-go", "base-go"] {
            let Some(outcome) = build_on(product, script) else { return };
            outcome.fails_with(reason);
        }
    }
}

#[test]
fn a_program_that_the_image_could_not_start_stops_the_build() {
    let dynamic = format!("mkdir -p opt; cp {DYNAMIC} opt/dynamic");
    let Some(outcome) = build_on("static-go", &dynamic) else { return };
    outcome.fails_with("audit: /opt/dynamic needs a loader");
    let Some(outcome) = build_on("base-go", &dynamic) else { return };
    outcome.passes();

    // A library that only this machine has.
    let more = "mkdir -p opt; cp \"$(command -v dpkg-deb)\" opt/more";
    let Some(outcome) = build_on("base-go", more) else { return };
    outcome.fails_with("audit: /opt/more needs lib");
}
