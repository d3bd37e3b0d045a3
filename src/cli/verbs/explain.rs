//! `pgherd explain`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    checks,
    cli::{Code, Context, Exit, Failure, output::wrap},
    inventory::{self, examples},
};

/// Explains the code of an error or a warning. Needs neither a cluster nor the internet.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Such as PG-INV-12
    code: String,
}

#[derive(Serialize)]
struct Explained {
    code: &'static str,
    meaning: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<String>,
}

impl Args {
    /// Explains it.
    ///
    /// # Errors
    /// When there is no such code.
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        let explained = explain(&self.code).ok_or_else(|| {
            Failure::new(Code::CodeMissing, format!("there is no code {:?}", self.code))
                .next("A code looks like PG-INV-12 or PG-K8S-04 and stands with the error.")
        })?;
        context.printer.result(&explained, || {
            let mut text = format!("{}\n", explained.code);
            for line in wrap(explained.meaning, 78) {
                text.extend(["  ", &line, "\n"]);
            }
            if let Some(exit) = explained.exit {
                let _ = writeln!(text, "  The run ends with exit code {exit}.");
            }
            if let Some(example) = &explained.example {
                text.extend(["\nFor example:\n\n", example, "\n"]);
            }
            text
        })?;
        Ok(Exit::Success)
    }
}

fn explain(id: &str) -> Option<Explained> {
    if let Some(code) = inventory::Code::parse(id) {
        let example = Some(examples::example(code));
        return Some(Explained { code: code.id(), meaning: code.meaning(), exit: None, example });
    }
    if let Some(code) = checks::Code::parse(id) {
        return Some(Explained { code: code.id(), meaning: code.meaning(), exit: None, example: None });
    }
    let code = Code::all().find(|code| code.id().eq_ignore_ascii_case(id))?;
    Some(Explained {
        code: code.id(),
        meaning: code.meaning(),
        exit: Some(code.exit().code()),
        example: None,
    })
}
