//! Options of a role, as `spec.users[].options` gives them: parsed once, so that nothing but options can reach SQL.

use super::sql;

/// Options that are one word, each with its negation (`ALTER ROLE` in the PostgreSQL manual).
const FLAGS: [&str; 7] =
    ["SUPERUSER", "CREATEDB", "CREATEROLE", "INHERIT", "LOGIN", "REPLICATION", "BYPASSRLS"];

/// Checked options of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleOptions(Vec<String>);

/// Why a text is not a list of role options.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleOptionsError {
    /// A word that is no option.
    #[error("{word:?} is not a role option; valid are {}, each also with NO in front, CONNECTION LIMIT number, \
             and VALID UNTIL 'time'", FLAGS.join(", "))]
    Unknown {
        /// The word as it was written.
        word: String,
    },
    /// `CONNECTION LIMIT` without a number.
    #[error("CONNECTION LIMIT needs a whole number of at least -1 after it, not {found:?}")]
    ConnectionLimit {
        /// What stood there.
        found: String,
    },
    /// `VALID UNTIL` without a quoted time.
    #[error("VALID UNTIL needs a time in single quotes after it, such as '2030-01-31 12:00:00+00'")]
    ValidUntil,
}

impl RoleOptions {
    /// Parses options such as `CREATEDB CONNECTION LIMIT 5`.
    ///
    /// # Errors
    /// When anything in `text` is not an option that `ALTER ROLE` takes.
    pub fn parse(text: &str) -> Result<Self, RoleOptionsError> {
        let mut rest = text.trim();
        let mut options = Vec::new();
        while let Some((word, after)) = next_word(rest) {
            let upper = word.to_uppercase();
            if is_flag(&upper) {
                options.push(upper);
                rest = after;
            } else if upper == "CONNECTION" && starts_with_word(after, "LIMIT") {
                let (_, after) = next_word(after).unwrap_or_default();
                let (number, after) = next_word(after).unwrap_or_default();
                let limit = number.parse::<i32>().ok().filter(|limit| *limit >= -1);
                let limit =
                    limit.ok_or_else(|| RoleOptionsError::ConnectionLimit { found: number.to_owned() })?;
                options.push(format!("CONNECTION LIMIT {limit}"));
                rest = after;
            } else if upper == "VALID" && starts_with_word(after, "UNTIL") {
                let (_, after) = next_word(after).unwrap_or_default();
                let quoted = after.trim_start().strip_prefix('\'').ok_or(RoleOptionsError::ValidUntil)?;
                let (time, after) = quoted.split_once('\'').ok_or(RoleOptionsError::ValidUntil)?;
                options.push(format!("VALID UNTIL {}", sql::literal(time)));
                rest = after;
            } else {
                return Err(RoleOptionsError::Unknown { word: word.to_owned() });
            }
        }
        Ok(Self(options))
    }
}

impl std::fmt::Display for RoleOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.join(" "))
    }
}

fn is_flag(upper: &str) -> bool {
    FLAGS.contains(&upper) || upper.strip_prefix("NO").is_some_and(|flag| FLAGS.contains(&flag))
}

fn starts_with_word(text: &str, word: &str) -> bool {
    next_word(text).is_some_and(|(first, _)| first.eq_ignore_ascii_case(word))
}

fn next_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn options_are_normalised() {
        let parsed = RoleOptions::parse(
            "  createdb NoSuperuser\tconnection  LIMIT 5 VALID UNTIL '2030-01-01 o''clock",
        );
        assert_eq!(parsed.unwrap_err(), RoleOptionsError::Unknown { word: "'clock".into() });
        let parsed =
            RoleOptions::parse("  createdb NoSuperuser\tconnection  LIMIT 5 valid until '2030-01-01'")
                .unwrap();
        assert_eq!(parsed.to_string(), "CREATEDB NOSUPERUSER CONNECTION LIMIT 5 VALID UNTIL '2030-01-01'");
        assert_eq!(RoleOptions::parse("").unwrap(), RoleOptions::default());
    }

    #[test]
    fn what_is_no_option_is_named() {
        let error = RoleOptions::parse("CREATEDB; DROP TABLE x").unwrap_err();
        assert!(error.to_string().starts_with("\"CREATEDB;\" is not a role option; valid are SUPERUSER,"));
        assert_eq!(
            RoleOptions::parse("CONNECTION LIMIT many").unwrap_err(),
            RoleOptionsError::ConnectionLimit { found: "many".into() }
        );
        assert_eq!(RoleOptions::parse("VALID UNTIL 2030").unwrap_err(), RoleOptionsError::ValidUntil);
    }

    proptest! {
        #[test]
        fn nothing_ends_the_statement(text in ".{0,40}") {
            if let Ok(options) = RoleOptions::parse(&text) {
                let printed = options.to_string();
                let outside: String = printed.split('\'').step_by(2).collect();
                prop_assert!(!outside.contains(';') && !outside.contains("--"), "{printed}");
                prop_assert_eq!(printed.matches('\'').count() % 2, 0);
            }
        }
    }
}
