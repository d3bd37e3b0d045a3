//! Where values come from: the file, a flag, or a variable of the environment.

use std::ops::Range;

use serde::Serialize;

/// One text that settings are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// The whole text.
    pub text: String,
    /// Where each line begins. Whoever blots something out keeps the lines as they are.
    lines: Vec<usize>,
}

/// What a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// The inventory, and what its mistakes call it.
    File(String),
    /// `--set`.
    Flag,
    /// A variable of this name.
    Environment(String),
}

impl Source {
    /// A source and its text.
    #[must_use]
    pub fn new(kind: SourceKind, text: String) -> Self {
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(newlines).collect();
        Self { kind, text, lines }
    }

    /// What mistakes call it.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.kind {
            SourceKind::File(name) => name.clone(),
            SourceKind::Flag => "--set".to_owned(),
            SourceKind::Environment(variable) => format!("${variable}"),
        }
    }

    /// Line and column of a byte offset, both counted from 1; columns count characters.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        // Every setting's line is asked for, so looking through the whole text each time would take long.
        let line = self.lines.partition_point(|start| *start <= before.len());
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        (line, before[start..].chars().count() + 1)
    }
}

/// A place in one of the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the source; the file is the first.
    pub source: usize,
    /// Bytes of its text.
    pub span: Range<usize>,
}

impl Place {
    /// What places are ordered by: the file first, and each source from its beginning.
    #[must_use]
    pub fn order(&self) -> (usize, usize) {
        (self.source, self.span.start)
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// Why a setting has the value that it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A line of the file, counted from 1.
    Line(usize),
    /// A flag.
    Flag,
    /// A variable of the environment.
    Environment(String),
    /// Nobody said anything.
    Default,
}

impl Origin {
    /// The origin of what stands at a place.
    pub(super) fn of(place: &Place, sources: &[Source]) -> Self {
        match sources.get(place.source) {
            Some(source) => match &source.kind {
                SourceKind::File(_) => Self::Line(source.position(place.span.start).0),
                SourceKind::Flag => Self::Flag,
                SourceKind::Environment(variable) => Self::Environment(variable.clone()),
            },
            None => Self::Default,
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(formatter, "line {line}"),
            Self::Flag => write!(formatter, "--set"),
            Self::Environment(variable) => write!(formatter, "${variable}"),
            Self::Default => write!(formatter, "default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_from_one() {
        let source = Source::new(SourceKind::Flag, "a\nbä = 1\n\nc".to_owned());
        let positions = [0, 1, 2, 4, 5, 9, 10, 11, 12, 99].map(|offset| source.position(offset));
        let expected = [(1, 1), (1, 2), (2, 1), (4, 2), (2, 3), (2, 7), (3, 1), (4, 1), (4, 2), (4, 2)];
        assert_eq!(positions, expected);
    }
}
