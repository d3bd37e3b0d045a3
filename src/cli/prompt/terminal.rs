//! Questions on a terminal: confirmations, and the wizard's questions with their way back.

use std::{
    io::{self, IsTerminal as _},
    sync::{Mutex, MutexGuard, PoisonError},
};

use console::{Style, Term, truncate_str};
use dialoguer::{Confirm, Input};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{
    Form, Prompter, Query, Reply,
    line::{Line, Pressed},
    menu::Menu,
};
use crate::cli::{Code, Failure, output::wrap};

/// Asks on the terminal, and refuses where there is none.
///
/// What stands alone, a yes or no or a name that is typed, is asked by `dialoguer`. The wizard's questions are drawn here, on
/// `console`, which is below it: `dialoguer`'s `Input` has no key that goes back, and its `Select` none but Esc and `q`, while
/// here `<` and Esc have to do the same at every question.
#[derive(Debug)]
pub struct Terminal {
    color: bool,
    waits: Mutex<Waits>,
}

/// What is waited for.
#[derive(Debug, Default)]
enum Waits {
    /// Nothing.
    #[default]
    Idle,
    /// An answer. This is how the terminal was before the question.
    Asking(Termios),
    /// The end. A question that is late doesn't touch the terminal any more.
    Over,
}

impl Terminal {
    /// The terminal of this process, with or without colour.
    #[must_use]
    pub fn new(color: bool) -> Self {
        Self { color, waits: Mutex::default() }
    }

    fn refuse(question: &str) -> Failure {
        Failure::new(Code::NoTerminal, "a confirmation is needed, and there is no terminal to ask on")
            .because(format!("The question was: {question}"))
            .next("Answer it with `--yes`.")
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys are read one by one from now on, and an interrupt is a key.
    fn keys(&self) -> Result<Keys<'_>, Failure> {
        let mut waits = self.waits();
        if matches!(*waits, Waits::Over) {
            return Err(interrupted());
        }
        let now = tcgetattr(io::stdin()).map_err(|error| failed(&error.into()))?;
        let mut raw = now.clone();
        raw.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw).map_err(|error| failed(&error.into()))?;
        *waits = Waits::Asking(now);
        Ok(Keys { terminal: self, term: Term::stderr() })
    }

    /// Makes the terminal what it was before a question, if one is waited for.
    fn release(&self, next: Waits) {
        let mut waits = self.waits();
        if let Waits::Asking(before) = &*waits {
            // Nothing is left to be done about a terminal that went away.
            tcsetattr(io::stdin(), OptionalActions::Drain, before).ok();
            // A confirmation hides it, and leaves it so when it is interrupted.
            Term::stderr().show_cursor().ok();
        }
        if !matches!(*waits, Waits::Over) {
            *waits = next;
        }
    }

    fn style(&self) -> Style {
        Style::new().force_styling(self.color)
    }

    /// Asks for a line behind a prompt.
    fn line(keys: &Keys<'_>, prompt: &str) -> Result<Option<String>, Failure> {
        let mut line = Line::default();
        loop {
            keys.draw_line(prompt, &line).map_err(|error| failed(&error))?;
            match keys.press(|key| line.press(key))? {
                Pressed::More => {}
                pressed => {
                    keys.term.write_line("").map_err(|error| failed(&error))?;
                    return left(&pressed).map(|stays| stays.then(|| line.text().trim().to_owned()));
                }
            }
        }
    }

    /// Asks for one of some options.
    fn menu(&self, keys: &Keys<'_>, options: &[String], chosen: usize) -> Result<Option<usize>, Failure> {
        let (rows, _) = keys.term.size();
        let mut menu = Menu::new(options, chosen, usize::from(rows).saturating_sub(4));
        keys.draw_menu(&menu, &self.style()).map_err(|error| failed(&error))?;
        loop {
            let pressed = keys.press(|key| menu.press(key))?;
            keys.term.clear_last_lines(menu.height()).map_err(|error| failed(&error))?;
            if pressed == Pressed::More {
                keys.draw_menu(&menu, &self.style()).map_err(|error| failed(&error))?;
                continue;
            }
            let stays = left(&pressed)?;
            if stays {
                let option = options.get(menu.chosen()).map_or("", String::as_str);
                keys.term.write_line(&format!("  {option}")).map_err(|error| failed(&error))?;
            }
            return Ok(stays.then(|| menu.chosen()));
        }
    }
}

impl Prompter for Terminal {
    fn confirm(&self, question: &str) -> Result<bool, Failure> {
        if !self.is_present() {
            return Err(Self::refuse(question));
        }
        let keys = self.keys()?;
        let confirm = Confirm::new().with_prompt(question).default(false);
        confirm.interact_on(&keys.term).map_err(|dialoguer::Error::IO(error)| failed(&error))
    }

    fn text(&self, question: &str) -> Result<String, Failure> {
        if !self.is_present() {
            return Err(Self::refuse(question));
        }
        let keys = self.keys()?;
        let input = Input::new().with_prompt(question).allow_empty(true);
        input.interact_text_on(&keys.term).map_err(|dialoguer::Error::IO(error)| failed(&error))
    }

    fn ask(&self, query: &Query) -> Result<Reply, Failure> {
        if !self.is_present() {
            return Err(Self::refuse(&query.title));
        }
        let keys = self.keys()?;
        let title = self.style().bold().apply_to(&query.title);
        let help = query.help.iter().flat_map(|paragraph| wrap(paragraph, 76));
        let mut text = format!("\n{title}\n");
        help.for_each(|line| text.extend(["  ", &line, "\n"]));
        keys.term.write_str(&text).map_err(|error| failed(&error))?;
        match &query.form {
            Form::Line { proposal } => {
                let prompt = proposal.as_ref().map_or_else(String::new, |text| format!("[{text}] "));
                Ok(match Self::line(&keys, &format!("  {prompt}> "))? {
                    Some(text) if text != "<" => Reply::Line(text),
                    _ => Reply::Back,
                })
            }
            Form::Menu { options, chosen } => {
                Ok(self.menu(&keys, options, *chosen)?.map_or(Reply::Back, Reply::Chosen))
            }
        }
    }

    fn is_present(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn close(&self) {
        self.release(Waits::Over);
    }
}

/// A terminal whose keys are read one by one, until this is dropped.
struct Keys<'a> {
    terminal: &'a Terminal,
    term: Term,
}

impl Keys<'_> {
    fn press(&self, take: impl FnOnce(&console::Key) -> Pressed) -> Result<Pressed, Failure> {
        self.term.read_key_raw().map(|key| take(&key)).map_err(|error| failed(&error))
    }

    fn draw_line(&self, prompt: &str, line: &Line) -> io::Result<()> {
        let (_, columns) = self.term.size();
        let columns = usize::from(columns).saturating_sub(1);
        // A proposal may be long; some room is left to type in any case.
        let prompt = truncate_str(prompt, columns.saturating_sub(20), "… ");
        let (text, behind) = line.view(columns.saturating_sub(console::measure_text_width(&prompt)));
        self.term.clear_line()?;
        self.term.write_str(&format!("{prompt}{text}"))?;
        self.term.move_cursor_left(behind)
    }

    fn draw_menu(&self, menu: &Menu<'_>, style: &Style) -> io::Result<()> {
        let (_, columns) = self.term.size();
        for (chosen, option) in menu.lines() {
            let line = format!("{} {option}", if chosen { ">" } else { " " });
            let line = truncate_str(&line, usize::from(columns).saturating_sub(1), "…").into_owned();
            let line = if chosen { style.clone().cyan().apply_to(line).to_string() } else { line };
            self.term.write_line(&line)?;
        }
        Ok(())
    }
}

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        self.terminal.release(Waits::Idle);
    }
}

/// Whether an answer was given; not so when the user wants to go back.
fn left(pressed: &Pressed) -> Result<bool, Failure> {
    match pressed {
        Pressed::Done | Pressed::More => Ok(true),
        Pressed::Back => Ok(false),
        Pressed::Interrupted => Err(interrupted()),
    }
}

fn interrupted() -> Failure {
    Failure::new(Code::Interrupted, "interrupted")
}

/// An interrupt while a key is waited for is an error, too.
fn failed(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::Interrupted {
        return interrupted();
    }
    Failure::new(Code::NoTerminal, "the terminal gave no answer").because(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_is_late_is_not_asked() {
        let terminal = Terminal::new(false);
        terminal.close();
        assert_eq!(terminal.keys().err().unwrap().code(), Code::Interrupted);
        terminal.release(Waits::Idle);
        assert!(terminal.keys().is_err());
    }
}
