//! What happens to a cluster, told to people: each entry becomes an event on the cluster and a line in the operator's log.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};

/// Another instance has taken over, so that the primary's pod can go.
pub(super) const PRIMARY_MOVED: &str = "PrimaryMoved";
/// A user's request for another primary was met.
pub(super) const SWITCHOVER_DONE: &str = "SwitchoverDone";

/// The longest note that the events API takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Entries in the order in which they happened. No entry may hold a secret. Entries with the same reason would be merged
/// into the first one of them, so what happens to several objects at once is one entry.
#[derive(Default)]
pub struct Story {
    entries: Vec<Event>,
}

impl Story {
    /// Something went as it should.
    pub fn tell(&mut self, reason: &str, action: &str, note: String) {
        self.add(EventType::Normal, reason, action, note);
    }

    /// Somebody should look at something.
    pub fn warn(&mut self, reason: &str, action: &str, note: String) {
        self.add(EventType::Warning, reason, action, note);
    }

    /// Says what the last entry is about besides the cluster. Entries about different objects are not merged.
    pub fn concerning(&mut self, subject: ObjectReference) {
        if let Some(last) = self.entries.last_mut() {
            last.secondary = Some(subject);
        }
    }

    /// Whether another instance has taken over in it since the operator asked for that.
    #[must_use]
    pub fn tells_of_takeover(&self) -> bool {
        self.entries.iter().any(|event| [PRIMARY_MOVED, SWITCHOVER_DONE].contains(&event.reason.as_str()))
    }

    fn add(&mut self, type_: EventType, reason: &str, action: &str, note: String) {
        self.entries.push(Event {
            type_,
            reason: reason.to_owned(),
            action: action.to_owned(),
            note: Some(shortened(note)),
            secondary: None,
        });
    }

    /// Publishes the entries. An event that can't be published is not worth failing for; the log has it.
    pub async fn publish(self, recorder: &Recorder, about: &ObjectReference) {
        let name = about.name.as_deref().unwrap_or_default();
        let namespace = about.namespace.as_deref().unwrap_or_default();
        for event in &self.entries {
            let note = event.note.as_deref().unwrap_or_default();
            match event.type_ {
                EventType::Normal => {
                    tracing::info!(namespace, cluster = name, reason = event.reason, "{note}");
                }
                EventType::Warning => {
                    tracing::warn!(namespace, cluster = name, reason = event.reason, "{note}");
                }
            }
            if let Err(error) = recorder.publish(event, about).await {
                tracing::debug!(namespace, cluster = name, %error, "failed to publish an event");
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.entries.iter().map(|event| event.reason.as_str()).collect()
    }
}

fn shortened(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        let mut end = LONGEST_NOTE - '…'.len_utf8();
        while !note.is_char_boundary(end) {
            end -= 1;
        }
        note.truncate(end);
        note.push('…');
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_notes_are_cut_between_characters() {
        let note = shortened("ä".repeat(1000));
        assert!(note.len() <= LONGEST_NOTE && note.ends_with("ä…"), "{}", note.len());
        assert_eq!(shortened("short".into()), "short");
    }
}
