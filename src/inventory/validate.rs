//! Compares settings with each other, and follows references from one table to another. Pure.

use std::{collections::BTreeSet, fmt::Display, path::Path};

use super::{
    catalogue,
    code::Code,
    notes::Notes,
    raw::{Numbered, RawInventory},
    report::Mistake,
    source::{At, Place, Source},
    table::Row,
    tables::{
        NamespaceMode, RawDefaults, RawGcs, RawImages, RawInstallation, RawKubernetes, RawNetwork, RawS3,
        RawStorage, RawTls, StorageType,
    },
    value::nearest,
};
use crate::domain::{names::SettingName, quantity::Quantity};

/// The most characters of a label's value.
const LONGEST_LABEL: usize = 63;

/// Notes everything that single values don't show.
pub(super) fn compare(raw: &RawInventory, sources: &[Source], notes: &Notes) {
    let check = Check { sources, notes };
    check.unique(raw.storages.iter().filter_map(|table| table.raw.name.as_ref()), "storage");
    check.unique(raw.resources.iter().filter_map(|table| table.raw.name.as_ref()), "resource");
    for resource in &raw.resources {
        let raw = &resource.raw;
        check.limit(raw.requests_cpu.as_ref(), raw.limits_cpu.as_ref());
        check.limit(raw.requests_memory.as_ref(), raw.limits_memory.as_ref());
    }
    for storage in &raw.storages {
        check.storage(storage);
    }
    check.references(raw);
    check.version(&raw.tables.defaults, &raw.tables.images);
    check.kubernetes(&raw.tables.kubernetes);
    check.network(&raw.tables.network);
    check.tls(&raw.tables.tls);
    check.s3(&raw.tables.s3);
    check.gcs(&raw.tables.gcs);
    check.archive(&raw.tables.defaults);
    check.ports(&raw.tables.defaults);
    check.namespaces(raw);
}

/// A storage or a set of resources that was referred to.
struct Reference<'a> {
    at: &'a At<SettingName>,
}

struct Check<'a> {
    sources: &'a [Source],
    notes: &'a Notes,
}

impl Check<'_> {
    fn line(&self, place: &Place) -> String {
        let Some(source) = self.sources.get(place.source) else { return String::new() };
        if place.source == 0 {
            format!("line {}", source.position(place.span.start).0)
        } else {
            source.name()
        }
    }

    fn pair(&self, code: Code, message: String, here: &Place, label: String, there: &Place) {
        self.notes.push(Mistake { code, message, place: here.clone(), label, related: Some(there.clone()) });
    }

    /// Two settings of which only one can be there.
    fn conflict(&self, one: (&str, Option<&Place>), other: (&str, Option<&Place>)) {
        let ((one, Some(first)), (other, Some(second))) = (one, other) else { return };
        let (first, second, one, other) = if first.order() <= second.order() {
            (first, second, one, other)
        } else {
            (second, first, other, one)
        };
        let message = format!("{one} and {other} exclude each other");
        self.pair(
            Code::Conflict,
            message,
            second,
            format!("remove this, or {one} ({})", self.line(first)),
            first,
        );
    }

    /// A setting that needs another one.
    fn needs(&self, one: (&str, Option<&Place>), other: (&str, bool)) {
        let ((one, Some(place)), (other, false)) = (one, other) else { return };
        if self.notes.is_wrong(other) {
            return;
        }
        let message = format!("{one} needs {other}");
        self.notes.add(Code::Incomplete, place.clone(), message, format!("{other} is missing"));
    }

    fn limit(&self, request: Option<&At<Quantity>>, limit: Option<&At<Quantity>>) {
        let (Some(request), Some(limit)) = (request, limit) else { return };
        if limit.value < request.value {
            let label = format!("must be at least {}", request.value);
            self.pair(
                Code::LimitBelowRequest,
                "limit below request".to_owned(),
                &limit.place,
                label,
                &request.place,
            );
        }
    }

    fn storage(&self, table: &Numbered<RawStorage>) {
        let RawStorage { r#type, class, size, match_labels, .. } = &table.raw;
        let name = |key: &str| format!("{}.{key}", table.key);
        let fixed = r#type.as_ref().filter(|kind| kind.value == StorageType::Static);
        self.conflict(
            (&format!("{} = \"static\"", name("type")), fixed.map(|kind| &kind.place)),
            (&name("class"), class.as_ref().map(|class| &class.place)),
        );
        if fixed.is_none()
            && let Some(labels) = match_labels.as_ref().filter(|labels| !labels.value.is_empty())
        {
            let message = format!("{} needs {} = \"static\"", name("match_labels"), name("type"));
            let label = "only existing volumes have labels to choose by";
            self.notes.add(Code::Incomplete, labels.place.clone(), message, label);
        }
        if let Some(size) =
            size.as_ref().filter(|size| size.value.as_bytes().is_ok_and(|bytes| bytes < 1 << 20))
        {
            let message = format!("{} can't be {}", name("size"), size.value);
            let label = "less than 1Mi is too small for anything; is a unit missing, such as Gi?";
            self.notes.add(Code::Range, size.place.clone(), message, label);
        }
    }

    fn references(&self, raw: &RawInventory) {
        let storage = &raw.tables.defaults.storage;
        let mut used = BTreeSet::new();
        let metrics = &raw.tables.metrics;
        for at in [
            &storage.primary,
            &storage.replica,
            &storage.pgbackrest,
            &storage.backup,
            &storage.wal,
            &storage.pgadmin,
            &metrics.prometheus.storage,
            &metrics.grafana.storage,
            &metrics.alertmanager.storage,
        ]
        .into_iter()
        .flatten()
        {
            self.refer(
                &Reference { at },
                &raw.storages,
                |raw| raw.name.as_ref(),
                "storage",
                Code::UnknownStorage,
            );
            used.insert(&at.value);
        }
        self.unused(&raw.storages, |raw| raw.name.as_ref(), &used, "storage");
        let resources = &raw.tables.defaults.resources;
        let mut used = BTreeSet::new();
        for at in [
            &resources.container,
            &resources.load,
            &resources.rmdata,
            &resources.backup,
            &resources.pgbouncer,
            &resources.pgbackrest,
            &resources.exporter,
        ]
        .into_iter()
        .flatten()
        {
            self.refer(
                &Reference { at },
                &raw.resources,
                |raw| raw.name.as_ref(),
                "resource",
                Code::UnknownResource,
            );
            used.insert(&at.value);
        }
    }

    /// Follows a name to its table, or notes that there is none and which one may be meant.
    fn refer<R>(
        &self,
        reference: &Reference<'_>,
        tables: &[Numbered<R>],
        name: impl Fn(&R) -> Option<&At<SettingName>>,
        kind: &str,
        code: Code,
    ) {
        let wanted = reference.at;
        let named: Vec<_> = tables.iter().filter_map(|table| Some((name(&table.raw)?, table))).collect();
        if named.iter().any(|(name, _)| name.value == wanted.value) {
            return;
        }
        let near = nearest(wanted.value.as_str(), named.iter().map(|(name, _)| name.value.as_str()))
            .and_then(|near| named.iter().find(|(name, _)| name.value.as_str() == near));
        // A table whose name is wrong was reported already and may be the one that is meant.
        if near.is_none() && named.len() < tables.len() {
            return;
        }
        let label = match near {
            Some((name, table)) => {
                format!("did you mean \"{}\" ({}, {})?", name.value, table.key, self.line(&name.place))
            }
            None if tables.is_empty() => format!("this file has no [{kind}1]"),
            None => {
                let known: Vec<&str> = named.iter().map(|(name, _)| name.value.as_str()).collect();
                format!("there is: {}", known.join(", "))
            }
        };
        let message = format!("no {kind} is called \"{}\"", wanted.value);
        self.notes.add(code, wanted.place.clone(), message, label);
    }

    /// Clusters can be created with any storage, so one that no default names is only worth a word when its name is like
    /// that of another, which is how a slip of the finger looks.
    fn unused<R>(
        &self,
        tables: &[Numbered<R>],
        name: impl Fn(&R) -> Option<&At<SettingName>>,
        used: &BTreeSet<&SettingName>,
        kind: &str,
    ) {
        let names: Vec<_> = tables.iter().filter_map(|table| name(&table.raw)).collect();
        for unused in names.iter().filter(|name| !used.contains(&name.value)) {
            let others = used.iter().filter(|used| names.iter().any(|name| name.value == ***used));
            let twin = others.into_iter().find(|used| {
                unused.value.as_str().len() > 3
                    && strsim::damerau_levenshtein(unused.value.as_str(), used.as_str()) == 1
                    && !differ_in_digits(unused.value.as_str(), used.as_str())
            });
            if let Some(twin) = twin {
                let message = format!("no default refers to the {kind} \"{}\"", unused.value);
                let label = format!("\"{twin}\" is nearly the same name");
                self.notes.add(Code::Unused, unused.place.clone(), message, label);
            }
        }
    }

    fn version(&self, defaults: &RawDefaults, images: &RawImages) {
        let (Some(wanted), Some(postgres)) = (&defaults.postgres_version, &images.postgres) else { return };
        if !postgres.value.keys().any(|version| u32::from(version.get()) == wanted.value.get()) {
            let versions: Vec<String> =
                postgres.value.keys().map(|version| version.get().to_string()).collect();
            self.notes.add(
                Code::VersionWithoutImage,
                wanted.place.clone(),
                format!("images.postgres has no image for PostgreSQL {}", wanted.value.get()),
                format!("it has {}", versions.join(", ")),
            );
        }
    }

    fn kubernetes(&self, raw: &RawKubernetes) {
        let place = |at: &Option<At<_>>| at.as_ref().map(|at: &At<_>| at.place.clone());
        let inside = raw.in_cluster.as_ref().filter(|inside| inside.value).map(|inside| &inside.place);
        let inside = ("kubernetes.in_cluster = true", inside);
        let host = raw.openshift.host.as_ref().map(|host| &host.place);
        self.conflict(inside, ("kubernetes.context", place(&raw.context).as_ref()));
        self.conflict(inside, ("kubernetes.kubeconfig", raw.kubeconfig.as_ref().map(|path| &path.place)));
        self.conflict(inside, ("kubernetes.openshift.host", host));
        self.conflict(
            ("kubernetes.context", place(&raw.context).as_ref()),
            ("kubernetes.openshift.host", host),
        );
        let openshift = &raw.openshift;
        let (token, user) =
            (openshift.token.as_ref().map(|at| &at.place), openshift.user.as_ref().map(|at| &at.place));
        let password = openshift.password.as_ref().map(|at| &at.place);
        self.conflict(("kubernetes.openshift.token", token), ("kubernetes.openshift.user", user));
        for (name, there) in [("token", token), ("user", user), ("password", password)] {
            self.needs(
                (&format!("kubernetes.openshift.{name}"), there),
                ("kubernetes.openshift.host", host.is_some()),
            );
        }
        self.needs(
            ("kubernetes.openshift.password", password),
            ("kubernetes.openshift.user", user.is_some()),
        );
        self.needs(
            ("kubernetes.openshift.user", user),
            ("kubernetes.openshift.password", password.is_some()),
        );
        if let Some(off) = openshift.verify_tls.as_ref().filter(|verify| !verify.value) {
            self.unverified("kubernetes.openshift.verify_tls", &off.place, "whoever answers gets the token");
        }
    }

    fn unverified(&self, setting: &str, place: &Place, label: &str) {
        let message = format!("{setting} = false lets anybody be the other end");
        self.notes.add(Code::Unverified, place.clone(), message, label);
    }

    fn network(&self, raw: &RawNetwork) {
        let clients = raw.client_namespaces.as_ref().map(|at| &at.place);
        let ports = raw.api_server_ports.as_ref().map(|at| &at.place);
        for one in [("network.client_namespaces", clients), ("network.api_server_ports", ports)] {
            self.needs(one, ("network.policies", raw.policies.is_some()));
        }
    }

    fn tls(&self, raw: &RawTls) {
        let certificate = raw.authority_certificate.as_ref().map(|at| &at.place);
        let key = raw.authority_key.as_ref().map(|at| &at.place);
        let secret = raw.authority_secret.as_ref().map(|at| &at.place);
        self.conflict(("tls.authority_secret", secret), ("tls.authority_certificate", certificate));
        self.conflict(("tls.authority_secret", secret), ("tls.authority_key", key));
        self.needs(("tls.authority_certificate", certificate), ("tls.authority_key", key.is_some()));
        self.needs(("tls.authority_key", key), ("tls.authority_certificate", certificate.is_some()));
        let day = std::time::Duration::from_hours(24);
        for (name, at) in [
            ("tls.authority_validity", &raw.authority_validity),
            ("tls.certificate_validity", &raw.certificate_validity),
        ] {
            if let Some(at) = at.as_ref().filter(|at| at.value.length() < day) {
                let message = format!("{name} can't be {}", at.value);
                self.notes.add(Code::Duration, at.place.clone(), message, "at least 1d");
            }
        }
        if let (Some(authority), Some(certificate)) = (&raw.authority_validity, &raw.certificate_validity)
            && certificate.value.length() > authority.value.length()
        {
            let message = "tls.certificate_validity is longer than tls.authority_validity".to_owned();
            let label = format!("at most {}", authority.value);
            self.pair(Code::Conflict, message, &certificate.place, label, &authority.place);
        }
        let Some(renew) = &raw.renew_before else { return };
        let message = || "tls.renew_before is not shorter than tls.certificate_validity".to_owned();
        match &raw.certificate_validity {
            Some(validity) if renew.value.length() >= validity.value.length() => {
                let label = format!("less than {}", validity.value);
                self.pair(Code::Conflict, message(), &renew.place, label, &validity.place);
            }
            // The default of tls.certificate_validity.
            None if renew.value.length() >= 365 * day => {
                let label = "less than 365d, the default";
                self.notes.add(Code::Conflict, renew.place.clone(), message(), label);
            }
            _ => {}
        }
    }

    fn s3(&self, raw: &RawS3) {
        let RawS3 { bucket, endpoint, region, key, secret, verify_tls, ca, .. } = raw;
        let bucket_place = bucket.as_ref().map(|at| &at.place);
        self.needs(("s3.bucket", bucket_place), ("s3.endpoint", endpoint.is_some()));
        self.needs(("s3.bucket", bucket_place), ("s3.region", region.is_some()));
        self.needs(("s3.endpoint", endpoint.as_ref().map(|at| &at.place)), ("s3.bucket", bucket.is_some()));
        self.needs(("s3.key", key.as_ref().map(|at| &at.place)), ("s3.secret", secret.is_some()));
        self.needs(("s3.secret", secret.as_ref().map(|at| &at.place)), ("s3.key", key.is_some()));
        if let Some(off) = verify_tls.as_ref().filter(|verify| !verify.value) {
            let off_place = Some(&off.place);
            self.conflict(("s3.verify_tls = false", off_place), ("s3.ca", ca.as_ref().map(|ca| &ca.place)));
            self.unverified("s3.verify_tls", &off.place, "whoever answers gets the backups");
        }
    }

    fn gcs(&self, raw: &RawGcs) {
        let key = raw.key.as_ref().map(|at| &at.place);
        self.needs(("gcs.key", key), ("gcs.bucket", raw.bucket.is_some()));
        let auto = raw
            .key_type
            .as_ref()
            .filter(|kind| kind.value == super::tables::GcsKeyType::Auto)
            .map(|kind| &kind.place);
        self.conflict(("gcs.key_type = \"auto\"", auto), ("gcs.key", key));
    }

    fn archive(&self, raw: &RawDefaults) {
        let off = |at: &Option<At<bool>>| at.as_ref().filter(|at| !at.value).map(|at| at.place.clone());
        let (archive, backups) = (off(&raw.archive_mode), off(&raw.backups));
        if let (Some(archive), None) = (&archive, &backups)
            && let Some(on) = &raw.backups
        {
            self.conflict(
                ("defaults.archive_mode = false", Some(archive)),
                ("defaults.backups = true", Some(&on.place)),
            );
        }
        let schedules = &raw.schedules;
        for (name, at) in [
            ("full", &schedules.full),
            ("differential", &schedules.differential),
            ("incremental", &schedules.incremental),
        ] {
            self.conflict(
                ("defaults.backups = false", backups.as_ref()),
                (&format!("defaults.schedules.{name}"), at.as_ref().map(|at| &at.place)),
            );
        }
    }

    /// Containers of one pod share its ports.
    fn ports(&self, defaults: &RawDefaults) {
        let ports = [
            ("defaults.port", &defaults.port),
            ("defaults.exporter_port", &defaults.exporter_port),
            ("defaults.pgbadger_port", &defaults.pgbadger_port),
            ("defaults.pgbackrest_port", &defaults.pgbackrest_port),
        ];
        for (index, (name, port)) in ports.iter().enumerate() {
            for (other, taken) in &ports[..index] {
                if let (Some(port), Some(taken)) = (port, taken)
                    && port.value == taken.value
                {
                    let message = format!("{name} and {other} are the same port of one pod");
                    let label = format!("{} is taken ({})", port.value.get(), self.line(&taken.place));
                    self.pair(Code::Conflict, message, &port.place, label, &taken.place);
                }
            }
        }
    }

    fn namespaces(&self, raw: &RawInventory) {
        let namespaces = &raw.tables.namespaces;
        if let Some(mode) = &namespaces.mode
            && mode.value != NamespaceMode::Disabled
        {
            return self.label_fits(&raw.tables.installation, mode);
        }
        if let Some(watched) = namespaces.watched.as_ref().filter(|at| at.value.is_empty()) {
            let message = "namespaces.watched names no namespace".to_owned();
            let label = "name at least one, or remove the key to have databases in the operator's namespace";
            self.notes.add(Code::Incomplete, watched.place.clone(), message, label);
        }
    }

    /// Namespaces are followed by a label, whose value has the names of the installation and of its namespace.
    fn label_fits(&self, installation: &RawInstallation, mode: &At<NamespaceMode>) {
        let (Some(name), Some(namespace)) = (&installation.name, &installation.namespace) else { return };
        let length = namespace.value.as_str().len() + 1 + name.value.as_str().len();
        if length > LONGEST_LABEL {
            let message = format!(
                "namespaces can't carry a label with installation.namespace and installation.name: {length} characters"
            );
            let label =
                format!("both together may have {}, or namespaces.mode be \"disabled\"", LONGEST_LABEL - 1);
            self.pair(Code::Conflict, message, &mode.place, label, &name.place);
        }
    }

    fn unique<'v, T: Eq + Display + 'v>(&self, values: impl IntoIterator<Item = &'v At<T>>, kind: &str) {
        let mut seen: Vec<&At<T>> = Vec::new();
        for value in values {
            if let Some(first) = seen.iter().find(|other| other.value == value.value) {
                let message = format!("the {kind} \"{}\" is there twice", value.value);
                let label = format!("again; the first is in {}", self.line(&first.place));
                self.pair(Code::Duplicate, message, &value.place, label, &first.place);
            }
            seen.push(value);
        }
    }
}

fn differ_in_digits(one: &str, other: &str) -> bool {
    let without = |text: &str| text.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
    without(one) == without(other)
}

/// Warns of files that an inventory names and that aren't there. The inventory may be checked elsewhere than it is used.
pub(super) fn files(raw: &RawInventory, folder: &Path, notes: &Notes) {
    for (setting, at) in raw.files() {
        if !folder.join(at.value.as_str()).is_file() {
            let message = format!("{setting} names a file that isn't here");
            let label = format!("looked for {}", folder.join(at.value.as_str()).display());
            notes.add(Code::FileMissing, at.place, message, label);
        }
    }
}

/// Says once which of the settings that somebody changed do nothing yet.
pub(super) fn effects(rows: &[Row], notes: &Notes) {
    let inert = |row: &&Row| {
        let named = catalogue::at(&row.key);
        named.is_some_and(|named| !named.setting.effective && row.value.as_deref() != named.setting.default())
    };
    let found: Vec<(&Row, &Place)> =
        rows.iter().filter(inert).filter_map(|row| Some((row, row.place.as_ref()?))).collect();
    let Some((_, first)) = found.iter().min_by_key(|(_, place)| place.order()) else { return };
    let keys: Vec<&str> = found.iter().map(|(row, _)| row.key.as_str()).collect();
    let message = match keys.as_slice() {
        [one] => format!("this version does nothing with {one} yet"),
        many => format!("this version does nothing yet with {} settings that are set here", many.len()),
    };
    notes.add(Code::NoEffect, (*first).clone(), message, keys.join(", "));
}
