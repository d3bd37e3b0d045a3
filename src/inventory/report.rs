//! Mistakes in an inventory, shown at their places.

use annotate_snippets::{AnnotationKind, Level as Title, Renderer, Snippet, renderer::DEFAULT_TERM_WIDTH};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::{
    code::{Code, Level},
    source::{Place, Source},
};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What kind it is.
    pub code: Code,
    /// What is wrong, as a lowercase sentence without a period.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What was expected, or the nearest thing that would be right.
    pub label: String,
    /// Another place that it has to do with.
    pub related: Option<Place>,
}

/// All mistakes of one inventory, in the order of the file.
#[derive(Clone, Debug)]
pub struct Report {
    sources: Vec<Source>,
    mistakes: Vec<Mistake>,
}

impl Report {
    /// The mistakes found in the sources, of which the first is the file. They are put in the order of their places.
    #[must_use]
    pub fn new(sources: Vec<Source>, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| (mistake.place.order(), mistake.code));
        mistakes.dedup();
        Self { sources, mistakes }
    }

    /// The mistakes.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// How many there are of a level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.mistakes.iter().filter(|mistake| mistake.code.level() == level).count()
    }

    /// The whole report as text.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let mut text: String =
            self.mistakes.iter().map(|mistake| self.one(mistake, color) + "\n\n").collect();
        text.push_str(&self.summary());
        text
    }

    /// The text of the first mistake of one kind.
    pub(super) fn render_only(&self, code: Code) -> String {
        let mistake = self.mistakes.iter().find(|mistake| mistake.code == code);
        mistake.map(|mistake| self.one(mistake, false)).unwrap_or_default()
    }

    fn one(&self, mistake: &Mistake, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let Some(source) = self.sources.get(mistake.place.source) else { return mistake.message.clone() };
        // A text without a last newline would have its last line cut off.
        let text = format!("{}\n", source.text.trim_end_matches('\n'));
        // A place that is made up, such as the end of the file, may be within a character.
        let clamp = |place: &Place| {
            let end = text.ceil_char_boundary(place.span.end.min(text.len()));
            text.floor_char_boundary(place.span.start.min(text.len() - 1).min(end))..end
        };
        let mut snippet = Snippet::source(&text)
            .path(source.name())
            .annotation(AnnotationKind::Primary.span(clamp(&mistake.place)).label(&mistake.label));
        // A snippet shows one source; a place in another one is named in the label.
        if let Some(related) = mistake.related.as_ref().filter(|place| place.source == mistake.place.source) {
            snippet = snippet.annotation(AnnotationKind::Visible.span(clamp(related)));
        }
        let title = match mistake.code.level() {
            Level::Error => Title::ERROR,
            Level::Warning => Title::WARNING,
        };
        let group = title.primary_title(&mistake.message).id(mistake.code.id()).element(snippet);
        renderer.term_width(DEFAULT_TERM_WIDTH).render(&[group])
    }

    /// How many mistakes there are, and where to read on.
    fn summary(&self) -> String {
        let counted = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            many => format!("{many} {what}s"),
        };
        let (errors, warnings) = (self.count(Level::Error), self.count(Level::Warning));
        let file = self.sources.first().map(Source::name).unwrap_or_default();
        format!(
            "{}, {} in {file}. Each is explained by `pgherd explain CODE`.",
            counted(errors, "error"),
            counted(warnings, "warning"),
        )
    }

    /// Line and column of a mistake, both counted from 1; columns count characters.
    #[must_use]
    pub fn position(&self, mistake: &Mistake) -> (usize, usize) {
        self.sources
            .get(mistake.place.source)
            .map_or((1, 1), |source| source.position(mistake.place.span.start))
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.mistakes.iter().map(|mistake| Located { report: self, mistake }))
    }
}

struct Located<'a> {
    report: &'a Report,
    mistake: &'a Mistake,
}

impl Serialize for Located<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { report, mistake } = self;
        let (line, column) = report.position(mistake);
        let source = report.sources.get(mistake.place.source);
        let excerpt = source.and_then(|source| source.text.get(mistake.place.span.clone()));
        // What stands there may be a secret that was put in the wrong place.
        let excerpt = excerpt.filter(|_| mistake.code != Code::PlainSecret).unwrap_or_default();
        let mut fields = serializer.serialize_struct("Mistake", 8)?;
        fields.serialize_field("code", &mistake.code)?;
        fields.serialize_field("level", &mistake.code.level())?;
        fields.serialize_field("error", &mistake.message)?;
        fields.serialize_field("hint", &mistake.label)?;
        fields.serialize_field("file", &source.map(Source::name))?;
        fields.serialize_field("line", &line)?;
        fields.serialize_field("column", &column)?;
        fields.serialize_field("text", excerpt.lines().next().unwrap_or_default())?;
        fields.end()
    }
}
