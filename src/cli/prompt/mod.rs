//! Questions to the user. Verbs ask through [`Prompter`], so that tests answer without a terminal.

mod line;
mod menu;
mod terminal;

pub use self::terminal::Terminal;
use super::Failure;

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

    /// One of several questions, from which there is a way back.
    ///
    /// # Errors
    /// When nobody is there to ask, when the answer is an interrupt, or the terminal fails.
    fn ask(&self, query: &Query) -> Result<Reply, Failure>;

    /// Whether somebody is there.
    fn is_present(&self) -> bool;

    /// Asks nothing any more, and undoes what waiting for an answer does to the terminal.
    fn close(&self);
}

/// One of several questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The question in one line.
    pub title: String,
    /// What there is to know about it.
    pub help: Vec<String>,
    /// How it is answered.
    pub form: Form,
}

/// How a question is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// By typing something. An empty line takes the proposal.
    Line {
        /// What is proposed, as it is shown.
        proposal: Option<String>,
    },
    /// By choosing.
    Menu {
        /// What there is.
        options: Vec<String>,
        /// The one to begin with.
        chosen: usize,
    },
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// This was typed. Nothing, where the proposal was taken.
    Line(String),
    /// The option of this number was chosen.
    Chosen(usize),
    /// The question before is to be asked again.
    Back,
}
