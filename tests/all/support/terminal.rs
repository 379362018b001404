//! A program in a pseudo-terminal, and what a person would see of it.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Far beyond anything but a hang, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const ROWS: u16 = 50;

/// A running program and its screen. It is killed when dropped.
pub(crate) struct Session {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    raw: Vec<u8>,
    master: Box<dyn MasterPty + Send>,
}

impl Session {
    /// Starts `program` in `folder` with only these variables and `PATH`, on a terminal of `columns`.
    pub(crate) fn start(program: &str, args: &[&str], folder: &Path, env: &[(&str, &str)], columns: u16) -> Self {
        let size = PtySize { rows: ROWS, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(folder);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", folder);
        command.env("TERM", "xterm-256color");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let keyboard = pair.master.take_writer().expect("a writer");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The end of a pseudo-terminal is an error on Linux and an empty read elsewhere.
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let non_zero = |size: u16| NonZero::new(size).expect("a terminal has rows and columns");
        let screen = vt100::Parser::new(non_zero(ROWS), non_zero(columns), 0);
        Self { child, keyboard, output, screen, raw: Vec::new(), master: pair.master }
    }

    /// Waits until `text` is on the screen.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.screen().contains(text) {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("no {text:?} on the screen:\n{}", self.screen()),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without {text:?}:\n{}", self.screen()),
            }
        }
    }

    /// Answers a question: waits until the program has taken the keyboard over, then types `keys` as they are.
    /// `"\r"` is Enter, `"\u{3}"` Ctrl-C, `"\u{1b}[B"` the arrow down.
    #[track_caller]
    pub(crate) fn press(&mut self, keys: &str) {
        let end = Instant::now() + PATIENCE;
        while self.echoes() {
            assert!(Instant::now() < end, "nobody reads the keyboard:\n{}", self.screen());
            std::thread::yield_now();
        }
        self.send(keys);
    }

    /// Types `keys` at once, whatever the program is doing.
    pub(crate) fn send(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.keyboard.flush().expect("the terminal takes keys");
    }

    #[track_caller]
    pub(crate) fn type_line(&mut self, line: &str) {
        self.press(&format!("{line}\r"));
    }

    /// While the terminal itself shows what is typed, no question is being read.
    fn echoes(&self) -> bool {
        /// `ECHO` of termios.h, the same on Linux and macOS.
        const ECHO: u64 = 0o10;
        self.master.get_termios().is_some_and(|modes| u64::from(modes.local_flags.bits()) & ECHO != 0)
    }

    /// Reads to the end and returns the exit code.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("still running:\n{}", self.screen()),
            }
        }
        self.child.wait().expect("an exit status").exit_code()
    }

    /// The visible text.
    pub(crate) fn screen(&self) -> String {
        // Row by row: `contents` joins rows that were filled to the edge.
        let columns = self.screen.screen().size().1;
        let rows: Vec<String> =
            self.screen.screen().rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    pub(crate) fn cursor_is_hidden(&self) -> bool {
        self.screen.screen().hide_cursor()
    }

    /// Everything that was written, escape sequences included.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.screen.process(bytes);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Ended already, most of the time.
        let _ = self.child.kill();
    }
}

/// Whether a text sets a colour (`ESC [ 1 m`, `ESC [ 31 m`, …).
pub(crate) fn is_coloured(raw: &str) -> bool {
    raw.split("\u{1b}[").skip(1).any(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == ';')).unwrap_or(0);
        rest[end..].starts_with('m') && !matches!(&rest[..end], "" | "0")
    })
}
