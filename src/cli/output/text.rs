//! Shapes of text: wrapped paragraphs, tables, counts and durations.

use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::SignedDuration;

/// Breaks a paragraph into lines of at most `width` characters; a longer word gets a line of its own.
#[must_use]
pub fn wrap(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for source in paragraph.lines() {
        let mut line = String::new();
        for word in source.split_whitespace() {
            let length = line.chars().count();
            if length > 0 && length + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// A table without rules, as wide as its contents.
pub fn table<R, C>(header: &[&str], rows: R) -> String
where
    R: IntoIterator<Item = C>,
    C: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A number with its noun: `1 object`, `3 objects`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    // A day, two days.
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (count, stem) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        _ => format!("{count} {noun}s"),
    }
}

/// An amount of data as people read it: `0 B`, `12 KiB`, `1.4 GiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const STEP: u64 = 1024;
    let mut unit = 1;
    let mut name = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if count / unit < STEP {
            break;
        }
        unit *= STEP;
        name = larger;
    }
    let (whole, rest) = (count / unit, count % unit);
    // Below ten a tenth tells something; in whole bytes there is none.
    if unit > 1 && whole < 10 {
        format!("{whole}.{} {name}", rest / (unit / 10).max(1) % 10)
    } else {
        format!("{whole} {name}")
    }
}

/// A duration as people read it: `0.3s`, `12s`, `2m5s`.
#[must_use]
pub fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", duration.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        _ => format!("{}m{}s", seconds / 60, seconds % 60),
    }
}

/// How long something has lasted, as people say it: `40 s`, `5 min`, `3 h`, `4 days`.
#[must_use]
pub fn lasting(duration: SignedDuration) -> String {
    // Clocks may disagree by a little.
    let seconds = duration.as_secs().max(0);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min"),
        (..48, _) => format!("{hours} h"),
        _ => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_something_lasts_is_said_in_one_unit() {
        let said = [-3, 0, 59, 60, 3599, 3600, 172_799, 172_800, 864_000];
        let said = said.map(|seconds| lasting(SignedDuration::from_secs(seconds)));
        assert_eq!(said, ["0 s", "0 s", "59 s", "1 min", "59 min", "1 h", "47 h", "2 days", "10 days"]);
    }

    #[test]
    fn paragraphs_wrap_at_the_width_and_keep_their_lines() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a-very-long-word b", 5), ["a-very-long-word", "b"]);
        assert_eq!(wrap("first\nsecond", 80), ["first", "second"]);
    }

    #[test]
    fn counts_and_durations_read_well() {
        assert_eq!(
            [counted(1, "policy"), counted(2, "policy"), counted(0, "role"), counted(3, "day")],
            ["1 policy", "2 policies", "0 roles", "3 days"]
        );
        let shown = [300, 12_900, 125_000].map(|millis| elapsed(Duration::from_millis(millis)));
        assert_eq!(shown, ["0.3s", "12s", "2m5s"]);
    }

    #[test]
    fn amounts_of_data_read_well() {
        let shown = [0, 1023, 1024, 12_288, 1_503_238_553, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "12 KiB", "1.4 GiB", "15 EiB"]);
    }

    #[test]
    fn tables_have_no_trailing_blanks() {
        let rows = [["a".to_owned(), "1".to_owned()], ["long".to_owned(), "2".to_owned()]];
        assert_eq!(table(&["NAME", "N"], rows), "NAME  N\na     1\nlong  2\n");
    }
}
