//! Durations as people write them: `90s`, `5m`, `1h30m`, `365d`.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{Span, SpanRelativeTo, Unit};
use serde::{Deserialize, Serialize};

/// A duration that keeps how it was written. A day has 24 hours, a week seven days. Compares by length.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WrittenDuration {
    text: String,
    length: Duration,
}

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// Not of the form.
    #[error("write it like 90s, 5m, 1h30m or 365d")]
    Form,
    /// Months and years differ in length.
    #[error("months and years have no fixed length: write days, such as 365d")]
    Calendar,
    /// Below zero, or beyond what can be counted.
    #[error("it has to be between 0s and 100000d")]
    Range,
}

impl WrittenDuration {
    const LONGEST: Duration = Duration::from_hours(100_000 * 24);

    /// How long it is.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.length
    }

    /// How it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for WrittenDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let span: Span = text.parse().map_err(|_| InvalidDuration::Form)?;
        if span.get_years() != 0 || span.get_months() != 0 {
            return Err(InvalidDuration::Calendar);
        }
        let millis = span
            .total((Unit::Millisecond, SpanRelativeTo::days_are_24_hours()))
            .map_err(|_| InvalidDuration::Range)?;
        let length = Duration::try_from_secs_f64(millis / 1000.0).map_err(|_| InvalidDuration::Range)?;
        if length > Self::LONGEST {
            return Err(InvalidDuration::Range);
        }
        Ok(Self { text: text.to_owned(), length })
    }
}

impl PartialEq for WrittenDuration {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length
    }
}

impl Eq for WrittenDuration {}

impl TryFrom<String> for WrittenDuration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

impl From<WrittenDuration> for String {
    fn from(duration: WrittenDuration) -> Self {
        duration.text
    }
}

impl fmt::Display for WrittenDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Result<u64, InvalidDuration> {
        text.parse::<WrittenDuration>().map(|duration| duration.length().as_secs())
    }

    #[test]
    fn durations_have_the_length_that_people_mean() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h30m"), Ok(5400));
        assert_eq!(seconds("365d"), Ok(365 * 86_400));
        assert_eq!(seconds("2w"), Ok(14 * 86_400));
        assert_eq!(seconds("0s"), Ok(0));
    }

    #[test]
    fn what_has_no_length_is_refused() {
        assert_eq!(seconds("60"), Err(InvalidDuration::Form));
        assert_eq!(seconds(""), Err(InvalidDuration::Form));
        assert_eq!(seconds("5 parsecs"), Err(InvalidDuration::Form));
        assert_eq!(seconds("1y"), Err(InvalidDuration::Calendar));
        assert_eq!(seconds("-5m"), Err(InvalidDuration::Range));
        assert_eq!(seconds("900000d"), Err(InvalidDuration::Range));
    }
}
