//! Entry point of the `pgherd` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    pgherd::cli::main()
}
