//! A line of work: live with a spinner on a terminal, otherwise plain lines whenever something changes.

use std::{
    sync::{Arc, Mutex, PoisonError},
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
    /// On a plain stream: the newest reason to wait, until it is printed.
    pending: Arc<Mutex<Option<String>>>,
    /// Prints it.
    ticking: Option<tokio::task::JoinHandle<()>>,
}

impl Line {
    pub(super) fn start(printer: Printer, name: &str) -> Self {
        let bar = printer.live().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
                bar.set_style(style.tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]));
            }
            bar.set_message(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        let pending: Arc<Mutex<Option<String>>> = Arc::default();
        let ticking = (bar.is_none() && printer.talks())
            .then(|| tokio::runtime::Handle::try_current().ok())
            .flatten()
            .map(|runtime| runtime.spawn(tell(printer.clone(), name.to_owned(), Arc::clone(&pending))));
        Self { printer, name: name.to_owned(), started: Instant::now(), bar, pending, ticking }
    }

    /// Says what the work waits for now. On a plain stream that is printed at most once a second, and only if it is
    /// something else than before.
    pub fn update(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{:NAME$} {text}", self.name));
            return;
        }
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
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

    fn finish(mut self, mark: &str, text: &str) {
        self.clear();
        let text = format!("{:NAME$} {text}", self.name);
        let time = elapsed(self.started.elapsed());
        let gap = (WIDTH - 2).saturating_sub(text.chars().count() + time.len()).max(2);
        self.printer.line(&format!("{mark} {text}{}{time}", " ".repeat(gap)));
    }
}

impl Line {
    /// Takes the live line off the terminal. A bar that is only finished would keep its row there.
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            if let Some(bars) = self.printer.live() {
                bars.remove(&bar);
            }
        }
    }
}

/// Prints the newest reason every second: a log keeps what took its time, and is spared what passed at once.
async fn tell(printer: Printer, name: String, pending: Arc<Mutex<Option<String>>>) {
    let mut interval = tokio::time::interval(Duration::from_secs(1));
    let mut last = String::new();
    interval.tick().await;
    loop {
        interval.tick().await;
        let text = pending.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(text) = text.filter(|text| *text != last) {
            printer.line(&format!("… {name:NAME$} {text}"));
            last = text;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
        if let Some(ticking) = self.ticking.take() {
            ticking.abort();
        }
    }
}
