//! The weekly workflow that keeps the update's pull request, executed: what `sbi` tells decides, and the token that may
//! write is in one job only.

use std::collections::BTreeSet;

use super::runner::{Outcome, Run, sha256};
use super::{Combination, matrix};
use sbi::templates::UPDATE_WORKFLOW;

fn updating() -> &'static Combination {
    matrix().iter().find(|combination| combination.config.publish.update_program.is_some()).unwrap()
}

/// A week's run in which `sbi update --check` ends with this code.
fn week(combination: &Combination, code: u8) -> Run {
    let mut run = Run::of(&combination.config, UPDATE_WORKFLOW);
    run.set("SBI_EXIT", &code.to_string());
    run.know("github.token", "token-that-reads");
    run.know("secrets.SBI_UPDATE_TOKEN", "token-that-writes");
    run
}

fn asked(run: &Run) -> Vec<String> {
    run.read("calls").lines().filter_map(|call| call.strip_prefix("sbi ")).map(str::to_owned).collect()
}

fn looked(code: u8) -> (Outcome, Run) {
    let mut run = week(updating(), code);
    (run.job("look", &[]), run)
}

#[test]
fn what_sbi_finds_decides_whether_something_is_proposed() {
    for (code, newer) in [(0, "false"), (3, "true")] {
        let (outcome, run) = looked(code);
        outcome.passes();
        assert_eq!(run.known("needs.look.outputs.newer"), Some(newer));
        assert_eq!(asked(&run), ["update --github acme/base-images --check --pins with token-that-reads"]);
    }
    for code in [1, 2, 4, 130] {
        let (outcome, run) = looked(code);
        outcome.fails_at("Compare", "");
        assert_eq!(run.known("needs.look.outputs.newer"), Some(""), "{code}");
    }
}

#[test]
fn the_proposal_is_made_with_a_token_of_its_own_or_not_at_all() {
    let mut run = week(updating(), 0);
    run.job("propose", &[]).passes();
    assert_eq!(asked(&run), ["update --github acme/base-images --pins --yes with token-that-writes"]);
    let mut run = week(updating(), 0);
    run.know("secrets.SBI_UPDATE_TOKEN", "");
    run.job("propose", &[]).fails_at("Propose", "::error title=No token::");
    assert_eq!(asked(&run), [""; 0]);
    let mut run = week(updating(), 1);
    run.job("propose", &[]).fails_at("Propose", "");
}

#[test]
fn a_program_of_another_checksum_is_never_started() {
    for job in ["look", "propose"] {
        let mut run = week(updating(), 0);
        run.put_in_place("SHA256", &sha256(b"another"));
        run.job(job, &[]).fails_at("Install sbi", "FAILED");
        assert_eq!(asked(&run), [""; 0]);
    }
}

/// Both jobs, for the test that no script is left that did not run.
pub(super) fn whole(combination: &Combination) -> BTreeSet<String> {
    let mut run = week(combination, 0);
    run.job("look", &[]).passes();
    run.job("propose", &[]).passes();
    assert_eq!(asked(&run).len(), 2, "{}", combination.name);
    run.executed
}
