//! What is looked at before and after an installation. Each check has a stable code, and says what it saw.
//!
//! [`run`] asks the cluster; what an answer means is decided by functions that take it as an argument.

mod cluster;
mod code;
mod namespaces;
mod neighbours;
mod probe;
pub mod rights;
mod s3;
mod storage;

use std::path::Path;

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde::Serialize;

pub use self::{
    code::{Code, reference},
    probe::Probe,
};
use crate::{
    inventory::Inventory,
    k8s::{self, Kind, client::Connection},
    roles::{self, Catalogue, Files, Live},
};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It could not be looked at; the message says why.
    Skipped,
    /// It works, but perhaps not as meant.
    Warning,
    /// It doesn't work.
    Failed,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check.
    pub code: Code,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, as a sentence without a period.
    pub message: String,
    /// Single things that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to do, when there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    fn new(code: Code, outcome: Outcome, message: impl Into<String>) -> Self {
        Self { code, outcome, message: message.into(), details: Vec::new(), hint: None }
    }

    fn ok(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Outcome::Ok, message)
    }

    fn warning(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(code, Outcome::Warning, message).with_hint(hint)
    }

    fn failed(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(code, Outcome::Failed, message).with_hint(hint)
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// A check that the caller's rights, or the server, kept from being made.
    fn unseen(code: Code, error: &k8s::Error) -> Self {
        let message = match error.kind() {
            Kind::Forbidden => format!("you may not look: {}", error.message()),
            _ => error.to_string(),
        };
        Self::new(code, Outcome::Skipped, message)
    }
}

/// What is to be checked.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The cluster.
    pub connection: &'a Connection,
    /// The inventory.
    pub inventory: &'a Inventory,
    /// Roles that would be installed.
    pub catalogue: &'a Catalogue,
    /// Files that the inventory names.
    pub files: &'a Files,
    /// The folder that their paths are relative to.
    pub folder: &'a Path,
}

impl Subject<'_> {
    /// Everything that the installer would make, in a cluster that nothing is known of.
    ///
    /// # Errors
    /// When the roles can't be rendered.
    pub fn objects(&self) -> Result<Vec<DynamicObject>, roles::Error> {
        let Self { inventory, catalogue, files, .. } = *self;
        let live = Live::unseen(inventory);
        let components = roles::components(catalogue, inventory, files, &live, Timestamp::now())?;
        let own = components.into_iter().filter(|component| !component.external);
        Ok(own.flat_map(|component| component.objects).collect())
    }
}

/// Makes every check, all at once; findings come in the order of the codes. Nothing is written but by a probe, and who
/// passes one removes what it made.
///
/// # Errors
/// When the roles can't be rendered. What can't be looked at is a finding.
pub async fn run(subject: Subject<'_>, probe: Option<&Probe>) -> Result<Vec<Finding>, roles::Error> {
    let Subject { connection, inventory, files, folder, .. } = subject;
    let client = &connection.client;
    let objects = subject.objects()?;
    let probed = async {
        match probe {
            Some(probe) => probe.run(inventory, files).await,
            None => probe::unasked(),
        }
    };
    let (server, rights, storage, namespaces, neighbours, probed, bucket) = tokio::join!(
        cluster::check(connection),
        rights::check(client, inventory, &objects),
        storage::check(client, inventory),
        namespaces::check(client, inventory, &objects),
        neighbours::check(client, inventory, &objects),
        probed,
        s3::check(&inventory.s3, folder),
    );
    let mut findings = [server, rights, storage, namespaces, neighbours, probed, bucket].concat();
    findings.sort_by_key(|finding| finding.code);
    Ok(findings)
}
