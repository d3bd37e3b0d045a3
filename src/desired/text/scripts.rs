//! Shell scripts of a database pod, for any POSIX shell.

/// Where the startup script finds out what runs, and the database container what it is.
const PROGRAMS: &str = include_str!("programs.sh");
const STARTUP: &str = include_str!("startup.sh");
/// What the database container does each time it starts: also when only its processes were killed, where nothing else would.
const START: &str = include_str!("start.sh");

/// What the certificates are, and where it is noted which of them are in force.
const CERTIFICATES: &str = include_str!("certificates.sh");
/// What goes on beside Patroni.
const RELOAD: &str = include_str!("reload.sh");

/// The last line of what [`in_force`] writes when the certificates of a container are those that its server works with.
pub const IN_FORCE: &str = "in force";

/// The command of the container that prepares an instance. It expects `PG_MAJOR`, `PGDATA` and `PGWAL` in its environment.
#[must_use]
pub fn startup() -> Vec<String> {
    shell(&format!("{PROGRAMS}{STARTUP}"))
}

/// The command of the container that runs PostgreSQL. It expects the same environment.
#[must_use]
pub fn database() -> Vec<String> {
    shell(&format!("{PROGRAMS}{START}{CERTIFICATES}{RELOAD}exec patroni /etc/patroni\n"))
}

/// Commands that tell whether PostgreSQL and Patroni have read the certificates that are in their files now.
#[must_use]
pub fn in_force() -> String {
    compare(CERTIFICATES, "certificates")
}

/// Commands that write [`IN_FORCE`] if what `state` prints was noted in the file `$in_force`. `definitions` defines both.
#[must_use]
pub(in crate::desired) fn compare(definitions: &str, state: &str) -> String {
    format!(
        "{definitions}if [ \"$({state})\" = \"$(cat \"$in_force\" 2>/dev/null)\" ]; then echo '{IN_FORCE}'; fi\n"
    )
}

/// The file that an instance has beside its data directory as long as there has never been a database in it.
#[must_use]
pub fn unborn(data_directory: &str) -> String {
    format!("{data_directory}.unborn")
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
        for command in [startup(), database(), with_programs("psql"), shell(&in_force())] {
            let checked = Command::new("sh").args(["-n", "-c", &command[3]]).output().unwrap();
            assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        }
    }

    /// Runs what the database container does before Patroni, on a data directory with `files` in it.
    fn started(files: &[&str]) -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        let (data, log) = (home.path().join("pg17"), home.path().join("pg17_wal"));
        for file in files {
            let path = home.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        let command = Command::new("sh")
            .args(["-ceu", "--", START])
            .envs([("PGDATA", &data), ("PGWAL", &log)])
            .output()
            .unwrap();
        assert!(command.status.success(), "{}", String::from_utf8_lossy(&command.stderr));
        let mut left: Vec<String> = fs_err::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        left
    }

    #[test]
    fn what_was_cut_short_is_taken_out_of_the_way_and_a_database_never_is() {
        assert_eq!(started(&[]), ["pg17.unborn"]);
        let torn = ["pg17.unborn", "pg17/global/pg_control", "pg17_wal/1"];
        assert_eq!(started(&torn), ["pg17.interrupted", "pg17.unborn", "pg17_wal.interrupted"]);
        assert_eq!(started(&["pg17.unborn", "pg17/backup_label", "pg17_wal/1"]), ["pg17.unborn"]);
        assert_eq!(started(&["pg17.unborn", "pg17/backup_label", "pg17/backup_manifest"]), ["pg17"]);
        assert_eq!(started(&["pg17.unborn", "pg17/backup_label.old"]), ["pg17"]);
        assert_eq!(started(&["pg17/global/pg_control", "pg17_wal/1"]), ["pg17", "pg17_wal"]);
    }
}
