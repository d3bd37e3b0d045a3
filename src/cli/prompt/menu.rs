//! A menu that something is being chosen from. Pure: keys in, choice out.

use console::Key;

use super::line::Pressed;

/// Options, the chosen one, and those that fit on the screen.
#[derive(Clone, Debug)]
pub(super) struct Menu<'a> {
    options: &'a [String],
    chosen: usize,
    /// The first one that is seen.
    first: usize,
    rows: usize,
}

impl<'a> Menu<'a> {
    /// A menu of at least one option, of which so many are seen at once.
    pub(super) fn new(options: &'a [String], chosen: usize, rows: usize) -> Self {
        let rows = rows.clamp(1, options.len().max(1));
        let chosen = chosen.min(options.len().saturating_sub(1));
        Self { options, chosen, first: 0, rows }.scrolled()
    }

    /// The chosen one.
    pub(super) fn chosen(&self) -> usize {
        self.chosen
    }

    /// How many lines it takes.
    pub(super) fn height(&self) -> usize {
        self.rows
    }

    /// The lines that are seen, each with whether it is the chosen one.
    pub(super) fn lines(&self) -> impl Iterator<Item = (bool, &'a str)> {
        let chosen = self.chosen;
        let seen = self.options.iter().enumerate().skip(self.first).take(self.rows);
        seen.map(move |(number, option)| (number == chosen, option.as_str()))
    }

    /// Moves as a key says. A letter or digit goes to the next option that begins with it.
    pub(super) fn press(&mut self, key: &Key) -> Pressed {
        let last = self.options.len().saturating_sub(1);
        match key {
            Key::Enter => return Pressed::Done,
            Key::Escape | Key::Char('<') => return Pressed::Back,
            Key::CtrlC | Key::Char('\u{4}') => return Pressed::Interrupted,
            Key::ArrowUp | Key::BackTab => self.chosen = self.chosen.checked_sub(1).unwrap_or(last),
            Key::ArrowDown | Key::Tab => self.chosen = if self.chosen == last { 0 } else { self.chosen + 1 },
            Key::PageUp => self.chosen = self.chosen.saturating_sub(self.rows),
            Key::PageDown => self.chosen = (self.chosen + self.rows).min(last),
            Key::Home => self.chosen = 0,
            Key::End => self.chosen = last,
            Key::Char(letter) => {
                let begins = |option: &String| {
                    option.chars().next().is_some_and(|first| first.to_lowercase().eq(letter.to_lowercase()))
                };
                let count = self.options.len();
                let found = (1..=count)
                    .map(|step| (self.chosen + step) % count.max(1))
                    .find(|number| self.options.get(*number).is_some_and(begins));
                self.chosen = found.unwrap_or(self.chosen);
            }
            _ => {}
        }
        *self = self.clone().scrolled();
        Pressed::More
    }

    fn scrolled(mut self) -> Self {
        self.first = self.first.min(self.chosen).max((self.chosen + 1).saturating_sub(self.rows));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Vec<String> {
        ["fast", "slow", "standard", "nfs"].map(str::to_owned).to_vec()
    }

    #[test]
    fn arrows_letters_and_ends_move() {
        let options = options();
        let mut menu = Menu::new(&options, 1, 10);
        let mut after = |key: Key| {
            menu.press(&key);
            menu.chosen()
        };
        assert_eq!(after(Key::ArrowDown), 2);
        assert_eq!(after(Key::Char('s')), 1);
        assert_eq!(after(Key::Char('S')), 2);
        assert_eq!(after(Key::Char('x')), 2);
        assert_eq!(after(Key::End), 3);
        assert_eq!(after(Key::ArrowDown), 0);
        assert_eq!(after(Key::ArrowUp), 3);
    }

    #[test]
    fn what_doesnt_fit_is_scrolled_to() {
        let options = options();
        let mut menu = Menu::new(&options, 0, 2);
        let seen = |menu: &Menu<'_>| menu.lines().map(|(_, line)| line.to_owned()).collect::<Vec<_>>();
        assert_eq!(seen(&menu), ["fast", "slow"]);
        menu.press(&Key::End);
        assert_eq!(seen(&menu), ["standard", "nfs"]);
        menu.press(&Key::ArrowUp);
        assert_eq!(seen(&menu), ["standard", "nfs"]);
        menu.press(&Key::Home);
        assert_eq!(seen(&menu), ["fast", "slow"]);
    }

    #[test]
    fn some_keys_leave() {
        let options = options();
        let mut menu = Menu::new(&options, 0, 2);
        assert_eq!(menu.press(&Key::Enter), Pressed::Done);
        assert_eq!(menu.press(&Key::Char('<')), Pressed::Back);
        assert_eq!(menu.press(&Key::Escape), Pressed::Back);
        assert_eq!(menu.press(&Key::CtrlC), Pressed::Interrupted);
    }
}
