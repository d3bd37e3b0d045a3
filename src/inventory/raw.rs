//! The inventory as written: every value right on its own and with its place, nothing compared with anything else.

use super::{
    code::Code,
    section::Section,
    source::{At, Source},
    table::{RawTable, Row, Table},
    tables::{FilePath, RawResources, RawStorage, RawTables, Resources, SecretSource, Storage, Tables},
};

/// A table with a number.
#[derive(Debug)]
pub(super) struct Numbered<R> {
    /// Its key, such as `storage3`.
    pub(super) key: String,
    pub(super) id: u32,
    pub(super) raw: R,
}

#[derive(Debug)]
pub(super) struct RawInventory {
    pub(super) tables: RawTables,
    pub(super) storages: Vec<Numbered<RawStorage>>,
    pub(super) resources: Vec<Numbered<RawResources>>,
}

impl RawInventory {
    /// Reads the whole tree and notes what is wrong with single values.
    pub(super) fn read(top: Section<'_>) -> Self {
        let storages = numbered::<Storage>(&top, "storage");
        let resources = numbered::<Resources>(&top, "resource");
        if storages.is_empty() && !top.keys().iter().any(|key| key.value.starts_with("storage")) {
            let label = "a table [storage1] with `name` and `size` has to be in this file";
            top.notes().add(Code::MissingKey, top.place().clone(), "storage1 is missing".to_owned(), label);
        }
        // A misspelt first table finds these even when there is no correct one.
        top.know("storage1");
        top.know("resource1");
        Self { storages, resources, tables: Tables::read(top) }
    }

    /// Every setting, in the order in which a file would have them.
    pub(super) fn rows(&self, sources: &[Source]) -> Vec<Row> {
        let mut rows = Vec::new();
        self.tables.rows("", sources, &mut rows);
        let defaults_end =
            rows.iter().rposition(|row| row.key.starts_with("defaults.")).map_or(rows.len(), |at| at + 1);
        let mut numbered = Vec::new();
        for Numbered { key, raw, .. } in &self.storages {
            raw.rows(&format!("{key}."), sources, &mut numbered);
        }
        for Numbered { key, raw, .. } in &self.resources {
            raw.rows(&format!("{key}."), sources, &mut numbered);
        }
        rows.splice(defaults_end..defaults_end, numbered);
        rows
    }

    /// Every file that is named.
    pub(super) fn files(&self) -> Vec<(&'static str, At<FilePath>)> {
        let RawTables { kubernetes, images, tls, s3, gcs, metrics, .. } = &self.tables;
        let mut files: Vec<(&'static str, At<FilePath>)> = Vec::new();
        let paths = [
            ("kubernetes.kubeconfig", &kubernetes.kubeconfig),
            ("tls.authority_certificate", &tls.authority_certificate),
            ("tls.authority_key", &tls.authority_key),
            ("tls.trusted_authorities", &tls.trusted_authorities),
            ("s3.ca", &s3.ca),
        ];
        files.extend(paths.into_iter().filter_map(|(setting, at)| Some((setting, at.clone()?))));
        let secrets = [
            ("kubernetes.openshift.token", &kubernetes.openshift.token),
            ("kubernetes.openshift.password", &kubernetes.openshift.password),
            ("s3.secret", &s3.secret),
            ("gcs.key", &gcs.key),
            ("metrics.grafana.admin_password", &metrics.grafana.admin_password),
        ];
        files.extend(secrets.into_iter().filter_map(|(setting, at)| {
            let At { value: SecretSource::File(path), place } = at.as_ref()? else { return None };
            Some((setting, At { value: path.clone(), place: place.clone() }))
        }));
        if let Some(manifests) = &images.pull_secret_manifests {
            let place = &manifests.place;
            files.extend(
                (manifests.value.iter().cloned())
                    .map(|value| ("images.pull_secret_manifests", At { value, place: place.clone() })),
            );
        }
        files
    }
}

/// The tables `stem1`, `stem2` and so on. What looks like one and isn't was noted.
fn numbered<T: Table>(top: &Section<'_>, stem: &str) -> Vec<Numbered<T::Raw>> {
    let mut tables = Vec::new();
    for key in top.keys() {
        let Some(id) = key.value.strip_prefix(stem) else { continue };
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        match id.parse::<u32>() {
            Ok(number) if number > 0 && number.to_string() == id => {
                let raw = T::read(top.section(&key.value));
                tables.push(Numbered { key: key.value, id: number, raw });
            }
            _ => {
                top.know(&key.value);
                let message = format!("{} is no number of a table", key.value);
                let plain = id.trim_start_matches('0');
                let label = match plain.parse::<u32>() {
                    Ok(number) => format!("write {stem}{number}"),
                    Err(_) => format!("the first is {stem}1"),
                };
                top.notes().add(Code::TableNumber, key.place, message, label);
            }
        }
    }
    tables.sort_by_key(|table| table.id);
    tables
}
