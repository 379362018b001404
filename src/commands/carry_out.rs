//! What every command that changes something does with a plan: check the rights, confirm, apply, say how it ended.

use std::collections::{BTreeMap, BTreeSet};

use super::console::{Console, summary};
use super::guard::Guard;
use crate::apply::{Outcome, Report, apply};
use crate::failure::{Cause, Failure};
use crate::live::Live;
use crate::model::iam::{Statement, Values};
use crate::model::names::GithubRepositoryName;
use crate::model::observed::{CallerIdentity, Viewer};
use crate::plan::Plan;
use crate::ui::Glyph;

/// Refuses the plan when the token lacks a scope for it, or IAM says that the caller lacks a right. `rights` are those
/// on AWS, with the name that `sbi policy` prints them under.
///
/// # Errors
/// When AWS can't be reached or accepts no credentials.
pub(super) async fn preflight(
    live: &Live,
    plan: &mut Plan,
    caller: &CallerIdentity,
    viewer: &Viewer,
    (rights, document): (&[(&'static str, String)], &str),
) -> Result<(), Failure> {
    plan.refusals.extend(too_few_scopes(plan, viewer));
    if plan.refusals.is_empty() && !plan.is_empty() {
        let denied = live.denied_actions(caller, rights).await?.unwrap_or_default();
        plan.refusals.extend((!denied.is_empty()).then(|| too_few_rights(caller, &denied, document)));
    }
    Ok(())
}

/// A scope that the plan takes and the token lacks.
pub(super) fn too_few_scopes(plan: &Plan, viewer: &Viewer) -> Option<Failure> {
    let missing = Live::missing_scopes(viewer, plan);
    if missing.is_empty() {
        return None;
    }
    let list = missing.join("`, `");
    Some(
        Failure::new(format!("the GitHub token of {} lacks scope `{list}`", viewer.login))
            .because(Cause::Denied { action: format!("scope {}", missing.join(", ")), resource: None })
            .hinted(format!("add it: `gh auth refresh --scopes {}`", missing.join(",")))
            .hinted(match missing.contains(&"delete_repo") {
                true => "or use a classic token with `repo`, `workflow` and `delete_repo` as GH_TOKEN",
                false => "or use a classic token with `repo` and `workflow` as GH_TOKEN",
            }),
    )
}

/// Policy statements that allow just these actions on resources: resources that lack the same share one.
fn statements(denied: &[(String, String)]) -> Vec<String> {
    let mut by_resource: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (action, resource) in denied {
        by_resource.entry(resource).or_default().insert(action);
    }
    let mut by_actions: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
    for (resource, actions) in by_resource {
        by_actions.entry(actions).or_default().push(resource);
    }
    let statement = |(actions, resources): (BTreeSet<&str>, Vec<&str>)| {
        let allow = Statement::allow("", Values::new(actions), Values::new(resources));
        serde_json::to_string(&Statement { sid: None, ..allow }).ok()
    };
    by_actions.into_iter().filter_map(statement).collect()
}

fn too_few_rights(caller: &CallerIdentity, denied: &[(String, String)], document: &str) -> Failure {
    let list: Vec<String> = denied.iter().map(|(action, resource)| format!("{action} on {resource}")).collect();
    let first = denied.first().cloned().unwrap_or_default();
    let failure = Failure::new(format!("{} may not: {}", caller.arn, list.join("; ")))
        .because(Cause::Denied { action: first.0, resource: Some(first.1) });
    statements(denied)
        .into_iter()
        .fold(failure, |failure, statement| failure.hinted(format!("allow it with the statement {statement}")))
        .hinted(format!("`sbi policy {document}` prints all that this needs: have it attached to you"))
}

/// Asks once, unless `yes`.
///
/// # Errors
/// `Cancelled` when the person says no; when nobody can be asked.
pub(super) fn confirm(console: &Console, yes: bool) -> Result<(), Failure> {
    if yes || console.confirm("Apply this plan?")? {
        return Ok(());
    }
    Err(Failure::new("cancelled: nothing was changed").because(Cause::Cancelled))
}

/// Applies the plan, keeps its journal and shows how it went; `who` does it on AWS and on GitHub.
///
/// # Errors
/// When a step failed, or the person cancelled.
pub(super) async fn carry_out(
    live: &Live,
    plan: &Plan,
    guard: &Guard<'_>,
    repository: &GithubRepositoryName,
    who: (&str, &str),
) -> Result<Report, Failure> {
    let console = guard.console();
    guard.begin(repository, who, plan);
    console.set_applying(true);
    let report = apply(plan, live, cancellation(console), &guard.watch(console.watch(plan))).await;
    console.set_applying(false);
    console.show_outcome(plan, &report)?;
    let Some(failure) = unsuccessful(&report, guard.command()) else { return Ok(report) };
    if !console.is_human() {
        console.show_end(plan, &report, &summary(Vec::new(), Vec::new()))?;
    }
    Err(failure)
}

/// Ready when the person presses Ctrl-C.
async fn cancellation(console: &Console) {
    // Without a handler for Ctrl-C the default one ends the process, which a later run copes with too.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    console.line(Glyph::Waiting, "cancelled: finishing what is under way");
}

fn unsuccessful(report: &Report, command: &str) -> Option<Failure> {
    if report.cancelled {
        return Some(
            Failure::new("cancelled: what was under way is finished, the rest was not started")
                .because(Cause::Cancelled)
                .hinted(format!("`{command}` goes on from here")),
        );
    }
    let failed = report.failures().count();
    let (_, first) = report.failures().next()?;
    let done = report.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Done(_))).count();
    let steps = if failed == 1 { "step" } else { "steps" };
    Some(
        Failure::new(format!("{failed} {steps} failed, {done} of {} are done", report.outcomes.len()))
            .because(first.cause().clone())
            .hinted(format!("mend the cause, then `{command}` again: it finishes the rest and makes nothing twice")),
    )
}
