//! `pgherd completion SHELL`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::{Cli, Context, Exit, Failure};

/// Which shell to write a completion script for.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    /// Writes the script to standard output.
    ///
    /// # Errors
    /// When standard output can't be written.
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { shell } = self;
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "pgherd", &mut script);
        context.printer.raw(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Success)
    }
}
