//! One mistake of every kind, and what is said about it.

use std::fmt::Write as _;

use super::{Checked, Code, Level};

const MINIMAL: &str = include_str!("../../inventory/minimal.toml");

/// A line of the minimal inventory, and what to write instead to make a mistake of this kind.
fn mistake(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::Syntax => ("size = \"1Gi\"", "size = 1Gi"),
        Code::UnknownKey => ("size = \"1Gi\"", "sise = \"1Gi\"\nsize = \"1Gi\""),
        Code::MissingKey => ("size = \"1Gi\"\n", ""),
        Code::WrongType => ("replicas = 0", "replicas = \"none\""),
        Code::Name => ("watched = [\"postgres-operator\"]", "watched = [\"Orders\"]"),
        Code::Image => ("\"localhost/postgres:17\" ", "\"localhost/postgres\" "),
        Code::Quantity => ("size = \"1Gi\"", "size = \"1Gb\""),
        Code::Choice => ("\"ReadWriteOnce\"", "\"ReadWriteTwice\""),
        Code::Range => ("replicas = 0", "replicas = 1000"),
        Code::Duplicate => ("watched = [\"postgres-operator\"]", "watched = [\"orders\", \"orders\"]"),
        Code::Duration => ("replicas = 0", "archive_timeout = \"60\""),
        Code::UnknownStorage => ("primary = \"standard\"", "primary = \"standart\""),
        Code::UnknownResource => ("container = \"small\"", "container = \"smal\""),
        Code::VersionWithoutImage => ("postgres_version = 17", "postgres_version = 16"),
        Code::Schedule => ("replicas = 0", "schedules.full = \"0 25 * * *\""),
        Code::Network => ("replicas = 0", "allowed_networks = [\"10.1.2.3/8\"]"),
        Code::Text => ("replicas = 0", "database = \"template1\""),
        Code::TableNumber => ("[storage1]", "[storage01]"),
        Code::LimitBelowRequest => ("limits_memory = \"512Mi\"", "limits_memory = \"64Mi\""),
        Code::Conflict => ("size = \"1Gi\"", "size = \"1Gi\"\ntype = \"static\"\nclass = \"fast\""),
        Code::Incomplete => ("size = \"1Gi\"", "size = \"1Gi\"\nmatch_labels = { zone = \"red\" }"),
        Code::PlainSecret => (
            "[resource1]",
            "[s3]\nbucket = \"backups\"\nendpoint = \"s3.example.com\"\nregion = \"eu\"\nkey = \"AKIA\"\nsecret = \"hunter2\"\n\n[resource1]",
        ),
        Code::Unused => ("[resource1]", "[storage2]\nname = \"standart\"\nsize = \"5Gi\"\n\n[resource1]"),
        Code::NoEffect => ("replicas = 0", "failover = false"),
        Code::Unverified => ("[resource1]", "[s3]\nverify_tls = false\n\n[resource1]"),
        Code::FileMissing => ("[resource1]", "[kubernetes]\nkubeconfig = \"prod.conf\"\n\n[resource1]"),
    }
}

/// What is said about an example of a mistake, word for word.
#[must_use]
pub fn example(code: Code) -> String {
    let (from, to) = mistake(code);
    let text = MINIMAL.replacen(from, to, 1);
    // Nothing is looked for in this folder that could be there.
    let folder = std::path::Path::new("");
    let report = match Checked::parse("pgherd.toml", &text, &[], Some(folder)) {
        Ok(checked) => checked.warnings,
        Err(report) => report,
    };
    report.render_only(code)
}

/// All codes with an example each, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Mistakes in an inventory\n\n\
         Each kind of mistake has a code that keeps its meaning in all later versions. `pgherd explain CODE` shows what this page\n\
         says. Errors keep an inventory from being used, warnings don't.\n",
    );
    for code in Code::all() {
        let level = match code.level() {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let _ = write!(
            page,
            "\n## {}\n\n{} ({level})\n\n```text\n{}\n```\n",
            code.id(),
            code.meaning(),
            example(code)
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Inventory;

    #[test]
    fn every_code_has_an_example_that_shows_it() {
        assert!(Inventory::parse("minimal.toml", MINIMAL).is_ok());
        for code in Code::all() {
            assert!(MINIMAL.contains(mistake(code).0), "{}", code.id());
            let example = example(code);
            assert!(example.contains(code.id()), "{}: {example}", code.id());
            assert!(!example.contains("hunter2"), "{example}");
        }
    }
}
