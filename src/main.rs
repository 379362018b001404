//! The program: parses the command line, runs the command, exits with its code.

fn main() {}
