//! A command whose every call is hit, and what must hold whatever happens to it.

use super::call::Call;
use crate::support::room::Room;

#[derive(Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Both sides as they are before the command: the same each time.
    pub(super) open: fn() -> Room,
    pub(super) command: &'static [&'static str],
    /// What passes before the next run.
    pub(super) meanwhile: fn(&Room),
    /// Finds nothing to do once the goal is reached.
    pub(super) idle: &'static [&'static str],
    /// Beginnings of the names of all facts that the command may add, change or take away.
    pub(super) own: &'static [&'static str],
    /// What holds at every call and after it.
    pub(super) always: fn(&Room) -> Result<(), String>,
    /// What holds when the command has ended well; panics where it doesn't.
    pub(super) goal: fn(&Room),
    /// Whether the command may do without the answer to a call.
    pub(super) spared: fn(&Call) -> bool,
    /// The faults that are survived at least.
    pub(super) floor: usize,
    /// The scenario that tries every fault at the calls that both have; here each of them meets one.
    pub(super) beyond: Option<&'static Scenario>,
}
