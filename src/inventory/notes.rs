//! What was found while reading: mistakes, and places that must never be shown.

use std::{cell::RefCell, collections::BTreeSet};

use super::{
    code::Code,
    report::{Mistake, Report},
    source::{Place, Source},
};

/// Mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    mistakes: RefCell<Vec<Mistake>>,
    secrets: RefCell<Vec<Place>>,
    wrong: RefCell<BTreeSet<String>>,
}

impl Notes {
    pub(super) fn add(&self, code: Code, place: Place, message: String, label: impl Into<String>) {
        self.push(Mistake { code, message, place, label: label.into(), related: None });
    }

    pub(super) fn push(&self, mistake: Mistake) {
        self.mistakes.borrow_mut().push(mistake);
    }

    /// Remembers that a setting is there, though its value is wrong.
    pub(super) fn wrong(&self, path: &str) {
        self.wrong.borrow_mut().insert(path.to_owned());
    }

    /// Whether a setting is there and its value wrong. It isn't missing then, which would be a second mistake.
    pub(super) fn is_wrong(&self, path: &str) -> bool {
        self.wrong.borrow().contains(path)
    }

    /// Keeps what stands at a place out of every report.
    pub(super) fn hide(&self, place: Place) {
        self.secrets.borrow_mut().push(place);
    }

    /// The report on the sources, with secrets blotted out.
    pub(super) fn into_report(self, mut sources: Vec<Source>) -> Report {
        for place in self.secrets.into_inner() {
            if let Some(source) = sources.get_mut(place.source) {
                blot(&mut source.text, place.span);
            }
        }
        Report::new(sources, self.mistakes.into_inner())
    }
}

/// Replaces a part of a text without moving what follows.
fn blot(text: &mut String, span: std::ops::Range<usize>) {
    if let Some(part) = text.get(span.clone()) {
        let blotted: String = part
            .bytes()
            .map(|byte| if matches!(byte, b'\n' | b'"' | b'\'') { char::from(byte) } else { '*' })
            .collect();
        text.replace_range(span, &blotted);
    }
}

/// Blots out what is written behind keys that hold secrets, in a text that can't be parsed.
pub(super) fn blot_suspicious(text: &str) -> String {
    let secret = |key: &str| ["secret", "password", "token"].iter().any(|word| key.contains(word));
    let mut blotted = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.split_once('=') {
            Some((key, value)) if secret(key) => {
                blotted.push_str(key);
                blotted.push('=');
                let mut value = value.to_owned();
                let end = value.trim_end().len();
                blot(&mut value, 0..end);
                blotted.push_str(&value);
            }
            _ => blotted.push_str(line),
        }
    }
    blotted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_blotted_keeps_its_length() {
        let text = "a = 1\nsecret = \"grün\" x\nb = 2\n";
        let blotted = blot_suspicious(text);
        assert_eq!(blotted.len(), text.len());
        assert!(!blotted.contains("grün") && blotted.ends_with("b = 2\n"), "{blotted}");
    }
}
