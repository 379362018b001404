//! The rehearsal of the pipeline: runs the scripts of a workflow file as a runner would, on this machine.
//!
//! `workflow` is the file as data, `expression` and `scope` are GitHub's expressions, `runner` and `job` do what a runner
//! does, `tools` finds what stands in for the runner's programs, `evidence` reads what the jobs left. Nothing here
//! reaches AWS or GitHub, and no credential reaches a script.

mod actions;
mod artifacts;
pub mod environment;
pub mod event;
pub mod evidence;
pub mod expression;
mod job;
mod machine;
pub mod matrix;
pub mod process;
pub mod runner;
pub mod scope;
pub mod scratch;
pub mod source;
pub mod speech;
pub mod tools;
pub mod value;
pub mod workflow;

#[cfg(test)]
mod tests;
