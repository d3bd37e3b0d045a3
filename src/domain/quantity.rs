//! Amounts of memory, disk and CPU as Kubernetes writes them: `500m`, `1Gi`, `2`, `1.5e3`.
//!
//! The written text is kept, so that what a user typed is what a user reads back; the value behind it is exact, so
//! that `1Gi` and `1024Mi` are equal.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The pattern that Kubernetes publishes for quantities in the schemas of its own definitions.
pub const PATTERN: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

/// Values are counted in billionths, the finest step Kubernetes knows.
const NANOS_PER_UNIT: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;
/// Kubernetes has no quantity beyond this many units.
const MAX_NANOS: i128 = i64::MAX as i128 * NANOS_PER_UNIT;
/// No number of more digits fits, whatever its suffix; this keeps the arithmetic below within its type.
const MAX_DIGITS: usize = 38;

/// A Kubernetes quantity: a number with an optional suffix.
///
/// Compares by value, displays as written. Anything finer than a billionth is rounded away from zero, as Kubernetes
/// does.
#[derive(Clone, Debug)]
pub struct Quantity {
    text: String,
    nanos: i128,
}

/// Why a text is no quantity, or why a quantity can't be had in the wanted unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The text doesn't start with a number.
    #[error("\"{0}\" is no quantity: it must start with a number, such as 500m, 2 or 1.5Gi")]
    NoNumber(String),
    /// Something unknown follows the number.
    #[error(
        "\"{suffix}\" in the quantity \"{text}\" is no known suffix: use Ki, Mi, Gi, Ti, Pi, Ei (powers of 1024), \
         n, u, m, k, M, G, T, P, E (powers of 1000), an exponent such as e3, or nothing"
    )]
    UnknownSuffix {
        /// The whole text.
        text: String,
        /// What follows its number.
        suffix: String,
    },
    /// The value exceeds what Kubernetes can hold.
    #[error("the quantity \"{0}\" is too large: at most 9223372036854775807 (just below 8Ei) is possible")]
    TooLarge(String),
    /// A size or a CPU share can't be negative.
    #[error("the quantity \"{0}\" is negative where only zero or more makes sense")]
    Negative(String),
}

impl Quantity {
    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the value is zero, however it is written.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// The value in whole units, which are bytes for memory and disk; a fraction counts as a whole one.
    ///
    /// # Errors
    /// When the value is negative.
    pub fn as_bytes(&self) -> Result<u64, QuantityError> {
        self.in_steps_of(NANOS_PER_UNIT)
    }

    /// The value in thousandths, which are millicores for CPU; a fraction counts as a whole one.
    ///
    /// # Errors
    /// When the value is negative, or exceeds what 64 bits hold in thousandths.
    pub fn as_milli(&self) -> Result<u64, QuantityError> {
        self.in_steps_of(NANOS_PER_MILLI)
    }

    fn in_steps_of(&self, step: i128) -> Result<u64, QuantityError> {
        if self.nanos < 0 {
            return Err(QuantityError::Negative(self.text.clone()));
        }
        let whole = self.nanos / step + i128::from(self.nanos % step != 0);
        u64::try_from(whole).map_err(|_| QuantityError::TooLarge(self.text.clone()))
    }
}

/// How a suffix scales its number: by a power of two and a power of ten.
struct Scale {
    binary: u32,
    decimal: i64,
}

impl Scale {
    fn parse(suffix: &str) -> Option<Self> {
        let binary = |binary| Some(Self { binary, decimal: 0 });
        let decimal = |decimal| Some(Self { binary: 0, decimal });
        match suffix {
            "" => decimal(0),
            "n" => decimal(-9),
            "u" => decimal(-6),
            "m" => decimal(-3),
            "k" => decimal(3),
            "M" => decimal(6),
            "G" => decimal(9),
            "T" => decimal(12),
            "P" => decimal(15),
            "E" => decimal(18),
            "Ki" => binary(10),
            "Mi" => binary(20),
            "Gi" => binary(30),
            "Ti" => binary(40),
            "Pi" => binary(50),
            "Ei" => binary(60),
            exponent => {
                let digits = exponent.strip_prefix(['e', 'E'])?;
                let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
                let plain = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
                // Sixteen bits are plenty: the value is out of range long before.
                plain.then(|| digits.parse::<i16>().ok()).flatten().and_then(|power| decimal(power.into()))
            }
        }
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return Err(QuantityError::NoNumber(text.into()));
        }
        let scale = Scale::parse(suffix)
            .ok_or_else(|| QuantityError::UnknownSuffix { text: text.into(), suffix: suffix.into() })?;
        let magnitude = nanos(whole, fraction, &scale).ok_or_else(|| QuantityError::TooLarge(text.into()))?;
        Ok(Self { text: text.into(), nanos: if negative { -magnitude } else { magnitude } })
    }
}

/// The number `whole.fraction` times its scale, in billionths, the last one rounded up; nothing when out of range.
fn nanos(whole: &str, fraction: &str, scale: &Scale) -> Option<i128> {
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    // digits × 10^shift × 2^binary is the value in billionths.
    let shift = scale.decimal + 9 - i64::try_from(fraction.len()).ok()?;
    let (head, tail, zeros) = if shift >= 0 {
        (digits, "", usize::try_from(shift).ok()?)
    } else {
        let cut = usize::try_from(-shift).ok()?;
        let kept = digits.len().saturating_sub(cut);
        (&digits[..kept], &digits[kept..], 0)
    };
    if head.len() + zeros > MAX_DIGITS {
        return None;
    }
    let factor = 1_i128.checked_shl(scale.binary)?;
    let head: i128 = if head.is_empty() { 0 } else { head.parse().ok()? };
    let head = head.checked_mul(10_i128.checked_pow(u32::try_from(zeros).ok()?)?)?.checked_mul(factor)?;

    // The tail is the fraction tail ÷ 10^width. Multiplied digit by digit from the right, its whole part is what
    // is carried over at the left end, and its remainder is what stays in the digits.
    let mut carry = 0_i128;
    let mut remainder = false;
    for digit in tail.bytes().rev() {
        let product = i128::from(digit - b'0') * factor + carry;
        remainder |= product % 10 != 0;
        carry = product / 10;
    }
    // Zeros between the point and the first digit that is left.
    let width = usize::try_from(-shift.min(0)).ok()?;
    for _ in tail.len()..width {
        remainder |= carry % 10 != 0;
        carry /= 10;
    }
    let total = head.checked_add(carry)?.checked_add(i128::from(remainder))?;
    (total <= MAX_NANOS).then_some(total)
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self { text: "0".into(), nanos: 0 }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl Visitor {
            fn number<E: de::Error>(number: &impl ToString) -> Result<Quantity, E> {
                number.to_string().parse().map_err(E::custom)
            }
        }

        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a quantity, such as 500m, 2 or 1.5Gi")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
                Self::number(&number)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                Self::number(&number)
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
                Self::number(&number)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "pattern": PATTERN, "x-kubernetes-int-or-string": true })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_suffix_has_its_factor() {
        for (text, nanos) in [
            ("1n", 1),
            ("1u", 1_000),
            ("1m", 1_000_000),
            ("1", 1_000_000_000),
            ("1k", 1_000_000_000_000),
            ("1M", 1_000_000_000_000_000),
            ("1G", 10_i128.pow(18)),
            ("1T", 10_i128.pow(21)),
            ("1P", 10_i128.pow(24)),
            ("1E", 10_i128.pow(27)),
            ("1Ki", 1_024 * NANOS_PER_UNIT),
            ("1Mi", 1_024_i128.pow(2) * NANOS_PER_UNIT),
            ("1Gi", 1_024_i128.pow(3) * NANOS_PER_UNIT),
            ("1Ti", 1_024_i128.pow(4) * NANOS_PER_UNIT),
            ("1Pi", 1_024_i128.pow(5) * NANOS_PER_UNIT),
            ("1Ei", 1_024_i128.pow(6) * NANOS_PER_UNIT),
            ("1e3", 1_000 * NANOS_PER_UNIT),
            ("1E3", 1_000 * NANOS_PER_UNIT),
            ("1e+3", 1_000 * NANOS_PER_UNIT),
            ("1e-3", 1_000_000),
            ("-1.5", -1_500_000_000),
            ("+.5", 500_000_000),
            ("5.", 5_000_000_000),
            ("000.000", 0),
        ] {
            assert_eq!(quantity(text).nanos, nanos, "{text}");
        }
    }

    #[test]
    fn values_compare_and_texts_are_kept() {
        assert_eq!(quantity("1Gi"), quantity("1024Mi"));
        assert_eq!(quantity("0.5"), quantity("500m"));
        assert!(quantity("1G") < quantity("1Gi"));
        assert!(quantity("-1") < quantity("0"));
        assert_eq!(quantity("1024Mi").to_string(), "1024Mi");
        assert_eq!(format!("{:>6}", quantity("1Gi")), "   1Gi");
    }

    #[test]
    fn finer_than_a_billionth_is_rounded_away_from_zero() {
        assert_eq!(quantity("0.1n").nanos, 1);
        assert_eq!(quantity("-0.1n").nanos, -1);
        assert_eq!(quantity("0.00000000000000000000000000000000000000000000000001Ei").nanos, 1);
        assert_eq!(quantity("1e-32768").nanos, 1);
        // 0.1 Ki is 102.4, which needs no rounding.
        assert_eq!(quantity("0.1Ki").nanos, 102_400_000_000);
        // A third of a KiB with more digits than the type holds.
        assert_eq!(quantity("0.33333333333333333333333333333333333333333333Ki").nanos, 341_333_333_334);
    }

    #[test]
    fn units_are_whole() {
        assert_eq!(quantity("1.5Gi").as_bytes(), Ok(1_610_612_736));
        assert_eq!(quantity("1m").as_bytes(), Ok(1));
        assert_eq!(quantity("2").as_milli(), Ok(2_000));
        assert_eq!(quantity("1u").as_milli(), Ok(1));
        assert_eq!(quantity("-1").as_bytes(), Err(QuantityError::Negative("-1".into())));
        assert_eq!(quantity("7E").as_milli(), Err(QuantityError::TooLarge("7E".into())));
        assert!(quantity("0Gi").is_zero() && !quantity("1n").is_zero());
    }

    #[test]
    fn the_largest_quantity_is_the_one_of_kubernetes() {
        assert_eq!(quantity("9223372036854775807").as_bytes(), Ok(i64::MAX.unsigned_abs()));
        for text in [
            "9223372036854775808",
            "8Ei",
            "10E",
            "1e19",
            "1e32767",
            "123456789012345678901234567890123456789Gi",
        ] {
            assert_eq!(text.parse::<Quantity>(), Err(QuantityError::TooLarge(text.into())));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in ["", "-", "Gi", ".", "1.2.3", "one", "--1", " 1"] {
            assert_eq!(text.parse::<Quantity>(), Err(QuantityError::NoNumber(text.into())), "{text:?}");
        }
        for (text, suffix) in [
            ("1gb", "gb"),
            ("1GB", "GB"),
            ("1 Gi", " Gi"),
            ("1ki", "ki"),
            ("1e", "e"),
            ("1e1.5", "e1.5"),
            ("1e+-3", "e+-3"),
            ("1é", "é"),
        ] {
            let expected = QuantityError::UnknownSuffix { text: text.into(), suffix: suffix.into() };
            assert_eq!(text.parse::<Quantity>(), Err(expected));
        }
        let message = "1GB".parse::<Quantity>().unwrap_err().to_string();
        assert!(message.contains("\"GB\"") && message.contains("Gi"), "{message}");
    }

    #[test]
    fn json_numbers_and_strings_are_read_and_strings_are_written() {
        for (json, text) in [("2", "2"), ("0.5", "0.5"), ("\"1Gi\"", "1Gi"), ("-1", "-1")] {
            let read: Quantity = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), format!("\"{text}\""));
        }
        let error = serde_json::from_str::<Quantity>("\"1GB\"").unwrap_err().to_string();
        assert!(error.contains("no known suffix"), "{error}");
        assert!(serde_json::from_str::<Quantity>("true").is_err());
    }

    fn suffixes() -> impl Strategy<Value = (&'static str, i128)> {
        prop::sample::select(vec![
            ("n", 1),
            ("u", 1_000),
            ("m", 1_000_000),
            ("", NANOS_PER_UNIT),
            ("k", 1_000 * NANOS_PER_UNIT),
            ("Ki", 1_024 * NANOS_PER_UNIT),
            ("M", 1_000_000 * NANOS_PER_UNIT),
            ("Mi", (1 << 20) * NANOS_PER_UNIT),
            ("Gi", (1 << 30) * NANOS_PER_UNIT),
            ("Ti", (1 << 40) * NANOS_PER_UNIT),
            ("e3", 1_000 * NANOS_PER_UNIT),
            ("E-3", NANOS_PER_MILLI),
        ])
    }

    proptest! {
        #[test]
        fn a_number_times_its_suffix_is_exact(number in -4_000_000_i64..4_000_000, (suffix, factor) in suffixes()) {
            let parsed = quantity(&format!("{number}{suffix}"));
            prop_assert_eq!(parsed.nanos, i128::from(number) * factor);
        }

        #[test]
        fn a_decimal_fraction_is_rounded_up_to_the_next_billionth(
            whole in 0_i128..40_000, fraction in 0_i128..1_000_000_000_000, (suffix, factor) in suffixes(),
        ) {
            let parsed = quantity(&format!("{whole}.{fraction:012}{suffix}"));
            let scaled = (whole * 10_i128.pow(12) + fraction) * factor;
            let expected = scaled / 10_i128.pow(12) + i128::from(scaled % 10_i128.pow(12) != 0);
            prop_assert_eq!(parsed.nanos, expected);
        }

        #[test]
        fn order_is_the_order_of_values(left in -4_000_000_i32..4_000_000, right in -4_000_000_i32..4_000_000, (suffix, _) in suffixes()) {
            let ordering = quantity(&format!("{left}{suffix}")).cmp(&quantity(&format!("{right}{suffix}")));
            prop_assert_eq!(ordering, left.cmp(&right));
        }

        #[test]
        fn whatever_the_published_pattern_allows_is_read_or_too_large(
            text in r"[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?",
        ) {
            match text.parse::<Quantity>() {
                Ok(read) => prop_assert_eq!(read.to_string(), text),
                Err(error) => prop_assert_eq!(error, QuantityError::TooLarge(text)),
            }
        }

        #[test]
        fn no_text_is_fatal(text in any::<String>()) {
            if let Ok(read) = text.parse::<Quantity>() {
                prop_assert_eq!(read.as_str(), text);
            }
        }
    }
}
