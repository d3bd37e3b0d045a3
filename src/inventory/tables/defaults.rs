//! What a database cluster gets that asks for nothing else.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    choices::{LogStatement, PodAntiAffinity, ServiceType},
    texts::DatabaseName,
};
use crate::{
    domain::{
        duration::WrittenDuration,
        names::{SettingName, UserName},
        schedule::Schedule,
    },
    inventory::{
        code::Code,
        notes::Notes,
        setting::Kind,
        table::settings,
        value::{Found, Port, PostgresVersion, Value, Within},
    },
};

settings! {
    /// What a database cluster gets that asks for nothing else.
    Defaults / RawDefaults {
        /// The major version of PostgreSQL.
        postgres_version: [optional "the newest that `images.postgres` has"] PostgresVersion, old ["ccp_image_tag"];
        /// The database that is made with a cluster.
        database: [optional "one with the cluster's name"] DatabaseName, old ["db_name"];
        /// The user that is made with a cluster and owns that database.
        user: [optional "one with the cluster's name"] UserName, old ["db_user"];
        /// How many characters generated passwords have.
        password_length: [default "24"] Within<12, 128>, old ["db_password_length"], inert;
        /// How long passwords are valid.
        password_validity: [optional "for good"] WrittenDuration, old ["db_password_age_days"], inert;
        /// The port that PostgreSQL listens on.
        port: [default "5432"] Port, old ["db_port"];
        /// Instances besides the primary.
        replicas: [default "0"] Within<0, 100>, old ["db_replicas"];
        /// Whether clusters are backed up.
        backups: [default "true"] bool, old ["backrest"], inert;
        /// When backups are made.
        schedules: [table] BackupSchedules, old [];
        /// Whether write-ahead logs are archived. Without it there is no recovery to a point in time.
        archive_mode: [default "true"] bool, old ["archive_mode"], inert;
        /// After how long a write-ahead log is archived that isn't full.
        archive_timeout: [default "\"60s\""] WrittenDuration, old ["archive_timeout"];
        /// Whether instances stay on nodes of their own.
        pod_anti_affinity: [default "\"preferred\""] PodAntiAffinity, old ["pod_anti_affinity"];
        /// The same, for repositories of backups.
        pgbackrest_pod_anti_affinity: [optional "as instances"] PodAntiAffinity, old ["pod_anti_affinity_pgbackrest"], inert;
        /// The same, for connection poolers.
        pgbouncer_pod_anti_affinity: [optional "as instances"] PodAntiAffinity, old ["pod_anti_affinity_pgbouncer"], inert;
        /// Whether a commit waits for a replica. Nothing acknowledged is lost then when the primary is.
        synchronous_replication: [default "false"] bool, old ["sync_replication"];
        /// How databases are reached.
        service_type: [default "\"ClusterIP\""] ServiceType, old ["service_type"];
        /// Networks that clients may connect from.
        allowed_networks: [optional "clients may connect from anywhere"] Vec<IpNet>, old [];
        /// Which statements are logged.
        log_statement: [default "\"none\""] LogStatement, old ["log_statement"];
        /// From which duration on statements are logged.
        log_min_duration_statement: [default "\"60s\""] MinDuration, old ["log_min_duration_statement"];
        /// Whether a replica takes over by itself when the primary fails.
        failover: [default "true"] bool, old ["disable_auto_failover", "auto_failover"], inert;
        /// Whether an exporter measures the database.
        exporter: [default "false"] bool, old ["metrics"], inert;
        /// The exporter's port.
        exporter_port: [default "9187"] Port, old ["exporterport"], inert;
        /// Whether pgBadger makes reports of the log.
        pgbadger: [default "false"] bool, old ["badger"], inert;
        /// Its port.
        pgbadger_port: [default "10000"] Port, old ["pgbadgerport"], inert;
        /// The port of pgBackRest.
        pgbackrest_port: [default "2022"] Port, old ["backrest_port"], inert;
        /// Whether volumes get the group that processes run as. OpenShift does that by itself.
        set_fs_group: [default "true"] bool, old ["disable_fsgroup"];
        /// How long a scheduled task may take.
        schedule_timeout: [default "\"1h\""] WrittenDuration, old ["scheduler_timeout"], inert;
        /// Volumes, by what they are for.
        storage: [table] DefaultStorage, old [];
        /// Requests and limits, by what they are for.
        resources: [table] DefaultResources, old [];
    }
}

settings! {
    /// When backups are made, if nobody says otherwise.
    BackupSchedules / RawBackupSchedules {
        /// Full backups.
        full: [optional "none are made by themselves"] Schedule, old [], inert;
        /// Backups of what changed since the last full one.
        differential: [optional "none are made by themselves"] Schedule, old [], inert;
        /// Backups of what changed since the last one.
        incremental: [optional "none are made by themselves"] Schedule, old [], inert;
    }
}

settings! {
    /// Names of storages, by what volumes are for.
    DefaultStorage / RawDefaultStorage {
        /// Data of primaries.
        primary: [required] SettingName, old ["primary_storage"];
        /// Data of replicas.
        replica: [optional "as primaries"] SettingName, old ["replica_storage"], inert;
        /// Repositories of backups.
        pgbackrest: [optional "as primaries"] SettingName, old ["backrest_storage"], inert;
        /// Dumps.
        backup: [optional "as primaries"] SettingName, old ["backup_storage"], inert;
        /// Write-ahead logs.
        wal: [optional "they are with the data"] SettingName, old ["wal_storage"];
        /// What pgAdmin keeps.
        pgadmin: [optional "as primaries"] SettingName, old ["pgadmin_storage"], inert;
    }
}

settings! {
    /// Names of resources, by what containers are for.
    DefaultResources / RawDefaultResources {
        /// Instances of PostgreSQL.
        container: [optional "neither requests nor limits"] SettingName, old ["default_container_resources", "default_instance_memory"];
        /// Jobs that load data.
        load: [optional "neither requests nor limits"] SettingName, old ["default_load_resources"], inert;
        /// Jobs that remove data.
        rmdata: [optional "neither requests nor limits"] SettingName, old ["default_rmdata_resources"], inert;
        /// Jobs that make backups and dumps.
        backup: [optional "neither requests nor limits"] SettingName, old ["default_backup_resources"], inert;
        /// Connection poolers.
        pgbouncer: [optional "neither requests nor limits"] SettingName, old ["default_pgbouncer_resources", "default_pgbouncer_memory"], inert;
        /// Repositories of backups.
        pgbackrest: [optional "neither requests nor limits"] SettingName, old ["default_pgbackrest_memory"], inert;
        /// Exporters.
        exporter: [optional "neither requests nor limits"] SettingName, old ["default_exporter_memory"], inert;
    }
}

/// From which duration on something is done, or that it never is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MinDuration {
    /// From this one on; zero means always.
    From(WrittenDuration),
    /// Never, written `off`.
    Off(Off),
}

/// The word `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Off {
    /// Never.
    #[serde(rename = "off")]
    Off,
}

impl MinDuration {
    /// As PostgreSQL wants it: milliseconds, or -1 for never.
    #[must_use]
    pub fn milliseconds(&self) -> i64 {
        match self {
            Self::From(duration) => i64::try_from(duration.length().as_millis()).unwrap_or(i64::MAX),
            Self::Off(_) => -1,
        }
    }
}

impl Value for MinDuration {
    const KIND: Kind = Kind::Text { what: "a duration, or `off`", example: "500ms" };

    fn read(found: &Found<'_>, notes: &Notes) -> Option<Self> {
        if found.value.as_str() == Some("off") {
            return Some(Self::Off(Off::Off));
        }
        found.parsed(Code::Duration, notes).map(Self::From)
    }
}
