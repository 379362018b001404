//! Every call of a scenario, one fault at a time: the fault, the next run, and the run after it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::call::{Call, Protocol};
use super::facts::{Facts, facts, unchanged};
use super::fault::Fault;
use super::run::{Run, run};
use super::scenario::Scenario;
use crate::support::canaries;
use crate::support::room::Room;

/// Which faults are tried: `all`, or those whose title contains the text. Without it, all but the slow ones at writes, and
/// each kind in its turn at reads.
const CHOICE: &str = "SBI_FAULTS";

/// At once: most of the time somebody waits for a repetition.
const WORKERS: usize = 5;

struct Case {
    call: Call,
    fault: Fault,
}

/// Tries the chosen faults; fails with every one that was not survived.
#[track_caller]
pub(super) fn sweep(scenario: &Scenario) {
    let calls = rehearse(scenario);
    let choice = std::env::var(CHOICE).ok();
    let tried_elsewhere = scenario.beyond.map(rehearse).unwrap_or_default();
    let cases = choose(scenario, &calls, &tried_elsewhere, choice.as_deref());
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let survived = catch_unwind(AssertUnwindSafe(|| survive(scenario, case)));
                    let survived = survived.unwrap_or_else(|panic| Err(said(&*panic)));
                    if let Err(what) = survived {
                        failures.lock().unwrap().insert(title(scenario, &case.call, case.fault), what);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let survived = cases.len() - failures.len();
    let reads = calls.iter().filter(|call| !call.name.writes).count();
    let writes = calls.len() - reads;
    println!("{}: {reads} reads, {writes} writes, {survived} of {} faults survived", scenario.name, cases.len());
    let told: Vec<String> = failures.iter().map(|(title, what)| format!("== {title}\n{what}")).collect();
    assert!(failures.is_empty(), "{} faults were not survived\n{}", failures.len(), told.join("\n"));
    let floor = if choice.is_some() { 0 } else { scenario.floor };
    assert!(survived >= floor, "only {survived} faults were tried, {floor} is the least");
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}

fn title(scenario: &Scenario, call: &Call, fault: Fault) -> String {
    format!("{}: {fault:?} at {call}", scenario.name)
}

/// A run in fair weather, and one after it that finds nothing to do; the calls of the first.
#[track_caller]
fn rehearse(scenario: &Scenario) -> Vec<Call> {
    let room = Arc::new((scenario.open)());
    let before = facts(&room);
    let first = run(&room, scenario, scenario.command, None);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(first.broken, None);
    (scenario.goal)(&room);
    unchanged(&before, &facts(&room), scenario.own).unwrap();
    let writes = room.writes();
    let second = run(&room, scenario, scenario.idle, None);
    assert_eq!((second.code, room.writes()), (Some(0), writes), "{}", second.stderr);
    room.check_contract();
    first.calls.into_iter().collect()
}

/// All faults at all writes; at reads one after the other, so that all kinds meet all of them over the scenarios. What
/// another scenario tries is left to it, but for one fault at each write.
fn choose(scenario: &Scenario, calls: &[Call], tried_elsewhere: &[Call], choice: Option<&str>) -> Vec<Case> {
    let mut turn = scenario.name.len();
    let mut cases = Vec::new();
    for call in calls {
        turn += 1;
        let elsewhere = tried_elsewhere.contains(call);
        for (kind, fault) in Fault::ALL.into_iter().enumerate() {
            let in_turn = kind == turn % Fault::ALL.len();
            let chosen = match choice {
                None if elsewhere => call.name.writes && in_turn,
                None => in_turn || (call.name.writes && !fault.is_slow()),
                Some("all") => true,
                Some(text) => title(scenario, call, fault).contains(text),
            };
            if chosen {
                cases.push(Case { call: call.clone(), fault });
            }
        }
    }
    cases
}

/// The fault, then the next run, which must reach the goal, then the one after it, which must write nothing.
fn survive(scenario: &Scenario, case: &Case) -> Result<(), String> {
    let Case { call, fault } = case;
    let room = Arc::new((scenario.open)());
    let before = facts(&room);
    let mut texts = Vec::new();
    let mut holds = |run: &Run| holds(scenario, &room, &before, run, &mut texts);

    let first = run(&room, scenario, scenario.command, Some((call.clone(), *fault)));
    if !first.hit {
        return Err(format!("the call was not made\n{}", first.stderr));
    }
    let context = |what: String| format!("{what}\n--- the run with the fault\n{}", after_plan(&first.stderr));
    holds(&first).map_err(context)?;
    let outlived = fault.is_outlived(call).filter(|outlived| *outlived || !(scenario.spared)(call));
    ended_well_or_said_why((call, *fault), outlived, &first).map_err(context)?;
    if first.code == Some(0) && outlived == Some(true) {
        (scenario.goal)(&room);
    } else {
        (scenario.meanwhile)(&room);
        let next = run(&room, scenario, scenario.command, None);
        ended_well(scenario, &room, &next).and_then(|()| holds(&next)).map_err(|what| {
            let (first, next) = (after_plan(&first.stderr), after_plan(&next.stderr));
            format!("{what}\n--- the run with the fault\n{first}\n--- the next run\n{next}")
        })?;
    }
    let writes = room.writes();
    let last = run(&room, scenario, scenario.idle, None);
    ended_well(scenario, &room, &last).and_then(|()| holds(&last)).map_err(context)?;
    if room.writes() != writes {
        return Err(context(format!("the goal was reached and the next run wrote something\n{}", last.stderr)));
    }
    leaks(&room, texts)
}

/// What a run wrote from the end of its plan on.
fn after_plan(stderr: &str) -> &str {
    let end = ["to add", "to change", "to remove"].iter().filter_map(|text| stderr.rfind(text)).max();
    end.map_or(stderr, |end| &stderr[end..])
}

/// A run in fair weather reaches the goal.
fn ended_well(scenario: &Scenario, room: &Room, run: &Run) -> Result<(), String> {
    if run.code != Some(0) {
        return Err(format!("a run in fair weather ended with {:?}", run.code));
    }
    catch_unwind(AssertUnwindSafe(|| (scenario.goal)(room))).map_err(|panic| said(&*panic))
}

/// What must hold after each run, whatever happened in it.
fn holds(
    scenario: &Scenario,
    room: &Room,
    before: &Facts,
    run: &Run,
    texts: &mut Vec<(String, String)>,
) -> Result<(), String> {
    texts.push(("stdout".into(), run.stdout.clone()));
    texts.push(("stderr".into(), run.stderr.clone()));
    texts.push(("a command line".into(), run.argv.clone()));
    texts.extend(canaries::files(room.folder()));
    if let Some(what) = &run.broken {
        return Err(what.clone());
    }
    unchanged(before, &facts(room), scenario.own)
}

/// No secret is in what was printed, written, started or sent.
fn leaks(room: &Room, mut texts: Vec<(String, String)>) -> Result<(), String> {
    texts.extend(canaries::requests(&room.aws.server().log()));
    texts.extend(canaries::requests(&room.github.server().log()));
    canaries::leak(&canaries::every_secret(room), &texts).map_or(Ok(()), Err)
}

/// The run outlived the fault, or ended with a message that names what happened to what and what to type next.
fn ended_well_or_said_why((call, fault): (&Call, Fault), outlived: Option<bool>, run: &Run) -> Result<(), String> {
    if fault.kills() {
        return match run.code {
            None => Ok(()),
            Some(code) => Err(format!("it ended with {code} before it was killed")),
        };
    }
    match (outlived, run.code) {
        (Some(true) | None, Some(0)) => return Ok(()),
        (Some(false) | None, Some(1)) => {}
        (_, code) => return Err(format!("it ended with {code:?}")),
    }
    let flat = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let errors: Vec<&str> = flat.match_indices("error: ").map(|(at, _)| &flat[at..]).collect();
    if errors.is_empty() || !flat.contains("help: ") {
        return Err("there is no `error:` or no `help:`".into());
    }
    for text in ["panicked", "Some(", "None", "Ok(", "Err(", "Error {", "kind:", "Kind("] {
        if flat.contains(text) {
            return Err(format!("`{text}` is nothing for people"));
        }
    }
    if !["`sbi ", "the same command again", "the command again"].iter().any(|next| flat.contains(next)) {
        return Err("it does not say what to type next".into());
    }
    if !named(call).iter().any(|name| flat.contains(name)) {
        return Err(format!("it names none of {:?}", named(call)));
    }
    if fault == Fault::LimitReached && call.name.protocol == Protocol::Github && !flat.contains(" UTC") {
        return Err("it does not say until when".into());
    }
    Ok(())
}

/// What a message about this call must name: one of these.
fn named(call: &Call) -> Vec<String> {
    let name = &call.name;
    match name.protocol {
        Protocol::AwsQuery | Protocol::AwsJson => vec![name.verb.clone()],
        Protocol::Github if name.of == "/user" => vec!["token".into()],
        Protocol::Github if name.of.starts_with("/users/") || name.of.starts_with("/orgs/") => {
            vec![name.of.rsplit('/').next().unwrap_or_default().to_owned()]
        }
        Protocol::Github => {
            let here = name.of.strip_prefix("/repos/").unwrap_or("acme/bases");
            vec!["acme/bases".into(), here.split('/').take(2).collect::<Vec<_>>().join("/")]
        }
    }
}
