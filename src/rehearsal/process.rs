//! Runs one script with nothing of the person's environment, and ends it with everything that it started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout, timeout_at};

use crate::failure::{Cause, Failure};

/// How long a script that is told to end may take for it.
const GRACE: Duration = Duration::from_secs(10);
/// Between two looks at a group that is ending.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long output is still read after a script has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Ctrl-C, a request to end, and a closed terminal.
pub struct Interruption {
    signals: [tokio::signal::unix::Signal; 3],
}

impl Interruption {
    /// From now on these signals no longer end the program by themselves.
    ///
    /// # Errors
    /// When the system hands out no signals.
    pub fn watch() -> Result<Self, Failure> {
        let of = |kind| signal(kind).map_err(|error| Failure::new("signals can't be watched").caused_by(error));
        Ok(Self { signals: [of(SignalKind::interrupt())?, of(SignalKind::terminate())?, of(SignalKind::hangup())?] })
    }

    pub async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Status(ExitStatus),
    TimedOut,
}

/// A script and all that it sees.
pub struct Script<'a> {
    pub program: &'a str,
    pub arguments: &'a [OsString],
    pub folder: &'a Path,
    /// The whole environment.
    pub environment: &'a BTreeMap<String, String>,
    pub deadline: Instant,
}

impl Script<'_> {
    /// Runs it to its end and hands over each line that it writes, of both streams, as it comes.
    ///
    /// # Errors
    /// When it can't be started; `Cancelled` when the person ended the rehearsal meanwhile. In every case nothing of
    /// its process group is left running.
    pub async fn run(&self, interruption: &mut Interruption, mut line: impl FnMut(&str)) -> Result<End, Failure> {
        let failed =
            |error: std::io::Error| Failure::new(format!("`{}` can't be started", self.program)).caused_by(error);
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let mut child = Command::new(self.program)
            .args(self.arguments)
            .current_dir(self.folder)
            .env_clear()
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(failed)?)
            .stderr(writer)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        // The command has dropped its ends of the pipe by now, so it ends with the script.
        let group = Group::of(&child);
        let mut output = BufReader::new(Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(failed)?);
        let mut bytes = Vec::new();
        let mut is_open = true;
        let end = loop {
            tokio::select! {
                read = output.read_until(b'\n', &mut bytes), if is_open => {
                    is_open = read.is_ok_and(|read| read > 0);
                    say(&mut bytes, &mut line);
                }
                status = child.wait() => break End::Status(status.map_err(failed)?),
                () = tokio::time::sleep_until(self.deadline) => {
                    group.end(&mut child).await;
                    break End::TimedOut;
                }
                () = interruption.wait() => {
                    group.end(&mut child).await;
                    return Err(Failure::new("cancelled").because(Cause::Cancelled));
                }
            }
        };
        // What a step leaves in the background ends with it, as on a runner at the end of the job.
        drop(group);
        let last = Instant::now() + LAST_WORDS;
        while is_open && let Ok(Ok(1..)) = timeout_at(last, output.read_until(b'\n', &mut bytes)).await {
            say(&mut bytes, &mut line);
        }
        say(&mut bytes, &mut line);
        Ok(end)
    }
}

fn say(bytes: &mut Vec<u8>, line: &mut impl FnMut(&str)) {
    if !bytes.is_empty() {
        line(String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']));
        bytes.clear();
    }
}

/// The process group of a script; killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    /// Asks the whole group to end, and waits for it: what is cleaned up by a tool outlives the shell that called it.
    async fn end(&self, child: &mut Child) {
        let Some(group) = self.0 else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let gone = async {
            let _ = child.wait().await;
            while test_kill_process_group(group).is_ok() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let _ = timeout(GRACE, gone).await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Nobody is left to kill where the group has ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
