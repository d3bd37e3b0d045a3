//! What a request to the API server failed with: what was being done, to what, and of which kind the failure is.

/// A failed request.
#[derive(Debug, thiserror::Error)]
#[error("can't {action}: {}", self.message())]
pub struct Error {
    action: String,
    source: Box<kube::Error>,
}

/// Kinds of failure that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The object, or its kind, doesn't exist.
    NotFound,
    /// It exists already, or somebody else changed it meanwhile.
    Conflict,
    /// The caller may not do this.
    Forbidden,
    /// The API server doesn't know who calls.
    Unauthorised,
    /// The object is refused: by its schema, by validation or by an admission rule.
    Invalid,
    /// The API server is too busy, or not well.
    Overloaded,
    /// No answer, or one that can't be understood.
    Transport,
}

impl Error {
    /// A failed request, with what it was to do: `"read deployment pgo/pgherd"`.
    #[must_use]
    pub fn new(action: impl Into<String>, source: kube::Error) -> Self {
        Self { action: action.into(), source: Box::new(source) }
    }

    /// What was being done.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let kube::Error::Api(status) = self.source.as_ref() else {
            return Kind::Transport;
        };
        match status.code {
            401 => Kind::Unauthorised,
            403 => Kind::Forbidden,
            404 => Kind::NotFound,
            409 => Kind::Conflict,
            429 | 500..=599 => Kind::Overloaded,
            _ => Kind::Invalid,
        }
    }

    /// The API server's own words, or the innermost cause of a request that got no answer.
    #[must_use]
    pub fn message(&self) -> String {
        match self.source.as_ref() {
            kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
            kube::Error::Api(status) => format!("HTTP {} {}", status.code, status.reason),
            other => innermost(other),
        }
    }
}

/// The last error of a chain. Errors of input and output hide their cause from [`std::error::Error::source`].
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(next) = cause(deepest) {
        deepest = next;
    }
    deepest.to_string()
}

/// The cause of an error, also where it is wrapped in an [`std::io::Error`].
pub(super) fn cause<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// Says what a request was to do.
pub trait Doing<T> {
    /// Adds what was being done to a failed request.
    ///
    /// # Errors
    /// The failed request, when it failed.
    fn doing<S: Into<String>>(self, action: impl FnOnce() -> S) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, kube::Error> {
    fn doing<S: Into<String>>(self, action: impl FnOnce() -> S) -> Result<T, Error> {
        self.map_err(|source| Error::new(action(), source))
    }
}
