//! A pseudo-terminal with the wizard in it.

use nix::sys::{
    signal::Signal,
    termios::{LocalFlags, tcgetattr},
    wait::WaitStatus,
};
use rexpect::{
    reader::Options,
    session::{PtySession, spawn_with_options},
};

use crate::sandbox::Sandbox;

/// How long something may take to be seen.
const PATIENCE: u64 = 30_000;

pub(crate) const ENTER: &str = "\r";
pub(crate) const ESCAPE: &str = "\u{1b}";
pub(crate) const DOWN: &str = "\u{1b}[B";
pub(crate) const HIDE_CURSOR: &str = "\u{1b}[?25l";
pub(crate) const SHOW_CURSOR: &str = "\u{1b}[?25h";

/// A running wizard.
pub(crate) struct Wizard {
    session: PtySession,
}

impl Wizard {
    /// Starts `pgherd init` with more arguments.
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        Self::start_with(sandbox, arguments, Options::new().strip_ansi_escape_codes(true))
    }

    /// The same, and what the terminal is told besides text can be seen, too.
    pub(crate) fn start_with_codes(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        Self::start_with(sandbox, arguments, Options::new())
    }

    fn start_with(sandbox: &Sandbox, arguments: &[&str], options: Options) -> Self {
        let mut command = sandbox.command();
        command.env("TERM", "xterm").env("NO_COLOR", "1").arg("init").args(arguments);
        Self { session: spawn_with_options(command, options.timeout_ms(Some(PATIENCE))).unwrap() }
    }

    /// Waits until a text is there, and gives what came before it.
    pub(crate) fn sees(&mut self, text: &str) -> String {
        self.session.exp_string(text).unwrap_or_else(|error| panic!("{text:?} is not seen: {error}"))
    }

    /// Presses keys. The program has to wait for them: what is sent earlier can get lost between two questions.
    pub(crate) fn press(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
        self.session.flush().unwrap();
    }

    /// Waits for the line of a question, and answers it.
    pub(crate) fn answer(&mut self, question: &str, text: &str) {
        self.sees(question);
        self.sees("> ");
        self.press(&format!("{text}\r"));
    }

    /// Waits for a menu, and chooses what is marked.
    pub(crate) fn choose(&mut self, question: &str, keys: &str) {
        self.sees(question);
        self.sees("> ");
        self.press(keys);
    }

    /// Takes the proposals of some questions.
    pub(crate) fn takes(&mut self, questions: &[&str]) {
        for question in questions {
            self.choose(question, ENTER);
        }
    }

    /// Whether the terminal gathers lines and makes signals of keys, as it does for a shell.
    pub(crate) fn is_ordinary(&self) -> bool {
        let terminal = self.session.process().get_file_handle().unwrap();
        let ordinary = LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN;
        tcgetattr(terminal).unwrap().local_flags.contains(ordinary)
    }

    /// Sends the signal that asks a program to end.
    pub(crate) fn terminate(&mut self) {
        self.session.process_mut().signal(Signal::SIGTERM).unwrap();
    }

    /// Waits for the end, and gives the exit code and what was seen last. However it ends, the terminal is as it was.
    pub(crate) fn ends(mut self) -> (i32, String) {
        let rest = self.session.exp_eof().unwrap();
        assert!(self.is_ordinary(), "the terminal is not as it was after {rest}");
        match self.session.process().wait().unwrap() {
            WaitStatus::Exited(_, code) => (code, rest),
            other => panic!("{other:?} after {rest}"),
        }
    }
}
