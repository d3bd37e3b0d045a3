//! The API server: its version and its clock.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

use super::{Code, Finding};
use crate::k8s::{
    self,
    client::{Connection, OLDEST, major_and_minor},
};

/// How far clocks may be apart. Certificates are valid from an hour before they are made, which bears more; what else
/// compares times, such as tokens, doesn't bear much.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

pub(super) async fn check(connection: &Connection) -> Vec<Finding> {
    let begun = Instant::now();
    let date = k8s::server_time(&connection.client).await;
    let taken = begun.elapsed().as_millis();
    let clock = match date {
        Ok(date) => clock(date.as_deref(), Timestamp::now()),
        Err(error) => Finding::unseen(Code::Clock, &error),
    };
    vec![version(&connection.version, taken), clock]
}

fn version(version: &str, milliseconds: u128) -> Finding {
    let code = Code::ServerVersion;
    let (major, minor) = OLDEST;
    match major_and_minor(version).filter(|found| found.0 == major) {
        Some(found) if found >= OLDEST => {
            Finding::ok(code, format!("API server {version} answers in {milliseconds} ms"))
        }
        Some(_) => Finding::failed(
            code,
            format!("API server {version} is too old"),
            format!("pgherd needs Kubernetes {major}.{minor} or a later one."),
        ),
        None => Finding::warning(
            code,
            format!("API server {version} is of a version that pgherd doesn't know"),
            format!("It was made for Kubernetes {major}.{minor} and later."),
        ),
    }
}

/// Compares the date of an answer with the time of its arrival.
fn clock(date: Option<&str>, now: Timestamp) -> Finding {
    let code = Code::Clock;
    let Some(server) = date.and_then(|date| rfc2822::parse(date).ok()) else {
        return Finding::new(code, super::Outcome::Skipped, "the API server doesn't tell its time");
    };
    let apart = now.duration_since(server.timestamp());
    if apart.abs() <= SKEW {
        return Finding::ok(code, format!("clocks agree within {} s", SKEW.as_secs()));
    }
    let side = if apart.is_positive() { "ahead of" } else { "behind" };
    Finding::warning(
        code,
        format!("this machine's clock is {} s {side} the API server's", apart.abs().as_secs()),
        "Set the one that is wrong, best by NTP.",
    )
}

#[cfg(test)]
mod tests {
    use super::{super::Outcome, *};

    #[test]
    fn versions_are_compared_as_numbers() {
        let outcome = |text| version(text, 4).outcome;
        assert_eq!(outcome("1.34.4"), Outcome::Ok);
        assert_eq!(outcome("1.100.0"), Outcome::Ok);
        assert_eq!(outcome("1.33.1-gke.100+abc"), Outcome::Ok);
        assert_eq!(outcome("1.9.0"), Outcome::Failed);
        assert_eq!(outcome("2.0.0"), Outcome::Warning);
    }

    #[test]
    fn a_clock_that_is_off_is_told_with_its_side() {
        let now: Timestamp = "2026-03-01T12:10:00Z".parse().unwrap();
        assert_eq!(clock(Some("Sun, 01 Mar 2026 12:09:58 GMT"), now).outcome, Outcome::Ok);
        let off = clock(Some("Sun, 01 Mar 2026 12:00:00 GMT"), now);
        assert_eq!(
            (off.outcome, off.message.as_str()),
            (Outcome::Warning, "this machine's clock is 600 s ahead of the API server's")
        );
        assert_eq!(clock(None, now).outcome, Outcome::Skipped);
        assert_eq!(clock(Some("yesterday"), now).outcome, Outcome::Skipped);
    }
}
