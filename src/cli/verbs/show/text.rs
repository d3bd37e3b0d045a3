//! Clusters for people. Pure.

use jiff::Timestamp;

use super::view::{Detail, Row, Summary};
use crate::{
    api::conditions::PENDING_RESTART,
    cli::output::{bytes, counted, lasting, table, wrap},
    postgres::member::Role,
};

/// What stands where nothing is known.
const NOTHING: &str = "–";
/// Width of the labels below the instances, and of a whole line.
const LABEL: usize = 16;
const WIDTH: usize = 80;
/// The most that is said of an instance's state beside its name; the rest is below.
const STATE: usize = 24;

/// Clusters, a line each.
pub(super) fn list(summaries: &[Summary], everywhere: bool) -> String {
    if summaries.is_empty() {
        return String::new();
    }
    let mut header = vec!["NAME", "STATE", "POSTGRESQL", "INSTANCES"];
    if everywhere {
        header.insert(0, "NAMESPACE");
    }
    let rows = summaries.iter().map(|summary| {
        let mut row = vec![
            summary.name.clone(),
            summary.state.clone(),
            summary.postgres_version.to_string(),
            format!("{} of {}", summary.ready, summary.instances),
        ];
        if everywhere {
            row.insert(0, summary.namespace.clone());
        }
        row
    });
    table(&header, rows)
}

/// One cluster.
pub(super) fn detail(detail: &Detail, now: Timestamp) -> String {
    let summary = &detail.summary;
    let mut first = vec![
        summary.name.clone(),
        summary.state.clone(),
        format!("PostgreSQL {}", summary.postgres_version),
        counted(summary.instances, "instance"),
    ];
    first.extend(detail.certificate_days.map(|days| match days {
        ..0 => "certificate expired".to_owned(),
        days => format!("certificate {}", counted(usize::try_from(days).unwrap_or(0), "day")),
    }));
    let mut text = first.join("   ") + "\n";
    if !detail.members.is_empty() {
        let header = ["INSTANCE", "ROLE", "STATE", "LAG", "TIMELINE", "NODE", "SIZE"];
        for line in table(&header, detail.members.iter().map(instance)).lines() {
            text.extend(["  ", line, "\n"]);
        }
    }
    let mut label = |name: &str, value: &str| {
        for (index, line) in wrap(value, WIDTH - LABEL - 4).iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            text.extend([format!("  {name:<LABEL$}  {line}").trim_end(), "\n"]);
        }
    };
    for row in detail.members.iter().filter(|row| row.member.state.chars().count() > STATE) {
        label(&row.member.name, &row.member.state);
    }
    let services: Vec<String> =
        detail.services.iter().map(|service| format!("{} ({})", service.name, service.purpose)).collect();
    if !services.is_empty() {
        label("Services", &services.join(", "));
    }
    for service in detail.services.iter().filter(|service| !service.external.is_empty()) {
        label("Outside", &format!("{}: {}", service.name, service.external.join(", ")));
    }
    let pending = detail.pending();
    if let Some((count, changes)) = &pending {
        let changes: Vec<String> = changes
            .iter()
            .map(|(name, change)| format!("{name} {} → {}", plain(&change.old), plain(&change.new)))
            .collect();
        let what = if changes.is_empty() { String::new() } else { format!("{}: ", changes.join(", ")) };
        let since =
            detail.pending_since().map(|since| format!(", for {}", lasting(now.duration_since(since))));
        let instances = counted(*count, "instance");
        label("Pending", &format!("{what}restart of {instances}{}", since.unwrap_or_default()));
    }
    for trouble in &summary.conditions {
        // The line above has the values, too.
        if trouble.type_ != PENDING_RESTART || pending.is_none() {
            label(&trouble.type_, &trouble.told(now));
        }
    }
    text
}

fn instance(row: &Row) -> Vec<String> {
    let member = &row.member;
    let or_nothing = |value: Option<String>| value.unwrap_or_else(|| NOTHING.to_owned());
    vec![
        member.name.clone(),
        or_nothing(member.role.map(|role| {
            match role {
                Role::Primary => "primary",
                Role::Replica => "replica",
            }
            .to_owned()
        })),
        short(&member.state),
        or_nothing(member.lag.map(bytes)),
        or_nothing(member.timeline.map(|timeline| timeline.to_string())),
        or_nothing(member.node.clone()),
        or_nothing(row.size.clone()),
    ]
}

/// The beginning of a state that is a whole story.
fn short(state: &str) -> String {
    if state.chars().count() <= STATE {
        return state.to_owned();
    }
    let word = state.split([':', ';', ' ']).next().unwrap_or_default();
    word.chars().take(STATE).chain("…".chars()).collect()
}

/// A value without the quotes of JSON.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
