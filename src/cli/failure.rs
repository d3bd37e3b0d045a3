//! What a verb fails with: the one shape that the printer knows how to show, and how every module's error becomes it.

use super::{codes::Code, exit::Exit};

/// A failed run: what failed, why, and what to do next.
///
/// Boxed, so that a `Result` with it stays small.
#[derive(Debug)]
pub struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    what: String,
    details: Vec<String>,
    next: Option<String>,
    diagnostics: Option<crate::inventory::Report>,
}

impl Failure {
    /// A failure with its code and what failed, as a lowercase sentence without a period.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, what: what.into(), details: Vec::new(), next: None, diagnostics: None }))
    }

    /// A defect of pgherd or of the machine it runs on.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::new(Code::Internal, error.to_string())
    }

    /// Adds a line or paragraph that says why, or what was seen.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.0.details.push(detail.into());
        self
    }

    /// Says what the user can do.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.0.next = Some(next.into());
        self
    }

    /// Mistakes in an inventory, shown at their places.
    #[must_use]
    pub fn inventory(report: crate::inventory::Report) -> Self {
        let mut failure = Self::new(Code::Inventory, "the inventory has mistakes");
        failure.0.diagnostics = Some(report);
        failure
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The exit code of the run.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.0.code.exit()
    }

    /// What failed.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Why, line by line.
    #[must_use]
    pub fn details(&self) -> &[String] {
        &self.0.details
    }

    /// What to do next.
    #[must_use]
    pub fn next_step(&self) -> Option<&str> {
        self.0.next.as_deref()
    }

    /// The mistakes of an inventory, when that is what failed.
    #[must_use]
    pub fn diagnostics(&self) -> Option<&crate::inventory::Report> {
        self.0.diagnostics.as_ref()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0.what)?;
        self.0.details.iter().try_for_each(|detail| write!(formatter, ": {detail}"))
    }
}

impl std::error::Error for Failure {}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(failure) => failure,
            Err(error) => {
                let mut chain = error.chain().map(ToString::to_string);
                let what = chain.next().unwrap_or_default();
                chain.fold(Self::new(Code::Internal, what), Self::because)
            }
        }
    }
}
