//! `sbi destroy`, killed at any write.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use sbi::sandbox::http::{Request, Weather};

use crate::convergence::fair;
use crate::support::room::{Room, is_write};

/// Where the process is killed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kill {
    BeforeTheRequest,
    AfterItReachedTheServer,
}

/// Counts the writes of both sides together and hangs the one whose turn it is.
fn hang_at(number: usize, kill: Kill, room: &Room, hung: &Sender<()>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let forecast = || {
        let (seen, hung) = (Arc::clone(&seen), hung.clone());
        move |_: usize, request: &Request| {
            if !is_write(request) || seen.fetch_add(1, Ordering::SeqCst) != number {
                return Weather::Fair;
            }
            // Nobody listens any more when the run ended by itself.
            let _ = hung.send(());
            match kill {
                Kill::BeforeTheRequest => Weather::Hang,
                Kill::AfterItReachedTheServer => Weather::HangAfter,
            }
        }
    };
    room.aws.server().set_forecast(forecast());
    room.github.server().set_forecast(forecast());
}

/// Runs a command line and kills it at its `number`th write; false when it ended before.
pub(super) fn run_killed_at(number: usize, kill: Kill, room: &Room, arguments: &[&str]) -> bool {
    let (hung, stopped) = channel();
    hang_at(number, kill, room, &hung);
    let mut child = room.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let killed = loop {
        if stopped.recv_timeout(Duration::from_millis(5)).is_ok() {
            child.kill().unwrap();
            break true;
        }
        if child.try_wait().unwrap().is_some() {
            break false;
        }
    };
    child.wait().unwrap();
    // What the server still does with a request of the dead is over when it answers the next one.
    fair(room);
    killed
}
