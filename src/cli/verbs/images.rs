//! `pgherd images`.

use serde::Serialize;

use crate::{
    cli::{Context, Exit, Failure, output::table},
    domain::image::ImageReference,
    inventory::Inventory,
};

/// Which images to list.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the references, one in a line, as other tools take them
    #[arg(long)]
    plain: bool,
}

/// An image that the inventory uses.
#[derive(Debug, Serialize)]
struct Used {
    /// What runs in it.
    purpose: String,
    /// The setting that names it.
    setting: String,
    /// The reference as it is pulled, with registry, prefix, tag, digest and mirror.
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

impl Args {
    /// Lists every image that an inventory uses.
    ///
    /// # Errors
    /// When the inventory is wrong.
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { plain } = self;
        let used = used(&context.inventory()?.inventory);
        context.printer.result(&used, || {
            if plain {
                return used.iter().flat_map(|used| [used.image.as_str(), "\n"]).collect();
            }
            let rows = used.iter().map(|Used { purpose, setting, image, .. }| {
                [purpose.clone(), image.clone(), setting.clone()]
            });
            table(&["PURPOSE", "IMAGE", "SETTING"], rows)
        })?;
        Ok(Exit::Success)
    }
}

fn used(inventory: &Inventory) -> Vec<Used> {
    let images = &inventory.images;
    let used = |purpose: String, setting: String, image: &ImageReference| Used {
        purpose,
        setting,
        image: image.to_string(),
        digest: image.as_str().split_once('@').map(|(_, digest)| digest.to_owned()),
    };
    let operator = used("operator".to_owned(), "images.operator".to_owned(), &images.operator);
    let postgres = images.postgres.iter().map(|(version, image)| {
        used(format!("PostgreSQL {version}"), format!("images.postgres.{version}"), image)
    });
    std::iter::once(operator).chain(postgres).collect()
}
