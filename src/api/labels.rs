//! Labels, annotations and the finalizer: what dashboards, network policies and applications select on.
//!
//! The names are those of the 5.x operator, so that selectors written for its clusters keep working. Unless said
//! otherwise, the operator sets a label.

/// Expands to a name in the group of the resource.
macro_rules! prefixed {
    ($name:literal) => {
        concat!("postgres-operator.crunchydata.com/", $name)
    };
}

/// API group of the resources, and the prefix of all labels and annotations.
pub const GROUP: &str = "postgres-operator.crunchydata.com";

/// On the resource: keeps it until what Kubernetes would not delete by itself is gone.
pub const FINALIZER: &str = prefixed!("finalizer");

/// On everything of a cluster: the cluster's name.
pub const CLUSTER: &str = prefixed!("cluster");
/// On everything of an instance: the instance's name.
pub const INSTANCE: &str = prefixed!("instance");
/// On everything of an instance set: the set's name.
pub const INSTANCE_SET: &str = prefixed!("instance-set");
/// On pods and volumes with data: whose data it is, one of the `DATA_*` values.
pub const DATA: &str = prefixed!("data");
/// What an object is for, one of the `ROLE_*` values; on instance pods Patroni sets and moves it.
pub const ROLE: &str = prefixed!("role");
/// On instance pods and Patroni's own objects: the scope, which is the cluster's name with `-ha`.
pub const PATRONI: &str = prefixed!("patroni");
/// On the Secret of a user: the user's name.
pub const PGUSER: &str = prefixed!("pguser");
/// On certificate Secrets: which certificate, one of the `CERTIFICATE_*` values.
pub const CLUSTER_CERTIFICATE: &str = prefixed!("cluster-certificate");
/// On the volume of the instance that starts first: that instance's name.
pub const STARTUP_INSTANCE: &str = prefixed!("startup-instance");
/// On instance pods with an exporter: `true`; scrape configurations select it.
pub const EXPORTER: &str = prefixed!("crunchy-postgres-exporter");
/// On jobs that move data to its place on adopted volumes: the job's name.
pub const MOVE_JOB: &str = prefixed!("move-job");
/// On everything around backups; the value is empty.
pub const PGBACKREST: &str = prefixed!("pgbackrest");
/// On backup jobs: how the backup came about, one of the `BACKUP_*` values.
pub const PGBACKREST_BACKUP: &str = prefixed!("pgbackrest-backup");
/// On objects with the pgBackRest configuration; the value is empty.
pub const PGBACKREST_CONFIG: &str = prefixed!("pgbackrest-config");
/// On scheduled backups: full, diff or incr.
pub const PGBACKREST_CRONJOB: &str = prefixed!("pgbackrest-cronjob");
/// On the pod with the repositories on volumes; the value is empty.
pub const PGBACKREST_DEDICATED: &str = prefixed!("pgbackrest-dedicated");
/// On what belongs to one repository: its name, `repo1` to `repo4`.
pub const PGBACKREST_REPO: &str = prefixed!("pgbackrest-repo");
/// On restore jobs; the value is empty.
pub const PGBACKREST_RESTORE: &str = prefixed!("pgbackrest-restore");
/// On volumes with repositories; the value is empty.
pub const PGBACKREST_VOLUME: &str = prefixed!("pgbackrest-volume");

/// Value of [`DATA`]: a database.
pub const DATA_POSTGRES: &str = "postgres";
/// Value of [`DATA`]: backups.
pub const DATA_PGBACKREST: &str = "pgbackrest";
/// Value of [`DATA`]: the graphical interface.
pub const DATA_PGADMIN: &str = "pgadmin";

/// Value of [`ROLE`] on the pod that accepts writes; Patroni sets it, also on the leader of a standby cluster.
pub const ROLE_PATRONI_LEADER: &str = "master";
/// Value of [`ROLE`] on pods that follow the leader, and on the Service that leads to them.
pub const ROLE_REPLICA: &str = "replica";
/// Value of [`ROLE`] on the Service that leads to the primary.
pub const ROLE_PRIMARY: &str = "primary";
/// Value of [`ROLE`] on volumes with the data directory.
pub const ROLE_PGDATA: &str = "pgdata";
/// Value of [`ROLE`] on volumes with the write-ahead log.
pub const ROLE_PGWAL: &str = "pgwal";
/// Value of [`ROLE`] on volumes for tablespaces.
pub const ROLE_TABLESPACE: &str = "tablespace";
/// Value of [`ROLE`] on the Secrets of users.
pub const ROLE_PGUSER: &str = "pguser";
/// Value of [`ROLE`] on the pooler and its objects.
pub const ROLE_PGBOUNCER: &str = "pgbouncer";
/// Value of [`ROLE`] on the graphical interface and its objects.
pub const ROLE_PGADMIN: &str = "pgadmin";
/// Value of [`ROLE`] on the objects of monitoring.
pub const ROLE_MONITORING: &str = "monitoring";

/// Value of [`CLUSTER_CERTIFICATE`]: what PostgreSQL shows to clients.
pub const CERTIFICATE_SERVER: &str = "postgres-tls";
/// Value of [`CLUSTER_CERTIFICATE`]: what replicas log in with.
pub const CERTIFICATE_REPLICATION: &str = "replication-client-tls";

/// Value of [`PGBACKREST_BACKUP`]: somebody asked for the backup.
pub const BACKUP_MANUAL: &str = "manual";
/// Value of [`PGBACKREST_BACKUP`]: replicas are created from the backup.
pub const BACKUP_REPLICA_CREATE: &str = "replica-create";
/// Value of [`PGBACKREST_BACKUP`]: its time had come.
pub const BACKUP_SCHEDULED: &str = "scheduled";

/// Annotation on the resource, set by users: any new value asks for a switchover.
pub const TRIGGER_SWITCHOVER: &str = prefixed!("trigger-switchover");
/// Annotation on the resource, set by users: any new value asks for a backup.
pub const ASK_FOR_BACKUP: &str = prefixed!("pgbackrest-backup");
/// Annotation on the resource, set by users: any new value asks for a restore in place.
pub const ASK_FOR_RESTORE: &str = prefixed!("pgbackrest-restore");
/// Annotation on the resource, set by users: allows removing backups from the specification, and their volumes.
pub const AUTHORIZE_BACKUP_REMOVAL: &str = prefixed!("authorizeBackupRemoval");
/// Annotation on the resource, set by users: names the upgrade that may change the cluster.
pub const ALLOW_UPGRADE: &str = prefixed!("allow-upgrade");
/// Annotation on the resource, set by users: `true` gives every user a schema of its own.
pub const AUTO_CREATE_USER_SCHEMA: &str = prefixed!("autoCreateUserSchema");
/// Annotation on the resource, set by users: `IPv6` makes the pgBackRest server listen on IPv6.
pub const PGBACKREST_IP_VERSION: &str = prefixed!("pgbackrest-ip-version");
/// Annotation on the resource, set by users: claim of the volume for the logs of backups to buckets.
pub const PGBACKREST_CLOUD_LOG_VOLUME: &str = prefixed!("pgbackrest-cloud-log-volume");
/// Annotation on the resource, set by users: `None` turns the exporter's built-in collectors off.
pub const EXPORTER_COLLECTORS: &str = prefixed!("postgres-exporter-collectors");
/// Annotation on the resource, set before it is deleted: `true` leaves its volumes behind. Not one of the 5.x operator.
pub const KEEP_VOLUMES: &str = "pgherd.io/keep-volumes";
/// Annotation on the resource: the installation whose operator follows the cluster, as its operator's namespace and its name,
/// joined by a dot. Not one of the 5.x operator.
pub const FOLLOWED_BY: &str = "pgherd.io/followed-by";
/// Annotation on instance pods: a digest of what the cluster's description asks of them. Not one of the 5.x operator.
pub const INPUTS: &str = "pgherd.io/inputs";
/// Annotation on instance pods: the image of the database, where the cluster's description names it. Not one of the 5.x
/// operator.
pub const NAMED_IMAGE: &str = "pgherd.io/image";
/// Annotation on instance pods: a digest of the parameters that PostgreSQL was last restarted for. Not one of the 5.x operator.
pub const RESTARTED_FOR: &str = "pgherd.io/restarted-for";
/// Annotation on backup jobs: the configuration the backup was made with.
pub const PGBACKREST_CONFIG_NAME: &str = prefixed!("pgbackrest-config");
/// Annotation on backup objects: hash of the repository settings they were made for.
pub const PGBACKREST_HASH: &str = prefixed!("pgbackrest-hash");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::postgres_cluster::PostgresCluster;

    #[test]
    fn the_group_is_the_one_of_the_resource() {
        assert_eq!(GROUP, <PostgresCluster as kube::Resource>::group(&()));
        assert_eq!(CLUSTER, format!("{GROUP}/cluster"));
    }
}
