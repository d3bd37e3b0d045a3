//! Server-side apply: the one way in which pgherd writes objects it describes as a whole.

use std::fmt::Debug;

use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{Doing as _, Error};

/// The manager of fields that the installer sets.
pub const INSTALLER: &str = "pgherd-installer";
/// The manager of fields that the operator sets. It never shares an object with the installer.
pub const OPERATOR: &str = "pgherd-operator";

/// How an object is applied.
#[derive(Clone, Copy, Debug)]
pub struct Apply {
    /// Who owns the fields.
    pub manager: &'static str,
    /// Whether fields are taken from other managers.
    pub force: bool,
}

impl Apply {
    /// Unknown fields are errors: a typing mistake in a template would otherwise vanish without a word.
    #[must_use]
    pub fn parameters(self) -> PatchParams {
        let parameters = PatchParams::apply(self.manager).validation_strict();
        if self.force { parameters.force() } else { parameters }
    }

    /// Applies an object and gives back what the server made of it.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn run<K>(self, api: &Api<K>, name: &str, object: &(impl Serialize + Debug)) -> Result<K, Error>
    where
        K: Resource + Clone + DeserializeOwned + Debug,
    {
        api.patch(name, &self.parameters(), &Patch::Apply(object))
            .await
            .doing(|| format!("apply {}/{name}", api.resource_url()))
    }

    /// Asks what the server would make of an object, without changing anything.
    ///
    /// # Errors
    /// When the server would refuse it.
    pub async fn dry_run<K>(
        self,
        api: &Api<K>,
        name: &str,
        object: &(impl Serialize + Debug),
    ) -> Result<K, Error>
    where
        K: Resource + Clone + DeserializeOwned + Debug,
    {
        api.patch(name, &self.parameters().dry_run(), &Patch::Apply(object))
            .await
            .doing(|| format!("apply {}/{name} (dry run)", api.resource_url()))
    }
}
