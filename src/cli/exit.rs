//! Exit codes: one table, which scripts may rely on.

use std::{fmt::Write as _, process::ExitCode};

use strum::IntoEnumIterator as _;

/// How a run of `pgherd` ended. A number keeps its meaning for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Done, or nothing to do.
    Success,
    /// A defect of pgherd, or of the machine that it runs on.
    Internal,
    /// The command line is not understood.
    Usage,
    /// The inventory can't be read or has mistakes.
    Inventory,
    /// Kubernetes can't be reached, or doesn't accept who calls.
    Unreachable,
    /// Something was asked for and applied, but did not become ready.
    NotReady,
    /// Not done, for want of a confirmation or because something stands against it.
    Refused,
    /// What was named doesn't exist.
    NotFound,
    /// The API server rejected an object or a request.
    Rejected,
    /// Somebody else is at it.
    Busy,
    /// There is something to do, where that was asked.
    Changes,
    /// Interrupted by a signal.
    Interrupted,
    /// As the program ended that pgherd ran for the user.
    #[strum(disabled)]
    Child(u8),
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Inventory => 3,
            Self::Unreachable => 4,
            Self::NotReady => 5,
            Self::Refused => 6,
            Self::NotFound => 7,
            Self::Rejected => 8,
            Self::Busy => 9,
            Self::Changes => 10,
            Self::Interrupted => 130,
            Self::Child(code) => code,
        }
    }

    /// What the number tells a script, and what was done by then.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "Done, or there was nothing to do.",
            Self::Internal => {
                "A defect of pgherd, or of the machine it runs on (no memory, a file that can't be written)."
            }
            Self::Usage => "The command line is not understood. Nothing was done.",
            Self::Inventory => {
                "The inventory can't be read or has mistakes; all of them are shown. Nothing was done."
            }
            Self::Unreachable => {
                "No kube config, an unknown context, an API server that doesn't answer, a certificate that isn't \
                 trusted, or credentials that are not accepted."
            }
            Self::NotReady => {
                "What was asked for is applied, but did not become ready in time; what was seen is shown. Running \
                 the same command again goes on from there."
            }
            Self::Refused => {
                "Not done: a confirmation is missing (no terminal and no `--yes`, or the answer was no), or \
                 something stands against it, such as database clusters that an uninstall would leave alone."
            }
            Self::NotFound => "What was named doesn't exist.",
            Self::Rejected => {
                "The API server rejected an object or a request: its schema, an admission rule, or missing rights."
            }
            Self::Busy => "Another pgherd is changing the same installation. Nothing was done.",
            Self::Changes => {
                "There is something to do; only `pgherd plan --detailed-exitcode` ends like this. Nothing was done."
            }
            Self::Interrupted => {
                "Interrupted by a signal. What was applied stays; the next run goes on from there."
            }
            Self::Child(_) => "The exit code of the program that was run, such as psql.",
        }
    }

    /// The reference page `docs/reference/exit-codes.md`.
    #[must_use]
    pub fn reference() -> String {
        let mut page = String::from(
            "# Exit codes\n\n\
             Every verb of pgherd ends with one of these. A number keeps its meaning in all later versions.\n\n\
             | code | name | meaning |\n| ---: | --- | --- |\n",
        );
        for exit in Self::iter() {
            let name = format!("{exit:?}").to_lowercase();
            writeln!(page, "| {} | {name} | {} |", exit.code(), exit.meaning()).ok();
        }
        page.push_str(
            "\nA failure is told on standard error: what failed with its stable code in brackets, why, and what to \
             do next. With\n`-o json` or `-o yaml` it is one document there, with the keys `code`, `exit`, `error`, \
             `details` and `next`, and\nprogress isn't printed unless `-v` asks for it; standard output holds the \
             result and nothing else.\n\
             \n`pgherd psql` ends with the exit code of psql once that has started.\n",
        );
        page
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_and_meanings_are_distinct() {
        let numbers: BTreeSet<u8> = Exit::iter().map(Exit::code).collect();
        let meanings: BTreeSet<&str> = Exit::iter().map(Exit::meaning).collect();
        assert_eq!(numbers.len(), Exit::iter().count());
        assert_eq!(meanings.len(), Exit::iter().count());
    }
}
