//! The only thing that writes to the process's streams, and that knows what they are.

use std::{
    ffi::OsStr,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{
    ValueEnum as _,
    builder::{EnumValueParser, TypedValueParser},
};
use console::Style;
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use tracing_subscriber::fmt::MakeWriter;

use super::{Line, wrap};
use crate::{
    cli::{Code, Exit, Failure},
    inventory::Report,
};

/// The form of results on standard output, and of a failure on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// What `-o` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The form of the result.
    Form(Format),
    /// The file or folder that a verb writes.
    Path(PathBuf),
}

impl Output {
    /// The form of the result.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::Form(format) => *format,
            Self::Path(_) => Format::Table,
        }
    }

    /// The path, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Form(_) => None,
            Self::Path(path) => Some(path),
        }
    }
}

/// Takes what is no form for a path. [`OutputParser::refuse`] has the verbs that write nothing refuse that.
#[derive(Clone, Debug)]
pub struct OutputParser;

impl OutputParser {
    /// Why a path can't be what was meant. One without a dot or slash is a slip in the name of a form.
    pub(crate) fn refuse(command: &clap::Command, path: &Path) -> clap::Error {
        let argument = command.get_arguments().find(|argument| argument.get_id() == "output");
        match EnumValueParser::<Format>::new().parse_ref(command, argument, path.as_os_str()) {
            Err(error) if !Self::is_written_as_path(path) => error,
            _ => clap::Error::raw(
                clap::error::ErrorKind::InvalidValue,
                format!(
                    "invalid value '{}' for '--output <table|json|yaml>': this verb writes no file\n",
                    path.display()
                ),
            )
            .with_cmd(command),
        }
    }

    /// Whether it can't be the name of a form.
    pub(crate) fn is_written_as_path(path: &Path) -> bool {
        path.extension().is_some() || path.components().count() > 1 || path.is_absolute()
    }
}

impl TypedValueParser for OutputParser {
    type Value = Output;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Output, clap::Error> {
        let form = EnumValueParser::<Format>::new().parse_ref(command, argument, value);
        Ok(form.map_or_else(|_| Output::Path(value.into()), Output::Form))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = clap::builder::PossibleValue> + '_>> {
        Some(Box::new(Format::value_variants().iter().filter_map(clap::ValueEnum::to_possible_value)))
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is told besides the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Failures only.
    Quiet,
    /// Progress and what to do next.
    Normal,
    /// Also what is done in detail; each `-v` adds to it.
    Verbose(u8),
}

/// Writes results, progress and failures. Clones write to the same place.
#[derive(Clone, Debug)]
pub struct Printer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    format: Format,
    verbosity: Verbosity,
    color: bool,
    bars: Option<MultiProgress>,
}

impl Printer {
    /// A printer for this process's streams.
    #[must_use]
    pub fn new(format: Format, verbosity: Verbosity, color: Color) -> Self {
        let terminal = io::stderr().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !refused,
        };
        let live = terminal && verbosity == Verbosity::Normal && format == Format::Table;
        let bars = live.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self { inner: Arc::new(Inner { format, verbosity, color, bars }) }
    }

    /// The form that results are asked for in.
    #[must_use]
    pub fn format(&self) -> Format {
        self.inner.format
    }

    /// Whether text on standard error is coloured.
    #[must_use]
    pub fn colored(&self) -> bool {
        self.inner.color
    }

    /// Writes the one result of a run to standard output: as data, or as `text` for people.
    ///
    /// # Errors
    /// When standard output can't be written. A reader that went away is no error.
    pub fn result<T: Serialize>(&self, value: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let output = match self.inner.format {
            Format::Table => text(),
            Format::Json => serde_json::to_string_pretty(value).map_err(Failure::internal)? + "\n",
            Format::Yaml => serde_saphyr::to_string(value).map_err(Failure::internal)?,
        };
        self.raw(&output)
    }

    /// Writes text to standard output as it is, whatever the format.
    ///
    /// # Errors
    /// When standard output can't be written. A reader that went away is no error.
    pub fn raw(&self, text: &str) -> Result<(), Failure> {
        let write = || {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes())?;
            stdout.flush()
        };
        match self.suspended(write) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(Code::Output, "standard output can't be written").because(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Tells something on standard error, unless only the result was asked for.
    pub fn line(&self, text: &str) {
        if self.talks() {
            self.to_stderr(text);
        }
    }

    /// Tells of something that needs attention but stops nothing. Said even with `-q`.
    pub fn warning(&self, text: &str) {
        let label = self.style().yellow().bold().apply_to("warning:");
        self.to_stderr(&format!("{label} {text}"));
    }

    /// Shows what may not be as meant in an inventory. Said even with `-q`; where data was asked for, it is in the data.
    pub fn report(&self, warnings: &Report) {
        if self.inner.format == Format::Table && !warnings.mistakes().is_empty() {
            self.to_stderr(&format!("{}\n", warnings.render(self.inner.color)));
        }
    }

    /// Starts a line of work.
    #[must_use]
    pub fn start(&self, name: &str) -> Line {
        Line::start(self.clone(), name)
    }

    /// Shows a failure and gives the exit code that goes with it.
    #[must_use]
    pub fn failure(&self, failure: &Failure) -> Exit {
        let document = FailureDocument::from(failure);
        let text = match self.inner.format {
            Format::Json => serde_json::to_string_pretty(&document).unwrap_or_else(|_| failure.to_string()),
            Format::Yaml => serde_saphyr::to_string(&document).unwrap_or_else(|_| failure.to_string()),
            Format::Table => self.describe(failure),
        };
        self.to_stderr(text.trim_end());
        failure.exit()
    }

    /// A style that is plain where colour isn't wanted.
    #[must_use]
    pub fn style(&self) -> Style {
        Style::new().force_styling(self.inner.color)
    }

    /// Runs `write` while live lines are out of the way.
    pub fn suspended<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.inner.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    pub(super) fn live(&self) -> Option<&MultiProgress> {
        self.inner.bars.as_ref()
    }

    /// Whether progress is told. Data asked for as JSON or YAML is for a program, in whose way it would only be.
    #[must_use]
    pub fn talks(&self) -> bool {
        match self.inner.format {
            Format::Table => self.inner.verbosity > Verbosity::Quiet,
            Format::Json | Format::Yaml => self.inner.verbosity > Verbosity::Normal,
        }
    }

    fn describe(&self, failure: &Failure) -> String {
        if let Some(report) = failure.diagnostics() {
            return report.render(self.inner.color);
        }
        let label = self.style().red().bold().apply_to("error:");
        let code = format!("[{}]", failure.code().id());
        let first = failure.what().chars().count() + "error: ".len();
        let gap = if first + 2 + code.len() <= 80 { 80 - first - code.len() } else { 2 };
        let mut text = format!("{label} {}{}{code}\n", failure.what(), " ".repeat(gap));
        for paragraph in failure.details().iter().map(String::as_str).chain(failure.next_step()) {
            for line in wrap(paragraph, 78) {
                text.extend(["  ", &line, "\n"]);
            }
        }
        text
    }

    fn to_stderr(&self, text: &str) {
        // Nothing can be told about a standard error that can't be written.
        self.suspended(|| writeln!(io::stderr().lock(), "{text}")).ok();
    }
}

/// A failure as data.
#[derive(Serialize)]
struct FailureDocument<'a> {
    code: &'static str,
    exit: u8,
    error: &'a str,
    details: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<&'a crate::inventory::Report>,
}

impl<'a> From<&'a Failure> for FailureDocument<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            code: failure.code().id(),
            exit: failure.exit().code(),
            error: failure.what(),
            details: failure.details(),
            next: failure.next_step(),
            diagnostics: failure.diagnostics(),
        }
    }
}

/// Log lines go through the printer too, so that they don't tear live lines apart.
impl<'a> MakeWriter<'a> for Printer {
    type Writer = LogWriter;

    fn make_writer(&'a self) -> Self::Writer {
        LogWriter(self.clone())
    }
}

/// Writes whole log lines to standard error.
#[derive(Debug)]
pub struct LogWriter(Printer);

impl io::Write for LogWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.suspended(|| io::stderr().lock().write_all(buffer))?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}
