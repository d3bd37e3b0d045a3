//! A line that is being typed. Pure: keys in, text out.

use console::Key;

/// What a key came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    /// There will be more.
    More,
    /// It is finished.
    Done,
    /// Escape.
    Back,
    /// The user wants to leave.
    Interrupted,
}

/// A line and the cursor in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    letters: Vec<char>,
    /// Letters before the cursor.
    at: usize,
}

impl Line {
    /// The text so far.
    pub(super) fn text(&self) -> String {
        self.letters.iter().collect()
    }

    /// What is to be seen of it in so many columns, and how many letters stand behind the cursor.
    pub(super) fn view(&self, columns: usize) -> (String, usize) {
        let first = (self.at + 1).saturating_sub(columns.max(1));
        let seen: String = self.letters.iter().skip(first).take(columns).collect();
        let behind = seen.chars().count() - (self.at - first);
        (seen, behind)
    }

    /// Changes the line as a key says.
    pub(super) fn press(&mut self, key: &Key) -> Pressed {
        match key {
            Key::Enter => return Pressed::Done,
            Key::Escape => return Pressed::Back,
            Key::CtrlC => return Pressed::Interrupted,
            // Ctrl-D on an empty line is what ends a shell.
            Key::Char('\u{4}') if self.letters.is_empty() => return Pressed::Interrupted,
            Key::Backspace if self.at > 0 => {
                self.at -= 1;
                self.letters.remove(self.at);
            }
            Key::Del | Key::Char('\u{4}') if self.at < self.letters.len() => {
                self.letters.remove(self.at);
            }
            Key::ArrowLeft => self.at = self.at.saturating_sub(1),
            Key::ArrowRight => self.at = (self.at + 1).min(self.letters.len()),
            Key::Home => self.at = 0,
            Key::End => self.at = self.letters.len(),
            // Ctrl-U.
            Key::Char('\u{15}') => {
                self.letters.drain(..self.at);
                self.at = 0;
            }
            Key::Char(letter) if !letter.is_control() => {
                self.letters.insert(self.at, *letter);
                self.at += 1;
            }
            _ => {}
        }
        Pressed::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[Key]) -> (String, Pressed) {
        let mut line = Line::default();
        let last = keys.iter().map(|key| line.press(key)).last().unwrap_or(Pressed::More);
        (line.text(), last)
    }

    fn letters(text: &str) -> Vec<Key> {
        text.chars().map(Key::Char).collect()
    }

    #[test]
    fn letters_are_put_in_and_taken_out_at_the_cursor() {
        let mut keys = letters("pgo");
        keys.extend([Key::ArrowLeft, Key::Char('g'), Key::ArrowLeft, Key::ArrowLeft, Key::Backspace]);
        assert_eq!(typed(&keys), ("ggo".to_owned(), Pressed::More));
        keys.extend([Key::Home, Key::Del, Key::End, Key::Char('ß'), Key::Enter]);
        assert_eq!(typed(&keys), ("goß".to_owned(), Pressed::Done));
        keys.push(Key::Char('\u{15}'));
        assert_eq!(typed(&keys), (String::new(), Pressed::More));
    }

    #[test]
    fn some_keys_end_the_line() {
        assert_eq!(typed(&[Key::Escape]).1, Pressed::Back);
        assert_eq!(typed(&[Key::CtrlC]).1, Pressed::Interrupted);
        assert_eq!(typed(&[Key::Char('\u{4}')]).1, Pressed::Interrupted);
        assert_eq!(typed(&[Key::Char('a'), Key::Char('\u{4}'), Key::Tab]), ("a".to_owned(), Pressed::More));
    }

    #[test]
    fn of_a_long_line_the_part_around_the_cursor_is_seen() {
        let mut line = Line::default();
        for key in letters("0123456789") {
            line.press(&key);
        }
        assert_eq!(line.view(20), ("0123456789".to_owned(), 0));
        assert_eq!(line.view(5), ("6789".to_owned(), 0));
        line.press(&Key::Home);
        assert_eq!(line.view(5), ("01234".to_owned(), 5));
    }
}
