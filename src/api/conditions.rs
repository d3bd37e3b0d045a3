//! Conditions in the status of a resource: their types, and changing them without touching what stays as it is.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The cluster accepts connections.
pub const READY: &str = "Ready";
/// The description was understood and is being followed.
pub const ACCEPTED: &str = "Accepted";
/// The operator works on the cluster; false with the reason `Paused` while it must not.
pub const PROGRESSING: &str = "Progressing";
/// Every replica streams what the primary writes; absent without replicas.
pub const REPLICATING: &str = "Replicating";
/// Parameters wait for PostgreSQL to be restarted; absent when none does.
pub const PENDING_RESTART: &str = "PendingRestart";
/// A volume is being enlarged.
pub const PERSISTENT_VOLUME_RESIZING: &str = "PersistentVolumeResizing";
/// The databases have their data: the first start, the restore or the adoption of volumes is over.
pub const POSTGRES_DATA_INITIALIZED: &str = "PostgresDataInitialized";
/// The proxy accepts connections.
pub const PROXY_AVAILABLE: &str = "ProxyAvailable";
/// The last request for another primary was met.
pub const SWITCHOVER_SUCCESSFUL: &str = "SwitchoverSuccessful";
/// The pod with the repositories on volumes can be used.
pub const REPO_HOST_READY: &str = "PGBackRestRepoHostReady";
/// The repository that replicas are created from can be used.
pub const REPLICA_REPO_READY: &str = "PGBackRestReplicaRepoReady";
/// The backup that replicas are created from exists.
pub const REPLICA_CREATE: &str = "PGBackRestReplicaCreate";
/// The last backup on request succeeded.
pub const MANUAL_BACKUP_SUCCESSFUL: &str = "PGBackRestManualBackupSuccessful";
/// A restore in place is under way.
pub const RESTORE_PROGRESSING: &str = "PGBackRestoreProgressing";

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, strum::Display, strum::IntoStaticStr)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It doesn't.
    False,
    /// Nobody can tell.
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// What is to be said about one condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewCondition {
    /// Which condition, such as [`READY`].
    pub type_: &'static str,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one CamelCase word for programs; must not be empty.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// Generation of the specification that this is about.
    pub observed_generation: Option<i64>,
}

/// Puts a condition into the list, in place of the one of its type, and returns whether the list is different now.
///
/// The transition time moves to `now` only when the status changes; a new reason or message keeps it. Times are whole
/// seconds, as Kubernetes stores them.
pub fn set_condition(conditions: &mut Vec<Condition>, new: NewCondition, now: Timestamp) -> bool {
    let NewCondition { type_, status, reason, message, observed_generation } = new;
    let mut condition = Condition {
        type_: type_.into(),
        status: status.to_string(),
        reason,
        message,
        observed_generation,
        last_transition_time: Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
    };
    let Some(present) = conditions.iter_mut().find(|present| present.type_ == type_) else {
        conditions.push(condition);
        return true;
    };
    if present.status == condition.status {
        condition.last_transition_time = present.last_transition_time.clone();
    }
    let changed = *present != condition;
    *present = condition;
    changed
}

/// The condition of this type, when the list has it.
#[must_use]
pub fn find_condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Takes the condition of this type out of the list and returns whether it was there.
pub fn remove_condition(conditions: &mut Vec<Condition>, type_: &str) -> bool {
    let before = conditions.len();
    conditions.retain(|condition| condition.type_ != type_);
    conditions.len() != before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(status: impl Into<ConditionStatus>, message: &str) -> NewCondition {
        NewCondition {
            type_: READY,
            status: status.into(),
            reason: "Test".into(),
            message: message.into(),
            observed_generation: Some(1),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const MORNING: &str = "2026-05-01T08:00:00Z";
    const EVENING: &str = "2026-05-01T20:00:00Z";

    #[test]
    fn a_new_type_is_added_with_whole_seconds() {
        let mut conditions = Vec::new();
        assert!(set_condition(&mut conditions, ready(true, ""), at("2026-05-01T08:00:00.75Z")));
        let progressing = NewCondition { type_: PROGRESSING, ..ready(ConditionStatus::Unknown, "") };
        assert!(set_condition(&mut conditions, progressing, at(EVENING)));
        assert_eq!(conditions.len(), 2);
        let ready = find_condition(&conditions, READY).unwrap();
        assert_eq!((ready.status.as_str(), ready.last_transition_time.0), ("True", at(MORNING)));
        assert_eq!(find_condition(&conditions, PROGRESSING).unwrap().status, "Unknown");
    }

    #[test]
    fn the_time_moves_with_the_status_only() {
        let mut conditions = Vec::new();
        set_condition(&mut conditions, ready(true, "one"), at(MORNING));
        assert!(!set_condition(&mut conditions, ready(true, "one"), at(EVENING)), "nothing is different");
        assert!(set_condition(&mut conditions, ready(true, "two"), at(EVENING)));
        assert_eq!(conditions[0].message, "two");
        assert_eq!(conditions[0].last_transition_time.0, at(MORNING));

        let newer = NewCondition { observed_generation: Some(2), ..ready(true, "two") };
        assert!(set_condition(&mut conditions, newer, at(EVENING)));
        assert_eq!(conditions[0].last_transition_time.0, at(MORNING));

        assert!(set_condition(&mut conditions, ready(false, "two"), at(EVENING)));
        assert_eq!(conditions[0].last_transition_time.0, at(EVENING));
        assert_eq!(conditions.len(), 1);
    }

    #[test]
    fn only_the_named_type_is_removed() {
        let mut conditions = Vec::new();
        set_condition(&mut conditions, ready(true, ""), at(MORNING));
        assert!(!remove_condition(&mut conditions, PROGRESSING));
        assert!(remove_condition(&mut conditions, READY));
        assert!(conditions.is_empty());
    }
}
