//! `sbi status` against the stand-ins: before, after, half done, with rights missing.

use crate::support::room::{ANSWERS, Room};

#[test]
fn show() {
    let room = Room::new();
    let before = room.sbi(&[&["status"], ANSWERS].concat());
    println!("{}\n{}", before.stderr, before.stdout);
    room.init(&["--auth", "access-key"]).exited(0);
    let after = room.sbi(&["status", "--check"]);
    println!("{}\n{}", after.stderr, after.stdout);
}
