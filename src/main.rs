//! Entry point of the `pgherd` binary: the TLS provider, the command line, the runtime, the exit code.

use std::process::ExitCode;

use clap::Parser as _;
use pgherd::cli::{Cli, Exit, Failure};

fn main() -> ExitCode {
    // The provider can be chosen once per process; nothing chose one before `main`.
    rustls::crypto::ring::default_provider().install_default().ok();

    let cli = Cli::parse();
    let printer = cli.printer();
    cli.start_logging(&printer);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return printer.failure(&Failure::internal(error)).into(),
    };
    let exit = match runtime.block_on(cli.run(printer.clone())) {
        Ok(exit) => exit,
        Err(failure) => printer.failure(&failure),
    };
    // A prompt that was interrupted still sits in a blocking thread; the process doesn't wait for its answer.
    runtime.shutdown_background();
    Exit::into(exit)
}
