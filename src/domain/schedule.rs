//! When something recurs: the five fields of cron, as a `CronJob` takes them.

use std::{fmt, str::FromStr};

use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};

/// A schedule in cron's form, known to be one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule(String);

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// Not five fields.
    #[error("a schedule has five fields (minute, hour, day of month, month, day of week), this has {0}")]
    Fields(usize),
    /// Understood elsewhere, but not by a `CronJob`.
    #[error("{0:?} is not possible in a CronJob")]
    Dialect(char),
    /// A field is malformed or out of range.
    #[error("{0}")]
    Malformed(String),
}

impl Schedule {
    /// The schedule as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let macros = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
        if macros.contains(&text) {
            return Ok(Self(text.to_owned()));
        }
        let fields = text.split_whitespace().count();
        if fields != 5 {
            return Err(InvalidSchedule::Fields(fields));
        }
        let foreign = |letter: char| matches!(letter, '#' | '?') || "LW".contains(letter);
        let names = text.split_whitespace().any(|field| field.to_uppercase().contains("JUL"));
        if let Some(found) = text.chars().find(|&letter| foreign(letter) && !(names && letter == 'L')) {
            return Err(InvalidSchedule::Dialect(found));
        }
        CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(text)
            .map_err(|error| InvalidSchedule::Malformed(error.to_string()))?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Schedule {
    type Error = InvalidSchedule;

    fn try_from(text: String) -> Result<Self, InvalidSchedule> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.0
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_of_cron_are_schedules() {
        for text in ["0 1 * * 0", "*/15 * * * *", "0 0 1 1 *", "30 2 * * mon-fri", "@daily", "0 3 1 jul *"] {
            assert!(text.parse::<Schedule>().is_ok(), "{text}");
        }
    }

    #[test]
    fn others_are_not() {
        for text in
            ["", "0 1 * *", "0 0 1 * * 0", "61 * * * *", "0 25 * * *", "0 1 L * *", "0 1 * * 5#2", "soon"]
        {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
