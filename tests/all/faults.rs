//! Whatever breaks at whatever call: the run says what happened, the next one reaches the goal, the one after it
//! writes nothing, and at no time is anything touched that is somebody else's, made twice, or let out.
//!
//! `SBI_FAULTS=all` tries every fault at every call; `SBI_FAULTS='Denied at PUT'` those whose title contains the text.

mod call;
mod destroy;
mod facts;
mod fault;
mod init;
mod renamed;
mod rotate_keys;
mod run;
mod scenario;
mod sweep;
mod to_oidc;
mod update;
