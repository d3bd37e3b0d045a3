//! Mistakes in an inventory, and how they are shown at their places.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DEFAULT_TERM_WIDTH};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::code::Code;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What kind it is.
    pub code: Code,
    /// What is wrong, as a lowercase sentence without a period.
    pub message: String,
    /// Where in the file, in bytes.
    pub span: Range<usize>,
    /// What was expected, or the nearest thing that would be right.
    pub label: String,
    /// Another place that it has to do with.
    pub related: Option<Range<usize>>,
}

/// All mistakes of one file, in the order of the file.
#[derive(Clone, Debug)]
pub struct Report {
    file: String,
    source: String,
    mistakes: Vec<Mistake>,
}

impl Report {
    /// The mistakes found in a file. They are put in the order of their places.
    #[must_use]
    pub fn new(file: String, source: String, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| (mistake.span.start, mistake.code));
        mistakes.dedup();
        Self { file, source, mistakes }
    }

    /// The mistakes.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// The whole report as text.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        // A file without a last newline would have its last line cut off.
        let source = format!("{}\n", self.source.trim_end_matches('\n'));
        let mut text = String::new();
        for mistake in &self.mistakes {
            let clamp = |span: &Range<usize>| span.start.min(source.len() - 1)..span.end.min(source.len());
            let mut snippet = Snippet::source(&source)
                .path(&self.file)
                .annotation(AnnotationKind::Primary.span(clamp(&mistake.span)).label(&mistake.label));
            if let Some(related) = &mistake.related {
                snippet = snippet.annotation(AnnotationKind::Visible.span(clamp(related)));
            }
            let group = Level::ERROR.primary_title(&mistake.message).id(mistake.code.id()).element(snippet);
            text.push_str(&renderer.clone().term_width(DEFAULT_TERM_WIDTH).render(&[group]));
            text.push_str("\n\n");
        }
        let errors = self.mistakes.len();
        let plural = if errors == 1 { "" } else { "s" };
        format!("{text}{errors} error{plural} in {}", self.file)
    }

    /// Line and column of a place, both counted from 1; columns count characters.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        position(&self.source, offset)
    }
}

/// Line and column of a byte offset, both counted from 1; columns count characters.
pub(super) fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mistakes: Vec<Located<'_>> =
            self.mistakes.iter().map(|mistake| Located { report: self, mistake }).collect();
        mistakes.serialize(serializer)
    }
}

struct Located<'a> {
    report: &'a Report,
    mistake: &'a Mistake,
}

impl Serialize for Located<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { report, mistake } = self;
        let (line, column) = report.position(mistake.span.start);
        let mut fields = serializer.serialize_struct("Mistake", 6)?;
        fields.serialize_field("code", &mistake.code)?;
        fields.serialize_field("error", &mistake.message)?;
        fields.serialize_field("hint", &mistake.label)?;
        fields.serialize_field("file", &report.file)?;
        fields.serialize_field("line", &line)?;
        fields.serialize_field("column", &column)?;
        fields.end()
    }
}
