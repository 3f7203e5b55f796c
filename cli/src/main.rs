//! The `rmedia` command.

fn main() {}
