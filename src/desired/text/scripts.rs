//! Shell scripts of a database pod, for any POSIX shell.

/// Where the startup script finds out what runs, and the database container what it is.
const PROGRAMS: &str = include_str!("programs.sh");
const STARTUP: &str = include_str!("startup.sh");

/// The command of the container that prepares an instance. It expects `PG_MAJOR`, `PGDATA` and `PGWAL` in its environment.
#[must_use]
pub fn startup() -> Vec<String> {
    shell(&format!("{PROGRAMS}{STARTUP}"))
}

/// A command that runs `program` with the programs of PostgreSQL on its PATH, in place of the shell.
#[must_use]
pub fn with_programs(program: &str) -> Vec<String> {
    shell(&format!("{PROGRAMS}exec {program}\n"))
}

fn shell(script: &str) -> Vec<String> {
    ["sh", "-ceu", "--", script].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn scripts_are_valid_for_the_shell() {
        for command in [startup(), with_programs("patroni /etc/patroni")] {
            let checked = Command::new("sh").args(["-n", "-c", &command[3]]).output().unwrap();
            assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        }
    }
}
