//! One run of the binary with the weather of one call made bad, or of none.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Seek as _};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use sbi::sandbox::http::{Request, Weather};

use super::call::{Call, Name, Turns};
use super::fault::Fault;
use super::scenario::Scenario;
use crate::support::room::Room;

/// Longer than every retry and timeout together.
const LONGEST_RUN: Duration = Duration::from_secs(120);

/// What one run left.
pub(super) struct Run {
    /// `None` when it was killed.
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// The command lines of the process and its children at the fault.
    pub(super) argv: String,
    pub(super) calls: BTreeSet<Call>,
    /// How the fault was met.
    pub(super) hit: bool,
    /// What did not hold at some call.
    pub(super) broken: Option<String>,
}

/// What both servers share during a run.
struct Watch {
    room: Weak<Room>,
    always: fn(&Room) -> Result<(), String>,
    operator: String,
    turns: Mutex<Turns>,
    calls: Mutex<BTreeSet<Call>>,
    broken: Mutex<Option<String>>,
    fault: Option<(Call, Fault)>,
    reached: Sender<()>,
}

impl Watch {
    /// Names the call, looks whether all holds before it, and decides its weather.
    fn forecast(&self, request: &Request) -> Weather {
        let call = self.turns.lock().unwrap().next(Name::of(request, &self.operator));
        self.calls.lock().unwrap().insert(call.clone());
        if let Some(Err(what)) = self.room.upgrade().map(|room| (self.always)(&room)) {
            self.broken.lock().unwrap().get_or_insert_with(|| format!("before {call}: {what}"));
        }
        let Some((place, fault)) = &self.fault else { return Weather::Fair };
        let later = fault.lasts() && call.name == place.name && call.turn > place.turn;
        if call != *place && !later {
            return Weather::Fair;
        }
        // Nobody listens any more when the run ended by itself.
        let _ = self.reached.send(());
        fault.weather(place)
    }
}

/// Runs a command of the scenario, with one call's fault or in fair weather.
pub(super) fn run(room: &Arc<Room>, scenario: &Scenario, command: &[&str], fault: Option<(Call, Fault)>) -> Run {
    let (reached, arrived) = channel();
    let kills = fault.as_ref().is_some_and(|(_, fault)| fault.kills());
    let hangs = fault.as_ref().is_some_and(|(_, fault)| fault.is_slow());
    let watch = Arc::new(Watch {
        room: Arc::downgrade(room),
        always: scenario.always,
        operator: room.aws.operator_credentials().id().to_owned(),
        turns: Mutex::default(),
        calls: Mutex::default(),
        broken: Mutex::default(),
        fault,
        reached,
    });
    for server in [room.aws.server(), room.github.server()] {
        let watch = Arc::clone(&watch);
        server.set_forecast(move |_, request| watch.forecast(request));
    }
    let (mut stdout, mut stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let mut command = room.command(command);
    // Where an answer is to be given up, soon; elsewhere a busy machine must not look like a fault.
    command.env("SBI_TIMEOUT", if hangs { "1" } else { "60" });
    command.stdout(Stdio::from(stdout.try_clone().unwrap())).stderr(Stdio::from(stderr.try_clone().unwrap()));
    let mut child = command.spawn().unwrap();
    let (hit, argv) = attend(&mut child, &arrived, kills);
    let code = child.wait().unwrap().code();
    // What a server still does with a request of the dead is over when this is set.
    for server in [room.aws.server(), room.github.server()] {
        server.set_forecast(|_, _| Weather::Fair);
    }
    let text = |file: &mut fs::File| {
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    };
    let calls = std::mem::take(&mut *watch.calls.lock().unwrap());
    let broken = watch.broken.lock().unwrap().take();
    let broken = broken.or_else(|| (scenario.always)(room).err());
    Run { code, stdout: text(&mut stdout), stderr: text(&mut stderr), argv, calls, hit, broken }
}

/// Waits for the end, and kills at the fault when it is that kind; tells whether the fault was met.
fn attend(child: &mut Child, arrived: &Receiver<()>, kills: bool) -> (bool, String) {
    let started = Instant::now();
    let (mut hit, mut argv) = (false, String::new());
    loop {
        match arrived.recv_timeout(Duration::from_millis(5)) {
            Ok(()) => {
                hit = true;
                argv.push_str(&command_lines(child.id()));
                if kills {
                    child.kill().unwrap();
                    return (hit, argv);
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if child.try_wait().unwrap().is_some() {
            return (hit || arrived.try_recv().is_ok(), argv);
        }
        if started.elapsed() > LONGEST_RUN {
            child.kill().unwrap();
            return (hit, format!("{argv}\nkilled after {} s", LONGEST_RUN.as_secs()));
        }
    }
}

/// Of a process and of those that it started.
fn command_lines(id: u32) -> String {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let all = std::iter::once(id.to_string()).chain(children.split_whitespace().map(str::to_owned));
    all.map(|id| fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}
