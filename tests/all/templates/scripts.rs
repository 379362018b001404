//! Every script of the workflows, executed as GitHub runs it, on its good path and on bad days: one module a job.

mod audit;
mod build;
mod plan;
mod publish;
mod scan;
mod verify;
mod whole;

pub(super) use audit::audit_judges;
pub(super) use plan::plan_accepts;

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::runner::Run;
use sbi::model::config::Architecture;

use super::{Options, USUAL, config};

const BOTH: [&str; 2] = ["amd64", "arm64"];

/// The git tag that releases the first image.
fn tag_of(options: Options, version: &str) -> String {
    let config = config(options);
    if config.publish.images.len() == 1 { version.into() } else { format!("{}/{version}", config.publish.images[0]) }
}

/// A release up to the end of its scans. Each is made once; who asks gets a disk of its own.
fn scanned(options: Options) -> Run {
    static MADE: Made = Mutex::new(BTreeMap::new());
    once(&MADE, options, |options| {
        let mut run = Run::release(&config(options), &tag_of(options, "v1.0.0"));
        run.job("plan", &[]).passes();
        build_and_scan(&mut run, options.architectures);
        run
    })
}

type Made = Mutex<BTreeMap<String, Run>>;

fn once(made: &Made, options: Options, make: impl FnOnce(Options) -> Run) -> Run {
    let mut made = made.lock().unwrap();
    made.entry(format!("{options:?}")).or_insert_with(|| make(options)).fork()
}

fn build_and_scan(run: &mut Run, architectures: &[Architecture]) {
    for architecture in architectures {
        run.job("build", &[("arch", architecture.as_str())]).passes();
        run.job("scan", &[("arch", architecture.as_str())]).passes();
    }
    run.forget_calls();
}

/// A release up to the end of its publish job.
fn published(options: Options) -> Run {
    static MADE: Made = Mutex::new(BTreeMap::new());
    once(&MADE, options, |options| {
        let mut run = scanned(options);
        run.job("publish", &[]).passes();
        run
    })
}

fn usual() -> Run {
    scanned(USUAL)
}
