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
    /// The minimal inventory under another name.
    pub(crate) fn new(client: &Client, name: &str, image: Option<&str>) -> anyhow::Result<Self> {
        let mut text = MINIMAL.to_owned();
        let mut replace = |from: &str, to: &str| {
            anyhow::ensure!(text.contains(from), "inventory/minimal.toml doesn't say {from} any more");
            text = text.replacen(from, to, 1);
            Ok(())
        };
        replace("name = \"pgherd\"", &format!("name = \"{name}\""))?;
        replace("namespace = \"pgherd\"", &format!("namespace = \"{name}\""))?;
        replace("watched = [\"postgres-operator\"]", &format!("watched = [\"{name}-db\"]"))?;
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

    /// The namespace of the databases.
    pub(crate) fn databases(&self) -> String {
        self.inventory.watched().iter().map(ToString::to_string).collect()
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
        let databases = self.databases();
        // Databases first: only a running operator lets go of them.
        for name in [databases.as_str(), self.home()] {
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
