//! A line of work: live with a spinner on a terminal, otherwise plain lines whenever something changes.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Printer, text::elapsed};

/// Width of the name's column, and of the whole line with the time at its end.
const NAME: usize = 16;
const WIDTH: usize = 80;

/// One line of work, from start to its mark at the end.
#[derive(Debug)]
pub struct Line {
    printer: Printer,
    name: String,
    started: Instant,
    bar: Option<ProgressBar>,
    last: Mutex<String>,
}

impl Line {
    pub(super) fn start(printer: Printer, name: &str) -> Self {
        let bar = printer.live().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style.tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]));
            }
            bar.set_message(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { printer, name: name.to_owned(), started: Instant::now(), bar, last: Mutex::default() }
    }

    /// Says what the work waits for now. The same text again prints nothing on a plain stream.
    pub fn update(&self, text: &str) {
        if let Some(bar) = &self.bar {
            let waited = self.started.elapsed();
            let time = if waited.as_secs() < 1 { String::new() } else { format!(" ({}s)", waited.as_secs()) };
            bar.set_message(format!("{:NAME$} {text}{time}", self.name));
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != text {
            text.clone_into(&mut last);
            self.printer.line(&format!("… {:NAME$} {text}", self.name));
        }
    }

    /// Ends the line well.
    pub fn done(self, text: &str) {
        let mark = self.printer.style().green().apply_to("✓").to_string();
        self.finish(&mark, text);
    }

    /// Ends the line badly, with what was seen below it.
    pub fn failed(self, text: &str, seen: &[String]) {
        let mark = self.printer.style().red().apply_to("✗").to_string();
        let printer = self.printer.clone();
        self.finish(&mark, text);
        for detail in seen {
            for line in super::wrap(detail, WIDTH - 4) {
                printer.line(&format!("    {line}"));
            }
        }
    }

    fn finish(self, mark: &str, text: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let text = format!("{:NAME$} {text}", self.name);
        let time = elapsed(self.started.elapsed());
        let gap = (WIDTH - 2).saturating_sub(text.chars().count() + time.len()).max(2);
        self.printer.line(&format!("{mark} {text}{}{time}", " ".repeat(gap)));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
