//! Entry point of the `pgherd` binary.

fn main() {}
