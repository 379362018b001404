//! Runs a plan: order, concurrency, failure and cancellation. Knows no AWS, no GitHub and no terminal.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::failure::Failure;
use crate::plan::step::{Produced, Step};
use crate::plan::{Plan, StepId};

/// Steps under way at once: GitHub refuses more than 100 concurrent requests, and one step sends a few.
const MOST_AT_ONCE: usize = 16;

/// Who carries a step out: AWS and GitHub in the program, a model of them in the property tests.
pub trait System {
    /// Makes one change. `outputs` holds what the steps that this one needs have produced; `say` reports a wait.
    fn apply(
        &self,
        step: &Step,
        outputs: &Outputs,
        say: &dyn Fn(String),
    ) -> impl Future<Output = Result<Produced, Failure>>;
}

/// What finished steps have produced.
#[derive(Debug, Default, Clone)]
pub struct Outputs(BTreeMap<StepId, Produced>);

impl Outputs {
    #[must_use]
    pub fn get(&self, id: StepId) -> Option<&Produced> {
        self.0.get(&id)
    }
}

/// What just happened to one step.
#[derive(Debug)]
pub enum Event<'a> {
    Started,
    /// Still going: what it waits for.
    Waiting(String),
    Done(&'a Produced),
    Failed(&'a Failure),
    /// Not started, because a step that it needs did not succeed or because of a cancellation.
    Skipped,
}

/// How one step ended.
#[derive(Debug)]
pub enum Outcome {
    Done(Produced),
    Failed(Failure),
    Skipped,
}

/// How every step of a plan ended, in the plan's order.
#[derive(Debug)]
#[must_use = "a report says which steps failed"]
pub struct Report {
    pub outcomes: Vec<Outcome>,
    pub cancelled: bool,
}

impl Report {
    #[must_use]
    pub fn succeeded(&self) -> bool {
        !self.cancelled && self.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_)))
    }

    pub fn failures(&self) -> impl Iterator<Item = (usize, &Failure)> {
        self.outcomes.iter().enumerate().filter_map(|(index, outcome)| match outcome {
            Outcome::Failed(failure) => Some((index, failure)),
            Outcome::Done(_) | Outcome::Skipped => None,
        })
    }
}

/// Applies `plan`: each step starts as soon as all that it needs succeeded, independent ones at once. A failed step
/// skips what depends on it and nothing else. When `cancel` is ready, nothing more starts and what runs is finished.
pub async fn apply<S: System>(
    plan: &Plan,
    system: &S,
    cancel: impl Future<Output = ()>,
    watch: &dyn Fn(StepId, Event<'_>),
) -> Report {
    let mut cancel = pin!(cancel);
    let mut cancelled = false;
    let mut outcomes: BTreeMap<StepId, Outcome> = BTreeMap::new();
    let mut outputs = Outputs::default();
    let mut waiting: Vec<StepId> = plan.ids().collect();
    let mut running = FuturesUnordered::new();
    loop {
        let mut still_waiting = Vec::new();
        for id in std::mem::take(&mut waiting) {
            let needs = &plan.node(id).needs;
            let doomed = cancelled
                || needs.iter().any(|need| matches!(outcomes.get(need), Some(Outcome::Failed(_) | Outcome::Skipped)));
            let ready = needs.iter().all(|need| matches!(outcomes.get(need), Some(Outcome::Done(_))));
            if doomed {
                watch(id, Event::Skipped);
                outcomes.insert(id, Outcome::Skipped);
            } else if ready && running.len() < MOST_AT_ONCE {
                watch(id, Event::Started);
                // A step sees the outputs as they are when it starts: all that it needs is done by then.
                let seen = outputs.clone();
                running.push(async move {
                    let say = move |text: String| watch(id, Event::Waiting(text));
                    (id, system.apply(&plan.node(id).step, &seen, &say).await)
                });
            } else {
                still_waiting.push(id);
            }
        }
        waiting = still_waiting;
        if running.is_empty() {
            break;
        }
        let finished = if cancelled {
            running.next().await
        } else {
            match select(&mut cancel, running.next()).await {
                Either::Left(((), _)) => {
                    cancelled = true;
                    continue;
                }
                Either::Right((finished, _)) => finished,
            }
        };
        let Some((id, result)) = finished else { break };
        match result {
            Ok(produced) => {
                watch(id, Event::Done(&produced));
                outputs.0.insert(id, produced.clone());
                outcomes.insert(id, Outcome::Done(produced));
            }
            Err(failure) => {
                watch(id, Event::Failed(&failure));
                outcomes.insert(id, Outcome::Failed(failure));
            }
        }
    }
    Report { outcomes: outcomes.into_values().collect(), cancelled }
}
