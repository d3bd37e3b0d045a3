//! Runs the program in an environment of its own: an empty home, no kube config, none of the caller's settings.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A temporary home with files in it.
pub(crate) struct Sandbox {
    home: tempfile::TempDir,
}

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// Puts a file into the home and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        path
    }

    /// The program, with nothing but its home in the environment.
    pub(crate) fn command(&self) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_pgherd")))
    }

    /// The same of another build of the program.
    pub(crate) fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path()).env("PATH", "/usr/bin:/bin");
        command.current_dir(self.home.path());
        command
    }

    /// Runs it to its end; paths of the home are written as `[HOME]`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.ran(self.command().args(arguments))
    }

    /// Runs a command to its end.
    pub(crate) fn ran(&self, command: &mut Command) -> Ran {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap().replace(&*self.home.path().to_string_lossy(), "[HOME]")
        };
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The folder itself.
    #[allow(dead_code, reason = "not every test binary needs it")]
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        writeln!(formatter, "exit: {code}")?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(formatter, "----- {name} -----\n{text}")?;
            }
        }
        Ok(())
    }
}
