mod carried;
mod generated;
mod properties;

use std::collections::BTreeSet;

use self::carried::{CARRIED, DROPPED};
use super::*;

const INVENTORY: &str = include_str!("fixtures/inventory-4.2.4.ini");
const VALUES: &str = include_str!("fixtures/values-4.7.yaml");
const METRICS: &str = include_str!("fixtures/metrics-4.7.yaml");
const EVERY_KEY: &str = include_str!("fixtures/every-key.txt");

fn options(lenient: bool) -> Options {
    Options { lenient, secrets: SecretsTo::Folder("pgherd.toml.secrets".to_owned()) }
}

fn import(files: &[(&str, &str)], lenient: bool) -> Result<Imported, ImportError> {
    let sources = files.iter().map(|(path, text)| read::text_of(path, text).unwrap()).collect();
    from(sources, &options(lenient))
}

fn imported(files: &[(&str, &str)]) -> Imported {
    import(files, false).unwrap_or_else(|error| panic!("{error:?}"))
}

/// The import of an INI file with these settings and what every one needs.
fn ini(settings: &str) -> String {
    format!(
        "localhost\n[all:vars]\npgo_image_tag='centos7-4.2.4'\npgo_installation_name='devtest'\npgo_operator_namespace='pgo'\n\
         primary_storage='fast'\nstorage1_name='fast'\nstorage1_size='1G'\n{settings}\n"
    )
}

fn problems(settings: &str) -> Vec<(String, usize, String)> {
    match import(&[("inventory", &ini(settings))], false) {
        Err(ImportError::Unsafe(problems)) => {
            problems.into_iter().map(|problem| (problem.key, problem.place.line, problem.why)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn toml(imported: &Imported) -> toml::Table {
    imported.toml.parse().unwrap_or_else(|error| panic!("{error}\n{}", imported.toml))
}

/// The value at a path, as TOML; "-" when there is none.
fn at(table: &toml::Table, path: &str) -> String {
    let mut keys = path.split('.');
    let first = keys.next().and_then(|key| table.get(key));
    keys.fold(first, |value, key| value?.as_table()?.get(key))
        .map_or_else(|| "-".to_owned(), ToString::to_string)
}

#[test]
fn every_value_of_the_4_2_4_inventory_is_where_it_belongs() {
    let imported = imported(&[("ansible/inventory", INVENTORY)]);
    let table = toml(&imported);
    for (key, path, value) in CARRIED {
        assert_eq!(at(&table, path), *value, "{key} → {path}");
    }
    let report = &imported.report;
    let rows = |rows: &[Row]| rows.iter().map(|row| row.key.clone()).collect::<BTreeSet<_>>();
    let told: BTreeSet<String> =
        [&report.carried, &report.renamed, &report.changed].into_iter().flat_map(|list| rows(list)).collect();
    assert_eq!(told, CARRIED.iter().map(|(key, ..)| (*key).to_owned()).collect());
    assert_eq!(rows(&report.dropped), DROPPED.iter().map(|key| (*key).to_owned()).collect());
    // Nothing of the file is missing in this test either.
    let written = INVENTORY.lines().filter(|line| !line.starts_with(['#', '[']) && line.contains('='));
    assert_eq!(written.count() + 1, CARRIED.len() + DROPPED.len());
    assert_eq!(
        (report.settings, report.accounted()),
        (CARRIED.len() + DROPPED.len(), CARRIED.len() + DROPPED.len())
    );
    assert!(report.not_understood.is_empty() && report.replaced.is_empty());
    assert_eq!(report.release.map(|release| release.to_string()).as_deref(), Some("4.2.4"));
    assert_eq!(at(&table, "namespaces.mode"), "\"dynamic\"");
}

#[test]
fn what_is_written_for_the_4_2_4_inventory_stays_as_it_is() {
    let imported = imported(&[("ansible/inventory", INVENTORY)]);
    insta::assert_snapshot!("inventory_4_2_4_toml", imported.toml);
    insta::assert_snapshot!("inventory_4_2_4_summary", imported.report.summary());
    insta::assert_snapshot!("inventory_4_2_4_page", imported.report.page("pgherd.toml"));
}

#[test]
fn the_yaml_of_4_7_with_its_metrics_is_taken_over() {
    let inventory = "---\nall:\n  hosts:\n    localhost:\n  vars:\n    ansible_connection: local\n    \
                     kubernetes_context: prod\n    openshift_skip_tls_verify: true\n";
    let imported =
        imported(&[("inventory.yaml", inventory), ("values.yaml", VALUES), ("metrics.yaml", METRICS)]);
    let table = toml(&imported);
    for (path, value) in [
        ("kubernetes.context", "\"prod\""),
        ("kubernetes.openshift.verify_tls", "false"),
        ("namespaces.mode", "\"dynamic\""),
        ("namespaces.reconcile_rbac", "true"),
        ("defaults.resources.container", "\"container\""),
        ("defaults.resources.exporter", "\"exporter\""),
        ("resource1.requests_memory", "\"128Mi\""),
        ("resource4.name", "\"exporter\""),
        ("defaults.storage.pgadmin", "\"default\""),
        ("defaults.set_fs_group", "true"),
        ("defaults.password_validity", "-"),
        ("storage1.class", "-"),
        ("metrics.grafana.enabled", "true"),
        ("metrics.grafana.service_name", "\"crunchy-grafana\""),
        ("metrics.grafana.storage", "\"grafana\""),
        ("metrics.grafana.admin_password", "{ file = \"pgherd.toml.secrets/grafana-admin-password\" }"),
        ("storage10.name", "\"prometheus\""),
        ("storage11.size", "\"1Gi\""),
        ("storage11.name", "\"grafana\""),
        ("metrics.alertmanager.log_level", "\"info\""),
        ("s3.verify_tls", "true"),
        ("gcs.bucket", "-"),
    ] {
        assert_eq!(at(&table, path), value, "{path}");
    }
    assert_eq!(imported.report.settings, imported.report.accounted());
    assert_eq!(imported.report.release.map(|release| release.minor), Some(7));
    assert!(
        imported.report.replaced.iter().any(|row| row.key == "db_port"),
        "{:?}",
        imported.report.replaced
    );
}

#[test]
fn every_key_of_every_release_has_a_fate() {
    let listed: BTreeSet<String> = EVERY_KEY.lines().map(|key| key.replace("<ID>", "7")).collect();
    assert!(listed.len() > 180);
    for key in &listed {
        assert!(keys::find(key).is_some(), "{key}");
    }
    for key in catalogue::SCALARS {
        let found = keys::find(key.name).unwrap();
        assert_eq!(found.key.name, key.name);
        // Helm's own settings and variables of the roles are known beyond the list.
        assert!(listed.contains(key.name) || matches!(key.fate, keys::Fate::Dropped(_)), "{}", key.name);
    }
    assert!(keys::find("storage50_size").is_some() && keys::find("storage05_size").is_none());
    assert_eq!(keys::nearest("pgo_opeartor_namespace").as_deref(), Some("pgo_operator_namespace"));
    assert_eq!(keys::nearest("storage12_sise").as_deref(), Some("storage12_size"));
    assert_eq!(keys::nearest("my_own_variable"), None);
}

#[test]
fn what_is_unsafe_stops_the_import_with_every_line() {
    let found = problems(
        "storage2_name='a'\nstorage2_size='1X'\nreplica_storage='fasst'\ndb_user='Big User'\ndb_port=99999\n\
         metrics='{{ lookup(\"env\", \"X\") }}'\nbackrest_aws_s3_secret=!vault |\nservice_type='clusterip'\n\
         archive_mode=maybe\nstorage3_name='a'\ndb_name='open\n",
    );
    let lines: Vec<usize> = found.iter().map(|(_, line, _)| *line).collect();
    assert_eq!(lines, [10, 11, 12, 13, 14, 16, 17, 18, 19], "{found:?}");
    assert!(found[1].2.contains("there is a, fast"), "{found:?}");
    let vault = problems("backrest_aws_s3_secret='$ANSIBLE_VAULT;1.1;AES256 6162'\n");
    assert_eq!(vault[0].2, "it is encrypted by ansible-vault");
}

#[test]
fn lenient_leaves_out_what_is_unsafe_and_says_so() {
    let text = ini("storage2_name='a'\nstorage2_size='1X'\ndb_port=99999\nnonsense\n");
    let imported = import(&[("inventory", &text)], true).unwrap();
    let table = toml(&imported);
    assert_eq!(at(&table, "defaults.port"), "-");
    assert!(
        imported.toml.contains("# left out: port: 99999 is not from 1 to 65535 (db_port, line 11)"),
        "{}",
        imported.toml
    );
    assert!(
        imported.toml.contains("# Left out: inventory:12: this line is no key=value"),
        "{}",
        imported.toml
    );
    assert_eq!(imported.report.left_out.len(), 3);
    assert_eq!(imported.report.settings, imported.report.accounted());
    assert!(imported.report.page("x").contains("| inventory:11 | `db_port` |"));
}

#[test]
fn a_file_that_lacks_what_an_installation_needs_says_what() {
    match import(&[("metrics.yaml", METRICS)], false) {
        Err(ImportError::Unsafe(problems)) => {
            let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
            assert_eq!(keys, ["pgo_operator_namespace", "primary_storage"]);
        }
        other => panic!("{other:?}"),
    }
    assert!(import(&[("metrics.yaml", METRICS)], true).is_ok());
}

#[test]
fn secrets_are_in_neither_file_nor_report() {
    let settings = "pgo_admin_password='hunter1'\nbackrest_aws_s3_key='hunter2'\nbackrest_aws_s3_secret='hunter3 # x'\n\
                    openshift_token=hunter4\nopenshift_user=u\nopenshift_password='hunter5'\ngrafana_admin_password=\"{{ mine }}\"\n\
                    mine='hunter6'\nunknown_password='hunter7'\n";
    let text = ini(settings);
    for secrets in [SecretsTo::Environment, SecretsTo::Folder("f".to_owned())] {
        let environment = secrets == SecretsTo::Environment;
        let sources = vec![read::text_of("inventory", &text).unwrap()];
        let imported = from(sources, &Options { lenient: false, secrets }).unwrap();
        let json = serde_json::to_string(&imported.report).unwrap();
        let shown =
            format!("{}{json}{}{:?}", imported.report.page("x"), imported.report.summary(), imported.secrets);
        assert!(!shown.contains("hunter"), "{shown}");
        // The id of the access key is no secret by itself, but is not told either.
        assert_eq!(imported.toml.matches("hunter").count(), 1, "{}", imported.toml);
        let table = toml(&imported);
        let expected =
            if environment { "{ env = \"PGHERD_S3_SECRET\" }" } else { "{ file = \"f/s3-secret\" }" };
        assert_eq!(at(&table, "s3.secret"), expected);
        let kept: Vec<(&str, &str)> = (imported.secrets.iter())
            .map(|secret| (secret.name, secrecy::ExposeSecret::expose_secret(&secret.value)))
            .collect();
        let kept: BTreeSet<_> = kept.into_iter().collect();
        let expected = [
            ("s3-secret", "hunter3 # x"),
            ("openshift-token", "hunter4"),
            ("grafana-admin-password", "hunter6"),
        ];
        assert_eq!(kept, expected.into_iter().collect());
        assert_eq!(at(&table, "kubernetes.openshift.user"), "-");
    }
    let leak = problems("db_user='{{ my_password }}'\nmy_password='hunter8'\n");
    assert!(leak[0].2.contains("my_password") && !leak[0].2.contains("hunter"), "{leak:?}");
    // A password that Ansible read with what looks like a comment keeps it.
    let whole = imported(&[("inventory", &ini("backrest_aws_s3_secret=abc #def\n"))]);
    assert_eq!(secrecy::ExposeSecret::expose_secret(&whole.secrets[0].value), "abc #def");
}

#[test]
fn meanings_that_differ_are_told() {
    let text = ini(
        "delete_operator_namespace='true'\npreserve_pg_clusters='true'\ndisable_auto_failover='true'\nnamespace=''\n\
         storage2_name='My_Store'\nstorage2_size='1G'\nstorage2_type='create'\nstorage2_class='x'\nreplica_storage='My_Store'\n\
         storage60_name='late'\nstorage60_size='1G'\nstorage7_size='1G'\nstorage0_name='x'\ndb_password_age_days=0\n\
         pgo_opeartor_namespace='x'\nmy_variable='x'\ndb_name='{{ my_variable }}_db'\nmetrics=yes # on\ndb_user=test_user\n",
    );
    let imported = imported(&[("inventory", &text)]);
    let table = toml(&imported);
    for (path, value) in [
        ("namespaces.delete.operator", "true"),
        ("defaults.failover", "false"),
        ("namespaces.watched", "-"),
        ("storage2.name", "\"my-store\""),
        ("storage2.class", "-"),
        ("defaults.storage.replica", "\"my-store\""),
        ("storage60.name", "\"late\""),
        ("defaults.password_validity", "-"),
        ("defaults.database", "\"x_db\""),
        ("defaults.user", "\"test-user\""),
        ("defaults.exporter", "true"),
    ] {
        assert_eq!(at(&table, path), value, "{path}");
    }
    let why = |rows: &[Row], key: &str| {
        rows.iter().find(|row| row.key == key).and_then(|row| row.why.clone()).unwrap_or_default()
    };
    let report = &imported.report;
    assert!(why(&report.changed, "delete_operator_namespace").contains("now keeps both"));
    assert!(why(&report.changed, "namespace").contains("the operator's own"));
    assert!(why(&report.changed, "storage2_name").contains("what refers to it follows"));
    assert!(why(&report.changed, "storage60_name").contains("up to 49"));
    assert!(why(&report.changed, "db_user").contains("new clusters only"));
    assert!(
        report
            .page("x")
            .contains("| inventory:27 | `db_user` | `test_user` | `defaults.user = \"test-user\"` |")
    );
    assert!(why(&report.dropped, "storage7_size").contains("without a name"));
    assert!(why(&report.dropped, "storage0_name").contains("counted from 1"));
    assert!(why(&report.dropped, "storage2_class").contains("never had a class"));
    assert!(why(&report.dropped, "my_variable").contains("of your own"));
    assert!(
        why(&report.not_understood, "pgo_opeartor_namespace")
            .contains("did you mean pgo_operator_namespace?")
    );
    assert!(why(&report.renamed, "metrics").contains("a part of the value for Ansible"));
    assert_eq!(report.settings, report.accounted());
}

#[test]
fn storages_of_4_0_have_their_numbers_as_names() {
    let text = "[all:vars]\npgo_image_tag='centos7-4.0.1'\npgo_operator_namespace='pgo'\nprimary_storage='storage2'\n\
                storage2_size='1G'\nstorage2_type='dynamic'\nstorage2_class='fast'\nstorage1_size='2G'\nauto_failover='false'\n";
    let table = toml(&imported(&[("inventory", text)]));
    assert_eq!(at(&table, "storage2.name"), "\"storage2\"");
    assert_eq!(at(&table, "storage1.name"), "\"storage1\"");
    assert_eq!(at(&table, "defaults.storage.primary"), "\"storage2\"");
    assert_eq!(at(&table, "installation.name"), "\"pgo\"");
    assert_eq!(at(&table, "defaults.failover"), "false");
}

#[test]
fn release_4_3_did_not_reconcile_unless_told() {
    let text = ini("").replace("4.2.4", "4.3.4");
    let table = toml(&imported(&[("inventory", &text)]));
    assert_eq!(at(&table, "namespaces.reconcile_rbac"), "false");
    let text = ini("dynamic_rbac='true'").replace("4.2.4", "4.3.4");
    assert_eq!(at(&toml(&imported(&[("inventory", &text)])), "namespaces.reconcile_rbac"), "true");
}

#[test]
fn images_in_parts_become_one_and_pull_secrets_a_list() {
    let imported = imported(&[(
        "inventory",
        &ini(
            "grafana_image_tag='8.0.0'\ngrafana_image_prefix='registry.example.com/mirror'\nccp_image_pull_secret='one'\n\
              pgo_image_pull_secret='two'\nmetrics_image_pull_secret='one'\npgo_image_pull_secret_manifest='m.yaml'\n",
        ),
    )]);
    let table = toml(&imported);
    assert_eq!(at(&table, "images.grafana"), "\"registry.example.com/mirror/grafana:8.0.0\"");
    assert_eq!(at(&table, "images.pull_secrets"), "[\"one\", \"two\"]");
    assert_eq!(at(&table, "images.pull_secret_manifests"), "[\"m.yaml\"]");
    assert_eq!(imported.report.settings, imported.report.accounted());
}

#[test]
fn the_same_setting_twice_is_told() {
    let report = imported(&[("a", &ini("db_port=1\ndb_port=2\n")), ("b", "db_port: 3\n")]).report;
    let replaced: Vec<(usize, &str)> =
        report.replaced.iter().map(|row| (row.place.line, row.why.as_deref().unwrap())).collect();
    assert_eq!(
        replaced,
        [(9, "line 10 has another value that wins"), (10, "b:1 has another value that wins")]
    );
    assert_eq!(report.settings, report.accounted());
}

#[test]
fn what_is_imported_passes_the_check() {
    for files in [
        vec![("ansible/inventory", INVENTORY)],
        vec![("values.yaml", VALUES)],
        vec![("values.yaml", VALUES), ("metrics.yaml", METRICS)],
    ] {
        let imported = imported(&files);
        if let Err(report) = crate::inventory::Inventory::parse("pgherd.toml", &imported.toml) {
            panic!("{}", report.render(false));
        }
    }
}

#[test]
fn the_settings_know_their_old_names_as_the_import_does() {
    let numbered = |block: keys::Block| {
        let word = block.word();
        block.keys().iter().map(move |key| (format!("{word}<ID>_{}", key.name), key))
    };
    let blocks = [keys::Block::Storage, keys::Block::Resource].into_iter().flat_map(numbered);
    let here: BTreeSet<(String, String)> = catalogue::SCALARS
        .iter()
        .map(|key| (key.name.to_owned(), key))
        .chain(blocks)
        .filter_map(|(name, key)| Some((name, key.fate.target()?.path.to_owned())))
        .collect();
    let there: BTreeSet<(String, String)> = crate::inventory::catalogue::all()
        .iter()
        .flat_map(|named| named.setting.old.iter().map(|old| ((*old).to_owned(), named.path.clone())))
        .collect();
    let unexplained: Vec<_> = here.difference(&there).collect();
    // Images of PGO are explained, but can't be carried over.
    let image = |(old, path): &&(String, String)| old.contains("_image") && path.starts_with("images.");
    let unknown: Vec<_> = there.difference(&here).filter(|pair| !image(pair)).collect();
    assert!(unexplained.is_empty() && unknown.is_empty(), "{unexplained:#?}\n{unknown:#?}");
}
