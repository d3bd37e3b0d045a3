//! Where one measurement takes place: an inventory and namespaces of its own, removed when it is over.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, api::DeleteParams};
use pgherd::{inventory::Inventory, k8s::wait};

const MINIMAL: &str = include_str!("../../inventory/minimal.toml");

/// How long anything may take before the run is given up.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// An installation that is about to be, or is.
pub(crate) struct Site {
    pub(crate) client: Client,
    pub(crate) inventory: Inventory,
    /// The inventory's file, for the command line.
    pub(crate) file: tempfile::NamedTempFile,
}

impl Site {
    /// The minimal inventory under another name, with so many namespaces for databases.
    pub(crate) fn new(
        client: &Client,
        name: &str,
        namespaces: usize,
        image: Option<&str>,
    ) -> anyhow::Result<Self> {
        let mut text = MINIMAL.to_owned();
        let mut replace = |from: &str, to: &str| {
            anyhow::ensure!(text.contains(from), "inventory/minimal.toml doesn't say {from} any more");
            text = text.replacen(from, to, 1);
            Ok(())
        };
        replace("name = \"pgherd\"", &format!("name = \"{name}\""))?;
        replace("namespace = \"pgherd\"", &format!("namespace = \"{name}\""))?;
        let number = |number: usize| if number == 1 { String::new() } else { number.to_string() };
        let watched: Vec<String> =
            (1..=namespaces).map(|namespace| format!("\"{name}-db{}\"", number(namespace))).collect();
        replace("watched = [\"postgres-operator\"]", &format!("watched = [{}]", watched.join(", ")))?;
        if let Some(image) = image {
            replace("operator = \"localhost/pgherd:dev\"", &format!("operator = \"{image}\""))?;
        }
        let inventory = Inventory::parse("bench.toml", &text)
            .map_err(|report| anyhow::anyhow!("{}", report.render(false)))?;
        let file = tempfile::Builder::new().suffix(".toml").tempfile()?;
        fs_err::write(file.path(), &text)?;
        Ok(Self { client: client.clone(), inventory, file })
    }

    /// The namespace of the operator.
    pub(crate) fn home(&self) -> &str {
        self.inventory.installation.namespace.as_str()
    }

    /// The first namespace for databases.
    pub(crate) fn databases(&self) -> String {
        self.inventory.watched().iter().map(ToString::to_string).min().unwrap_or_default()
    }

    /// Does something here and removes the namespaces afterwards, however it ended.
    pub(crate) async fn used<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        self.clear().await?;
        let outcome = work.await;
        let cleared = self.clear().await;
        let value = outcome?;
        cleared?;
        Ok(value)
    }

    async fn clear(&self) -> anyhow::Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        // Databases first: only a running operator lets go of them.
        let databases = self.inventory.watched().iter().map(AsRef::as_ref);
        for name in databases.chain([self.home()]) {
            let Some(found) = namespaces.get_opt(name).await? else { continue };
            let uid = found.metadata.uid.unwrap_or_default();
            crate::create::delete_all(self, name).await.ok();
            namespaces.delete(name, &DeleteParams::default()).await?;
            wait::gone(&namespaces, name, &uid, PATIENCE, |_| {})
                .await
                .with_context(|| format!("namespace {name} doesn't go away"))?;
        }
        Ok(())
    }
}
