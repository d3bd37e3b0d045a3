//! Questions to the user. Verbs ask through [`Prompter`], so that tests answer without a terminal.

use std::io::IsTerminal as _;

use dialoguer::{Confirm, Input};

use super::{Code, Failure};

/// Somebody who answers questions.
pub trait Prompter: std::fmt::Debug + Send + Sync {
    /// A yes or no; no is what an empty answer means.
    ///
    /// # Errors
    /// When nobody is there to ask, or the terminal fails.
    fn confirm(&self, question: &str) -> Result<bool, Failure>;

    /// A text, for instance a name typed to confirm a destruction.
    ///
    /// # Errors
    /// When nobody is there to ask, or the terminal fails.
    fn text(&self, question: &str) -> Result<String, Failure>;
}

/// Asks on the terminal, and refuses where there is none.
#[derive(Debug)]
pub struct Terminal;

impl Terminal {
    fn present(question: &str) -> Result<(), Failure> {
        if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
            return Ok(());
        }
        Err(Failure::new(Code::NoTerminal, "a confirmation is needed, and there is no terminal to ask on")
            .because(format!("The question was: {question}"))
            .next("Answer it with `--yes`."))
    }
}

impl Prompter for Terminal {
    fn confirm(&self, question: &str) -> Result<bool, Failure> {
        Self::present(question)?;
        Confirm::new().with_prompt(question).default(false).interact().map_err(|error| failed(&error))
    }

    fn text(&self, question: &str) -> Result<String, Failure> {
        Self::present(question)?;
        Input::new().with_prompt(question).allow_empty(true).interact_text().map_err(|error| failed(&error))
    }
}

fn failed(error: &dialoguer::Error) -> Failure {
    Failure::new(Code::NoTerminal, "the terminal gave no answer").because(error.to_string())
}
