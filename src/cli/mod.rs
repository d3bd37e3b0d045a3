//! The command line: one file per verb, and what the verbs share.

mod args;
mod codes;
mod context;
mod exit;
mod explain;
mod failure;
pub mod output;
mod prompt;
pub mod verbs;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};
use tracing_subscriber::EnvFilter;

pub use self::{
    codes::Code,
    context::{Context, Globals, Settings},
    exit::Exit,
    failure::Failure,
    output::{OutputParser, Printer},
    prompt::{Form, Prompter, Query, Reply, Terminal},
    verbs::Verb,
};

/// What the binary does, from the arguments of the process to its exit code.
///
/// It is here and not in `main.rs`, because a future is compiled in the crate that waits for it: otherwise the binary would
/// compile nearly all of the library a second time.
#[must_use]
pub fn main() -> ExitCode {
    // The provider can be chosen once per process; nothing chose one before.
    rustls::crypto::ring::default_provider().install_default().ok();

    let cli = match Cli::from_arguments() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
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

/// Installs and runs PostgreSQL on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "pgherd", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

impl Cli {
    /// The command line of this process.
    fn from_arguments() -> Result<Self, clap::Error> {
        let cli = Self::try_parse()?;
        // Only verbs that write something take a path with `-o`; for the others it is the form of the result.
        match cli.globals.output.path() {
            Some(path) if !cli.verb.writes().takes(path) => {
                let mut command = Self::command();
                command.build();
                Err(OutputParser::refuse(&command, path))
            }
            _ => Ok(cli),
        }
    }

    /// The printer that this command line asks for.
    #[must_use]
    pub fn printer(&self) -> Printer {
        Printer::new(self.globals.output.format(), self.globals.verbosity(), self.globals.color)
    }

    /// Starts logging to standard error: text for people, JSON for the operator, whose log is collected by machines.
    pub fn start_logging(&self, printer: &Printer) {
        let default = match (self.verb.serves(), self.globals.verbose) {
            (true, 0) | (false, 1) => "warn,pgherd=info",
            (true, 1) | (false, 2) => "info,pgherd=debug",
            // What failed is told once, by the printer; the client's log would say it before, and worse.
            (false, 0) => "off",
            _ => "debug,pgherd=trace",
        };
        let filter = EnvFilter::try_from_env("PGHERD_LOG").unwrap_or_else(|_| EnvFilter::new(default));
        let builder =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(printer.clone()).with_target(false);
        // A second subscriber can only come from a test that set one; its choice stands.
        if self.verb.serves() {
            builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init().ok();
        } else {
            builder.without_time().with_ansi(printer.colored()).try_init().ok();
        }
    }

    /// Carries the command out.
    ///
    /// # Errors
    /// Whatever the verb fails with, ready to be shown.
    pub async fn run(self, printer: Printer) -> Result<Exit, Failure> {
        let Self { globals, verb } = self;
        let (serves, after_interrupt) = (verb.serves(), verb.after_interrupt());
        let context = Context::new(
            Settings::from_globals(globals),
            printer.clone(),
            Box::new(Terminal::new(printer.colored())),
        );
        if serves {
            return verb.run(&context).await;
        }
        let outcome = tokio::select! {
            outcome = verb.run(&context) => outcome,
            () = interrupted(&context) => Err(Failure::new(Code::Interrupted, "interrupted")),
        };
        if matches!(&outcome, Err(failure) if failure.code() == Code::Interrupted) {
            context.clean_up().await;
        }
        context.close_terminal();
        outcome.map_err(|failure| match (failure.code(), failure.next_step()) {
            (Code::Interrupted, None) => failure.next(after_interrupt),
            _ => failure,
        })
    }
}

/// Waits for SIGTERM, or for a SIGINT that is meant for this process.
async fn interrupted(context: &Context) {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    let typed = async {
        loop {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            if !context.interrupts_are_for_child() {
                return;
            }
        }
    };
    tokio::select! {
        () = typed => {}
        _ = terminated => {}
    }
}
