//! What watches the databases.

use super::{
    choices::{LogLevel, ServiceType},
    secret::SecretSource,
    texts::Line,
};
use crate::{
    domain::names::{NamespaceName, ObjectName, SettingName},
    inventory::{table::settings, value::Port},
};

settings! {
    /// What watches the databases.
    Metrics / RawMetrics {
        /// The namespace it runs in.
        namespace: [optional "the operator's namespace"] NamespaceName, old ["metrics_namespace"], inert;
        /// Collects measurements.
        prometheus: [table] Prometheus, old [];
        /// Shows them.
        grafana: [table] Grafana, old [];
        /// Calls somebody.
        alertmanager: [table] Alertmanager, old [];
    }
}

settings! {
    /// Prometheus, which collects measurements.
    Prometheus / RawPrometheus {
        /// Whether it is installed.
        enabled: [default "false"] bool, old ["prometheus_install"], inert;
        /// Its port.
        port: [default "9090"] Port, old ["prometheus_port"], inert;
        /// The name of its Service.
        service_name: [optional "the installation's name and `-prometheus`"] ObjectName, old ["prometheus_service_name"], inert;
        /// How its Service is reached.
        service_type: [default "\"ClusterIP\""] ServiceType, old ["prometheus_service_type"], inert;
        /// The storage that it keeps measurements on.
        storage: [optional "the storage of primaries"] SettingName, old ["prometheus_storage_access_mode", "prometheus_storage_class_name", "prometheus_volume_size", "prometheus_supplemental_groups", "prometheus_fs_group"], inert;
        /// A ConfigMap with a configuration of yours.
        config: [optional "pgherd's configuration"] ObjectName, old ["prometheus_custom_config"], inert;
    }
}

settings! {
    /// Grafana, which shows measurements.
    Grafana / RawGrafana {
        /// Whether it is installed.
        enabled: [default "false"] bool, old ["grafana_install"], inert;
        /// Its port.
        port: [default "3000"] Port, old ["grafana_port"], inert;
        /// The name of its Service.
        service_name: [optional "the installation's name and `-grafana`"] ObjectName, old ["grafana_service_name"], inert;
        /// How its Service is reached.
        service_type: [default "\"ClusterIP\""] ServiceType, old ["grafana_service_type"], inert;
        /// The storage that it keeps dashboards on.
        storage: [optional "the storage of primaries"] SettingName, old ["grafana_storage_access_mode", "grafana_storage_class_name", "grafana_volume_size", "grafana_supplemental_groups", "grafana_fs_group"], inert;
        /// The administrator's name.
        admin_user: [default "\"admin\""] Line, old ["grafana_admin_username"], inert;
        /// The administrator's password.
        admin_password: [optional "one is generated"] SecretSource, old ["grafana_admin_password"], inert;
        /// A ConfigMap with dashboards of yours.
        dashboards_config: [optional "pgherd's dashboards"] ObjectName, old ["grafana_dashboards_custom_config"], inert;
        /// A ConfigMap with data sources of yours.
        datasources_config: [optional "the Prometheus above"] ObjectName, old ["grafana_datasources_custom_config"], inert;
    }
}

settings! {
    /// Alertmanager, which calls somebody.
    Alertmanager / RawAlertmanager {
        /// Whether it is installed.
        enabled: [default "false"] bool, old ["alertmanager_install"], inert;
        /// Its port.
        port: [default "9093"] Port, old ["alertmanager_port"], inert;
        /// The name of its Service.
        service_name: [optional "the installation's name and `-alertmanager`"] ObjectName, old ["alertmanager_service_name"], inert;
        /// How its Service is reached.
        service_type: [default "\"ClusterIP\""] ServiceType, old ["alertmanager_service_type"], inert;
        /// The storage that it keeps its state on.
        storage: [optional "the storage of primaries"] SettingName, old ["alertmanager_storage_access_mode", "alertmanager_storage_class_name", "alertmanager_volume_size", "alertmanager_supplemental_groups"], inert;
        /// How much it logs.
        log_level: [default "\"info\""] LogLevel, old ["alertmanager_log_level"], inert;
        /// A ConfigMap with a configuration of yours.
        config: [optional "pgherd's configuration"] ObjectName, old ["alertmanager_custom_config"], inert;
        /// A ConfigMap with alert rules of yours.
        rules_config: [optional "pgherd's rules"] ObjectName, old ["alertmanager_custom_rules_config"], inert;
    }
}
