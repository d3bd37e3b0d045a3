//! What a run says of the inventory and the cluster that it works with, before it does anything.

use std::path::Path;

use serde::Serialize;

use crate::{
    cli::{Context, Printer, output::counted},
    inventory::{Checked, Origin, Report},
    k8s::client::Connection,
};

/// An inventory in numbers, and what may not be as meant.
#[derive(Serialize)]
pub(super) struct Introduction<'a> {
    file: Option<&'a Path>,
    /// Settings that the file, a flag or a variable gives.
    own: usize,
    /// Settings that nobody gives.
    defaults: usize,
    warnings: &'a Report,
}

impl<'a> Introduction<'a> {
    /// The introduction of the inventory that was named.
    pub(super) fn of(context: &'a Context, checked: &'a Checked) -> Self {
        let own = checked.rows.iter().filter(|row| row.origin != Origin::Default).count();
        Self {
            file: context.settings.inventory.as_deref(),
            own,
            defaults: checked.rows.len() - own,
            warnings: &checked.warnings,
        }
    }

    /// Tells it, warnings first at their places.
    pub(super) fn tell(&self, printer: &Printer) {
        let Some(file) = self.file else { return };
        let name = file.file_name().unwrap_or(file.as_os_str()).display();
        let warnings = match self.warnings.mistakes().len() {
            0 => "no warnings".to_owned(),
            count => counted(count, "warning"),
        };
        printer.report(self.warnings);
        printer.line(&format!(
            "Inventory  {name}   {} of your own, {}, {warnings}",
            counted(self.own, "setting"),
            counted(self.defaults, "default"),
        ));
    }
}

/// Tells of the cluster.
pub(super) fn tell_cluster(printer: &Printer, connection: &Connection) {
    let Connection { cluster, version, context, .. } = connection;
    printer.line(&format!("Cluster    {cluster} (Kubernetes {version}), context {context}"));
}
