//! Snapshots of what a person reads.
