//! The settings of 4.0 to 4.7 as data. What reads them is in `keys` and `convert`.

use super::keys::{
    Fate,
    Form::{
        self, Address, Bool, Bucket, Choice, Database, Days, Installation, Inverted, List, Milliseconds,
        Namespace, Namespaces, Number, Object, Objects, Part, Path, Paths, ResourceName, Routes, Seconds,
        Secret, StorageName, Text, User,
    },
    Key, Target,
};

const fn carried(name: &'static str, path: &'static str, form: Form) -> Key {
    Key { name, fate: Fate::Carried(Target { path, form }) }
}

const fn renamed(name: &'static str, path: &'static str, form: Form) -> Key {
    Key { name, fate: Fate::Renamed(Target { path, form }) }
}

const fn changed(name: &'static str, path: &'static str, form: Form, why: &'static str) -> Key {
    Key { name, fate: Fate::Changed(Target { path, form }, why) }
}

const fn dropped(name: &'static str, why: &'static str) -> Key {
    Key { name, fate: Fate::Dropped(why) }
}

const PORT: Form = Number(1, 65_535);
const SERVICE: Form = Choice(&["ClusterIP", "NodePort", "LoadBalancer"]);
const AFFINITY: Form = Choice(&["preferred", "required", "disabled"]);

const ANSIBLE: &str = "pgherd needs no Ansible";
const WORK_FILE: &str = "a file or folder that Ansible worked with; pgherd leaves none behind";
const OLD_IMAGE: &str = "an image of PGO, which can't run as pgherd's";
const OLD_PREFIX: &str = "the images of PGO can't run as pgherd's; [images] names where pgherd's are";
const CLIENT: &str = "the client is the program pgherd itself";
const ALWAYS_TLS: &str = "the operator's endpoint always has TLS";
const OBJECT_NAME: &str = "pgherd names this object itself";
const DELETES: &str = "uninstall used to delete clusters and their volumes, and now keeps both unless told otherwise; \
                       the namespace itself is deleted only when it holds nothing of somebody else";
const OTHER_WAY_ROUND: &str = "the switch is the other way round";
const DOWNLOAD: &str = "everything that pgherd installs is in the program; nothing is downloaded";
const NEVER_USED: &str = "no container of pgherd's does this work";

/// Settings that are there once.
pub(super) const SCALARS: &[Key] = &[
    // The installation
    renamed("pgo_installation_name", "installation.name", Installation),
    renamed("pgo_operator_namespace", "installation.namespace", Namespace),
    renamed("crunchy_debug", "installation.debug", Bool),
    // The connection
    renamed("kubernetes_context", "kubernetes.context", Text),
    renamed("kubernetes_in_cluster", "kubernetes.in_cluster", Bool),
    renamed("openshift_host", "kubernetes.openshift.host", Text),
    renamed("openshift_token", "kubernetes.openshift.token", Secret("openshift-token")),
    renamed("openshift_user", "kubernetes.openshift.user", Text),
    renamed("openshift_password", "kubernetes.openshift.password", Secret("openshift-password")),
    changed("openshift_skip_tls_verify", "kubernetes.openshift.verify_tls", Inverted, OTHER_WAY_ROUND),
    // Namespaces and rights
    renamed("namespace", "namespaces.watched", Namespaces),
    renamed("namespace_mode", "namespaces.mode", Choice(&["dynamic", "readonly", "disabled"])),
    // Where two settings go to one, the one of the later release comes last and wins.
    renamed("dynamic_rbac", "namespaces.reconcile_rbac", Bool),
    carried("reconcile_rbac", "namespaces.reconcile_rbac", Bool),
    changed("delete_operator_namespace", "namespaces.delete.operator", Bool, DELETES),
    changed("delete_watched_namespaces", "namespaces.delete.watched", Bool, DELETES),
    changed("delete_metrics_namespace", "namespaces.delete.metrics", Bool, DELETES),
    renamed("create_rbac", "rbac.create", Bool),
    dropped(
        "preserve_pg_clusters",
        "clusters and their volumes are always kept unless uninstall is told otherwise",
    ),
    // Images
    changed(
        "ccp_image_tag",
        "defaults.postgres_version",
        Part,
        "new clusters get a version that pgherd has an image for; clusters that exist are upgraded on their own",
    ),
    dropped("ccp_image_prefix", OLD_PREFIX),
    dropped("pgo_image_prefix", OLD_PREFIX),
    dropped("pgo_image_tag", "pgherd's images have versions of their own; [images] names them"),
    renamed("ccp_image_pull_secret", "images.pull_secrets", Objects),
    renamed("pgo_image_pull_secret", "images.pull_secrets", Objects),
    renamed("metrics_image_pull_secret", "images.pull_secrets", Objects),
    renamed("ccp_image_pull_secret_manifest", "images.pull_secret_manifests", Paths),
    renamed("pgo_image_pull_secret_manifest", "images.pull_secret_manifests", Paths),
    renamed("metrics_image_pull_secret_manifest", "images.pull_secret_manifests", Paths),
    renamed("alertmanager_image_prefix", "images.alertmanager", Part),
    renamed("alertmanager_image_name", "images.alertmanager", Part),
    renamed("alertmanager_image_tag", "images.alertmanager", Part),
    renamed("grafana_image_prefix", "images.grafana", Part),
    renamed("grafana_image_name", "images.grafana", Part),
    renamed("grafana_image_tag", "images.grafana", Part),
    renamed("prometheus_image_prefix", "images.prometheus", Part),
    renamed("prometheus_image_name", "images.prometheus", Part),
    renamed("prometheus_image_tag", "images.prometheus", Part),
    dropped("pgo_image", OLD_IMAGE),
    dropped("pgo_apiserver_image", OLD_IMAGE),
    dropped("pgo_event_image", OLD_IMAGE),
    dropped("pgo_scheduler_image", OLD_IMAGE),
    dropped("pgo_client_image", OLD_IMAGE),
    // Certificates
    renamed("pgo_tls_ca_store", "tls.trusted_authorities", Path),
    renamed("pgo_add_os_ca_store", "tls.trust_system", Bool),
    dropped("pgo_disable_tls", ALWAYS_TLS),
    dropped(
        "pgo_tls_no_verify",
        "certificates are always verified; tls.trusted_authorities adds authorities",
    ),
    // Access
    renamed("pgo_admin_username", "access.admin_user", Text),
    dropped(
        "pgo_admin_password",
        "Kubernetes tells who somebody is; there is no password of the operator's own",
    ),
    renamed("pgo_admin_role_name", "access.admin_role", Object),
    renamed("pgo_admin_perms", "access.admin_permissions", List),
    renamed("pgo_apiserver_port", "access.port", PORT),
    renamed("pgo_noauth_routes", "access.routes_without_authentication", Routes),
    dropped(
        "pgo_disable_eventing",
        "events are those of Kubernetes; there is no server for them to switch off",
    ),
    dropped("pgo_cluster_admin", "the operator gets the rights that it needs and never all of them"),
    // The client
    dropped("pgo_client_install", CLIENT),
    dropped("pgo_client_version", CLIENT),
    dropped("pgo_client_url", CLIENT),
    dropped("pgo_client_container_install", CLIENT),
    dropped("pgo_client_cert_secret", CLIENT),
    dropped("pgo_apiserver_url", CLIENT),
    dropped("pgo_keys_dir", WORK_FILE),
    // Defaults of clusters
    renamed("backrest", "defaults.backups", Bool),
    renamed("badger", "defaults.pgbadger", Bool),
    renamed("metrics", "defaults.exporter", Bool),
    carried("archive_mode", "defaults.archive_mode", Bool),
    carried("archive_timeout", "defaults.archive_timeout", Seconds),
    carried("pod_anti_affinity", "defaults.pod_anti_affinity", AFFINITY),
    renamed("pod_anti_affinity_pgbackrest", "defaults.pgbackrest_pod_anti_affinity", AFFINITY),
    renamed("pod_anti_affinity_pgbouncer", "defaults.pgbouncer_pod_anti_affinity", AFFINITY),
    renamed("sync_replication", "defaults.synchronous_replication", Bool),
    carried("service_type", "defaults.service_type", SERVICE),
    carried("log_statement", "defaults.log_statement", Choice(&["none", "ddl", "mod", "all"])),
    carried("log_min_duration_statement", "defaults.log_min_duration_statement", Milliseconds),
    changed("auto_failover", "defaults.failover", Bool, "Patroni fails over, and not the operator"),
    changed("disable_auto_failover", "defaults.failover", Inverted, OTHER_WAY_ROUND),
    dropped("auto_failover_replace_replica", "Patroni makes the old primary a replica again by itself"),
    dropped("auto_failover_sleep_secs", "Patroni's own timing decides when it fails over"),
    dropped("disable_replica_start_fail_reinit", "Patroni decides when a replica is made anew"),
    dropped("enable_crunchyadm", "there is no such container; pgherd psql opens a session"),
    renamed("db_name", "defaults.database", Database),
    renamed("db_user", "defaults.user", User),
    renamed("db_port", "defaults.port", PORT),
    renamed("db_replicas", "defaults.replicas", Number(0, 100)),
    renamed("db_password_length", "defaults.password_length", Number(12, 128)),
    renamed("db_password_age_days", "defaults.password_validity", Days),
    renamed("exporterport", "defaults.exporter_port", PORT),
    renamed("pgbadgerport", "defaults.pgbadger_port", PORT),
    renamed("backrest_port", "defaults.pgbackrest_port", PORT),
    changed("disable_fsgroup", "defaults.set_fs_group", Inverted, OTHER_WAY_ROUND),
    renamed("scheduler_timeout", "defaults.schedule_timeout", Seconds),
    // Which storage and which resources
    renamed("primary_storage", "defaults.storage.primary", StorageName),
    renamed("replica_storage", "defaults.storage.replica", StorageName),
    renamed("backrest_storage", "defaults.storage.pgbackrest", StorageName),
    renamed("backup_storage", "defaults.storage.backup", StorageName),
    renamed("wal_storage", "defaults.storage.wal", StorageName),
    renamed("pgadmin_storage", "defaults.storage.pgadmin", StorageName),
    renamed("default_container_resources", "defaults.resources.container", ResourceName),
    renamed("default_load_resources", "defaults.resources.load", ResourceName),
    renamed("default_rmdata_resources", "defaults.resources.rmdata", ResourceName),
    renamed("default_backup_resources", "defaults.resources.backup", ResourceName),
    renamed("default_pgbouncer_resources", "defaults.resources.pgbouncer", ResourceName),
    dropped("default_lspvc_resources", NEVER_USED),
    dropped("default_pgpool_resources", "PgBouncer pools connections; there is no Pgpool"),
    renamed("default_instance_memory", "defaults.resources.container", Part),
    renamed("default_pgbackrest_memory", "defaults.resources.pgbackrest", Part),
    renamed("default_pgbouncer_memory", "defaults.resources.pgbouncer", Part),
    renamed("default_exporter_memory", "defaults.resources.exporter", Part),
    // Backups in S3 and GCS
    renamed("backrest_aws_s3_bucket", "s3.bucket", Bucket),
    renamed("backrest_aws_s3_endpoint", "s3.endpoint", Address),
    renamed("backrest_aws_s3_region", "s3.region", Text),
    renamed("backrest_aws_s3_key", "s3.key", Text),
    renamed("backrest_aws_s3_secret", "s3.secret", Secret("s3-secret")),
    renamed("backrest_aws_s3_uri_style", "s3.uri_style", Choice(&["host", "path"])),
    renamed("backrest_aws_s3_verify_tls", "s3.verify_tls", Bool),
    renamed("backrest_gcs_bucket", "gcs.bucket", Bucket),
    renamed("backrest_gcs_endpoint", "gcs.endpoint", Address),
    renamed("backrest_gcs_key", "gcs.key", Secret("gcs-key")),
    renamed("backrest_gcs_key_type", "gcs.key_type", Choice(&["service", "token", "auto"])),
    // Metrics
    renamed("metrics_namespace", "metrics.namespace", Namespace),
    renamed("prometheus_install", "metrics.prometheus.enabled", Bool),
    renamed("prometheus_port", "metrics.prometheus.port", PORT),
    renamed("prometheus_service_name", "metrics.prometheus.service_name", Object),
    renamed("prometheus_service_type", "metrics.prometheus.service_type", SERVICE),
    renamed("prometheus_custom_config", "metrics.prometheus.config", Object),
    renamed("prometheus_storage_access_mode", "metrics.prometheus.storage", Part),
    renamed("prometheus_storage_class_name", "metrics.prometheus.storage", Part),
    renamed("prometheus_volume_size", "metrics.prometheus.storage", Part),
    renamed("prometheus_supplemental_groups", "metrics.prometheus.storage", Part),
    renamed("prometheus_fs_group", "metrics.prometheus.storage", Part),
    renamed("grafana_install", "metrics.grafana.enabled", Bool),
    renamed("grafana_port", "metrics.grafana.port", PORT),
    renamed("grafana_service_name", "metrics.grafana.service_name", Object),
    renamed("grafana_service_type", "metrics.grafana.service_type", SERVICE),
    renamed("grafana_admin_username", "metrics.grafana.admin_user", Text),
    renamed("grafana_admin_password", "metrics.grafana.admin_password", Secret("grafana-admin-password")),
    renamed("grafana_dashboards_custom_config", "metrics.grafana.dashboards_config", Object),
    renamed("grafana_datasources_custom_config", "metrics.grafana.datasources_config", Object),
    renamed("grafana_storage_access_mode", "metrics.grafana.storage", Part),
    renamed("grafana_storage_class_name", "metrics.grafana.storage", Part),
    renamed("grafana_volume_size", "metrics.grafana.storage", Part),
    renamed("grafana_supplemental_groups", "metrics.grafana.storage", Part),
    renamed("grafana_fs_group", "metrics.grafana.storage", Part),
    renamed("alertmanager_install", "metrics.alertmanager.enabled", Bool),
    renamed("alertmanager_port", "metrics.alertmanager.port", PORT),
    renamed("alertmanager_service_name", "metrics.alertmanager.service_name", Object),
    renamed("alertmanager_service_type", "metrics.alertmanager.service_type", SERVICE),
    renamed(
        "alertmanager_log_level",
        "metrics.alertmanager.log_level",
        Choice(&["debug", "info", "warn", "error"]),
    ),
    renamed("alertmanager_custom_config", "metrics.alertmanager.config", Object),
    renamed("alertmanager_custom_rules_config", "metrics.alertmanager.rules_config", Object),
    renamed("alertmanager_storage_access_mode", "metrics.alertmanager.storage", Part),
    renamed("alertmanager_storage_class_name", "metrics.alertmanager.storage", Part),
    renamed("alertmanager_volume_size", "metrics.alertmanager.storage", Part),
    renamed("alertmanager_supplemental_groups", "metrics.alertmanager.storage", Part),
    dropped("alertmanager_configmap", OBJECT_NAME),
    dropped("alertmanager_rules_configmap", OBJECT_NAME),
    dropped("grafana_dashboards_configmap", OBJECT_NAME),
    dropped("grafana_datasources_configmap", OBJECT_NAME),
    dropped("prometheus_configmap", OBJECT_NAME),
    dropped("grafana_default_dashboards", DOWNLOAD),
    dropped("pgmonitor_version", DOWNLOAD),
    dropped("pgmonitor_dir", WORK_FILE),
    dropped("pgmonitor_alertmanager_dir", WORK_FILE),
    dropped("pgmonitor_grafana_dir", WORK_FILE),
    dropped("pgmonitor_prometheus_dir", WORK_FILE),
    dropped("metrics_dir", WORK_FILE),
    dropped("alertmanager_output_dir", WORK_FILE),
    dropped("grafana_output_dir", WORK_FILE),
    dropped("prom_output_dir", WORK_FILE),
    dropped("app_name", OBJECT_NAME),
    // Ansible and its roles
    dropped("ansible_connection", ANSIBLE),
    dropped("ansible_python_interpreter", ANSIBLE),
    dropped("config_path", "pgherd's inventory is one file; the values in that file are taken over"),
    dropped("all_namespaces", "Ansible worked it out for itself; namespaces.watched lists them"),
    dropped("cleanup", ANSIBLE),
    dropped("common_name", "pgherd's authority has a name of its own"),
    // Helm
    dropped("fullnameOverride", "it named a job of Helm's installer, which is not needed"),
    dropped("nameOverride", "it named a job of Helm's installer, which is not needed"),
    dropped("rbac.create", "it was about the rights of Helm's installer; who runs pgherd needs them"),
    dropped(
        "rbac.useClusterAdmin",
        "it was about the rights of Helm's installer; who runs pgherd needs them",
    ),
    dropped(
        "serviceAccount.create",
        "it was about the account of Helm's installer; pgherd runs as whoever calls it",
    ),
    dropped(
        "serviceAccount.name",
        "it was about the account of Helm's installer; pgherd runs as whoever calls it",
    ),
];

/// What follows the number of a storage.
pub(super) const STORAGE: &[Key] = &[
    carried("name", "storage<ID>.name", Part),
    carried("access_mode", "storage<ID>.access_mode", Part),
    carried("size", "storage<ID>.size", Part),
    carried("type", "storage<ID>.type", Part),
    carried("class", "storage<ID>.class", Part),
    carried("fs_group", "storage<ID>.fs_group", Part),
    carried("supplemental_groups", "storage<ID>.supplemental_groups", Part),
    carried("match_labels", "storage<ID>.match_labels", Part),
];

/// What follows the number of a set of resources.
pub(super) const RESOURCE: &[Key] = &[
    carried("name", "resource<ID>.name", Part),
    carried("requests_memory", "resource<ID>.requests_memory", Part),
    carried("requests_cpu", "resource<ID>.requests_cpu", Part),
    carried("limits_memory", "resource<ID>.limits_memory", Part),
    carried("limits_cpu", "resource<ID>.limits_cpu", Part),
];
