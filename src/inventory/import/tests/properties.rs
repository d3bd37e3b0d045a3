//! Properties of every import.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// Settings with values that a person could have written, and where each is to be found.
fn settings() -> impl Strategy<Value = Vec<(String, String, String, String)>> {
    let name = "[a-z][a-z0-9]{0,8}";
    let texts = prop::sample::subsequence(
        vec![
            ("db_user", "defaults.user"),
            ("kubernetes_context", "kubernetes.context"),
            ("backrest_aws_s3_region", "s3.region"),
            ("prometheus_service_name", "metrics.prometheus.service_name"),
        ],
        0..=4,
    );
    let numbers = prop::sample::subsequence(
        vec![
            ("db_port", "defaults.port"),
            ("pgo_apiserver_port", "access.port"),
            ("exporterport", "defaults.exporter_port"),
        ],
        0..=3,
    );
    let flags = prop::sample::subsequence(
        vec![
            ("archive_mode", "defaults.archive_mode"),
            ("badger", "defaults.pgbadger"),
            ("create_rbac", "rbac.create"),
        ],
        0..=3,
    );
    let storages = prop::collection::btree_map(1_u32..200, (name, 1_u32..5000), 0..8);
    let row =
        |key: &str, path: &str, given: String, value: String| (key.to_owned(), path.to_owned(), given, value);
    (texts, numbers, flags, storages, name, 1_u16.., any::<bool>()).prop_map(
        move |(texts, numbers, flags, storages, text, number, flag)| {
            let mut rows = Vec::new();
            rows.extend(
                texts.into_iter().map(|(key, path)| row(key, path, text.clone(), format!("\"{text}\""))),
            );
            rows.extend(
                numbers.into_iter().map(|(key, path)| row(key, path, number.to_string(), number.to_string())),
            );
            rows.extend(
                flags.into_iter().map(|(key, path)| row(key, path, flag.to_string(), flag.to_string())),
            );
            for (id, (name, size)) in storages {
                // The number keeps names apart.
                let (name, size) = (format!("{name}-{id}"), format!("{size}Mi"));
                let (named, sized) = (format!("storage{id}_name"), format!("storage{id}_size"));
                rows.push(row(&named, &format!("storage{id}.name"), name.clone(), format!("\"{name}\"")));
                rows.push(row(&sized, &format!("storage{id}.size"), size.clone(), format!("\"{size}\"")));
            }
            rows
        },
    )
}

proptest! {
    #[test]
    fn a_generated_inventory_keeps_its_values(
        rows in settings().prop_shuffle(),
        quotes in prop::collection::vec(prop::sample::select(vec!["", "'", "\""]), 64),
        yaml in any::<bool>(),
    ) {
        let base = [
            ("pgo_installation_name", "devtest"), ("pgo_operator_namespace", "pgo"),
            ("primary_storage", "base"), ("storage900_name", "base"), ("storage900_size", "1Gi"),
        ];
        let base = base.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let all = rows.iter().map(|(key, _, given, _)| (key.clone(), given.clone())).chain(base);
        let mut text = if yaml { "---\n" } else { "localhost\n[all:vars]\n" }.to_owned();
        for ((key, given), quote) in all.zip(quotes.iter().cycle()) {
            let sign = if yaml { ": " } else { "=" };
            writeln!(text, "{key}{sign}{quote}{given}{quote}").unwrap();
        }
        let imported = import(&[("inventory", &text)], false).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let table = toml(&imported);
        for (key, path, _, value) in &rows {
            prop_assert_eq!(&at(&table, path), value, "{} in\n{}", key, text);
        }
        prop_assert_eq!(imported.report.settings, imported.report.accounted());
    }

    #[test]
    fn whatever_is_imported_is_accounted_for_and_toml(
        values in prop::collection::vec((0_usize..260, "[ -~]{0,12}"), 0..30),
        yaml in any::<bool>(),
    ) {
        let keys: Vec<String> = EVERY_KEY.lines().map(|key| key.replace("<ID>", "3")).collect();
        let lines: Vec<String> = values
            .iter()
            .map(|(index, value)| {
                let key = keys.get(*index).cloned().unwrap_or_else(|| format!("own_{index}"));
                if yaml { format!("{key}: {value:?}") } else { format!("{key}={value}") }
            })
            .collect();
        let text = format!("{}{}", if yaml { "---\n" } else { "[all:vars]\n" }, lines.join("\n"));
        if let Ok(source) = read::text_of("x", &text) {
            let imported = from(vec![source], &options(true)).unwrap();
            toml(&imported);
            prop_assert_eq!(imported.report.settings, imported.report.accounted(), "{}", text);
            prop_assert!(!imported.report.page("x").is_empty() && !imported.report.summary().is_empty());
        }
    }
}
